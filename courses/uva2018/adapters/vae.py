"""Adapter for the VAE of the 2018 assignment.

Students choose what the encoder's second output means, whether the decoder ends in a sigmoid, whether images are flat
or square, and which sign the bound has. This adapter converts nothing; the checks accept all of these.
"""

from __future__ import annotations

import copy
from argparse import Namespace
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from courses.uva2018.adapters.entries import SIZES_OF_IMAGES, call_named, in_a_form_that_fits, prepare, save_nothing
from courses.uva2018.adapters.sizes import expect_digits_for, expect_digits_from, takes_digits
from gengrade.sandbox.guest.errors import Missing, Undecided
from graders.adapting import sizes
from graders.adapting.calling import call
from graders.adapting.loading import Modules
from graders.adapting.members import part

STEM = "a3_vae_template"
PIXELS = 28 * 28
TRIED = 3  # images in the batch for trying out a loop; a batch of two could be unpacked like a pair


class VaeContract:
    """`package.vae`. Methods raise Missing, or whatever the student's code raises."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._args = Namespace(epochs=1, zdim=20, z_dim=20, hidden_dim=500, batch_size=128, lr=1e-3, device="cpu")
        self._of_other_sizes: dict[str, Undecided] = {}  # parts of the newest model for images of another size
        prepare(modules, STEM, self._args)

    def encoder(self, hidden_dim: int, z_dim: int) -> nn.Module:
        """Return a new encoder. Raises Undecided if it needs images of another size."""
        network = self._made("Encoder", hidden_dim, z_dim)
        expect_digits_for(network)
        return network

    def decoder(self, hidden_dim: int, z_dim: int) -> nn.Module:
        """Return a new decoder. Raises Undecided if it makes images of another size."""
        network = self._made("Decoder", hidden_dim, z_dim)
        expect_digits_from(network, z_dim)
        return network

    def model(self, hidden_dim: int, z_dim: int) -> nn.Module:
        """Return a new VAE of the student's. Raises Undecided if it needs images of another size."""
        model = self._made("VAE", hidden_dim, z_dim)
        expect_digits_for(model)
        self._of_other_sizes.clear()
        if takes_digits(model):  # it may still pad or scale its images for its encoder
            self._try_part(model, "encoder", expect_digits_for)
            self._try_part(model, "decoder", lambda decoder: expect_digits_from(decoder, z_dim))
        return model

    def _try_part(self, model: nn.Module, role: str, trial: Callable[[nn.Module], None]) -> None:
        try:
            trial(part(model, role, "VAE"))
        except Undecided as reason:
            self._of_other_sizes[role] = reason
        except Missing:  # most checks do not ask for this part
            pass

    def encoder_of(self, model: nn.Module) -> nn.Module:
        """Return the encoder of the newest model. Raises Undecided if the model pads or scales its images for it."""
        return self._part(model, "encoder")

    def decoder_of(self, model: nn.Module) -> nn.Module:
        """Return the decoder of the newest model.

        Raises Undecided if the model crops or scales the images that it makes.
        """
        return self._part(model, "decoder")

    def _part(self, model: nn.Module, role: str) -> nn.Module:
        if role in self._of_other_sizes:
            raise self._of_other_sizes[role]
        return part(model, role, "VAE")

    def fitting(self, network: nn.Module, images: Tensor) -> Tensor:
        """Return images [B, 1, 28, 28] in the form that an encoder or a whole model takes."""
        return in_a_form_that_fits(network, images)

    def bound(self, model: nn.Module, images: Tensor) -> Any:
        """Return the average bound by VAE.forward for images of a `fitting` form, alone or as the first value.

        Raises Undecided if the first of several values is no bound, such as the mean of z: the loss is a function then.
        """
        vars(self._args).update(batch_size=len(images))  # some divide by the script's argument
        with sizes.put([model], {"batch": len(images)}):
            returned = model(images)
        if not isinstance(returned, tuple | list) or not returned:
            return returned
        if _size_of(returned[0]) not in (0, 1, len(images)):  # a bound may be given for each image
            raise Undecided(
                f"VAE.forward returns {len(returned)} values, of which the first is no bound: the loss is computed "
                "elsewhere, and a person has to look"
            )
        return returned[0]

    def sample(self, model: nn.Module, n: int) -> Any:
        """Return the samples and means that VAE.sample, or a function of that name, returns for n images.

        Students' scripts call it under `no_grad` or not; what needs no gradients runs under it. Raises Missing if no
        function returns these, for example because only the script draws samples; and Undecided if more things come
        back, and nothing says which of them these are.
        """
        with torch.no_grad():
            return _samples_and_means(self._sampled(model, n), n)

    def _sampled(self, model: nn.Module, n: int) -> Any:
        method: Callable[[int], Any] | None = getattr(model, "sample", None)
        if method is not None:
            return call(method, {"n_samples": n}, self._offered())
        asked = dict.fromkeys(("n", "num", "n_samples", "count"), n)
        returned = call_named("sample", self._modules.load(STEM), [model], self._models(model), asked)
        if not isinstance(returned, tuple | list) or len(returned) < 2:
            raise Missing("the class VAE has no method sample, and no function of that name returns samples and means")
        return returned

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimiser, as the hand-out's `main` creates it."""
        return torch.optim.Adam(model.parameters())

    def epoch(self, model: nn.Module, images: Tensor, batch_size: int, optimizer: torch.optim.Optimizer) -> Any:
        """Run one epoch of the student's own loop over images [N, 1, 28, 28], and returns its result.

        The hand-out's loader gives batches of images; torchvision's, which some use, gives images with labels. Which of
        them the loop takes is tried out on a copy of the model.
        """
        loop = self._modules.find("epoch_iter", STEM)
        for labelled in (False, True):
            trial = copy.deepcopy(model)
            data = _loader(images[:TRIED], TRIED, labelled)
            try:
                call(loop, {"model": trial, "data": data, "optimizer": self.optimizer(trial)}, self._offered())
            except Exception:  # if the form is right, the real call below raises the error again
                continue
            return call(
                loop,
                {"model": model, "data": _loader(images, batch_size, labelled), "optimizer": optimizer},
                self._offered(),
            )
        return call(
            loop,
            {"model": model, "data": _loader(images, batch_size, labelled=False), "optimizer": optimizer},
            self._offered(),
        )

    def manifold(self, model: nn.Module) -> Any:
        """Call the student's function or method for the manifold, under `no_grad`, since it needs no gradients.

        Raises Missing if only the script draws it.
        """
        module = self._modules.load(STEM)
        save_nothing(module)
        roles = {**self._models(model), **dict.fromkeys(("name", "path", "file"), "manifold.png"), "epoch": 1}
        with torch.no_grad():
            return call_named("manifold", module, [model, self.decoder_of(model)], {**roles, "device": "cpu"})

    def _models(self, model: nn.Module) -> dict[str, object]:
        return {"decoder": self.decoder_of(model), "model": model, "vae": model, "net": model}

    def _made(self, name: str, hidden_dim: int, z_dim: int) -> nn.Module:
        vars(self._args).update(zdim=z_dim, z_dim=z_dim, hidden_dim=hidden_dim)
        asked = {"hidden_dim": hidden_dim, "z_dim": z_dim}
        network: nn.Module = call(self._modules.find(name, STEM), asked, self._offered())
        return network

    def _offered(self) -> dict[str, Any]:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return {
            **dict.fromkeys(("args", "ARGS"), self._args),
            **dict.fromkeys(SIZES_OF_IMAGES, PIXELS),
            "device": device,
            "epoch": 1,
        }


def _samples_and_means(returned: Any, n: int) -> Any:
    """Return the samples and the means among three or more things that were returned.

    Two things are returned unchanged.

    These are the only two that are n images; or of more such, the only one of 0 and 1 and the only other in [0, 1].
    Raises Undecided if there are more candidates.
    """
    if not isinstance(returned, tuple | list) or len(returned) <= 2:
        return returned
    images = [each for each in returned if _size_of(each) == n * PIXELS]
    if len(images) == 2:
        return images
    tensors = [torch.as_tensor(each) for each in images]
    binary = [each for each in tensors if bool(((each == 0) | (each == 1)).all())]
    means = [each for each in tensors if bool(((each >= 0) & (each <= 1)).all()) and all(each is not b for b in binary)]
    if len(binary) == len(means) == 1:
        return binary[0], means[0]
    raise Undecided("VAE.sample returns more than samples and means, and nothing says which of them these are")


def _size_of(value: Any) -> int:
    return int(value.numel()) if isinstance(value, Tensor) else int(getattr(value, "size", 0))


def _loader(images: Tensor, batch_size: int, labelled: bool) -> Iterable[Any]:
    """Return a data loader for these images in their order, with or without labels."""
    items: list[Any] = [(image, 0) for image in images] if labelled else list(images)
    loader: Iterable[Any] = DataLoader(items, batch_size=batch_size)  # type: ignore[arg-type]
    return loader


if TYPE_CHECKING:  # mypy compares the class with what the family's probes ask for
    from graders.vae2018.interface import Vae2018

    def _adapter(modules: Modules) -> Vae2018:
        return VaeContract(modules)
