"""Find in a text the words that tell who a student is: names, logins, numbers, in all their spellings.

Four rules are deliberate:

1. The single words of a name are looked for in what that student handed in, since "Max" is a name there and a function
   elsewhere. Full names, two words of a name next to each other, logins and long numbers are looked for everywhere.
2. A word counts however it is joined to others: in an identifier, a file's name, "JanePieters" or "pieters2024".
3. Of an e-mail address only what stands before the "@" is the student's.
4. What says nothing by itself is not looked for: particles such as "van", and names of two letters that are words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise, permutations
from typing import Final

from gengrade.grade import TOGETHER

MOST_WORDS: Final = 5  # of a full name, next to each other in a text

_WORD: Final = re.compile(r"(?:[^\W_][\u0300-\u036f]*)+")  # with accents that are characters of their own
_SHORTEST: Final = 3  # letters of a name that is found in any spelling
_SHORTEST_NUMBER: Final = 4  # digits of a number
_SHORTEST_LOGIN: Final = 6  # letters of a login that is found in others' answers as well
_SHORTEST_ID: Final = 5  # the same of a number
_SHORTEST_FULL: Final = 4  # the same of several words, without the spaces between them
_MOST_COMBINED: Final = 5  # words of a name of which each two and three are found next to each other
_LETTERS: Final = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})
_SPELLED_OUT: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
_PARTICLES: Final = frozenset(
    ("al", "bin", "da", "de", "del", "den", "der", "di", "dos", "el", "la", "le", "ten", "ter", "und", "van", "von")
)
_SHORT_WORDS: Final = frozenset(
    (
        *("am", "an", "as", "at", "be", "by", "do", "go", "he", "hi", "id", "if", "in", "is", "it", "me", "my", "no"),
        *("of", "on", "or", "so", "to", "up", "us", "we"),
    )
)
_JOINING: Final = frozenset("_-./\\@")  # what stands between the words of identifiers, paths and addresses


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text.

    begin, end: its place in the text.
    plain: its letters and digits without accents, in lower case.
    stands_out: whether a short name is likely here: it has a capital letter, or is joined to other words.
    pieces: the words that it is joined from, as in "JaneDoe" or "doe2024"; empty if it is a single one.
    """

    begin: int
    end: int
    plain: str
    stands_out: bool
    pieces: tuple[Word, ...] = ()

    def is_in(self, own: frozenset[str]) -> bool:
        """Return whether the word is one of a student's own words."""
        return self.plain in own and (len(self.plain) >= _SHORTEST or self.stands_out)


def words_of(text: str) -> list[Word]:
    """Return the words of a text."""
    return [_word(text, match.start(), match.end()) for match in _WORD.finditer(text)]


def _word(text: str, begin: int, end: int) -> Word:
    word = text[begin:end]
    joined = bool(_JOINING & {text[begin - 1 : begin], text[end : end + 1]})
    cuts = [begin, *(begin + at for at in _joints(word)), end]
    pieces = tuple(
        Word(start, stop, _plain(text[start:stop]), stands_out=True) for start, stop in pairwise(cuts) if len(cuts) > 2
    )
    return Word(begin, end, _plain(word), joined or not word.islower(), pieces)


def _joints(word: str) -> Iterator[int]:
    """Yield the places at which a word goes on with a number, with letters after a number, or with a capital letter."""
    for at in range(1, len(word)):
        before, here, after = word[at - 1], word[at], word[at + 1 : at + 2]
        ends_capitals = before.isupper() and here.isupper() and after.islower()  # "VAEJansen"
        if before.isdigit() != here.isdigit() or (before.islower() and here.isupper()) or ends_capitals:
            yield at


def _plain(word: str) -> str:
    """Return a word without accents and in lower case."""
    apart = unicodedata.normalize("NFKD", word)
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).casefold().translate(_LETTERS)


@dataclass(frozen=True, slots=True)
class Own:
    """What tells in a student's own files who that is.

    words: single words.
    beside: particles and initials, which tell something only beside one of the words.
    """

    words: frozenset[str]
    beside: frozenset[str]


NOTHING: Final = Own(frozenset(), frozenset())


def own_words(student: str, name: str) -> Own:
    """Return what tells in a student's own files who that is.

    student: the student's id.
    name: all names, ids and logins of the student or the group, with `TOGETHER` between them.
    """
    found, beside = set(told_anywhere(student, name)), set[str]()
    for text in _spellings(student, name):
        words = [word.plain for word in words_of(text)]
        found |= {word for word in words if _tells(word) or len(words) == 1}
        letters = [word for word in words if not word.isdigit()]
        initials = {one[0] + other for one, other in permutations(letters, 2)}
        initials |= {other + one[0] for one, other in permutations(letters, 2)}
        found |= {each for each in initials if len(each) >= _SHORTEST_FULL}
        beside |= {word[0] for word in letters} | (_PARTICLES & set(letters))
    return Own(frozenset(found), frozenset(beside))


def _tells(word: str) -> bool:
    """Return whether a word of a name or an id tells by itself who a student is."""
    if word.isdigit():
        return len(word) >= _SHORTEST_NUMBER
    return len(word) > 1 and word not in _PARTICLES and word not in _SHORT_WORDS


def told_anywhere(student: str, name: str) -> frozenset[str]:
    """Return what tells in anybody's files who a student is, without the spaces in it; see `own_words`.

    A learning management system writes "doejane" of Jane Doe, so that each split of a long word counts as two names.
    """
    found: set[str] = set()
    full: set[str] = set()
    for text in _spellings(student, name):
        words = [word.plain for word in words_of(text)]
        letters = [word for word in words if not word.isdigit()]
        found |= {word for word in words if any(letter.isdigit() for letter in word)}
        if len(letters) == 1:
            (word,) = letters
            found |= {word[cut:] + word[:cut] for cut in range(2, len(word) - 1)} | {word}
        else:
            full.update(_combined(letters))
    whole = {each for each in found if len(each) >= (_SHORTEST_ID if each.isdigit() else _SHORTEST_LOGIN)}
    return frozenset(whole | {each for each in full if len(each) >= _SHORTEST_FULL})


def _combined(letters: list[str]) -> Iterator[str]:
    """Yield a full name in each order of its words, and each two and three words of it that are no particles."""
    yield from ("".join(each) for each in (letters, letters[::-1], [*letters[1:], *letters[:1]]))
    telling = [word for word in letters if word not in _PARTICLES][:_MOST_COMBINED]
    yield from ("".join(each) for number in (2, 3) for each in permutations(telling, number))


def _spellings(student: str, name: str) -> Iterable[str]:
    """Return the id and the names of those who handed in together, also with letters spelled out as in "Mueller"."""
    given = [student, *(unicodedata.normalize("NFC", each).casefold() for each in name.split(TOGETHER))]
    own = [text.partition("@")[0] for text in given]
    return (*own, *(text.translate(_SPELLED_OUT) for text in own))
