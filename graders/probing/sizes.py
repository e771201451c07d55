"""Sizes that probes and graders share."""

from __future__ import annotations

from typing import Final

PIXELS: Final = 28 * 28  # of an image of MNIST
CLASSES: Final = 10  # of MNIST
WAYS: Final = 8  # random directions in which slopes are measured
MOST_IMAGES: Final = 1_024  # most images that are returned, and read, of those which go through a network
