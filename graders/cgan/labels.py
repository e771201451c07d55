"""What a generator is given for a digit: noise and a label, which may be one-hot or a number, on either side."""

from __future__ import annotations

from typing import Final

import numpy as np

from gengrade.arrays import Array, Array32, Integers
from gengrade.grading import Evidence, UpTo, expect, fail
from graders.probing.sizes import CLASSES, MOST_IMAGES

MOST_INPUTS: Final = 32_768  # most numbers in an argument of a generator, such as a label that is spread over an image
INJECTED: Final = 1e-5  # tolerance on numbers that should be passed on unchanged


def told(got: Evidence, size: int, digit: int) -> tuple[Array, Integers]:
    """Return the noise [R, size] and the labels [R] that a generator got in a call for a digit, in any usual form.

    Raises Mismatch if it was not called, or not given noise and labels.
    """
    inputs = [each.tensor(shape=(UpTo(MOST_IMAGES), UpTo(MOST_INPUTS))) for each in got.list("inputs")]
    expect(len(inputs) > 0 and len(inputs[0]) > 0, "the generator is never called")
    for rows in inputs:
        if rows.shape[1] == size + CLASSES:
            found = split(rows)
            expect(found is not None, "there is no one-hot label in the generator's input")
            assert found is not None
            return found
        if rows.shape[1] == size + 1:  # `cgan.input` judges a label that is a number
            return numbered(rows, digit)
    noise = next((rows for rows in inputs if rows.shape[1] == size), None)
    labels = next((rows for rows in inputs if rows is not noise and rows.shape[1] in (1, CLASSES)), None)
    if noise is None or labels is None:
        fail(
            "the generator is not given noise and a label",
            expected=f"{size} numbers of noise and a label for each image",
            got=f"arguments with {', '.join(str(rows.shape[1]) for rows in inputs)} numbers for each image",
        )
    if labels.shape[1] == CLASSES:
        expect(is_one_hot(labels), "the label that the generator is given is not one-hot")
        return noise, labels.argmax(axis=1)
    return noise, np.round(labels[:, 0]).astype(np.int64)


def one_hot(labels: Integers) -> Array32:
    """Return one-hot rows [..., 10] of labels [...]."""
    return np.eye(CLASSES, dtype=np.float32)[labels]


def split(rows: Array) -> tuple[Array, Integers] | None:
    """Return the noise [R, d] and the labels [R] in rows [R, d + 10], if a one-hot vector is after or before it.

    Else None.
    """
    for noise, hot in ((rows[:, :-CLASSES], rows[:, -CLASSES:]), (rows[:, CLASSES:], rows[:, :CLASSES])):
        if is_one_hot(hot):
            return noise, hot.argmax(axis=1)
    return None


def numbered(rows: Array, asked: int) -> tuple[Array, Integers]:
    """Return the noise [R, d] and the labels [R] in rows [R, d + 1] for a digit.

    Raises Mismatch if the labels are no digits.

    A label may be divided by 9 or by 10, as to lie between 0 and 1: then 1 may also stand for 9, so the digits count
    that give the digit that was asked for.
    """
    found = []
    for noise, label in ((rows[:, :-1], rows[:, -1]), (rows[:, 1:], rows[:, 0])):
        for scale in (1, CLASSES - 1, CLASSES):
            digits = np.round(scale * np.clip(label, -1, CLASSES))
            if np.isin(digits, np.arange(CLASSES)).all() and np.allclose(digits, scale * label, atol=INJECTED):
                found.append((noise, digits.astype(np.int64)))
    expect(len(found) > 0, "there is no label in the generator's input, neither after the noise nor before it")
    return next((each for each in found if (each[1] == asked).all()), found[0])


def is_one_hot(rows: Array) -> bool:
    """Return whether each row has a single 1 and else 0."""
    return bool(np.isin(rows, (0.0, 1.0)).all() and (rows.sum(axis=1) == 1).all())
