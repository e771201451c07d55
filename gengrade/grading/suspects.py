"""Make copies of the reference that contain one misconception each, or none, when they are first needed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from gengrade.grading.diagnosis import Call
from gengrade.grading.misconceptions import LibraryError, Misconception, Mistake
from gengrade.grading.subject import Subject
from gengrade.grading.symptoms import agree, read
from gengrade.sandbox import Request, Run


def plant(misconception: Misconception, folder: Path) -> None:
    """Replace the definition that a misconception is about, in a folder with the hand-out's files.

    Raises LibraryError if the file or the definition is missing.
    """
    file = folder / misconception.file
    if not file.is_file():
        raise LibraryError(f"{misconception.name}: the reference has no file {misconception.file}")
    file.write_text(misconception.planted(file.read_text()))


class Suspects:
    """Repeats a student's runs on copies of the reference, most of which contain a misconception."""

    def __init__(self, reference: Path, subject_of: Callable[[Path], Subject]) -> None:
        """Create the copies' maker.

        reference: the folder of the reference.
        subject_of: returns the package for a folder with the hand-out's files, which is changed afterwards.
        """
        self._reference = reference
        self._subject_of = subject_of
        self._subjects: dict[str | None, Subject] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None  # with the reference, unchanged

    def repeat(self, misconception: Misconception | None, request: Request) -> Run:
        """Repeat a run on the copy of the reference with this misconception; None: without any. Raises LibraryError."""
        name = misconception.name if misconception is not None else None
        subject = self._subjects.get(name)
        if subject is None:
            subject = self._subjects[name] = self._make(misconception)
        return subject.repeat(request)

    def same(self, mistake: Mistake | None, call: Call) -> bool:
        """Return whether a repetition of a call, on the copy with this misconception, has the call's symptoms."""
        assert mistake is None or isinstance(mistake, Misconception)
        run = self.repeat(mistake, call.request)
        return agree(read(call.request.probe, call.request.inputs, run), call.symptoms)

    def _make(self, misconception: Misconception | None) -> Subject:
        folder = self._copy()
        if misconception is None:
            return self._subject_of(folder)
        file = folder / misconception.file
        text = file.read_bytes() if file.is_file() else b""
        plant(misconception, folder)
        try:
            return self._subject_of(folder)
        finally:
            file.write_bytes(text)

    def _copy(self) -> Path:
        """Return a folder with the hand-out's files of the reference. It is copied once, which takes long."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="gengrade-")
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(self._reference, self._folder.name, ignore=ignored, dirs_exist_ok=True)
        return Path(self._folder.name)
