"""The optimiser that the hand-outs ask for."""

from __future__ import annotations

from typing import Final

import numpy as np

from gengrade.arrays import Array

ADAM: Final = {"rate": 1e-3, "beta1": 0.5, "beta2": 0.999, "epsilon": 1e-8}


def adam(gradients: Array, rate: float, beta1: float, beta2: float, epsilon: float) -> Array:
    """Return how far parameters [steps, P] have moved after each step of Adam, for known gradients [steps, P].

    Kingma & Ba 2015, algorithm 1, with both averages divided by 1 − βᵗ.
    """
    mean, square = np.zeros(gradients.shape[1]), np.zeros(gradients.shape[1])
    place = np.zeros_like(gradients)
    for t, gradient in enumerate(gradients):
        mean, square = beta1 * mean + (1 - beta1) * gradient, beta2 * square + (1 - beta2) * gradient**2
        step = rate * (mean / (1 - beta1 ** (t + 1))) / (np.sqrt(square / (1 - beta2 ** (t + 1))) + epsilon)
        place[t] = (place[t - 1] if t else 0) - step
    return place
