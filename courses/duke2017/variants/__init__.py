"""Variants of the reference of 2017 (Duke University), and the whole packages that they are put together to."""

from __future__ import annotations

import json
from functools import cache
from typing import Final

from gengrade.course import courses
from validation.variants import Changes, Training

FAMILIES: Final = ("interpolation", "cgan")
NOTEBOOK: Final = "homework.ipynb"

MIXTURES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "of arguments": {
        "interpolation": ("a draw from the encoder's Gaussian",),
        "cgan": ("noise and label as two arguments",),
    },
    "of pictures": {
        "interpolation": ("one image at a time, as arrays",),
        "cgan": ("convolutions, with the label as planes",),
    },
}

TRAININGS: Final = {"cgan.digits": Training(("cgan.digits", "cgan.diversity"))}


@cache
def cell(marker: str) -> str:
    """Return the source of the reference's first cell that holds a text."""
    file = courses()["duke2017"].reference / NOTEBOOK
    sources = ["".join(each["source"]) for each in json.loads(file.read_text())["cells"]]
    return next(source for source in sources if marker in source)


def notebook(*changes: tuple[str, str]) -> Changes:
    return {NOTEBOOK: list(changes)}


def rewritten(marker: str, source: str) -> tuple[str, str]:
    """Return the cell that holds a text, and another in its place."""
    return cell(marker), source
