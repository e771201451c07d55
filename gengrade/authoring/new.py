"""Create a minimal course, as a folder to start from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from gengrade.course import Course, NoSuchCourse, courses, load
from gengrade.home import PACKAGE

_TEMPLATE: Final = PACKAGE / "authoring" / "template"
_NAME: Final = "NAME"  # stands in the template for the course's name


def create(folder: Path) -> Course:
    """Write a course of one part, one function and one check into a new folder, and return it.

    folder: the folder to create; its name becomes the name of the course.

    Raises NoSuchCourse if the folder cannot be written or its name is not allowed.
    """
    name = folder.resolve().name
    if not name.isidentifier():
        raise NoSuchCourse(
            f'{folder}: a course is named with letters, digits and _ only, unlike "{name}": choose another name'
        )
    if name in courses():
        raise NoSuchCourse(f'{folder}: a course that comes with gengrade is called "{name}": choose another name')
    try:
        shutil.copytree(_TEMPLATE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    except FileExistsError:
        raise NoSuchCourse(f"{folder}: it already exists: choose another name, or remove it") from None
    except OSError as error:
        raise NoSuchCourse(f"{folder}: it cannot be written ({error.strerror}): choose another place") from None
    for file in (folder / "course.yaml", folder / "rubric.yaml", folder / "README.md"):
        file.write_text(file.read_text(encoding="utf-8").replace(_NAME, name), encoding="utf-8")
    return load(folder)
