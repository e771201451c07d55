"""Probes of a GAN: they run its networks, its training steps, its loop and its sampling, and record what happens."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from graders.probing.alternation import Alternation
from graders.probing.checkpoints import load_checkpoint
from graders.probing.networks import (
    adam,
    are_probabilities,
    built,
    drive,
    enlarged,
    idle_parameter,
    registration,
    stretched_lines,
    used_parameters,
    weights_of,
)
from graders.probing.passage import Change, gradients_of, inputs_of, retained, slopes
from graders.probing.sizes import PIXELS
from graders.probing.stand_ins import stand_in
from graders.probing.watching import Calls, ReadOnce, rows_of, watch

if TYPE_CHECKING:
    from graders.gan.interface import GanPackage
    from graders.gan.records import (
        Checkpoint,
        Decodings,
        Generated,
        GeneratorRange,
        Interpolate,
        Loop,
        Returned,
        Sample,
        Scored,
        Scores,
        Train,
        TrainingStep,
        TwoSteps,
    )
    from graders.probing.records import State

_NEEDS_LOOP = (AttributeError, TypeError, ValueError)  # what a step may raise if it needs what only the loop sets


def generators(
    package: GanPackage, latents: list[Tensor], sizes: list[list[int]], output_shape: list[int] | None = None
) -> list[Generated]:
    """Run a new generator in eval mode, for each pair of latents [B, z_dim] and hidden sizes.

    `output_shape` is that of an image, by default [1, 28, 28].
    """
    pairs = zip(latents, sizes, strict=True)
    return [_generated(package, z, hidden_dims, output_shape) for z, hidden_dims in pairs]


def generator_range(package: GanPackage, z: Tensor, target: Tensor, hidden_dims: list[int]) -> GeneratorRange:
    """Run a generator on 50·z, and on z after training towards `target` [B, 784]."""
    network = _generator(package, z, hidden_dims).eval()
    far = network(50 * z)
    return {"far": far, "driven": drive(network, lambda: _tensor(network(z)), target)}


def discriminators(package: GanPackage, images: Tensor, sizes: list[list[int]]) -> list[Scored]:
    """Run a new discriminator in eval mode on images [B, 1, 28, 28], for each list of hidden sizes."""
    return [_scored(package, images, hidden_dims) for hidden_dims in sizes]


def discriminator_range(package: GanPackage, images: Tensor, target: Tensor, hidden_dims: list[int]) -> Tensor:
    """Return the scores of images after the discriminator was trained towards `target` [B] only.

    They are those of `drive`, [2, …], in training mode and in eval mode.
    """
    network = _discriminator(package, images, hidden_dims)
    return drive(network, lambda: _tensor(package.gan.score(network, images)), target)


def parameter_counts(package: GanPackage, which: str, sizes: list[list[int]]) -> list[int]:
    """Return how many numbers the output depends on, of a network's parameters, for each list of hidden sizes.

    `which`: "generator" or "discriminator".
    """
    z, images = torch.randn(2, 16), torch.rand(2, 1, 28, 28)

    def count(hidden_dims: list[int]) -> int:
        if which == "generator":
            generator = _generator(package, z, hidden_dims).eval()
            used = used_parameters(generator, lambda: _tensor(generator(z)))
        else:
            discriminator = _discriminator(package, images, hidden_dims).eval()
            used = used_parameters(discriminator, lambda: _tensor(package.gan.score(discriminator, images)))
        return sum(each.numel() for each in used.values())

    return [count(size) for size in sizes]


def use(package: GanPackage, which: str, x: Tensor, hidden_dims: list[int]) -> str:
    """Return the name of a parameter that changes none of a network's outputs in eval mode; "" without any.

    Args:
        which: "generator" or "discriminator".
        x: its input: latents [B, z_dim], or images [B, 1, 28, 28].
    """
    if which == "generator":
        generator = _generator(package, x, hidden_dims).eval()
        return idle_parameter(generator, lambda: _tensor(generator(x)))
    discriminator = _discriminator(package, x, hidden_dims).eval()
    return idle_parameter(discriminator, lambda: _tensor(package.gan.score(discriminator, x)))


def step(
    package: GanPackage,
    *,
    which: str,
    images: Tensor,
    scores: Tensor,
    hidden_dims: list[int],
    z_dim: int,
    twice: bool = False,
) -> TrainingStep | TwoSteps:
    """Run one training step of a new model, with known scores of the discriminator, and another one if `twice`.

    Args:
        which: "generator" or "discriminator", the network whose step is run.
        images: [B, 1, 28, 28], the real batch.
        scores: [S], logits that replace the discriminator's scores, in the order of its calls, so that the loss does
            not depend on the weights.
    """
    bounded = _is_bounded(package, images, hidden_dims, z_dim)
    model = _model(package, hidden_dims, z_dim).to(images.device).train()
    networks = {"generator": package.gan.generator_of(model), "discriminator": package.gan.discriminator_of(model)}
    calls = watch(networks["generator"])
    given = _Scores(networks["discriminator"], scores.sigmoid() if bounded else scores)
    loss = _loss_of_step(package, model, which, images, (calls, given.calls))
    if loss.requires_grad:
        loss.sum().backward()
    evidence: TrainingStep = {
        "loss": loss.detach().reshape(-1),
        "bounded": bounded,
        "reached": {
            "generator": _is_reached(networks["generator"]),
            "discriminator": _is_reached(networks["discriminator"]),
        },
        **given.asked(),
        **_decodings(calls, z_dim),
    }
    if not twice:
        return evidence
    calls.forget()
    _loss_of_step(package, model, which, images, (calls, given.calls))
    return {**evidence, "again": _decodings(calls, z_dim)["latents"]}


def passage(package: GanPackage, *, images: Tensor, scores: Tensor, hidden_dims: list[int], z_dim: int) -> Tensor:
    """Return how the generator's loss changes with the generator's images, as `slopes` returns it.

    Arguments as in `step`.
    """
    bounded = _is_bounded(package, images, hidden_dims, z_dim)

    def run(change: Change) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        model = _model(package, hidden_dims, z_dim).to(images.device).train()
        made = watch(package.gan.generator_of(model), change)
        shown = _Scores(package.gan.discriminator_of(model), scores.sigmoid() if bounded else scores).calls
        loss = _loss_of_step(package, model, "generator", images, (made, shown))
        given, outputs = retained(inputs_of(shown)), retained(made.outputs)
        if loss.requires_grad:
            loss.sum().backward()
        return [each.detach().clone() for each in given], gradients_of(given), gradients_of(outputs)

    return slopes(run)


def step_if_it_runs(package: GanPackage, **setting: Any) -> TrainingStep | TwoSteps | None:
    """Return what `step` returns, or None if the step raises: it only serves to judge the other network's step."""
    try:
        return step(package, **setting)
    except Exception:
        return None


def sample(package: GanPackage, n: int, z_dim: int, training: bool = True) -> Sample:
    """Call `sample(n)` twice, of a model in training or in eval mode.

    The generator's images are replaced by random ones, so that its own faults do not matter.
    """
    model = _model(package, [24, 32], z_dim)
    calls = _watch_stand_ins(package.gan.generator_of(model))
    model.train(training)
    first: Returned = {"images": package.gan.sample(model, n), **_decodings(calls, z_dim)}
    calls.forget()
    model.train(training)
    package.gan.sample(model, n)
    return {**first, "again": _decodings(calls, z_dim)["latents"]}


def sample_of(package: GanPackage, z: Tensor) -> Decodings | None:
    """Ask for samples from given z [n, z_dim]; None if `sample` does not accept z."""
    if package.gan.sample_of is None:
        return None
    model = _model(package, [24, 32], z.shape[1])
    calls = _watch_stand_ins(package.gan.generator_of(model))
    package.gan.sample_of(model, z)
    return _decodings(calls, z.shape[1])


def interpolate_between(package: GanPackage, ends: Tensor, steps: int) -> Returned | None:
    """Interpolate between given latents `ends` [2, n, z_dim]; None if the student's function does not accept them."""
    if package.gan.interpolate_between is None:
        return None
    model = _model(package, [24, 32], ends.shape[2])
    calls = _watch_stand_ins(package.gan.generator_of(model))
    return {"images": package.gan.interpolate_between(model, ends, steps), **_decodings(calls, ends.shape[2])}


def interpolate(package: GanPackage, n: int, steps: int, z_dim: int, training: bool = True) -> Interpolate:
    """Call `interpolate(n, steps)`, with random images in the place of the generator's."""
    model = _model(package, [24, 32], z_dim)
    calls = _watch_stand_ins(package.gan.generator_of(model))
    model.train(training)
    result = package.gan.interpolate(model, n, steps)
    listed = isinstance(result, list | tuple)
    if listed:
        result = torch.stack([_tensor(strip) for strip in result])
    takes_ends = package.gan.interpolate_between is not None
    return {"images": result, "listed": listed, "takes_ends": takes_ends, **_decodings(calls, z_dim)}


def interpolations(package: GanPackage, cases: list[list[int]]) -> list[Interpolate]:
    """Return what `interpolate` returns for several pairs (n, steps)."""
    return [interpolate(package, n, steps, z_dim=16) for n, steps in cases]


def alternation(package: GanPackage, images: Tensor, labels: Tensor, batch_size: int) -> Loop:
    """Run one epoch of the student's own loop over images [N, 1, 28, 28] and record each optimiser step."""
    model = _model(package, [24, 32], 16).to(images.device)
    networks = {"generator": package.gan.generator_of(model), "discriminator": package.gan.discriminator_of(model)}
    data = ReadOnce(images, labels)
    batches = torch.utils.data.DataLoader(data, batch_size=batch_size)
    with Alternation(model, networks) as seen:
        package.gan.train_epoch(model, batches, package.gan.optimizers(model))
    return {
        "steps": seen.steps,
        "losses": seen.losses,
        "trained": {"generator": seen.trained("generator"), "discriminator": seen.trained("discriminator")},
        "rows": rows_of(seen.shown, PIXELS),
        "read": len(data.read),
    }


def train(
    package: GanPackage, *, images: Tensor, steps: int, batch_size: int, rate: float, sizes: dict[str, Any]
) -> Train:
    """Train a GAN with our loop and the student's networks and losses.

    Each batch gives a step of each network, by Adam with β₁ = 0.5 (Radford et al. 2016).

    Args:
        images: uint8 [N, 1, 28, 28] in 0 … 255.
        steps: the number of batches.
        rate: the learning rate.
        sizes: the arguments of the student's model.
    """
    model = built(package.gan.model, **sizes).to(images.device).train()
    networks = (package.gan.generator_of(model), package.gan.discriminator_of(model))
    losses = (package.gan.generator_step, package.gan.discriminator_step)
    optimizers = [adam(network, rate, betas=(0.5, 0.999)) for network in networks]
    curves = torch.zeros(2, steps, device=images.device)
    untrained = weights_of(networks[0])
    halfway: State = {}
    for index in range(steps):
        x_real = images[torch.randint(len(images), (batch_size,), device=images.device)].float() / 127.5 - 1
        for network in (0, 1):
            model.zero_grad()
            try:
                loss = losses[network](model, x_real)
            except _NEEDS_LOOP:
                if index > 0 or not hasattr(package.gan, "train_epoch"):
                    raise
                _loop_once(package, model, x_real)
                loss = losses[network](model, x_real)
            loss.backward()
            optimizers[network].step()
            curves[network, index] = loss.detach()
        if index == steps // 2:
            halfway = weights_of(networks[0])
    return {
        "untrained": untrained,
        "halfway": halfway,
        "trained": weights_of(networks[0]),
        "generator_losses": curves[0],
        "discriminator_losses": curves[1],
    }


@torch.no_grad()
def decode(package: GanPackage, weights: dict[str, Tensor], z: Tensor, sizes: dict[str, Any]) -> Tensor:
    """Return the images [B, 784] of a generator with the given weights for latents z [B, z_dim], in eval mode."""
    network = package.gan.generator_of(built(package.gan.model, **sizes).to(z.device)).eval()
    network.load_state_dict(weights)
    return _tensor(network(z)).reshape(len(z), -1)


@torch.no_grad()
def checkpoint(package: GanPackage, z: Tensor, sizes: dict[str, Any]) -> Checkpoint:
    """Run the weights that were handed in on latents z, if they fit the student's generator; never raises."""
    path = package.gan.checkpoint()
    if path is None:
        return {"file": "", "problem": ""}
    try:
        network = package.gan.generator_of(built(package.gan.model, **sizes)).eval()
        load_checkpoint(network, path, prefix="generator.")
        images = _tensor(network(z.cpu())).reshape(len(z), -1)
    except Exception as error:
        return {"file": path.name, "problem": f"{type(error).__name__}: {error}"[:300]}
    return {"file": path.name, "problem": "", "images": images}


def _generated(package: GanPackage, z: Tensor, hidden_dims: list[int], output_shape: list[int] | None) -> Generated:
    network = _generator(package, z, hidden_dims, output_shape).eval()
    images = network(z)
    again, first = network(z), network(z[:1])
    known = registration(network, _tensor(images))
    lines = enlarged(network)(stretched_lines(z))
    return {"images": images, "again": again, "first": first, "lines": lines, **known}


def _scored(package: GanPackage, images: Tensor, hidden_dims: list[int]) -> Scored:
    network = _discriminator(package, images, hidden_dims).eval()
    scores, again, first = (package.gan.score(network, given) for given in (images, images, images[:1]))
    known = registration(network, _tensor(scores))
    lines = package.gan.score(enlarged(network), stretched_lines(images))
    return {"scores": scores, "again": again, "first": first, "lines": lines, **known}


def _generator(
    package: GanPackage, z: Tensor, hidden_dims: list[int], output_shape: list[int] | None = None
) -> nn.Module:
    shape = output_shape or [1, 28, 28]
    network = built(package.gan.generator, z_dim=z.shape[1], hidden_dims=hidden_dims, output_shape=shape, dp_rate=0.1)
    return network.to(z.device)


def _discriminator(package: GanPackage, images: Tensor, hidden_dims: list[int]) -> nn.Module:
    network = built(package.gan.discriminator, input_dims=PIXELS, hidden_dims=hidden_dims, dp_rate=0.3)
    return network.to(images.device)


def _model(package: GanPackage, hidden_dims: list[int], z_dim: int) -> nn.Module:
    return built(
        package.gan.model,
        z_dim=z_dim,
        hidden_dims_gen=hidden_dims,
        hidden_dims_disc=hidden_dims[::-1],
        dp_rate_gen=0.1,
        dp_rate_disc=0.3,
    )


def _tensor(value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        raise TypeError(f"a tensor was expected, and {type(value).__name__} came back")
    return value


def _decodings(calls: Calls, z_dim: int) -> Decodings:
    """Return what a generator decoded in all recorded calls."""
    latents = [_rows(inputs[0].detach(), z_dim) for inputs in calls.inputs]
    decoded = [_tensor(images).detach().reshape(-1, PIXELS) for images in calls.outputs]
    return {
        "latents": torch.cat(latents) if latents else torch.zeros(0, z_dim),
        "decoded": torch.cat(decoded) if decoded else torch.zeros(0, PIXELS),
    }


def _rows(z: Tensor, z_dim: int) -> Tensor:
    """Reshape latents to rows, whether they came as rows, as strips, or as images of one pixel [B, z_dim, 1, 1]."""
    return z.reshape(-1, z_dim if z.numel() % z_dim == 0 else z.shape[-1])


def _watch_stand_ins(generator: nn.Module) -> Calls:
    """Replace a generator's images by random square ones, and records its calls.

    So the code that uses the generator is judged independently of the generator's own faults.
    """
    stand_in(generator, lowest=-1)
    return watch(generator, _square)


def _square(images: Tensor) -> Tensor:
    return images.reshape(-1, 1, 28, 28) if images.dim() < 4 and images.numel() % PIXELS == 0 else images


class _Scores:
    """Replaces a discriminator's scores by given ones, through which gradients flow, and records the scored rows."""

    def __init__(self, network: nn.Module, scores: Tensor) -> None:
        self._left = scores
        self.calls = watch(network, self._replaced)

    def _replaced(self, output: Any) -> Tensor:
        count = _tensor(output).numel()
        if count <= len(self._left):
            wanted, self._left = self._left[:count].reshape(output.shape), self._left[count:]
            output = output + (wanted - output).detach()
        if output.requires_grad:
            output.retain_grad()
        return output  # type: ignore[no-any-return]

    def asked(self) -> Scores:
        """Return what was scored, and the gradients by the scores."""
        nothing = torch.zeros(0)
        rows = [inputs[0].detach().reshape(-1, PIXELS).cpu() for inputs in self.calls.inputs]
        outputs = self.calls.outputs
        gradients = [torch.zeros_like(output) if output.grad is None else output.grad for output in outputs]
        return {
            "rows": torch.cat([nothing.reshape(0, PIXELS), *rows]),
            "scores": torch.cat([nothing, *(output.detach().flatten().cpu() for output in outputs)]),
            "gradients": torch.cat([nothing, *(gradient.flatten().cpu() for gradient in gradients)]),
        }


class _Reached(Exception):
    """Ends a student's loop as soon as the step has been recorded."""


def _loop_once(package: GanPackage, model: nn.Module, images: Tensor) -> None:
    """Run the student's own loop on a single batch of images [B, C, H, W]."""
    labels = torch.zeros(len(images), dtype=torch.int64, device=images.device)
    package.gan.train_epoch(model, [(images, labels)], package.gan.optimizers(model))


def _loss_of_step(
    package: GanPackage, model: nn.Module, which: str, images: Tensor, seen: tuple[Calls, Calls]
) -> Tensor:
    """Return the loss of one step of the network `which`; `seen` records the calls of generator and discriminator."""
    try:
        taken = package.gan.generator_step if which == "generator" else package.gan.discriminator_step
        return taken(model, images)
    except _NEEDS_LOOP:
        if not hasattr(package.gan, "train_epoch"):  # The loop is the hand-out's, so there is no other way.
            raise
        # Some steps need attributes that only the student's loop sets, so the step is run from within the loop.
        return _step_within_loop(package, model, which, images, seen)


def _step_within_loop(
    package: GanPackage, model: nn.Module, which: str, images: Tensor, seen: tuple[Calls, Calls]
) -> Tensor:
    """Return the loss of a step that the student's own loop calls, for steps that need what the loop prepares.

    The records `seen` then hold only the calls within that step.
    """
    original = getattr(model, f"{which}_step")
    losses: list[Tensor] = []

    def step(*args: Any, **kwargs: Any) -> Any:
        for record in seen:
            record.forget()
        result = original(*args, **kwargs)
        losses.append(result[0] if isinstance(result, tuple | list) else result)
        raise _Reached

    object.__setattr__(model, f"{which}_step", step)
    with contextlib.suppress(_Reached):
        _loop_once(package, model, images)
    vars(model).pop(f"{which}_step", None)  # the model's own method again
    if not losses:
        raise TypeError(f"{which}_step fails on its own, and train_gan never calls it")
    return _tensor(losses[0])


def _is_bounded(package: GanPackage, images: Tensor, hidden_dims: list[int], z_dim: int) -> bool:
    """Return whether the discriminator's scores stay between 0 and 1 even if it is trained towards ±6."""
    network = package.gan.discriminator_of(_model(package, hidden_dims, z_dim).to(images.device))
    untrained = _tensor(package.gan.score(network, images))
    if not are_probabilities(untrained):
        return False
    # An image and its negative are as easy to tell apart as any two.
    image = torch.randn_like(images[:1]).sign()
    pair = torch.cat([image, -image]).repeat(4, 1, 1, 1)
    target = torch.tensor([6.0, -6.0], device=images.device).repeat(4)
    reached = drive(network, lambda: _tensor(package.gan.score(network, pair)), target)[0]  # the mode of a step
    return are_probabilities(reached)


def _is_reached(network: nn.Module) -> bool:
    """Return whether the loss depends on the network's parameters, even if the gradient is zero."""
    return any(parameter.grad is not None for parameter in network.parameters())
