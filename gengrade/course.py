"""Find and load courses. A course is a folder with everything that belongs to one assignment:

    course.yaml        the declaration, read here: title, parts, imports of the hand-out, paths of the other files
    rubric.yaml        the marking scheme
    adapters/          classes that translate what probes ask into the names that this course uses
    misconceptions/    named wrong answers, planted into the reference
    variants/          right answers that differ from the reference, and wrong ones without a name
    reference/         the teachers' own solution, in the form in which students hand theirs in
    examples/          submissions, and the points that they earn
    tryouts.yaml       for each check, some lines that students can run to see what it asks of their code; optional

The folder may lie anywhere. The courses that come with gengrade lie in HOME/courses, their references in
HOME/reference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gengrade import home
from gengrade.documents import Document, DocumentError, suggestion
from gengrade.parts import Part
from gengrade.rubric import Rubric

PACKAGE: Final = "courses"  # the package in which every course's modules are imported, wherever its folder lies
ADAPTERS: Final = "adapters"
DEFAULT: Final = "uva2020"
DECLARATION: Final = "course.yaml"
RECORDED: Final = "recorded.zip"
RUBRIC: Final = "rubric.yaml"
TRYOUTS: Final = "tryouts.yaml"
# Modules that most hand-outs import. Importing them once in the zygote saves up to seconds in every probe.
_USUAL_IMPORTS: Final = (
    "torchvision",
    "torchvision.datasets",
    "torchvision.transforms",
    "torchvision.utils",
    "torch.utils.data",
    "tqdm",
)
_OFTEN_IMPORTED: Final = ("matplotlib.pyplot",)  # which takes as long as all of these
_Text = Annotated[str, Field(min_length=1)]


class CourseError(DocumentError):
    """A course's declaration (course.yaml) has a mistake."""


class NoSuchCourse(ValueError):
    """No course has that name or lies in that folder."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Part(_Strict):
    folder: _Text | None = None
    files: tuple[_Text, ...] = Field(min_length=1)
    also: dict[_Text, tuple[_Text, ...]] = {}
    beside: bool = False
    libraries: bool = False
    whole: bool = False
    never: tuple[_Text, ...] = ()
    adapter: Annotated[str, Field(pattern=r"^[a-z]\w*:[A-Za-z]\w*$")]  # a module of adapters/, and a class in it


class _Declaration(_Strict):
    title: _Text
    parts: dict[Annotated[str, Field(pattern=r"^[a-z]\w*$")], _Part] = Field(min_length=1)
    imports: tuple[_Text, ...] = ()
    packages: tuple[_Text, ...] = ()
    rubric: _Text = RUBRIC
    reference: _Text = "reference"
    examples: _Text = "examples"


@dataclass(frozen=True, eq=False)
class Course:
    """A loaded course: its parts, its adapters, and the paths of its files."""

    name: str  # the name of its folder
    title: str
    folder: Path
    parts: Mapping[str, Part]
    adapters: Mapping[str, str]  # for each part, the dotted module and name of its adapter class
    imports: tuple[str, ...]  # third-party modules that every zygote imports
    on_demand: tuple[str, ...]  # those that it imports as soon as a submission mentions their packages
    packages: tuple[str, ...]  # what has to be installed for it besides gengrade's own requirements ("einops>=0.8")
    rubric: Path
    reference: Path
    examples: Path

    @property
    def misconceptions(self) -> Path:
        return self.folder / "misconceptions"

    @property
    def tryouts(self) -> Path:
        """The file of lines that students can run; it need not be there."""
        return self.folder / TRYOUTS

    @property
    def recorded(self) -> Path:
        """The file of what a kit for students holds instead of reference and misconceptions; elsewhere it is absent."""
        return self.folder / RECORDED

    @property
    def is_kit(self) -> bool:
        """Whether this is what a kit for students holds of a course."""
        return self.recorded.is_file()

    @property
    def adapters_package(self) -> str:
        return _adapters_package(self.name)


def without_assignment(name: str, part: str, adapter: str, imports: Sequence[str]) -> Course:
    """Return a course that only reads files: it has one part, for which an adapter of ours speaks, and no rubric."""
    folder = home.HOME / "graders" / name
    return Course(
        name=name,
        title=name,
        folder=folder,
        parts={part: Part(None, ())},
        adapters={part: adapter},
        imports=tuple(imports),
        on_demand=(),
        packages=(),
        rubric=folder / RUBRIC,
        reference=folder / "reference",
        examples=folder / "examples",
    )


def courses() -> dict[str, Course]:
    """Return the courses that come with gengrade, by name. Raises CourseError."""
    folders = sorted(path.parent for path in (home.HOME / PACKAGE).glob(f"*/{DECLARATION}"))
    return {folder.name: load(folder) for folder in folders}


def find(name: str) -> Course:
    """Return the course of that name, or the one in the folder of that path. Raises NoSuchCourse and CourseError."""
    known = courses()
    if name in known:
        return known[name]
    folder = Path(name)
    if (folder / DECLARATION).is_file():
        return load(folder)
    what = f"there is no {DECLARATION} in that folder" if folder.is_dir() else "there is no such course or folder"
    listed = ", ".join(known)
    raise NoSuchCourse(f"{name}: {what}{suggestion(name, known)}; the courses that come with gengrade are {listed}")


def chosen(name: str | None, rubric: Path | None) -> tuple[Course, Rubric]:
    """Return the course to grade and the rubric to grade it by.

    name: a course's name or folder; None: the course that the rubric is for, or the default course.
    rubric: the path of a rubric; None: the course's own.

    Raises NoSuchCourse, CourseError and RubricError.
    """
    if name is not None:
        course = find(name)
        scheme = Rubric.load(rubric or course.rubric)
        if scheme.course is not None and _of_rubric(scheme) != course:
            raise NoSuchCourse(f"--course {name}: {scheme.path} is a rubric of another course ({scheme.course})")
        return course, scheme
    scheme = Rubric.load(rubric or find(DEFAULT).rubric)
    return _of_rubric(scheme), scheme


def _of_rubric(rubric: Rubric) -> Course:
    """Return the course that a rubric names; if it names none, the course in whose folder the rubric lies."""
    beside = rubric.path.resolve().parent
    if rubric.course is None:
        if (beside / DECLARATION).is_file():
            return load(beside)
        reason = 'it does not say which course it is for: add "course: NAME", or give --course'
        raise NoSuchCourse(f"{rubric.path}: {reason}")
    if rubric.course not in courses() and (beside / rubric.course / DECLARATION).is_file():
        return load(beside / rubric.course)
    return find(rubric.course)


def load(folder: Path) -> Course:
    """Return the course in a folder. Raises CourseError with the line of the first mistake in its declaration."""
    return _load(folder.resolve())


_folders: dict[str, Path] = {}  # of the courses that were loaded, by name


@cache
def _load(folder: Path) -> Course:
    document = Document.load(folder / DECLARATION, CourseError)
    try:
        declared = _Declaration.model_validate_json(json.dumps(document.data))
    except ValidationError as invalid:
        raise document.invalid(invalid, {*_Declaration.model_fields, *_Part.model_fields}) from None
    if not folder.name.isidentifier():
        reason = (
            f'the name of a course\'s folder may only hold letters, digits and _, unlike "{folder.name}": rename it'
        )
        raise document.problem((), reason)
    ours = home.HOME / PACKAGE / folder.name
    other = ours if ours.is_dir() else _folders.get(folder.name, folder)
    if other != folder:
        raise document.problem((), f'another course is called "{folder.name}" ({other}): rename this one')
    _folders[folder.name] = folder
    adapters = _adapters_package(folder.name)
    return Course(
        name=folder.name,
        title=declared.title,
        folder=folder,
        parts={key: Part(**part.model_dump(exclude={"adapter"})) for key, part in declared.parts.items()},
        adapters={key: f"{adapters}.{part.adapter}" for key, part in declared.parts.items()},
        imports=_USUAL_IMPORTS,
        on_demand=tuple(dict.fromkeys([*_OFTEN_IMPORTED, *declared.imports])),
        packages=declared.packages,
        rubric=(folder / declared.rubric).resolve(),
        reference=(folder / declared.reference).resolve(),
        examples=(folder / declared.examples).resolve(),
    )


def _adapters_package(course: str) -> str:
    return f"{PACKAGE}.{course}.{ADAPTERS}"


def module_path(name: str) -> Path:
    """Return the path, without suffix, of one of our modules; a course's modules lie in the course's folder."""
    top, *rest = name.split(".")
    if top == PACKAGE and rest and rest[0] in _folders:
        return _folders[rest[0]].joinpath(*rest[1:])
    return home.module_path(name)
