"""Checks of a VAE whose encoder and decoder are Gaussian, and of its importance-weighted likelihood (Mila 2023)."""
