"""Variants of the reference of MIT's labs, and the whole packages that they are put together to."""

from __future__ import annotations

from typing import Final

from validation.variants import Training

FAMILIES: Final = ("flow_matching",)
MIXTURES: Final[dict[str, dict[str, tuple[str, ...]]]] = {}
TRAININGS: Final[dict[str, Training]] = {}
