"""The most that graders of a Gaussian VAE read."""

from __future__ import annotations

from typing import Final

MOST_LATENTS: Final = 40_000  # most latents that are read from a check; the largest check needs 2,560
