"""The losses of a GAN from its discriminator's scores, and what is wrong with a loss that is none of them.

Goodfellow et al. 2014, with D(x) = σ(s(x)), softplus(s) = log(1 + eˢ) = −log(1 − σ(s)) and softplus(−s) = −log σ(s):

    discriminator     −E log D(x) − E log(1 − D(G(z)))  =  E softplus(−s_real) + E softplus(s_fake)
    generator         −E log D(G(z))                    =  E softplus(−s_fake)         (non-saturating)
    generator          E log(1 − D(G(z)))               = −E softplus(s_fake)          (saturating: see question 2.2)

Decisions where the assignment is silent:

- The sum of the discriminator's terms and their mean are both right, and so is half of the generator's loss: Adam
  does not feel a constant factor of that kind. A sum over the batch is not an expectation and is a mistake.
- Labels may be exchanged (real 0, fake 1) if both steps do it. When only one does, it is the one to blame.
- Labels may be smoothed, constantly or at random and on either side, by up to 0.3 (and real ones up to 1.2): the page
  of hints that the assignment links to recommends it. The labels are read back from the gradients: d BCE/ds = (σ(s) −
  label) / n.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from gengrade.grading import Evidence, UpTo, expect
from graders.common.distances import nearest

Array = NDArray[np.float64]
Labels = Literal["usual", "exchanged", "unknown"]

PIXELS = 28 * 28
MOST_ROWS = 4_096  # that a discriminator is asked about, or a generator gives: 64 batches of the checks' size
OPPOSITE: dict[Labels, Labels] = {"usual": "exchanged", "exchanged": "usual", "unknown": "unknown"}

RTOL, ATOL = 1e-3, 1e-4
SMOOTHING = 0.3  # how far a label may be from 0 or 1 inwards
OVERSHOOT = 0.2  # how far above 1 the label of a real image may be
SLACK = 0.01  # on labels that are read from float32 gradients


@dataclass(frozen=True, slots=True)
class Observed:
    """One step: the loss that it returned, the scores that it asked for, and how the loss depends on them."""

    loss: float
    scores: Array  # [R]
    gradients: Array  # [R], d loss / d score
    fake: NDArray[np.bool_]  # [R]: whether the row was generated
    real: NDArray[np.bool_]  # [R]: whether it comes from the real batch; neither: it cannot be told
    bounded: bool = False  # the scores are probabilities, by a sigmoid inside the discriminator

    def views(self, sign: int = 1) -> Iterable[Observed]:
        """The step as it is, and with probabilities turned into logits where the loss may have taken them for such.

        With `sign` −1 scores are those of the opposite class, as for exchanged labels.
        """
        yield replace(self, scores=sign * self.scores, gradients=sign * self.gradients)
        if self.bounded:
            p = np.clip(self.scores, 1e-7, 1 - 1e-7)
            slope = p * (1 - p)
            yield replace(self, scores=sign * np.log(p / (1 - p)), gradients=sign * slope * self.gradients)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a step computes. `mistake` is None when it is right, up to which labels it uses."""

    labels: Labels
    mistake: str | None = None
    expected: float | None = None


def observed_step(step: Evidence, images: NDArray[np.floating], injected: NDArray[np.floating]) -> Observed:
    """What a probe saw of a step on real `images` [B, 1, 28, 28], with the scores [S] that it was injected, in order.

    Raises Mismatch where that is no step of a GAN.
    """
    expect(step["loss"].shape() == (1,), "the loss is not a single number", got=f"shape {list(step['loss'].shape())}")
    real = images.reshape(len(images), -1).astype(np.float64)
    rows = step.tensor("rows", shape=(UpTo(MOST_ROWS), real.shape[1]))
    scores, gradients = (step.tensor(name, shape=(UpTo(MOST_ROWS),)) for name in ("scores", "gradients"))
    expect(len(rows) > 0, "the step never calls the discriminator")
    expect(len(rows) == len(scores) == len(gradients), "there is not one score for each image")
    bounded = step.flag("bounded")
    expect(
        are_injected(scores, expit(injected) if bounded else injected),
        "the scores are not those that the discriminator gave",
    )
    from_real, from_fake = sources(rows, real, decoded_images(step))
    return Observed(step.number("loss"), scores, gradients, from_fake, from_real, bounded)


def are_injected(scores: Array, injected: NDArray[np.floating]) -> bool:
    """Whether the scores [R] follow each other in `injected` [S]; or begin so, where there are too many of them."""
    start = int(np.abs(injected - scores[0]).argmin())
    expected = injected[start : start + len(scores)]
    if len(expected) < len(scores):
        expected = expected[:1]
    return bool(np.allclose(scores[: len(expected)], expected, rtol=1e-3, atol=1e-3))


def decoded_images(result: Evidence) -> Array:
    """The images [N, 784] that a generator gave. Raises Mismatch where it was never called."""
    decoded = result.tensor("decoded", shape=(UpTo(MOST_ROWS), PIXELS))
    expect(len(decoded) > 0, "the generator is never called")
    return decoded


def softplus(s: Array) -> Array:
    return np.logaddexp(0.0, s)


def sources(rows: Array, real: Array, fake: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows [R, d] come from `real` [n, d], and which from `fake` [m, d].

    Noise on a discriminator's input is a known trick, so a row belongs to its nearest image, unless that is farther
    than half of the usual distance between the two kinds.
    """
    to_real, to_fake = _nearest(rows, real), _nearest(rows, fake)
    # a negative is as far from an image as any fake
    limit = 0.5 * float(np.median(_nearest(real, fake if len(fake) else -real)))
    return (to_real < to_fake) & (to_real <= limit), (to_fake <= to_real) & (to_fake <= limit)


def judge_generator(step: Observed, exchanged: bool = False) -> Verdict:
    """The generator's loss, from the scores of generated images.

    `exchanged`: the discriminator is trained to call real images 0.
    """
    verdict = _best([_generator(view) for view in step.views(-1 if exchanged else 1)])
    return replace(verdict, labels=OPPOSITE[verdict.labels]) if exchanged else verdict


def judge_discriminator(step: Observed) -> Verdict:
    """The discriminator's loss, from the scores of real and of generated images."""
    return _best([_discriminator(view) for view in step.views()])


def _best(verdicts: list[Verdict]) -> Verdict:
    """The right one, or else one whose mistake has a name."""
    return min(verdicts, key=lambda verdict: (verdict.mistake is not None, verdict.mistake == ""))


def _generator(step: Observed) -> Verdict:
    s, real = step.scores[step.fake], step.scores[step.real]
    if len(s) == 0:
        return Verdict("unknown", "the step never asks the discriminator about generated images")
    right, other = float(softplus(-s).mean()), float(softplus(s).mean())
    labels = _labels(step, [(step.fake, 1.0)])
    if labels:
        return Verdict(labels, expected=right)
    mistakes: list[tuple[str, float]] = [
        (
            "this is the saturating loss, E log(1 − D(G(z))): its gradient vanishes just when the discriminator "
            "recognises every fake; minimise −E log D(G(z)) instead",
            -other,
        ),
        ("the sign is wrong: minimising E log D(G(z)) makes the fakes worse", -right),
        ("the loss is summed over the batch, where an expectation is its mean", right * len(s)),
        (
            "a sigmoid is applied twice: the loss takes logits and is given probabilities",
            float(softplus(-expit(s)).mean()),
        ),
        ("1 − logit is not the logit of 1 − D: use a label of 0, or the negative logit", float(softplus(s - 1).mean())),
        ("this is the mean score (a Wasserstein loss), not −E log D(G(z))", -float(s.mean())),
        ("this is a squared error (a least-squares GAN), not −E log D(G(z))", float(np.mean((s - 1) ** 2))),
        ("this is D(G(z)) itself, without its logarithm", -float(expit(s).mean())),
    ]
    if len(real):
        loss_real, loss_other = float(softplus(-real).mean()), float(softplus(real).mean())
        mistakes += [
            ("this is the discriminator's loss: the generator would learn to be recognised", loss_real + other),
            ("this is the discriminator's loss: the generator would learn to be recognised", (loss_real + other) / 2),
            ("the real images have no place in the generator's loss", loss_real + right),
            ("the real images have no place in the generator's loss", (loss_real + right) / 2),
            ("this is the loss on the real images, which the generator has no part in", loss_real),
            (
                "the discriminator's loss with its sign turned is the saturating loss",
                -(loss_real + other),
            ),
            ("the real images have no place in the generator's loss", loss_other + right),
            ("the real images have no place in the generator's loss", (loss_other + right) / 2),
        ]
    return Verdict("unknown", _named(step.loss, mistakes) or _scaled(step.loss, right) or "", right)


def _discriminator(step: Observed) -> Verdict:
    real, fake = step.scores[step.real], step.scores[step.fake]
    if len(real) == 0 or len(fake) == 0:
        unseen = "generated" if len(real) else "real"
        return Verdict("unknown", f"the discriminator is never shown the {unseen} images")
    real_1, real_0 = float(softplus(-real).mean()), float(softplus(real).mean())
    fake_1, fake_0 = float(softplus(-fake).mean()), float(softplus(fake).mean())
    n, m = len(real), len(fake)
    right = real_1 + fake_0
    labels = _labels(step, [(step.real, 1.0), (step.fake, 0.0)])
    if labels:
        return Verdict(labels, expected=right)
    twice_1, twice_0 = float(softplus(-expit(real)).mean()), float(softplus(expit(fake)).mean())
    mistakes: list[tuple[str, float]] = [
        ("only the real images count in the loss: add −E log(1 − D(G(z)))", real_1),
        ("only the real images count in the loss: add −E log(1 − D(G(z)))", real_1 / 2),
        ("only the generated images count in the loss: add −E log D(x)", fake_0),
        ("only the generated images count in the loss: add −E log D(x)", fake_0 / 2),
        ("real and generated images are both labelled real", real_1 + fake_1),
        ("real and generated images are both labelled real", (real_1 + fake_1) / 2),
        ("real and generated images are both labelled fake", real_0 + fake_0),
        ("real and generated images are both labelled fake", (real_0 + fake_0) / 2),
        ("the sign is wrong: minimising this makes the discriminator worse", -right),
        ("the sign is wrong: minimising this makes the discriminator worse", -right / 2),
        ("the two terms are subtracted, where their sum is the loss", real_1 - fake_0),
        ("the two terms are subtracted, where their sum is the loss", fake_0 - real_1),
        (
            "E log D(G(z)) stands where −E log(1 − D(G(z))) belongs, which does not vanish as they are recognised",
            real_1 - fake_1,
        ),
        (
            "E log(1 − D(x)) stands where −E log D(x) belongs, which does not vanish as they are recognised",
            fake_0 - real_0,
        ),
        ("the loss is summed over the batch, where an expectation is its mean", n * real_1 + m * fake_0),
        ("a sigmoid is applied twice: the loss takes logits and is given probabilities", twice_1 + twice_0),
        ("a sigmoid is applied twice: the loss takes logits and is given probabilities", (twice_1 + twice_0) / 2),
        (
            "1 − logit is not the logit of 1 − D: use a label of 0, or the negative logit",
            real_1 + float(softplus(fake - 1).mean()),
        ),
        ("this is the difference of mean scores (a Wasserstein loss)", float(fake.mean() - real.mean())),
        ("this is a squared error (a least-squares GAN)", float(np.mean((real - 1) ** 2) + np.mean(fake**2))),
    ]
    return Verdict("unknown", _named(step.loss, mistakes) or _scaled(step.loss, right) or "", right)


def _labels(step: Observed, groups: list[tuple[NDArray[np.bool_], float]]) -> Labels | None:
    """Which labels a cross entropy of the scores was given; None when the loss is none, or none with such labels.

    groups: for each, its rows and their usual label. The labels follow from the gradients, and then the loss from the
    labels: it may be the sum or the mean of the groups' means, or the mean over all rows.
    """
    sizes = np.array([rows.sum() for rows, _ in groups], dtype=np.float64)
    for weights in (np.ones(len(groups)), np.full(len(groups), 0.5), sizes / sizes.sum()):
        loss, usual, exchanged = 0.0, True, True
        for (rows, label), weight in zip(groups, weights, strict=True):
            s = step.scores[rows]
            found = expit(s) - len(s) * step.gradients[rows] / weight
            loss += weight * float(np.mean(softplus(s) - found * s))
            usual &= _is_near(found, label)
            exchanged &= _is_near(found, 1 - label)
        if (usual or exchanged) and _equals(step.loss, loss):
            return "usual" if usual else "exchanged"
    return None


def _is_near(labels: Array, label: float) -> bool:
    """Whether smoothed labels are still nearer to this class than the other by a margin."""
    low, high = (1 - SMOOTHING, 1 + OVERSHOOT) if label else (0.0, SMOOTHING)
    return bool(np.all(labels >= low - SLACK) and np.all(labels <= high + SLACK))


def _equals(value: float, *candidates: float) -> bool:
    return any(abs(value - candidate) <= ATOL + RTOL * abs(candidate) for candidate in candidates)


def _named(value: float, mistakes: list[tuple[str, float]]) -> str | None:
    return next((name for name, candidate in mistakes if _equals(value, candidate)), None)


def _scaled(value: float, right: float) -> str | None:
    """A factor that the loss is off by, when it is a round one."""
    factor = value / right if right else 0.0
    if factor > 0 and _equals(factor, float(np.round(factor))) and factor < 1e6:
        return f"the loss is {np.round(factor):.0f} times too large"
    return None


def _nearest(rows: Array, images: Array) -> Array:
    """The Euclidean distance of each row [R, d] to the nearest image [n, d]; infinite where there is none."""
    return nearest(rows, images)[1] if len(images) else np.full(len(rows), np.inf)
