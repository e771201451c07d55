"""Finds out which images of a batch a network was shown, although students may change images on the way.

An image is recognised by the correlation of its pixels, which scaling, shifting the brightness, binarising and moderate
noise leave high. Augmentation may also flip, turn or shift images. An image that cannot be recognised may still come
from the batch, so a check that fails it needs another reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from gengrade.arrays import Array, Array32, Floats, Mask
from gengrade.grading import Evidence, UpTo, expect
from graders.common.distances import correlations, standardised

Again = Callable[[Array32], Evidence]

LIKE: Final = 0.35  # least correlation with an image; noise may be 2.6 times as large as the image's own spread
MOVED: Final = 0.5  # the same after a flip, turn or shift, of which there are many, so that chance reaches more
FAR: Final = 4  # most pixels by which augmentation shifts an image
EXACT: Final = 0.99  # least correlation of images that were not changed at all, or only scaled
MOST: Final = 0.75  # least share of a batch to be found if its images were changed, since some then resemble others
ALL: Final = 0.9  # least share of a network's inputs that must come from the loader
MOST_SHOWN: Final = 4_096  # most images that are read of those which a network is shown
LEAST_SHOWN: Final = 0.5  # least share of a loader's images for a discriminator, which some loops train in few batches
SAME: Final = 1e-5  # largest difference of pixels at which two inputs count as equal


@dataclass(frozen=True, slots=True)
class Likeness:
    """The correlations [R, n] of R rows that a network was shown with the n images that it should have been shown.

    Attributes:
        plain: of the images as they are.
        moved: after the best flip, turn or shift; for rows that resemble an image as it is, the same as `plain`.
    """

    plain: Array
    moved: Array

    @classmethod
    def of(cls, rows: Floats, images: Floats, signed: bool = True) -> Likeness:
        """Compare rows [R, d] with images [n, d], which are moved only if d is a square.

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
        return cls(plain, moved)

    @property
    def resembling(self) -> Mask:
        """Which rows [R] come from one of the images."""
        found: Mask = (_best(self.plain) >= LIKE) | (_best(self.moved) >= MOVED)
        return found

    @property
    def met(self) -> int:
        """How many of the images are, for some row, the one that it is most like."""
        if not self.plain.size:
            return 0
        pairs = ((self.plain, LIKE), (self.moved, MOVED))
        return max(len(np.unique(found.argmax(axis=1)[_best(found) >= least])) for found, least in pairs)

    @property
    def least_met(self) -> float:
        """How many of the images the rows should come from: all, or most if they were changed."""
        count: int = self.plain.shape[1]
        unchanged = not len(self.plain) or float(np.median(_best(self.plain))) >= EXACT
        return float(count) if unchanged else MOST * count


def expect_encoded(got: Evidence, images: Array32, again: Again) -> None:
    """Fail a pass of a VAE that gives its encoder other images than those of the batch, or not all of them.

    Args:
        got: the evidence of the pass; `shown` [R, d] are the encoder's inputs, none if its `forward` is not called.
        images: [B, ...], the batch.
        again: repeats the pass with other images, and returns its evidence.
    """

    def shown(found: Evidence) -> Array:
        return found.tensor("shown", shape=(UpTo(MOST_SHOWN), math.prod(images.shape[1:])))

    if len(shown(got)):
        expect_shown(shown, got, images, again, whom="the encoder", source="the batch")


def expect_shown(
    shown: Callable[[Evidence], Floats],
    got: Evidence,
    images: Array32,
    again: Again,
    *,
    whom: str = "the model",
    source: str = "the loader",
) -> None:
    """Fail a loop or a model that shows a network other images than it should, or not all of them.

    Args:
        shown: returns from evidence what the network was shown, [R, d], in any order and also as negatives.
        got: the evidence of the run.
        images: [N, ...], what it should have been shown.
        again: returns the evidence of a run with other images and the same random numbers. Rows that are the same then
            do not come from the images; all others may, by a change of which nothing is known here.
        whom, source: what the messages call the network, and where the images come from.
    """
    rows = shown(got)
    likeness = Likeness.of(rows, images.reshape(len(images), -1), signed=False)
    found = likeness.resembling
    if len(rows) and np.mean(found) < ALL:
        other = shown(again(np.ascontiguousarray(1 - images[::-1])))
        same = other.shape == rows.shape and np.abs(other - rows).max(axis=1) <= SAME
        others = int(np.sum(~found & same))
        expect(
            others <= (1 - ALL) * len(rows),
            f"{whom} is given other images than those of {source}",
            expected=f"{len(rows)} images of {source}",
            got=f"{others} images that do not depend on {source}",
        )
        return
    expect(
        likeness.met >= likeness.least_met,
        f"{whom} is not given all images of {source}",
        expected=f"{len(images)} different images",
        got=f"{likeness.met} different images",
    )


def expect_loader_shown(
    got: Evidence, images: Floats, step_is_wrong: Callable[[], bool], *, early: str, other: str
) -> None:
    """Fail a loop of a GAN that does not read all batches, or shows the discriminator too few of their images.

    Args:
        got: the evidence of the loop: `rows` [R, d], what the discriminator was shown, and `read`, how many images were
            read from the data set.
        images: [N, d], the images of the loader.
        step_is_wrong: whether the step for a single batch does not show all of its images either, or cannot be judged;
            then the mistake is in that step.
        early, other: the messages about a loop that ends too early, and about other images.
    """
    rows = got.tensor("rows", shape=(UpTo(MOST_SHOWN), images.shape[1]))
    count, read = Likeness.of(rows, images).met, got.integer("read")
    expect(
        not 0 < read < len(images) or count >= MOST * len(images),
        early,
        expected=f"{len(images)} images that are read from the data set",
        got=f"{read} images",
    )
    if count < LEAST_SHOWN * len(images):
        expect(step_is_wrong(), other, expected=f"{len(images)} images", got=f"{count} of them")


def _best(correlations: Array) -> Array:
    found: Array = correlations.max(axis=1, initial=0.0)
    return found


def _moves(images: Array32) -> Iterator[Array32]:
    """Yield the images [n, d] flipped and shifted, and turned by quarters, if they are square; else nothing."""
    side = round(images.shape[1] ** 0.5)
    if side * side != images.shape[1]:
        return
    square = images.reshape(len(images), side, side)
    shifts = [(down, right) for down in range(-FAR, FAR + 1) for right in range(-FAR, FAR + 1)]
    for flipped in (square, square[:, ::-1], square[:, :, ::-1], square[:, ::-1, ::-1]):
        for shift in shifts:
            yield np.roll(flipped, shift, axis=(1, 2)).reshape(images.shape)
    for quarters in (1, 3):
        turned = np.rot90(square, quarters, axes=(1, 2))
        yield turned.reshape(images.shape)
        yield turned[:, ::-1].reshape(images.shape)
