"""A slice of a class: every n-th submission, so that each machine knows its share without asking another one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

from gengrade.engine.errors import UsageError

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Slice:
    """The `number`-th of `of` slices, counted from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the slice that a text such as "3/16" names. Raises UsageError."""
        found = re.fullmatch(r"([1-9]\d{0,4})/([1-9]\d{0,4})", text)
        if found is None or int(found[1]) > int(found[2]):
            raise UsageError(f"--slice {text}: it is neither a slice such as 3/16 nor the word last")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def __call__(self, items: Sequence[_Item]) -> list[_Item]:
        """Return the items that belong to the slice. Neighbours go to different slices: they often take as long."""
        return list(items[self.number - 1 :: self.of])
