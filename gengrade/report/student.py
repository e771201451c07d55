"""Write `report.html`, the report about one submission, for its student."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from gengrade.atomic import write_whole
from gengrade.facts import Facts
from gengrade.grade import Grade
from gengrade.report.pages import page
from gengrade.report.text import headline, lateness, mistake, public
from gengrade.report.view import first_steps, parts, stages


class Stamp(NamedTuple):
    """What a report says about the release that it belongs to."""

    number: int
    at: str
    commitment: str | None  # the hash of the secret that inputs were drawn with


def student_page(grade: Grade, facts: Facts, folder: Path, release: Stamp | None = None) -> str:
    """Return the report as one HTML page.

    folder: where the pictures of `facts.figures` are read.
    release: what the report belongs to; None: it was not released.
    """
    return page(
        "report.html.j2",
        grade=grade,
        release=release,
        headline=headline(grade),
        lateness=lateness(grade),
        parts=parts(grade, facts, folder),
        first_steps=first_steps(grade),
        mistakes=any(mistake(public(item)) for item in grade.items),
        stages=stages(grade),
    )


def write_report(grade: Grade, facts: Facts, folder: Path) -> Path:
    """Write `report.html` into the student's folder of results, and return its path."""
    path = folder / "report.html"
    write_whole(path, student_page(grade, facts, folder))
    return path
