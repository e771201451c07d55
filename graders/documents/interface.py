"""What the probes of documents ask an adapter for, as `package.documents`.

No course has this part: the marking room makes a tree of all files that a student handed in, and shows them. A path is
relative to that tree. A method raises Problem for a file that cannot be shown. Only a type checker reads this file.
"""

from __future__ import annotations

from typing import Any, Protocol


class DocumentFiles(Protocol):
    """The files that a student handed in."""

    def contents(self) -> list[dict[str, Any]]:
        """For each file, its `name` (the relative path), its `kind` and its `size` in bytes."""

    def pdf_pages(self, path: str) -> dict[str, int]:
        """How many `pages` a PDF has, of which the first 300 count, and how many are `claimed` by the file."""

    def pdf_page(self, path: str, page: int, width: int) -> Any:
        """A page of a PDF (0: the first) as a picture [H, W, 3] in uint8.

        width: of the picture, in pixels. It is narrower where the page would be too high or too large.
        """

    def pdf_lines(self, path: str, first: int, most: int) -> list[dict[str, Any]]:
        """The text of at most `most` pages of a PDF from the page `first` on.

        For each page `texts`, a list of its lines, and `boxes` [N, 4] with the left edge, upper edge, width and height
        of each line as fractions of the page. There are fewer pages where the answer would be too long.
        """

    def picture(self, path: str, width: int) -> Any:
        """A picture [H, W, 3] in uint8, at most `width` pixels wide; of an animated one, the first frame."""

    def notebook(self, path: str) -> dict[str, Any]:
        """The `cells` of a notebook, all its `pictures` as a list of arrays [H, W, 3], and what is `left_out` of both.

        A cell has a `kind`, its `source` and its `outputs`. An output is a `text`, the number of a `picture`, or the
        `problem` of a picture that cannot be shown.
        """

    def text(self, path: str) -> dict[str, Any]:
        """The `text` of a file, or its beginning, and the number of bytes `left_out`."""


class DocumentsPackage(Protocol):
    """A submission as the family's probes see it."""

    @property
    def documents(self) -> DocumentFiles:
        """The files that a student handed in."""
