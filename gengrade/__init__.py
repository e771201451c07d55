"""An automated grading and verification harness for assignments whose answers are PyTorch programs."""

__version__ = "0.1.0"
