"""The most that graders of flows read."""

from __future__ import annotations

from typing import Final

MOST_LAYERS: Final = 1_000  # most layers of a model of four coupling layers, permutations and others included
MOST_STEPS: Final = 10_000  # most optimiser steps in an epoch of twelve batches
