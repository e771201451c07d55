"""Say what is to be published: what a release gives to whom. The only module that knows where this lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gengrade.engine import GradedClass, UsageError, graded_class
from gengrade.publish.comparing import compare
from gengrade.publish.entries import Entry
from gengrade.publish.releases import Release, newest, release, snapshot_now
from gengrade.texts import listed

_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Publishable:
    """What a class gets.

    out: the folder of results.
    graded: what was graded: a class's folder or archive.
    number: of the release.
    assignment: its name.
    entries: of all people, and of submissions that belong to nobody.
    report: returns the report of an entry, or None if there is none. Raises UsageError if it was changed since.
    notes: sentences on what may surprise.
    """

    out: Path
    graded: Path
    number: int
    assignment: str
    entries: tuple[Entry, ...]
    report: Callable[[Entry], bytes | None]
    notes: tuple[str, ...] = ()


def given(out: Path, number: int | None = None) -> Publishable:
    """Return what a release gives.

    out: the folder of results.
    number: of the release; None: the newest one.

    Raises UsageError, RubricError and PlaceError.
    """
    graded = graded_class(out, changed=True)
    found = newest(graded) if number is None else release(graded, number)

    def report(entry: Entry) -> bytes | None:
        try:
            return None if entry.report is None else found.content(entry.report)
        except OSError:  # it cannot be read, or is too large
            return None

    manifest = found.manifest
    return Publishable(
        graded.out,
        graded.graded,
        found.number,
        manifest.assignment,
        manifest.entries,
        report,
        tuple(_changed_since(graded, found)),
    )


def _changed_since(graded: GradedClass, found: Release) -> list[str]:
    """Return a sentence if the results are not what was released any more."""
    try:
        changes = compare(found.snapshot(), snapshot_now(graded)).changes
    except UsageError:  # a file of the release is missing; whatever needs it says so
        return []
    if not changes:
        return []
    who = listed([change.entry.name for change in changes], _NAMED, "; ")
    return [f"since release {found.number}, something has changed for {who}; gengrade release takes it up"]
