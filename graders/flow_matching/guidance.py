"""Checks of lab three: the loss of classifier-free guidance, and which labels it drops.

The trainer runs with a path and a model of ours, as in `graders.flow_matching.losses`. Left open by the hand-outs, and
decided for the student:
- the trainer of 2025 knows the null label, 10, and that of 2026 is given one: both are right where they are asked for;
- times are [B, 1, 1, 1] in 2025. In 2026 they are [B], but a hint of the hand-out says [B, 1, 1, 1]: both are right;
- squares may be summed or averaged over pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from gengrade.arrays import Array
from gengrade.grading import Evidence, Passed, Rng, Subject, check, expect, not_asked, probes
from graders.common.statistics import declare
from graders.flow_matching.coins import LEAST_COINS, Coins, judge_labels
from graders.flow_matching.losses import (
    FEWEST,
    MOST,
    Known,
    Times,
    judge_asked,
    judge_scale,
    judge_value,
    last,
    sizes_of,
)
from graders.flow_matching.times import Earliest

LOSS, DROPPING = "flow_matching.guided_loss", "flow_matching.label_dropping"
GUIDED_TIMES = "flow_matching.guided_times"
MANY = 20_000  # samples of the test of the earliest time, at least
# Neither reaches ½, which would hide that η and 1 − η were confused, and no number is right for both.
ETAS = {"few": (0.1, 0.2), "most": (0.6, 0.8)}
CLASSES, NULL_LABEL = 7, 7
SMALL_BATCHES = 20  # several, so that one coin for a batch shows
FEW, BOTH = 20, 120  # labels of a small batch, at least, and of two such batches together

TIMES = Times.of(LOSS)
COINS = Coins.of(DROPPING, cases=2 * len(ETAS))  # small batches and large ones
EARLIEST = declare(GUIDED_TIMES, "the earliest time", Earliest(MANY))


@check(LOSS)
def test_guided_loss(student: Subject, rng: Rng) -> None:
    """The loss is the mean squared distance of model(x, t, y) from the conditional vector field.

    z and y are drawn from the path's p_data, t uniformly and independently for each sample, x from the path. Which
    labels are dropped is judged by another check. Ho & Salimans 2022, algorithm 1.
    """
    sizes = sizes_of(rng)
    known = Known.random(rng, sizes[0], *_image(rng))
    got = _ask(student, rng, known, sizes)
    calls = zip(got.list("calls", exactly=len(sizes)), [known.first(n) for n in sizes], strict=True)
    judge_guided(list(calls), TIMES, plain=got.integer("null_label") == NULL_LABEL)


@check(GUIDED_TIMES, leaves_to=(LOSS,))
def test_times_are_short_of_the_pole(student: Subject, rng: Rng, passed: Passed) -> None:
    """If times leave out one end, it is t = 1, where the field has its pole, and not t = 0.

    The hand-out's distance from the pole, 0.001, is larger than the earliest of many times from [0, 1).
    """
    known = Known.random(rng, rng.integer(MANY, MANY + 1_000), 1, 2, 2)
    (got,) = _ask(student, rng, known, [len(known.data)]).list("calls", exactly=1)
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
    known = Known.random(rng, rng.integer(FEWEST, MOST), *_image(rng))
    (got,) = _ask(student, rng, known, [len(known.data)]).list("calls", exactly=1)
    if not passed(LOSS):
        not_asked("the loss is wrong otherwise", unless=(LOSS,))
    judge_scale(got, known.residuals("field"))


@check(DROPPING)
@pytest.mark.parametrize("which", list(ETAS))
def test_labels_are_dropped(student: Subject, rng: Rng, which: str) -> None:
    """Each label becomes the null label with probability η, independently of the others, and else stays as it is.

    The share of dropped labels tells η from 1 − η and from any constant, and its spread over batches one coin for a
    batch from one for each label. Ho & Salimans 2022, algorithm 1, line 3.
    """
    sizes, eta = _sizes_in_pairs(rng), float(rng.uniform(*ETAS[which], 1)[0])
    known = Known.random(rng, max(sizes), *_image(rng))
    labels = [rng.integers(0, CLASSES, n) for n in sizes]
    inputs = {"z": known.data, "x": known.drawn, "field": known.targets["field"], "labels": labels}
    got = student.run(probes.flow_matching.loss.dropped, eta=eta, null_label=NULL_LABEL, **inputs)
    batches = got.list("batches", exactly=len(sizes))
    expect(got.flag("whole"), "the labels that the model is given are no integers, so that nothing can be looked up")
    dropped = judge_labels(batches, labels, got.integer("null_label"))
    for group in (dropped[:SMALL_BATCHES], dropped[SMALL_BATCHES:]):
        COINS.judge(group, eta)


def judge_guided(
    calls: Sequence[tuple[Evidence, Known]], tests: Times, *, plain: bool, sources: Sequence[Array] | None = None
) -> None:
    """Fail unless losses with labels are those of the field, for batches of the sizes of `sizes_of`.

    plain: whether times may be [B]. sources: what the path was given, where that is no known data.
    """
    times = []
    for index, (got, batch) in enumerate(calls):
        n = len(batch.data)
        shapes: list[tuple[int, ...]] = [(n, 1, 1, 1), (n,)] if plain else [(n, 1, 1, 1)]
        times.append(judge_asked(got, batch, "field", shapes, None if sources is None else sources[index]))
    tests.judge(times)
    for got, batch in calls:
        expect(not last(got, "model").is_none("labels"), "the model is not given labels: call self.model(x, t, y)")
        judge_value(got, batch, "field")


def _sizes_in_pairs(rng: Rng) -> list[int]:
    """Return sizes of batches, each of them twice: small ones, and then a large one."""
    few = rng.integers(FEW, BOTH - FEW + 1, SMALL_BATCHES // 4)
    return np.repeat([*few, *(BOTH - few), rng.integer(LEAST_COINS, LEAST_COINS + 200)], 2).tolist()


def _image(rng: Rng) -> tuple[int, int, int]:
    side = rng.integer(3, 6)
    return 1, side, side


def _ask(student: Subject, rng: Rng, known: Known, sizes: list[int]) -> Evidence:
    """Return the evidence of guided losses with these numbers and random labels."""
    inputs: dict[str, Any] = {name: value for name, value in known.inputs.items() if name != "score"}
    inputs["labels"] = rng.integers(0, CLASSES, len(known.data))
    eta = float(rng.uniform(*ETAS["few"], 1)[0])
    return student.run(probes.flow_matching.loss.guided, **inputs, eta=eta, null_label=NULL_LABEL, sizes=sizes)
