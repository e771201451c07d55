"""Define the exceptions that have a meaning of their own in a guest."""

from __future__ import annotations


class Missing(Exception):
    """A file, function or class that the assignment asks for was not handed in."""


class WallError(Exception):
    """The process could not be isolated, so the student's code was not run; this is a fault of the harness."""
