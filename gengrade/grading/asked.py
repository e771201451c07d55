"""Find out what a check's tests ask of a package first, without any package and without any right answer.

Each test is called with a stand-in for the package, which notes the first request and ends the test there. So only
what a test asks before it has an answer is known. A test that asks the reference first is left out.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import numpy as np

from gengrade.choices import CheckKind
from gengrade.data import SIDE, DataSet, Split
from gengrade.grading.checks import known, tests_of
from gengrade.grading.probes import Probe
from gengrade.grading.rng import Rng, derive
from gengrade.grading.subject import plain

_SECRET: Final = b"known to all"  # no grading draws from it
_IMAGES: Final = 1_000  # more than a unit test takes from a split
_DIGITS: Final = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that a test makes."""

    probe: Probe
    inputs: Mapping[str, Any]  # numpy arrays and plain values, nested in lists and dicts


class _Ended(BaseException):
    """Ends a test at its first request; `asked` is None if that went to the reference."""

    def __init__(self, asked: Asked | None) -> None:
        super().__init__()
        self.asked = asked


class _Student:
    """Stands in for a submission."""

    def run(self, probe: Probe, **inputs: Any) -> NoReturn:
        raise _Ended(Asked(probe, plain(inputs)))


class _Reference:
    """Stands in for the reference, which a kit for students does not hold."""

    def run(self, probe: Probe, **inputs: Any) -> NoReturn:
        raise _Ended(None)


def first_requests(check: str) -> Iterator[Asked]:
    """Yield the first request of each test of a check, for each set of the test's parameters."""
    kind = known()[check].kind
    for test in tests_of(check):
        for parameters in _parameters(test):
            asked = _first_request(test, kind, parameters)
            if asked is not None:
                yield asked


def _first_request(test: Callable[..., None], kind: CheckKind, parameters: Mapping[str, Any]) -> Asked | None:
    names = inspect.signature(test).parameters
    given: dict[str, Any] = {
        "student": _Student(),
        "reference": _Reference(),
        "rng": Rng(derive(_SECRET, getattr(test, "__name__", ""))),
        "record": lambda name, value: None,
        "passed": lambda check: True,
        "show": None,
        **parameters,
    }
    if kind is CheckKind.UNIT:  # a training gets whole splits, whose sizes depend on the data set
        given["data"] = _blank()
    if not given.keys() >= names.keys():
        return None
    try:
        with suppress(Exception):  # a test that cannot do without real data has nothing to show
            test(**{name: given[name] for name in names})
    except _Ended as ended:
        return ended.asked
    return None


def _parameters(test: Callable[..., None]) -> Iterator[dict[str, Any]]:
    """Yield the sets of values that `pytest.mark.parametrize` gives a test; {} if there are none."""
    axes = []
    for mark in getattr(test, "pytestmark", ()):
        if mark.name == "parametrize":
            names, values = mark.args
            names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
            axes.append([dict(zip(names, [value] if len(names) == 1 else value, strict=True)) for value in values])
    for chosen in itertools.product(*axes):
        yield {name: value for part in chosen for name, value in part.items()}


def _blank() -> DataSet:
    """Return a data set of empty images of all digits."""

    def split() -> Split:
        return Split(np.zeros((_IMAGES, SIDE, SIDE), np.uint8), np.arange(_IMAGES, dtype=np.int64) % _DIGITS)

    return DataSet("blank", split(), split(), split())
