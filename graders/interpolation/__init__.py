"""Checks of an interpolation between latents, for any generator or decoder (Duke 2017)."""
