"""Checks of a student's own training loop for a flow, and of the density that a short training of ours learns.

Where the hand-out is silent, the student is free:
- an average may weight all batches equally, or all points (all batches here have one size);
- an optimiser's gradient may be that of any multiple of the loss (nats, bits, a sum instead of a mean, clipped).

The practical's target density is printed in its hand-out, so a model could contain it without learning. The training
therefore uses the same two modes at another place, which is as easy to learn and has the same entropy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gengrade.arrays import Array32, Floats
from gengrade.grading import (
    CheckKind,
    Evidence,
    Record,
    Rng,
    Show,
    Subject,
    UpTo,
    assert_close,
    check,
    expect,
    fail,
    probes,
)
from graders.common.statistics import Gain, Mass, declare
from graders.common.units import BITS
from graders.flow.densities import SHARE, Mixture, Square, Truth, Verdict, density_of, judge, log_gaussian
from graders.flow.sizes import MOST_STEPS

# The practical's problem (question 3.4) and its default model
BASE = {"mu": np.zeros(2), "sigma": np.full(2, 0.3)}
MODES = np.array([[1.0, 1.0], [-1.0, -1.0]])
SIGMAS = np.full((2, 2), 0.3)
MOVED = 0.6  # distance of the moved modes; the hand-out's own density costs 1.5 bits per dimension more there
PLOTS = Square(limit=3.0, cells=168)
MODEL = {"num_flows": 6, "num_hidden": 64}
declare("flow.bpd", "points of integration", Mass(PLOTS.cells**2, error=6e-4, alpha=SHARE))
GAIN = declare("flow.bpd", "new samples of the target", Gain(20_000, SHARE))
AGAIN = 500  # points whose density is computed a second time, in another batch
APART = 0.05  # nats by which the two may differ, since batches of other sizes round differently
ODD = 0.02  # share of the points that may differ by more, where the density is steep
# This needs 3 s on one core, and reaches what 40 epochs at a rate of 1e-3 reach.
BUDGET: dict[str, Any] = {"epochs": 30, "batch": 256, "rate": 3e-3}


@check("flow.training_loop")
def test_training_loop_average(student: Subject, rng: Rng) -> None:
    """train_nf returns the average bits per dimension of an epoch.

    A density with one parameter replaces the model, and a learning rate of zero keeps it unchanged.
    """
    batches, location = ring_of_batches(rng)
    got = student.run(probes.flow.training_loop, points=batches.reshape(-1, 2), location=location, batch=32, rate=0.0)
    expect(not got.is_none("average"), "train_nf returns nothing: return the average bits per dimension of the epoch")
    losses = -log_gaussian(batches.astype(np.float64), location.astype(np.float64), np.ones(2))
    assert_close(
        got["average"],
        float(losses.mean()) * BITS / 2,
        rtol=1e-3,
        what="the average that train_nf returns",
        hint="it should be nll · log2(e) / 2 (for two dimensions), averaged over the whole epoch",
    )


@check("flow.training_loop")
def test_training_loop_steps(student: Subject, rng: Rng) -> None:
    """train_nf takes one step for each batch, along that batch's own gradient of the loss."""
    batches, location = ring_of_batches(rng)
    got = student.run(probes.flow.training_loop, points=batches.reshape(-1, 2), location=location, batch=32, rate=0.0)
    gradients = got.tensor("gradients", shape=(UpTo(MOST_STEPS), 2))
    expect(
        len(gradients) == len(batches),
        "train_nf should take one step of the optimiser for each batch",
        expected=f"{len(batches)} steps",
        got=f"{len(gradients)} steps",
    )
    expected = location.astype(np.float64) - batches.mean(axis=1, dtype=np.float64)
    for index, (gradient, right) in enumerate(zip(gradients, expected, strict=True)):
        size = float(np.linalg.norm(gradient))
        expect(size > 1e-6, f"at step {index + 1} the gradient is zero: call backward() on the loss before step()")
        cosine = float(gradient @ right) / size / float(np.linalg.norm(right))
        expect(cosine > -0.999, "the steps increase the loss: it is a negative log-likelihood already, so minimise it")
        expect(
            cosine > 0.999,
            f"at step {index + 1} the gradient is not that of the batch's own loss: call zero_grad() before each "
            "backward()",
        )


@check("flow.training_loop")
def test_training_loop_learns(student: Subject, rng: Rng) -> None:
    """train_nf changes the model's parameters."""
    batches, location = ring_of_batches(rng)
    got = student.run(probes.flow.training_loop, points=batches.reshape(-1, 2), location=location, batch=32, rate=1e-3)
    moved = not np.array_equal(got.tensor("location", shape=(2,)), location.astype(np.float64))
    expect(moved, "after an epoch the model is unchanged: call optimizer.step() for each batch")


def ring_of_batches(rng: Rng) -> tuple[Array32, Array32]:
    """Return batches of points [12, 32, 2] with means on a ring, and the model's first location [2].

    The ring ensures that no two batches have parallel gradients.
    """
    angle = 2 * np.pi * (np.arange(12) + float(rng.uniform(0, 1, 1)[0])) / 12
    centres = 5 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return (centres[:, None] + 0.1 * rng.normal(12, 32, 2)).astype(np.float32), 0.1 * rng.normal(2)


@check("flow.bpd", kind=CheckKind.TRAIN, needs=("flow.nll",))
def test_learned_density(student: Subject, rng: Rng, record: Record, show: Show) -> None:
    """After a short training, the flow describes new samples of its target in few bits per dimension.

    Both are restricted to the region of the plots, where the density's mass must be at most 1.
    """
    target = moved_target(rng)
    truth = Truth(target, PLOTS)
    base = {name: value.astype(np.float32) for name, value in BASE.items()}
    points, validation = (target.sample(rng, n).astype(np.float32) for n in (10_000, 5_000))
    trained = student.run(probes.flow.train, points=points, validation=validation, **base, **MODEL, **BUDGET)
    show_curves(trained, show)
    fresh, cells = truth.sample(rng, GAIN.draws), PLOTS.draw(rng)
    asked = np.concatenate([fresh, cells])
    claims = ask_density(student, trained, base, asked, rng)
    some = rng.choice(len(asked), AGAIN)
    expect_same(claims[some], ask_density(student, trained, base, asked[some], rng))
    at_points, at_cells = np.split(claims, [len(fresh)])
    show_densities(base, target, at_cells, show)
    verdict = judge(truth, fresh, at_points, at_cells)
    refuse(verdict, truth)
    record("flow.bpd", verdict.bits)


def moved_target(rng: Rng) -> Mixture:
    """Return the practical's mixture, possibly mirrored, moved by `MOVED` in a random direction."""
    mirrored = MODES * [1, -1] if rng.bits(1)[0] else MODES
    angle = 2 * np.pi * float(rng.uniform(0, 1, 1)[0])
    return Mixture(mirrored + MOVED * np.array([np.cos(angle), np.sin(angle)]), SIGMAS)


def ask_density(student: Subject, trained: Evidence, base: dict[str, Array32], points: Floats, rng: Rng) -> Floats:
    """Return the trained model's log-densities [N] at points [N, 2], asked as one shuffled batch in a new guest.

    Args:
        trained: evidence with the model's weights.
        base: mu and sigma of the base density, [2] each.
    """
    order = rng.choice(len(points), len(points))
    shuffled = points[order].astype(np.float32)
    got = student.run(probes.flow.density, points=shuffled, weights=trained.state("weights"), **base, **MODEL)
    claims = np.empty(len(points))
    claims[order] = got.tensor(shape=(len(points),), finite=False)
    return claims


def expect_same(claims: Floats, again: Floats) -> None:
    """Fail a model whose density at a point depends on the other points of the batch.

    Such a model could return a histogram of the batch instead of a density that it has learned.

    Args:
        claims, again: log-densities of the same points in two different batches.
    """
    with np.errstate(invalid="ignore"):
        differ = ~((np.abs(claims - again) <= APART) | (claims == again))
    expect(
        float(np.mean(differ)) <= ODD,
        "the model's density at a point depends on the other points of the batch, so it is no density: forward should "
        "use only the point itself and the model's weights",
        got=f"{int(differ.sum())} of {len(claims)} points have another density in another batch",
    )


def refuse(verdict: Verdict, truth: Truth) -> None:
    """Fail a model whose claimed log-densities cannot be those of a density."""
    if verdict.problem == "too much mass":
        fail(
            "the model's density has a mass (an integral) above 1, so its bits per dimension mean nothing: check the "
            "log-determinant",
            expected="a mass of at most 1",
            got=f"{verdict.mass:.4g}",
        )
    if verdict.problem == "impossible":
        fail(
            "the model needs fewer bits than the target's entropy, which is impossible for a density: check that "
            "forward returns the negative log-likelihood of each point",
            expected=f"at least {truth.entropy * BITS / 2:.4f} bits per dimension",
            got=f"{verdict.bits:.4f}",
        )


def show_curves(trained: Evidence, show: Show) -> None:
    """Show the losses over the epochs; raises Mismatch if the first epoch did not end with a finite loss."""
    curves = {
        name: trained.tensor(name, shape=(UpTo(BUDGET["epochs"]),), finite=False) for name in ("train", "validation")
    }
    expect(
        min(map(len, curves.values())) > 0,
        "in our short training the loss is NaN or infinite within the first epoch",
    )
    epochs = {name: (range(1, len(curve) + 1), curve.tolist()) for name, curve in curves.items()}
    show.curves(
        "Training of the flow",
        epochs,
        xlabel="epoch",
        ylabel="bits per dimension",
        alt="Bits per dimension on training and validation points over the epochs",
    )


def show_densities(base: dict[str, Array32], target: Mixture, at_cells: Floats, show: Show) -> None:
    """Show the base, the target and the learned density; `at_cells` are its log-densities at the points of `PLOTS`."""
    shape = (PLOTS.cells, PLOTS.cells)
    modes = " and ".join(f"({x:.1f}, {y:.1f})" for x, y in target.mus)
    learned = np.minimum(PLOTS.picture(density_of(at_cells)), 4.0)  # Otherwise an overflow would set the colour scale.
    pictures = {
        "base": np.exp(log_gaussian(PLOTS.centres, base["mu"], base["sigma"])).reshape(shape),
        "target": np.exp(target.log_prob(PLOTS.centres)).reshape(shape),
        "learned": learned,
    }
    show.densities(
        "The base, the target (the practical's, moved) and the learned density",
        pictures,
        extent=(-PLOTS.limit, PLOTS.limit, -PLOTS.limit, PLOTS.limit),
        alt=f"Three densities: one mode at the origin; modes at {modes}; and what the model learned",
    )
