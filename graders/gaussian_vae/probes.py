"""Probes of a VAE with Gaussian encoder and decoder: the distribution on its own, and the model with known parts.

Within the model, a distribution based on torch's replaces the student's, and an affine map replaces the decoder, so
that the likelihood of an image is known exactly. Images are [B, 1, 32, 32], latents [B, z_dim]. `map_` holds the
affine map: `matrix` [P, z_dim] and `offset` [P] for images of P pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from graders.probing.gaussian import Gaussian, injected_for
from graders.probing.gradients import by_each
from graders.probing.networks import drive, weights_of
from graders.probing.slopes import as_now, directions, predicted, set_mode, to_either_side, trained
from graders.probing.stirring import add_noise
from graders.probing.watching import Calls, watch

if TYPE_CHECKING:
    from graders.gaussian_vae.interface import GaussianVaePackage
    from graders.gaussian_vae.records import (
        ByInjected,
        ByOwn,
        Divergence,
        Draws,
        Forward,
        Gradients,
        Interpolate,
        Latents,
        Parts,
        Samples,
        Surprise,
    )

FEW = 3  # images that encode is given without the others
LEVEL = 0.005  # step by which the noise on the parameters is increased
AWAY = 1.0  # nats: average divergence of the posterior from the prior, at which no more noise is added


def draws(package: GaussianVaePackage, mean: Tensor, logvar: Tensor, noise: Tensor | None = None) -> Draws:
    """Return two draws from the student's N(mean, exp(logvar)), with parameters [B, d], and gradients of the first one.

    The gradients are those of the draw's sum with respect to mean and logvar. `noise` [B, d] is given to both draws.
    """
    leaves = _leaves(mean=mean, logvar=logvar)
    gaussian = package.gaussian_vae.gaussian(*leaves.values())
    first, second = (package.gaussian_vae.draw(gaussian, None if noise is None else noise.clone()) for _ in range(2))
    return {"draw": first, "second_draw": second, **_gradients(first, leaves)}


def divergence(package: GaussianVaePackage, mean: Tensor, logvar: Tensor) -> Divergence:
    """Return the student's KL(N(mean, exp(logvar)) ‖ N(0, I)) for parameters [B, d], and the gradients of its sum."""
    leaves = _leaves(mean=mean, logvar=logvar)
    value = package.gaussian_vae.gaussian(*leaves.values()).kl()
    return {"divergence": value, **_gradients(value, leaves)}


def surprise(
    package: GaussianVaePackage, x: Tensor, mean: Tensor, dims: list[int], logvar: Tensor | None = None
) -> Surprise:
    """Return the student's −log p(x) summed over `dims`, and the gradients of its sum with respect to mean and logvar.

    `dims` is passed on only if it differs from the hand-out's default, 1, 2 and 3. Without logvar the variance is 1.
    """
    leaves = _leaves(mean=mean) if logvar is None else _leaves(mean=mean, logvar=logvar)
    gaussian = package.gaussian_vae.gaussian(*leaves.values())
    value = gaussian.nll(x) if dims == [1, 2, 3] else gaussian.nll(x, dims=dims)
    return {"surprise": value, **_gradients(value, leaves)}


def mode(package: GaussianVaePackage, mean: Tensor, logvar: Tensor) -> Any:
    """Return the mode of the student's N(mean, exp(logvar))."""
    return package.gaussian_vae.gaussian(mean, logvar).mode()


def parts(package: GaussianVaePackage, x: Tensor, z: Tensor, map_: dict[str, Tensor], target: Tensor) -> Parts:
    """Return the means and log-variances of the distributions encode(x) and decode(z), with a known decoder.

    `target` [B, z_dim] is what encode's outputs are trained to reach.
    """
    model, *_ = _known(package, z.shape[1], map_)
    posterior, conditional = package.gaussian_vae.encode(model, x), package.gaussian_vae.decode(model, z)
    alone = package.gaussian_vae.encode(model, x.flip(0)[:FEW])
    few = torch.stack([alone.mean, alone.logvar])
    image, image_logvar = conditional.mean, conditional.logvar
    new = weights_of(model)
    mean = _driven(model, lambda: package.gaussian_vae.encode(model, x).mean, target)
    model.load_state_dict(new)
    logvar = _driven(model, lambda: package.gaussian_vae.encode(model, x).logvar, target)
    return {
        "mean": posterior.mean,
        "logvar": posterior.logvar,
        "few": few,
        "image": image,
        "image_logvar": image_logvar,
        "mean_driven": mean,
        "logvar_driven": logvar,
    }


def _driven(model: nn.Module, output: Callable[[], Tensor], target: Tensor) -> Tensor:
    """Return an output after training.

    Before it, if no parameter changes it, which another part of the check judges.
    """
    given = output()
    return drive(model, output, target) if given.requires_grad else torch.stack([given, given])


def forward(
    package: GaussianVaePackage,
    x: Tensor,
    z_dim: int,
    map_: dict[str, Tensor],
    *,
    training: bool,
    ways: int,
    step: float,
    noise: Tensor | None = None,
) -> Forward:
    """Return the results of the model's forward for images x, with a known decoder, and the decoder's latents.

    It runs in training mode, but without dropout, or in eval mode. For as many random directions in the parameters as
    `ways` says, it also gives the posterior at a distance of `step` on either side, and the slopes of both losses that
    their gradients predict.
    """
    model, seen, _ = _decoding(package, z_dim, map_)
    set_mode(model, training)
    _stir(package, model, x)
    bring_back = as_now(model)

    def posterior() -> Tensor:
        found = package.gaussian_vae.encode(model, x)
        return torch.stack([found.mean, found.logvar])

    with torch.no_grad():
        mean, logvar = before = posterior()
        repeats = torch.equal(posterior(), before)
        bring_back()
        seen.forget()
    reconstruction, nll, kl = package.gaussian_vae.forward(model, x, noise)
    parameters = trained(model)
    along = directions(parameters, ways)

    def posterior_again() -> Tensor:
        bring_back()
        return posterior()

    return {
        "reconstruction": reconstruction,
        "nll": nll,
        "kl": kl,
        "mean": mean,
        "logvar": logvar,
        "repeats": repeats,
        "nll_reaches": _reaches(nll, model),
        "kl_reaches": _reaches(kl, model),
        "predicted_slopes": torch.stack([predicted(each.sum(), parameters, along) for each in (nll, kl)], dim=1),
        "moved": to_either_side(parameters, along, step, posterior_again),
        **_latents(seen, z_dim),
    }


def samples(
    package: GaussianVaePackage, n: int, z_dim: int, map_: dict[str, Tensor], noise: Tensor | None = None
) -> Samples:
    """Return the model's n samples with a known decoder, and the decoder's latents in this call and in a second."""
    model, seen, _ = _decoding(package, z_dim, map_)
    images = package.gaussian_vae.sample(model, n, noise)
    first = _latents(seen, z_dim)["latents"]
    seen.forget()
    package.gaussian_vae.sample(model, n, noise)
    return {"images": images, "latents": first, "again": _latents(seen, z_dim)["latents"]}


def log_likelihood(
    package: GaussianVaePackage, x: Tensor, draws: int, map_: dict[str, Tensor], mean: Tensor, logvar: Tensor
) -> ByInjected | ByOwn:
    """Return the student's estimate of log p(x) [B] with a known decoder and posterior, and the decoder's latents.

    The posterior is N(mean, exp(logvar)), with parameters [B, z_dim], for as many `draws` per image. If encode is not
    called, the estimate is one with the model's own posterior.
    """
    model, seen, gaussian = _decoding(package, mean.shape[1], map_)
    strayed: list[float] = []

    def encode(images: Tensor) -> Gaussian:
        rows, known = images.detach().reshape(-1, x[0].numel()).to(x), x.flatten(1)
        owners = torch.cdist(rows, known).argmin(dim=1)
        strayed.append(float((rows - known[owners]).abs().max()))
        return gaussian(mean[owners], logvar[owners])

    object.__setattr__(model, "encode", encode)
    with torch.no_grad():
        estimate = package.gaussian_vae.log_likelihood(model, x, draws)
    if strayed:
        far, latents = max(strayed), _latents(seen, mean.shape[1])
        return {"log_likelihood": estimate, "asked": True, "strayed": far, **latents}
    object.__delattr__(model, "encode")
    posterior = _posterior(package, model, x)
    seen.forget()
    with torch.no_grad():
        estimate = package.gaussian_vae.log_likelihood(model, x, draws)
    return {
        "log_likelihood": estimate,
        "asked": False,
        "mean": posterior.mean,
        "logvar": posterior.logvar,
        **_latents(seen, mean.shape[1]),
    }


def interpolate(package: GaussianVaePackage, ends: Tensor, n: int, map_: dict[str, Tensor]) -> Interpolate:
    """Return the n images that interpolate gives between the latents ends[0] and ends[1], and the decoder's latents.

    The known decoder is bent here: between images of an affine one, pixels lie where latents do.
    """
    model, seen, _ = _decoding(package, ends.shape[1], map_, bent=True)
    images = package.gaussian_vae.interpolate(model, [ends[:1], ends[1:]], n)
    return {"images": images, **_latents(seen, ends.shape[1])}


@torch.no_grad()
def _posterior(package: GaussianVaePackage, model: nn.Module, x: Tensor) -> Any:
    """Return the posterior that encode gives for images x after the model's parameters were stirred."""
    _stir(package, model, x)
    return package.gaussian_vae.encode(model, x)


@torch.no_grad()
def _stir(package: GaussianVaePackage, model: nn.Module, x: Tensor) -> None:
    """Add noise to the model's parameters until the posterior of images x is not that near to the prior.

    A new model's posterior is about the prior, beside which a wrong term of a loss or a weight would hardly show.
    """

    def is_about_the_prior() -> bool:
        given = package.gaussian_vae.encode(model, x)
        divergences = 0.5 * (given.logvar.exp() + given.mean**2 - 1 - given.logvar).sum(dim=1)
        return bool(divergences.mean() < AWAY)

    add_noise(model, LEVEL, is_about_the_prior)


def _decoding(
    package: GaussianVaePackage, z_dim: int, map_: dict[str, Tensor], *, bent: bool = False
) -> tuple[nn.Module, Calls, type[Gaussian]]:
    """Like `_known`, but a right `decode` also replaces the student's."""
    model, seen, gaussian = _known(package, z_dim, map_, bent=bent)
    decoder = package.gaussian_vae.decoder_of(model)
    object.__setattr__(model, "decode", lambda z: gaussian(decoder(z)))
    return model, seen, gaussian


def _known(
    package: GaussianVaePackage, z_dim: int, map_: dict[str, Tensor], *, bent: bool = False
) -> tuple[nn.Module, Calls, type[Gaussian]]:
    """Return a model in eval mode with a known decoder and distribution, the decoder's calls, and the latter's class.

    The decoder is affine in the latents or, if it is `bent`, in 2·asinh of each number.
    """
    model: nn.Module = package.gaussian_vae.model(z_dim).eval()
    gaussian: type[Gaussian] = package.gaussian_vae.inject_gaussian(model, injected_for)
    decoder = package.gaussian_vae.decoder_of(model)
    side = round(len(map_["offset"]) ** 0.5)

    def affine(z: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        z = 2 * torch.asinh(z) if bent else z
        return (z.flatten(1) @ map_["matrix"].T + map_["offset"]).reshape(-1, 1, side, side)

    decoder.forward = affine
    return model, watch(decoder), gaussian


def _leaves(**parts: Tensor) -> dict[str, Tensor]:
    return {name: part.clone().requires_grad_() for name, part in parts.items()}


def _gradients(value: Tensor, leaves: dict[str, Tensor]) -> Gradients:
    """Return the gradients of a value's sum with respect to the leaves `mean` and `logvar`, as far as it has any."""
    if not value.requires_grad:
        return {"attached": False}
    found = zip(leaves.items(), by_each(value.sum(), list(leaves.values())), strict=True)
    gradients = {name: torch.zeros_like(leaf) if gradient is None else gradient for (name, leaf), gradient in found}
    if "logvar" not in gradients:
        return {"attached": True, "mean_gradient": gradients["mean"]}
    return {"attached": True, "mean_gradient": gradients["mean"], "logvar_gradient": gradients["logvar"]}


def _reaches(loss: Tensor, model: nn.Module) -> bool:
    """Return whether a loss has a gradient that is not zero with respect to some parameter of the model."""
    if not loss.requires_grad:
        return False
    gradients = by_each(loss.sum(), list(model.parameters()))
    return any(gradient is not None and bool(gradient.any()) for gradient in gradients)


def _latents(seen: Calls, z_dim: int) -> Latents:
    """Return all latents [N, z_dim] that the decoder was given, in order."""
    given = [inputs[0].detach().reshape(-1, z_dim) for inputs in seen.inputs]
    return {"latents": torch.cat(given) if given else torch.zeros(0, z_dim)}
