"""Checks of a VAE and a conditional VAE of fully connected layers, with two heads and a loss on probabilities.

An encoder of three layers with ReLUs, two linear heads, and a decoder of three layers with ReLUs, one more, and a
sigmoid (EECS 498). Left open by the hand-out, and decided for the student:

- the number of hidden units; how the layers are written, and where the images become flat or square again;
- whether the conditional encoder takes the labels before or behind the pixels; its decoder takes latents and then
  labels, as the given notebook calls it;
- whether `forward` calls the student's function for the draw, or draws itself;
- a loss may be a tensor with one element, and may change its arguments in place, which the given loop uses no more;
- a forward may fail, or leave something out: then the layers are judged by running the networks on their own.

A mistake in the draw is judged by `vae.reparameterize`: where `forward` calls that function, a known draw takes its
place.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pytest
from scipy.special import expit

from gengrade.arrays import Array, Array32, Pixels
from gengrade.data import DataSet
from gengrade.grading import (
    CheckKind,
    Evidence,
    Passed,
    Record,
    Rng,
    Show,
    Subject,
    UpTo,
    assert_close,
    check,
    expect,
    probes,
)
from graders.common.bernoulli import TINY, gaussian_kl
from graders.common.deforming import unseen
from graders.common.networks import MODES, expect_slopes
from graders.common.statistics import ALPHA, GaussianFit, declare, in_turns
from graders.probing.sizes import CLASSES, PIXELS
from graders.vae.sizes import LATENTS

DRAW: Final = "vae.reparameterize"
ROWS: Final = 6  # images of a pass in which all layers are looked at
OTHERS: Final = 4  # latents that the decoder is given on its own
BATCH: Final = 120  # images of a pass in which latents are drawn
MOST_UNITS: Final = 4_096  # most units of a hidden layer
MOST_SHAPE: Final = 4  # most axes of an image
PASSED_ON: Final = 1e-4  # tolerance on numbers that a network or a forward passes on
SAME_OUTPUT: Final = 1e-4
SLOPES: Final = {
    "mean": "the reconstructions with respect to mu",
    "logvar": "the reconstructions with respect to logvar",
    "hidden": "mu and logvar with respect to what the encoder gives",
}
# By check: z − mean in units of exp(logvar/2), of one pass, and of two passes in turns.
DRAWN: Final = {
    name: declare(name, "(z − mean) / exp(logvar/2) of a pass", GaussianFit(BATCH, LATENTS, ALPHA / 4), cases=2)
    for name in ("vae.forward", "vae.conditional_forward")
}
TWICE: Final = {
    name: declare(
        name,
        "(z − mean) / exp(logvar/2) of two passes, in turns",
        GaussianFit(2 * BATCH, LATENTS, ALPHA / 4),
        cases=2,
    )
    for name in DRAWN
}


@check("vae.loss_function")
@pytest.mark.parametrize("n", [1, 7], ids=["one image", "several"])
def test_loss_function(student: Subject, rng: Rng, n: int) -> None:
    """loss_function is the cross-entropy and the divergence, both summed, divided by the number of images.

    −Σ x log x̂ + (1 − x) log(1 − x̂), and ½ Σ exp(logvar) + mu² − 1 − logvar: Kingma & Welling 2014, appendices B and
    C.1. Its gradients by x̂, mu and logvar are judged, too.
    """
    n = n if n == 1 else rng.integer(5, 12)
    x, x_hat = rng.uniform(0, 1, n, 1, 28, 28), rng.uniform(0.05, 0.95, n, 1, 28, 28)
    mean, logvar = 3 * rng.normal(n, LATENTS), rng.uniform(-4, 3, n, LATENTS)
    got = student.run(probes.vae.headed.loss, x_hat=x_hat, x=x, mean=mean, logvar=logvar)
    expect(
        int(np.prod(got.shape("loss"))) == 1,
        "the loss should be one number: the sum of both terms, divided by the number of images",
        expected="a scalar",
        got=f"shape {list(got.shape('loss'))}",
    )
    right, gradients = right_loss(*(each.astype(np.float64) for each in (x_hat, x, mean, logvar)))
    words = "it is (Σ cross-entropy + ½ Σ (exp(logvar) + mu² − 1 − logvar)) / N, summed over pixels, latents and images"
    assert_close(got.number("loss", finite=False), right, rtol=1e-4, what="the loss", hint=words)
    expect("x_hat" in got, "the loss has no gradient: compute it with operations of torch, without detach or item")
    for name, gradient in gradients.items():
        what = f"the gradient of the loss by {'mu' if name == 'mean' else name}"
        assert_close(got[name], gradient, rtol=1e-3, atol=1e-4, what=what, hint=words)


def right_loss(x_hat: Array, x: Array, mean: Array, logvar: Array) -> tuple[float, dict[str, Array]]:
    """Return the loss of means x_hat [N, …] and images x, with its gradients by x_hat, mean and logvar, both [N, d].

    Kingma & Welling 2014, equation 10, with the likelihood of appendix C.1.
    """
    n = len(x)
    entropy = -(x * np.log(x_hat) + (1 - x) * np.log1p(-x_hat)).sum()
    divergence = 0.5 * (np.exp(logvar) + mean**2 - 1 - logvar).sum()
    gradients = {
        "x_hat": (x_hat - x) / (x_hat * (1 - x_hat)) / n,
        "mean": mean / n,
        "logvar": 0.5 * (np.exp(logvar) - 1) / n,
    }
    return float(entropy + divergence) / n, gradients


@check("vae.layers")
@pytest.mark.parametrize("training", [True, False], ids=MODES)
def test_layers(student: Subject, rng: Rng, training: bool) -> None:
    """The VAE has the layers that are asked for: three with ReLUs, two heads, three with ReLUs, one with a sigmoid."""
    _judge_layers(student, rng, conditional=False, training=training)


@check("vae.conditional_layers")
@pytest.mark.parametrize("training", [True, False], ids=MODES)
def test_conditional_layers(student: Subject, rng: Rng, training: bool) -> None:
    """The conditional VAE has the same layers, which take images with labels, and latents with labels behind them."""
    _judge_layers(student, rng, conditional=True, training=training)


def _judge_layers(student: Subject, rng: Rng, *, conditional: bool, training: bool) -> None:
    latent_size = rng.integer(41, 64)  # no usual default
    x, labels = rng.uniform(0, 1, ROWS, 1, 28, 28), _labels(rng, ROWS) if conditional else None
    latents = 2 * rng.normal(OTHERS, latent_size)
    if conditional:
        latents = np.concatenate([latents, _labels(rng, OTHERS)], axis=1)
    setting = {"x": x, "latents": latents, "labels": labels, "training": training}
    got = student.run(probes.vae.headed.layers, **setting)
    encoder, heads, decoder = (_passes(got.list(name)) for name in ("encoder", "heads", "decoder"))
    _expect_count(encoder, 3, "the encoder", "three fully connected layers")
    _expect_count(heads, 2, "the model", "two heads of one layer each, mu_layer and logvar_layer")
    _expect_count(decoder, 4, "the decoder", "four fully connected layers")
    for (_, given), name in zip(heads, ("mu_layer", "logvar_layer"), strict=True):
        _judge_head(got["mean" if name == "mu_layer" else "logvar"], given, name, latent_size)
    _expect_between([*encoder, heads[0]], "encoder", "the heads")
    _expect_between([*encoder, heads[1]], "encoder", "the heads")
    _expect_between(decoder, "decoder", "its last layer")
    _expect_given(got, latents, conditional=conditional)
    same = np.allclose(heads[0][1], heads[1][1], atol=PASSED_ON)
    expect(not same, "mu_layer and logvar_layer give the same numbers: each is a layer of its own")
    last, images = decoder[-1][1], _flat(got.tensor("decoded", finite=False), ROWS, "the decoder's images")
    expect(last.shape == images.shape, "the decoder's last layer does not give 784 numbers for each image")
    hint = "it is the sigmoid of its last layer"
    assert_close(images, expit(last), rtol=0, atol=SAME_OUTPUT, what="what the decoder gives", hint=hint)
    alone = _flat(got.tensor("others", finite=False), OTHERS, "the decoder's images of other latents")
    inside = bool((alone >= 0).all() and (alone <= 1).all())
    expect(inside, "the decoder's means leave [0, 1]: end with a sigmoid")


def _judge_head(whole: Evidence, given: Array, name: str, latent_size: int) -> None:
    """Fail a head that does not give what its linear layer gives, a number for each latent.

    Heads are judged before the layers between: with one that ends in a ReLU, half of all latents cannot be reached.
    """
    expect(
        given.shape == (ROWS, latent_size),
        f"{name} should give a number for each of the {latent_size} latents: use latent_size",
        expected=f"shape {[ROWS, latent_size]}",
        got=f"shape {list(given.shape)}",
    )
    numbers = whole.tensor(shape=given.shape, finite=False)
    negative = (
        f"{name} never gives a negative number, as behind a ReLU: mu and logvar may have either sign, so nothing "
    )
    expect(bool((numbers < 0).any()), f"{negative}follows its linear layer", expected="numbers of both signs")
    hint = "it is one linear layer, which nothing follows"
    assert_close(numbers, given, atol=PASSED_ON, what=f"what {name} gives", hint=hint)


def _expect_given(got: Evidence, latents: Array32, *, conditional: bool) -> None:
    """Fail networks whose first layers take other numbers, whose layers compute other things, or that cannot learn."""
    first = got.list("encoder")[0].tensor("taken", shape=(UpTo(ROWS), UpTo(MOST_UNITS)))
    encoded = got.tensor("encoded")
    expect(
        first.size == encoded.size and np.allclose(first.reshape(-1), encoded.reshape(-1), atol=PASSED_ON),
        "the encoder's first layer does not take what the encoder is given as it is",
    )
    others = got.tensor("others_taken", shape=(OTHERS, UpTo(MOST_UNITS)))
    expect(
        np.allclose(others, latents[:, : others.shape[1]], atol=PASSED_ON),
        "the decoder's first layer does not take the latents as they are" + (", with labels" if conditional else ""),
    )
    for layer in (each for name in ("encoder", "heads", "decoder") for each in got.list(name)):
        inputs, given = (layer.tensor(name, shape=(UpTo(ROWS), UpTo(MOST_UNITS))) for name in ("taken", "given"))
        weight = layer.tensor("weight", shape=(given.shape[1], inputs.shape[1]))
        right = inputs @ weight.T + layer.tensor("bias", shape=(given.shape[1],))
        assert_close(given, right, rtol=1e-3, atol=1e-3, what="what a fully connected layer gives, by its own weights")
    unreached = got.text("unreached")
    expect(unreached == "", f"no gradient reaches {unreached[:80]} in a pass, so that it is not trained: do not detach")


def _labels(rng: Rng, n: int) -> Array32:
    """Return random one-hot labels [n, 10]."""
    return np.eye(CLASSES, dtype=np.float32)[rng.integers(0, CLASSES, n)]


def _passes(listed: Sequence[Evidence]) -> list[tuple[Array, Array]]:
    """Return what each layer took and gave, as rows."""
    shape = (UpTo(ROWS), UpTo(MOST_UNITS))
    return [(each.tensor("taken", shape=shape), each.tensor("given", shape=shape)) for each in listed]


def _expect_count(found: Sequence[Any], wanted: int, what: str, words: str) -> None:
    expect(len(found) == wanted, f"{what} should have {words}", expected=f"{wanted}", got=f"{len(found)}")


def _expect_between(passes: Sequence[tuple[Array, Array]], network: str, last: str) -> None:
    """Fail layers that do not take the ReLU of what the layer before gave."""
    for index, ((_, given), (taken, _)) in enumerate(pairwise(passes)):
        right = np.maximum(given, 0)
        follows = taken.shape == right.shape and np.allclose(taken, right, rtol=1e-4, atol=PASSED_ON)
        missing = taken.shape == given.shape and np.allclose(taken, given, rtol=1e-4, atol=PASSED_ON)
        where = f"layer {index + 1} of the {network}" + (f", before {last}" if index == len(passes) - 2 else "")
        words = "there is no ReLU" if missing else "something else than a ReLU stands"
        expect(follows, f"{words} after {where}: each hidden layer is followed by one")


def _flat(images: Array, rows: int, what: str) -> Array:
    """Return images as rows of 784 pixels; fail other numbers of images or pixels."""
    expect(
        images.ndim <= MOST_SHAPE and images.size == rows * PIXELS and images.shape[:1] == (rows,),
        f"{what} should have 784 pixels each",
        expected=f"shape {[rows, 1, 28, 28]}",
        got=f"shape {list(images.shape)}",
    )
    return images.reshape(rows, PIXELS)


@check("vae.forward", leaves_to=(DRAW,))
@pytest.mark.parametrize("training", [True, False], ids=MODES)
def test_forward(student: Subject, rng: Rng, passed: Passed, training: bool) -> None:
    """VAE.forward encodes images, draws a latent for each, and returns its reconstruction with mu and logvar."""
    _judge_forward(student, rng, passed, "vae.forward", training=training)


@check("vae.conditional_forward", leaves_to=(DRAW,))
@pytest.mark.parametrize("training", [True, False], ids=MODES)
def test_conditional_forward(student: Subject, rng: Rng, passed: Passed, training: bool) -> None:
    """CVAE.forward does the same, and gives the labels to the encoder and, behind the latents, to the decoder."""
    _judge_forward(student, rng, passed, "vae.conditional_forward", training=training)


@check("vae.forward")
def test_gradients_of_forward(student: Subject, rng: Rng) -> None:
    """The gradients of what VAE.forward returns are its derivatives, with respect to mu and logvar."""
    _judge_slopes(student, rng, conditional=False)


@check("vae.conditional_forward")
def test_gradients_of_conditional_forward(student: Subject, rng: Rng) -> None:
    """The gradients of what CVAE.forward returns are its derivatives, with respect to mu and logvar."""
    _judge_slopes(student, rng, conditional=True)


def _judge_slopes(student: Subject, rng: Rng, *, conditional: bool) -> None:
    """Fail a model whose gradients do not predict how its answers change, as where some are reversed."""
    n = rng.integer(8, 16)
    x, labels = rng.uniform(0, 1, n, 1, 28, 28), _labels(rng, n) if conditional else None
    code = np.stack([2 * rng.normal(n, LATENTS), rng.uniform(-2, 2, n, LATENTS)])
    got = student.run(probes.vae.headed.slopes, x=x, labels=labels, code=code, noise=rng.normal(n, LATENTS))
    for name, what in SLOPES.items():
        if name == "hidden" and not got[name].tensor("predicted_slopes", finite=False).any():
            continue  # nothing reaches the encoder, which the check of the layers says
        expect_slopes(got[name], what)


def _judge_forward(student: Subject, rng: Rng, passed: Passed, name: str, *, training: bool) -> None:
    conditional = name == "vae.conditional_forward"
    n = rng.integer(BATCH, BATCH + 40)
    x, labels = rng.uniform(0, 1, n, 1, 28, 28), _labels(rng, n) if conditional else None
    mean, logvar = 2 * rng.normal(n, LATENTS), rng.uniform(-4, 2, n, LATENTS)
    noise = rng.normal(n, LATENTS)
    setting = {"x": x, "labels": labels, "code": np.stack([mean, logvar]), "noise": noise, "training": training}
    got = student.run(probes.vae.headed.forward, **setting)
    for which, right in (("mean", mean), ("logvar", logvar)):
        word = "mu" if which == "mean" else which
        hint = f"return what {word}_layer gives, as it is"
        assert_close(got[f"head_{which}"], right, atol=PASSED_ON, what=f"what {word}_layer gives in forward")
        assert_close(got[which], right, atol=PASSED_ON, what=f"the {word} that forward returns", hint=hint)
    _expect_encoded(got, x.reshape(n, PIXELS), labels)
    width = LATENTS + (CLASSES if conditional else 0)
    expect(got.shape("decoder_taken") != (0,), "forward does not call the decoder")
    taken = got.tensor("decoder_taken")
    expect(
        taken.shape == (n, width),
        "the decoder should take " + ("the latents with the labels behind them" if conditional else "the latents"),
        expected=f"shape {[n, width]}",
        got=f"shape {list(taken.shape)}",
    )
    z = taken[:, :LATENTS]
    if labels is not None:
        assert_close(taken[:, LATENTS:], labels, what="the labels behind the latents", hint="the decoder takes [z, c]")
    _expect_drawn(got, z, mean, logvar, noise, DRAWN[name])
    own = got
    if got.flag("drawn") and passed(DRAW):  # the draws are looked at with the student's own function in its place, too
        own = student.run(probes.vae.headed.forward, **{**setting, "noise": None})
        z = own.tensor("decoder_taken", shape=(n, width))[:, :LATENTS]
        _expect_drawn(own, z, mean, logvar, noise, DRAWN[name])
    if not own.flag("drawn"):
        again = own.tensor("taken_again", shape=(n, width))[:, :LATENTS]
        _expect_drawn_anew(name, [(each - mean) / np.exp(logvar / 2) for each in (z, again)])
    decoded = got.tensor("decoded").reshape(-1)
    expect(
        got.shape("x_hat") == (n, 1, 28, 28),
        "the reconstruction has the wrong shape",
        expected=f"shape {[n, 1, 28, 28]}",
        got=f"shape {list(got.shape('x_hat'))}",
    )
    hint = "return what the decoder gives"
    assert_close(got.tensor("x_hat").reshape(-1), decoded, atol=PASSED_ON, what="the reconstruction", hint=hint)
    for which in ("mean", "logvar"):
        word = "mu" if which == "mean" else which
        expect(
            got.flag(f"{which}_reached"),
            f"the reconstruction has no gradient by {word}, so that it does not train the encoder: do not detach z",
        )


def _expect_drawn_anew(name: str, passes: list[Array]) -> None:
    """Fail noise of two passes that is not independent."""
    problem = TWICE[name].problem(in_turns(*passes))
    words = "two passes do not draw independent latents: draw anew in each, without a seed"
    expect(problem is None, f"{words}. In turns, as (z − mu) / exp(logvar/2) shows, {problem}")


def _expect_encoded(got: Evidence, x: Array32, labels: Array32 | None) -> None:
    """Fail a forward whose encoder does not take the images, with the labels before or behind the pixels."""
    expect(got.shape("encoded") != (0,), "forward does not call the encoder")
    encoded = got.tensor("encoded")
    rows = encoded.reshape(len(encoded), -1)
    wanted = [x] if labels is None else [np.concatenate(each, axis=1) for each in ((x, labels), (labels, x))]
    found = any(rows.shape == each.shape and np.allclose(rows, each, atol=PASSED_ON) for each in wanted)
    expect(
        found,
        "the encoder should take "
        + ("the images" if labels is None else "the flat images with the labels beside them"),
        expected=f"{wanted[0].shape[1]} numbers for each image",
        got=f"shape {list(encoded.shape)}" + (", with other numbers" if rows.shape == wanted[0].shape else ""),
    )


def _expect_drawn(got: Evidence, z: Array, mean: Array32, logvar: Array32, noise: Array32, fit: GaussianFit) -> None:
    """Fail latents that are no draws from N(mu, exp(logvar)), or not those that the student's function would give."""
    std = np.exp(0.5 * logvar.astype(np.float64))
    if not got.flag("drawn"):
        problem = fit.problem((z - mean) / std)
        expect(problem is None, f"z is not drawn from N(mu, exp(logvar)), as (z − mu) / exp(logvar/2) shows: {problem}")
        return
    for which, right in (("mean", mean), ("logvar", logvar)):
        word = "mu" if which == "mean" else which
        what = f"the {word} that forward gives to reparametrize"
        assert_close(got[f"drawn_{which}"], right, atol=PASSED_ON, what=what)
    assert_close(z, mean + std * noise, rtol=1e-3, atol=1e-3, what="the latents that the decoder takes")


# A short training

LATENT_SIZE: Final = 15  # the hand-out's
FEW: Final = 10_000  # with fewer training images, these are shifted at random against overfitting
HELD_OUT: Final = 2_000  # most images that the loss is measured on
BUDGET: Final[dict[str, Any]] = {"latent_size": LATENT_SIZE, "steps": 1_200, "batch_size": 64}


@check("vae.held_out_loss", kind=CheckKind.TRAIN)
def test_short_training(student: Subject, data: DataSet, rng: Rng, record: Record, show: Show) -> None:
    """After a short training on your loss, the VAE's loss on held-out images is low, in nats per image."""
    record("vae.held_out_loss", _held_out_loss(student, data, rng, show, conditional=False))


@check("vae.conditional_held_out_loss", kind=CheckKind.TRAIN)
def test_short_conditional_training(student: Subject, data: DataSet, rng: Rng, record: Record, show: Show) -> None:
    """After a short training on your loss, the conditional VAE's loss on held-out images is low, in nats per image."""
    record("vae.conditional_held_out_loss", _held_out_loss(student, data, rng, show, conditional=True))


def _held_out_loss(student: Subject, data: DataSet, rng: Rng, show: Show, *, conditional: bool) -> float:
    """Return the loss on held-out images, each turned, scaled and sheared a little, so that nobody has stored it.

    A new guest encodes them, the host draws the latents, and another guest, which has the decoder's weights only and
    never saw an image, decodes them; so whatever they answer, the host's loss is one that a VAE has.
    """
    eye = np.eye(CLASSES, dtype=np.float32)
    known = data.train
    setting = {**BUDGET, "shift": 2 if len(known) < FEW else 0, "labels": eye[known.labels] if conditional else None}
    trained = student.run(probes.vae.headed.train, images=known.images[:, None], **setting)
    held_out = unseen(data.test, HELD_OUT, rng)
    labels = eye[held_out.labels] if conditional else None
    asked = {"images": held_out.images[:, None], "labels": labels, "latent_size": LATENT_SIZE}
    code = student.run(probes.vae.headed.encode, weights=trained.state("model"), **asked)
    shape = (len(held_out), LATENT_SIZE)
    mean, logvar = code.tensor("mean", shape=shape), code.tensor("logvar", shape=shape)
    divergence = float(gaussian_kl(mean, logvar / 2).mean())
    expect(np.isfinite(divergence), "after the training, logvar is so large that the variance overflows")
    z = (mean + np.exp(np.minimum(logvar, 60) / 2) * rng.generator.standard_normal(shape)).astype(np.float32)
    decoded = student.run(probes.vae.headed.decode, weights=trained.state("decoder"), z=z, labels=labels)
    means = decoded.tensor(shape=(len(z), PIXELS)).clip(TINY, 1 - TINY)
    _show(show, trained, held_out.images[:32], means[:32])
    x = held_out.images.reshape(len(z), PIXELS) / 255.0
    return divergence - float((x * np.log(means) + (1 - x) * np.log1p(-means)).sum(axis=1).mean())


def _show(show: Show, trained: Evidence, images: Pixels, means: Array) -> None:
    losses = trained.tensor("losses", shape=(BUDGET["steps"],), finite=False)
    show.curves(
        "The loss that your function returned during our short training",
        {"training": ([float(step + 1) for step in range(len(losses))], losses.tolist())},
        xlabel="step",
        ylabel="nats per image",
    )
    rows = np.stack([images / 255.0, means.reshape(-1, 28, 28)], axis=1).reshape(-1, 28, 28)
    show.images(
        "Held-out images, each beside its reconstruction", rows, columns=8, alt="images and their reconstructions"
    )
