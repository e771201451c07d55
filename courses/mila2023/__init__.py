"""Université de Montréal, IFT6135, the practical on generative models of autumn 2023: VAEs, GANs and diffusion."""
