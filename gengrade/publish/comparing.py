"""Say who gets other points in one snapshot of a class's grades than in another, by which item, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gengrade.grade import Grade, ItemGrade, MarkState
from gengrade.marks.model import is_for_other_files
from gengrade.publish.entries import Entry
from gengrade.publish.releases import Circumstances, Snapshot
from gengrade.report.pages import page
from gengrade.report.text import points
from gengrade.texts import listed

_NAMED: Final = 4  # versions in a sentence


class Cause(StrEnum):
    """Why somebody's points, or what the report says of them, changed."""

    CAME = "handed in since"
    WENT = "not there any more"
    OTHER = "another submission counts"
    RESUBMITTED = "handed in again"
    RUBRIC = "the rubric"
    MARK = "a mark"
    LATENESS = "lateness"
    STATUS = "the roster"  # of somebody without points both times
    GRADED_AGAIN = "graded again"  # the same files, by other code, versions, seeds or options
    FAULT = "a fault of the grader"  # which left it undecided in one of the two
    WORDS = "the report's words"


@dataclass(frozen=True, slots=True)
class ItemChange:
    """An item of one person that differs. `before`, `after`: its points, or a word where there are none.

    reasons: why, each with what else is known of it, or "".
    """

    item: str
    title: str
    before: str
    after: str
    reasons: tuple[tuple[Cause, str], ...]

    @property
    def why(self) -> str:
        """The reasons in words."""
        return "; ".join(f"{cause}: {detail}" if detail else str(cause) for cause, detail in self.reasons)


@dataclass(frozen=True, slots=True)
class Change:
    """A person for whom something differs. `before`, `after`: the entries; None: not in that snapshot."""

    before: Entry | None
    after: Entry | None
    causes: tuple[Cause, ...]
    items: tuple[ItemChange, ...]
    detail: str = ""

    @property
    def entry(self) -> Entry:
        """The later entry that there is."""
        found = self.after or self.before
        assert found is not None
        return found

    @property
    def difference(self) -> float | None:
        """By how many points the total differs; None if one of the two is not decided."""
        if self.before is None or self.after is None or self.before.total is None or self.after.total is None:
            return None
        return round(self.after.total - self.before.total, 2)

    @property
    def was(self) -> str:
        """The total before, in words."""
        return _total(self.before)

    @property
    def becomes(self) -> str:
        """The total after, in words."""
        return _total(self.after)

    @property
    def by(self) -> str:
        """The difference of the totals with its sign, or nothing if one of them is not decided."""
        if self.difference is None:
            return ""
        return f"{'+' if self.difference > 0 else '−' if self.difference < 0 else '±'}{points(abs(self.difference))}"


def _total(entry: Entry | None) -> str:
    if entry is None:
        return "–"
    if entry.total is not None:
        return points(entry.total)
    return "pending" if entry.open else str(entry.status)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two snapshots: the names of both, those for whom something differs, and how many there are in all."""

    before: str
    after: str
    changes: tuple[Change, ...]
    people: int
    surroundings: tuple[str, ...]  # sentences on what the grades were made with, where that differs


def compare(before: Snapshot, after: Snapshot) -> Comparison:
    """Return what differs between two snapshots of one class, ordered by the people's ids."""
    first, second = ({entry.id: entry for entry in each.entries} for each in (before, after))
    surroundings = _surroundings(before.circumstances, after.circumstances)
    changes = []
    for id_ in sorted({*first, *second}, key=lambda each: (each.casefold(), each)):
        one, other = first.get(id_), second.get(id_)
        if one is not None and other is not None and _same(one, other):
            continue
        changes.append(_change(one, other, _grade(before, one), _grade(after, other), surroundings))
    return Comparison(before.name, after.name, tuple(changes), len({*first, *second}), tuple(surroundings))


def _same(one: Entry, other: Entry) -> bool:
    """Return whether a person gets the same report and the same points, or nothing both times."""
    return (one.digest, one.total, one.submission, one.status) == (
        other.digest,
        other.total,
        other.submission,
        other.status,
    )


def _grade(snapshot: Snapshot, entry: Entry | None) -> Grade | None:
    grade = snapshot.grades.get(entry.submission) if entry and entry.submission else None
    return grade.for_person(entry.id) if grade and entry else None


def _change(
    before: Entry | None, after: Entry | None, one: Grade | None, other: Grade | None, surroundings: Iterable[str]
) -> Change:
    if one is None or other is None:
        both = one is None and other is None
        cause = Cause.STATUS if both else Cause.CAME if one is None else Cause.WENT
        said = " → ".join(str(entry.status) for entry in (before, after) if entry)
        return Change(before, after, (cause,), (), said)
    items = tuple(_items(one, other, "; ".join(surroundings)))
    causes = list(dict.fromkeys(cause for item in items for cause, _ in item.reasons))
    if one.student != other.student:
        causes.insert(0, Cause.OTHER)
    elif _handed_in_again(one, other) and Cause.RESUBMITTED not in causes:
        causes.insert(0, Cause.RESUBMITTED)
    lateness = _lateness(one, other)
    if lateness:
        causes.append(Cause.LATENESS)
    return Change(before, after, tuple(causes) or (Cause.WORDS,), items, lateness)


def _handed_in_again(one: Grade, other: Grade) -> bool:
    contents = one.provenance.content, other.provenance.content
    return one.provenance.submission != other.provenance.submission or is_for_other_files(*contents)


def _lateness(one: Grade, other: Grade) -> str:
    """Return what lateness costs before and after, if the reason for it differs."""
    seen = [(each.lateness.share, each.lateness.excused) for each in (one, other)]
    said = ["undecided" if each.undecided else f"−{points(each.penalty)}" for each in (one, other)]
    return "" if seen[0] == seen[1] or said[0] == said[1] else f"deduction {said[0]} → {said[1]}"


def _items(one: Grade, other: Grade, surroundings: str) -> Iterable[ItemChange]:
    """Yield the items that differ, in the order of the later rubric; items that it lacks come last."""
    first, second = ({item.id: item for item in each.items} for each in (one, other))
    for id_ in dict.fromkeys((*second, *first)):
        before, after = first.get(id_), second.get(id_)
        if before is not None and after is not None and _shown(before) == _shown(after):
            continue
        item = after or before
        assert item is not None
        reasons = [_cause(before, after, one, other, surroundings)]
        if before and after and before.possible != after.possible:
            reasons = [each for each in reasons if each != (Cause.RUBRIC, "")]
            reasons.append((Cause.RUBRIC, f"possible points {points(before.possible)} → {points(after.possible)}"))
        yield ItemChange(id_, item.title, _said(before), _said(after), tuple(reasons))


def _shown(item: ItemGrade) -> tuple[object, ...]:
    """Return what a student notices of an item."""
    return (
        *(item.points, item.pending, item.possible, item.title, item.outcome, item.message, item.misconception),
        *(item.comment, item.mark_state, item.questions, _given(item)),
    )


def _given(item: ItemGrade) -> tuple[object, ...]:
    return tuple((mark.points, mark.comment, mark.criteria) for mark in item.marks)


def _said(item: ItemGrade | None) -> str:
    if item is None:
        return "not in the rubric"
    return "pending" if item.pending else f"{points(item.points)} of {points(item.possible)}"


def _cause(
    before: ItemGrade | None, after: ItemGrade | None, one: Grade, other: Grade, surroundings: str
) -> tuple[Cause, str]:
    """Return why an item differs, and by whom or by what."""
    if before is None or after is None:
        return Cause.RUBRIC, "the item is new" if before is None else "the item was removed"
    if (_given(before), before.questions) != (_given(after), after.questions):
        who = dict.fromkeys(mark.by for mark in (after.marks or before.marks))
        return Cause.MARK, f"by {listed(list(who), _NAMED)}" if who else ""
    states = {before.mark_state, after.mark_state}
    if len(states) > 1 and MarkState.EARLIER_FILES in states:
        return Cause.RESUBMITTED, "a mark was given for the earlier files"
    if len(states) > 1 and MarkState.EARLIER in states:
        return Cause.RUBRIC, "a mark was given for an earlier wording"
    if (before.outcome, before.measures) == (after.outcome, after.measures) and _by_rubric(before, after):
        return Cause.RUBRIC, ""
    return _of_facts(one, other, surroundings)


def _by_rubric(before: ItemGrade, after: ItemGrade) -> bool:
    """Return whether an item with one result has other points or another title: only the rubric says these."""
    return (before.possible, before.title, before.points) != (after.possible, after.title, after.points)


def _of_facts(one: Grade, other: Grade, surroundings: str) -> tuple[Cause, str]:
    """Return why the facts of two grades differ."""
    if one.student != other.student:
        return Cause.OTHER, f"{one.student} → {other.student}"
    if _handed_in_again(one, other):
        return Cause.RESUBMITTED, ""
    if one.provenance.key != other.provenance.key:
        before, after = one.provenance.versions, other.provenance.versions
        versions = [
            f"{name} {before.get(name, 'none')} → {after.get(name, 'none')}"
            for name in sorted({*before, *after})
            if before.get(name) != after.get(name)
        ]
        return Cause.GRADED_AGAIN, "; ".join(filter(None, (surroundings, listed(versions, _NAMED))))
    return Cause.FAULT, ""


def _surroundings(one: Circumstances, other: Circumstances) -> list[str]:
    """Return a phrase for each difference between what two snapshots were made with."""
    found = []
    if one.version != other.version:
        found.append(f"gengrade {one.version} → {other.version}")
    elif one.code != other.code:
        found.append("the code of gengrade or of the course has changed")
    if one.rubric != other.rubric:
        found.append("another rubric")
    if one.amendments != other.amendments:
        found.append("criteria that were changed while marking")
    if (one.seed, one.commitment) != (other.seed, other.commitment):
        found.append("another seed or secret")
    if one.run != other.run and one.run is not None and other.run is not None:
        before, after = one.run.model_dump(mode="json"), other.run.model_dump(mode="json")
        changed = [f"{name} {before[name]} → {after[name]}" for name in before if before[name] != after[name]]
        found.append(f"other options ({listed(changed, _NAMED)})")
    return found


def comparison_page(comparison: Comparison, assignment: str) -> str:
    """Return a comparison as an HTML page, for teachers."""
    return page("comparison.html.j2", comparison=comparison, assignment=assignment)
