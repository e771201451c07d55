"""A normalizing flow in the plane (UvA 2020)."""
