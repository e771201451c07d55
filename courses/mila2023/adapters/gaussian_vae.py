"""Adapter for part 1 of the practical: a student's Gaussian VAE.

In an older hand-out, no function had a parameter for noise. There, the function draws the given noise as if by chance.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from graders.adapting.calling import answered, call, reaches
from graders.adapting.loading import Modules
from graders.adapting.members import EncoderAndDecoder, method
from graders.adapting.noise import drawing

STEM = "vae_solution"
GAUSSIAN = "DiagonalGaussianDistribution"
FEATURES = 6  # few channels suffice; unlike all other sizes that checks use, so that nobody can mix them up unnoticed
SIZE = 32  # side of the images in pixels; the hand-out's layers need a multiple of 16


class GaussianVaeContract(EncoderAndDecoder):
    """A student's Gaussian VAE as the probes use it. Methods raise Missing, or whatever the student's code raises.

    Images are [B, 1, 32, 32], latents [B, z_dim].
    """

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        modules.provide(STEM, device=self._device)

    def gaussian(self, mean: Tensor, logvar: Tensor | None = None) -> Any:
        """Return the student's N(mean, exp(logvar)), with `sample(noise)`, `kl()`, `nll(sample, dims)` and `mode()`."""
        gaussian = self._modules.find(GAUSSIAN, STEM)
        return call(gaussian, {"mean": mean} if logvar is None else {"mean": mean, "logvar": logvar})

    def draw(self, gaussian: Any, noise: Tensor | None = None) -> Any:
        """Return a draw from a student's distribution, with the standard normal `noise` if given."""
        return self._called(gaussian.sample, {}, noise, "the distribution's sample")

    def model(self, z_dim: int, features: int = FEATURES) -> nn.Module:
        """Return a new VAE with `features` channels in its first layer."""
        asked = {
            "in_channels": 1,
            "decoder_features": features,
            "encoder_features": features,
            "z_dim": z_dim,
            "input_size": SIZE,
            "device": self._device,
        }
        model: nn.Module = call(self._modules.find("VAE", STEM), asked)
        return model.to(self._device)

    def encode(self, model: nn.Module, x: Tensor) -> Any:
        """Return the posterior of images x, a distribution with `mean` and `logvar`."""
        return answered(call(method(model, "encode", "VAE"), {"x": x}), "VAE.encode")

    def decode(self, model: nn.Module, z: Tensor) -> Any:
        """Return the distribution of images given latents z."""
        return answered(call(method(model, "decode", "VAE"), {"z": z}), "VAE.decode")

    def sample(self, model: nn.Module, n: int, noise: Tensor | None = None) -> Any:
        """Return the model's n samples, from `noise` [n, z_dim] if given, under `no_grad` as in the hand-out's loop."""
        with torch.no_grad():
            found = self._called(method(model, "sample", "VAE"), {"batch_size": n}, noise, "VAE.sample")
        return answered(found, "VAE.sample")

    def log_likelihood(self, model: nn.Module, x: Tensor, draws: int) -> Any:
        """Return the model's estimate of log p(x) [B] in nats, from so many `draws` of z for each image."""
        return answered(call(method(model, "log_likelihood", "VAE"), {"x": x, "K": draws}), "VAE.log_likelihood")

    def forward(self, model: nn.Module, x: Tensor, noise: Tensor | None = None) -> Any:
        """Return the first three values of forward: the reconstruction, −log p(x|z) [B] and the divergence [B]."""
        found = self._called(model.forward, {"x": x}, noise, "VAE.forward")
        return answered(found, "VAE.forward")[:3]

    def interpolate(self, model: nn.Module, ends: Sequence[Tensor], n: int) -> Any:
        """Return the images of n latents from one end [1, z_dim] to the other, under `no_grad`."""
        asked = {"model": model, "z_1": ends[0], "z_2": ends[1], "n_samples": n}
        with torch.no_grad():
            return answered(call(self._modules.find("interpolate", STEM), asked), "interpolate")

    def _called(self, function: Callable[..., Any], asked: Mapping[str, Any], noise: Tensor | None, name: str) -> Any:
        """Call a function with given noise, which it draws itself if it has no parameter for it."""
        if noise is None:
            return call(function, asked, unasked=("noise",))
        given = {**asked, "noise": noise}
        if reaches(function, given, "noise"):
            return call(function, given)
        return drawing([noise], lambda: call(function, asked), name)

    def inject_gaussian(self, model: nn.Module, injected_for: Callable[[type], type]) -> type:
        """Replace the student's distribution within the model by `injected_for` of it, and returns the new class."""
        namespace = inspect.unwrap(type(model).forward).__globals__
        theirs = namespace.get(GAUSSIAN) or self._modules.find(GAUSSIAN, STEM)
        injected = injected_for(theirs)
        if GAUSSIAN in namespace:
            namespace[GAUSSIAN] = injected
        return injected


if TYPE_CHECKING:  # mypy compares the class with what the family's probes ask for
    from graders.gaussian_vae.interface import GaussianVae

    def _adapter(modules: Modules) -> GaussianVae:
        return GaussianVaeContract(modules)
