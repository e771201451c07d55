"""Checks of lab two: schedules, the Gaussian and the linear probability path, and the score of a vector field.

Left open by the hand-out, and decided for the student:
- a denominator may have up to 1e-4 added to it, so no time comes near the pole, and tolerances are thousandths;
- noise may come from a distribution's rsample, whose standard deviation may be a little larger than β;
- the derivatives of the schedules are the hand-out's, which rounds that of β: fields are judged with ours.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gengrade.arrays import Array, Array32
from gengrade.grading import Evidence, Passed, Rng, Subject, assert_close, check, expect, fail, not_asked, probes
from graders.common.statistics import ALPHA, GaussianFit, Independence, declare
from graders.flow_matching.gaussian_paths import Mixture, Powers

ALPHA_ID, BETA_ID = "flow_matching.alpha", "flow_matching.beta"
SAMPLE, FIELD, SCORE = "flow_matching.path_sample", "flow_matching.path_field", "flow_matching.path_score"
OF_FIELD, ANYWHERE = "flow_matching.score_of_field", "flow_matching.score_anywhere"
LINEAR_SAMPLE = "flow_matching.linear_sample"
DRAWN, MOST_DRAWN = 1_000, 1_500  # points of a large batch in a test of noise
SMALL_BATCHES = 12
BOTH = 60  # rows of two small batches together
LATEST = 0.8  # the fields have poles at 1, and β² is above 0.1 until then
ROUNDING: Mapping[str, float] = {"rtol": 2e-3, "atol": 2e-3}  # a denominator may have 1e-4 added to it
BEND = 1e-2  # step of the differences in space

NOISE = declare(SAMPLE, "(x − αz)/β of a call", GaussianFit(DRAWN, 2, ALPHA / 4), cases=2)
OF_SMALL = declare(SAMPLE, "(x − αz)/β of small batches", GaussianFit(SMALL_BATCHES * BOTH // 2, 2, ALPHA / 4))
CALLS = declare(SAMPLE, "the noise of two calls", Independence(DRAWN * 2, ALPHA / 4))


@check(ALPHA_ID)
def test_alpha(student: Subject, rng: Rng) -> None:
    """LinearAlpha is α(t) = t, in the shape of t."""
    t = _times(rng, rng.integer(2, 40), latest=1.0)
    got = student.run(probes.flow_matching.alpha, t=t)
    assert_close(got, t, what="α(t)", hint="it is t, in the shape of t")


@check(BETA_ID)
def test_beta(student: Subject, rng: Rng) -> None:
    """SquareRootBeta is β(t) = √(1 − t), in the shape of t."""
    t = _times(rng, rng.integer(2, 40), latest=0.9)
    got = student.run(probes.flow_matching.beta, t=t)
    assert_close(got, np.sqrt(1 - t), rtol=1e-3, what="β(t)", hint="it is √(1 − t), in the shape of t")


@check(SAMPLE)
def test_draws_of_the_path(student: Subject, rng: Rng) -> None:
    """sample_conditional_path draws αz + βε with new standard normal noise ε, for any schedules α and β.

    Every point has its own z and time. Lipman et al. 2023, equation 11.
    """
    large, few = rng.integer(DRAWN, MOST_DRAWN), rng.integers(2, BOTH - 1, SMALL_BATCHES // 2)
    sizes = [large, 1, *few.tolist(), *(BOTH - few).tolist()]
    z, t = 3 * rng.normal(sum(sizes), rng.integer(2, 5)), _times(rng, sum(sizes))
    schedule = Powers.random(rng)
    got = student.run(probes.flow_matching.path_draws, z=z, t=t, schedule=schedule.settings, sizes=sizes)
    drawn = [got.tensor(name, shape=z.shape) for name in ("draws", "second_draws")]
    mean, spread = schedule.alpha(t) * z, schedule.beta(t)
    both = [np.asarray((each - mean) / spread) for each in drawn]
    noises = [each[:large] for each in both]
    expect(float(np.abs(noises[0]).max()) > 1e-3, "no noise is added: a draw is αz + βε with ε from torch.randn_like")
    for noise in noises:
        problem = NOISE.problem(noise)
        expect(problem is None, f"(x − αz)/β is not drawn from N(0, I): {problem}")
    correlation = CALLS.correlation(*noises)
    if correlation is not None:
        fail("two calls draw the same noise: each call needs its own", got=f"a correlation of {correlation:.3f}")
    problem = OF_SMALL.problem(both[0][large:])
    expect(problem is None, f"in small batches, (x − αz)/β is not drawn from N(0, I): {problem}")


@check(SAMPLE)
def test_ends_of_the_path(student: Subject, rng: Rng) -> None:
    """At t = 0 the path is noise alone, whatever z, and at t = 1 it is at z."""
    half = rng.integer(5, 60)
    schedule, z = Powers.random(rng), 3 * rng.normal(2 * half, rng.integer(2, 5))
    t = np.repeat(np.array([[0.0], [1.0]], np.float32), half, axis=0)
    sizes = [half - 1, 1, half]
    got = student.run(probes.flow_matching.path_draws, z=z, t=t, schedule=schedule.settings, sizes=sizes)
    first, second = (got.tensor(name, shape=z.shape) for name in ("draws", "second_draws"))
    assert_close(first[half:], z[half:], rtol=1e-3, atol=1e-3, what="the path at t = 1", hint="it is z itself")
    apart = [float(np.abs(first[rows] - second[rows]).mean()) for rows in (slice(half - 1), slice(half - 1, half))]
    expect(min(apart) > 1e-4, "two calls draw the same points at t = 0, where a path starts from new noise")


@check(FIELD)
def test_conditional_field(student: Subject, rng: Rng) -> None:
    """conditional_vector_field is (α̇ − αβ̇/β)z + (β̇/β)x, for any schedules α and β.

    Lipman et al. 2023, theorem 3.
    """
    schedule, x, z, t = _points(rng)
    got = student.run(probes.flow_matching.path_field, x=x, z=z, t=t, schedule=schedule.settings)
    hint = "it is (α̇ − αβ̇/β)·z + (β̇/β)·x"
    assert_close(got, schedule.field(x, z, t), what="the conditional vector field", hint=hint, **ROUNDING)


@check(SCORE)
def test_conditional_score(student: Subject, rng: Rng) -> None:
    """conditional_score is (αz − x)/β², for any schedules α and β."""
    schedule, x, z, t = _points(rng)
    got = student.run(probes.flow_matching.path_score, x=x, z=z, t=t, schedule=schedule.settings)
    hint = "it is (αz − x)/β², the gradient of log N(x; αz, β²I)"
    assert_close(got, schedule.score(x, z, t), what="the conditional score", hint=hint, **ROUNDING)


@check("flow_matching.continuity", leaves_to=(ALPHA_ID, BETA_ID, FIELD, SCORE))
def test_continuity(student: Subject, rng: Rng, passed: Passed) -> None:
    """Your schedules, field and score together obey the continuity equation ∂ₜp + ∇·(pu) = 0.

    In logarithms it is ∂ₜlog p + ∇·u + u·∇log p = 0, with ∂ₜlog p of the Gaussian path. The divergence is taken from
    differences of the field, which is linear in x.
    """
    n, d = rng.integer(20, 60), rng.integer(2, 5)
    schedule, x, z = Powers(), rng.normal(n, d), 2 * rng.normal(n, d)
    t = _times(rng, n)
    moves = np.concatenate([BEND * np.eye(d), -BEND * np.eye(d)])[:, None].astype(np.float32)
    got = student.run(probes.flow_matching.own_path, x=x, moved=x + moves, z=z, t=t)
    others = (ALPHA_ID, BETA_ID, FIELD, SCORE)
    if not all(passed(other) for other in others):
        not_asked("a part of the path is wrong on its own", unless=others)
    fields = got.tensor("field", shape=(2 * d + 1, *x.shape))
    score = got.tensor("score", shape=x.shape)
    across = (fields[1 : d + 1] - fields[d + 1 :]) / (2 * BEND)
    divergence = sum(across[i, :, i] for i in range(d))
    change = schedule.log_density_change(x, z, t)
    terms = np.stack([change, np.asarray(divergence), (fields[0] * score).sum(axis=1)])
    rest, scale = np.abs(terms.sum(axis=0)), np.abs(terms).sum(axis=0)
    worst = int(np.argmax(rest / np.maximum(scale, 1e-12)))
    expect(
        bool((rest <= 0.02 * scale).all()),
        "your path's field and score do not belong together: with your own LinearAlpha and SquareRootBeta, and their "
        "dt, the field does not carry the density along",
        expected="∂ₜlog p + ∇·u + u·∇log p = 0",
        got=f"{terms[:, worst].sum():.4g} at t = {float(t[worst, 0]):.2f}",
    )


@check(OF_FIELD)
def test_score_of_a_field(student: Subject, rng: Rng) -> None:
    """ScoreFromVectorField turns the marginal vector field of a mixture of Gaussians into its score.

    Both are known exactly, so that no training is needed: (αu − α̇x)/(β²α̇ − αβ̇β), with the hand-out's schedules.
    """
    schedule, t = Powers(), _times(rng, rng.integer(20, 80))
    got, right = _score_of_field(student, rng, schedule, t)
    hint = "it is (α·u − α̇·x)/(β²·α̇ − α·β̇·β)"
    assert_close(got, right, rtol=5e-3, atol=5e-3, what="the score of the field", hint=hint)


@check(ANYWHERE, leaves_to=(OF_FIELD,))
def test_score_for_other_schedules(student: Subject, rng: Rng, passed: Passed) -> None:
    """ScoreFromVectorField is right for any schedules α and β that it is given, and not for the hand-out's alone."""
    schedule, t = Powers.random(rng), _times(rng, rng.integer(20, 80))
    got, right = _score_of_field(student, rng, schedule, t)
    if not passed(OF_FIELD):
        not_asked("the score of the field is wrong otherwise", unless=(OF_FIELD,))
    hint = (
        "it is right for the schedules of the hand-out alone. For the α and β that the class is given it is "
        "(α·u − α̇·x)/(β²·α̇ − α·β̇·β)"
    )
    assert_close(got, right, rtol=5e-3, atol=5e-3, what="the score for other schedules", hint=hint)


@check(ANYWHERE, leaves_to=(OF_FIELD,))
def test_score_at_the_beginning(student: Subject, rng: Rng, passed: Passed) -> None:
    """ScoreFromVectorField has values at t = 0, where the hand-out's figure of the scores begins."""
    t = np.zeros((20, 1), np.float32)
    got, right = _score_of_field(student, rng, Powers(), t)
    if not passed(OF_FIELD):
        not_asked("the score of the field is wrong otherwise", unless=(OF_FIELD,))
    found = got.tensor(shape=right.shape, finite=False)
    expect(
        bool(np.isfinite(found).all()),
        "the score of the field has no value at t = 0, where the figure of the lab begins: α is 0 there, so do not "
        "divide by it. (α·u − α̇·x)/(β²·α̇ − α·β̇·β) has a value at t = 0",
        expected="−x",
        got=f"{found.reshape(-1)[0]:g}",
    )
    assert_close(got, right, rtol=5e-3, atol=1e-2, what="the score of the field at t = 0", hint="it is −x there")


def _score_of_field(student: Subject, rng: Rng, schedule: Powers, t: Array32) -> tuple[Evidence, Array]:
    """Return the student's score of the field of a random mixture at times t [B, 1], and the right one [B, 3]."""
    mixture = Mixture.random(rng, 4, rng.integer(2, 5), schedule)
    x = mixture.sample_path(rng, t).astype(np.float32)
    field = mixture.field(x, t).astype(np.float32)
    got = student.run(probes.flow_matching.score_of_field, x=x, t=t, field=field, schedule=schedule.settings)
    return got, mixture.score(x, t)


@check(LINEAR_SAMPLE)
def test_draws_of_the_linear_path(student: Subject, rng: Rng) -> None:
    """The linear path's sample_conditional_path is (1 − t)x₀ + tz, with x₀ drawn from p_simple, whatever that is."""
    n, d = rng.integer(5, 60), rng.integer(2, 5)
    z, t, start = rng.normal(n, d), _times(rng, n), 4 + rng.uniform(0, 1, n, d)
    got = student.run(probes.flow_matching.linear_draw, z=z, t=t, start=start)
    asked = [each.integer() for each in got.list("asked")]
    expect(bool(asked), "x₀ does not come from self.p_simple.sample: p_simple may be any distribution")
    expect(
        asked[-1] == len(z),
        "p_simple should be asked for one point for each z",
        expected=f"{len(z)} points",
        got=f"{asked[-1]} points",
    )
    start = np.roll(start, len(asked) - 1, axis=0)
    hint = "it is (1 − t)·x₀ + t·z"
    assert_close(got["blend"], (1 - t) * start + t * z, rtol=1e-3, atol=1e-4, what="the draw", hint=hint)


@check("flow_matching.linear_field")
def test_field_of_the_linear_path(student: Subject, rng: Rng) -> None:
    """The linear path's conditional_vector_field is (z − x)/(1 − t)."""
    n, d = rng.integer(5, 60), rng.integer(2, 5)
    x, z, t = rng.normal(n, d), rng.normal(n, d), _times(rng, n)
    got = student.run(probes.flow_matching.linear_field, x=x, z=z, t=t)
    hint = "it is (z − x)/(1 − t)"
    assert_close(got, (z - x) / (1 - t), what="the conditional vector field", hint=hint, **ROUNDING)


def _times(rng: Rng, n: int, latest: float = LATEST) -> Array32:
    """Return different times [n, 1], spread from 0.05 to `latest`."""
    return rng.uniform(0.05, latest, n, 1)


def _points(rng: Rng) -> tuple[Powers, Array32, Array32, Array32]:
    """Return random schedules, points x and z, and times."""
    n, d = rng.integer(5, 60), rng.integer(2, 5)
    return Powers.random(rng), rng.normal(n, d), 2 * rng.normal(n, d), _times(rng, n)
