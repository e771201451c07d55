"""Marks named wrong implementations, which a course keeps in its `misconceptions/`.

Each is a small function or class that takes the place of one in the reference; its docstring is what the student reads.
The files are read as text and planted into copies of the reference, which only guests run: no host imports them, and no
guest that runs a student's code can read them. Whatever else a file defines or imports goes along.

    defaults("part1/utils.py:KLD", fails=("vae.kld", "vae.loss"))


    @misconception
    def log_std_as_log_variance(mean, log_std):
        "You treated log_std as the logarithm of a variance. …"
        return 0.5 * (log_std.exp() + mean**2 - 1 - log_std).sum(dim=-1)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

Definition = TypeVar("Definition")
original: Any = None  # for editors: within a misconception, it is the definition whose place that takes


def defaults(target: str, *, fails: tuple[str, ...]) -> None:
    """Say what the misconceptions of this file replace, and which checks they fail, unless they say otherwise.

    It holds for those that stand below it, up to the next defaults. The parameters are those of `misconception`.
    """


@overload
def misconception(definition: Definition, /) -> Definition: ...


@overload
def misconception(
    target: str = ..., /, *, fails: tuple[str, ...] = ..., raises: bool = ...
) -> Callable[[Definition], Definition]: ...


def misconception(
    definition_or_target: object = None, /, *, fails: tuple[str, ...] = (), raises: bool = False
) -> object:
    """Mark a wrong implementation of a definition of the reference, with or without arguments.

    Parameters
    ----------
    target
        What it replaces: "folder/file.py:name" or "folder/file.py:Class.method".
    fails
        The unit checks that do not pass for it, first the one that is about it.
    raises
        Some of these checks end in an exception.
    """
    return definition_or_target if callable(definition_or_target) else lambda definition: definition
