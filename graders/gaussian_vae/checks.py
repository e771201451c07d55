"""Checks of VAEs with Gaussian encoder and decoder: the distribution, the model's parts, its losses, its likelihood.

The likelihood is judged on a linear-Gaussian model, for which it is known exactly (see `linear_gaussian`). With the
true posterior every importance weight is p(x), for any z; with another posterior the right estimate follows from the
latents that the decoder was given. The student's distribution has checks of its own, and ours replaces it in all
others.

Left open by the hand-out, and decided for the student:
- the K draws may be made one by one or in one batch, for all images at once, for some, or for each on its own;
- `sample` of the model may return the mode of p(x|z) or a draw from it, whose pixels have noise of variance 1;
- `interpolate` may go in either direction;
- log-variances may be limited to a range, as the hand-out does, but not to one sign or to [−1, 1];
- a tanh on the decoder's output is right, in the decoder or in `decode`: images are scaled to [−1, 1];
- `forward` may return more values after the three that are asked for;
- gradients are judged with respect to mean and logvar, which training needs, and not to the sample that `nll` is given;
- `nll` may ignore its `dims`, and sum over all dimensions but the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from gengrade.arrays import Array, Array32, Floats
from gengrade.grading import Evidence, Rng, Subject, UpTo, assert_close, check, expect, fail, not_asked, probes
from graders.common.networks import narrowest
from graders.common.statistics import ALPHA, Gain, GaussianFit, Independence, declare
from graders.gaussian_vae.linear_gaussian import LinearGaussian, divergence, log_gaussian, orders
from graders.gaussian_vae.sizes import MOST_LATENTS

IMAGE = (1, 32, 32)
PIXELS = 32 * 32
Z_DIM = 4
BATCH = 64
DRAWN = 1000  # rows in a test of the distribution's own noise
WIDER = 0.7  # added to the log-variance of the true posterior to get another one
SPREAD = (1, 8, 40)  # numbers K of draws of an estimate
# Tolerance in nats on sums over an image's pixels in single precision. It must not grow with numbers that come from the
# student's model, since numbers that are large enough would then hide any mistake.
NATS = 0.05
FARTHEST = 10.0  # largest mean or log-variance of a model's own posterior: beyond, single precision loses nats
LEAST = 0.5  # nats: smallest average divergence from the prior of a model's own posterior
FAR = 300  # nats by which one image is less likely than the others: exp(−FAR) is 0 in single precision
FEW = 3  # images that encode is also given without the others
BEYOND = 1.2  # means and log-variances must pass ±1.2 when they are trained towards ±3
STRAYED = 1e-5  # tolerance on the pixels of the images that encode is given
WAYS, STEP = 8, 2e-4  # random directions in a model's parameters, and the step in them, relative to the parameters
SLOPE = 0.25  # relative tolerance on the slopes that gradients predict: activations may have kinks
LARGE = 1e-4  # relative tolerance on losses in training mode, where batch norms may make them large
LOSSES: Mapping[str, str] = {"nll": "negative log-likelihood", "kl": "KL divergence"}
MODE = 3e-3  # largest difference from the decoder's pixels for a sample without noise
LIKELIHOOD = "gaussian_vae.log_likelihood"
REPARAMETRISED = "compute z = mean + std · ε from mean and std, without no_grad, .detach() or torch.normal(mean, std)"
COMPUTED = "compute it from mean and logvar with operations of torch, without no_grad, .detach() or numpy"

NOISE = declare("gaussian_vae.draw", "(z − mean) / std of a call", GaussianFit(DRAWN, Z_DIM, ALPHA / 3), cases=2)
CALLS = declare("gaussian_vae.draw", "the noise of two calls", Independence(DRAWN * Z_DIM, ALPHA / 3))
LATENTS = declare("gaussian_vae.forward", "z in units of the posterior", GaussianFit(BATCH, Z_DIM, ALPHA / 2), cases=2)
PRIOR = declare("gaussian_vae.sample", "the latents of samples", GaussianFit(200, Z_DIM, ALPHA / 4))
AGAIN = declare("gaussian_vae.sample", "the latents of two calls", Independence(200 * Z_DIM, ALPHA / 8))
TOGETHER = declare("gaussian_vae.sample", "the latents of two calls together", GaussianFit(400, Z_DIM, ALPHA / 8))
PIXEL_NOISE = declare(
    "gaussian_vae.sample", "the noise of samples in their pixels", GaussianFit(200, PIXELS, ALPHA / 4), cases=2
)
WEIGHTED = {
    draws: declare(
        LIKELIHOOD, f"z in units of the posterior, K = {draws}", GaussianFit(BATCH * draws, Z_DIM, ALPHA / 4)
    )
    for draws in SPREAD
}
GAINED = declare(LIKELIHOOD, "the estimate beyond log p(x)", Gain(BATCH, ALPHA / 12), cases=3)


@check("gaussian_vae.draw")
def test_draw_with_given_noise(student: Subject, rng: Rng) -> None:
    """A draw with given noise ε is mean + std · ε, and gradients flow to mean and logvar."""
    mean, logvar, noise = 2 * rng.normal(16, Z_DIM), rng.uniform(-2, 1.5, 16, Z_DIM), rng.normal(16, Z_DIM)
    got = student.run(probes.gaussian_vae.draws, mean=mean, logvar=logvar, noise=noise)
    std = np.exp(0.5 * logvar.astype(np.float64))
    hint = "it is mean + std · ε with the noise that is given, and std = exp(logvar/2)"
    assert_close(got["draw"], mean + std * noise, what="the draw", hint=hint)
    _expect_gradients(got, "a draw", REPARAMETRISED, mean=np.ones_like(std), logvar=0.5 * std * noise)


@check("gaussian_vae.draw")
def test_draw_with_noise_of_its_own(student: Subject, rng: Rng) -> None:
    """A draw without given noise uses new standard normal noise for each element and each call; gradients flow, too."""
    mean, logvar = 2 * rng.normal(DRAWN, Z_DIM), rng.uniform(-2, 1.5, DRAWN, Z_DIM)
    got = student.run(probes.gaussian_vae.draws, mean=mean, logvar=logvar)
    std = np.exp(0.5 * logvar.astype(np.float64))
    noises = [(got.tensor(name, shape=mean.shape) - mean) / std for name in ("draw", "second_draw")]
    for noise in noises:
        problem = NOISE.problem(noise)
        expect(problem is None, f"draws are not from N(mean, exp(logvar)), as (z − mean) / std shows: {problem}")
    correlation = CALLS.correlation(*noises)
    if correlation is not None:
        fail("two calls draw the same noise: each call needs its own", got=f"a correlation of {correlation:.3f}")
    words = f"{REPARAMETRISED}, also if the noise is your own"
    _expect_gradients(got, "a draw", words, mean=np.ones_like(std), logvar=0.5 * std * noises[0])


@check("gaussian_vae.kl")
@pytest.mark.parametrize("shape", [(32, 6), (5, 40)])
def test_divergence(student: Subject, rng: Rng, shape: tuple[int, int]) -> None:
    """The KL divergence to N(0, I) is one number for each row of the batch, with gradients for mean and logvar.

    Kingma & Welling 2014, appendix B.
    """
    mean, logvar = rng.normal(*shape), rng.uniform(-2, 1.5, *shape)
    for part in (mean, logvar):
        part[-1] *= 0.05  # the last row is almost N(0, I), so its divergence is small
    got = student.run(probes.gaussian_vae.divergence, mean=mean, logvar=logvar)
    _expect_rows(got["divergence"], shape[0], "the KL divergence")
    mean, logvar = mean.astype(np.float64), logvar.astype(np.float64)
    hint = "it is ½ Σ (exp(logvar) + mean² − 1 − logvar), where logvar is the logarithm of the variance"
    assert_close(got["divergence"], divergence(mean, logvar), atol=1e-4, what="the KL divergence", hint=hint)
    _expect_gradients(got, "the KL divergence", COMPUTED, mean=mean, logvar=0.5 * (np.exp(logvar) - 1))


@check("gaussian_vae.nll")
@pytest.mark.parametrize("given", [True, False], ids=["logvar", "unit variance"])
@pytest.mark.parametrize("shape", [(6, 2, 5, 4), (12, 7)], ids=["images", "latents"])
def test_negative_log_likelihood(student: Subject, rng: Rng, shape: tuple[int, ...], given: bool) -> None:
    """The negative log-likelihood of a Gaussian has all its terms, summed over dims; without logvar the variance is 1.

    Its gradients with respect to mean and logvar are judged, too.
    """
    x, mean = rng.normal(*shape), rng.normal(*shape)
    logvar = rng.uniform(-2, 1.5, *shape) if given else np.zeros(shape, np.float32)
    dims = list(range(1, len(shape)))
    setting = {"x": x, "mean": mean, "dims": dims, **({"logvar": logvar} if given else {})}
    got = student.run(probes.gaussian_vae.surprise, **setting)
    _expect_rows(got["surprise"], shape[0], "the negative log-likelihood")
    flat = [part.reshape(shape[0], -1).astype(np.float64) for part in (x, mean, logvar)]
    hint = "it is ½ Σ ((x − mean)² / exp(logvar) + logvar + log 2π), with every term"
    assert_close(got["surprise"], -log_gaussian(*flat), what="the negative log-likelihood", hint=hint)
    misfit, precision = x.astype(np.float64) - mean, np.exp(-logvar.astype(np.float64))
    gradients = {"mean": -misfit * precision, **({"logvar": 0.5 * (1 - misfit**2 * precision)} if given else {})}
    _expect_gradients(got, "the negative log-likelihood", COMPUTED, **gradients)


@check("gaussian_vae.mode")
def test_mode(student: Subject, rng: Rng) -> None:
    """The mode of a Gaussian is its mean."""
    mean, logvar = rng.normal(4, *IMAGE), rng.uniform(-2, 1.5, 4, *IMAGE)
    assert_close(student.run(probes.gaussian_vae.mode, mean=mean, logvar=logvar), mean, what="the mode")


@check("gaussian_vae.parts")
def test_encode_and_decode(student: Subject, rng: Rng) -> None:
    """encode returns a Gaussian over latents for each image; decode returns one over images, with variance 1."""
    model, x, z = LinearGaussian.random(rng, PIXELS, Z_DIM), rng.normal(9, *IMAGE), rng.normal(7, Z_DIM)
    target = 6 * rng.bits(9, Z_DIM) - 3
    got = student.run(probes.gaussian_vae.parts, x=x, z=z, map_=model.injected, target=target)
    mean, logvar = (got.tensor(name, shape=(9, Z_DIM)) for name in ("mean", "logvar"))
    expect(bool(np.ptp(mean, axis=0).max() > 0), "encode returns the same mean for all images")
    expect(
        bool(np.ptp(logvar) > 0),
        "encode returns the same variance for every image: logvar needs a layer of its own, too",
    )
    expect(
        not np.allclose(mean, logvar, rtol=1e-3, atol=1e-4),
        "mean and logvar are the same numbers: each needs a layer of its own",
    )
    hint = "in eval mode, it must not depend on the other images of the batch"
    few = got.tensor("few", shape=(2, FEW, Z_DIM))
    for name, alone, among in zip(("mean", "log-variance"), few, (mean, logvar), strict=True):
        what = f"the {name} of an image among others"
        assert_close(alone, among[::-1][: len(alone)], rtol=1e-3, atol=1e-4, what=what, hint=hint)
    for name in ("mean", "logvar"):
        low, high = narrowest(got.tensor(f"{name}_driven", shape=(2, 9, Z_DIM)))
        expect(
            low < -BEYOND and high > BEYOND,
            f"the {name} that encode returns cannot take all values: put no activation after its layer",
            expected="values of both signs when trained towards ±3",
            got=f"values from {low:.2f} to {high:.2f}",
        )
    right = model.decode(z).reshape(7, *IMAGE)
    squashed = np.allclose(got.tensor("image", shape=right.shape), np.tanh(right), rtol=1e-3, atol=1e-4)
    hint = "it is the decoder's output, or the tanh of that"
    assert_close(
        got["image"],
        np.tanh(right) if squashed else right,
        rtol=1e-3,
        atol=1e-4,
        what="the mean of p(x|z)",
        hint=hint,
    )
    hint = "the covariance of p(x|z) is the identity, so logvar is 0: do not pass one"
    image_logvar = got.tensor("image_logvar")  # it may be a single number
    assert_close(image_logvar, np.zeros_like(image_logvar), what="the log-variance of p(x|z)", hint=hint)


@check("gaussian_vae.forward")
@pytest.mark.parametrize("training", [False, True], ids=["eval", "training"])
@pytest.mark.parametrize("given", [False, True], ids=["own", "given"])
def test_forward(student: Subject, rng: Rng, given: bool, training: bool) -> None:
    """forward returns the reconstruction, −log p(x|z) and the divergence of each image, for one draw of z.

    The gradients of both losses reach the encoder, and predict how the losses change with its parameters. Both modes
    are asked, without dropout.
    """
    model, noise = LinearGaussian.random(rng, PIXELS, Z_DIM), rng.normal(BATCH, Z_DIM) if given else None
    x = model.draw(rng, BATCH, IMAGE)
    setting: dict[str, Any] = {"x": x, "z_dim": Z_DIM, "map_": model.injected, "training": training}
    setting |= {"ways": WAYS, "step": STEP, **({} if noise is None else {"noise": noise})}
    got = student.run(probes.gaussian_vae.forward, **setting)
    if training and not given and not got.flag("repeats"):
        not_asked("the encoder draws numbers in training mode, so it is asked in eval mode and with given noise")
    z = got.tensor("latents", shape=(UpTo(MOST_LATENTS), Z_DIM))
    expect(len(z) == BATCH, "the decoder is not given one latent for each image", got=f"{len(z)} latents")
    mean, logvar = _own_posterior(got, training=training)
    drawn = (z - mean) / np.exp(0.5 * logvar)
    if noise is None:
        problem = LATENTS.problem(drawn)
        expect(problem is None, f"z is not drawn from the posterior that encode returns: {problem}")
    else:
        hint = "pass the given noise to the posterior's sample"
        assert_close(drawn, noise, rtol=1e-2, atol=1e-2, what="the noise of z", hint=hint)
    decoded = model.decode(z)
    _expect_rows(got["nll"], BATCH, "the negative log-likelihood")
    _expect_rows(got["kl"], BATCH, "the KL divergence")
    hint = "it is the mode of p(x|z), without noise"
    assert_close(
        got["reconstruction"], decoded.reshape(x.shape), rtol=1e-3, atol=1e-3, what="the reconstruction", hint=hint
    )
    flat = x.reshape(BATCH, -1).astype(np.float64)
    right = -log_gaussian(flat, decoded, np.zeros(1))
    relative = LARGE if training else 0.0
    hint = "it is −log p(x|z) of the images x" + (", also in training mode" if training else "")
    assert_close(got["nll"], right, rtol=relative, atol=NATS, what="the negative log-likelihood", hint=hint)
    hint = "it is that of the posterior from N(0, I)" + (", also in training mode" if training else "")
    assert_close(got["kl"], divergence(mean, logvar), rtol=relative, atol=NATS, what="the KL divergence", hint=hint)
    for name, words in LOSSES.items():
        expect(
            got.flag(f"{name}_reaches"),
            f"no gradient of the {words} reaches the encoder, so it learns nothing from it: do not detach z or the "
            "losses, and do not compute them under no_grad",
        )
    for words, error in zip(LOSSES.values(), _slope_errors(got, model, flat, drawn), strict=True):
        expect(
            error <= SLOPE,
            f"the gradient of the {words} is not the derivative of its value: compute it from mean, logvar and z with "
            "operations of torch, without detach",
            expected="a gradient that predicts how the loss changes with the encoder's parameters",
            got=f"predictions that are {error:.0%} off",
        )


@check("gaussian_vae.sample")
def test_samples(student: Subject, rng: Rng) -> None:
    """Samples are decoded from new draws from N(0, I) in each call, or from the given noise."""
    model, n = LinearGaussian.random(rng, PIXELS, Z_DIM), PRIOR.draws
    setting: dict[str, Any] = {"n": n, "z_dim": Z_DIM, "map_": model.injected}
    got = student.run(probes.gaussian_vae.samples, **setting)
    z, again = (got.tensor(name, shape=(UpTo(MOST_LATENTS), Z_DIM)) for name in ("latents", "again"))
    expect(len(z) == n, "the decoder is not given one latent for each sample", expected=f"{n}", got=f"{len(z)} latents")
    problem = PRIOR.problem(z)
    expect(problem is None, f"the latents of samples are not drawn from N(0, I): {problem}")
    same = len(again) == n and AGAIN.correlation(z, again) is not None
    expect(not same, "a second call gives the same samples: do not set a random seed in sample")
    expect(len(again) == n, "a second call does not decode one latent for each sample", got=f"{len(again)} latents")
    problem = TOGETHER.problem(np.concatenate([z, again]))
    expect(problem is None, f"the latents of two calls together are not drawn from N(0, I): {problem}")
    _expect_decoded(got, model, z)
    noise = rng.normal(n, Z_DIM)
    got = student.run(probes.gaussian_vae.samples, **setting, noise=noise)
    hint = "if noise is given, use it as the latents"
    assert_close(got["latents"], noise, what="the latent of each sample", hint=hint)
    _expect_decoded(got, model, noise)


@check(LIKELIHOOD)
def test_likelihood_with_the_true_posterior(student: Subject, rng: Rng) -> None:
    """If the encoder gives the true posterior, log_likelihood is exactly log p(x), for any number K of draws."""
    model = LinearGaussian.random(rng, PIXELS, Z_DIM)
    x = _images(rng, model)
    mean, logvar = model.posterior(x)
    for draws in SPREAD[:2]:
        got = _likelihood(student, model, x, draws, mean, logvar)
        if got.flag("asked"):  # a model that does not call encode is judged by the next check only
            hint = (
                f"for K = {draws} draws; with the true posterior every importance weight is p(x). The estimate is "
                "logsumexp(log p(x|z) + log p(z) − log q(z|x)) − log K"
            )
            right = model.log_prob(x)
            assert_close(got["log_likelihood"], right, rtol=0, atol=NATS, what="the log-likelihood", hint=hint)


@check(LIKELIHOOD)
@pytest.mark.parametrize("draws", SPREAD)
def test_importance_weights(student: Subject, rng: Rng, draws: int) -> None:
    """log_likelihood is the logarithm of the mean of K importance weights, each for a new draw of z.

    Burda et al. 2016, section 3. Its expectation grows with K, and is at most log p(x).
    """
    model = LinearGaussian.random(rng, PIXELS, Z_DIM)
    x = _images(rng, model)
    mean, logvar = model.posterior(x)
    mean, logvar = mean + 0.3 * rng.normal(BATCH, Z_DIM), logvar + WIDER
    got = _likelihood(student, model, x, draws, mean, logvar)
    found, z = got.tensor("log_likelihood"), got.tensor("latents", shape=(UpTo(MOST_LATENTS), Z_DIM))
    gained = float((found - model.log_prob(x)).mean())
    bound = GAINED.bound + 0.01
    expect(
        gained <= bound,
        "the estimates are too large: on average they exceed the true log p(x), which they should stay below",
        expected="a difference from log p(x) of at most 0 on average",
        got=f"{gained:.2f}",
    )
    expect(len(z) > 0, "the decoder is never called: every importance weight needs p(x|z) for its own draw of z")
    if not got.flag("asked"):  # the model did not call encode, so its own posterior counts
        mean, logvar = _own_posterior(got)
    expect(
        len(z) == draws * BATCH,
        f"the decoder should be given K = {draws} draws of z for each image",
        got=f"{len(z) / BATCH:.3g} draws",
    )
    repeated = draws > 1 and len(np.unique(z, axis=0)) <= BATCH
    expect(not repeated, f"all K = {draws} draws are the same z: draw a new z for each of them")
    z = _by_draw(z, draws, mean, logvar, found, x, model)
    problem = WEIGHTED[draws].problem(((z - mean) / np.exp(0.5 * logvar)).reshape(-1, Z_DIM))
    expect(problem is None, f"z is not drawn from the posterior, independently for each of the K draws: {problem}")
    hint = "it is the logsumexp over the K draws of log p(x|z) + log p(z) − log q(z|x), minus log K"
    assert_close(found, model.estimate(x, z, mean, logvar), rtol=0, atol=NATS, what="the log-likelihood", hint=hint)


@check("gaussian_vae.interpolate")
@pytest.mark.parametrize("n", [5, 10])
def test_interpolation(student: Subject, rng: Rng, n: int) -> None:
    """interpolate decodes n latents, evenly spaced on the straight line between z_1 and z_2, both included."""
    model, ends = LinearGaussian.random(rng, PIXELS, Z_DIM), 2 * rng.normal(2, Z_DIM)
    got = student.run(probes.gaussian_vae.interpolate, ends=ends, n=n, map_=model.injected)
    images = got.tensor("images", shape=(n, *IMAGE)).reshape(n, -1)
    weight = np.linspace(0, 1, n)[:, None]
    line = model.decode_bent((1 - weight) * ends[0] + weight * ends[1])
    backwards = np.abs(images[0] - line[-1]).max() < np.abs(images[0] - line[0]).max()
    right = line[::-1] if backwards else line
    hint = "decode (1 − w)·z_1 + w·z_2, with w from 0 to 1 in even steps; interpolate latents, not pixels"
    assert_close(images, right, rtol=1e-3, atol=1e-3, what="an interpolated image", hint=hint)
    expect(
        len(got.tensor("latents", shape=(UpTo(MOST_LATENTS), Z_DIM))) >= n,
        "pixels are interpolated: interpolate the latents, and decode each of them",
    )


def _images(rng: Rng, model: LinearGaussian) -> Array32:
    """Return images drawn from the model, of which the first is made much less likely than all others."""
    x = model.draw(rng, BATCH, IMAGE)
    x[0] += np.sqrt(2 * FAR / PIXELS) * rng.normal(*IMAGE)
    return x


def _expect_gradients(got: Evidence, what: str, hint: str, **right: Floats) -> None:
    """Fail unless the gradients of a value's sum with respect to mean and logvar are the `right` ones."""
    expect(got.flag("attached"), f"no gradient flows through {what}: {hint}")
    for name, gradient in right.items():
        words = f"the gradient of {what} with respect to {name}"
        assert_close(got[f"{name}_gradient"], gradient, rtol=1e-3, atol=1e-4, what=words, hint=hint)


def _expect_rows(got: Evidence, rows: int, what: str) -> None:
    expect(
        got.shape() == (rows,),
        f"{what} should be one number for each image: sum over all dimensions but the first",
        expected=f"shape [{rows}]",
        got=f"shape {list(got.shape())}",
    )


def _expect_decoded(got: Evidence, model: LinearGaussian, z: Floats) -> None:
    """Fail unless the samples for latents z [N, d] are the modes of p(x|z), or draws from it."""
    right = model.decode(z).reshape(len(z), *IMAGE)
    noise = (got.tensor("images", shape=right.shape) - right).reshape(len(z), PIXELS)
    if np.abs(noise).max() > MODE:
        problem = PIXEL_NOISE.problem(noise)
        expect(problem is None, f"the samples are neither the modes of p(x|z) nor draws from it: {problem}")


def _likelihood(student: Subject, model: LinearGaussian, x: Any, draws: int, mean: Array, logvar: Array) -> Evidence:
    """Return the evidence of log_likelihood with an injected posterior.

    Fails if it is not finite or for other images.
    """
    got = student.run(
        probes.gaussian_vae.log_likelihood,
        x=x,
        draws=draws,
        map_=model.injected,
        mean=mean.astype(np.float32),
        logvar=logvar.astype(np.float32),
    )
    _expect_rows(got["log_likelihood"], len(x), "the log-likelihood")
    vanished = int(np.isneginf(got.tensor("log_likelihood", finite=False)).sum())
    expect(
        vanished == 0,
        "the log-likelihood is −∞, because the exponentials of the log weights underflow in single precision: use "
        "torch.logsumexp over the K draws of each image",
        expected="finite numbers",
        got=f"−∞ for {vanished} of {len(x)} images",
    )
    if got.flag("asked"):
        theirs = got.number("strayed") < STRAYED
        expect(theirs, "encode should be given the images x as they are, but it is given something else")
    return got


def _slope_errors(got: Evidence, model: LinearGaussian, flat: Array, noise: Array) -> Array:
    """Return how far the slopes that gradients predict are from those of both losses, relative to these: [2].

    The slopes follow from the posterior [WAYS, 2, 2, B, d] to either side, with the noise of z [B, d] as it was.
    """
    moved = got.tensor("moved", shape=(WAYS, 2, 2, BATCH, Z_DIM))
    predicted = got.tensor("predicted_slopes", shape=(WAYS, 2), finite=False)
    means, logvars = moved[:, :, 0], moved[:, :, 1]
    surprise = -log_gaussian(flat, model.decode(means + np.exp(0.5 * logvars) * noise), np.zeros(1))
    sums = np.stack([surprise.sum(axis=2), divergence(means, logvars).sum(axis=2)], axis=2)  # [WAYS, 2, 2]
    slopes = (sums[:, 0] - sums[:, 1]) / (2 * STEP)
    lengths = np.maximum(np.linalg.norm(slopes, axis=0), 1e-9)
    return np.asarray(np.linalg.norm(predicted - slopes, axis=0) / lengths)


def _own_posterior(got: Evidence, *, training: bool = False) -> tuple[Array, Array]:
    """Return the mean and log-variance [B, d] that the student's encode gives, of a size at which every term counts.

    In training mode, batch norms may make them larger.
    """
    mean, logvar = (got.tensor(name, shape=(BATCH, Z_DIM)) for name in ("mean", "logvar"))
    largest = float(max(np.abs(mean).max(), np.abs(logvar).max()))
    expect(
        training or largest <= FARTHEST,
        "the means or log-variances that encode returns for a new model are so large that single precision does not "
        "suffice for its losses",
        expected=f"numbers between −{FARTHEST:g} and {FARTHEST:g}",
        got=f"{largest:.4g}",
    )
    expect(
        float(divergence(mean, logvar).mean()) >= LEAST,
        "the distribution that encode returns stays near N(0, I), even if noise is added to the model's parameters: "
        "mean and logvar should be outputs of layers with parameters",
    )
    return mean, logvar


def _by_draw(z: Array, draws: int, mean: Array, logvar: Array, found: Array, x: Any, model: LinearGaussian) -> Array:
    """Return latents [K·B, d], which may come in several orders, as [K, B, d].

    The order is the one by which the student's estimate `found` is right; if there is none, the one that fits the
    posterior best. (That alone would not do: the posterior of an untrained encoder is nearly the same for all images.)
    """
    candidates = orders(z, len(mean))
    for each in candidates:
        if np.allclose(found, model.estimate(x, each, mean, logvar), rtol=0, atol=NATS):
            return each
    return min(candidates, key=lambda each: float(np.mean((each - mean) ** 2 / np.exp(logvar))))
