"""Training a network towards a target measures what its outputs can reach."""

from __future__ import annotations

from collections.abc import Callable
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
    assert reached[0].item() == pytest.approx(0.5, abs=0.1)


def test_outputs_that_are_no_numbers_are_given_back() -> None:
    network = nn.Linear(1, 1)
    reached = drive(network, lambda: network(torch.full((1, 1), torch.nan)), torch.ones(1))
    assert reached.shape == (2, 1)
    assert reached.isnan().all()


def test_it_ends_when_enough_was_seen() -> None:
    network = Level(DRIVE_STEPS)
    drive(network, network, torch.ones(1), enough=lambda output: True)
    assert next(network.calls) <= 4


class Confined(nn.Linear):
    """A layer whose outputs are confined to (0, 1) in some cases only."""

    def __init__(self, confines: Callable[[nn.Module], bool]) -> None:
        super().__init__(3, 2)
        self.confines = confines

    def forward(self, x: Tensor) -> Tensor:
        outputs = super().forward(x)
        return torch.sigmoid(outputs) if self.confines(self) else outputs


@pytest.mark.parametrize(
    ("confines", "confined"),
    [
        (lambda network: network.training, (True, False)),
        (lambda network: not network.training, (False, True)),
        (lambda network: not torch.is_grad_enabled(), (False, True)),
        (lambda network: True, (True, True)),
        (lambda network: False, (False, False)),
    ],
    ids=["in training", "in eval mode", "without gradients", "always", "never"],
)
def test_the_range_of_each_mode_is_found(confines: Callable[[nn.Module], bool], confined: tuple[bool, bool]) -> None:
    network, x = Confined(confines), torch.ones(4, 3)
    reached = drive(network, lambda: network(x), torch.full((4, 2), -3.0))
    assert tuple(bool((each >= 0).all()) for each in reached) == confined
    assert all(each.min() < -1 for each, closed in zip(reached, confined, strict=True) if not closed)


def test_a_network_that_normalises_its_batch_reaches_the_target_in_both_modes() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 4))
    x, target = torch.randn(8, 5), 3 * torch.randn(8, 4).sign()
    reached = drive(network, lambda: network(x), target)
    assert (reached.amin(dim=(1, 2)) < -1.5).all()
    assert (reached.amax(dim=(1, 2)) > 1.5).all()
