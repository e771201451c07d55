"""Find passages that two students' answers to a question share, word for word.

Four properties are deliberate:

1. Only words count: letters in any case, whatever stands between them. A formula has few words, and the same ones.
2. Words that much of the class has in the same order are nobody's own, such as the hand-out's text. Neither are those
   of texts that are known to all, such as the question.
3. A passage is a remark for whoever marks. It is no verdict, and no report shows it.
4. Time and memory grow with the length of all answers, whatever they hold.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gengrade.arrays import Mask

LEAST: Final = 25  # words of a passage that is shown
_LEAST_DIFFERENT: Final = 14  # of them that differ from each other; a long formula repeats its few words
_SHORT: Final = 6  # words in a row by which it is told what is common
_LEAST_COMMON: Final = 5  # students who make a passage common in a class of up to 25
_MOST_BESIDE: Final = 6  # other students with whom each word of an answer is compared
_MOST_SHOWN: Final = 3  # passages of one student
_LONGEST: Final = 160  # characters of a passage that are quoted
_WORD: Final = re.compile(r"[^\W_]+")
_BASE: Final = np.uint64(0x9E3779B97F4A7C15)
_Numbers = NDArray[np.uint64]
_Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Passage:
    """Words that a student shares with another one. `quoted`: their beginning, as the student wrote them."""

    other: str
    words: int
    quoted: str


class _Words(NamedTuple):
    """The words of a text: a number for each, whether it counts, and where it begins and ends."""

    numbers: _Numbers
    counting: Mask
    spans: NDArray[np.int32]  # [N, 2]


def shared(texts: Mapping[str, str], class_size: int, known: Iterable[str] = ()) -> dict[str, tuple[Passage, ...]]:
    """Return for each student the longest passages that the answer shares with others'.

    texts: the answers to one question by student.
    class_size: the number of students in the class.
    known: texts that students may quote, such as the question.
    """
    students = sorted(texts)
    numbers: dict[str, int] = {}
    words = [_words(texts[student], numbers) for student in students]
    common = _common([each.numbers for each in words], class_size, _SHORT)
    given = [_rows(_words(text, numbers).numbers, _SHORT) for text in known]
    common = np.unique(np.concatenate([common, *given]))
    own = [each.counting & ~_covered(each.numbers, common) for each in words]
    found: dict[str, list[Passage]] = {}
    for first, at, second, other_at, length in _runs([each.numbers for each in words], class_size):
        inside = own[first][at : at + length]
        different = np.unique(words[first].numbers[at : at + length][inside])
        if inside.sum() < LEAST or len(different) < _LEAST_DIFFERENT:
            continue
        for student, other, place in ((first, second, at), (second, first, other_at)):
            spans = words[student].spans
            quoted = texts[students[student]][spans[place][0] : spans[place + length - 1][1]]
            passage = Passage(students[other], length, _shortened(quoted))
            found.setdefault(students[student], []).append(passage)
    return {student: _longest(passages) for student, passages in found.items()}


def common_from(class_size: int) -> int:
    """Return how many students of a class make a passage that they share a common one."""
    if class_size <= 25:
        return min(_LEAST_COMMON, max(class_size, 3))
    return class_size // 5 + 1


def _words(text: str, numbers: dict[str, int]) -> _Words:
    """Return the words of a text. `numbers`: of the words that were seen before, to which new ones are added."""
    matches = list(_WORD.finditer(text))
    folded = [match[0].casefold() for match in matches]
    for word in folded:
        if word not in numbers:
            numbers[word] = _number(word)
    return _Words(
        np.fromiter((numbers[word] for word in folded), np.uint64, len(folded)),
        np.fromiter((len(word) > 1 and word.isalpha() for word in folded), np.bool_, len(folded)),
        np.asarray([match.span() for match in matches], np.int32).reshape(-1, 2),
    )


def _number(word: str) -> int:
    digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _rows(numbers: _Numbers, length: int) -> _Numbers:
    """Return a hash of each row of so many words that follow each other."""
    count = len(numbers) - length + 1
    if count <= 0:
        return np.empty(0, np.uint64)
    found = np.zeros(count, np.uint64)
    for place in range(length):
        found = found * _BASE + numbers[place : place + count]
    return found


def _common(texts: Sequence[_Numbers], class_size: int, length: int) -> _Numbers:
    """Return the rows of so many words that much of the class has."""
    each = [np.unique(_rows(numbers, length)) for numbers in texts]
    rows, counts = np.unique(np.concatenate([*each, np.empty(0, np.uint64)]), return_counts=True)
    return rows[counts >= common_from(class_size)]


def _covered(numbers: _Numbers, common: _Numbers) -> Mask:
    """Return for each word whether it belongs to a common row."""
    inside = np.isin(_rows(numbers, _SHORT), common)
    covered = np.zeros(len(numbers), np.bool_)
    for place in range(_SHORT if len(inside) else 0):
        covered[place : place + len(inside)] |= inside
    return covered


def _runs(texts: Sequence[_Numbers], class_size: int) -> Iterable[tuple[int, int, int, int, int]]:
    """Yield equal runs of at least LEAST words that are not common, from two texts each.

    A run is told by the number of the first text, its place there, both for the second text, and its length.
    """
    rows = [_rows(numbers, LEAST) for numbers in texts]
    common = _common(texts, class_size, LEAST)
    kept = [np.flatnonzero(~np.isin(each, common)) for each in rows]
    if not sum(map(len, kept)):
        return
    hashes = np.concatenate([each[at] for each, at in zip(rows, kept, strict=True)])
    owners = np.repeat(np.arange(len(rows)), [len(at) for at in kept])
    places = np.concatenate(kept)
    order = np.lexsort((places, owners, hashes))
    hashes, owners, places = hashes[order], owners[order], places[order]
    first_of_owner = np.ones(len(hashes), np.bool_)
    first_of_owner[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    hashes, owners, places = hashes[first_of_owner], owners[first_of_owner], places[first_of_owner]
    pairs: list[_Places] = []
    for beside in range(1, _MOST_BESIDE + 1):
        same = np.flatnonzero(hashes[beside:] == hashes[:-beside])
        pairs.append(np.stack([owners[same], owners[same + beside], places[same], places[same + beside]]))
    one, two, at, other = np.concatenate(pairs, axis=1)
    order = np.lexsort((at, at - other, two, one))
    one, two, at, other = one[order], two[order], at[order], other[order]
    breaks = np.ones(len(one), np.bool_)
    breaks[1:] = (np.diff(one) != 0) | (np.diff(two) != 0) | (np.diff(at) != 1) | (np.diff(other) != 1)
    begins = np.flatnonzero(breaks)
    lengths = np.diff(np.append(begins, len(one))) + LEAST - 1
    for begin, length in zip(begins.tolist(), lengths.tolist(), strict=True):
        yield int(one[begin]), int(at[begin]), int(two[begin]), int(other[begin]), length


def _longest(passages: Sequence[Passage]) -> tuple[Passage, ...]:
    """Return the longest passage with each of the students with whom the longest ones are shared."""
    best: dict[str, Passage] = {}
    for passage in sorted(passages, key=lambda each: (-each.words, each.other)):
        best.setdefault(passage.other, passage)
    return tuple(best.values())[:_MOST_SHOWN]


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
