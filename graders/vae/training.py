"""Measures a student's VAE by its evidence lower bound after a short training with our loop.

The student's code cannot claim a better bound than it has:

1. After the training, a new process encodes images into (mean, log_std), and the host draws z. Another new process,
   which gets only the decoder's weights and z and never saw an image, decodes. The host computes reconstruction and
   divergence. Whatever either process answers, the result is a valid upper bound on the bits that the images cost
   (Kingma & Welling 2014, equation 3).
2. Memorised images do not count. A decoder that stores the training images describes them well, so the training bound
   may be better than the held-out one by at most `GAP`. Since held-out images might be handed in as well, the held-out
   bound may be better than that of slightly rotated, scaled and sheared images by at most `allowance`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtri

from gengrade.arrays import Floats, Pixels
from gengrade.data import DataSet
from gengrade.grading import CheckKind, Evidence, Record, Rng, Show, Subject, UpTo, check, expect, not_asked, probes
from graders.common.bernoulli import cross_entropies, gaussian_kl
from graders.common.deforming import unseen
from graders.common.units import BITS
from graders.probing.sizes import PIXELS

GAP = 0.02  # bits per dimension by which the training bound may be better than the held-out one
# Bits per dimension by which deformed images may cost more. For the reference it is 0.006 on MNIST, and 0.056 on the
# embedded digits, which are few and blurred; for a model that stores all images it is at least 0.06 and 0.15.
ALLOWANCE_OF_MANY, ALLOWANCE_OF_FEW = 0.02, 0.09
DEFORMED = 1000  # held-out images that are deformed
MODEL: dict[str, Any] = {"kind": "MLP", "hidden_dims": [512], "z_dim": 20}
PLANE: dict[str, Any] = {**MODEL, "z_dim": 2}
EVALUATED = 5000  # training images that are evaluated, at most; all test images are
PER_NAT = BITS / PIXELS  # bits per dimension, for one nat per image
# Relative difference of a returned and a measured bound that is reported; validation and test images differ by 0.04.
DISAGREEMENT = 0.1
FEW = 10_000  # with fewer training images, a model memorises them unless they are shifted at random
GRID = 20  # images per axis of the picture of the latent space
MOST_SIDE = 8_192  # most pixels per side of that picture; 602 are usual
MOST_EPOCHS = 1_000  # most epochs of a curve that is shown

# Chosen so that the reference reaches the rubric's thresholds with every seed, in at most 25 s on one core.
BUDGET_OF_MANY: dict[str, Any] = {"epochs": 10, "batch": 128, "peak": 4e-3, "shift": 0, "target": 0.1585}
BUDGET_OF_FEW: dict[str, Any] = {"epochs": 60, "batch": 32, "peak": 4e-3, "shift": 2, "target": 0.0}
# This training is for a picture only, so memorised images do no harm.
PLANE_BUDGET_OF_MANY: dict[str, Any] = {**BUDGET_OF_MANY, "epochs": 3}
PLANE_BUDGET_OF_FEW: dict[str, Any] = {**BUDGET_OF_FEW, "epochs": 15, "shift": 0}


@dataclass(frozen=True, slots=True)
class Bound:
    """The negative evidence lower bound of some images (Kingma & Welling 2014, equation 3), averaged over them.

    Attributes:
        reconstruction: −E log p(x|z), in nats per image.
        divergence: KL(q(z|x) ‖ p(z)), in nats per image.
    """

    reconstruction: float
    divergence: float

    @property
    def bits(self) -> float:
        """The bound in bits per dimension."""
        return (self.reconstruction + self.divergence) * PER_NAT


@check("vae.train_bpd", "vae.test_bpd", kind=CheckKind.TRAIN)
def test_short_training(student: Subject, data: DataSet, rng: Rng, record: Record, show: Show) -> None:
    """After a short training, the MLP VAE describes training and held-out images in few bits per dimension."""
    training, held_out = data.train.binary(), data.test.binary()
    trained = student.run(
        probes.vae.training.train,
        images=training,
        held_out=data.validation.binary(),
        settings=MODEL,
        budget=BUDGET_OF_FEW if has_few(data) else BUDGET_OF_MANY,
    )
    show_training(trained, show)
    chosen = training[rng.choice(len(training), min(EVALUATED, len(training)))]
    changed = unseen(data.test, DEFORMED, rng).binary()
    asked = {"training": chosen, "held-out": held_out, "deformed held-out": changed}
    bounds = {name: bound(student, trained, images, rng) for name, images in asked.items()}
    for name, value in bounds.items():
        expect(
            np.isfinite(value.bits) and value.bits > 0,
            f"after the training, the bound on the {name} images is not a positive finite number",
            got=f"{value.bits}",
        )
    show_disagreement(trained, bounds["held-out"].bits, show)
    supported = bounds["deformed held-out"].bits - allowance(data)
    if supported > bounds["held-out"].bits:
        show_by_heart(trained, bounds, show)
    held_out_bits = max(bounds["held-out"].bits, supported)
    record("vae.test_bpd", held_out_bits)
    record("vae.train_bpd", max(bounds["training"].bits, held_out_bits - GAP))


@check("vae.train_bpd", kind=CheckKind.TRAIN)
def test_latent_plane(student: Subject, data: DataSet, show: Show) -> None:
    """A picture shows the two-dimensional latent space that a very short training learns."""
    trained = student.run(
        probes.vae.training.train,
        images=data.train.binary(),
        held_out=data.validation.binary(),
        settings=PLANE,
        budget=PLANE_BUDGET_OF_FEW if has_few(data) else PLANE_BUDGET_OF_MANY,
    )
    weights = trained.state("decoder")
    got = student.run(probes.vae.training.manifold, weights=weights, settings=PLANE, grid_size=GRID)
    title = "The latent space of a short training with z_dim=2, drawn by"
    alt = "a grid of digits that change gradually along both axes"
    if got.is_none():
        own = f"{title} our own code, since your visualize_manifold failed"
        show.images(own, means_of_the_plane(student, weights), columns=GRID, alt=alt)
        not_asked("visualize_manifold failed, so that our own code drew the picture; the check of it says why")
    picture = got.tensor(shape=(UpTo(4), UpTo(MOST_SIDE), UpTo(MOST_SIDE)))
    show.images(f"{title} your visualize_manifold", picture.mean(axis=0)[None], columns=1, alt=alt)


def means_of_the_plane(student: Subject, weights: Mapping[str, NDArray[Any]]) -> Floats:
    """Return the decoder's means [GRID², 28, 28] for a grid of normal quantiles, row by row."""
    quantiles = ndtri((np.arange(GRID) + 0.5) / GRID).astype(np.float32)
    z = np.stack(np.meshgrid(quantiles, quantiles, indexing="ij"), axis=-1).reshape(-1, 2)
    logits = student.run(probes.vae.training.decode, weights=weights, z=z, settings=PLANE)
    means: Floats = expit(logits.tensor(shape=(len(z), 1, 28, 28), finite=False)[:, 0])
    return means


def has_few(data: DataSet) -> bool:
    """Return whether the data set has so few training images that a model would memorise them."""
    return len(data.train) < FEW


def allowance(data: DataSet) -> float:
    """Return by how many bits per dimension deformed images may cost more than the held-out images themselves."""
    return ALLOWANCE_OF_FEW if has_few(data) else ALLOWANCE_OF_MANY


def bound(student: Subject, trained: Evidence, images: Pixels, rng: Rng) -> Bound:
    """Compute the bound for binary images, uint8 [N, 1, 28, 28], with one draw of z per image.

    Raises Mismatch if an encoder's or decoder's output has the wrong shape, or a standard deviation overflows.
    """
    code = student.run(probes.vae.training.encode, weights=trained.state("model"), images=images, settings=MODEL)
    shape = (len(images), MODEL["z_dim"])
    mean, log_std = code.tensor("mean", shape=shape), code.tensor("log_std", shape=shape)
    divergence = float(gaussian_kl(mean, log_std).mean())
    expect(np.isfinite(divergence), "after the training, log_std is so large that the standard deviation overflows")
    with np.errstate(over="ignore"):
        z = (mean + np.exp(log_std) * rng.generator.standard_normal(shape)).astype(np.float32)
    decoded = student.run(probes.vae.training.decode, weights=trained.state("decoder"), z=z, settings=MODEL)
    outputs = decoded.tensor(shape=images.shape)
    # Outputs may be logits or means; either interpretation is a valid model of all images, so the better one counts.
    return Bound(
        min(float(losses.mean()) for losses in cross_entropies(images.astype(np.float64), outputs)), divergence
    )


def show_training(trained: Evidence, show: Show) -> None:
    """Show the loss over the epochs, and samples at three times."""
    epochs, training, held_out = trained.tensor("curve", shape=(UpTo(MOST_EPOCHS), 3), finite=False).T
    show.curves(
        "Bits per dimension that your model returned during our short training",
        {"training (average of the epoch)": (epochs, training), "held-out (after it)": (epochs, held_out)},
        xlabel="epoch",
        ylabel="bits per dimension",
    )
    show_samples(trained, show)


def show_disagreement(trained: Evidence, measured: float, show: Show) -> None:
    """Show a curve if the bpd that the model returns differs from the bound that its parts reach."""
    epochs, _, returned = trained.tensor("curve", shape=(UpTo(MOST_EPOCHS), 3), finite=False).T
    if len(returned) and abs(returned[-1] - measured) > DISAGREEMENT * measured:
        show.curves(
            "The bpd that your model returns for held-out images differs from the bound that we measured with its "
            "encoder and decoder",
            {"returned": (epochs, returned), "measured after the training": (epochs, [measured] * len(epochs))},
            xlabel="epoch",
            ylabel="bits per dimension",
        )


def show_by_heart(trained: Evidence, bounds: Mapping[str, Bound], show: Show) -> None:
    """Show the bounds of a model that seems to have memorised images."""
    epochs, _, _ = trained.tensor("curve", shape=(UpTo(MOST_EPOCHS), 3), finite=False).T
    show.curves(
        "Your model describes held-out images far better than slightly rotated, scaled and sheared copies of them: it "
        "seems to have memorised them, and only its bound for new images counts",
        {f"{name} images, after the training": (epochs, [value.bits] * len(epochs)) for name, value in bounds.items()},
        xlabel="epoch",
        ylabel="bits per dimension",
    )


def show_samples(trained: Evidence, show: Show) -> None:
    """Show samples before, during and after the training, where `sample` worked."""
    times = ("before the training", "halfway", "after the training")
    for time, samples in zip(times, trained.list("samples"), strict=False):
        if not samples.is_none() and samples.shape() == (64, 1, 28, 28):
            images = samples.tensor(finite=False)[:, 0]
            show.images(f"Samples {time}", images, columns=8, alt=f"64 samples {time}")
