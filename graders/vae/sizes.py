"""Sizes of what graders of a VAE send, and the most that they read."""

from __future__ import annotations

from typing import Final

from gengrade.grading import UpTo

LATENTS: Final = 15  # latents in checks of other things than their number, as by the hand-out's default
MOST_DRAWS: Final = 100  # most draws of z per image in one pass
MOST_LATENTS: Final = 10_000  # most latents of a manifold, which should have up to 196, or one more per axis
MOST_NETWORKS: Final = 100
MOST_OUTPUTS: Final = 1 << 15  # most numbers that a network gives for a row
MOST_PASSES: Final = 1_000  # most forward passes of the model in an epoch of four batches
# The first outputs of new networks, in training mode and in eval mode.
STARTS: Final = (2, UpTo(MOST_NETWORKS), UpTo(MOST_NETWORKS), UpTo(MOST_OUTPUTS))
