"""Measures whether right packages ever fail by chance, and how much the measures of short trainings vary.

The unit checks of each course's reference and of other right packages run with `SEEDS` seeds each, and the references'
short trainings run `TRAININGS` times on each data set. docs/error-rates.md shows the results.
"""

from __future__ import annotations

import atexit
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from gengrade.course import find
from gengrade.data import DataError, load
from validation.direct import TIER
from validation.journal import Journal, computed
from validation.margins import LIMITS, Limit, Watched
from validation.variants import COURSES, Changes, variants_of
from validation.workbench import DEFAULT_COURSE, Workbench, not_passed, unit_checks

SEEDS: Final = 300  # gradings of each package
TRAININGS: Final = 10  # trainings for each measure and data set
_TINY: Final = 1e-16  # lower bound on a statistic and on its spread, against division by zero

_MARGINS: Final = """\
| statistic | checks | least | median | most | limit | standard deviations away |
|---|---|---|---|---|---|---|"""
_MEASURES: Final = """\
| measure | data | least | median | most | standard deviation |
|---|---|---|---|---|---|"""


@dataclass(frozen=True, slots=True)
class Run:
    """A grading with a seed: the unit checks of a package, or, with a `check`, a short training on a data set."""

    package: str
    seed: int
    check: str = ""
    data: str = "digits"
    course: str = DEFAULT_COURSE

    @property
    def key(self) -> str:
        """The name of the run in the journal."""
        what = f"{self.check} on {self.data}" if self.check else "unit checks"
        return f"{self.course}, {self.package}: {what}, seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a run: the number of checks, those that failed, and the worst statistics, or the measures."""

    checks: int
    failed: dict[str, str]
    numbers: dict[str, float]


@dataclass(frozen=True, slots=True)
class Spread:
    """The values of a number over seeds, for each package, with its name and its limit if it has one."""

    name: str
    where: str
    values: Mapping[str, Sequence[float]]
    limit: Limit | None = None

    def __str__(self) -> str:
        """Return the row of a table."""
        every = np.concatenate([np.asarray(values) for values in self.values.values()])
        least, middle, most = np.quantile(every, (0, 0.5, 1))
        numbers = [f"{number:.4g}" for number in (least, middle, most)]
        if self.limit is None:
            numbers.append(f"{np.std(every):.2g}")
        else:
            numbers += [f"{self.limit.value:.4g}", f"{self.away:,.0f}" if self.away < 100 else "over 100"]
        return f"| {self.name} | {self.where} | {' | '.join(numbers)} |"

    @property
    def away(self) -> float:
        """The distance of the mean logarithm from the limit, in standard deviations, for the closest package."""
        assert self.limit is not None
        logs = [np.log(np.maximum(values, _TINY) / self.limit.value) for values in self.values.values()]
        return min(abs(float(np.mean(log))) / max(float(np.std(log)), _TINY) for log in logs)


@dataclass(slots=True)
class Summary:
    """The outcome of a survey."""

    wanted: int = 0  # number of gradings by unit checks that were asked for
    results: dict[Run, Result] = field(default_factory=dict)

    @property
    def failures(self) -> list[str]:
        """The checks of right packages that failed, with their messages."""
        return [
            f"{run.key}: {check}: {message}"
            for run, result in self.results.items()
            for check, message in result.failed.items()
        ]

    @property
    def runs(self) -> int:
        """The number of gradings by unit checks."""
        return sum(not run.check for run in self.results)

    @property
    def packages(self) -> int:
        """The number of different packages that were graded."""
        return len({(run.course, run.package) for run in self.results if not run.check})

    @property
    def checks(self) -> int:
        """The number of checks in all gradings."""
        return sum(result.checks for run, result in self.results.items() if not run.check)

    @property
    def margins(self) -> list[Spread]:
        """The worst value of each statistic in each grading, with its limit."""
        found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for run, result in self.results.items():
            for name, value in result.numbers.items() if not run.check else ():
                found[name][f"{run.course}, {run.package}"].append(value)
        return [
            Spread(limit.statistic, limit.checks, found[limit.statistic], limit)
            for limit in LIMITS
            if limit.statistic in found
        ]

    @property
    def measures(self) -> list[Spread]:
        """The measures that the short trainings reached."""
        found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
        for run, result in self.results.items():
            for name, value in result.numbers.items() if run.check else ():
                found[run.course, name, run.data].append(value)
        return [
            Spread(f"`{name}` of {of}", data, {"reference": values})
            for (of, name, data), values in sorted(found.items())
        ]

    def tables(self) -> str:
        """Return the margins and measures as tables for docs/error-rates.md, and a note if MNIST is missing."""
        lines = [_MARGINS, *map(str, self.margins), "", _MEASURES, *map(str, self.measures)]
        if "mnist" not in data_sets():
            lines += ["", "MNIST is not at hand, so nothing was trained on it: $GENGRADE_DATA names its folder."]
        return "\n".join(lines)


def survey(journal: Journal, jobs: int, watch: Callable[[int, int], None]) -> Summary:
    """Make all runs in `jobs` parallel processes; results in the journal are not computed again."""
    wanted = [*_gradings(), *_trainings()]
    return Summary(sum(not run.check for run in wanted), computed(wanted, _graded, Result, journal, jobs, watch))


@cache
def packages(of: str = DEFAULT_COURSE) -> dict[str, Changes]:
    """Return the right packages of a course, by name: the reference, the alternative, and mixtures of variants."""
    families = variants_of(of).families
    mixtures = {
        name: _merged(*(families[part].right[variant] for part, variants in parts.items() for variant in variants))
        for name, parts in variants_of(of).mixtures.items()
    }
    return {"reference": {}, "alternative": _merged(*(family.alternative for family in families.values())), **mixtures}


@cache
def data_sets() -> dict[str, str]:
    """Return the available data sets and the names that load them; MNIST only if it is on this machine."""
    found = {"digits": "digits"}
    try:
        at_hand = load()
    except DataError:
        return found
    return {**found, at_hand.name: ""} if at_hand.name == "mnist" else found


def grade(run: Run) -> Result:
    """Make a run in this process."""
    bench = _bench(run.course)
    assert isinstance(bench.sandbox, Watched)
    checks = (run.check,) if run.check else unit_checks("", course=run.course)
    observed = bench.observe(_folder(run), *checks, seed=run.seed, data=data_sets()[run.data] or None)
    statistics = bench.sandbox.taken()
    found = observed.checks()
    failed = {id_: f"{fact.decisive.message} ({fact.decisive.got})" for id_, fact in not_passed(found).items()}
    return Result(len(found), failed, dict(observed.measures) if run.check else statistics)


def _graded(run: Run) -> Result:
    """Make a run; an internal error becomes a failure of this run, and does not stop the others."""
    try:
        return grade(run)
    except Exception as error:
        return Result(0, {"the grading": f"{type(error).__name__}: {error}"}, {})


def _gradings() -> Iterator[Run]:
    for seed in range(SEEDS):
        for of in COURSES:
            for package in packages(of):
                yield Run(package, seed, course=of)


def _trainings() -> Iterator[Run]:
    for seed in range(TRAININGS):
        for data in data_sets():
            for of in COURSES:
                for check, training in variants_of(of).trainings.items():
                    if data == "digits" or training.of_images:
                        yield Run("reference", seed, check, data, of)


def _merged(*variants: Changes) -> Changes:
    merged: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for changes in variants:
        for file, replacements in changes.items():
            wanted = [replacements] if isinstance(replacements, tuple) else replacements
            merged[file] += [each for each in wanted if each not in merged[file]]  # families may share a definition
    return dict(merged)


@cache
def _bench(of: str) -> Workbench:
    """Return the bench of a course in this process; its folder is removed when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="gengrade-seeds-")
    bench = Workbench(Path(folder.name), TIER, of)
    bench.sandbox = Watched(find(of))
    atexit.register(folder.cleanup)
    return bench


@cache
def _variant(of: str, package: str, check: str) -> Path:
    return _bench(of).variant(variants_of(of).trainings[check].changes if check else packages(of)[package])


def _folder(run: Run) -> Path:
    return _variant(run.course, run.package, run.check)
