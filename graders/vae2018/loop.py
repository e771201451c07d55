"""Checks of the epoch loop of a VAE whose bound may have either sign, in training mode and in eval mode.

Left open by the hand-out, and decided for the student:
- the model may return the ELBO or the negative ELBO, and the loop an average of either sign, as long as each step makes
  −ELBO smaller;
- the average may weigh batches or images, and is one per image or of what forward returns (see `averages`);
- the gradient may be that of any positive multiple of the bound, also clipped.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gengrade.arrays import Array32, Floats
from gengrade.data import DataSet
from gengrade.grading import Evidence, Passed, Rng, Subject, check, expect, probes
from graders.common.batches import ALIGNED, SIZES
from graders.common.matching import expect_shown
from graders.probing.sizes import PIXELS
from graders.vae2018 import averages
from graders.vae2018.checks import has_sign

NOTHING = 1e-6  # cosines below this show that a gradient is zero


@check("vae2018.epoch", leaves_to=("vae2018.reconstruction",))
def test_training_epoch(student: Subject, data: DataSet, rng: Rng, passed: Passed) -> None:
    """A training epoch makes one step for each batch, which minimises −ELBO, and returns the average bound."""
    setting = averages.setting(rng)
    got = student.run(probes.vae2018.loop.epoch, training=True, **setting)
    _expect_passes(got)
    _expect_images(student, got, setting, training=True)
    own = [step.number() for step in got.list("own")]
    finite = all(np.isfinite(value.number(finite=False)) for value in got.list("returned"))

    def is_signed() -> bool:
        return passed("vae2018.reconstruction") or has_sign(student, data, rng)

    if own and max(own) < -ALIGNED and not (finite and is_signed()):
        own = [-cosine for cosine in own]  # each step minimises what the model returned; its sign cannot be told
    expect(
        len(own) == len(SIZES),
        "the loop should make one step of the optimiser for each batch, after backward()",
        expected=f"{len(SIZES)} steps",
        got=f"{len(own)} steps",
    )
    expect(
        max(map(abs, own)) > NOTHING,
        "the gradients are zero or absent when the optimiser makes its step: the order is zero_grad(), backward(), "
        "step()",
    )
    expect(
        max(own) > -ALIGNED,
        "a step makes the bound worse: the loss that you minimise has the wrong sign; minimise −ELBO",
        got=", ".join(f"{cosine:.3f}" for cosine in own),
    )
    expect(
        min(own) > ALIGNED,
        "a step does not follow the gradient of the bound of its own batch: clear the old gradients with "
        "optimizer.zero_grad() before backward()",
        expected="a cosine of 1 between the two gradients",
        got=", ".join(f"{cosine:.3f}" for cosine in own),
    )
    expect(
        not got.text("unmoved"),
        "a training epoch leaves some parameters unchanged",
        got=f"{got.text('unmoved')[:100]} did not change",
    )
    _expect_average(got, setting["bounds"])


@check("vae2018.epoch")
def test_evaluation_epoch(student: Subject, rng: Rng) -> None:
    """An epoch in eval mode changes nothing, and returns the average of the bounds."""
    setting = averages.setting(rng)
    got = student.run(probes.vae2018.loop.epoch, training=False, **setting)
    _expect_passes(got)
    _expect_images(student, got, setting, training=False)
    expect(
        got.integer("moved") == 0,
        "the model is also trained in eval mode, on validation data: make steps only while model.training is true",
        got=f"{got.integer('moved')} tensors changed",
    )
    _expect_average(got, setting["bounds"])


def _expect_passes(got: Evidence) -> None:
    sizes = [size.integer() for size in got.list("sizes")]
    expect(
        sizes == list(SIZES),
        "the loop should pass every batch of the data through the model once",
        expected=f"batches of {', '.join(map(str, SIZES))} images",
        got=f"batches of {', '.join(map(str, sizes[:8]))}" if sizes else "none",
    )


def _expect_images(student: Subject, got: Evidence, setting: dict[str, Any], training: bool) -> None:
    def shown(found: Evidence) -> Floats:
        return found.tensor("images", shape=(sum(SIZES), PIXELS))

    def again(images: Array32) -> Evidence:
        return student.again(probes.vae2018.loop.epoch, training=training, **{**setting, "images": images})

    expect_shown(shown, got, setting["images"], again)


def _expect_average(got: Evidence, bounds: Floats) -> None:
    expect(not got.is_none("average"), "epoch_iter should return the average bound of the epoch")
    value = abs(got.number("average"))
    images = float(np.average(bounds, weights=SIZES))
    right = averages.right_averages(bounds.astype(np.float64), np.array(SIZES, float), summed=averages.is_summed(got))
    if averages.is_near(value, right):
        return
    slips = {
        "it is their sum": float(bounds.sum()),
        "it is the bound of the last batch": float(bounds[-1]),
        "it is their sum divided by the number of images": float(bounds.sum()) / sum(SIZES),
        "it is divided by the number of pixels": images / PIXELS,
        "it is divided by the number of batches in every turn of the loop, instead of once after it": float(
            sum(each / len(SIZES) ** (len(SIZES) - place) for place, each in enumerate(bounds))
        ),
        "it is their sum divided by the last batch's index, which is one too few": float(bounds.sum())
        / (len(SIZES) - 1),
        "each is multiplied by the size of its batch, but the sum is divided by the number of batches": float(
            np.dot(bounds, SIZES)
        )
        / len(SIZES),
    }
    words = next((f"; {slip}" for slip, wrong in slips.items() if np.isclose(value, wrong, rtol=1e-3)), "")
    expect(
        False,
        f"epoch_iter does not return the average of the batches' bounds{words}",
        expected=" or ".join(dict.fromkeys(f"{each:.6g}" for each in right[:2])),
        got=f"{value:.6g}",
    )
