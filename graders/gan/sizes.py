"""The most that graders of a GAN read."""

from __future__ import annotations

from typing import Final

MOST_STEPS: Final = 10_000  # most optimiser steps, and most losses, in a loop over a few batches
