"""Checks of a VAE's encoders and decoders: shapes, registered parameters, independent rows, range of the outputs.

Where the hand-out is silent, the student is free:
- any architecture is right, as long as `hidden_dims` determines an MLP's size;
- log_std may be limited to a range, but not to one sign, and not to one number for all latents;
- any activation is right between layers, but there must be one, so that the network is not linear;
- a layer that forward never calls does no harm, but it is no hidden layer either;
- an encoder may return further values after mean and log_std;
- batch normalisation mixes the rows of a batch in training, so rows are compared in eval mode.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gengrade.arrays import Array, Array32
from gengrade.grading import Evidence, Rng, Subject, assert_close, check, expect, probes
from graders.common.networks import (
    ATOL,
    RTOL,
    UNREGISTERED,
    expect_in_use,
    expect_nonlinear,
    expect_registered,
    expect_reproducible,
    narrowest,
    vary,
)
from graders.vae.sizes import STARTS


def sizes(settings: dict[str, Any]) -> str:
    """Return a short name for a network's settings, for the names of parametrised tests."""
    return "-".join(str(value) for value in settings.values()).replace(" ", "")


MLP_ENCODERS: list[dict[str, Any]] = [
    {"input_dim": 784, "hidden_dims": [40], "z_dim": 20},
    {"input_dim": 784, "hidden_dims": [48, 24, 36], "z_dim": 6},
    {"input_dim": 192, "hidden_dims": [32, 16], "z_dim": 2},
]
MLP_DECODERS: list[dict[str, Any]] = [
    {"z_dim": 20, "hidden_dims": [40], "output_shape": [1, 28, 28]},
    {"z_dim": 6, "hidden_dims": [36, 24, 48], "output_shape": [1, 28, 28]},
    {"z_dim": 2, "hidden_dims": [16, 32], "output_shape": [3, 8, 6]},
]
CNNS: list[dict[str, Any]] = [
    {"num_input_channels": 1, "num_filters": 8, "z_dim": 20},
    {"num_input_channels": 3, "num_filters": 6, "z_dim": 2},
]
IMAGE_OF = {784: (1, 28, 28), 192: (3, 8, 8)}  # shape of an image by its number of values
# Outputs that are trained towards ±3 (log_std: ±2) must exceed this in both directions.
BEYOND = {"mean": 1.5, "log_std": 1.2, "the logits": 1.2}
SIZES = [[16], [32], [16, 16], [16, 32], [32, 16], [16, 16, 16]]  # hidden_dims with different numbers of parameters


@check("vae.mlp_encoder")
@pytest.mark.parametrize("settings", MLP_ENCODERS, ids=sizes)
def test_mlp_encoder(student: Subject, rng: Rng, settings: dict[str, Any]) -> None:
    """The MLP encoder gives a mean and log_std for each image on its own, and registers all of its layers."""
    images = rng.bits(5, *IMAGE_OF[settings["input_dim"]])
    got = student.run(probes.vae.network, which="mlp_encoder", x=images, settings=settings)
    judge_encoder(got, len(images), settings["z_dim"], settings)


@check("vae.cnn_encoder")
@pytest.mark.parametrize("settings", CNNS, ids=sizes)
def test_cnn_encoder(student: Subject, rng: Rng, settings: dict[str, Any]) -> None:
    """The convolutional encoder gives a mean and log_std for each image on its own, and registers all of its layers."""
    images = rng.bits(5, settings["num_input_channels"], 28, 28)
    got = student.run(probes.vae.network, which="cnn_encoder", x=images, settings=settings)
    judge_encoder(got, len(images), settings["z_dim"], settings)


@check("vae.mlp_decoder")
@pytest.mark.parametrize("settings", MLP_DECODERS, ids=sizes)
def test_mlp_decoder(student: Subject, rng: Rng, settings: dict[str, Any]) -> None:
    """The MLP decoder gives logits for each latent on its own, and registers all of its layers."""
    z = rng.normal(5, settings["z_dim"])
    got = student.run(probes.vae.network, which="mlp_decoder", x=z, settings=settings)
    judge_network(got, ["the logits"], (len(z), *settings["output_shape"]), settings)


@check("vae.cnn_decoder")
@pytest.mark.parametrize("settings", CNNS, ids=sizes)
def test_cnn_decoder(student: Subject, rng: Rng, settings: dict[str, Any]) -> None:
    """The convolutional decoder gives logits for each latent on its own, and registers all of its layers."""
    z = rng.normal(5, settings["z_dim"])
    got = student.run(probes.vae.network, which="cnn_decoder", x=z, settings=settings)
    judge_network(got, ["the logits"], (len(z), settings["num_input_channels"], 28, 28), settings)


@check("vae.mlp_encoder")
def test_mlp_encoder_in_another_order(student: Subject, rng: Rng) -> None:
    """The MLP encoder, created once more, gives the same outputs for the same images in another order."""
    settings = MLP_ENCODERS[0]
    judge_order(student, rng, "mlp_encoder", rng.bits(5, *IMAGE_OF[settings["input_dim"]]), settings)


@check("vae.cnn_encoder")
def test_cnn_encoder_in_another_order(student: Subject, rng: Rng) -> None:
    """The convolutional encoder, created once more, gives the same outputs for the same images in another order."""
    judge_order(student, rng, "cnn_encoder", rng.bits(5, 1, 28, 28), CNNS[0])


@check("vae.mlp_decoder")
def test_mlp_decoder_in_another_order(student: Subject, rng: Rng) -> None:
    """The MLP decoder, created once more, gives the same outputs for the same latents in another order."""
    settings = MLP_DECODERS[0]
    judge_order(student, rng, "mlp_decoder", rng.normal(5, settings["z_dim"]), settings)


@check("vae.cnn_decoder")
def test_cnn_decoder_in_another_order(student: Subject, rng: Rng) -> None:
    """The convolutional decoder, created once more, gives the same outputs for the same latents in another order."""
    judge_order(student, rng, "cnn_decoder", rng.normal(5, CNNS[0]["z_dim"]), CNNS[0])


def judge_order(student: Subject, rng: Rng, which: str, x: Array32, settings: dict[str, Any]) -> None:
    """Fail a network whose outputs change when it is created again from the same random state, in another process.

    The second network gets the rows in another order. Outputs that the network does not compute (invented numbers)
    would not follow the order.

    Args:
        which: the network's name in the adapter's contract.
        x: the input, [B, …].
        settings: the arguments of the network's constructor.
    """
    order = rng.choice(len(x), len(x))
    first = student.run(probes.vae.network, which=which, x=x, settings=settings).list("outputs")
    second = student.again(probes.vae.network, which=which, x=x[order], settings=settings).list("outputs")
    expect(len(first) == len(second) > 0, "the network gives another number of outputs when it is created once more")
    for one, other in zip(first, second, strict=True):
        expected = one.tensor()
        expect(expected.shape[:1] == (len(x),), "there is not one row of outputs for each row of inputs")
        expect_reproducible(other.tensor(shape=expected.shape), expected[order])


def judge_encoder(got: Evidence, batch: int, z_dim: int, settings: dict[str, Any]) -> None:
    """Judge an encoder's mean and log_std, which should be two different [batch, z_dim] outputs."""
    names = ["mean", "log_std"]
    outputs, lines = judge_network(got, names, (batch, z_dim), settings), tensors(got, "line", names)
    expect(
        not all(np.array_equal(mean, log_std) for mean, log_std in (outputs, lines)),
        "mean and log_std are the same numbers: give each of them its own outputs",
    )
    for name, output, line in zip(names, outputs, lines, strict=True):
        expect(vary(output, line, axis=1), f"{name} is the same for all latents: give each latent its own output")


def judge_network(got: Evidence, names: list[str], shape: tuple[int, ...], settings: dict[str, Any]) -> list[Array]:
    """Judge a network by its outputs in eval mode, and returns them.

    Args:
        got: evidence of `probes.vae.network`.
        names: the student's names of the outputs.
        shape: the right shape of each output.
        settings: the arguments that the network was created with, which a message about shapes names.

    Raises Mismatch if an output has another shape, is random, depends on other rows or does not depend on the input,
    or if the network is linear or has unregistered parameters.
    """
    built = ", ".join(f"{argument}={value}" for argument, value in settings.items())
    outputs, agains, alones, lines = (tensors(got, role, names) for role in ("outputs", "again", "alone", "line"))
    for name, output, again, alone, line in zip(names, outputs, agains, alones, lines, strict=True):
        expect(
            output.shape == shape,
            f"{name} has the wrong shape in a network with {built}",
            expected=f"shape {list(shape)}",
            got=f"shape {list(output.shape)}",
        )
        assert_close(
            again,
            output,
            rtol=RTOL,
            atol=ATOL,
            what=f"{name} of the same input in a second call, in eval mode",
            hint="in eval mode, the network's outputs should not be random",
        )
        expect(alone.size == output.size, f"{name} of a batch with a single row has the wrong shape")
        assert_close(
            alone.reshape(shape),
            output,
            rtol=RTOL,
            atol=ATOL,
            what=f"{name} of a single row, in eval mode,",
            hint="it should not depend on the other rows of the batch",
        )
        expect(vary(output, line), f"different inputs give the same {name.removeprefix('the ')}")
    changed = got.text("changed")
    expect(
        changed == "",
        f"creating the network changes the list {changed[:40]} that it is given, which its caller uses again: copy it "
        "first",
    )
    expect_registered(got)
    expect(got.integer("parameters") > 0, "the network has no parameters")
    expect_nonlinear(lines)
    return outputs


def tensors(got: Evidence, role: str, names: list[str]) -> list[Array]:
    """Return the outputs that the evidence holds under the key `role`; raises Mismatch unless each name has one."""
    found = [item.tensor() for item in got.list(role)]
    expect(len(found) == len(names), f"the network should return {' and '.join(names)}")
    return found


@check("vae.mlp_encoder")
def test_mlp_encoder_size(student: Subject, rng: Rng) -> None:
    """The MLP encoder has a hidden layer for each entry of hidden_dims, with that many units, and uses it."""
    fixed, x = {"input_dim": 784, "z_dim": 4}, rng.bits(5, 1, 28, 28)
    judge_sizes(student, "mlp_encoder", x, fixed)
    judge_use(student, "mlp_encoder", x, fixed)


@check("vae.mlp_decoder")
def test_mlp_decoder_size(student: Subject, rng: Rng) -> None:
    """The MLP decoder has a hidden layer for each entry of hidden_dims, with that many units, and uses it."""
    fixed, x = {"z_dim": 4, "output_shape": [1, 28, 28]}, rng.normal(5, 4)
    judge_sizes(student, "mlp_decoder", x, fixed)
    judge_use(student, "mlp_decoder", x, fixed)


def judge_sizes(student: Subject, which: str, x: Array32, fixed: dict[str, Any]) -> None:
    """Fail an MLP in which the number of parameters that it uses does not grow with each entry of hidden_dims.

    Args:
        which: the network's name in the adapter's contract.
        x: the input, [B, …].
        fixed: the other arguments of its constructor.
    """
    settings = [{**fixed, "hidden_dims": size} for size in SIZES]
    got = student.run(probes.vae.parameter_counts, which=which, x=x, settings=settings)
    counts = {tuple(size): item.integer() for size, item in zip(SIZES, got.list(), strict=False)}
    for less, more in (((16,), (32,)), ((16,), (16, 16)), ((16, 16), (16, 32)), ((16, 16), (32, 16))):
        grows_or_fails(counts, less, more)
    grows_or_fails(counts, (16, 16), (16, 16, 16))


def judge_use(student: Subject, which: str, x: Array32, fixed: dict[str, Any]) -> None:
    """Fail an MLP with a parameter that changes none of its outputs, such as a layer that is multiplied by zero.

    Args:
        which: the network's name in the adapter's contract.
        x: the input, [B, …].
        fixed: the arguments of its constructor without hidden_dims.
    """
    expect_in_use(student.run(probes.vae.use, which=which, x=x, settings={**fixed, "hidden_dims": SIZES[-1]}))


def grows_or_fails(counts: dict[tuple[int, ...], int], less: tuple[int, ...], more: tuple[int, ...]) -> None:
    """Fail a network that has no more parameters with hidden_dims `more` than with `less`."""
    expect(
        counts.get(more, 0) > counts.get(less, 0),
        f"with hidden_dims={list(more)} the network is not larger than with hidden_dims={list(less)}: add a registered "
        "layer of the given width for every entry, and use it in forward",
        expected="more parameters that the outputs depend on",
        got=f"{counts.get(more)} and {counts.get(less)} parameters",
    )


@check("vae.mlp_encoder")
def test_mlp_encoder_range(student: Subject, rng: Rng) -> None:
    """The MLP encoder's outputs can take negative and positive values beyond ±1."""
    settings = {"input_dim": 784, "hidden_dims": [32], "z_dim": 8}
    judge_encoder_range(student, rng, "mlp_encoder", settings)


@check("vae.cnn_encoder")
def test_cnn_encoder_range(student: Subject, rng: Rng) -> None:
    """The convolutional encoder's outputs can take negative and positive values beyond ±1."""
    settings = {"num_input_channels": 1, "num_filters": 6, "z_dim": 8}
    judge_encoder_range(student, rng, "cnn_encoder", settings)


def judge_encoder_range(student: Subject, rng: Rng, which: str, settings: dict[str, Any]) -> None:
    """Fail an encoder whose mean or log_std cannot be trained to large values of either sign."""
    rows, z_dim = 8, settings["z_dim"]
    target = np.tile(np.repeat([3.0, 2.0], z_dim).astype(np.float32), (rows, 1))
    x = rng.bits(rows, 1, 28, 28)
    lowest, highest = reached(student.run(probes.vae.reach, which=which, x=x, target=target, settings=settings), target)
    judge_range("mean", lowest[..., :z_dim], highest[..., :z_dim])
    judge_range("log_std", lowest[..., z_dim:], highest[..., z_dim:])


@check("vae.mlp_decoder")
def test_mlp_decoder_range(student: Subject, rng: Rng) -> None:
    """The MLP decoder gives logits, which can take any value: it does not end in a sigmoid."""
    judge_decoder_range(student, rng, "mlp_decoder", {"z_dim": 8, "hidden_dims": [32], "output_shape": [1, 28, 28]})


@check("vae.cnn_decoder")
def test_cnn_decoder_range(student: Subject, rng: Rng) -> None:
    """The convolutional decoder gives logits, which can take any value: it does not end in a sigmoid."""
    judge_decoder_range(student, rng, "cnn_decoder", {"num_input_channels": 1, "num_filters": 6, "z_dim": 8})


def judge_decoder_range(student: Subject, rng: Rng, which: str, settings: dict[str, Any]) -> None:
    """Fail a decoder whose logits cannot be trained to large values of either sign."""
    target = np.full((8, 28 * 28), 3.0, dtype=np.float32)
    x = rng.normal(8, settings["z_dim"])
    lowest, highest = reached(student.run(probes.vae.reach, which=which, x=x, target=target, settings=settings), target)
    judge_range("the logits", lowest, highest)


def reached(got: Evidence, target: Array32) -> tuple[Array, Array]:
    """Return the lowest and the highest outputs of a network that is trained towards −`target` and `target`.

    Both are [2, B, outputs per row], for the training mode and the eval mode.

    Args:
        got: evidence of `probes.vae.reach`.
        target: [B, outputs per row].

    Raises Mismatch if the network has no registered parameters or another number of outputs.
    """
    expect(not got.is_none(), UNREGISTERED.format(name="network"))
    outputs = got.tensor("starts", shape=STARTS).shape[3]
    expect(
        outputs == target.shape[1],
        "the outputs have the wrong shape",
        expected=f"{target.shape[1]} numbers for each row",
        got=f"{outputs}",
    )
    return got.tensor("lowest", shape=(2, *target.shape)), got.tensor("highest", shape=(2, *target.shape))


def judge_range(name: str, lowest: Array, highest: Array) -> None:
    """Fail an output that did not exceed `BEYOND` in both directions when it was trained towards ±3 (log_std: ±2).

    lowest, highest: [modes, …], of which the one with the narrowest range counts.
    """
    beyond, (low, _), (_, high) = BEYOND[name], narrowest(lowest), narrowest(highest)
    expect(
        low < -beyond and high > beyond,
        f"{name} cannot take every real value, whatever the weights: use no activation on the output layer",
        expected=f"values below {-beyond:g} and above {beyond:g}",
        got=f"values from {low:.3g} to {high:.3g}",
    )
