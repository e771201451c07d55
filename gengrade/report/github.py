"""Write GitHub Actions annotations for the log, and a summary for the step.

Two properties are deliberate:

1. GitHub keeps ten annotations of each kind per step and discards a summary of more than 1 MiB, so annotations are
   aggregated by check and a summary is cut before it is too long.
2. No text of a student reaches either without being escaped.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from gengrade.choices import Tier
from gengrade.facts import Outcome
from gengrade.grade import Grade, ItemGrade
from gengrade.report.text import SEEMS, beside, headline, mistake, one_line, points, public, sentence, told, word

MOST_ANNOTATIONS = 10  # of each kind
LARGEST_SUMMARY = 1_000_000  # bytes, below GitHub's 1 MiB

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$:])")


def github_annotations(grades: Iterable[Grade], said: tuple[str, str] | None = None) -> str:
    """Return workflow commands, one per line: errors for checks that did not pass, warnings for what is undecided.

    said: title and text of the last command, which sums up; None: the grades.
    """
    grades = tuple(grades)
    kinds: dict[str, dict[str, list[ItemGrade]]] = {"error": {}, "warning": {}}
    for grade in grades:
        left_out = grade.left_out
        for item in map(public, grade.items):
            expected = item.marked or item.id in left_out
            if item.outcome not in (None, Outcome.PASSED, Outcome.BLOCKED) and not expected:
                kind = "warning" if item.outcome in (Outcome.INFRA, Outcome.UNDECIDED) else "error"
                kinds[kind].setdefault(item.check or item.title, []).append(item)
    lines = [line for kind, checks in kinds.items() for line in _annotations(kind, checks, len(grades))]
    sums = "; ".join(f"{one_line(grade.who, 80)}: {headline(grade)}" for grade in grades[:5])
    more = f"; and {len(grades) - 5} more" if len(grades) > 5 else ""
    lines.append(command("notice", *(said or ("Grade", sums + more))))
    return "".join(f"{line}\n" for line in lines)


def command(kind: str, title: str, message: str, code: tuple[str, int] | None = None) -> str:
    """Return one workflow command of the kind "error", "warning" or "notice"; title and message may be any text.

    code: the file, relative to the repository, and the line that it is about; the diff shows the command there.
    """
    place = f"file={_property(code[0])},line={code[1]}," if code else ""
    return f"::{kind} {place}title={_property(title)}::{_escaped(one_line(message))}"


def _property(text: str) -> str:
    return _escaped(one_line(text, 200)).replace(":", "%3A").replace(",", "%2C")


def _escaped(text: str) -> str:
    # "##[" starts a command of the old syntax, even in the middle of a line.
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace("##[", "## [")


def _annotations(kind: str, checks: dict[str, list[ItemGrade]], submissions: int) -> list[str]:
    """Return at most ten commands; if there are more checks, the last command lists the others."""
    found = sorted(checks.items(), key=lambda each: -len(each[1]))
    room = len(found) if len(found) <= MOST_ANNOTATIONS else MOST_ANNOTATIONS - 1
    lines = [
        command(
            kind,
            f"{check}: {_words(items)}",
            _message(items, submissions),
            items[0].code if submissions == 1 else None,
        )
        for check, items in found[:room]
    ]
    if rest := [check for check, _ in found[room:]]:
        lines.append(command(kind, f"{len(rest)} more checks", ", ".join(rest)))
    return lines


def _words(items: Sequence[ItemGrade]) -> str:
    return ", ".join(dict.fromkeys(word(item).word for item in items))


def _message(items: Sequence[ItemGrade], submissions: int) -> str:
    item = items[0]
    title = "" if item.title == item.check else f"{item.title}. "
    # For a class, the misconception of the first submission is left out, since the others may have different ones.
    if submissions == 1:
        return f"{title}{told(item)}"
    return f"{len(items)} of {submissions} submissions. {title}{item.message}"


def github_summary(grades: Iterable[Grade]) -> str:
    """Return the step summary in Markdown: a section for each student, as many as fit into 1 MB."""
    grades = tuple(grades)
    text, size = [], 0
    for number, grade in enumerate(grades):
        section = _section(grade)
        size += len(section.encode())
        if size > LARGEST_SUMMARY:
            text.append(f"\nThis summary is full; {len(grades) - number} more submissions are in the reports.\n")
            break
        text.append(section)
    return "".join(text)


def markdown(text: str, longest: int = 300) -> str:
    """Return untrusted text as one line of Markdown, escaped so that it has no markup, HTML, links or mentions."""
    line = _MARKDOWN.sub(r"\\\1", one_line(text, longest))
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")


def _section(grade: Grade) -> str:
    lines = [f"## {markdown(grade.who)}", "", f"**{headline(grade)}** {markdown(grade.assignment)}", ""]
    if grade.isolation is Tier.PROCESS:
        lines += ["> **Reduced isolation:** graded without a sandbox.", ""]
    lines += ["| Question | Points | Pending |", "|---|---:|---:|"]
    for question in grade.questions:
        earned = f"{points(question.points + question.bonus)} / {points(question.possible + question.bonus_possible)}"
        pending = points(question.pending + question.bonus_pending)
        lines.append(f"| {markdown(f'{question.id} {question.title}')} | {earned} | {pending} |")
    missed = [item for item in map(public, grade.items) if not item.settled or item.points < item.possible]
    if missed:
        counts = Counter(word(item).word for item in missed)
        told = ", ".join(f"{count} × {name}" for name, count in counts.items())
        lines += ["", f"<details><summary>Not at full points: {told}</summary>", ""]
        lines += _bullets(missed)
        lines += ["", "</details>"]
    return "\n".join([*lines, "", ""])


def _bullets(items: Iterable[ItemGrade]) -> Iterator[str]:
    """Yield a line for each item; a misconception is explained in the first item where it was recognised."""
    told_in: dict[str, str] = {}
    for item in items:
        name = f"`{item.check}`" if item.check else f"{markdown(item.title)} ({item.id})"
        said = f"- {name}: **{word(item).word}**, {points(item.points)} / {points(item.possible)}."
        named = mistake(item)
        if named is not None:
            first = told_in.get(named.name)
            said += f" The same mistake as in {first}." if first else f" {SEEMS} {markdown(named.sentence)}"
            told_in.setdefault(named.name, name)
        yield f"{said} {markdown(sentence(beside(item)))}".rstrip()
