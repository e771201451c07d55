"""Variants of the reference of CS231n's diffusion model (Stanford), and the whole packages put together from them."""

from __future__ import annotations

from typing import Final

from validation.variants import Training

FAMILIES: Final = ("ddpm",)

# Unlike each other in what could matter to chance: the ways of random draws, and rounding.
MIXTURES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "by distributions": {
        "ddpm": (
            "noise by a distribution",
            "small numbers in denominators",
            "a loss of each image first",
            "guidance in one batch",
            "another interpolation in the given code",
        ),
    },
    "with formulas written out": {
        "ddpm": ("roots of the product", "a loss without q_sample", "a mask at the end", "skips in a mapping"),
    },
}

TRAININGS: Final[dict[str, Training]] = {}
