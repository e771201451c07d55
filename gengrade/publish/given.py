"""Say what is to be published: the only module that knows where the points and reports of a class lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gengrade.engine import graded_class, grades_of
from gengrade.places import Owners, read_trusted
from gengrade.publish.entries import Entry, entries_of


@dataclass(frozen=True, slots=True)
class Publishable:
    """What a class gets.

    out: the folder of results.
    assignment: its name.
    entries: of all people, and of submissions that belong to nobody.
    report: returns the report of an entry, or None if there is none.
    """

    out: Path
    assignment: str
    entries: tuple[Entry, ...]
    report: Callable[[Entry], bytes | None]


def given(out: Path) -> Publishable:
    """Return what the class in a folder of results gets. Raises UsageError, RubricError and PlaceError."""
    graded = graded_class(out)
    entries = entries_of(grades_of(graded), graded.kept, graded.names)
    owners = Owners.of(graded.out)

    def report(entry: Entry) -> bytes | None:
        try:
            return None if entry.report is None else read_trusted(graded.out / entry.report, owners)
        except OSError:  # it cannot be read, or is too large
            return None

    return Publishable(graded.out, graded.rubric.assignment, entries, report)
