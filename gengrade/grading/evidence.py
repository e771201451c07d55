"""Read evidence, which is untrusted: each access states what it expects, and anything else fails the check."""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gengrade.arrays import Array
from gengrade.texts import shortened

# The default limits of the accessors, which exceed every right answer to the graders here.
MOST_ELEMENTS: Final = 1 << 22  # of a tensor of any shape
MOST_ITEMS: Final = 1_000  # of a list, or of a dict whose keys are read
MOST_CHARACTERS: Final = 2_000  # of a text
MOST_NAMES: Final = 1 << 20  # characters of all names of a network's weights, written as JSON
# Weights are sent on to other runs, as up to two sets in one request. Whatever they are, these limits keep a request
# below those of the wire (`gengrade/sandbox/wire.py`), and let torch take them.
MOST_WEIGHTS: Final = 2_000  # tensors of a network's weights
MOST_DIMENSIONS: Final = 8  # of one of them
_WEIGHTS: Final = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
# Numbers beyond single precision count as infinite: their squares and differences may become infinite and then NaN,
# which no comparison finds too large.
MOST: Final = float(np.finfo(np.float32).max)
_MESSAGE_BYTES: Final = 1_200
_VALUE_BYTES: Final = 600
_NAME_BYTES: Final = 60  # of an entry's name, where a dict is described


@dataclass(frozen=True, slots=True)
class UpTo:
    """A length in a shape that may be anything from `least` to `most`."""

    most: int
    least: int = 0

    def __str__(self) -> str:
        return f"({self.least:,} to {self.most:,})" if self.least else f"(at most {self.most:,})"


Shape = tuple[int | UpTo, ...]


class Mismatch(AssertionError):
    """The answer of a student's code is not what was asked for. The student reads the message."""

    def __init__(self, message: str, *, expected: str | None = None, got: str | None = None) -> None:
        self.message = shortened(message, _MESSAGE_BYTES)
        super().__init__(self.message)
        self.expected = None if expected is None else shortened(expected, _VALUE_BYTES)
        self.got = None if got is None else shortened(got, _VALUE_BYTES)


class NotAsked(Exception):
    """A test has nothing to ask of this submission, or leaves it to the checks `unless`: see `not_asked`."""

    def __init__(self, reason: str, unless: tuple[str, ...] = ()) -> None:
        self.reason = shortened(reason, _MESSAGE_BYTES)
        self.unless = unless
        super().__init__(self.reason)


class Evidence:
    """The answer of a probe: a tensor, a plain value, or lists and dicts of these.

    It is untrusted: any entry may be missing, have another type, or be of any size. So each accessor takes the name of
    an entry (None: the whole answer), checks its type, and limits its size. All of them raise Mismatch.
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
        """Return whether the entry is None."""
        return self._pick(name)._tree is None

    def shape(self, name: str | None = None) -> tuple[int, ...]:
        """Return the shape of a tensor, or () for a plain number."""
        return self._pick(name)._array().shape

    def tensor(
        self,
        name: str | None = None,
        shape: Shape | None = None,
        *,
        most: int = MOST_ELEMENTS,
        finite: bool = True,
    ) -> Array:
        """Return a tensor's values as float64; numbers beyond single precision become infinite.

        shape: the expected shape, in which `UpTo` stands for a range of lengths; None: any shape.
        most: without a shape, the most elements that are accepted.
        finite: whether NaN and infinite values are refused.
        """
        field = self._pick(name)
        array = field._array()
        if shape is not None and not _fits(array.shape, shape):
            wanted = "×".join(map(str, shape)) or "a single number"
            what = "is larger than any right answer" if _is_longer(array.shape, shape) else "has the wrong shape"
            raise Mismatch(f"{field._name} {what}", expected=f"shape {wanted}", got=f"shape {list(array.shape)}")
        if shape is None:
            field._expect_at_most(array.size, most, "numbers")
        values = _bounded(array.astype(np.float64))
        if finite and not np.isfinite(values).all():
            raise Mismatch(
                f"{field._name} holds NaN or infinite values", expected="finite numbers", got=describe(array)
            )
        return values

    def number(self, name: str | None = None, *, finite: bool = True) -> float:
        """Return a plain number, or the element of a one-element tensor; beyond single precision it is infinite."""
        field = self._pick(name)
        array = field._array()
        if array.size != 1:
            raise Mismatch(f"{field._name} is not a single number", expected="one number", got=describe(field._tree))
        value = float(_bounded(array.reshape(()).astype(np.float64)))
        if finite and not math.isfinite(value):
            raise Mismatch(f"{field._name} is not finite", expected="a finite number", got=str(value))
        return value

    def integer(self, name: str | None = None) -> int:
        """Return a whole number."""
        field = self._pick(name)
        value = field.number()
        if not value.is_integer():
            raise Mismatch(f"{field._name} is not a whole number", got=str(value))
        return int(value)

    def flag(self, name: str | None = None) -> bool:
        """Return a truth value."""
        field = self._pick(name)
        if not isinstance(field._tree, bool):
            raise Mismatch(f"{field._name} is neither true nor false", got=describe(field._tree))
        return field._tree

    def text(self, name: str | None = None, *, most: int = MOST_CHARACTERS) -> str:
        """Return a text of at most `most` characters."""
        field = self._pick(name)
        if not isinstance(field._tree, str):
            raise Mismatch(f"{field._name} is not a text", got=describe(field._tree))
        field._expect_at_most(len(field._tree), most, "characters")
        return field._tree

    def list(self, name: str | None = None, *, most: int = MOST_ITEMS, exactly: int | None = None) -> list[Evidence]:
        """Return the items of a list with at most `most` items, or with exactly as many as the probe gives."""
        field = self._pick(name)
        if not isinstance(field._tree, list):
            raise Mismatch(f"{field._name} is not a list", got=describe(field._tree))
        field._expect_at_most(len(field._tree), most, "items")
        if exactly is not None and len(field._tree) != exactly:
            raise Mismatch(
                f"{field._name} has another number of items", expected=str(exactly), got=str(len(field._tree))
            )
        return [Evidence(item, f"{field._name} {index + 1}") for index, item in enumerate(field._tree)]

    def names(self, *, most: int = MOST_ITEMS) -> tuple[str, ...]:
        """Return the keys of a dict with at most `most` entries."""
        if not isinstance(self._tree, dict):
            raise Mismatch(f"{self._name} has no named parts", got=describe(self._tree))
        self._expect_at_most(len(self._tree), most, "named parts")
        return tuple(self._tree)

    def state(self, name: str | None = None, *, most: int = MOST_WEIGHTS) -> Mapping[str, NDArray[Any]]:
        """Return a network's weights, at most `most` arrays by name, unchanged, as input for another run.

        Two sets of weights that this method has returned always fit into one request.
        """
        field = self._pick(name)
        if not isinstance(field._tree, dict) or not all(isinstance(item, np.ndarray) for item in field._tree.values()):
            raise Mismatch(f"{field._name} is not a set of weights", got=describe(field._tree))
        field._expect_at_most(len(field._tree), most, "tensors")
        field._expect_at_most(sum(len(json.dumps(name)) for name in field._tree), MOST_NAMES, "characters of names")
        field._expect_at_most(max((item.ndim for item in field._tree.values()), default=0), MOST_DIMENSIONS, "axes")
        odd = next((item.dtype.name for item in field._tree.values() if item.dtype.name not in _WEIGHTS), None)
        if odd is not None:
            raise Mismatch(f"{field._name} holds weights of an unusual type", expected=", ".join(_WEIGHTS), got=odd)
        return field._tree

    def _expect_at_most(self, count: int, most: int, of: str) -> None:
        if count > most:
            raise Mismatch(
                f"{self._name} is larger than any right answer",
                expected=f"at most {most:,} {of}",
                got=f"{count:,} {of}",
            )

    def _pick(self, name: str | None) -> Evidence:
        return self if name is None else self[name]

    def _array(self) -> NDArray[Any]:
        if isinstance(self._tree, np.ndarray):
            return self._tree
        if isinstance(self._tree, bool | int | float):
            return np.asarray(self._tree, dtype=np.float64)
        raise Mismatch(f"{self._name} is neither a tensor nor a number", got=describe(self._tree))


def _bounded(values: Array) -> Array:
    beyond = np.abs(values) > MOST
    return np.where(beyond, np.copysign(np.inf, values), values) if beyond.any() else values


def describe(value: object) -> str:
    """Return a description of a value in a few words, for a student's report."""
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
    return shortened(repr(value[:200] if isinstance(value, str) else value), 200)


def _describe_array(array: NDArray[Any]) -> str:
    if array.size == 1:
        return f"{float(array.reshape(())):.6g}"
    first = ", ".join(f"{float(value):.4g}" for value in array.reshape(-1)[:4])
    return f"shape {list(array.shape)}: {first}{', …' if array.size > 4 else ''}"


def _fits(shape: tuple[int, ...], wanted: Shape) -> bool:
    return len(shape) == len(wanted) and all(
        want.least <= have <= want.most if isinstance(want, UpTo) else want == have
        for have, want in zip(shape, wanted, strict=True)
    )


def _is_longer(shape: tuple[int, ...], wanted: Shape) -> bool:
    """Return whether a shape differs from the wanted one only by lengths that exceed an `UpTo`."""
    return len(shape) == len(wanted) and all(
        have > want.most or _fits((have,), (want,)) if isinstance(want, UpTo) else want == have
        for have, want in zip(shape, wanted, strict=True)
    )
