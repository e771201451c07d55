"""Variants of the reference of MIT's labs, and the whole packages that they are put together to."""

from __future__ import annotations

from typing import Final

from validation.variants import Training

FAMILIES: Final = ("flow_matching",)

# Unlike each other in what could matter to chance: the ways and the order of random draws, and added rounding.
MIXTURES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "by distributions": {
        "flow_matching": (
            "noise of a multivariate normal",
            "noise of rsample",
            "times by uniform_",
            "a linear path by steps",
        ),
    },
    "with something added": {
        "flow_matching": (
            "noise by torch.normal",
            "denominators with something added",
            "losses as means of all squares",
            "times that end before 1",
            "the trainer of 2026",
        ),
    },
}
TRAININGS: Final[dict[str, Training]] = {
    "flow_matching.field_distance": Training(("flow_matching.field_distance",), of_images=False),
}
