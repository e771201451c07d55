"""Graders of a GAN of small images with prescribed networks: its noise, networks, losses and optimiser."""
