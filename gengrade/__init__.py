"""An automated grading and verification harness for assignments whose answers are PyTorch programs."""
