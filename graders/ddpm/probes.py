"""Probes of a diffusion process: its schedule, its noising, one step back, the loop of steps, the loss, the times.

Sequences are [T], images [B, C, H, W], times int64 [B]. Denoisers are ours, so that what a student's functions make of
them can be told whatever anybody has trained. The hand-out's takes `time` for its times; `t` will do as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from graders.ddpm.interface import DdpmPackage


class Injected(nn.Module):
    """A denoiser that gives known noise whatever it is shown, and remembers what that was."""

    def __init__(self, noise: Tensor) -> None:
        super().__init__()
        self.noise = nn.Parameter(noise)
        self.device = noise.device
        self.seen: list[tuple[Tensor, Tensor | None]] = []
        self.given: list[Tensor] = []

    def forward(self, x: Tensor, time: Any = None, t: Any = None) -> Tensor:
        self.seen.append((x.detach().clone(), _as_given(t if time is None else time)))
        # an output of its own for each call, so that its gradient is that call's
        output = self.noise * 1
        if output.requires_grad:
            output.retain_grad()
        self.given.append(output)
        return output


class Linear(nn.Module):
    """ε(x, t) = A[t]·x + b[t] for flattened images x; remembers the times that it was given."""

    def __init__(self, matrices: Tensor, offsets: Tensor) -> None:
        super().__init__()
        # parameters, of which some ask a network for its device
        self.matrices = nn.Parameter(matrices, requires_grad=False)
        self.offsets = nn.Parameter(offsets, requires_grad=False)
        self.device = matrices.device
        self.times: list[Tensor | None] = []

    def forward(self, x: Tensor, time: Any = None, t: Any = None) -> Tensor:
        self.times.append(_as_given(t if time is None else time))
        return _affine(x, _entries(self.times[-1], x, len(self.offsets)), self.matrices, self.offsets)


def _affine(x: Tensor, times: Tensor, matrices: Tensor, offsets: Tensor) -> Tensor:
    """A[t]·x + b[t] for images x [B, C, H, W] at times [B]; matrices [T, d, d], offsets [T, d]."""
    return (torch.einsum("bij,bj->bi", matrices[times], x.flatten(1)) + offsets[times]).reshape(x.shape)


def sequences(package: DdpmPackage, beta_start: float, beta_end: float, steps: int) -> list[Tensor]:
    """What the schedule's function returns, one by one."""
    return [torch.as_tensor(sequence) for sequence in package.ddpm.sequences(beta_start, beta_end, steps)]


def q_sample(
    package: DdpmPackage, x_start: Tensor, t: Tensor, coefficients: list[Tensor], noise: Tensor
) -> dict[str, Any]:
    """Noisy images for given noise; and whether images and noise are afterwards as they were."""
    images, given = x_start.clone(), noise.clone()
    noisy = package.ddpm.q_sample(images, t, _on_cpu(coefficients), given)
    return {"noisy": noisy, "kept": torch.equal(images, x_start) and torch.equal(given, noise)}


def q_sample_draws(package: DdpmPackage, x_start: Tensor, t: Tensor, coefficients: list[Tensor]) -> dict[str, Any]:
    """Two draws for the same images."""
    first, second = (package.ddpm.q_sample(x_start.clone(), t, _on_cpu(coefficients)) for _ in range(2))
    return {"noisy_images": first, "second_noisy_images": second}


def p_sample(
    package: DdpmPackage, x: Tensor, times: list[int], coefficients: list[Tensor], predicted: Tensor, noise: Tensor
) -> list[dict[str, Any]]:
    """One step back at each of `times` with given noise, by a denoiser that gives `predicted`; and what it was shown.

    `x`, `predicted` and `noise` are [B, C, H, W].
    """
    results = []
    for index in times:
        model = Injected(predicted)
        t = torch.full((len(x),), index, device=x.device)
        back = package.ddpm.p_sample(model, x.clone(), t, index, _on_cpu(coefficients), noise.clone())
        results.append({"next_images": back} | _shown(model, x))
    return results


def p_sample_draws(
    package: DdpmPackage, x: Tensor, index: int, coefficients: list[Tensor], predicted: Tensor
) -> dict[str, Any]:
    """Two draws of one step back at that time."""
    t = torch.full((len(x),), index, device=x.device)
    first, second = (
        package.ddpm.p_sample(Injected(predicted), x.clone(), t, index, _on_cpu(coefficients)) for _ in range(2)
    )
    return {"next_images": first, "second_next_images": second}


def loop(
    package: DdpmPackage, coefficients: list[Tensor], injected: Tensor, predicted: Tensor, noise: Tensor | None = None
) -> dict[str, Any]:
    """The student's loop with p_sample replaced: its k-th call gives injected[k], whatever it is asked.

    injected [T, B, C, H, W]; noise [T + 1, B, C, H, W] or None. Returns what the loop returned, and of each call the
    image, times, t_index (where it takes one) and noise (or None) that it was given, and of the first the coefficients.
    `whole`: the times are integers; `model`: each call was given one, or another function; `replaced`: there were
    calls.
    """
    calls: list[dict[str, Any]] = []

    def p_sample(arguments: dict[str, Any]) -> Tensor:
        calls.append(arguments)
        return injected[min(len(calls), len(injected)) - 1].clone()

    package.ddpm.inject_p_sample(p_sample)
    result = package.ddpm.p_sample_loop(
        Injected(predicted), injected.shape[1:], len(injected), _on_cpu(coefficients), noise
    )
    times, noises = [_as_given(call.get("t")) for call in calls], [call.get("noise") for call in calls]
    return {
        "images": _tensor(result),
        "replaced": bool(calls),
        "image_of_step": [_tensor(call["x"]) for call in calls],
        "times": times,
        "model": all(callable(call.get("model")) for call in calls),
        "whole": not any(t is not None and t.is_floating_point() for t in times),
        "indices": [int(call["t_index"]) for call in calls if "t_index" in call],
        "noise_of_step": [None if noise is None else _tensor(noise) for noise in noises],
        "coefficients": _coefficients(calls),
    }


def samples(
    package: DdpmPackage,
    coefficients: list[Tensor],
    denoiser: dict[str, Tensor],
    back: dict[str, Tensor],
    shape: list[int],
) -> Any:
    """The student's loop with p_sample replaced by x ↦ A[t]·x + b[t] + s[t]·ε, or else by a denoiser A[t]·x + b[t].

    `back`: matrices A [T, d, d], offsets b [T, d] and spreads s [T], where shape is [B, C, H, W] with C·H·W = d;
    likewise `denoiser`, without spreads. Returns what the loop returned, and the times that either was given.
    """
    model = Linear(denoiser["matrices"], denoiser["offsets"])

    def p_sample(arguments: dict[str, Any]) -> Tensor:
        x, noise = arguments["x"], arguments.get("noise")
        model.times.append(_as_given(arguments.get("t")))
        times = _entries(model.times[-1], x, len(back["spreads"]))
        spread = back["spreads"][times].reshape(-1, 1, 1, 1)
        noise = torch.randn_like(x) if noise is None else noise
        return _affine(x, times, back["matrices"], back["offsets"]) + spread * noise

    package.ddpm.inject_p_sample(p_sample)
    images = package.ddpm.p_sample_loop(model, shape, len(back["spreads"]), _on_cpu(coefficients))
    return {"images": _tensor(images), "times": model.times}


def loss(
    package: DdpmPackage,
    x_start: Tensor,
    t: Tensor,
    coefficients: list[Tensor],
    noisy: Tensor,
    predicted: Tensor,
    noise: Tensor | None = None,
) -> dict[str, Any]:
    """The loss with a denoiser that gives `predicted`, and with q_sample, where it is called, giving `noisy`.

    Returns the loss and its gradient by what the denoiser gave; what the denoiser was shown; and of the first call of
    q_sample the images, times, coefficients and noise.
    """
    calls: list[dict[str, Any]] = []

    def q_sample(arguments: dict[str, Any]) -> Tensor:
        calls.append(arguments)
        return noisy.clone()

    package.ddpm.inject_q_sample(q_sample)
    model = Injected(predicted)
    value = package.ddpm.p_losses(model, x_start.clone(), t, _on_cpu(coefficients), noise)
    attached = isinstance(value, Tensor) and value.requires_grad
    if attached:
        value.sum().backward()
    gradients = [torch.zeros_like(given) if given.grad is None else given.grad for given in model.given]
    result = {
        "loss": value,
        "attached": attached,
        "gradient": gradients[-1] if gradients else torch.zeros_like(predicted),
        "replaced": bool(calls),
    }
    if calls:
        used = calls[0].get("noise")
        result |= {
            "noised": _tensor(calls[0]["x_start"]),
            "noised_times": _as_given(calls[0]["t"]),
            "coefficients": _coefficients(calls),
            "noise": None if used is None else _tensor(used),
        }
    return result | _shown(model, x_start)


def times(package: DdpmPackage, steps: int, n: int) -> dict[str, Any]:
    """Two batches of times, and whether they can be used as indices."""
    first, second = (_tensor(package.ddpm.t_sample(steps, n)) for _ in range(2))
    return {"times": first, "second_times": second, "whole": not first.is_floating_point()}


def _shown(model: Injected, like: Tensor) -> dict[str, Any]:
    """How often the denoiser was called, and with which images and times it last was."""
    x, t = model.seen[-1] if model.seen else (torch.zeros_like(like), None)
    return {"calls": len(model.seen), "shown_images": x, "shown_times": t}


def _as_given(t: Any) -> Tensor | None:
    """Times in the shape in which they were given."""
    return None if t is None else torch.as_tensor(t).detach().clone()


def _entries(t: Tensor | None, x: Tensor, count: int) -> Tensor:
    """The entries [B] of sequences of that length that belong to times of any shape, be they beyond its ends."""
    given = torch.zeros(1) if t is None else t.reshape(-1)
    return (given.expand(len(x)) if given.numel() == 1 else given).long().clamp(0, count - 1).to(x.device)


def _coefficients(calls: list[dict[str, Any]]) -> list[Tensor]:
    """Those of the first call."""
    return [_tensor(sequence) for call in calls[:1] for sequence in call["coefficients"]]


def _on_cpu(coefficients: list[Tensor]) -> list[Tensor]:
    """As the hand-out's `extract` wants them."""
    return [sequence.cpu() for sequence in coefficients]


def _tensor(value: Any) -> Tensor:
    if isinstance(value, list | tuple):
        value = torch.stack([_tensor(item) for item in value])
    if isinstance(value, np.ndarray):
        value = torch.as_tensor(value)
    if not isinstance(value, Tensor):
        raise TypeError(f"a tensor was expected, and {type(value).__name__} came back")
    return value.detach()
