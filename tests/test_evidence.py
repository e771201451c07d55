"""Each accessor of evidence returns what it names; everything else fails the check with a clear message."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gengrade.grading import Evidence, Mismatch, UpTo, assert_close, expect
from gengrade.grading.evidence import MOST_DIMENSIONS, MOST_WEIGHTS
from gengrade.grading.rng import Rng, derive
from gengrade.sandbox import wire

ACCESSORS: dict[str, Callable[[Evidence], Any]] = {
    "tensor": lambda evidence: evidence.tensor(),
    "shaped": lambda evidence: evidence.tensor(shape=(2, UpTo(3))),
    "number": lambda evidence: evidence.number(),
    "integer": lambda evidence: evidence.integer(),
    "flag": lambda evidence: evidence.flag(),
    "text": lambda evidence: evidence.text(),
    "list": lambda evidence: evidence.list(),
    "state": lambda evidence: evidence.state(),
    "names": lambda evidence: evidence.names(),
    "shape": lambda evidence: evidence.shape(),
    "item": lambda evidence: evidence["name"],
}
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text()
    | st.sampled_from(
        [np.zeros((2, 3)), np.array(math.nan), np.zeros(0), np.array([True]), np.zeros((1, 1), np.uint8)]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("name") | st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(VALUES, st.sampled_from(sorted(ACCESSORS)))
def test_whatever_the_evidence_is_an_accessor_answers_or_fails_the_check(value: Any, accessor: str) -> None:
    """Any other exception would count as a fault of the harness."""
    with contextlib.suppress(Mismatch):
        ACCESSORS[accessor](Evidence(value))


@given(VALUES)
def test_comparing_any_evidence_passes_or_fails_the_check(value: Any) -> None:
    with contextlib.suppress(Mismatch):
        assert_close(Evidence(value), np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (np.ones(3), np.ones((3, 1))),
        (np.ones(1), np.ones(3)),
        (1.0, np.ones(1)),
        (np.array([1.0, math.nan]), np.ones(2)),
        (np.array([1.0, math.inf]), np.ones(2)),
        (np.array([1.0, 1.001]), np.ones(2)),
        (math.nan, 1.0),
    ],
)
def test_shapes_and_values_must_agree(got: Any, expected: Any) -> None:
    with pytest.raises(Mismatch):
        assert_close(Evidence(got), expected)


def test_other_dtypes_of_the_same_values_are_right() -> None:
    values = np.array([0.5, -2.0, 3.0])
    for dtype in ("float16", "float32", "float64"):
        assert_close(Evidence(values.astype(dtype)), values)


def test_a_mismatch_says_where_and_how_many() -> None:
    with pytest.raises(Mismatch) as caught:
        assert_close(
            np.array([[1.0, 2.0], [3.0, 9.0]]), np.array([[1.0, 2.0], [3.0, 4.0]]), what="the KL", hint="sum it"
        )
    assert caught.value.message == "the KL is not right: sum it"
    assert caught.value.expected == "4 at [1, 1] (1 of 4 differ)"
    assert caught.value.got == "9 at [1, 1] (1 of 4 differ)"


def test_an_expected_value_that_is_not_finite_is_our_own_fault() -> None:
    with pytest.raises(FloatingPointError, match="not finite"):
        assert_close(1.0, math.nan)


def test_expect_speaks_only_when_it_is_false() -> None:
    expect(True, "never said")
    with pytest.raises(Mismatch, match="said"):
        expect(False, "said")


def test_seeds_depend_on_the_secret_and_on_every_label() -> None:
    seeds = {derive(secret, *labels) for secret in (b"a", b"b") for labels in (("x",), ("y",), ("x", 1), ("x", 2))}
    assert len(seeds) == 8
    assert derive(b"a", "x", 1) == derive(b"a", "x", 1)
    np.testing.assert_array_equal(Rng(derive(b"a", "x")).normal(4), Rng(derive(b"a", "x")).normal(4))


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (np.zeros((5, 2)), lambda evidence: evidence.tensor(shape=(UpTo(4), 2))),
        (np.zeros(5), lambda evidence: evidence.tensor(most=4)),
        ([0] * 5, lambda evidence: evidence.list(most=4)),
        ("x" * 5, lambda evidence: evidence.text(most=4)),
        (dict.fromkeys("abcde", 0), lambda evidence: evidence.names(most=4)),
        (dict.fromkeys("abcde", np.zeros(1)), lambda evidence: evidence.state(most=4)),
    ],
)
def test_every_accessor_knows_how_much_it_takes(value: Any, read: Callable[[Evidence], Any]) -> None:
    with pytest.raises(Mismatch, match="is larger than any right answer") as caught:
        read(Evidence(value))
    assert "at most 4" in (caught.value.expected or "")
    read(Evidence({name: value[name] for name in "abcd"} if isinstance(value, dict) else value[:4]))


def test_a_length_may_have_a_least() -> None:
    assert Evidence(np.zeros(2)).tensor(shape=(UpTo(4, least=2),)).size == 2
    with pytest.raises(Mismatch, match="wrong shape"):
        Evidence(np.zeros(1)).tensor(shape=(UpTo(4, least=2),))


def test_words_for_a_student_are_short() -> None:
    mismatch = Mismatch("m" * 10_000, expected="e" * 10_000, got="g" * 10_000)
    assert len(mismatch.message) + len(mismatch.expected or "") + len(mismatch.got or "") <= 3_000


def test_weights_names_are_limited_together() -> None:
    """Weights that are sent to another run must fit the wire again."""
    weights = {f"{number:05}{'😀' * 190}": np.zeros(1) for number in range(1000)}
    with pytest.raises(Mismatch, match="larger than any right answer"):
        Evidence(weights).state()
    assert len(Evidence({f"layers.{number}.weight": np.zeros(1) for number in range(1000)}).state()) == 1000


@pytest.mark.parametrize(
    "value", [np.zeros((1,) * (MOST_DIMENSIONS + 1)), np.zeros(1, np.uint16), np.zeros(1, np.float128)]
)
def test_weights_that_torch_may_not_take_fail_the_check(value: NDArray[Any]) -> None:
    with pytest.raises(Mismatch):
        Evidence({"weight": value}).state()


def _as_received(state: dict[str, Any]) -> dict[str, Any]:
    """Return weights as the host accepts them from a run; if it does not, discard the example."""
    try:
        return dict(Evidence(wire.decode(wire.encode(state))).state())
    except (TypeError, wire.WireError, Mismatch):
        reject()


def _is_sent_on(*states: dict[str, Any]) -> None:
    """Check that a request with these weights, behind other tensors and texts, reaches a run and becomes tensors."""
    request = {"z": np.zeros((2_000, 64), np.float32), "settings": {"name": "x" * 2_000, "sizes": [512] * 100}}
    request |= {f"weights{number}": state for number, state in enumerate(states)}
    sent = wire.decode(wire.encode(request))
    for number, state in enumerate(states):
        assert sent[f"weights{number}"].keys() == state.keys()
        for array in sent[f"weights{number}"].values():
            torch.from_numpy(array.copy())


@pytest.mark.parametrize("wide", [np.uint8, np.float64], ids=str)
@pytest.mark.parametrize("key", ["w", "\u2028" * 80, "\N{GRINNING FACE}" * 38], ids=["short", "escaped", "pairs"])
def test_weights_at_every_limit_can_be_sent_on(wide: type[np.generic], key: str) -> None:
    """A run made weights for which the second request was too long, and that was a fault of ours."""
    shape = (*(0,), *(1,) * (MOST_DIMENSIONS - 2), 10**9)
    states = [
        {f"{number}{key}": np.zeros(shape if number % 2 else (1,) * MOST_DIMENSIONS, wide) for number in range(most)}
        for most in (MOST_WEIGHTS, MOST_WEIGHTS)
    ]
    _is_sent_on(*(_as_received(state) for state in states))
    with pytest.raises(Mismatch):
        Evidence({**states[0], "one more": np.zeros(1)}).state()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(
    number=st.integers(1, MOST_WEIGHTS + 1),
    axes=st.integers(0, MOST_DIMENSIONS + 1),
    kind=st.sampled_from(["bool", "uint8", "uint16", "int64", "uint64", "float16", "float64"]),
    name=st.text(max_size=190),
    first=st.sampled_from([0, 1, 3]),
)
def test_weights_that_are_accepted_can_be_sent_on(number: int, axes: int, kind: str, name: str, first: int) -> None:
    shape = (first, *(1,) * (axes - 1)) if axes else ()
    weights = {f"{index}{name}": np.zeros(shape, kind) for index in range(number)}
    state = _as_received(weights)
    _is_sent_on(state, state)


@pytest.mark.parametrize("value", [1.7e308, -1e39])
def test_numbers_beyond_single_precision_are_infinite(value: float) -> None:
    """Squares and differences of such numbers are infinite or NaN, which no comparison finds wrong."""
    for held in (value, np.array([0.0, value])):
        with pytest.raises(Mismatch, match=r"finite|infinite"):
            Evidence(held).number() if isinstance(held, float) else Evidence(held).tensor()
    found = Evidence(np.array([0.0, value])).tensor(finite=False)
    assert found.tolist() == [0.0, math.copysign(math.inf, value)]
    assert Evidence(np.array([3e38])).tensor() == [3e38]
