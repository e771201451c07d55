"""Encoders and decoders of a VAE: shapes, registered parameters, independent rows, and the range of their outputs.

Left open by the hand-out, and decided for the student:
- any architecture, as long as `hidden_dims` governs an MLP's size;
- log_std may be limited to a range, but not to one sign, and not to one number for all latents;
- any activation will do between layers, but there must be one, so that outputs bend along a line of inputs;
- an encoder may return more than mean and log_std, after them;
- batch normalisation mixes the rows of a batch in training, so rows are compared in eval mode.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gengrade.grading import Evidence, Rng, Subject, UpTo, assert_close, check, expect, probes

Array = NDArray[np.float64]
Array32 = NDArray[np.float32]

UNREGISTERED = (
    "some layers are not registered, so no optimiser will train them: keep layers in nn.ModuleList or nn.Sequential, "
    "not in a Python list"
)


def sizes(settings: dict[str, Any]) -> str:
    """What tells the cases of a test apart in its name."""
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
IMAGE_OF = {784: (1, 28, 28), 192: (3, 8, 8)}  # by the number of its pixels
BEYOND = {"mean": 1.5, "log_std": 1.2, "the logits": 1.2}  # what outputs must pass, both ways, trained towards ±3 or ±2
MOST_NETWORKS, MOST_OUTPUTS = 100, 1 << 15  # that a probe looks at, and numbers that each gives for a row
STRAIGHT = 1e-4  # of a bend: rounding makes 1e-6, and activations make 0.01 at least
SIZES = [[16], [32], [16, 16], [16, 32], [32, 16], [16, 16, 16]]  # hidden_dims that all differ in what they need


@check("vae.mlp_encoder")
@pytest.mark.parametrize("settings", MLP_ENCODERS, ids=sizes)
def test_mlp_encoder(student: Subject, rng: Rng, settings: dict[str, Any]) -> None:
    """The MLP encoder: shapes, registered parameters, and each image on its own."""
    images = rng.bits(5, *IMAGE_OF[settings["input_dim"]])
    got = student.run(probes.vae.network, which="mlp_encoder", x=images, settings=settings)
    judge_encoder(got, len(images), settings["z_dim"])


@check("vae.cnn_encoder")
@pytest.mark.parametrize("settings", CNNS, ids=sizes)
def test_cnn_encoder(student: Subject, rng: Rng, settings: dict[str, Any]) -> None:
    """The convolutional encoder: shapes, registered parameters, and each image on its own."""
    images = rng.bits(5, settings["num_input_channels"], 28, 28)
    got = student.run(probes.vae.network, which="cnn_encoder", x=images, settings=settings)
    judge_encoder(got, len(images), settings["z_dim"])


@check("vae.mlp_decoder")
@pytest.mark.parametrize("settings", MLP_DECODERS, ids=sizes)
def test_mlp_decoder(student: Subject, rng: Rng, settings: dict[str, Any]) -> None:
    """The MLP decoder: shapes, registered parameters, and each latent on its own."""
    z = rng.normal(5, settings["z_dim"])
    got = student.run(probes.vae.network, which="mlp_decoder", x=z, settings=settings)
    judge_network(got, ["the logits"], (len(z), *settings["output_shape"]))


@check("vae.cnn_decoder")
@pytest.mark.parametrize("settings", CNNS, ids=sizes)
def test_cnn_decoder(student: Subject, rng: Rng, settings: dict[str, Any]) -> None:
    """The convolutional decoder: shapes, registered parameters, and each latent on its own."""
    z = rng.normal(5, settings["z_dim"])
    got = student.run(probes.vae.network, which="cnn_decoder", x=z, settings=settings)
    judge_network(got, ["the logits"], (len(z), settings["num_input_channels"], 28, 28))


@check("vae.mlp_encoder")
def test_mlp_encoder_in_another_order(student: Subject, rng: Rng) -> None:
    """The MLP encoder made once more: the same images in another order give the same outputs."""
    settings = MLP_ENCODERS[0]
    judge_order(student, rng, "mlp_encoder", rng.bits(5, *IMAGE_OF[settings["input_dim"]]), settings)


@check("vae.cnn_encoder")
def test_cnn_encoder_in_another_order(student: Subject, rng: Rng) -> None:
    """The convolutional encoder made once more: the same images in another order give the same outputs."""
    judge_order(student, rng, "cnn_encoder", rng.bits(5, 1, 28, 28), CNNS[0])


@check("vae.mlp_decoder")
def test_mlp_decoder_in_another_order(student: Subject, rng: Rng) -> None:
    """The MLP decoder made once more: the same latents in another order give the same outputs."""
    settings = MLP_DECODERS[0]
    judge_order(student, rng, "mlp_decoder", rng.normal(5, settings["z_dim"]), settings)


@check("vae.cnn_decoder")
def test_cnn_decoder_in_another_order(student: Subject, rng: Rng) -> None:
    """The convolutional decoder made once more: the same latents in another order give the same outputs."""
    judge_order(student, rng, "cnn_decoder", rng.normal(5, CNNS[0]["z_dim"]), CNNS[0])


def judge_order(student: Subject, rng: Rng, which: str, x: Array32, settings: dict[str, Any]) -> None:
    """In a process of its own, from the same random state, a network is the same: numbers that are none's are not."""
    order = rng.choice(len(x), len(x))
    first = student.run(probes.vae.network, which=which, x=x, settings=settings).list("outputs")
    second = student.again(probes.vae.network, which=which, x=x[order], settings=settings).list("outputs")
    expect(len(first) == len(second) > 0, "the network gives another number of outputs when it is made once more")
    for one, other in zip(first, second, strict=True):
        expected = one.tensor()
        expect(expected.shape[:1] == (len(x),), "there is not one row of outputs for each row of inputs")
        judge_same(other.tensor(shape=expected.shape), expected[order])


def judge_same(got: Array, expected: Array) -> None:
    assert_close(
        got,
        expected,
        rtol=1e-3,
        atol=1e-4,
        what="what the network gives for the same rows in another order, when it is made once more",
        hint="it should depend on its input and its initial weights alone, and these on torch's random numbers",
    )


def judge_encoder(got: Evidence, batch: int, z_dim: int) -> None:
    mean, log_std = judge_network(got, ["mean", "log_std"], (batch, z_dim))
    expect(
        not np.array_equal(mean, log_std),
        "mean and log_std are the same numbers: each needs outputs of its own",
    )
    for name, values in (("mean", mean), ("log_std", log_std)):
        expect(bool(np.ptp(values, axis=1).any()), f"{name} is the same for all latents: each needs its own output")


def judge_network(got: Evidence, names: list[str], shape: tuple[int, ...]) -> list[Array]:
    """Its outputs, when they have the right shape, belong to their own rows, and come from registered parameters."""
    outputs, agains, alones, lines = (tensors(got, role, names) for role in ("outputs", "again", "alone", "line"))
    for name, output, again, alone in zip(names, outputs, agains, alones, strict=True):
        expect(
            output.shape == shape,
            f"{name} has the wrong shape",
            expected=f"shape {list(shape)}",
            got=f"shape {list(output.shape)}",
        )
        assert_close(
            again,
            output,
            rtol=1e-3,
            atol=1e-4,
            what=f"{name} of the same input once more, in eval mode",
            hint="nothing in the network may be random then",
        )
        expect(alone.size == output.size, f"{name} of a single row has the wrong shape")
        assert_close(
            alone.reshape(shape),
            output,
            rtol=1e-3,
            atol=1e-4,
            what=f"{name} of a single row, in eval mode",
            hint="it must not depend on the other rows of the batch",
        )
        expect(bool(np.ptp(output, axis=0).any()), f"different inputs give the same {name.removeprefix('the ')}")
    judge_registration(got)
    expect(
        bend(lines) > STRAIGHT,
        "the network is linear, however many layers it has: there should be an activation function between the layers",
    )
    return outputs


def tensors(got: Evidence, role: str, names: list[str]) -> list[Array]:
    """The outputs of a network in that role, one for each of the names."""
    found = [item.tensor() for item in got.list(role)]
    expect(len(found) == len(names), f"the network should return {' and '.join(names)}")
    return found


def bend(outputs: list[Array]) -> float:
    """How far the outputs [3, …] for three equidistant points are from a line, in units of its length.

    0 for a network without activations. Infinite where all three are one point: a ReLU at the end is judged elsewhere.
    """
    expect(all(output.shape[:1] == (3,) for output in outputs), "the outputs of three rows have the wrong shape")
    first, middle, last = (np.concatenate([output[row].ravel() for output in outputs]) for row in range(3))
    length = float(np.abs(first - last).max())
    return float(np.abs(middle - (first + last) / 2).max()) / length if length else np.inf


def judge_registration(got: Evidence) -> None:
    """Every parameter that the output depends on is registered, and every registered one takes part."""
    expect(
        got.integer("unregistered") == 0,
        UNREGISTERED,
        expected="all parameters in network.parameters()",
        got=f"{got.integer('unregistered')} tensors that are not",
    )
    expect(
        not got.text("unreached"),
        "a registered parameter takes no part in the output, so it gets no gradient",
        got=got.text("unreached")[:100],
    )
    expect(got.integer("parameters") > 0, "the network has no parameters")


@check("vae.mlp_encoder")
def test_mlp_encoder_size(student: Subject) -> None:
    """The MLP encoder: a hidden layer for each entry of hidden_dims, as wide as it says."""
    judge_sizes(student, "mlp_encoder", {"input_dim": 784, "z_dim": 4})


@check("vae.mlp_decoder")
def test_mlp_decoder_size(student: Subject) -> None:
    """The MLP decoder: a hidden layer for each entry of hidden_dims, as wide as it says."""
    judge_sizes(student, "mlp_decoder", {"z_dim": 4, "output_shape": [1, 28, 28]})


def judge_sizes(student: Subject, which: str, fixed: dict[str, Any]) -> None:
    settings = [{**fixed, "hidden_dims": size} for size in SIZES]
    got = student.run(probes.vae.parameter_counts, which=which, settings=settings)
    counts = {tuple(size): item.integer() for size, item in zip(SIZES, got.list(), strict=False)}
    for less, more in (((16,), (32,)), ((16,), (16, 16)), ((16, 16), (16, 32)), ((16, 16), (32, 16))):
        grows_or_fails(counts, less, more)
    grows_or_fails(counts, (16, 16), (16, 16, 16))


def grows_or_fails(counts: dict[tuple[int, ...], int], less: tuple[int, ...], more: tuple[int, ...]) -> None:
    expect(
        counts.get(more, 0) > counts.get(less, 0),
        f"hidden_dims={list(more)} makes no larger network than hidden_dims={list(less)}: every entry should be a "
        "layer of that width, registered with the module",
        expected="more parameters",
        got=f"{counts.get(more)} and {counts.get(less)}",
    )


@check("vae.mlp_encoder")
def test_mlp_encoder_range(student: Subject, rng: Rng) -> None:
    """The MLP encoder's outputs can be negative and positive, beyond ±1."""
    settings = {"input_dim": 784, "hidden_dims": [32], "z_dim": 8}
    judge_encoder_range(student, rng, "mlp_encoder", settings)


@check("vae.cnn_encoder")
def test_cnn_encoder_range(student: Subject, rng: Rng) -> None:
    """The convolutional encoder's outputs can be negative and positive, beyond ±1."""
    settings = {"num_input_channels": 1, "num_filters": 6, "z_dim": 8}
    judge_encoder_range(student, rng, "cnn_encoder", settings)


def judge_encoder_range(student: Subject, rng: Rng, which: str, settings: dict[str, Any]) -> None:
    rows, z_dim = 8, settings["z_dim"]
    target = np.tile(np.repeat([3.0, 2.0], z_dim).astype(np.float32), (rows, 1))
    lowest, highest = reached(student, which, rng.bits(rows, 1, 28, 28), target, settings)
    judge_range("mean", lowest[:, :z_dim], highest[:, :z_dim])
    judge_range("log_std", lowest[:, z_dim:], highest[:, z_dim:])


@check("vae.mlp_decoder")
def test_mlp_decoder_range(student: Subject, rng: Rng) -> None:
    """The MLP decoder gives logits: any number, no sigmoid."""
    judge_decoder_range(student, rng, "mlp_decoder", {"z_dim": 8, "hidden_dims": [32], "output_shape": [1, 28, 28]})


@check("vae.cnn_decoder")
def test_cnn_decoder_range(student: Subject, rng: Rng) -> None:
    """The convolutional decoder gives logits: any number, no sigmoid."""
    judge_decoder_range(student, rng, "cnn_decoder", {"num_input_channels": 1, "num_filters": 6, "z_dim": 8})


def judge_decoder_range(student: Subject, rng: Rng, which: str, settings: dict[str, Any]) -> None:
    target = np.full((8, 28 * 28), 3.0, dtype=np.float32)
    lowest, highest = reached(student, which, rng.normal(8, settings["z_dim"]), target, settings)
    judge_range("the logits", lowest, highest)


def reached(student: Subject, which: str, x: Array32, target: Array32, settings: dict[str, Any]) -> tuple[Array, Array]:
    """How low and how high a network's outputs get on the way to −`target` and `target`."""
    got = student.run(probes.vae.reach, which=which, x=x, target=target, settings=settings)
    expect(not got.is_none(), UNREGISTERED)
    outputs = got.tensor("starts", shape=(UpTo(MOST_NETWORKS), UpTo(MOST_NETWORKS), UpTo(MOST_OUTPUTS))).shape[2]
    expect(
        outputs == target.shape[1],
        "the outputs have the wrong shape",
        expected=f"{target.shape[1]} numbers for each row",
        got=f"{outputs}",
    )
    return got.tensor("lowest", shape=target.shape), got.tensor("highest", shape=target.shape)


def judge_range(name: str, lowest: Array, highest: Array) -> None:
    """Trained towards ±3, or ±2, an output must go past `BEYOND` both ways."""
    beyond, low, high = BEYOND[name], float(lowest.min()), float(highest.max())
    expect(
        low < -beyond and high > beyond,
        f"{name} cannot take every value, whatever the weights: there should be no activation on the output layer",
        expected=f"values below {-beyond:g} and above {beyond:g}",
        got=f"values from {low:.3g} to {high:.3g}",
    )
