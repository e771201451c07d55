"""Checks of the losses of lab two, by a path and a model of ours that return known numbers and record their arguments.

So a loss is exact: it has to be that of the recorded numbers. Left open by the hand-out, and decided for the student:
- squares may be summed or averaged over coordinates, which changes no minimum; half of the students average;
- any other constant factor, such as a sum over the batch, costs the points of a small check of its own alone;
- times may come from U[0, 1) or end a little short of 1;
- data may be drawn by p_data.sample or by the path's sample_conditioning_variable.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from gengrade.arrays import Array, Array32
from gengrade.grading import Evidence, Passed, Rng, Subject, check, expect, fail, not_asked, probes
from graders.common.statistics import declare
from graders.flow_matching.times import UniformTimes

FLOW, SCORE, SCALE = "flow_matching.flow_loss", "flow_matching.score_loss", "flow_matching.loss_scale"
BATCH, DIMENSIONS = 2_000, 3
FEWEST, MOST = 50, 80  # rows of a batch for a loss's scale, whose number nobody knows in advance
MOST_CALLS = 50  # draws of data for one loss
CLOSE = 1e-4  # relative tolerance on a loss, and on the direction of its gradient
TIMES = {id_: declare(id_, "times of a batch", UniformTimes(BATCH)) for id_ in (FLOW, SCORE)}
WORDS = {"field": "conditional_vector_field", "score": "conditional_score"}


@dataclass(frozen=True)
class Known:
    """The numbers that the path and the model of a loss return: points and outputs [B, …]."""

    data: Array32  # z
    drawn: Array32  # x
    targets: Mapping[str, Array32]  # of the conditional field and of the score
    outputs: Array32  # of the model

    @classmethod
    def random(cls, rng: Rng, *shape: int) -> Known:
        """Return random numbers, whose targets differ in size."""
        targets = {"field": 2 * rng.normal(*shape), "score": 0.7 * rng.normal(*shape)}
        return cls(3 * rng.normal(*shape), rng.normal(*shape), targets, rng.normal(*shape))

    def twice(self) -> Known:
        """Return a batch in which each of these samples is twice."""
        targets = {name: np.concatenate([each, each]) for name, each in self.targets.items()}
        data, drawn, outputs = (np.concatenate([each, each]) for each in (self.data, self.drawn, self.outputs))
        return Known(data, drawn, targets, outputs)

    @property
    def inputs(self) -> dict[str, Array32]:
        """The inputs of a probe of losses."""
        return {"z": self.data, "x": self.drawn, **self.targets, "outputs": self.outputs}

    def residuals(self, which: str) -> Array:
        """Return the model's output less the target."""
        return np.asarray(self.outputs.astype(np.float64) - self.targets[which])


@check(FLOW)
def test_flow_matching_loss(student: Subject, rng: Rng) -> None:
    """The loss is the mean squared distance of model(x, t) from the conditional vector field.

    z is drawn from the path's p_data, t uniformly and independently for each sample, x from the path. Lipman et al.
    2023, equation 9.
    """
    known = Known.random(rng, BATCH, DIMENSIONS)
    got = student.run(probes.flow_matching.loss.flow_matching, **known.inputs)
    times = judge_asked(got, known, "field", [(BATCH, 1)])
    judge_times(times, TIMES[FLOW])
    judge_value(got, known.residuals("field"), known, "field")


@check(SCORE)
def test_score_matching_loss(student: Subject, rng: Rng) -> None:
    """The loss is the mean squared distance of model(x, t) from the conditional score.

    z, t and x are drawn as for flow matching. Vincent 2011; Song et al. 2021, equation 7, without a weight.
    """
    known = Known.random(rng, BATCH, DIMENSIONS)
    got = student.run(probes.flow_matching.loss.score_matching, **known.inputs)
    times = judge_asked(got, known, "score", [(BATCH, 1)])
    judge_times(times, TIMES[SCORE])
    judge_value(got, known.residuals("score"), known, "score")


@check(SCALE, leaves_to=(FLOW, SCORE))
@pytest.mark.parametrize("which", ["field", "score"], ids=["flow matching", "score matching"])
def test_losses_are_means_over_the_batch(student: Subject, rng: Rng, passed: Passed, which: str) -> None:
    """Losses are means over the batch, so that they do not change with its size.

    A loss that is wrong otherwise is asked for the same samples twice, which leave any mean over samples as it is.
    """
    known = Known.random(rng, rng.integer(FEWEST, MOST), DIMENSIONS)
    id_, probe = {
        "field": (FLOW, probes.flow_matching.loss.flow_matching),
        "score": (SCORE, probes.flow_matching.loss.score_matching),
    }[which]
    got = student.run(probe, **known.inputs)
    if passed(id_):
        judge_scale(got, known.residuals(which))
        return
    other, twice = student.run(probe, **known.inputs), student.run(probe, **known.twice().inputs)
    values = [each["loss"].tensor(finite=False) for each in (got, other, twice)]
    follows = bool(got.list("asked", most=MOST_CALLS)) and _are_close(*values[:2])  # from the samples, without chance
    if follows and values[0].size == values[2].size == 1:
        judge_growth(float(values[0].reshape(())), float(values[2].reshape(())))
    not_asked("the loss is wrong otherwise", unless=(id_,))


def judge_asked(got: Evidence, known: Known, which: str, shapes: Sequence[tuple[int, ...]]) -> Array:
    """Fail unless path and model were asked rightly for a loss; return the times of the batch, [B].

    which: "field" or "score", the right target.
    shapes: those that the times may have.
    """
    source = _judge_data(got, known)
    expect(bool(got.list("model")), "the loss never calls self.model")
    hint = "the model is not given the points that sample_conditional_path drew"
    expect(np.allclose(last(got, "model").tensor("points", shape=known.drawn.shape), known.drawn), hint)
    _judge_target(got, known, which, source)
    times = [_times_of(last(got, name), name, shapes) for name in ("path", "target", "model")]
    expect(
        all(np.allclose(times[0], each) for each in times[1:]),
        "path, target and model are given different times: draw t once for a batch",
    )
    return times[0]


def _judge_data(got: Evidence, known: Known) -> Array:
    """Fail unless a batch of data was drawn and given to the path; return what the path was given, [B, …]."""
    n, asked = len(known.data), [each.integer() for each in got.list("asked", most=MOST_CALLS)]
    expect(
        bool(asked) and bool(got.list("path")),
        "the loss asks nothing of the trainer's own path: use self.path, not a global of the notebook",
    )
    expect(asked[-1:] == [n], "batch_size points should be drawn", expected=f"{n} points", got=f"{asked[-1:]}")
    source = last(got, "path").tensor("points", shape=known.data.shape)
    rolled = [np.roll(known.data, calls, axis=0) for calls in range(len(asked))]
    expect(
        any(np.allclose(source, each) for each in rolled),
        "sample_conditional_path is not given the points that were drawn from p_data",
    )
    return source


def _judge_target(got: Evidence, known: Known, which: str, source: Array) -> None:
    """Fail unless the right target was asked for, with x that the path drew, and the z that it was given."""
    expect(bool(got.list("target")), f"the loss never calls the path's {WORDS[which]}")
    expect(
        got.text("which") == which,
        f"the model is compared with the {WORDS.get(got.text('which'), 'other target')}",
        expected=f"self.path.{WORDS[which]}(x, z, t)",
    )
    target = last(got, "target")
    expect(
        np.allclose(target.tensor("points", shape=known.drawn.shape), known.drawn),
        f"the first argument of {WORDS[which]} is not x, which sample_conditional_path drew",
    )
    expect(
        np.allclose(target.tensor("source", shape=known.data.shape), source),
        f"{WORDS[which]} is given other points z than sample_conditional_path: draw z once for a batch",
    )


def last(got: Evidence, name: str) -> Evidence:
    """Return the last call of the path, the target or the model for a loss, of which there has to be one."""
    calls = got.list(name)
    expect(bool(calls), f"the {name} is not asked for a loss")
    return calls[-1]


def _times_of(call: Evidence, whose: str, shapes: Sequence[tuple[int, ...]]) -> Array:
    whom = {"path": "sample_conditional_path", "target": "the path's target", "model": "the model"}[whose]
    expect(not call.is_none("times"), f"{whom} is not given any times")
    shape = call.shape("times")
    expect(
        shape in shapes,
        f"{whom} should be given a time for each sample of the batch, in a shape that goes with x",
        expected=f"shape {list(shapes[0])}",
        got=f"shape {list(shape)}" if shape else "a single number",
    )
    return call.tensor("times", shape=shape).reshape(-1)


def judge_times(times: Array, test: UniformTimes) -> None:
    """Fail unless the times [B] are independent and uniform."""
    problem = test.problem(times)
    expect(problem is None, f"{problem}")


def judge_value(got: Evidence, residuals: Array, known: Known, which: str) -> None:
    """Fail unless a loss is a multiple of the sum of squared residuals, and its gradient is that of the same multiple.

    For c·Σr², the gradient is 2c·r, so that its product with r is twice the loss.
    """
    claimed = got["loss"]
    expect(claimed.shape() in ((), (1,)), "the loss should be a single number", got=f"shape {list(claimed.shape())}")
    expect(got.flag("attached"), "no gradient reaches the model: do not detach its output")
    value = claimed.number()
    gradient = got.tensor("gradient", shape=residuals.shape)
    product, squares = float((gradient * residuals).sum()), float((residuals**2).sum())
    length = float(np.sqrt((gradient**2).sum()))
    expect(length > 0, "the loss does not depend on what the model returns")
    parallel = product / (length * np.sqrt(squares))
    if parallel < 1 - CLOSE or abs(product - 2 * value) > CLOSE * abs(product) + 1e-9:
        fail(
            _value_words(value, product, parallel, known, which),
            expected=f"{squares / len(residuals):.5g} or, as a mean over coordinates, {squares / residuals.size:.5g}",
            got=f"{value:.5g}",
        )


def judge_scale(got: Evidence, residuals: Array) -> None:
    """Fail a right loss that is no mean over the batch, whether squares are summed or averaged over coordinates."""
    n, value = len(residuals), got["loss"].number()
    squares = float((residuals**2).sum()) / n
    means = [squares / count for count in _counts(residuals.shape[1:])]
    if any(abs(value - mean) <= CLOSE * mean for mean in means):
        return
    if any(abs(value - n * mean) <= CLOSE * n * mean for mean in means):
        words = "the loss is summed over the batch, so that it grows with batch_size: take the mean"
    else:
        words = "the loss is the mean squared distance times a factor: the distance itself is asked for"
    fail(words, expected=f"{means[0]:.5g} or {means[-1]:.5g}", got=f"{value:.5g}")


def judge_growth(value: float, twice: float) -> None:
    """Fail a loss that is another number if each sample of the batch is in it twice."""
    if not np.isfinite([value, twice]).all() or abs(twice - value) <= CLOSE * abs(value):
        return
    fail(
        "the loss is no mean over the batch: if each sample is in the batch twice, the loss is another one. Average "
        "what is computed for each sample",
        expected="the same loss for the same samples twice",
        got=f"{twice / value:.3g} times the loss" if value else f"{twice:.3g} and not 0",
    )


def _are_close(left: Array, right: Array) -> bool:
    return left.shape == right.shape and bool(np.allclose(left, right, rtol=CLOSE, atol=0))


def _counts(shape: Sequence[int]) -> list[int]:
    """Return how many numbers a mean over some of the axes averages, from none of them to all."""
    axes = [each for count in range(len(shape) + 1) for each in itertools.combinations(shape, count)]
    return [int(np.prod(each)) for each in axes]


def _value_words(value: float, product: float, parallel: float, known: Known, which: str) -> str:
    """Return a message for the student about a wrong loss, which names the mistake if it is a common one."""
    residuals = known.residuals(which)
    if abs(parallel + 1) < CLOSE:
        return "the loss falls where the squared distance grows: it has the wrong sign"
    if parallel > 1 - CLOSE and abs(product - value) <= CLOSE * abs(value):  # as for every multiple of √Σr²
        return (
            "the loss is the norm of all differences of the batch together, a root: take the mean over the batch of "
            "‖model(x, t) − target‖², which is squared"
        )
    norms = np.sqrt((residuals.reshape(len(residuals), -1) ** 2).sum(axis=1))
    for words, guess in {
        "the norm is not squared: the loss is the mean of ‖model(x, t) − target‖²": norms.mean(),
        "these are absolute distances, but squared ones are asked for": np.abs(residuals).mean(),
        "these are absolute distances, summed over coordinates, but squared ones are asked for": np.abs(residuals)
        .reshape(len(residuals), -1)
        .sum(axis=1)
        .mean(),
    }.items():
        if abs(value - guess) <= 1e-3 * guess:
            return words
    return "the loss is not the mean squared distance of the model from the target"
