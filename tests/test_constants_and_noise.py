"""Globals that students' functions read, and noise that they draw themselves."""

from __future__ import annotations

import ast
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from gengrade.sandbox.guest.errors import Undecided
from graders.adapting import constants
from graders.adapting.noise import drawing

PROGRAM = """
import torch
n = 4
rate = 0.1
first = torch.linspace(0.1, 0.4, n)
first.mul_(2)
second = first.cumsum(0)
second[0] = 1
third = second.sqrt()
print(first)
def make(n, low=0.1): return torch.linspace(low, 0.4, n)
"""
STATEMENTS = ast.parse(PROGRAM).body


def test_what_a_value_follows_from_is_found() -> None:
    chosen = [ast.unparse(each) for each in constants.needed_for({"third"}, STATEMENTS)]
    assert chosen[0] == "import torch"
    assert {"n = 4", "second[0] = 1", "first.mul_(2)"} <= set(chosen)
    assert not {"rate = 0.1", "print(first)"} & set(chosen)
    assert constants.following_from({"first"}, STATEMENTS) == {"second", "third"}


def test_other_literals_stand_in_the_same_places() -> None:
    def replaced(name: str, value: object) -> object:
        return {"n": 9, "low": 0.5}.get(name, 0.7 if value == 0.4 else value)

    changed = [ast.unparse(constants.with_literals(each, replaced)) for each in STATEMENTS]
    assert "n = 9" in changed
    assert "first = torch.linspace(0.1, 0.7, n)" in changed
    assert changed[-1] == "def make(n, low=0.5):\n    return torch.linspace(low, 0.7, n)"


NOISE = torch.arange(6.0).reshape(2, 3)
DRAWS: dict[str, Callable[[], Tensor]] = {
    "randn": lambda: torch.randn(2, 3),
    "randn_like": lambda: torch.randn_like(NOISE),
    "flat": lambda: torch.randn(6).view(2, 3),
    "normal": lambda: torch.normal(torch.zeros(2, 3), 1.0),
    "of two numbers": lambda: torch.normal(0.0, 1.0, size=(2, 3)),
    "in place": lambda: torch.empty(2, 3).normal_(),
    "scaled": lambda: (torch.empty(2, 3).normal_(1, 2) - 1) / 2,
    "of a distribution": lambda: torch.distributions.Normal(0.0, 1.0).sample((2, 3)),  # type: ignore[no-untyped-call]
    "with gradients": lambda: torch.distributions.Normal(torch.zeros(2, 3), 1.0).rsample(),
}


@pytest.mark.parametrize("draw", DRAWS)
def test_normal_draws_of_any_kind_are_replaced(draw: str) -> None:
    assert torch.equal(drawing([NOISE], DRAWS[draw], "f"), NOISE)


def test_each_draw_has_noise_of_its_own_and_later_ones_are_random() -> None:
    found = drawing([NOISE, -NOISE], lambda: [torch.randn(2, 3) for _ in range(3)], "f")
    assert torch.equal(found[0], NOISE)
    assert torch.equal(found[1], -NOISE)
    assert found[2].abs().max() < 9
    assert not torch.equal(found[2], NOISE)
    assert drawing([NOISE], lambda: torch.randn(1, 3), "f").shape == (1, 3)


def test_draws_that_cannot_be_replaced_leave_it_open() -> None:
    with pytest.raises(Undecided, match="f has no parameter for noise"):
        drawing([NOISE], lambda: np.random.randn(2, 3), "f")
    assert drawing([NOISE], lambda: 3, "f") == 3
