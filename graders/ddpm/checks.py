"""Denoising diffusion models: the schedule, noising, one step back, the loop of steps, the loss and the times.

Ho, Jain and Abbeel 2020. Every function is judged on its own, by what it makes of sequences and denoisers that are
injected: where one calls another that is judged elsewhere, that one is replaced by a known one.

Left open by the hand-out, and decided for the student:
- any spelling that comes to the same numbers, be it by way of the predicted x_0; in one function or in several;
- a loop may take its noise from `noise` in any order, as long as every step gets noise of its own; where none is
  given it may draw some for p_sample, or leave that to p_sample;
- p_sample may do without t_index, and see from its times that they are 0;
- a model may be given one time for the whole batch, [1], in place of one for each image;
- smooth L1 and Huber loss are the same at the hand-out's δ = 1;
- `p_sample_loop` may return a list of images, or arrays of numpy, in place of a stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gengrade.grading import Evidence, Rng, Subject, UpTo, assert_close, check, expect, fail, probes
from graders.common.statistics import ALPHA, GaussianFit, Independence, declare
from graders.ddpm.diffusion import GaussianData, Schedule, broken_huber, huber, huber_slope
from graders.ddpm.integers import UniformIntegers

Array = NDArray[np.float64]
Images = NDArray[np.floating]

T = 12  # steps of a short schedule
IMAGE = (2, 3, 4)  # channels, height and width: all different, so that none is taken for another
PIXELS = 24
DRAWN = 200  # images in a test of noise
SAMPLED = (2000, 30)  # images, and steps, of the test against a known answer
SMALL = (1, 2, 2)
NOISING, BACK, LOOP, LOSS = "ddpm.q_sample", "ddpm.p_sample", "ddpm.p_sample_loop", "ddpm.p_losses"
TO_NOISE = ("sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod")
TO_STEP = ("betas", "sqrt_one_minus_alphas_cumprod", "sqrt_recip_alphas", "posterior_variance")
# 1 − ᾱ begins at β₁ = 1e-4, known in single precision to within 1e-3 of itself; what is made of it twice, to 3e-3.
ROUNDING: Mapping[str, float] = {"sqrt_one_minus_alphas_cumprod": 1e-3, "posterior_variance": 3e-3}
FORMULAS: Mapping[str, str] = {
    "betas": "T numbers from beta_start to beta_end, evenly spaced, both included",
    "alphas": "1 − β",
    "sqrt_recip_alphas": "1/√α",
    "alphas_cumprod": "the product of all α up to and with that of t",
    "sqrt_alphas_cumprod": "√ᾱ",
    "sqrt_one_minus_alphas_cumprod": "√(1 − ᾱ), with the ᾱ that is a product",
    "alphas_cumprod_prev": "ᾱ of the step before: shift by one, with 1 for the first",
    "posterior_variance": "β·(1 − ᾱ before) / (1 − ᾱ): equation 7",
}

NOISE = {
    NOISING: declare(NOISING, "(x_t − √ᾱ·x_0) / √(1 − ᾱ) of a call", GaussianFit(DRAWN, PIXELS, ALPHA / 3), cases=2),
    BACK: declare(BACK, "(x_{t−1} − mean) / std of a call", GaussianFit(DRAWN, PIXELS, ALPHA / 3), cases=2),
}
CALLS = {
    id_: declare(id_, "the noise of two calls", Independence(DRAWN * PIXELS, ALPHA / 3)) for id_ in (NOISING, BACK)
}
LOST = declare(LOSS, "the noise that is predicted", GaussianFit(DRAWN, PIXELS))
START = declare(LOOP, "the image that the loop starts from", GaussianFit(DRAWN, PIXELS, ALPHA / 3))
HANDED = declare(LOOP, "the noise that a step is given", GaussianFit(DRAWN, PIXELS, ALPHA / 3 / (T - 1)), cases=T - 1)
DRAWS = declare(LOOP, "samples of a known Gaussian, whitened", GaussianFit(SAMPLED[0], 4, ALPHA / 3))
TIMES = {
    steps: declare("ddpm.t_sample", f"times below {steps}", UniformIntegers(20_000, steps, ALPHA / 2))
    for steps in (7, 50)
}


@check("ddpm.schedule")
@pytest.mark.parametrize(("start", "end", "steps"), [(1e-4, 0.02, 1000), (0.02, 0.3, 10)])
def test_sequences(student: Subject, start: float, end: float, steps: int) -> None:
    """The eight sequences of a linear schedule, for any ends and any number of steps."""
    found = student.run(probes.ddpm.sequences, beta_start=start, beta_end=end, steps=steps).list()
    expected = Schedule.linear(start, end, steps).sequences
    message = f"there should be {len(expected)} sequences: {', '.join(expected)}"
    expect(len(found) == len(expected), message, got=f"{len(found)} sequences")
    for (name, right), sequence in zip(expected.items(), found, strict=True):
        tolerance = ROUNDING.get(name, 1e-4)
        assert_close(sequence, right, rtol=tolerance, atol=1e-7, what=name, hint=FORMULAS[name])


@check(NOISING)
def test_noising_with_given_noise(student: Subject, rng: Rng) -> None:
    """q_sample with given noise is √ᾱ·x_0 + √(1 − ᾱ)·ε, for each image at its own time."""
    schedule, images, noise = Schedule.random(rng, T), rng.normal(T, *IMAGE), rng.normal(T, *IMAGE)
    t = rng.choice(T, T)
    injected = schedule.injected(*TO_NOISE)
    got = student.run(probes.ddpm.q_sample, x_start=images, t=t, coefficients=injected, noise=noise)
    expected = schedule.noised(images.astype(np.float64), t, noise.astype(np.float64))
    hint = "with the coefficients (√ᾱ, √(1 − ᾱ)) as they are given it is √ᾱ·x_0 + √(1 − ᾱ)·ε, each image at its own t"
    assert_close(got["noisy"], expected, rtol=1e-3, atol=1e-4, what="the noisy image", hint=hint)
    expect(got.flag("kept"), "the caller's images or noise are changed: do not work in place")


@check(NOISING)
def test_noising_with_noise_of_its_own(student: Subject, rng: Rng) -> None:
    """q_sample draws standard normal noise where none is given, for each pixel and each call."""
    schedule, images = Schedule.random(rng, T), 2 * rng.normal(DRAWN, *IMAGE)
    t = rng.integers(0, T, DRAWN)
    got = student.run(probes.ddpm.q_sample_draws, x_start=images, t=t, coefficients=schedule.injected(*TO_NOISE))
    drawn = [got.tensor(name, images.shape) for name in ("noisy_images", "second_noisy_images")]
    noises = [schedule.noise_in(noisy, images, t) for noisy in drawn]
    _judge_noise(NOISING, noises, "(x_t − √ᾱ·x_0) / √(1 − ᾱ)")


@check(BACK)
def test_step_back_with_given_noise(student: Subject, rng: Rng) -> None:
    """p_sample with given noise: the mean of x_{t−1} plus √(posterior variance)·ε, and the mean alone at t = 0."""
    schedule, n = Schedule.random(rng, T), 6
    # The variance at t = 0 would be 0, and hide noise that has no place there.
    injected = schedule.injected(*TO_STEP)
    injected[3][0] = 0.2
    x, predicted, noise = (rng.normal(n, *IMAGE) for _ in range(3))
    times = [0, 1, T // 2, T - 1]
    found = student.run(
        probes.ddpm.p_sample, x=x, times=times, coefficients=injected, predicted=predicted, noise=noise
    ).list()
    expect(len(found) == len(times), "there is not one answer for each question")
    for t, result in zip(reversed(times), reversed(found), strict=True):
        _judge_step(result, t, schedule, x.astype(np.float64), predicted, noise)


@check(BACK)
def test_step_back_with_noise_of_its_own(student: Subject, rng: Rng) -> None:
    """p_sample draws standard normal noise where none is given, for each pixel and each call."""
    schedule, index = Schedule.random(rng, T), rng.integer(2, T)
    x, predicted = rng.normal(DRAWN, *IMAGE), rng.normal(DRAWN, *IMAGE)
    injected = schedule.injected(*TO_STEP)
    got = student.run(probes.ddpm.p_sample_draws, x=x, index=index, coefficients=injected, predicted=predicted)
    mean, std = schedule.mean_before(x, predicted, index), np.sqrt(schedule["posterior_variance"][index])
    noises = [(got.tensor(name, x.shape) - mean) / std for name in ("next_images", "second_next_images")]
    _judge_noise(BACK, noises, "(x_{t−1} − mean) / √(posterior variance)")


@check(LOOP)
@pytest.mark.parametrize("given", [False, True], ids=["own", "given"])
def test_loop(student: Subject, rng: Rng, given: bool) -> None:
    """p_sample_loop goes from noise at T − 1 down to 0, each step from the image of the one before.

    p_sample is replaced by one that gives known images. A loop that does without it is judged by its samples, and by
    the noise that its images hold where noise is given.
    """
    injected = rng.normal(T, DRAWN, *IMAGE)
    noise = rng.normal(T + 1, DRAWN, *IMAGE) if given else None
    schedule = Schedule.random(rng, T)
    got = _with_known_steps(student, schedule, injected, noise)
    if not got.flag("replaced"):
        if noise is not None:
            own = got.tensor("images", shape=injected.shape)
            _judge_given(_noises_in(own, noise[0], schedule, injected[0]), noise)
        return
    _judge_order([_times_in(step, DRAWN, "p_sample") for step in got.list("times")])
    expect(got.flag("model"), "p_sample is not given the model, which is its first argument")
    expect(got.flag("whole"), "p_sample is given real numbers for times, which cannot be indices: use torch.long")
    indices = [index.integer() for index in got.list("indices")]
    hint = "p_sample tells by it whether the mode is asked for, which is so at t_index = 0"
    wanted = list(reversed(range(T)))
    expect(
        indices in ([], wanted), f"t_index is not the time of the step: {hint}", expected=str(wanted), got=str(indices)
    )
    _expect_passed_on(got, schedule.injected(*TO_STEP), "p_sample is not given the four coefficients as they are")
    begun = [image.tensor(shape=(DRAWN, *IMAGE)) for image in got.list("image_of_step")]
    handed = [None if each.is_none() else each.tensor(shape=(DRAWN, *IMAGE)) for each in got.list("noise_of_step")]
    expect(len(begun) == len(handed) == T, f"{T} steps should be taken", got=f"{len(begun)}")
    shown = np.stack(begun)
    if noise is None:
        problem = START.problem(shown[0].reshape(DRAWN, -1))
        expect(problem is None, f"the loop does not start from noise of N(0, I): {problem}")
        _judge_handed([each for each in handed[:-1] if each is not None], shown[0])
    else:
        assert_close(shown[0], noise[0], what="the image that the loop starts from", hint="with given noise, noise[0]")
        _judge_given(np.stack([np.zeros_like(shown[0]) if each is None else each for each in handed]), noise)
    assert_close(
        shown[1:], injected[:-1], what="the image that a step begins with", hint="it is that of the step before"
    )
    images = got["images"]
    expect(
        images.shape() == injected.shape,
        "the result should hold the images after every step, in order",
        expected=f"shape {list(injected.shape)}",
        got=f"shape {list(images.shape())}",
    )
    assert_close(images, injected, what="the result", hint="append the image of every step, in order")


@check(LOOP)
def test_samples_of_a_known_gaussian(student: Subject, rng: Rng) -> None:
    """With the best denoiser of Gaussian data, samples have the mean and the covariance that follow from it.

    p_sample is replaced by the step back that is right for such data. A loop that does without it asks the denoiser.
    """
    n, steps = SAMPLED
    schedule = Schedule.random(rng, steps)
    root = 0.6 * np.eye(4) + 0.25 * rng.normal(4, 4)
    data = GaussianData(rng.normal(4).astype(np.float64), root @ root.T + 0.05 * np.eye(4), schedule)
    denoiser = dict(zip(("matrices", "offsets"), data.denoiser, strict=True))
    matrices, offsets, spreads = (part.astype(np.float32) for part in data.back)
    back = {"matrices": matrices, "offsets": offsets, "spreads": spreads}
    setting: dict[str, Any] = {"denoiser": denoiser, "back": back, "shape": [n, *SMALL]}
    got = student.run(probes.ddpm.samples, coefficients=schedule.injected(*TO_STEP), **setting)
    _judge_order([_times_in(step, n, "the model") for step in got.list("times")], steps)
    images = got.tensor("images", shape=(UpTo(10 * SAMPLED[1]), n, *SMALL))
    expect(
        len(images) == steps,
        "the result should hold the images after every step, in order",
        expected=f"{steps} images",
        got=f"{len(images)}",
    )
    problem = DRAWS.problem(data.standardised(images[-1].reshape(n, 4)))
    expect(
        problem is None,
        f"with a denoiser that is right for a known Gaussian, the samples are not draws from it: {problem}",
    )


@check(LOSS)
@pytest.mark.parametrize("given", [False, True], ids=["own", "given"])
def test_loss(student: Subject, rng: Rng, given: bool) -> None:
    """p_losses is the Huber loss between the noise and what the model makes of the noisy images at their times.

    q_sample is replaced by one that gives known images; what the model gives is known, too.
    """
    schedule, images = Schedule.random(rng, T), 2 * rng.normal(DRAWN, *IMAGE)  # not to be taken for noise
    t, noisy = rng.integers(0, T, DRAWN), 2 * rng.normal(DRAWN, *IMAGE)
    injected = schedule.injected(*TO_NOISE)
    predicted, noise = 1.5 * rng.normal(DRAWN, *IMAGE), rng.normal(DRAWN, *IMAGE) if given else None
    got = student.run(
        probes.ddpm.loss,
        x_start=images,
        t=t,
        coefficients=injected,
        noisy=noisy,
        predicted=predicted,
        **({} if noise is None else {"noise": noise}),
    )
    expect(got.integer("calls") > 0, "the loss never asks the model")
    if got.flag("replaced"):
        _expect_passed_on(got, injected, "q_sample is not given the two coefficients as they are: √ᾱ and √(1 − ᾱ)")
    used = _noise_of(got, schedule, images, noisy, t, noise)
    times = _times_in(got["shown_times"], DRAWN, "the model")
    assert_close(times, t, what="the times that the model is given", hint="those of t, one for each image")
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
    expect(got.flag("attached"), "no gradient reaches the model: its prediction must not be detached")
    assert_close(
        got["gradient"], huber_slope(residuals), rtol=1e-2, atol=1e-8, what="the gradient of the loss by the prediction"
    )


@check("ddpm.t_sample")
@pytest.mark.parametrize("steps", TIMES)
def test_times(student: Subject, steps: int) -> None:
    """t_sample draws whole numbers from 0 to T − 1, all equally likely, one for each image of a batch."""
    test = TIMES[steps]
    got = student.run(probes.ddpm.times, steps=steps, n=test.draws)
    count = got["times"].shape()
    expect(
        count == (test.draws,),
        "there should be one time for each image of the batch, be it larger than T or not: draw with replacement, by "
        "torch.randint",
        expected=f"shape [{test.draws}]",
        got=f"shape {list(count)}",
    )
    first, second = (got.tensor(name, shape=(test.draws,)) for name in ("times", "second_times"))
    whole = bool(np.all(first == np.round(first)) and np.all(second == np.round(second)))
    expect(whole and got.flag("whole"), "times should be whole numbers, of an integer type: draw them by torch.randint")
    problem = test.problem(first, second)
    expect(problem is None, f"{problem}")


def _judge_noise(id_: str, noises: list[Array], what: str) -> None:
    for noise in noises:
        problem = NOISE[id_].problem(noise.reshape(len(noise), -1))
        expect(problem is None, f"the noise is not drawn from N(0, I), as {what} shows: {problem}")
    correlation = CALLS[id_].correlation(*noises)
    if correlation is not None:
        fail("two calls draw the same noise: each call needs its own", got=f"a correlation of {correlation:.3f}")


def _with_known_steps(student: Subject, schedule: Schedule, injected: Images, noise: Images | None = None) -> Evidence:
    """Run the loop with a p_sample that gives the images `injected` [T, …], and a model that predicts the first."""
    given = {} if noise is None else {"noise": noise}
    coefficients = schedule.injected(*TO_STEP)
    return student.run(probes.ddpm.loop, coefficients=coefficients, injected=injected, predicted=injected[0], **given)


def _noises_in(images: Array, start: Images, schedule: Schedule, predicted: Images) -> Array:
    """The noise of each step, from images [T, …] that begin after the first; 0 for the last, which has none."""
    before = np.concatenate([start[None], images[:-1]])
    noises = np.zeros_like(images)
    for done, t in enumerate(reversed(range(1, T))):
        mean = schedule.mean_before(before[done], predicted, t)
        noises[done] = (images[done] - mean) / np.sqrt(schedule["posterior_variance"][t])
    return noises


def _judge_step(result: Evidence, t: int, schedule: Schedule, x: Array, predicted: Any, noise: Any) -> None:
    expect(result.integer("calls") > 0, "the model is never asked for the noise")
    assert_close(result["shown_images"], x, what="the image that the model is shown", hint="it is x as given")
    times = _times_in(result["shown_times"], len(x), "the model")
    assert_close(times, np.full(len(x), t), what="the times that the model is given", hint="those of t")
    mean = schedule.mean_before(x, predicted, t)
    back = result.tensor("next_images", shape=x.shape, finite=False)
    if t == 0:
        _expect_not_cut_off(back, mean, t)
        hint = "at t = 0 the mode is asked for, the mean without any noise"
        assert_close(back, mean, rtol=1e-3, atol=1e-4, what="the image at t = 0", hint=hint)
        return
    right = mean + np.sqrt(schedule["posterior_variance"][t]) * noise
    expect(
        not np.allclose(back, mean, rtol=1e-3, atol=1e-4),
        f"no noise is added at t = {t}: x_{{t−1}} is a draw for every t but 0, the last step",
    )
    _expect_not_cut_off(back, right, t)
    hint = "it is (x − β/√(1 − ᾱ)·ε)/√α plus the square root of the posterior variance times the noise that is given"
    assert_close(back, right, rtol=1e-3, atol=1e-4, what="x_{t−1}", hint=hint)


def _expect_not_cut_off(back: Array, right: Array, t: int) -> None:
    """`right` has pixels beyond −1 and 1."""
    cut_off = np.allclose(back, np.clip(right, -1, 1), rtol=1e-3, atol=1e-4)
    message = f"pixels are cut off at −1 and 1, at t = {t}: return x_{{t−1}} as it is, and clamp only what you show"
    expect(not cut_off, message)


def _judge_order(times: list[Array], count: int = T) -> None:
    """Calls of p_sample, or of the model, must go from count − 1 down to 0, with one time for the whole batch."""
    wanted, order = list(reversed(range(count))), [int(t[0]) for t in times]
    if order != wanted:
        message = "the steps should go from t = T − 1 down to 0, one for each time"
        if order == [t + 1 for t in wanted]:
            message = "the times of the steps go from T to 1: they are indices, from T − 1 down to 0"
        elif order == wanted[:-1]:
            message = "the last step, t = 0, is not taken: the steps should go from t = T − 1 down to 0"
        seen = [f"{len(each)} steps: {each[:3]} … {each[-2:]}" for each in (wanted, order)]
        fail(message, expected=seen[0], got=seen[1])
    expect(all(np.ptp(t) == 0 for t in times), "all images of a batch should be at the same time in a step")


def _times_in(given: Evidence, n: int, whom: str) -> Array:
    """Times [n] that a model or a function was given, in a shape that the hand-out's can take."""
    expect(not given.is_none(), f"{whom} is not told the time: it is given the images alone")
    shape = given.shape()
    expect(
        shape in ((n,), (1,)),
        f"{whom} should be given times as a tensor of one dimension, with an entry for each image",
        expected=f"shape [{n}]",
        got=f"shape {list(shape)}" if shape else "a single number",
    )
    return np.broadcast_to(given.tensor(), (n,))


def _expect_passed_on(got: Evidence, injected: list[NDArray[np.float32]], message: str) -> None:
    """The coefficients that the loop or the loss was given must be what the function within it is given."""
    passed = got.list("coefficients")
    expect(len(passed) == len(injected), message, expected=f"{len(injected)}", got=f"{len(passed)}")
    same = [
        one.shape() == right.shape and np.allclose(one.tensor(finite=False), right)
        for one, right in zip(passed, injected, strict=True)
    ]
    expect(all(same), message)


def _judge_handed(noises: list[Array], start: Array) -> None:
    """The noise that a loop draws for p_sample must be that of N(0, I), another one for each step."""
    expect(
        all(noise.any() for noise in noises),
        "p_sample is given zeros for noise, and its steps are without any: leave `noise` out, or draw it from N(0, I)",
    )
    shared = len(noises) > 1 and all(np.array_equal(noise, noises[0]) for noise in noises)
    expect(not shared, "every step is given the same noise: draw new noise for each of them")
    for index, noise in enumerate(noises):
        used = any(np.array_equal(noise, other) for other in (start, *noises[:index]))
        expect(not used, "a step is given noise that the start or another step has had: draw new noise for each")
        problem = HANDED.problem(noise.reshape(len(noise), -1))
        expect(problem is None, f"the noise that a step is given is not drawn from N(0, I): {problem}")


def _judge_given(used: Array, noise: NDArray[np.floating]) -> None:
    """All steps but the last, which needs none, must use given noise, each its own, and not that of the start."""
    flat = noise.reshape(len(noise), -1)
    which = []
    for step in used[:-1].reshape(len(used) - 1, -1):
        same = np.flatnonzero(np.abs(flat - step).max(axis=1) < 1e-4)
        expect(len(same) == 1, "the given noise is not used: pass the noise of each step on to p_sample")
        which.append(int(same[0]))
    expect(
        len(set(which) | {0}) == len(which) + 1,
        "one noise is used twice: noise[0] is the start, the others a step each",
    )


def _noise_of(got: Evidence, schedule: Schedule, images: Any, noisy: Any, t: NDArray[np.int64], noise: Any) -> Array:
    """The noise that was put into what the model was shown: judged for what it should be."""
    if not got.flag("replaced"):
        shown = got.tensor("shown_images", shape=images.shape)
        used = schedule.noise_in(shown, images, t)
    else:
        assert_close(got["noised"], images, what="what q_sample is given for x_start", hint="the images")
        times = _times_in(got["noised_times"], len(t), "q_sample")
        assert_close(times, t, what="the times that q_sample is given", hint="those of t")
        expect(
            not got.is_none("noise"),
            "q_sample is not given the noise that the prediction is compared with: it draws another one",
        )
        hint = "the noisy images that q_sample gives"
        assert_close(got["shown_images"], noisy, what="what the model is shown", hint=hint)
        used = got.tensor("noise", shape=images.shape)
    if noise is not None:
        assert_close(used, noise, rtol=1e-3, atol=2e-3, what="the noise", hint="where noise is given, it is to be used")
        return np.asarray(noise, dtype=np.float64)
    problem = LOST.problem(used.reshape(len(used), -1))
    expect(problem is None, f"the noise is not drawn from N(0, I): {problem}")
    return used


def _loss_words(claimed: float, predicted: Any, used: Array, images: Any) -> str:
    """The loss by a name, if it has one."""
    residuals = predicted - used
    others = {
        "this is the mean squared error, where the Huber loss is asked for": float(np.mean(residuals**2)),
        "this is the mean absolute error, where the Huber loss is asked for": float(np.mean(np.abs(residuals))),
        "the loss is summed over pixels, where its mean is asked for": huber(residuals) * residuals.size,
        "the prediction is compared with the images: it is a prediction of the noise": huber(predicted - images),
        "the lines of the Huber loss, beyond residuals of 1, are |r| − ½: the ½ is missing": broken_huber(residuals),
        "the Huber loss bends at 0.5, where δ = 1 is asked for": huber(residuals, bend=0.5),
    }
    for words, value in others.items():
        if abs(claimed - value) <= 1e-3 * abs(value):
            return words
    return "the loss is not the mean Huber loss between the noise and the model's prediction"
