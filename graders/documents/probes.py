"""Probes of the files that a student handed in, for people to read: pictures as arrays, and texts.

None of them runs a student's code, but all parse a student's files. The host has a sentence for each problem that keeps
a file from being shown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from graders.adapting.documents import Problem

if TYPE_CHECKING:
    from graders.documents.interface import DocumentsPackage
    from graders.documents.records import Answered, File, Lines, Notebook, Pages, Program, Text

    Found = TypeVar("Found")


def contents(package: DocumentsPackage) -> Answered[list[File]]:
    """Return all files."""
    return _answered(package.documents.contents)


def pdf_pages(package: DocumentsPackage, path: str) -> Answered[Pages]:
    """Return the numbers of pages of a PDF."""
    return _answered(lambda: package.documents.pdf_pages(path))


def pdf_page(package: DocumentsPackage, path: str, page: int, width: int) -> Answered[Any]:
    """Return a page's picture [H, W, 3], at most `width` pixels wide."""
    return _answered(lambda: package.documents.pdf_page(path, page, width))


def pdf_lines(package: DocumentsPackage, path: str, first: int, most: int) -> Answered[list[Lines]]:
    """Return the lines of at most `most` pages from the page `first` on."""
    return _answered(lambda: package.documents.pdf_lines(path, first, most))


def picture(package: DocumentsPackage, path: str, width: int) -> Answered[Any]:
    """Return a picture [H, W, 3], at most `width` pixels wide."""
    return _answered(lambda: package.documents.picture(path, width))


def notebook(package: DocumentsPackage, path: str) -> Answered[Notebook]:
    """Return a notebook's cells and pictures."""
    return _answered(lambda: package.documents.notebook(path))


def text(package: DocumentsPackage, path: str) -> Answered[Text]:
    """Return a file's text, or its beginning."""
    return _answered(lambda: package.documents.text(path))


def program(package: DocumentsPackage, path: str) -> Answered[Program]:
    """Return what `text` does, with the colours of a Python program's characters and its definitions."""
    return _answered(lambda: package.documents.program(path))


def _answered(ask: Callable[[], Found]) -> Answered[Found]:
    try:
        return {"answer": ask()}
    except Problem as problem:
        return {"problem": problem.name}
