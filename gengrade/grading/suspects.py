"""Make copies of the reference that contain one misconception each, or none, when they are first needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

from gengrade.grading.diagnosis import Call
from gengrade.grading.misconceptions import LibraryError, Misconception, Mistake
from gengrade.grading.subject import Subject
from gengrade.grading.symptoms import agree, read
from gengrade.parts import Part
from gengrade.sandbox import Request, Run
from gengrade.submissions import targets


def plant(misconception: Misconception, folder: Path) -> None:
    """Replace the definition that a misconception is about, in a folder with the hand-out's files.

    Raises LibraryError if the file or the definition is missing.
    """
    text = misconception.planted(_text(folder, misconception))
    (folder / misconception.file).write_text(text)


def _text(folder: Path, misconception: Misconception) -> str:
    """Return the text of the file that a misconception is about. Raises LibraryError if it is missing."""
    file = folder / misconception.file
    if not file.is_file():
        raise LibraryError(f"{misconception.name}: the reference has no file {misconception.file}")
    return file.read_text()


class Suspects:
    """Repeats a student's runs on copies of the reference, most of which contain a misconception."""

    def __init__(
        self, reference: Path, parts: Mapping[str, Part], subject_of: Callable[[Mapping[str, str]], Subject]
    ) -> None:
        """Create the copies' maker.

        reference: the folder of the reference.
        parts: the course's parts, by key.
        subject_of: returns the reference with these texts in the place of files in its clean tree.
        """
        self._reference = reference
        self._parts = parts
        self._subject_of = subject_of
        self._subjects: dict[str | None, Subject] = {}

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
        if misconception is None:
            return self._subject_of({})
        text = misconception.planted(_text(self._reference, misconception))
        return self._subject_of(dict.fromkeys(self._targets.get(misconception.file, ()), text))

    @cached_property
    def _targets(self) -> Mapping[str, tuple[str, ...]]:
        """The paths in the reference's clean tree, by the path in its folder."""
        return targets(self._reference, self._parts)
