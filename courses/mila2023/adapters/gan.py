"""Adapter for part 2 of the practical: a student's losses, samples and interpolation of a GAN.

The hand-out provides the networks; here, ours of any size replace them. This adapter does what the hand-out's notebook
does around each step: it draws new latents, and detaches the generated batch for the discriminator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn, optim

from graders.adapting.calling import answered, call
from graders.adapting.loading import Modules

STEM = "gan_solution"
SIDE = 28  # side of the images in pixels; the hand-out's have 32×32
Z_DIM = 32  # the hand-out's number of latents
SIZES = {"side": SIDE, "channels": 1, "latents": Z_DIM}  # the hand-out has constants for them at the top of the file
WIDTHS = (32,)


class GanContract:
    """A student's GAN as the probes use it. Methods raise Missing, or whatever the student's code raises."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model = self.model()
        # The hand-out's notebook defines these names, and the file uses them at its top to make the optimisers.
        modules.provide(
            STEM,
            device=self._device,
            z_dim=Z_DIM,
            image_size=SIDE,
            input_channels=1,
            generator=model.generator,
            discriminator=model.discriminator,
            gen_lr=1e-4,
            disc_lr=1e-4,
            batch_size=64,
            torch=torch,
            nn=nn,
            optim=optim,
            Adam=optim.Adam,
        )

    def model(
        self,
        *,
        hidden_dims_gen: Sequence[int] = WIDTHS,
        hidden_dims_disc: Sequence[int] = WIDTHS,
        z_dim: int = Z_DIM,
        **rates: float,
    ) -> nn.Module:
        """Return a new pair of our networks. They have no dropout, for any `rates`."""
        return _Pair(z_dim, hidden_dims_gen, hidden_dims_disc).to(self._device)

    def checkpoint(self) -> None:
        """None, since no weights are handed in for this course."""

    def generator_of(self, model: nn.Module) -> nn.Module:
        """Return the model's generator."""
        return model.get_submodule("generator")

    def discriminator_of(self, model: nn.Module) -> nn.Module:
        """Return the model's discriminator."""
        return model.get_submodule("discriminator")

    def score(self, discriminator: nn.Module, images: Tensor) -> Any:
        """Return the discriminator's logits for images [B, 1, 28, 28]."""
        return discriminator(images)

    def generator_step(self, model: nn.Module, images: Tensor) -> Tensor:
        """Return the generator's loss by the student's code, for as many latents as there are images [B, C, H, W]."""
        fake = self.generator_of(model)(_latents(model, len(images)))
        asked = {"discriminator": self.discriminator_of(model), "generator": _Shim(model), "fake_samples": fake}
        return self._loss("generator_train", asked)

    def discriminator_step(self, model: nn.Module, images: Tensor) -> Tensor:
        """Return the discriminator's loss by the student's code, for images [B, C, H, W] and as many generated ones."""
        fake = self.generator_of(model)(_latents(model, len(images))).detach()
        networks = {"discriminator": self.discriminator_of(model), "generator": _Shim(model)}
        asked = {**networks, "real_samples": images, "fake_samples": fake}
        return self._loss("discriminator_train", asked)

    def _loss(self, name: str, asked: dict[str, Any]) -> Tensor:
        """Return the loss that a function returns, alone or as the first of several values.

        Raises TypeError for no tensor.
        """
        value = answered(call(self._function(name), asked, said=SIZES), name)
        while isinstance(value, tuple | list) and value:
            value = value[0]
        if not isinstance(value, Tensor):
            raise TypeError(f"the loss should be a tensor, and is {type(value).__name__}")
        return value

    def sample(self, model: nn.Module, n: int) -> Any:
        """Return the result of the student's function for n samples."""
        return self._sample(model, n)

    def sample_of(self, model: nn.Module, z: Tensor) -> Any:
        """Return the result of the student's function for given latents [n, z_dim]."""
        return self._sample(model, len(z), noise=_as_images(z))

    def _sample(self, model: nn.Module, n: int, **noise: Tensor) -> Any:
        asked = {"generator": _Shim(model), "num_samples": n, **noise}
        return answered(call(self._function("sample"), asked, said=SIZES), "sample")

    def interpolate(self, model: nn.Module, n: int, steps: int) -> Tensor:
        """Return the student's interpolations [n, steps + 2, C, H, W], each between two new latents."""
        return self.interpolate_between(model, torch.stack([_latents(model, n).flatten(1) for _ in range(2)]), steps)

    def interpolate_between(self, model: nn.Module, ends: Tensor, steps: int) -> Tensor:
        """Return the student's interpolations [n, steps + 2, C, H, W] between given latents [2, n, z_dim]."""
        function = self._function("interpolate")
        strips = []
        for z_1, z_2 in zip(*(_as_images(end).split(1) for end in ends), strict=True):
            asked = {"generator": _Shim(model), "z_1": z_1, "z_2": z_2, "n_samples": steps + 2}
            strips.append(torch.as_tensor(answered(call(function, asked, said=SIZES), "interpolate")))
        return torch.stack(strips)

    def _function(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = self._modules.find(name, STEM)
        return function


class _Generator(nn.Module):
    """Maps latents [B, z_dim, 1, 1] to images [B, 1, 28, 28] with pixels in [−1, 1]."""

    def __init__(self, z_dim: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.layers = nn.Sequential(*_hidden(z_dim, widths), nn.Linear(widths[-1], SIDE**2), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return torch.as_tensor(self.layers(z.flatten(1))).reshape(-1, 1, SIDE, SIDE)


class _Discriminator(nn.Module):
    """Maps images [B, 1, 28, 28] to logits [B, 1, 1, 1]."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_hidden(SIDE**2, widths), nn.Linear(widths[-1], 1))

    def forward(self, images: Tensor) -> Tensor:
        return torch.as_tensor(self.layers(images.flatten(1))).reshape(-1, 1, 1, 1)


def _hidden(inputs: int, widths: Sequence[int]) -> list[nn.Module]:
    sizes = pairwise([inputs, *widths])
    return [layer for low, high in sizes for layer in (nn.Linear(low, high), nn.LeakyReLU(0.2))]


class _Pair(nn.Module):
    """A generator and a discriminator."""

    def __init__(self, z_dim: int, generator: Sequence[int], discriminator: Sequence[int]) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.generator, self.discriminator = _Generator(z_dim, generator), _Discriminator(discriminator)


class _Shim(nn.Module):
    """A generator that takes the hand-out's number of latents, and passes to our generator as many as it takes.

    Its first layer also has that number of inputs, since students may read it there.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.inner = model.get_submodule("generator")
        self.z_dim = Z_DIM
        self.model = [nn.ConvTranspose2d(Z_DIM, 1, 4)]  # only its size is read; in a list it adds no parameters
        self.device = next(model.parameters()).device

    def forward(self, z: Tensor) -> Tensor:
        if z.dim() != 4:  # the hand-out's generator begins with a transposed convolution, which requires this shape
            raise ValueError(f"latents should be of shape [B, z_dim, 1, 1], and are {list(z.shape)}")
        size = self.inner.layers[0].in_features  # type: ignore[union-attr, index]
        return torch.as_tensor(self.inner(z[:, :size]))


def _latents(model: nn.Module, n: int) -> Tensor:
    device = next(model.parameters()).device
    size: int = model.z_dim  # type: ignore[assignment]
    return _as_images(torch.randn(n, size, device=device))


def _as_images(z: Tensor) -> Tensor:
    """Return latents [n, z_dim] in the shape [n, z_dim, 1, 1] that the hand-out's generator takes."""
    return z[:, :, None, None]


if TYPE_CHECKING:  # mypy compares the class with what the family's probes ask for
    from graders.gan.interface import Steps

    def _adapter(modules: Modules) -> Steps:
        return GanContract(modules)
