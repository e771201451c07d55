"""A conditional generative adversarial network (Duke 2017)."""
