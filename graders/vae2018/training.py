"""A short training of a VAE in any parameterisation, and the negative ELBO that it reaches, in nats per image.

Nothing that the model says about itself counts. After the training, a fresh process encodes held-out images, each a
little turned, scaled and sheared at random, so that a submission cannot contain them. The host draws z from the
resulting Gaussian. Another fresh process, which gets the decoder's weights and z but never an image, decodes; and the
host computes reconstruction and divergence. Whatever the processes answer, and whichever parameterisation the host
assumes, the result is an upper bound on −log p(x) for some model, so it cannot be better than that model deserves.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from gengrade.arrays import Array, Pixels
from gengrade.data import DataSet
from gengrade.grading import CheckKind, Evidence, Record, Rng, Show, Subject, UpTo, check, expect, probes
from graders.common.bernoulli import cross_entropies
from graders.common.deforming import unseen
from graders.vae2018.parameterisations import PARAMETERISATIONS, Parameterisation

SETTINGS: Final[dict[str, int]] = {"hidden_dim": 500, "z_dim": 20}
HELD_OUT: Final = 2_000  # most images that the bound is measured on
FEW: Final = 10_000  # with fewer training images, these are shifted at random against overfitting
NOTHING: Final = 1e4  # nats; a parameterisation that gives a larger divergence was not the student's
MOST_EPOCHS: Final = 1_000  # most epochs in the curve of the report
BUDGET_OF_MANY: Final[dict[str, Any]] = {"epochs": 6, "batch": 128, "peak": 3e-3, "shift": 0}
BUDGET_OF_FEW: Final[dict[str, Any]] = {"epochs": 40, "batch": 32, "peak": 3e-3, "shift": 2}


@check("vae2018.nats", kind=CheckKind.TRAIN)
def test_short_training(student: Subject, data: DataSet, rng: Rng, record: Record, show: Show) -> None:
    """The negative ELBO on held-out images after a short training, in nats per image."""
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
    images: Pixels,
    mean: Array,
    parameterisation: Parameterisation,
    second: Array,
    rng: Rng,
) -> float:
    """Return the negative ELBO of images [N, 1, 28, 28], if the second output means this.

    Infinite if it gives no Gaussian.
    """
    with np.errstate(all="ignore"):
        std = parameterisation.std(second)
        divergence = float((0.5 * mean**2 + parameterisation.spread_term(second)).sum(axis=1).mean())
    if not (np.isfinite(divergence) and np.all(std > 0)) or divergence > NOTHING:
        return float("inf")
    z = (mean + std * rng.generator.standard_normal(mean.shape)).astype(np.float32)
    decoded = student.run(probes.vae2018.training.decode, weights=trained.state("decoder"), z=z, settings=SETTINGS)
    outputs = decoded.tensor(shape=(len(images), 28 * 28))
    # The outputs are means or logits. Either way it is one model for all images, so the better one may be chosen.
    flat = images.reshape(len(images), -1).astype(np.float64)
    return divergence + min(float(losses.mean()) for losses in cross_entropies(flat, outputs))


def _show(trained: Evidence, show: Show) -> None:
    curve = trained.tensor("curve", shape=(UpTo(MOST_EPOCHS),), finite=False)
    show.curves(
        "The bound that your model returned during our short training",
        {"training": ([float(epoch + 1) for epoch in range(len(curve))], curve.tolist())},
        xlabel="epoch",
        ylabel="nats per image",
    )
    for time, samples in zip(("before", "after"), trained.list("samples"), strict=False):
        if not samples.is_none() and samples.shape() == (64, 28 * 28):
            pixels = samples.tensor(finite=False).reshape(64, 28, 28)
            show.images(f"Samples {time} the short training", pixels, columns=8, alt=f"64 samples {time} the training")
