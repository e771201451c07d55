"""Checks of written answers that a machine can judge, given as code in an optional `answers.py`.

Where the questions are silent, the student is free:
- "very small" means a divergence of at most 0.1 nats, "very large" one of at least 5 nats;
- a term of the loss may be given for each image, or as its mean or sum over the images;
- the density of question 3.1 may take either value at the ends of its support.
"""

from __future__ import annotations

import numpy as np
import pytest

from gengrade.arrays import Array
from gengrade.grading import Evidence, Rng, Subject, assert_close, check, expect, fail, probes
from graders.theory.answers import LARGE, SMALL, cross_entropy, gaussian_kl, standard_kl

HUGE = 1e150  # larger numbers have squares that overflow


@check("theory.kl_examples")
def test_kl_examples(student: Subject) -> None:
    """kl_small and kl_large are examples of a very small and a very large KL divergence (question 1.3)."""
    got = student.run(probes.theory.kl_examples)
    small, large = example_kl(got, "small"), example_kl(got, "large")
    expect(
        small <= SMALL,
        "the divergence of kl_small is not very small: it is smallest (0) if q and p are equal",
        expected=f"at most {SMALL:g} nats",
        got=f"{small:.4g} nats",
    )
    expect(
        large >= LARGE,
        "the divergence of kl_large is not very large: it is large if p is small where q is large",
        expected=f"at least {LARGE:g} nats",
        got=f"{large:.4g} nats",
    )


def example_kl(got: Evidence, name: str) -> float:
    """Return the divergence in nats of the example "small" or "large".

    Raises Mismatch if a variance is not positive, or if a number would overflow.
    """
    mu_q, mu_p, var_q, var_p = got.tensor(name, shape=(4,)).tolist()
    expect(var_q > 0 and var_p > 0, f"kl_{name} has a variance that is not positive: give (mu_q, mu_p, var_q, var_p)")
    largest = max(map(abs, (mu_q, mu_p, var_q, var_p, 1 / var_q, 1 / var_p)))
    expect(largest < HUGE, f"a number of kl_{name} is too large, or a variance too small, to compute with")
    return gaussian_kl(mu_q, mu_p, var_q, var_p)


@check("theory.loss_terms")
def test_reconstruction_term(student: Subject, rng: Rng) -> None:
    """The reconstruction term is −log p(x|z) of Bernoulli pixels, summed over an image (question 1.7)."""
    x, logits = rng.bits(6, 40), 2 * rng.normal(6, 40)
    expected = cross_entropy(x, logits)
    got = student.run(probes.theory.reconstruction_loss, x=x, logits=logits)
    assert_term(
        got, expected, "the reconstruction loss", "it is the cross-entropy of x and sigmoid(logits), summed over pixels"
    )


@check("theory.loss_terms")
def test_regularization_term(student: Subject, rng: Rng) -> None:
    """The regularization term is KL(q(z|x) ‖ N(0, I)), summed over the latent dimensions (question 1.7)."""
    mean, log_std = rng.normal(6, 5).astype(np.float64), 0.5 * rng.normal(6, 5).astype(np.float64)
    expected = standard_kl(mean, log_std)
    got = student.run(
        probes.theory.regularization_loss, mean=mean.astype(np.float32), log_std=log_std.astype(np.float32)
    )
    assert_term(
        got,
        expected,
        "the regularization loss",
        "log_std is the logarithm of a standard deviation, so σ² is exp(2·log_std)",
    )


def assert_term(got: Evidence, expected: Array, what: str, hint: str) -> None:
    """Fail a term of the loss that is wrong; it may be given for each image, or as the mean or the sum over images.

    Args:
        expected: the right term for each image, [B].
        what: the term's name. hint: what to look at, for the student.
    """
    if got.shape() == ():
        value = float(got.tensor(shape=()))
        candidates = (float(expected.mean()), float(expected.sum()))
        nearest = min(candidates, key=lambda candidate: abs(candidate - value))
        assert_close(got, nearest, what=f"{what} (mean or sum)", hint=hint)
    else:
        assert_close(got, expected, what=what, hint=hint)


@check("theory.gan_value")
def test_gan_value(student: Subject) -> None:
    """gan_value is the value of the GAN's objective at convergence (question 2.1b).

    −log 4: Goodfellow et al. 2014, theorem 1. Two decimals are enough.
    """
    got = student.run(probes.theory.gan_value)
    hint = "at convergence, D(x) is 1/2 for real and generated images alike"
    assert_close(got, -float(np.log(4)), rtol=0, atol=0.01, what="gan_value", hint=hint)


@check("theory.cubic_density")
@pytest.mark.parametrize("case", ["positive", "negative", "straddling zero"])
def test_cubic_density(student: Subject, rng: Rng, case: str) -> None:
    """cubic_density is the density of x if x³ is uniform on (a, b) (question 3.1).

    By the change of variables, p(x) = |dz/dx| / (b − a) = 3x²/(b − a) for ∛a < x < ∛b, and 0 elsewhere.
    """
    a, b = interval(rng, case)
    low, high = np.cbrt(a), np.cbrt(b)
    nodes, weights = np.polynomial.legendre.leggauss(24)
    # Two panels, which meet at zero if it is inside, since a wrong density may have a pole there.
    middle = 0.0 if low < 0 < high else (low + high) / 2
    panels = [(low, middle), (middle, high)]
    inside = np.concatenate([(right + left) / 2 + (right - left) / 2 * nodes for left, right in panels])
    measure = np.concatenate([(right - left) / 2 * weights for left, right in panels])
    beyond = rng.uniform(0.05, 3.0, 20).astype(np.float64)
    x = np.concatenate([inside, low - beyond, high + beyond])
    order = rng.choice(len(x), len(x))
    values = np.empty(len(x))
    got = student.run(probes.theory.cubic_density, x=x[order], a=a, b=b)
    expect(
        not got.flag("complex"),
        f"with a = {a:g} and b = {b:g}, cubic_density computes a complex number: in Python, a negative number to the "
        "power 1/3 is complex; its real cube root is −(−a)^(1/3)",
    )
    values[order] = got.tensor("density", shape=x.shape)
    judge_density(x, values, measure, (a, b))


def interval(rng: Rng, case: str) -> tuple[float, float]:
    """Return random a < b of the named case, with one decimal each, so that they are easy to read in a report."""
    first, second = (round(float(value), 1) for value in (rng.uniform(0.2, 2.0, 1)[0], rng.uniform(3.0, 9.0, 1)[0]))
    return {"positive": (first, second), "negative": (-second, -first), "straddling zero": (-first, second)}[case]


def judge_density(x: Array, values: Array, measure: Array, ends: tuple[float, float]) -> None:
    """Fail a density of x that has wrong values, a wrong support, or an integral other than 1.

    Args:
        x: points [N]; the first ones are the nodes of a quadrature rule inside the support, the others lie outside.
        values: [N], the student's density at x.
        measure: the weights of the quadrature rule.
        ends: a and b, between which z = x³ is uniform.
    """
    a, b = ends
    inside, outside = values[: len(measure)], values[len(measure) :]
    where = f"with a = {a:g} and b = {b:g}"
    expect(
        bool(np.all(values >= 0)),
        f"cubic_density is negative at some points {where}: take the absolute value of dz/dx, since a density is never "
        "negative",
    )
    expect(
        bool(np.all(outside == 0)),
        f"cubic_density is not zero outside its support {where}: x runs from the cube root of a to that of b, "
        "and a negative number has a cube root too",
    )
    expect(
        bool(np.any(inside != 0)),
        f"cubic_density is zero everywhere {where}: x runs from the cube root of a to that of b, "
        "and a negative number has a cube root too",
    )
    integral = float(np.clip(inside, 0, HUGE) @ measure)
    if not np.isclose(integral, 1, atol=1e-4):
        fail(
            f"cubic_density does not integrate to 1 {where}: multiply the uniform density of z by |dz/dx|",
            expected="1",
            got=f"{integral:.4g}",
        )
    assert_close(inside, 3 * x[: len(measure)] ** 2 / (b - a), what=f"cubic_density {where}")
