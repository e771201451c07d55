"""Checks of lab three: the loss of classifier-free guidance, and which labels it drops.

The trainer runs with a path and a model of ours, as in `graders.flow_matching.losses`. Left open by the hand-outs, and
decided for the student:
- the trainer of 2025 knows the null label, 10, and that of 2026 is given one: both are right where they are asked for;
- times are [B, 1, 1, 1] in 2025. In 2026 they are [B], but a hint of the hand-out says [B, 1, 1, 1]: both are right;
- squares may be summed or averaged over pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gengrade.arrays import Array, Mask
from gengrade.grading import Evidence, Passed, Rng, Subject, check, expect, not_asked, probes
from graders.common.statistics import ALPHA, Share, declare
from graders.flow_matching.losses import FEWEST, MOST, Known, judge_asked, judge_scale, judge_times, judge_value, last
from graders.flow_matching.times import Earliest, UniformTimes

LOSS, DROPPING = "flow_matching.guided_loss", "flow_matching.label_dropping"
GUIDED_TIMES = "flow_matching.guided_times"
IMAGE = (1, 4, 4)
BATCH = 1_000
BATCHES, SMALL = 20, 50  # several batches, so that one coin for a batch shows
MANY = 20_000  # samples of the test of the earliest time, at least
ETA = 0.3  # none of the hand-outs' values, and not ½, which would hide that η and 1 − η were confused
CLASSES, NULL_LABEL = 7, 7

TIMES = declare(LOSS, "times of a batch", UniformTimes(BATCH))
DROPPED = declare(DROPPING, "whether a label is dropped", Share(BATCHES * SMALL, ETA, ALPHA / 2))
ALIKE = declare(
    DROPPING,
    "whether both or none of two neighbours are dropped",
    Share(BATCHES * SMALL // 2, ETA**2 + (1 - ETA) ** 2, ALPHA / 2),
)
EARLIEST = declare(GUIDED_TIMES, "the earliest time", Earliest(MANY))


@check(LOSS)
def test_guided_loss(student: Subject, rng: Rng) -> None:
    """The loss is the mean squared distance of model(x, t, y) from the conditional vector field.

    z and y are drawn from the path's p_data, t uniformly and independently for each sample, x from the path. Which
    labels are dropped is judged by another check. Ho & Salimans 2022, algorithm 1.
    """
    known = Known.random(rng, BATCH, *IMAGE)
    got = _ask(student, rng, known)
    shapes: list[tuple[int, ...]] = [(BATCH, 1, 1, 1)]
    if got.integer("null_label") == NULL_LABEL:
        shapes.append((BATCH,))
    times = judge_asked(got, known, "field", shapes)
    judge_times(times, TIMES)
    expect(not last(got, "model").is_none("labels"), "the model is not given labels: call self.model(x, t, y)")
    judge_value(got, known.residuals("field"), known, "field")


@check(GUIDED_TIMES, leaves_to=(LOSS,))
def test_times_are_short_of_the_pole(student: Subject, rng: Rng, passed: Passed) -> None:
    """If times leave out one end, it is t = 1, where the field has its pole, and not t = 0.

    The hand-out's distance from the pole, 0.001, is larger than the earliest of many times from [0, 1).
    """
    got = _ask(student, rng, Known.random(rng, rng.integer(MANY, MANY + 1_000), 1, 2, 2))
    if not passed(LOSS):
        not_asked("the loss is wrong otherwise", unless=(LOSS,))
    times = last(got, "model").tensor("times").reshape(-1)
    expect(times.size > 0, "the model is given no times")
    early, late = float(times.min()) <= EARLIEST.bound, float(times.max()) >= 1 - EARLIEST.bound
    expect(
        early or not late,
        "times begin a little above 0 and reach 1. It is the other end that is left out: at t = 1 the field has a "
        "pole, so draw from [0, 1 − eps)",
        expected=f"some of {MANY:,} times below {EARLIEST.bound:.1g}",
        got=f"times from {times.min():.2g} to {times.max():.4g}",
    )


@check("flow_matching.guided_scale", leaves_to=(LOSS,))
def test_guided_loss_is_a_mean(student: Subject, rng: Rng, passed: Passed) -> None:
    """The loss is a mean over the batch, so that it does not grow with its size."""
    known = Known.random(rng, rng.integer(FEWEST, MOST), *IMAGE)
    got = _ask(student, rng, known)
    if not passed(LOSS):
        not_asked("the loss is wrong otherwise", unless=(LOSS,))
    judge_scale(got, known.residuals("field"))


@check(DROPPING)
def test_labels_are_dropped(student: Subject, rng: Rng) -> None:
    """Each label becomes the null label with probability η, independently of the others, and else stays as it is.

    The share of dropped labels tells η from 1 − η, and its spread over batches one coin for a batch from one for each
    label. Ho & Salimans 2022, algorithm 1, line 3.
    """
    known = Known.random(rng, SMALL, *IMAGE)
    labels = rng.integers(0, CLASSES, BATCHES, SMALL)
    inputs = {"z": known.data, "x": known.drawn, "field": known.targets["field"], "labels": labels}
    got = student.run(probes.flow_matching.loss.dropped, eta=ETA, null_label=NULL_LABEL, **inputs)
    batches = got.list("batches")
    expect(len(batches) == BATCHES, "the loss did not answer every call")
    given = np.stack([_labels_of(batch) for batch in batches])
    expect(got.flag("whole"), "the labels that the model is given are no integers, so that nothing can be looked up")
    null = got.integer("null_label")
    dropped = given == null
    changed = np.unique(given[~dropped & (given != labels)])
    expect(
        changed.size == 0,
        "labels that are not dropped should stay as they were drawn, and dropped ones become the null label",
        expected=f"labels 0 to {CLASSES - 1} and the null label {null}",
        got=f"other labels became {', '.join(f'{label:g}' for label in changed[:4])}",
    )
    _judge_coins(dropped)


def _labels_of(batch: Evidence) -> Array:
    """Return the labels [B] that the model was given for a batch."""
    expect(not batch.is_none(), "the model is not given labels: call self.model(x, t, y)")
    shape = batch.shape()
    expect(
        shape == (SMALL,),
        "the model should be given one label for each sample",
        expected=f"shape [{SMALL}]",
        got=f"shape {list(shape)}" if shape else "a single number",
    )
    return batch.tensor(shape=shape)


def _judge_coins(dropped: Mask) -> None:
    """Fail unless labels [batches, B] are dropped with probability η, each by its own coin."""
    share, shares = float(dropped.mean()), dropped.mean(axis=1)
    low, high = DROPPED.bounds
    if 0 < share < 1:
        together = bool(np.isin(shares, (0.0, 1.0)).all())
        expect(not together, "the labels of a batch are dropped all together or not at all: each has a coin of its own")
    words = "labels are not dropped with probability η"
    if share == 0:
        words = "no label is dropped"
    elif low <= 1 - share <= high:
        words = "labels are dropped with probability 1 − η, but η is the share that is dropped"
    expected = f"a share between {low:.3f} and {high:.3f} for η = {ETA}"
    expect(low <= share <= high, words, expected=expected, got=f"{share:.3f}")
    pairs = dropped.reshape(-1, 2)
    alike = float((pairs[:, 0] == pairs[:, 1]).mean())
    low, high = ALIKE.bounds
    expect(
        low <= alike <= high,
        "whether a label is dropped depends on its neighbour: toss a coin for each label",
        expected=f"{low:.3f} to {high:.3f} of the neighbours alike",
        got=f"{alike:.3f}",
    )


def _ask(student: Subject, rng: Rng, known: Known) -> Evidence:
    """Return the evidence of a guided loss with these numbers and random labels."""
    inputs: dict[str, Any] = {name: value for name, value in known.inputs.items() if name != "score"}
    setting = {"labels": rng.integers(0, CLASSES, len(known.data)), "eta": ETA, "null_label": NULL_LABEL}
    return student.run(probes.flow_matching.loss.guided, **inputs, **setting)
