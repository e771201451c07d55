"""Texts of limited length: whatever a stranger can make long is shortened where it becomes a part of a record.

Lengths are those of the JSON that a text is written as, in bytes: a control character takes six of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

_ESCAPED: Final = 6  # bytes that one character takes at most: \u001b
_SUFFIX: Final = 60  # bytes for the words that say how much is left out


def shortened(text: str, most: int) -> str:
    """The text, when it takes at most so many bytes; else its beginning, and how many characters more there were."""
    if not _is_long(text, most):
        return text
    kept = _beginning(text, most - _SUFFIX)
    return f"{kept}… ({len(text) - len(kept):,} more characters)"


def without_middle(text: str, most: int) -> str:
    """The same with the middle left out: a third of the room is for the beginning, the rest for the end."""
    if not _is_long(text, most):
        return text
    room = most - _SUFFIX
    head = _beginning(text, room // 3)
    tail = _beginning(text[::-1], room - room // 3)[::-1]
    return f"{head}\n… {len(text) - len(head) - len(tail):,} characters left out …\n{tail}"


def few(texts: tuple[str, ...], most: int) -> tuple[str, ...]:
    """At most so many texts; the last one says how many more there were."""
    if len(texts) <= most:
        return texts
    return (*texts[: most - 1], f"… and {len(texts) - most + 1:,} more")


def listed(texts: Sequence[str], most: int) -> str:
    """The first few, in one line, and how many more there are."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def _is_long(text: str, most: int) -> bool:
    return len(text) * _ESCAPED > most and (len(text) > most or _weight(text) > most)


def _weight(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass")) - 2


def _beginning(text: str, room: int) -> str:
    """The longest beginning that fits in so many bytes."""
    low, high = 0, min(len(text), room)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _weight(text[:middle]) <= room else (low, middle - 1)
    return text[:low]
