"""What may be raised in a guest to say more than that something went wrong."""

from __future__ import annotations


class Missing(Exception):
    """A file, function or class that the assignment asks for was not handed in."""


class WallError(Exception):
    """A wall could not be raised: the student's code was not run, and it is not the student's fault."""
