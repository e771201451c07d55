"""What students of the 2023 practical at the Université de Montréal get wrong, by topic."""
