"""Probes of a U-Net with prescribed layers: their sizes, its output, how forward uses them, and its guidance.

Images are [B, channels, H, W], times [B], texts [B, condition_dim].
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gengrade.sandbox.guest.errors import Missing, Undecided
from graders.probing.networks import built, described, unreached_parameter, weights_of

if TYPE_CHECKING:
    from graders.ddpm.interface import DdpmPackage
    from graders.ddpm.records import Guided, Levels, UnetOutput, Wiring
    from graders.probing.records import State


def layers(package: DdpmPackage, dim: int, condition_dim: int, dim_mults: list[int], channels: int) -> Levels:
    """Return the shapes of the parameters of a new network, by level and module."""
    network = _network(package, dim, condition_dim, dim_mults, channels)
    for side in ("downs", "ups"):
        kept = network._modules.get(side)
        if kept is not None and kept._modules and all(each is None for each in kept._modules.values()):
            raise Missing(f"self.{side} holds None for each level: have the layers been filled in?")
    return {
        "downs": [_shapes(level) for level in _levels(network, "downs")],
        "ups": [_shapes(level) for level in _levels(network, "ups")],
        "parameters": sum(each.numel() for each in network.parameters()),
    }


def weights(package: DdpmPackage, dim: int, condition_dim: int, dim_mults: list[int], channels: int) -> State:
    """Return the weights of a new network by name, with all constants changed, so that each of them matters."""
    network = _network(package, dim, condition_dim, dim_mults, channels)
    with torch.no_grad():
        for each in network.parameters():
            each.add_(0.1 * torch.randn_like(each))
    return weights_of(network)


@torch.no_grad()
def output(
    package: DdpmPackage,
    dim: int,
    condition_dim: int,
    dim_mults: list[int],
    weights: dict[str, Tensor],
    x: Tensor,
    time: Tensor,
    text: Tensor,
) -> UnetOutput:
    """Return what a new network with these weights gives in eval mode."""
    network = _network(package, dim, condition_dim, dim_mults, x.shape[1])
    try:
        network.load_state_dict(weights)
    except RuntimeError:  # the names or shapes are others, which another check judges
        return {"fits": False, "output": torch.zeros_like(x)}
    answer = package.ddpm.denoised(network.to(x.device).eval(), x.clone(), time, text.clone())
    if not isinstance(answer, Tensor):
        raise TypeError(f"the network should return one tensor, and returned {described(answer)}")
    return {"fits": True, "output": answer}


def wiring(
    package: DdpmPackage,
    dim: int,
    condition_dim: int,
    dim_mults: list[int],
    weights: dict[str, Tensor],
    features: dict[str, Tensor],
    x: Tensor,
    time: Tensor,
    text: Tensor,
) -> Wiring:
    """Return how forward uses the modules of a network in eval mode, each of which returns known features.

    features: what a module returns, [B, …], by its name such as "downs.0.0", where a level's blocks are counted in
    order, and the layer that changes the size is called "downs.0.size".
    """
    network = _network(package, dim, condition_dim, dim_mults, x.shape[1])
    _fill(network, weights)
    network = network.to(x.device).eval()
    modules = _modules(network)
    if modules is None or set(modules) != set(features):
        answer = package.ddpm.denoised(network, x.clone(), time, text.clone())
        _expect_begun(network, x, answer)
        return {"known": False, "unused": unreached_parameter(network, answer)}
    calls: list[tuple[str, Tensor, Tensor | None]] = []
    for name, module in modules.items():
        module.forward = _recording(name, calls, features[name])
    with torch.no_grad():
        answer = package.ddpm.denoised(network, x.clone(), time, text.clone())
    if not isinstance(answer, Tensor):
        raise TypeError(f"the network should return one tensor, and returned {described(answer)}")
    _expect_begun(network, x, answer)
    return {
        "known": True,
        "unused": "",
        "order": [name for name, _, _ in calls],
        "inputs": [given for _, given, _ in calls],
        "contexts": {name: context for name, _, context in calls if not name.endswith("size")},
        "output": answer,
    }


@torch.no_grad()
def guidance(
    package: DdpmPackage,
    condition_dim: int,
    x: Tensor,
    time: Tensor,
    text: Tensor,
    scale: float,
    known: dict[str, Tensor],
) -> Guided:
    """Return what cfg_forward gives with a forward that is a known function of images, times and texts.

    That is 0.7·x + time + text·projection for images with a text, and 0.7·x + time + offset for those without. A text
    of zeros counts as none, as in the hand-out's network.

    known: "projection" [condition_dim, C·H·W] and "offset" [C·H·W].
    """
    network = _for_guidance(package, condition_dim, x.shape[1]).to(x.device).eval()
    given: list[dict[str, Any]] = []

    def forward(arguments: dict[str, Any]) -> Tensor:
        images, times = arguments["x"], arguments["time"]
        kwargs = arguments.get("model_kwargs") or {}
        given.append({"scaled": "cfg_scale" in kwargs, "images": len(images)})
        texts = kwargs["text_emb"]
        texts = torch.zeros(len(images), condition_dim, device=images.device) if texts is None else texts
        without = (texts == 0).all(dim=1, keepdim=True)
        shift = torch.where(without, known["offset"], texts @ known["projection"])
        return torch.as_tensor(0.7 * images + times.reshape(-1, 1, 1, 1) + shift.reshape(-1, *images.shape[1:]))

    package.ddpm.inject_forward(network, forward)
    guided = package.ddpm.guided(network, x.clone(), time, text.clone(), scale)
    if not isinstance(guided, Tensor):
        raise TypeError(f"cfg_forward should return one tensor, and returned {described(guided)}")
    if not given and torch.equal(guided, x):
        raise Missing("cfg_forward returns x as it was given, and never calls forward: has it been filled in?")
    scaled, images = any(each["scaled"] for each in given), sum(each["images"] for each in given)
    return {"guided": guided, "scaled": scaled, "images": images}


@torch.no_grad()
def _expect_begun(network: nn.Module, x: Tensor, answer: Any) -> None:
    """Raise Missing if a network only passes images through its first and last convolution, as in the hand-out."""
    first, last = (network._modules.get(name) for name in ("init_conv", "final_conv"))
    if first is None or last is None or not isinstance(answer, Tensor):
        return
    blank = None
    with contextlib.suppress(Exception):
        blank = last(first(x))
    if blank is not None and torch.equal(blank, answer):
        raise Missing("forward uses no layer between init_conv and final_conv: has it been filled in?")


def _network(package: DdpmPackage, dim: int, condition_dim: int, dim_mults: list[int], channels: int) -> nn.Module:
    return built(package.ddpm.unet, dim=dim, condition_dim=condition_dim, dim_mults=dim_mults, channels=channels)


def _for_guidance(package: DdpmPackage, condition_dim: int, channels: int) -> nn.Module:
    """Return a network to guide.

    Where the student's constructor fails, which another check judges, one without layers.
    """
    try:
        return _network(package, 8, condition_dim, [1, 2], channels)
    except (Missing, Undecided):
        raise
    except Exception:
        return package.ddpm.unet_without_layers(condition_dim)


def _levels(network: nn.Module, name: str) -> list[list[nn.Module]]:
    """Return the modules of each level; none for one that is no list of modules."""
    levels = network._modules.get(name)
    children = levels._modules.values() if isinstance(levels, nn.Module) else []
    return [list(level.children()) if isinstance(level, nn.ModuleList) else [] for level in children]


def _shapes(level: list[nn.Module]) -> list[list[list[int]]]:
    """Return the shapes of the parameters of each module, sorted."""
    return [sorted([list(each.shape) for each in module.parameters()]) for module in level]


def _modules(network: nn.Module) -> dict[str, nn.Module] | None:
    """Return the modules that forward should call, by name.

    None if a level is not made of two blocks and another layer.
    """
    found: dict[str, nn.Module] = {}
    for side in ("downs", "ups"):
        for index, level in enumerate(_levels(network, side)):
            blocks = [each for each in level if _is_block(each)]
            others = [each for each in level if not _is_block(each)]
            if len(blocks) != 2 or len(others) != 1:
                return None
            found |= {f"{side}.{index}.0": blocks[0], f"{side}.{index}.1": blocks[1], f"{side}.{index}.size": others[0]}
    for name in ("mid_block1", "mid_block2"):
        module = network._modules.get(name)
        if module is None:
            return None
        found[name] = module
    return found if len({id(each) for each in found.values()}) == len(found) else None


def _is_block(module: nn.Module) -> bool:
    """Return whether a module takes a context beside the features."""
    with contextlib.suppress(TypeError, ValueError):
        return len(inspect.signature(module.forward).parameters) > 1
    return False


def _recording(name: str, calls: list[tuple[str, Tensor, Tensor | None]], answer: Tensor) -> Callable[..., Tensor]:
    """Return a forward that records its arguments, and returns a copy of `answer`."""

    def forward(x: Tensor, context: Tensor | None = None) -> Tensor:
        calls.append((name, x.clone(), None if context is None else context.clone()))
        return answer.clone()

    return forward


@torch.no_grad()
def _fill(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Give a network those of the weights for which it has a parameter of that name and shape."""
    for name, each in network.named_parameters():
        if name in weights and weights[name].shape == each.shape:
            each.copy_(weights[name])
