"""Evidence that is not what was asked for: `python -m tests.attacks.twisting --rounds 1000`.

A forger may send whatever the wire takes. A grader that falls over it has a fault of ours: the check is neither won nor
lost, and a person has to look. So the reference's own evidence is twisted, here a little and there a lot, and handed to
all graders: each test has to pass or to fail.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from gengrade.facts import Outcome
from gengrade.grading.checks import known
from gengrade.sandbox import Request, Run, wire
from truth.direct import TIER, Direct
from truth.variants import EDITIONS
from truth.workbench import Workbench, reference_of, rubric_of, unit_checks

SLOW_SECONDS: Final = 30.0  # of the processor, for the graders of a round
_MOST_ELEMENTS: Final = 1 << 22  # of a tensor that is made larger: more is no other than more
_NUMBERS: Final = (0, -1, 10**15, 0.5, -1e308, float("nan"), float("inf"))
_ODD: Final[tuple[Any, ...]] = (None, True, False, *_NUMBERS, "", "vae", [], {})
_DTYPES: Final = ("float64", "float32", "float16", "int64", "int8", "bool")
_VALUES: Final = (0.0, 1.0, -1.0, 1e-30, 1e30, 3e38, float("nan"), float("inf"), -float("inf"))

Change = Callable[[random.Random, Any], Any]


class Twisted(Direct):
    """Answers like the reference, but for some changes in what it says; `random` decides, None: no changes."""

    def __init__(self, layout: str) -> None:
        super().__init__(layout)
        self.random: random.Random | None = None
        self.told: list[str] = []  # what was changed since this was emptied
        self._honest: dict[str, Run] = {}

    def run(self, request: Request) -> Run:
        run = self._remembered(request)
        if self.random is None or run.outcome is not Outcome.PASSED or self.random.random() < 0.3:
            return run
        evidence = copy.deepcopy(run.evidence)
        for _ in range(self.random.randint(1, 3)):
            evidence = self._twisted(request.probe, evidence, self.random)
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

    def _twisted(self, probe: str, tree: Any, random_: random.Random) -> Any:
        places = list(_places(tree))
        place = random_.choice(places)
        change = random_.choice(_changes(_at(tree, place)))
        self.told.append(f"{probe}: {change.__name__.strip('_')} at {'.'.join(map(str, place)) or 'the top'}")
        return _put(tree, place, change(random_, _at(tree, place)))


def _places(tree: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to all nodes of a tree."""
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
    return np.repeat(node, min(random_.choice((2, 30, 10_000)), max(1, _MOST_ELEMENTS // node.size)), axis=0)


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


def faults(bench: Workbench, rounds: Sequence[int], checks: Sequence[str]) -> list[str]:
    """What graders fell over, or took too long for, in each of the rounds."""
    sandbox, reference = bench.sandbox, reference_of(bench.edition)
    assert isinstance(sandbox, Twisted)
    found = []
    sandbox.random = None
    bench.observe(reference, *checks)  # what is remembered of it is twisted afterwards
    for number in rounds:
        sandbox.random, sandbox.told = random.Random(number), []
        began = time.process_time()
        try:
            observed = bench.observe(reference, *checks)
        except AssertionError as error:  # a grader's exception
            found.append(f"{bench.edition}, round {number}: {sandbox.told}: {error}")
            continue
        ours = [fact.decisive for fact in observed.checks().values() if fact.outcome is Outcome.INFRA]
        found += [f"{bench.edition}, round {number}: {sandbox.told}: {test.name}: {test.message}" for test in ours]
        if time.process_time() - began > SLOW_SECONDS:
            found.append(f"{bench.edition}, round {number}: {sandbox.told}: took {time.process_time() - began:.0f} s")
    return found


def twisted_bench(folder: Path, edition: str) -> Workbench:
    bench = Workbench(folder, TIER, edition)
    bench.sandbox = Twisted(edition)
    return bench


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attacks.twisting", description=__doc__)
    parser.add_argument("editions", nargs="*", default=EDITIONS, help="all, if none is named")
    parser.add_argument("--rounds", type=int, default=300, help="for each edition")
    parser.add_argument("--first", type=int, default=0, help="the first round's number: rounds repeat")
    parser.add_argument("--trainings", action="store_true", help="the trainings' graders, in place of all others")
    options = parser.parse_args()
    rounds, found = range(options.first, options.first + options.rounds), []
    for edition in options.editions:
        checks = unit_checks("", edition=edition)
        if options.trainings:
            checks = [id_ for id_ in sorted(rubric_of(edition).checks()) if known()[id_].kind != "unit"]
        with tempfile.TemporaryDirectory(prefix="gengrade-twisting-") as folder:
            found += faults(twisted_bench(Path(folder), edition), rounds, checks)
    print(*found, f"{options.rounds} rounds of {len(options.editions)} editions, {len(found)} faults", sep="\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
