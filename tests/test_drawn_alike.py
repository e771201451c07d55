"""Latents that are not from N(0, I) are told from others, whatever their distribution, and not from their own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from graders.common.latents import are_drawn_alike, depend_on_each_other

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]

DRAWS: dict[str, Draw] = {
    "uniform": lambda random, n: random.uniform(size=(n, 16)),
    "normal": lambda random, n: random.normal(size=(n, 16)),
    "twice as wide": lambda random, n: 2 * random.normal(size=(n, 16)),
    "bits": lambda random, n: random.integers(0, 2, (n, 16)).astype(np.float64),
    "shifted": lambda random, n: random.normal(size=(n, 16)) + 1,
    "one number for all elements": lambda random, n: random.normal(size=(n, 1)) * np.ones(16),
    "zeros": lambda random, n: np.zeros((n, 16)),
    "heavy tails": lambda random, n: random.standard_cauchy(size=(n, 16)),
}


@pytest.mark.parametrize("name", DRAWS)
def test_draws_of_one_distribution_are_alike(name: str) -> None:
    draw = DRAWS[name]
    for seed in range(100):
        random = np.random.default_rng(seed)
        assert are_drawn_alike(draw(random, 64), draw(random, 400), alpha=0.01)


# Draws that pass as N(0, I) are not compared.
@pytest.mark.parametrize("name", sorted(DRAWS.keys() - {"normal"}))
@pytest.mark.parametrize("other", sorted(DRAWS.keys() - {"normal"}))
def test_draws_of_different_distributions_are_not(name: str, other: str) -> None:
    random = np.random.default_rng(1)
    assert are_drawn_alike(DRAWS[name](random, 64), DRAWS[other](random, 400)) == (name == other)


@pytest.mark.parametrize("name", sorted(DRAWS.keys() - {"zeros"}))
def test_ends_that_depend_on_each_other_are_found(name: str) -> None:
    random = np.random.default_rng(2)
    first, last = (DRAWS[name](random, 48) for _ in range(2))
    assert not depend_on_each_other(first, last)
    assert depend_on_each_other(first, first + 0.1 * last)


def test_ends_that_are_all_zero_do_not_depend_on_each_other() -> None:
    assert not depend_on_each_other(np.zeros((48, 16)), np.zeros((48, 16)))
