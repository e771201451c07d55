"""Checks of the evidence lower bound (ELBO) of a VAE that may use any parameterisation of its Gaussian.

The model runs a few times on the same images, and in each pass known numbers replace the outputs of its encoder and
its decoder. Each later pass differs from the first in one thing: the means, the encoder's second outputs, or the
decoded logits. The differences of the returned bounds show each part of the loss without the others, and the latents
that the decoder receives show the Gaussian that they are drawn from. All expected values are computed here; nothing
that the model says about itself counts.

Left open by the hand-out, and decided for the student:
- the encoder's second output may be a standard deviation, a variance, or a logarithm of either, also before a softplus.
  The noise shows which one it is (see `parameterisations`); the divergence must be that of the same Gaussian;
- the decoder may give means or logits, and images may be flat or square;
- the bound may have either sign, as long as both of its parts have it; it may come before other return values;
- the divergence may be estimated without bias, as log q(z|x) − log p(z) for the z that is decoded;
- the reconstruction may be averaged over several draws of z, which are decoded one by one or together, draw by draw;
- in eval mode the mean may be decoded in place of a draw, as PyTorch's own example of those years did;
- the bound may be summed over the batch if the loop turns the sums into an average per image.

A factor on the whole bound, as of a sum over the batch, is one mistake: reconstruction and divergence are judged in
units of it, and only the check of the bound is about it. So is a bound for each image, of which all others judge the
mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from scipy.special import expit

from gengrade.arrays import Array, Array32, Floats, Integers
from gengrade.data import DataSet
from gengrade.grading import (
    Evidence,
    Mismatch,
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
from graders.common.matching import expect_encoded
from graders.common.statistics import ALPHA, GaussianFit, Independence, declare
from graders.probing.sizes import PIXELS
from graders.vae2018.averages import averages_per_image
from graders.vae2018.parameterisations import PARAMETERISATIONS, Parameterisation, parameterisation_of
from graders.vae2018.sizes import MOST_DRAWS

BATCH: Final = 256  # images in a pass
Z_DIM: Final = 20
PASSES: Final = 4  # a first pass, then one with other means, one with other second outputs, one with other logits
SETTINGS: Final[dict[str, int]] = {"hidden_dim": 32, "z_dim": Z_DIM}
EXACT: Final = 1e-3  # relative tolerance on what follows from known numbers
ROUNDING: Final = 1e-5  # relative rounding error of a bound in single precision
# A returned bound may be up to this many times as large as a right one before its rounding error stops being allowed
# for: in larger numbers the differences between passes, which are judged, would be lost.
LARGEST: Final = 4.0
MOST_ROUNDED: Final = 2.0  # the largest multiple of a reconstruction divided by pixels and images that counts as this
LEAST_SCALE: Final = 1e-6  # a bound that is made smaller than this is no bound
LOWEST: Final = 100.0  # torch cuts off logarithms at −100
INJECTED: Final = 1e-4  # tolerance on injected numbers
ONE_NUMBER: Final = "VAE.forward should return one number, the average over the batch"
UNTRAINED: Final = (400.0, 900.0)  # nats per image before training: 784 · log 2 = 543 if all means are ½, plus the KL

# The values of the second output, at which all parameterisations differ, and their shares in two of the passes.
LEVELS: Final = np.array([0.35, 0.75, 1.3, 1.8])
OFTEN: Final = ((0.4, 0.3, 0.2, 0.1), (0.1, 0.2, 0.3, 0.4))

NOISE = declare("vae2018.noise", "(z − mean) / σ of a pass", GaussianFit(BATCH, Z_DIM, ALPHA / 2))
CALLS = declare("vae2018.noise", "the noise of two passes", Independence(BATCH * Z_DIM, ALPHA / 2))


@dataclass(frozen=True, slots=True)
class Injected:
    """The numbers that K passes inject: images [B, 1, 28, 28], mean and second output [K, B, d], logits [K, B, 784]."""

    images: Array32
    mean: Array32
    second: Array32
    logits: Array32

    def inputs(self) -> dict[str, Any]:
        """Return the inputs of the probe `passes`."""
        codes = np.stack([self.mean, self.second], axis=1)
        return {"images": self.images, "codes": codes, "logits": self.logits, "settings": SETTINGS}


@dataclass(frozen=True, slots=True)
class Parts:
    """The first bound, and its changes with the means, the second outputs and the decoded logits, all in nats.

    All are in units of `scale`, a positive factor on the whole bound, which is 1 in a right average. `rounding` is the
    error that single precision may cause. `estimated` is set if the model estimates the divergence from the densities
    of its draw; the numbers are then converted to those of the divergence in closed form. `shape` is that of a returned
    bound; if it has one for each image, the numbers are those of their mean.
    """

    first: float
    by_mean: float
    by_second: float
    by_logits: float
    rounding: float
    scale: float = 1.0
    estimated: bool = False
    shape: tuple[int, ...] = ()

    @classmethod
    def of(cls, bounds: Array, injected: Injected, *, scale: float = 1.0, excess: Array | None = None) -> Parts:
        """Compute the parts from the bounds [K] of the passes.

        `excess` [K] is what an estimated divergence has beyond the closed form in each pass.
        """
        bounds = bounds / scale - (0 if excess is None else excess)
        first, means, seconds, logits = bounds
        size = max(float(cross_entropy(each, injected.images).mean()) for each in injected.logits)
        rounding = ROUNDING * min(float(np.abs(bounds).max()), LARGEST * size)
        by_mean, by_second, by_logits = (float(each - first) for each in (means, seconds, logits))
        return cls(float(first), by_mean, by_second, by_logits, rounding, scale, excess is not None)

    @property
    def without_logits(self) -> bool:
        """Whether the bound does not change with the decoder's outputs, not even by a small part of its rounding."""
        return self.by_logits == 0 or (self.estimated and self.near(self.by_logits, 0))

    def near(self, value: float, expected: float, more: float = 0.0) -> bool:
        """Return whether a value equals the expected one, within a relative tolerance, rounding, and `more` nats."""
        return abs(value - expected) <= EXACT * abs(expected) + self.rounding + more


def numbers(data: DataSet, rng: Rng) -> Injected:
    """Draw the numbers that the passes inject, for images of the training set."""
    images = batch_of(data, rng, BATCH)
    means = [rng.normal(BATCH, Z_DIM), 1.5 * rng.normal(BATCH, Z_DIM) + 0.5]
    levels = LEVELS * rng.uniform(0.95, 1.05, len(LEVELS))
    seconds = [levels[_shuffled(rng, often)].astype(np.float32) for often in OFTEN]
    wide = [rng.uniform(-4, 4, BATCH, PIXELS) + ink * (2 * images.reshape(BATCH, PIXELS) - 1) for ink in (1, -0.5)]
    return Injected(
        images,
        np.stack([means[0], means[1], means[0], means[0]]),
        np.stack([seconds[0], seconds[0], seconds[1], seconds[0]]),
        np.stack([wide[0], wide[0], wide[0], wide[1]]).astype(np.float32),
    )


def _shuffled(rng: Rng, often: tuple[float, ...]) -> Integers:
    """Return indices of levels [B, d] in random order; `often` gives the share of each level."""
    size = BATCH * Z_DIM
    ordered = np.repeat(np.arange(len(often)), [round(share * size) for share in often])
    return ordered[rng.choice(size, size)].reshape(BATCH, Z_DIM)


@check("vae2018.noise")
def test_noise(student: Subject, data: DataSet, rng: Rng) -> None:
    """The latents are drawn from the Gaussian whose mean and spread are the encoder's first and second output."""
    injected = numbers(data, rng)
    problem = noise_problem(student.run(probes.vae2018.passes, **injected.inputs()), injected)
    expect(problem is None, problem or "")


def noise_problem(got: Evidence, injected: Injected) -> str | None:
    """Return a message for the student if z is not drawn from the encoder's Gaussian, else None."""
    parameterisation, noise = noise_of(got, injected)
    if not np.any(noise[0, 0] != 0):
        return "there is no noise: the decoder is given the mean, and z should be a draw, mean + σ · ε"
    if not got.flag("z_attached"):
        return (
            "z does not depend on the encoder's outputs in the graph: no gradient of the reconstruction reaches the "
            "encoder"
        )
    if _is_exchanged(noise[0, 0], injected):
        return "the encoder returns the spread first and the mean second: return the mean first"
    problem = _spread_problem(noise, injected)
    for draw in noise[0]:
        fit = NOISE.problem(draw / parameterisation.std(_double(injected.second[0])), len(noise[0]))
        problem = problem or (fit and f"z is not drawn from a Gaussian around the mean: in units of its spread, {fit}")
    if problem is None:
        standardised = noise / parameterisation.std(_double(injected.second))[:, None]
        if CALLS.correlation(standardised[0, 0], standardised[1, 0]) is not None:
            return "two passes use the same noise: draw new noise in each, and set no random seed in forward"
    return problem


def _is_exchanged(noise: Array, injected: Injected) -> bool:
    """Return whether z is drawn around the encoder's second output, with a spread given by the first one."""
    first, second = _double(injected.mean[0]), _double(injected.second[0])
    around = first + noise - second
    with np.errstate(all="ignore"):
        return any(
            NOISE.problem(around / parameterisation.std(first)) is None for parameterisation in PARAMETERISATIONS
        )


def _spread_problem(noise: Array, injected: Injected) -> str | None:
    """Return a message for the student if the spread of z does not change with the second output, else None."""
    levels = np.unique(injected.second)
    spreads = np.array([np.sqrt(np.mean(noise[:, 0][injected.second == level] ** 2)) for level in levels])
    if not float(np.ptp(spreads)) < 0.1 * float(spreads.max()):
        return None
    seen = ", ".join(f"{spread:.2f} at {level:.2f}" for level, spread in zip(levels, spreads, strict=True))
    return (
        "the spread of z does not depend on the encoder's second output: use z = mean + σ · ε, with σ from that output "
        f"(the spread is {seen})"
    )


@check("vae2018.reconstruction")
def test_reconstruction(student: Subject, data: DataSet, rng: Rng) -> None:
    """The reconstruction term of the bound is −log p(x|z), summed over pixels and averaged over images.

    It is the binary cross-entropy between the pixels and the decoder's means: Kingma & Welling 2014, appendix C.1.
    """
    injected = numbers(data, rng)
    got = student.run(probes.vae2018.passes, **injected.inputs())
    parts = parts_of(got, injected)
    expected = _by_logits(injected, cross_entropy)
    value = abs(parts.by_logits)
    if parts.near(value, abs(expected)):
        return
    slips = {
        "it is a mean over pixels, but −log p(x|z) is their sum": expected / PIXELS,
        "it is summed over the batch, but the bound is an average over images": expected * BATCH,
        "a sigmoid is applied twice: the decoder's outputs are means already": _by_logits(injected, _twice),
        "the decoder's outputs are used as means without a sigmoid": _by_logits(injected, _unbounded),
        "this is a squared error": _by_logits(injected, _squared),
        "this is half a squared error": _by_logits(injected, _squared) / 2,
        "only pixels that are 1 count: the term (1 − x) · log(1 − mean) is missing": _by_logits(injected, _ones),
        "only pixels that are 0 count: the term x · log(mean) is missing": _by_logits(injected, _zeros),
        "its arguments are exchanged: the means come first, then the images": _by_logits(injected, _exchanged),
    }
    slip = next((slip for slip, wrong in slips.items() if parts.near(value, abs(wrong))), "")
    if parts.without_logits:
        slip = "it does not depend on the decoder's outputs"
    elif abs(value * PIXELS * BATCH / expected) < MOST_ROUNDED:  # so small that rounding hides its size
        slip = "it is a mean over pixels that is divided by the number of images again, but −log p(x|z) is a sum"
    fail(
        f"the bound's reconstruction is not the binary cross-entropy{slip and f' ({slip})'}",
        expected=f"a change of {abs(expected):.5g} nats when the decoder's outputs change",
        got=f"{value:.5g}",
    )


@check("vae2018.divergence")
def test_divergence(student: Subject, data: DataSet, rng: Rng) -> None:
    """The divergence in the bound is the KL divergence of the Gaussian that the latents are drawn from.

    KL(N(mean, σ²) ‖ N(0, I)) = Σ ½ (σ² + mean² − 1) − log σ: Kingma & Welling 2014, appendix B.
    """
    injected = numbers(data, rng)
    got = student.run(probes.vae2018.passes, **injected.inputs())
    parts = parts_of(got, injected)
    if divergence_in(parts, got, injected) is None:
        drawn, _ = noise_of(got, injected)
        by_mean, by_second = _mean_term(injected), _spread_term(injected, drawn)
        fail(
            f"the bound's divergence is not the KL divergence{_divergence_slip(parts, injected, drawn)}",
            expected=f"changes of {by_mean:.5g} nats with the means and of {by_second:.5g} nats with the spread",
            got=f"{parts.by_mean:.5g} and {parts.by_second:.5g}",
        )


def divergence_in(parts: Parts, got: Evidence, injected: Injected) -> Parameterisation | None:
    """Return the parameterisation of which the bound contains the KL divergence, with either sign; None if it has none.

    It must be the one that z is drawn with. If z is not drawn with any, the check `vae2018.noise` says so, and here the
    divergence may be that of any known parameterisation.
    """
    for parameterisation in _allowed(got, injected):
        more = parameterisation.uncertainty(_double(injected.second[0])) + parameterisation.uncertainty(
            _double(injected.second[2])
        )
        for sign in (1, -1):
            of_mean = parts.near(sign * parts.by_mean, _mean_term(injected))
            if of_mean and parts.near(sign * parts.by_second, _spread_term(injected, parameterisation), more):
                return parameterisation
    return None


def _allowed(got: Evidence, injected: Injected) -> Sequence[Parameterisation]:
    """Return the parameterisations that the divergence may have: that of the noise, or all if the noise is wrong."""
    return PARAMETERISATIONS if noise_problem(got, injected) else [noise_of(got, injected)[0]]


def _divergence_slip(parts: Parts, injected: Injected, drawn: Parameterisation) -> str:
    """Say what explains a wrong divergence best, if anything does: words to append to the message, or ""."""
    share = parts.by_mean / _mean_term(injected)  # how often ½ mean² counts
    no_mean, no_spread = parts.near(parts.by_mean, 0), parts.near(parts.by_second, 0)
    if no_mean and no_spread:
        return ": it does not change with the encoder's outputs"
    if no_mean:
        return ": it does not contain ½ mean²"
    factor = abs(share)
    same = parts.near(factor * _mean_term(injected), _mean_term(injected))
    meaning = _divergence_meaning(parts, injected, drawn)
    if meaning is not None:
        slips = [] if same else [_factor_slip(factor)]
        if meaning.name != drawn.name:
            name = drawn.name or "number of another kind"
            slips.append(
                "it is not that of the Gaussian that z is drawn from: it uses the encoder's second output "
                f"as a {meaning.name}, but the noise uses it as a {name}. Use one meaning in both"
            )
        return f": {'; and '.join(slips)}" if slips else ""
    if no_spread:
        return ": it does not depend on the encoder's second output"
    if not same:
        return f": ½ mean² counts {factor:.3g} times in it, and its other terms do not fit that either"
    return f": its σ is not that of the noise, which uses the second output as a {drawn.name}" if drawn.name else ""


def _divergence_meaning(parts: Parts, injected: Injected, drawn: Parameterisation) -> Parameterisation | None:
    """Return the parameterisation of the divergence, which may have any factor; None if it is no such divergence."""
    share = parts.by_mean / _mean_term(injected)
    # The Gaussian of the noise comes first: a mistake in one thing explains more than mistakes in two.
    ordered = sorted(PARAMETERISATIONS, key=lambda each: each.name != drawn.name)
    found = (each for each in ordered if parts.near(parts.by_second, share * _spread_term(injected, each)))
    return None if parts.near(parts.by_mean, 0) else next(found, None)


def meaning_of(got: Evidence, injected: Injected) -> Parameterisation | None:
    """Return what the encoder's second output means, or None if noise and divergence do not agree.

    `got` is evidence of `probes.vae2018.latents` or of `probes.vae2018.passes`.
    """
    drawn, _ = noise_of(got, injected)
    if not np.isfinite(got.tensor("bounds", finite=False)).all():
        return drawn
    paid = _divergence_meaning(parts_of(got, injected), injected, drawn)
    return drawn if paid is None or paid.name == drawn.name else None


def _factor_slip(factor: float) -> str:
    """Say for the student what a factor on a divergence that is right otherwise looks like."""
    factors = {
        2.0: "it is twice as large as it should be, as without its ½",
        1 / Z_DIM: "it is a mean over the latent dimensions, but their sum is asked for",
        float(BATCH): "it is summed over the batch, but the bound is an average over images",
        1 / BATCH: "it is divided by the number of images twice",
        1 / (Z_DIM * BATCH): "it is divided by the number of images twice, and by the number of latent dimensions",
        1 / PIXELS: "it is divided by the number of pixels, but the reconstruction is not",
    }
    nearest = min(factors, key=lambda each: abs(factor / each - 1))
    return factors[nearest] if abs(factor / nearest - 1) <= 2 * EXACT else f"it is scaled by {factor:.3g}"


@check("vae2018.bound", needs=("vae2018.reconstruction", "vae2018.divergence"))
def test_bound(student: Subject, data: DataSet, rng: Rng) -> None:
    """VAE.forward returns the average bound: the sum of reconstruction and divergence, both with the same sign."""
    injected = numbers(data, rng)
    got = student.run(probes.vae2018.passes, **injected.inputs())
    expect_encoded(
        got,
        injected.images,
        lambda other: student.again(probes.vae2018.passes, **{**injected.inputs(), "images": other}),
    )
    parts = parts_of(got, injected)
    expect(
        int(np.prod(parts.shape)) == 1,
        f"{ONE_NUMBER}: take the mean of the bounds. The other checks judge that mean, so that this costs its points "
        "only here",
        expected="a scalar",
        got=f"shape {list(parts.shape)}",
    )
    drawn = divergence_in(parts, got, injected) or noise_of(got, injected)[0]
    if parts.scale != 1:
        _expect_average(parts, student, rng)
    sign = sign_of(parts, injected)
    reconstruction = float(cross_entropy(injected.logits[0], injected.images).mean())
    divergence = float(
        (0.5 * injected.mean[0] ** 2 + drawn.spread_term(_double(injected.second[0]))).sum(axis=1).mean()
    )
    expected = sign * (reconstruction + divergence)
    if parts.near(parts.first, expected, drawn.uncertainty(_double(injected.second[0]))):
        _expect_bound_in_use(student, injected, parts, drawn)
        return
    expect(
        not parts.near(sign * parts.by_mean, -_mean_term(injected)),
        "the divergence has the wrong sign in the bound: −ELBO = reconstruction + divergence, both positive",
        expected=f"{expected:.6g}",
        got=f"{parts.first:.6g}",
    )
    away = parts.first - expected
    fail(
        "the bound is off by a constant: the divergence is ½ (σ² + mean² − 1) − log σ, including its −1, and the "
        "reconstruction has no constant",
        expected=f"{expected:.6g}",
        got=f"{parts.first:.6g}, off by {away:.4g}",
    )


def _expect_bound_in_use(student: Subject, injected: Injected, parts: Parts, drawn: Parameterisation) -> None:
    """Fail a bound that is another one in eval mode, although the outputs of both networks are the same.

    An estimated divergence depends on z, which may be the mean there, so only closed forms are compared.
    """
    if parts.estimated:
        return
    inputs = injected.inputs()
    bounds = student.run(probes.vae2018.bounds_in_use, **inputs).tensor(finite=False)
    expect(len(bounds) == PASSES and bounds.size > 0, ONE_NUMBER)
    found = bounds.reshape(PASSES, -1).mean(axis=1) / (parts.scale * sign_of(parts, injected))
    for value, mean, second, logits in zip(found, injected.mean, injected.second, injected.logits, strict=True):
        divergence = (0.5 * _double(mean) ** 2 + drawn.spread_term(_double(second))).sum(axis=1).mean()
        expected = float(cross_entropy(logits, injected.images).mean() + divergence)
        expect(
            parts.near(float(value), expected, drawn.uncertainty(_double(second))),
            "the bound in eval mode is not that of training mode, although both networks give the same outputs",
            expected=f"{expected * parts.scale:.6g}",
            got=f"{value * parts.scale:.6g}",
        )


def _expect_average(parts: Parts, student: Subject, rng: Rng) -> None:
    """Fail a bound that is `scale` times the average, unless it is a sum that the loop divides by the images."""
    scale = parts.scale
    summed = abs(scale / BATCH - 1) <= EXACT
    if summed and averages_per_image(student, rng):
        return
    if summed:
        words = (
            "it is summed over the batch, so that it depends on the number of images. Return the average over images, "
            "or divide by their number in epoch_iter"
        )
    elif abs(scale * PIXELS - 1) <= EXACT:
        words = "it is divided by the number of pixels, and a bound is in nats for each image"
    elif abs(scale * BATCH - 1) <= EXACT:
        words = "it is divided by the number of images twice"
    elif abs(scale * BATCH * PIXELS - 1) <= EXACT:
        words = "it is divided by the number of images twice, and by the number of pixels"
    else:
        words = (
            f"reconstruction and divergence are right, but both are multiplied by {scale:.4g}, as after a division by "
            f"{BATCH / scale:.5g} for {BATCH} images. Divide by the number of images in the batch"
        )
    fail(
        f"the bound is not the average over images: {words}",
        expected=f"{abs(parts.first):.6g}",
        got=f"{abs(parts.first) * scale:.6g}",
    )


@check("vae2018.bound", needs=("vae2018.reconstruction", "vae2018.divergence"))
def test_bound_before_training(student: Subject, data: DataSet, rng: Rng) -> None:
    """Before training, the bound is about 784 · log 2 = 543 nats per image, since all pixels have means near ½."""
    got = student.run(probes.vae2018.untrained, images=batch_of(data, rng, BATCH), settings=SETTINGS)
    expect(got.shape() in ((), (1,)), "VAE.forward should return one number", got=f"shape {list(got.shape())}")
    value = abs(got.number(finite=False))
    expect(
        bool(np.isfinite(value)),
        "the bound of an untrained model is not finite: some logarithm in it is taken of a number that is not positive",
        got=f"{value}",
    )
    expect(
        any(UNTRAINED[0] < each < UNTRAINED[1] for each in (value, value / BATCH)),  # a sum is judged above
        "the bound of an untrained model is not about 784 · log 2 = 543 nats",
        expected="slightly above 543",
        got=f"{value:.5g}",
    )


@check("vae2018.gradient", leaves_to=("vae2018.noise",))
def test_gradient(student: Subject, data: DataSet, rng: Rng) -> None:
    """The gradient of the bound reaches the encoder both through z and through the divergence.

    The reconstruction's gradient with respect to z is taken as given; only its way from there to the encoder is judged.
    Another check judges whether the divergence is right, so a wrong one is not held against its gradient here.
    """
    injected = numbers(data, rng)
    got = student.run(probes.vae2018.passes, **injected.inputs())
    parts = parts_of(got, injected)
    drawn, noise = noise_of(got, injected)
    expect(got.flag("bound_attached"), "the bound has no gradient: it must be a tensor that depends on the parameters")
    if not got.flag("z_attached"):
        reason = "z is not connected to the encoder's outputs in the autograd graph; vae2018.noise judges that"
        not_asked(reason, unless=("vae2018.noise",))
    weight = parts.scale * parts.by_mean / _mean_term(injected)
    names = ("z_gradient", "mean_gradient", "second_gradient")
    expect(
        all(bool(np.isfinite(got.tensor(name, finite=False)).all()) for name in names),
        "the gradient of the bound is not finite: it contains a logarithm or a square root of 0",
    )
    through_z = got.tensor("z_gradient", shape=noise[0].shape)
    expect(
        bool(np.any(through_z != 0)) and not parts.without_logits,
        "the bound does not depend on the decoder's outputs, so the model cannot learn to reconstruct images",
    )
    if not parts.estimated and _divergence_meaning(parts, injected, drawn) is None:
        _expect_more_than_through_z(got, through_z, parts)
        return
    second = _double(injected.second[0])
    std = drawn.std(second)
    # The gradients of the divergence with respect to the mean and to log σ.
    by_mean, by_log_std = _double(injected.mean[0]), std**2 - 1
    if parts.estimated:  # log q(z|x) − log p(z) depends on them through −log σ and ½ z², with z = mean + σ·ε
        z = noise[0] + by_mean
        by_mean, by_log_std = z.mean(axis=0), (z * noise[0]).mean(axis=0) - 1
    wanted = {"mean": through_z.sum(axis=0) + weight * by_mean / BATCH}
    if drawn.slope is not None and divergence_in(parts, got, injected) is drawn:
        slope = drawn.slope(second)
        wanted["second"] = ((through_z * noise[0]).sum(axis=0) + weight * by_log_std / BATCH) * slope
    for name, expected in wanted.items():
        assert_close(
            got.tensor(f"{name}_gradient"),
            expected,
            rtol=EXACT,
            atol=EXACT * float(np.abs(expected).max()),
            what="the gradient of the bound with respect to the encoder's "
            f"{'mean' if name == 'mean' else 'second output'}",
            hint="it has to flow through z and through the divergence: detach neither",
        )


def _expect_more_than_through_z(got: Evidence, through_z: Array, parts: Parts) -> None:
    """Fail a bound whose divergence, which is no known one, changes with the means and gives them no gradient."""
    found = got.tensor("mean_gradient", shape=through_z.shape[1:])
    only = np.allclose(found, through_z.sum(axis=0), rtol=EXACT, atol=EXACT * float(np.abs(through_z).max()))
    expect(
        parts.near(parts.by_mean, 0) or not only,
        "no gradient of the divergence reaches the encoder's mean: do not detach it",
    )


# Reading the evidence of the passes


def noise_of(got: Evidence, injected: Injected) -> tuple[Parameterisation, Array]:
    """Return the parameterisation that z is drawn with, and z − mean [K, draws, B, d].

    Raises Mismatch if there is no z.
    """
    expect_seen(got)
    z = got.tensor("z", shape=(PASSES, UpTo(MOST_DRAWS), BATCH, Z_DIM))
    expect(z.shape[1] > 0, "the decoder is called without any z")
    noise = z - injected.mean[:, None]
    return parameterisation_of(noise[:, 0], _double(injected.second), ALPHA / 3), noise


def expect_seen(got: Evidence) -> None:
    """Fail unless VAE.forward called its encoder and its decoder."""
    expect(got.integer("encoder_seen") > 0, "VAE.forward never calls its encoder: self.encoder(images)")
    expect(got.integer("decoder_seen") > 0, "VAE.forward never calls its decoder: self.decoder(z)")


def parts_of(got: Evidence, injected: Injected) -> Parts:
    """Return the parts of the bound, from the differences between passes.

    Raises Mismatch if a bound is not a finite number.

    A bound whose divergence is estimated from the draw is recognised, and converted to the closed form.
    """
    expect_seen(got)
    bounds = got.tensor("bounds", finite=False)
    shape = bounds.shape[1:]
    expect(len(bounds) == PASSES and bounds.size > 0, ONE_NUMBER, expected="a scalar", got=f"shape {list(shape)}")
    expect(
        bool(np.isfinite(bounds).all()),
        "the bound is not a finite number: some logarithm in it is taken of a number that is not positive, such as a "
        "logit, or an output of the encoder that may have either sign",
        got=f"{bounds[0].mean()}",
    )
    return replace(_parts_of(bounds.reshape(PASSES, -1).mean(axis=1), got, injected), shape=shape)


def _parts_of(bounds: Array, got: Evidence, injected: Injected) -> Parts:
    drawn, noise = noise_of(got, injected)
    excess, allowed = _excess(drawn, noise, injected), _allowed(got, injected)
    plain = Parts.of(bounds, injected)
    for scale in (1.0, *_scales(plain, injected)):
        candidates = (Parts.of(bounds, injected, scale=scale, excess=each) for each in (None, excess, -excess))
        for parts in candidates:
            if any(_fits(parts, each, injected) for each in allowed):
                return parts
    summed = Parts.of(bounds, injected, scale=BATCH)
    return summed if _is_summed(plain, summed, injected) else plain


def _scales(plain: Parts, injected: Injected) -> list[float]:
    """Return factors that the whole bound may have: those that are usual, and that of its reconstruction."""
    found = abs(plain.by_logits / _by_logits(injected, cross_entropy))
    return [float(BATCH), 1 / PIXELS, *([found] if found > LEAST_SCALE else [])]


def _is_summed(plain: Parts, summed: Parts, injected: Injected) -> bool:
    """Return whether a bound that has another mistake in its divergence is also a sum over the batch."""
    right = abs(_by_logits(injected, cross_entropy))
    term = _mean_term(injected)
    with np.errstate(divide="ignore"):
        nearer = abs(np.log(abs(summed.by_mean / term))) < abs(np.log(abs(plain.by_mean / term)))
    return summed.near(abs(summed.by_logits), right) and bool(nearer)


def _excess(drawn: Parameterisation, noise: Array, injected: Injected) -> Array:
    """Return how log q(z|x) − log p(z) differs from its expectation, the divergence, as averages over each pass [K]."""
    with np.errstate(all="ignore"):
        mean, std = injected.mean[:, None].astype(np.float64), drawn.std(_double(injected.second))[:, None]
        sampled = 0.5 * (noise + mean) ** 2 - 0.5 * (noise / std) ** 2 - np.log(std)
        exact = 0.5 * (std**2 + mean**2 - 1) - np.log(std)
        return np.asarray((sampled - exact).sum(axis=-1).mean(axis=(1, 2)))


def _fits(parts: Parts, drawn: Parameterisation, injected: Injected) -> bool:
    """Return whether a bound is right for the Gaussian that z is drawn from, up to its sign and a constant."""
    more = sum(drawn.uncertainty(_double(second)) for second in (injected.second[0], injected.second[2]))
    return any(
        parts.near(sign * parts.by_logits, _by_logits(injected, cross_entropy))
        and parts.near(sign * parts.by_mean, _mean_term(injected))
        and parts.near(sign * parts.by_second, _spread_term(injected, drawn), more)
        for sign in (1, -1)
    )


def has_sign(student: Subject, data: DataSet, rng: Rng) -> bool:
    """Return whether a bound is right enough to tell whether it is the ELBO or the negative ELBO."""
    injected = numbers(data, rng)
    try:
        parts = parts_of(student.run(probes.vae2018.passes, **injected.inputs()), injected)
    except Mismatch:
        return False
    return parts.near(abs(parts.by_logits), abs(_by_logits(injected, cross_entropy)))


def sign_of(parts: Parts, injected: Injected) -> int:
    """1 if the returned bound is the negative ELBO, which grows with the reconstruction loss; −1 if it is the ELBO."""
    return 1 if parts.by_logits * _by_logits(injected, cross_entropy) > 0 else -1


def _mean_term(injected: Injected) -> float:
    squares = 0.5 * np.sum(injected.mean[:2].astype(np.float64) ** 2, axis=2).mean(axis=1)
    return float(squares[1] - squares[0])


def _spread_term(injected: Injected, parameterisation: Parameterisation) -> float:
    first, other = (
        parameterisation.spread_term(second.astype(np.float64)).sum(axis=1).mean() for second in injected.second[[0, 2]]
    )
    return float(other - first)


def _by_logits(injected: Injected, loss: Any) -> float:
    return float(loss(injected.logits[3], injected.images).mean() - loss(injected.logits[0], injected.images).mean())


def cross_entropy(logits: Floats, images: Floats) -> Array:
    """Return −log p(x|z) of each image [B] in nats, for logits [B, 784] and binary images [B, 1, 28, 28].

    Kingma & Welling 2014, appendix C.1.
    """
    logits = logits.astype(np.float64)
    return np.asarray(np.sum(np.logaddexp(0, logits) - _flat(images) * logits, axis=1))


def _twice(logits: Floats, images: Floats) -> Array:
    return cross_entropy(expit(logits.astype(np.float64)), images)


def _unbounded(logits: Floats, images: Floats) -> Array:
    clipped = np.clip(logits.astype(np.float64), 1e-7, 1 - 1e-7)
    return np.asarray(-np.sum(_flat(images) * np.log(clipped) + (1 - _flat(images)) * np.log1p(-clipped), axis=1))


def _squared(logits: Floats, images: Floats) -> Array:
    return np.asarray(np.sum((expit(logits.astype(np.float64)) - _flat(images)) ** 2, axis=1))


def _exchanged(logits: Floats, images: Floats) -> Array:
    means = expit(logits.astype(np.float64))
    return np.asarray(LOWEST * np.sum(means * (1 - _flat(images)) + (1 - means) * _flat(images), axis=1))


def _ones(logits: Floats, images: Floats) -> Array:
    return np.asarray(np.sum(_flat(images) * np.logaddexp(0, -logits.astype(np.float64)), axis=1))


def _zeros(logits: Floats, images: Floats) -> Array:
    return np.asarray(np.sum((1 - _flat(images)) * np.logaddexp(0, logits.astype(np.float64)), axis=1))


def _double(values: Floats) -> Array:
    return values.astype(np.float64)


def _flat(images: Floats) -> Array:
    return images.reshape(len(images), PIXELS).astype(np.float64)
