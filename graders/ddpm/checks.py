"""Checks of denoising diffusion models: the schedule, noising, a reverse step, the sampling loop, the loss, the times.

The model is that of Ho, Jain & Abbeel 2020. Every function is judged on its own, with injected sequences and denoisers.
If it calls another function that has a check of its own, a known function replaces that one.

Left open by the hand-out, and decided for the student:
- any computation that gives the same numbers is right, also through the predicted x_0, in one function or several;
- a loop may take its noise from `noise` in any order, as long as every step gets noise of its own; if none is given, it
  may draw noise for p_sample, or leave that to p_sample;
- p_sample may ignore t_index, and read from its times whether they are 0;
- a model may be given one time for the whole batch, [1], instead of one for each image;
- smooth L1 and Huber loss are the same at the hand-out's δ = 1;
- `p_sample_loop` may return a list of images or NumPy arrays instead of one tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from gengrade.arrays import Array, Array32, Floats, Integers
from gengrade.grading import Evidence, Rng, Subject, UpTo, assert_close, check, expect, fail, not_asked, probes
from graders.common.statistics import ALPHA, GaussianFit, Independence, declare
from graders.ddpm.diffusion import GaussianData, Schedule, broken_huber, huber, huber_slope
from graders.ddpm.integers import UniformIntegers
from graders.ddpm.sizes import USUAL_SIDE, USUAL_STEPS

LEAST_STEPS, MOST_STEPS = 8, 16  # of a short schedule
PIXELS = 12  # the least number of numbers in an image
DRAWN = 200  # the least number of images in a test of noise
SAMPLED = (2000, 30)  # the least number of images, and the mean number of steps, of the test against a known Gaussian
SMALL = (1, 2, 2)
NOISING, BACK, LOOP, LOSS = "ddpm.q_sample", "ddpm.p_sample", "ddpm.p_sample_loop", "ddpm.p_losses"
TO_NOISE = ("sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod")
TO_STEP = ("betas", "sqrt_one_minus_alphas_cumprod", "sqrt_recip_alphas", "posterior_variance")
# 1 − ᾱ begins at β₁ = 1e-4. Single precision knows it to a relative 1e-3, and a quotient of two such numbers to 3e-3.
ROUNDING: Mapping[str, float] = {"sqrt_one_minus_alphas_cumprod": 1e-3, "posterior_variance": 3e-3}
FORMULAS: Mapping[str, str] = {
    "betas": "T numbers from beta_start to beta_end, evenly spaced, both included",
    "alphas": "1 − β",
    "sqrt_recip_alphas": "1/√α",
    "alphas_cumprod": "the product of all α up to and including that of t",
    "sqrt_alphas_cumprod": "√ᾱ",
    "sqrt_one_minus_alphas_cumprod": "√(1 − ᾱ), with the product ᾱ",
    "alphas_cumprod_prev": "ᾱ of the previous step: shift ᾱ by one, with 1 in the first place",
    "posterior_variance": "β·(1 − ᾱ of the previous step) / (1 − ᾱ): equation 7",
}

NOISE = {
    NOISING: declare(NOISING, "(x_t − √ᾱ·x_0) / √(1 − ᾱ) of a call", GaussianFit(DRAWN, PIXELS, ALPHA / 3), cases=2),
    BACK: declare(BACK, "(x_{t−1} − mean) / std of a call", GaussianFit(DRAWN, PIXELS, ALPHA / 3), cases=2),
}
CALLS = {
    id_: declare(id_, "the noise of two calls", Independence(DRAWN * PIXELS, ALPHA / 3)) for id_ in (NOISING, BACK)
}
LOST = declare(LOSS, "the noise that is predicted", GaussianFit(DRAWN, PIXELS, ALPHA / 3), cases=2)
ANEW = declare(LOSS, "the noise of two calls", Independence(DRAWN * PIXELS, ALPHA / 3))
START = declare(LOOP, "the image that the loop starts from", GaussianFit(DRAWN, PIXELS, ALPHA / 3))
HANDED = declare(
    LOOP,
    "the noise that a step is given",
    GaussianFit(DRAWN, PIXELS, ALPHA / 3 / (MOST_STEPS - 1)),
    cases=MOST_STEPS - 1,
)
DRAWS = declare(LOOP, "samples of a known Gaussian, whitened", GaussianFit(SAMPLED[0], 4, ALPHA / 3))
TIMES = {
    "few": declare("ddpm.t_sample", "times below 12", UniformIntegers(20_000, 12, ALPHA / 2)),
    "many": declare("ddpm.t_sample", "times below 1,000", UniformIntegers(20_000, 1000, ALPHA / 2)),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """The number T of times, and that of images, with channels, height and width.

    These are all different where they are random, so that confusing them shows.
    """

    steps: int
    images: int
    image: tuple[int, int, int]

    @classmethod
    def random(cls, rng: Rng, images: int = DRAWN) -> Shape:
        """Return small sizes, with at least so many images."""
        height, width = (int(each) + 3 for each in rng.choice(4, 2))
        most = images + max(3, images // 5)
        return cls(
            rng.integer(LEAST_STEPS, MOST_STEPS + 1), rng.integer(images, most), (rng.integer(1, 3), height, width)
        )

    @classmethod
    def usual(cls, rng: Rng) -> Shape:
        """Return sizes such as a training has, with fewer images."""
        return cls(USUAL_STEPS[rng.integer(0, len(USUAL_STEPS))], rng.integer(4, 7), (1, USUAL_SIDE, USUAL_SIDE))

    @property
    def batch(self) -> tuple[int, int, int, int]:
        """The shape of the images, [B, C, H, W]."""
        return self.images, *self.image


@check("ddpm.schedule")
@pytest.mark.parametrize("usual", [True, False], ids=["usual", "other"])
def test_sequences(student: Subject, rng: Rng, usual: bool) -> None:
    """The eight sequences of a linear schedule are right, for any end points and any number of steps."""
    start, end, steps = (
        (1e-4, 0.02, 1000) if usual else (0.01 * rng.integer(1, 4), 0.1 * rng.integer(2, 5), rng.integer(6, 20))
    )
    found = student.run(probes.ddpm.sequences, beta_start=start, beta_end=end, steps=steps).list()
    expected = Schedule.linear(start, end, steps).sequences
    message = f"the function should return {len(expected)} sequences: {', '.join(expected)}"
    expect(len(found) == len(expected), message, got=f"{len(found)} sequences")
    for (name, right), sequence in zip(expected.items(), found, strict=True):
        tolerance = ROUNDING.get(name, 1e-4)
        assert_close(sequence, right, rtol=tolerance, atol=1e-7, what=name, hint=FORMULAS[name])


@check(NOISING)
def test_noising_with_given_noise(student: Subject, rng: Rng) -> None:
    """q_sample with given noise ε returns √ᾱ·x_0 + √(1 − ᾱ)·ε, for each image at its own time.

    Ho, Jain & Abbeel 2020, equation 4.
    """
    shape = Shape.usual(rng)
    schedule, images, noise = Schedule.random(rng, shape.steps), rng.normal(*shape.batch), rng.normal(*shape.batch)
    t = rng.choice(shape.steps, shape.images)
    injected = schedule.injected(*TO_NOISE)
    got = student.run(probes.ddpm.q_sample, x_start=images, t=t, coefficients=injected, noise=noise)
    expected = schedule.noised(images.astype(np.float64), t, noise.astype(np.float64))
    hint = "it is √ᾱ·x_0 + √(1 − ᾱ)·ε, with √ᾱ and √(1 − ᾱ) from the given coefficients at the time t of each image"
    assert_close(got["noisy"], expected, rtol=1e-3, atol=1e-4, what="the noisy image", hint=hint)
    expect(
        got.flag("kept"),
        "q_sample changes the noise that it is given, which the loss needs afterwards: do not work in place",
    )


@check(NOISING)
def test_noising_with_noise_of_its_own(student: Subject, rng: Rng) -> None:
    """q_sample draws new standard normal noise for each pixel and each call if none is given."""
    shape = Shape.random(rng)
    schedule, images = Schedule.random(rng, shape.steps), 2 * rng.normal(*shape.batch)
    t = rng.integers(0, shape.steps, shape.images)
    got = student.run(probes.ddpm.q_sample_draws, x_start=images, t=t, coefficients=schedule.injected(*TO_NOISE))
    drawn = [got.tensor(name, images.shape) for name in ("noisy_images", "second_noisy_images")]
    noises = [schedule.noise_in(noisy, images, t) for noisy in drawn]
    _judge_noise(NOISING, noises, "(x_t − √ᾱ·x_0) / √(1 − ᾱ)")


@check(BACK)
def test_step_back_with_given_noise(student: Subject, rng: Rng) -> None:
    """p_sample with given noise returns the mean of x_{t−1} plus √(posterior variance)·ε, and only the mean at t = 0.

    Ho, Jain & Abbeel 2020, equation 11 and algorithm 2.
    """
    # With many times, √α is hardly different from 1, so that mistakes in it would not show.
    shape = replace(Shape.usual(rng), steps=rng.integer(LEAST_STEPS, MOST_STEPS + 1))
    schedule = Schedule.random(rng, shape.steps)
    # The variance at t = 0 is replaced: it is 0, which would hide noise that is wrongly added there.
    injected = schedule.injected(*TO_STEP)
    injected[3][0] = 0.2
    x, predicted, noise = (rng.normal(*shape.batch) for _ in range(3))
    times = [0, 1, shape.steps // 2, shape.steps - 1]
    found = student.run(
        probes.ddpm.p_sample, x=x, times=times, coefficients=injected, predicted=predicted, noise=noise
    ).list(exactly=len(times))
    for t, result in zip(reversed(times), reversed(found), strict=True):
        _judge_step(result, t, schedule, x.astype(np.float64), predicted, noise)


@check(BACK)
def test_step_back_with_noise_of_its_own(student: Subject, rng: Rng) -> None:
    """p_sample draws new standard normal noise for each pixel and each call if none is given."""
    shape = replace(Shape.random(rng), steps=Shape.usual(rng).steps)
    schedule, index = Schedule.random(rng, shape.steps), rng.integer(2, shape.steps)
    x, predicted = rng.normal(*shape.batch), rng.normal(*shape.batch)
    injected = schedule.injected(*TO_STEP)
    got = student.run(probes.ddpm.p_sample_draws, x=x, index=index, coefficients=injected, predicted=predicted)
    mean, std = schedule.mean_before(x, predicted, index), np.sqrt(schedule["posterior_variance"][index])
    noises = [(got.tensor(name, x.shape) - mean) / std for name in ("next_images", "second_next_images")]
    _judge_noise(BACK, noises, "(x_{t−1} − mean) / √(posterior variance)")


@check(LOOP)
@pytest.mark.parametrize("given", [False, True], ids=["own", "given"])
def test_loop(student: Subject, rng: Rng, given: bool) -> None:
    """p_sample_loop starts from noise and goes from t = T − 1 down to 0; each step starts from the previous image.

    A function that returns known images replaces p_sample. A loop that does not call p_sample is judged by its samples
    and by the first images that it shows the model or, if noise is given, by the noise in its images. Ho, Jain & Abbeel
    2020, algorithm 2.
    """
    shape = Shape.random(rng)
    steps, n = shape.steps, shape.images
    injected = rng.normal(steps, *shape.batch)
    noise = rng.normal(steps + 1, *shape.batch) if given else None
    schedule = Schedule.random(rng, steps)
    got = _with_known_steps(student, schedule, injected, noise)
    if not got.flag("replaced"):
        if noise is not None:
            own = got.tensor("images", shape=injected.shape)
            _judge_given(_noises_in(own, noise[0], schedule, injected[0]), noise)
            return
        first = got.tensor("begun", shape=(UpTo(n), *shape.image))
        if len(first):  # a loop without the model is judged by its samples
            _judge_start(first, n)
        not_asked("the loop does not call p_sample, so its images are judged instead")
    _judge_order([_times_in(step, n, "p_sample") for step in got.list("times")], steps)
    expect(got.flag("model"), "p_sample is not given the model: pass it as the first argument")
    expect(got.flag("whole"), "p_sample is given times that are floats and cannot be used as indices: use torch.long")
    indices = [index.integer() for index in got.list("indices")]
    hint = "p_sample uses it to recognise the last step, t_index = 0, which returns the mode"
    wanted = list(reversed(range(steps)))
    expect(
        indices in ([], wanted), f"t_index is not the time of the step: {hint}", expected=str(wanted), got=str(indices)
    )
    _expect_passed_on(got, schedule.injected(*TO_STEP), "p_sample should be given the four coefficients unchanged")
    begun = [image.tensor(shape=shape.batch) for image in got.list("image_of_step", exactly=steps)]
    given_noise = got.list("noise_of_step", exactly=steps)
    handed = [None if each.is_none() else each.tensor(shape=shape.batch) for each in given_noise]
    shown = np.stack(begun)
    if noise is None:
        _judge_start(shown[0], n)
        _judge_handed([each for each in handed[:-1] if each is not None], shown[0])
    else:
        hint = "if noise is given, it is noise[0]"
        assert_close(shown[0], noise[0], what="the image that the loop starts from", hint=hint)
        _judge_given(np.stack([np.zeros_like(shown[0]) if each is None else each for each in handed]), noise)
    assert_close(
        shown[1:], injected[:-1], what="the image that a step starts from", hint="it is that of the previous step"
    )
    images = got["images"]
    expect(
        images.shape() == injected.shape,
        "the result should contain the image after every step, in order",
        expected=f"shape {list(injected.shape)}",
        got=f"shape {list(images.shape())}",
    )
    assert_close(images, injected, what="the result", hint="append the image of every step, in order")


@check(LOOP)
def test_samples_of_a_known_gaussian(student: Subject, rng: Rng) -> None:
    """With the optimal denoiser for Gaussian data, samples have the mean and covariance that follow from the schedule.

    The right reverse step for such data replaces p_sample. A loop that does not call p_sample calls the denoiser.
    """
    n, steps = SAMPLED[0] + rng.integer(0, 200), SAMPLED[1] + rng.integer(-5, 6)
    schedule = Schedule.random(rng, steps)
    root = 0.6 * np.eye(4) + 0.25 * rng.normal(4, 4)
    data = GaussianData(rng.normal(4).astype(np.float64), root @ root.T + 0.05 * np.eye(4), schedule)
    denoiser = dict(zip(("matrices", "offsets"), data.denoiser, strict=True))
    matrices, offsets, spreads = (part.astype(np.float32) for part in data.back)
    back = {"matrices": matrices, "offsets": offsets, "spreads": spreads}
    setting: dict[str, Any] = {"denoiser": denoiser, "back": back, "shape": [n, *SMALL]}
    got = student.run(probes.ddpm.samples, coefficients=schedule.injected(*TO_STEP), **setting)
    _judge_order([_times_in(step, n, "the model") for step in got.list("times")], steps)
    images = got.tensor("images", shape=(UpTo(10 * steps), n, *SMALL))
    expect(
        len(images) == steps,
        "the result should contain the image after every step, in order",
        expected=f"{steps} images",
        got=f"{len(images)}",
    )
    problem = DRAWS.problem(data.standardised(images[-1].reshape(n, 4)))
    expect(
        problem is None,
        f"with the optimal denoiser for a known Gaussian, the samples are not distributed as they should be: {problem}",
    )


@check(LOSS)
@pytest.mark.parametrize("given", [False, True], ids=["own", "given"])
def test_loss(student: Subject, rng: Rng, given: bool) -> None:
    """p_losses is the Huber loss between the noise and the model's prediction for the noisy images at their times.

    A function that returns known images replaces q_sample, and the model's prediction is known, too. Ho, Jain & Abbeel
    2020, equation 14, with the Huber loss instead of the squared error.
    """
    shape = Shape.usual(rng) if given else Shape.random(rng)
    schedule, images = (
        Schedule.random(rng, shape.steps),
        2 * rng.normal(*shape.batch),
    )  # their spread differs from noise
    t, noisy = rng.integers(0, shape.steps, shape.images), 2 * rng.normal(*shape.batch)
    injected = schedule.injected(*TO_NOISE)
    predicted, noise = 1.5 * rng.normal(*shape.batch), rng.normal(*shape.batch) if given else None
    found = student.run(
        probes.ddpm.loss,
        x_start=images,
        t=t,
        coefficients=injected,
        noisy=noisy,
        predicted=predicted,
        **({} if noise is None else {"noise": noise}),
    ).list(exactly=2)
    noises = []
    for got in found:
        if got.flag("replaced"):
            words = "q_sample should be given the two coefficients unchanged: √ᾱ and √(1 − ᾱ)"
            _expect_passed_on(got, injected, words)
        noises.append(_noise_of(got, schedule, images, noisy, t, noise))
        _judge_loss(got, t, images, predicted, noises[-1])
    correlation = ANEW.correlation(*noises) if noise is None else None
    if correlation is not None:
        words = "two calls draw the same noise: each call needs its own, so let p_losses set no seed"
        fail(words, got=f"a correlation of {correlation:.3f}")


@check("ddpm.t_sample")
@pytest.mark.parametrize("which", TIMES)
def test_times(student: Subject, rng: Rng, which: str) -> None:
    """t_sample draws whole numbers from 0 to T − 1, all equally likely, one for each image of a batch."""
    steps = rng.integer(5, 13) if which == "few" else USUAL_STEPS[rng.integer(0, len(USUAL_STEPS))]
    test = replace(TIMES[which], values=steps)
    n = test.draws + 2 * rng.integer(0, 500)
    got = student.run(probes.ddpm.times, steps=steps, n=n)
    count = got["times"].shape()
    expect(
        count == (n,),
        "there should be one time for each image of the batch, even if the batch is larger than T: draw with "
        "replacement, by torch.randint",
        expected=f"shape [{n}]",
        got=f"shape {list(count)}",
    )
    first, second = (got.tensor(name, shape=(n,)) for name in ("times", "second_times"))
    whole = bool(np.all(first == np.round(first)) and np.all(second == np.round(second)))
    expect(whole and got.flag("whole"), "times should be whole numbers of an integer type: draw them by torch.randint")
    problem = test.problem(first, second)
    expect(problem is None, f"{problem}")


def _judge_noise(id_: str, noises: list[Array], what: str) -> None:
    """Fail unless the noises of two calls are independent draws from N(0, I); `what` is how they were computed."""
    for noise in noises:
        problem = NOISE[id_].problem(noise.reshape(len(noise), -1))
        expect(problem is None, f"the noise is not drawn from N(0, I), as {what} shows: {problem}")
    correlation = CALLS[id_].correlation(*noises)
    if correlation is not None:
        fail("two calls draw the same noise: each call needs its own", got=f"a correlation of {correlation:.3f}")


def _with_known_steps(student: Subject, schedule: Schedule, injected: Floats, noise: Floats | None = None) -> Evidence:
    """Run the loop with a p_sample that returns the images `injected` [T, …], and a model that predicts the first."""
    given = {} if noise is None else {"noise": noise}
    coefficients = schedule.injected(*TO_STEP)
    return student.run(probes.ddpm.loop, coefficients=coefficients, injected=injected, predicted=injected[0], **given)


def _noises_in(images: Array, start: Floats, schedule: Schedule, predicted: Floats) -> Array:
    """Return the noise of each step, from the images [T, …] after each step; 0 for the last step, which adds none."""
    before = np.concatenate([start[None], images[:-1]])
    noises = np.zeros_like(images)
    for done, t in enumerate(reversed(range(1, len(images)))):
        mean = schedule.mean_before(before[done], predicted, t)
        noises[done] = (images[done] - mean) / np.sqrt(schedule["posterior_variance"][t])
    return noises


def _judge_step(result: Evidence, t: int, schedule: Schedule, x: Array, predicted: Any, noise: Any) -> None:
    """Fail unless p_sample calls the model with x and t, and returns the right image for its prediction and noise."""
    expect(result.integer("calls") > 0, "p_sample never calls the model to predict the noise")
    assert_close(result["shown_images"], x, what="the image that the model is given", hint="it should be x, unchanged")
    times = _times_in(result["shown_times"], len(x), "the model")
    assert_close(times, np.full(len(x), t), what="the times that the model is given", hint="they should be t")
    mean = schedule.mean_before(x, predicted, t)
    back = result.tensor("next_images", shape=x.shape, finite=False)
    if t == 0:
        _expect_not_cut_off(back, mean, t)
        hint = "at t = 0 it is the mode: the mean without any noise"
        assert_close(back, mean, rtol=1e-3, atol=1e-4, what="the image at t = 0", hint=hint)
        return
    right = mean + np.sqrt(schedule["posterior_variance"][t]) * noise
    expect(
        not np.allclose(back, mean, rtol=1e-3, atol=1e-4),
        f"no noise is added at t = {t}: x_{{t−1}} is a random draw for every t except 0, the last step",
    )
    _expect_not_cut_off(back, right, t)
    hint = "it is (x − β/√(1 − ᾱ)·ε)/√α plus √(posterior variance) times the given noise"
    assert_close(back, right, rtol=1e-3, atol=1e-4, what="x_{t−1}", hint=hint)


def _expect_not_cut_off(back: Array, right: Array, t: int) -> None:
    """Fail if the image is the `right` one, which has pixels beyond −1 and 1, clipped to [−1, 1]."""
    cut_off = np.allclose(back, np.clip(right, -1, 1), rtol=1e-3, atol=1e-4)
    message = (
        f"pixels are clipped to [−1, 1] at t = {t}: return x_{{t−1}} unchanged, and clip only images that you show"
    )
    expect(not cut_off, message)


def _judge_order(times: list[Array], count: int) -> None:
    """Fail unless the times of the steps go from count − 1 down to 0, with the same time for the whole batch."""
    wanted, order = list(reversed(range(count))), [int(t[0]) for t in times]
    if order != wanted:
        message = "the loop should take one step for each time, from t = T − 1 down to 0"
        if order == [t + 1 for t in wanted]:
            message = "the times of the steps go from T to 1, but they are indices: go from T − 1 down to 0"
        elif order == wanted[:-1]:
            message = "the last step, t = 0, is missing: the steps should go from t = T − 1 down to 0"
        seen = [f"{len(each)} steps: {each[:3]} … {each[-2:]}" for each in (wanted, order)]
        fail(message, expected=seen[0], got=seen[1])
    expect(
        all(np.ptp(t) == 0 for t in times), "in each step of the loop, all images of the batch should have the same t"
    )


def _times_in(given: Evidence, n: int, whom: str) -> Array:
    """Return the times [n] that a model or a function was given.

    Raises Mismatch if the hand-out's cannot take their shape.
    """
    expect(not given.is_none(), f"{whom} is given images without times")
    shape = given.shape()
    expect(
        shape in ((n,), (1,)),
        f"{whom} should be given the times as a one-dimensional tensor with an entry for each image",
        expected=f"shape [{n}]",
        got=f"shape {list(shape)}" if shape else "a single number",
    )
    return np.broadcast_to(given.tensor(), (n,))


def _expect_passed_on(got: Evidence, injected: list[Array32], message: str) -> None:
    """Fail with `message` unless the inner function gets the same coefficients that the student's function got."""
    passed = got.list("coefficients")
    expect(len(passed) == len(injected), message, expected=f"{len(injected)}", got=f"{len(passed)}")
    same = [
        one.shape() == right.shape and np.allclose(one.tensor(finite=False), right)
        for one, right in zip(passed, injected, strict=True)
    ]
    expect(all(same), message)


def _judge_start(begun: Array, n: int) -> None:
    """Fail unless the n images [B, C, H, W] that a loop starts from, which draws them itself, come from N(0, I)."""
    expect(len(begun) == n, "the loop never shows the model as many images as it is asked for")
    problem = START.problem(begun.reshape(n, -1))
    expect(problem is None, f"the loop does not start from noise of N(0, I): {problem}")


def _judge_handed(noises: list[Array], start: Array) -> None:
    """Fail unless the noise that a loop draws for p_sample comes from N(0, I), with new noise for each step."""
    expect(
        all(noise.any() for noise in noises),
        "p_sample is given zeros as noise, so its steps add none: leave `noise` out, or draw it from N(0, I)",
    )
    shared = len(noises) > 1 and all(np.array_equal(noise, noises[0]) for noise in noises)
    expect(not shared, "every step is given the same noise: draw new noise for each of them")
    for index, noise in enumerate(noises):
        used = any(np.array_equal(noise, other) for other in (start, *noises[:index]))
        expect(not used, "a step is given the noise of the start or of another step: draw new noise for each step")
        problem = HANDED.problem(noise.reshape(len(noise), -1))
        expect(problem is None, f"the noise that a step is given is not drawn from N(0, I): {problem}")


def _judge_given(used: Array, noise: Floats) -> None:
    """Fail unless each step but the last, which needs no noise, uses a given noise of its own, and not noise[0]."""
    flat = noise.reshape(len(noise), -1)
    which = []
    for step in used[:-1].reshape(len(used) - 1, -1):
        same = np.flatnonzero(np.abs(flat - step).max(axis=1) < 1e-4)
        expect(len(same) == 1, "the given noise is not used: pass the noise of each step to p_sample")
        which.append(int(same[0]))
    expect(
        len(set(which) | {0}) == len(which) + 1,
        "some given noise is used twice: noise[0] is the start, and each of the others belongs to one step",
    )


def _judge_loss(got: Evidence, t: Integers, images: Array32, predicted: Array32, used: Array) -> None:
    """Fail unless a loss is that of the prediction by the used noise, at the right times, with its gradient."""
    times = _times_in(got["shown_times"], len(t), "the model")
    assert_close(times, t, what="the times that the model is given", hint="they should be t, one for each image")
    residuals = predicted - used
    claimed = got["loss"]
    expect(
        claimed.shape() in ((), (1,)),
        "the loss should be a single number: a mean",
        got=f"shape {list(claimed.shape())}",
    )
    right = huber(residuals)
    if abs(claimed.number() - right) > 1e-3 * right:
        fail(
            _loss_words(claimed.number(), predicted, used, images),
            expected=f"{right:.5f}",
            got=f"{claimed.number():.5f}",
        )
    expect(got.flag("attached"), "no gradient reaches the model: do not detach its prediction")
    what = "the gradient of the loss with respect to the prediction"
    assert_close(got["gradient"], huber_slope(residuals), rtol=1e-2, atol=1e-8, what=what)


def _noise_of(got: Evidence, schedule: Schedule, images: Any, noisy: Any, t: Integers, noise: Any) -> Array:
    """Return the noise in the images that the model was given.

    Fails unless it is the given one, or drawn from N(0, I).
    """
    expect(got.integer("calls") > 0, "p_losses never calls the model")
    if not got.flag("replaced"):
        shown = got.tensor("shown_images", shape=images.shape)
        used = schedule.noise_in(shown, images, t)
    else:
        hint = "they should be the clean images"
        assert_close(got["noised"], images, what="the images that q_sample is given", hint=hint)
        times = _times_in(got["noised_times"], len(t), "q_sample")
        assert_close(times, t, what="the times that q_sample is given", hint="they should be t")
        expect(
            not got.is_none("noise"),
            "q_sample is not given the noise that the prediction is compared with, so it draws other noise: pass yours",
        )
        hint = "they should be the noisy images that q_sample returns"
        assert_close(got["shown_images"], noisy, what="the images that the model is given", hint=hint)
        used = got.tensor("noise", shape=images.shape)
    if noise is not None:
        assert_close(used, noise, rtol=1e-3, atol=2e-3, what="the noise", hint="if noise is given, use it")
        return np.asarray(noise, dtype=np.float64)
    problem = LOST.problem(used.reshape(len(used), -1))
    expect(problem is None, f"the noise is not drawn from N(0, I): {problem}")
    return used


def _loss_words(claimed: float, predicted: Any, used: Array, images: Any) -> str:
    """Return a message for the student about a wrong loss, which names the mistake if it is a common one."""
    residuals = predicted - used
    others = {
        "this is the mean squared error, but the Huber loss is asked for": float(np.mean(residuals**2)),
        "this is the mean absolute error, but the Huber loss is asked for": float(np.mean(np.abs(residuals))),
        "the loss is summed over pixels, but its mean is asked for": huber(residuals) * residuals.size,
        "the prediction is compared with the images, but it predicts the noise": huber(predicted - images),
        "for |r| > 1 the Huber loss is |r| − ½, and the ½ is missing": broken_huber(residuals),
        "the Huber loss becomes linear at 0.5, but δ = 1 is asked for": huber(residuals, bend=0.5),
    }
    for words, value in others.items():
        if abs(claimed - value) <= 1e-3 * abs(value):
            return words
    return "the loss is not the mean Huber loss between the noise and the model's prediction"
