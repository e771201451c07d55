"""Fuzz the graders with changed evidence: `python -m tests.attacks.fuzzing.evidence --rounds 1000`.

Forged evidence may be anything that the wire accepts, of any size. A grader that raises another exception than Mismatch
leaves the check undecided. So the reference's evidence is changed, a little or a lot, up to the size that the wire
refuses, and given to all graders: each test must pass or fail, and stay far below its limits of CPU time and memory.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from gengrade.choices import CheckKind
from gengrade.course import Course, find
from gengrade.facts import Outcome
from gengrade.grading.checks import known
from gengrade.grading.limited import ALLOWANCES
from gengrade.grading.plugin import Observed
from gengrade.grading.symptoms import agree, digest
from gengrade.sandbox import Limits, Request, Run, wire
from validation.direct import TIER, Direct
from validation.variants import COURSES
from validation.workbench import Workbench, reference_of, rubric_of, unit_checks

SLOW_SECONDS: Final = ALLOWANCES[CheckKind.UNIT].seconds / 3  # of the processor, for one test and its symptoms
LARGE_MB: Final = ALLOWANCES[CheckKind.UNIT].memory_mb / 2
_FLOOD: Final = (Limits().evidence_mb - 1) << 20  # bytes: the cap of the wire, with room for what else is there
_LARGER: Final = 1 << 22  # elements of a tensor that is made larger, where it is not to be as large as can be
_NUMBERS: Final = (0, -1, 10**15, 0.5, -1e308, float("nan"), float("inf"))
_ODD: Final[tuple[Any, ...]] = (None, True, False, *_NUMBERS, "", "vae", [], {})
_DTYPES: Final = ("float64", "float32", "float16", "int64", "int8", "bool")
_VALUES: Final = (0.0, 1.0, -1.0, 1e-30, 1e30, 3e38, float("nan"), float("inf"), -float("inf"))

Change = Callable[[random.Random, Any], Any]


class Twisted(Direct):
    """Answers like the reference, except for random changes; `random` chooses them (None: no changes).

    `flooded`: the share of answers in which something is made as large as the wire takes.
    """

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self.random: random.Random | None = None
        self.flooded = 0.0
        self.told: list[str] = []  # what was changed since this was emptied
        self._honest: dict[str, Run] = {}

    def run(self, request: Request) -> Run:
        run = self._remembered(request)
        if self.random is None or run.outcome is not Outcome.PASSED or self.random.random() < 0.3:
            return run
        evidence = copy.deepcopy(run.evidence)
        if self.random.random() < self.flooded:
            evidence = self._twisted(request.probe, evidence, self.random, _floods)
        else:
            for _ in range(self.random.randint(1, 3)):
                evidence = self._twisted(request.probe, evidence, self.random, _changes)
        try:
            return replace(run, evidence=wire.decode(wire.encode(evidence)))
        except (wire.WireError, TypeError):  # the wire would not take it
            return run

    def _remembered(self, request: Request) -> Run:
        payload = wire.encode(dict(request.inputs))
        key = f"{request.probe} {request.seed} {hashlib.sha256(payload).hexdigest()}"
        if key not in self._honest:
            self._honest[key] = super().run(request)
        return self._honest[key]

    def _twisted(self, probe: str, tree: Any, random_: random.Random, changes: Callable[[Any], list[Change]]) -> Any:
        places = list(_places(tree))
        place = random_.choice(places)
        change = random_.choice(changes(_at(tree, place)))
        self.told.append(f"{probe}: {change.__name__.strip('_')} at {'.'.join(map(str, place)) or 'the top'}")
        return _put(tree, place, change(random_, _at(tree, place)))


def _places(tree: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return the paths to all nodes of a tree."""
    yield place
    if isinstance(tree, dict | list):
        for key in tree if isinstance(tree, dict) else range(len(tree)):
            yield from _places(tree[key], (*place, key))


def _at(tree: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        tree = tree[key]
    return tree


def _put(tree: Any, place: tuple[Any, ...], node: Any) -> Any:
    if not place:
        return node
    _at(tree, place[:-1])[place[-1]] = node
    return tree


def _changes(node: Any) -> list[Change]:
    if isinstance(node, np.ndarray):
        return [_another_kind, *[_values, _a_value, _reshaped, _rows, _many_rows, _permuted, _dtype, _scaled] * 2]
    if isinstance(node, list):
        return [_another_kind, _shorter, _longer, _reversed_]
    if isinstance(node, dict):
        return [_another_kind, _without, _renamed]
    return [_another_kind]


def _another_kind(random_: random.Random, node: Any) -> Any:
    tensors = (np.zeros(()), np.zeros((0,)), np.zeros((0, 5)), np.zeros((3, 0, 784)), np.ones((1,)), np.ones((2, 2)))
    return copy.deepcopy(random_.choice([*_ODD, *tensors, [node], {"x": node}]))


def _values(random_: random.Random, node: Any) -> Any:
    with np.errstate(all="ignore"):
        return np.full(node.shape, random_.choice(_VALUES)).astype(node.dtype)


def _a_value(random_: random.Random, node: Any) -> Any:
    changed = node.copy()
    with np.errstate(all="ignore"):
        if changed.size:
            changed.reshape(-1)[random_.randrange(changed.size)] = np.float64(random_.choice(_VALUES)).astype(
                node.dtype
            )
    return changed


def _reshaped(random_: random.Random, node: Any) -> Any:
    shapes = [(-1,), (1, *node.shape), (*node.shape, 1), node.shape[::-1]]
    return node.reshape(random_.choice(shapes) if node.size else (-1,) if node.ndim == 1 else node.shape)


def _rows(random_: random.Random, node: Any) -> Any:
    return node[: random_.choice((0, 1, -1))] if node.ndim else node


def _many_rows(random_: random.Random, node: Any) -> Any:
    if not node.ndim or not node.size:
        return node
    return np.repeat(node, min(random_.choice((2, 30, 10_000)), max(1, _LARGER // node.size)), axis=0)


def _permuted(random_: random.Random, node: Any) -> Any:
    return np.random.default_rng(random_.randrange(1 << 30)).permutation(node) if node.ndim else node


def _dtype(random_: random.Random, node: Any) -> Any:
    with np.errstate(all="ignore"):
        return np.nan_to_num(node.astype(np.float64)).clip(-1e15, 1e15).astype(random_.choice(_DTYPES))


def _scaled(random_: random.Random, node: Any) -> Any:
    with np.errstate(all="ignore"):
        return (node * random_.choice((0.0, -1.0, 1e-20, 1e6, 1e20))).astype(node.dtype)


def _shorter(random_: random.Random, node: Any) -> Any:
    return node[: random_.choice((0, 1, -1))]


def _longer(random_: random.Random, node: Any) -> Any:
    return node * random_.choice((2, 50)) if len(node) < 200 else node


def _reversed_(random_: random.Random, node: Any) -> Any:
    return node[::-1]


def _without(random_: random.Random, node: Any) -> Any:
    gone = random_.choice([*node]) if node else None
    return {name: value for name, value in node.items() if name != gone}


def _renamed(random_: random.Random, node: Any) -> Any:
    names = [*node]
    random_.shuffle(names)
    return dict(zip(names, node.values(), strict=True))


# As large as the wire takes


def _floods(node: Any) -> list[Change]:
    if isinstance(node, np.ndarray):
        return [_flood_of_rows, _flood_of_rows, _flood_of_columns, _flood_of_lengths, _flood_of_numbers]
    if isinstance(node, list):
        return [_endless_list]
    if isinstance(node, dict):
        return [_endless_keys, _many_keys, _deep]
    return [_endless_text, _flood_of_numbers] if isinstance(node, str) else [_flood_of_numbers]


def _flood(random_: random.Random, shape: Sequence[int], dtype: np.dtype[Any]) -> Any:
    """Return an array of a shape: constant, sorted, reversed, with few values, or random."""
    count = int(np.prod(shape, dtype=np.int64))
    generator = np.random.default_rng(random_.randrange(1 << 30))
    kind = random_.randrange(6)
    with np.errstate(all="ignore"):
        if kind == 0:
            return np.full(shape, random_.choice(_VALUES)).astype(dtype)
        if kind == 1:
            return np.linspace(-1, 1, count, dtype=np.float32).reshape(shape).astype(dtype)
        if kind == 2:
            return np.linspace(1, -1, count, dtype=np.float32).reshape(shape).astype(dtype)
        if kind == 3:
            return generator.integers(0, 2, shape, dtype=np.int8).astype(dtype)
        return generator.standard_normal(shape, dtype=np.float32).astype(dtype)


def _small_dtype(random_: random.Random, node: Any) -> np.dtype[Any]:
    return np.dtype(random_.choice(("int8", "bool", "float16", node.dtype)))


def _flood_of_rows(random_: random.Random, node: Any) -> Any:
    """Return an array with as many rows as fit, repeated ones or others."""
    dtype, row = _small_dtype(random_, node), node.shape[1:] or ()
    rows = _FLOOD // max(1, dtype.itemsize * int(np.prod(row, dtype=np.int64)))
    if random_.random() < 0.5 and node.size and node.ndim:
        with np.errstate(all="ignore"):
            return np.resize(node, (rows, *row)).astype(dtype)
    return _flood(random_, (rows, *row), dtype)


def _flood_of_columns(random_: random.Random, node: Any) -> Any:
    """Return an array with as many numbers as fit in its last dimension."""
    dtype, others = _small_dtype(random_, node), node.shape[:-1]
    return _flood(random_, (*others, _FLOOD // max(1, dtype.itemsize * int(np.prod(others, dtype=np.int64)))), dtype)


def _flood_of_lengths(random_: random.Random, node: Any) -> Any:
    """Return an array with every length multiplied by about the same factor."""
    dtype = _small_dtype(random_, node)
    factor = (_FLOOD / dtype.itemsize / max(1, node.size)) ** (1 / max(1, node.ndim))
    return _flood(random_, [max(1, int(factor * length)) for length in node.shape], dtype)


def _flood_of_numbers(random_: random.Random, node: Any) -> Any:
    """Return a one-dimensional array."""
    return _flood(random_, (_FLOOD,), np.dtype(random_.choice(("int8", "bool"))))


def _endless_list(random_: random.Random, node: Any) -> Any:
    """Return a list with as many items as the limits of a document allow."""
    if random_.random() < 0.5 or not node or len(repr(node[:1])) > 1000:
        return [random_.choice((0, 0.5, True, "x"))] * (wire.MAX_NODES - 1000)
    room = min(wire.MAX_NODES // (2 * _nodes(node[0])), wire.MAX_DOCUMENT_BYTES // (40 + 40 * _nodes(node[0])))
    return [node[0]] * max(1, min(room, wire.MAX_HEADER_BYTES // 80))


def _nodes(tree: Any) -> int:
    return sum(1 for _ in _places(tree))


def _endless_keys(random_: random.Random, node: Any) -> Any:
    return {**node, "k" * (wire.MAX_DOCUMENT_BYTES // 2): 1.0}


def _many_keys(random_: random.Random, node: Any) -> Any:
    return {**node, **{f"k{number}": number for number in range(wire.MAX_NODES // 2)}}


def _deep(random_: random.Random, node: Any) -> Any:
    """Return nested dicts with long keys and many leaves."""
    tree: Any = {f"{number}": 0.5 for number in range(10_000)}
    for depth in range(6):
        tree = {f"{depth}" * 300_000: tree}
    return {**node, "deep": tree}


def _endless_text(random_: random.Random, node: Any) -> Any:
    return "\u0301" * 600_000 if random_.random() < 0.5 else "x" * (wire.MAX_DOCUMENT_BYTES - 100_000)


def faults(bench: Workbench, rounds: Sequence[int], checks: Sequence[str]) -> list[str]:
    """Return the graders' exceptions and slow tests in each round."""
    sandbox, reference = bench.sandbox, reference_of(bench.course)
    assert isinstance(sandbox, Twisted)
    found = []
    sandbox.random = None
    bench.observe(reference, *checks)  # what is remembered of it is twisted afterwards
    for number in rounds:
        sandbox.random, sandbox.told = random.Random(number), []
        try:
            observed = bench.observe(reference, *checks)
        except AssertionError as error:  # a grader's exception
            found.append(f"{bench.course}, round {number}: {sandbox.told}: {error}")
            continue
        ours = [fact.decisive for fact in observed.checks().values() if fact.outcome is Outcome.INFRA]
        found += [f"{bench.course}, round {number}: {sandbox.told}: {test.name}: {test.message}" for test in ours]
        found += [f"{bench.course}, round {number}: {sandbox.told}: {word}" for word in _too_much(observed)]
    return found


def _too_much(observed: Observed) -> Iterator[str]:
    """Return the tests that come near their limits of time and memory."""
    for name, used in observed.used.items():
        if used.seconds > SLOW_SECONDS or used.memory_mb > LARGE_MB:
            yield f"{name}: took {used.seconds:.1f} s and {used.memory_mb:.0f} MB"
    for test in observed.tested:
        for call in test.calls:
            digest(call.symptoms)
            if not agree(call.symptoms, call.symptoms):
                yield f"{test.name}: its symptoms are not themselves"


def twisted_bench(folder: Path, course: str, flooded: float) -> Workbench:
    bench = Workbench(folder, TIER, course)
    bench.sandbox = Twisted(find(course))
    bench.sandbox.flooded = flooded
    return bench


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attacks.fuzzing.evidence", description=__doc__)
    parser.add_argument("courses", nargs="*", default=COURSES, help="all, if none is named")
    parser.add_argument("--rounds", type=int, default=300, help="for each course")
    parser.add_argument("--first", type=int, default=0, help="the first round's number: rounds repeat")
    parser.add_argument("--flooded", type=float, default=0.1, help="the share of answers as large as the wire takes")
    parser.add_argument("--trainings", action="store_true", help="the trainings' graders, in place of all others")
    options = parser.parse_args()
    rounds, found = range(options.first, options.first + options.rounds), []
    for course in options.courses:
        checks = unit_checks("", course=course)
        if options.trainings:
            checks = [id_ for id_ in sorted(rubric_of(course).checks()) if known()[id_].kind is not CheckKind.UNIT]
        with tempfile.TemporaryDirectory(prefix="gengrade-fuzzing-") as folder:
            found += faults(twisted_bench(Path(folder), course, options.flooded), rounds, checks)
    print(*found, f"{options.rounds} rounds of {len(options.courses)} courses, {len(found)} faults", sep="\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
