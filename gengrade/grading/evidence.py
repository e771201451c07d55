"""Evidence, read with care: every access says what it expects, and anything else is the student's failed check."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengrade.texts import shortened

FloatArray = NDArray[np.float64]

_MESSAGE_BYTES = 1_200
_VALUE_BYTES = 600
_NAME_BYTES = 60  # of an entry's name, where a dict is described


class Mismatch(AssertionError):
    """What a student's code gave is not what was asked for. Its words are for the student."""

    def __init__(self, message: str, *, expected: str | None = None, got: str | None = None) -> None:
        self.message = shortened(message, _MESSAGE_BYTES)
        super().__init__(self.message)
        self.expected = None if expected is None else shortened(expected, _VALUE_BYTES)
        self.got = None if got is None else shortened(got, _VALUE_BYTES)


class Evidence:
    """What a probe returned: a tensor, a plain value, or lists and dicts of these.

    Nothing in it can be trusted to be there or to have a certain kind. All accessors raise Mismatch.
    """

    def __init__(self, tree: Any, name: str = "the result") -> None:
        self._tree = tree
        self._name = name

    def __repr__(self) -> str:
        return f"Evidence({describe(self._tree)})"

    def __contains__(self, name: str) -> bool:
        return isinstance(self._tree, dict) and name in self._tree

    def __getitem__(self, name: str) -> Evidence:
        if not isinstance(self._tree, dict) or name not in self._tree:
            raise Mismatch(f"there is no {name.replace('_', ' ')} in the answer", got=describe(self._tree))
        return Evidence(self._tree[name], name.replace("_", " "))

    def is_none(self, name: str | None = None) -> bool:
        return self._pick(name)._tree is None

    def shape(self, name: str | None = None) -> tuple[int, ...]:
        """The shape of a tensor; of a plain number, ()."""
        return self._pick(name)._array().shape

    def tensor(
        self, name: str | None = None, shape: tuple[int | None, ...] | None = None, *, finite: bool = True
    ) -> FloatArray:
        """A tensor's values in float64. `None` in `shape` stands for any length."""
        field = self._pick(name)
        array = field._array()
        if shape is not None and not _fits(array.shape, shape):
            wanted = "×".join("any" if length is None else str(length) for length in shape) or "a single number"
            raise Mismatch(
                f"{field._name} has the wrong shape", expected=f"shape {wanted}", got=f"shape {list(array.shape)}"
            )
        values = array.astype(np.float64)
        if finite and not np.isfinite(values).all():
            raise Mismatch(
                f"{field._name} holds NaN or infinite values", expected="finite numbers", got=describe(array)
            )
        return values

    def number(self, name: str | None = None, *, finite: bool = True) -> float:
        """A plain number, or a tensor of one element."""
        field = self._pick(name)
        array = field._array()
        if array.size != 1:
            raise Mismatch(f"{field._name} is not a single number", expected="one number", got=describe(field._tree))
        value = float(array.reshape(()))
        if finite and not math.isfinite(value):
            raise Mismatch(f"{field._name} is not finite", expected="a finite number", got=str(value))
        return value

    def integer(self, name: str | None = None) -> int:
        field = self._pick(name)
        value = field.number()
        if not value.is_integer():
            raise Mismatch(f"{field._name} is not a whole number", got=str(value))
        return int(value)

    def flag(self, name: str | None = None) -> bool:
        field = self._pick(name)
        if not isinstance(field._tree, bool):
            raise Mismatch(f"{field._name} is neither true nor false", got=describe(field._tree))
        return field._tree

    def text(self, name: str | None = None) -> str:
        field = self._pick(name)
        if not isinstance(field._tree, str):
            raise Mismatch(f"{field._name} is not a text", got=describe(field._tree))
        return field._tree

    def list(self, name: str | None = None) -> list[Evidence]:
        field = self._pick(name)
        if not isinstance(field._tree, list):
            raise Mismatch(f"{field._name} is not a list", got=describe(field._tree))
        return [Evidence(item, f"{field._name} {index + 1}") for index, item in enumerate(field._tree)]

    def names(self) -> tuple[str, ...]:
        """The keys, where the evidence is a dict."""
        if not isinstance(self._tree, dict):
            raise Mismatch(f"{self._name} has no named parts", got=describe(self._tree))
        return tuple(self._tree)

    def state(self, name: str | None = None) -> Mapping[str, NDArray[Any]]:
        """Weights to hand to another run: a mapping of names to arrays, untouched."""
        field = self._pick(name)
        if not isinstance(field._tree, dict) or not all(isinstance(item, np.ndarray) for item in field._tree.values()):
            raise Mismatch(f"{field._name} is no set of weights", got=describe(field._tree))
        return field._tree

    def _pick(self, name: str | None) -> Evidence:
        return self if name is None else self[name]

    def _array(self) -> NDArray[Any]:
        if isinstance(self._tree, np.ndarray):
            return self._tree
        if isinstance(self._tree, bool | int | float):
            return np.asarray(self._tree, dtype=np.float64)
        raise Mismatch(f"{self._name} is neither a tensor nor a number", got=describe(self._tree))


def describe(value: object) -> str:
    """A value in a few words, for a student's report."""
    if isinstance(value, Evidence):
        return describe(value._tree)
    if isinstance(value, np.ndarray):
        return _describe_array(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        names = [shortened(str(name), _NAME_BYTES) for name in heapq.nsmallest(8, map(str, value))]
        return "a dict with " + (", ".join(names) or "nothing in it")
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return shortened(repr(value), 200)


def _describe_array(array: NDArray[Any]) -> str:
    if array.size == 1:
        return f"{float(array.reshape(())):.6g}"
    first = ", ".join(f"{float(value):.4g}" for value in array.reshape(-1)[:4])
    return f"shape {list(array.shape)}: {first}{', …' if array.size > 4 else ''}"


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(want in (None, have) for have, want in zip(shape, wanted, strict=True))
