"""A short training of a VAE whose parameterisation is its author's, and its bound in nats an image.

Nothing that the model says about itself counts. After the training a fresh process encodes held-out images, each a
little turned, scaled and sheared at random, so that nobody can have handed them in; the host draws z from a Gaussian of
what came out; another fresh process, which gets the decoder's weights and z and never saw an image, decodes; the host
computes reconstruction and divergence. Whatever either process answers, and whichever Gaussian the host reads from it,
the result is a valid upper bound on the nats that these images cost.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gengrade.data import DataSet
from gengrade.grading import Evidence, Record, Rng, Show, Subject, UpTo, check, expect, probes
from graders.common.bernoulli import cross_entropies
from graders.common.deforming import unseen
from graders.vae2018.parameterisations import PARAMETERISATIONS, Parameterisation

Array = NDArray[np.float64]

SETTINGS: Final[dict[str, int]] = {"hidden_dim": 500, "z_dim": 20}
HELD_OUT: Final = 2_000  # images that the bound is of, at most
FEW: Final = 10_000  # training images, below which a model learns them by heart unless they are moved about
NOTHING: Final = 1e4  # nats of divergence, above which a parameterisation is none that anybody meant
MOST_EPOCHS: Final = 1_000  # of a curve that is shown
BUDGET_OF_MANY: Final[dict[str, Any]] = {"epochs": 6, "batch": 128, "peak": 3e-3, "shift": 0}
BUDGET_OF_FEW: Final[dict[str, Any]] = {"epochs": 40, "batch": 32, "peak": 3e-3, "shift": 2}


@check("vae2018.nats", kind="train")
def test_short_training(student: Subject, data: DataSet, rng: Rng, record: Record, show: Show) -> None:
    """The negative bound on held-out images, in nats an image, after a short training."""
    budget = BUDGET_OF_FEW if len(data.train) < FEW else BUDGET_OF_MANY
    images = data.train.binary()
    trained = student.run(probes.vae2018.training.train, images=images, settings=SETTINGS, **budget)
    _show(trained, show)
    held_out = unseen(data.test, HELD_OUT, rng).binary()
    code = student.run(
        probes.vae2018.training.encode, weights=trained.state("model"), images=held_out, settings=SETTINGS
    )
    shape = (len(held_out), SETTINGS["z_dim"])
    mean, second = code.tensor("mean", shape=shape), code.tensor("second", shape=shape)
    bounds = [
        _bound(student, trained, held_out, mean, parameterisation, second, rng)
        for parameterisation in PARAMETERISATIONS
    ]
    nats = min(bounds)
    expect(
        bool(np.isfinite(nats)) and nats > 0,
        "after the training, the bound on held-out images is not a positive finite number",
        got=f"{nats}",
    )
    record("vae2018.nats", nats)


def _bound(
    student: Subject,
    trained: Evidence,
    images: NDArray[np.uint8],
    mean: Array,
    parameterisation: Parameterisation,
    second: Array,
    rng: Rng,
) -> float:
    """The bound of images [N, 1, 28, 28] by that parameterisation; infinite where it gives no Gaussian."""
    with np.errstate(all="ignore"):
        std = parameterisation.std(second)
        divergence = float((0.5 * mean**2 + parameterisation.spread_term(second)).sum(axis=1).mean())
    if not (np.isfinite(divergence) and np.all(std > 0)) or divergence > NOTHING:
        return float("inf")
    z = (mean + std * rng.generator.standard_normal(mean.shape)).astype(np.float32)
    decoded = student.run(probes.vae2018.training.decode, weights=trained.state("decoder"), z=z, settings=SETTINGS)
    outputs = decoded.tensor(shape=(len(images), 28 * 28))
    # Either parameterisation of the outputs is one model for all images, so the better one is as honest as the other.
    flat = images.reshape(len(images), -1).astype(np.float64)
    return divergence + min(float(losses.mean()) for losses in cross_entropies(flat, outputs))


def _show(trained: Evidence, show: Show) -> None:
    curve = trained.tensor("curve", shape=(UpTo(MOST_EPOCHS),), finite=False)
    show.curves(
        "The bound that your model returned during our short training",
        {"training": ([float(epoch + 1) for epoch in range(len(curve))], curve.tolist())},
        xlabel="epoch",
        ylabel="nats an image",
    )
    for time, samples in zip(("before", "after"), trained.list("samples"), strict=False):
        if not samples.is_none() and samples.shape() == (64, 28 * 28):
            pixels = samples.tensor(finite=False).reshape(64, 28, 28)
            show.images(f"Samples {time} the short training", pixels, columns=8, alt=f"64 samples {time} the training")
