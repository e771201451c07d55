"""Checks of a student's own training and test functions for a VAE, observed over one epoch of a small loader.

Where the hand-out is silent, the student is free:
- an average may weight all batches equally, or all images;
- images may be changed before they reach the model, as long as different images stay different and depend on those of
  the loader;
- the gradient may be that of any multiple of bpd (nats instead of bits, a sum instead of a mean, clipped), or of
  L_rec + L_reg if bpd is something else, which is not the loop's mistake;
- test_vae may return its averages in the order of train_vae or as (L_rec, L_reg, bpd), as the hand-out's own `main`
  expects them;
- a LightningModule leaves averages and modes to the Trainer, so they are not checked.
"""

from __future__ import annotations

import numpy as np

from gengrade.arrays import Array, Array32, Floats
from gengrade.grading import Evidence, Rng, Subject, UpTo, check, expect, probes
from graders.common.batches import ALIGNED, BATCH, SIZES, unequal_batches
from graders.common.matching import expect_shown
from graders.common.units import BITS
from graders.probing.sizes import MOST_IMAGES, PIXELS
from graders.vae.sizes import MOST_PASSES

NAMES = ("bpd", "L_rec", "L_reg")
UNEXPLAINED = 1e-3  # largest relative residual at which a gradient counts as a combination of those of L_rec and L_reg
EQUAL = 1e-2  # largest relative difference of their weights at which that counts as the gradient of the sum


def known_losses(rng: Rng) -> Array32:
    """Return values of L_rec, L_reg and bpd for four batches, [4, 3], to be injected into the student's loop.

    No two averages of them are alike, nor is an average like a single value. The values are small, so that an average
    shows any other number that was added to it.
    """
    rec, reg = 3 * rng.uniform(0.8, 1.25), 0.4 * rng.uniform(0.8, 1.25)
    return np.outer((2.0, 1.0, 0.5, 6.0), (rec, reg, (rec + reg) * BITS / PIXELS)).astype(np.float32)


@check("vae.training_loop")
def test_training_epoch(student: Subject, rng: Rng) -> None:
    """train_vae takes one step for each batch along the gradient of that batch's bpd, in training mode.

    The mode only matters for models whose losses depend on it, as with dropout.
    """
    images, losses = unequal_batches(rng), known_losses(rng)
    got = student.run(probes.vae.loop.train, images=images, batch_size=BATCH, losses=losses)
    judge_passes(got)
    expect_shown(
        shown_in,
        got,
        images,
        lambda other: student.again(probes.vae.loop.train, images=other, batch_size=BATCH, losses=losses),
    )
    expect(
        all(item.flag() for item in got.list("training")) or not got.flag("modal") or _sets_training_mode(student, rng),
        "the model is not in training mode: call model.train() first, since test_vae leaves the model in eval mode",
    )
    expect(
        bool(np.isfinite(got.tensor("losses", shape=(UpTo(MOST_PASSES), len(NAMES)))).all()),
        "the model's loss is not a finite number in training, so the steps cannot be judged: correct the loss first",
    )
    steps = got.list("steps")
    expect(
        len(steps) == len(SIZES),
        "there should be one step of the optimiser for each batch, after a backward pass",
        expected=f"{len(SIZES)} steps",
        got=f"{len(steps)} steps",
    )
    expect(
        all(_follows_own_batch(step) for step in steps),
        "a step does not follow the gradient of its own batch's bpd: call backward() on bpd, and clear the old "
        "gradients with optimizer.zero_grad() before it",
        expected="a cosine of 1 between the step's gradient and that of bpd",
        got=", ".join(f"{step.number('own'):.3f}" for step in steps),
    )
    expect(
        not got.text("unmoved"),
        "the training leaves a parameter unchanged: give the optimiser all of the model's parameters",
        got=f"{got.text('unmoved')[:100]} is unchanged",
    )
    judge_averages(got, losses, "train_vae", (NAMES,))


def _sets_training_mode(student: Subject, rng: Rng) -> bool:
    """Return whether test_vae leaves the model in training mode, so that train_vae need not set it."""
    images, losses = unequal_batches(rng), known_losses(rng)
    return student.run(probes.vae.loop.test, images=images, batch_size=BATCH, losses=losses).flag("left_in_training")


def _follows_own_batch(step: Evidence) -> bool:
    """Return whether a step follows the gradient of bpd, or that of L_rec + L_reg if bpd is something else."""
    if step.number("own") > ALIGNED:
        return True
    if step.is_none("parts") or step.number("left") > UNEXPLAINED:
        return False
    rec, reg = step.tensor("parts", shape=(2,))
    return bool(rec > 0 and np.isclose(rec, reg, rtol=EQUAL))


@check("vae.training_loop")
def test_evaluation(student: Subject, rng: Rng) -> None:
    """test_vae evaluates in eval mode and without gradients, and leaves the model unchanged."""
    images, losses = unequal_batches(rng), known_losses(rng)
    got = student.run(probes.vae.loop.test, images=images, batch_size=BATCH, losses=losses)
    judge_passes(got)
    expect_shown(
        shown_in,
        got,
        images,
        lambda other: student.again(probes.vae.loop.test, images=other, batch_size=BATCH, losses=losses),
    )
    expect(
        not any(item.flag() for item in got.list("training")) or not got.flag("modal"),
        "the model is tested in training mode: call model.eval() first",
    )
    expect(
        not any(item.flag() for item in got.list("tracking")),
        "the test records operations for gradients, which costs memory: use torch.no_grad()",
    )
    expect(
        got.integer("moved") == 0,
        "the test changes the model: it should neither step an optimiser nor run in training mode",
        got=f"{got.integer('moved')} changed parameters or buffers",
    )
    judge_averages(got, losses, "test_vae", (NAMES, (*NAMES[1:], NAMES[0])))


def judge_passes(got: Evidence) -> None:
    """Fail a loop in which fewer different images reach the model than the loader has."""
    expect(
        got.integer("different") >= sum(SIZES),
        "not every image of the loader reaches the model: loop over all of its batches",
        expected=f"{sum(SIZES)} different images",
        got=f"{got.integer('different')} different images",
    )


def shown_in(got: Evidence) -> Array:
    """Return the images [R, 784] that a loop gives the model."""
    return got.tensor("images", shape=(UpTo(MOST_IMAGES), PIXELS))


def judge_averages(got: Evidence, injected: Floats, function: str, orders: tuple[tuple[str, ...], ...]) -> None:
    """Fail a loop that does not return the averages of its batches' losses.

    Args:
        got: evidence of a loop, with what it returned.
        injected: [4, 3], the values of L_rec, L_reg and bpd that replaced the model's, batch by batch.
        function: the name of the student's function.
        orders: the accepted orders of the returned averages.
    """
    if got.is_none("averages"):
        return
    values = [item.number() for item in got.list("averages")]
    expect(
        len(values) >= len(NAMES),
        f"{function} should return three averages: bpd, reconstruction loss and regularisation loss",
        got=f"{len(values)} values",
    )
    losses = got.tensor("losses", shape=(UpTo(MOST_PASSES), len(NAMES)))
    expect(
        np.allclose(losses, np.resize(injected, losses.shape), rtol=1e-4),
        "the losses of the batches are not those that the model returned: use them unchanged",
    )
    sizes = np.array([item.number() for item in got.list("sizes")])
    expect(len(losses) == len(sizes) and bool(np.all(sizes > 0)), "the model is given empty batches")
    columns = dict(zip(("L_rec", "L_reg", "bpd"), losses.T, strict=True))
    complaints = [_complaint(dict(zip(order, values, strict=False)), columns, sizes) for order in orders]
    if None not in complaints:
        name, average = complaints[0] or ("", 0.0)
        value = values[NAMES.index(name)]
        slips: dict[str, tuple[float, ...]] = {
            "the sum over the batches": (columns[name].sum(),),
            "the last batch's value": (columns[name][-1],),
        }
        slips |= {f"the average {other}": _averages(column, sizes) for other, column in columns.items()}
        slip = next((f"; it is {slip}" for slip, wrong in slips.items() if _is_one_of(value, wrong)), "")
        expect(
            False,
            f"the {name} that {function} returns is not the average over the batches{slip}",
            expected=f"{average:.6g}",
            got=f"{value:.6g}",
        )


def _complaint(returned: dict[str, float], columns: dict[str, Array], sizes: Array) -> tuple[str, float] | None:
    """Return the first loss whose average is not what the loop returned, with the right average; None if all agree."""
    for name in NAMES:
        averages = _averages(columns[name], sizes)
        if not _is_one_of(returned[name], averages):
            return name, averages[1]
    return None


def _averages(column: Array, sizes: Array) -> tuple[float, float]:
    """Return the average of a loss over batches, and its average over images."""
    return float(column.mean()), float(np.average(column, weights=sizes))


def _is_one_of(value: float, right: tuple[float, ...]) -> bool:
    # NaN equals NaN here, since a loop that passes on a NaN of the model is right.
    return bool(np.isclose(value, right, rtol=1e-3, atol=1e-6, equal_nan=True).any())
