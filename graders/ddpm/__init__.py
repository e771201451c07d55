"""Checks of a denoising diffusion model (Mila 2023)."""
