"""Checks of a diffusion process that is an object: noising and its inverses, a reverse step, and the loss (CS231n).

The process is that of Ho, Jain & Abbeel 2020, with reverse steps through the predicted clean image, which is clamped
to [−1, 1]. Its model predicts noise or clean images. It runs with a random schedule and a known model; known functions
take the places of its q_sample and predict_start_from_noise where it calls them, since these have checks of their own.
Left open by the hand-out, and decided for the student:

- a method may call another one, or compute the same itself;
- at t = 0 the standard deviation is 1e-10, so that noise or none is right;
- a model may be given one time for the whole batch, [1], and its arguments by position or by name;
- a loss may be a tensor with one element.

The reverse step is judged with clean images between 0 and 1, so that a missing or wrong clamp is charged by
`ddpm.clamp` alone. The loss of clean images leaves to `ddpm.noise_loss` what is wrong with both losses.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pytest

from gengrade.arrays import Array, Array32, Floats, Integers
from gengrade.grading import Evidence, Passed, Rng, Subject, assert_close, check, expect, fail, not_asked, probes
from graders.common.statistics import ALPHA, GaussianFit, Independence, declare
from graders.ddpm.posterior import NOISE, OBJECTIVES, START, Process

T: Final = 12  # times of a schedule
IMAGE: Final = (3, 4, 4)
PIXELS: Final = 48
TEXT: Final = 5  # numbers in a text
FEW: Final = 5  # images in a test of arithmetic
DRAWN: Final = 120  # images in a test of noise
NOISING, TO_START, TO_NOISE = "ddpm.noising", "ddpm.start_from_noise", "ddpm.noise_from_start"
STEP, CLAMP, NOISE_LOSS, START_LOSS = "ddpm.step_back", "ddpm.clamp", "ddpm.noise_loss", "ddpm.start_loss"
NEAR: Final = {"rtol": 1e-3, "atol": 1e-3}
MOVED: Final = 0.1  # the share of the right change of x_{t−1} that counts as a change
ALONG: Final = 0.99  # the cosine of a gradient with what it should be proportional to

FIT = declare(STEP, "(x_{t−1} − mean) / std of a call", GaussianFit(DRAWN, PIXELS, ALPHA / 3), cases=2)
CALLS = declare(STEP, "the noise of two calls", Independence(DRAWN * PIXELS, ALPHA / 3))
LOST = {
    id_: declare(id_, "the noise that q_sample is given", GaussianFit(DRAWN, PIXELS))
    for id_ in (NOISE_LOSS, START_LOSS)
}


@check(NOISING)
def test_noising(student: Subject, rng: Rng) -> None:
    """q_sample returns √ᾱ·x_0 + √(1 − ᾱ)·ε, for each image at its own time.

    Ho, Jain & Abbeel 2020, equation 4.
    """
    process, images, noise, t = _given(rng)
    got = student.run(probes.ddpm.denoising.noised, sequences=process.injected(NOISE), x_start=images, t=t, noise=noise)
    right = process.schedule.noised(images, t, noise)
    hint = "it is √ᾱ·x_0 + √(1 − ᾱ)·ε, with the entries of sqrt_alphas_cumprod and sqrt_one_minus_alphas_cumprod at t"
    assert_close(got["noisy"], right, **NEAR, what="the noisy image", hint=hint)
    expect(got.flag("kept"), "q_sample changes the images or the noise that it is given: do not work in place")


@check(TO_START)
def test_start_from_noise(student: Subject, rng: Rng) -> None:
    """predict_start_from_noise returns the x_0 from which q_sample makes x_t with this noise, for each image.

    Ho, Jain & Abbeel 2020, equation 4, solved for x_0.
    """
    process, images, noise, t = _given(rng)
    got = student.run(
        probes.ddpm.denoising.start_from_noise, sequences=process.injected(NOISE), x_t=images, t=t, noise=noise
    )
    hint = "solve x_t = √ᾱ·x_0 + √(1 − ᾱ)·ε for x_0"
    assert_close(got, process.start_in(images, noise, t), **NEAR, what="x_0", hint=hint)


@check(TO_NOISE)
def test_noise_from_start(student: Subject, rng: Rng) -> None:
    """predict_noise_from_start returns the noise with which q_sample makes x_t from this x_0, for each image.

    Ho, Jain & Abbeel 2020, equation 4, solved for ε.
    """
    process, images, start, t = _given(rng)
    got = student.run(
        probes.ddpm.denoising.noise_from_start, sequences=process.injected(NOISE), x_t=images, t=t, x_start=start
    )
    hint = "solve x_t = √ᾱ·x_0 + √(1 − ᾱ)·ε for ε"
    assert_close(got, process.schedule.noise_in(images, start, t), **NEAR, what="the noise", hint=hint)


@check(STEP, leaves_to=(CLAMP,))
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_step_back(student: Subject, rng: Rng, objective: str) -> None:
    """p_sample asks the model for noise or for x_0, and returns the mean of x_{t−1} plus its deviation times noise.

    Known noise takes the place of what it draws. Ho, Jain & Abbeel 2020, equations 6 and 7.
    """
    process, times = Process.random(rng, T), [0, 1, T // 2, T - 1]
    x, noise = rng.normal(FEW, *IMAGE), rng.normal(FEW, *IMAGE)
    start, converted = rng.uniform(0.05, 0.95, FEW, *IMAGE), rng.uniform(0.05, 0.95, FEW, *IMAGE)
    predicted = [process.predicted(objective, start, x, t) for t in times]
    setting = {"x_t": x, "times": times, "predicted": predicted, "start": converted, "noise": noise}
    text = rng.normal(FEW, TEXT)
    got = student.run(
        probes.ddpm.denoising.steps_back,
        sequences=process.injected(objective),
        objective=objective,
        text=text,
        **setting,
    ).list()
    expect(len(got) == len(times), "p_sample did not answer every call")
    for t, answer, result in zip(reversed(times), reversed(predicted), reversed(got), strict=True):
        _judge_asked(result, x, np.full(FEW, t), text)
        starts = [start.astype(np.float64)]
        if objective == NOISE and result.flag("converted"):
            _judge_conversion(result, x, t, answer)
            starts.append(converted.astype(np.float64))
        _judge_step(result, t, process, x, starts, answer, noise)


@check(STEP, leaves_to=(CLAMP,))
def test_noise_of_steps(student: Subject, rng: Rng) -> None:
    """p_sample draws new standard normal noise for each pixel and each call.

    Ho, Jain & Abbeel 2020, algorithm 2.
    """
    process, index = Process.random(rng, T), rng.integer(2, T)
    x, start = rng.normal(DRAWN, *IMAGE), rng.uniform(0.05, 0.95, DRAWN, *IMAGE)
    setting = {"objective": START, "x_t": x, "index": index, "predicted": start, "start": start}
    got = student.run(
        probes.ddpm.denoising.step_back_draws,
        sequences=process.injected(START),
        text=rng.normal(DRAWN, TEXT),
        **setting,
    )
    found = [got.tensor(name, x.shape) for name in ("next_images", "second_next_images")]
    if all(np.abs(each).max() <= 1 for each in found):
        not_asked("x_{t−1} is clamped in the place of x_0", unless=(CLAMP,))
    mean = process.mean_before(start.astype(np.float64), x.astype(np.float64), index)
    noises = [(each - mean) / process.std[index] for each in found]
    for noise in noises:
        problem = FIT.problem(noise.reshape(DRAWN, PIXELS))
        expect(
            problem is None, f"x_{{t−1}} is not mean + std·ε with ε from N(0, I), as (x − mean)/std shows: {problem}"
        )
    correlation = CALLS.correlation(*noises)
    if correlation is not None:
        fail("two calls draw the same noise: each call needs its own", got=f"a correlation of {correlation:.3f}")


@check(CLAMP)
def test_clamp(student: Subject, rng: Rng) -> None:
    """p_sample clamps the predicted x_0 to [−1, 1] before it computes x_{t−1}.

    Steps from the same image with the same random numbers are compared, for an x_0 with pixels beyond −1 and 1, for the
    same clamped to [−1, 1], and for the same clamped to [0, 1].
    """
    process, index = Process.random(rng, T), rng.integer(1, T - 2)
    x, beyond = rng.normal(FEW, *IMAGE), 1.5 * rng.normal(FEW, *IMAGE)
    starts = {"beyond": beyond, "within": beyond.clip(-1, 1), "bright": beyond.clip(0, 1)}
    noises = {name: process.predicted(NOISE, start, x, index) for name, start in starts.items()}
    setting = {"x_t": x, "index": index, "starts": starts, "noises": noises, "text": rng.normal(FEW, TEXT)}
    got = student.run(probes.ddpm.denoising.clamped, sequences=process.injected(START), **setting)
    expect("pred_x_start" in got or "pred_noise" in got, "p_sample did not answer any call")
    if "pred_x_start" in got:
        _judge_clamp(_clamped(got["pred_x_start"], x), starts, process, index, sure=True)
    if "pred_noise" in got:
        _judge_clamp(_clamped(got["pred_noise"], x), starts, process, index, sure=False)


@check(NOISE_LOSS)
def test_noise_loss(student: Subject, rng: Rng) -> None:
    """p_losses is the mean squared error between the noise in q_sample's images and the model's prediction of it.

    Ho, Jain & Abbeel 2020, equation 14.
    """
    process, images, predicted, got, noisy, text = _lost(student, rng, NOISE)
    used, noise, _ = _judge_noised(got, process, images, noisy, text, LOST[NOISE_LOSS])
    _judge_value(got, predicted - noise, np.ones(DRAWN), {"the clean images": predicted - used})


@check(START_LOSS, leaves_to=(NOISE_LOSS,))
def test_start_loss(student: Subject, rng: Rng, passed: Passed) -> None:
    """For a model that predicts x_0, the loss is the mean squared error by x_0, with a weight for each image.

    The weight is ᾱ / (1 − ᾱ) at the time of the image.
    """
    process, images, predicted, got, noisy, text = _lost(student, rng, START)
    if not passed(NOISE_LOSS):
        _leave_to_the_other(got, process, images, predicted)
    used, noise, t = _judge_noised(got, process, images, noisy, text, LOST[START_LOSS])
    weights = process.signal_to_noise[t]
    _judge_value(got, predicted - used, weights, {"the noise": predicted - noise})


def _given(rng: Rng) -> tuple[Process, Array32, Array32, Integers]:
    """Return a process, two arrays of images, and a time for each image, which are all different."""
    return Process.random(rng, T), rng.normal(FEW, *IMAGE), rng.normal(FEW, *IMAGE), rng.choice(T, FEW)


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
) -> None:
    """Fail unless p_sample returns the right image for one of the clean images that it may have found."""
    back, std = got.tensor("next_images", x.shape, finite=False), process.std[t]
    means = [process.mean_before(start, x.astype(np.float64), t) for start in starts]
    rights = [mean + std * noise for mean in means]
    if any(_same(back, right) for right in rights):
        return
    if any(_same(back, np.clip(right, -1, 1)) for right in rights):
        not_asked("x_{t−1} is clamped in the place of x_0", unless=(CLAMP,))
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
    fail(words, expected=f"{rights[-1].flat[0]:.4f} in the first pixel", got=f"{back.flat[0]:.4f}")


def _clamped(got: Evidence, x: Array32) -> dict[str, Array]:
    """x_{t−1} by the name of the x_0 that was predicted."""
    return {name: got.tensor(name, x.shape) for name in ("beyond", "within", "bright")}


def _judge_clamp(found: dict[str, Array], starts: dict[str, Array32], process: Process, t: int, *, sure: bool) -> None:
    """Fail unless x_0 is clamped to [−1, 1].

    Args:
        found: x_{t−1} by the name of the x_0 that was predicted.
        starts: that x_0.
        sure: whether p_sample had this x_0, which the model predicted. Where it was to be found from noise, p_sample
            may have another one, because of a mistake that another check judges: then only what the right x_0 without a
            clamp gives is a failure.
    """
    weight, beyond = process.start_weight[t], starts["beyond"] - starts["within"]
    change = found["beyond"] - found["within"]
    # A prediction that is also used as noise, or as x_t, is judged by the other check of p_sample.
    reused = any(_same(change, factor * beyond) for factor in (process.std[t], process.image_weight[t]))
    if _same(change, weight * beyond):
        words = "the predicted x_0 is not clamped to [−1, 1] before x_{t−1} is computed"
        fail(words, expected="the same image for x_0 and for the clamped x_0", got=f"{np.abs(change).max():.3f} apart")
    if not sure or reused:
        return
    if np.abs(change).max() > NEAR["atol"]:
        words = (
            "the predicted x_0 is not clamped to [−1, 1], or not in every place where it is used: x_{t−1} depends on "
            "how far x_0 lies beyond"
        )
        fail(words, expected="the same image for x_0 and for the clamped x_0", got=f"{np.abs(change).max():.3f} apart")
    right = weight * (starts["within"] - starts["bright"])
    dark = starts["within"] < -MOVED
    if (np.abs(found["within"] - found["bright"])[dark] < MOVED * np.abs(right[dark])).any():
        fail("x_{t−1} is the same for different x_0 between −1 and 0, as after a clamp to [0, 1]: clamp to [−1, 1]")


def _lost(student: Subject, rng: Rng, objective: str) -> tuple[Process, Array32, Array32, Evidence, Array32, Array32]:
    """Return a process, images in [0, 1], what the model predicts, evidence of the loss, noisy images, and texts."""
    process, images = Process.random(rng, T), rng.uniform(0, 1, DRAWN, *IMAGE)
    noisy, predicted, text = 2 * rng.normal(DRAWN, *IMAGE), 1.5 * rng.normal(DRAWN, *IMAGE), rng.normal(DRAWN, TEXT)
    setting = {"objective": objective, "images": images, "noisy": noisy, "predicted": predicted, "text": text}
    got = student.run(probes.ddpm.denoising.loss, sequences=process.injected(objective), **setting)
    return process, images, predicted, got, noisy, text


def _judge_noised(
    got: Evidence, process: Process, images: Array32, noisy: Array32, text: Array32, fit: GaussianFit
) -> tuple[Array, Array, Integers]:
    """Return the clean images in [−1, 1], the noise, and the times of a loss.

    Fails if the model is given something else.
    """
    clean = 2 * images.astype(np.float64) - 1
    expect(got.integer("calls") > 0, "p_losses never calls the model")
    given = got["noised_times" if got.flag("replaced") else "seen_times"]
    expect(not given.is_none() and given.shape() == (DRAWN,), "there should be one time for each image")
    times = given.tensor()
    whole = bool(np.all(times == np.round(times)) and times.min() >= 0 and times.max() < T)
    expect(whole, f"times should be whole numbers from 0 to {T - 1}", got=f"{times.min():g} to {times.max():g}")
    expect(bool(np.ptp(times) > 0), "all images of a batch have the same time: draw one for each of them")
    t = times.astype(np.int64)
    if got.flag("replaced"):
        hint = "they should be the images in [−1, 1] that self.normalize gives, called once"
        assert_close(got["noised"], clean, what="the images that q_sample is given", hint=hint)
        expect(not got.is_none("noise"), "q_sample is not given noise")
        noise = got.tensor("noise", images.shape)
        _judge_asked(got, noisy, t, text)
    else:
        shown = got.tensor("seen_images", images.shape)
        noise = process.schedule.noise_in(shown, clean, t)
        _judge_asked(got, shown.astype(np.float32), t, text)
    problem = fit.problem(noise.reshape(DRAWN, PIXELS))
    expect(problem is None, f"the noise in the images is not drawn from N(0, I): {problem}")
    return clean, noise, t


def _judge_value(got: Evidence, residuals: Array, weights: Array, others: dict[str, Array]) -> None:
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


def _leave_to_the_other(got: Evidence, process: Process, images: Array32, predicted: Array32) -> None:
    """End the test, unless its weights show in the gradient, and are wrong.

    What is wrong with the loss of a model that predicts noise is wrong here, too, and is judged there.
    """
    reason = "the loss of a model that predicts noise is wrong, too"
    given = got["noised_times" if got.flag("replaced") else "seen_times"]
    if given.is_none() or given.shape() != (DRAWN,) or not got.flag("attached"):
        not_asked(reason, unless=(NOISE_LOSS,))
    t = np.clip(given.tensor(), 0, T - 1).astype(np.int64)
    clean = got.tensor("noised", images.shape) if got.flag("replaced") else 2 * images.astype(np.float64) - 1
    residuals = (predicted - clean).reshape(DRAWN, PIXELS)
    slopes = got.tensor("gradient", images.shape).reshape(DRAWN, PIXELS)
    length = np.linalg.norm(residuals, axis=1)
    sizes = np.linalg.norm(slopes, axis=1)
    along = np.abs(np.sum(residuals * slopes, axis=1)) >= ALONG * length * sizes
    ratios = sizes / length / process.signal_to_noise[t]
    if not along.all() or not sizes.all() or np.ptp(ratios) <= 1e-2 * ratios.mean():
        not_asked(reason, unless=(NOISE_LOSS,))
    fail("the weights of the images are wrong: the error of each image should be multiplied by its own loss_weight")


def _same(left: Floats, right: Floats) -> bool:
    return bool(np.allclose(left, right, rtol=NEAR["rtol"], atol=NEAR["atol"]))
