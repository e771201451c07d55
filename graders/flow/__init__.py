"""Graders of a normalizing flow for points in the plane (UvA 2020)."""
