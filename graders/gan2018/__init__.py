"""A generative adversarial network that is two networks and one function that trains both (UvA 2018)."""
