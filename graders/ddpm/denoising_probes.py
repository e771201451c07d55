"""Probes of a diffusion process that is an object: noising, its inverses, a reverse step, and the loss.

Sequences are [T], images [B, C, H, W], times int64 [B], texts [B, d]. The model is ours and known, so that the
student's methods are judged without any training.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from gengrade.sandbox.guest.errors import Missing, Undecided

if TYPE_CHECKING:
    from graders.ddpm.interface import DdpmPackage
    from graders.ddpm.records import (
        Clamped,
        ClampedBoth,
        Converted,
        Noised,
        ProcessLoss,
        QSample,
        Seen,
        StepBack,
        StepBackDraws,
    )


class ModelOfTheGrader(nn.Module):
    """A model that returns the same images for every input, and records its inputs. Students' errors name it."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = nn.Parameter(answer)
        self.device = answer.device
        self.seen: list[tuple[Tensor, Tensor | None, Tensor | None]] = []
        self.given: list[Tensor] = []

    def forward(self, x: Tensor, time: Any = None, model_kwargs: Any = None, t: Any = None) -> Tensor:
        text = model_kwargs.get("text_emb") if isinstance(model_kwargs, dict) else None
        self.seen.append((x.detach().clone(), _as_given(t if time is None else time), _as_given(text)))
        # Each call returns a tensor of its own, so that each has its own gradient.
        output = self.answer * 1
        if output.requires_grad:
            output.retain_grad()
        self.given.append(output)
        return output


def noised(package: DdpmPackage, cases: list[dict[str, Any]]) -> list[QSample]:
    """Call q_sample with known noise in each case: `sequences`, `x_start`, `t` and `noise`."""

    def answer(sequences: dict[str, Tensor], x_start: Tensor, t: Tensor, noise: Tensor) -> QSample:
        process = _process(package, ModelOfTheGrader(x_start), sequences, "pred_noise")
        images, given = x_start.clone(), noise.clone()
        noisy = _tensor(package.ddpm.noised(process, images, t, given))
        return {"noisy": noisy, "kept": torch.equal(images, x_start) and torch.equal(given, noise)}

    return [answer(**case) for case in cases]


def start_from_noise(package: DdpmPackage, cases: list[dict[str, Any]]) -> list[Tensor]:
    """Return the clean images that the student's method finds in each case: `sequences`, `x_t`, `t` and `noise`."""

    def answer(sequences: dict[str, Tensor], x_t: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        process = _process(package, ModelOfTheGrader(x_t), sequences, "pred_noise")
        return _tensor(package.ddpm.start_from_noise(process, x_t.clone(), t, noise.clone()))

    return [answer(**case) for case in cases]


def noise_from_start(package: DdpmPackage, cases: list[dict[str, Any]]) -> list[Tensor]:
    """Return the noise that the student's method finds in each case: `sequences`, `x_t`, `t` and `x_start`."""

    def answer(sequences: dict[str, Tensor], x_t: Tensor, t: Tensor, x_start: Tensor) -> Tensor:
        process = _process(package, ModelOfTheGrader(x_t), sequences, "pred_noise")
        return _tensor(package.ddpm.noise_from_start(process, x_t.clone(), t, x_start.clone()))

    return [answer(**case) for case in cases]


def steps_back(package: DdpmPackage, objective: str, cases: list[dict[str, Any]]) -> list[list[StepBack]]:
    """Return reverse steps with known noise, one at each of the `times` of each case.

    A case has `sequences`, `x_t`, `times`, `predicted`, `start`, `noise` and `text`. The k-th model returns
    predicted[k] [B, C, H, W]. A predict_start_from_noise that returns `start`, whatever its arguments, takes the place
    of the student's.
    """
    return [_steps_back(package, objective, **case) for case in cases]


def _steps_back(
    package: DdpmPackage,
    objective: str,
    sequences: dict[str, Tensor],
    x_t: Tensor,
    times: list[int],
    predicted: list[Tensor],
    start: Tensor,
    noise: Tensor,
    text: Tensor,
) -> list[StepBack]:
    results: list[StepBack] = []
    for index, answer in zip(times, predicted, strict=True):
        model = ModelOfTheGrader(answer)
        process = _process(package, model, sequences, objective)
        calls = _converting(package, process, start)
        back = package.ddpm.step_back(process, x_t.clone(), index, {"text_emb": text.clone()}, noise.clone())
        results.append(
            {"next_images": _tensor(back), "converted": bool(calls), **_converted(calls), **_seen(model, x_t)}
        )
    return results


def step_back_draws(
    package: DdpmPackage,
    sequences: dict[str, Tensor],
    objective: str,
    x_t: Tensor,
    index: int,
    predicted: Tensor,
    start: Tensor,
    text: Tensor,
) -> StepBackDraws:
    """Call p_sample twice at the time `index`, with a known model and the noise that the student's code draws."""
    process = _process(package, ModelOfTheGrader(predicted), sequences, objective)
    _converting(package, process, start)
    first, second = (
        _tensor(package.ddpm.step_back(process, x_t.clone(), index, {"text_emb": text.clone()})) for _ in range(2)
    )
    return {"next_images": first, "second_next_images": second}


def clamped(
    package: DdpmPackage,
    sequences: dict[str, Tensor],
    x_t: Tensor,
    index: int,
    starts: dict[str, Tensor],
    noises: dict[str, Tensor],
    text: Tensor,
) -> ClampedBoth:
    """Return one reverse step for each of some predictions of x_0, with the same random numbers, for both objectives.

    starts: x_0 under the names of the record `Clamped`; noises: the noise in x_t that belongs to each of them.
    """
    found: ClampedBoth = {}
    errors: list[Exception] = []
    predicted: dict[Literal["pred_x_start", "pred_noise"], dict[str, Tensor]] = {
        "pred_x_start": starts,
        "pred_noise": noises,
    }
    for objective, answers in predicted.items():
        try:
            found[objective] = _clamped(package, sequences, objective, x_t, index, answers, starts, text)
        except (Missing, Undecided, NotImplementedError):
            raise
        except Exception as error:
            errors.append(error)
    if not found:
        raise errors[0]
    return found


def _clamped(
    package: DdpmPackage,
    sequences: dict[str, Tensor],
    objective: str,
    x_t: Tensor,
    index: int,
    predicted: dict[str, Tensor],
    starts: dict[str, Tensor],
    text: Tensor,
) -> Clamped:
    def step(name: str) -> Tensor:
        process = _process(package, ModelOfTheGrader(predicted[name]), sequences, objective)
        _converting(package, process, starts[name])
        _seed()
        return _tensor(package.ddpm.step_back(process, x_t.clone(), index, {"text_emb": text.clone()}))

    return {
        "beyond": step("beyond"),
        "within": step("within"),
        "lifted": step("lifted"),
        "bright": step("bright"),
        "other": step("other"),
    }


def losses(package: DdpmPackage, objective: str, cases: list[dict[str, Any]]) -> list[list[ProcessLoss]]:
    """Return the student's loss of each case, in two calls, each with new random numbers.

    A case has `sequences`, `images` in [0, 1], `noisy`, `predicted` and `text`: the model returns `predicted`, and
    q_sample returns `noisy`.
    """
    return [_losses(package, objective, **case) for case in cases]


def _losses(
    package: DdpmPackage,
    objective: str,
    sequences: dict[str, Tensor],
    images: Tensor,
    noisy: Tensor,
    predicted: Tensor,
    text: Tensor,
) -> list[ProcessLoss]:
    model = ModelOfTheGrader(predicted)
    process = _process(package, model, sequences, objective)
    calls: list[dict[str, Any]] = []
    package.ddpm.inject_noised(process, _recording(calls, noisy))
    found: list[ProcessLoss] = []
    for _ in range(2):
        calls.clear()
        model.seen.clear()
        model.given.clear()
        value = package.ddpm.loss(process, images.clone(), {"text_emb": text.clone()})
        if not isinstance(value, Tensor):
            raise TypeError(f"the loss should be a tensor, and a {type(value).__name__} came back")
        if value.requires_grad:
            torch.autograd.backward(value.sum())
        gradients = [torch.zeros_like(given) if given.grad is None else given.grad for given in model.given]
        found.append(
            {
                "loss": value.detach(),
                "attached": value.requires_grad,
                "gradient": gradients[-1] if gradients else torch.zeros_like(predicted),
                "replaced": bool(calls),
                **_noised(calls),
                **_seen(model, images),
            }
        )
    return found


def _process(package: DdpmPackage, model: ModelOfTheGrader, sequences: dict[str, Tensor], objective: str) -> nn.Module:
    """Return a new process of the student's with a model of ours, on the model's device."""
    process = package.ddpm.diffusion(model, sequences, objective, model.answer.shape[-1])
    return process.to(model.device)


def _converting(package: DdpmPackage, process: nn.Module, start: Tensor) -> list[dict[str, Any]]:
    """Return the calls of predict_start_from_noise by a process, which returns `start` from now on."""
    calls: list[dict[str, Any]] = []
    package.ddpm.inject_start_from_noise(process, _recording(calls, start))
    return calls


def _converted(calls: list[dict[str, Any]]) -> Converted:
    """Return the last call of predict_start_from_noise, if there is one."""
    if not calls:
        return {}
    return {
        "converted_images": _tensor(calls[-1].get("x_t")),
        "converted_times": _as_given(calls[-1].get("t")),
        "converted_noise": _tensor(calls[-1].get("noise")),
    }


def _recording(calls: list[dict[str, Any]], answer: Tensor) -> Callable[[dict[str, Any]], Tensor]:
    """Return a function that records its arguments in `calls`, and returns a copy of `answer`."""

    def function(arguments: dict[str, Any]) -> Tensor:
        calls.append({name: _copied(value) for name, value in arguments.items()})
        return answer.clone()

    return function


def _copied(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value


def _noised(calls: list[dict[str, Any]]) -> Noised:
    """Return the first call of q_sample, if there is one."""
    if not calls:
        return {}
    used = calls[0].get("noise")
    return {
        "noised": _tensor(calls[0].get("x_start")),
        "noised_times": _as_given(calls[0].get("t")),
        "noise": None if used is None else _tensor(used),
    }


def _seen(model: ModelOfTheGrader, like: Tensor) -> Seen:
    """Return what a model was called with; `like` has the shape of its images."""
    x, times, text = model.seen[-1] if model.seen else (torch.zeros_like(like), None, None)
    return {"calls": len(model.seen), "seen_images": x, "seen_times": times, "seen_text": text}


def _seed() -> None:
    """Let all generators of random numbers begin again."""
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)


def _as_given(value: Any) -> Tensor | None:
    """Return a copy of what a model or a method was given, in the shape in which it was given."""
    return None if value is None else torch.as_tensor(value).detach().clone()


def _tensor(value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        raise TypeError(f"a tensor was expected, and a {type(value).__name__} came back")
    return value.detach()
