"""What students of the assignments of 2021 to 2025 at the University of Amsterdam get wrong, by topic."""
