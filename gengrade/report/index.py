"""Write `index.html`, the page about a whole class, for teachers."""

from __future__ import annotations

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
from gengrade.report.statistics import FEWEST_ALIKE, figures
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
    """A bar of a histogram; `label` is its lower end in percent."""

    label: str
    number: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many of a class lie in each tenth: the bars, the highest number, and all of them in words."""

    bins: tuple[Bin, ...]
    tallest: int
    words: str

    @classmethod
    def of(cls, tenths: Sequence[int], what: str) -> Histogram:
        """Return the histogram of these numbers; `what` is counted, and by what: "People by total"."""
        bins = tuple(Bin(f"{tenth * 10}", number) for tenth, number in enumerate(tenths))
        said = [f"{each.number} from {each.label} %" for each in bins if each.number]
        return cls(bins, max(1, *tenths), f"{what}: {', '.join(said) or 'none'}.")


@dataclass(frozen=True, slots=True)
class Summary:
    """What is said at the top of the page."""

    assignment: str
    parts: tuple[str, ...]
    reduced: bool


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
    numbers = figures(grades, lines, people)
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
        summary=_summary(grades),
        figures=numbers,
        fewest_alike=FEWEST_ALIKE,
        totals=Histogram.of(numbers.tenths_of_totals, "People by total" if people.roster else "Submissions by total"),
        shares=Histogram.of(numbers.tenths_of_settled, "Submissions by their share of the settled points"),
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


def _row(grade: Grade, line: Line | None = None) -> Row:
    parts: dict[str, float] = {}
    for question in grade.questions:
        parts[question.part] = round(parts.get(question.part, 0.0) + question.points + question.bonus, 2)
    return Row(grade, _href(grade), parts, line)


def _href(grade: Grade) -> str:
    return f"{quote(grade.student, safe='', errors='replace')}/report.html"


def _summary(grades: Sequence[Grade]) -> Summary:
    return Summary(
        assignment=grades[0].assignment if grades else "No submissions",
        parts=tuple(dict.fromkeys(question.part for grade in grades[:1] for question in grade.questions)),
        reduced=any(grade.isolation is Tier.PROCESS for grade in grades),
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
