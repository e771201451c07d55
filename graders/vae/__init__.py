"""Graders of a VAE that is handed in as parts: arithmetic, networks, loss, samples and training (UvA 2020, 2021)."""
