"""Known numbers in the places of what a VAE's parts give, with the gradients of what they gave."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graders.probing.watching import with_items


def with_code(output: Any, code: Tensor) -> Any:
    """What an encoder gave, with the numbers of `code` [2, B, z_dim] in its first two tensors."""
    if not isinstance(output, tuple | list) or len(output) < 2:
        return output
    first, second = (with_values(given, values) for given, values in zip(output, code, strict=False))
    for given in (first, second):
        if given.requires_grad:
            given.retain_grad()
        elif torch.is_grad_enabled():  # a constant, which is the encoder's mistake, and not the loss's
            given.requires_grad_()
    return with_items(output, (first, second, *output[2:]))


def with_logits(output: Tensor, logits: Tensor) -> Tensor:
    """What a decoder gave, with other numbers in it: their means, where it gives means."""
    return with_values(output, torch.sigmoid(logits) if are_means(output) else logits)


def with_values(given: Tensor, values: Tensor) -> Tensor:
    """A tensor with these values, if there are as many, and the gradients of the one that was given.

    Where it holds several times as many, as for several draws at once, it gets them so often, one after the other.
    """
    times, rest = divmod(given.numel(), values.numel())
    if times == 0 or rest:
        return given
    return values.repeat(times, *[1] * (values.dim() - 1)).reshape(given.shape).to(given) + (given - given.detach())


def shifted_logits(output: Tensor, shift: Tensor) -> Tensor:
    """A decoder's outputs with `shift`, of one image's size, added to its logits; the same for one that gives means."""
    shift = shift.reshape(1, *output.shape[1:]).to(output)
    return torch.sigmoid(torch.logit(output) + shift) if are_means(output) else output + shift


def are_means(output: Tensor) -> bool:
    return bool(output.min() >= 0) and bool(output.max() <= 1)


def gradient_of(tensor: Tensor) -> Tensor:
    return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
