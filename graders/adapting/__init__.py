"""Helpers that the adapters of all courses share: for a student's files, notebooks, signatures, devices and members."""
