"""Marks named wrong implementations, which a course keeps in its `misconceptions/`.

Each is a small function or class that takes the place of one in the reference; its docstring is what the student reads.
The files are read as text and planted into copies of the reference, which only guests run: no host imports them, and no
guest that runs a student's code can read them.

Within a misconception, `original` (in a method, `self.original`) is the definition whose place it takes. Whatever else
its file defines or imports goes along.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Definition = TypeVar("Definition")
original: Any = None  # for editors: what stands here in a misconception is the definition whose place it takes


def misconception(target: str, *, fails: str, raises: bool = False) -> Callable[[Definition], Definition]:
    """Marks a wrong implementation of `target`, "folder/file.py:name" or "folder/file.py:Class.method".

    `fails`: the unit checks that do not pass for it, separated by spaces, first the one that is about it. `raises`:
    some of these end in an exception.
    """
    return lambda definition: definition
