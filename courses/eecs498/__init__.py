"""University of Michigan, EECS 498/598, the generative models of assignment 6, 2020 to 2022: VAEs and GANs."""
