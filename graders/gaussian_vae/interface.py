"""What the probes of a Gaussian VAE ask an adapter for, as `package.gaussian_vae`.

Images are [B, 1, 32, 32], latents [B, z_dim]. `noise` that is None is drawn by the student's code. A distribution has
`mean` and `logvar`. A method raises Missing, or whatever the student's code raises. A result of type Any is what the
student's code gave: its docstring says what a right one is. Only a type checker reads this file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from torch import Tensor, nn


class GaussianVae(Protocol):
    """The distribution on its own, and the model that uses it."""

    def gaussian(self, mean: Tensor, logvar: Tensor | None = None) -> Any:
        """Return the student's N(mean, diag(exp(logvar))), both [B, ...]; logvar is 0 by default.

        kl() to N(0, I) → [B]; nll(sample, dims=[1, 2, 3]) → [B]; mode() → [B, ...].
        """

    def draw(self, gaussian: Any, noise: Tensor | None = None) -> Any:
        """Return a draw [B, ...] from such a distribution, with the standard normal `noise` [B, ...] if given."""

    def model(self, z_dim: int, features: int = ...) -> nn.Module:
        """Return a new VAE, with `features` channels in its first layer."""

    def decoder_of(self, model: nn.Module) -> nn.Module:
        """Return the network of a VAE that `decode` and `forward` call: latents → means of images."""

    def encode(self, model: nn.Module, x: Tensor) -> Any:
        """Return the distribution of latents given images."""

    def decode(self, model: nn.Module, z: Tensor) -> Any:
        """Return the distribution of images given latents."""

    def forward(self, model: nn.Module, x: Tensor, noise: Tensor | None = None) -> Any:
        """Return three things: the reconstruction of images [B, 1, 32, 32], −log p(x|z) [B], and the divergence [B]."""

    def sample(self, model: nn.Module, n: int, noise: Tensor | None = None) -> Any:
        """Return images [n, 1, 32, 32] of latents from the prior, or of the latents `noise` [n, z_dim]."""

    def log_likelihood(self, model: nn.Module, x: Tensor, draws: int) -> Any:
        """Return an estimate of log p(x) for each image [B], by importance sampling with so many draws."""

    def interpolate(self, model: nn.Module, ends: Sequence[Tensor], n: int) -> Any:
        """Return the images [n, 1, 32, 32] of n latents from ends[0] to ends[1], both [1, z_dim]."""

    def inject_gaussian(self, model: nn.Module, injected_for: Callable[[type], type]) -> type:
        """Let the model use `injected_for(theirs)` in place of the student's distribution, `theirs`; return it."""


class GaussianVaePackage(Protocol):
    """A submission as the family's probes see it."""

    @property
    def gaussian_vae(self) -> GaussianVae:
        """The adapter of that part."""
