"""Define the exceptions that have a meaning of their own in a guest."""

from __future__ import annotations

from typing import Final

FAILED: Final = "__failed__"  # a global of a student's program: for each name that it lacks, the error behind it


class Missing(Exception):
    """A file, function or class that the assignment asks for was not handed in."""


class Undecided(Exception):
    """Whether the student's code is right cannot be decided here; a person has to."""


class WallError(Exception):
    """The process could not be isolated, so the student's code was not run; this is a fault of the harness."""
