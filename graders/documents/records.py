"""Records of what the probes of documents return, which `gengrade/room/answers.py` reads."""

from __future__ import annotations

from typing import Generic, TypedDict, TypeVar

import numpy as np

T = TypeVar("T")


class Answered(TypedDict, Generic[T], total=False):
    """An answer about a file, or the name of the problem that keeps the file from being shown."""

    answer: T
    problem: str


class File(TypedDict):
    """A file that a student handed in."""

    name: str  # its path relative to the tree
    kind: str  # "pdf", "picture", "notebook", "program", "text" or "other"


class Lines(TypedDict):
    """The text of a page."""

    texts: list[str]  # its lines
    boxes: np.ndarray  # [N, 4], the left edge, upper edge, width and height of each line as fractions of the page


class Output(TypedDict, total=False):
    """What a cell of a notebook showed: one of the three."""

    text: str
    picture: int  # its index among the notebook's pictures
    problem: str  # of a picture that cannot be shown


class Cell(TypedDict):
    """A cell of a notebook."""

    kind: str  # "markdown", "code" or "raw"
    source: str
    outputs: list[Output]


class Notebook(TypedDict):
    """A notebook, as far as it is not too large."""

    cells: list[Cell]
    pictures: list[np.ndarray]  # [H, W, 3] each, in uint8
    left_out: list[str]  # what is not all there: "cells", "outputs", "text" or "pictures"


class Text(TypedDict):
    """A text, or its beginning."""

    text: str
    left_out: int  # bytes


class Definition(TypedDict):
    """A function or class of a program."""

    name: str  # such as "VAE.forward"
    first: int  # its first line, from 1
    last: int


class Program(Text):
    """A program, whose only line ends are line feeds."""

    colours: str  # a letter for each character of a Python program, or a space; "" for one that is too long
    definitions: list[Definition]  # in a Python program
