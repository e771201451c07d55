"""Show what students handed in: pages and pictures as PNGs of our own, notebooks and programs as text.

`Documents` is the host's side. Four properties are deliberate:

1. No byte of a student's file is parsed in this process, or passed on from it. A guest parses (`graders/documents/`);
   what it returns is checked and encoded anew (`answers`). Files are laid out by another process (`Reader`).
2. What a student's file causes is a DocumentProblem with one sentence. Faults of ours are other exceptions.
3. What was shown once is kept on the disk, under the hash of all files of the submission and of our own code, and shown
   again without a run. So is a problem, so that a file that takes long to fail does so once.
4. One thread makes all runs, one after the other (`gengrade/room/queue.py`): the sandbox serves one at a time, and its
   processes end when the thread that started them does. What is kept is read by the caller's thread and never waits.
   What somebody waits for comes before what is made ahead, and each run is a task of its own.
5. No submission keeps the room busy: its files may take only so much time, and only so many of its pages are shown.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from gengrade import records
from gengrade.atomic import write_whole
from gengrade.choices import Tier
from gengrade.course import without_assignment
from gengrade.facts import Outcome
from gengrade.paths import InputError, printable
from gengrade.places import ROOM, TREES, WORK, Owners, read_trusted
from gengrade.room import answers, finding
from gengrade.room.answers import (
    KINDS,
    MOST_WIDTH,
    Cell,
    Definition,
    DocumentProblem,
    Notebook,
    Output,
    Picture,
    Program,
)
from gengrade.room.corrections import Corrected, Corrections
from gengrade.room.finding import Line
from gengrade.room.kept import KeptFiles
from gengrade.room.queue import Queue
from gengrade.room.reader import Reader
from gengrade.sandbox import Kept, Limits, Request, Sandbox, remove_scratch
from gengrade.sandbox.library import fingerprint
from gengrade.submissions import DOCUMENTS, Submission, discard, lay_out_documents, signatures

__all__ = [
    "Cell",
    "Definition",
    "DocumentProblem",
    "Documents",
    "HandedIn",
    "Line",
    "Notebook",
    "Output",
    "Picture",
    "Place",
    "Program",
    "tidy",
]

LIMITS: Final = Limits(seconds=15.0, memory_mb=1536, processes=8, output_kb=64)
COUNTING: Final = replace(LIMITS, seconds=3.0)  # for counting the pages of a PDF, which takes milliseconds
_MOST_SECONDS: Final = 30.0  # for counting pages, reading lines and failing to show something, of a submission
_MOST_PAGES: Final = 1_000  # of all PDFs of a submission
# Between two looks at whether a submission has changed. A look costs a process, for which a marker would have to wait,
# and marks are for the files that were graded in any case.
_LOOK_SECONDS: Final = 300.0
_LEAST_WIDTH: Final = 50
_BATCH: Final = 20  # pages whose lines one run reads
_MOST_COUNTED: Final = 60  # PDFs of a submission whose pages are counted
_MOST_SEARCHED_FILES: Final = 20  # PDFs in which questions are looked for
_MOST_SEARCHED: Final = 60_000  # lines of all of them
_ALONE: Final = ".alone"  # the tree of the file that is being read; no student has such an id
_SHOWN: Final = "shown"  # the folder of what is kept
_PLACES: Final = "places"  # the folder of the places that people corrected
_PYTHON: Final = (".py", ".pyi")  # programs that are shown in colours
_UNCOUNTED: Final = f"Only the first {_MOST_COUNTED} PDFs of a submission are opened."
_TAKES_LONG: Final = "This file is not opened, since reading the files of this submission takes too long."
_BEYOND: Final = f"This file is not shown, since the files before it have {_MOST_PAGES:,} pages."
_CANNOT_SHOW: Final = "Files of this kind cannot be shown here: open it in the submission itself."
_ASSIGNMENT: Final = re.compile(r"assignment|hand-?out|exercises|questions", re.IGNORECASE)
_T = TypeVar("_T")

COURSE: Final = without_assignment(
    "documents",
    DOCUMENTS,
    "graders.adapting.documents:DocumentsContract",
    (
        *("pypdfium2", "pypdfium2.raw", "PIL.Image", "PIL.PngImagePlugin", "PIL.JpegImagePlugin"),
        *("PIL.GifImagePlugin", "PIL.BmpImagePlugin", "PIL.TiffImagePlugin", "PIL.WebPImagePlugin"),
        *("pygments.token", "pygments.lexers.python"),
    ),
)
_PROBES: Final = ("contents", "pdf_pages", "pdf_page", "pdf_lines", "picture", "notebook", "text", "program")


@dataclass(frozen=True, slots=True)
class HandedIn:
    """A file that a student handed in.

    index: its number among the files of the student, by which the methods of `Documents` name it.
    name: its path in the submission. It is the student's, so escape it.
    kind: "pdf", "picture", "notebook", "program", "text" or "other".
    pages: of a PDF that can be opened; otherwise None.
    note: why it, or a part of it, cannot be shown, or "".
    size: in bytes.
    """

    index: int
    name: str
    kind: str
    pages: int | None
    note: str
    size: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a question is answered: the file, its page (0: the first), and the height on it as a fraction (0: top).

    A file that is no PDF has one page.
    """

    index: int
    page: int
    y: float


@dataclass(frozen=True, slots=True)
class _Record:
    """What is kept about a tree."""

    signature: str | None  # of the submission that it was made from
    sha256: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Files:
    files: tuple[HandedIn, ...]


@dataclass(frozen=True, slots=True)
class _Pages:
    """The lines of some pages that follow each other."""

    pages: tuple[tuple[Line, ...], ...]


@dataclass(frozen=True, slots=True)
class _Count:
    """The pages of a PDF: how many may be shown, and how many it claims to have."""

    pages: int
    claimed: int


@dataclass(frozen=True, slots=True)
class _Text:
    text: str


@dataclass(frozen=True, slots=True)
class _Problem:
    sentence: str


@dataclass(slots=True)
class _Student:
    """A submission whose tree is laid out."""

    tree: Path
    record: _Record
    kept: KeptFiles
    files: tuple[HandedIn, ...]  # of PDFs, without the number of their pages
    looked: float  # when it was last looked at whether the submission has changed
    counted: tuple[HandedIn, ...] | None = None  # the files with the numbers of pages, once these are known
    spent: float = 0.0  # seconds of runs that count, see `_MOST_SECONDS`
    places: dict[str, Place | None] = field(default_factory=dict)


class Documents:
    """Everything that students handed in, as pictures and texts that may be shown.

    Its methods may be called by any thread. Each raises DocumentProblem for a file that cannot be shown, and InfraError
    or OSError for a fault of ours. An index is one of `files(student)`, and pages count from 0.
    """

    def __init__(self, out: Path, submissions: Mapping[str, Submission], tier: Tier, kept: Sequence[Kept] = ()) -> None:
        """Nothing is read or started before it is needed.

        out: the folder of results, in which trees and pictures are kept.
        submissions: by the id of the student.
        tier: the isolation in which files are parsed.
        kept: what no run may read, wherever it lies.
        """
        self._room = out.resolve() / WORK / ROOM
        self._owners = Owners.of(out)
        self._submissions = submissions
        self._tier = tier
        self._secrets = tuple(kept)
        self._sandbox: Sandbox | None = None
        self._students: dict[str, _Student] = {}
        self._corrections = Corrections(self._room / _PLACES, self._owners)
        self._lock = threading.Lock()  # guards `_students`
        self._queue = Queue("gengrade-documents")
        self._reader = Reader()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes. Runs that have not begun are cancelled, and later calls raise RuntimeError."""
        with suppress(RuntimeError):  # it is closed already
            self._queue.submit(self._end).result()
        self._queue.close()

    def ahead(self) -> AbstractContextManager[None]:
        """Return a context in which what this thread asks for comes after what others wait for."""
        return self._queue.later()

    def files(self, student: str) -> tuple[HandedIn, ...]:
        """Return the files that a student handed in: PDFs first, then pictures, notebooks, programs and others.

        If the submission has changed since it was last looked at, its tree is laid out again.
        """
        return self._counted(self._student(student, look=True))

    def notes(self, student: str) -> tuple[str, ...]:
        """Return sentences on what of a submission is left out; they hold names that the student chose."""
        return self._student(student).record.notes

    def sha256(self, student: str) -> str:
        """Return a hash of all files that a student handed in, by which a change is noticed."""
        return self._student(student).record.sha256

    def page(self, student: str, index: int, page: int, width: int) -> Picture:
        """Return a page of a PDF, `width` pixels wide, or less if it would be too high."""
        shown, file = self._file(student, index, "pdf")
        _require_page(file, page)
        width = _bounded(width)
        ask = partial(self._ask, shown, "pdf_page", path=file.name, page=page, width=width)
        return self._picture(shown, f"{index}/page-{page}-{width}", ask)

    def lines(self, student: str, index: int, page: int) -> tuple[Line, ...]:
        """Return the lines of a page of a PDF, for searching and highlighting; a scanned page has none."""
        shown, file = self._file(student, index, "pdf")
        _require_page(file, page)
        first = page - page % _BATCH
        return self._lines(shown, file, first).pages[page - first]

    def pages(self, student: str, index: int) -> tuple[tuple[Line, ...], ...]:
        """Return the lines of the pages of a PDF in which questions are looked for; a page that is damaged has none."""
        shown, file = self._file(student, index, "pdf")
        return self._searched(shown, file) if file.pages is not None else ()

    def picture(self, student: str, index: int, width: int) -> Picture:
        """Return a picture, at most `width` pixels wide."""
        shown, file = self._file(student, index, "picture")
        width = _bounded(width)
        ask = partial(self._ask, shown, "picture", path=file.name, width=width)
        return self._picture(shown, f"{index}/picture-{width}", ask)

    def text(self, student: str, index: int) -> str:
        """Return the text of a program, a text or a notebook's file, or its beginning and how much is left out."""
        shown, file = self._file(student, index, "program", "text", "notebook")

        def make() -> _Text:
            return _Text(answers.read_text(self._ask(shown, "text", path=file.name)))

        return self._value(shown, f"{index}/text", _Text, make).text

    def program(self, student: str, index: int) -> Program:
        """Return the text of a program with its colours, as far as it can be coloured, and what it defines."""
        shown, file = self._file(student, index, "program")

        def make() -> Program:
            if file.name.lower().endswith(_PYTHON):
                with suppress(DocumentProblem):  # it may break or delay the lexer, and is a text in any case
                    return answers.read_program(self._ask(shown, "program", path=file.name))
            return Program(answers.read_text(self._ask(shown, "text", path=file.name)))

        return self._value(shown, f"{index}/program", Program, make)

    def cells(self, student: str, index: int) -> tuple[Cell, ...]:
        """Return the cells of a notebook, with what they printed and showed."""
        return self.notebook(student, index).cells

    def notebook(self, student: str, index: int) -> Notebook:
        """Return the cells of a notebook, and sentences on what is left out of them."""
        shown, file = self._file(student, index, "notebook")

        def make() -> Notebook:
            notebook, pictures = answers.read_notebook(self._ask(shown, "notebook", path=file.name))
            for number, picture in enumerate(pictures):
                shown.kept.write(f"{index}/cell-{number}.png", picture.png)
            return notebook

        return self._value(shown, f"{index}/notebook", Notebook, make)

    def cell_picture(self, student: str, index: int, number: int) -> Picture:
        """Return a picture that a notebook's cell shows, by its number (`Output.picture`)."""
        shown, _ = self._file(student, index, "notebook")
        if not 0 <= number < self.notebook(student, index).pictures:
            raise DocumentProblem("This notebook has no such picture.")
        found = shown.kept.picture(f"{index}/cell-{number}")
        if found is None:  # somebody has removed it
            raise DocumentProblem("This picture is not there any more: open the notebook again.")
        return found

    def place(self, student: str, question: str) -> Place | None:
        """Return where a question is answered: where somebody said so or, otherwise, where its number was found.

        question: such as "1.4", "1.4a" or "Bonus".
        """
        return self.places(student, [question])[question]

    def places(self, student: str, questions: Sequence[str]) -> dict[str, Place | None]:
        """Return where each of several questions is answered, or None where that is not found."""
        shown = self._student(student)
        lacking = [question for question in questions if question not in shown.places]
        if lacking:
            shown.places.update(self._found(shown, lacking))
        corrected = self._corrections.of(student, shown.record.sha256)
        named = {file.name: file for file in self._counted(shown)} if corrected else {}
        places = {question: shown.places[question] for question in questions}
        for question, said in corrected.items():
            file = named.get(said.file)
            if question in places and file is not None and said.page < (file.pages or 1):
                places[question] = Place(file.index, said.page, said.y)
        return places

    def correct(self, student: str, question: str, place: Place) -> None:
        """Remember where a question is answered, which counts until the submission changes.

        Raises DocumentProblem for a place that there is not.
        """
        shown = self._student(student)
        if not 0 <= place.index < len(shown.files):
            raise DocumentProblem("There is no such file.")
        file = self._counted(shown)[place.index]
        if not (0 <= place.page < (file.pages or 1) and 0.0 <= place.y <= 1.0):
            raise DocumentProblem("This file has no such place.")
        said = Corrected(file.name, place.page, round(place.y, 5))
        self._corrections.add(student, shown.record.sha256, question, said)

    def render_ahead(self, student: str, index: int, pages: Iterable[int], width: int) -> None:
        """Render pages of a PDF, so that they are shown at once later. What cannot be shown is skipped.

        Other callers come between two pages, and before them.
        """
        for page in pages:
            with self.ahead(), suppress(DocumentProblem):
                self.page(student, index, page, width)

    # Students and their files -----------------------------------------------------------------------------------------

    def _student(self, student: str, *, look: bool = False) -> _Student:
        """Return a student's files. `look`: whether to see if the submission has changed."""
        if student not in self._submissions:
            raise DocumentProblem("There is no such submission.")
        with self._lock:
            shown = self._students.get(student)
        if shown is not None and (not look or time.monotonic() < shown.looked + _LOOK_SECONDS):
            return shown
        return self._queue.submit(partial(self._looked, student)).result()

    def _file(self, student: str, index: int, *kinds: str) -> tuple[_Student, HandedIn]:
        shown = self._student(student)
        if not 0 <= index < len(shown.files):
            raise DocumentProblem("There is no such file.")
        file = shown.files[index]
        if file.kind == "pdf":
            file = self._counted(shown)[index]
        if file.kind not in kinds:
            raise DocumentProblem(file.note or f"This file is not a {kinds[0]}.")
        return shown, file

    def _looked(self, student: str) -> _Student:
        """Return a student's files, after laying them out if they are not, or if the submission has changed."""
        submission, tree = self._submissions[student], self._room / TREES / student
        with self._lock:
            shown = self._students.get(student)
        now = time.monotonic()
        if shown is not None and now < shown.looked + _LOOK_SECONDS:
            return shown
        (signature,) = self._reader.call(signatures, [submission])
        if shown is not None and signature is not None and shown.record.signature == signature:
            shown.looked = now
            return shown
        record = self._recorded(student)
        if record is None or signature is None or record.signature != signature or not tree.is_dir():
            record = self._laid_out(student, submission, tree, signature)
        kept = KeptFiles(self._room / _SHOWN / student, _key(record.sha256), self._owners)
        kept.forget_others()
        if shown is None or shown.record.sha256 != record.sha256:
            shown = _Student(tree, record, kept, (), now)
            found = kept.read("files", _Files)
            if not isinstance(found, _Files):
                found = _Files(self._contents(shown))
                kept.write("files.json", records.dumps(found))
            shown.files = found.files
        else:
            shown = replace(shown, record=record, looked=now)
        with self._lock:
            self._students[student] = shown
        return shown

    def _recorded(self, student: str) -> _Record | None:
        written = read_trusted(self._room / f"{student}.json", self._owners)
        with suppress(ValueError, TypeError):
            return records.loads(_Record, written.decode()) if written is not None else None
        return None

    def _laid_out(self, student: str, submission: Submission, tree: Path, signature: str | None) -> _Record:
        with suppress(FileNotFoundError):
            (self._room / f"{student}.json").unlink()
        discard(tree)
        try:
            laid_out = self._reader.call(lay_out_documents, submission, tree)
        except InputError as error:
            raise DocumentProblem(f"This submission cannot be read. {error}") from error
        record = _Record(signature, laid_out.sha256, laid_out.notes)
        write_whole(self._room / f"{student}.json", records.dumps(record))
        return record

    def _contents(self, shown: _Student) -> tuple[HandedIn, ...]:
        """Return the files of a tree, of which this process looks at the names and sizes only."""
        root = shown.tree / DOCUMENTS
        paths = [Path(folder, name) for folder, _, names in os.walk(root) for name in names]
        sizes = {path.relative_to(root).as_posix(): path.lstat().st_size for path in paths}
        if not sizes:
            return ()
        note = ""
        try:
            named = answers.read_contents(self._ask(shown, "contents"), sizes)
        except DocumentProblem as problem:
            named, note = [(name, "other") for name in sorted(sizes)], problem.sentence
        named.sort(key=lambda file: (KINDS.index(file[1]), _natural(file[0])))
        return tuple(
            HandedIn(index, name, kind, None, note or (_CANNOT_SHOW if kind == "other" else ""), sizes[name])
            for index, (name, kind) in enumerate(named)
        )

    def _counted(self, shown: _Student) -> tuple[HandedIn, ...]:
        """Return a student's files with the numbers of pages that are shown; each file is counted by a run of its own.

        It is called by the caller's thread, so that other callers' runs come between two files.
        """
        if shown.counted is None:
            found = list(shown.files)
            left = _MOST_PAGES
            for number, file in enumerate(file for file in shown.files if file.kind == "pdf"):
                opened = self._with_pages(shown, file, left) if number < _MOST_COUNTED else _noted(file, _UNCOUNTED)
                left -= opened.pages or 0
                found[file.index] = opened
            shown.counted = tuple(found)
        return shown.counted

    def _with_pages(self, shown: _Student, file: HandedIn, left: int) -> HandedIn:
        """Return a PDF with the number of its pages, at most `left`, and what is not shown of it."""
        if left < 1:
            return _noted(file, _BEYOND)

        def make() -> _Count:
            return _Count(*answers.read_pages(self._ask(shown, "pdf_pages", path=file.name)))

        try:
            count = self._value(shown, f"{file.index}/pages", _Count, make)
        except DocumentProblem as problem:
            return _noted(file, problem.sentence)
        pages = min(count.pages, left)
        if pages == count.claimed or pages == count.pages < answers.MOST_PAGES:
            return replace(file, pages=pages)  # what it claims beyond its last page is not there
        said = f"Only the first {pages:,} pages are shown; the file says that it has {count.claimed:,}."
        return replace(file, pages=pages, note=said)

    # Runs, and what is kept of them -----------------------------------------------------------------------------------

    def _ask(self, shown: _Student, probe: str, *, path: str | None = None, **inputs: Any) -> Any:
        """Run a probe in the only thread that may, and return its answer, which is still to be checked.

        path: the file that it reads; none: the run sees all files of the submission.
        """
        if self._sandbox is None:
            trees = self._room / TREES
            trees.mkdir(parents=True, exist_ok=True)
            self._sandbox = Sandbox(self._tier, COURSE, trees, kept=self._secrets)
        tree = shown.tree
        if path is not None:
            tree, inputs = self._alone(shown.tree / DOCUMENTS / path), {"path": _ALONE, **inputs}
        if shown.spent >= _MOST_SECONDS:
            raise _TakesLong(_TAKES_LONG)
        limits = COUNTING if probe == "pdf_pages" else LIMITS
        run = self._sandbox.run(Request(f"{DOCUMENTS}:{probe}", tree, inputs, 0, limits))
        if probe in ("pdf_pages", "pdf_lines") or run.outcome is not Outcome.PASSED:
            shown.spent += run.seconds
        return answers.answer_of(run, limits.seconds)

    def _alone(self, file: Path) -> Path:
        """Return a tree of one file only, which a run is given sooner than all: each run works in a copy of its tree.

        So a file that takes its guest over learns nothing of the others.
        """
        tree = self._room / TREES / _ALONE
        discard(tree)
        folder = tree / DOCUMENTS
        for each in (tree, folder):
            each.mkdir()
            each.chmod(0o755)  # whatever this user's mask is: a run may belong to another user
        os.link(file, folder / _ALONE, follow_symlinks=False)
        return tree

    def _end(self) -> None:
        self._reader.close()
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None

    def _picture(self, shown: _Student, name: str, ask: Callable[[], Any]) -> Picture:
        """Return a picture that is kept or, if it is not, the answer of a run."""

        def make() -> Picture:
            picture = answers.read_picture(ask())
            shown.kept.write(f"{name}.png", picture.png)
            return picture

        return self._once(shown, name, shown.kept.picture, make)

    def _value(self, shown: _Student, name: str, kind: type[_T], ask: Callable[[], _T]) -> _T:
        """Return a value that is kept or, if it is not, the answer of a run."""

        def make() -> _T:
            value = ask()
            shown.kept.write(f"{name}.json", records.dumps(value))
            return value

        return self._once(shown, name, partial(shown.kept.read, kind=kind), make)

    def _once(self, shown: _Student, name: str, read: Callable[[str], _T | None], make: Callable[[], _T]) -> _T:
        """Return what is kept, or make it. Raises the DocumentProblem that is kept, or that making it raises."""

        def made() -> _T:
            again = _seen(shown, name, read)  # another caller may have asked for it meanwhile
            if again is not None:
                return again
            try:
                return make()
            except _TakesLong:
                raise  # a new state of the submission, and another room, have new time for it
            except DocumentProblem as problem:
                shown.kept.write(f"{name}.problem.json", records.dumps(_Problem(problem.sentence)))
                raise

        found = _seen(shown, name, read)
        return found if found is not None else self._queue.submit(made).result()

    # Lines and places -------------------------------------------------------------------------------------------------

    def _lines(self, shown: _Student, file: HandedIn, first: int) -> _Pages:
        """Return the lines of the pages from `first` on that are kept together."""
        assert file.pages is not None
        count = min(_BATCH, file.pages - first)

        def make() -> _Pages:
            pages: list[tuple[Line, ...]] = []
            while len(pages) < count:
                most = count - len(pages)
                answer = self._ask(shown, "pdf_lines", path=file.name, first=first + len(pages), most=most)
                pages += answers.read_lines(answer, most)
            return _Pages(tuple(pages))

        found = self._value(shown, f"{file.index}/lines-{first}", _Pages, make)
        return found if len(found.pages) == count else _Pages(((),) * count)

    def _searched(self, shown: _Student, file: HandedIn, most: int = _MOST_SEARCHED) -> tuple[tuple[Line, ...], ...]:
        """Return the lines of the pages of a PDF in which questions are looked for: the first pages, `most` lines."""
        assert file.pages is not None
        pages: list[tuple[Line, ...]] = []
        for first in range(0, file.pages, _BATCH):
            if most <= 0:
                break
            try:
                read = self._lines(shown, file, first).pages
            except DocumentProblem:
                read = ((),) * _BATCH
            pages += read
            most -= sum(map(len, read))
        return tuple(pages[: file.pages])

    def _found(self, shown: _Student, questions: Sequence[str]) -> dict[str, Place | None]:
        """Return the best place of each question in all PDFs; one that may be the assignment itself comes last."""
        best: dict[str, tuple[float, Place]] = {}
        left = _MOST_SEARCHED
        for file in [file for file in self._counted(shown) if file.pages is not None][:_MOST_SEARCHED_FILES]:
            pages = self._searched(shown, file, left)
            left -= sum(map(len, pages))
            for question in questions:
                found = finding.find(question, pages)
                if found is not None:
                    score = found.score - (8 if _ASSIGNMENT.search(file.name) else 0)
                    if question not in best or score > best[question][0]:
                        best[question] = score, Place(file.index, found.page, found.y)
        return {question: best[question][1] if question in best else None for question in questions}


class _TakesLong(DocumentProblem):
    """The files of a submission have used up the time for them. This is not kept."""


def _noted(file: HandedIn, note: str) -> HandedIn:
    return replace(file, note=note)


def _seen(shown: _Student, name: str, read: Callable[[str], _T | None]) -> _T | None:
    """Return what is kept under a name, or None. Raises DocumentProblem if a problem is."""
    found = read(name)
    if found is None:
        problem = shown.kept.read(f"{name}.problem", _Problem)
        if problem is not None:
            raise DocumentProblem(problem.sentence)
    return found


def tidy(out: Path) -> None:
    """Remove what a killed room left. Call it while no other process shows the documents of these results."""
    remove_scratch(out / WORK / ROOM)


@cache
def _code() -> str:
    """Return a hash over all our code that an answer depends on."""
    found = [fingerprint(COURSE, f"{DOCUMENTS}:{probe}") for probe in _PROBES]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


def _key(sha256: str) -> str:
    return hashlib.sha256(f"{sha256} {_code()}".encode()).hexdigest()[:32]


def _bounded(width: int) -> int:
    return min(max(width, _LEAST_WIDTH), MOST_WIDTH)


def _require_page(file: HandedIn, page: int) -> None:
    if file.pages is None:
        raise DocumentProblem(file.note)
    if not 0 <= page < file.pages:
        raise DocumentProblem(f"This document has {file.pages:,} pages.")


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts "page 2" before "page 10"."""
    parts = re.split(r"(\d{1,18})", printable(name).casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]
