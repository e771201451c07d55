"""Part 2 of the 2020 practical: a student's GAN, spoken to by the contract's names.

Either template may have been filled in, `train_torch.py` or `train_pl.py`. Of the latter only the module and its
steps are used: its Trainer is never run, and what a Trainer of PyTorch Lightning 1.x does in an epoch is done here.
"""

from __future__ import annotations

import inspect
from argparse import Namespace
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from courses.uva2020.adapters import lightning
from courses.uva2020.adapters.attempts import most_complete
from graders.adapting.calling import accepts, call
from graders.adapting.devices import neutralise_cuda
from graders.adapting.loading import Modules
from graders.adapting.members import method, part

TEMPLATES = ("train_torch", "train_pl")
ASKED = ("sample", "interpolate", "generator_step", "discriminator_step")
LEARNING_RATE = 2e-4  # the hand-out's, for both optimisers
CHECKPOINTS = (".pt", ".pth", ".ckpt", ".tar")

Batch = tuple[Tensor, Tensor]


class GanContract:
    """What the probes know of a GAN submission. Methods raise Missing, or whatever the student's code raises."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._template = most_complete(modules, TEMPLATES, ASKED)
        # What the hand-out defines only under `if __name__ == "__main__"`; some students' classes read it.
        self._args = Namespace(
            z_dim=32,
            hidden_dims_gen=[128, 256, 512],
            hidden_dims_disc=[512, 256],
            dp_rate_gen=0.1,
            dp_rate_disc=0.3,
            lr=LEARNING_RATE,
            batch_size=128,
            epochs=1,
            seed=42,
            num_workers=0,
            log_dir="GAN_logs/",
            progress_bar=False,
        )
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        for template in TEMPLATES:
            modules.provide(template, args=self._args, device=device)
        neutralise_cuda(modules.folder.glob("*.py"))

    def generator(self, z_dim: int, hidden_dims: list[int], output_shape: list[int], dp_rate: float) -> nn.Module:
        """The generator on its own: [B, z_dim] → [B, *output_shape]."""
        return self._network(
            "GeneratorMLP", z_dim=z_dim, hidden_dims=hidden_dims, output_shape=output_shape, dp_rate=dp_rate
        )

    def discriminator(self, input_dims: int, hidden_dims: list[int], dp_rate: float) -> nn.Module:
        """The discriminator on its own: see `score` for what it takes."""
        return self._network("DiscriminatorMLP", input_dims=input_dims, hidden_dims=hidden_dims, dp_rate=dp_rate)

    def score(self, discriminator: nn.Module, images: Tensor) -> Any:
        """The scores of images [B, C, H, W]; a discriminator that takes only flat rows [B, C·H·W] is given those."""
        try:
            return discriminator(images)
        except (RuntimeError, ValueError, IndexError):
            return discriminator(images.flatten(1))

    def model(
        self,
        *,
        hidden_dims_gen: list[int],
        hidden_dims_disc: list[int],
        dp_rate_gen: float = 0.1,
        dp_rate_disc: float = 0.3,
        z_dim: int = 32,
        lr: float = LEARNING_RATE,
    ) -> nn.Module:
        """A GAN of both networks."""
        settings = {
            "hidden_dims_gen": hidden_dims_gen,
            "hidden_dims_disc": hidden_dims_disc,
            "dp_rate_gen": dp_rate_gen,
            "dp_rate_disc": dp_rate_disc,
            "z_dim": z_dim,
        }
        vars(self._args).update(settings, lr=lr)
        if self._template == "train_pl":
            lightning.silence()
        gan = self._modules.find("GAN", self._template)
        if accepts(gan, "lr"):
            gan = partial(gan, lr=lr)
        model: nn.Module = call(gan, settings)
        return model

    def generator_of(self, model: nn.Module) -> nn.Module:
        return part(model, "generator", "GAN")

    def discriminator_of(self, model: nn.Module) -> nn.Module:
        return part(model, "discriminator", "GAN")

    def generator_step(self, model: nn.Module, images: Tensor) -> Tensor:
        """The loss that the student's step gives the generator, for a batch of real images."""
        return _loss(method(model, "generator_step", "GAN")(images))

    def discriminator_step(self, model: nn.Module, images: Tensor) -> Tensor:
        """The loss that the student's step gives the discriminator, for a batch of real images."""
        return _loss(method(model, "discriminator_step", "GAN")(images))

    sample_of = interpolate_between = None  # this hand-out's draw their latents themselves

    def sample(self, model: nn.Module, n: int) -> Any:
        return method(model, "sample", "GAN")(n)

    def interpolate(self, model: nn.Module, n: int, steps: int) -> Any:
        return method(model, "interpolate", "GAN")(n, steps)

    def optimizers(self, model: nn.Module) -> list[torch.optim.Optimizer]:
        """Two optimisers, in the order of the student's loop: of the generator, of the discriminator.

        In `train_torch.py` they are made in `main`, out of reach: so they are the hand-out's. A LightningModule makes
        its own.
        """
        if self._template == "train_pl":
            return _configured(method(model, "configure_optimizers", "GAN")())
        networks = (self.generator_of(model), self.discriminator_of(model))
        return [torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, betas=(0.5, 0.999)) for network in networks]

    def train_epoch(
        self, model: nn.Module, batches: Iterable[Batch], optimizers: Sequence[torch.optim.Optimizer]
    ) -> None:
        """One epoch of the student's own loop, with `optimizers` as given by the method of that name.

        A loop that stands in `main` is given the model and the batches for its own, and makes its own optimisers.
        """
        if self._template == "train_pl":
            _lightning_epoch(model, batches, optimizers)
            return
        names = vars(self._modules.load(self._template))
        if "train_gan" not in names and "main" in names:
            names.update(GAN=lambda *_, **__: model, mnist=lambda *_, **__: batches)
            call(names["main"], {"args": self._args})
            return
        settings = {
            "model": model,
            "train_loader": batches,
            "logger_gen": _SilentLogger(),
            "logger_disc": _SilentLogger(),
            "optimizer_gen": optimizers[0],
            "optimizer_disc": optimizers[1],
        }
        call(
            self._modules.find("train_gan", self._template),
            settings,
            {"epoch": 1, "summary_writer": _SilentLogger(), "args": self._args},
        )

    def checkpoint(self) -> Path | None:
        """The newest file of weights beside the code, if one was handed in."""
        folder = self._modules.folder
        files = [path for path in sorted(folder.rglob("*")) if path.suffix in CHECKPOINTS and path.is_file()]
        return max(files, key=lambda path: path.stat().st_mtime, default=None)

    def _network(self, name: str, **settings: Any) -> nn.Module:
        network: nn.Module = call(self._modules.find(name, "models", self._template), settings)
        return network


class _SilentLogger:
    """Stands for the hand-out's TensorBoardLogger: takes every call, and does nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: None


def _loss(result: Any) -> Tensor:
    """The loss of a step that returns it alone, first in a tuple (loss, log, …), or in a dictionary."""
    if isinstance(result, tuple | list) and result:
        result = result[0]
    if isinstance(result, dict):
        result = result.get("loss")
    if not isinstance(result, Tensor):
        raise TypeError(f"the step should return its loss as a tensor, and returned {type(result).__name__}")
    return result


def _configured(result: Any) -> list[torch.optim.Optimizer]:
    """The optimisers in any of the shapes that `configure_optimizers` may return."""
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[0], list):
        result = result[0]  # (optimisers, schedulers)
    if not isinstance(result, list | tuple):
        result = [result]
    return [entry["optimizer"] if isinstance(entry, dict) else entry for entry in result]


def _lightning_epoch(model: nn.Module, batches: Iterable[Batch], optimizers: Sequence[torch.optim.Optimizer]) -> None:
    """What the Trainer of PyTorch Lightning 1.x does: for each batch, a `training_step` for each optimiser."""
    model.train()
    training_step = method(model, "training_step", "GAN")
    if "optimizer_idx" not in inspect.signature(training_step).parameters:
        _manual_epoch(model, batches, optimizers)
        return
    for index, batch in enumerate(batches):
        for position, optimizer in enumerate(optimizers):
            frozen = _freeze_others(model, optimizer)
            optimizer.zero_grad()
            _loss(training_step(batch, index, position)).backward()
            optimizer.step()
            for parameter in frozen:
                parameter.requires_grad_(True)


def _freeze_others(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    """Lightning's `toggle_optimizer`: only this optimiser's parameters take gradients during its step."""
    own = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    others = [parameter for parameter in model.parameters() if parameter.requires_grad and id(parameter) not in own]
    for parameter in others:
        parameter.requires_grad_(False)
    return others


def _manual_epoch(model: nn.Module, batches: Iterable[Batch], optimizers: Sequence[torch.optim.Optimizer]) -> None:
    """Lightning 2's manual optimisation, where `training_step` does all itself with what the Trainer lends it."""
    lent = {
        "optimizers": lambda *args, **kwargs: list(optimizers),
        "manual_backward": lambda loss, *args, **kwargs: loss.backward(*args, **kwargs),
        "toggle_optimizer": lambda *args, **kwargs: None,
        "untoggle_optimizer": lambda *args, **kwargs: None,
    }
    for name, function in lent.items():
        object.__setattr__(model, name, function)
    training_step = method(model, "training_step", "GAN")
    for index, batch in enumerate(batches):
        training_step(batch, index)


if TYPE_CHECKING:  # mypy compares the class with what the family's probes ask for
    from graders.gan.interface import Gan

    def _adapter(modules: Modules) -> Gan:
        return GanContract(modules)
