"""Probes of a VAE whose parameterisation is its author's: passes with known numbers, its networks, samples and loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from graders.probing.injecting import gradient_of, shifted_logits, with_code, with_logits
from graders.probing.networks import drive, registration
from graders.probing.watching import watch

if TYPE_CHECKING:
    from graders.vae2018.interface import Vae2018Package

PIXELS = 28 * 28
FAR = 10.0  # times an input: where even activations that are straight around zero bend


def passes(
    package: Vae2018Package, images: Tensor, codes: Tensor, logits: Tensor, settings: dict[str, int]
) -> dict[str, Any]:
    """What `VAE.forward` returns for images [B, 1, 28, 28], in K passes of one model with known numbers on the way.

    codes [K, 2, B, z_dim] take the places of what the encoder gives, and logits [K, B, 784] of what the decoder gives,
    by a sigmoid where its own outputs are means. Gradients flow on into both. Returned are the `bounds` [K],
    the latents z [K, B, z_dim] that the decoder was given, and the first bound's gradients by the encoder's outputs and
    by z. `encoder_seen`, `decoder_seen`: how often each was called in the first pass.
    """
    model = package.vae.model(**settings).to(images.device).train()
    fitting = package.vae.fitting(model, images)
    encoder, decoder = package.vae.encoder_of(model), package.vae.decoder_of(model)
    current = {"code": codes[0], "logits": logits[0]}
    encoded = watch(encoder, lambda output: with_code(_two(output), current["code"]))
    decoded = watch(decoder, lambda output: with_logits(_tensor(output, "Decoder.forward"), current["logits"]))
    bounds, latents = [], []
    evidence: dict[str, Any] = {}
    for index in range(len(codes)):
        encoded.forget()
        decoded.forget()
        current.update(code=codes[index], logits=logits[index])
        bound = _tensor(package.vae.bound(model, fitting.clone()), "VAE.forward")
        seen = len(encoded) > 0 and len(decoded) > 0
        if index == 0:
            evidence |= {"encoder_seen": len(encoded), "decoder_seen": len(decoded)}
        if not seen:
            return evidence | {"bounds": bound.detach().reshape(-1)}
        z = [inputs[0] for inputs in decoded.inputs]
        if index == 0:
            evidence |= _gradients(bound, encoded.outputs, z)
        bounds.append(bound.detach())
        latents.append(_draws([draw.detach() for draw in z], codes.shape[2:]))
    return evidence | {"bounds": torch.stack(bounds), "z": torch.stack(latents)}


def untrained(package: Vae2018Package, images: Tensor, settings: dict[str, int]) -> Tensor:
    """What `VAE.forward` returns for images [B, 1, 28, 28] before training."""
    model = package.vae.model(**settings).to(images.device)
    return _tensor(package.vae.bound(model, package.vae.fitting(model, images)), "VAE.forward")


def encoder(package: Vae2018Package, images: Tensor, target: Tensor, settings: dict[str, int]) -> dict[str, Any]:
    """An encoder's two outputs [B, z_dim] for images [B, 1, 28, 28], in eval mode; and how far its mean can be trained.

    `alone`: those of the first image on its own; `line`: those of three equidistant points on a line through zero;
    `driven`: the mean after training towards `target` [B, z_dim], and nothing else.
    """
    network = package.vae.encoder(**settings).to(images.device).eval()
    fitting = package.vae.fitting(network, images)
    line = FAR * torch.stack([-fitting[0], fitting[0], 3 * fitting[0]])
    mean, second = _code(network(fitting))
    return {
        "mean": mean,
        "second": second,
        "alone": torch.stack(_code(network(fitting[:1]))),
        "line": torch.stack(_code(network(line))),
        **registration(network, torch.cat([mean.flatten(), second.flatten()])),
        "driven": drive(network, lambda: _code(network(fitting))[0], target),
    }


def decoder(package: Vae2018Package, z: Tensor, target: Tensor, settings: dict[str, int]) -> dict[str, Any]:
    """A decoder's outputs [B, 784] for latents [B, z_dim], in eval mode; and how far they can be trained.

    `alone`, `line`: as for the encoder; `driven`: the outputs after training towards `target` [B, 784].
    """
    network = package.vae.decoder(**settings).to(z.device).eval()
    outputs = _tensor(network(z), "Decoder.forward")
    line = FAR * torch.stack([-z[0], z[0], 3 * z[0]])
    return {
        "outputs": outputs,
        "alone": network(z[:1]),
        "line": network(line),
        **registration(network, outputs),
        "driven": drive(network, lambda: _tensor(network(z), "Decoder.forward"), target),
    }


def sample(package: Vae2018Package, n: int, z_dim: int, shift: Tensor) -> dict[str, Any]:
    """What `VAE.sample(n)` returns, with the latents and the outputs that went through the decoder (None if unseen).

    `shift` [784] is added to the decoder's logits: before training all means are about a half, which a rounding
    sampler could not be told from an honest one by.
    """
    model = package.vae.model(hidden_dim=32, z_dim=z_dim).to(shift.device)
    decoded = watch(package.vae.decoder_of(model), lambda output: _shifted(output, shift))
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


def manifold(package: Vae2018Package) -> Tensor:
    """The latents [N, 2] that a student's drawing of the manifold decodes, in the order in which it does."""
    model = package.vae.model(hidden_dim=16, z_dim=2).eval()
    decoded = watch(package.vae.decoder_of(model))
    package.vae.manifold(model)
    return torch.cat([torch.zeros(0, 2), *(inputs[0].reshape(-1, 2) for inputs in decoded.inputs)])


def _code(output: Any) -> list[Tensor]:
    return list(_two(output)[:2])


def _two(output: Any) -> Any:
    """What an encoder gave. Raises TypeError where these are not two tensors, at least."""
    if not isinstance(output, tuple | list) or len(output) < 2:
        raise TypeError("Encoder.forward should return the mean and what tells the spread, two tensors")
    return output


def _draws(z: list[Tensor], shape: torch.Size) -> Tensor:
    """What the decoder was given in all of its calls, each of them one draw or several: [draws, B, z_dim]."""
    if any(draw.numel() % shape.numel() for draw in z):
        sizes = ", ".join(str(list(draw.shape)) for draw in z)
        raise TypeError(f"Decoder.forward should be given latents of shape {list(shape)}, and is given {sizes}")
    return torch.cat([draw.reshape(-1, *shape) for draw in z])


def _gradients(bound: Tensor, codes: list[Any], z: list[Tensor]) -> dict[str, Any]:
    """Those of a bound by what the encoder gave, in all of its calls, and by each draw that the decoder was given."""
    attached = all(draw.requires_grad for draw in z)
    if not bound.requires_grad or not attached:
        return {"bound_attached": bound.requires_grad, "z_attached": attached}
    for draw in z:
        draw.retain_grad()
    bound.sum().backward()
    mean, second = (torch.stack([gradient_of(code[place]) for code in codes]).sum(dim=0) for place in (0, 1))
    return {
        "bound_attached": True,
        "z_attached": True,
        "mean_gradient": mean,
        "second_gradient": second,
        "z_gradient": _draws([gradient_of(draw) for draw in z], mean.shape),
    }


def _shifted(output: Tensor, shift: Tensor) -> Tensor:
    """A decoder's outputs with other logits, where they are of images of that size."""
    return shifted_logits(output, shift) if output[0].numel() == shift.numel() else output


def _tensor(value: Any, of: str) -> Tensor:
    if not isinstance(value, Tensor):
        raise TypeError(f"{of} should return a tensor, and returned {type(value).__name__}")
    return value
