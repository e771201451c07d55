"""A VAE whose encoder and decoder are Gaussian, and its importance-weighted likelihood (Mila 2023)."""
