"""Probes of a GAN with prescribed networks: noise, networks with known weights, losses, an optimiser, a short training.

Images are [B, 784] in [−1, 1], noise is [B, noise_dim].
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from gengrade.sandbox.guest.errors import Missing, Undecided
from graders.probing.filling import fill
from graders.probing.networks import built, described, weights_of
from graders.probing.sizes import PIXELS

if TYPE_CHECKING:
    from graders.image_gan.interface import ImageGanPackage
    from graders.image_gan.records import Batches, Layers, Loss, Losses, Noise, Train

CHUNK = 500  # images in one pass outside of training
_SHAPES: dict[str, tuple[int, ...]] = {"column": (-1, 1), "flat": (-1,)}  # of scores


def noise(package: ImageGanPackage, batch_size: int, noise_dim: int) -> Noise:
    """Return the student's noise, in two calls."""
    first, second = (package.image_gan.sample_noise(batch_size, noise_dim) for _ in range(2))
    return {"first": first, "second": second}


def layers(package: ImageGanPackage, which: str, batch_size: int, noise_dim: int) -> Layers:
    """Return the sizes of the parameters of a new network.

    Args:
        which: the network's name in the adapter's contract.
        batch_size: the number of images for which a convolutional discriminator is built.
        noise_dim: the number of latents of a generator.
    """
    network = _network(package, which, batch_size, noise_dim)
    with contextlib.suppress(Exception):  # another probe shows what is wrong with a pass
        _find_sizes(package, which, network, torch.zeros(batch_size, noise_dim if "generator" in which else PIXELS))
    known = [each for each in network.parameters() if not is_lazy(each)]
    return {
        "parameters": sum(each.numel() for each in known if each.requires_grad),
        "shapes": [list(each.shape) for each in known],
    }


def outputs(package: ImageGanPackage, which: str, x: Tensor, seed: int, training: bool) -> Tensor:
    """Return what a new network with known weights gives for images or noise x [B, n], in either mode.

    Args:
        which: the network's name in the adapter's contract.
        seed: the weights follow from this number.
    """
    network = _network(package, which, len(x), x.shape[1]).to(x.device).train(training)
    _find_sizes(package, which, network, x)
    fill(network, seed)
    return _answer(package, which, network, x)


def slopes(package: ImageGanPackage, which: str, x: Tensor, seed: int, training: bool) -> Tensor:
    """Return the gradient by x [B, n] of a weighted sum of what a new network with known weights gives.

    The weights go evenly from −1 to 1 over the pixels of an image. It is zero if there is no gradient. Arguments are
    those of `outputs`.
    """
    given = x.clone().requires_grad_()
    found = outputs(package, which, given, seed, training).reshape(len(x), -1)
    if not found.requires_grad:
        return torch.zeros_like(x)
    weighted = found * torch.linspace(-1, 1, found.shape[1]).to(found)
    (gradient,) = torch.autograd.grad(weighted.sum(), [given], allow_unused=True)
    return torch.zeros_like(x) if gradient is None else gradient


def batches(package: ImageGanPackage, which: str, x: Tensor, few: int, seed: int) -> Batches:
    """Return what a network with known weights does in eval mode with images or noise x [B, n], and with a few of them.

    A convolutional discriminator is built for the size of the batch where the hand-out lets it be built for one.
    """

    def answer(x: Tensor) -> tuple[str, Tensor]:
        try:
            found = outputs(package, which, x, seed, training=False)
        except (Missing, Undecided):
            raise
        except Exception as error:
            return f"{type(error).__name__}: {error}"[:300], x.new_zeros(0)
        wanted = len(x) * (PIXELS if "generator" in which else 1)
        problem = "" if found.numel() == wanted else f"it gives a tensor of shape {list(found.shape)}"
        return problem, x.new_zeros(0) if problem else found.reshape(len(x), -1)[:few]

    usual, other = answer(x), answer(x[:few])
    return {"usual": usual[0], "other": other[0], "of_usual": usual[1], "of_other": other[1]}


def loss(package: ImageGanPackage, which: str, real: Tensor, fake: Tensor) -> Losses:
    """Return a loss of the student's for the scores [N] of real and of generated images, given as [N, 1] and as [N].

    A function may take only one of these shapes. If it takes neither, its error for [N, 1] is raised.

    Args:
        which: the function's name in the adapter's contract.
    """
    found: Losses = {}
    errors: list[Exception] = []
    for name, shape in _SHAPES.items():
        try:
            of_shape = _loss(package, which, real.reshape(shape), fake.reshape(shape))
        except (Missing, Undecided):
            raise
        except Exception as error:
            errors.append(error)
            continue
        if name == "column":
            found["column"] = of_shape
        else:
            found["flat"] = of_shape
    if not found:
        raise errors[0]
    if "column" not in found and _gives_columns(package, len(real)):
        found["refused"] = f"{type(errors[0]).__name__}: {errors[0]}"
    return found


def _gives_columns(package: ImageGanPackage, batch_size: int) -> bool:
    """Return whether the student's own discriminator gives scores [B, 1]. One that fails gives none."""
    try:
        network = _network(package, "discriminator", batch_size, 1)
        return _answer(package, "discriminator", network, torch.zeros(batch_size, PIXELS)).shape == (batch_size, 1)
    except Exception:
        return False


def _loss(package: ImageGanPackage, which: str, real: Tensor, fake: Tensor) -> Loss:
    scores = [each.clone().requires_grad_() for each in (real, fake)]
    value = _losses_of(package, which)(*(1 * each for each in scores))
    if not isinstance(value, Tensor):
        raise TypeError(f"a loss should be a tensor, and is {described(value)}")
    if not value.requires_grad:
        return {"loss": value, "attached": False}
    gradients = torch.autograd.grad(value.sum(), scores, allow_unused=True)
    by_real, by_fake = (
        torch.zeros_like(each) if gradient is None else gradient
        for each, gradient in zip(scores, gradients, strict=True)
    )
    return {"loss": value, "attached": True, "real": by_real.flatten(), "fake": by_fake.flatten()}


def _losses_of(package: ImageGanPackage, which: str) -> Callable[[Tensor, Tensor], Any]:
    """Return a loss as a function of the scores of real and of generated images."""
    match which:
        case "discriminator_loss":
            return package.image_gan.discriminator_loss
        case "ls_discriminator_loss":
            return package.image_gan.ls_discriminator_loss
        case "generator_loss":
            return lambda real, fake: package.image_gan.generator_loss(fake)
        case "ls_generator_loss":
            return lambda real, fake: package.image_gan.ls_generator_loss(fake)
        case _:
            raise ValueError(f"there is no loss {which}")


def trajectory(package: ImageGanPackage, start: Tensor, gradients: Tensor, sizes: list[list[int]]) -> Tensor:
    """Return where the student's optimiser leads the P parameters of a model, step by step: [steps, P].

    Args:
        start: [P], where they begin.
        gradients: [steps, P], the gradients at each step, wherever the parameters are.
        sizes: the numbers of inputs and outputs of each layer; fully connected ones and convolutions of 1×1 take turns.
    """
    layers = [
        nn.Conv2d(inputs, outputs, 1) if index % 2 else nn.Linear(inputs, outputs)
        for index, (inputs, outputs) in enumerate(sizes)
    ]
    model = nn.Sequential(*layers).to(start.device)
    parameters = list(model.parameters())
    counts = [each.numel() for each in parameters]
    with torch.no_grad():
        for each, part in zip(parameters, start.split(counts), strict=True):
            each.copy_(part.reshape(each.shape))
    optimizer = package.image_gan.optimizer(model)
    places = []
    for gradient in gradients:
        for each, part in zip(parameters, gradient.split(counts), strict=True):
            each.grad = part.reshape(each.shape).clone()
        optimizer.step()
        places.append(torch.cat([each.detach().flatten().clone() for each in parameters]))
    return torch.stack(places)


def train(package: ImageGanPackage, images: Tensor, steps: int, batch_size: int, noise_dim: int) -> Train:
    """Train the student's fully connected networks with the student's losses and optimiser, in our loop.

    Each batch gives a step of the discriminator, and then one of the generator. The noise is ours.

    Args:
        images: uint8 [N, 784] in 0 … 255.
        steps: the number of batches.
        noise_dim: the number of latents.
    """
    discriminator = _network(package, "discriminator", batch_size, noise_dim).to(images.device).train()
    generator = _network(package, "generator", batch_size, noise_dim).to(images.device).train()
    optimizers = [package.image_gan.optimizer(each) for each in (discriminator, generator)]
    curves = torch.zeros(2, steps, device=images.device)
    for index in range(steps):
        real = images[torch.randint(len(images), (batch_size,), device=images.device)].float() / 127.5 - 1
        for network in (0, 1):
            optimizers[network].zero_grad()
            z = 2 * torch.rand(batch_size, noise_dim, device=images.device) - 1
            fake = _answer(package, "generator", generator, z).reshape(batch_size, PIXELS)
            scored = package.image_gan.score(discriminator, fake if network else fake.detach())
            if network:
                value = package.image_gan.generator_loss(scored)
            else:
                value = package.image_gan.discriminator_loss(package.image_gan.score(discriminator, real), scored)
            value.sum().backward()
            optimizers[network].step()
            curves[network, index] = value.detach().sum()
    return {"trained": weights_of(generator), "generator_losses": curves[1], "discriminator_losses": curves[0]}


@torch.no_grad()
def decode(package: ImageGanPackage, weights: dict[str, Tensor] | None, z: Tensor) -> Tensor:
    """Return the images [N, 784] of a generator with these weights, or with new ones, for noise z [N, noise_dim]."""
    network = _network(package, "generator", CHUNK, z.shape[1]).to(z.device).eval()
    if weights is not None:
        network.load_state_dict(weights)
    return torch.cat([_answer(package, "generator", network, part).reshape(-1, PIXELS) for part in z.split(CHUNK)])


def _network(package: ImageGanPackage, which: str, batch_size: int, noise_dim: int) -> nn.Module:
    """Return a new network by its name in the adapter's contract.

    The names are written out, so that only the methods that are called here are sent to the guest.
    """
    match which:
        case "discriminator":
            return built(package.image_gan.discriminator)
        case "generator":
            return built(package.image_gan.generator, noise_dim=noise_dim)
        case "dc_discriminator":
            return built(package.image_gan.dc_discriminator, batch_size=batch_size)
        case "dc_generator":
            return built(package.image_gan.dc_generator, noise_dim=noise_dim)
        case _:
            raise ValueError(f"there is no network {which}")


def _find_sizes(package: ImageGanPackage, which: str, network: nn.Module, x: Tensor) -> None:
    """Let a network whose layers get their sizes in their first pass make that pass."""
    if any(is_lazy(each) for each in network.parameters()):
        _answer(package, which, network, x)


def _answer(package: ImageGanPackage, which: str, network: nn.Module, x: Tensor) -> Tensor:
    """Return the images of noise x, or the scores of images x. Raises TypeError for no tensor."""
    answer = network(x) if "generator" in which else package.image_gan.score(network, x)
    if not isinstance(answer, Tensor):
        raise TypeError(f"the network should return one tensor, and returned {described(answer)}")
    return answer
