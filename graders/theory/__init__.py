"""Written answers that a machine can tell right from wrong (UvA 2020)."""
