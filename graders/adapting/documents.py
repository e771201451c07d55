"""The files that a student handed in, read for people: pages and pictures as arrays, notebooks and programs as text.

It is the adapter of an internal course that consists of documents only (`gengrade/room/documents.py`). Three
properties are deliberate:

1. Everything that parses a student's bytes is here, so it runs in a guest.
2. Every answer has a size that crosses the wall: it is scaled down, cut or left out, and the answer says so.
3. A file that cannot be shown raises Problem with a name for which the host has a sentence. Anything else that is
   raised is told by the run's outcome.
"""

from __future__ import annotations

import ast
import base64
import ctypes
import io
import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from graders.adapting.loading import Modules

if TYPE_CHECKING:
    from graders.documents.interface import DocumentFiles
    from graders.documents.records import Cell, Definition, File, Lines, Notebook, Output, Pages, Program, Text

PDF: Final = (".pdf",)
PICTURES: Final = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".heic", ".heif")
NOTEBOOKS: Final = (".ipynb",)
PROGRAMS: Final = (
    *(".py", ".pyi", ".m", ".r", ".jl", ".lua", ".sh", ".bash", ".bat", ".ps1", ".c", ".h", ".cc", ".cpp", ".hpp"),
    *(".cu", ".java", ".js", ".ts", ".rs", ".go", ".sql", ".slurm", ".job", ".sbatch"),
)
TEXTS: Final = (
    *(".txt", ".md", ".rst", ".tex", ".bib", ".csv", ".tsv", ".json", ".yaml", ".yml", ".toml", ".ini", ".cfg"),
    *(".log", ".html", ".htm", ".xml", ".css", ".svg", ".out", ".err"),
)
FORMATS: Final = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")  # what Pillow may take a file for
MOST_FILES: Final = 2_000
MOST_PAGES: Final = 300  # of a PDF
MOST_HEIGHT: Final = 12_000  # pixels of a picture that is returned
MOST_PIXELS: Final = 12_000_000
MOST_SOURCE_PIXELS: Final = 100_000_000  # of a picture that is decoded
MOST_CHARACTERS: Final = 60_000  # of a page
MOST_LINES: Final = 3_000  # of a page
MOST_LINES_AT_ONCE: Final = 20_000
MOST_TEXT_AT_ONCE: Final = 1_500_000  # bytes of JSON, of all lines in one answer
MOST_TEXT: Final = 400_000  # bytes of a program or text
MOST_COLOURED: Final = 100_000  # characters of a program that is coloured
MOST_DEFINITIONS: Final = 2_000
MOST_NAME: Final = 200
MOST_CELLS: Final = 2_000
MOST_OUTPUTS: Final = 10_000  # of all cells of a notebook
MOST_CELL_TEXT: Final = 60_000  # characters of a cell's source, or of one output
MOST_NOTEBOOK_TEXT: Final = 3_000_000  # bytes of JSON
MOST_CELL_PICTURES: Final = 80
MOST_CELL_PIXELS: Final = 14_000_000  # of all pictures of a notebook
CELL_WIDTH: Final = 900
CELL_HEIGHT: Final = 3_000
_BINARY_PROBE: Final = 4_096
_DEVICE: Final = 100_000  # the side of the imaginary device on which PDFium places a line
_HYPHENS: Final = {2, 0xFFFE}  # what PDFium gives for a hyphen at the end of a line
_ORIENTATION: Final = 0x0112  # the EXIF tag
_ANSI: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


class Problem(Exception):
    """A file cannot be shown. `name`: the reason, for which the host has a sentence."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class DocumentsContract:
    """`package.documents`."""

    def __init__(self, modules: Modules) -> None:
        self._folder = modules.folder

    def contents(self) -> list[File]:
        """List all files that the student handed in."""
        found: list[File] = []
        for folder, _, names in os.walk(self._folder):
            for name in names:
                path = Path(folder, name)
                found.append({"name": path.relative_to(self._folder).as_posix(), "kind": _kind(path)})
        return sorted(found, key=lambda file: file["name"])[:MOST_FILES]

    def pdf_pages(self, path: str) -> Pages:
        """Return the number of pages that are there, of the first ones, and the number that the file claims.

        Pages behind the last that is there are not shown, since a file of a few bytes may claim any number.
        """
        document = _opened(self._folder / path)
        claimed = len(document)
        there = (number for number in reversed(range(min(claimed, MOST_PAGES))) if _is_there(document, number))
        last = next(there, None)
        if last is None:
            raise Problem("pdf")
        return {"pages": last + 1, "claimed": claimed}

    def pdf_page(self, path: str, page: int, width: int) -> np.ndarray:
        """Return a page as an array."""
        opened = _page(_opened(self._folder / path), page)
        try:
            wide, high = opened.get_size()
            if not (0 < wide < math.inf and 0 < high < math.inf):
                raise Problem("page")
            image = opened.render(scale=_scale(wide, high, width, MOST_HEIGHT, MOST_PIXELS), rev_byteorder=True)
            array = image.to_numpy()[:MOST_HEIGHT, :width]  # sizes are rounded up
            return np.ascontiguousarray(array)
        except _pdf_errors() as error:
            raise Problem("page") from error

    def pdf_lines(self, path: str, first: int, most: int) -> list[Lines]:
        """Return the lines of several pages."""
        document = _opened(self._folder / path)
        found: list[Lines] = []
        lines = size = 0
        broken: tuple[type[Exception], ...] = (Problem, *_pdf_errors())
        for number in range(first, min(first + most, len(document))):
            try:
                each = _lines(_page(document, number))
            except broken:
                each = _no_lines()
            lines += len(each["texts"])
            size += _weight(each["texts"])
            if found and (lines > MOST_LINES_AT_ONCE or size > MOST_TEXT_AT_ONCE):
                break
            found.append(each)
        return found

    def picture(self, path: str, width: int) -> np.ndarray:
        """Return a picture as an array."""
        return _decoded(self._folder / path, width, MOST_HEIGHT, MOST_PIXELS)

    def notebook(self, path: str) -> Notebook:
        """Return a notebook's cells and pictures."""
        try:
            text = (self._folder / path).read_bytes().decode("utf-8-sig", "replace")
            content = json.loads(text, strict=False)
            sheets = content.get("worksheets")  # notebooks of before 2015 hold their cells in sheets
            cells = content["cells"] if "cells" in content else [cell for sheet in sheets for cell in sheet["cells"]]
            if not isinstance(cells, list):
                raise Problem("notebook")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise Problem("notebook") from error
        return _Notebook().read(cells)

    def text(self, path: str) -> Text:
        """Return a file's text."""
        file = self._folder / path
        with file.open("rb") as opened:
            content = opened.read(MOST_TEXT)
        left = file.stat().st_size - len(content)
        return {"text": _text(content, cut=left > 0), "left_out": left}

    def program(self, path: str) -> Program:
        """Return a Python program's text, colours and definitions."""
        read = self.text(path)
        text = read["text"].replace("\r\n", "\n").replace("\r", "\n")
        short = len(text) <= MOST_COLOURED and not read["left_out"]
        return {
            "text": text,
            "left_out": read["left_out"],
            "colours": _colours(text) if short else "",
            "definitions": _definitions(text),
        }


# Programs -------------------------------------------------------------------------------------------------------------


def _colours(text: str) -> str:
    """Return a letter for each character of a Python program: what it is to a reader."""
    from pygments.lexers.python import PythonLexer
    from pygments.token import Comment, Keyword, Name, Number, Operator, String

    kinds = (
        *((Comment, "c"), (String, "s"), (Number, "n"), (Keyword, "k"), (Operator.Word, "k")),
        *((Name.Function, "d"), (Name.Class, "d"), (Name.Decorator, "d"), (Name.Builtin, "b"), (Name.Exception, "b")),
    )
    found = []
    for _, kind, value in PythonLexer().get_tokens_unprocessed(text):
        letter = next((letter for each, letter in kinds if kind in each), " ")
        found.append(letter * len(value))
    return "".join(found)


def _definitions(text: str) -> list[Definition]:
    """Return the functions and classes of a Python program, with their lines.

    None of a program that Python cannot read.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found: list[Definition] = []
    pending: list[tuple[str, Any]] = [("", tree)]
    while pending and len(found) < MOST_DEFINITIONS:
        above, node = pending.pop()
        for each in ast.iter_child_nodes(node):
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{above}{each.name}"[:MOST_NAME]
                found.append({"name": name, "first": each.lineno, "last": each.end_lineno or each.lineno})
                pending.append((f"{name}.", each))
            elif isinstance(each, ast.stmt | ast.ExceptHandler):
                pending.append((above, each))
    return sorted(found[:MOST_DEFINITIONS], key=lambda each: int(each["first"]))


# Kinds ----------------------------------------------------------------------------------------------------------------


def _kind(path: Path) -> str:
    """Return what a file is: by its name or, if that does not tell, by how it begins."""
    kinds = {"pdf": PDF, "picture": PICTURES, "notebook": NOTEBOOKS, "program": PROGRAMS, "text": TEXTS}
    suffix = path.suffix.lower()
    for kind, suffixes in kinds.items():
        if suffix in suffixes:
            return kind
    with path.open("rb") as opened:
        begins = opened.read(_BINARY_PROBE)
    if b"%PDF-" in begins[:1024]:
        return "pdf"
    if begins.startswith((b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8")):
        return "picture"
    return "text" if begins and not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", begins) else "other"


# PDFs -----------------------------------------------------------------------------------------------------------------


def _pdf_errors() -> tuple[type[Exception], ...]:
    from pypdfium2 import PdfiumError

    return PdfiumError, ValueError, OverflowError, ctypes.ArgumentError


def _opened(path: Path) -> Any:
    """Return a PDF, with the fields of its forms. Raises Problem."""
    from pypdfium2 import PdfDocument, PdfiumError, raw

    try:
        document = PdfDocument(path)
        if len(document) < 1:
            raise Problem("pdf")
        if document.get_formtype() in (raw.FORMTYPE_ACRO_FORM, raw.FORMTYPE_XFA_FOREGROUND):
            document.init_forms()
    except PdfiumError as error:
        locked = getattr(error, "err_code", None) in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY)
        raise Problem("password" if locked else "pdf") from error
    return document


def _is_there(document: Any, number: int) -> bool:
    """Return whether a PDF has a page, of which nothing is drawn."""
    try:
        document.get_page_size(number)
    except _pdf_errors():
        return False
    return True


def _page(document: Any, number: int) -> Any:
    try:
        return document[number]
    except _pdf_errors() as error:
        raise Problem("page") from error


def _scale(wide: float, high: float, width: float, height: float, pixels: float) -> float:
    """Return the factor that makes a page or picture `width` wide, or less where it would be too high or too large."""
    return min(width / wide, height / high, math.sqrt(pixels / wide / high))


def _no_lines() -> Lines:
    return {"texts": [], "boxes": np.zeros((0, 4), np.float32)}


def _lines(page: Any) -> Lines:
    """Return the lines of a page's text, and where they are as fractions of the page. Raises one of `_pdf_errors`."""
    from pypdfium2 import raw

    text = page.get_textpage()
    texts: list[str] = []
    boxes: list[tuple[float, float, float, float]] = []
    for codes, box in _pieces(text, raw):
        line = _joined(codes)
        if line and box is not None:
            texts.append(line)
            boxes.append(_placed(page, box, raw))
        if len(texts) == MOST_LINES:
            break
    return {"texts": texts, "boxes": np.asarray(boxes, np.float32).reshape(-1, 4)} if texts else _no_lines()


def _pieces(text: Any, raw: Any) -> Iterator[tuple[list[int], _Box | None]]:
    """Yield the characters of each line, and the box around them in the page's units."""
    codes: list[int] = []
    around: _Box | None = None
    last: _Box | None = None
    given = raw.FS_RECTF()
    for place in range(min(text.count_chars(), MOST_CHARACTERS)):
        code = raw.FPDFText_GetUnicode(text, place)
        if code in (10, 13):
            yield codes, around
            codes, around, last = [], None, None
            continue
        if (
            code != 32
            and raw.FPDFText_IsGenerated(text, place) != 1
            and raw.FPDFText_GetLooseCharBox(text, place, given)
        ):
            own = _Box(given.left, given.bottom, given.right, given.top)
            if all(map(math.isfinite, own)):
                if around is not None and last is not None and own.begins_line(around, last):
                    yield codes, around
                    codes, around = [], None
                around, last = own.with_(around), own
        codes.append(code)
    yield codes, around


class _Box(NamedTuple):
    """A rectangle in a page's units, which grow to the right and upwards."""

    left: float
    bottom: float
    right: float
    top: float

    def with_(self, other: _Box | None) -> _Box:
        """Return the rectangle around both."""
        if other is None:
            return self
        return _Box(*map(min, self[:2], other[:2]), *map(max, self[2:], other[2:]))

    def begins_line(self, around: _Box, last: _Box) -> bool:
        """Return whether a character lies above or below the line so far, and back to the left of its last character.

        PDFium puts a space, and no line break, between some lines.
        """
        middle = (self.bottom + self.top) / 2
        return not around.bottom <= middle <= around.top and self.left < last.left - 0.1 * (self.top - self.bottom)


def _joined(codes: list[int]) -> str:
    """Return the text of characters that may be halves of UTF-16 pairs, without control characters."""
    shown = (0x2D if code in _HYPHENS else code for code in codes)
    text = "".join(chr(code) for code in shown if 32 <= code < 0x110000 and code != 127)
    return " ".join(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").split())


def _placed(page: Any, box: _Box, raw: Any) -> tuple[float, float, float, float]:
    """Return where a rectangle lies on the page as people see it, which may be turned and cropped."""
    x, y = ctypes.c_int(), ctypes.c_int()
    left, bottom, right, top = (min(max(corner, -1e6), 1e6) for corner in box)
    found = []
    for across, up in ((left, top), (right, bottom)):
        raw.FPDF_PageToDevice(page, 0, 0, _DEVICE, _DEVICE, 0, across, up, x, y)
        found.append((min(max(x.value / _DEVICE, 0.0), 1.0), min(max(y.value / _DEVICE, 0.0), 1.0)))
    (x0, y0), (x1, y1) = found
    return min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0)


# Pictures -------------------------------------------------------------------------------------------------------------


def _decoded(source: Path | io.BytesIO, width: int, height: int, pixels: int) -> np.ndarray:
    """Return a picture as an array [H, W, 3], upright and on white, scaled down to these sizes. Raises Problem."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(source, formats=FORMATS) as image:
            wide, high = image.size
            if wide * high > MOST_SOURCE_PIXELS:
                raise Problem("bomb")
            orientation = image.getexif().get(_ORIENTATION, 1)
            across, up = (high, wide) if orientation in (5, 6, 7, 8) else (wide, high)
            scale = min(1.0, _scale(across, up, width, height, pixels))
            size = max(1, int(wide * scale)), max(1, int(high * scale))
            image.draft("RGB", size)
            image.load()
            small = _on_white(image, Image).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
            return np.ascontiguousarray(np.asarray(_turned(small, orientation, Image.Transpose), np.uint8))
    except Image.DecompressionBombError as error:
        raise Problem("bomb") from error
    except UnidentifiedImageError as error:
        raise Problem("format") from error
    except (MemoryError, Problem):
        raise
    except Exception as error:  # decoders raise whatever they like
        raise Problem("picture") from error


def _on_white(image: Any, pillow: Any) -> Any:
    """Return a picture of any mode in RGB, with white where it is transparent."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, np.float64)
        low, high = (0.0, 65535.0) if image.mode.startswith("I;16") else (float(values.min()), float(values.max()))
        return pillow.fromarray(((values - low) * (255.0 / max(high - low, 1e-9))).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        clear = image.convert("RGBA")
        white = pillow.new("RGBA", clear.size, (255, 255, 255, 255))
        white.alpha_composite(clear)
        return white.convert("RGB")
    return image.convert("RGB")


def _turned(image: Any, orientation: int, ways: Any) -> Any:
    """Return a picture turned upright: cameras store how they were held (EXIF)."""
    turns = {
        2: ways.FLIP_LEFT_RIGHT,
        3: ways.ROTATE_180,
        4: ways.FLIP_TOP_BOTTOM,
        5: ways.TRANSPOSE,
        6: ways.ROTATE_270,
        7: ways.TRANSVERSE,
        8: ways.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image


# Notebooks and texts --------------------------------------------------------------------------------------------------


class _Notebook:
    """Reads a notebook's cells, and leaves out what would be too much for one answer."""

    def __init__(self) -> None:
        self._text = MOST_NOTEBOOK_TEXT
        self._pixels = MOST_CELL_PIXELS
        self._outputs = MOST_OUTPUTS
        self._pictures: list[np.ndarray] = []
        self._left_out: dict[str, None] = {}

    def read(self, cells: list[Any]) -> Notebook:
        """Return the cells, their pictures and the names of what is left out."""
        if len(cells) > MOST_CELLS:
            self._left_out["cells"] = None
        found = [self._cell(cell) for cell in cells[:MOST_CELLS] if isinstance(cell, dict)]
        return {"cells": found, "pictures": self._pictures, "left_out": list(self._left_out)}

    def _cell(self, cell: dict[str, Any]) -> Cell:
        kind = {"code": "code", "raw": "raw"}.get(str(cell.get("cell_type"))[:10], "markdown")
        source = cell["source"] if "source" in cell else cell.get("input")
        shown: list[Output] = []
        attached = cell.get("attachments")
        for bundle in attached.values() if isinstance(attached, dict) else ():
            if isinstance(bundle, dict):
                shown += self._bundle(bundle, words=False)
        outputs = cell.get("outputs")
        for output in outputs if isinstance(outputs, list) and kind == "code" else ():
            if isinstance(output, dict):
                shown += self._output(output)
        if len(shown) > self._outputs:
            self._left_out["outputs"] = None
        shown = shown[: self._outputs]
        self._outputs -= len(shown)
        return {"kind": kind, "source": self._words(source), "outputs": shown}

    def _output(self, output: dict[str, Any]) -> list[Output]:
        match output.get("output_type"):
            case "stream":
                return self._said(output.get("text"))
            case "error" | "pyerr":
                traceback = output.get("traceback")
                lines = [str(line) for line in traceback] if isinstance(traceback, list) else []
                return self._said("\n".join(lines) or f"{output.get('ename')}: {output.get('evalue')}")
        data = output.get("data")
        if isinstance(data, dict):
            return self._bundle(data, words=True)
        old = {"image/png": output.get("png"), "image/jpeg": output.get("jpeg"), "text/plain": output.get("text")}
        return self._bundle({kind: value for kind, value in old.items() if value is not None}, words=True)

    def _bundle(self, data: dict[str, Any], *, words: bool) -> list[Output]:
        """Return one thing in several forms: its picture or, without one, its words."""
        for kind in ("image/png", "image/jpeg"):
            if kind in data:
                return self._picture(data[kind])
        return self._said(data.get("text/plain")) if words else []

    def _picture(self, encoded: object) -> list[Output]:
        if len(self._pictures) >= MOST_CELL_PICTURES or self._pixels < CELL_WIDTH:
            self._left_out["pictures"] = None
            return []
        text = "".join(map(str, encoded)) if isinstance(encoded, list) else str(encoded)
        try:
            source = io.BytesIO(base64.b64decode(text))
            array = _decoded(source, CELL_WIDTH, CELL_HEIGHT, self._pixels)
        except ValueError:
            return [{"problem": "picture"}]
        except Problem as problem:
            return [{"problem": problem.name}]
        self._pixels -= array.shape[0] * array.shape[1]
        self._pictures.append(array)
        return [{"picture": len(self._pictures) - 1}]

    def _said(self, value: object) -> list[Output]:
        text = self._words(value)
        return [{"text": text}] if text.strip() else []

    def _words(self, value: object) -> str:
        """Return a text that a notebook may hold as a list of lines, cut where it is too long."""
        text = "".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
        if len(text) > MOST_CELL_TEXT:
            self._left_out["text"] = None
            text = text[:MOST_CELL_TEXT]
        text = _ANSI.sub("", text)
        size = _weight([text])
        if size > self._text:
            self._left_out["text"] = None
            return ""
        self._text -= size
        return text


def _weight(texts: list[str]) -> int:
    """Return the bytes that texts take in an answer."""
    return len(json.dumps(texts))


def _text(content: bytes, *, cut: bool) -> str:
    """Return the text of a file in UTF-8 or UTF-16 or, if it is in neither, in Windows' Western encoding or Latin-1."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    for shorter in range(4 if cut else 1):  # the cut may have gone through a character
        try:
            return content[: len(content) - shorter].decode("utf-8-sig")
        except UnicodeDecodeError:
            continue
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError:
        return content.decode("latin-1")


if TYPE_CHECKING:

    def _fits(modules: Modules) -> DocumentFiles:
        return DocumentsContract(modules)
