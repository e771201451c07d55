"""Checks of a variational auto-encoder: its arithmetic, its loss, its samples and the picture of its latent space.

Where the hand-out is silent, the student is free:
- bits per dimension may be averaged over the batch: that fails `vae.bpd_per_image` only;
- `forward` and `sample` may return further values after those that were asked for;
- a decoder that ends in a sigmoid fails its own check only: the loss and the samples are then judged with the means
  that it gives;
- the reconstruction may be averaged over several draws of z.
`networks` checks the networks, `loop` the loops, `training` a short training; `graders.common.manifolds` judges the
picture of the latent space.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pytest
from scipy.special import expit

from gengrade.arrays import Array, Array32, Floats
from gengrade.data import DataSet
from gengrade.grading import (
    Evidence,
    Passed,
    Rng,
    Subject,
    UpTo,
    assert_close,
    check,
    expect,
    fail,
    not_asked,
    probes,
)
from graders.common.batches import batch_of
from graders.common.bernoulli import PixelFit, cross_entropies, gaussian_kl, pixel_means
from graders.common.manifolds import manifold_problem
from graders.common.matching import expect_encoded
from graders.common.networks import MODES
from graders.common.statistics import ALPHA, GaussianFit, Independence, declare, in_turns
from graders.common.units import BITS
from graders.probing.sizes import PIXELS
from graders.vae.sizes import MOST_DRAWS, MOST_LATENTS

DRAWS = 4000  # rows that `sample_reparameterize` is asked for
BATCH = 256  # images in one pass of the model
UNTRAINED = (0.8, 1.5)  # accepted bits per dimension before training
SMALLEST: Final = 1e-9  # a sum of losses below this is no unit to divide by
EXACT = 1e-3  # relative tolerance on a loss that is recomputed from the outputs of encoder and decoder
INJECTED: Final = 1e-4  # tolerance on numbers that the probe injected, after the student's code passed them on
# Ranges of log_std. A program that takes the exponential of negative numbers only is right in the first one by chance.
EITHER_SIGN: Final = (-1.5, 0.5)
POSITIVE: Final = (0.2, 0.9)
LABELS = {"rec": "L_rec", "reg": "L_reg", "bpd": "bpd"}
# Sizes of manifolds, below and above the 8 images that make_grid puts in a row by default. As with the default of 20,
# the hint's numbers as arguments of arange give `grid_size` percentiles; with sizes such as 6, 11 and 13, the end that
# arange should leave out comes in by rounding.
GRID_SIZES: Final = ((4, 5, 7), (9, 10, 12, 14))
# The checks of the functions that a model is made of. What follows from the student's own function is right in the
# model only where the function's check did not pass: the mistake is charged there, and is worth no points here. A
# function that passes and answers otherwise beside a model, as one may that tells by the calls that it is asked for a
# comparison, gains nothing.
PARTS: Final = ("vae.kld", "vae.bpd", "vae.reparameterize")

NOISE = declare("vae.reparameterize", "(z − mean) / std of a call", GaussianFit(DRAWS, 4, ALPHA / 4), cases=2)
CALLS = declare("vae.reparameterize", "the noise of two calls", Independence(4 * DRAWS, ALPHA / 4))
IN_A_BATCH = declare("vae.reparameterize", "(z − mean) / std of a batch", GaussianFit(48, 4, ALPHA / 4))
LATENTS = {
    z_dim: declare("vae.loss", f"z in units of exp(log_std), z_dim {z_dim}", GaussianFit(BATCH, z_dim, ALPHA / 2))
    for z_dim in (20, 2)
}
# Each of these for two calls in either mode, and for both calls together.
PIXELS_DRAWN = declare("vae.sample", "pixels, given their means", PixelFit(256, 4, ALPHA / 12), cases=4)
PIXELS_TWICE = declare("vae.sample", "pixels of two calls, in turns", PixelFit(512, 4, ALPHA / 12), cases=2)
PRIOR = declare("vae.sample", "the latents of samples", GaussianFit(256, 8, ALPHA / 12), cases=4)
PRIOR_TWICE = declare("vae.sample", "the latents of two calls, in turns", GaussianFit(512, 8, ALPHA / 12), cases=2)


# Arithmetic


@check("vae.reparameterize")
def test_reparameterized_draws(student: Subject, rng: Rng) -> None:
    """Latents are drawn from N(mean, std²), with independent noise for each element and each call."""
    rows = rng.integer(DRAWS, DRAWS + 500)
    mean, std = 2 * rng.normal(rows, 4), rng.uniform(0.2, 3, rows, 4)
    got = student.run(probes.vae.reparameterize, mean=mean, std=std, weights=np.ones_like(mean))
    noises = []
    for name in ("first", "second"):
        noise = (got.tensor(name, shape=mean.shape) - mean) / std
        problem = NOISE.problem(noise)
        expect(
            problem is None,
            f"z is not drawn from N(mean, std²): the noise (z − mean) / std should be N(0, 1), but {problem}",
        )
        noises.append(noise)
    correlation = CALLS.correlation(*noises)
    if correlation is not None:
        fail(
            "the noise of two calls is not independent: draw new noise in each call",
            expected="a correlation of 0",
            got=f"{correlation:.3f}",
        )


@check("vae.reparameterize")
def test_reparameterized_batch(student: Subject, rng: Rng) -> None:
    """A draw has independent noise for each element of a batch of a usual size, too."""
    rows, z_dim = rng.integer(IN_A_BATCH.draws, 5 * IN_A_BATCH.draws), rng.integer(IN_A_BATCH.elements, 33)
    mean, std = 2 * rng.normal(rows, z_dim), rng.uniform(0.2, 3, rows, z_dim)
    got = student.run(probes.vae.reparameterize, mean=mean, std=std, weights=np.ones_like(mean))
    problem = IN_A_BATCH.problem((got.tensor("first", shape=mean.shape) - mean) / std)
    expect(
        problem is None,
        f"z is not drawn from N(mean, std²) for {rows} images: the noise (z − mean) / std should be N(0, 1), but "
        f"{problem}",
    )


@check("vae.reparameterize")
@pytest.mark.parametrize("rank", [1, 2, 4])
def test_reparameterized_gradients(student: Subject, rng: Rng, rank: int) -> None:
    """Gradients flow through the draw, for tensors of any shape: ∂z/∂mean = 1 and ∂z/∂std is the noise."""
    shape = tuple(rng.integers(2, 6 if rank > 2 else 80, rank).tolist())
    mean, std, weights = rng.normal(*shape), rng.uniform(0.5, 2, *shape), rng.normal(*shape)
    got = student.run(probes.vae.reparameterize, mean=mean, std=std, weights=weights)
    noise = (got.tensor("first", shape=shape) - mean) / std
    expect(
        got.flag("attached"),
        "no gradient flows through the draw: compute z from mean and std by differentiable operations, z = mean + "
        "std · ε with ε ~ N(0, 1)",
    )
    gradients = (("mean", weights), ("std", weights * noise))
    for name, expected in gradients:
        actual = got.tensor(f"{name}_gradient")
        expect(bool(np.any(actual != 0)), f"no gradient reaches {name}: do not detach it")
        assert_close(actual, expected, rtol=1e-3, atol=1e-4, what=f"the gradient of z with respect to {name}")


@check("vae.kld")
@pytest.mark.parametrize("most", [80, 8])
def test_kld_closed_form(student: Subject, reference: Subject, rng: Rng, most: int) -> None:
    """KLD gives the KL divergence of N(mean, std²) from N(0, I), summed over the last dimension.

    Per dimension ½ (std² + mean² − 1) − log std: Kingma & Welling 2014, appendix B. `vae.kld_of_any_rank` judges
    tensors of other ranks.
    """
    shape = (rng.integer(5, most), rng.integer(3, 9))
    inputs = {"mean": rng.normal(*shape), "log_std": 0.7 * rng.normal(*shape)}
    got = student.run(probes.vae.kld, **inputs)
    expect(
        got.shape() != shape,
        "the KL divergence is not summed over the last dimension",
        expected=f"shape {list(shape[:-1])}",
        got=f"shape {list(shape)}",
    )
    assert_close(
        got,
        reference.run(probes.vae.kld, **inputs),
        what="the KL divergence",
        hint="it is Σ ½ (std² + mean² − 1) − log std; log_std is the logarithm of the standard deviation, so the "
        "variance is exp(2·log_std)",
    )


@check("vae.kld_of_any_rank", leaves_to=("vae.kld",))
@pytest.mark.parametrize("rank", [3, 4])
def test_kld_of_any_rank(student: Subject, rng: Rng, passed: Passed, rank: int) -> None:
    """KLD sums over the last dimension, however many dimensions there are before it."""
    # The last dimension never equals the number of rows, so that a sum over these has another shape.
    shape = (*(rng.integer(2, 5) for _ in range(rank - 1)), 5 + 2 * rng.integer(0, 2))
    mean, log_std = rng.normal(*shape), 0.7 * rng.normal(*shape)
    if passed("vae.kld"):
        expected = gaussian_kl(mean.astype(np.float64), log_std.astype(np.float64))
    else:  # the values are compared with those of the same vectors in two dimensions, since the formula is wrong
        rows = student.run(probes.vae.kld, mean=mean.reshape(-1, shape[-1]), log_std=log_std.reshape(-1, shape[-1]))
        values = rows.tensor(finite=False)
        if values.shape != (mean.size // shape[-1],) or not np.isfinite(values).all():
            reason = "KLD does not return one finite number for each row of two dimensions; another check is about that"
            not_asked(reason, unless=("vae.kld",))
        expected = values.reshape(shape[:-1])
    got = student.run(probes.vae.kld, mean=mean, log_std=log_std)
    assert_close(
        got,
        expected,
        what=f"the KL divergence of tensors of shape {list(shape)}",
        hint="sum over the last dimension with sum(dim=-1), which is dim=1 only for tensors of two dimensions",
    )


@check("vae.bpd")
@pytest.mark.parametrize("image", ["of MNIST", "grey", "coloured"])
def test_bits_per_dimension(student: Subject, rng: Rng, image: str) -> None:
    """elbo_to_bpd converts negative log-likelihoods of images, in nats, into bits per dimension.

    nll · log₂(e) / (C·H·W), for images of any shape [C, H, W]. A mean over the batch passes here: `vae.bpd_per_image`
    judges that.
    """
    sides = (28, 28) if image == "of MNIST" else (rng.integer(6, 28), rng.integer(29, 40))
    img_shape = (rng.integer(5, 80), 3 if image == "coloured" else 1, *sides)
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
    """elbo_to_bpd gives one value for each image of the batch."""
    n = rng.integer(5, 80)
    elbo = rng.uniform(20, 900, n)
    got = student.run(probes.vae.bpd, elbo=elbo, img_shape=[n, 1, 28, 28])
    expect(
        got.shape() == (n,),
        "elbo_to_bpd should give one value per image, and leave averaging to its caller",
        expected=f"shape [{n}]",
        got=f"shape {list(got.shape())}",
    )
    values = got.tensor()
    # A wrong factor fails `vae.bpd`, so only the ratios are compared here.
    assert_close(values * elbo[0], values[0] * elbo.astype(np.float64), what="the ratio of the images' values")


# The model


@check("vae.loss", leaves_to=PARTS)
@pytest.mark.parametrize("z_dim", LATENTS)
def test_loss_of_one_pass(student: Subject, data: DataSet, rng: Rng, passed: Passed, z_dim: int) -> None:
    """VAE.forward returns the right L_rec, L_reg and bpd for the outputs of the encoder and the decoder.

    The outputs are replaced by known ones: mean by draws from N(0, 1), log_std by U(−1.5, 0.5), or by `POSITIVE`
    numbers for two latents, and logits by U(−4, 4) plus 1 where the image is 1 and minus 1 where it is 0.
    """
    images = batch_of(data, rng, size := rng.integer(BATCH, BATCH + 64))
    injected = passed_through(images, rng, z_dim, POSITIVE if z_dim == 2 else EITHER_SIGN)
    got = student.run(probes.vae.loss, images=images, **injected)
    expect_encoded(got, images, lambda other: student.again(probes.vae.loss, images=other, **injected))
    mean, log_std = code_of(got, injected["code"])
    z = got.tensor("z", shape=(UpTo(MOST_DRAWS), size, z_dim))
    judge_latents(got, z, [mean, log_std], LATENTS[z_dim], passed)
    claimed = {name: judge_scalar(got, name) for name in ("rec", "reg", "bpd")}
    rec = min(
        reconstructions(got, images, injected["logits"]),
        key=lambda loss: abs(loss - claimed["rec"]),
    )
    reg = float(gaussian_kl(mean, log_std).mean())
    expect(np.isfinite(reg), "the encoder's log_std is so large that the standard deviation overflows")
    judge_average(claimed["rec"], rec, "L_rec: the binary cross-entropy, summed over pixels", PIXELS, len(images))
    judge_parts(got, claimed, reg, z_dim, len(images), passed)


@check("vae.loss", leaves_to=PARTS)
def test_loss_in_eval_mode(student: Subject, data: DataSet, rng: Rng, passed: Passed) -> None:
    """VAE.forward returns the right losses in eval mode, too, without gradients as in an evaluation.

    The mean may be decoded in place of a draw.
    """
    images, z_dim = batch_of(data, rng, rng.integer(BATCH, BATCH + 64)), 5
    injected = passed_through(images, rng, z_dim)
    got = student.run(probes.vae.loss, images=images, training=False, **injected)
    mean, log_std = code_of(got, injected["code"])
    claimed = {name: judge_scalar(got, name) for name in ("rec", "reg", "bpd")}
    rec = min(
        reconstructions(got, images, injected["logits"]),
        key=lambda loss: abs(loss - claimed["rec"]),
    )
    judge_average(
        claimed["rec"], rec, "L_rec in eval mode: the binary cross-entropy, summed over pixels", PIXELS, len(images)
    )
    judge_parts(got, claimed, float(gaussian_kl(mean, log_std).mean()), z_dim, len(images), passed)


def judge_parts(
    got: Evidence, claimed: Mapping[str, float], reg: float, z_dim: int, batch: int, passed: Passed
) -> None:
    """Fail L_reg and bpd of a pass that follow neither from the right formulas nor from wrong functions of `PARTS`.

    Args:
        got: evidence of `probes.vae.loss`.
        claimed: the losses "rec", "reg" and "bpd" of the pass.
        reg: the right divergence, the mean over the batch.
        z_dim: the number of latents.
        batch: the number of images.
        passed: whether a check passed.
    """
    if not is_near(claimed["reg"], reg) and (passed("vae.kld") or not is_own(got, "own_reg", claimed["reg"])):
        judge_average(claimed["reg"], reg, "L_reg: the KL divergence, summed over latents", z_dim, batch)
    bits = (claimed["rec"] + claimed["reg"]) * BITS / PIXELS
    if not is_near(claimed["bpd"], bits) and (passed("vae.bpd") or not is_own(got, "own_bpd", claimed["bpd"])):
        unit = BITS / PIXELS
        slips = {
            "it is that of L_rec alone: add L_reg": claimed["rec"] * unit,
            "it is that of L_reg alone: add L_rec": claimed["reg"] * unit,
            "it is that of L_rec − L_reg, but both are losses: add them": (claimed["rec"] - claimed["reg"]) * unit,
            "it is in nats for a whole image: convert it with elbo_to_bpd": claimed["rec"] + claimed["reg"],
        }
        judge_average(claimed["bpd"], bits, "bpd: (L_rec + L_reg) · log₂(e) / 784", PIXELS, batch, slips)


def is_near(value: float, expected: float) -> bool:
    """Return whether a loss is its right value."""
    return abs(value - expected) <= EXACT * max(abs(expected), EXACT)


def is_own(got: Evidence, name: str, claimed: float) -> bool:
    """Return whether a loss is what the student's own function gives, whose mistakes a check of its own judges."""
    if name not in got or int(np.prod(got.shape(name))) != 1:
        return False
    own = got.number(name, finite=False)
    return abs(claimed - own) <= EXACT * max(abs(own), EXACT)


def are_own_draws(got: Evidence, z: Array) -> bool:
    """Return whether the latents z [draws, B, z_dim] of a pass are those that the student's own function draws.

    The function is given exp(log_std), and the random state in which `forward` may have called it.
    """
    if "own_z" not in got:
        return False
    return np.allclose(got.tensor("own_z", shape=z.shape, finite=False), z, rtol=EXACT, atol=INJECTED)


def code_of(got: Evidence, injected: Floats) -> list[Array]:
    """Return the mean and log_std, [B, z_dim] each, that a pass of the model used.

    Args:
        got: evidence of `probes.vae.loss`.
        injected: [2, B, z_dim], the mean and log_std that replaced the encoder's outputs.

    Raises Mismatch if the model did not use both networks, or if it used other numbers.
    """
    expect(got.flag("encoder_seen"), "forward does not call the encoder: z is drawn with its mean and log_std")
    expect(got.flag("decoder_seen"), "forward does not call the decoder: the loss compares its logits with the images")
    code = [got.tensor(name, shape=injected.shape[1:]) for name in ("mean", "log_std")]
    expect(
        np.allclose(code, injected, atol=INJECTED),
        "forward changes the encoder's outputs: use mean and log_std as the encoder returns them",
    )
    return code


def judge_latents(got: Evidence, z: Array, code: list[Array], fit: GaussianFit, passed: Passed) -> None:
    """Fail latents that are drawn neither from N(mean, exp(log_std)²) nor by a wrong function of the student's own.

    Args:
        got: evidence of `probes.vae.loss`.
        z: the latents [draws, B, z_dim].
        code: mean and log_std, [B, z_dim] each.
        fit: the test of the noise.
        passed: whether a check passed.
    """
    mean, log_std = code
    for draw in z:
        noise = (draw - mean) / np.exp(np.clip(log_std, -30, 30))
        problem = fit.problem(noise, len(z))
        expect(
            problem is None or (not passed("vae.reparameterize") and are_own_draws(got, z)),
            "the z that the decoder gets is no draw from N(mean, std²) with the encoder's mean and std = exp(log_std): "
            f"the noise (z − mean) / std should be N(0, 1), but {problem}",
        )


def reconstructions(got: Evidence, images: Array32, injected: Floats) -> list[float]:
    """Return the batch mean of the binary cross-entropy in nats, for each interpretation of the decoder's outputs.

    Args:
        got: evidence of `probes.vae.loss`.
        images: binary, [B, 1, 28, 28].
        injected: [B, 1, 28, 28], the logits that replaced the decoder's outputs.

    Raises Mismatch if the model used other outputs (its decoder may apply a sigmoid), or none.
    """
    draws = got.tensor("logits", shape=(UpTo(MOST_DRAWS), *images.shape))
    expect(len(draws) > 0, "the decoder returns no images")
    known = (np.allclose(draws, given, atol=INJECTED) for given in (injected, expit(injected)))
    expect(any(known), "forward changes the decoder's outputs: give its logits to the loss as they are")
    by_draw = [[losses.mean() for losses in cross_entropies(images.astype(np.float64), outputs)] for outputs in draws]
    return [float(np.mean(values)) for values in zip(*by_draw, strict=False)]


def judge_scalar(got: Evidence, name: str) -> float:
    """Return a loss ("rec", "reg" or "bpd") of the evidence; raises Mismatch unless it is a single number."""
    shape = got.shape(name)
    expect(
        int(np.prod(shape)) == 1,
        f"{LABELS[name]} should be one number, the mean over the batch",
        expected="a scalar",
        got=f"shape {list(shape)}",
    )
    return got.number(name)


def judge_average(
    value: float, expected: float, what: str, summands: int, batch: int, others: Mapping[str, float] | None = None
) -> None:
    """Fail a loss that differs from its right value, and names the mistake if it is a usual one.

    Args:
        value: what the student's code returned.
        expected: the right batch mean of a sum.
        what: names the loss, with its formula, for the student.
        summands: how many terms the sum for one image has.
        batch: the number of images.
        others: wrong values of this loss, by a sentence that says the mistake.
    """
    if is_near(value, expected):
        return
    slips = {
        "it is the sum over the batch, but should be the mean": expected * batch,
        "it is the mean over all elements of an image, but should be their sum": expected / summands,
        "it has the wrong sign": -expected,
    } | dict(others or {})
    slip = next((f" ({words})" for words, wrong in slips.items() if abs(value - wrong) <= 1e-3 * abs(wrong)), "")
    fail(f"this is not {what}, on average over the batch{slip}", expected=f"{expected:.6g}", got=f"{value:.6g}")


@check("vae.loss", leaves_to=PARTS)
def test_loss_gradients(student: Subject, data: DataSet, rng: Rng, passed: Passed) -> None:
    """The gradient of bpd reaches the encoder both through z and through the KL divergence."""
    images = batch_of(data, rng, rng.integer(12, 20))
    injected = passed_through(images, rng, z_dim=6)
    got = student.run(probes.vae.loss, images=images, **injected)
    judge_gradients(got, code_of(got, injected["code"]), passed)


SHARE_OF_DRAW: Final = 0.02  # of the largest gradient through z: the tolerance on it
SINGLE_PRECISION: Final = 2e-5  # of the largest gradient through the divergence: the tolerance on that one


def judge_gradients(got: Evidence, code: list[Array], passed: Passed) -> None:
    """Fail unless the gradient of bpd reaches the decoder, and the encoder both through z and through the divergence.

    Evidence of `probes.vae.loss` also holds what the student's own draw and divergence give: a gradient that
    follows from these is right here if the check of that function did not pass.

    Args:
        got: evidence of `probes.vae.loss`.
        code: the mean and log_std of the pass, [B, z_dim] each.
        passed: whether a check passed.
    """
    expect("mean_gradient" in got, "bpd has no gradient: return a tensor that depends on the model's parameters")
    expect(
        got.flag("z_attached") or (not passed("vae.reparameterize") and is_cut(got)),
        "z is cut off from mean and log_std, so the reconstruction loss cannot train the encoder: do not detach z",
    )
    expect(
        got.flag("decoder_trained"),
        "no gradient of bpd reaches the decoder's output, so that L_rec trains nothing: do not detach it",
    )
    found = np.stack([got.tensor(f"{name}_gradient", shape=code[0].shape) for name in ("mean", "log_std")])
    draws, divergences = [gradient_through_draw(got, code)], gradients_through_divergence(got, code)
    if follows(found, draws, divergences):
        return
    if "own_z_gradient" in got and not passed("vae.reparameterize"):
        draws.append(got.tensor("own_z_gradient", shape=found.shape))
    if "own_reg_gradient" in got and not passed("vae.kld"):
        own = got.tensor("own_reg_gradient", shape=found.shape)
        divergences += [unit * own for unit in units_of(got)]
    if follows(found, draws, divergences):
        return
    expect(
        not any(close(found, each) for each in draws),
        "no gradient of the KL divergence reaches the encoder: do not detach L_reg, nor mean and log_std in it",
    )
    for name, actual, expected in zip(("mean", "log_std"), found, draws[0] + divergences[0], strict=True):
        scale = float(np.abs(expected).max())
        assert_close(
            actual,
            expected,
            rtol=1e-3,
            atol=1e-3 * scale,
            what=f"the gradient of bpd with respect to {name}",
            hint="it reaches the encoder through z = mean + exp(log_std) · ε and through the KL divergence",
        )
    fail("the gradient of bpd does not follow from z and from the KL divergence")


def is_cut(got: Evidence) -> bool:
    """Return whether the student's own draws have no gradient."""
    return "own_z_attached" in got and not got.flag("own_z_attached")


def follows(found: Array, draws: list[Array], divergences: list[Array]) -> bool:
    """Return whether gradients [2, B, z_dim] are the sum of one through z and one through the divergence.

    That through z may be a thousandth of the other, so that it has a tolerance of its own, and the other one only that
    of sums in single precision.
    """
    return any(_is_sum(found, draw, divergence) for draw in draws for divergence in divergences)


def _is_sum(found: Array, draw: Array, divergence: Array) -> bool:
    through_z, through_kl = (np.abs(each).max(axis=(1, 2), keepdims=True) for each in (draw, divergence))
    expected = draw + divergence
    tolerance = np.minimum(
        1e-3 * (np.abs(expected) + np.abs(expected).max(axis=(1, 2), keepdims=True)),
        SHARE_OF_DRAW * through_z + SINGLE_PRECISION * through_kl,
    )
    return bool((np.abs(found - expected) <= tolerance).all())


def gradient_through_draw(got: Evidence, code: list[Array]) -> Array:
    """Return the gradients of bpd by mean and log_std [2, B, z_dim] through z: Kingma & Welling 2014, section 2.4."""
    shape = code[0].shape
    z, through_z = (got.tensor(name, shape=(UpTo(MOST_DRAWS), *shape)) for name in ("z", "z_gradient"))
    expect(len(z) == len(through_z) > 0, "the decoder is called without a z")
    # ∂z/∂log_std = std · ε = z − mean
    return np.stack([through_z.sum(axis=0), (through_z * (z - code[0])).sum(axis=0)])


def gradients_through_divergence(got: Evidence, code: list[Array]) -> list[Array]:
    """Return the gradients of bpd by mean and log_std [2, B, z_dim] through L_reg, one for each of `units_of`.

    The divergence's are mean and std² − 1 (Kingma & Welling 2014, appendix B).
    """
    mean, log_std = code
    right = np.stack([mean, np.exp(2 * np.clip(log_std, -30, 30)) - 1]) / len(mean)
    return [unit * right for unit in units_of(got)]


def units_of(got: Evidence) -> list[float]:
    """Return the factors from nats to bpd: the right one, and that of this pass, which another test judges."""
    total = judge_scalar(got, "rec") + judge_scalar(got, "reg")
    return [BITS / PIXELS, judge_scalar(got, "bpd") / total if abs(total) > SMALLEST else 0.0]


def close(found: Array, expected: Array) -> bool:
    """Return whether gradients [2, B, z_dim] by mean and log_std agree, relative to the largest of either."""
    scales = np.abs(expected).max(axis=(1, 2), keepdims=True)
    return bool((np.abs(found - expected) <= 1e-3 * (np.abs(expected) + scales)).all())


@check("vae.loss")
@pytest.mark.parametrize("z_dim", [20])
def test_loss_before_training(student: Subject, data: DataSet, rng: Rng, z_dim: int) -> None:
    """An untrained VAE needs about 1 bit for each pixel, since all its pixel means are near ½."""
    settings = {"kind": "MLP", "hidden_dims": [128], "z_dim": z_dim}
    images = batch_of(data, rng, BATCH)
    # L_rec alone, since mistakes in the divergence and in the conversion to bits are judged by other checks.
    nats = student.run(probes.vae.untrained_loss, images=images, settings=settings)
    bits = float(nats.tensor().mean()) * BITS / PIXELS
    expect(
        UNTRAINED[0] < bits < UNTRAINED[1],
        "before training, L_rec should be about 1 bit for each pixel",
        expected="about 1",
        got=f"{bits:.3f}",
    )


def passed_through(
    images: Array32, rng: Rng, z_dim: int, log_stds: tuple[float, float] = EITHER_SIGN
) -> dict[str, Any]:
    """Return arguments of `probes.vae.loss`: a model's settings, and outputs to inject into encoder and decoder.

    log_stds: the lowest and the highest log_std.
    """
    n = len(images)
    return {
        "settings": {"kind": "MLP", "hidden_dims": [32], "z_dim": z_dim},
        "code": np.stack([rng.normal(n, z_dim), rng.uniform(*log_stds, n, z_dim)]),
        "logits": rng.uniform(-4, 4, *images.shape) + 2 * images - 1,
    }


@check("vae.sample")
@pytest.mark.parametrize("training", [True, False], ids=MODES)
def test_samples(student: Subject, rng: Rng, training: bool) -> None:
    """VAE.sample returns Bernoulli draws and, beside them, their means, decoded from z ~ N(0, I).

    The decoder's logits are shifted by U(−4, 4) at each pixel, since all means are about ½ before training. A second
    call draws other images.
    """
    n, z_dim = rng.integer(PRIOR.draws, PRIOR.draws + 40), PRIOR.elements
    shift = rng.uniform(-PIXELS_DRAWN.logits, PIXELS_DRAWN.logits, 1, 28, 28)
    got = student.run(probes.vae.sample, n=n, z_dim=z_dim, shift=shift, training=training)
    calls = [_drawn(each, n, z_dim) for each in (got, got["again"])]
    samples, means, latents = (in_turns(*each) for each in zip(*calls, strict=True))
    problem = PRIOR_TWICE.problem(latents)
    expect(
        problem is None,
        "the latents of two calls are not independent: draw new ones in each call, without a seed. In turns, "
        f"{problem}",
    )
    problem = PIXELS_TWICE.problem(samples, means)
    expect(problem is None, f"the samples of two calls are not independent: in turns, {problem}")


def _drawn(got: Evidence, n: int, z_dim: int) -> tuple[Array, Array, Array]:
    """Return the samples, means and latents of a call of `sample`.

    Raises Mismatch unless the means are the decoder's.
    """
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
    expect(not got.is_none("z"), "sample() does not call the decoder: draw z from N(0, I) and decode it")
    z, logits = got.tensor("z", shape=(UpTo(10 * n), z_dim)), got.tensor("logits", shape=(UpTo(10 * n), 1, 28, 28))
    expect(
        len(z) == len(logits) > 0 and len(z) % n == 0,
        f"sample() should decode {n} latents for {n} images",
        expected=f"{n} latents",
        got=f"{len(z)} latents and {len(logits)} images",
    )
    passes = z.reshape(-1, n, z_dim)
    expect(
        bool(np.all(passes == passes[0])),
        "sample() decodes different latents for the samples and for the means: draw z once, and use its means for both",
    )
    candidates = [candidate for each in logits.reshape(-1, n, 1, 28, 28) for candidate in pixel_means(each)]
    nearest = min(candidates, key=lambda candidate: float(np.abs(means - candidate).max()))
    hint = "x_mean is the sigmoid of the decoder's logits"
    assert_close(means, nearest, rtol=1e-3, atol=1e-4, what="x_mean", hint=hint)
    problem = PRIOR.problem(passes[0])
    expect(problem is None, f"the latents are not drawn from the prior N(0, I): {problem}")
    return samples, means, passes[0]


@check("vae.manifold")
@pytest.mark.parametrize("training", [True, False], ids=MODES)
@pytest.mark.parametrize("sizes", GRID_SIZES, ids=["small", "large"])
def test_manifold(student: Subject, rng: Rng, sizes: tuple[int, ...], training: bool) -> None:
    """visualize_manifold shows a grid of the decoder's means, at normal quantiles along both axes."""
    gain, grid_size = 1.5, sizes[rng.integer(0, len(sizes))]
    got = student.run(probes.vae.manifold, grid_size=grid_size, gain=gain, training=training)
    problem = manifold_problem(
        got.tensor("latents", shape=(UpTo(MOST_LATENTS), 2)), got.tensor("picture"), grid_size, gain
    )
    if problem is not None:
        fail(problem.message, expected=problem.expected, got=problem.got)
