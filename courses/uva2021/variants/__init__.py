"""Variants of the reference of 2021 to 2025 (University of Amsterdam)."""

from __future__ import annotations

from typing import Final

from validation.variants import Training

FAMILIES: Final = ("vae",)
MIXTURES: Final[dict[str, dict[str, tuple[str, ...]]]] = {"normalised": {"vae": ("normalised logits",)}}
TRAININGS: Final[dict[str, Training]] = {}
