"""A denoising diffusion model (Mila 2023)."""
