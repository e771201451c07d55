"""Mistakes of the 2017 homework: interpolations, and the conditional GAN."""
