"""Adapter for part 1 of the 2020 practical: a student's VAE.

Students fill in one of two templates, `train_torch.py` or `train_pl.py`. Of the latter, only the module and its steps
are used. Its Trainer is never run; this adapter does what the Trainer does in an epoch.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from courses.uva2020.adapters import lightning
from courses.uva2020.adapters.attempts import most_complete
from gengrade.sandbox.guest.absent import Mute
from gengrade.sandbox.guest.blank_data import loaders
from gengrade.sandbox.guest.errors import Missing
from gengrade.sandbox.guest.old_torch import behave_like
from graders.adapting.calling import accepts, call
from graders.adapting.loading import Modules
from graders.adapting.members import EncoderAndDecoder, method

TEMPLATES = ("train_torch", "train_pl")
ASKED = ("forward", "sample", "train_vae")  # train_vae is given in train_pl's template, where the Trainer is the loop
LEARNING_RATE = 1e-3  # the hand-out's

Batch = Sequence[Tensor]


class VaeContract(EncoderAndDecoder):
    """A student's VAE as the probes use it. Methods raise Missing, or whatever the student's code raises."""

    def __init__(self, modules: Modules) -> None:
        behave_like("1.6")
        self._modules = modules
        self._template = most_complete(modules, TEMPLATES, ASKED)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        # The hand-out defines these only under `if __name__ == "__main__"`, but some students' classes read them.
        self._args = Namespace(
            model="MLP",
            z_dim=20,
            hidden_dims=[512],
            num_filters=32,
            lr=LEARNING_RATE,
            batch_size=128,
            epochs=1,
            seed=42,
            num_workers=0,
            log_dir="VAE_logs",
            progress_bar=False,
        )
        for template in TEMPLATES:
            modules.provide(template, args=self._args, ARGS=self._args, device=device)
        self._offered = {"device": device, "args": self._args}
        _stand_in_for_absent_files(modules)

    def reparameterize(self, mean: Tensor, std: Tensor) -> Any:
        """Return the student's draw of z from mean and std, both [B, z_dim]."""
        return call(self._function("sample_reparameterize"), {"mean": mean, "std": std})

    def kld(self, mean: Tensor, log_std: Tensor) -> Any:
        """Return the student's KL divergence [B] for mean and log_std, both [B, z_dim]."""
        return call(self._function("KLD"), {"mean": mean, "log_std": log_std})

    def bpd(self, elbo: Tensor, img_shape: torch.Size) -> Any:
        """Return the student's bits per dimension for a negative ELBO in nats [B], and images of shape [B, C, H, W]."""
        return call(self._function("elbo_to_bpd"), {"elbo": elbo, "img_shape": img_shape})

    def manifold(self, decoder: nn.Module, grid_size: int) -> Any:
        """Return the picture that the student's function draws of the manifold of a decoder."""
        return call(self._function("visualize_manifold"), {"decoder": decoder, "grid_size": grid_size})

    def mlp_encoder(self, input_dim: int, hidden_dims: list[int], z_dim: int) -> nn.Module:
        """Return a new fully connected encoder."""
        return self._network(
            "mlp_encoder_decoder", "MLPEncoder", input_dim=input_dim, hidden_dims=hidden_dims, z_dim=z_dim
        )

    def mlp_decoder(self, z_dim: int, hidden_dims: list[int], output_shape: list[int]) -> nn.Module:
        """Return a new fully connected decoder."""
        return self._network(
            "mlp_encoder_decoder", "MLPDecoder", z_dim=z_dim, hidden_dims=hidden_dims, output_shape=output_shape
        )

    def cnn_encoder(self, num_input_channels: int, num_filters: int, z_dim: int) -> nn.Module:
        """Return a new convolutional encoder."""
        return self._cnn("CNNEncoder", num_input_channels, num_filters, z_dim)

    def cnn_decoder(self, num_input_channels: int, num_filters: int, z_dim: int) -> nn.Module:
        """Return a new convolutional decoder."""
        return self._cnn("CNNDecoder", num_input_channels, num_filters, z_dim)

    def model(
        self, kind: str = "MLP", hidden_dims: Sequence[int] = (512,), num_filters: int = 32, z_dim: int = 20
    ) -> nn.Module:
        """Return a new VAE of the student's; kind is "MLP" or "CNN"."""
        vars(self._args).update(model=kind, hidden_dims=[*hidden_dims], num_filters=num_filters, z_dim=z_dim)
        if self._template == "train_pl":
            lightning.silence()
        asked = {"model_name": kind, "hidden_dims": [*hidden_dims], "num_filters": num_filters, "z_dim": z_dim}
        vae = self._modules.find("VAE", self._template, *TEMPLATES)
        rate = {"lr": LEARNING_RATE} if accepts(vae, "lr") else {}
        model: nn.Module = call(vae, asked | rate, self._offered)
        return model

    def sample(self, model: nn.Module, n: int) -> Any:
        """Return the result of `VAE.sample`, which should be samples and means."""
        return call(method(model, "sample", "VAE"), {"batch_size": n}, self._offered)

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimiser for the student's loop: Adam, as in the hand-out, or that of a LightningModule."""
        if self._template == "train_pl":
            return _configured(method(model, "configure_optimizers", "VAE")())
        return torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)

    def train_epoch(self, model: nn.Module, loader: Iterable[Batch], optimizer: torch.optim.Optimizer) -> Any:
        """Run one epoch of the student's training, and returns its averages: () for none, None for the Trainer's."""
        if self._template == "train_pl":
            _lightning_epoch(model, loader, optimizer)
            return None
        asked = {"model": model, "train_loader": loader, "optimizer": optimizer}
        return _given(call(self._modules.find("train_vae", self._template), asked, self._offered | _EPOCH))

    def test_epoch(self, model: nn.Module, loader: Iterable[Batch]) -> Any:
        """Runs the student's own evaluation, and returns its averages: () for none, None for the Trainer's."""
        if self._template == "train_pl":
            _lightning_evaluation(model, loader)
            return None
        asked = {"model": model, "data_loader": loader}
        return _given(call(self._modules.find("test_vae", self._template), asked, self._offered | _EPOCH))

    def _function(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = self._modules.find(name, "utils", self._template)
        return function

    def _network(self, stem: str, name: str, **asked: Any) -> nn.Module:
        network: nn.Module = call(
            self._modules.find(name, stem, self._template), asked, {"device": self._offered["device"]}
        )
        return network

    def _cnn(self, name: str, num_input_channels: int, num_filters: int, z_dim: int) -> nn.Module:
        return self._network(
            "cnn_encoder_decoder", name, num_input_channels=num_input_channels, num_filters=num_filters, z_dim=z_dim
        )


_EPOCH: dict[str, Any] = {
    "epoch": 1,
    "summary_writer": Mute(),
    "writer": Mute(),
}  # arguments that students add to loops


def _given(averages: Any) -> Any:
    return () if averages is None else averages


def _stand_in_for_absent_files(modules: Modules) -> None:
    """Allow importing the training template without files that need not be handed in.

    These are `bmnist.py`, which the hand-out gives, and the convolutional networks, which are a bonus question.
    """
    for stem, names in {"bmnist": ("bmnist",), "cnn_encoder_decoder": ("CNNEncoder", "CNNDecoder")}.items():
        if not modules.has(stem):
            sentence = f"{modules.path(stem)} was not handed in"
            module = ModuleType(stem)
            for name in names:
                setattr(module, name, loaders(sentence, labelled=True) if name == "bmnist" else _absent(sentence))
            sys.modules[stem] = module


def _absent(sentence: str) -> Callable[..., Any]:
    def raise_missing(*args: object, **kwargs: object) -> Any:
        raise Missing(sentence)

    return raise_missing


def _configured(result: Any) -> torch.optim.Optimizer:
    """Return the first optimiser, in any of the forms that `configure_optimizers` may return."""
    while isinstance(result, list | tuple | dict):
        result = result["optimizer"] if isinstance(result, dict) else result[0]
    if not isinstance(result, torch.optim.Optimizer):
        raise TypeError(f"configure_optimizers should return an optimiser, and returned {type(result).__name__}")
    return result


def _lightning_epoch(model: nn.Module, loader: Iterable[Batch], optimizer: torch.optim.Optimizer) -> None:
    """Run an epoch of training as Lightning's Trainer does."""
    training_step = method(model, "training_step", "VAE")
    model.train()
    for index, batch in enumerate(loader):
        loss = training_step(batch, index)
        loss = loss.get("loss") if isinstance(loss, dict) else loss
        if not isinstance(loss, Tensor):
            raise TypeError(f"training_step should return the loss as a tensor, and returned {type(loss).__name__}")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _lightning_evaluation(model: nn.Module, loader: Iterable[Batch]) -> None:
    """Run an epoch of validation as Lightning's Trainer does."""
    validation_step = method(model, "validation_step", "VAE")
    model.eval()
    with torch.no_grad():
        for index, batch in enumerate(loader):
            validation_step(batch, index)


if TYPE_CHECKING:  # mypy compares the class with what the family's probes ask for
    from graders.vae.interface import WithLoops

    def _adapter(modules: Modules) -> WithLoops:
        return VaeContract(modules)
