"""Probes of a diffusion process: its schedule, its noising, one step back, the loop of steps, the loss, the times.

Sequences are [T], images [B, C, H, W], times int64 [B]. Denoisers are ours, so that what a student's functions make of
them can be told whatever anybody has trained.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Lent(nn.Module):
    """A denoiser that gives known noise whatever it is shown, and remembers what that was."""

    def __init__(self, noise: Tensor) -> None:
        super().__init__()
        self.noise = nn.Parameter(noise)
        self.device = noise.device
        self.seen: list[tuple[Tensor, Tensor]] = []
        self.given: list[Tensor] = []

    def forward(self, x: Tensor, t: Any = None) -> Tensor:
        self.seen.append((x.detach().clone(), _times(t, x)))
        # an output of its own for each call, so that its gradient is that call's
        output = self.noise * 1
        if output.requires_grad:
            output.retain_grad()
        self.given.append(output)
        return output


class Linear(nn.Module):
    """ε(x, t) = A[t]·x + b[t] for flattened images x; remembers what it was shown."""

    def __init__(self, matrices: Tensor, offsets: Tensor) -> None:
        super().__init__()
        self.register_buffer("matrices", matrices)
        self.register_buffer("offsets", offsets)
        self.device = matrices.device
        self.seen: list[tuple[Tensor, Tensor]] = []

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        times = _times(t, x)
        self.seen.append((x.detach().clone(), times))
        matrices, offsets = self.get_buffer("matrices")[times], self.get_buffer("offsets")[times]
        return (torch.einsum("bij,bj->bi", matrices, x.flatten(1)) + offsets).reshape(x.shape)


def sequences(package: Any, beta_start: float, beta_end: float, steps: int) -> list[Tensor]:
    """What the schedule's function returns, one by one."""
    return [torch.as_tensor(sequence) for sequence in package.ddpm.sequences(beta_start, beta_end, steps)]


def q_sample(package: Any, x_start: Tensor, t: Tensor, coefficients: list[Tensor], noise: Tensor) -> dict[str, Any]:
    """Noisy images for given noise; and whether images and noise are afterwards as they were."""
    images, given = x_start.clone(), noise.clone()
    noisy = package.ddpm.q_sample(images, t, _on_cpu(coefficients), given)
    return {"noisy": noisy, "kept": torch.equal(images, x_start) and torch.equal(given, noise)}


def q_sample_draws(package: Any, x_start: Tensor, t: Tensor, coefficients: list[Tensor]) -> dict[str, Any]:
    """Two draws for the same images."""
    first, second = (package.ddpm.q_sample(x_start.clone(), t, _on_cpu(coefficients)) for _ in range(2))
    return {"first": first, "second": second}


def p_sample(
    package: Any, x: Tensor, times: list[int], coefficients: list[Tensor], predicted: Tensor, noise: Tensor
) -> list[dict[str, Any]]:
    """One step back at each of `times` with given noise, by a denoiser that gives `predicted`; and what it was shown.

    `x`, `predicted` and `noise` are [B, C, H, W].
    """
    results = []
    for index in times:
        model = Lent(predicted)
        t = torch.full((len(x),), index, device=x.device)
        back = package.ddpm.p_sample(model, x.clone(), t, index, _on_cpu(coefficients), noise.clone())
        results.append({"back": back} | _shown(model, x))
    return results


def p_sample_draws(
    package: Any, x: Tensor, index: int, coefficients: list[Tensor], predicted: Tensor
) -> dict[str, Any]:
    """Two draws of one step back at that time."""
    t = torch.full((len(x),), index, device=x.device)
    first, second = (
        package.ddpm.p_sample(Lent(predicted), x.clone(), t, index, _on_cpu(coefficients)) for _ in range(2)
    )
    return {"first": first, "second": second}


def loop(
    package: Any, coefficients: list[Tensor], lent: Tensor, predicted: Tensor, noise: Tensor | None = None
) -> dict[str, Any]:
    """The student's loop with p_sample replaced: its k-th call gives lent[k], whatever it is asked.

    lent [T, B, C, H, W]; noise [T + 1, B, C, H, W] or None. Returns what the loop returned, and of each call the
    image, times, `indices` and `noises` (zero where there was none) it was given; `replaced`: there were calls.
    """
    calls: list[dict[str, Any]] = []

    def p_sample(arguments: dict[str, Any]) -> Tensor:
        calls.append(arguments)
        return lent[min(len(calls), len(lent)) - 1].clone()

    package.ddpm.lend_p_sample(p_sample)
    result = package.ddpm.p_sample_loop(Lent(predicted), lent.shape[1:], len(lent), _on_cpu(coefficients), noise)
    images = _tensor(result)
    nothing = torch.zeros_like(lent[0])
    given = [nothing if call.get("noise") is None else _tensor(call["noise"]) for call in calls]
    return {
        "images": images,
        "replaced": bool(calls),
        "x": [_tensor(call["x"]) for call in calls],
        "times": [_times(call.get("t"), call["x"]) for call in calls],
        "indices": [int(call.get("t_index", -1)) for call in calls],
        "noises": given,
    }


def samples(package: Any, coefficients: list[Tensor], matrices: Tensor, offsets: Tensor, shape: list[int]) -> Any:
    """The student's loop with their own p_sample, by the denoiser ε(x, t) = A[t]·x + b[t].

    matrices [T, d, d], offsets [T, d], where shape is [B, C, H, W] with C·H·W = d. Returns what the loop returned, and
    what the denoiser was shown in its calls.
    """
    model = Linear(matrices, offsets).to(matrices.device)
    images = package.ddpm.p_sample_loop(model, shape, len(matrices), _on_cpu(coefficients))
    return {
        "images": _tensor(images),
        "x": [x for x, _ in model.seen],
        "times": [times for _, times in model.seen],
    }


def loss(
    package: Any,
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

    package.ddpm.lend_q_sample(q_sample)
    model = Lent(predicted)
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
            "noised_times": _times(calls[0]["t"], x_start),
            "coefficients": [_tensor(sequence) for sequence in calls[0]["coefficients"]],
            "noise": None if used is None else _tensor(used),
        }
    return result | _shown(model, x_start)


def times(package: Any, steps: int, n: int) -> dict[str, Any]:
    """Two batches of times, and whether they can be used as indices."""
    first, second = (_tensor(package.ddpm.t_sample(steps, n)) for _ in range(2))
    return {"first": first, "second": second, "whole": not first.is_floating_point()}


def _shown(model: Lent, like: Tensor) -> dict[str, Any]:
    """How often the denoiser was called, and with which images and times it last was."""
    x, t = model.seen[-1] if model.seen else (torch.zeros_like(like), torch.zeros(len(like)))
    return {"calls": len(model.seen), "shown": x, "shown_times": t}


def _times(t: Any, x: Tensor) -> Tensor:
    """Times [B], where one number may stand for all; −1 where there are none."""
    given = torch.as_tensor(-1 if t is None else t, device=x.device).reshape(-1)
    return given.expand(len(x)).clone() if given.numel() == 1 else given


def _on_cpu(coefficients: list[Tensor]) -> list[Tensor]:
    """As the hand-out's `extract` wants them."""
    return [sequence.cpu() for sequence in coefficients]


def _tensor(value: Any) -> Tensor:
    if isinstance(value, list | tuple):
        value = torch.stack([_tensor(item) for item in value])
    if not isinstance(value, Tensor):
        raise TypeError(f"a tensor was expected, and {type(value).__name__} came back")
    return value.detach()
