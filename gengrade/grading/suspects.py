"""Copies of the reference with one misconception each, made when they are first asked for."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from gengrade.grading.misconceptions import LibraryError, Misconception
from gengrade.grading.subject import Subject
from gengrade.sandbox import Request, Run


def plant(misconception: Misconception, folder: Path) -> None:
    """Replaces the definition that a misconception is about, in a folder in the hand-out's shape."""
    file = folder / misconception.file
    if not file.is_file():
        raise LibraryError(f"{misconception.name}: there is no {misconception.file}")
    file.write_text(misconception.planted(file.read_text()))


class Suspects:
    """Repeats a student's runs on the reference with a misconception.

    `subject_of` makes the package of a folder in the hand-out's shape, which is gone afterwards.
    """

    def __init__(self, reference: Path, subject_of: Callable[[Path], Subject]) -> None:
        self._reference = reference
        self._subject_of = subject_of
        self._subjects: dict[str, Subject] = {}

    def repeat(self, misconception: Misconception, request: Request) -> Run:
        subject = self._subjects.get(misconception.name)
        if subject is None:
            subject = self._subjects[misconception.name] = self._make(misconception)
        return subject.repeat(request)

    def _make(self, misconception: Misconception) -> Subject:
        with tempfile.TemporaryDirectory(prefix="gengrade-") as scratch:
            folder = Path(scratch) / "suspect"
            shutil.copytree(self._reference, folder, ignore=shutil.ignore_patterns("__pycache__"))
            plant(misconception, folder)
            return self._subject_of(folder)
