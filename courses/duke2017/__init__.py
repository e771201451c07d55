"""Duke University, Introduction to Deep Learning, homework on unit 3 of 2017: interpolations, conditional GANs."""
