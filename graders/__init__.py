"""What is checked: one pytest module for each model family, run in the host."""
