"""Checks of linear interpolations (walks) of ten images through the latent space of a GAN or a VAE.

Both ends of a walk are known here: the latents that a GAN's walk was given, or the encoder's outputs for the two
images. So the walk is compared with the points that it should visit, z₀ + k/9·(z₁ − z₀) for k = 0 … 9.

Left open by the assignment, and decided for the student:
- a walk may go in either direction;
- a function that only shows its images is judged by the latents that were decoded, in order, and one that returns
  latents for others to decode by these; if it neither decodes nor returns latents, a person judges it;
- returned images may be rescaled from [−1, 1] to [0, 1], or passed through a sigmoid;
- the representation of an image may be the encoder's mean, or a draw from its Gaussian, whatever the second output
  means (a standard deviation, a variance, or the logarithm of either): the assignment says no more than that the
  encoder makes it, and what the encoder of a VAE makes is q(z|x), of which a draw is a latent as much as the mean. The
  noise must be drawn at the two ends only, since the points between them are on a line.

Not left open: a walk along a great circle (spherical interpolation) fails. It keeps to the shell where a Gaussian's
draws lie, and is often preferred for that, but both problems ask for linear interpolation, so a student who was right
in that choice would still have done something else.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from gengrade.arrays import Array, Array32
from gengrade.data import DataSet
from gengrade.grading import Rng, Subject, UpTo, check, expect, fail, probes
from graders.common.latents import TOLERANCE, line_problem
from graders.common.statistics import GaussianFit, declare
from graders.interpolation.walks import LARGEST_CODE, ends_away, noises_of, representation, row_of, walk_of
from graders.probing.sizes import MOST_IMAGES, PIXELS

STEPS: Final = 10
MOST_LATENTS: Final = LARGEST_CODE  # numbers of latents that are given; a generator takes as many of them as it needs
WALKS: Final = 8  # walks that are judged if their ends are draws, each in a run of its own
DRAWN = declare("interpolation.vae", "(end − mean) / spread of 8 walks between draws", GaussianFit(2 * WALKS, 20))


@check("interpolation.gan")
def test_walk_of_a_gan(student: Subject, rng: Rng) -> None:
    """A GAN's interpolation has ten images on the straight line between two latents, both ends included."""
    start, end = rng.normal(1, MOST_LATENTS), rng.normal(1, MOST_LATENTS)
    got = student.run(probes.interpolation.gan, start=start, end=end, steps=STEPS)
    walk = walk_of(got, got.tensor("latents", shape=(UpTo(MOST_IMAGES), UpTo(LARGEST_CODE))), "the generator")
    size = walk.shape[1]
    expect(
        0 < size <= MOST_LATENTS,
        "the latents of the generator have too many or too few numbers to be judged",
        expected=f"1 to {MOST_LATENTS}",
        got=f"{size}",
    )
    first, last = (each[0, :size].astype(np.float64) for each in (start, end))
    judge_walk(walk, first, last, "z_start", "z_end")


@check("interpolation.vae")
def test_walk_of_a_vae(student: Subject, data: DataSet, rng: Rng) -> None:
    """A VAE's interpolation has ten images on the straight line between the encoder's codes of two images.

    Ends that are no codes may be draws around them; then their noise over several walks has to fit N(0, I).
    """
    walk, codes = walk_between_codes(student, data, rng)
    found = representation(walk, codes)
    if found is None:
        walks = [(walk, codes), *(walk_between_codes(student, data, rng) for _ in range(WALKS - 1))]
        expect_draws(walks)
        for walk, _ in walks:
            judge_walk(walk, walk[0], walk[-1], "the first image's code", "the second's")
    else:
        judge_walk(walk, *found, "the first image's code", "the second's")


def walk_between_codes(student: Subject, data: DataSet, rng: Rng) -> tuple[Array, list[Array]]:
    """Return a walk [K, d] between two images, and the encoder's outputs for these images, [2, …] each."""
    first, second = two_images(data, rng)
    got = student.run(probes.interpolation.vae, first=first, second=second, steps=STEPS)
    asked, codes = got.tensor("asked", shape=(UpTo(MOST_IMAGES), PIXELS)), got.list("codes")
    expect(len(asked) > 0, "the encoder is never called: z_start and z_end should be its codes of the two images")
    rows = [row_of(asked, image) for image in (first, second)]
    expect(None not in rows, "the encoder is given other images than the two that the function was given")
    parts = [code.tensor(shape=(len(asked), UpTo(LARGEST_CODE))) for code in codes]
    expect(len(parts) > 0, "the encoder returns no tensors")
    latents = got.tensor("latents", shape=(UpTo(MOST_IMAGES), UpTo(LARGEST_CODE)))
    walk = walk_of(got, latents, "the decoder")
    return walk, [part[[row for row in rows if row is not None]] for part in parts]


def judge_walk(walk: Array, start: Array, end: Array, start_name: str, end_name: str) -> None:
    """Fail unless a walk [K, d] goes in ten even steps from `start` [d] to `end` [d], or back.

    `start_name` and `end_name` are words for the messages.
    """
    expect(
        len(walk) == STEPS,
        f"the walk should have {STEPS} images, including those of {start_name} and {end_name}",
        expected=f"{STEPS} images",
        got=f"{len(walk)}",
    )
    expect(walk.shape[1] == len(start), "the decoded latents have another size than the two ends")
    away = min(ends_away(walk, start, end), ends_away(walk, end, start))
    problem = line_problem(walk[None], what="walk")
    if problem is None and away > TOLERANCE:
        problem = f"the walk does not begin at {start_name} and end at {end_name}"
    elif away > TOLERANCE and (np.ptp(walk, axis=0) < 1e-9).all():
        problem = "all images of the walk are the same"
    if problem is not None:
        got = f"the end points are off by {away:.3g} times the distance between them" if away > TOLERANCE else None
        fail(problem, expected=f"points at k/9 of the way from {start_name} to {end_name} for k = 0 … 9", got=got)


def expect_draws(walks: list[tuple[Array, list[Array]]]) -> None:
    """Fail unless the ends of walks are draws from the encoder's Gaussians, for one meaning of the spreads in all."""
    expect(len({walk.shape for walk, _ in walks}) == 1, "the walks between some images are longer than between others")
    noises = [np.concatenate(each) for each in zip(*(noises_of(*walk) for walk in walks), strict=False)]
    problems = [DRAWN.problem(noise) for noise in noises]
    if noises and None not in problems:
        nearest = min(range(len(noises)), key=lambda index: abs(np.log(np.sqrt(np.mean(noises[index] ** 2)) + 1e-9)))
        fail(
            "the walk's ends are neither the codes of the two images nor draws from the encoder's Gaussians, as "
            f"(end − mean) / std shows: {problems[nearest]}"
        )


def two_images(data: DataSet, rng: Rng) -> tuple[Array32, Array32]:
    """Return two random test images [1, 1, 28, 28] with pixels in [0, 1], of different digits."""
    order = rng.choice(len(data.test), len(data.test))
    first = order[0]
    second = next(index for index in order if data.test.labels[index] != data.test.labels[first])
    return tuple((data.test.images[[each]][:, None] / 255).astype(np.float32) for each in (first, second))  # type: ignore[return-value]
