"""University of Amsterdam, Deep Learning, deep generative models of 2021 to 2025: a VAE of 4-bit images."""
