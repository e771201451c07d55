"""Stanford University, CS231n, the GANs of assignment 3, 2020 to 2024."""
