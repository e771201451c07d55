"""Prints a table of how right the graders are: `python -m validation`, or a part of it: `python -m validation mutants`.

Results for the current code are kept in journals in results/validation/, and are not computed again.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from validation import cases, charges, kits, mutants, seeds, surroundings
from validation.cases import Case, Verdict
from validation.journal import Journal, code_hash

_JOURNALS: Final = Path(__file__).resolve().parents[1] / "results" / "validation"
_MUTANTS_CAUGHT: Final = 0.98

Watch = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table. `short` says whether the result falls short of what is wanted, and `problems` say why."""

    what: str
    found: str
    wanted: str
    short: bool
    problems: tuple[str, ...] = ()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that are asked for, print the table, and return the exit status: 1 if any part falls short."""
    parser = argparse.ArgumentParser(prog="python -m validation", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"what to measure: {', '.join(_PARTS)} (default: all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="number of parallel processes")
    options = parser.parse_args(arguments)
    unknown = set(options.parts) - set(_PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(_PARTS)}")
    # Each process uses one thread, since more threads than cores would slow all of them down.
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    code = code_hash()
    rows: list[Row] = []
    for part in options.parts or _PARTS:
        rows += _PARTS[part](Journal(_JOURNALS / f"{part}.jsonl", code), options.jobs, _progress(part))
    _print(rows)
    return int(any(row.short for row in rows))


def _answers(journal: Journal, jobs: int, watch: Watch) -> list[Row]:
    """Return the rows about misconceptions and variants."""
    found = cases.survey(journal, jobs, watch)
    return [
        _share("misconceptions that fail exactly their own checks", _of(found, "caught"), "judged"),
        _share("misconceptions named", _of(found, "caught"), "named"),
        _share("misconceptions named in an alternative implementation", _of(found, "alternative"), "named"),
        _share("other wrong answers caught", _of(found, "unnamed"), "judged"),
        _share("other wrong answers given no name", _of(found, "unnamed"), "named"),
        _share("right variants passed", _of(found, "right"), "judged"),
        _charged(),
    ]


def _charged() -> Row:
    """Return the row about mistakes that cost more than the item about them."""
    found = charges.charges()
    more = [each for each in found if each.beyond]
    total, own = sum(each.beyond for each in found), sum(each.own for each in found)
    what = "points lost beyond the item about a mistake"
    return Row(what, f"{total:g} beside {own:g}, by {len(more):,} of {len(found):,} misconceptions", "few", short=False)


def _of(found: Mapping[Case, Verdict], kind: str) -> dict[str, Verdict]:
    return {case.key: verdict for case, verdict in found.items() if case.kind == kind}


def _share(what: str, verdicts: Mapping[str, Verdict], quality: str) -> Row:
    wrong = {key: verdict.problem for key, verdict in verdicts.items() if not getattr(verdict, quality)}
    found = f"{len(verdicts) - len(wrong):,} of {len(verdicts):,}"
    return Row(what, found, "all", bool(wrong), tuple(f"{key}: {problem}" for key, problem in wrong.items()))


def _mutants(journal: Journal, jobs: int, watch: Watch) -> list[Row]:
    summary = mutants.survey(journal, jobs, watch)
    problems = (
        *(f"survived: {mutant}" for mutant in summary.survivors),
        *(f"explained in mutants.yaml, but caught: {stale}" for stale in summary.stale),
        *summary.faults,
    )
    short = summary.share < _MUTANTS_CAUGHT or bool(problems)
    found = f"{summary.caught:,} of {summary.changing:,} that change behaviour ({len(summary.results):,} in all)"
    return [Row("mutants caught", found, f"{_MUTANTS_CAUGHT:.0%}, the others explained", short, problems)]


def _seeds(journal: Journal, jobs: int, watch: Watch) -> list[Row]:
    summary = seeds.survey(journal, jobs, watch)
    problems = tuple(summary.failures)
    runs = f"{summary.runs:,} runs of {summary.packages} packages, {summary.checks:,} checks"
    return [
        Row("gradings of right packages", runs, f"{seeds.SEEDS} seeds each", summary.runs < summary.wanted),
        Row("false fails among them", f"{len(problems):,}", "none", bool(problems), problems),
    ]


def _surroundings(journal: Journal, jobs: int, watch: Watch) -> list[Row]:
    found = surroundings.survey(journal, jobs, watch)
    wrong = tuple(f"{each.key}: {verdict.problem}" for each, verdict in found.items() if not verdict.passed)
    what = "surroundings of all references that keep every point"
    return [Row(what, f"{len(found) - len(wrong):,} of {len(found):,}", "all", bool(wrong), wrong)]


def _kits(journal: Journal, jobs: int, watch: Watch) -> list[Row]:
    found = kits.survey(journal, _JOURNALS, jobs, watch)
    return [
        _share("misconceptions caught by a kit for students alone", _of(found, "caught"), "judged"),
        _share("misconceptions named by it", _of(found, "caught"), "named"),
        _share("other wrong answers caught by it", _of(found, "unnamed"), "judged"),
        _share("right variants passed by it", _of(found, "right"), "judged"),
    ]


_PARTS: Final[dict[str, Callable[[Journal, int, Watch], list[Row]]]] = {
    "answers": _answers,
    "surroundings": _surroundings,
    "kits": _kits,
    "mutants": _mutants,
    "seeds": _seeds,
}


def _progress(part: str) -> Watch:
    """Return a function that reports progress: in one line of a terminal, or a line for every 100 results elsewhere."""

    def watch(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{part}: {done:,} of {total:,}", end="\n" if done == total else "", file=sys.stderr, flush=True)
        elif done % 100 == 0 or done == total:
            print(f"{part}: {done:,} of {total:,}", file=sys.stderr, flush=True)

    return watch


def _print(rows: Sequence[Row]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 140)
    for row in rows:
        for problem in row.problems:
            console.print(f"{row.what}: {problem}", style="red", markup=False, highlight=False)
    table = Table("what", "found", "wanted", "")
    for row in rows:
        table.add_row(row.what, row.found, row.wanted, "SHORT" if row.short else "ok")
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
