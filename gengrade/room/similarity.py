"""Compare the answers to a question: which are near to each other, and an order in which such answers come together.

An answer is the set of its words and pairs of words, each weighted by how few other answers hold it (TF-IDF). Two
answers are as similar as the cosine of the angle between their weights: 0 without a common word, 1 for equal words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from sklearn.feature_extraction.text import TfidfVectorizer

from gengrade.arrays import Array32, Floats

NEAR: Final = 0.35  # answers of this similarity, or more, are shown as near
_FEWEST: Final = 8  # words of a text that can be near to others: the heading above a scan is no answer
_MOST_NEAR: Final = 40  # answers that are kept as near to one
_MOST_TERMS: Final = 60_000  # words and pairs of words that are told apart
_WORD: Final = r"(?u)[^\W_]+"


@dataclass(frozen=True, slots=True)
class Near:
    """Another student whose answer is near, and how similar it is, from 0 to 1."""

    student: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Similarity:
    """The answers of a class to one question.

    order: the students with a text, similar answers next to each other; it is the same for the same texts.
    near: for each student, others whose answers are near, the nearest first.
    """

    order: tuple[str, ...]
    near: Mapping[str, tuple[Near, ...]]


def compare(texts: Mapping[str, str]) -> Similarity:
    """Compare the texts of some students' answers."""
    students = sorted(texts)
    if len(students) < 2:
        return Similarity(tuple(students), {})
    similar = _cosines([texts[student] for student in students])
    order = tuple(students[place] for place in _leaves(similar))
    long = np.array([len(re.findall(_WORD, texts[student])) >= _FEWEST for student in students])
    return Similarity(order, _near(students, np.where(long[:, None] & long, similar, 0.0)))


def _cosines(texts: list[str]) -> Array32:
    """Return the similarity of each pair of texts, [N, N]."""
    weigh = TfidfVectorizer(
        token_pattern=_WORD, ngram_range=(1, 2), sublinear_tf=True, max_features=_MOST_TERMS, dtype=np.float32
    )
    try:
        weights = weigh.fit_transform(texts)
    except ValueError:  # no text holds a word
        return np.zeros((len(texts), len(texts)), np.float32)
    found: Array32 = np.clip((weights @ weights.T).toarray(), 0.0, 1.0)
    return found


def _leaves(similar: Array32) -> list[int]:
    """Return an order in which similar texts are next to each other: the leaves of a tree of clusters."""
    apart = 1.0 - similar.astype(np.float64)
    apart = (apart + apart.T) / 2
    np.fill_diagonal(apart, 0.0)
    tree = linkage(squareform(apart, checks=False), "average", optimal_ordering=len(similar) <= 1_000)
    return [int(place) for place in leaves_list(tree)]


def _near(students: list[str], similar: Floats) -> dict[str, tuple[Near, ...]]:
    """Return for each student the nearest others by the similarity of each pair [N, N]."""
    found = {}
    for place, student in enumerate(students):
        row = similar[place].copy()
        row[place] = 0.0
        nearest = np.argsort(-row, kind="stable")[:_MOST_NEAR]
        near = tuple(Near(students[each], round(float(row[each]), 3)) for each in nearest if row[each] >= NEAR)
        if near:
            found[student] = near
    return found
