"""A VAE's own training and test functions, watched over one epoch of a small loader.

Left open by the hand-out, and decided for the student:
- an average over batches may weigh batches or images;
- images may be changed on their way to the model, as long as all are different that were different;
- the gradient may be that of any multiple of bpd (nats for bits, a sum for a mean, clipped), or of L_rec + L_reg where
  the model's own bpd is something else, which is no mistake of the loop's;
- test_vae may return its averages in the order of train_vae or as (L_rec, L_reg, bpd), which is how the hand-out's own
  `main` reads them;
- a LightningModule leaves averages and modes to the Trainer, so that they are not asked for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gengrade.grading import Evidence, Rng, Subject, UpTo, check, expect, probes
from graders.common.batches import ALIGNED, BATCH, SIZES, unequal_batches

Array = NDArray[np.float64]

PIXELS = 28 * 28
BITS = float(np.log2(np.e))
MOST_PASSES = 1_000  # of a model, in an epoch of four batches
NAMES = ("bpd", "L_rec", "L_reg")
UNEXPLAINED = 1e-3  # what L_rec and L_reg may leave of a gradient that is made of them
EQUAL = 1e-2  # how near their shares are to each other in the gradient of their sum


def known_losses(rng: Rng) -> NDArray[np.float32]:
    """L_rec, L_reg and bpd for each batch, [4, 3]: no average of them is like another, or like any one of them.

    They are small, so that an average shows what does not belong to it, were it one in a sum over all images.
    """
    rec, reg = 3 * rng.uniform(0.8, 1.25), 0.4 * rng.uniform(0.8, 1.25)
    return np.outer((2.0, 1.0, 0.5, 6.0), (rec, reg, (rec + reg) * BITS / PIXELS)).astype(np.float32)


@check("vae.training_loop")
def test_training_epoch(student: Subject, rng: Rng) -> None:
    """An epoch of training: in training mode, one step a batch along that batch's own gradient, all parameters."""
    images, losses = unequal_batches(rng), known_losses(rng)
    got = student.run(probes.vae.loop.train, images=images, batch_size=BATCH, losses=losses)
    judge_passes(got)
    expect(
        all(item.flag() for item in got.list("training")),
        "the model is not in training mode: call model.train() first, since testing leaves it in eval mode",
    )
    expect(
        bool(np.isfinite(got.tensor("losses", shape=(UpTo(MOST_PASSES), len(NAMES)))).all()),
        "the model's loss is not a finite number in training, so that no step can be judged: mend the loss first",
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
        "a step does not follow the gradient of its own batch's bpd: clear the old gradients with "
        "optimizer.zero_grad() before backward(), and call backward() on bpd",
        expected="a cosine of 1 between both",
        got=", ".join(f"{step.number('own'):.3f}" for step in steps),
    )
    expect(not got.text("unmoved"), "training did not change every parameter", got=got.text("unmoved")[:100])
    judge_averages(got, losses, "train_vae", (NAMES,))


def _follows_own_batch(step: Evidence) -> bool:
    """Whether a step follows the gradient of bpd, or that of L_rec + L_reg where the model's bpd is something else."""
    if step.number("own") > ALIGNED:
        return True
    if step.is_none("parts") or step.number("left") > UNEXPLAINED:
        return False
    rec, reg = step.tensor("parts", shape=(2,))
    return bool(rec > 0 and np.isclose(rec, reg, rtol=EQUAL))


@check("vae.training_loop")
def test_evaluation(student: Subject, rng: Rng) -> None:
    """An evaluation: in eval mode, without gradients, and nothing changes."""
    images, losses = unequal_batches(rng), known_losses(rng)
    got = student.run(probes.vae.loop.test, images=images, batch_size=BATCH, losses=losses)
    judge_passes(got)
    expect(
        not any(item.flag() for item in got.list("training")),
        "the model is tested in training mode: call model.eval() first",
    )
    expect(
        not any(item.flag() for item in got.list("tracking")),
        "testing records operations for gradients: use torch.no_grad()",
    )
    expect(got.integer("moved") == 0, "testing changed the model", got=f"{got.integer('moved')} tensors")
    judge_averages(got, losses, "test_vae", (NAMES, (*NAMES[1:], NAMES[0])))


def judge_passes(got: Evidence) -> None:
    expect(
        got.integer("different") >= sum(SIZES),
        "not every batch of the loader went through the model",
        expected=f"{sum(SIZES)} different images",
        got=f"{got.integer('different')} different images",
    )


def judge_averages(
    got: Evidence, injected: NDArray[np.floating], function: str, orders: tuple[tuple[str, ...], ...]
) -> None:
    """The three averages, against those of the losses that were injected into the model; in one of these orders."""
    if got.is_none("averages"):
        return
    values = [item.number() for item in got.list("averages")]
    expect(
        len(values) >= len(NAMES),
        f"{function} should return three averages: bpd, reconstruction and regularisation loss",
        got=f"{len(values)} values",
    )
    losses = got.tensor("losses", shape=(UpTo(MOST_PASSES), len(NAMES)))
    expect(
        np.allclose(losses, np.resize(injected, losses.shape), rtol=1e-4),
        "the losses of the batches are not those that the model gave",
    )
    sizes = np.array([item.number() for item in got.list("sizes")])
    expect(len(losses) == len(sizes) and bool(np.all(sizes > 0)), "some batches that went through the model were empty")
    columns = dict(zip(("L_rec", "L_reg", "bpd"), losses.T, strict=True))
    complaints = [_complaint(dict(zip(order, values, strict=False)), columns, sizes) for order in orders]
    if None not in complaints:
        name, average = complaints[0] or ("", 0.0)
        value = values[NAMES.index(name)]
        slips: dict[str, tuple[float, ...]] = {
            "their sum": (columns[name].sum(),),
            "the last batch's value": (columns[name][-1],),
        }
        slips |= {f"that of {other}": _averages(column, sizes) for other, column in columns.items()}
        slip = next((f"; it is {slip}" for slip, wrong in slips.items() if _is_one_of(value, wrong)), "")
        expect(
            False,
            f"the average {name} that {function} returns is not the average of the batches' values{slip}",
            expected=f"{average:.6g}",
            got=f"{value:.6g}",
        )


def _complaint(returned: dict[str, float], columns: dict[str, Array], sizes: Array) -> tuple[str, float] | None:
    """The first loss whose average is not what was returned, with that average; None when all are."""
    for name in NAMES:
        averages = _averages(columns[name], sizes)
        if not _is_one_of(returned[name], averages):
            return name, averages[1]
    return None


def _averages(column: Array, sizes: Array) -> tuple[float, float]:
    """Over batches, and over images."""
    return float(column.mean()), float(np.average(column, weights=sizes))


def _is_one_of(value: float, right: tuple[float, ...]) -> bool:
    # A loop is right that hands on a loss which is none.
    return bool(np.isclose(value, right, rtol=1e-3, atol=1e-6, equal_nan=True).any())
