"""Reconstruct a walk from what was decoded and returned, and find the codes at its two ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from scipy.special import expit

from gengrade.arrays import Array, Array32
from gengrade.grading import Evidence, UpTo, expect, fail
from graders.common.latents import TOLERANCE, is_mixed, trace
from graders.probing.sizes import MOST_IMAGES, PIXELS

LARGEST_CODE: Final = 16_384  # most numbers in a code, means and spreads together, flattened
LARGEST_DRAW: Final = 512  # most numbers in a code that is a draw
DRAWN_WITHIN: Final = 10.0  # standard deviations from the mean; an end that lies farther out is no draw
SAME_PICTURE: Final = 0.99  # least correlation between an image and the encoder's input, which may be a rescaled copy


def walk_of(got: Evidence, latents: Array, network: str) -> Array:
    """Return the latents [K, d] of the returned images, in order.

    If no images were returned, they are all decoded latents; if nothing was decoded, they are the returned latents.
    `latents` [K, d] is the evidence of that name, and `network` a word for the message. Raises Mismatch if a returned
    image does not belong to any decoded latent.
    """
    decoded = got.tensor("decoded", shape=(UpTo(MOST_IMAGES), PIXELS))
    if not len(decoded):
        expect(len(latents) > 0, "the interpolation returns no images and no latents")
        return latents
    expect(len(decoded) == len(latents), f"{network} does not return one image for each latent")
    if got["images"].is_none():
        return latents
    images = got.tensor("images", shape=(UpTo(MOST_IMAGES), PIXELS))
    scalings = (images, 2 * images - 1)
    for pixels, known in ((scalings[0], decoded), (scalings[1], decoded), (images, expit(decoded))):
        found = trace(pixels, known, latents)
        if found is not None:
            return found
    if len(images) > 2 and is_mixed(images[None], decoded):
        fail(
            "the images interpolate the pixels of the two end images: interpolate their latents, and decode each of "
            "them"
        )
    fail(f"some of the images are not those of {network}", expected="a decoded latent for every image")
    raise AssertionError


def ends_away(walk: Array, start: Array, end: Array) -> float:
    """Return the larger distance of a walk's ends [K, d] from `start` and `end` [d], relative to that between these."""
    scale = max(float(np.linalg.norm(end - start)), 1e-9)
    return float(max(np.linalg.norm(walk[0] - start), np.linalg.norm(walk[-1] - end))) / scale


def representation(walk: Array, codes: list[Array]) -> tuple[Array, Array] | None:
    """Return the points [d] at which a walk [K, d] should go, by the encoder's outputs [2, …] for two images.

    If the walk's own ends can be representations of the images, these are returned; else the means are. None if the
    ends may be draws. Raises Mismatch if no output has the right size, or the walk goes between spreads.
    """
    candidates = list(candidates_of(codes, walk.shape[1]))
    expect(len(candidates) > 0, "the decoded latents have another size than the encoder's outputs")
    for code in candidates:
        if min(ends_away(walk, *code), ends_away(walk, *code[::-1])) <= TOLERANCE:
            return code[0], code[1]
    if any(np.abs(noise).max() <= DRAWN_WITHIN for noise in noises_of(walk, codes)):
        return None
    if len(codes) > 1 and codes[-1].shape[1] == walk.shape[1]:
        spread = codes[-1]
        if min(ends_away(walk, *spread), ends_away(walk, *spread[::-1])) <= TOLERANCE:
            fail(
                "the walk goes between the encoder's last outputs, the spreads: the code of an image is its mean, or a "
                "draw around it"
            )
    return candidates[0][0], candidates[0][1]


def noises_of(walk: Array, codes: list[Array]) -> list[Array]:
    """Return the noise [2, d] of the ends if they are draws, for each meaning of the spreads and both directions."""
    ends = walk[[0, -1]]
    return [
        (turned - mean) / spread for mean, spread in drawn_from(codes, walk.shape[1]) for turned in (ends, ends[::-1])
    ]


def candidates_of(codes: list[Array], size: int) -> Iterator[Array]:
    """Yield the outputs [2, size] that can be a representation of two images.

    Of several outputs it is the first (or any of three); of a single one it is all of it, or its first half.
    """
    places = codes if len(codes) in (1, 3) else codes[:1]
    for code in places:
        if code.shape[1] == size:
            yield code
        if code.shape[1] == 2 * size:
            yield code[:, :size]


def drawn_from(codes: list[Array], size: int) -> Iterator[tuple[Array, Array]]:
    """Yield possible means and standard deviations [2, size] of an encoder's Gaussians, for any meaning of spread."""
    if len(codes) == 1 and codes[0].shape[1] == 2 * size:
        codes = [codes[0][:, :size], codes[0][:, size:]]
    if size > LARGEST_DRAW or len(codes) < 2 or not all(code.shape[1] == size for code in codes[-2:]):
        return
    mean, spread = codes[-2], np.clip(codes[-1], -30, 30)
    yield mean, np.exp(spread / 2)
    yield mean, np.exp(spread)
    if (spread > 0).all():
        yield mean, np.sqrt(spread)
        yield mean, spread


def row_of(asked: Array, image: Array32) -> int | None:
    """Return the index of the row [R, 784] that shows an image, up to scale and offset; None if there is none."""
    wanted = image.reshape(-1).astype(np.float64)
    wanted = (wanted - wanted.mean()) / max(float(wanted.std()), 1e-9)
    centred = asked - asked.mean(axis=1, keepdims=True)
    spread = np.maximum(centred.std(axis=1), 1e-9)
    alike = centred @ wanted / spread / len(wanted)
    best = int(alike.argmax())
    return best if alike[best] > SAME_PICTURE else None
