"""Adapter for the GAN of the 2018 assignment: two networks, and a function that trains both and contains the losses.

Images may be flat or square in either network, and the discriminator's scores probabilities or logits. This adapter
converts neither; the checks accept all of these.
"""

from __future__ import annotations

import contextlib
from argparse import Namespace
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from courses.uva2018.adapters.entries import SIZES_OF_IMAGES, call_named, in_a_form_that_fits, prepare, save_nothing
from courses.uva2018.adapters.sizes import expect_digits_for, expect_digits_from
from graders.adapting.calling import call
from graders.adapting.loading import Modules

STEM = "a3_gan_template"
LATENTS = 100  # the hand-out's latent_dim
LEARNING_RATE = 2e-4  # the hand-out's, for both optimisers

Batch = tuple[Tensor, Tensor]


class _Enough(BaseException):
    """Raised to end a student's training loop after the requested number of epochs."""


class _Epochs:
    """A data loader that raises _Enough after `count` complete passes, or if more than `count` passes were begun."""

    def __init__(self, batches: Iterable[Batch], count: int) -> None:
        self._batches = batches
        self._count = count
        self._begun = self._ended = 0

    def __iter__(self) -> Iterator[Batch]:
        if self._ended >= self._count or self._begun > self._count:
            raise _Enough
        self._begun += 1
        yield from self._batches
        self._ended += 1

    @property
    def complete(self) -> bool:
        """Whether all passes were complete."""
        return self._ended >= self._count

    def __len__(self) -> int:
        return len(self._batches)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batches, name)


class GanContract:
    """`package.gan`. Methods raise Missing, or whatever the student's code raises."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._args = Namespace(
            n_epochs=1, batch_size=64, lr=LEARNING_RATE, latent_dim=LATENTS, save_interval=500, device="cpu"
        )
        prepare(modules, STEM, self._args)

    def generator(self) -> nn.Module:
        """Return a new generator: latents [B, 100] → images of 784 pixels each, in any shape.

        Raises Undecided if it makes images of another size.
        """
        network = self._made("Generator")
        expect_digits_from(network, LATENTS)
        return network

    def discriminator(self) -> nn.Module:
        """Return a new discriminator: images, in the form that `fitting` returns → one score for each.

        Raises Undecided if it needs images of another size.
        """
        network = self._made("Discriminator")
        expect_digits_for(network)
        return network

    def fitting(self, discriminator: nn.Module, images: Tensor) -> Tensor:
        """Return images [B, 1, 28, 28] in the form that a discriminator takes."""
        return in_a_form_that_fits(discriminator, images)

    def optimizers(self, generator: nn.Module, discriminator: nn.Module, rate: float) -> list[torch.optim.Optimizer]:
        """Return the two optimisers of the generator and the discriminator, as the hand-out's `main` creates them."""
        return [torch.optim.Adam(network.parameters(), lr=rate) for network in (generator, discriminator)]

    def train(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        batches: Iterable[Batch],
        optimizers: list[torch.optim.Optimizer],
        batch_size: int,
        epochs: int = 1,
    ) -> None:
        """Run the student's own loop over batches of images [B, 1, 28, 28] in [−1, 1] with their labels.

        It is stopped after `epochs` epochs, since many loops contain their own number of epochs.
        """
        vars(self._args).update(n_epochs=epochs, batch_size=batch_size)
        save_nothing(self._modules.load(STEM))
        data = _Epochs(batches, epochs)
        asked = {
            "dataloader": data,
            "discriminator": discriminator,
            "generator": generator,
            "optimizer_G": optimizers[0],
            "optimizer_D": optimizers[1],
        }
        with contextlib.suppress(_Enough):
            try:
                said = {"batch": batch_size, "latents": LATENTS}
                call(self._modules.find("train", STEM), asked, self._offered(), said=said)
            except Exception:
                if not data.complete:  # what a loop does after its last batch does not matter
                    raise

    def interpolate(self, generator: nn.Module, steps: int) -> Any:
        """Call the student's function or method for interpolation. Raises Missing if only the script interpolates.

        `steps` is passed to a parameter with that word in its name. A function that returns latents [N, 100] leaves it
        to its caller to decode them, which is done here. Students' scripts call such functions under `no_grad` or not;
        what needs no gradients runs under it.
        """
        module = self._modules.load(STEM)
        save_nothing(module)
        roles: dict[str, object] = {
            "gen": generator,
            "model": generator,
            "net": generator,
            "step": steps,
            "latent": LATENTS,
            "device": "cpu",
        }
        roles |= {"name": "interpolation.png", "path": "interpolation.png", "file": "interpolation.png"}
        with torch.no_grad():
            found = call_named("interpol", module, [generator], roles)
            latents = _latents_in(found)
            return found if latents is None else generator(latents)

    def _made(self, name: str) -> nn.Module:
        network: nn.Module = call(self._modules.find(name, STEM), {}, self._offered(), said={"latents": LATENTS})
        return network

    def _offered(self) -> dict[str, Any]:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return {
            **dict.fromkeys(("args", "ARGS", "opt"), self._args),
            **dict.fromkeys(("latent_dim", "z_dim", "zdim"), LATENTS),
            **dict.fromkeys(SIZES_OF_IMAGES, 28 * 28),
            "img_shape": (1, 28, 28),
            "device": device,
        }


def _latents_in(found: Any) -> Tensor | None:
    """Return the latents [N, 100] that a student's function returned as a tensor, an array or a list.

    None for images.
    """
    if isinstance(found, tuple | list) and found and all(isinstance(each, Tensor | np.ndarray) for each in found):
        rows = [torch.as_tensor(each) for each in found]
        found = torch.stack(rows) if all(each.shape == rows[0].shape for each in rows) else None
    if isinstance(found, np.ndarray):
        found = torch.as_tensor(found)
    if not isinstance(found, Tensor) or found.dim() < 1 or found.shape[-1] != LATENTS:
        return None
    return found.reshape(-1, LATENTS).float()


if TYPE_CHECKING:  # mypy compares the class with what the family's probes ask for
    from graders.gan2018.interface import Gan2018

    def _adapter(modules: Modules) -> Gan2018:
        return GanContract(modules)
