"""Publish grades into a system's own export: from what a class gets to the files to upload.

Four properties are deliberate:

1. Nothing is published while anything is undecided, unless the operator wants the rest.
2. Nobody gets a number that is not theirs: whose row is unclear is left out with the reason.
3. Whoever was published before, and has the same points and the same report, is left out unless everybody is wanted.
4. Nothing here writes a file: `Publication` holds what is to be written, and what is to be noted afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

from gengrade.engine import UsageError
from gengrade.people import Status
from gengrade.people.words import key
from gengrade.publish import blackboard, brightspace, canvas, moodle
from gengrade.publish.entries import Entry
from gengrade.publish.given import Publishable
from gengrade.publish.model import Archive, Export, Filled, Given, LeftOut, Placed, Report, System, Wishes
from gengrade.publish.numbers import number, require_scale, scaled
from gengrade.publish.packing import zipped
from gengrade.publish.published import Log, digest_of
from gengrade.publish.rows import find_rows
from gengrade.report.text import points
from gengrade.texts import listed

FEEDBACK: Final = "feedback.zip"
_MODULES: Final[dict[System, ModuleType]] = {
    System.CANVAS: canvas,
    System.MOODLE: moodle,
    System.BRIGHTSPACE: brightspace,
    System.BLACKBOARD: blackboard,
}
_NAMED: Final = 5
_MANY: Final = 20  # people whose points in the system are named, since they would be lost
_EMPTY: Final = ("", "-")


@dataclass(frozen=True, slots=True)
class Publication:
    """What is to be uploaded, and what is to be said about it.

    table: the filled export.
    column: the heading of the column with the points.
    feedback: the archive of reports; None: there are none.
    placed: who is in the table.
    unchanged: how many were left out, since the same was published before.
    left: who else is left out, and why.
    without_report: who is in the table and gets no report, and why.
    notes: sentences on what may surprise.
    """

    table: bytes
    column: str
    feedback: bytes | None
    placed: tuple[Placed, ...]
    unchanged: int
    left: tuple[LeftOut, ...]
    without_report: tuple[LeftOut, ...]
    notes: tuple[str, ...]


def publication(
    class_: Publishable,
    system: System,
    export: tuple[Path, bytes],
    wishes: Wishes,
    log: Log,
    *,
    partial: bool = False,
    everybody: bool = False,
) -> Publication:
    """Return what is to be uploaded to a system.

    class_: what the people get.
    export: the path of the system's own export, for messages, and its content.
    log: what was published to this system before.
    partial: whether who is not decided yet is left out; otherwise nothing is published then.
    everybody: whether also those are published of whom nothing has changed.

    Raises UsageError, and TableError for the export.
    """
    path, content = export
    undecided = [each for each in class_.entries if not each.stray and open_reason(each)]
    if undecided and not partial:
        raise UsageError(_undecided(class_.out, class_.number, undecided))
    module = _MODULES[system]
    read: Export = module.read(content, path, wishes)
    ours = _possible(class_)
    require_scale(ours, read.most, wishes, path, read.table.head.line)
    candidates, left = _candidates(class_.entries, wishes)
    candidates = [scaled(each, ours, read.most) for each in candidates]
    placed, rowless = find_rows(candidates, read.people, system)
    new = [each for each in placed if everybody or not log.has(each.given)]
    filled: Filled = module.fill(read, new, wishes)
    reports, reportless = _reports(class_, filled.placed)
    archive: Archive = module.archive(reports)
    notes = [*class_.notes, *read.notes, *filled.notes, *archive.notes]
    if replaced := [f"{each.given.entry.name} ({cell})" for each in new if (cell := _replaced(each, read))]:
        notes.append(f"the export has other points, which are replaced: {listed(replaced, _MANY, '; ')}")
    if gone := _published_once(class_.entries, candidates, log):
        notes.append(f"published before, and left out now, so that the system keeps it: {listed(gone, _MANY, '; ')}")
    if others := [each.given.entry.name for each in placed if each not in new and not _stands(each, read)]:
        who = listed(others, _NAMED, "; ")
        notes.append(f"the export has other points than were published before; --all publishes them again: {who}")
    if system is System.MOODLE and filled.placed and digest_of(content) in log.exports:
        notes.insert(
            0, "this worksheet was filled before: if you uploaded it then, export a new one, or Moodle skips all"
        )
    if wishes.scale and ours and read.most is not None and ours != read.most:
        notes.insert(0, f"all points are multiplied by {points(read.most)}/{points(ours)}")
    return Publication(
        filled.content,
        read.table.headings[read.column],
        zipped(archive.members) if archive.members else None,
        filled.placed,
        len(placed) - len(new),
        (*left, *rowless, *filled.left),
        (*reportless, *archive.left),
        tuple(notes),
    )


def open_reason(entry: Entry) -> str:
    """Return why it is not decided what a person gets, in words; "" if it is, or if they handed in nothing."""
    if entry.status is Status.WAITING:
        return "not graded yet"
    if entry.status is Status.UNCLEAR:
        return "it is unclear which submission is theirs"
    if entry.open or entry.infra:
        return entry.open or "a fault of the grader left something undecided"
    return ""


def _undecided(out: Path, number: int, entries: Sequence[Entry]) -> str:
    who = "; ".join(f"{each.name} ({open_reason(each)})" for each in entries[:_NAMED])
    more = f"; and {len(entries) - _NAMED} more" if len(entries) > _NAMED else ""
    are = "1 person has" if len(entries) == 1 else f"{len(entries)} people have"
    return (
        f"{out}: {are} no decided grade in release {number}: {who}{more}. Decide them and release again, or give "
        "--partial to leave them out"
    )


def _stands(each: Placed, export: Export) -> bool:
    """Return whether the export holds the points that a person gets."""
    cell = next(row for row in export.table.rows if row.line == each.row.line).cell(export.column)
    if each.given.points is None:
        return key(cell) == key(canvas.EXCUSED)  # no other system can say it, so that it is published there alone
    return number(cell) == each.given.points


def _replaced(each: Placed, export: Export) -> str:
    """Return what the export holds for a person, if it is not what the person gets; "" if the cell is empty."""
    cell = next(row for row in export.table.rows if row.line == each.row.line).cell(export.column)
    return "" if cell in _EMPTY or _stands(each, export) else cell


def _published_once(entries: Sequence[Entry], candidates: Sequence[Given], log: Log) -> list[str]:
    """Return those who were published before and get nothing now, with what they were given."""
    now = {each.entry.id for each in candidates}
    names = {entry.id: entry.name for entry in entries}
    return [f"{names.get(id_, id_)} ({once.written})" for id_, once in log.people.items() if id_ not in now]


def _possible(class_: Publishable) -> float | None:
    """Return the points that are possible, which are the same for all."""
    return next((each.possible for each in class_.entries if each.possible is not None), None)


def _candidates(entries: Sequence[Entry], wishes: Wishes) -> tuple[list[Given], list[LeftOut]]:
    """Return what people get, and who gets nothing with the reason."""
    candidates: list[Given] = []
    left: list[LeftOut] = []
    for entry in entries:
        if entry.stray:
            left.append(LeftOut(entry.name, f"{entry.status}: it is a submission, and is given to nobody"))
        elif reason := open_reason(entry):
            left.append(LeftOut(entry.name, reason))
        elif entry.total is not None:
            candidates.append(Given(entry, entry.total))
        elif entry.status is Status.EXCUSED:
            candidates.append(Given(entry, None))
        elif wishes.missing_as_zero:
            candidates.append(Given(entry, 0.0))
        else:
            left.append(LeftOut(entry.name, "nothing handed in; --missing-as-zero gives 0 points"))
    return candidates, left


def _reports(class_: Publishable, placed: Sequence[Placed]) -> tuple[list[Report], list[LeftOut]]:
    """Return a report for each submission of these people, and who has none though there should be one."""
    owners: dict[str, list[Placed]] = {}
    for each in placed:
        if each.given.entry.report is not None:
            owners.setdefault(each.given.entry.report, []).append(each)
    reports: list[Report] = []
    left: list[LeftOut] = []
    for people in owners.values():
        content = class_.report(people[0].given.entry)
        if content is None:
            who = listed([each.given.entry.name for each in people], _NAMED)
            left.append(LeftOut(who, f"the report is missing in release {class_.number}: bring the file back"))
        else:
            reports.append(Report(content, tuple(people)))
    return reports, left
