"""Replaces the outputs of a VAE's networks by known numbers, while gradients still flow through the outputs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graders.probing.watching import with_items

NORMALISED = 1e-4  # outputs count as probabilities of levels, or as their logarithms, if their sum is 1 up to this


def with_code(output: Any, code: Tensor) -> Any:
    """Return an encoder's output with the values of `code` [2, B, z_dim] in its first two tensors.

    Both keep gradients.
    """
    if not isinstance(output, tuple | list) or not all(isinstance(part, Tensor) for part in output[:2]):
        return output  # what an encoder should return is said where the output is read
    if len(output) < 2:
        return output
    first, second = (with_part(given, values) for given, values in zip(output, code, strict=False))
    return with_items(output, (first, second, *output[2:]))


def with_part(output: Tensor, part: Tensor) -> Tensor:
    """Return one of an encoder's outputs with the values of `part` [B, z_dim], which keeps its gradient."""
    given = with_values(output, part)
    if given.requires_grad:
        given.retain_grad()
    elif torch.is_grad_enabled():  # a constant output is a mistake of the encoder, which another check judges
        given.requires_grad_()
    return given


def with_logits(output: Any, logits: Tensor) -> Tensor:
    """Return a decoder's output with the values of `logits`, or of their sigmoid if the decoder returns means.

    With a channel for each of several levels, these are the softmax or the log-softmax over the channels, if that is
    what the decoder returns.
    """
    if not isinstance(output, Tensor):
        raise TypeError(f"the decoder should return one tensor, and returned a {type(output).__name__}")
    if logits.dim() == 4 and logits.shape[1] > 1 and output.shape[1:] == logits.shape[1:]:
        if _are_probabilities(output):
            return with_values(output, torch.softmax(logits, dim=1))
        if _are_logarithms(output):
            return with_values(output, torch.log_softmax(logits, dim=1))
    return with_values(output, torch.sigmoid(logits) if are_means(output) else logits)


def with_values(given: Tensor, values: Tensor) -> Tensor:
    """Return a tensor with these values, in the shape and with the gradients of the `given` one.

    If that has several times as many elements, as for several draws at once, the values are repeated. If it has fewer,
    or no multiple, it is returned unchanged.
    """
    times, rest = divmod(given.numel(), values.numel())
    if times == 0 or rest:
        return given
    return values.repeat(times, *[1] * (values.dim() - 1)).reshape(given.shape).to(given) + (given - given.detach())


def shifted_logits(output: Tensor, shift: Tensor) -> Tensor:
    """Return a decoder's outputs with `shift`, of the size of one image, added to their logits; means stay means."""
    shift = shift.reshape(1, *output.shape[1:]).to(output)
    return torch.sigmoid(torch.logit(output) + shift) if are_means(output) else output + shift


def shifted_levels(output: Any, shift: Tensor) -> Tensor:
    """Return a decoder's outputs [B, L, H, W] with `shift` [L, H, W] added to the logits of its levels.

    Probabilities of levels, and their logarithms, stay what they are.
    """
    if not isinstance(output, Tensor):
        raise TypeError(f"the decoder should return one tensor, and returned a {type(output).__name__}")
    if output.shape[1:] != shift.shape:
        return output  # another check judges the decoder
    shift = shift.to(output)
    if _are_probabilities(output):
        return torch.softmax(output.log() + shift, dim=1)
    return torch.log_softmax(output + shift, dim=1) if _are_logarithms(output) else output + shift


def _are_probabilities(output: Tensor) -> bool:
    """Return whether a decoder's outputs [B, L, H, W] are probabilities of levels."""
    return are_means(output) and bool(((output.sum(dim=1) - 1).abs() < NORMALISED).all())


def _are_logarithms(output: Tensor) -> bool:
    """Return whether a decoder's outputs [B, L, H, W] are logarithms of probabilities of levels."""
    return bool((torch.logsumexp(output, dim=1).abs() < NORMALISED).all())


def are_means(output: Tensor) -> bool:
    """Return whether a decoder's outputs lie in [0, 1], and so count as means."""
    return bool(output.min() >= 0) and bool(output.max() <= 1)


def gradient_of(tensor: Tensor) -> Tensor:
    """Return the gradient of a tensor after backward(), or zeros if it has none."""
    return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
