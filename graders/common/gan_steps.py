"""Describe a step of a GAN by its loss as a function of the scores, and the latents that its images come from."""

from __future__ import annotations

import numpy as np

from gengrade.arrays import Array, Array32
from gengrade.grading import Evidence, Mismatch, UpTo
from gengrade.grading.symptoms import Numbers
from graders.common.gan_losses import MOST_ROWS, sources
from graders.common.latents import MOST_NUMBERS
from graders.common.statistics import gaussian_fit_problems
from graders.probing.sizes import PIXELS

SCORES = np.array([-1.5, -0.5, 0.5, 1.5, 2.5])  # scores at which the slopes of losses are compared
ROUGH = 0.05  # a slope is rough if it jumps by this much between neighbouring scores, relative to the largest slope


def describe_step(which: str, images: Array32, got: Evidence) -> Numbers:
    """Describe how a step's loss depends on the scores of real and generated images, and the noise of the latter.

    The slope of a term −E f(s) is n·∂loss/∂s at each of its n scores. Slopes are compared relative to the largest, and
    the scale separately within a factor of two, since the sum and the mean of two terms are both right.
    """
    decoded, rows = (
        got.tensor("decoded", shape=(UpTo(MOST_ROWS), PIXELS)),
        got.tensor("rows", shape=(UpTo(MOST_ROWS), PIXELS)),
    )
    scores, gradients = _by_logits(got)
    if len(rows) != len(scores):
        raise Mismatch("the discriminator does not give one score for each image")
    real, fake = sources(rows, images.reshape(len(images), PIXELS).astype(np.float64), decoded)
    numbers: Numbers = {
        "size of the loss": (float(got.tensor("loss").size), 0.0),
        "generator called": (float(len(decoded) > 0), 0.0),
        "reached": (float(got["reached"].flag(which)), 0.0),
        "fakes asked": (float(fake.any()), 0.0),
    }
    if which == "discriminator":
        numbers["real asked"] = (float(real.any()), 0.0)
    kinds = {"real": real, "fake": fake, "other": ~real & ~fake}
    terms = {kind: _Term(scores[rows], gradients[rows]) for kind, rows in kinds.items()}
    numbers |= {f"{kind}: rows": (term.count / len(images), 0.01) for kind, term in terms.items()}
    return (
        numbers
        | _slopes(got, terms)
        | describe_latents(got.tensor("latents", shape=(UpTo(MOST_ROWS), UpTo(MOST_NUMBERS))))
    )


class _Term:
    """The part of a loss that depends on one kind of images: its slopes [n] at scores [n], ordered by score."""

    def __init__(self, scores: Array, gradients: Array) -> None:
        counted = gradients != 0
        self.count = int(counted.sum())
        order = np.argsort(scores[counted])
        self.scores = scores[counted][order]
        self.slopes = self.count * gradients[counted][order]

    @property
    def at_scores(self) -> Array:
        return np.interp(SCORES, self.scores, self.slopes) if self.count else np.zeros(len(SCORES))

    def is_rough(self, scale: float) -> bool:
        """Return whether images with nearly equal scores are treated differently."""
        if self.count < 3:
            return False
        middle = [
            np.interp(s, pair, slope)
            for s, pair, slope in zip(
                self.scores[1:-1],
                np.stack([self.scores[:-2], self.scores[2:]], axis=1),
                np.stack([self.slopes[:-2], self.slopes[2:]], axis=1),
                strict=True,
            )
        ]
        return float(np.quantile(np.abs(self.slopes[1:-1] - np.array(middle)), 0.9)) > ROUGH * scale

    @property
    def rise(self) -> float:
        """The mean over rows of the term's value minus its value at score 0, by integrating its slope."""
        if not self.count:
            return 0.0
        s = np.sort(np.append(self.scores, 0.0))
        slopes = np.interp(s, self.scores, self.slopes)
        integral = np.concatenate([[0.0], np.cumsum((slopes[1:] + slopes[:-1]) / 2 * np.diff(s))])
        return float(np.mean(np.interp(self.scores, s, integral)) - np.interp(0.0, s, integral))


def _slopes(got: Evidence, terms: dict[str, _Term]) -> Numbers:
    scale = max(float(np.abs(term.at_scores).max()) for term in terms.values())
    if scale == 0:
        return {}
    numbers: Numbers = {"scale": (float(np.log2(scale)), 1.1)}
    rough = {kind for kind, term in terms.items() if term.is_rough(scale)}
    for kind, term in terms.items():
        if kind in rough:
            numbers[f"{kind}: rough"] = (1.0, 0.0)
        elif term.count:
            numbers[f"{kind}: slopes"] = (term.at_scores / scale, 0.03)
    if not rough and got.tensor("loss").size == 1:
        rise = sum(term.rise for term in terms.values())
        numbers["loss at scores of 0"] = ((got.number("loss") - rise) / scale, 0.06)
    return numbers


def _by_logits(got: Evidence) -> tuple[Array, Array]:
    """Return the scores [R] as logits with the gradients [R] by them, converted if they are probabilities."""
    scores, gradients = (got.tensor(name, shape=(UpTo(MOST_ROWS),)) for name in ("scores", "gradients"))
    if not got.flag("bounded"):
        return scores, gradients
    p = np.clip(scores, 1e-7, 1 - 1e-7)
    return np.log(p / (1 - p)), gradients * p * (1 - p)


def describe_latents(latents: Array) -> Numbers:
    """Describe whether latents [N, d] are drawn from N(0, I), or else their distribution."""
    if len(latents) < 10:
        return {"latents": (float(len(latents)), 0.0)}
    if gaussian_fit_problems(latents) is None:
        return {"latents from N(0, I)": (1.0, 0.0)}
    distinct = len(np.unique(latents, axis=0))
    numbers: Numbers = {"distinct latents": (distinct / len(latents), 1e-3)}
    if distinct > 1:
        # Six standard errors for draws with a standard deviation of about 1.
        error, spread = 6 / np.sqrt(latents.size), float(np.sqrt(np.mean(latents**2)))
        numbers |= {
            "mean": (float(latents.mean()) / max(spread, 1e-9), error),
            "spread": (spread, error * spread),
            "near zero": (float(np.mean(np.abs(latents) < spread / 2)), error / 2),
        }
    return numbers
