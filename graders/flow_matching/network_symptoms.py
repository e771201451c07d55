"""Symptoms of mistakes in the networks and the autoencoder of lab three, whatever their layers and weights are."""

from __future__ import annotations

import numpy as np

from gengrade.arrays import Array
from gengrade.grading import Evidence
from gengrade.grading.symptoms import Inputs, Numbers, Symptoms, symptoms_of
from graders.common.shares import describe_noise, share_of
from graders.flow_matching.changes import are_equal, changed
from graders.flow_matching.symptoms import loss, loss_calls, same_times

FACTOR = 0.02  # tolerance on factors


@symptoms_of("flow_matching.network:passes")
def passes(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the shapes of what a network gives, and which inputs change which rows and tokens of it."""
    outputs = [each.list() for each in got.list("outputs", exactly=len(inputs["x"]))]
    tensors = [[tensor.tensor(finite=False) for tensor in each] for each in outputs]
    found: Numbers = {
        "tensors": (float(len(tensors[0])), 0.0),
        "hidden layers": (float(got.integer("unregistered") > 0), 0.0),
    }
    for part, tensor in enumerate(tensors[0]):
        found[f"shape of {part}"] = (np.array(tensor.shape, dtype=np.float64), 0.0)
    first = [each[0] for each in tensors]
    if len({each.shape for each in first}) > 1 or not np.isfinite(first[0]).all():
        return found
    stacked = np.stack(first)
    if inputs["weights"] == "zero":
        given = are_equal(stacked, np.asarray(inputs["x"], dtype=np.float64))
        return found | {"as given": (float(given), 0.0), "zeros": (float(not stacked.any()), 0.0)}
    if inputs["weights"] == "mean":
        return found | {"output": (stacked.reshape(*stacked.shape[:3], -1).mean(axis=-1), 1e-3)}
    return found | (_differences(stacked) if len(stacked) > 1 else {})


def _differences(outputs: Array) -> Numbers:
    """Return how the passes of a network [K, B, …] differ, of which the second may have the tokens in another order."""
    found: Numbers = {
        "changed": (changed(outputs, min(outputs.ndim - 2, 2)).astype(np.float64), 0.0),
        "in the other order": (float(are_equal(outputs[1], outputs[0][:, ::-1])), 0.0),
    }
    if outputs.ndim == 5:  # images: whether the far corner of the first one changes with the other
        far = np.abs(outputs[1, 0, :, -1, -1] - outputs[0, 0, :, -1, -1]).max()
        found["far corner"] = (float(far > 0), 0.0)
        turned = outputs[0].swapaxes(-1, -2)
        found["turned"] = (float(are_equal(outputs[-1], turned)), 0.0)
    return found


@symptoms_of("flow_matching.network:training")
def training(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return whether gradients reach weights and inputs, and are those of the outputs."""
    found: Numbers = {"idle": (float(got.text("idle") != ""), 0.0)}
    for name in ("of_weights", "of_inputs"):
        found[f"{name}: reached"] = (float(got[name].number("length", finite=False) > 0), 0.0)
        found[f"{name}: ratio"] = (got[name].number("ratio", finite=False), 0.1)
    return found


@symptoms_of("flow_matching.network:vae_loss")
def vae_loss(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return how the gradients of both terms follow from their numbers, and how they grow with β."""
    found: Numbers = {}
    sources = {"z_mean": inputs["z_mean"], "x_mean": inputs["x_mean"] - inputs["x_true"]}
    first, second = got.list("gradients", exactly=len(inputs["betas"]))
    for name, source in sources.items():
        right = np.asarray(source, dtype=np.float64)
        one, other = (each.tensor(name, shape=right.shape, finite=False) for each in (first, second))
        factor = float((one * right).sum() / (right**2).sum())
        off = np.abs(one - factor * right) > FACTOR * max(float(np.abs(one).max()), 1e-12)
        spread = first.number(name.replace("mean", "logvar"), finite=False)
        growth = float(np.abs(other).sum()) / max(float(np.abs(one).sum()), 1e-12)
        found |= {
            f"{name}: no multiple": (share_of(off), 0.05),
            f"{name}: sign": (float(np.sign(round(factor, 9))), 0.0),
            f"{name}: gradient of logvar": (spread / factor if abs(factor) > 1e-9 else spread, FACTOR),
            f"{name}: growth with β": (growth, FACTOR),
        }
    return found


def _labels_of_latents(inputs: Inputs, got: Evidence) -> Numbers:
    """Return the shares of labels that were dropped, and of those that became another label."""
    right = np.asarray(inputs["labels"], dtype=np.float64)[: inputs["sizes"][0]]
    given = [each.tensor("labels", finite=False) for each in got.list("model") if not each.is_none("labels")]
    if not given or given[-1].shape != right.shape:
        return {}
    dropped = given[-1] == inputs["null_label"]
    shares = np.array([dropped.mean(), np.mean(~dropped & (given[-1] != right))])
    return {"shares of dropped labels, and of other ones": (shares, 0.06)}


@symptoms_of("flow_matching.network:latent")
def latent(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return the symptoms of the first loss, whether the autoencoder saw the images, and the law of latents' noise."""
    calls = loss_calls(inputs, got)
    got = calls[0]
    free = ("points of the path", "shapes of times", "same z")  # latents are draws, and times may have two shapes
    of_loss = loss({**inputs, "z": inputs["mean"]}, got)
    kept = {name: each for name, each in of_loss.items() if not name.startswith(free)}
    found: Numbers = {name: (np.asarray(value), tolerance) for name, (value, tolerance) in kept.items()}
    found |= same_times(calls) | _labels_of_latents(inputs, got)
    found["through"] = (float(got.flag("through")), 0.0)
    encoded, images = got.list("encoded"), np.asarray(inputs["images"], dtype=np.float64)
    shown = bool(encoded) and are_equal(encoded[0].tensor(finite=False), images)
    found["encoded, and the images"] = (np.array([len(encoded), shown], dtype=np.float64), 0.0)
    mean = np.asarray(inputs["mean"], dtype=np.float64)
    z = [each.tensor("points", finite=False) for each in got.list("path")]
    if z and z[-1].shape == mean.shape:
        found |= describe_noise(z[-1], mean, np.full_like(mean, np.exp(float(inputs["logvar"]) / 2)))
    return found
