"""Make small PDFs, byte by byte, with or without mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Words(NamedTuple):
    """A line of text on a page: its left edge and baseline in points from the lower left corner, and its size."""

    x: float
    y: float
    size: float
    text: str


def page_of(*texts: str, size: float = 11, heading: str = "Question", top: float = 780) -> list[Words]:
    """Return lines of text below each other; those that begin with `heading` are larger."""
    larger = [size * 1.5 if heading and text.startswith(heading) else size for text in texts]
    return [
        Words(72, top - 24 * place, each, text) for place, (text, each) in enumerate(zip(texts, larger, strict=True))
    ]


def pdf(
    *pages: Sequence[Words], box: str = "0 0 595 842", extra: str = "", count: int | None = None, trailer: str = ""
) -> bytes:
    """Return a PDF.

    pages: the lines of each page.
    box: the size of every page.
    extra: more entries for the dictionary of every page.
    count: how many pages it claims to have; None: as many as it has.
    trailer: more entries for the trailer.
    """
    kids = [4 + 2 * place for place in range(len(pages))]
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: f"<< /Type /Pages /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] "
        f"/Count {len(pages) if count is None else count} >>".encode(),
        3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    }
    for kid, lines in zip(kids, pages, strict=True):
        drawn = "\n".join(
            f"BT /F1 {each.size} Tf {each.x} {each.y} Td ({_escaped(each.text)}) Tj ET" for each in lines
        ).encode("latin-1")
        objects[kid] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [{box}] /Contents {kid + 1} 0 R "
            f"/Resources << /Font << /F1 3 0 R >> >> {extra} >>"
        ).encode()
        objects[kid + 1] = b"<< /Length %d >>\nstream\n%b\nendstream" % (len(drawn), drawn)
    return written(objects, trailer)


def written(objects: dict[int, bytes], trailer: str = "") -> bytes:
    """Return a PDF of these objects; the first is its catalog."""
    content = b"%PDF-1.4\n"
    places = []
    for number, each in sorted(objects.items()):
        places.append(len(content))
        content += b"%d 0 obj\n%b\nendobj\n" % (number, each)
    start = len(content)
    content += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    content += b"".join(b"%010d 00000 n \n" % place for place in places)
    end = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n"
    return content + end.encode()


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
