"""Symptoms of mistakes in a VAE with two heads: how its layers and its numbers follow from each other.

What networks with random weights give tells nothing by its values, so only such relations are compared.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.special import expit

from gengrade.arrays import Array
from gengrade.grading import Evidence
from gengrade.grading.symptoms import Inputs, Numbers, Symptoms, symptoms_of
from graders.common.networks import are_slopes_wrong
from graders.vae.sizes import LATENTS

SLOPED = ("mean", "logvar", "hidden")
FLAG = 0.0  # tolerance of a symptom that is a matter of yes or no, or a count


@symptoms_of("vae.headed:layers")
def layers(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return how many layers there are, and what stands between them and behind the last ones."""
    found: Numbers = {}
    passes = {name: _passes(got, name) for name in ("encoder", "heads", "decoder")}
    for name, several in passes.items():
        found[f"layers of {name}"] = (float(len(several)), FLAG)
    chains = {"encoder": [*passes["encoder"], *passes["heads"][:1]], "decoder": passes["decoder"]}
    for name, chain in chains.items():
        between = [_between(given, taken) for (_, given), (taken, _) in pairwise(chain)]
        found[f"between layers of {name}"] = (np.array(between), FLAG)
    for name, (_, given) in zip(("mean", "logvar"), passes["heads"], strict=False):
        found[f"{name} follows"] = (_between(given, got.tensor(name, finite=False)), FLAG)
        found[f"width of {name}"] = (float(given.shape[-1]), FLAG)
    if passes["decoder"]:
        images = got.tensor("decoded", finite=False)
        found["decoder's end"] = (_end(passes["decoder"][-1][1], images), FLAG)
    return found


def _passes(got: Evidence, name: str) -> list[tuple[Array, Array]]:
    return [(each.tensor("taken", finite=False), each.tensor("given", finite=False)) for each in got.list(name)]


def _between(given: Array, taken: Array) -> float:
    """Return what stands between two layers: 0 for nothing, 1 for a ReLU, 2 for something else, 3 for another shape."""
    if given.shape != taken.shape:
        return 3.0
    return next((float(place) for place, right in enumerate((given, np.maximum(given, 0))) if _same(taken, right)), 2.0)


def _end(given: Array, images: Array) -> float:
    """Return the number of the function that makes the images out of what the last layer gives; −1 for another."""
    if given.size != images.size:
        return -2.0
    known = (given, expit(given), np.tanh(given), expit(np.maximum(given, 0)), np.maximum(given, 0))
    flat = images.reshape(given.shape)
    return next((float(place) for place, right in enumerate(known) if _same(flat, right)), -1.0)


@symptoms_of("vae.headed:forward")
def forward(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return which known numbers each network was given and each returned value is."""
    mean, logvar = np.asarray(inputs["code"], dtype=np.float64)
    noise, x = (np.asarray(inputs[name], dtype=np.float64) for name in ("noise", "x"))
    labels = None if inputs["labels"] is None else np.asarray(inputs["labels"], dtype=np.float64)
    std = np.exp(logvar / 2)
    numbers = (mean, logvar, std, np.exp(logvar))
    found: Numbers = {
        f"which number is {name}": (_place(got.tensor(name, finite=False), numbers), FLAG)
        for name in ("mean", "logvar", "head_mean", "head_logvar")
    }
    found["drawn"] = (float(got.flag("drawn")), FLAG)
    if got.flag("drawn"):
        for name in ("drawn_mean", "drawn_logvar"):
            found[f"which number is {name}"] = (_place(got.tensor(name, finite=False), numbers), FLAG)
    flat = x.reshape(len(x), -1)
    shown = [flat] if labels is None else [flat, np.hstack([flat, labels]), np.hstack([labels, flat])]
    encoded = got.tensor("encoded", finite=False)
    found["what is encoded"] = (_place(encoded.reshape(len(encoded), -1) if encoded.size else encoded, shown), FLAG)
    taken = got.tensor("decoder_taken", finite=False)
    if "taken_again" in got:
        found["drawn again"] = (float(_same(taken, got.tensor("taken_again", finite=False))), FLAG)
    found["shape of what is decoded"] = (np.array(taken.shape, dtype=np.float64), FLAG)
    latents = (mean, mean + std * noise)
    found["latents in front, and behind"] = (
        np.array([_place(part, latents) for part in (taken[..., :LATENTS], taken[..., -LATENTS:])]),
        FLAG,
    )
    if labels is not None:
        parts, known = (taken[..., LATENTS:], taken[..., : labels.shape[1]]), (labels, 0 * labels)
        found["labels behind, and in front"] = (np.array([_place(part, known) for part in parts]), FLAG)
    decoded, x_hat = got.tensor("decoded", finite=False), got.tensor("x_hat", finite=False)
    found["shape of the reconstruction"] = (np.array(x_hat.shape, dtype=np.float64), FLAG)
    found["what is returned"] = (_end(decoded.reshape(-1), x_hat), FLAG)
    found["reached"] = (np.array([float(got.flag(f"{name}_reached")) for name in ("mean", "logvar")]), FLAG)
    return found


@symptoms_of("vae.headed:slopes")
def slopes(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return which gradients are no derivatives."""
    return {"wrong": (np.array([are_slopes_wrong(got[name]) for name in SLOPED], dtype=np.float64), FLAG)}


def _place(found: Array, among: tuple[Array, ...] | list[Array]) -> float:
    """Return the index of the array that `found` equals, or −1."""
    return next((float(place) for place, each in enumerate(among) if _same(found, each)), -1.0)


def _same(left: Array, right: Array) -> bool:
    return left.shape == right.shape and bool(np.allclose(left, right, rtol=1e-3, atol=1e-3))
