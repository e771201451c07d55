"""Write JUnit XML in pytest's xunit2 format (Jenkins' junit-10.xsd): a suite per student, a case per item."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as ET

from gengrade.atomic import write_whole
from gengrade.facts import Outcome
from gengrade.grade import Grade, ItemGrade
from gengrade.report.text import OUTCOMES, one_line, points, public, told

_FAILURES = (Outcome.FAILED, Outcome.MISSING)  # the answer is wrong or absent
_SKIPPED = (Outcome.BLOCKED, Outcome.UNDECIDED, None)  # nothing was judged


def junit(grades: Iterable[Grade]) -> str:
    """Return the XML text. Hidden items show their verdict only, since a student's own CI may produce the file."""
    root = ET.Element("testsuites")
    for grade in grades:
        root.append(_suite(grade))
    ET.indent(root, " ")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def write_junit(grades: Iterable[Grade], path: Path) -> Path:
    """Write the XML file, and return its path."""
    write_whole(path, junit(grades))
    return path


def _suite(grade: Grade) -> ET.Element:
    items = [(question.id, public(item)) for question in grade.questions for item in question.items]
    cases = [_case(question, item) for question, item in items]
    counts = {tag: sum(case.find(tag) is not None for case in cases) for tag in ("failure", "error", "skipped")}
    suite = ET.Element(
        "testsuite",
        name=one_line(grade.student),
        tests=str(len(cases)),
        failures=str(counts["failure"]),
        errors=str(counts["error"]),
        skipped=str(counts["skipped"]),
        time=f"{sum(item.seconds for _, item in items):.3f}",
    )
    properties = ET.SubElement(suite, "properties")
    for name in ("total", "points", "possible", "pending", "bonus", "penalty"):
        ET.SubElement(properties, "property", name=name, value=points(getattr(grade, name)))
    ET.SubElement(properties, "property", name="isolation", value=one_line(grade.isolation))
    suite.extend(cases)
    return suite


def _case(question: str, item: ItemGrade) -> ET.Element:
    """Return a test case with at most one result element, since Jenkins accepts no more."""
    name = item.check or item.id
    if item.title != name:
        name = f"{name}: {one_line(item.title, 200)}"
    case = ET.Element("testcase", classname=f"question {question}", name=name, time=f"{item.seconds:.3f}")
    message = told(item)
    full = item.settled and item.points == item.possible
    if item.outcome is Outcome.PASSED or (item.marked and full):
        return case
    if item.marked or item.outcome in _FAILURES:
        kind = item.outcome or "marked"
        _result(case, "failure", str(kind), message or f"{points(item.points)} points", item)
    elif item.outcome in _SKIPPED or item.outcome is None:
        ET.SubElement(case, "skipped", type=str(item.outcome or "pending"), message=message)
    else:
        meaning = OUTCOMES[item.outcome].meaning
        _result(case, "error", str(item.outcome), message or meaning, item)
    return case


def _result(case: ET.Element, tag: str, kind: str, message: str, item: ItemGrade) -> None:
    """Add what went wrong. The format has no attributes for a file and a line, so they are its text."""
    result = ET.SubElement(case, tag, type=kind, message=message)
    if item.code:
        result.text = f"{one_line(item.code[0], 200)}:{item.code[1]}"
