"""Symptoms of mistakes in conditional GANs that do not depend on sizes and weights, such as an ignored input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gengrade.arrays import Array, Integers
from gengrade.grading import Evidence, Mismatch, UpTo
from gengrade.grading.symptoms import Inputs, Numbers, Symptoms, symptoms_of
from graders.cgan.labels import MOST_INPUTS, is_one_hot, split, told
from graders.cgan.outputs import ROUNDING, are_same, distinct, spread
from graders.common.latents import is_mixed, trace
from graders.probing.sizes import CLASSES, MOST_IMAGES, PIXELS

MOST_PIXELS = 1 << 16  # most pixels of an image of another size than MNIST's
LEAST = 1e-5  # smallest change that counts, as a share of the range of the outputs
TINY = 1e-7
ALIKE = 1e-5  # outputs that differ by less than this share of the largest one count as equal
REACH, FAR = 1.5, 3.0  # a pixel beyond REACH is out of its range; pixels are clipped to ±FAR


@symptoms_of("cgan:generator")
def generator(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the shape, number and range of different images, whether they are random, and which inputs change them."""
    shape = (len(inputs["noise"]), UpTo(MOST_PIXELS))
    images, far = got.tensor("images", shape=shape), got.tensor("far", shape=shape)
    ends = np.clip([far.min(), far.max()], -FAR, FAR)
    return {
        **_network(got, images, got.tensor("again"), "noise"),
        "different": (float(distinct(images, ALIKE * float(np.abs(images).max()))), 0.0),
        "row": (float(images.shape[1]), 0.0),
        "out of range": (ends if np.abs(ends).max() > REACH else np.zeros(2), 0.3),
    }


@symptoms_of("cgan:discriminator")
def discriminator(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return how many labels and images get different scores, if these are random, and what changes them."""
    images = inputs["images"]
    scores = got.tensor("scores", shape=(len(images),))[:, None]
    numbers = _network(got, scores, got.tensor("again", shape=(len(images),))[:, None], "image")
    shown = len(np.unique(images, axis=0))
    if len(images) % shown == 0:
        table = scores.reshape(shown, -1)
        least = ALIKE * float(np.ptp(table))
        numbers["images apart"] = (float(distinct(table, least) == shown), 0.0)
        numbers["labels apart"] = (float(distinct(table.T, least)), 0.0)
    return {**numbers, "without gradient by images": (float(not got.flag("by_given")), 0.0)}


def _network(got: Evidence, outputs: Array, again: Array, first_input: str) -> Numbers:
    random = not are_same(again, outputs, outputs)
    numbers: Numbers = {
        "all alike": (float(spread(outputs) <= max(ALIKE * float(np.abs(outputs).max()), ROUNDING)), 0.0),
        "hidden layers": (float(got.integer("unregistered") > 0), 0.0),
        "random": (float(random), 0.0),
        "without gradient": (float(not got.flag("by_parameters")), 0.0),
        "idle layers": (float(got.text("idle") != ""), 0.0),
    }
    if not random:
        for name in (first_input, "label"):
            numbers |= _moved(name, got.tensor(f"{name}_moves", shape=(3, len(outputs))), spread(outputs))
    return numbers


def _moved(name: str, moves: Array, scale: float) -> Numbers:
    """Return how far another input moves a row's output, the share of others that move, and how far they do."""
    own = moves[np.arange(3), [0, moves.shape[1] // 3, -1]]
    least = max(LEAST * scale, TINY)
    others = (moves.sum(axis=1) - own) / max(moves.shape[1] - 1, 1)
    share = ((moves > least).sum(axis=1) - (own > least)) / max(moves.shape[1] - 1, 1)
    far = np.log10(np.maximum(others, least) / np.maximum(own, least))
    return {
        f"{name} moves its own": ((own > least).astype(np.float64), 0.0),
        f"{name} moves others": (share, 0.1),
        f"{name} moves others by": (np.where(share > 0.5, far, 0.0), 0.3),
    }


@symptoms_of("cgan:noise_size")
def noise_size(inputs: Inputs, got: Evidence) -> Symptoms:
    """There are no symptoms, since any size is right."""
    return {}


@symptoms_of("cgan:generator_input")
def generator_input(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return what the columns of the input contain besides the noise, and whether the noise is unchanged."""
    noise, labels = inputs["noise"].astype(np.float64), inputs["labels"]
    shape = got.shape("rows")
    rows = got.tensor("rows").reshape(len(noise), -1)
    numbers: Numbers = {
        "rows": (float(shape[0] if shape else 0), 0.0),
        "columns beside the noise": (float(rows.shape[1] - noise.shape[1]), 0.0),
    }
    found = split(rows) if rows.shape[1] > CLASSES else None
    if found is not None:
        kept, digits = found
        same = kept.shape == noise.shape and bool(np.allclose(kept, noise, atol=1e-5))
        silent = np.abs(kept).max(axis=1, initial=0.0) < 1e-6
        return {
            **numbers,
            "digits": (digits - labels.astype(np.float64), 0.0),
            "noise kept": (float(same), 0.0),
            "rows without noise": (silent.astype(np.float64), 0.0),
            "kinds of noise": (float(len(np.unique(np.round(kept, 6), axis=0))), 0.0),
        }
    parts = [rows[:, start : start + noise.shape[1]] for start in (0, CLASSES)]
    where = [part.shape == noise.shape and bool(np.allclose(part, noise, atol=1e-5)) for part in parts]
    rest = rows[:, noise.shape[1] :] if where[0] else rows[:, : -noise.shape[1]]
    numbers["noise kept"] = (float(any(where)), 0.0)
    if any(where) and rest.shape[1] <= 2 * CLASSES:
        numbers["beside it"] = (rest, 1e-3)
    elif rows.shape[1] == noise.shape[1]:
        with np.errstate(invalid="ignore", divide="ignore"):
            numbers["added"] = (np.median(rows - noise, axis=1), 0.05)
    return numbers


@symptoms_of("cgan:generate")
def generate(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the labels and the rows of noise that the generator was given in each call, and the returned images."""
    answers = got.list("answers")
    size = _noise_size(answers)
    numbers: Numbers = {"answers": (float(len(answers)), 0.0)}
    noises = []
    for index, (digit, each) in enumerate(zip(inputs["digits"], answers, strict=True)):
        rows = [part.tensor(shape=(UpTo(MOST_IMAGES), UpTo(MOST_INPUTS))) for part in each.list("inputs")]
        try:
            noise, labels = told(each, size, int(digit))
        except Mismatch:
            hot = any(is_one_hot(part[:, -CLASSES:]) for part in rows if part.shape[1] >= CLASSES)
            numbers[f"call {index}: no label"] = (float(hot), 0.0)
            continue
        noises.append(noise)
        numbers |= {
            f"call {index}: rows": (float(len(noise)), 0.0),
            f"call {index}: kinds of noise": (float(len(np.unique(np.round(noise, 6), axis=0))), 0.0),
            f"call {index}: zero": (float(np.abs(noise).max(initial=0.0) < 1e-5), 0.0),
            f"call {index}: labels off": (_off(labels, digit), 0.0),
            **_returned(each, index),
        }
    if len(noises) > 1:
        first, last = noises[0], noises[-1]
        alike = first.shape == last.shape and bool(np.allclose(first, last, atol=1e-5))
        numbers["the same again"] = (float(alike), 0.0)
    return numbers


def _noise_size(answers: Sequence[Evidence]) -> int:
    """Return the number of noise values that a generator is given besides a label, in the first call with any input."""
    widths = [[part.shape()[1] for part in each.list("inputs")] for each in answers]
    first = next((each for each in widths if each), [CLASSES])
    if len(first) == 1:
        return first[0] - CLASSES
    return next((width for width in first if width not in (1, CLASSES)), first[0])


def _off(labels: Integers, digit: int) -> Array:
    """Return the offset of labels modulo ten if all have the same; −2 if each digit occurs once; else −1."""
    off = np.unique((labels - digit) % CLASSES)
    if len(off) == CLASSES == len(labels):
        return np.array([-2.0])
    return np.array([float(off[0]) if len(off) == 1 else -1.0])


def _returned(each: Evidence, index: int) -> Numbers:
    if each["images"].is_none():
        return {f"call {index}: returned": (0.0, 0.0)}
    images, decoded = (each.tensor(name, shape=(UpTo(MOST_IMAGES), PIXELS)) for name in ("images", "decoded"))
    found = [
        trace(pixels, decoded, np.arange(len(decoded), dtype=np.float64)[:, None])
        for pixels in (images, 2 * images - 1)
    ]
    places = next((one for one in found if one is not None), None)
    mixed = places is None and len(images) > 2 and len(decoded) > 0 and is_mixed(images[None], decoded)
    return {
        f"call {index}: images": (float(len(images)), 0.0),
        f"call {index}: different images": (-1.0 if places is None else float(len(np.unique(places))), 0.0),
        f"call {index}: mixed": (float(mixed), 0.0),
    }
