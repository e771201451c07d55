"""The smallest course that grades, as a folder to begin with."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from gengrade.course import Course, NoSuchCourse, courses, load
from gengrade.home import PACKAGE

_TEMPLATE: Final = PACKAGE / "authoring" / "template"
_NAME: Final = "NAME"  # in the template: the course's


def create(folder: Path) -> Course:
    """Writes a course of one part, one function and one check into a new folder, whose name is the course's.

    Raises NoSuchCourse where it cannot be written, or no course may be called so.
    """
    name = folder.resolve().name
    if not name.isidentifier():
        raise NoSuchCourse(
            f'{folder}: a course is called by letters, digits and _, unlike "{name}": choose another name'
        )
    if name in courses():
        raise NoSuchCourse(f'{folder}: a course that comes with us is called "{name}": choose another name')
    try:
        shutil.copytree(_TEMPLATE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    except FileExistsError:
        raise NoSuchCourse(f"{folder}: it is there already: choose another name, or remove it") from None
    except OSError as error:
        raise NoSuchCourse(f"{folder}: it cannot be written ({error.strerror}): choose another place") from None
    for file in (folder / "course.yaml", folder / "rubric.yaml", folder / "README.md"):
        file.write_text(file.read_text(encoding="utf-8").replace(_NAME, name), encoding="utf-8")
    return load(folder)
