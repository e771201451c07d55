"""Adapter for the VAEs of EECS 498: the classes VAE and CVAE, and two functions, in vae.py."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from graders.adapting.calling import answered, call, received
from graders.adapting.loading import Modules
from graders.adapting.members import EncoderAndDecoder, part

STEM = "vae"
DRAW = "reparametrize"
PIXELS, CLASSES = 28 * 28, 10


class VaeContract(EncoderAndDecoder):
    """`package.vae`. Methods raise Missing, or whatever the student's code raises."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    def reparameterize(self, mean: Tensor, std: Tensor) -> Any:
        """Return the student's draw from N(mean, std²), whose function takes matrices, and logarithms of variances."""
        rows = [each.reshape(-1, each.shape[-1]) for each in (mean, 2 * std.log())]
        drawn = answered(call(self._function(DRAW), {"mu": rows[0], "logvar": rows[1]}), DRAW)
        return drawn.reshape(mean.shape) if drawn.shape == rows[0].shape else drawn

    def loss_function(self, x_hat: Tensor, x: Tensor, mean: Tensor, logvar: Tensor) -> Any:
        """Return the student's loss."""
        asked = {"x_hat": x_hat, "x": x, "mu": mean, "logvar": logvar}
        return answered(call(self._function("loss_function"), asked), "loss_function")

    def headed_model(self, *, conditional: bool, latent_size: int) -> nn.Module:
        """Return a new VAE or CVAE of the student's, with the student's numbers of hidden units."""
        # The hand-out's `input_size` is a number of pixels. By that name, it would count as the side of an image.
        asked = {"input_dim": PIXELS, **({"num_classes": CLASSES} if conditional else {}), "latent_size": latent_size}
        model: nn.Module = call(self._function("CVAE" if conditional else "VAE"), asked)
        return model

    def forward(self, model: nn.Module, x: Tensor, labels: Tensor | None) -> Any:
        """Return what the model returns for images, and for labels in a CVAE."""
        return answered(model(x) if labels is None else model(x, labels), "forward")

    def heads_of(self, model: nn.Module) -> tuple[nn.Module, nn.Module]:
        """Return the model's layers of mu and logvar."""
        owner = type(model).__name__
        return part(model, "mu_layer", owner), part(model, "logvar_layer", owner)

    def inject_reparameterize(self, model: nn.Module, injected: Callable[[Tensor, Tensor], Tensor]) -> None:
        """Put `injected` in the place of the student's function, where the model's forward finds that."""
        namespace = inspect.unwrap(type(model).forward).__globals__
        theirs = namespace.get(DRAW)
        if theirs is None:
            return

        def drawn(*args: Any, **kwargs: Any) -> Tensor:
            asked = received(theirs, ("mu", "logvar"), args, kwargs)
            return injected(asked["mu"], asked["logvar"])

        namespace[DRAW] = drawn

    def _function(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = self._modules.find(name, STEM)
        return function


if TYPE_CHECKING:  # mypy compares the class with what the family's probes ask for
    from graders.vae.interface import WithHeads

    def _adapter(modules: Modules) -> WithHeads:
        return VaeContract(modules)
