"""Variants of the reference of CS231n's diffusion model (Stanford), and the whole packages put together from them."""

from __future__ import annotations

from typing import Final

from validation.variants import Training

FAMILIES: Final = ("ddpm",)

MIXTURES: Final[dict[str, dict[str, tuple[str, ...]]]] = {}

TRAININGS: Final[dict[str, Training]] = {}
