"""Recognises a GAN's losses from its discriminator's scores, and names the mistake in a loss that is not right.

Goodfellow et al. 2014, with D(x) = σ(s(x)), softplus(s) = log(1 + eˢ) = −log(1 − σ(s)) and softplus(−s) = −log σ(s):

    discriminator     −E log D(x) − E log(1 − D(G(z)))  =  E softplus(−s_real) + E softplus(s_fake)
    generator         −E log D(G(z))                    =  E softplus(−s_fake)         (non-saturating)
    generator          E log(1 − D(G(z)))               = −E softplus(s_fake)          (saturating: see question 2.2)

Decisions where the assignment is silent:

- The sum of the discriminator's two terms and their mean are both right, and so is half of the generator's loss: Adam's
  steps do not depend on a constant factor. A sum over the batch is a mistake, since it is not an expectation. If both
  losses are summed, or multiplied by the same factor, this is one mistake, which the generator's check is about.
- Labels may be exchanged (real 0, fake 1) if both steps do it. If only one step does, the mistake is in that step.
- Labels may be smoothed, constantly or at random and for either class, by up to 0.3 (real labels also up to 1.2): the
  page of hints that the assignment links to recommends it. The labels are computed from the gradients of the binary
  cross-entropy: d BCE/ds = (σ(s) − label) / n.
- Images may be scaled, augmented and given noise before the discriminator sees them, as long as it sees all of the real
  batch and about as many generated images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.special import expit

from gengrade.arrays import Array, Floats, Mask
from gengrade.grading import Evidence, UpTo, expect, fail, not_asked
from graders.common.distances import correlations, nearest, squared_distances
from graders.common.matching import LIKE, Likeness
from graders.probing.sizes import PIXELS

Labels = Literal["usual", "exchanged", "unknown"]

MOST_ROWS = 4_096  # most images that one step may score or generate: 64 batches of the checks' size
OPPOSITE: dict[Labels, Labels] = {"usual": "exchanged", "exchanged": "usual", "unknown": "unknown"}

NEAR = 0.9  # largest distance of a row from a generated image, relative to the usual distance of two real images
UNSURE = 0.1  # largest share of rows that may be changed beyond recognition, and count like the rows beside them
FEWEST_FAKES = 0.5  # least number of generated images that are scored for each real image of the batch
FEWEST_KINDS = 0.25  # least share of the generated images that have to be among the scored ones

MOST_DIRECTIONS = 100  # most directions in which the generator's images are changed
SAME_SLOPE = 0.1  # largest error of the loss's slopes by its gradient; those of right steps are 1,000 times as small
LEAST_PASSED = 0.01  # least share of a gradient's norm that reaches the images, where no slopes can be compared

RTOL, ATOL = 1e-3, 1e-4
SMOOTHING = 0.3  # a label may differ from 0 or 1 by this much, towards the other class
OVERSHOOT = 0.2  # the label of a real image may exceed 1 by this much
SLACK = 0.01  # tolerance on labels that are computed from float32 gradients


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen of one training step: its loss, the discriminator's scores, and the loss's gradient by them.

    Attributes:
        loss: the number that the step returned.
        scores: [R], the discriminator's outputs for the R images that the step showed it.
        gradients: [R], ∂loss/∂score.
        fake: [R], whether an image was generated.
        real: [R], whether an image comes from the real batch. An image that is neither could not be attributed.
        bounded: whether the scores are probabilities, because the discriminator ends in a sigmoid.
        unmet: what is wrong, for the student, if some of the real images are not scored; else None.
        few: what is wrong, for the student, if too few of the generated images are scored; else None.
    """

    loss: float
    scores: Array
    gradients: Array
    fake: Mask
    real: Mask
    bounded: bool = False
    unmet: str | None = None
    few: str | None = None

    def views(self, sign: int = 1) -> Iterable[Observed]:
        """Yield the step with its scores as logits and, if they are probabilities, also converted into logits.

        With `sign` −1 the scores are negated, as if they were those of the opposite class (for exchanged labels).
        """
        yield replace(self, scores=sign * self.scores, gradients=sign * self.gradients)
        if self.bounded:
            p = np.clip(self.scores, 1e-7, 1 - 1e-7)
            slope = p * (1 - p)
            yield replace(self, scores=sign * np.log(p / (1 - p)), gradients=sign * slope * self.gradients)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a step's loss is right.

    Attributes:
        labels: whether real images have label 1 ("usual") or 0 ("exchanged"); "unknown" if the loss is not right.
        mistake: None if the loss is right, else what is wrong with it, for the student; empty if that is not known.
        expected: the right value of the loss, if it could be computed.
    """

    labels: Labels
    mistake: str | None = None
    expected: float | None = None


def observed_step(step: Evidence, images: Floats, injected: Floats) -> Observed:
    """Convert the evidence of a probe of one training step, and checks that it is consistent.

    Args:
        step: evidence of the probe: loss, rows, scores, gradients, decoded images and whether scores are bounded.
        images: the real batch, [B, 1, 28, 28].
        injected: [S], the logits that replaced the discriminator's scores, in the order of its calls.

    Raises Mismatch if the loss is not one number, or if the networks were not called as a GAN's step calls them.
    """
    expect(step["loss"].shape() == (1,), "the loss is not a single number", got=f"shape {list(step['loss'].shape())}")
    real = images.reshape(len(images), -1).astype(np.float64)
    rows = step.tensor("rows", shape=(UpTo(MOST_ROWS), real.shape[1]))
    scores, gradients = (step.tensor(name, shape=(UpTo(MOST_ROWS),)) for name in ("scores", "gradients"))
    expect(len(rows) > 0, "the step never calls the discriminator")
    expect(len(rows) == len(scores) == len(gradients), "the discriminator does not give one score for each image")
    bounded = step.flag("bounded")
    expect(
        are_injected(scores, expit(injected) if bounded else injected),
        "the step does not use the discriminator's scores as they are: pass them to the loss unchanged",
    )
    fake = decoded_images(step)
    from_real, from_fake = sources(rows, real, fake)
    unmet, few = unmet_images(rows[from_real], real), too_few_fakes(rows[from_fake], fake, len(real))
    return Observed(step.number("loss"), scores, gradients, from_fake, from_real, bounded, unmet, few)


def expect_passed_on(slopes: Array) -> None:
    """Fail a generator's step whose images get another gradient than that with which the loss follows them.

    Args:
        slopes: evidence of `graders.probing.passage.slopes`, [2, directions]. Both rows of a right answer are the same,
            whatever happens to the images before the discriminator is given them. A single column holds two norms.
    """
    wanted, found = slopes
    if slopes.shape[1] == 1:
        right = bool(found[0] >= LEAST_PASSED * wanted[0])
    else:
        right = float(np.linalg.norm(found - wanted)) <= SAME_SLOPE * float(np.linalg.norm(wanted))
    expect(
        right,
        "the gradient that reaches the generator's images is not that of the loss: give them to the discriminator as "
        "the generator returns them, without detaching them or a part of them",
    )


def are_injected(scores: Array, injected: Floats) -> bool:
    """Return whether `scores` [R] are consecutive entries of `injected` [S].

    Only the first is compared if R is too large.
    """
    start = int(np.abs(injected - scores[0]).argmin())
    expected = injected[start : start + len(scores)]
    if len(expected) < len(scores):
        expected = expected[:1]
    return bool(np.allclose(scores[: len(expected)], expected, rtol=1e-3, atol=1e-3))


def decoded_images(result: Evidence) -> Array:
    """Return the images [N, 784] that the generator gave; raises Mismatch if it was never called."""
    decoded = result.tensor("decoded", shape=(UpTo(MOST_ROWS), PIXELS))
    expect(len(decoded) > 0, "the generator is never called")
    return decoded


def softplus(s: Array) -> Array:
    """Return log(1 + eˢ), without overflow."""
    return np.logaddexp(0.0, s)


def sources(rows: Array, real: Array, fake: Array) -> tuple[Mask, Mask]:
    """Attribute images to the real or the generated batch.

    Since students may add noise to the discriminator's input, or augment it, a row belongs to the image with which it
    is most correlated. Generated images may be nearly constant, so that noise hides them: a row that is nearer to one
    of them than real images usually are to each other is generated, too. A few rows that resemble nothing belong to the
    batch of the row before or after them, since batches are shown as a whole.

    Args:
        rows: [R, d], the images that the discriminator was shown.
        real: [n, d]. fake: [m, d].

    Returns:
        Two masks [R]: which rows are real, and which are generated. A row may be neither.
    """
    like_real, like_fake = (_largest(rows, images) for images in (real, fake))
    from_real = (like_real >= LIKE) & (like_real > like_fake)
    usual = float(np.sqrt(np.median(squared_distances(real, real))))
    near = nearest(rows, fake)[1] <= NEAR * usual if len(fake) else np.zeros(len(rows), dtype=np.bool_)
    from_fake = ~from_real & ((like_fake >= LIKE) | near)
    rest = ~from_real & ~from_fake
    from_real[rest] = Likeness.of(rows[rest], real).resembling
    from_fake[rest] = ~from_real[rest] & Likeness.of(rows[rest], fake).resembling
    unknown = ~from_real & ~from_fake
    if 0 < unknown.sum() <= UNSURE * len(rows):
        known = np.flatnonzero(~unknown)
        for row in np.flatnonzero(unknown):
            beside = known[np.abs(known - row).argmin()]
            from_real[row], from_fake[row] = from_real[beside], from_fake[beside]
    return from_real, from_fake


def unmet_images(rows: Array, real: Array) -> str | None:
    """Say what is wrong if `rows` [R, d] are not all images of the real batch [n, d]; else returns None."""
    likeness = Likeness.of(rows, real)
    if likeness.met >= likeness.least_met:
        return None
    return f"the discriminator is shown only {likeness.met} of the {len(real)} real images of the batch"


def too_few_fakes(rows: Array, fake: Array, wanted: int) -> str | None:
    """Say what is wrong if `rows` [R, d] come from too few of the generated images [m, d]; else returns None.

    Noise on nearly constant images makes them indistinguishable, so rows count as different if they are so in any way.

    Args:
        wanted: the number of images in the real batch.
    """
    if len(rows) < FEWEST_FAKES * wanted:
        return f"the discriminator is shown only {len(rows)} generated images, for {wanted} real ones"
    kinds, different = (len(np.unique(each, axis=0)) for each in (fake, rows))
    if different < FEWEST_KINDS * min(kinds, wanted):
        return f"the discriminator is shown only {different} of {kinds} different generated images, again and again"
    return None


def judge_generator(step: Observed, exchanged: bool = False) -> Verdict:
    """Judge the generator's loss: −E log D(G(z)), Goodfellow et al. 2014, section 3.

    Args:
        step: the generator's step.
        exchanged: whether the discriminator's step labels real images 0 and generated ones 1.
    """
    verdict = _best([_generator(view) for view in step.views(-1 if exchanged else 1)])
    return replace(verdict, labels=OPPOSITE[verdict.labels]) if exchanged else verdict


def judge_discriminator(step: Observed) -> Verdict:
    """Judge the discriminator's loss: −E log D(x) − E log(1 − D(G(z))), Goodfellow et al. 2014, equation 1."""
    return _best([_discriminator(view) for view in step.views()])


def excess(step: Observed, judge: Callable[[Observed], Verdict]) -> float | None:
    """By which factor a loss is too large, if it is right otherwise; None if it is right, or wrong in another way.

    A sum over the batch has the number of images as its factor.

    Args:
        step: a step of one network.
        judge: judges the loss of this network.
    """
    verdict = judge(step)
    if verdict.mistake is None:
        return None
    factors = [float(step.fake.sum())]
    if verdict.expected and step.loss / verdict.expected > 0:
        factors.append(step.loss / verdict.expected)
    return next((each for each in factors if each > 0 and judge(divided(step, each)).mistake is None), None)


def shared_excess(discriminators: Observed, generators: Observed | None) -> float | None:
    """Return the factor by which a discriminator's loss is too large, if the generator's is so by the same one.

    Else None.

    That is one mistake. A discriminator's loss may be a sum of two terms or their mean, so it may have half the factor.

    Args:
        discriminators: a step of the discriminator.
        generators: a step of the generator; None if it cannot be judged.
    """
    factor = excess(discriminators, judge_discriminator)
    other = excess(generators, judge_generator) if factor and generators else None
    if factor is None or other is None or not any(abs(factor * each / other - 1) < RTOL for each in (0.5, 1, 2)):
        return None
    return factor


def expect_no_excess(generators: Observed, discriminators: Observed | None) -> None:
    """Fail a generator's loss that is right but for a factor, and says if the discriminator's loss has it, too."""
    factor = excess(generators, judge_generator)
    if factor is None:
        return
    both = discriminators is not None and shared_excess(discriminators, generators) is not None
    fail(
        f"the loss is not right: {'both losses are' if both else 'the loss is'} {excess_words(generators, factor)}",
        got=f"{generators.loss:.4f}",
        expected=f"{generators.loss / factor:.4f}",
    )


def leave_to_generator(discriminators: Observed, factor: float | None, check: str) -> None:
    """End a check of the discriminator's loss whose only mistake is a factor that the generator's loss has, too.

    `check` is the check of the generator's loss.
    """
    if factor is not None:
        not_asked(
            f"both losses are {excess_words(discriminators, factor)}. This one mistake costs the points of the "
            "generator's loss only; otherwise, this loss is right",
            unless=(check,),
        )


def divided(step: Observed, factor: float) -> Observed:
    """Return the step as it would be with its loss divided by a factor."""
    return replace(step, loss=step.loss / factor, gradients=step.gradients / factor)


def excess_words(step: Observed, factor: float) -> str:
    """Return what multiplies a loss by a factor, for the student, to follow "the loss is"."""
    if _equals(factor, float(step.fake.sum())):
        return "summed over the batch, but an expectation is estimated by the mean"
    return f"{factor:.4g} times too large" if factor > 1 else f"multiplied by {factor:.4g}"


def _best(verdicts: list[Verdict]) -> Verdict:
    """Return a verdict without a mistake if there is one, else preferably one whose mistake is known."""
    return min(verdicts, key=lambda verdict: (verdict.mistake is not None, verdict.mistake == ""))


def _generator(step: Observed) -> Verdict:
    s, real = step.scores[step.fake], step.scores[step.real]
    if len(s) == 0:
        return Verdict("unknown", "the step never asks the discriminator about generated images")
    right, other = float(softplus(-s).mean()), float(softplus(s).mean())
    labels = _labels(step, [(step.fake, 1.0)])
    if labels:
        return Verdict(labels, step.few, right)
    mistakes: list[tuple[str, float]] = [
        (
            "this is the saturating loss, E log(1 − D(G(z))): its gradient vanishes when the discriminator recognises "
            "every fake; minimise −E log D(G(z)) instead",
            -other,
        ),
        ("the sign is wrong: minimising E log D(G(z)) makes the fakes worse", -right),
        ("the loss is summed over the batch, but an expectation is estimated by the mean", right * len(s)),
        (
            "a sigmoid is applied twice: the loss expects logits, but is given probabilities",
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
            ("the real images should not be in the generator's loss", loss_real + right),
            ("the real images should not be in the generator's loss", (loss_real + right) / 2),
            ("this is the loss on the real images, which does not depend on the generator", loss_real),
            *(
                (
                    "this is the negative of the discriminator's loss, whose gradient vanishes when every fake is "
                    "recognised (the saturating loss); minimise −E log D(G(z)) instead",
                    -(loss_real + other) / terms,
                )
                for terms in (1, 2)
            ),
            ("the real images should not be in the generator's loss", loss_other + right),
            ("the real images should not be in the generator's loss", (loss_other + right) / 2),
        ]
    return Verdict("unknown", _named(step.loss, mistakes) or _multiple(step.loss, right) or "", right)


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
        return Verdict(labels, step.unmet or step.few, right)
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
        ("one of the two terms is subtracted from the other: the loss is their sum", real_1 - fake_0),
        ("one of the two terms is subtracted from the other: the loss is their sum", fake_0 - real_1),
        ("the term of the generated images is E log D(G(z)): it should be −E log(1 − D(G(z)))", real_1 - fake_1),
        ("the term of the real images is E log(1 − D(x)): it should be −E log D(x)", fake_0 - real_0),
        ("the loss is summed over the batch, but an expectation is estimated by the mean", n * real_1 + m * fake_0),
        ("a sigmoid is applied twice: the loss expects logits, but is given probabilities", twice_1 + twice_0),
        ("a sigmoid is applied twice: the loss expects logits, but is given probabilities", (twice_1 + twice_0) / 2),
        (
            "1 − logit is not the logit of 1 − D: use a label of 0, or the negative logit",
            real_1 + float(softplus(fake - 1).mean()),
        ),
        ("this is the difference of mean scores (a Wasserstein loss)", float(fake.mean() - real.mean())),
        ("this is a squared error (a least-squares GAN)", float(np.mean((real - 1) ** 2) + np.mean(fake**2))),
    ]
    return Verdict("unknown", _named(step.loss, mistakes) or _multiple(step.loss, right) or "", right)


def _labels(step: Observed, groups: list[tuple[Mask, float]]) -> Labels | None:
    """Return which labels a binary cross-entropy used; None if the loss is no such cross-entropy.

    The labels are computed from the gradients, then the loss from the labels: it may be the sum or the mean of the
    groups' means, or the mean over all rows.

    Args:
        groups: for each class, a mask [R] of its rows and its usual label.
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
    """Return whether all of the labels are `label` (0 or 1), up to the smoothing that is accepted."""
    low, high = (1 - SMOOTHING, 1 + OVERSHOOT) if label else (0.0, SMOOTHING)
    return bool(np.all(labels >= low - SLACK) and np.all(labels <= high + SLACK))


def _equals(value: float, *candidates: float) -> bool:
    return any(abs(value - candidate) <= ATOL + RTOL * abs(candidate) for candidate in candidates)


def _named(value: float, mistakes: list[tuple[str, float]]) -> str | None:
    return next((name for name, candidate in mistakes if _equals(value, candidate)), None)


def _multiple(value: float, right: float) -> str | None:
    """Say by which integer factor the loss is too large; None if it is no such multiple."""
    factor = value / right if right else 0.0
    if factor > 0 and _equals(factor, float(np.round(factor))) and factor < 1e6:
        return f"the loss is {np.round(factor):.0f} times too large"
    return None


def _largest(rows: Array, images: Array) -> Array:
    """Return the largest correlation [R] of each row [R, d] with an image [n, d]; 0 if n is 0."""
    return correlations(rows, images).max(axis=1) if len(images) else np.zeros(len(rows))
