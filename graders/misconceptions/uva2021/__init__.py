"""What students of the assignments of 2021 to 2023 at the University of Amsterdam get wrong, by topic."""
