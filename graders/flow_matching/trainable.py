"""Whether a network can be trained: what it gives in training mode, its gradients, and weights without effect."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from gengrade.arrays import Array
from gengrade.grading import Evidence, Subject, expect, probes
from graders.common.networks import expect_in_use
from graders.flow_matching.changes import are_equal

MOST_TENSORS: Final = 10  # that a network gives at once
SLOPE: Final = 0.2  # relative tolerance on a slope; that of a right network is off by 0.001


def judge_training(
    student: Subject, seed: int, name: str, settings: dict[str, Any], *, use: bool = False, **inputs: Any
) -> None:
    """Fail a network that cannot be trained, for the inputs of a single pass.

    In training mode, dropout and batch norms may change what it gives, but nothing else may.

    Args:
        seed: of random weights.
        name: of the network's class.
        settings: its arguments.
        use: whether to look for weights without effect, which takes a pass for each of them.
        inputs: x, t, y and c, as far as the network takes them.
    """
    got = student.run(probes.flow_matching.network.training, name=name, settings=settings, seed=seed, use=use, **inputs)
    quiet, trained = (_tensors(got, mode) for mode in ("eval", "train"))
    alike = len(quiet) == len(trained) and all(are_equal(*each) for each in zip(trained, quiet, strict=True))
    expect(
        alike or got.flag("varies"),
        f"in training mode, {name} gives something else than in eval mode: only dropout and batch norms may do that",
    )
    _judge_slope(got["of_weights"], f"the weights of {name}", "has it any, and does forward use them?")
    if "x" in inputs or "c" in inputs:
        _judge_slope(got["of_inputs"], f"what {name} is given", "the layers before it would never be trained")
    expect_in_use(got["idle"], name)


def _tensors(got: Evidence, mode: str) -> list[Array]:
    found = [each.tensor(finite=False) for each in got.list(mode, most=MOST_TENSORS)]
    expect(bool(found) and all(each.size for each in found), "the network gives no numbers")
    return found


def _judge_slope(got: Evidence, leaves: str, why: str) -> None:
    length, ratio = got.number("length"), got.number("ratio")
    expect(
        length > 0,
        f"no gradient reaches {leaves}: {why} Neither detach nor torch.no_grad belongs there",
    )
    expect(
        bool(np.abs(ratio - 1) < SLOPE),
        f"the gradient that reaches {leaves} is not that of the output",
        expected="a gradient that predicts how the output changes",
        got=f"a change that is {ratio:.3g} times the predicted one",
    )
