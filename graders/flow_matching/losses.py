"""Checks of the losses of lab two, by a path and a model of ours that return known numbers and record their arguments.

So a loss is exact: it has to be that of the recorded numbers. A trainer is asked for several losses, one after another
and for batches of different sizes: twice for a large one, so that the same times in each step show, and for small ones,
whose times are judged together. Left open by the hand-out, and decided for the student:
- squares may be summed or averaged over coordinates, which changes no minimum; half of the students average;
- any other constant factor, such as a sum over the batch, costs the points of a small check of its own alone;
- times may come from U[0, 1) or end a little short of 1;
- data may be drawn by p_data.sample or by the path's sample_conditioning_variable.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from gengrade.arrays import Array, Array32
from gengrade.grading import Evidence, Passed, Rng, Subject, check, expect, fail, not_asked, probes
from graders.common.statistics import ALPHA, Independence, declare
from graders.flow_matching.times import UniformTimes, normal_scores

FLOW, SCORE, SCALE = "flow_matching.flow_loss", "flow_matching.score_loss", "flow_matching.loss_scale"
LEAST_BATCH, MOST_BATCH = 1_000, 1_500  # rows of a large batch; the hand-out's have 1,000
SMALL_BATCHES = 12
BOTH = 100  # rows of two small batches together, of which each has at least two
FEWEST, MOST = 50, 300  # rows of a batch for a loss's scale; the hand-out's have 250 in lab three
MOST_CALLS = 50  # draws of data for one loss
CLOSE = 1e-4  # relative tolerance on a loss, and on the direction of its gradient
WORDS = {"field": "conditional_vector_field", "score": "conditional_score"}


@dataclass(frozen=True)
class Times:
    """Tests of the times of a trainer's batches: of a large one, of small ones together, and of two large ones."""

    large: UniformTimes
    small: UniformTimes
    calls: Independence

    @classmethod
    def of(cls, id_: str, alpha: float = ALPHA) -> Times:
        """Declare the tests for a check; `alpha` is its share for all of them."""
        return cls(
            declare(id_, "times of a large batch", UniformTimes(LEAST_BATCH, alpha / 3)),
            declare(id_, "times of small batches", UniformTimes(SMALL_BATCHES * BOTH // 2, alpha / 3)),
            declare(id_, "times of two large batches", Independence(LEAST_BATCH, alpha / 3)),
        )

    def judge(self, times: Sequence[Array]) -> None:
        """Fail unless the times of the batches of `sizes_of` are uniform and independent."""
        large, again, *small = times
        problem = self.large.problem(large)
        expect(problem is None, f"{problem}")
        problem = self.small.problem(np.concatenate(small))
        expect(problem is None, f"in small batches it is otherwise than in large ones: {problem}")
        correlation = self.calls.correlation(normal_scores(large), normal_scores(again))
        if correlation is not None:
            fail(
                "two batches get the same times, so that training sees no others: draw new ones for each batch, and do "
                "not set the seed in get_train_loss",
                got=f"a correlation of {correlation:.3f}",
            )


TIMES = {id_: Times.of(id_) for id_ in (FLOW, SCORE)}


def sizes_of(rng: Rng) -> list[int]:
    """Return sizes of batches: twice a large one, then small ones."""
    large, few = rng.integer(LEAST_BATCH, MOST_BATCH), rng.integers(2, BOTH - 1, SMALL_BATCHES // 2).tolist()
    return [large, large, *few, *(BOTH - each for each in few)]


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
        return self._mapped(lambda each: np.concatenate([each, each]))

    def first(self, n: int) -> Known:
        """Return a batch of the first n of these samples."""
        return self._mapped(lambda each: each[:n])

    def _mapped(self, change: Callable[[Array32], Array32]) -> Known:
        targets = {name: change(each) for name, each in self.targets.items()}
        return Known(change(self.data), change(self.drawn), targets, change(self.outputs))

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
    _judge_loss(student, rng, FLOW, "field")


@check(SCORE)
def test_score_matching_loss(student: Subject, rng: Rng) -> None:
    """The loss is the mean squared distance of model(x, t) from the conditional score.

    z, t and x are drawn as for flow matching. Vincent 2011; Song et al. 2021, equation 7, without a weight.
    """
    _judge_loss(student, rng, SCORE, "score")


@check(SCALE, leaves_to=(FLOW, SCORE))
@pytest.mark.parametrize("which", ["field", "score"], ids=["flow matching", "score matching"])
def test_losses_are_means_over_the_batch(student: Subject, rng: Rng, passed: Passed, which: str) -> None:
    """Losses are means over the batch, so that they do not change with its size.

    A loss that is wrong otherwise is asked for the same samples twice, which leave any mean over samples as it is.
    """
    known = Known.random(rng, rng.integer(FEWEST, MOST), _dimensions(rng))
    id_ = {"field": FLOW, "score": SCORE}[which]
    got = _losses(student, which, known, [len(known.data)])[0]
    if passed(id_):
        judge_scale(got, known.residuals(which))
        return
    other, twice = (_losses(student, which, each, [len(each.data)])[0] for each in (known, known.twice()))
    values = [each["loss"].tensor(finite=False) for each in (got, other, twice)]
    follows = bool(got.list("asked", most=MOST_CALLS)) and _are_close(*values[:2])  # from the samples, without chance
    if follows and values[0].size == values[2].size == 1:
        judge_growth(float(values[0].reshape(())), float(values[2].reshape(())))
    not_asked("the loss is wrong otherwise", unless=(id_,))


def _judge_loss(student: Subject, rng: Rng, id_: str, which: str) -> None:
    """Fail unless all losses of a trainer, for batches of several sizes, are those of the field or of the score."""
    sizes, dimensions = sizes_of(rng), _dimensions(rng)
    known = Known.random(rng, max(sizes), dimensions)
    calls = [(each, known.first(n)) for each, n in zip(_losses(student, which, known, sizes), sizes, strict=True)]
    times = [judge_asked(got, batch, which, [(len(batch.data), 1)]) for got, batch in calls]
    TIMES[id_].judge(times)
    for got, batch in calls:
        judge_value(got, batch, which)


def _losses(student: Subject, which: str, known: Known, sizes: Sequence[int]) -> list[Evidence]:
    """Return the losses of one trainer for the first of these samples."""
    loss = probes.flow_matching.loss
    probe = loss.flow_matching if which == "field" else loss.score_matching
    return student.run(probe, **known.inputs, sizes=list(sizes)).list("calls", exactly=len(sizes))


def _dimensions(rng: Rng) -> int:
    return rng.integer(2, 5)


def judge_asked(
    got: Evidence, known: Known, which: str, shapes: Sequence[tuple[int, ...]], source: Array | None = None
) -> Array:
    """Fail unless path and model were asked rightly for a loss; return the times of the batch, [B].

    which: "field" or "score", the right target.
    shapes: those that the times may have.
    source: what the path was given, where that is not the known data itself.
    """
    source = _judge_data(got, known) if source is None else source
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


def judge_value(got: Evidence, known: Known, which: str) -> None:
    """Fail unless a loss is a multiple of the sum of squared residuals, and its gradient is that of the same multiple.

    For c·Σr², the gradient is 2c·r, so that its product with r is twice the loss.
    """
    claimed, residuals = got["loss"], known.residuals(which)
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
