"""Measure the harness's own cost: `python -m benchmarks`, or `make bench`."""
