"""Show students by their names, or by pseudonyms where markers should not know whom they mark.

Of what a student handed in, the student's own names and numbers are hidden wherever they stand as text, also in file
names and on pages of PDFs that have a text layer. The full names and numbers of everybody else in the class are hidden
as well, since group partners name each other. What a picture or a scanned page shows cannot be hidden.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from gengrade.authenticity import Seal
from gengrade.grade import TOGETHER
from gengrade.room.answers import Picture, encoded
from gengrade.room.finding import Line

_WORD: Final = re.compile(r"[^\W_]+")
HIDDEN: Final = "█"
_SHORTEST: Final = 3  # letters of a name that is hidden by itself
_SHORTEST_NUMBER: Final = 4  # digits of a number
_SHORTEST_LOGIN: Final = 6  # letters of a login that is hidden in others' answers as well
_SHORTEST_ID: Final = 5  # the same of a number
_SHORTEST_FULL: Final = 4  # the same of a full name of several words, without its spaces
_LETTERS: Final = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})
_SPELLED_OUT: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
_MOST_WORDS: Final = 4  # of a full name
_MARGIN: Final = 0.15  # of a line's height, around what is covered
_GAP: Final = 12  # characters between two words of one name, such as a line's end and an indent


class Names:
    """The names of a class, or pseudonyms.

    names: the students' names by their ids.
    seal: the operator's, from which the order of the pseudonyms is drawn.
    blind: whether markers see pseudonyms.
    """

    def __init__(self, names: Mapping[str, str], seal: Seal, *, blind: bool) -> None:
        self.blind = blind
        mixed = sorted(names, key=lambda student: seal.code("pseudonym", student, b""))
        digits = len(str(len(mixed)))
        self._shown = {
            student: f"student-{number:0{digits}}" if blind else student for number, student in enumerate(mixed, 1)
        }
        self._students = {shown: student for student, shown in self._shown.items()}
        self._own = {student: _own_words(student, name) for student, name in names.items()} if blind else {}
        self._whole = (
            frozenset().union(*(_whole(student, name) for student, name in names.items())) if blind else frozenset()
        )
        self.covered = lru_cache(maxsize=64)(self._covered)

    def shown(self, student: str) -> str:
        """Return what markers read in place of a student's id."""
        return self._shown[student]

    def student(self, shown: str) -> str | None:
        """Return the id of the student that markers read as `shown`; None if there is none."""
        return self._students.get(shown)

    def hidden(self, text: str, student: str | None = None) -> str:
        """Return a text with names and numbers replaced by black blocks of the same length.

        student: whose text it is; None: nobody's in particular, so that only full names are hidden.
        """
        if not self.blind:
            return text
        own = self._own.get(student, frozenset()) if student is not None else frozenset()
        words = [(match.start(), match.end(), _plain(match.group())) for match in _WORD.finditer(text)]
        kept = list(text)
        for first in range(len(words)):
            for last in range(first, min(first + _MOST_WORDS, len(words))):
                if last > first and words[last][0] - words[last - 1][1] > _GAP:
                    break
                together = words[first : last + 1]
                joined = "".join(word for _, _, word in together)
                if (last == first and joined in own) or joined in self._whole:
                    for begin, stop, _ in together:
                        kept[begin:stop] = HIDDEN * (stop - begin)
        return "".join(kept)

    def restored(self, text: str, earlier: Sequence[str], student: str | None) -> str:
        """Return a text that was changed on a page with the names that were hidden there.

        text: what the page sent.
        earlier: the texts that it may have shown, before names were hidden.
        student: whose answer it is about; None: nobody's in particular.
        """
        if not self.blind or HIDDEN not in text:
            return text
        best = text
        for whole in earlier:
            matched = SequenceMatcher(None, self.hidden(whole, student), text, autojunk=False)
            parts = [whole[a:b] if tag == "equal" else text[c:d] for tag, a, b, c, d in matched.get_opcodes()]
            best = min(best, "".join(parts), key=lambda each: each.count(HIDDEN))
        return best

    def page(self, picture: Picture, lines: Callable[[], Sequence[Line]], student: str) -> Picture:
        """Return a page of a student's PDF with each line covered that shows a name or number.

        lines: returns the page's lines; called only if markers are blind.
        """
        if not self.blind:
            return picture
        named = tuple(line for line in lines() if self.hidden(line.text, student) != line.text)
        return self.covered(picture, named) if named else picture

    @staticmethod
    def _covered(picture: Picture, lines: tuple[Line, ...]) -> Picture:
        image = Image.open(io.BytesIO(picture.png), formats=("PNG",)).convert("RGB")  # one that we have encoded
        draw = ImageDraw.Draw(image)
        for line in lines:
            margin = _MARGIN * line.height
            draw.rectangle(
                (
                    (line.x - margin) * picture.width,
                    (line.y - margin) * picture.height,
                    (line.x + line.width + margin) * picture.width,
                    (line.y + line.height + margin) * picture.height,
                ),
                fill="black",
            )
        return encoded(np.asarray(image))


def _plain(word: str) -> str:
    """Return a word without accents and in lower case."""
    apart = unicodedata.normalize("NFKD", word)
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).casefold().translate(_LETTERS)


def _spellings(student: str, name: str) -> tuple[str, ...]:
    """Return the id and the names of those who handed in together, also with letters spelled out as in "Mueller"."""
    given = (student, *(unicodedata.normalize("NFC", each).casefold() for each in name.split(TOGETHER)))
    return (*given, *(text.translate(_SPELLED_OUT) for text in given))


def _words(text: str) -> list[str]:
    return [_plain(word) for word in _WORD.findall(text)]


def _own_words(student: str, name: str) -> frozenset[str]:
    """Return the words of a student's id and name that are hidden by themselves in what that student handed in."""
    words = {word for text in _spellings(student, name) for word in _words(text)}
    return frozenset(
        word for word in words if len(word) >= (_SHORTEST_NUMBER if word.isdigit() else _SHORTEST)
    ) | _whole(student, name)


def _whole(student: str, name: str) -> frozenset[str]:
    """Return a student's full name without spaces, in each order of its words, and the long numbers of the id.

    A learning management system writes "doejane" of Jane Doe, so that each split of a long word counts as two names.
    """
    found: set[str] = set()
    full: set[str] = set()
    for text in _spellings(student, name):
        words = _words(text)
        letters = [word for word in words if not word.isdigit()]
        found |= {word for word in words if any(letter.isdigit() for letter in word)}
        if len(letters) == 1:
            (word,) = letters
            found |= {word[cut:] + word[:cut] for cut in range(2, len(word) - 1)} | {word}
        else:
            full |= {"".join(each) for each in (letters, letters[::-1], [*letters[1:], *letters[:1]])}
    whole = {each for each in found if len(each) >= (_SHORTEST_ID if each.isdigit() else _SHORTEST_LOGIN)}
    return frozenset(whole | {each for each in full if len(each) >= _SHORTEST_FULL})
