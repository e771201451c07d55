"""Tell a student in the terminal what to do: what did not pass, by part, the costliest first; then what passed.

What builds on something that did not pass comes after it, in one line, since it can only be judged once that is mended.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from gengrade.facts import Named, Outcome
from gengrade.grade import Grade, ItemGrade, ItemKind, QuestionGrade
from gengrade.report.text import inert, mistake, one_line, points, public, told, word
from gengrade.texts import counted, listed

_LONGEST: Final = 600  # characters of a message
_NAMED: Final = 60  # checks in a line
_SIZES: Final = " (in a network that was built with "  # how the sizes of a check's networks follow its message
_OPEN: Final = (Outcome.UNDECIDED, Outcome.INFRA)


def show_self_check(console: Console, grade: Grade) -> None:
    """Print what a submission's checks found, for its author."""
    parts = dict.fromkeys(question.part for question in grade.questions)
    for part in parts:
        _show_part(console, part, [question for question in grade.questions if question.part == part])
    items = [item for item in map(public, grade.items) if item.kind is not ItemKind.MANUAL]
    for heading, named in {
        "Passed": [item for item in items if _passed(item)],
        "Read by a teacher, since no program answers it": [item for item in items if _is_left_to_people(item)],
        f"Not run in the profile {one_line(grade.provenance.profile)}": [item for item in items if _is_not_run(item)],
    }.items():
        if named:
            _say(console, f"{heading}: {_names(named)}")
    for sentence in sums(grade):
        _say(console, sentence)


def _show_part(console: Console, part: str, questions: Sequence[QuestionGrade]) -> None:
    items = [public(item) for question in questions for item in question.items]
    lost = [
        item for item in items if item.kind is not ItemKind.MANUAL and item.outcome is not None and not _passed(item)
    ]
    open_ = [item for item in lost if item.outcome in _OPEN]
    blocked = [item for item in lost if item.outcome is Outcome.BLOCKED]
    wrong = [item for item in lost if item.outcome not in (*_OPEN, Outcome.BLOCKED)]
    if not (open_ or blocked or wrong):
        return
    _say(console, inert(one_line(part)), style="bold")
    for together in _by_cause(wrong):
        first = together[0]
        _say(console, f"  {_names(together)}: {word(first).word}, {_missed(together)}", style="bold red")
        _say(console, f"    {one_line(told(first), _LONGEST)}")
        for place in _places(together):
            _say(console, f"    {place}")
        if first.got is not None:
            expected = "" if first.expected is None else f"expected {one_line(first.expected, 160)}, "
            _say(console, f"    {expected}got {one_line(first.got, 160)}")
    if blocked:
        _say(console, f"  Not judged until what it builds on is right: {_names(blocked)}, {_missed(blocked)}")
    for item in open_:
        _say(console, f"  {_name(item)}: {word(item).word}. {one_line(item.message, _LONGEST)}")


def _by_cause(items: Iterable[ItemGrade]) -> list[list[ItemGrade]]:
    """Return the items that one misconception explains, or of which the same is told, together: the costliest first."""
    found: dict[Named | tuple[object, str], list[ItemGrade]] = {}
    for item in items:
        said = told(item).partition(_SIZES)[0]
        found.setdefault(mistake(item) or (item.outcome, said), []).append(item)
    return sorted(found.values(), key=lambda together: -_points_missed(together))


def _places(items: Sequence[ItemGrade]) -> Iterator[str]:
    """Yield where the code of some items raised an error and, if that differs among them, in which checks."""
    found: dict[tuple[str, int], list[ItemGrade]] = {}
    for item in items:
        if item.code is not None:
            found.setdefault(item.code, []).append(item)
    for (file, line), there in found.items():
        yield f"in {one_line(file, 160)}, line {line}{f' ({_names(there)})' if len(found) > 1 else ''}"


def _passed(item: ItemGrade) -> bool:
    return item.marked or (item.outcome is Outcome.PASSED and item.points == item.possible)


def _is_left_to_people(item: ItemGrade) -> bool:
    """Return whether a person gives the points: always, or because the program that may answer it was not handed in."""
    optional = item.criterion is not None and item.outcome is None
    return not item.settled and (item.kind is ItemKind.MANUAL or optional)


def _is_not_run(item: ItemGrade) -> bool:
    return item.outcome is None and not item.settled and not _is_left_to_people(item)


def _name(item: ItemGrade) -> str:
    return inert(one_line(item.check or item.title, 80))


def _names(items: Iterable[ItemGrade]) -> str:
    return listed(list(dict.fromkeys(map(_name, items))), _NAMED)


def _points_missed(items: Iterable[ItemGrade]) -> float:
    return math.fsum(item.possible - item.points for item in items)


def _missed(items: Sequence[ItemGrade]) -> str:
    """Return how many points are missed, those of bonus items apart."""
    said = []
    for of, some in {
        "": [item for item in items if not item.bonus],
        " of bonus": [item for item in items if item.bonus],
    }.items():
        if some:
            missed = round(_points_missed(some), 2)
            said.append(f"{counted(missed, 'point')}{of}")
    return " and ".join(said)


def sums(grade: Grade) -> Iterable[str]:
    """Yield sentences on the points: those that a machine gave, those that wait, and what lateness costs."""
    machine = [item for item in grade.items if item.kind is not ItemKind.MANUAL and not item.bonus]
    settled = [item for item in machine if item.settled]
    earned = math.fsum(item.points for item in settled)
    of = math.fsum(item.possible for item in settled)
    said = f"{points(earned)} of the {counted(round(of, 2), 'point')} that were checked here"
    waiting = math.fsum(item.pending for item in grade.items if _is_left_to_people(item) and not item.bonus)
    unchecked = math.fsum(item.pending for item in machine if not _is_left_to_people(item))
    if unchecked:
        said += f"; {points(unchecked)} were not decided here"
    if waiting:
        said += f"; {points(waiting)} wait for a teacher"
    yield f"{said}."
    if grade.bonus_possible:
        yield f"Bonus: {points(grade.bonus)} of {points(grade.bonus_possible)}."
    if any(item.marked for item in grade.items):
        yield f"With what a teacher gave: {points(grade.total)} of {points(grade.possible)} points."
    if grade.penalty:
        yield f"Handed in late: −{points(grade.penalty)} points."
    if grade.lacks_programs:
        yield f"There is no program or notebook in what was handed in: {listed(list(grade.handed_in), 5)}."


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(Text(inert(text), style=style), soft_wrap=True)
