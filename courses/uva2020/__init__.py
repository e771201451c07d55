"""University of Amsterdam, Deep Learning, practical 3 of 2020: VAEs, GANs and flows."""
