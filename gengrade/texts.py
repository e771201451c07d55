"""Shorten untrusted texts before they are stored in a record, and say what a file is that is no text.

Lengths are in bytes of the JSON that a text is written as: a control character takes six of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

_ESCAPED: Final = 6  # the most bytes that one character takes, as in \u001b
_WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # the first bytes of .xlsx and .ods, and of .xls
_SUFFIX: Final = 60  # bytes for the words that say how much is left out


def shortened(text: str, most: int) -> str:
    """Return the text if it takes at most `most` bytes, otherwise its beginning and the number of characters cut."""
    if not _is_long(text, most):
        return text
    kept = _beginning(text, most - _SUFFIX)
    return f"{kept}… ({len(text) - len(kept):,} more characters)"


def without_middle(text: str, most: int) -> str:
    """Return the text if it takes at most `most` bytes, otherwise its first third and its last two thirds of those."""
    if not _is_long(text, most):
        return text
    room = most - _SUFFIX
    head = _beginning(text, room // 3)
    tail = _beginning(text[::-1], room - room // 3)[::-1]
    return f"{head}\n… {len(text) - len(head) - len(tail):,} characters left out …\n{tail}"


def few(texts: tuple[str, ...], most: int) -> tuple[str, ...]:
    """Return at most `most` texts; if some are left out, the last one says how many."""
    if len(texts) <= most:
        return texts
    return (*texts[: most - 1], f"… and {len(texts) - most + 1:,} more")


def counted(number: float, noun: str) -> str:
    """Return "1 point" or "2.5 points" for the noun "point"."""
    return f"{number:g} {noun}{'' if number == 1 else 's'}"


def listed(texts: Sequence[str], most: int, between: str = ", ") -> str:
    """Return the first `most` texts in one line, and the number of the others. `between`: "; " for people's names."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return between.join(texts[:most]) + more


def no_text(content: bytes) -> str:
    """Return why the bytes of a file are no table in UTF-8, and what to do. The caller could not read them as one."""
    if content.startswith(_WORKBOOKS):
        return "it is a workbook of a spreadsheet and no table in text: save it there as “CSV UTF-8”"
    return "it is not UTF-8 text: save it as “CSV UTF-8”"


def _is_long(text: str, most: int) -> bool:
    return len(text) * _ESCAPED > most and (len(text) > most or _weight(text) > most)


def _weight(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass")) - 2


def _beginning(text: str, room: int) -> str:
    """Return the longest beginning of the text that takes at most `room` bytes."""
    low, high = 0, min(len(text), room)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _weight(text[:middle]) <= room else (low, middle - 1)
    return text[:low]


def unwrapped(text: str) -> str:
    """Return the text with every run of spaces and line breaks as one space."""
    return " ".join(text.split())
