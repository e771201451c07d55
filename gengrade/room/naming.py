"""Show students by their names, or by pseudonyms where markers should not know whom they mark.

Of what a student handed in, the student's own names and numbers are hidden wherever they stand as text, also in file
names and on pages of PDFs that have a text layer. The full names and numbers of everybody else in the class are hidden
as well, since group partners name each other. What a picture or a scanned page shows cannot be hidden.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from gengrade.authenticity import Seal
from gengrade.room.answers import Picture, encoded
from gengrade.room.finding import Line
from gengrade.room.identities import MOST_WORDS, NOTHING, Word, own_words, told_anywhere, words_of

HIDDEN: Final = "█"
_MARGIN: Final = 0.15  # of a line's height, around what is covered
_BESIDE: Final = 2  # characters between a name and an initial or a particle
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
        known = names.items() if blind else ()
        self._own = {student: own_words(student, name) for student, name in known}
        self._anywhere = frozenset[str]().union(*(told_anywhere(student, name) for student, name in known))
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
        own = self._own.get(student, NOTHING) if student is not None else NOTHING
        kept = list(text)
        words = words_of(text)
        for word in self._telling(words, own.words):
            kept[word.begin : word.end] = HIDDEN * (word.end - word.begin)
        for before, word in (*pairwise(words), *pairwise(words[::-1])):
            # A particle or an initial beside a name that is hidden belongs to it.
            near = max(word.begin - before.end, before.begin - word.end) <= _BESIDE
            if near and word.plain in own.beside and HIDDEN in (kept[before.begin], kept[before.end - 1]):
                kept[word.begin : word.end] = HIDDEN * (word.end - word.begin)
        return "".join(kept)

    def _telling(self, words: Sequence[Word], own: frozenset[str]) -> Iterator[Word]:
        """Yield the words that tell who somebody is, by themselves or with the words next to them."""
        for first, word in enumerate(words):
            joined = ""
            for last in range(first, min(first + MOST_WORDS, len(words))):
                if last > first and words[last].begin - words[last - 1].end > _GAP:
                    break
                joined += words[last].plain
                if joined in self._anywhere or (last == first and word.is_in(own)):
                    yield from words[first : last + 1]
            yield from self._telling(word.pieces, own)

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
        named = tuple(self._naming(lines(), student))
        return self.covered(picture, named) if named else picture

    def _naming(self, lines: Sequence[Line], student: str) -> Iterator[Line]:
        """Yield the lines of a page that show a name or number, or a part of one that goes on in the next line."""
        text = "\n".join(line.text for line in lines)
        hidden = self.hidden(text, student)
        begin = 0
        for line in lines:
            end = begin + len(line.text)
            if hidden[begin:end] != line.text:
                yield line
            begin = end + 1

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
