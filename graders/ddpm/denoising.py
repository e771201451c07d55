"""Checks of a diffusion process that is an object: noising and its inverses, a reverse step, and the loss (CS231n).

The process is that of Ho, Jain & Abbeel 2020, with reverse steps through the predicted clean image, which is clamped
to [−1, 1]. Its model predicts noise or clean images. It runs with a random schedule and a known model; known functions
take the places of its q_sample and predict_start_from_noise where it calls them, since these have checks of their own.
Left open by the hand-out, and decided for the student:

- a method may call another one, or compute the same itself;
- at t = 0 the standard deviation is 1e-10, so that noise or none is right;
- a model may be given one time for the whole batch, [1], and its arguments by position or by name;
- a loss may be a tensor with one element.

A missing or wrong clamp is charged by `ddpm.clamp` alone: a reverse step may follow from clean images that are cut off
elsewhere. The loss of clean images leaves to `ddpm.noise_loss` what is wrong with both losses, if its weights and its
target show.

Each is asked with random sizes, and with such as a training has. The sizes of the tests of chance are the least.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from gengrade.arrays import Array, Array32, Floats, Integers
from gengrade.grading import Evidence, Passed, Rng, Subject, assert_close, check, expect, fail, not_asked, probes
from graders.common.statistics import ALPHA, GaussianFit, Independence, Share, declare
from graders.ddpm.integers import UniformIntegers
from graders.ddpm.posterior import NOISE, OBJECTIVES, START, Process
from graders.ddpm.sizes import USUAL_SIDE, USUAL_STEPS, Sizes

TEXT: Final = 5  # numbers in a text
PIXELS: Final = 27  # the least number of pixels of an image in a test of noise
DRAWN: Final = 120  # the least number of images in a test of the noise of a step
LOST: Final = 400  # the least number of images in a test of what a loss draws
USUAL: Final = 24  # images of the usual size in a loss
ROW: Final = 48  # numbers in a row of the test of the noise in images of the usual size
MOST: Final = 12  # the most times of which a loss should draw each
NOISING, TO_START, TO_NOISE = "ddpm.noising", "ddpm.start_from_noise", "ddpm.noise_from_start"
STEP, CLAMP, NOISE_LOSS, START_LOSS = "ddpm.step_back", "ddpm.clamp", "ddpm.noise_loss", "ddpm.start_loss"
NEAR: Final = {"rtol": 1e-3, "atol": 1e-3}
MOVED: Final = 0.1  # the share of the right change of x_{t−1} that counts as a change
NEAR_START: Final = 5e-3  # how far an x_0 may be off that is found in x_{t−1}
MOST_OF_RANGE: Final = 0.3  # the least share of the pixels that a clamp to another range leaves as they are
TENTHS: Final = 10  # groups in which many times are counted
UNSTEADY: Final = 1e-2  # how far a gradient may fall where the difference rises, of all that it rises
ALONG: Final = 0.99  # the least share of pixels whose gradient points away from the target
EARLY: Final = 20  # of many times, those in the first one of so many parts leave x_0 a weight that shows

FIT = declare(STEP, "(x_{t−1} − mean) / std of a call", GaussianFit(DRAWN, PIXELS, ALPHA / 3), cases=2)
CALLS = declare(STEP, "the noise of two calls", Independence(DRAWN * PIXELS, ALPHA / 3))


@dataclass(frozen=True, slots=True)
class DrawsOfLoss:
    """The tests of what two calls of a loss draw, for images of random sizes and of the usual one."""

    fits: tuple[GaussianFit, GaussianFit]
    calls: tuple[Independence, Independence]
    times: UniformIntegers
    late: Share  # of the usual number of times

    @classmethod
    def of(cls, id_: str) -> DrawsOfLoss:
        """Declare the tests for a check."""
        alpha, usual = ALPHA / 8, Sizes(USUAL_STEPS[0], USUAL, USUAL_SIDE).shape
        rows = int(np.prod(usual)) // ROW
        return cls(
            (
                declare(id_, "the noise of a call", GaussianFit(LOST, PIXELS, alpha), cases=2),
                declare(id_, "the noise of a call, images of 32 pixels", GaussianFit(rows, ROW, alpha), cases=2),
            ),
            (
                declare(id_, "the noise of two calls", Independence(LOST * PIXELS, alpha)),
                declare(id_, "the noise of two calls, images of 32 pixels", Independence(rows * ROW, alpha)),
            ),
            declare(id_, "times below 12", UniformIntegers(LOST, MOST, alpha)),
            declare(id_, "times of which half are late", Share(2 * USUAL, 0.5, alpha)),
        )


DRAWS_OF_LOSS = {id_: DrawsOfLoss.of(id_) for id_ in (NOISE_LOSS, START_LOSS)}


@check(NOISING)
def test_noising(student: Subject, rng: Rng) -> None:
    """q_sample returns √ᾱ·x_0 + √(1 − ᾱ)·ε, for each image at its own time.

    Ho, Jain & Abbeel 2020, equation 4.
    """
    given = _given(rng)
    cases = [
        {"sequences": each.process.injected(NOISE), "x_start": each.images, "t": each.t, "noise": each.others}
        for each in given
    ]
    found = student.run(probes.ddpm.denoising.noised, cases=cases).list(exactly=len(cases))
    hint = "it is √ᾱ·x_0 + √(1 − ᾱ)·ε, with the entries of sqrt_alphas_cumprod and sqrt_one_minus_alphas_cumprod at t"
    for each, got in zip(given, found, strict=True):
        right = each.process.schedule.noised(each.images, each.t, each.others)
        assert_close(got["noisy"], right, **NEAR, what="the noisy image", hint=hint)
        expect(got.flag("kept"), "q_sample changes the images or the noise that it is given: do not work in place")


@check(TO_START)
def test_start_from_noise(student: Subject, rng: Rng) -> None:
    """predict_start_from_noise returns the x_0 from which q_sample makes x_t with this noise, for each image.

    Ho, Jain & Abbeel 2020, equation 4, solved for x_0.
    """
    given = _given(rng)
    cases = [
        {"sequences": each.process.injected(NOISE), "x_t": each.images, "t": each.t, "noise": each.others}
        for each in given
    ]
    found = student.run(probes.ddpm.denoising.start_from_noise, cases=cases).list(exactly=len(cases))
    hint = "solve x_t = √ᾱ·x_0 + √(1 − ᾱ)·ε for x_0"
    for each, got in zip(given, found, strict=True):
        assert_close(got, each.process.start_in(each.images, each.others, each.t), **NEAR, what="x_0", hint=hint)


@check(TO_NOISE)
def test_noise_from_start(student: Subject, rng: Rng) -> None:
    """predict_noise_from_start returns the noise with which q_sample makes x_t from this x_0, for each image.

    Ho, Jain & Abbeel 2020, equation 4, solved for ε.
    """
    given = _given(rng)
    cases = [
        {"sequences": each.process.injected(NOISE), "x_t": each.images, "t": each.t, "x_start": each.others}
        for each in given
    ]
    found = student.run(probes.ddpm.denoising.noise_from_start, cases=cases).list(exactly=len(cases))
    hint = "solve x_t = √ᾱ·x_0 + √(1 − ᾱ)·ε for ε"
    for each, got in zip(given, found, strict=True):
        right = each.process.schedule.noise_in(each.images, each.others, each.t)
        assert_close(got, right, **NEAR, what="the noise", hint=hint)


@check(STEP, leaves_to=(CLAMP,))
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_step_back(student: Subject, rng: Rng, objective: str) -> None:
    """p_sample asks the model for noise or for x_0, and returns the mean of x_{t−1} plus its deviation times noise.

    Known noise takes the place of what it draws. Ho, Jain & Abbeel 2020, equations 6 and 7.
    """
    cases = [_step_case(rng, sizes, objective) for sizes in (Sizes.random(rng), Sizes.usual(rng))]
    asked = [{"sequences": process.injected(objective), **setting} for process, _, setting in cases]
    found = student.run(probes.ddpm.denoising.steps_back, objective=objective, cases=asked).list(exactly=len(cases))
    cut = False
    for (process, start, setting), results in zip(cases, found, strict=True):
        x, times = setting["x_t"], setting["times"]
        answers = zip(times, setting["predicted"], results.list(exactly=len(times)), strict=True)
        for t, answer, result in reversed(list(answers)):
            _judge_asked(result, x, np.full(len(x), t), setting["text"])
            starts = [start.astype(np.float64)]
            if objective == NOISE and result.flag("converted"):
                _judge_conversion(result, x, t, answer)
                starts.append(setting["start"].astype(np.float64))
            cut |= _judge_step(result, t, process, x, starts, answer, setting["noise"])
    if cut:
        not_asked("x_0 or x_{t−1} is clamped to another range, and all else is right", unless=(CLAMP,))


@check(STEP, leaves_to=(CLAMP,))
def test_noise_of_steps(student: Subject, rng: Rng) -> None:
    """p_sample draws new standard normal noise for each pixel and each call.

    Ho, Jain & Abbeel 2020, algorithm 2.
    """
    sizes = Sizes.random(rng, images=(DRAWN, DRAWN + 40))
    process, index = Process.random(rng, sizes.steps), rng.integer(2, sizes.steps)
    x, start = rng.normal(*sizes.shape), rng.uniform(0.05, 0.95, *sizes.shape)
    setting = {"objective": START, "x_t": x, "index": index, "predicted": start, "start": start}
    got = student.run(
        probes.ddpm.denoising.step_back_draws,
        sequences=process.injected(START),
        text=rng.normal(sizes.images, TEXT),
        **setting,
    )
    found = [got.tensor(name, x.shape) for name in ("next_images", "second_next_images")]
    mean, std = process.mean_before(start.astype(np.float64), x.astype(np.float64), index), float(process.std[index])
    cut = all(np.abs(each).max() <= 1 for each in found)
    noises = [_beyond_the_cut(each, mean, std, rng) if cut else (each - mean) / std for each in found]
    for noise in noises:
        problem = FIT.problem(noise.reshape(len(noise), -1))
        expect(
            problem is None, f"x_{{t−1}} is not mean + std·ε with ε from N(0, I), as (x − mean)/std shows: {problem}"
        )
    correlation = CALLS.correlation(*noises)
    if correlation is not None:
        fail("two calls draw the same noise: each call needs its own", got=f"a correlation of {correlation:.3f}")
    if cut:
        not_asked("x_{t−1} is clamped in the place of x_0", unless=(CLAMP,))


@check(CLAMP)
def test_clamp(student: Subject, rng: Rng) -> None:
    """p_sample clamps the predicted x_0 to [−1, 1] before it computes x_{t−1}.

    Steps from the same image with the same random numbers are compared, for an x_0 with pixels beyond −1 and 1, for the
    same clamped to [−1, 1] and to [0, 1], and for others that no clamp should change.
    """
    usual = bool(rng.integer(0, 2))
    sizes = Sizes.usual(rng) if usual else Sizes.random(rng)
    process, index = (
        Process.random(rng, sizes.steps),
        rng.integer(1, sizes.steps // EARLY if usual else sizes.steps - 2),
    )
    x, beyond = rng.normal(*sizes.shape), 2 * rng.normal(*sizes.shape)
    starts = {
        "beyond": beyond,
        "within": beyond.clip(-1, 1),
        "lifted": beyond.clip(0, 1),
        "bright": rng.uniform(0.05, 0.95, *sizes.shape),
        "other": rng.uniform(0.05, 0.95, *sizes.shape),
    }
    noises = {name: process.predicted(NOISE, start, x, index) for name, start in starts.items()}
    setting = {"x_t": x, "index": index, "starts": starts, "noises": noises, "text": rng.normal(sizes.images, TEXT)}
    got = student.run(probes.ddpm.denoising.clamped, sequences=process.injected(START), **setting)
    expect("pred_x_start" in got or "pred_noise" in got, "p_sample did not answer any call")
    for objective in (START, NOISE):
        if objective in got:
            found = {name: got[objective].tensor(name, x.shape) for name in starts}
            _judge_clamp(found, starts, process, index, sure=objective == START)


@check(NOISE_LOSS)
def test_noise_loss(student: Subject, rng: Rng) -> None:
    """p_losses is the mean squared error between the noise in q_sample's images and the model's prediction of it.

    Ho, Jain & Abbeel 2020, equation 14.
    """
    lost = _lost(student, rng, NOISE, rng.integer(5, MOST + 1))
    for each, calls in lost:
        for got in calls:
            clean, noise, t = _judge_noised(got, each)
            others = {"the clean images": each.predicted - clean}
            _judge_value(got, each.predicted - noise, np.ones(len(t)), others)
    _judge_draws(lost, DRAWS_OF_LOSS[NOISE_LOSS])


@check(START_LOSS, leaves_to=(NOISE_LOSS,))
def test_start_loss(student: Subject, rng: Rng, passed: Passed) -> None:
    """For a model that predicts x_0, the loss is the mean squared error by x_0, with a weight for each image.

    The weight is ᾱ / (1 − ᾱ) at the time of the image.
    """
    # The loss of predicted noise is asked with few times, of which each should be drawn.
    lost = _lost(student, rng, START, 10 * rng.integer(2, 60))
    if not passed(NOISE_LOSS):
        _leave_to_the_other(*lost[0])
    for each, calls in lost:
        for got in calls:
            clean, noise, t = _judge_noised(got, each)
            others = {"the noise": each.predicted - noise}
            _judge_value(got, each.predicted - clean, each.process.signal_to_noise[t], others)
    _judge_draws(lost, DRAWS_OF_LOSS[START_LOSS])


@dataclass(frozen=True, slots=True)
class Given:
    """What a method is given: a process, two arrays of images, and a time for each image."""

    process: Process
    images: Array32
    others: Array32
    t: Integers


def _given(rng: Rng) -> list[Given]:
    """Return what a method is given, in random sizes and in those of a training. All times are different."""
    return [
        Given(
            Process.random(rng, sizes.steps),
            rng.normal(*sizes.shape),
            rng.normal(*sizes.shape),
            rng.choice(sizes.steps, sizes.images),
        )
        for sizes in (Sizes.random(rng), Sizes.usual(rng))
    ]


def _step_case(rng: Rng, sizes: Sizes, objective: str) -> tuple[Process, Array32, dict[str, Any]]:
    """Return a process, the x_0 that the model's predictions mean, and what reverse steps are given.

    Half of the pixels of each x_0 are those that no usual clamp changes.
    """
    process, shape = Process.random(rng, sizes.steps), sizes.shape
    last = sizes.steps - 1
    times = [sizes.steps // EARLY, last] if sizes.side == USUAL_SIDE else [0, 1, sizes.steps // 2, last]
    x, noise = rng.normal(*shape), rng.normal(*shape)
    start, converted = (
        np.where(rng.bits(*shape) > 0, rng.uniform(0.05, 0.95, *shape), each)
        for each in (rng.uniform(-0.95, 0.95, *shape), rng.uniform(-0.95, 0.95, *shape))
    )
    return (
        process,
        start,
        {
            "x_t": x,
            "times": times,
            "predicted": [process.predicted(objective, start, x, t) for t in times],
            "start": converted,
            "noise": noise,
            "text": rng.normal(sizes.images, TEXT),
        },
    )


def _beyond_the_cut(cut: Array, mean: Array, std: float, rng: Rng) -> Array:
    """Return the noise in images that were clamped to [−1, 1].

    What was cut off is drawn anew, so that all of it is standard normal if the noise was.
    """
    below, above = ndtr((-1 - mean) / std), ndtr((1 - mean) / std)
    anew = rng.uniform(0, 1, *cut.shape).astype(np.float64)
    shares = np.where(cut <= -1, anew * below, above + anew * (1 - above))
    drawn = ndtri(shares.clip(1e-300, 1 - 1e-16))
    return np.asarray(np.where(np.abs(cut) < 1, (cut - mean) / std, drawn), dtype=np.float64)


def _judge_asked(got: Evidence, x: Array32, t: Integers, text: Array32) -> None:
    """Fail unless the model is called with these images, times and texts."""
    expect(got.integer("calls") > 0, "the model is never called")
    assert_close(got["seen_images"], x, what="the image that the model is given", hint="it should be x_t, unchanged")
    _judge_times(got["seen_times"], t, "the model")
    expect(
        not got.is_none("seen_text"),
        "the model is called without model_kwargs, so that it does not know the text: pass x_t, t and model_kwargs",
    )
    assert_close(got["seen_text"], text, what="the text that the model is given")


def _judge_times(given: Evidence, t: Integers, whom: str) -> None:
    """Fail unless a model or a method is given these times, one for each image, or one for all of them."""
    expect(not given.is_none(), f"{whom} is given images without times")
    shape = given.shape()
    expect(
        shape in ((len(t),), (1,)),
        f"{whom} should be given the times as a one-dimensional tensor with an entry for each image",
        expected=f"shape [{len(t)}]",
        got=f"shape {list(shape)}" if shape else "a single number",
    )
    what = f"the times that {whom} is given"
    assert_close(np.broadcast_to(given.tensor(), (len(t),)), t, what=what, hint="they should be t, one for each image")


def _judge_conversion(got: Evidence, x: Array32, t: int, predicted: Array32) -> None:
    """Fail unless predict_start_from_noise is called with x_t, t and the model's prediction."""
    whom = "predict_start_from_noise"
    assert_close(got["converted_images"], x, what=f"the image that {whom} is given", hint="it should be x_t")
    _judge_times(got["converted_times"], np.full(len(x), t), whom)
    hint = "it should be what the model predicts"
    assert_close(got["converted_noise"], predicted, **NEAR, what=f"the noise that {whom} is given", hint=hint)


def _judge_step(
    got: Evidence, t: int, process: Process, x: Array32, starts: list[Array], predicted: Array32, noise: Array32
) -> bool:
    """Fail unless p_sample returns the right image for one of the clean images that it may have found.

    Returns whether it follows from an x_0 that is cut off within [−1, 1], or is cut off itself: `ddpm.clamp` judges it.
    """
    back, std = got.tensor("next_images", x.shape, finite=False), process.std[t]
    means = [process.mean_before(start, x.astype(np.float64), t) for start in starts]
    rights = [mean + std * noise for mean in means]
    if any(_same(back, right) for right in rights):
        return False
    cut = any(
        _same(back, np.clip(right, -1, 1)) or _cut_off(back, start, right, process.start_weight[t])
        for start, right in zip(starts, rights, strict=True)
    )
    if not cut:
        _fail_step(back, t, process, x, starts, predicted, noise)
    return cut


def _fail_step(
    back: Array, t: int, process: Process, x: Array32, starts: list[Array], predicted: Array32, noise: Array32
) -> NoReturn:
    """Fail with a message about a wrong x_{t−1}, which names the mistake if it is a common one."""
    std = process.std[t]
    means = [process.mean_before(start, x.astype(np.float64), t) for start in starts]
    words = f"x_{{t−1}} is wrong at t = {t}: it is the posterior's mean for the predicted x_0, plus its std times noise"
    for mean in means:
        others = {
            f"no noise is added at t = {t}: x_{{t−1}} is a random draw for every t but 0, the last step": mean,
            "the noise is multiplied with the variance of x_{t−1}, not with its standard deviation": mean
            + std**2 * noise,
            "the noise is not multiplied with the standard deviation of x_{t−1}": mean + noise,
            "the model's prediction is used as the noise of x_{t−1}, which has to be drawn anew": mean
            + std * predicted,
            "the noise that the predicted x_0 leaves in x_t is used as the noise of x_{t−1}, which has to be drawn "
            "anew": mean + std * process.predicted(NOISE, starts[0], x, t),
        }
        words = next((said for said, other in others.items() if t > 0 and _same(back, other)), words)
    expect(bool(np.isfinite(back).all()), f"x_{{t−1}} has numbers that are not finite at t = {t}")
    fail(words, expected=f"{(means[-1] + std * noise).flat[0]:.4f} in the first pixel", got=f"{back.flat[0]:.4f}")


def _cut_off(back: Array, start: Array, right: Array, weight: float) -> bool:
    """Return whether x_{t−1} follows from x_0 clamped to another range, which leaves many of its pixels as they are.

    right: what follows from x_0, of which the mean of x_{t−1} has `weight` times as much.
    """
    if not np.isfinite(back).all():
        return False
    found = start + (back - right) / weight
    clamped = start.clip(found.min(), found.max())
    kept = float(np.mean(np.abs(clamped - start) < NEAR_START))
    return kept >= MOST_OF_RANGE and _same(back, right + weight * (clamped - start))


def _judge_clamp(found: dict[str, Array], starts: dict[str, Array32], process: Process, t: int, *, sure: bool) -> None:
    """Fail unless x_0 is clamped to [−1, 1].

    Args:
        found: x_{t−1} by the name of the x_0 that was predicted.
        starts: that x_0.
        sure: whether p_sample had this x_0, which the model predicted. Where it was to be found from noise, p_sample
            may have another one, because of a mistake that another check judges.
    """
    weight = float(process.start_weight[t])

    def change(name: str) -> Array:
        """How far x_0 was from that of `bright`, as x_{t−1} shows."""
        return (found[name] - found["bright"]) / weight

    def right(name: str, low: float = -np.inf, high: float = np.inf) -> Array:
        return np.asarray(starts[name].clip(low, high).astype(np.float64) - starts["bright"])

    if not _near(change("other"), right("other")):
        _judge_clamp_of_a_wrong_step(found, starts, process, t, sure=sure)
        return
    said = {"expected": "the same image for x_0 and for the clamped x_0"}
    if _near(change("beyond"), right("beyond")):
        fail("the predicted x_0 is not clamped to [−1, 1] before x_{t−1} is computed", **said)
    if _near(change("within"), right("within", 0, 1)):
        fail("x_{t−1} is the same for different x_0 between −1 and 0, as after a clamp to [0, 1]: clamp to [−1, 1]")
    for name in ("within", "beyond"):
        if not _near(change(name), right(name, -1, 1)):
            words = (
                "the predicted x_0 is not clamped to [−1, 1], or not in every place where it is used: x_{t−1} is not "
                "the one that follows from the clamped x_0"
            )
            fail(words, **said)


def _judge_clamp_of_a_wrong_step(
    found: dict[str, Array], starts: dict[str, Array32], process: Process, t: int, *, sure: bool
) -> None:
    """Fail if x_{t−1} shows that x_0 is not clamped, though it is wrong in other ways, too, which another check judges.

    Arguments are those of `_judge_clamp`.
    """
    weight, beyond = process.start_weight[t], starts["beyond"] - starts["within"]
    change = found["beyond"] - found["within"]
    said = {
        "expected": "the same image for x_0 and for the clamped x_0",
        "got": f"images that are {np.abs(change).max():.3f} apart",
    }
    # A prediction that is also used as noise, or as x_t, is judged by the other check of p_sample.
    reused = any(_same(change, factor * beyond) for factor in (process.std[t], process.image_weight[t]))
    if _same(change, weight * beyond):
        fail("the predicted x_0 is not clamped to [−1, 1] before x_{t−1} is computed", **said)
    if not sure or reused:
        return
    if np.abs(change).max() > NEAR["atol"]:
        words = (
            "the predicted x_0 is not clamped to [−1, 1], or not in every place where it is used: x_{t−1} depends on "
            "how far x_0 lies beyond"
        )
        fail(words, **said)
    same = bool(np.abs(found["other"] - found["bright"]).max() <= MOVED * weight)
    expect(not same, "x_{t−1} does not depend on the x_0 that the model predicts, so that no clamp of it can be seen")
    dark = starts["within"] < -MOVED
    least = MOVED * np.abs(weight * (starts["within"] - starts["lifted"]))
    if (np.abs(found["within"] - found["lifted"]) < least)[dark].any():
        fail("x_{t−1} is the same for different x_0 between −1 and 0, as after a clamp to [0, 1]: clamp to [−1, 1]")


@dataclass(frozen=True, slots=True)
class Lost:
    """What a loss is given: images in [0, 1], what q_sample returns, and what the model predicts; [B, 3, H, W] each."""

    process: Process
    images: Array32
    noisy: Array32
    predicted: Array32
    text: Array32

    @classmethod
    def random(cls, rng: Rng, sizes: Sizes) -> Lost:
        shape = sizes.shape
        return cls(
            Process.random(rng, sizes.steps),
            rng.uniform(0, 1, *shape),
            2 * rng.normal(*shape),
            1.5 * rng.normal(*shape),
            rng.normal(sizes.images, TEXT),
        )


Calls = list[tuple[Lost, list[Evidence]]]  # what a loss is given, with its two calls


def _lost(student: Subject, rng: Rng, objective: str, steps: int) -> Calls:
    """Return a loss with random sizes, with so many times, and one with the usual sizes."""
    several = replace(Sizes.random(rng, images=(LOST, LOST + 40)), steps=steps, side=rng.integer(3, 5))
    cases = [Lost.random(rng, sizes) for sizes in (several, Sizes.usual(rng, USUAL))]
    asked = [
        {
            "sequences": each.process.injected(objective),
            "images": each.images,
            "noisy": each.noisy,
            "predicted": each.predicted,
            "text": each.text,
        }
        for each in cases
    ]
    got = student.run(probes.ddpm.denoising.losses, objective=objective, cases=asked).list(exactly=len(cases))
    return [(each, calls.list(exactly=2)) for each, calls in zip(cases, got, strict=True)]


def _judge_noised(got: Evidence, lost: Lost) -> tuple[Array, Array, Integers]:
    """Return the clean images in [−1, 1], the noise, and the times of a loss.

    Fails if the model is given something else.
    """
    clean, n, count = 2 * lost.images.astype(np.float64) - 1, len(lost.images), lost.process.steps
    expect(got.integer("calls") > 0, "p_losses never calls the model")
    given = got["noised_times" if got.flag("replaced") else "seen_times"]
    expect(not given.is_none() and given.shape() == (n,), "there should be one time for each image")
    times = given.tensor()
    whole = bool(np.all(times == np.round(times)) and times.min() >= 0 and times.max() < count)
    expect(whole, f"times should be whole numbers from 0 to {count - 1}", got=f"{times.min():g} to {times.max():g}")
    expect(bool(np.ptp(times) > 0), "all images of a batch have the same time: draw one for each of them")
    t = times.astype(np.int64)
    if not got.flag("replaced"):
        shown = got.tensor("seen_images", clean.shape)
        _judge_asked(got, shown.astype(np.float32), t, lost.text)
        return clean, lost.process.schedule.noise_in(shown, clean, t), t
    hint = "they should be the images in [−1, 1] that self.normalize gives, called once"
    assert_close(got["noised"], clean, what="the images that q_sample is given", hint=hint)
    expect(not got.is_none("noise"), "q_sample is not given noise")
    _judge_asked(got, lost.noisy, t, lost.text)
    return clean, got.tensor("noise", clean.shape), t


def _judge_draws(lost: Calls, tests: DrawsOfLoss) -> None:
    """Fail unless the noise of all calls is drawn from N(0, I), and their times uniformly, and all anew."""
    drawn = [[_judge_noised(got, each)[1:] for got in calls] for each, calls in lost]
    for calls, fit, independence in zip(drawn, tests.fits, tests.calls, strict=True):
        for noise, _ in calls:
            problem = fit.problem(noise.reshape(-1, ROW if noise.shape[-1] == USUAL_SIDE else noise[0].size))
            expect(problem is None, f"the noise in the images is not drawn from N(0, I): {problem}")
        correlation = independence.correlation(calls[0][0], calls[1][0])
        if correlation is not None:
            words = "two calls draw the same noise: each call needs its own, so let p_losses set no seed"
            fail(words, got=f"a correlation of {correlation:.3f}")
    # Many times are counted in as many groups as there may be times.
    count, times = lost[0][0].process.steps, [t for _, t in drawn[0]]
    groups = min(count, TENTHS) if count > MOST else count
    problem = replace(tests.times, values=groups).problem(
        *(np.floor_divide(t * groups, count).astype(np.float64) for t in times)
    )
    expect(
        problem is None,
        f"times are not drawn uniformly{f', by tenths of all {count}' if count > MOST else ''}: {problem}",
    )
    late = float(np.mean([t >= lost[1][0].process.steps // 2 for _, t in drawn[1]]))
    low, high = tests.late.bounds
    expect(low <= late <= high, "times are not drawn uniformly from 0 to T − 1", got=f"{late:.0%} in the later half")


def _judge_value(got: Evidence, residuals: Array, weights: Array, others: Mapping[str, Array]) -> None:
    """Fail unless the loss is the mean of the weights [B] times the squares of the residuals [B, …].

    others: by what the prediction may be compared with by mistake, the residuals.
    """
    claimed = got["loss"]
    shape = claimed.shape()
    expect(shape in ((), (1,)), "the loss should be one number: a mean", got=f"shape {list(shape)}")
    value = claimed.tensor().reshape(-1)[0]
    column = weights.reshape(-1, 1, 1, 1)
    right = float((column * residuals**2).mean())
    if abs(value - right) > 1e-3 * right:
        others_by_words = {
            f"the prediction is compared with {what}": float((column * each**2).mean()) for what, each in others.items()
        }
        fail(_words(value, residuals, column, others_by_words), expected=f"{right:.5f}", got=f"{value:.5f}")
    expect(got.flag("attached"), "no gradient reaches the model: do not detach its prediction")
    slope = 2 * column * residuals / residuals.size
    what = "the gradient of the loss by the prediction"
    assert_close(got["gradient"], slope, rtol=1e-2, atol=1e-7, what=what)


def _words(value: float, residuals: Array, weights: Array, others: dict[str, float]) -> str:
    """Return a message about a wrong loss, which names the mistake if it is a common one."""
    squares = residuals**2
    known = {
        "the weights of the images are missing: multiply the squared errors by loss_weight": float(squares.mean()),
        "the weights are applied to the mean of all errors: multiply each image's own errors by its weight": float(
            weights.mean() * squares.mean()
        ),
        "the loss is summed over the pixels, but its mean is asked for": float((weights * squares).sum()),
        "the loss is summed over the pixels of an image, but its mean is asked for": float(
            (weights * squares).sum() / len(residuals)
        ),
        "the loss is the mean absolute error, but the squared error is asked for": float(
            (weights * np.abs(residuals)).mean()
        ),
        "the loss is the root of the mean squared error: leave out the root": float(
            np.sqrt((weights * squares).mean())
        ),
        **others,
    }
    for words, other in known.items():
        if abs(value - other) <= 1e-3 * abs(other):
            return words
    return "the loss is not the mean of the weighted squared errors between the target and the model's prediction"


def _leave_to_the_other(lost: Lost, calls: list[Evidence]) -> None:
    """End the test, unless weights and target of the loss are wrong, or do not show.

    What is wrong with the loss of a model that predicts noise is wrong here, too, and is judged there.
    """
    reason = "the loss of a model that predicts noise is wrong, too; here, its weights and its target are right"
    if all(_weighted(lost, got) for got in calls):
        not_asked(reason, unless=(NOISE_LOSS,))
    fail(
        "where the model predicts clean images, the loss does not compare its prediction with these, or the weights of "
        "the images are wrong: the error of each image should be multiplied by its own loss_weight"
    )


def _weighted(lost: Lost, got: Evidence) -> bool:
    """Return whether a loss is the sum of some error by the clean images, times each image's own weight.

    Divided by the weights, the gradient by the prediction is then the same increasing function of the difference in all
    images, whatever error it is of. Images without a gradient are left out if they are fewer than two thirds. Without
    any gradient, the value shows.
    """
    shape, count = lost.images.shape, len(lost.images)
    given = got["noised_times" if got.flag("replaced") else "seen_times"]
    if given.is_none() or given.shape() not in ((count,), (1,)):
        return False
    t = np.broadcast_to(given.tensor(), (count,)).clip(0, lost.process.steps - 1).astype(np.int64)
    weights = lost.process.signal_to_noise[t].reshape(-1, 1, 1, 1)
    clean = got.tensor("noised", shape) if got.flag("replaced") else 2 * lost.images.astype(np.float64) - 1
    residuals = lost.predicted - clean
    if not got.flag("attached"):
        right = float((weights * residuals**2).mean())
        return abs(float(got.tensor("loss", finite=False).mean()) - right) <= 1e-3 * right
    slopes = got.tensor("gradient", shape) / weights
    judged = slopes.reshape(count, -1).any(axis=1)
    if judged.mean() <= 1 / 3:
        return False
    found, by = slopes[judged].ravel(), residuals[judged].ravel()
    ordered = found[np.argsort(by)]
    falls = np.maximum.accumulate(ordered) - ordered
    return bool(falls.max() <= UNSTEADY * np.ptp(ordered) and (found * by >= 0).mean() >= ALONG)


def _near(found: Array, right: Array) -> bool:
    """Return whether an x_0 that x_{t−1} shows is the right one."""
    return bool(np.allclose(found, right, rtol=0, atol=NEAR_START))


def _same(left: Floats, right: Floats) -> bool:
    return bool(np.allclose(left, right, rtol=NEAR["rtol"], atol=NEAR["atol"]))
