"""The parts of a VAE whose parameterisation is its author's: encoder, decoder, samples, manifold.

Left open by the hand-out, and decided for the student:
- any architecture with an activation in it; flat or square images; constructors with more arguments;
- a decoder's outputs are means when all of them lie in [0, 1], wherever training drives them, and else logits;
- samples and means may be flat or square, and come before other return values;
- the manifold may be drawn by any function or method with that word in its name, on a grid of any size, by even
  percentiles of both latents; where only the script draws it, a person looks at the report.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from gengrade.data import DataSet
from gengrade.grading import Evidence, Rng, Subject, UpTo, assert_close, check, expect, fail, probes
from graders.common.bernoulli import PixelFit, are_means, pixel_means
from graders.common.manifolds import latents_problem
from graders.common.statistics import ALPHA, GaussianFit, declare
from graders.vae2018.checks import PIXELS, batch_of

Array = NDArray[np.float64]

STRAIGHT: Final = 1e-4  # of a bend: rounding makes 1e-6, and activations make 0.01 at least
BEYOND: Final = 1.2  # what means of z must pass, both ways, trained towards ±3; and logits likewise
EDGE: Final = 1e-3  # of means, from 0 and 1, within which single precision bends their logits
MARGINS: Final = (5e-4, 0.11)  # the shares of the prior's mass that a manifold may leave out at either end of an axis
MOST_LATENTS: Final = 100_000  # of a manifold: 316 images an axis
SMALLEST_GRID: Final = 5  # images an axis, below which a picture shows no manifold

PIXELS_DRAWN = declare("vae2018.sample", "pixels, given their means", PixelFit(256, 4, ALPHA / 2))
PRIOR = declare("vae2018.sample", "the latents of samples", GaussianFit(256, 8, ALPHA / 2))


@check("vae2018.encoder")
def test_encoder(student: Subject, data: DataSet, rng: Rng) -> None:
    """The encoder gives two numbers for each latent of each image, which follow the image; the mean has either sign."""
    n, z_dim = 6, 10
    target = 6 * rng.bits(n, z_dim) - 3
    settings = {"hidden_dim": 40, "z_dim": z_dim}
    got = student.run(probes.vae2018.encoder, images=batch_of(data, rng, n), target=target, settings=settings)
    outputs = [got.tensor(name, shape=(n, z_dim)) for name in ("mean", "second")]
    for name, output in zip(("the mean", "the second output"), outputs, strict=True):
        expect(bool(np.ptp(output, axis=0).max() > 0), f"{name} is the same for all images")
    expect_registered(got)
    expect_alone(got.tensor("alone", shape=(2, 1, z_dim)), np.stack(outputs)[:, :1])
    expect_bent(got.tensor("line", shape=(2, 3, z_dim)).swapaxes(0, 1))
    driven = got.tensor("driven", shape=(n, z_dim))
    expect(
        driven.min() < -BEYOND and driven.max() > BEYOND,
        "the first output, the mean, cannot take all values: no activation belongs behind its layer, and it comes "
        "before the spread",
        expected="values of both signs when trained towards ±3",
        got=f"values from {driven.min():.2f} to {driven.max():.2f}",
    )


@check("vae2018.decoder")
def test_decoder(student: Subject, rng: Rng) -> None:
    """The decoder gives a mean, or a logit, for each of the 784 pixels of each latent, and can come near 0 and 1."""
    n, z_dim = 6, 10
    target = 6 * rng.bits(n, PIXELS) - 3
    settings = {"hidden_dim": 40, "z_dim": z_dim}
    got = student.run(probes.vae2018.decoder, z=rng.normal(n, z_dim), target=target, settings=settings)
    outputs = rows_of(got, "outputs", n)
    expect(bool(np.ptp(outputs, axis=0).max() > 0), "the decoder gives the same, whatever z is")
    expect_registered(got)
    expect_alone(rows_of(got, "alone", 1), outputs[:1])
    driven, line = rows_of(got, "driven", n), rows_of(got, "line", 3)
    every = np.concatenate([outputs, driven, line])
    seen = f"values from {every.min():.2f} to {every.max():.2f}"
    if are_means(every):
        low, high = float(expit(-BEYOND)), float(expit(BEYOND))
        line = _unbounded(line)
    else:
        low, high = -BEYOND, BEYOND
        expect(
            every.min() < -1 - 1e-6 or every.max() > 1 + 1e-6,
            "the decoder ends in a tanh: means lie in [0, 1], and logits are any numbers",
            got=seen,
        )
    expect_bent(line)
    expect(
        every.min() <= low and every.max() >= high,
        "the decoder's outputs are confined: end with a sigmoid, which gives means, or with nothing, for logits",
        got=seen,
    )


@check("vae2018.sample")
def test_samples(student: Subject, rng: Rng) -> None:
    """Samples of the VAE: Bernoulli draws of the means that are returned beside them, for z ~ N(0, I).

    The decoder's logits are shifted by U(−4, 4) at each pixel, since before training all means are about ½.
    """
    n, z_dim = PRIOR.draws, PRIOR.elements
    shift = rng.uniform(-PIXELS_DRAWN.logits, PIXELS_DRAWN.logits, PIXELS)
    got = student.run(probes.vae2018.sample, n=n, z_dim=z_dim, shift=shift)
    expect(not got.is_none("z"), "sample() never calls the decoder: draw z from N(0, I) and decode it")
    samples, means = (rows_of(got, name, n) for name in ("samples", "means"))
    decoded = got.shape("z")[0]
    expect(
        decoded == n,
        f"the decoder is given {decoded} latents for {n} samples: samples and their means have to be of the same z",
    )
    readings = pixel_means(rows_of(got, "outputs", n))
    problem = PIXELS_DRAWN.problem(samples.reshape(n, 1, 28, 28), means.reshape(n, 1, 28, 28))
    expect(problem is None, problem or "")
    nearest = min(readings, key=lambda reading: float(np.abs(means - reading).max()))
    expect(
        len(readings) < 2 or nearest is readings[1],
        "the second value is not the means, but a sigmoid of them: the decoder ends in a sigmoid already",
    )
    assert_close(means, nearest, rtol=1e-3, atol=1e-4, what="the means beside the samples, those of the decoder")
    problem = PRIOR.problem(got.tensor("z", shape=(n, z_dim)))
    expect(problem is None, f"the latents are no draws from the prior N(0, I): {problem}")


@check("vae2018.manifold")
def test_manifold(student: Subject) -> None:
    """The manifold: decoded latents at normal quantiles on both axes."""
    latents = student.run(probes.vae2018.manifold).tensor(shape=(UpTo(MOST_LATENTS), 2))
    side = round(float(np.sqrt(len(latents))))
    expect(
        side >= SMALLEST_GRID, "the manifold decodes too few latents to show anything", got=f"{len(latents)} latents"
    )
    problem = latents_problem(latents, side, MARGINS)
    if problem is not None:
        fail(problem.message, expected=problem.expected, got=problem.got)


def _unbounded(line: Array) -> Array:
    """The logits behind means [3, …] of those pixels that are not near 0 or 1 in any row, where rounding would bend."""
    middling = line[:, np.all((line > EDGE) & (line < 1 - EDGE), axis=0)]
    logits: Array = np.log(middling / (1 - middling))
    return logits


def rows_of(got: Evidence, name: str, n: int) -> Array:
    """Images [n, 784], whichever form they came in. Raises Mismatch where these are none."""
    values = got.tensor(name)
    shape = values.shape
    expect(
        len(shape) >= 2 and shape[0] == n and values.size == n * PIXELS,
        f"{name} should be {n} images of 784 pixels",
        expected=f"shape {[n, PIXELS]} or {[n, 1, 28, 28]}",
        got=f"shape {list(shape)}",
    )
    return values.reshape(n, PIXELS)


def expect_registered(got: Evidence) -> None:
    expect(
        got.integer("unregistered") == 0,
        "some layers are not registered, so no optimiser trains them: keep layers in nn.ModuleList or nn.Sequential",
    )
    unreached = got.text("unreached")
    expect(unreached == "", f"the parameter {unreached[:80]} takes no part in what is computed")


def expect_alone(alone: Array, batch: Array) -> None:
    hint = "in eval mode, it changes with what else is in the batch, or at random"
    assert_close(alone, batch, rtol=1e-3, atol=1e-4, what="what the network gives for the first row alone", hint=hint)


def expect_bent(line: Array) -> None:
    """Outputs [3, …] for three points on a line lie on no line, if there are activations."""
    first, middle, last = line.reshape(3, -1)
    if not first.size:
        return
    scale = max(float(np.abs(first - last).max()), 1e-30)
    expect(
        float(np.abs(middle - (first + last) / 2).max()) > STRAIGHT * scale,
        "the network is linear: there should be an activation function between its layers",
    )
