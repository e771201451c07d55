"""Probes of a GAN that consists of two networks and a function that trains both.

The student's function computes the losses and does not return them. So a loss is recorded when its gradients are
computed, by `backward` or functions of `torch.autograd`, and is attributed to the network whose optimiser steps next.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import DataLoader, TensorDataset

from graders.probing.gradients import (
    accumulated,
    by_each,
    cosine,
    differentiated,
    holders,
    in_a_row,
    moved,
    shares,
    values,
)
from graders.probing.networks import (
    are_probabilities,
    built,
    drive,
    enlarged,
    registration,
    stretched_lines,
    weights_of,
)
from graders.probing.passage import Change, inputs_of, slopes
from graders.probing.sizes import PIXELS
from graders.probing.steps import with_gradients
from graders.probing.watching import Calls, ReadOnce, rows_of, watch

if TYPE_CHECKING:
    from graders.gan2018.interface import Gan2018Package
    from graders.gan2018.records import (
        FirstStep,
        Generator,
        Interpolate,
        Loop,
        Losses,
        Network,
        Step,
        Turn,
    )
    from graders.probing.records import OfNetworks, State

LATENTS = 100
LONGEST_SECONDS = 3.0  # CPU time for all calls of an interpolation
BETWEEN = 7  # images between the ends of an interpolation
RATE = 2e-4  # the hand-out's learning rate
Networks = dict[str, nn.Module]


def generator(package: Gan2018Package, z: Tensor, target: Tensor) -> Generator:
    """Yield a generator's images for latents z [B, 100], in eval mode, and after training towards `target` [B, 784]."""
    network = _generator(package).to(z.device).eval()
    images = _images(network(z))
    return {
        "outputs": images,
        "again": _images(network(z)),
        "alone": _images(network(z[:1])),
        "far": _images(network(50 * z)),
        **registration(network, images),
        "lines": _images(enlarged(network)(stretched_lines(z))),
        "driven": drive(network, lambda: _images(network(z)), target),
    }


def discriminator(package: Gan2018Package, images: Tensor, target: Tensor) -> Network:
    """Return a discriminator's scores for images [B, 1, 28, 28], in eval mode and after training to `target` [B]."""
    network = _discriminator(package).to(images.device).eval()
    fitting = package.gan.fitting(network, images)
    scores = _scores(network(fitting))
    return {
        "outputs": scores,
        "again": _scores(network(fitting)),
        "alone": _scores(network(fitting[:1])),
        **registration(network, scores),
        "lines": _scores(enlarged(network)(stretched_lines(fitting))),
        "driven": drive(network, lambda: _scores(network(fitting)), target),
    }


def turn(package: Gan2018Package, images: Tensor, labels: Tensor, scores: Tensor) -> OfNetworks[Turn | None]:
    """Run the student's loop on one batch of real images [B, 1, 28, 28], and records the loss of each network.

    scores [S] replace those of the discriminator, one for each row that it is given, in order; after a sigmoid if its
    own scores are probabilities. The losses are those before a network's first step; None if it makes none.
    """
    networks = _networks(package, images)
    bounded = _is_bounded(package, networks["discriminator"], images)
    asked = _Asked(scores.sigmoid() if bounded else scores)
    decoded = watch(networks["generator"])
    asked.calls = watch(networks["discriminator"], asked.replaced)
    with _watched(networks, asked) as seen:
        _train(package, networks, TensorDataset(images, labels), len(images))
    latents = _latents(decoded.inputs)
    made = torch.cat([torch.zeros(0, PIXELS), *(_images(output).detach() for output in decoded.outputs)])

    def of(name: str) -> Turn | None:
        first = seen.first.get(name)
        return None if first is None else {"latents": latents, "decoded": made, "bounded": bounded, **first}

    return {"generator": of("generator"), "discriminator": of("discriminator")}


def passage(package: Gan2018Package, images: Tensor, labels: Tensor, scores: Tensor) -> Tensor:
    """Return how the generator's loss changes with the generator's images, as `slopes` returns it.

    Arguments as in `turn`.

    It is the loss of the generator's first step.
    """
    bounded = _is_bounded(package, _networks(package, images)["discriminator"], images)

    def run(change: Change) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        networks = _networks(package, images)
        asked = _Asked(scores.sigmoid() if bounded else scores)
        made = watch(networks["generator"], change)
        asked.calls = watch(networks["discriminator"], asked.replaced)
        with _watched(networks, asked, made) as seen:
            _train(package, networks, TensorDataset(images, labels), len(images))
        return seen.passed

    return slopes(run)


def loop(package: Gan2018Package, images: Tensor, labels: Tensor, batch_size: int) -> Loop:
    """Run the student's loop for one epoch over images [N, 1, 28, 28], and records each `step()` of an optimiser."""
    networks, data = _networks(package, images), ReadOnce(images, labels)
    shown = watch(networks["discriminator"])
    with _watched(networks, _Asked(torch.zeros(0))) as seen:
        _train(package, networks, data, batch_size)
    return {"steps": seen.steps, "rows": rows_of(shown, PIXELS), "read": len(data.read)}


def latents_of_batches(package: Gan2018Package, images: Tensor, labels: Tensor, batch_size: int) -> list[Tensor]:
    """Return the latents [N, 100] that the student's loop trains on, for each batch in order.

    Latents whose images are only shown are left out: many loops decode a fixed set of latents now and then.
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


def interpolate(package: Gan2018Package, calls: int) -> Interpolate:
    """Return the latents that an interpolation decodes in one call, and their ends in up to `calls`, as time allows.

    If the function takes a number of steps, it is given the images between the ends (7), or all of them (9) if 7 gives
    7 images in all.
    """
    network = _generator(package).eval()
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
    """Return the latents that a generator was given in some calls, as rows [N, 100]."""
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
        """Return the places of these calls."""
        scored = {row for inputs in self._scored.inputs for row in _bytes(inputs[0])}
        return self._felt | {place for place, images in enumerate(self.calls.outputs) if scored & _bytes(images)}


def _bytes(images: Any) -> set[bytes]:
    """Return images by what they hold."""
    return {row.tobytes() for row in images.detach().reshape(-1, PIXELS).cpu().numpy()}


class _Noted(TensorDataset):
    """A data set that records, whenever an image is read, how often the generator has been called so far."""

    def __init__(self, images: Tensor, labels: Tensor, decoded: Calls) -> None:
        super().__init__(images, labels)
        self._decoded = decoded
        self.calls: list[int] = []

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        self.calls.append(len(self._decoded))
        return tuple(tensor[index] for tensor in self.tensors)


def _generator(package: Gan2018Package) -> nn.Module:
    return built(package.gan.generator)


def _discriminator(package: Gan2018Package) -> nn.Module:
    return built(package.gan.discriminator)


def _networks(package: Gan2018Package, images: Tensor) -> Networks:
    made = {"generator": _generator(package), "discriminator": _discriminator(package)}
    return {name: network.to(images.device).train() for name, network in made.items()}


def _train(package: Gan2018Package, networks: Networks, data: TensorDataset, batch_size: int) -> None:
    optimizers = package.gan.optimizers(networks["generator"], networks["discriminator"], RATE)
    batches = DataLoader(data, batch_size=batch_size)
    package.gan.train(networks["generator"], networks["discriminator"], batches, optimizers, batch_size)


@dataclass(slots=True)
class _Asked:
    """Injects scores into a discriminator, and keeps what its calls were about."""

    injected: Tensor
    used: int = 0
    calls: Any = None
    places: list[Tensor] = field(default_factory=list)

    def replaced(self, output: Any) -> Tensor:
        """Replace the discriminator's output for its next rows by injected scores; gradients still flow."""
        count = _scores(output).numel()
        places = torch.full((count,), -1)
        if self.used + count <= len(self.injected):
            places = torch.arange(self.used, self.used + count)
            wanted = self.injected[places].reshape(output.shape)
            output = output + (wanted - output).detach()
            self.used += count
        self.places.append(places)
        return output  # type: ignore[no-any-return]

    def evidence(self, losses: list[_Loss]) -> Losses:
        """Return the sum of the losses, and the rows that they depend on."""
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
    """A loss that was differentiated, with its gradients for each output of the discriminator and for each network."""

    value: Tensor
    by_scores: list[Tensor | None]
    by_network: dict[str, Tensor]
    by_given: list[Tensor | None]  # by what each call of the discriminator was given
    by_images: list[Tensor | None]  # by what each call of the generator returned
    reached: set[str]  # the networks that it depends on, even if the gradient is zero


class _Seen:
    """Records losses when they are differentiated, and steps of optimisers when they are made."""

    def __init__(self, networks: Networks, asked: _Asked, made: Calls | None = None) -> None:
        self._networks = networks
        self._asked = asked
        self._made = made  # the generator's calls, if `passed` is wanted
        self._losses: list[_Loss] = []
        self._last = dict.fromkeys(("any", *networks), 0)  # the number of losses at the last step of each network
        self._before: dict[str, Tensor] = {}
        self.steps: list[Step] = []
        self.first: dict[str, FirstStep] = {}  # what the first step of each network follows from
        # What the discriminator was given before the generator's first step, and the gradients of the loss of that
        # step by this and by the generator's images.
        self.passed: tuple[list[Tensor], list[Tensor], list[Tensor]] = ([], [], [])

    def loss(self, loss: Tensor) -> None:
        """Record a scalar loss with its gradients, before it is differentiated."""
        outputs = list(self._asked.calls.outputs) if self._asked.calls else []
        found = {name: by_each(loss, list(network.parameters())) for name, network in self._networks.items()}
        self._losses.append(
            _Loss(
                loss.detach(),
                by_each(loss, outputs),
                {name: in_a_row(gradients, self._networks[name]) for name, gradients in found.items()},
                by_each(loss, inputs_of(self._asked.calls) if self._made else []),
                by_each(loss, list(self._made.outputs) if self._made else []),
                {name for name, gradients in found.items() if any(each is not None for each in gradients)},
            )
        )

    def before_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Record what a step is about to use, and the losses that it belongs to."""
        holds = holders(optimizer, self._networks)
        self._before = {name: values(network) for name, network in self._networks.items()}
        step: Step = {"holds": holds, "losses": 0, "agreement": None, "unexplained": 0.0}
        if len(holds) == 1:
            (owner,) = holds
            used = accumulated(self._networks[owner])
            agreement, own = max(
                ((_agreement(used, each, owner), each) for each in self._own(owner)),
                # Among equal cosines, the smaller set: it leaves out losses without a gradient.
                key=lambda pair: (round(pair[0], 6), -len(pair[1])),
            )
            step["losses"] = len(own)
            step["agreement"] = agreement if agreement >= -1 else None
            step["unexplained"] = shares(used, [loss.by_network[owner] for loss in self._losses])[1]
            if owner not in self.first:
                if self._made is not None and owner == "generator":
                    given, outputs = inputs_of(self._asked.calls), list(self._made.outputs)
                    self.passed = (
                        [each.detach().clone() for each in given],
                        _summed([loss.by_given for loss in own], given),
                        _summed([loss.by_images for loss in own], outputs),
                    )
                reached = {name for loss in own for name in loss.reached}
                self.first[owner] = {
                    **self._asked.evidence(own),
                    "reached": {"generator": "generator" in reached, "discriminator": "discriminator" in reached},
                }
            self._last[owner] = len(self._losses)
        self._last["any"] = len(self._losses)
        self.steps.append(step)

    def _own(self, owner: str) -> list[list[_Loss]]:
        """Return the sets of losses that a step may belong to.

        These are all losses since the last step of either network; and, of those since this network's own last step,
        the ones that fit it, since only the generator's loss depends on the generator. The second set counts only if
        it leaves some losses out.
        """
        latest = self._losses[self._last["any"] :]
        since = self._losses[self._last[owner] :]
        alike = [loss for loss in since if ("generator" in loss.reached) is (owner == "generator")]
        return [latest, alike] if 0 < len(alike) < len(since) else [latest]

    def after_step(self, *_: Any) -> None:
        """Record how far the step moved each network."""
        self.steps[-1]["moved"] = moved(self._networks, self._before)


def _summed(gradients: list[list[Tensor | None]], tensors: list[Tensor]) -> list[Tensor]:
    """Return the sums of several losses' gradients with respect to each tensor, with zeros where there are none."""
    found = [torch.zeros_like(each) for each in tensors]
    for of_loss in gradients:
        for place, gradient in enumerate(of_loss):
            if gradient is not None:
                found[place] += gradient
    return found


def _agreement(used: Tensor, losses: list[_Loss], owner: str) -> float:
    """Return the cosine between the gradients in use and those of these losses; −2 if the losses have no gradient."""
    if not losses:
        return -2.0
    own = torch.stack([loss.by_network[owner] for loss in losses]).sum(dim=0)
    return cosine(used, own) if bool(own.any()) else -2.0


@contextmanager
def _watched(networks: Networks, asked: _Asked, made: Calls | None = None) -> Iterator[_Seen]:
    seen = _Seen(networks, asked, made)
    hooks = (
        register_optimizer_step_pre_hook(with_gradients(seen.before_step)),
        register_optimizer_step_post_hook(seen.after_step),
    )
    try:
        with differentiated(seen.loss):
            yield seen
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def _is_bounded(package: Gan2018Package, network: nn.Module, images: Tensor) -> bool:
    """Return whether all scores lie between 0 and 1, also for scaled images that look like no real ones."""
    network.eval()
    fitting = package.gan.fitting(network, images)
    scores = torch.cat([_scores(network(scale * fitting)) for scale in (1, -1, 50, -50)])
    network.train()
    return are_probabilities(scores)


def _images(output: Any) -> Tensor:
    """Return a generator's images as rows [B, 784], from any shape."""
    if not isinstance(output, Tensor):
        raise TypeError(f"Generator.forward should return a tensor of images, and returned {type(output).__name__}")
    if output.dim() < 2 or output[0].numel() != PIXELS:
        raise TypeError(
            f"Generator.forward should return images of 784 pixels, and returned shape {list(output.shape)}"
        )
    return output.reshape(len(output), PIXELS)


def _scores(output: Any) -> Tensor:
    """Return a discriminator's scores as a row [B], from any shape with one number for each image."""
    if not isinstance(output, Tensor):
        raise TypeError(f"Discriminator.forward should return a tensor of scores, and returned {type(output).__name__}")
    return output.reshape(-1)


def train(package: Gan2018Package, images: Tensor, labels: Tensor, epochs: int, batch_size: int, rate: float) -> State:
    """Train both networks for a short time with the student's own loop, and returns the generator's weights.

    images: uint8 [N, 1, 28, 28], scaled to [−1, 1] here, with labels [N]. The optimisers are the hand-out's, with
    learning rate `rate`.
    """
    networks = _networks(package, images)
    scaled = images.float() / 127.5 - 1
    batches = DataLoader(TensorDataset(scaled, labels), batch_size=batch_size, shuffle=True, drop_last=True)
    optimizers = package.gan.optimizers(networks["generator"], networks["discriminator"], rate)
    package.gan.train(networks["generator"], networks["discriminator"], batches, optimizers, batch_size, epochs)
    return weights_of(networks["generator"])


@torch.no_grad()
def decode(package: Gan2018Package, weights: State | None, z: Tensor) -> Tensor:
    """Return the images [B, 784] of a generator with these weights for latents z [B, 100], in eval mode.

    None: untrained.
    """
    network = _generator(package).to(z.device).eval()
    if weights is not None:
        network.load_state_dict(weights)
    return _images(network(z))
