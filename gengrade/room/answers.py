"""Read what the probes of documents returned. All of it is untrusted: a student's file may have taken the guest over.

Every function returns values of the types and sizes that it promises, or raises DocumentProblem.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
from PIL import Image

from gengrade.arrays import Pixels
from gengrade.facts import Outcome
from gengrade.room.finding import Line
from gengrade.sandbox import Run
from gengrade.visible import visible

KINDS: Final = ("pdf", "picture", "notebook", "program", "text", "other")
MOST_WIDTH: Final = 3_000  # pixels of a picture
_MOST_HEIGHT: Final = 12_000
_MOST_PIXELS: Final = 12_200_000  # sizes are rounded up
MOST_PAGES: Final = 300  # of a PDF
_MOST_FILES: Final = 2_000
_MOST_LINES: Final = 25_000
_MOST_LINE: Final = 60_000
_MOST_TEXT: Final = 400_000
_MOST_CELLS: Final = 2_000
_MOST_OUTPUTS: Final = 10_000
_MOST_CELL_PICTURES: Final = 80
_MOST_CELL_TEXT: Final = 60_000
_MOST_DEFINITIONS: Final = 2_000
_MOST_NAME: Final = 200
_REPLACED: Final = "\N{REPLACEMENT CHARACTER}"
COLOURS: Final = {"k": "keyword", "s": "string", "c": "comment", "n": "number", "d": "defined", "b": "builtin"}
_COLOURLESS: Final = " "
_SENTENCES: Final = {
    "password": "This PDF is protected by a password: ask its author for one without.",
    "pdf": "This file is damaged, or it is no PDF.",
    "page": "This page is damaged and cannot be shown.",
    "bomb": "This picture has more than 100 million pixels, so it is not opened.",
    "format": "This is no picture in a format that can be shown: PNG, JPEG, GIF, BMP, TIFF or WebP.",
    "picture": "This picture is damaged and cannot be shown.",
    "notebook": "This file is damaged, or it is no notebook.",
}
_LEFT_OUT: Final = {
    "cells": f"Only the first {_MOST_CELLS:,} cells are shown.",
    "outputs": f"Only the first {_MOST_OUTPUTS:,} outputs are shown.",
    "text": "Very long texts are cut or left out.",
    "pictures": "Only the first pictures are shown, since all together are too large.",
}
_UNUSABLE: Final = "This file breaks the program that reads it, so it cannot be shown."
_PNG_SIZE: Final = struct.Struct(">16x2I")  # width and height, after a PNG's signature and the beginning of its header
_COMPRESSION: Final = 3  # of 9: a page takes 27 ms in grey and 68 ms in colour; 6 takes up to half as much again
_T = TypeVar("_T")


class DocumentProblem(ValueError):
    """A student's file cannot be shown; `sentence` says why to the person who marks."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that we have encoded ourselves, and its size in pixels."""

    png: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Output:
    """What a cell of a notebook showed: a text, or the picture of that number (see `Documents.cell_picture`).

    note: why a picture cannot be shown, or "".
    """

    text: str = ""
    picture: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a notebook. `kind`: "markdown", "code" or "raw"."""

    kind: str
    source: str
    outputs: tuple[Output, ...] = ()


@dataclass(frozen=True, slots=True)
class Notebook:
    """The cells of a notebook, how many pictures they show, and what is left out of them."""

    cells: tuple[Cell, ...]
    pictures: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Definition:
    """A function or class of a program: its name ("VAE.forward"), and its lines from the first (1) to the last."""

    name: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Program:
    """The text of a program; for each of its characters a key of COLOURS or a space, or ""; and what it defines."""

    text: str
    colours: str = ""
    definitions: tuple[Definition, ...] = ()


def answer_of(run: Run, seconds: float) -> Any:
    """Return a probe's answer, which is still to be checked. `seconds`: the run's limit. Raises DocumentProblem."""
    match run.outcome:
        case Outcome.PASSED:
            pass
        case Outcome.TIMEOUT:
            raise DocumentProblem(f"Reading this file takes more than {seconds:.0f} s, so it cannot be shown.")
        case Outcome.MEMORY:
            raise DocumentProblem("Reading this file takes too much memory, so it cannot be shown.")
        case _:
            raise DocumentProblem(_UNUSABLE)
    evidence = _exactly(dict, run.evidence)
    problem = evidence.get("problem")
    if problem is not None:
        raise DocumentProblem(_SENTENCES.get(_exactly(str, problem), _UNUSABLE))
    return evidence.get("answer")


def read_contents(answer: Any, sizes: dict[str, int]) -> list[tuple[str, str]]:
    """Return the name and kind of each file. `sizes`: of the files that there are, as the host knows them."""
    files = [_exactly(dict, file) for file in _list(answer, _MOST_FILES)]
    found = [(_exactly(str, file.get("name")), _exactly(str, file.get("kind"))) for file in files]
    if len({name for name, _ in found}) != len(found) or not all(
        name in sizes and kind in KINDS for name, kind in found
    ):
        raise DocumentProblem(_UNUSABLE)
    return found


def read_pages(answer: Any) -> tuple[int, int]:
    """Return the number of pages that may be shown, and the number that the file claims."""
    parts = _exactly(dict, answer)
    count, claimed = _exactly(int, parts.get("pages")), _exactly(int, parts.get("claimed"))
    if not 1 <= count <= min(MOST_PAGES, claimed):
        raise DocumentProblem(_SENTENCES["pdf"])
    return count, claimed


def read_picture(answer: Any) -> Picture:
    """Return an array as a picture."""
    if not isinstance(answer, np.ndarray) or answer.dtype != np.uint8 or answer.ndim != 3:
        raise DocumentProblem(_UNUSABLE)
    height, width, channels = answer.shape
    fits = 1 <= width <= MOST_WIDTH and 1 <= height <= _MOST_HEIGHT and height * width <= _MOST_PIXELS
    if channels != 3 or not fits:
        raise DocumentProblem(_UNUSABLE)
    return encoded(answer)


def encoded(array: Pixels) -> Picture:
    """Return an array [H, W, 3] of bytes as a PNG; one without colours takes a third of the bytes as grey."""
    grey = array[:, :, 0]
    if np.array_equal(grey, array[:, :, 1]) and np.array_equal(grey, array[:, :, 2]):
        array = np.ascontiguousarray(grey)
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG", compress_level=_COMPRESSION)
    return Picture(file.getvalue(), array.shape[1], array.shape[0])


def picture_from(png: bytes) -> Picture:
    """Return a picture that `read_picture` has made, from its bytes. Raises ValueError for other bytes."""
    if not png.startswith(b"\x89PNG\r\n\x1a\n") or len(png) < _PNG_SIZE.size:
        raise ValueError("not a PNG")
    return Picture(png, *_PNG_SIZE.unpack_from(png))


def read_lines(answer: Any, most: int) -> list[tuple[Line, ...]]:
    """Return the lines of each of at most `most` pages, at least one."""
    pages = [_page_lines(_exactly(dict, page)) for page in _list(answer, most)]
    if not pages:
        raise DocumentProblem(_UNUSABLE)
    return pages


def _page_lines(page: dict[str, Any]) -> tuple[Line, ...]:
    texts = [_clean(text, _MOST_LINE) for text in _list(page.get("texts"), _MOST_LINES)]
    boxes = page.get("boxes")
    if not isinstance(boxes, np.ndarray) or boxes.dtype != np.float32 or boxes.shape != (len(texts), 4):
        raise DocumentProblem(_UNUSABLE)
    places = np.clip(np.nan_to_num(boxes.astype(np.float64), nan=0.0), 0.0, 1.0).round(5).tolist()
    return tuple(Line(text, *place) for text, place in zip(texts, places, strict=True))


def read_text(answer: Any) -> str:
    """Return a text; if its end is missing, it says so."""
    parts = _exactly(dict, answer)
    text, left = _clean(parts.get("text"), _MOST_TEXT), _exactly(int, parts.get("left_out"))
    return f"{text}\n… {left:,} more bytes are left out …\n" if left > 0 else text


def read_program(answer: Any) -> Program:
    """Return a program. A line that is cleaned into another length has no colours."""
    parts = _exactly(dict, answer)
    raw, colours = _exactly(str, parts.get("text")), _exactly(str, parts.get("colours"))
    text = read_text(answer)
    definitions = tuple(
        _definition(_exactly(dict, each)) for each in _list(parts.get("definitions"), _MOST_DEFINITIONS)
    )
    lines, shown = raw.split("\n"), text.split("\n")
    fits = len(colours) == len(raw) and len(lines) == len(shown) and "\r" not in raw
    if not fits or not set(colours) <= {*COLOURS, _COLOURLESS}:
        return Program(text, "", definitions)
    places, found = 0, []
    for before, after in zip(lines, shown, strict=True):
        own = colours[places : places + len(before)]
        found.append(own if len(before) == len(after) else _COLOURLESS * len(after))
        places += len(before) + 1
    return Program(text, _COLOURLESS.join(found), definitions)


def _definition(each: dict[str, Any]) -> Definition:
    name, first, last = _clean(each.get("name"), _MOST_NAME), _exactly(int, each.get("first")), each.get("last")
    if not 1 <= first <= _exactly(int, last) <= _MOST_TEXT:
        raise DocumentProblem(_UNUSABLE)
    return Definition(name, first, _exactly(int, last))


def read_notebook(answer: Any) -> tuple[Notebook, list[Picture]]:
    """Return a notebook and its pictures."""
    parts = _exactly(dict, answer)
    pictures = [read_picture(each) for each in _list(parts.get("pictures"), _MOST_CELL_PICTURES)]
    cells = tuple(_cell(_exactly(dict, each), len(pictures)) for each in _list(parts.get("cells"), _MOST_CELLS))
    left_out = [_exactly(str, each) for each in _list(parts.get("left_out"), len(_LEFT_OUT))]
    notes = tuple(_LEFT_OUT[each] for each in left_out if each in _LEFT_OUT)
    return Notebook(cells, len(pictures), notes), pictures


def _cell(cell: dict[str, Any], pictures: int) -> Cell:
    kind = _exactly(str, cell.get("kind"))
    outputs = [_output(_exactly(dict, each), pictures) for each in _list(cell.get("outputs"), _MOST_OUTPUTS)]
    if kind not in ("markdown", "code", "raw"):
        raise DocumentProblem(_UNUSABLE)
    return Cell(kind, _clean(cell.get("source"), _MOST_CELL_TEXT), tuple(outputs))


def _output(output: dict[str, Any], pictures: int) -> Output:
    if "text" in output:
        return Output(text=_clean(output["text"], _MOST_CELL_TEXT))
    if "picture" in output:
        number = _exactly(int, output["picture"])
        if not 0 <= number < pictures:
            raise DocumentProblem(_UNUSABLE)
        return Output(picture=number)
    return Output(note=_SENTENCES.get(_exactly(str, output.get("problem")), _UNUSABLE))


def _exactly(kind: type[_T], value: Any) -> _T:
    if type(value) is not kind:
        raise DocumentProblem(_UNUSABLE)
    return value


def _list(value: Any, most: int) -> list[Any]:
    items: list[Any] = _exactly(list, value)
    if len(items) > most:
        raise DocumentProblem(_UNUSABLE)
    return items


def _clean(value: Any, most: int) -> str:
    """Return a text with line feeds as its only line ends, and marks in place of invisible characters."""
    text = _exactly(str, value)
    if len(text) > most:
        raise DocumentProblem(_UNUSABLE)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(visible(line, _REPLACED, spared="\t") for line in lines)
