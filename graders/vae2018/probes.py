"""Probes of a VAE in any parameterisation: passes with injected numbers, its networks, its samples and its manifold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gengrade.sandbox.guest.errors import Undecided
from graders.probing.injecting import gradient_of, shifted_logits, with_code, with_logits
from graders.probing.networks import built, drive, enlarged, registration
from graders.probing.sizes import PIXELS
from graders.probing.watching import rows_of, watch

if TYPE_CHECKING:
    from graders.vae2018.interface import Vae2018Package
    from graders.vae2018.records import (
        BoundGradients,
        Decoder,
        Encoder,
        Incomplete,
        Latents,
        Passes,
        Sample,
        Samples,
        Seen,
    )

FAR = 10.0  # inputs are scaled by this, so that activations which are nearly linear around zero show their bend


def passes(
    package: Vae2018Package, images: Tensor, codes: Tensor, logits: Tensor, settings: dict[str, int]
) -> Passes | Incomplete:
    """Run `VAE.forward` K times on images [B, 1, 28, 28], with injected outputs of the encoder and the decoder.

    codes [K, 2, B, z_dim] replace the encoder's outputs, and logits [K, B, 784] those of the decoder, after a sigmoid
    if its own outputs are means. Gradients still flow into both networks. The passes end at the first that does not
    call both.
    """
    model = built(package.vae.model, **settings).to(images.device).train()
    fitting = package.vae.fitting(model, images)
    encoder, decoder = package.vae.encoder_of(model), package.vae.decoder_of(model)
    current = {"code": codes[0], "logits": logits[0]}
    encoded = watch(encoder, lambda output: with_code(_two(output), current["code"]))
    decoded = watch(decoder, lambda output: with_logits(_tensor(output, "Decoder.forward"), current["logits"]))
    bounds, latents = [], []
    first: Seen = {"encoder_seen": 0, "decoder_seen": 0, "shown": torch.zeros(0, PIXELS)}
    gradients: BoundGradients = {}
    for index in range(len(codes)):
        encoded.forget()
        decoded.forget()
        current.update(code=codes[index], logits=logits[index])
        bound = _tensor(package.vae.bound(model, fitting.clone()), "VAE.forward")
        seen = len(encoded) > 0 and len(decoded) > 0
        if index == 0:
            first = {"encoder_seen": len(encoded), "decoder_seen": len(decoded), "shown": rows_of(encoded, PIXELS)}
        if not seen:
            return {**first, **gradients, "bounds": bound.detach().reshape(1, -1)}
        z = [inputs[0] for inputs in decoded.inputs]
        if index == 0:
            gradients = _gradients(bound, encoded.outputs, z)
        bounds.append(bound.detach())
        latents.append(_draws([draw.detach() for draw in z], codes.shape[2:]))
    return {**first, **gradients, "bounds": torch.stack(bounds), "z": torch.stack(latents)}


def latents(
    package: Vae2018Package, images: Tensor, codes: Tensor, logits: Tensor, settings: dict[str, int]
) -> Latents:
    """Return the latents that `VAE.forward` decodes, and its bounds, as in `passes`, if a part of it fails.

    Other checks judge what fails.
    """
    model = built(package.vae.model, **settings).to(images.device).train()
    fitting = package.vae.fitting(model, images)
    current = {"code": codes[0], "logits": logits[0]}
    encoded = watch(package.vae.encoder_of(model), lambda output: with_code(output, current["code"]))
    decoded = watch(package.vae.decoder_of(model), lambda output: with_logits(output, current["logits"]))
    found: list[Tensor] = []
    attached = False
    bounds = torch.full((len(codes),), torch.nan)
    for index, code in enumerate(codes):
        decoded.forget()
        current.update(code=code, logits=logits[index])
        try:
            bounds[index] = package.vae.bound(model, fitting.clone()).detach().mean()
        except Undecided:
            raise
        except Exception:
            bounds[index] = torch.nan
        z = [inputs[0] for inputs in decoded.inputs]
        if z and all(draw.numel() % code[0].numel() == 0 for draw in z):
            attached = all(draw.requires_grad for draw in z)
            found.append(_draws([draw.detach() for draw in z], codes.shape[2:]))
    fits = len(found) == len(codes) and len({draws.shape for draws in found}) == 1
    return {
        "encoder_seen": len(encoded),
        "decoder_seen": len(decoded),
        "bounds": bounds,
        "z": torch.stack(found) if fits else None,
        "z_attached": attached,
    }


def bounds_in_use(
    package: Vae2018Package, images: Tensor, codes: Tensor, logits: Tensor, settings: dict[str, int]
) -> Tensor:
    """Return the bounds [K, ...] of `VAE.forward` in eval mode without gradients, in K passes as of `passes`."""
    model = built(package.vae.model, **settings).to(images.device).eval()
    fitting = package.vae.fitting(model, images)
    current = {"code": codes[0], "logits": logits[0]}
    watch(package.vae.encoder_of(model), lambda output: with_code(_two(output), current["code"]))
    watch(
        package.vae.decoder_of(model),
        lambda output: with_logits(_tensor(output, "Decoder.forward"), current["logits"]),
    )
    bounds = []
    for code, given in zip(codes, logits, strict=True):
        current.update(code=code, logits=given)
        with torch.no_grad():
            bounds.append(_tensor(package.vae.bound(model, fitting.clone()), "VAE.forward"))
    return torch.stack(bounds)


def untrained(package: Vae2018Package, images: Tensor, settings: dict[str, int]) -> Tensor:
    """Return the bound that `VAE.forward` returns for images [B, 1, 28, 28] before training."""
    model = built(package.vae.model, **settings).to(images.device)
    return _tensor(package.vae.bound(model, package.vae.fitting(model, images)), "VAE.forward")


def encoder(package: Vae2018Package, images: Tensor, target: Tensor, settings: dict[str, int]) -> Encoder:
    """Return an encoder's outputs for images [B, 1, 28, 28], in eval mode and after training to `target` [B, z_dim]."""
    network = built(package.vae.encoder, **settings).to(images.device).eval()
    fitting = package.vae.fitting(network, images)
    line = FAR * torch.stack([-fitting[0], fitting[0], 3 * fitting[0]])
    mean, second = _code(network(fitting))
    other = built(package.vae.encoder, **settings).to(images.device).eval()
    return {
        "mean": mean,
        "second_driven": drive(other, lambda: _code(other(fitting))[1], target),
        "second": second,
        "alone": torch.stack(_code(network(fitting[:1]))),
        **registration(network, torch.cat([mean.flatten(), second.flatten()])),
        "line": torch.stack(_code(enlarged(network)(line))),
        "driven": drive(network, lambda: _code(network(fitting))[0], target),
    }


def decoder(package: Vae2018Package, z: Tensor, target: Tensor, settings: dict[str, int]) -> Decoder:
    """Return a decoder's outputs for latents z [B, z_dim], in eval mode and after training to `target` [B, 784]."""
    network = built(package.vae.decoder, **settings).to(z.device).eval()
    outputs = _tensor(network(z), "Decoder.forward")
    line = FAR * torch.stack([-z[0], z[0], 3 * z[0]])
    return {
        "outputs": outputs,
        "alone": network(z[:1]),
        **registration(network, outputs),
        "line": enlarged(network)(line),
        "driven": drive(network, lambda: _tensor(network(z), "Decoder.forward"), target),
    }


def sample(package: Vae2018Package, n: int, z_dim: int, shift: Tensor, training: bool = True) -> Samples:
    """Return what two calls of `VAE.sample(n)` return, in either mode, and the decoder's latents and outputs meanwhile.

    `shift` [784] is added to the decoder's logits: before
    training all means are about ½, and rounding them could not be told from drawing.
    """
    model = built(package.vae.model, hidden_dim=32, z_dim=z_dim).to(shift.device)
    decoded = watch(package.vae.decoder_of(model), lambda output: _shifted(output, shift))

    def call() -> Sample:
        decoded.forget()
        model.train(training)
        returned = package.vae.sample(model, n)
        if not isinstance(returned, tuple | list) or len(returned) < 2:
            raise TypeError("VAE.sample should return sampled_ims and im_means")
        seen = len(decoded) > 0
        return {
            "samples": torch.as_tensor(returned[0]),
            "means": torch.as_tensor(returned[1]),
            "z": torch.cat([inputs[0].reshape(-1, z_dim) for inputs in decoded.inputs]) if seen else None,
            "outputs": torch.cat(list(decoded.outputs)) if seen else None,
        }

    return {**call(), "again": call()}


def manifold(package: Vae2018Package) -> Tensor:
    """Return the latents [N, 2] that the student's function for the manifold decodes, in order."""
    model = built(package.vae.model, hidden_dim=16, z_dim=2).eval()
    decoded = watch(package.vae.decoder_of(model))
    package.vae.manifold(model)
    return torch.cat([torch.zeros(0, 2), *(inputs[0].reshape(-1, 2) for inputs in decoded.inputs)])


def _code(output: Any) -> list[Tensor]:
    return list(_two(output)[:2])


def _two(output: Any) -> Any:
    """Return an encoder's outputs, unchanged. Raises TypeError unless there are at least two."""
    if not isinstance(output, tuple | list) or len(output) < 2:
        raise TypeError("Encoder.forward should return two tensors, such as the mean and the standard deviation")
    return output


def _draws(z: list[Tensor], shape: torch.Size) -> Tensor:
    """Return the latents of all calls of the decoder, each with one draw or several, as [draws, B, z_dim]."""
    if any(draw.numel() % shape.numel() for draw in z):
        sizes = ", ".join(str(list(draw.shape)) for draw in z)
        raise TypeError(f"Decoder.forward should be given latents of shape {list(shape)}, and is given {sizes}")
    return torch.cat([draw.reshape(-1, *shape) for draw in z])


def _gradients(bound: Tensor, codes: list[Any], z: list[Tensor]) -> BoundGradients:
    """Return the gradients of a bound's mean by the encoder's outputs in all calls, and by each draw of z."""
    attached = all(draw.requires_grad for draw in z)
    if not bound.requires_grad or not attached:
        return {"bound_attached": bound.requires_grad, "z_attached": attached}
    for draw in z:
        draw.retain_grad()
    bound.mean().backward()
    mean, second = (torch.stack([gradient_of(code[place]) for code in codes]).sum(dim=0) for place in (0, 1))
    return {
        "bound_attached": True,
        "z_attached": True,
        "mean_gradient": mean,
        "second_gradient": second,
        "z_gradient": _draws([gradient_of(draw) for draw in z], mean.shape),
    }


def _shifted(output: Tensor, shift: Tensor) -> Tensor:
    """Return a decoder's outputs with `shift` added to their logits, if they have as many pixels; else unchanged."""
    return shifted_logits(output, shift) if output[0].numel() == shift.numel() else output


def _tensor(value: Any, of: str) -> Tensor:
    if not isinstance(value, Tensor):
        raise TypeError(f"{of} should return a tensor, and returned {type(value).__name__}")
    return value
