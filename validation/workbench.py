"""Runs chosen checks on a folder, such as the reference or a changed copy, without the command line around them.

A bench belongs to one course, by default that of 2020.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from gengrade.authenticity import Seal
from gengrade.choices import CheckKind, Device
from gengrade.course import DEFAULT, courses
from gengrade.data import DataSet, load
from gengrade.facts import CheckFact, Outcome
from gengrade.grading.checks import known, with_needs
from gengrade.grading.diagnosis import Diagnosis
from gengrade.grading.misconceptions import Library
from gengrade.grading.plugin import GradingPlugin, Observed
from gengrade.grading.session import run_session
from gengrade.grading.subject import Circumstances, Subject
from gengrade.grading.suspects import Suspects, plant
from gengrade.rubric import Rubric
from gengrade.sandbox import DEFAULTS, Isolation, Limits, Request, Run, Runner, Sandbox, choose
from gengrade.store import EvidenceStore
from gengrade.submissions import lay_out
from validation.direct import TIER, Direct
from validation.variants import Changes

DEFAULT_COURSE = DEFAULT
REFERENCE = courses()[DEFAULT].reference


def reference_of(course: str) -> Path:
    """Return the folder of a course's reference solution, in the layout of the hand-out."""
    return courses()[course].reference


def example(course: str, file: str) -> str:
    """Return the text of a file among a course's example submissions."""
    return (courses()[course].examples / file).read_text()


@cache
def library(course: str = DEFAULT_COURSE) -> Library:
    """Return the misconceptions of a course; they are cached."""
    return Library(courses()[course].misconceptions)


@cache
def rubric_of(course: str) -> Rubric:
    """Return the rubric of a course; it is cached."""
    return Rubric.load(courses()[course].rubric)


def unit_checks(*prefixes: str, course: str = DEFAULT_COURSE) -> list[str]:
    """Return the unit checks in the course's rubric whose names begin with one of the prefixes."""
    asked = rubric_of(course).checks()
    return [
        id_
        for id_, check in known().items()
        if check.kind is CheckKind.UNIT and id_ in asked and id_.startswith(prefixes)
    ]


class Bench(Protocol):
    """What a workbench asks of a sandbox, or of what replaces it."""

    @property
    def starting(self) -> float: ...

    @property
    def ours(self) -> Runner: ...

    def run(self, request: Request) -> Run: ...

    def close(self) -> None: ...


class Workbench:
    """Grades many small packages with one sandbox.

    `isolation` is as on the command line, or "direct": without a sandbox, for our own code (see `validation.direct`).
    Trainings run on `device`.
    """

    def __init__(
        self, folder: Path, isolation: str = "auto", course: str = DEFAULT_COURSE, device: str = Device.CPU
    ) -> None:
        self.course = course
        chosen = courses()[course]
        self._parts = chosen.parts
        self._folder = folder
        self._trees = folder / "trees"
        self._trees.mkdir()
        self._numbers = itertools.count()
        self.tier: str = TIER
        self.sandbox: Bench
        if isolation == TIER:
            self.sandbox = Direct(chosen)
        else:
            tier = choose(Isolation(isolation), single=True)
            self.tier, self.sandbox = tier, Sandbox(tier, chosen, self._trees, device=device)
        self._circumstances = Circumstances(chosen, self.tier, device, 1, {})
        self._store = EvidenceStore(folder / "reference-evidence", Seal.temporary(), "ours")
        self.reference = self._trees / "reference"
        lay_out(reference_of(course), self.reference, self._parts)
        self._suspects = Suspects(reference_of(course), self._parts, self._suspect)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sandbox.close()

    def branch(self, folder: Path) -> Workbench:
        """Return a copy of this bench for a forked process, in an empty folder; only for runs without a sandbox."""
        assert self.tier == TIER
        other = copy.copy(self)
        other._folder, other._trees = folder, folder / "trees"
        other._trees.mkdir()
        return other

    def planted(self, name: str, changes: Changes | None = None) -> Path:
        """Return the folder of the reference, or of a variant of it, with that misconception planted."""
        folder = self.variant(changes or {})
        plant(library(self.course)[name], folder)
        return folder

    def variant(self, changes: Changes) -> Path:
        """Return the folder of the reference with texts replaced, such as `{"part1/utils.py": ("old", "new")}`.

        Each old text must occur in the file.
        """
        folder = self._folder / f"variant-{next(self._numbers)}"
        shutil.copytree(reference_of(self.course), folder, ignore=shutil.ignore_patterns("__pycache__"))
        for name in changes:
            (folder / name).write_text(variant_text(name, changes, self.course))
        return folder

    def tree(self, folder: Path) -> Path:
        """Return the clean tree for grading of a folder in the hand-out's layout."""
        tree = self._trees / f"tree-{next(self._numbers)}"
        for key, part in self._parts.items():
            (tree / key).mkdir(parents=True)
            source = folder / part.folder if part.folder else folder
            whole = part.folder or part.beside or part.whole
            for file in sorted(source.rglob("*") if whole else (source / name for name in part.files)):
                if file.is_file() and "__pycache__" not in file.parts:
                    target = tree / key / file.relative_to(source)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, target)
            if not any((tree / key).iterdir()):
                (tree / key).rmdir()
        return tree

    def observe(
        self, folder: Path, *checks: str, seed: int = 0, data: str | None = "digits", limits: Limits | None = None
    ) -> Observed:
        """Run these checks, and the checks that they need, on a folder. An error in a grader raises AssertionError."""
        wanted = frozenset(with_needs(set(checks)))
        plugin = GradingPlugin(
            Subject(self.tree(folder), f"{folder}", self.sandbox, None, self._circumstances),
            self._reference(),
            lambda: _data(data),
            wanted=wanted,
            secret=self._secret(seed),
            limits=lambda check, kind: limits or DEFAULTS[kind],
            folder=self._folder / f"facts-{next(self._numbers)}",
            tell=lambda message: None,
            needs={},
            names={key: part.folder or "." for key, part in self._parts.items()},
        )
        observed = run_session(plugin, wanted)
        assert not observed.faults, observed.faults[0]
        return observed

    def check(self, folder: Path, *checks: str, seed: int = 0) -> dict[str, CheckFact]:
        """Return the facts of these checks, and of those that they need, on a folder."""
        return self.observe(folder, *checks, seed=seed).checks()

    def failing(self, folder: Path, *prefixes: str, seed: int = 0) -> dict[str, CheckFact]:
        """Return the facts of all unit checks with those prefixes (such as "vae.") that did not pass."""
        return not_passed(self.check(folder, *self.unit_checks(*prefixes), seed=seed))

    def diagnosed(self, folder: Path, *prefixes: str, seed: int = 0) -> dict[str, CheckFact]:
        """Return the facts of all unit checks with those prefixes that did not pass, with recognised misconceptions."""
        observed = self.observe(folder, *self.unit_checks(*prefixes), seed=seed)
        return not_passed(self._diagnosis(observed).conclude())

    def unit_checks(self, *prefixes: str) -> list[str]:
        """Return the unit checks in this course's rubric whose names begin with one of the prefixes."""
        return unit_checks(*prefixes, course=self.course)

    def _reference(self) -> Subject:
        return Subject(self.reference, "reference", self.sandbox.ours, self._store, self._circumstances, ours=True)

    def _secret(self, seed: int) -> bytes:
        """Return what the inputs of a run are drawn from."""
        return f"seed {seed}".encode()

    def _diagnosis(self, observed: Observed) -> Diagnosis:
        return Diagnosis(observed.checks(), observed.tested, library(self.course), self._suspects.same)

    def _suspect(self, replaced: Mapping[str, str]) -> Subject:
        digest = hashlib.sha256(repr(sorted(replaced.items())).encode()).hexdigest() if replaced else "reference"
        return Subject(
            self.reference, digest, self.sandbox.ours, self._store, self._circumstances, ours=True, replaced=replaced
        )


def variant_text(file: str, changes: Changes, course: str = DEFAULT_COURSE) -> str:
    """Return the text of a file of the reference after these changes; each old text must occur in one of its cells."""
    text = (reference_of(course) / file).read_text()
    replacements = changes.get(file, [])
    cells = cells_of(text) if file.endswith(".ipynb") else [text]
    for old, new in [replacements] if isinstance(replacements, tuple) else replacements:
        assert any(old in cell for cell in cells), f"{file} does not hold {old!r}"
        cells = [cell.replace(old, new) for cell in cells]
    return with_cells(text, cells) if file.endswith(".ipynb") else cells[0]


def cells_of(notebook: str) -> list[str]:
    """Return the sources of all cells of a notebook."""
    return ["".join(cell["source"]) for cell in json.loads(notebook)["cells"]]


def with_cells(notebook: str, sources: Sequence[str]) -> str:
    """Return the notebook with the sources of its cells replaced."""
    changed = json.loads(notebook)
    for cell, source in zip(changed["cells"], sources, strict=True):
        cell["source"] = source
    return json.dumps(changed, indent=1)


def not_passed(facts: Mapping[str, CheckFact]) -> dict[str, CheckFact]:
    """Return the facts of the checks that did not pass."""
    return {id_: fact for id_, fact in facts.items() if fact.outcome is not Outcome.PASSED}


def names(facts: Iterable[CheckFact]) -> set[str]:
    """Return the names of the recognised misconceptions."""
    return {fact.misconception.name for fact in facts if fact.misconception is not None}


@cache
def _data(name: str | None) -> DataSet:
    return load(name)
