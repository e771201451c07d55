"""Checks of a GAN that consists of two networks and one function that trains both (UvA 2018)."""
