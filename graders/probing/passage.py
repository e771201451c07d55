"""How a GAN's loss changes with the generator's images, by its gradient and by what the discriminator is given.

Between both networks, a step may scale the images, add noise to them or augment them. Whatever it does, a small change
of the images changes what the discriminator is given, and the gradient that reaches the images must tell how the loss
follows. So a step is run a few times from the same random state, each time with other changes of the images.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graders.probing.watching import Calls

DIRECTIONS = 5  # runs with changed images
SIZE = 0.05  # standard deviation of a change, of pixels in [−1, 1]

Change = Callable[[Any], Any]
Run = Callable[[Change], tuple[list[Tensor], list[Tensor], list[Tensor]]]


def changing(direction: int, changes: list[Tensor]) -> Change:
    """Return what changes a generator's images in a direction, 0 for not at all.

    `changes` gets the change of each call.
    """

    def change(images: Any) -> Any:
        if not isinstance(images, Tensor):
            return images
        noise = torch.Generator().manual_seed(1000 * direction + len(changes))
        size = SIZE if direction else 0.0
        changes.append((size * torch.randn(images.shape, generator=noise)).to(images))
        return images + changes[-1]

    return change


def slopes(run: Run) -> Tensor:
    """Return how a loss changes with the images in a few directions [2, directions]: by what goes on and by gradient.

    `run(change)` makes a step with the generator's outputs changed by `change`, always in the same way otherwise. It
    returns what the discriminator was given in each call, and the gradients of the loss with respect to that and to the
    generator's changed outputs.

    If two runs without changes differ, there is one column: the norms of both gradients.
    """
    state = _random_state()
    given, by_given, by_images = run(changing(0, []))
    found = []
    for direction in range(DIRECTIONS + 1):
        _set_random_state(state)
        changes: list[Tensor] = []
        other, _, _ = run(changing(direction, changes))
        same = _alike(other, given) and _alike(changes, by_images)
        if not same or (direction == 0 and not all(map(torch.equal, other, given))):
            return torch.stack([_norm(by_given), _norm(by_images)]).reshape(2, 1)
        moved = [after.double() - before.double() for after, before in zip(other, given, strict=True)]
        if direction:
            found.append([_product(by_given, moved), _product(by_images, changes)])
    return torch.tensor(found, dtype=torch.float64).T


def gradients_of(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradients that tensors have after backward(), with zeros for those that have none."""
    return [torch.zeros_like(each) if each.grad is None else each.grad.detach() for each in tensors]


def retained(tensors: Sequence[Any]) -> list[Tensor]:
    """Return the tensors among `tensors`, which keep their gradients in a following backward()."""
    found = [each for each in tensors if isinstance(each, Tensor)]
    for each in found:
        if each.requires_grad:
            each.retain_grad()
    return found


def inputs_of(calls: Calls) -> list[Any]:
    """Return the first argument of each call."""
    return [inputs[0] for inputs in calls.inputs if inputs]


def _alike(first: Sequence[Tensor], second: Sequence[Tensor]) -> bool:
    return [each.shape for each in first] == [each.shape for each in second]


def _product(first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
    return sum(float((a.double() * b.double()).sum()) for a, b in zip(first, second, strict=True))


def _norm(tensors: Sequence[Tensor]) -> Tensor:
    return torch.tensor(_product(tensors, tensors), dtype=torch.float64).sqrt()


def _random_state() -> tuple[Any, ...]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return torch.get_rng_state(), cuda, np.random.get_state(), random.getstate()


def _set_random_state(state: tuple[Any, ...]) -> None:
    of_torch, cuda, of_numpy, of_python = state
    torch.set_rng_state(of_torch)
    if cuda:
        torch.cuda.set_rng_state_all(cuda)
    np.random.set_state(of_numpy)
    random.setstate(of_python)
