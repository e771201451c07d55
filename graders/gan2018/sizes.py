"""Sizes of what graders of a GAN and a function that trains it send, and the most that they read."""

from __future__ import annotations

from typing import Final

LATENTS: Final = 100  # numbers of a latent
MOST_STEPS: Final = 10_000  # most steps of the optimisers in a loop over a few batches
WALKS: Final = 40  # calls of an interpolation, enough to see the distribution of its ends
