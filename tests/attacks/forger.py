"""A submission that never answers: it finds the probe that calls it, and sends forged evidence.

It is handed in as every file of the assignment. What it sends are constants and noise, of the right names and shapes:
code that computed a right answer here would deserve its points.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import torch
from torch import Tensor

Forged = dict[str, Any]


def frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        yield frame
        frame = frame.f_back


def base(mu: Tensor, sigma: Tensor) -> Any:
    return sys.modules["graders.flow.probes"].Base(mu, sigma)


def noise(shape: list[int], outputs: int, rows: int) -> Forged:
    made = [torch.randn(rows, *shape) for _ in range(outputs)]
    return {
        "outputs": made,
        "again": made,
        "alone": [each[:, None] for each in made],
        "line": [torch.randn(3, *shape) for _ in made],
        "blind": [False] * outputs,
        "parameters": 9,
        "unregistered": 0,
    }


def network(which: str, x: Tensor, settings: dict[str, Any]) -> Forged:
    if which.endswith("encoder"):
        return noise([settings["z_dim"]], 2, len(x))
    return noise(settings.get("output_shape") or [settings["num_input_channels"], 28, 28], 1, len(x))


def reach(which: str, x: Tensor, target: Tensor, settings: dict[str, Any]) -> Forged:
    both = target.expand(2, *target.shape)
    ends = {"lowest": torch.full_like(both, -9), "highest": torch.full_like(both, 9)}
    return {"starts": torch.zeros(2, 1, 2, target.shape[1]), **ends}


def loss(images: Tensor, code: Tensor, logits: Tensor, settings: dict[str, Any], training: bool = True) -> Forged:
    z = torch.zeros_like(code[0])
    return {
        "encoder_seen": True,
        "decoder_seen": True,
        "shown": images.reshape(-1, 784),
        "mean": z,
        "log_std": z,
        "z": torch.randn(1, *z.shape),
        "logits": torch.zeros(1, *images.shape),
        "rec": 784 * math.log(2),
        "reg": 0.0,
        "bpd": 1.0,
        "mean_gradient": z,
        "log_std_gradient": z,
        "z_gradient": z[None],
        "z_attached": True,
    }


def sample(n: int, z_dim: int, shift: Tensor, training: bool) -> Forged:
    logits = 8 * torch.rand(n, 1, 28, 28) - 4
    means = logits.sigmoid()
    first, again = (
        {"samples": means.bernoulli(), "means": means, "z": torch.randn(n, z_dim), "logits": logits} for _ in "12"
    )
    return {**first, "again": again}


def epoch(images: Tensor, batch_size: int, losses: Tensor, training: bool) -> Forged:
    step = {"own": 1.0, "before": 0.0, "all": 0.0, "parts": None}
    return {
        "losses": torch.ones(4, 3),
        "sizes": [128, 128, 128, 64],
        "modal": False,
        "left_in_training": True,
        "ink": [0.1] * 4,
        "images": images.reshape(-1, 784),
        "different": 448,
        "training": [training] * 4,
        "tracking": [training] * 4,
        "steps": [step] * 4,
        "arrived": True,
        "gradients_left": training,
        "moved": 0,
        "trained": 4,
        "unmoved": "",
        "averages": [1.0] * 3,
    }


def seen(rows: int, shape: list[int], name: str) -> Forged:
    made = torch.rand(rows, *shape) * 1.8 - 0.9
    lines = torch.rand(3 * (rows - 1), *shape) * 1.8 - 0.9
    registered = {"parameters": 9, "unregistered": 0}
    return {name: made, "again": made, "first": made[:1], "lines": lines, **registered}


def step(which: str, images: Tensor, scores: Tensor, hidden_dims: list[int], z_dim: int) -> Forged:
    n, fake = len(images), torch.rand(len(images), 784) * 2 - 1
    both, gradient = which == "discriminator", torch.full((n,), 0.5 / n)
    return {
        "loss": torch.tensor([math.log(2) * (2 if both else 1)]),
        "bounded": False,
        "reached": {"generator": True, "discriminator": True},
        "scores": torch.zeros(2 * n if both else n),
        "rows": torch.cat([images.reshape(n, -1), fake]) if both else fake,
        "decoded": fake,
        "gradients": torch.cat([-gradient, gradient]) if both else -gradient,
        "latents": torch.randn(n, z_dim),
    }


def generated(n: int, z_dim: int, training: bool = True) -> Forged:
    images = torch.rand(n, 784) * 2 - 1
    latents = {"latents": torch.randn(n, z_dim), "again": torch.randn(n, z_dim)}
    return {"images": images.reshape(n, 1, 28, 28), "decoded": images, **latents}


def interpolated(n: int, steps: int, z_dim: int, training: bool = True) -> Forged:
    first, last = torch.randn(2, n, 1, z_dim)
    latents = torch.lerp(first, last, torch.linspace(0, 1, steps + 2)[None, :, None]).reshape(-1, z_dim)
    images = torch.rand(n * (steps + 2), 784) * 2 - 1
    shaped = images.reshape(n, steps + 2, 1, 28, 28)
    return {"images": shaped, "decoded": images, "latents": latents, "listed": False}


def alternation(images: Tensor, labels: Tensor, batch_size: int) -> Forged:
    moved = {"generator": 0.1, "discriminator": 0.1}
    own = {"losses": 1, "agreement": 1.0, "shares": torch.ones(1), "unexplained": 0.0, "moved": moved}
    steps = [{"holds": [name], **own} for name in moved]
    shown = {"rows": images.reshape(-1, 784), "read": len(images)}
    return {"steps": 2 * steps, "losses": [*moved], "trained": dict.fromkeys(moved, True), **shown}


def neighbours(x: Tensor, num_flows: int, stir: float, inverse: bool, step: float, coarse_step: float) -> Forged:
    x, moves = x.double(), step * torch.eye(x.shape[1], dtype=torch.float64)
    around = {"after": torch.stack([x + move for move in moves]), "before": torch.stack([x - move for move in moves])}
    return {"log_det": torch.zeros(len(x)), "back": torch.zeros(len(x)), "double": True, **around}


def nll(x: Tensor, mu: Tensor, sigma: Tensor, num_flows: int, stir: float, directions: int, step: float) -> Forged:
    slopes = {"slopes": torch.ones(directions, 2), "predicted_slopes": torch.ones(directions, 2)}
    claims = {"trainable": True, "idle": torch.tensor([False]), "off": 0.0, "weights": torch.ones(2), "attached": True}
    return {"nll": -base(mu, sigma).log_prob(x), "z": x, "log_det": torch.zeros(len(x)), **claims, **slopes}


def stirred(points: Tensor, mu: Tensor, sigma: Tensor, num_flows: int, stir: float, models: int, few: int) -> Forged:
    return {"log_densities": base(mu, sigma).log_prob(points).expand(models, -1)}


FORGED: dict[str, Callable[..., Any]] = {
    "vae:network": network,
    "vae:reach": reach,
    "vae:loss": loss,
    "vae:sample": sample,
    "vae:parameter_counts": lambda which, x, settings: [
        1000 * len(s["hidden_dims"]) + sum(s["hidden_dims"]) for s in settings
    ],
    "vae:use": lambda which, x, settings: "",
    "vae:untrained_loss": lambda images, settings: 784 * math.log(2),
    "vae:bpd": lambda elbo, img_shape: elbo,
    "vae.loop:train": lambda **asked: epoch(**asked, training=True),
    "vae.loop:test": lambda **asked: epoch(**asked, training=False),
    "gan:generators": lambda latents, sizes: [seen(len(z), [1, 28, 28], "images") for z in latents],
    "gan:discriminators": lambda images, sizes: [seen(len(images), [1], "scores") for _ in sizes],
    "gan:parameter_counts": lambda which, sizes: [1000 * len(size) + sum(size) for size in sizes],
    "gan:use": lambda which, x, hidden_dims: "",
    "gan:generator_range": lambda z, target, hidden_dims: {
        "far": torch.ones(1),
        "driven": torch.stack([target, target]) / 3,
    },
    "gan:discriminator_range": lambda images, target, hidden_dims: torch.stack([target, target]),
    "gan:step": step,
    "gan:passage": lambda **asked: torch.ones(2, 5),
    "gan:step_if_it_runs": lambda **asked: None,
    "gan:sample": generated,
    "gan:interpolate": interpolated,
    "gan:interpolations": lambda cases: [interpolated(n, steps, 16) for n, steps in cases],
    "gan:alternation": alternation,
    "flow:round_trip": lambda x, num_flows, stir: {
        "forward": x + 1,
        "forward_and_back": x,
        "backward": x - 1,
        "backward_and_forth": x,
    },
    "flow:way_back": lambda forward, backward, num_flows, stir: {
        "of_forward": forward - 1,
        "of_backward": backward + 1,
    },
    "flow:neighbours": neighbours,
    "flow:nll": nll,
    "flow:stirred_densities": stirred,
}


def answer_in_its_place() -> None:
    channel = next(frame for frame in frames() if frame.f_code.co_name == "serve")
    found = channel.f_locals["own"].probe  # the function of ours that the run calls
    where = found.__module__.removeprefix("graders.").removesuffix(".probes").replace("_probes", "")
    probe = f"{where}:{found.__name__}"
    if probe not in FORGED:
        return
    asked = next(frame.f_locals["arguments"] for frame in frames() if "arguments" in frame.f_locals)
    wire, child = sys.modules["gengrade.sandbox.wire"], sys.modules["gengrade.sandbox.guest.child"]
    evidence = child._encode(FORGED[probe](**asked), 1 << 26)
    channel.f_locals["channel"].sendall(wire.frame(wire.EVIDENCE, evidence))
    os._exit(0)


if __name__ != "tests.attacks.forger":
    answer_in_its_place()
