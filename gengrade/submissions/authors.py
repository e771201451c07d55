"""Recognise a folder in which each student has a file of the assignment: "ann_hw3.ipynb", "bob_hw3.ipynb"."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

from gengrade.parts import Part
from gengrade.submissions.selection import PROGRAMS

# What people call an assignment, beside the names of the files that it asks for.
_ASSIGNMENT: Final = re.compile(
    r"(?:hw|homework|assignment|assgn|ass|a|ex|exercise|pset|ps|lab|practical|project)[ _.-]*\d{1,2}", re.I
)
# Words that tell files of one author apart, and are no names of people.
_NO_PEOPLE: Final = re.compile(
    r"my|the|old|new|final|draft|backup|copy|kopie|test|train|run|main|best|better|try|trial|wip|tmp|temp|v\d*|version"
    r"|part|question|exercise|problem|task|q|ex|p|solution|template|original|updated?|improved|fixed|simple|extra|bonus"
    r"|code|notebook|submission|torch|pl|utils?|models?|data|\d+"
    r"|vae|gan|cgan|dcgan|wgan|flow|nf|ddpm|diffusion|interpolation|conditional|encoder|decoder|theory",
    re.I,
)


_TWO = 2  # authors beside whose programs there may be others of theirs


def authors(names: Iterable[str], parts: Mapping[str, Part]) -> dict[str, str]:
    """Return the author in the name of each program that has one, or {} if the files are not of several authors.

    names: the names of the files in a folder.
    parts: the parts of the assignment, by key.

    A name has to consist of an author and of what the assignment or a requested file is called, in either order. If
    other programs lie beside those of two authors, all may be one submission. Beside those of three, which are more
    than the others, these belong to nobody.
    """
    found, others = named(names, parts)
    number = len({author.casefold() for author in found.values()})
    return found if number > 1 and (not others or number > max(_TWO, others)) else {}


def named(names: Iterable[str], parts: Mapping[str, Part]) -> tuple[dict[str, str], int]:
    """Return the author in the name of each program that has one, and the number of the other programs."""
    programs = [name for name in names if PurePosixPath(name).suffix.lower() in PROGRAMS]
    asked = {PurePosixPath(file).stem.casefold() for part in parts.values() for file in part.files}
    topics = {word.casefold() for key, part in parts.items() for word in _words(key, *part.files)}
    found: dict[str, str] = {}
    for name in programs:
        stem = unicodedata.normalize("NFC", PurePosixPath(name).stem)
        ways = ((who, what.casefold()) for who, what in _split(stem))
        author = next((who for who, what in ways if what in asked or _ASSIGNMENT.fullmatch(what)), "")
        words = list(_words(author))
        if not words or any(_NO_PEOPLE.fullmatch(word) or word.casefold() in topics for word in words):
            continue
        found[name] = author
    return found, len(programs) - len(found)


def _split(stem: str) -> Iterator[tuple[str, str]]:
    """Yield the ways to divide a name into an author and the rest."""
    for separator in re.finditer(r"[ _.-]+", stem):
        before, after = stem[: separator.start()], stem[separator.end() :]
        if before and after:
            yield before, after
            yield after, before


def _words(*texts: str) -> Iterator[str]:
    for text in texts:
        yield from re.findall(r"[^\W\d_]+|\d+", text.removesuffix(".py"))
