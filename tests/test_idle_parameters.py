"""Whether a parameter of a network has any effect on its output."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from graders.probing.networks import idle_parameter


class _Network(nn.Module):
    """A linear layer, and another one that does not matter, depending on `how`."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.first, self.second = nn.Linear(4, 2), nn.Linear(4, 2)
        self.gate = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.first(x)
        more: Tensor = self.second(x)
        match self.how:
            case "times zero":
                return out + 0 * more + self.gate
            case "added and taken away":
                return out + more - more + self.gate
            case "a gate that is zero at first":
                return out + self.gate * more
        raise AssertionError(self.how)


def _idle(network: nn.Module, seed: int) -> str:
    torch.manual_seed(seed)
    x = torch.randn(3, 4)
    return idle_parameter(network.eval(), lambda: network(x))


@pytest.mark.parametrize("how", ["times zero", "added and taken away"])
def test_a_layer_that_takes_part_in_the_graph_alone_is_found(how: str) -> None:
    assert all(_idle(_Network(how), seed).startswith("second.") for seed in range(20))


@pytest.mark.parametrize("how", ["times zero", "added and taken away"])
def test_a_layer_that_takes_no_part_is_found_among_small_weights(how: str) -> None:
    for seed in range(20):
        torch.manual_seed(seed)
        assert _idle(_small(_Network(how)), seed).startswith("second.")


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_small_initial_weights_are_used(depth: int) -> None:
    """Beside biases of a usual size, the effect of these weights is lost in rounding."""
    for seed in range(20):
        torch.manual_seed(seed)
        hidden = [layer for _ in range(depth) for layer in (nn.Linear(16, 16), nn.ELU())]
        assert not _idle(_small(nn.Sequential(nn.Linear(4, 16), nn.ELU(), *hidden, nn.Linear(16, 2))), seed)


def _small(network: nn.Module) -> nn.Module:
    """Return the network after giving all its linear layers small weights, and biases of 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            layer.weight.data.normal_(std=0.0001)
            layer.bias.data.zero_()
    return network


def test_a_branch_that_begins_at_zero_is_used() -> None:
    assert not any(_idle(_Network("a gate that is zero at first"), seed) for seed in range(20))


def test_a_unit_that_is_dead_at_some_values_is_used() -> None:
    """Of networks with one unit behind a ReLU, about half give nothing but zeros when they are made."""
    dead = 0
    for seed in range(100):
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Linear(4, 1), nn.ReLU())
        dead += not network(torch.randn(3, 4)).any()
        assert not _idle(network, seed), seed
    assert dead > 10
