"""Variational auto-encoders: the arithmetic, the loss, sampling, the manifold.

Left open by the hand-out, and decided for the student:
- bits per dimension may be averaged over the batch at once: that costs `vae.bpd_per_image` only;
- `forward` and `sample` may return more than was asked for, after what was asked for;
- a decoder that ends in a sigmoid fails its own check, and no other: the loss and the samples are then judged by the
  means that it gives;
- the reconstruction may be averaged over several draws of z.
The networks are judged in `vae_networks`, the loops in `vae_loop`, a short training in `vae_training`; `manifolds`
reads what a manifold shows.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from gengrade.data import DataSet
from gengrade.grading import Evidence, Rng, Subject, UpTo, assert_close, check, expect, fail, probes
from graders.common.bernoulli import PixelFit, cross_entropies, gaussian_kl, pixel_means
from graders.common.manifolds import manifold_problem
from graders.common.statistics import ALPHA, GaussianFit, Independence, declare

Array = NDArray[np.float64]

DRAWS = 4000  # rows of the sampler's test
BITS = float(np.log2(np.e))
PIXELS = 28 * 28
BATCH = 256  # images in a pass
MOST_DRAWS = 100  # of z for one image, in one pass
MOST_LATENTS = 10_000  # of a manifold that should have 25 or 144, or a row more
UNTRAINED = (0.8, 1.5)  # bits per dimension before training
EXACT = 1e-3  # on a loss that is recomputed from what was seen, relatively
# Where a part is not called through its forward, it has told us what it gives when asked, not what it gave then.
UNSEEN = 0.1
INJECTED: Final = 1e-4  # on numbers that took the places of others
LABELS = {"rec": "L_rec", "reg": "L_reg", "bpd": "bpd"}

NOISE = declare("vae.reparameterize", "(z − mean) / std of a call", GaussianFit(DRAWS, 4, ALPHA / 3), cases=2)
CALLS = declare("vae.reparameterize", "the noise of two calls", Independence(4 * DRAWS, ALPHA / 3))
LATENTS = {
    z_dim: declare("vae.loss", f"z in units of exp(log_std), z_dim {z_dim}", GaussianFit(BATCH, z_dim, ALPHA / 2))
    for z_dim in (20, 2)
}
PIXELS_DRAWN = declare("vae.sample", "pixels, given their means", PixelFit(256, 4, ALPHA / 2))
PRIOR = declare("vae.sample", "the latents of samples", GaussianFit(256, 8, ALPHA / 2))


# Arithmetic


@check("vae.reparameterize")
def test_reparameterized_draws(student: Subject, rng: Rng) -> None:
    """Draws from N(mean, std²): mean, spread and shape, with noise of its own for each element and each call."""
    mean, std = 2 * rng.normal(DRAWS, 4), rng.uniform(0.2, 3, DRAWS, 4)
    got = student.run(probes.vae.reparameterize, mean=mean, std=std, weights=np.ones_like(mean))
    noises = []
    for name in ("first", "second"):
        noise = (got.tensor(name, shape=mean.shape) - mean) / std
        problem = NOISE.problem(noise)
        expect(problem is None, f"z is no draw from N(mean, std²), as (z − mean) / std shows: {problem}")
        noises.append(noise)
    correlation = CALLS.correlation(*noises)
    if correlation is not None:
        fail(
            "two calls do not draw independent noise: each call needs noise of its own",
            expected="a correlation of 0",
            got=f"{correlation:.3f}",
        )


@check("vae.reparameterize")
@pytest.mark.parametrize("shape", [(6,), (7, 3), (2, 3, 4, 5)])
def test_reparameterized_gradients(student: Subject, rng: Rng, shape: tuple[int, ...]) -> None:
    """Gradients through the draw, in tensors of any shape: dz/dmean = 1 and dz/dstd is the noise."""
    mean, std, weights = rng.normal(*shape), rng.uniform(0.5, 2, *shape), rng.normal(*shape)
    got = student.run(probes.vae.reparameterize, mean=mean, std=std, weights=weights)
    noise = (got.tensor("first", shape=shape) - mean) / std
    expect(
        got.flag("attached"),
        "no gradient flows through the draw: build z from mean and std by operations that can be differentiated, "
        "z = mean + std · ε",
    )
    gradients = (("mean", weights), ("std", weights * noise))
    for name, expected in gradients:
        actual = got.tensor(f"{name}_gradient")
        expect(bool(np.any(actual != 0)), f"no gradient reaches {name}: it must not be detached")
        assert_close(actual, expected, rtol=1e-3, atol=1e-4, what=f"the gradient of z with respect to {name}")


@check("vae.kld")
@pytest.mark.parametrize("shape", [(64, 8), (5,), (3, 4, 6)])
def test_kld_closed_form(student: Subject, reference: Subject, rng: Rng, shape: tuple[int, ...]) -> None:
    """The KL divergence to N(0, I), summed over the last dimension.

    Per dimension ½ (std² + mean² − 1) − log std: Kingma & Welling 2014, appendix B.
    """
    inputs = {"mean": rng.normal(*shape), "log_std": 0.7 * rng.normal(*shape)}
    got = student.run(probes.vae.kld, **inputs)
    expect(
        got.shape() != shape,
        "the divergence is not summed over the last dimension",
        expected=f"shape {list(shape[:-1])}",
        got=f"shape {list(shape)}",
    )
    assert_close(
        got,
        reference.run(probes.vae.kld, **inputs),
        what="the KL divergence",
        hint="log_std is the logarithm of a standard deviation, so the variance is exp(2·log_std)",
    )


@check("vae.bpd")
@pytest.mark.parametrize("img_shape", [(16, 1, 28, 28), (5, 3, 32, 32), (7, 1, 8, 20)])
def test_bits_per_dimension(student: Subject, rng: Rng, img_shape: tuple[int, ...]) -> None:
    """Bits per dimension from summed negative log-likelihoods in nats, for images of any shape.

    nll · log₂(e) / (C·H·W). A mean over the batch passes here: `vae.bpd_per_image` is about that.
    """
    elbo = rng.uniform(20, 900, img_shape[0])
    got = student.run(probes.vae.bpd, elbo=elbo, img_shape=list(img_shape))
    expected = elbo.astype(np.float64) * BITS / np.prod(img_shape[1:])
    values = got.tensor()
    averaged = values.size == 1
    assert_close(
        values.reshape(-1),
        expected.mean(keepdims=True) if averaged else expected,
        what="bits per dimension",
        hint="multiply by log₂(e), and divide by channels · height · width of one image",
    )


@check("vae.bpd_per_image")
def test_bits_per_dimension_of_each_image(student: Subject, rng: Rng) -> None:
    """Bits per dimension: one value for each image of the batch."""
    elbo = rng.uniform(20, 900, 9)
    got = student.run(probes.vae.bpd, elbo=elbo, img_shape=[9, 1, 28, 28])
    expect(
        got.shape() == (9,),
        "elbo_to_bpd should give one value per image, and leave averaging to its caller",
        expected="shape [9]",
        got=f"shape {list(got.shape())}",
    )
    values = got.tensor()
    # A wrong factor is another check's business.
    assert_close(values * elbo[0], values[0] * elbo.astype(np.float64), what="the ratio of the images' values")


# The model


@check("vae.loss")
@pytest.mark.parametrize("z_dim", LATENTS)
def test_loss_of_one_pass(student: Subject, data: DataSet, rng: Rng, z_dim: int) -> None:
    """L_rec, L_reg and bpd of VAE.forward, recomputed from what went through the encoder and the decoder.

    Their outputs are replaced on the way: mean by N(0, 1), log_std by U(−1.5, 0.5), logits by U(−4, 4) plus 1 where
    the image is 1 and less 1 where it is 0.
    """
    images = batch_of(data, rng, BATCH)
    injected = passed_through(images, rng, z_dim)
    got = student.run(probes.vae.loss, images=images, **injected)
    mean, log_std = code_of(got, injected["code"])
    if got.flag("decoder_seen") and got.flag("encoder_seen"):
        judge_latents(got.tensor("z", shape=(UpTo(MOST_DRAWS), BATCH, z_dim)), mean, log_std)
    tolerance = EXACT if got.flag("decoder_seen") and got.flag("encoder_seen") else UNSEEN
    claimed = judge_scalar(got, "rec")
    rec = min(reconstructions(got, images, injected["logits"]), key=lambda reading: abs(reading - claimed))
    reg = float(gaussian_kl(mean, log_std).mean())
    expect(np.isfinite(reg), "the encoder's standard deviations overflow")
    judge_average(claimed, rec, tolerance, "L_rec: the binary cross-entropy, summed over pixels", PIXELS)
    judge_average(judge_scalar(got, "reg"), reg, tolerance, "L_reg: the KL divergence, summed over latents", z_dim)
    bits = (rec + reg) * BITS / PIXELS
    judge_average(judge_scalar(got, "bpd"), bits, tolerance, "bpd: (L_rec + L_reg) · log₂(e) / 784", PIXELS)


def code_of(got: Evidence, injected: NDArray[np.floating]) -> list[Array]:
    """mean and log_std, [B, z_dim] each: those that were injected into the encoder, where it was seen."""
    code = [got.tensor(name, shape=injected.shape[1:]) for name in ("mean", "log_std")]
    if got.flag("encoder_seen"):
        expect(np.allclose(code, injected, atol=INJECTED), "mean and log_std are not those that the encoder gave")
    else:
        expect(all(bool(np.ptp(part) > 0) for part in code), "the encoder gives one number, whatever it is shown")
    return code


def judge_latents(z: Array, mean: Array, log_std: Array) -> None:
    """z must be a draw from N(mean, exp(log_std)²): all of its elements together, at the declared error."""
    for draw in z:
        noise = (draw - mean) / np.exp(np.clip(log_std, -30, 30))
        problem = LATENTS[noise.shape[1]].problem(noise, len(z))
        expect(
            problem is None,
            "the z that the decoder was given is no draw from N(mean, exp(log_std)²) of what the encoder gave: "
            f"in units of exp(log_std), {problem}",
        )


def reconstructions(got: Evidence, images: NDArray[np.float32], injected: NDArray[np.floating]) -> list[float]:
    """The batch mean of the binary cross-entropy, from the decoder's outputs, in each reading of them.

    Where the decoder was seen, its outputs are the logits that were injected into it, or their means.
    """
    draws = got.tensor("logits", shape=(UpTo(MOST_DRAWS), *images.shape))
    expect(len(draws) > 0, "the decoder gave nothing")
    if got.flag("decoder_seen"):
        known = (np.allclose(draws, given, atol=INJECTED) for given in (injected, expit(injected)))
        expect(any(known), "the logits are not those that the decoder gave")
    else:
        expect(bool(np.ptp(draws) > 0), "the decoder gives one number, whatever it is shown")
    readings = [[losses.mean() for losses in cross_entropies(images.astype(np.float64), outputs)] for outputs in draws]
    return [float(np.mean(values)) for values in zip(*readings, strict=False)]


def judge_scalar(got: Evidence, name: str) -> float:
    shape = got.shape(name)
    expect(
        int(np.prod(shape)) == 1,
        f"{LABELS[name]} should be one number, the mean over the batch",
        expected="a scalar",
        got=f"shape {list(shape)}",
    )
    return got.number(name)


def judge_average(value: float, expected: float, tolerance: float, what: str, summands: int) -> None:
    """A batch mean of a sum of so many `summands`. The usual slips are named."""
    if abs(value - expected) <= tolerance * max(abs(expected), 1e-3):
        return
    slips = {
        "it is the sum over the batch, where the mean was asked for": expected * BATCH,
        "it is a mean over all elements, where their sum was asked for": expected / summands,
        "it has the wrong sign": -expected,
    }
    slip = next((f" ({words})" for words, wrong in slips.items() if abs(value - wrong) <= 1e-3 * abs(wrong)), "")
    fail(f"this is not {what}, on average over the batch{slip}", expected=f"{expected:.6g}", got=f"{value:.6g}")


@check("vae.loss")
def test_loss_gradients(student: Subject, data: DataSet, rng: Rng) -> None:
    """The gradient of bpd reaches the encoder along both ways: through z, and through the KL divergence."""
    images = batch_of(data, rng, 16)
    injected = passed_through(images, rng, z_dim=6)
    got = student.run(probes.vae.loss, images=images, **injected)
    if not (got.flag("encoder_seen") and got.flag("decoder_seen")):
        return  # nothing was seen to take gradients of
    expect("mean_gradient" in got, "bpd has no gradient: it must be a tensor that depends on the parameters")
    expect(got.flag("z_attached"), "z is cut off from mean and log_std: no gradient of the reconstruction gets past it")
    mean, log_std = code_of(got, injected["code"])
    z, through_z = (got.tensor(name, shape=(UpTo(MOST_DRAWS), 16, 6)) for name in ("z", "z_gradient"))
    expect(len(z) == len(through_z) > 0, "the decoder was given no z")
    unit = BITS / PIXELS / len(images)
    mean_gradient = through_z.sum(axis=0) + unit * mean
    # dz/dlog_std = std · ε = z − mean
    log_std_gradient = (through_z * (z - mean)).sum(axis=0) + unit * (np.exp(2 * np.clip(log_std, -30, 30)) - 1)
    for name, expected in (("mean", mean_gradient), ("log_std", log_std_gradient)):
        scale = float(np.abs(expected).max())
        assert_close(
            got.tensor(f"{name}_gradient"),
            expected,
            rtol=1e-3,
            atol=1e-3 * scale,
            what=f"the gradient of bpd by {name}",
        )


@check("vae.loss")
@pytest.mark.parametrize("z_dim", [20])
def test_loss_before_training(student: Subject, data: DataSet, rng: Rng, z_dim: int) -> None:
    """About 1 bit per dimension before training: every pixel is a coin."""
    settings = {"kind": "MLP", "hidden_dims": [128], "z_dim": z_dim}
    images = batch_of(data, rng, BATCH)
    bits = float(student.run(probes.vae.untrained_loss, images=images, settings=settings).tensor().mean())
    expect(
        UNTRAINED[0] < bits < UNTRAINED[1],
        "an untrained model should need about 1 bit per dimension",
        expected="slightly above 1",
        got=f"{bits:.3f}",
    )


def passed_through(images: NDArray[np.float32], rng: Rng, z_dim: int) -> dict[str, Any]:
    """A model's settings, and what its encoder and decoder shall give for these images."""
    n = len(images)
    return {
        "settings": {"kind": "MLP", "hidden_dims": [32], "z_dim": z_dim},
        "code": np.stack([rng.normal(n, z_dim), rng.uniform(-1.5, 0.5, n, z_dim)]),
        "logits": rng.uniform(-4, 4, *images.shape) + 2 * images - 1,
    }


def batch_of(data: DataSet, rng: Rng, n: int) -> NDArray[np.float32]:
    """Images [n, 1, 28, 28] of 0 and 1, from the training set."""
    chosen = rng.choice(len(data.train), n)
    return (data.train.images[chosen] > 127).astype(np.float32)[:, None]


@check("vae.sample")
def test_samples(student: Subject, rng: Rng) -> None:
    """Samples of the VAE: Bernoulli draws of the means that are returned beside them, for z ~ N(0, I).

    The decoder's logits are shifted by U(−4, 4) at each pixel, since before training all means are about ½.
    """
    n, z_dim = PRIOR.draws, PRIOR.elements
    shift = rng.uniform(-PIXELS_DRAWN.logits, PIXELS_DRAWN.logits, 1, 28, 28)
    got = student.run(probes.vae.sample, n=n, z_dim=z_dim, shift=shift)
    for name in ("samples", "means"):
        expect(
            got.shape(name) == (n, 1, 28, 28),
            f"the {name} have the wrong shape",
            expected=f"shape {[n, 1, 28, 28]}",
            got=f"shape {list(got.shape(name))}",
        )
    samples, means = got.tensor("samples"), got.tensor("means")
    problem = PIXELS_DRAWN.problem(samples, means)
    expect(problem is None, problem or "")
    expect(not got.is_none("z"), "sample() never calls the decoder: draw z from N(0, I) and decode it")
    z, logits = got.tensor("z", shape=(UpTo(10 * n), z_dim)), got.tensor("logits", shape=(UpTo(10 * n), 1, 28, 28))
    expect(
        len(z) == len(logits) > 0 and len(z) % n == 0,
        f"for {n} images, sample() should decode {n} latents",
        expected=f"{n} latents",
        got=f"{len(z)} latents and {len(logits)} images",
    )
    passes = z.reshape(-1, n, z_dim)
    expect(
        bool(np.all(passes == passes[0])),
        "sample() decodes other latents for its samples than for their means: draw z once, and decode it once for both",
    )
    readings = [reading for each in logits.reshape(-1, n, 1, 28, 28) for reading in pixel_means(each)]
    nearest = min(readings, key=lambda reading: float(np.abs(means - reading).max()))
    assert_close(means, nearest, rtol=1e-3, atol=1e-4, what="x_mean, the sigmoid of the decoder's logits")
    problem = PRIOR.problem(passes[0])
    expect(problem is None, f"the latents are no draws from the prior N(0, I): {problem}")


@check("vae.manifold")
@pytest.mark.parametrize("grid_size", [5, 12])  # not 8, make_grid's own number in a row
def test_manifold(student: Subject, grid_size: int) -> None:
    """The manifold: decoder means at normal quantiles on both axes, laid out as a grid of that size."""
    gain = 1.5
    got = student.run(probes.vae.manifold, grid_size=grid_size, gain=gain)
    problem = manifold_problem(
        got.tensor("latents", shape=(UpTo(MOST_LATENTS), 2)), got.tensor("picture"), grid_size, gain
    )
    if problem is not None:
        fail(problem.message, expected=problem.expected, got=problem.got)
