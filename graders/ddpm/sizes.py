"""How many times, images and pixels the checks of a diffusion process ask with.

Each check asks with random sizes, and with such as a training has, so that no program can be right for a few sizes
alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gengrade.grading import Rng

CHANNELS: Final = 3
USUAL_STEPS: Final = (100, 1000)  # as hand-outs train and sample with
USUAL_SIDE: Final = 32


@dataclass(frozen=True, slots=True)
class Sizes:
    """The number T of times, and that of images, which are squares."""

    steps: int
    images: int
    side: int

    @classmethod
    def random(cls, rng: Rng, images: tuple[int, int] = (3, 8)) -> Sizes:
        """Return small sizes, which take no time; `images` are the least, and one more than the most."""
        return cls(rng.integer(8, 25), rng.integer(*images), rng.integer(3, 8))

    @classmethod
    def usual(cls, rng: Rng, images: int = 2) -> Sizes:
        """Return sizes such as a training has, with fewer images."""
        return cls(USUAL_STEPS[rng.integer(0, len(USUAL_STEPS))], images, USUAL_SIDE)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The shape of the images, [B, 3, H, W]."""
        return self.images, CHANNELS, self.side, self.side
