"""Training a network towards a target measures what its outputs can reach."""

from __future__ import annotations

from itertools import count

import pytest
import torch
from torch import Tensor, nn

from graders.probing.networks import DRIVE_STEPS, drive


class Level(nn.Module):
    """A network of one number, which is reset to zero from a certain call on."""

    def __init__(self, falls: int) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.zeros(1))
        self.calls = count()
        self.falls = falls

    def forward(self) -> Tensor:
        return self.level * (next(self.calls) < self.falls)


@pytest.mark.parametrize("falls", [DRIVE_STEPS // 2, DRIVE_STEPS - 1])
def test_a_late_fall_does_not_hide_what_was_reached(falls: int) -> None:
    network = Level(falls)
    reached = drive(network, network, torch.tensor([0.5]))
    assert reached.item() == pytest.approx(0.5, abs=0.1)


def test_outputs_that_are_no_numbers_are_given_back() -> None:
    network = nn.Linear(1, 1)
    reached = drive(network, lambda: network(torch.full((1, 1), torch.nan)), torch.ones(1))
    assert reached.isnan().all()


def test_it_ends_when_enough_was_seen() -> None:
    network = Level(DRIVE_STEPS)
    drive(network, network, torch.ones(1), enough=lambda: True)
    assert next(network.calls) <= 2
