"""Helpers that probes share. They run in a guest, beside student code, and contain no right answers."""
