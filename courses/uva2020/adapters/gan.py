"""Adapter for part 2 of the 2020 practical: a student's GAN.

Students fill in one of two templates, `train_torch.py` or `train_pl.py`. Of the latter, only the module and its steps
are used. Its Trainer is never run; this adapter does what a Trainer of PyTorch Lightning 1.x does in an epoch.
"""

from __future__ import annotations

import inspect
from argparse import Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from courses.uva2020.adapters import lightning
from courses.uva2020.adapters.attempts import most_complete
from gengrade.sandbox.guest.absent import Mute
from gengrade.sandbox.guest.old_torch import behave_like
from graders.adapting.calling import accepts, call
from graders.adapting.loading import Modules
from graders.adapting.members import method, part

TEMPLATES = ("train_torch", "train_pl")
ASKED = ("sample", "interpolate", "generator_step", "discriminator_step")
LEARNING_RATE = 2e-4  # the hand-out's, for both optimisers
CHECKPOINTS = (".pt", ".pth", ".ckpt", ".tar")

Batch = tuple[Tensor, Tensor]


class GanContract:
    """A student's GAN as the probes use it. Methods raise Missing, or whatever the student's code raises."""

    def __init__(self, modules: Modules) -> None:
        behave_like("1.6")
        self._modules = modules
        self._template = most_complete(modules, TEMPLATES, ASKED)
        # The hand-out defines these only under `if __name__ == "__main__"`, but some students' classes read them.
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

    def generator(self, z_dim: int, hidden_dims: list[int], output_shape: list[int], dp_rate: float) -> nn.Module:
        """Return a new generator: [B, z_dim] → [B, *output_shape]."""
        return self._network(
            "GeneratorMLP", z_dim=z_dim, hidden_dims=hidden_dims, output_shape=output_shape, dp_rate=dp_rate
        )

    def discriminator(self, input_dims: int, hidden_dims: list[int], dp_rate: float) -> nn.Module:
        """Return a new discriminator; `score` calls it."""
        return self._network("DiscriminatorMLP", input_dims=input_dims, hidden_dims=hidden_dims, dp_rate=dp_rate)

    def score(self, discriminator: nn.Module, images: Tensor) -> Any:
        """Return the scores of images [B, C, H, W], or of their flat rows [B, C·H·W] if a network only takes those."""
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
        """Return a new GAN with both networks."""
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
        rate = {"lr": lr} if accepts(gan, "lr") else {}
        model: nn.Module = call(gan, settings | rate, {"args": self._args})
        return model

    def generator_of(self, model: nn.Module) -> nn.Module:
        """Return the model's generator."""
        return part(model, "generator", "GAN")

    def discriminator_of(self, model: nn.Module) -> nn.Module:
        """Return the model's discriminator."""
        return part(model, "discriminator", "GAN")

    def generator_step(self, model: nn.Module, images: Tensor) -> Tensor:
        """Return the generator's loss by the student's step, for a batch of real images [B, C, H, W]."""
        return _loss(call(method(model, "generator_step", "GAN"), {"x_real": images}))

    def discriminator_step(self, model: nn.Module, images: Tensor) -> Tensor:
        """Return the discriminator's loss by the student's step, for a batch of real images [B, C, H, W]."""
        return _loss(call(method(model, "discriminator_step", "GAN"), {"x_real": images}))

    sample_of = interpolate_between = None  # in this course, both functions draw their latents themselves

    def sample(self, model: nn.Module, n: int) -> Any:
        """Return the result of the student's `sample`, which should be n images."""
        return call(method(model, "sample", "GAN"), {"batch_size": n})

    def interpolate(self, model: nn.Module, n: int, steps: int) -> Any:
        """Return the result of the student's `interpolate`, n strips with `steps` images between their ends."""
        return call(method(model, "interpolate", "GAN"), {"batch_size": n, "interpolation_steps": steps})

    def optimizers(self, model: nn.Module) -> list[torch.optim.Optimizer]:
        """Return the two optimisers, in the order of the student's loop: of the generator and of the discriminator.

        In `train_torch.py`, `main` creates them, which is not run, so they are the hand-out's. A LightningModule
        creates its own.
        """
        if self._template == "train_pl":
            return _configured(method(model, "configure_optimizers", "GAN")())
        networks = (self.generator_of(model), self.discriminator_of(model))
        return [torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, betas=(0.5, 0.999)) for network in networks]

    def train_epoch(
        self, model: nn.Module, batches: Iterable[Batch], optimizers: Sequence[torch.optim.Optimizer]
    ) -> None:
        """Run one epoch of the student's own loop, with the results of the method `optimizers`.

        If the loop stands in `main`, that is run with this model and these batches, and creates its own optimisers.
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
            "logger_gen": Mute(),
            "logger_disc": Mute(),
            "optimizer_gen": optimizers[0],
            "optimizer_disc": optimizers[1],
        }
        call(
            self._modules.find("train_gan", self._template),
            settings,
            {"epoch": 1, "summary_writer": Mute(), "args": self._args},
        )

    def checkpoint(self) -> Path | None:
        """Return the newest handed-in file of weights, or None."""
        folder = self._modules.folder
        files = [path for path in sorted(folder.rglob("*")) if path.suffix in CHECKPOINTS and path.is_file()]
        return max(files, key=lambda path: path.stat().st_mtime, default=None)

    def _network(self, name: str, **settings: Any) -> nn.Module:
        network: nn.Module = call(self._modules.find(name, "models", self._template), settings)
        return network


def _loss(result: Any) -> Tensor:
    """Return the loss that a step returns alone, as the first of several values, or in a dictionary."""
    if isinstance(result, tuple | list) and result:
        result = result[0]
    if isinstance(result, dict):
        result = result.get("loss")
    if not isinstance(result, Tensor):
        raise TypeError(f"the step should return its loss as a tensor, and returned {type(result).__name__}")
    return result


def _configured(result: Any) -> list[torch.optim.Optimizer]:
    """Return the optimisers, in any of the forms that `configure_optimizers` may return."""
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[0], list):
        result = result[0]  # (optimisers, schedulers)
    if not isinstance(result, list | tuple):
        result = [result]
    return [entry["optimizer"] if isinstance(entry, dict) else entry for entry in result]


def _lightning_epoch(model: nn.Module, batches: Iterable[Batch], optimizers: Sequence[torch.optim.Optimizer]) -> None:
    """Run an epoch as the Trainer of PyTorch Lightning 1.x does: for each batch, a step of each optimiser."""
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
    """Freeze all parameters but those of this optimiser, as Lightning's `toggle_optimizer` does, and returns them."""
    own = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    others = [parameter for parameter in model.parameters() if parameter.requires_grad and id(parameter) not in own]
    for parameter in others:
        parameter.requires_grad_(False)
    return others


def _manual_epoch(model: nn.Module, batches: Iterable[Batch], optimizers: Sequence[torch.optim.Optimizer]) -> None:
    """Run an epoch of Lightning 2's manual optimisation, where `training_step` calls the Trainer's methods itself."""
    injected = {
        "optimizers": lambda *args, **kwargs: list(optimizers),
        "manual_backward": lambda loss, *args, **kwargs: loss.backward(*args, **kwargs),
        "toggle_optimizer": lambda *args, **kwargs: None,
        "untoggle_optimizer": lambda *args, **kwargs: None,
    }
    for name, function in injected.items():
        object.__setattr__(model, name, function)
    training_step = method(model, "training_step", "GAN")
    for index, batch in enumerate(batches):
        training_step(batch, index)


if TYPE_CHECKING:  # mypy compares the class with what the family's probes ask for
    from graders.gan.interface import Gan

    def _adapter(modules: Modules) -> Gan:
        return GanContract(modules)
