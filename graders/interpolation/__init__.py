"""Interpolation between latents, of any generator or decoder (Duke 2017, Mila 2023)."""
