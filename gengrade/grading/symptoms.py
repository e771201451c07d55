"""Extract the symptoms of a run: the numbers that are equal for two packages that are wrong in the same way.

By default these are all numbers of the evidence. Where evidence depends on what a student may choose freely (an
architecture, the order of random draws), a function in `graders/<family>/symptoms.py` keeps only what does not.
"""

from __future__ import annotations

import hashlib
import importlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gengrade.arrays import Array, Mask
from gengrade.facts import Outcome
from gengrade.grading.checks import modules
from gengrade.grading.evidence import Evidence, Mismatch
from gengrade.sandbox import Run
from gengrade.sandbox.wire import Tree
from gengrade.texts import shortened

Inputs = Mapping[str, Any]  # the inputs of a probe
Symptoms = Mapping[str, tuple[ArrayLike, float]]  # numbers by name, with the absolute tolerance of each
Numbers = dict[str, tuple[Array | float, float]]  # symptoms while they are gathered
Extractor = Callable[[Inputs, Evidence], Symptoms]

RTOL = 1e-3  # the relative difference between float32 results of one formula computed in another order
_DIGEST = 24  # the most numbers of a digest
_NAME = 100  # the most bytes of a name
_MOST_SYMPTOMS = 2_000  # of a run
_MOST_NUMBERS = 1 << 18  # of all symptoms of a run: 18 times those of the largest right answer

_extractors: dict[str, Extractor] = {}


def symptoms_of(*probes: str) -> Callable[[Extractor], Extractor]:
    """Return a decorator for the function that reads the symptoms of these probes ("module:function")."""

    def mark(extractor: Extractor) -> Extractor:
        _extractors.update(dict.fromkeys(probes, extractor))
        return extractor

    return mark


def read(probe: str, inputs: Inputs, run: Run) -> Symptoms:
    """Return the symptoms of a run.

    An exception of the student's code is a symptom itself. The evidence is not checked yet: its tensors may have any
    shapes; if the probe's own function cannot read it, all of its numbers are symptoms. Evidence that is larger than
    any right answer has none, since a session keeps all symptoms and compares them many times.
    """
    if run.outcome is not Outcome.PASSED:
        return {_short(f"{run.outcome}: {run.message}"): (0.0, 0.0)}
    extractor = _known().get(probe)
    if extractor is not None:
        try:
            return _bounded(extractor(inputs, Evidence(run.evidence)).items())
        except (Mismatch, ArithmeticError, LookupError, TypeError, ValueError):
            pass
    return _bounded(_everything(run.evidence, "result"))


def _bounded(symptoms: Iterable[tuple[str, tuple[ArrayLike, float]]]) -> Symptoms:
    """Return these symptoms, or {} if they are too many or too large."""
    found: dict[str, tuple[ArrayLike, float]] = {}
    size = 0
    for name, (values, tolerance) in symptoms:
        array = np.asarray(values, dtype=np.float64)
        size += array.size
        if size > _MOST_NUMBERS or len(found) == _MOST_SYMPTOMS:
            return {}
        found[_short(name)] = (array, tolerance)
    return found


def agree(left: Symptoms, right: Symptoms) -> bool:
    """Return whether both have the same names and shapes, and numbers that are equal within the tolerances."""
    return left.keys() == right.keys() and all(_near(left[name], right[name]) for name in left)


def digest(symptoms: Symptoms) -> dict[str, tuple[float, float]]:
    """Return a few numbers that represent the symptoms, by name, each with its tolerance, to compare a whole class."""
    numbers: dict[str, tuple[float, float]] = {}
    for long_name, (values, tolerance) in islice(symptoms.items(), _DIGEST):
        name = _short(long_name)
        array = np.asarray(values, dtype=np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            mean = _finite(array.mean()) if array.size else 0.0
        numbers[f"{name} {list(array.shape)}"] = (mean, tolerance)
        if array.size > 1:
            numbers[f"{name}, first"] = (_finite(array.flat[0]), tolerance)
            numbers[f"{name}, last"] = (_finite(array.flat[-1]), tolerance)
    return dict(list(numbers.items())[:_DIGEST])


def _short(name: str) -> str:
    """Return a short name, the same for equal names; a name may contain a student's text of any length."""
    kept = shortened(name, _NAME)
    return name if kept == name else f"{kept} {hashlib.sha256(name.encode()).hexdigest()[:12]}"


def _finite(value: np.floating[Any]) -> float:
    """Return the number with NaN and infinities replaced, since JSON has none, and two NaNs should agree."""
    return float(np.nan_to_num(value, nan=-1e300, posinf=1e300, neginf=-1e300))


def close(left: float, right: float, tolerance: float) -> bool:
    """Return whether two numbers are equal within an absolute tolerance; an infinite one equals only itself."""
    return left == right or abs(left - right) <= tolerance + RTOL * max(abs(left), abs(right)) < math.inf


def _near(left: tuple[ArrayLike, float], right: tuple[ArrayLike, float]) -> bool:
    a, b = (np.asarray(values, dtype=np.float64) for values, _ in (left, right))
    if a.shape != b.shape:
        return False
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(a - b) <= max(left[1], right[1]) + RTOL * np.maximum(np.abs(a), np.abs(b))
    near &= np.isfinite(a) & np.isfinite(b)  # the relative difference to an infinite number would always be small
    same: Mask = near | (a == b) | (np.isnan(a) & np.isnan(b))
    return bool(same.all())


@cache
def _known() -> Mapping[str, Extractor]:
    for name in modules():
        if name.endswith("symptoms"):
            importlib.import_module(name)
    return _extractors


def _everything(tree: Tree, name: str) -> Iterator[tuple[str, tuple[ArrayLike, float]]]:
    """Yield every leaf of the evidence: a number by its place in the tree, anything else as part of a name."""
    name = _short(name)  # it may contain a student's keys of any length
    if isinstance(tree, dict):
        for key, item in tree.items():
            yield from _everything(item, _short(f"{name}.{key}"))
    elif isinstance(tree, list):
        yield f"length of {name}", (float(len(tree)), 0.0)
        for index, item in enumerate(tree):
            yield from _everything(item, f"{name}[{index}]")
    elif isinstance(tree, np.ndarray) and tree.size > _MOST_NUMBERS:
        yield name, (tree, 0.0)  # too many numbers, which `_bounded` rejects
    elif isinstance(tree, np.ndarray | bool | int | float):
        values = np.asarray(tree, dtype=np.float64)
        finite = np.abs(values[np.isfinite(values)])
        yield name, (values, 1e-5 + 1e-4 * float(finite.max(initial=0.0)))
    else:
        yield _short(f"{name} is {tree!r}"), (0.0, 0.0)
