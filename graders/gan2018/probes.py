"""Probes of a GAN that is two networks and a function that trains both: the losses are seen where they are used.

A loss shows when its gradients are asked for, by `backward` or by functions of `torch.autograd`, and whose it is by the
optimiser that steps next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import DataLoader, TensorDataset

from graders.probing.gradients import accumulated, by_each, holders, in_a_row, moved, shares, values
from graders.probing.networks import drive, registration, stretched_lines, weights_of
from graders.probing.steps import with_gradients
from graders.probing.watching import Calls, watch

PIXELS = 28 * 28
LATENTS = 100
LONGEST_SECONDS = 3.0  # for all calls of an interpolation
BETWEEN = 7  # images between the ends of an interpolation
RATE = 2e-4  # the hand-out's
Networks = dict[str, nn.Module]


def generator(package: Any, z: Tensor, target: Tensor) -> dict[str, Any]:
    """A generator's images of latents [B, 100], in eval mode, `again`, and of the first alone; and their range.

    `lines` [3·(B − 1), 784]: of each latent but the last, then of those halfway to the next, then of the next. `far`:
    of 50·z. `driven`: the images after training towards `target` [B, 784], and nothing else.
    """
    network = package.gan.generator().to(z.device).eval()
    images = _images(network(z))
    return {
        "outputs": images,
        "again": _images(network(z)),
        "alone": _images(network(z[:1])),
        "lines": _images(network(stretched_lines(z))),
        "far": _images(network(50 * z)),
        **registration(network, images),
        "driven": drive(network, lambda: _images(network(z)), target),
    }


def discriminator(package: Any, images: Tensor, target: Tensor) -> dict[str, Any]:
    """A discriminator's scores of images [B, 1, 28, 28], likewise; `driven` towards `target` [B]."""
    network = package.gan.discriminator().to(images.device).eval()
    fitting = package.gan.fitting(network, images)
    scores = _scores(network(fitting))
    return {
        "outputs": scores,
        "again": _scores(network(fitting)),
        "alone": _scores(network(fitting[:1])),
        "lines": _scores(network(stretched_lines(fitting))),
        **registration(network, scores),
        "driven": drive(network, lambda: _scores(network(fitting)), target),
    }


def turn(package: Any, images: Tensor, labels: Tensor, scores: Tensor) -> dict[str, Any]:
    """What the student's loop does with one batch of real images [B, 1, 28, 28]: the losses of both networks.

    scores [S] take the places of the discriminator's own, one for each row that it is asked about, in order; by a
    sigmoid where its own are probabilities (`bounded`). Of the generator and of the discriminator, each: the sum of the
    losses before its first step, the `rows` [R, 784] that were scored, their `scores` [R], the `places` of these
    among those injected, the `gradients` [R] of the loss by them, what the generator had `decoded` [N, 784] of which
    `latents`, and whether its own parameters are `reached`. None for a network that makes no step.
    """
    networks = _networks(package, images)
    bounded = _is_bounded(package, networks["discriminator"], images)
    asked = _Asked(scores.sigmoid() if bounded else scores)
    decoded = watch(networks["generator"])
    asked.calls = watch(networks["discriminator"], asked.replaced)
    with _watched(networks, asked) as seen:
        _train(package, networks, TensorDataset(images, labels), len(images))
    made = {
        "latents": _latents(decoded.inputs),
        "decoded": torch.cat([torch.zeros(0, PIXELS), *(_images(output).detach() for output in decoded.outputs)]),
        "bounded": bounded,
    }
    first = {name: next((step for step in seen.steps if step["holds"] == [name]), None) for name in networks}
    return {name: None if step is None else {**made, **step["evidence"]} for name, step in first.items()}


def loop(package: Any, images: Tensor, labels: Tensor, batch_size: int) -> list[dict[str, Any]]:
    """What each `step()` of each optimiser does in the student's loop over images [N, 1, 28, 28], for one epoch.

    The networks that it `holds`; the largest change of a parameter that it `moved` in each; how many `losses` it had of
    its own; the `agreement` (cosine) of the gradients that it uses with those of these losses (None: not seen), and the
    share of them that is `unexplained` by all losses so far.
    """
    networks = _networks(package, images)
    with _watched(networks, _Asked(torch.zeros(0))) as seen:
        _train(package, networks, TensorDataset(images, labels), batch_size)
    return [{key: value for key, value in step.items() if key != "evidence"} for step in seen.steps]


def latents_of_batches(package: Any, images: Tensor, labels: Tensor, batch_size: int) -> list[Tensor]:
    """The latents [N, 100] that are trained on in the student's loop, from one batch to the next.

    Those of images that are only shown, as a fixed set of latents is in many a loop, are left out.
    """
    networks = _networks(package, images)
    made = _Made(networks)
    batches = _Noted(images, labels, made.calls)
    _train(package, networks, batches, batch_size)
    ends = [*batches.calls[::batch_size], len(made.calls)]
    used = made.used()
    return [
        _latents([inputs for place, inputs in enumerate(made.calls.inputs) if start <= place < end and place in used])
        for start, end in pairwise(ends)
    ]


def interpolate(package: Any, calls: int) -> dict[str, Tensor]:
    """The latents [N, 100] that a student's interpolation decodes, in the order in which it does.

    Its steps, where it asks how many, are those between the ends, or all images where that gives the ends and too few.
    `ends`: the first and the last of each of so many calls, as far as there is time, [calls, 2, 100].
    """
    network = package.gan.generator().eval()
    decoded = watch(network)

    def walk(steps: int) -> Tensor:
        decoded.forget()
        package.gan.interpolate(network, steps)
        return _latents(decoded.inputs)

    began, steps = time.process_time(), BETWEEN
    latents = walk(steps)
    if len(latents) == BETWEEN:
        steps = BETWEEN + 2
        latents = walk(steps)
    ends = [latents[[0, -1]]] if len(latents) else []
    while ends and len(ends) < calls and time.process_time() - began < LONGEST_SECONDS:
        ends.append(walk(steps)[[0, -1]])
    return {"latents": latents, "ends": torch.cat([torch.zeros(0, 2, LATENTS), *(each[None] for each in ends)])}


def _latents(inputs: list[tuple[Any, ...]]) -> Tensor:
    """What a generator was given in some calls, as rows."""
    return torch.cat([torch.zeros(0, LATENTS), *(each[0].detach().reshape(-1, LATENTS).cpu() for each in inputs)])


class _Made:
    """The calls of a generator, and which of them are trained on: their images get a gradient, or are scored."""

    def __init__(self, networks: Networks) -> None:
        self._felt: set[int] = set()
        self.calls = watch(networks["generator"], self._noted)
        self._scored = watch(networks["discriminator"])

    def _noted(self, images: Any) -> Any:
        place = len(self.calls)
        if isinstance(images, Tensor) and images.requires_grad:
            images.register_hook(lambda _: self._felt.add(place))
        return images

    def used(self) -> set[int]:
        """The places of these calls."""
        scored = {row for inputs in self._scored.inputs for row in _bytes(inputs[0])}
        return self._felt | {place for place, images in enumerate(self.calls.outputs) if scored & _bytes(images)}


def _bytes(images: Any) -> set[bytes]:
    """Images by what they hold."""
    return {row.tobytes() for row in images.detach().reshape(-1, PIXELS).cpu().numpy()}


class _Noted(TensorDataset):
    """Images with labels; and how often the generator had been called when each was read."""

    def __init__(self, images: Tensor, labels: Tensor, decoded: Calls) -> None:
        super().__init__(images, labels)
        self._decoded = decoded
        self.calls: list[int] = []

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        self.calls.append(len(self._decoded))
        return tuple(tensor[index] for tensor in self.tensors)


def _networks(package: Any, images: Tensor) -> Networks:
    made = {"generator": package.gan.generator(), "discriminator": package.gan.discriminator()}
    return {name: network.to(images.device).train() for name, network in made.items()}


def _train(package: Any, networks: Networks, data: TensorDataset, batch_size: int) -> None:
    optimizers = package.gan.optimizers(networks["generator"], networks["discriminator"], RATE)
    batches = DataLoader(data, batch_size=batch_size)
    package.gan.train(networks["generator"], networks["discriminator"], batches, optimizers, batch_size)


@dataclass(slots=True)
class _Asked:
    """The scores that a discriminator is injected, and what it was asked about."""

    injected: Tensor
    used: int = 0
    calls: Any = None
    places: list[Tensor] = field(default_factory=list)

    def replaced(self, output: Any) -> Tensor:
        count = _scores(output).numel()
        places = torch.full((count,), -1)
        if self.used + count <= len(self.injected):
            places = torch.arange(self.used, self.used + count)
            wanted = self.injected[places].reshape(output.shape)
            output = output + (wanted - output).detach()
            self.used += count
        self.places.append(places)
        return output  # type: ignore[no-any-return]

    def evidence(self, losses: list[_Loss]) -> dict[str, Any]:
        """Of all rows that some of the losses depend on."""
        nothing = torch.zeros(0)
        rows, scores, places, slopes = [], [], [], []
        for index, output in enumerate(self.calls.outputs if self.calls else []):
            by_output = [loss.by_scores[index] for loss in losses if index < len(loss.by_scores)]
            found = [gradient for gradient in by_output if gradient is not None]
            if found:
                rows.append(self.calls.inputs[index][0].detach().reshape(-1, PIXELS).cpu())
                scores.append(output.detach().flatten().cpu())
                places.append(self.places[index])
                slopes.append(torch.stack(found).sum(dim=0).flatten().cpu())
        return {
            "loss": torch.stack([loss.value.sum() for loss in losses]).sum().reshape(1) if losses else nothing,
            "rows": torch.cat([nothing.reshape(0, PIXELS), *rows]),
            "scores": torch.cat([nothing, *scores]),
            "places": torch.cat([torch.zeros(0, dtype=torch.int64), *places]),
            "gradients": torch.cat([nothing, *slopes]),
        }


@dataclass(slots=True)
class _Loss:
    """A loss that `backward` was called on; its gradients by each output of the discriminator, and by each network."""

    value: Tensor
    by_scores: list[Tensor | None]
    by_network: dict[str, Tensor]
    reached: set[str]  # the networks that it depends on, be it with a gradient of zero


class _Seen:
    """Losses as `backward` is called on them, and steps as optimisers make them."""

    def __init__(self, networks: Networks, asked: _Asked) -> None:
        self._networks = networks
        self._asked = asked
        self._losses: list[_Loss] = []
        self._last = dict.fromkeys(("any", *networks), 0)  # how many losses there were at the last step of each
        self._before: dict[str, Tensor] = {}
        self.steps: list[dict[str, Any]] = []

    def loss(self, loss: Tensor) -> None:
        if not loss.requires_grad or loss.numel() != 1:
            return
        outputs = list(self._asked.calls.outputs) if self._asked.calls else []
        found = {name: by_each(loss, list(network.parameters())) for name, network in self._networks.items()}
        self._losses.append(
            _Loss(
                loss.detach(),
                by_each(loss, outputs),
                {name: in_a_row(gradients, self._networks[name]) for name, gradients in found.items()},
                {name for name, gradients in found.items() if any(each is not None for each in gradients)},
            )
        )

    def before_step(self, optimizer: torch.optim.Optimizer) -> None:
        holds = holders(optimizer, self._networks)
        self._before = {name: values(network) for name, network in self._networks.items()}
        step: dict[str, Any] = {"holds": holds, "losses": 0, "agreement": None, "unexplained": 0.0}
        if len(holds) == 1:
            (owner,) = holds
            used = accumulated(self._networks[owner])
            agreement, own = max(
                ((_agreement(used, each, owner), each) for each in self._own(owner)),
                key=lambda pair: (round(pair[0], 6), -len(pair[1])),  # a loss that gives nothing is not its own
            )
            step["losses"] = len(own)
            step["agreement"] = agreement if agreement >= -1 else None
            step["unexplained"] = shares(used, [loss.by_network[owner] for loss in self._losses])[1]
            step["evidence"] = self._asked.evidence(own) | {
                "reached": {name: any(name in loss.reached for loss in own) for name in self._networks}
            }
            self._last[owner] = len(self._losses)
        self._last["any"] = len(self._losses)
        self.steps.append(step)

    def _own(self, owner: str) -> list[list[_Loss]]:
        """The losses that a step may be of: those since the last step of either network; or of those since its own
        last step the ones that depend on the generator as this network's should, where others do not."""
        latest = self._losses[self._last["any"] :]
        since = self._losses[self._last[owner] :]
        alike = [loss for loss in since if ("generator" in loss.reached) is (owner == "generator")]
        return [latest, alike] if 0 < len(alike) < len(since) else [latest]

    def after_step(self, *_: Any) -> None:
        self.steps[-1]["moved"] = moved(self._networks, self._before)


def _agreement(used: Tensor, losses: list[_Loss], owner: str) -> float:
    """The cosine of the gradients that are used with those of these losses; −2 where these have none."""
    if not losses:
        return -2.0
    own = torch.stack([loss.by_network[owner] for loss in losses]).sum(dim=0)
    return float(torch.nn.functional.cosine_similarity(used, own, dim=0)) if bool(own.any()) else -2.0


@contextmanager
def _watched(networks: Networks, asked: _Asked) -> Iterator[_Seen]:
    seen = _Seen(networks, asked)
    originals = {name: getattr(torch.autograd, name) for name in ("backward", "grad")}  # a tensor's calls the first
    within: list[str] = []  # what is looked at asks for gradients itself

    def noting(name: str) -> Callable[..., Any]:
        def differentiate(losses: Any, *args: Any, **kwargs: Any) -> Any:
            if not within:
                within.append(name)
                try:
                    for loss in (losses,) if isinstance(losses, Tensor) else tuple(losses):
                        seen.loss(loss)
                finally:
                    within.clear()
            return originals[name](losses, *args, **kwargs)

        return differentiate

    for name in originals:
        setattr(torch.autograd, name, noting(name))
    hooks = (
        register_optimizer_step_pre_hook(with_gradients(seen.before_step)),
        register_optimizer_step_post_hook(seen.after_step),
    )
    try:
        yield seen
    finally:
        for name, original in originals.items():
            setattr(torch.autograd, name, original)
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def _is_bounded(package: Any, network: nn.Module, images: Tensor) -> bool:
    """Whether scores stay within 0 and 1, also of images that are far from any."""
    network.eval()
    fitting = package.gan.fitting(network, images)
    scores = torch.cat([_scores(network(scale * fitting)) for scale in (1, -1, 50, -50)])
    network.train()
    return bool((scores >= 0).all() and (scores <= 1).all())


def _images(output: Any) -> Tensor:
    """A generator's images as rows [B, 784], whichever form it gives them."""
    if not isinstance(output, Tensor):
        raise TypeError(f"Generator.forward should return a tensor of images, and returned {type(output).__name__}")
    if output.dim() < 2 or output[0].numel() != PIXELS:
        raise TypeError(
            f"Generator.forward should return images of 784 pixels, and returned shape {list(output.shape)}"
        )
    return output.reshape(len(output), PIXELS)


def _scores(output: Any) -> Tensor:
    """A discriminator's scores [B], in any shape of one number for each image."""
    if not isinstance(output, Tensor):
        raise TypeError(f"Discriminator.forward should return a tensor of scores, and returned {type(output).__name__}")
    return output.reshape(-1)


def train(package: Any, images: Tensor, labels: Tensor, epochs: int, batch_size: int, rate: float) -> dict[str, Tensor]:
    """A short training by the student's own loop, on uint8 images [N, 1, 28, 28] with their labels.

    With the hand-out's optimisers, but for their `rate`. Returns the generator's weights.
    """
    networks = _networks(package, images)
    scaled = images.float() / 127.5 - 1
    batches = DataLoader(TensorDataset(scaled, labels), batch_size=batch_size, shuffle=True, drop_last=True)
    optimizers = package.gan.optimizers(networks["generator"], networks["discriminator"], rate)
    package.gan.train(networks["generator"], networks["discriminator"], batches, optimizers, batch_size, epochs)
    return weights_of(networks["generator"])


@torch.no_grad()
def decode(package: Any, weights: dict[str, Tensor] | None, z: Tensor) -> Tensor:
    """The images [B, 784] that a generator makes of latents z [B, 100], in eval mode; untrained without weights."""
    network = package.gan.generator().to(z.device).eval()
    if weights is not None:
        network.load_state_dict(weights)
    return _images(network(z))
