"""Find what the submissions of a class have in common: known misconceptions, and equal, unexplained wrong answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from gengrade.facts import Named
from gengrade.grade import Grade, ItemGrade
from gengrade.grading.symptoms import close


class Case(NamedTuple):
    """One student's item, to be linked from the index page."""

    grade: Grade
    item: ItemGrade


class Shared(NamedTuple):
    """A misconception, the checks that it explains, and one item of each student in whose code it was recognised."""

    named: Named
    checks: tuple[str, ...]
    cases: tuple[Case, ...]


class Alike(NamedTuple):
    """Checks that failed with the same evidence, and one item of each student for whom they failed."""

    checks: tuple[str, ...]
    cases: tuple[Case, ...]


def misconceptions(grades: Iterable[Grade]) -> tuple[Shared, ...]:
    """Return the misconceptions that were recognised, the most frequent first."""
    named: dict[str, Named] = {}
    checks: dict[str, set[str]] = {}
    cases: dict[str, dict[str, Case]] = {}
    for grade in grades:
        for item in grade.items:
            if item.misconception is not None and item.check is not None:
                name = item.misconception.name
                named.setdefault(name, item.misconception)
                checks.setdefault(name, set()).add(item.check)
                cases.setdefault(name, {}).setdefault(grade.student, Case(grade, item))
    found = [Shared(each, tuple(sorted(checks[name])), tuple(cases[name].values())) for name, each in named.items()]
    return tuple(sorted(found, key=lambda shared: (-len(shared.cases), shared.named.name)))


def same_evidence(grades: Iterable[Grade]) -> tuple[Alike, ...]:
    """Return groups of submissions that failed a check in the same way without a known misconception, largest first.

    Two submissions failed in the same way if their symptoms have the same names, and numbers that are equal within
    their tolerances. Checks that failed for the same students with the same message form one group, as when a file
    cannot be imported.
    """
    by_check: dict[str, dict[str, Case]] = {}
    for grade in grades:
        for item in grade.items:
            if item.check is not None and item.symptoms and item.misconception is None:
                by_check.setdefault(item.check, {}).setdefault(grade.student, Case(grade, item))
    groups: dict[tuple[tuple[str, ...], str], tuple[list[str], tuple[Case, ...]]] = {}
    for check, cases in sorted(by_check.items()):
        for alike in _alike(cases.values()):
            key = tuple(case.grade.student for case in alike), alike[0].item.message
            groups.setdefault(key, ([], alike))[0].append(check)
    found = [Alike(tuple(checks), alike) for checks, alike in groups.values()]
    return tuple(sorted(found, key=lambda group: (-len(group.cases), group.checks)))


def _alike(cases: Iterable[Case]) -> Iterator[tuple[Case, ...]]:
    """Yield the cases of one check whose symptoms agree, in groups of two or more, each in the order of the cases."""
    cases = tuple(cases)
    by_names: dict[frozenset[str], list[int]] = {}
    for index, case in enumerate(cases):
        by_names.setdefault(frozenset(case.item.symptoms), []).append(index)
    for names, indices in by_names.items():
        groups = [indices]
        for name in sorted(names):
            symptoms = {index: cases[index].item.symptoms[name] for group in groups for index in group}
            groups = [part for group in groups for part in _runs(group, symptoms) if len(part) > 1]
        yield from (tuple(cases[index] for index in sorted(group)) for group in groups)


def _runs(indices: Sequence[int], symptoms: Mapping[int, tuple[float, float]]) -> Iterator[list[int]]:
    """Sort the indices by one number, and yield runs of those whose number is close to the first of the run.

    Sorting avoids comparing each pair. Comparing with the first of the run prevents a chain of small differences from
    joining numbers that differ much.
    """
    run: list[int] = []
    for index in sorted(indices, key=lambda each: symptoms[each]):
        (left, narrow), (right, wide) = symptoms[run[0] if run else index], symptoms[index]
        if run and not close(left, right, max(narrow, wide)):
            yield run
            run = []
        run.append(index)
    if run:
        yield run
