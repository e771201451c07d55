"""Checks of the parts of a VAE in any parameterisation: encoder, decoder, samples and manifold.

Left open by the hand-out, and decided for the student:
- any architecture with an activation is right, images may be flat or square, and constructors may take more arguments;
- the encoder's second output has the range of what the noise takes it for: a logarithm, or a number before a softplus,
  needs both signs; a deviation or a variance is never 0, and never negative unless the bound allows for it, as with
  log σ². It may be limited to a range, and a deviation may stay below 1;
- a decoder's outputs count as means if all of them stay in [0, 1], also after training towards ±3, and else as logits;
- samples and means may be flat or square, and come before other return values;
- the manifold may be drawn by any function or method with that word in its name, on a grid of any size with evenly
  spaced percentiles of both latents; if only the script draws it, a person looks at the report.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pytest
from scipy.special import expit

from gengrade.arrays import Array
from gengrade.data import DataSet
from gengrade.grading import Evidence, Passed, Rng, Subject, UpTo, assert_close, check, expect, fail, not_asked, probes
from graders.common.batches import batch_of
from graders.common.bernoulli import PixelFit, are_means, pixel_means
from graders.common.manifolds import latents_problem
from graders.common.networks import MODES, expect_nonlinear, expect_registered, narrowest, vary
from graders.common.statistics import ALPHA, GaussianFit, declare, in_turns
from graders.probing.sizes import PIXELS
from graders.vae2018.checks import PASSES, meaning_of, numbers
from graders.vae2018.parameterisations import MOST_ZEROS
from graders.vae2018.sizes import MOST_LATENTS

BEYOND: Final = 1.2  # means of z, and logits, must pass ±1.2 when they are trained towards ±3
MEANING: Final = ("vae2018.noise", "vae2018.divergence")  # the checks of what the encoder's second output means
EDGE: Final = 1e-3  # distance of a mean from 0 and 1 below which rounding makes its logit inexact
MARGINS: Final = (5e-4, 0.11)  # least and largest share of the prior that a manifold may leave out at an axis's end
SMALLEST_GRID: Final = 5  # fewest images on an axis of a manifold

# Each of these for two calls in either mode, and for both calls together.
PIXELS_DRAWN = declare("vae2018.sample", "pixels, given their means", PixelFit(256, 4, ALPHA / 12), cases=4)
PIXELS_TWICE = declare("vae2018.sample", "pixels of two calls, in turns", PixelFit(512, 4, ALPHA / 12), cases=2)
PRIOR = declare("vae2018.sample", "the latents of samples", GaussianFit(256, 8, ALPHA / 12), cases=4)
PRIOR_TWICE = declare("vae2018.sample", "the latents of two calls, in turns", GaussianFit(512, 8, ALPHA / 12), cases=2)


@check("vae2018.encoder")
def test_encoder(student: Subject, data: DataSet, rng: Rng) -> None:
    """The encoder returns a mean and a spread for each image and latent; the mean can be any real number."""
    n, z_dim = 6, 10
    target = 6 * rng.bits(n, z_dim) - 3
    settings = {"hidden_dim": 40, "z_dim": z_dim}
    got = student.run(probes.vae2018.encoder, images=batch_of(data, rng, n), target=target, settings=settings)
    outputs = [got.tensor(name, shape=(n, z_dim)) for name in ("mean", "second")]
    lines = got.tensor("line", shape=(2, 3, z_dim))
    for name, output, line in zip(("the mean", "the second output"), outputs, lines, strict=True):
        expect(vary(output, line), f"{name} is the same for all images")
    expect_registered(got)
    expect_alone(got.tensor("alone", shape=(2, 1, z_dim)), np.stack(outputs)[:, :1])
    expect_nonlinear([*lines])
    low, high = narrowest(got.tensor("driven", shape=(2, n, z_dim)))
    expect(
        low < -BEYOND and high > BEYOND,
        "the first output, the mean, cannot take all values: put no activation after its layer, and return it before "
        "the spread",
        expected="values of both signs when trained towards ±3",
        got=f"values from {low:.2f} to {high:.2f}",
    )


@check("vae2018.encoder", leaves_to=MEANING)
def test_range_of_the_second_output(student: Subject, data: DataSet, rng: Rng, passed: Passed) -> None:
    """The encoder's second output can be any number that its meaning allows: both signs for a logarithm.

    The noise shows its meaning. If the checks of noise and divergence passed, it is read from passes like theirs, and
    a model that fails in these only where nobody judges it gains nothing.
    """
    injected = numbers(data, rng)
    inputs = injected.inputs()
    if all(passed(each) for each in MEANING):
        meaning = meaning_of(student.run(probes.vae2018.passes, **inputs), injected)
    else:
        found = student.run(probes.vae2018.latents, **inputs)
        meaning = None if found.is_none("z") else meaning_of(found, injected)
    if meaning is None:
        reason = (
            "what the second output means cannot be told: noise and divergence do not agree about it, or there is no "
            "noise; their checks are about that"
        )
        not_asked(reason, unless=MEANING)
    n, z_dim = 6, 10
    target = 6 * rng.bits(n, z_dim) - 3
    settings = {"hidden_dim": 40, "z_dim": z_dim}
    got = student.run(probes.vae2018.encoder, images=batch_of(data, rng, n), target=target, settings=settings)
    driven = got.tensor("second_driven", shape=(2, n, z_dim))
    low, high = narrowest(driven)
    seen = f"values from {low:.2f} to {high:.2f} when trained towards ±3"
    if meaning.signed:
        expect(
            low < -BEYOND and high > BEYOND,
            f"the second output is used as a {meaning.name}, and cannot take all values: put no activation after its "
            "layer",
            expected="values of both signs",
            got=seen,
        )
    elif meaning.name:
        expect(
            max(float(np.mean(each == 0)) for each in driven) <= MOST_ZEROS,
            f"the second output is used as a {meaning.name}, and is exactly 0 for many images, as after a ReLU, but it "
            "has to be positive: use a softplus or an exponential",
            got=seen,
        )
        if driven.min() < 0:
            inputs["codes"] = inputs["codes"] * np.array([1, -1], np.float32)[:, None, None]
            bounds = student.run(probes.vae2018.latents, **inputs).tensor("bounds", shape=(PASSES,), finite=False)
            expect(
                bool(np.isfinite(bounds).all()),
                f"the second output is used as a {meaning.name}, and can be negative, where the bound is not finite: "
                "use a softplus or an exponential",
                got=seen,
            )


@check("vae2018.decoder")
def test_decoder(student: Subject, rng: Rng) -> None:
    """The decoder returns a mean or a logit for each of the 784 pixels, and its means can come near 0 and 1."""
    n, z_dim = 6, 10
    target = 6 * rng.bits(n, PIXELS) - 3
    settings = {"hidden_dim": 40, "z_dim": z_dim}
    got = student.run(probes.vae2018.decoder, z=rng.normal(n, z_dim), target=target, settings=settings)
    outputs = rows_of(got, "outputs", n)
    driven, line = got.tensor("driven", shape=(2, n, PIXELS)), rows_of(got, "line", 3)
    expect(vary(outputs, line), "the decoder returns the same outputs for every z")
    expect_registered(got)
    expect_alone(rows_of(got, "alone", 1), outputs[:1])
    every = np.concatenate([outputs, *driven, line])
    seen = f"values from {every.min():.2f} to {every.max():.2f}"
    if are_means(every):
        low, high = float(expit(-BEYOND)), float(expit(BEYOND))
        line = _unbounded(line)
    else:
        low, high = -BEYOND, BEYOND
        expect(
            every.min() < -1 - 1e-6 or every.max() > 1 + 1e-6,
            "the decoder's outputs stay in [−1, 1], as after a tanh: means lie in [0, 1], and logits are any numbers",
            got=seen,
        )
    expect_nonlinear([line.reshape(3, -1)])
    lowest, highest = narrowest(driven)
    expect(
        lowest <= low and highest >= high,
        "the decoder's outputs are confined to a smaller range: end with a sigmoid for means, or with a linear layer "
        "for logits",
        got=f"values from {lowest:.2f} to {highest:.2f} when trained",
    )


@check("vae2018.sample")
@pytest.mark.parametrize("training", [True, False], ids=MODES)
def test_samples(student: Subject, rng: Rng, training: bool) -> None:
    """VAE.sample returns Bernoulli draws of the pixels and their means, for z ~ N(0, I), and others in each call.

    The decoder's logits are shifted by U(−4, 4) at each pixel, because all means are about ½ before training.
    """
    n, z_dim = rng.integer(PRIOR.draws, PRIOR.draws + 40), PRIOR.elements
    shift = rng.uniform(-PIXELS_DRAWN.logits, PIXELS_DRAWN.logits, PIXELS)
    got = student.run(probes.vae2018.sample, n=n, z_dim=z_dim, shift=shift, training=training)
    calls = [_drawn(each, n, z_dim) for each in (got, got["again"])]
    samples, means, latents = (in_turns(*each) for each in zip(*calls, strict=True))
    problem = PRIOR_TWICE.problem(latents)
    expect(
        problem is None,
        "the latents of two calls are not independent: draw new ones in each call, without a seed. In turns, "
        f"{problem}",
    )
    problem = PIXELS_TWICE.problem(*(each.reshape(-1, 1, 28, 28) for each in (samples, means)))
    expect(problem is None, f"the samples of two calls are not independent: in turns, {problem}")


def _drawn(got: Evidence, n: int, z_dim: int) -> tuple[Array, Array, Array]:
    """Return the samples, means and latents of a call of `sample`.

    Raises Mismatch unless the means are the decoder's.
    """
    expect(not got.is_none("z"), "sample() never calls the decoder: draw z from N(0, I) and decode it")
    samples = rows_of(got, "samples", n)
    binary = bool(((samples == 0) | (samples == 1)).all())
    undrawn = "" if binary else "; and the samples are not drawn from them: each pixel of a sample is 0 or 1"
    averaged = n > 1 and got.tensor("means").size == PIXELS
    expect(
        not averaged,
        "the second value is a single image, as if the means were averaged over the samples, but each sample has the "
        f"means that the decoder gives for its z{undrawn}",
        expected=f"shape {[n, PIXELS]} or {[n, 1, 28, 28]}",
        got=f"shape {list(got.shape('means'))}",
    )
    means = rows_of(got, "means", n)
    decoded = got.shape("z")[0]
    expect(
        decoded == n,
        f"the decoder is given {decoded} latents for {n} samples: samples and their means have to come from the same z",
    )
    candidates = pixel_means(rows_of(got, "outputs", n))
    pictures = means.reshape(n, 1, 28, 28)
    problem = PIXELS_DRAWN.problem(samples.reshape(n, 1, 28, 28), pictures)
    if problem is not None and PIXELS_DRAWN.problem(1 - samples.reshape(n, 1, 28, 28), pictures) is None:
        problem = "the samples are inverted: a pixel should be 1 with the probability that is its mean, and yours is 0"
    expect(problem is None, problem or "")
    nearest = min(candidates, key=lambda each: float(np.abs(means - each).max()))
    expect(
        len(candidates) < 2 or nearest is candidates[1],
        "the second value is a sigmoid of the means: the decoder ends in a sigmoid already, so return its outputs",
    )
    assert_close(
        means, nearest, rtol=1e-3, atol=1e-4, what="the means that sample() returns, compared with the decoder's"
    )
    problem = PRIOR.problem(got.tensor("z", shape=(n, z_dim)))
    expect(problem is None, f"the latents are not drawn from the prior N(0, I): {problem}")
    return samples, means, got.tensor("z", shape=(n, z_dim))


@check("vae2018.manifold")
def test_manifold(student: Subject) -> None:
    """The manifold decodes a grid of latents at normal quantiles on both axes."""
    latents = student.run(probes.vae2018.manifold).tensor(shape=(UpTo(MOST_LATENTS), 2), finite=False)
    expect(
        bool(np.isfinite(latents).all()),
        "some latents of the manifold are infinite: the normal quantiles of the percentiles 0 and 1 are. Leave both "
        "ends out",
    )
    side = round(float(np.sqrt(len(latents))))
    expect(
        side >= SMALLEST_GRID, "the manifold decodes too few latents to show anything", got=f"{len(latents)} latents"
    )
    problem = latents_problem(latents, side, MARGINS)
    if problem is not None:
        fail(problem.message, expected=problem.expected, got=problem.got)


def _unbounded(line: Array) -> Array:
    """Return the logits of means [3, …] of pixels that no row has near 0 or 1, where these are inexact."""
    middling = line[:, np.all((line > EDGE) & (line < 1 - EDGE), axis=0)]
    logits: Array = np.log(middling / (1 - middling))
    return logits


def rows_of(got: Evidence, name: str, n: int) -> Array:
    """Return the images `name` of the evidence as rows [n, 784], from any shape. Raises Mismatch if they do not fit."""
    values = got.tensor(name)
    shape = values.shape
    expect(
        len(shape) >= 2 and shape[0] == n and values.size == n * PIXELS,
        f"{name} should be {n} images of 784 pixels",
        expected=f"shape {[n, PIXELS]} or {[n, 1, 28, 28]}",
        got=f"shape {list(shape)}",
    )
    return values.reshape(n, PIXELS)


def expect_alone(alone: Array, batch: Array) -> None:
    """Fail unless the first row of a batch has the same output when the network is given it alone."""
    hint = "in eval mode, it must depend neither on the other rows of the batch nor on chance"
    assert_close(alone, batch, rtol=1e-3, atol=1e-4, what="the network's output for the first row alone", hint=hint)
