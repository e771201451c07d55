"""Graders of written answers that a machine can check (UvA 2020)."""
