"""Write `index.html`, the page about a whole class, for teachers."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from gengrade.atomic import write_whole
from gengrade.choices import Tier
from gengrade.facts import Outcome
from gengrade.grade import Grade, ItemGrade
from gengrade.people import NOBODY, People
from gengrade.report.alike import misconceptions, same_evidence
from gengrade.report.lines import Line, lines_of
from gengrade.report.pages import page
from gengrade.report.text import Word, word

INDEX: Final = "index.html"


@dataclass(frozen=True, slots=True)
class Row:
    """A submission, and its report; `parts` are the points of each part, bonus included."""

    grade: Grade
    href: str
    parts: dict[str, float]
    line: Line | None = None  # in the table: the person, whose own deduction `grade` has


class Finding(NamedTuple):
    """One student's item, to be linked from the page, and the word for its outcome."""

    row: Row
    item: ItemGrade
    word: Word


@dataclass(frozen=True, slots=True)
class Group:
    """A check, and the students for whom it did not pass."""

    check: str
    title: str
    rows: tuple[Finding, ...]


class Bin(NamedTuple):
    """A bar of the histogram; `label` is its lower end in percent of the possible points."""

    label: str
    students: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers at the top of the page."""

    assignment: str
    parts: tuple[str, ...]
    possible: float
    mean: float
    median: float
    reduced: bool
    tallest: int
    histogram_text: str


def index_page(grades: Sequence[Grade], names: Mapping[str, str] | None = None, people: People = NOBODY) -> str:
    """Return the HTML page about a class, with links to each student's report at `<student>/report.html`.

    grades: of the class.
    names: of the submissions, by their ids.
    people: of the class.
    """
    lines = lines_of(grades, people, names or {})
    if people.roster:
        lines.sort(key=lambda line: (line.stray, line.name.casefold(), line.order))
    rows = tuple(_row(grade) for grade in sorted(grades, key=lambda grade: (grade.student.casefold(), grade.student)))
    bins = histogram(grades)
    looks = tuple(Finding(row, item, word(item)) for row in rows for item in row.grade.needs_look)
    ordered = tuple(row.grade for row in rows)
    return page(
        "index.html.j2",
        script="sort.js",
        rows=rows,
        table=tuple(_row(line.grade, line) for line in lines if line.grade is not None),
        people=people,
        unlisted=tuple(row for row in rows if row.grade.student in people.unlisted),
        absent=tuple(line for line in lines if line.grade is None),
        undecided=tuple(row for row in rows if row.grade.undecided),
        summary=_summary(grades, bins),
        histogram=bins,
        mistakes=misconceptions(ordered),
        alike=same_evidence(ordered),
        href=_href,
        looks=looks,
        open_marks=tuple((row, item) for row in rows for item in row.grade.open_marks),
        overridden=tuple((row, item) for row in rows for item in row.grade.items if item.overridden),
        flagged=tuple(row for row in rows if row.grade.code_flags),
        lacking=tuple(row for row in rows if row.grade.lacks_programs),
        noted=tuple(row for row in rows if row.grade.notes),
        groups=_groups(rows),
    )


def write_index(
    grades: Iterable[Grade], out: Path, names: Mapping[str, str] | None = None, people: People = NOBODY
) -> Path:
    """Write `index.html` into the folder of results, and return its path."""
    path = out / INDEX
    write_whole(path, index_page(tuple(grades), names, people))
    return path


def histogram(grades: Iterable[Grade]) -> tuple[Bin, ...]:
    """Return how many totals lie in each tenth of the possible points; the last bin holds all from 90 %."""
    counts = [0] * 10
    for grade in grades:
        share = grade.total / grade.possible if grade.possible else 0.0
        counts[min(int(share * 10), 9)] += 1
    return tuple(Bin(f"{tenth * 10}", count) for tenth, count in enumerate(counts))


def _row(grade: Grade, line: Line | None = None) -> Row:
    parts: dict[str, float] = {}
    for question in grade.questions:
        parts[question.part] = round(parts.get(question.part, 0.0) + question.points + question.bonus, 2)
    return Row(grade, _href(grade), parts, line)


def _href(grade: Grade) -> str:
    return f"{quote(grade.student, safe='', errors='replace')}/report.html"


def _summary(grades: Sequence[Grade], bins: Sequence[Bin]) -> Summary:
    totals = [grade.total for grade in grades]
    said = [f"{bin.students} from {bin.label} %" for bin in bins if bin.students]
    return Summary(
        assignment=grades[0].assignment if grades else "No submissions",
        parts=tuple(dict.fromkeys(question.part for grade in grades[:1] for question in grade.questions)),
        possible=grades[0].possible if grades else 0.0,
        mean=statistics.fmean(totals) if totals else 0.0,
        median=statistics.median(totals) if totals else 0.0,
        reduced=any(grade.isolation is Tier.PROCESS for grade in grades),
        tallest=max([1, *(bin.students for bin in bins)]),
        histogram_text=f"Students by total: {', '.join(said) or 'none'}.",
    )


def _groups(rows: Iterable[Row]) -> tuple[Group, ...]:
    """Return the checks that did not pass, the most frequent first; each student counts once for a check."""
    found: dict[str, dict[str, Finding]] = {}
    for row in rows:
        for item in row.grade.items:
            if item.check and item.outcome not in (None, Outcome.PASSED, Outcome.UNDECIDED):
                found.setdefault(item.check, {}).setdefault(row.grade.student, Finding(row, item, word(item)))
    groups = [Group(check, _title(who.values()), tuple(who.values())) for check, who in found.items()]
    return tuple(sorted(groups, key=lambda group: (-len(group.rows), group.check)))


def _title(findings: Iterable[Finding]) -> str:
    return next((finding.item.title for finding in findings if finding.item.title != finding.item.check), "")
