"""Checks of a conditional generative adversarial network (Duke 2017)."""
