"""Define the exceptions that have a meaning of their own in a guest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FAILED: Final = "__failed__"  # a global of a student's program: for each name that it lacks, the error behind it
STAR: Final = "*"  # in that global, "*utils" is the name of all that `from utils import *` would have defined


def behind(failed: Mapping[str, Exception], name: str | None) -> Exception | None:
    """Return the error that kept a program from defining a name, or else that of its first import of all names.

    failed: the program's global FAILED.
    """
    stars = (error for key, error in failed.items() if key.startswith(STAR))
    return failed.get(name or "") or next(stars, None)


class Missing(Exception):
    """A file, function or class that the assignment asks for was not handed in."""


class Undefined(Missing):
    """The files in which a name was looked for are there, and run, but do not define it."""


class Undecided(Exception):
    """Whether the student's code is right cannot be decided here; a person has to."""


class WallError(Exception):
    """The process could not be isolated, so the student's code was not run; this is a fault of the harness."""
