"""Training flows: the student's own loop, and the density that a short training leaves.

Left open by the hand-out, and decided for the student:
- an average over batches may weigh batches or points (all batches here are of one size);
- an optimiser's gradient may be that of any multiple of the loss (nats, bits, a sum for a mean, clipped).

The practical's target stands in its hand-out, so a model may hold that density and need not learn any. The training is
therefore towards the same two modes moved elsewhere, which is as easy to learn and has the same entropy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengrade.grading import Evidence, Record, Rng, Show, Subject, UpTo, assert_close, check, expect, fail, probes
from graders.common.statistics import Gain, Mass, declare
from graders.flow.densities import BITS, SHARE, Mixture, Square, Truth, Verdict, density_of, judge, log_gaussian

Array = NDArray[np.floating]

# The practical's problem (question 3.4) and its default model
BASE = {"mu": np.zeros(2), "sigma": np.full(2, 0.3)}
MODES = np.array([[1.0, 1.0], [-1.0, -1.0]])
SIGMAS = np.full((2, 2), 0.3)
MOVED = 0.6  # far enough that the hand-out's own density, put here, costs a bit and a half per dimension more
PLOTS = Square(limit=3.0, cells=168)
MODEL = {"num_flows": 6, "num_hidden": 64}
declare("flow.bpd", "points of integration", Mass(PLOTS.cells**2, error=6e-4, alpha=SHARE))
GAIN = declare("flow.bpd", "new samples of the target", Gain(20_000, SHARE))
MOST_STEPS = 10_000  # of an optimiser, in an epoch of twelve batches
AGAIN = 500  # points whose density is asked for once more, in other company
APART = 0.05  # nats: a batch of another size is summed in another order, and points far out are steep
ODD = 0.02  # of the points may be so steep
BUDGET: dict[str, Any] = {
    "epochs": 30,
    "batch": 256,
    "rate": 3e-3,
}  # 3 s of one core; reaches what 40 epochs at a rate of 1e-3 do


@check("flow.training_loop")
def test_training_loop_average(student: Subject, rng: Rng) -> None:
    """train_nf returns the average bits per dimension of an epoch.

    A density of one parameter stands in for the model, and a learning rate of zero keeps it where it is.
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
        hint="bits per dimension are nll · log2(e) / 2, averaged over the whole epoch",
    )


@check("flow.training_loop")
def test_training_loop_steps(student: Subject, rng: Rng) -> None:
    """train_nf takes one step for each batch, along that batch's own gradient of the loss."""
    batches, location = ring_of_batches(rng)
    got = student.run(probes.flow.training_loop, points=batches.reshape(-1, 2), location=location, batch=32, rate=0.0)
    gradients = got.tensor("gradients", shape=(UpTo(MOST_STEPS), 2))
    expect(
        len(gradients) == len(batches),
        "train_nf must take one step of the optimiser for each batch",
        expected=f"{len(batches)} steps",
        got=f"{len(gradients)} steps",
    )
    expected = location.astype(np.float64) - batches.mean(axis=1, dtype=np.float64)
    for index, (gradient, right) in enumerate(zip(gradients, expected, strict=True)):
        size = float(np.linalg.norm(gradient))
        expect(size > 1e-6, f"At step {index + 1} the gradient is zero: call backward on the loss before the step")
        cosine = float(gradient @ right) / size / float(np.linalg.norm(right))
        expect(cosine > -0.999, "The step climbs the loss: minimise the negative log-likelihood, without another minus")
        expect(
            cosine > 0.999,
            f"At step {index + 1} the gradient is not that of the batch's loss: clear it before each backward",
        )


@check("flow.training_loop")
def test_training_loop_learns(student: Subject, rng: Rng) -> None:
    """train_nf changes the model."""
    batches, location = ring_of_batches(rng)
    got = student.run(probes.flow.training_loop, points=batches.reshape(-1, 2), location=location, batch=32, rate=1e-3)
    moved = not np.array_equal(got.tensor("location", shape=(2,)), location.astype(np.float64))
    expect(moved, "After an epoch the model is unchanged: call optimizer.step()")


def ring_of_batches(rng: Rng) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Batches [12, 32, 2] with means on a ring, so that no two gradients are parallel; and where the model starts."""
    angle = 2 * np.pi * (np.arange(12) + float(rng.uniform(0, 1, 1)[0])) / 12
    centres = 5 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return (centres[:, None] + 0.1 * rng.normal(12, 32, 2)).astype(np.float32), 0.1 * rng.normal(2)


@check("flow.bpd", kind="train", needs=("flow.nll",))
def test_learned_density(student: Subject, rng: Rng, record: Record, show: Show) -> None:
    """The learned density, in bits per dimension on fresh samples of the target.

    After a short training; within the plots' region, where the density's mass must be at most 1.
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
    """The practical's two modes, mirrored or not, and moved by `MOVED` in a random direction."""
    mirrored = MODES * [1, -1] if rng.bits(1)[0] else MODES
    angle = 2 * np.pi * float(rng.uniform(0, 1, 1)[0])
    return Mixture(mirrored + MOVED * np.array([np.cos(angle), np.sin(angle)]), SIGMAS)


def ask_density(
    student: Subject, trained: Evidence, base: dict[str, NDArray[np.float32]], points: Array, rng: Rng
) -> Array:
    """Log-densities of the trained model, of all points in one shuffled batch, by a guest that never trained."""
    order = rng.choice(len(points), len(points))
    shuffled = points[order].astype(np.float32)
    got = student.run(probes.flow.density, points=shuffled, weights=trained.state("weights"), **base, **MODEL)
    claims = np.empty(len(points))
    claims[order] = got.tensor(shape=(len(points),), finite=False)
    return claims


def expect_same(claims: Array, again: Array) -> None:
    """Claims about the same points in other company: a histogram of those that are asked for is no model of them."""
    with np.errstate(invalid="ignore"):
        differ = ~((np.abs(claims - again) <= APART) | (claims == again))
    expect(
        float(np.mean(differ)) <= ODD,
        "The model's density at a point depends on which other points are asked for with it, so it is no density: "
        "forward may use nothing but the point itself and the model's weights",
        got=f"{int(differ.sum())} of {len(claims)} points with another density in another batch",
    )


def refuse(verdict: Verdict, truth: Truth) -> None:
    """Fails a claim that is no density."""
    if verdict.problem == "too much mass":
        fail(
            "The model's density has more mass than 1, so it is none, and its bits per dimension mean nothing: "
            "look at the log-determinant",
            expected="a mass of at most 1",
            got=f"{verdict.mass:.4g}",
        )
    if verdict.problem == "impossible":
        fail(
            "The model claims fewer bits than the target's entropy, which no density can reach: "
            "what forward returns is not the loss of each point",
            expected=f"at least {truth.entropy * BITS / 2:.4f} bits per dimension",
            got=f"{verdict.bits:.4f}",
        )


def show_curves(trained: Evidence, show: Show) -> None:
    curves = {
        name: trained.tensor(name, shape=(UpTo(BUDGET["epochs"]),), finite=False) for name in ("train", "validation")
    }
    expect(
        min(map(len, curves.values())) > 0,
        "The training broke down in its first epoch: the loss is not a finite number",
    )
    epochs = {name: (range(1, len(curve) + 1), curve.tolist()) for name, curve in curves.items()}
    show.curves(
        "Training of the flow",
        epochs,
        xlabel="epoch",
        ylabel="bits per dimension",
        alt="Bits per dimension on training and validation points over the epochs",
    )


def show_densities(base: dict[str, NDArray[np.float32]], target: Mixture, at_cells: Array, show: Show) -> None:
    shape = (PLOTS.cells, PLOTS.cells)
    modes = " and ".join(f"({x:.1f}, {y:.1f})" for x, y in target.mus)
    learned = np.minimum(PLOTS.picture(density_of(at_cells)), 4.0)  # an overflow at the edge must not hide the rest
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
