"""A VAE in parts: its arithmetic, networks, loss, samples, loop and training (UvA 2020, and 2021 on)."""
