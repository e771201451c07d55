"""Pictures of two-dimensional densities."""

import matplotlib.pyplot as plt
import torch

LIMIT = 2.5  # the pictures show x and y from −LIMIT to LIMIT


def make_mesh(points=50):
    """A lattice over the pictures' square: the first coordinates, the second, and both together [points, points, 2]."""
    axis = torch.linspace(-LIMIT, LIMIT, points)
    first, second = torch.meshgrid(axis, axis, indexing="ij")
    return first, second, torch.stack((first, second), dim=-1)


def plot_contours(density, extent=(-LIMIT, LIMIT, LIMIT, -LIMIT)):
    """Filled contours of density values [points, points]."""
    plt.contourf(density, extent=extent, cmap="Blues")


def plot_density(distribution):
    """Filled contours of a distribution that has log_prob."""
    *_, mesh = make_mesh()
    plot_contours(distribution.log_prob(mesh).exp())
