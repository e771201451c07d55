"""Stanford's CS231n, assignment 3: a denoising diffusion model with a conditional U-Net and guidance."""
