"""Read the text of each student's answer to each question.

The text of an answer begins where the question's number was found in a PDF, or where somebody said that it begins. It
ends where the next answer in that file begins, at the latest after two pages. A student without such a place has what
stands below a heading with the question's number in a notebook or text file, or no text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from gengrade.room.documents import DocumentProblem, Documents, HandedIn, Line, Place
from gengrade.room.finding import find

MOST_CHARACTERS: Final = 12_000  # of an answer; what follows is left out
_MOST_PAGES: Final = 2
_MOST_FILES: Final = 8  # notebooks and texts of a student that are searched
_MOST_BYTES: Final = 20 << 20  # of one of them
_TEXTS: Final = (".md", ".txt", ".tex", ".rst")
_MOST_LINES: Final = 20_000  # of one of them
_HYPHEN: Final = re.compile(r"(?<=[^\W\d_])[-\u00ad\u2010]\n(?=[^\W\d_])")
_MARKDOWN: Final = re.compile(r"^\s*(?:#+\s*|\*\*|__|>\s*)")
_NOTHING: Final = " "  # a line's text that no question is found in


def answers_of(documents: Documents, student: str, questions: Sequence[str], wanted: Sequence[str]) -> dict[str, str]:
    """Return the texts of a student's answers by question; a question without a text is left out.

    questions: the ids of all questions of the rubric, since each answer ends where another begins.
    wanted: those of them whose answers are returned.

    Raises DocumentProblem if nothing of the submission can be read, and what `Documents` raises for a fault of ours.
    """
    files = documents.files(student)
    places = documents.places(student, questions)
    found = dict(_in_pdfs(documents, student, files, places))
    lacking = [question for question in wanted if question not in found]
    for file in _with_headings(files):
        if lacking:
            found |= {
                each: text for each, text in _below_headings(documents, student, file, questions) if each in lacking
            }
            lacking = [question for question in lacking if question not in found]
    return {question: found[question] for question in wanted if found.get(question)}


def _in_pdfs(
    documents: Documents, student: str, files: Sequence[HandedIn], places: dict[str, Place | None]
) -> Iterator[tuple[str, str]]:
    for file in files:
        here = {question: at for question, at in places.items() if at is not None and at.index == file.index}
        if file.pages is None or not here:
            continue
        pages: Sequence[Sequence[Line]] = ()
        with suppress(DocumentProblem):
            pages = documents.pages(student, file.index)
        begins = sorted({(at.page, at.y) for at in here.values()})
        for question, at in here.items():
            begin = at.page, at.y
            yield question, _between(pages, begin, next((each for each in begins if each > begin), None))


def _between(pages: Sequence[Sequence[Line]], begin: tuple[int, float], end: tuple[int, float] | None) -> str:
    """Return the text from one place of a document to another, or of at most two pages."""
    lines = [
        line.text
        for page in range(begin[0], min(begin[0] + _MOST_PAGES, len(pages)))
        for line in pages[page]
        if begin <= (page, line.y + 1e-6) and (end is None or (page, line.y + 1e-6) < end)
    ]
    return joined(lines)


def _with_headings(files: Sequence[HandedIn]) -> list[HandedIn]:
    read = [
        file
        for file in files
        if file.kind == "notebook" or (file.kind == "text" and file.name.lower().endswith(_TEXTS))
        if not file.note and file.size <= _MOST_BYTES
    ]
    return read[:_MOST_FILES]


def _below_headings(
    documents: Documents, student: str, file: HandedIn, questions: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield the texts below the headings of one notebook or text file. Of a notebook, only its words count."""
    lines: list[str] = []
    with suppress(DocumentProblem):
        if file.kind == "notebook":
            cells = documents.cells(student, file.index)
            lines = [line for cell in cells if cell.kind == "markdown" for line in cell.source.split("\n")]
        else:
            lines = documents.text(student, file.index).split("\n")
    lines = [_MARKDOWN.sub("", line).strip(" *_") for line in lines[:_MOST_LINES]]
    page = [Line(line or _NOTHING, 0.1, 0.5, 0.5, 0.01) for line in lines]
    begins = {question: place for question in questions if (place := _line_of(question, page)) is not None}
    for question, begin in begins.items():
        end = min((each for each in begins.values() if each > begin), default=len(lines))
        yield question, joined(lines[begin:end])


def _line_of(question: str, lines: Sequence[Line]) -> int | None:
    """Return the number of the line at which a question's answer begins, by the same rules as in a PDF."""
    placed = [
        Line(line.text, line.x, 0.1 + 0.8 * at / len(lines), line.width, line.height) for at, line in enumerate(lines)
    ]
    found = find(question, [placed])
    return None if found is None else next(at for at, line in enumerate(placed) if line.y == found.y)


def joined(lines: Sequence[str]) -> str:
    """Return lines as one text in compatible letters, with words that were divided at a line's end put together."""
    text = unicodedata.normalize("NFKC", "\n".join(lines)[: 2 * MOST_CHARACTERS])
    return _HYPHEN.sub("", text)[:MOST_CHARACTERS].strip()
