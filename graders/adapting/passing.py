"""Notes which plain arguments a student's functions and classes are really called with, by the student's own names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_PLAIN = (bool, int, float, str)
_OPEN: list[dict[str, str]] = []  # the notes of the contexts that are open


@contextmanager
def noted() -> Iterator[dict[str, str]]:
    """Return a context that notes the numbers, words and lists of these that are passed in it, as they are written."""
    notes: dict[str, str] = {}
    _OPEN.append(notes)
    try:
        yield notes
    finally:
        _OPEN.remove(notes)


def note(arguments: Mapping[str, Any]) -> None:
    """Note the plain ones of a call's arguments, before it may change them in place."""
    for notes in _OPEN:
        for name, value in arguments.items():
            if _is_plain(value):
                notes.setdefault(name, f"{value}")


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(isinstance(each, _PLAIN) for each in value)
    return isinstance(value, _PLAIN)
