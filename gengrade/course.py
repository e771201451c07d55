"""A course: one folder that holds all that belongs to it, and one object that stands for it.

    course.yaml        the declaration, read here: title, parts, what hand-outs import, where the rest lies
    rubric.yaml        the marking scheme
    adapters/          what probes ask of a submission, in the course's own names
    misconceptions/    named wrong answers, planted into the reference
    variants/          right answers that are unlike the reference, and wrong ones without a name
    reference/         our own solution, in the shape in which students hand theirs in
    examples/          submissions, and what they earn

The folder may lie anywhere. Those that come with us lie in HOME/courses, and keep their references in HOME/reference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gengrade import home
from gengrade.documents import Document, DocumentError, suggestion
from gengrade.parts import Part
from gengrade.rubric import Rubric

PACKAGE: Final = "courses"  # under which the modules of every course are known, wherever it lies
ADAPTERS: Final = "adapters"
DEFAULT: Final = "uva2020"
DECLARATION: Final = "course.yaml"
# What hand-outs import whatever they are about, each worth up to seconds that a fresh process would pay in every probe.
_USUAL_IMPORTS: Final = (
    "torchvision",
    "torchvision.datasets",
    "torchvision.transforms",
    "torchvision.utils",
    "torch.utils.data",
    "matplotlib.pyplot",
    "tqdm",
)
_Text = Annotated[str, Field(min_length=1)]


class CourseError(DocumentError):
    """A course's declaration cannot be used as it stands."""


class NoSuchCourse(ValueError):
    """There is no course of that name, or none in that folder."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Part(_Strict):
    folder: _Text | None = None
    files: tuple[_Text, ...] = Field(min_length=1)
    also: dict[_Text, tuple[_Text, ...]] = {}
    beside: bool = False
    libraries: bool = False
    adapter: Annotated[str, Field(pattern=r"^[a-z]\w*:[A-Za-z]\w*$")]  # a module of adapters/, and a class in it


class _Declaration(_Strict):
    title: _Text
    parts: dict[Annotated[str, Field(pattern=r"^[a-z]\w*$")], _Part] = Field(min_length=1)
    imports: tuple[_Text, ...] = ()
    rubric: _Text = "rubric.yaml"
    reference: _Text = "reference"
    examples: _Text = "examples"


@dataclass(frozen=True, eq=False)
class Course:
    """A course as the harness knows it."""

    name: str  # of its folder
    title: str
    folder: Path
    parts: Mapping[str, Part]
    adapters: Mapping[str, str]  # by part: the module and the name of the class that speaks to it
    imports: tuple[str, ...]  # modules of others that hand-outs import
    rubric: Path
    reference: Path
    examples: Path

    @property
    def misconceptions(self) -> Path:
        return self.folder / "misconceptions"

    @property
    def adapters_package(self) -> str:
        return _adapters_package(self.name)


def courses() -> dict[str, Course]:
    """The courses that come with us, by name."""
    folders = sorted(path.parent for path in (home.HOME / PACKAGE).glob(f"*/{DECLARATION}"))
    return {folder.name: load(folder) for folder in folders}


def find(name: str) -> Course:
    """The course of that name, or the one in the folder of that path. Raises NoSuchCourse and CourseError."""
    known = courses()
    if name in known:
        return known[name]
    folder = Path(name)
    if (folder / DECLARATION).is_file():
        return load(folder)
    what = f"there is no {DECLARATION} in that folder" if folder.is_dir() else "there is no such course or folder"
    raise NoSuchCourse(f"{name}: {what}{suggestion(name, known)}; the courses that come with us are {', '.join(known)}")


def chosen(name: str | None, rubric: Path | None) -> tuple[Course, Rubric]:
    """The course that is graded, and by which rubric: by default the course's own, or the course of the rubric.

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
    """The course that a rubric names; where it names none, the one in whose folder it lies."""
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
    """The course in a folder. Raises CourseError at the first line of its declaration that is wrong."""
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
        reason = f'a course\'s folder is called by letters, digits and _, unlike "{folder.name}": rename it'
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
        imports=tuple(dict.fromkeys([*_USUAL_IMPORTS, *declared.imports])),
        rubric=(folder / declared.rubric).resolve(),
        reference=(folder / declared.reference).resolve(),
        examples=(folder / declared.examples).resolve(),
    )


def _adapters_package(course: str) -> str:
    return f"{PACKAGE}.{course}.{ADAPTERS}"


def module_path(name: str) -> Path:
    """Where a module of ours would lie, without its suffix; those of a course lie in its own folder."""
    top, *rest = name.split(".")
    if top == PACKAGE and rest and rest[0] in _folders:
        return _folders[rest[0]].joinpath(*rest[1:])
    return home.module_path(name)
