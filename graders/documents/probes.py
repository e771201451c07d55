"""Probes of the files that a student handed in, for people to read: pictures as arrays, and texts.

None of them runs a student's code, but all parse a student's files. Each returns its `answer`, or the name of the
`problem` that keeps a file from being shown; the host has a sentence for each name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graders.adapting.documents import Problem

if TYPE_CHECKING:
    from graders.documents.interface import DocumentsPackage


def contents(package: DocumentsPackage) -> dict[str, Any]:
    """Returns for each file its `name` (the path), its `kind` and its `size` in bytes."""
    return _answered(package.documents.contents)


def pdf_pages(package: DocumentsPackage, path: str) -> dict[str, Any]:
    """Returns the number of `pages` of a PDF, of which the first 300 count, and the number that is `claimed`."""
    return _answered(lambda: package.documents.pdf_pages(path))


def pdf_page(package: DocumentsPackage, path: str, page: int, width: int) -> dict[str, Any]:
    """Returns a page's picture [H, W, 3], at most `width` pixels wide."""
    return _answered(lambda: package.documents.pdf_page(path, page, width))


def pdf_lines(package: DocumentsPackage, path: str, first: int, most: int) -> dict[str, Any]:
    """Returns the lines of at most `most` pages from the page `first` on: `texts`, and `boxes` [N, 4] in fractions."""
    return _answered(lambda: package.documents.pdf_lines(path, first, most))


def picture(package: DocumentsPackage, path: str, width: int) -> dict[str, Any]:
    """Returns a picture [H, W, 3], at most `width` pixels wide."""
    return _answered(lambda: package.documents.picture(path, width))


def notebook(package: DocumentsPackage, path: str) -> dict[str, Any]:
    """Returns a notebook's `cells`, its `pictures`, and what is `left_out`."""
    return _answered(lambda: package.documents.notebook(path))


def text(package: DocumentsPackage, path: str) -> dict[str, Any]:
    """Returns the beginning of a file's `text`, and how many bytes are `left_out`."""
    return _answered(lambda: package.documents.text(path))


def _answered(ask: Callable[[], object]) -> dict[str, Any]:
    try:
        return {"answer": ask()}
    except Problem as problem:
        return {"problem": problem.name}
