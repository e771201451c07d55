"""Tests of which labels a trainer drops: each with probability η, by a coin of its own, and anew in each batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from gengrade.arrays import Array, Integers, Mask
from gengrade.grading import Evidence, expect
from graders.common.statistics import ALPHA, Share, declare

LEAST_COINS = 500  # labels of the batches that are judged together, at least
_TYPICAL_ETA = 0.2  # for which the tests' power is stated; η itself is drawn anew for each class


@dataclass(frozen=True)
class Coins:
    """Tests of labels: how many are dropped, whether neighbours are alike, and places in batches of the same size."""

    dropped: Share
    neighbours: Share
    calls: Share

    @classmethod
    def of(cls, id_: str, cases: int, alpha: float = ALPHA) -> Coins:
        """Declare the tests for a check, which judges so many groups of batches; `alpha` is its share for all."""
        alike = _TYPICAL_ETA**2 + (1 - _TYPICAL_ETA) ** 2
        share, pairs = alpha / (3 * cases), LEAST_COINS // 2 - 10  # a batch with an odd number has a label without pair
        whether = "whether both or none are dropped of"
        return cls(
            declare(id_, "whether a label is dropped", Share(LEAST_COINS, _TYPICAL_ETA, share), cases),
            declare(id_, f"{whether} two neighbours", Share(pairs, alike, share), cases),
            declare(id_, f"{whether} two batches' labels in one place", Share(LEAST_COINS, alike, share), cases),
        )

    def judge(self, batches: Sequence[Mask], eta: float) -> None:
        """Fail unless labels are dropped with probability η, each by its own coin; `batches` are judged together."""
        self._judge_share(batches, eta)
        neighbours = np.concatenate([each[: len(each) // 2 * 2].reshape(-1, 2) for each in batches])
        alike, (low, high) = _alike(neighbours), _bounds(self.neighbours, len(neighbours), eta**2 + (1 - eta) ** 2)
        expect(
            low <= alike <= high,
            "whether a label is dropped depends on its neighbour: toss a coin for each label",
            expected=f"{low:.3f} to {high:.3f} of the neighbours alike",
            got=f"{alike:.3f}",
        )
        places = _places(batches)
        if not len(places):
            return
        alike, (low, high) = _alike(places), _bounds(self.calls, len(places), eta**2 + (1 - eta) ** 2)
        expect(
            low <= alike <= high,
            "labels in the same places are dropped in each batch: toss new coins for each batch, and do not set the "
            "seed in get_train_loss",
            expected=f"{low:.3f} to {high:.3f} of the places alike in two batches",
            got=f"{alike:.3f}",
        )

    def _judge_share(self, batches: Sequence[Mask], eta: float) -> None:
        flat = np.concatenate(batches)
        share, (low, high) = float(flat.mean()), _bounds(self.dropped, len(flat), eta)
        if 0 < share < 1:
            expect(
                not are_together(batches),
                "the labels of a batch are dropped all together or not at all: each has a coin of its own",
            )
        words = "labels are not dropped with probability η"
        if share == 0:
            words = "no label is dropped"
        elif low <= 1 - share <= high:
            words = "labels are dropped with probability 1 − η, but η is the share that is dropped"
        expected = f"a share between {low:.3f} and {high:.3f} for η = {eta:.3f}"
        expect(low <= share <= high, words, expected=expected, got=f"{share:.3f}")


def are_together(batches: Sequence[Mask]) -> bool:
    """Return whether in each batch all labels are dropped, or none."""
    return all(each.all() or not each.any() for each in batches)


def judge_labels(batches: Sequence[Evidence], labels: Sequence[Integers], null_label: int) -> list[Mask]:
    """Return for each batch which labels were dropped. Fail other labels than the null label and those given [B]."""
    found = []
    for batch, right in zip(batches, labels, strict=True):
        given = _labels_of(batch, len(right))
        dropped = given == null_label
        changed = np.unique(given[~dropped & (given != right)])
        expect(
            changed.size == 0,
            "labels that are not dropped should stay as they were drawn, and dropped ones become the null label",
            expected=f"labels as they were drawn, and the null label {null_label}",
            got=f"other labels became {', '.join(f'{label:g}' for label in changed[:4])}",
        )
        found.append(np.asarray(dropped))
    return found


def _labels_of(batch: Evidence, n: int) -> Array:
    """Return the labels [B] that the model was given for a batch."""
    expect(not batch.is_none(), "the model is not given labels: call self.model(x, t, y)")
    shape = batch.shape()
    expect(
        shape == (n,),
        "the model should be given one label for each sample",
        expected=f"shape [{n}]",
        got=f"shape {list(shape)}" if shape else "a single number",
    )
    return batch.tensor(shape=shape)


def _places(batches: Sequence[Mask]) -> Mask:
    """Return what became of the labels in the same places [N, 2] of two batches of one size that follow each other.

    A batch is in one pair at most, so that all pairs are independent of each other.
    """
    found = [np.stack(each, axis=1) for each in list(pairwise(batches))[::2] if len(each[0]) == len(each[1])]
    return np.concatenate([np.zeros((0, 2), bool), *found])


def _alike(pairs: Mask) -> float:
    return float((pairs[:, 0] == pairs[:, 1]).mean())


def _bounds(test: Share, draws: int, p: float) -> tuple[float, float]:
    """Return the bounds of a declared test for so many draws of an event of probability p."""
    return replace(test, draws=draws, p=p).bounds
