"""Probes of a conditional GAN: how its networks use noise and label, and what they learn in a short training."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gengrade.sandbox.guest.errors import Missing, Undecided
from graders.probing.checkpoints import fill, states_of
from graders.probing.gradients import learnable, output_slopes
from graders.probing.networks import adam, are_probabilities, described, registration, weights_of
from graders.probing.sizes import CLASSES, PIXELS
from graders.probing.stand_ins import stand_in
from graders.probing.stirring import add_noise
from graders.probing.watching import Calls, watch

if TYPE_CHECKING:
    from graders.cgan.interface import CganPackage
    from graders.cgan.records import (
        Answer,
        Decode,
        Discriminator,
        Generate,
        Generator,
        GeneratorInput,
        HandedIn,
        Train,
    )
    from graders.probing.records import OutputSlopes, State

# Noise is given as rows [B, n], of which the student's generator gets as many numbers as it takes. All runs on the CPU.

FAR = 50.0  # factor on an input, for which a bounded output comes near its bounds
WARM = 40  # pairs of noise and label, or of image and label, that set the averages of batch norms
FELT = 1e-3  # outputs that differ by less are too near each other to show what they depend on
LEVEL = 0.1  # noise on the weights of a network whose outputs are all alike
MOST_NOISE = 16_384  # numbers of noise that can be given; must equal `graders.cgan.checks.MOST_NOISE`
EDGE = 1e-6  # probabilities are clamped to this distance from 0 and 1 before their logit is computed


def generator(package: CganPackage, noise: Tensor, labels: Tensor, warm: bool = False) -> Generator:
    """Run an untrained generator in eval mode, for noise [B, n] and labels [B].

    `warm` first brings its signals to an ordinary size, as `_warmed` says.
    """
    network = package.cgan.generator().eval()
    noise, labels = _noise(package, noise), labels.cpu()

    def made(z: Tensor, y: Tensor) -> Tensor:
        return _rows(package.cgan.images(network, z, y), len(z))

    some = torch.randn(WARM, noise.shape[1]), torch.arange(WARM) % CLASSES
    if warm:
        _warmed(network, lambda: made(*some))
    images = made(noise, labels)
    found: Generator = {
        "images": images,
        "again": made(noise, labels),
        "alone": made(noise[-1:], labels[-1:]),
        "far": made(FAR * noise, labels),
        "noise_moves": _moves(lambda z: made(z, labels), noise, -noise),
        "label_moves": _moves(lambda y: made(noise, y), labels, (labels + 1) % CLASSES),
        **registration(network, images),
        **learnable(network, lambda: made(noise, labels)),
        "far_in_training": _in_training(network, lambda: made(FAR * noise, labels)),
        "by_weights": _nothing(),
    }
    if not warm:
        _warmed(network.eval(), lambda: made(*some))
        found["by_weights"] = output_slopes(network, lambda: made(noise, labels))
    return found


def _in_training(network: nn.Module, images: Callable[[], Tensor]) -> Tensor:
    network.train()
    return images()


def discriminator(package: CganPackage, images: Tensor, labels: Tensor, warm: bool = False) -> Discriminator:
    """Run an untrained discriminator in eval mode, for images [B, 784] and labels [B].

    `warm` first brings its signals to an ordinary size, as `_warmed` says. `by_given` is about the images.
    """
    network, images, labels = package.cgan.discriminator().eval(), images.cpu(), labels.cpu()
    given = images.clone().requires_grad_()

    def score(x: Tensor, y: Tensor) -> Tensor:
        return _scores(package.cgan.scores(network, x, y), len(x))

    some = 2 * torch.rand(WARM, PIXELS) - 1, torch.arange(WARM) % CLASSES
    if warm:
        _warmed(network, lambda: score(*some)[:, None])
    scores = score(images, labels)
    found: Discriminator = {
        "scores": scores,
        "again": score(images, labels),
        "alone": score(images[-1:], labels[-1:]),
        "image_moves": _moves(lambda x: score(x, labels)[:, None], images, -images),
        "label_moves": _moves(lambda y: score(images, y)[:, None], labels, (labels + 1) % CLASSES),
        **registration(network, scores),
        **learnable(network, lambda: score(given, labels), given),
        "by_weights": _nothing(),
        "by_images": _nothing(),
    }
    if not warm:
        _warmed(network.eval(), lambda: score(*some)[:, None])
        found["by_weights"] = output_slopes(network, lambda: score(given, labels))
        found["by_images"] = output_slopes(network, lambda: score(given, labels), [given])
    return found


def _nothing() -> OutputSlopes:
    """No slopes, where a check does not ask for them."""
    return {"slopes": torch.zeros(2, 0), "predicted_slopes": torch.zeros(2, 0), "rounding": torch.zeros(2)}


def noise_size(package: CganPackage) -> Any:
    """Return the number of noise values that the student's generator takes.

    This has a run of its own, because to find it the generator is called with several combinations of noise and label.
    """
    return _size(package)


def generator_input(package: CganPackage, noise: Tensor, labels: Tensor, encoded: Tensor) -> GeneratorInput:
    """Yield the generator's input that the student's function makes from noise [B, d] and labels [B].

    `encoded` [B, 10] are the labels as one-hot rows, for functions that take those.
    """
    return {"rows": package.cgan.generator_input(noise.cpu(), labels.cpu(), encoded.cpu())}


def generate(package: CganPackage, digits: list[int], encoded: Tensor) -> Generate:
    """Call the student's function for n images of each of the `digits`; random images replace the generator's.

    `encoded` [digits, n, 10] are the labels as one-hot rows, for functions that take those.
    """
    generator = package.cgan.own_generator()
    stand_in(generator, lowest=0)
    calls = watch(generator)
    seen: list[Answer] = []
    for digit, hot in zip(digits, encoded.cpu(), strict=True):
        calls.forget()
        returned = package.cgan.generate(digit, hot, calls)
        seen.append({"inputs": _inputs(calls), "decoded": _decoded(calls), "images": _pictures(returned)})
    return {"answers": seen}


def train(package: CganPackage, *, images: Tensor, labels: Tensor, steps: int, batch_size: int, rate: float) -> Train:
    """Train the student's networks by our own loop, on uint8 images [N, 784] in 0 … 255 with labels [N].

    For each batch, both networks make a step on the non-saturating loss by Adam with β₁ = 0.5 (Radford et al. 2016),
    and both are given the labels (Mirza & Osindero 2014). Images are scaled to the range of the generator's, [0, 1] or
    [−1, 1].
    """
    networks, noise = (package.cgan.generator(), package.cgan.discriminator()), _size(package)
    images, labels = images.cpu(), labels.cpu()
    low = -1.0 if _is_signed(package, networks[0], noise) else 0.0
    is_bounded = _is_bounded(package, networks[1])
    optimizers = [adam(network, rate, betas=(0.5, 0.999)) for network in networks]
    for network in networks:
        network.train()
    curves = torch.zeros(2, steps)

    def score(x: Tensor, y: Tensor) -> Tensor:
        scores = _scores(package.cgan.scores(networks[1], x, y), len(x))
        return torch.logit(scores.clamp(EDGE, 1 - EDGE)) if is_bounded else scores

    for index in range(steps):
        chosen = torch.randint(len(images), (batch_size,))
        real, y = low + (1 - low) * images[chosen].float() / 255, labels[chosen]
        fake = _rows(package.cgan.images(networks[0], torch.randn(batch_size, noise), y), batch_size)
        losses = (
            lambda fake=fake, y=y: F.softplus(-score(fake, y)).mean(),
            lambda fake=fake, real=real, y=y: (
                F.softplus(-score(real, y)).mean() + F.softplus(score(fake.detach(), y)).mean()
            ),
        )
        for which in (1, 0):
            optimizers[which].zero_grad()
            loss = losses[which]()
            loss.backward()
            optimizers[which].step()
            curves[which, index] = loss.detach()
    return {
        "trained": weights_of(networks[0]),
        "generator_losses": curves[0],
        "discriminator_losses": curves[1],
    }


@torch.no_grad()
def decode(package: CganPackage, weights: State, noise: Tensor, labels: Tensor, label_first: bool = False) -> Decode:
    """Run a generator with these weights in eval mode, for noise [B, n] and labels [B].

    `label_first` puts the label before the noise.
    """
    network = package.cgan.generator().eval()
    network.load_state_dict(weights)
    noise, labels = _noise(package, noise), labels.cpu()
    images = _rows(package.cgan.images(network, noise, labels, label_first=label_first), len(labels))
    return {"images": images, "signed": _is_signed(package, network, noise.shape[1])}


@torch.no_grad()
def handed_in(package: CganPackage, index: int = 0) -> HandedIn:
    """Return the handed-in weights number `index` among those that fit the student's generator.

    It raises no exceptions.

    Files are read as plain tensors only, so no code in them runs.
    """
    problems: list[str] = []
    fits: list[tuple[str, State]] = []
    try:
        for path in sorted(package.cgan.weights(), key=_by_number, reverse=True):  # the last epoch first
            _collect(package.cgan.generator(), path, fits, problems)
    except Exception as error:
        problems.append(f"{type(error).__name__}: {error}"[:300])
    if index < len(fits):
        name, weights = fits[index]
        return {"file": name, "problem": "", "count": len(fits), "weights": weights}
    return {"file": "", "problem": "; ".join(problems)[:1000], "count": len(fits)}


def _collect(network: nn.Module, path: Path, fits: list[tuple[str, State]], problems: list[str]) -> None:
    """Add the weights in a file that fit the network to `fits`, or else the first error to `problems`."""
    failures: list[Exception] = []
    before = len(fits)
    try:
        for where, state in states_of(path):
            try:
                fill(network, state, prefix="generator.")
                fits.append((f"{path.name}, {where}" if where else path.name, weights_of(network)))
            except ValueError as error:
                failures.append(error)
    except Exception as error:
        failures.append(error)
    if len(fits) == before:
        problems.append(f"{path.name}: {type(failures[0]).__name__}: {failures[0]}"[:300])


def _by_number(path: Path) -> list[tuple[int, str]]:
    """Return a sort key for file names, by which 10 comes after 9."""
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d{1,9})", path.name)]


@torch.no_grad()
def _moves(made: Callable[[Tensor], Tensor], inputs: Tensor, others: Tensor) -> Tensor:
    """Return how far each output of `made` changes if one row of the inputs [B, …] changes, for three rows: [3, B]."""
    before, moved = made(inputs), []
    for row in (0, len(inputs) // 3, len(inputs) - 1):
        changed = inputs.clone()
        changed[row] = others[row]
        moved.append((made(changed) - before).abs().amax(dim=1))
    return torch.stack(moved)


def _is_signed(package: CganPackage, network: nn.Module, noise: int) -> bool:
    """Return whether a generator's pixels are ever negative."""
    training = network.training
    labels = torch.arange(40) % 10
    with torch.no_grad():
        far = _rows(package.cgan.images(network.eval(), FAR * torch.randn(40, noise), labels), 40)
    network.train(training)
    return bool((far < -1e-3).any())


def _is_bounded(package: CganPackage, network: nn.Module) -> bool:
    """Return whether a discriminator's scores lie in [0, 1], also for images far outside their range."""
    labels = torch.arange(40) % 10
    with torch.no_grad():
        far = _scores(package.cgan.scores(network.eval(), FAR * torch.randn(40, PIXELS), labels), 40)
    return are_probabilities(far)


def _warmed(network: nn.Module, outputs: Callable[[], Tensor]) -> None:
    """Make what an untrained network says of its inputs large enough to be read, however small it starts.

    With the small initial weights of a DCGAN, a signal shrinks from layer to layer in eval mode, where batch norms
    divide by a standard deviation that no batch has had yet. So their averages are those of a batch here, as after the
    first step of a training. If `outputs()` [B, …] still are all alike, as with a layer that starts at zero, noise is
    added to the weights.
    """
    norms = [each for each in network.modules() if isinstance(each, nn.modules.batchnorm._BatchNorm)]
    norms = [each for each in norms if each.track_running_stats and each.running_mean is not None]
    momenta = [each.momentum for each in norms]

    def are_alike() -> bool:
        with torch.no_grad():
            for each in norms:
                each.reset_running_stats()
                each.momentum = None  # the average of all batches since the reset
                each.train()
            outputs()
            for each, momentum in zip(norms, momenta, strict=True):
                each.momentum = momentum
                each.eval()
            made = outputs()
        return bool((made.amax(dim=0) - made.amin(dim=0)).max() < FELT)

    if are_alike():
        add_noise(network, LEVEL, are_alike)


def _size(package: CganPackage) -> int:
    """Return the number of noise values that the student's generator takes.

    Raises Undecided for one that none can have, and ValueError for one that is larger than any image needs.
    """
    size = package.cgan.noise_size()
    if type(size) is not int or size < 1:
        raise Undecided(f"the generator seems to take {size} numbers of noise beside the label")
    if size > MOST_NOISE:
        raise ValueError(
            f"the generator takes {size} numbers of noise beside the label: at most {MOST_NOISE} are given"
        )
    return size


def _noise(package: CganPackage, noise: Tensor) -> Tensor:
    """As many columns of the noise [B, n] as the student's generator takes."""
    size = _size(package)
    if size > noise.shape[1]:
        raise ValueError(f"the generator takes {size} numbers of noise: {noise.shape[1]} are given here")
    return noise[:, :size].cpu()


def _rows(images: Any, n: int) -> Tensor:
    """Return the images as rows [n, pixels]; an error that says what the generator gave instead, if it did."""
    if not isinstance(images, Tensor):
        raise TypeError(f"the generator should give a tensor of images, and gave {described(images)}")
    if images.dim() == 0 or images.numel() == 0 or len(images) != n:
        raise ValueError(
            f"the generator should give an image for each pair of noise and label, and gave shape "
            f"{list(images.shape)} for {n} pairs"
        )
    return images.reshape(n, -1)


def _scores(scores: Any, n: int) -> Tensor:
    if not isinstance(scores, Tensor):
        raise TypeError(f"the discriminator should give a tensor of scores, and gave {described(scores)}")
    if scores.numel() != n:
        raise ValueError(f"the discriminator should give a score for each image, and gave {list(scores.shape)} for {n}")
    return scores.reshape(-1)


def _inputs(calls: Calls) -> list[Tensor]:
    """Return the arguments of all calls, joined for each position, as rows [R, …]."""
    if len({len(inputs) for inputs in calls.inputs}) != 1:
        return []
    return [
        torch.cat([each.detach().float().reshape(len(each), -1) for each in position])
        for position in zip(*calls.inputs, strict=True)
        if all(isinstance(each, Tensor) and each.dim() for each in position)
    ]


def _decoded(calls: Calls) -> Tensor:
    images = [
        _rows(output, len(output) if isinstance(output, Tensor) and output.dim() else 1).detach()
        for output in calls.outputs
    ]
    if any(each.shape[1] != PIXELS for each in images):
        raise Missing("the generator gives images of another size than MNIST's 28×28: only those can be judged here")
    return torch.cat(images) if images else torch.zeros(0, PIXELS)


def _pictures(returned: Any) -> Tensor | None:
    if isinstance(returned, list | tuple) and returned and all(isinstance(each, Tensor) for each in returned):
        if any(each.numel() % PIXELS for each in returned):
            return None
        returned = torch.cat([each.reshape(-1, PIXELS) for each in returned])
    if not isinstance(returned, Tensor):
        try:
            returned = torch.as_tensor(returned)
        except (TypeError, ValueError, RuntimeError):
            return None
    return returned.detach().float().reshape(-1, PIXELS) if returned.numel() % PIXELS == 0 else None
