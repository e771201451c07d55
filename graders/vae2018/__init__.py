"""Checks of a VAE that is one module and returns its bound, in any parameterisation of its Gaussian (UvA 2018)."""
