"""What the probes of documents ask an adapter for, as `package.documents`.

No course has this part: the marking room makes a tree of all files that a student handed in, and shows them. A path is
relative to that tree. A method raises Problem for a file that cannot be shown. Only a type checker reads this file.
"""

from __future__ import annotations

from typing import Any, Protocol

from graders.documents.records import File, Lines, Notebook, Pages, Program, Text


class DocumentFiles(Protocol):
    """The files that a student handed in."""

    def contents(self) -> list[File]:
        """List all files that the student handed in."""

    def pdf_pages(self, path: str) -> Pages:
        """Return how many pages a PDF has."""

    def pdf_page(self, path: str, page: int, width: int) -> Any:
        """Return a page of a PDF (0: the first) as a picture [H, W, 3] in uint8.

        width: of the picture, in pixels. It is narrower where the page would be too high or too large.
        """

    def pdf_lines(self, path: str, first: int, most: int) -> list[Lines]:
        """Return the text of at most `most` pages of a PDF from the page `first` on.

        There are fewer pages where the answer would be too long.
        """

    def picture(self, path: str, width: int) -> Any:
        """Return a picture [H, W, 3] in uint8, at most `width` pixels wide; of an animated one, the first frame."""

    def notebook(self, path: str) -> Notebook:
        """Return the cells of a notebook and their pictures."""

    def text(self, path: str) -> Text:
        """Return the text of a file, or its beginning."""

    def program(self, path: str) -> Program:
        """Return the text of a program, with what makes it easy to read."""


class DocumentsPackage(Protocol):
    """A submission as the family's probes see it."""

    @property
    def documents(self) -> DocumentFiles:
        """The files that a student handed in."""
