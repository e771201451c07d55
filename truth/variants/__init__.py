"""Answers to each part that are the reference with some texts replaced: right ones, and wrong ones without a name.

Each module has RIGHT (unusual, and right), STRANGER (right, and nothing like the reference: misconceptions must be
recognised in it all the same) and UNNAMED (wrong, each in a way that no misconception explains).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass

Changes = Mapping[str, tuple[str, str] | list[tuple[str, str]]]  # by file: texts, and what takes their places

FAMILIES = ("vae", "gan", "flow", "theory")


@dataclass(frozen=True, slots=True)
class Unnamed:
    """A wrong answer, the unit checks that do not pass for it, and words of the first one's message."""

    changes: Changes
    fails: tuple[str, ...]
    says: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """The variants of one part's answers. Its name is how the names of its checks begin."""

    name: str
    right: Mapping[str, Changes]
    unnamed: Mapping[str, Unnamed]
    stranger: Changes


def family(name: str) -> Family:
    module = importlib.import_module(f"truth.variants.{name}")
    return Family(name, module.RIGHT, module.UNNAMED, module.STRANGER)
