"""Show programs as lines with numbers and colours, and mark the lines that a question's checks are about.

Colours come from a lexer in the guest as one letter for each character (`Program`). Every text is escaped here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from markupsafe import Markup, escape

from gengrade.facts import CheckFact, Outcome
from gengrade.parts import Part, part_of
from gengrade.room.answers import COLOURS
from gengrade.room.documents import Definition, Program

_MOST_MARKED: Final = 120  # lines of one function
_BLOCK: Final = 50  # lines; the style says how high they usually are
_FRAME: Final = re.compile(r'File "([^"\n]+)", line (\d+)')
_NAME: Final = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_RUN: Final = re.compile(r"(.)\1*", re.DOTALL)


def listing(program: Program, file: int, marked: Collection[int] = ()) -> Markup:
    """Return a program as HTML, in which each line has the id "line-<file>-<number>".

    Lines come in blocks, of which browsers lay out only those that are seen.

    file: the number of the file.
    marked: the numbers of the lines to mark, from 1.
    """
    shown, place = [], 0
    for number, line in enumerate(program.text.removesuffix("\n").split("\n"), start=1):
        colours = program.colours[place : place + len(line)]
        matters = " matters" if number in marked else ""
        where = f'id="line-{file}-{number}" data-number="{number}"'
        shown.append(f'<span class="line{matters}" {where}>{_coloured(line, colours)}</span>')
        place += len(line) + 1
    blocks = (shown[first : first + _BLOCK] for first in range(0, len(shown), _BLOCK))
    return Markup("".join(f'<span class="lines">{"".join(block)}</span>' for block in blocks))  # all of it is escaped


def _coloured(line: str, colours: str) -> str:
    if not colours.strip():
        return str(escape(line))
    return "".join(
        f'<span class="{COLOURS[run[1]]}">{escape(line[run.start() : run.end()])}</span>'
        if run[1] in COLOURS
        else str(escape(line[run.start() : run.end()]))
        for run in _RUN.finditer(colours)
    )


def lines_that_matter(program: Program, name: str, facts: Iterable[CheckFact]) -> frozenset[int]:
    """Return the lines of a program that the facts of some checks name: functions, and lines of tracebacks.

    name: the program's path in the submission.
    """
    found: set[int] = set()
    for fact in facts:
        found |= set(_failed_at(fact, name))
        texts = _texts(fact)
        for definition in program.definitions:
            if any(_names(text, definition) for text in texts):
                found |= set(_lines(definition, program.definitions))
    last = program.text.count("\n") + 1
    return frozenset(line for line in found if 1 <= line <= last)


def of_part(name: str, checks: Iterable[str], parts: Mapping[str, Part]) -> bool:
    """Return whether a file is one that the course asks for, by its name, in a part that some checks are about.

    name: its path in the submission.
    checks: their ids, which begin with the name of a family.
    parts: the course's, by name.
    """
    path = PurePosixPath(name)
    asked = {part_of(check, parts) for check in checks}
    return any(
        bool(part.called(file, [path.name])) and (part.folder is None or part.folder in path.parts)
        for key, part in parts.items()
        if key in asked
        for file in part.files
    )


def _texts(fact: CheckFact) -> list[str]:
    """Return our own sentences about a check; what a student's code printed may name anything."""
    texts = [text for test in fact.tests for text in (test.title, test.message)]
    return [*texts, fact.misconception.sentence] if fact.misconception else texts


def _names(text: str, definition: Definition) -> bool:
    """Return whether a sentence names a function or class: as "VAE.forward", or by a name that is no English word."""
    own = definition.name.rpartition(".")[2]
    for match in _NAME.finditer(text):
        said = match[0]
        called = text[match.end() : match.end() + 1] == "("
        if said == definition.name and ("." in said or called or _is_code(said)):
            return True
        if said == own and (called or _is_code(said)):
            return True
    return False


def _is_code(name: str) -> bool:
    return "_" in name.strip("_") or any(letter.isupper() for letter in name[1:])


def _lines(definition: Definition, others: Sequence[Definition]) -> Iterator[int]:
    """Yield the lines of a function; of a class, which has functions of its own, only the first."""
    is_class = any(other.name.startswith(f"{definition.name}.") for other in others) and definition.name[:1].isupper()
    last = definition.first if is_class else min(definition.last, definition.first + _MOST_MARKED - 1)
    yield from range(definition.first, last + 1)


def _failed_at(fact: CheckFact, name: str) -> Iterator[int]:
    """Yield the lines of a file that a check's tracebacks name."""
    for test in fact.tests:
        if test.outcome is Outcome.PASSED:
            continue
        for path, line in _FRAME.findall(test.traceback or ""):
            if _ends_alike(path, name):
                yield int(line[:9])


def _ends_alike(path: str, name: str) -> bool:
    """Return whether one of two paths ends with the whole other one."""
    longer, shorter = sorted((f"/{path.lstrip('./')}", f"/{name}"), key=len, reverse=True)
    return longer.endswith(shorter)
