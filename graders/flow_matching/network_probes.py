"""Probes of lab three of 2026: networks with known weights, and the losses of its autoencoder and latent trainer.

Inputs of networks are [K, B, …]: K passes of a batch. What a network gives for them is judged by how the passes differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from graders.flow_matching.loss_probes import Model, Path, Source, recorded
from graders.probing.filling import fill
from graders.probing.networks import built, described, idle_parameter, registration, used_parameters

if TYPE_CHECKING:
    from graders.flow_matching.interface import FlowMatchingPackage
    from graders.flow_matching.records import (
        Image,
        LatentLoss,
        LatentLosses,
        Passes,
        Slopes,
        Training,
        VaeGradients,
        VaeLoss,
    )

STEP = 1e-3  # of a difference of outputs, as a share of their size: small, but far above rounding


def image(package: FlowMatchingPackage, name: str, channels: int, side: int) -> Image:
    """Return which images networks of a class are for: those with so many channels and pixels, where it is free."""
    found = package.flow_matching.image(name, channels, side)
    return {"channels": found[0], "side": found[1]}


def passes(
    package: FlowMatchingPackage,
    name: str,
    settings: dict[str, Any],
    weights: str,
    seed: int,
    x: Tensor,
    t: Tensor | None = None,
    y: Tensor | None = None,
    c: Tensor | None = None,
) -> Passes:
    """Return what a new network in eval mode gives in K passes, and how it behaves in training mode.

    Args:
        name: of the network's class in the hand-out.
        weights: "random": numbers that follow from `seed`. "zero". "mean": each layer gives the mean of its inputs.
        x, t, y, c: points, times, labels and conditions [K, B, …], of which the network takes some.
    """
    network = built(lambda **asked: package.flow_matching.network(name, asked), **settings).to(x.device).eval()
    _set(network, weights, seed)
    given = {key: value for key, value in (("x", x), ("t", t), ("y", y), ("c", c)) if value is not None}

    def answer(asked: Mapping[str, Tensor]) -> list[Tensor]:
        return _tensors(package.flow_matching.answer(network, {key: 1 * each for key, each in asked.items()}), name)

    outputs = []
    for index in range(len(x)):
        with torch.set_grad_enabled(index == 0):  # the graph of one pass shows which parameters are in use
            outputs.append(answer({key: value[index] for key, value in given.items()}))
    found = registration(network, outputs[0][0])
    used = used_parameters(network, lambda: torch.stack([each.sum() for each in outputs[0]]))
    return {
        "outputs": outputs,
        "parameters": sum(each.numel() for each in used.values()),
        "unregistered": found["unregistered"],
    }


def training(
    package: FlowMatchingPackage,
    name: str,
    settings: dict[str, Any],
    seed: int,
    use: bool,
    x: Tensor | None = None,
    t: Tensor | None = None,
    y: Tensor | None = None,
    c: Tensor | None = None,
) -> Training:
    """Return how a new network behaves in training mode, in which dropout layers drop nothing, and an idle weight.

    All inputs are those of a single pass. The weights follow from `seed`. `use`: whether to look for idle weights.
    """
    network = built(lambda **asked: package.flow_matching.network(name, asked), **settings)
    _set(network, "random", seed)
    given = {key: value for key, value in (("x", x), ("t", t), ("y", y), ("c", c)) if value is not None}

    def answer(chance: int = seed) -> list[Tensor]:
        torch.manual_seed(chance)  # whatever is random in training mode is the same in each pass
        return _tensors(package.flow_matching.answer(network, {key: 1 * each for key, each in given.items()}), name)

    with torch.no_grad():
        network.eval()
        quiet = answer()
        network.train()
        _drop_nothing(network)
        trained, again = answer(), answer(seed + 1)
    inputs = [given[key] for key in ("x", "c") if key in given]
    weights = [each for each in network.parameters() if each.requires_grad]
    return {
        "eval": quiet,
        "train": trained,
        "varies": any(bool((one != other).any()) for one, other in zip(trained, again, strict=True))
        or any(isinstance(each, nn.modules.batchnorm._BatchNorm) for each in network.modules()),
        "of_weights": _slopes(answer, weights),
        "of_inputs": _slopes(answer, inputs),
        "idle": _idle_weight(network.eval(), answer) if use else "",
    }


def _drop_nothing(network: nn.Module) -> None:
    for each in network.modules():
        if isinstance(each, nn.modules.dropout._DropoutNd):
            each.p = 0.0
        elif isinstance(each, nn.MultiheadAttention):
            each.dropout = 0.0


def _slopes(answer: Callable[[], Sequence[Tensor]], leaves: Sequence[Tensor]) -> Slopes:
    """Compare the gradient of a random sum of all outputs with a difference of that sum, along the gradient.

    The step is so small that the sum should change by `STEP` of its standard deviation.
    """
    leaves = [each.requires_grad_() for each in leaves]
    outputs = answer()
    mixed = [torch.randn_like(each).double() for each in outputs]
    wanted = STEP * sum(each.double().square().sum().item() for each in outputs) ** 0.5

    def value() -> Tensor:
        return torch.stack([(w * each).sum() for w, each in zip(mixed, answer(), strict=True)]).sum()

    with torch.enable_grad():
        total = value()
    if not total.requires_grad or not leaves:
        return {"length": 0.0, "ratio": 0.0}
    gradients = torch.autograd.grad(total, leaves, allow_unused=True)
    reached = [(each, gradient) for each, gradient in zip(leaves, gradients, strict=True) if gradient is not None]
    squares = sum(gradient.double().square().sum().item() for _, gradient in reached)
    if not squares or not wanted:
        return {"length": 0.0, "ratio": 0.0}
    ends = []
    with torch.no_grad():
        for step in (1.0, -2.0):
            for each, gradient in reached:
                each.add_(step * wanted / squares * gradient)
            ends.append(value().item())
        for each, gradient in reached:
            each.add_(wanted / squares * gradient)
    return {"length": squares**0.5, "ratio": (ends[0] - ends[1]) / (2 * wanted)}


def _idle_weight(network: nn.Module, answer: Callable[[], Sequence[Tensor]]) -> str:
    """Return the name of a weight on whose value the outputs do not depend, although it is in their graph; "" if none.

    Only weights with two axes count: an offset may rightly have no effect, as that of keys before a softmax, or that of
    a convolution before a norm.
    """
    for each in network.parameters():
        if each.dim() < 2:
            each.requires_grad_(False)
    return idle_parameter(network, lambda: torch.cat([each.reshape(-1) for each in answer()]))


@torch.no_grad()
def _set(network: nn.Module, weights: str, seed: int) -> None:
    fill(network, seed)
    for each in network.parameters():
        if weights == "zero":
            each.zero_()
        elif weights == "mean":
            each.fill_(1 / each[0].numel()) if each.dim() > 1 else each.zero_()


def _tensors(returned: Any, name: str) -> list[Tensor]:
    """Return the tensors that a network returned: one, or a tuple of several."""
    found = list(returned) if isinstance(returned, tuple | list) else [returned]
    for each in found:
        if not isinstance(each, Tensor):
            raise TypeError(f"{name}.forward should return tensors, and returned {described(returned)}")
    return [each.float() for each in found]


def fourier(package: FlowMatchingPackage, dim: int, frequencies: Tensor, t: Tensor) -> Tensor:
    """Return what a FourierEncoder with known frequencies [dim/2] gives for times t [B].

    Raises TypeError if the encoder has no such parameter.
    """
    encoder = package.flow_matching.network("FourierEncoder", {"dim": dim}).to(t.device)
    own = [each for each in encoder.parameters() if each.numel() == len(frequencies)]
    if not own:
        raise TypeError("the FourierEncoder has no parameter of dim/2 frequencies: its weights are learned")
    with torch.no_grad():
        own[0].copy_(frequencies.reshape(own[0].shape))
        (output,) = _tensors(package.flow_matching.answer(encoder, {"t": t.clone()}), "FourierEncoder")
    return output


def vae_loss(
    package: FlowMatchingPackage,
    z_mean: Tensor,
    z_logvar: float,
    x_mean: Tensor,
    x_logvar: float,
    x_true: Tensor,
    betas: list[float],
) -> VaeLoss:
    """Return the gradients of the student's loss for each β. It gets z_logvar and x_logvar as tensors of shape [].

    A loss that depends on one of the four not at all has zeros there.
    """
    spreads = [torch.tensor(each).to(z_mean) for each in (z_logvar, x_logvar)]
    found: list[VaeGradients] = []
    for beta in betas:
        given = [each.clone().requires_grad_() for each in (z_mean, spreads[0], x_mean, spreads[1])]
        code, spread, image, noise = (1 * each for each in given)
        value = package.flow_matching.vae_loss(beta, code, spread, image, noise, x_true.clone())
        value = value[0] if isinstance(value, tuple | list) else value
        if not isinstance(value, Tensor) or not value.requires_grad:
            raise TypeError(f"compute_loss should return a tensor with gradients, and returned {described(value)}")
        gradients = torch.autograd.grad(value.sum(), given, allow_unused=True)
        of_z_mean, of_z_logvar, of_x_mean, of_x_logvar = (
            torch.zeros_like(each) if gradient is None else gradient
            for each, gradient in zip(given, gradients, strict=True)
        )
        found.append({"z_mean": of_z_mean, "z_logvar": of_z_logvar, "x_mean": of_x_mean, "x_logvar": of_x_logvar})
    return {"gradients": found}


class _Autoencoder(nn.Module):
    """An autoencoder that gives known latents, whatever it is asked, and records what that is."""

    def __init__(self, mean: Tensor, logvar: Tensor) -> None:
        super().__init__()
        self.mean, self.logvar = nn.Parameter(mean), nn.Parameter(logvar)
        self.asked: list[Tensor] = []
        self.encoder = self.encode

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.asked.append(x.detach().clone())
        return 1 * self.mean[: len(x)], 1 * self.logvar

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.encode(x)


def latent(
    package: FlowMatchingPackage,
    images: Tensor,
    labels: Tensor,
    mean: Tensor,
    logvar: float,
    x: Tensor,
    field: Tensor,
    outputs: Tensor,
    eta: float,
    null_label: int,
    sizes: list[int],
) -> LatentLosses:
    """Return the student's losses on latents, with known means [B, …] and a known logarithm of their variance.

    The path gives x and the field, and the model the outputs, all of the latents' shape. Batches are of these sizes.
    """
    path, model, vae = (
        Path(Source(mean), x, field, field),
        Model(outputs),
        _Autoencoder(mean, torch.tensor(logvar).to(mean)),
    )
    data = Source(images, labels)
    trainer = package.flow_matching.latent_trainer(data, vae, path, model, eta, null_label)
    calls: list[LatentLoss] = []
    for n in sizes:
        vae.asked = []
        loss = recorded(package, trainer, data, path, model, n)
        calls.append({**loss, "encoded": vae.asked[-1:], "through": path.attached})
    return {"calls": calls}
