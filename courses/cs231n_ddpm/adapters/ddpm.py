"""Adapter for the diffusion model of CS231n: the classes GaussianDiffusion and Unet, and their methods.

The schedule, the sequences that follow from it, and the layers within a block are the hand-out's own, and come with
what students hand in. They may have changed it, so that the probes' sequences are put in the place of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from gengrade.sandbox.guest.errors import Missing
from graders.adapting.calling import answered, call, received
from graders.adapting.loading import Modules
from graders.adapting.noise import drawing

STEMS = ("gaussian_diffusion", "unet")
SCHEDULE = "beta_schedule"  # how the names of the hand-out's functions for a schedule end


class ProcessContract:
    """A student's diffusion process and U-Net. Methods raise Missing, or whatever the student's code raises.

    Sequences are [T], images [B, C, H, W], times [B] and texts [B, condition_dim].
    """

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    def diffusion(
        self, model: nn.Module, sequences: Mapping[str, Tensor], objective: str, image_size: int
    ) -> nn.Module:
        """Return a new GaussianDiffusion with these sequences.

        The functions of a schedule give the probe's β, so that sequences which the student added follow from it. Then
        those that the hand-out has are set.
        """
        made = self._modules.find("GaussianDiffusion", *STEMS)
        betas = sequences["betas"].double().cpu()
        namespace = made.__init__.__globals__
        for name in [each for each, value in namespace.items() if each.endswith(SCHEDULE) and callable(value)]:
            namespace[name] = lambda *args, **kwargs: betas.clone()
        asked = {"model": model, "image_size": image_size, "timesteps": len(betas), "objective": objective}
        process: nn.Module = call(made, asked, unasked=(SCHEDULE,))
        for name, sequence in sequences.items():
            if isinstance(getattr(process, name, None), Tensor):
                setattr(process, name, sequence.clone())
        return process

    def noised(self, process: nn.Module, x_start: Tensor, t: Tensor, noise: Tensor) -> Any:
        """Return what q_sample gives."""
        return _ask(process, "q_sample", {"x_start": x_start, "t": t, "noise": noise})

    def start_from_noise(self, process: nn.Module, x_t: Tensor, t: Tensor, noise: Tensor) -> Any:
        """Return what predict_start_from_noise gives."""
        return _ask(process, "predict_start_from_noise", {"x_t": x_t, "t": t, "noise": noise})

    def noise_from_start(self, process: nn.Module, x_t: Tensor, t: Tensor, x_start: Tensor) -> Any:
        """Return what predict_noise_from_start gives."""
        return _ask(process, "predict_noise_from_start", {"x_t": x_t, "t": t, "x_start": x_start})

    def step_back(
        self, process: nn.Module, x_t: Tensor, t: int, model_kwargs: dict[str, Any], noise: Tensor | None = None
    ) -> Any:
        """Return what p_sample gives, with this noise in the place of what it draws."""
        asked = {"x_t": x_t, "t": t, "model_kwargs": model_kwargs}
        if noise is None:
            return _ask(process, "p_sample", asked)
        return drawing([noise], lambda: _ask(process, "p_sample", asked), "p_sample")

    def loss(self, process: nn.Module, x_start: Tensor, model_kwargs: dict[str, Any]) -> Any:
        """Return what p_losses gives."""
        return _ask(process, "p_losses", {"x_start": x_start, "model_kwargs": model_kwargs})

    def inject_noised(self, process: nn.Module, injected: Callable[[dict[str, Any]], Tensor]) -> None:
        """Make a process call `injected` in place of its q_sample."""
        _inject(process, "q_sample", ("x_start", "t", "noise"), injected)

    def inject_start_from_noise(self, process: nn.Module, injected: Callable[[dict[str, Any]], Tensor]) -> None:
        """Make a process call `injected` in place of its predict_start_from_noise."""
        _inject(process, "predict_start_from_noise", ("x_t", "t", "noise"), injected)

    def unet(self, dim: int, condition_dim: int, dim_mults: Sequence[int], channels: int) -> nn.Module:
        """Return a new Unet."""
        asked = {"dim": dim, "condition_dim": condition_dim, "dim_mults": tuple(dim_mults), "channels": channels}
        network: nn.Module = call(self._unet(), asked, unasked=("uncond_prob",))
        return network

    def unet_without_layers(self, condition_dim: int) -> nn.Module:
        """Return a Unet whose constructor has not run, but that of its base class has."""
        made = self._unet()
        network: nn.Module = made.__new__(made)
        nn.Module.__init__(network)
        network.condition_dim = condition_dim  # type: ignore[assignment]
        return network

    def denoised(self, network: nn.Module, x: Tensor, time: Tensor, text: Tensor) -> Any:
        """Return what the network gives."""
        return answered(call(network, {"x": x, "time": time, "model_kwargs": {"text_emb": text}}), "forward")

    def guided(self, network: nn.Module, x: Tensor, time: Tensor, text: Tensor, scale: float) -> Any:
        """Return what cfg_forward gives. It takes the scale out of its mapping, so that each call needs a new one."""
        kwargs = {"text_emb": text, "cfg_scale": scale}
        return _ask(network, "cfg_forward", {"x": x, "time": time, "model_kwargs": kwargs})

    def inject_forward(self, network: nn.Module, injected: Callable[[dict[str, Any]], Tensor]) -> None:
        """Make a network call `injected` in place of its forward."""
        _inject(network, "forward", ("x", "time", "model_kwargs"), injected)

    def _unet(self) -> type[nn.Module]:
        made: type[nn.Module] = self._modules.find("Unet", *reversed(STEMS))
        return made


def _ask(thing: nn.Module, name: str, asked: dict[str, Any]) -> Any:
    """Return what a method of the student's returns. Raises Missing if there is none, or if it returns None."""
    method: Callable[..., Any] | None = getattr(thing, name, None)
    if method is None:
        raise Missing(f"{type(thing).__name__} has no method {name}")
    return answered(call(method, asked), name)


def _inject(thing: nn.Module, name: str, names: Sequence[str], injected: Callable[[dict[str, Any]], Tensor]) -> None:
    """Put a function that is given the arguments by `names` in the place of a method; nothing if there is none."""
    theirs = getattr(thing, name, None)
    if not callable(theirs):
        return

    def replacement(*args: Any, **kwargs: Any) -> Tensor:
        return injected(received(theirs, names, args, kwargs))

    setattr(thing, name, replacement)


if TYPE_CHECKING:  # mypy compares the class with what the family's probes ask for
    from graders.ddpm.interface import WithUnet

    def _adapter(modules: Modules) -> WithUnet:
        return ProcessContract(modules)
