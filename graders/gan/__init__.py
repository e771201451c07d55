"""Graders of a generative adversarial network that is one module with a step for each of its networks (UvA 2020)."""
