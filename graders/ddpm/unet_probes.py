"""Probes of a U-Net with prescribed layers: their sizes, its output, how forward uses them, and its guidance.

Images are [B, channels, H, W], times [B], texts [B, condition_dim].
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from gengrade.sandbox.guest.errors import Missing, Undecided
from graders.probing.networks import built, described, unreached_parameter, weights_of

if TYPE_CHECKING:
    from graders.ddpm.interface import DdpmPackage
    from graders.ddpm.records import Guided, Influences, Levels, Slopes, UnetOutput, Wired, Wiring
    from graders.probing.records import State

MODES: Final[tuple[Literal["eval"], Literal["training"]]] = ("eval", "training")


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


def output(
    package: DdpmPackage,
    dim: int,
    condition_dim: int,
    dim_mults: list[int],
    weights: dict[str, Tensor],
    x: Tensor,
    time: Tensor,
    text: Tensor,
    direction: Tensor,
) -> UnetOutput:
    """Return what a new network with these weights gives in each mode, with the slopes along `direction`.

    In training mode, nothing is dropped: neither features nor, as far as `uncond_prob` decides, texts.
    """
    found: UnetOutput = {"fits": True}
    for mode in MODES:
        network = _network(package, dim, condition_dim, dim_mults, x.shape[1])
        try:
            network.load_state_dict(weights)
        except RuntimeError:  # the names or shapes are others, which another check judges
            return {"fits": False}
        _set_mode(network.to(x.device), mode)
        images = x.clone().requires_grad_()
        with _nothing_dropped():
            # The network may work in place on its images, which a leaf of the graph would not allow.
            answer = _tensor(package.ddpm.denoised(network, images * 1, time, text.clone()))
            # Gradients may compute features once more.
            found[mode] = {"output": answer.detach(), **_slopes(network, images, answer, direction)}
    return found


def _slopes(network: nn.Module, images: Tensor, answer: Tensor, direction: Tensor) -> Slopes:
    """Return the slopes of a network's answer along a direction: by the images, and their size by each parameter."""
    by = [images, *(each for _, each in sorted(network.named_parameters()))]
    trained = [each for each in by if each.requires_grad]
    slopes = {id(each): torch.zeros_like(each) for each in by}
    attached = answer.requires_grad and answer.shape == direction.shape
    if attached:
        found = torch.autograd.grad((answer * direction).sum(), trained, allow_unused=True)
        slopes |= {id(each): slope for each, slope in zip(trained, found, strict=True) if slope is not None}
    first, *others = (slopes[id(each)] for each in by)
    return {"attached": attached, "slopes": first, "sizes": torch.stack([each.norm() for each in others])}


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
    """Return how forward uses the modules of a network in each mode, each of which returns known features.

    features: what a module returns, [B, …], by its name such as "downs.0.0", where a level's blocks are counted in
    order, and the layer that changes the size is called "downs.0.size".
    """
    found: Wiring = {"known": True, "unused": "", "levels": []}
    for mode in MODES:
        network = _network(package, dim, condition_dim, dim_mults, x.shape[1])
        _fill(network, weights)
        _set_mode(network.to(x.device), mode)
        modules = _modules(network)
        if modules is None or set(modules) != set(features):
            answer = package.ddpm.denoised(network, x.clone(), time, text.clone())
            _expect_begun(network, x, answer)
            levels = [len([each for each in _levels(network, side) if each]) for side in ("downs", "ups")]
            return {"known": False, "unused": unreached_parameter(network, answer), "levels": levels}
        # Training may drop a text, and leaves one of zeros as it is.
        found[mode] = _wired(package, network, modules, features, x, time, text if mode == "eval" else 0 * text)
    return found


def _wired(
    package: DdpmPackage,
    network: nn.Module,
    modules: dict[str, nn.Module],
    features: dict[str, Tensor],
    x: Tensor,
    time: Tensor,
    text: Tensor,
) -> Wired:
    """Return how forward uses the modules of a network, and how a sum of all squares depends on their features."""
    calls: list[tuple[str, Tensor, Tensor | None]] = []
    leaves = {name: each.clone().requires_grad_() for name, each in features.items()}
    for name, module in modules.items():
        module.forward = _recording(name, calls, leaves[name])
    with _nothing_dropped():
        answer = _tensor(package.ddpm.denoised(network, x.clone(), time, text.clone()))
        kept = list(calls)  # gradients may call modules once more
        sizes = _sizes([answer, *(given for _, given, _ in kept)], list(leaves.values()))
    _expect_begun(network, x, answer)
    return {
        "order": [name for name, _, _ in kept],
        "inputs": [given.detach() for _, given, _ in kept],
        "contexts": {
            name: None if context is None else context.detach()
            for name, _, context in kept
            if not name.endswith("size")
        },
        "output": answer.detach(),
        "attached": answer.requires_grad and all(context is None or context.requires_grad for _, _, context in kept),
        "sizes": sizes,
    }


def _sizes(found: list[Tensor], features: list[Tensor]) -> Tensor:
    """Return the size of the gradient of a sum of squares by each of the features; zero where there is none."""
    total = torch.stack([(each**2).sum() for each in found]).sum()
    slopes: tuple[Tensor | None, ...] = (None,) * len(features)
    if total.requires_grad:
        slopes = torch.autograd.grad(total, features, allow_unused=True)
    return torch.stack([total.new_zeros(()) if slope is None else slope.norm() for slope in slopes])


@torch.no_grad()
def influences(
    package: DdpmPackage,
    dim: int,
    condition_dim: int,
    dim_mults: list[int],
    x: Tensor,
    time: Tensor,
    text: Tensor,
    others: dict[str, Tensor],
) -> Influences:
    """Return what a new network gives for images, times and texts, and where one of these is another one.

    It is asked as it is, and with a last block of the middle that gives only zeros.

    others: another `x`, `time` and `text`.
    """
    network = _network(package, dim, condition_dim, dim_mults, x.shape[1]).to(x.device).eval()
    for each in network.parameters():
        each.add_(0.1 * torch.randn_like(each))

    def answer(x: Tensor, time: Tensor, text: Tensor) -> Tensor:
        return _tensor(package.ddpm.denoised(network, x.clone(), time.clone(), text.clone()))

    found: Influences = {
        "plain": answer(x, time, text),
        "x": answer(others["x"], time, text),
        "time": answer(x, others["time"], text),
        "text": answer(x, time, others["text"]),
        "cut": {},
    }
    middle = network._modules.get("mid_block2")
    if middle is not None:
        middle.register_forward_hook(lambda module, given, output: torch.zeros_like(output))
        found["cut"] = {"plain": answer(x, time, text), "x": answer(others["x"], time, text)}
    return found


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


def _set_mode(network: nn.Module, mode: str) -> None:
    """Put a network into training or eval mode; in training, let it drop no text."""
    network.train(mode == "training")
    network.uncond_prob = 0.0  # type: ignore[assignment]


@contextlib.contextmanager
def _nothing_dropped() -> Iterator[None]:
    """Let no layer drop features, whatever mode it is in."""
    names = ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
    theirs = {name: getattr(functional, name) for name in names}
    try:
        for name in names:
            setattr(functional, name, lambda input, *args, **kwargs: input)
        yield
    finally:
        for name, function in theirs.items():
            setattr(functional, name, function)


def _tensor(answer: Any) -> Tensor:
    if not isinstance(answer, Tensor):
        raise TypeError(f"the network should return one tensor, and returned {described(answer)}")
    return answer


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
