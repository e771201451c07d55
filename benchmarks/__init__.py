"""Measurements of the harness's own cost, side by side in one run: `python -m benchmarks`, or `make bench`."""
