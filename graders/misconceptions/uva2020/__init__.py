"""What students of the 2020 practical at the University of Amsterdam get wrong, by topic."""
