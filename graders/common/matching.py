"""Finds out which images of a batch a network was shown, although students may change images on the way.

An image is recognised by the correlation of its pixels, which scaling, shifting the brightness, binarising and moderate
noise leave high. Augmentation may also flip, turn or shift images. An image that cannot be recognised may still come
from the batch, so a check that fails it needs another reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gengrade.grading import expect
from graders.common.distances import correlations, standardised

Array = NDArray[np.float64]
Again = Callable[[NDArray[np.float32]], NDArray[np.floating]]

LIKE: Final = 0.35  # least correlation with an image; noise may be 2.6 times as large as the image's own spread
MOVED: Final = 0.5  # the same after a flip, turn or shift, of which there are many, so that chance reaches more
FAR: Final = 4  # most pixels by which augmentation shifts an image
EXACT: Final = 0.99  # least correlation of images that were not changed at all, or only scaled
MOST: Final = 0.75  # least share of a batch to be found if its images were changed, since some then resemble others
ALL: Final = 0.9  # least share of a network's inputs that must come from the loader
SAME: Final = 1e-5  # largest difference of pixels at which two inputs count as equal


def likeness(rows: NDArray[np.floating], images: NDArray[np.floating], signed: bool = True) -> tuple[Array, Array]:
    """Returns the correlation of each row [R, d] with each of the images [n, d], as it is and after the best move.

    Args:
        rows: what a network was shown.
        images: the images that it should have been shown. They are moved only if d is a square.
        signed: whether negatives of an image count as different from it.
    """
    plain = correlations(rows, images)
    plain = plain if signed else np.abs(plain)
    moved = plain.copy()
    unsure = plain.max(axis=1, initial=0.0) < EXACT
    if unsure.any():
        left = standardised(rows[unsure]).astype(np.float32)
        best = np.zeros((len(left), len(images)), dtype=np.float32)
        for each in _moves(standardised(images).astype(np.float32)):  # moving pixels keeps their mean and length
            found = left @ each.T
            np.maximum(best, found if signed else np.abs(found), out=best)
        moved[unsure] = np.maximum(plain[unsure], best)
    return plain, moved


def resembling(rows: NDArray[np.floating], images: NDArray[np.floating], signed: bool = True) -> NDArray[np.bool_]:
    """Returns which rows [R, d] come from one of the images [n, d]."""
    if not len(images):
        return np.zeros(len(rows), dtype=np.bool_)
    plain, moved = likeness(rows, images, signed)
    found: NDArray[np.bool_] = (plain.max(axis=1) >= LIKE) | (moved.max(axis=1) >= MOVED)
    return found


def met(rows: NDArray[np.floating], images: NDArray[np.floating], signed: bool = True) -> int:
    """Returns how many of the images [n, d] are, for some row [R, d], the one that it is most like."""
    if not len(rows):
        return 0
    pairs = zip(likeness(rows, images, signed), (LIKE, MOVED), strict=True)
    return max(len(np.unique(found.argmax(axis=1)[found.max(axis=1) >= least])) for found, least in pairs)


def least_met(rows: NDArray[np.floating], images: NDArray[np.floating], signed: bool = True) -> float:
    """Returns how many of the images [n, d] the rows [R, d] should come from: all, or most if they were changed."""
    found = correlations(rows, images) if len(rows) else np.ones((1, 1))
    found = found if signed else np.abs(found)
    return len(images) if float(np.median(found.max(axis=1))) >= EXACT else MOST * len(images)


def expect_shown(
    rows: NDArray[np.floating],
    images: NDArray[np.float32],
    again: Again,
    *,
    whom: str = "the model",
    source: str = "the loader",
) -> None:
    """Fails a loop or a model that shows a network other images than it should, or not all of them.

    Args:
        rows: [R, d], what the network was shown, in any order and also as negatives.
        images: [N, ...], what it should have been shown.
        again: returns the rows of a run with other images and the same random numbers. Rows that are the same then do
            not come from the images; all others may, by a change of which nothing is known here.
        whom, source: what the messages call the network, and where the images come from.
    """
    flat = images.reshape(len(images), -1)
    found = resembling(rows, flat, signed=False)
    if np.mean(found) < ALL if len(rows) else False:
        other = again(np.ascontiguousarray(1 - images[::-1]))
        same = other.shape == rows.shape and np.abs(other - rows).max(axis=1) <= SAME
        strangers = int(np.sum(~found & same))
        expect(
            strangers <= (1 - ALL) * len(rows),
            f"{whom} is given other images than those of {source}",
            expected=f"{len(rows)} images of {source}",
            got=f"{strangers} images that do not depend on {source}",
        )
        return
    count = met(rows, flat, signed=False)
    expect(
        count >= least_met(rows, flat, signed=False),
        f"{whom} is not given all images of {source}",
        expected=f"{len(images)} different images",
        got=f"{count} different images",
    )


def _moves(images: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Yields the images [n, d] flipped and shifted, and turned by quarters, if they are square; else nothing."""
    side = round(images.shape[1] ** 0.5)
    if side * side != images.shape[1]:
        return
    square = images.reshape(-1, side, side)
    shifts = [(down, right) for down in range(-FAR, FAR + 1) for right in range(-FAR, FAR + 1)]
    for flipped in (square, square[:, ::-1], square[:, :, ::-1], square[:, ::-1, ::-1]):
        for shift in shifts:
            yield np.roll(flipped, shift, axis=(1, 2)).reshape(images.shape)
    for quarters in (1, 3):
        turned = np.rot90(square, quarters, axes=(1, 2))
        yield turned.reshape(images.shape)
        yield turned[:, ::-1].reshape(images.shape)
