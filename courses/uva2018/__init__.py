"""University of Amsterdam, Deep Learning, assignment 3 of 2018: a VAE and a GAN."""
