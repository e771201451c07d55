"""Shares of numbers, by which symptoms describe a distribution."""

from __future__ import annotations

from typing import Final

from gengrade.arrays import Mask

POINTS: Final = (-2.0, -1.0, -0.3, 0.3, 1.0, 2.0)  # in standard deviations; the shares of draws below them are compared


def share_of(flags: Mask) -> float:
    """Returns the share of true flags, 0 if there are none."""
    return float(flags.mean()) if flags.size else 0.0
