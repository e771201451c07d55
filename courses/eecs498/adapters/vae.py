"""Adapter for the VAEs of EECS 498: the classes VAE and CVAE, and two functions, in vae.py."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from graders.adapting.calling import answered, call, received
from graders.adapting.loading import Modules
from graders.adapting.members import EncoderAndDecoder, part

STEM, OTHER = "vae", "gan"  # some students exchange what these two files hold
DRAW = "reparametrize"
PIXELS, CLASSES = 28 * 28, 10
MEAN = ("mu", "mean")  # words of names that students give to the two heads
SPREAD = ("logvar", "var", "variance", "logvariance", "sigma", "logsigma")


class VaeContract(EncoderAndDecoder):
    """`package.vae`. Methods raise Missing, or whatever the student's code raises."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    def reparameterize(self, mean: Tensor, std: Tensor) -> Any:
        """Return the student's draw from N(mean, std²), whose function takes matrices, and logarithms of variances."""
        rows = [each.reshape(-1, each.shape[-1]) for each in (mean, 2 * std.log())]
        drawn = self._answer(DRAW, {"mu": rows[0], "logvar": rows[1]})
        return drawn.reshape(mean.shape) if drawn.shape == rows[0].shape else drawn

    def loss_function(self, x_hat: Tensor, x: Tensor, mean: Tensor, logvar: Tensor) -> Any:
        """Return the student's loss."""
        return self._answer("loss_function", {"x_hat": x_hat, "x": x, "mu": mean, "logvar": logvar})

    def headed_model(self, *, conditional: bool, latent_size: int) -> nn.Module:
        """Return a new VAE or CVAE of the student's, with the student's numbers of hidden units."""
        # The hand-out's `input_size` is a number of pixels. By that name, it would count as the side of an image.
        asked = {"input_dim": PIXELS, **({"num_classes": CLASSES} if conditional else {}), "latent_size": latent_size}
        model: nn.Module = call(self._function("CVAE" if conditional else "VAE"), asked)
        return model

    def forward(self, model: nn.Module, x: Tensor, labels: Tensor | None) -> Any:
        """Return what the model returns for images, and for labels in a CVAE."""
        return answered(model(x) if labels is None else model(x, labels), "forward", type(model).forward)

    def heads_of(self, model: nn.Module) -> tuple[nn.Module, nn.Module]:
        """Return the model's layers of mu and logvar, by the hand-out's names or others that say the same."""
        owner = type(model).__name__
        return part(model, "mu_layer", owner, MEAN), part(model, "logvar_layer", owner, SPREAD)

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

    def _answer(self, name: str, asked: dict[str, Any]) -> Any:
        function = self._function(name)
        return answered(call(function, asked), name, function)

    def _function(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = self._modules.find_exchanged(name, STEM, OTHER)
        return function


if TYPE_CHECKING:  # mypy compares the class with what the family's probes ask for
    from graders.vae.interface import WithHeads

    def _adapter(modules: Modules) -> WithHeads:
        return VaeContract(modules)
