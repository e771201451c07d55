"""Replace the invisible characters in untrusted text by a mark.

Two properties are deliberate:

1. Characters are judged by their Unicode properties and not by a list of known tricks: control, format, private,
   unassigned, blank and default-ignorable characters are replaced, one mark for each, so that two texts that differ
   only in invisible characters look different.
2. Honest text stays unchanged: letters of any script with their accents and vowel signs, joiners where a script is
   spelled with them (Persian, Hindi), and emoji; only the joiners and variation selectors of emoji are removed.
"""

from __future__ import annotations

import unicodedata
from typing import Final

# The most combining marks on one letter in honest text: Hebrew with vowels and accents has up to four.
_MOST_MARKS: Final = 4
_DOTTED_CIRCLE: Final = "\u25cc"  # the base that Unicode shows under a combining mark without a letter
_VIRAMA: Final = 9  # the combining class of viramas, signs after which consonants may be joined
_JOINERS: Final = ("\u200c", "\u200d")
_SELECTORS: Final = ("\ufe0e", "\ufe0f")
_SKIN: Final = "Sk"  # the category of an emoji's skin tones
# Characters of visible categories that show nothing: those with Unicode's Default_Ignorable_Code_Point, and blanks.
_BLANK: Final = frozenset(
    chr(code)
    for first, last in (
        (0x034F, 0x034F),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x2800, 0x2800),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFFA0, 0xFFA0),
        (0x1D159, 0x1D159),
        (0xE0000, 0xE0FFF),
    )
    for code in range(first, last + 1)
)


def is_visible(character: str) -> bool:
    """Return whether a character is visible or a space; control, format, private and unassigned ones are not."""
    category = unicodedata.category(character)
    return category[0] != "C" and category not in {"Zl", "Zp"} and character not in _BLANK


def visible(text: str, mark: str, *, spared: str = "") -> str:
    """Return the text with `mark` in place of each invisible character.

    mark: also replaces the combining marks of a letter beyond the fourth, once for all of them.
    spared: invisible characters that are kept, such as a line feed.
    """
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    marks = _MOST_MARKS  # combining marks on the last letter; at the beginning no letter can take one
    for place, character in enumerate(text):
        if unicodedata.category(character) in {"Mn", "Me"} and character not in _BLANK:
            marks += 1
            if place == 0 or (shown and shown[-1] in {"\n", "\t"}):
                shown.append(_DOTTED_CIRCLE)
                marks = 1
            if marks <= _MOST_MARKS:
                shown.append(character)
            elif marks == _MOST_MARKS + 1:
                shown.append(mark)
            continue
        if character in spared or is_visible(character):
            shown.append(character)
        elif _spells(text, place):
            shown.append(character)
            continue  # combining marks after a joiner still belong to the letter before it
        elif _colours(text, place):
            continue
        else:
            shown.append(mark)
        marks = 0
    return "".join(shown)


def _spells(text: str, place: int) -> bool:
    """Return whether the joiner at `place` belongs to a spelling: beside a virama, or between two Arabic letters."""
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    if text[place] not in _JOINERS or not before or not after:
        return False
    if unicodedata.combining(before) == _VIRAMA or unicodedata.combining(after) == _VIRAMA:
        return "Lo" in {unicodedata.category(before), unicodedata.category(after)}
    arabic = unicodedata.bidirectional(before) == unicodedata.bidirectional(after) == "AL"
    return text[place] == _JOINERS[0] and arabic and unicodedata.category(before) == "Lo"


def _colours(text: str, place: int) -> bool:
    """Return whether the character at `place` joins two emoji or selects an emoji's appearance."""
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    if text[place] in _SELECTORS:
        return _is_symbol(before) or (before in set("0123456789#*") and after == "\u20e3")
    return text[place] == _JOINERS[1] and (_is_symbol(before) or before in _SELECTORS) and _is_symbol(after)


def _is_symbol(character: str) -> bool:
    return bool(character) and unicodedata.category(character) in {"So", _SKIN} and character not in _BLANK
