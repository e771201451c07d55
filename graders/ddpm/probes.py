"""Probes of a diffusion process: its schedule, noising, a reverse step, the sampling loop, the loss and the times.

Sequences are [T], images [B, C, H, W], times int64 [B]. The denoisers are ours and known, so that the student's
functions are judged independently of any training. The times are called `time` in the hand-out's denoiser; ours also
take them as `t`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from graders.ddpm.interface import DdpmPackage
    from graders.ddpm.records import (
        Loop,
        Loss,
        Noised,
        PSample,
        PSampleDraws,
        QSample,
        QSampleDraws,
        Samples,
        Shown,
        Times,
    )


class Injected(nn.Module):
    """A denoiser that returns known noise for every input, and records its inputs."""

    def __init__(self, noise: Tensor) -> None:
        super().__init__()
        self.noise = nn.Parameter(noise)
        self.device = noise.device
        self.seen: list[tuple[Tensor, Tensor | None]] = []
        self.given: list[Tensor] = []

    def forward(self, x: Tensor, time: Any = None, t: Any = None) -> Tensor:
        self.seen.append((x.detach().clone(), _as_given(t if time is None else time)))
        # Each call returns a tensor of its own, so that each has its own gradient.
        output = self.noise * 1
        if output.requires_grad:
            output.retain_grad()
        self.given.append(output)
        return output


class Linear(nn.Module):
    """The denoiser ε(x, t) = A[t]·x + b[t] for flattened images x, which records the times that it was given."""

    def __init__(self, matrices: Tensor, offsets: Tensor) -> None:
        super().__init__()
        # They are parameters because students may ask a network's parameters for their device.
        self.matrices = nn.Parameter(matrices, requires_grad=False)
        self.offsets = nn.Parameter(offsets, requires_grad=False)
        self.device = matrices.device
        self.times: list[Tensor | None] = []

    def forward(self, x: Tensor, time: Any = None, t: Any = None) -> Tensor:
        self.times.append(_as_given(t if time is None else time))
        return _affine(x, _entries(self.times[-1], x, len(self.offsets)), self.matrices, self.offsets)


def _affine(x: Tensor, times: Tensor, matrices: Tensor, offsets: Tensor) -> Tensor:
    """Return a[t]·x + b[t] for images x [B, C, H, W] at times [B]; matrices [T, d, d], offsets [T, d]."""
    return (torch.einsum("bij,bj->bi", matrices[times], x.flatten(1)) + offsets[times]).reshape(x.shape)


def sequences(package: DdpmPackage, beta_start: float, beta_end: float, steps: int) -> list[Tensor]:
    """Return the sequences that the student's function returns for a linear schedule from beta_start to beta_end."""
    return [torch.as_tensor(sequence) for sequence in package.ddpm.sequences(beta_start, beta_end, steps)]


def q_sample(package: DdpmPackage, x_start: Tensor, t: Tensor, coefficients: list[Tensor], noise: Tensor) -> QSample:
    """Call q_sample with given noise. It may work in place on the images, which nothing needs afterwards."""
    given = noise.clone()
    noisy = package.ddpm.q_sample(x_start.clone(), t, _on_cpu(coefficients), given)
    return {"noisy": noisy, "kept": torch.equal(given, noise)}


def q_sample_draws(package: DdpmPackage, x_start: Tensor, t: Tensor, coefficients: list[Tensor]) -> QSampleDraws:
    """Call q_sample twice without given noise, for the same images and times."""
    first, second = (package.ddpm.q_sample(x_start.clone(), t, _on_cpu(coefficients)) for _ in range(2))
    return {"noisy_images": first, "second_noisy_images": second}


def p_sample(
    package: DdpmPackage, x: Tensor, times: list[int], coefficients: list[Tensor], predicted: Tensor, noise: Tensor
) -> list[PSample]:
    """Return one reverse step at each of `times` with given noise and a denoiser that returns `predicted`.

    `x`, `predicted` and `noise` are [B, C, H, W].
    """
    results: list[PSample] = []
    for index in times:
        model = Injected(predicted)
        t = torch.full((len(x),), index, device=x.device)
        back = package.ddpm.p_sample(model, x.clone(), t, index, _on_cpu(coefficients), noise.clone())
        results.append({"next_images": back, **_shown(model, x)})
    return results


def p_sample_draws(
    package: DdpmPackage, x: Tensor, index: int, coefficients: list[Tensor], predicted: Tensor
) -> PSampleDraws:
    """Call p_sample twice at the time `index`, without given noise."""
    t = torch.full((len(x),), index, device=x.device)
    first, second = (
        package.ddpm.p_sample(Injected(predicted), x.clone(), t, index, _on_cpu(coefficients)) for _ in range(2)
    )
    return {"next_images": first, "second_next_images": second}


def loop(
    package: DdpmPackage, coefficients: list[Tensor], injected: Tensor, predicted: Tensor, noise: Tensor | None = None
) -> Loop:
    """Run the student's sampling loop with a p_sample whose k-th call returns injected[k], whatever its arguments.

    injected [T, B, C, H, W]; noise [T + 1, B, C, H, W] or None.
    """
    calls: list[dict[str, Any]] = []

    def p_sample(arguments: dict[str, Any]) -> Tensor:
        calls.append(arguments)
        return injected[min(len(calls), len(injected)) - 1].clone()

    package.ddpm.inject_p_sample(p_sample)
    model = Injected(predicted)
    result = package.ddpm.p_sample_loop(model, injected.shape[1:], len(injected), _on_cpu(coefficients), noise)
    times, noises = [_as_given(call.get("t")) for call in calls], [call.get("noise") for call in calls]
    return {
        "images": _tensor(result),
        "replaced": bool(calls),
        "begun": _first_shown(model, injected[0]),
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
) -> Samples:
    """Run the student's sampling loop with a known p_sample, x ↦ A[t]·x + b[t] + s[t]·ε, and a known denoiser.

    `back` holds the matrices A [T, d, d], offsets b [T, d] and spreads s [T] of p_sample, and `denoiser` the matrices
    and offsets of x ↦ A[t]·x + b[t], which a loop without p_sample calls. shape is [B, C, H, W] with C·H·W = d.
    """
    model = Linear(denoiser["matrices"], denoiser["offsets"])

    def p_sample(arguments: dict[str, Any]) -> Tensor:
        x, given = arguments["x"], arguments.get("noise")
        model.times.append(_as_given(arguments.get("t")))
        times = _entries(model.times[-1], x, len(back["spreads"]))
        spread = back["spreads"][times].reshape(-1, 1, 1, 1)
        drawn = torch.randn_like(x) if given is None else given
        return _affine(x, times, back["matrices"], back["offsets"]) + spread * drawn

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
) -> list[Loss]:
    """Return the student's loss in two calls.

    Its denoiser returns `predicted`, and its q_sample `noisy`.
    """
    calls: list[dict[str, Any]] = []

    def q_sample(arguments: dict[str, Any]) -> Tensor:
        calls.append(arguments)
        return noisy.clone()

    package.ddpm.inject_q_sample(q_sample)
    found: list[Loss] = []
    for _ in range(2):
        calls.clear()
        model = Injected(predicted)
        value = package.ddpm.p_losses(model, x_start.clone(), t, _on_cpu(coefficients), noise)
        attached = isinstance(value, Tensor) and value.requires_grad
        if attached:
            value.sum().backward()
        gradients = [torch.zeros_like(given) if given.grad is None else given.grad for given in model.given]
        found.append(
            {
                "loss": value,
                "attached": attached,
                "gradient": gradients[-1] if gradients else torch.zeros_like(predicted),
                "replaced": bool(calls),
                **_noised(calls),
                **_shown(model, x_start),
            }
        )
    return found


def _noised(calls: list[dict[str, Any]]) -> Noised:
    """Return the first call of q_sample, if there is one."""
    if not calls:
        return {}
    used = calls[0].get("noise")
    return {
        "noised": _tensor(calls[0]["x_start"]),
        "noised_times": _as_given(calls[0]["t"]),
        "coefficients": _coefficients(calls),
        "noise": None if used is None else _tensor(used),
    }


def times(package: DdpmPackage, steps: int, n: int) -> Times:
    """Return two batches of n times that the student draws below `steps`."""
    first, second = (_tensor(package.ddpm.t_sample(steps, n)) for _ in range(2))
    return {"times": first, "second_times": second, "whole": not first.is_floating_point()}


def _shown(model: Injected, like: Tensor) -> Shown:
    """Return what a denoiser was called with; `like` has the shape of its images."""
    x, t = model.seen[-1] if model.seen else (torch.zeros_like(like), None)
    return {"calls": len(model.seen), "shown_images": x, "shown_times": t}


def _first_shown(model: Injected, like: Tensor) -> Tensor:
    """Return the first images that a denoiser was shown, as many as `like` has, or fewer.

    They may come in several calls.
    """
    shown = [x for x, _ in model.seen if x.shape[1:] == like.shape[1:]]
    return torch.cat([like[:0], *shown])[: len(like)]


def _as_given(t: Any) -> Tensor | None:
    """Return times in the shape in which they were given."""
    return None if t is None else torch.as_tensor(t).detach().clone()


def _entries(t: Tensor | None, x: Tensor, count: int) -> Tensor:
    """Return times of any shape as indices [B] into sequences of length `count`; times beyond the ends are clamped."""
    given = torch.zeros(1) if t is None else t.reshape(-1)
    return (given.expand(len(x)) if given.numel() == 1 else given).long().clamp(0, count - 1).to(x.device)


def _coefficients(calls: list[dict[str, Any]]) -> list[Tensor]:
    """Return the coefficients of the first call."""
    return [_tensor(sequence) for call in calls[:1] for sequence in call["coefficients"]]


def _on_cpu(coefficients: list[Tensor]) -> list[Tensor]:
    """Return the coefficients on the CPU, as the hand-out's function `extract` expects them."""
    return [sequence.cpu() for sequence in coefficients]


def _tensor(value: Any) -> Tensor:
    if isinstance(value, list | tuple):
        value = torch.stack([_tensor(item) for item in value])
    if isinstance(value, np.ndarray):
        value = torch.as_tensor(value)
    if not isinstance(value, Tensor):
        raise TypeError(f"a tensor was expected, and {type(value).__name__} came back")
    return value.detach()
