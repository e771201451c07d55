"""Checks of flow matching and diffusion in continuous time (MIT 6.S184): simulation, paths, losses and guidance."""
