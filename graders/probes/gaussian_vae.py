"""Probes of a VAE with Gaussian encoder and decoder: the distribution on its own, and the model made of known parts.

Within a model the student's distribution is replaced by one of torch's, and the decoder by an affine map, so that the
likelihood of an image is known exactly. Images are [B, 1, 32, 32], latents [B, z_dim].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, distributions, nn

from graders.probes._watching import Calls, watch


class Gaussian:
    """A diagonal Gaussian, by torch.distributions, in the hand-out's shape."""

    def __init__(self, mean: Tensor, logvar: Tensor | None = None) -> None:
        self.mean = mean
        self.logvar = torch.zeros_like(mean) if logvar is None else logvar
        self.std, self.var = (self.logvar / 2).exp(), self.logvar.exp()

    @property
    def law(self) -> distributions.Normal:
        return distributions.Normal(self.mean, self.std, validate_args=False)

    def sample(self, noise: Tensor | None = None) -> Tensor:
        return self.law.rsample() if noise is None else torch.addcmul(self.mean, self.std, noise)

    def kl(self) -> Tensor:
        return distributions.kl_divergence(self.law, distributions.Normal(0.0, 1.0)).flatten(1).sum(dim=1)

    def nll(self, sample: Tensor, dims: int | Sequence[int] = (1, 2, 3)) -> Tensor:
        over = (dims,) if isinstance(dims, int) else tuple(dims)
        surprise: Tensor = -self.law.log_prob(sample).sum(dim=over)
        return surprise

    def mode(self) -> Tensor:
        return self.mean


def draws(package: Any, mean: Tensor, logvar: Tensor, noise: Tensor | None = None) -> dict[str, Any]:
    """Two draws of the student's distribution; and the gradients of the first's sum by mean and logvar."""
    leaves = [part.clone().requires_grad_() for part in (mean, logvar)]
    gaussian = package.gaussian_vae.gaussian(*leaves)
    first, second = (gaussian.sample() if noise is None else gaussian.sample(noise) for _ in range(2))
    result: dict[str, Any] = {"first": first, "second": second, "attached": bool(first.requires_grad)}
    if first.requires_grad:
        found = torch.autograd.grad(first.sum(), leaves, allow_unused=True)
        for name, leaf, gradient in zip(("mean", "logvar"), leaves, found, strict=True):
            result[f"{name}_gradient"] = torch.zeros_like(leaf) if gradient is None else gradient
    return result


def divergence(package: Any, mean: Tensor, logvar: Tensor) -> Any:
    """KL(N(mean, exp(logvar)) ‖ N(0, I)) by the student, [B] of [B, d]."""
    return package.gaussian_vae.gaussian(mean, logvar).kl()


def surprise(package: Any, x: Tensor, mean: Tensor, dims: list[int], logvar: Tensor | None = None) -> Any:
    """−log p(x) by the student, summed over dims; by default over dims as the hand-out has it when they are 1, 2, 3."""
    gaussian = package.gaussian_vae.gaussian(mean, logvar)
    return gaussian.nll(x) if dims == [1, 2, 3] else gaussian.nll(x, dims=dims)


def mode(package: Any, mean: Tensor, logvar: Tensor) -> Any:
    return package.gaussian_vae.gaussian(mean, logvar).mode()


def parts(package: Any, x: Tensor, z: Tensor, map_: dict[str, Tensor]) -> dict[str, Any]:
    """What encode(x) and decode(z) say: mean and log-variance of each, with a known decoder.

    `again` is encode's mean of the images in reverse order.
    """
    model, _ = _known(package, z.shape[1], map_, decode=False)
    posterior, conditional = package.gaussian_vae.encode(model, x), package.gaussian_vae.decode(model, z)
    return {
        "mean": posterior.mean,
        "logvar": posterior.logvar,
        "again": package.gaussian_vae.encode(model, x.flip(0)).mean,
        "image": conditional.mean,
        "image_logvar": conditional.logvar,
    }


def forward(
    package: Any, x: Tensor, z_dim: int, map_: dict[str, Tensor], noise: Tensor | None = None
) -> dict[str, Any]:
    """One pass with a known decoder, what it was given for z, and what encode says of the same images."""
    model, seen = _known(package, z_dim, map_)
    posterior = package.gaussian_vae.encode(model, x)
    seen.forget()
    reconstruction, nll, kl = package.gaussian_vae.forward(model, x, noise)
    return {
        "reconstruction": reconstruction,
        "nll": nll,
        "kl": kl,
        "mean": posterior.mean,
        "logvar": posterior.logvar,
    } | _latents(seen, z_dim)


def samples(package: Any, n: int, z_dim: int, map_: dict[str, Tensor], noise: Tensor | None = None) -> dict[str, Any]:
    """Samples with a known decoder, and the latents that it was given, then and `again`."""
    model, seen = _known(package, z_dim, map_)
    images = package.gaussian_vae.sample(model, n, noise)
    first = _latents(seen, z_dim)["latents"]
    seen.forget()
    package.gaussian_vae.sample(model, n, noise)
    return {"images": images, "latents": first, "again": _latents(seen, z_dim)["latents"]}


def log_likelihood(
    package: Any, x: Tensor, draws: int, map_: dict[str, Tensor], mean: Tensor, logvar: Tensor
) -> dict[str, Any]:
    """The student's estimate [B] with a known decoder and the posterior N(mean, exp(logvar)), both [B, z_dim].

    And the latents that the decoder was given; `asked`: encode was called, and so the posterior is the lent one;
    `encoded`: with what. Else the `mean` and `logvar` of the model's own encode, which its layers give.
    """
    model, seen = _known(package, mean.shape[1], map_)
    calls: list[Tensor] = []

    def encode(images: Tensor) -> Gaussian:
        calls.append(images)
        return Gaussian(mean, logvar)

    object.__setattr__(model, "encode", encode)
    with torch.no_grad():
        found = package.gaussian_vae.log_likelihood(model, x, draws)
    answer = {"found": found, "asked": bool(calls)} | _latents(seen, mean.shape[1])
    if calls:
        return answer | {"encoded": torch.as_tensor(calls[0]).detach()}
    object.__delattr__(model, "encode")
    posterior = package.gaussian_vae.encode(model, x)
    return answer | {"mean": posterior.mean, "logvar": posterior.logvar}


def interpolate(package: Any, ends: Tensor, n: int, map_: dict[str, Tensor]) -> dict[str, Any]:
    """The images between latents ends[0] and ends[1], and the latents that the decoder was given."""
    model, seen = _known(package, ends.shape[1], map_)
    images = package.gaussian_vae.interpolate(model, [ends[:1], ends[1:]], n)
    return {"images": images} | _latents(seen, ends.shape[1])


def _known(package: Any, z_dim: int, map_: dict[str, Tensor], *, decode: bool = True) -> tuple[nn.Module, Calls]:
    """A model in eval mode with known parts, and what its decoder is given from here on.

    map_: `matrix` [P, z_dim] and `offset` [P] of the decoder, for images of P pixels. `decode`: also what the student's
    own method of that name makes of the decoder's output is replaced by what is right.
    """
    model: nn.Module = package.gaussian_vae.model(z_dim).eval()
    package.gaussian_vae.lend_gaussian(model, Gaussian)
    decoder = package.gaussian_vae.decoder_of(model)
    side = round(len(map_["offset"]) ** 0.5)

    def affine(z: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return (z.flatten(1) @ map_["matrix"].T + map_["offset"]).reshape(-1, 1, side, side)

    decoder.forward = affine
    seen = watch(decoder)
    if decode:
        object.__setattr__(model, "decode", lambda z: Gaussian(decoder(z)))
    return model, seen


def _latents(seen: Calls, z_dim: int) -> dict[str, Tensor]:
    """All latents [N, z_dim] in the order in which they came."""
    given = [inputs[0].detach().reshape(-1, z_dim) for inputs in seen.inputs]
    return {"latents": torch.cat(given) if given else torch.zeros(0, z_dim)}
