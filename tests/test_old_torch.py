"""Programs of older courses compute what they computed with the PyTorch of their year."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from gengrade.sandbox.guest.old_torch import behave_as_installed, behave_like


@pytest.fixture(autouse=True)
def as_installed() -> Iterator[None]:
    yield
    behave_as_installed()


def targets_of_another_shape() -> None:
    scores = torch.tensor([[0.2], [0.9]], requires_grad=True)
    loss = nn.BCELoss()(scores, torch.tensor([1.0, 0.0]))
    assert loss.item() == pytest.approx(-(np.log(0.2) + np.log(0.1)) / 2, rel=1e-5)
    loss.backward()
    assert scores.grad is not None


def targets_outside_of_the_unit_interval() -> None:
    scores, labels = torch.tensor([0.2, 0.9], requires_grad=True), torch.tensor([1.2, -0.1])
    right = -(1.2 * np.log(0.2) - 0.2 * np.log(0.8) - 0.1 * np.log(0.9) + 1.1 * np.log(0.1))
    assert functional.binary_cross_entropy(scores, labels, reduction="sum").item() == pytest.approx(right, rel=1e-5)
    assert nn.BCELoss(size_average=False)(scores, labels).item() == pytest.approx(right, rel=1e-5)
    assert nn.BCELoss(weight=torch.tensor([2.0, 0.0]))(scores, labels).item() > 0
    assert functional.binary_cross_entropy(scores, labels, reduction="none").shape == (2,)


def steps_between_two_backward_passes() -> None:
    generator, discriminator = nn.Linear(3, 2), nn.Linear(2, 1)
    steps = [torch.optim.Adam(each.parameters()) for each in (generator, discriminator)]
    scores = discriminator(generator(torch.ones(5, 3)))
    scores.mean().backward(retain_graph=True)
    for step in steps:
        step.step()
    expected = torch.autograd.grad(discriminator(generator(torch.ones(5, 3)).detach()).mean(), discriminator.bias)
    discriminator.zero_grad()
    scores.mean().backward()
    assert discriminator.bias.grad is not None
    assert torch.equal(discriminator.bias.grad, expected[0])


def numbers_of_numpy() -> None:
    assert torch.tensor([np.float64(0.5), 1.0]).dtype is torch.float32
    assert torch.tensor(np.float64(0.5), requires_grad=True).is_leaf
    assert torch.tensor(np.zeros(2)).dtype is torch.float64
    assert torch.tensor([0.5], dtype=torch.float64).dtype is torch.float64


def masks() -> None:
    mask = torch.tensor([0.5, -0.5]) > 0
    assert (1 - mask).tolist() == [0, 1]
    assert (mask - mask).tolist() == [0, 0]


def distributions_of_any_arguments() -> None:
    assert torch.distributions.Bernoulli(torch.tensor(0.5)).log_prob(torch.tensor(0.3)) < 0  # type: ignore[no-untyped-call]
    torch.distributions.Normal(torch.zeros(2), torch.zeros(2))


KINDS: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (
        targets_of_another_shape,
        targets_outside_of_the_unit_interval,
        steps_between_two_backward_passes,
        numbers_of_numpy,
        masks,
        distributions_of_any_arguments,
    )
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_older_version_did_is_done_again_until_it_is_undone(kind: str) -> None:
    behave_like("0.4")
    KINDS[kind]()
    behave_like("0.4")
    KINDS[kind]()
    behave_as_installed()
    with pytest.raises((AssertionError, RuntimeError, ValueError)):
        KINDS[kind]()


@pytest.mark.parametrize(("version", "kinds"), [("1.6", 2), ("1.4", 5), ("2.13", 0)])
def test_only_what_has_changed_since_a_version_is_undone(version: str, kinds: int) -> None:
    behave_like(version)
    working = []
    for name, kind in KINDS.items():
        try:
            kind()
        except (AssertionError, RuntimeError, ValueError):
            continue
        working.append(name)
    assert len(working) == kinds, working


def test_a_mistake_in_a_loss_is_still_one() -> None:
    behave_like("0.4")
    with pytest.raises(ValueError, match="target size"):
        functional.binary_cross_entropy(torch.rand(4), torch.ones(3))
    with pytest.raises(RuntimeError):
        functional.binary_cross_entropy(torch.rand(4) + 1, torch.ones(4))
