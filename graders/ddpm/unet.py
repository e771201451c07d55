"""Checks of a U-Net with prescribed layers: its layers, how they are connected, and classifier-free guidance (CS231n).

The layers within a block are the hand-out's own. Left open by the hand-out, and decided for the student:

- whatever gives the right output with given weights is right. Where the output differs, the network's modules return
  known features, and what each of them is given shows the mistake. So neither a mistake in the layers nor a change
  within the given blocks is charged again;
- guidance may call forward twice, or once with a batch of twice the size, and may give a text of zeros in the place of
  none, which the given code takes for the same.

Guidance is judged in one call: the hand-out's code takes `cfg_scale` out of the caller's mapping, so that a loop of
steps guides only the first of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

import numpy as np

from gengrade.arrays import Array, Array32, Floats
from gengrade.grading import Evidence, Passed, Rng, Subject, assert_close, check, expect, fail, not_asked, probes
from graders.common.networks import difference, listed_shapes

LAYERS, FORWARD, GUIDANCE = "ddpm.unet_layers", "ddpm.unet_forward", "ddpm.guidance"
SIDE: Final = 32  # the largest height and width of images
LEVELS: Final = (2, 3, 4)  # numbers in dim_mults
NEAR: Final = {"rtol": 1e-3, "atol": 1e-3}
SLOPES: Final = 0.02  # tolerance on gradients, relative to the largest
MODES: Final = {"eval": "", "training": " in training mode"}


@check(LAYERS)
def test_unet_layers(student: Subject, reference: Subject, rng: Rng) -> None:
    """The U-Net has the prescribed layers in `downs` and `ups`, for any number of levels and channels."""
    for levels in LEVELS:
        setting = _setting(rng, levels)
        dim, mults = setting["dim"], setting["dim_mults"]
        got = student.run(probes.ddpm.unet.layers, **setting)
        right = reference.run(probes.ddpm.unet.layers, **setting)
        dims = [dim, *(dim * each for each in mults)]
        pairs = list(pairwise(dims))
        for side, sizes in (("downs", pairs), ("ups", [(b, a) for a, b in reversed(pairs)])):
            _judge_levels(got.list(side), right.list(side), side, sizes, f"dim={dim} and dim_mults={tuple(mults)}")
        _expect_count(got, right, f"dim={dim} and dim_mults={tuple(mults)}")


@check(FORWARD, leaves_to=(LAYERS,))
def test_unet_forward(student: Subject, reference: Subject, rng: Rng, passed: Passed) -> None:
    """forward passes the images through all layers, with time and text, and with the skip connections in order.

    Ronneberger et al. 2015: each block on the way up takes the features of one on the way down, the last ones first.
    """
    asked = _asked(rng, reference)
    if _gives_the_same(student, reference, rng, asked):
        return
    features = _features(rng, asked)
    got = student.run(probes.ddpm.unet.wiring, features=features, **asked)
    if not got.flag("known"):
        unused = got.text("unused")
        expect(not unused, f"forward does not use all layers of the network: {unused} has no influence on its output")
        if passed(LAYERS):
            fail("forward gives something else than the prescribed network with the same weights")
        _judge_influences(student, rng, asked, [each.integer() for each in got.list("levels", exactly=2)])
        not_asked("the layers are others than the prescribed ones, and forward uses them", unless=(LAYERS,))
    right = reference.run(probes.ddpm.unet.wiring, features=features, **asked)
    for mode, where in MODES.items():
        _judge_wiring(got[mode], right[mode], features, len(asked["dim_mults"]), where)


@check(GUIDANCE)
def test_guidance(student: Subject, rng: Rng) -> None:
    """cfg_forward returns (s + 1)·ε(x, t, text) − s·ε(x, t, no text), where s is cfg_scale.

    A known function takes the place of forward. Ho & Salimans 2022, equation 6.
    """
    condition_dim, channels, side, rows = rng.integer(4, 9), 3, rng.integer(1, 9) * 4, rng.integer(2, 6)
    x, time, text = rng.normal(rows, channels, side, side), rng.uniform(0, 1, rows), rng.normal(rows, condition_dim)
    scale = float(rng.uniform(1.5, 4, 1)[0])
    known = {"projection": rng.normal(condition_dim, x[0].size), "offset": rng.normal(x[0].size)}
    setting = {"condition_dim": condition_dim, "x": x, "time": time, "text": text, "scale": scale, "known": known}
    got = student.run(probes.ddpm.unet.guidance, **setting)
    expect(
        not got.flag("scaled"),
        "forward is given cfg_scale again, so that it would call cfg_forward without an end: leave it out",
    )
    base = 0.7 * x.astype(np.float64) + time.reshape(-1, 1, 1, 1)
    conditional = base + (text.astype(np.float64) @ known["projection"]).reshape(x.shape)
    unconditional = base + known["offset"].reshape(x.shape[1:])
    right = (scale + 1) * conditional - scale * unconditional
    found = got.tensor("guided", x.shape, finite=False)
    if not _same(found, right):
        fail(_words(found, conditional, unconditional, scale), expected="(s + 1)·ε(text) − s·ε(no text)")


def _setting(rng: Rng, levels: int) -> dict[str, Any]:
    """Random arguments of a network with so many levels, each of which changes the number of channels."""
    return {
        "dim": 2 * rng.integer(2, 6),
        "condition_dim": rng.integer(4, 9),
        "dim_mults": (rng.choice(4, levels) + 1).tolist(),
        "channels": rng.integer(1, 4),
    }


def _asked(rng: Rng, reference: Subject) -> dict[str, Any]:
    """Return the arguments of a network and its weights, images, times and texts, all of random sizes."""
    levels = LEVELS[rng.integer(0, len(LEVELS))]
    setting = _setting(rng, levels)
    least = 2**levels
    side, rows = least * rng.integer(1, SIDE // least + 1), rng.integer(6, 10)
    return {
        **{name: setting[name] for name in ("dim", "condition_dim", "dim_mults")},
        "weights": dict(reference.run(probes.ddpm.unet.weights, **setting).state()),
        "x": rng.normal(rows, setting["channels"], side, side),
        "time": rng.integers(1, 900, rows),
        "text": rng.normal(rows, setting["condition_dim"]),
    }


def _gives_the_same(student: Subject, reference: Subject, rng: Rng, asked: Mapping[str, Any]) -> bool:
    """Return whether a network with known weights gives the right output in both modes.

    Fails if it does, and its gradients are wrong; and if its output is right in eval mode only.
    """
    shape = asked["x"].shape
    asked = {**asked, "direction": rng.normal(*shape)}
    got, right = (each.run(probes.ddpm.unet.output, **asked) for each in (student, reference))
    if not got.flag("fits") or not _agrees(got["eval"], right["eval"], shape):
        return False
    _judge_slopes(got["eval"], right["eval"], shape)
    if not _agrees(got["training"], right["training"], shape):
        _judge_dropped_texts(got["training"], right["training"], reference, asked)
        return True
    _judge_slopes(got["training"], right["training"], shape)
    return True


def _agrees(got: Evidence, right: Evidence, shape: tuple[int, ...]) -> bool:
    found = got.tensor("output", None, finite=False)
    return _same(found, right.tensor("output", shape))


def _judge_slopes(got: Evidence, right: Evidence, shape: tuple[int, ...]) -> None:
    """Fail unless the gradients by images and by parameters are those of the prescribed network."""
    expect(
        got.flag("attached"),
        "no gradient passes through forward, so that nothing can be trained: leave out detach and torch.no_grad",
    )
    _expect_slope(got.tensor("slopes", shape), right.tensor("slopes", shape))
    sizes = right.tensor("sizes")
    wrong = np.abs(got.tensor("sizes", sizes.shape) - sizes) > SLOPES * (sizes + 0.01 * sizes.max())
    message = "the gradient of the output does not reach all parameters as it should: does forward detach something?"
    expect(not wrong.any(), message, got=f"another gradient for {wrong.sum()} of {wrong.size} parameters")


def _expect_slope(found: Array, right: Array) -> None:
    away = float(np.abs(found - right).max() / np.abs(right).max())
    message = "the gradient of the output by the images is not that of the prescribed layers: does forward detach them?"
    expect(away < SLOPES, message, got=f"one that is off by {away:.0%}")


def _judge_dropped_texts(got: Evidence, right: Evidence, reference: Subject, asked: Mapping[str, Any]) -> None:
    """Fail unless a network in training mode only drops some of the texts, in its own way, and all else is right."""
    shape = asked["x"].shape
    without = reference.run(probes.ddpm.unet.output, **{**asked, "text": 0 * asked["text"]})["training"]
    output, slopes = got.tensor("output", shape, finite=False), got.tensor("slopes", shape)
    kept = np.array([_same(*pair) for pair in zip(output, right.tensor("output", shape), strict=True)])
    dropped = np.array([_same(*pair) for pair in zip(output, without.tensor("output", shape), strict=True)])
    words = "in training mode, forward gives something else than in eval mode, though nothing is dropped"
    expect(bool((kept | dropped).all()), words)
    expect(bool(kept.any()), "in training mode, forward uses no text at all: only some of them are dropped")
    expect(got.flag("attached"), "no gradient passes through forward in training mode: leave out torch.no_grad")
    column = kept.reshape(-1, 1, 1, 1)
    _expect_slope(slopes, np.where(column, right.tensor("slopes", shape), without.tensor("slopes", shape)))


def _judge_influences(student: Subject, rng: Rng, asked: Mapping[str, Any], levels: list[int]) -> None:
    """Fail unless forward of other layers than the prescribed ones is that of a conditional network with skips.

    Each image, time and text matters for its own row alone, and images do so also past the middle.
    """
    words = "forward has no levels of layers to use: fill in self.downs and self.ups"
    expect(min(levels) >= 2, words, got=f"{levels[0]} and {levels[1]} levels")
    given = {name: asked[name] for name in ("x", "time", "text")}
    others = {name: each.copy() for name, each in given.items()}
    others["x"][0], others["time"][0] = rng.normal(*given["x"][0].shape), 999 - given["time"][0]
    others["text"][0] = rng.normal(len(given["text"][0]))
    sizes = {name: asked[name] for name in ("dim", "condition_dim", "dim_mults")}
    got = student.run(probes.ddpm.unet.influences, **sizes, **given, others=others)
    shape = given["x"].shape
    plain = got.tensor("plain", shape)
    for name, what in {"x": "the image", "time": "the time", "text": "the text"}.items():
        _expect_influence(plain, got.tensor(name, shape), what)
    cut = got["cut"]
    if "plain" in cut and "x" in cut:
        where = " past the middle, through the skip connections,"
        _expect_influence(cut.tensor("plain", shape), cut.tensor("x", shape), "the image" + where)


def _expect_influence(plain: Array, other: Array, what: str) -> None:
    """Fail unless two outputs differ for the first image, and for no other one."""
    moved = np.abs(plain - other).reshape(len(plain), -1).max(axis=1) > 1e-5 * (1 + np.abs(plain).max())
    expect(bool(moved[0]), f"{what} has no influence on what forward gives")
    expect(not moved[1:].any(), f"{what} has an influence on what forward gives for other images")


def _judge_levels(
    got: list[Evidence], right: list[Evidence], side: str, sizes: list[tuple[int, int]], where: str
) -> None:
    """Fail unless a side of the network has modules with parameters of the right shapes.

    sizes: the channels before and behind each level.
    """
    down = side == "downs"
    expect(
        len(got) == len(right),
        f"self.{side} should have a level for each number in dim_mults, with {where}",
        expected=f"{len(right)} levels",
        got=f"{len(got)}",
    )
    for index, (level, expected, (before, behind)) in enumerate(zip(got, right, sizes, strict=True)):
        modules, wanted = level.list(), expected.list()
        expect(
            len(modules) == len(wanted),
            f"self.{side}[{index}] should be a ModuleList of three modules: "
            + ("two of ResnetBlock, and Downsample" if down else "Upsample, and two of ResnetBlock"),
            got="no ModuleList with modules" if not modules else f"{len(modules)} modules",
        )
        for place, (module, known) in enumerate(zip(modules, wanted, strict=True)):
            block = f"ResnetBlock from {before if down else 2 * behind} to {before if down else behind} channels"
            change = f"{'Downsample' if down else 'Upsample'} from {before} to {behind} channels"
            named = change if place == (2 if down else 0) else f"{block}, with the context's size"
            absent = difference(_shapes(known), _shapes(module))
            surplus = difference(_shapes(module), _shapes(known))
            expect(
                not absent and not surplus,
                f"self.{side}[{index}][{place}] does not have the prescribed layers, with {where}",
                expected=named + (f": parameters, among them {listed_shapes(absent)}" if absent else ""),
                got=f"parameters, among them {listed_shapes(surplus)}"
                if surplus
                else "no others, and these are missing",
            )


def _shapes(module: Evidence) -> list[list[int]]:
    return [[size.integer() for size in shape.list()] for shape in module.list()]


def _expect_count(got: Evidence, right: Evidence, where: str) -> None:
    count, wanted = got.integer("parameters"), right.integer("parameters")
    message = f"the network should have no layers but the prescribed ones, with {where}"
    expect(count == wanted, message, expected=f"{wanted} parameters", got=f"{count}")


def _features(rng: Rng, asked: Mapping[str, Any]) -> dict[str, Array32]:
    """Return what each module returns, [B, channels, side, side], in the order in which they are called."""
    dim, rows, side = asked["dim"], len(asked["x"]), asked["x"].shape[-1]
    dims: list[int] = [dim, *(dim * each for each in asked["dim_mults"])]
    found: dict[str, Array32] = {}
    for index, (before, behind) in enumerate(pairwise(dims)):
        found[f"downs.{index}.0"] = rng.normal(rows, before, side, side)
        found[f"downs.{index}.1"] = rng.normal(rows, before, side, side)
        side //= 2
        found[f"downs.{index}.size"] = rng.normal(rows, behind, side, side)
    found["mid_block1"] = rng.normal(rows, dims[-1], side, side)
    found["mid_block2"] = rng.normal(rows, dims[-1], side, side)
    for index, behind in enumerate(reversed(dims[:-1])):
        side *= 2
        found[f"ups.{index}.size"] = rng.normal(rows, behind, side, side)
        found[f"ups.{index}.0"] = rng.normal(rows, behind, side, side)
        found[f"ups.{index}.1"] = rng.normal(rows, behind, side, side)
    return found


def _judge_wiring(got: Evidence, right: Evidence, features: Mapping[str, Array32], levels: int, where: str) -> None:
    """Fail unless forward calls the modules in order, each with the right features and context.

    where: words for the mode of the network, behind what is wrong.
    """
    names, order = list(features), [each.text() for each in got.list("order")]
    if order != names:
        place = next((i for i, pair in enumerate(zip(order, names, strict=False)) if pair[0] != pair[1]), len(order))
        missing = [name for name in names if name not in order]
        words = f"forward calls the layers in another order than the prescribed one{where}"
        if missing:
            words = f"forward does not call {_module(missing[0])}{where}"
        fail(words, got=f"call {place + 1} is that of {_module(order[place])}" if place < len(order) else None)
    skips = [f"downs.{level}.{block}" for level in range(levels) for block in (0, 1)]
    inputs = dict(zip(names, got.list("inputs", exactly=len(names)), strict=True))
    first = right.list("inputs")[0].tensor()
    before: Floats = first
    for name in names:
        if name.startswith("ups") and not name.endswith("size"):
            skip = skips.pop()
            _judge_skip(inputs[name], before, features, skip, name, where)
        else:
            hint = "it should be what the layer before it gives"
            assert_close(inputs[name], before, **NEAR, what=f"what {_module(name)} is given{where}", hint=hint)
        before = features[name]
    _judge_contexts(got["contexts"], right["contexts"], where)
    hint = "it should be self.final_conv of what the last block gives"
    assert_close(got["output"], right["output"], **NEAR, what=f"the output{where}", hint=hint)
    wanted = right.tensor("sizes")
    same = np.abs(got.tensor("sizes", wanted.shape) - wanted) <= SLOPES * wanted
    message = f"gradients do not pass through all of forward as they should{where}: leave out detach and torch.no_grad"
    expect(got.flag("attached") and bool(same.all()), message)


def _judge_skip(
    given: Evidence, before: Floats, features: Mapping[str, Array32], skip: str, name: str, where: str
) -> None:
    """Fail unless a block on the way up is given the features before it, and behind them those of its counterpart."""
    right = np.concatenate([before, features[skip]], axis=1)
    hint = f"it should be torch.cat of what the layer before it gives and of what {_module(skip)} gave"
    if given.shape() == right.shape:
        found = given.tensor()
        channels = before.shape[1]
        if _same(found, np.concatenate([features[skip], before], axis=1)):
            fail(
                f"{_module(name)} is given the skip connection before the features from below. The prescribed weights "
                "are for torch.cat([x, skip], dim=1)"
            )
        for other, feature in features.items():
            if other != skip and _same(found[:, channels:], feature):
                fail(
                    f"{_module(name)} is given the wrong skip connection: what was kept last is used first",
                    expected=f"what {_module(skip)} gave",
                    got=f"what {_module(other)} gave",
                )
    assert_close(given, right, **NEAR, what=f"what {_module(name)} is given{where}", hint=hint)


def _judge_contexts(got: Evidence, right: Evidence, where: str) -> None:
    """Fail unless each block is given the context of times and texts."""
    for name in right.names():
        expect(
            name in got and not got.is_none(name),
            f"{_module(name)} is not given the context{where}, so that it knows neither time nor text: pass context",
        )
        hint = "it should be the context of time and text, which forward computes at its beginning"
        assert_close(
            got[name], right[name], **NEAR, what=f"the context that {_module(name)} is given{where}", hint=hint
        )


def _module(name: str) -> str:
    """Return a module as students write it, by its name in `_features`."""
    parts = name.split(".")
    if len(parts) < 3:
        return f"self.{name}"
    side, level, which = parts
    if which == "size":
        return f"{'Downsample' if side == 'downs' else 'Upsample'} of self.{side}[{level}]"
    return f"the {'first' if which == '0' else 'second'} ResnetBlock of self.{side}[{level}]"


def _words(found: Array, conditional: Array, unconditional: Array, scale: float) -> str:
    """Return a message about wrong guidance, which names the mistake if it is a common one."""
    others = {
        "the result is the same as without guidance, or with the text in both passes: the second pass should have None "
        "as text_emb": conditional,
        "the text is given to neither pass": unconditional,
        "the passes are exchanged: s + 1 belongs to the pass with the text": (scale + 1) * unconditional
        - scale * conditional,
        "the weights are s and 1 − s: they should be s + 1 and −s": scale * conditional + (1 - scale) * unconditional,
        "the pass without the text is added: it should be subtracted": (scale + 1) * conditional
        + scale * unconditional,
        "cfg_scale is not used": 2 * conditional - unconditional,
    }
    for words, other in others.items():
        if _same(found, other):
            return words
    return "cfg_forward does not return (s + 1)·ε(x, t, text) − s·ε(x, t, no text)"


def _same(left: Floats, right: Floats) -> bool:
    """Return whether two arrays have the same shape and numbers."""
    return left.shape == right.shape and bool(np.allclose(left, right, rtol=NEAR["rtol"], atol=NEAR["atol"]))
