"""Make ids from the words of a text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from typing import Final

_MOST_WORDS: Final = 3
_LONGEST: Final = 28
_PART: Final = re.compile(r"^\w\)\s")  # "a) " before the text of a part of a question
_UNTELLING: Final = frozenset(
    (
        *("a", "an", "and", "are", "as", "at", "by", "for", "from", "how", "in", "into", "is", "it", "its"),
        *("of", "on", "or", "that", "the", "to", "what", "with"),
    )
)


def telling_words(text: str) -> list[str]:
    """Return the first telling words of a text, in the letters of ids: ["ancestral", "sampling"]."""
    ascii_ = unicodedata.normalize("NFKD", _PART.sub("", text)).encode("ascii", "ignore").decode().lower()
    words = [word for word in re.findall(r"[a-z][a-z0-9]+", ascii_) if word not in _UNTELLING][:_MOST_WORDS]
    while len(words) > 1 and len("-".join(words)) > _LONGEST:
        words.pop()
    return words


def unique(id_: str, taken: Collection[str]) -> str:
    """Return the id, with a number after it if it is taken."""
    number = 2
    found = id_
    while found in taken:
        found, number = f"{id_}-{number}", number + 1
    return found
