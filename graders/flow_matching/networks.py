"""Checks of the networks of lab three of 2026, by their shapes and by what depends on what.

Networks get random weights first, since parts of them begin at zero. Left open by the hand-out, and decided for the
student:
- in which order tokens stand for patches, how layers are written, and what a block has beside what is asked;
- whether a network takes times as [B] or [B, 1], except for the whole model, which takes [B] and [B, 1, 1, 1];
- which images a network is for: the first hand-out of 2026 has one channel, and a whole model of one size;
- the order of cosines and sines, and whether they are multiplied by √2;
- whether a new layer is the identity (adaLN-Zero).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from gengrade.arrays import Array, Array32
from gengrade.grading import Evidence, Passed, Rng, Subject, assert_close, check, expect, fail, probes
from graders.common.networks import expect_nonlinear
from graders.flow_matching.changes import (
    are_equal,
    changed,
    line_of,
    on_a_line,
    one_by_one,
    outputs_of,
    passes_of,
    seed_of,
    shaped,
)
from graders.flow_matching.trainable import judge_training

ATTENTION: Final = "flow_matching.attention"
BATCH: Final = 3
IMAGES, MOVED = 10, 8  # in a batch of tokens, and how many of them change
TOKENS: Final = 4
DIM: Final = 12
HEADS: Final = 2
SIDE, PATCH, CHANNELS = 8, 4, 2  # of images, and of the patches that they are cut into
FIXED_SIDE: Final = 32  # of images for the whole model of the first hand-out of 2026
RIGHT_SCALE: Final = "the root of the size of a head"
# By what scores q·k are divided, and the factor by which they are too large then.
SCALES: Final = {
    RIGHT_SCALE: 1.0,
    "nothing": (DIM / HEADS) ** 0.5,
    "the root of dim, not of a head's size": HEADS**-0.5,
    "a head's size, not by its root": (DIM / HEADS) ** -0.5,
    "the root of a head's size, but heads are not separated": float(HEADS),
    "the root of dim, and heads are not separated": HEADS**0.5,
}


@check("flow_matching.label_field")
def test_field_of_points_with_labels(student: Subject, rng: Rng) -> None:
    """MLPConditionalVectorField gives each point a vector that depends on the point, its time and its label."""
    dim, x, t, y = 2, rng.normal(BATCH, 2), rng.uniform(0.1, 0.9, BATCH), np.array([0, 1, 2])
    settings = {"dim": dim, "hidden_dim": 16, "class_dim": 5, "num_classes": 4}
    moved_x, moved_t, moved_y = x.copy(), t.copy(), y.copy()
    moved_x[0], moved_t[0], moved_y[0] = x[0] + 1, 1 - t[0] / 2, 3
    inputs = one_by_one(x=(x, moved_x), t=(t, moved_t), y=(y, moved_y))
    name, line = "MLPConditionalVectorField", on_a_line(inputs, 4 * rng.normal(BATCH, dim))
    got = passes_of(student.run, seed_of(rng), name, settings, **line)
    outputs = shaped(got, (BATCH, dim), "the vectors")
    _expect_rows(outputs[:-2], inputs)
    expect_nonlinear([line_of(outputs)], name)
    judge_training(student, seed_of(rng), name, settings, use=True, x=x, t=t, y=y)


@check("flow_matching.fourier")
def test_fourier_encoder(student: Subject, rng: Rng) -> None:
    """FourierEncoder gives cos(2πwᵢt) and sin(2πwᵢt) for its learned frequencies wᵢ.

    With random frequencies, Tancik et al. 2020, section 3.
    """
    t, frequencies = rng.uniform(0.05, 0.95, 20), rng.uniform(0.3, 2.5, DIM // 2)
    got = student.run(probes.flow_matching.network.fourier, dim=DIM, frequencies=frequencies, t=t)
    expect(
        got.shape() == (len(t), DIM),
        "the encoder should give dim numbers for each time",
        expected=f"shape [{len(t)}, {DIM}]",
        got=f"shape {list(got.shape())}",
    )
    found = got.tensor(shape=(len(t), DIM))
    angles = 2 * np.pi * t[:, None].astype(np.float64) * frequencies
    right = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    scale = float(np.sqrt(np.mean(found**2) / np.mean(right**2)))
    expect(
        any(abs(scale - each) < 0.02 for each in (1.0, 2**0.5)),
        "the encoding is too large or too small: cosines and sines, times √2 at most",
        expected="a factor of 1 or √2",
        got=f"{scale:.3g}",
    )
    factor = 2**0.5 if scale > 1.2 else 1.0
    for name, wanted in (("cosine", np.cos(angles)), ("sine", np.sin(angles))):
        away = np.abs(found[:, :, None] - factor * wanted[:, None, :]).max(axis=0)  # [dim, dim/2]
        expect(bool((away.min(axis=0) < 1e-2).all()), f"no element is the {name} of 2π·w·t for some frequency w")
    judge_training(student, seed_of(rng), "FourierEncoder", {"dim": DIM}, t=t)


@check("flow_matching.patches")
def test_patchifier(student: Subject, rng: Rng) -> None:
    """Patchifier makes one token of each patch, of all its pixels and of no others."""
    channels, _ = _image(student, "Patchifier")
    x = rng.normal(1, channels, SIDE, SIDE)
    pixels = x.size
    moved = np.repeat(x[None], pixels + 1, axis=0)
    moved.reshape(pixels + 1, -1)[np.arange(1, pixels + 1), np.arange(pixels)] += 1
    settings = {"img_size": SIDE, "patch_size": PATCH, "c_in": channels, "dim": DIM}
    got = passes_of(student.run, seed_of(rng), "Patchifier", settings, x=moved)
    outputs = shaped(got, (1, TOKENS, DIM), "the tokens")
    felt = changed(outputs, 2)[:, 0]  # [pixels, tokens]
    expect(bool(felt.any(axis=1).all()), "some pixels of an image are in no token")
    expect(
        bool((felt.sum(axis=1) == 1).all()),
        "a pixel changes several tokens: patches do not overlap, so the stride is patch_size",
        got=f"up to {int(felt.sum(axis=1).max())} tokens",
    )
    tokens = felt.argmax(axis=1).reshape(channels, SIDE // PATCH, PATCH, SIDE // PATCH, PATCH)
    of_patches = tokens.transpose(1, 3, 0, 2, 4).reshape(TOKENS, -1)
    expect(
        bool((of_patches == of_patches[:, :1]).all()) and len(np.unique(of_patches[:, 0])) == TOKENS,
        "the tokens are not those of square patches: each is made of the pixels of one patch, in all channels",
    )
    rows = (outputs[1:] - outputs[0])[tokens.reshape(-1) == 0, 0, 0]  # how the pixels of a patch change its token
    expect(
        int(np.linalg.matrix_rank(rows, tol=1e-3 * np.abs(rows).max())) > 1,
        "all numbers of a token say the same of its patch: each of the dim numbers has weights of its own",
    )
    judge_training(student, seed_of(rng), "Patchifier", settings, x=x)


@check("flow_matching.patches")
def test_depatchifier(student: Subject, rng: Rng) -> None:
    """Depatchifier makes an image in which each token gives the pixels of one patch."""
    tokens = rng.normal(1, TOKENS, DIM)
    moved = np.repeat(tokens[None], TOKENS + 1, axis=0)
    moved[np.arange(1, TOKENS + 1), 0, np.arange(TOKENS)] += 1
    channels, _ = _image(student, "Depatchifier")
    settings = {"img_size": SIDE, "patch_size": PATCH, "dim": DIM, "final_dim": 6, "c_out": channels}
    got = passes_of(student.run, seed_of(rng), "Depatchifier", settings, x=moved)
    outputs = shaped(got, (1, channels, SIDE, SIDE), "the image")
    moves = np.abs(outputs[1:] - outputs[0])[:, 0].sum(axis=1)  # [tokens, side, side]
    blocks = moves.reshape(TOKENS, SIDE // PATCH, PATCH, SIDE // PATCH, PATCH).sum(axis=(2, 4)).reshape(TOKENS, -1)
    share = blocks.max(axis=1) / np.maximum(blocks.sum(axis=1), 1e-12)
    expect(bool((blocks.sum(axis=1) > 0).all()), "some tokens change no pixel of the image")
    expect(
        bool((share > 0.5).all()) and len(np.unique(blocks.argmax(axis=1))) == TOKENS,
        "a token does not give the pixels of one patch: it is spread over the image, or two give the same patch",
        expected="most of the change in a patch of its own",
        got=f"a share of {share.min():.0%}",
    )
    judge_training(student, seed_of(rng), "Depatchifier", settings, x=tokens)


@check(ATTENTION)
def test_attention_of_tokens(student: Subject, rng: Rng) -> None:
    """MHA gives each token an output that depends on all tokens of its image, and not on where they stand."""
    settings = {"dim": DIM, "heads": HEADS}
    got = _of_tokens(student, rng, "MHA", settings)
    _judge_tokens(got, conditional=False)
    judge_training(student, seed_of(rng), "MHA", settings, x=rng.normal(BATCH, TOKENS, DIM))


@check(ATTENTION)
def test_attention_scale(student: Subject, rng: Rng) -> None:
    """MHA weighs tokens by the softmax over keys of q·k divided by the root of the size of a head.

    All layers give the mean of what they take, and the numbers of a token are equal, so that queries, keys and values
    are known however heads are split: Vaswani et al. 2017, equation 1.
    """
    values = rng.uniform(-1.4, 1.4, BATCH, 6)
    x = np.repeat(values[..., None], DIM, axis=-1)[None]
    got = passes_of(student.run, seed_of(rng), "MHA", {"dim": DIM, "heads": HEADS}, weights="mean", x=x)
    outputs = shaped(got, (BATCH, 6, DIM), "the output")[0]
    scores = values[:, :, None].astype(np.float64) * values[:, None, :] * (DIM / HEADS) ** 0.5
    right = {name: attended(factor * scores, values) for name, factor in SCALES.items()}
    found = outputs.mean(axis=-1)
    nearest = min(right, key=lambda name: float(np.abs(right[name] - found).max()))
    away = float(np.abs(right[nearest] - found).max())
    if away < 1e-3 and nearest != RIGHT_SCALE:
        fail(
            f"scores are divided by {nearest}: divide q·k by √(dim/heads)",
            expected="softmax(q·kᵀ / √(dim/heads)) · v",
        )
    across = attended(scores.swapaxes(1, 2), values, axis=1)
    expect(float(np.abs(across - found).max()) > 1e-3, "the softmax is over queries: weights add up to 1 over keys")
    expected = right[RIGHT_SCALE]
    assert_close(found, expected, rtol=1e-3, atol=1e-3, what="the output", hint="softmax(q·kᵀ / √(dim/heads)) · v")


def attended(scores: Array, values: Array32, axis: int = 2) -> Array:
    """Return Σ softmax(scores) · values over keys [B, N], for scores [B, queries, keys]; `axis` is the softmax's."""
    weights = np.exp(scores - scores.max(axis=axis, keepdims=True))
    weights /= weights.sum(axis=axis, keepdims=True)
    return np.asarray((weights * values[:, None, :]).sum(axis=2), dtype=np.float64)


@check("flow_matching.transformer_layer", leaves_to=(ATTENTION,))
def test_transformer_layer(student: Subject, rng: Rng, passed: Passed) -> None:
    """DiffusionTransformerLayer changes tokens by each other and by c, and not by where they stand."""
    name, settings = "DiffusionTransformerLayer", {"dim": DIM, "heads": HEADS}
    got = _of_tokens(student, rng, name, settings, conditional=True)
    _judge_tokens(got, conditional=True, attends=passed(ATTENTION))
    x, c = rng.normal(BATCH, TOKENS, DIM), rng.normal(BATCH, DIM)
    judge_training(student, seed_of(rng), name, settings, use=True, x=x, c=c)
    # Attention gives a single token what is linear in it, so that a norm or an MLP shows.
    line = on_a_line({"x": x[None, :, :1], "c": c[None]}, 2 * rng.normal(BATCH, 1, DIM))
    alone = passes_of(student.run, seed_of(rng), name, settings, **line)
    expect_nonlinear([line_of(shaped(alone, (BATCH, 1, DIM), "a single token"))], name)


@check("flow_matching.transformer_layer")
def test_layer_adds_to_its_input(student: Subject, rng: Rng) -> None:
    """DiffusionTransformerLayer adds to its tokens: with all weights at zero, it gives what it takes."""
    x, c = rng.normal(1, BATCH, TOKENS, DIM), rng.normal(1, BATCH, DIM)
    settings = {"dim": DIM, "heads": HEADS}
    got = passes_of(student.run, seed_of(rng), "DiffusionTransformerLayer", settings, weights="zero", x=x, c=c)
    outputs = shaped(got, (BATCH, TOKENS, DIM), "the tokens")
    expect(
        are_equal(outputs, x.astype(np.float64)),
        "the layer does not add to its tokens: x ← x + gate · f(…), for the attention and for the MLP",
    )


@check("flow_matching.transformer", leaves_to=(ATTENTION,))
def test_transformer(student: Subject, rng: Rng, passed: Passed) -> None:
    """DiffusionTransformer has `depth` layers, depends on c, and tells tokens apart by learned positions."""
    settings = {"depth": 2, "n_tokens": TOKENS, "dim": DIM, "heads": HEADS}
    got = _of_tokens(student, rng, "DiffusionTransformer", settings, conditional=True)
    _judge_tokens(got, conditional=True, positions=True, attends=passed(ATTENTION))
    one, three = (
        _of_tokens(student, rng, "DiffusionTransformer", {**settings, "depth": depth}, conditional=True)
        for depth in (1, 3)
    )
    counts = [each.integer("parameters") for each in (one, got, three)]
    expect(
        counts[1] - counts[0] >= DIM * DIM and counts[2] - counts[1] == counts[1] - counts[0],
        "the number of parameters does not grow with depth: make `depth` layers with weights of their own",
        got=f"{counts[0]}, {counts[1]} and {counts[2]} parameters for depths of 1, 2 and 3",
    )
    x, c = rng.normal(BATCH, TOKENS, DIM), rng.normal(BATCH, DIM)
    judge_training(student, seed_of(rng), "DiffusionTransformer", settings, x=x, c=c)


@check("flow_matching.flow_model", leaves_to=(ATTENTION,))
def test_flow_model(student: Subject, rng: Rng, passed: Passed) -> None:
    """DiffusionTransformerFlowModel gives images for images, which depend on all pixels, on t and on y."""
    name = "DiffusionTransformerFlowModel"
    _, side = _image(student, name)
    x, t, y = rng.normal(BATCH, 1, side, side), rng.uniform(0.1, 0.9, BATCH), np.array([0, 1, 2])
    moved_x, moved_t, moved_y = x.copy(), t.copy(), y.copy()
    moved_x[0, :, :PATCH, :PATCH] += 1
    moved_t[0], moved_y[0] = 1 - t[0] / 2, 4
    inputs = one_by_one(x=(x, moved_x), t=(t, moved_t), y=(y, moved_y))
    settings = {"img_size": side, "patch_size": PATCH, "num_layers": 2, "c": 1, "dim": 16, "heads": HEADS}
    settings |= {"final_dim": 4, "n_classes": 5}
    seed = seed_of(rng)
    got = passes_of(student.run, seed, name, settings, **on_a_line(inputs, 2 * rng.normal(*x.shape)))
    outputs = shaped(got, x.shape, "the field")
    expect_nonlinear([line_of(outputs)], name)
    outputs = outputs[:-2]
    _expect_rows(outputs, inputs)
    judge_training(student, seed_of(rng), name, settings, x=x, t=t, y=y)
    far = np.abs(outputs[1, 0] - outputs[0, 0])[:, PATCH + 1 :, PATCH + 1 :]
    attends = float(far.max()) > 0 or not passed(ATTENTION)
    expect(attends, "a patch of the field depends on that patch of the image only: tokens attend to all")
    inputs["t"] = inputs["t"][..., None, None, None]
    again = outputs_of(passes_of(student.again, seed, name, settings, **inputs))
    expect(
        are_equal(again, outputs),
        "times of shape [B, 1, 1, 1] give another field than times of shape [B]: the given sampler uses the former",
    )


def _image(student: Subject, name: str) -> tuple[int, int]:
    """Return the channels and the side of the images that a class's networks are for."""
    got = student.run(probes.flow_matching.network.image, name=name, channels=CHANNELS, side=SIDE)
    channels, side = got.integer("channels"), got.integer("side")
    expect(channels in (1, CHANNELS) and side in (SIDE, FIXED_SIDE), f"{name} is for images of another size")
    return channels, side


def _of_tokens(
    student: Subject, rng: Rng, name: str, settings: dict[str, Any], *, conditional: bool = False
) -> Evidence:
    """Return the passes of a network for tokens x: as they are, in another order, with one changed, with c changed."""
    x, c = rng.normal(IMAGES, TOKENS, DIM), rng.normal(IMAGES, DIM)
    moved, moved_c = x.copy(), c.copy()
    moved[:MOVED, 1] += rng.normal(MOVED, DIM)
    moved_c[:MOVED] += rng.normal(MOVED, DIM)
    inputs: dict[str, Any] = {"x": np.stack([x, x[:, ::-1], moved, x])}
    if conditional:
        inputs["c"] = np.stack([c, c, c, moved_c])
    return passes_of(student.run, seed_of(rng), name, settings, **inputs)


def _judge_tokens(got: Evidence, *, conditional: bool, positions: bool = False, attends: bool = True) -> None:
    """Fail unless tokens depend on what they should; `attends`: a mistake in the attention is not judged elsewhere."""
    outputs = shaped(got, (IMAGES, TOKENS, DIM), "the tokens")
    felt = changed(outputs[[0, 2, 3]], 2)  # [2, B, tokens]
    # In one image or another, a softmax may leave a token out, up to rounding.
    anywhere = np.asarray(felt[:, :MOVED].any(axis=1))
    expect(bool(anywhere[0, 1]), "a token's output does not depend on the token")
    mixes = bool(anywhere[0].all()) or not attends
    expect(mixes, "a token's output does not depend on the other tokens of its image: attend to all")
    expect(not felt[:, MOVED:].any(), "an image's tokens depend on the other images of the batch")
    if conditional:
        expect(bool(anywhere[1].all()), "the tokens do not depend on c, the condition")
    ordered = are_equal(outputs[1], outputs[0][:, ::-1])
    if positions:
        expect(not ordered, "tokens are not told apart by where they stand: add a learned position to each")
    elif attends:
        expect(ordered, "tokens in another order should give the same outputs in that order: do not mix their places")


def _expect_rows(outputs: Array, inputs: Iterable[str]) -> None:
    """Fail unless the first row of outputs [K + 1, B, …] depends on each input, and no other row does.

    The passes are those of `one_by_one` for these inputs.
    """
    for name, felt in zip(inputs, changed(outputs, 1), strict=True):
        expect(bool(felt[0]), f"the output does not depend on {name}")
        expect(not felt[1:].any(), f"the output for a sample depends on the {name} of another one")
