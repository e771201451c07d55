"""Measures which digits a conditional generator draws, and how diverse they are, with a classifier of ours.

If weights were handed in that fit the generator, the best of them are judged. Otherwise our own loop trains the
student's networks for a short time, about 20 s on one core. Only weights leave either. A fresh guest, which never sees
an image, generates images from noise and labels that the host drew, and the host's classifier says which digit each
image looks like.

- `cgan.digits`: the share of images that are classified as the digit that was asked for; by chance it is a tenth.
- `cgan.diversity`: the share of real images with a generated one in their neighbourhood (the coverage of Naeem et al.
  2020), within each digit and averaged over the digits. A single image of each digit covers almost nothing.

Weights do not tell whether noise or label comes first, nor the distribution of the noise. So the usual choices are
tried, and the best one counts. A generator that returns images of the data set is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gengrade.arrays import Array, Array32, Integers, Pixels
from gengrade.data import DataSet
from gengrade.grading import CheckKind, Evidence, Record, Rng, Show, Subject, check, probes
from graders.cgan.checks import noise_size
from graders.common.quality import coverage
from graders.common.samples import (
    TRAINING,
    Decode,
    Reader,
    as_pixels,
    decoded,
    near_by_chance,
    refuse_company,
    refuse_copies,
)
from graders.probing.sizes import CLASSES, PIXELS

BUDGET: Final[dict[str, Any]] = {"steps": 2500, "batch_size": 32, "rate": 1e-3}
OF_EACH: Final = 100  # generated images of each digit, and most real ones that they are compared with
USUAL_NOISE: Final = 1024  # numbers of noise that are drawn for an image, unless a generator takes more
MOST_FILES: Final = 6  # most sets of weights that are judged; those with the highest numbers are taken
SHOWN: Final = 10  # images of a digit in the report
COPIES = near_by_chance("cgan.digits")
INPUT_FORMS: Final[tuple[tuple[str, bool], ...]] = (
    ("normal", False),
    ("uniform", False),
    ("normal", True),
    ("uniform", True),
)


@check("cgan.digits", "cgan.diversity", kind=CheckKind.TRAIN)
def test_digits_on_demand(
    student: Subject, reference: Subject, data: DataSet, rng: Rng, record: Record, show: Show
) -> None:
    """Generated images of a digit are recognised as that digit, and are as diverse as real ones."""
    chosen = rng.choice(len(data.train), min(TRAINING, len(data.train)))
    images, labels = data.train.images[chosen].reshape(-1, PIXELS), data.train.labels[chosen].astype(np.int64)
    asked = np.repeat(np.arange(CLASSES), OF_EACH)
    reader = Reader.trained(reference, data)
    given = student.run(probes.cgan.handed_in)
    width = max(USUAL_NOISE, noise_size(student, again=True))
    noises = {"normal": rng.normal(len(asked), width), "uniform": rng.uniform(-1, 1, len(asked), width)}
    count = min(given.integer("count"), MOST_FILES)
    if count > 0:
        others = [student.again(probes.cgan.handed_in, index=index) for index in range(1, count)]
        candidates = [(each.text("file"), each.state("weights")) for each in (given, *others)]
        forms: tuple[tuple[str, bool], ...] = INPUT_FORMS
    else:
        candidates, forms = [("", _trained(student, images, labels, show).state("trained"))], INPUT_FORMS[:1]
    decode: dict[tuple[str, str, bool], Decode] = {
        (file, law, first): partial(_made, student, weights, noises[law], asked, first)
        for file, weights in candidates
        for law, first in forms
    }
    made = {key: decoded(each, len(asked), rng) for key, each in decode.items()}
    read = {key: reader.read(pixels) for key, pixels in made.items()}
    shares = {key: float(np.mean(classes == asked)) for key, (_, classes) in read.items()}
    best = max(shares, key=lambda key: shares[key])
    _show(show, made[best], _origin(best[0], count, given.text("problem")))
    refuse_copies(made[best], data, COPIES, rng)
    refuse_company(made[best], decode[best], rng)
    real = reader.features(images)
    record("cgan.digits", shares[best])
    record("cgan.diversity", _diversity(real, labels, read[best][0]))


def _origin(file: str, count: int, problem: str) -> str:
    """Return words for the student on where the judged weights came from."""
    if file:
        return f"the weights that you handed in, {file[:60]}" + (f", the best of {count} that fit" if count > 1 else "")
    trained = "a short training of your networks"
    return f"{trained}, since no weights fit them ({problem[:200]})" if problem else trained


def _trained(student: Subject, images: Pixels, labels: Integers, show: Show) -> Evidence:
    trained = student.run(probes.cgan.train, images=images, labels=labels, **BUDGET)
    steps = (BUDGET["steps"],)
    names = {"generator": "generator_losses", "discriminator": "discriminator_losses"}
    losses = {name: trained.tensor(field, shape=steps, finite=False) for name, field in names.items()}
    means = {name: values.reshape(-1, 25).mean(axis=1).tolist() for name, values in losses.items()}
    curves = {name: ([25 * (index + 0.5) for index in range(len(each))], each) for name, each in means.items()}
    show.curves("Losses of the short training", curves, xlabel="step", ylabel="loss", alt="the losses of both networks")
    return trained


def _made(
    student: Subject,
    weights: Mapping[str, NDArray[Any]],
    noise: Array32,
    asked: NDArray[Any],
    first: bool,
    places: NDArray[np.intp],
) -> Pixels:
    """Return the images uint8 [n, 28, 28] that a new guest generates with those weights for the pairs at `places`."""
    pairs = {"noise": noise[places], "labels": asked[places]}
    got = student.run(probes.cgan.decode, weights=weights, label_first=first, **pairs)
    return as_pixels(got.tensor("images", shape=(len(places), PIXELS)), lowest=-1 if got.flag("signed") else 0)


def _diversity(real: Array, labels: Integers, fake: Array) -> float:
    """Return the share of a digit's real features that are near a generated one, averaged over the digits."""
    by_digit = fake.reshape(CLASSES, OF_EACH, -1)
    return float(np.mean([coverage(real[labels == digit][:OF_EACH], by_digit[digit]) for digit in range(CLASSES)]))


def _show(show: Show, made: Pixels, origin: str) -> None:
    rows = made.reshape(CLASSES, OF_EACH, 28, 28)[:, :SHOWN].reshape(-1, 28, 28)
    show.images(
        f"Ten images of each digit, a row for each of 0 to 9: {origin}",
        rows / 255,
        columns=SHOWN,
        alt="a 10 by 10 grid of images from the conditional generator, one row for each digit from 0 to 9",
    )
