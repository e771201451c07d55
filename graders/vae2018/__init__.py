"""A VAE that is one module and returns its bound, with the parameterisation of its author (UvA 2018)."""
