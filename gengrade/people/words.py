"""Compare ids, logins and names exactly, but for case, spaces and Unicode's forms of one letter."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_NO_WORD: Final = re.compile(r"[\W_]")


def key(text: str) -> str:
    """Return a text that is equal for two writings of one id or name: "MÜLLER  Ann" and "Müller Ann"."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


def names_of(name: str) -> set[str]:
    """Return the keys of a name, which is one of "Jane Doe" and "Doe, Jane"."""
    found = {key(name)}
    last, comma, first = name.partition(",")
    if comma and "," not in first and first.strip() and last.strip():
        found.add(key(f"{first} {last}"))
    return found - {""}


def squeezed(name: str) -> str:
    """Return the name as Canvas writes it into the names of files: "doejane" for "Doe, Jane"."""
    return "".join(letter for letter in key(name) if _keeps(letter))


def _keeps(letter: str) -> bool:
    return not _NO_WORD.match(letter) or unicodedata.category(letter).startswith("M")


def sortable_names_of(name: str) -> set[str]:
    """Return the squeezed forms that Canvas may give to a name: the last words first, unless a comma says which."""
    if "," in name:
        return {squeezed(name)} - {""}
    words = name.split()
    return {squeezed(" ".join((*words[cut:], *words[:cut]))) for cut in range(len(words))} - {""}
