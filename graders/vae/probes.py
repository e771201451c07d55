"""Probes of a variational auto-encoder: its arithmetic, its networks, one pass of its loss, its samples.

The loops have their own module, and so has training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from graders.probing.injecting import gradient_of, shifted_logits, with_code, with_logits
from graders.probing.networks import drive, registration
from graders.probing.pictures import picture
from graders.probing.watching import Calls, watch

if TYPE_CHECKING:
    from graders.vae.interface import VaePackage

ENCODERS = ("mlp_encoder", "cnn_encoder")
FRESH = 32  # networks that are looked at before training
FAR = 10.0  # times an input: where even activations that are straight around zero bend

# Arithmetic


def reparameterize(package: VaePackage, mean: Tensor, std: Tensor, weights: Tensor) -> dict[str, Any]:
    """Two draws, and the gradients of Σ weights · (the first draw), where there are any.

    All of one shape. The student's code gets tensors in the middle of a graph, as in a model: it may work in place.
    """
    mean.requires_grad_()
    std.requires_grad_()
    first = package.vae.reparameterize(mean.clone(), std.clone())
    with torch.no_grad():
        second = package.vae.reparameterize(mean.clone(), std.clone())
    if not first.requires_grad or first.shape != weights.shape:
        return {"first": first, "second": second, "attached": first.requires_grad}
    torch.sum(first * weights).backward()
    return {
        "first": first,
        "second": second,
        "attached": True,
        "mean_gradient": gradient_of(mean),
        "std_gradient": gradient_of(std),
    }


def kld(package: VaePackage, mean: Tensor, log_std: Tensor) -> Any:
    """The KL divergence to N(0, I), for inputs [..., z_dim]."""
    return package.vae.kld(mean, log_std)


def bpd(package: VaePackage, elbo: Tensor, img_shape: list[int]) -> Any:
    """Bits per dimension of negative bounds [B] in nats, for images of shape [B, C, H, W]."""
    return package.vae.bpd(elbo, torch.Size(img_shape))


# Networks


def network(package: VaePackage, which: str, x: Tensor, settings: dict[str, Any]) -> dict[str, Any]:
    """A network's outputs in eval mode; and what it registers.

    `which`: the contract's name of the network, made with `settings`. The outputs of the batch come twice, then those
    of each row alone [B, 1, …], and of three equidistant points on the line through zero and the first row.
    `blind`: of each output, whether it has a gradient, and none with respect to the input.
    """
    module = _made(package, which, settings).to(x.device).eval()
    outputs = _outputs(which, module(x))
    rows = [_outputs(which, module(row[None])) for row in x]
    seen = x.clone().requires_grad_()
    line = FAR * torch.stack([-x[0], x[0], 3 * x[0]])  # through zero, where units of a ReLU bend, and off its middle
    return {
        "outputs": outputs,
        "again": _outputs(which, module(x)),
        "alone": [torch.stack(each) for each in zip(*rows, strict=True)],
        "line": _outputs(which, module(line)),
        "blind": [_is_blind(output, seen) for output in _outputs(which, module(1 * seen))],
        **registration(module, torch.cat([output.flatten() for output in outputs])),
    }


def reach(
    package: VaePackage, which: str, x: Tensor, target: Tensor, settings: dict[str, Any]
) -> dict[str, Tensor] | None:
    """How low and how high the outputs [B, n] get in training to give −`target`, and `target`, and nothing else.

    Of `FRESH` new networks the one that starts lowest is trained, or highest, so that no activation is stuck from the
    start; `starts` are the first outputs of them all, [FRESH, 2, n]. It ends when some output has come to each of the
    numbers in `target`. None for networks that register no parameters; and those with another number of outputs are
    not trained.
    """
    modules = [_made(package, which, settings).to(x.device) for _ in range(FRESH)]
    if not any(parameter.requires_grad for parameter in modules[0].parameters()):
        return None

    def outputs_of(module: nn.Module, x: Tensor) -> Tensor:
        return torch.cat([output.flatten(1) for output in _outputs(which, module(x))], dim=1)

    def highest(sign: int) -> Tensor:
        module, seen = modules[int((sign * means).argmax())], []

        def forward() -> Tensor:
            outputs = outputs_of(module, x)
            seen.append(sign * outputs.detach())
            return outputs

        def enough() -> bool:
            return all(bool((seen[-1][target == level] >= level).any()) for level in target.unique())

        drive(module, forward, sign * target, enough)
        return sign * torch.stack(seen).amax(dim=0)

    starts = torch.stack([outputs_of(module.eval(), x[:2]).detach() for module in modules])
    if starts.shape[2] != target.shape[1]:
        return {"starts": starts}
    means = starts.flatten(1).mean(dim=1)
    return {"starts": starts, "lowest": highest(-1), "highest": highest(1)}


def parameter_counts(package: VaePackage, which: str, settings: list[dict[str, Any]]) -> list[int]:
    """How many numbers the network holds, for each of these settings."""
    networks = (_made(package, which, each) for each in settings)
    return [sum(parameter.numel() for parameter in network.parameters()) for network in networks]


def _made(package: VaePackage, which: str, settings: dict[str, Any]) -> nn.Module:
    """A network by the contract's name of it. They are written out, so that a run is given no other methods of it."""
    network: nn.Module
    match which:
        case "mlp_encoder":
            network = package.vae.mlp_encoder(**settings)
        case "mlp_decoder":
            network = package.vae.mlp_decoder(**settings)
        case "cnn_encoder":
            network = package.vae.cnn_encoder(**settings)
        case "cnn_decoder":
            network = package.vae.cnn_decoder(**settings)
        case _:
            raise ValueError(f"there is no network {which}")
    return network


# The whole model


def loss(package: VaePackage, images: Tensor, code: Tensor, logits: Tensor, settings: dict[str, Any]) -> dict[str, Any]:
    """One pass of `VAE.forward` on images [B, 1, 28, 28], with all that goes through its parts, and the gradients.

    `settings`: the model's kind and sizes. `code` [2, B, z_dim], mean and log_std, and `logits` [B, 1, 28, 28] take the
    places of what the encoder and the decoder give; gradients flow on into both. Before training log_std and logits are
    about 0, where a standard deviation, a variance and their logarithms can hardly be told apart, nor one loss from
    another. And so a pass is the same whatever the networks are, but for its noise.
    """
    model = package.vae.model(**settings).to(images.device)
    encoder, decoder = package.vae.encoder_of(model), package.vae.decoder_of(model)
    encoded = watch(encoder, lambda output: with_code(output, code))
    decoded = watch(decoder, lambda output: with_logits(output, logits))
    rec, reg, bits = _losses(model, images)
    del encoder.forward, decoder.forward  # watched no longer: they may be asked what they give unseen
    mean, log_std = _last_code(encoded, encoder, images)
    z, outputs = _decodings(decoded, decoder, mean)
    evidence = {
        "encoder_seen": len(encoded) > 0,
        "decoder_seen": len(decoded) > 0,
        "mean": mean,
        "log_std": log_std,
        "z": torch.stack(z),
        "logits": torch.stack(outputs),
        "rec": rec,
        "reg": reg,
        "bpd": bits,
    }
    if len(encoded) == 0 or len(decoded) == 0 or not torch.is_tensor(bits) or not bits.requires_grad:
        return evidence
    return evidence | _gradients(bits, mean, log_std, z)


def untrained_loss(package: VaePackage, images: Tensor, settings: dict[str, Any]) -> Any:
    """bpd of one pass of `VAE.forward` on images [B, 1, 28, 28], before training."""
    return _losses(package.vae.model(**settings).to(images.device), images)[2]


def _losses(model: nn.Module, images: Tensor) -> tuple[Any, Any, Any]:
    """L_rec, L_reg and bpd, in whatever form the student returns them."""
    returned = model(images.clone())
    if not isinstance(returned, tuple | list) or len(returned) < 3:
        raise TypeError("VAE.forward should return L_rec, L_reg and bpd")
    rec, reg, bits = returned[:3]
    return rec, reg, bits


def _gradients(bits: Tensor, mean: Tensor, log_std: Tensor, z: list[Tensor]) -> dict[str, Any]:
    """Those of bpd with respect to what the encoder gave and to each draw that the decoder was given."""
    for draw in z:
        if draw.requires_grad:
            draw.retain_grad()
    bits.sum().backward()
    return {
        "mean_gradient": gradient_of(mean),
        "log_std_gradient": gradient_of(log_std),
        "z_gradient": torch.stack([gradient_of(draw) for draw in z]),
        "z_attached": all(draw.requires_grad for draw in z),
    }


def sample(package: VaePackage, n: int, z_dim: int, shift: Tensor) -> dict[str, Any]:
    """What `VAE.sample(n)` returns, with the latents and logits that went through the decoder (None if unseen).

    `shift` [1, 28, 28] is added to the decoder's logits: before training all means are about a half, which a rounding
    sampler could not be told from an honest one by.
    """
    model = package.vae.model("MLP", hidden_dims=[32], z_dim=z_dim).to(shift.device)
    decoded = watch(package.vae.decoder_of(model), lambda output: shifted_logits(output, shift))
    returned = package.vae.sample(model, n)
    if not isinstance(returned, tuple | list) or len(returned) < 2:
        raise TypeError("VAE.sample should return x_samples and x_mean")
    seen = len(decoded) > 0
    return {
        "samples": torch.as_tensor(returned[0]),
        "means": torch.as_tensor(returned[1]),
        "z": torch.cat([inputs[0] for inputs in decoded.inputs]) if seen else None,
        "logits": torch.cat(decoded.outputs) if seen else None,
    }


class _Telltale(nn.Module):
    """A decoder whose images say which latent they are of: the upper half has logit gain·z₀, the lower half gain·z₁."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))  # some students ask the parameters for the device
        self.z_dim = 2

    def forward(self, z: Tensor) -> Tensor:
        halves = self.gain * z.reshape(-1, 2, 1).to(self.gain)
        return halves.repeat_interleave(14, dim=1).expand(-1, -1, 28).unsqueeze(1)

    @property
    def device(self) -> torch.device:
        return self.gain.device


def manifold(package: VaePackage, grid_size: int, gain: float) -> dict[str, Any]:
    """The picture [C, height, width] that the student makes of a decoder of ours, and the latents [N, 2] it decoded."""
    decoder = _Telltale(gain)
    decoded = watch(decoder)
    with torch.no_grad():
        grid = picture(package.vae.manifold(decoder, grid_size))
    latents = [inputs[0].reshape(-1, 2) for inputs in decoded.inputs]
    return {"picture": grid, "latents": torch.cat(latents) if latents else torch.zeros(0, 2)}


def _outputs(which: str, returned: Any) -> list[Tensor]:
    """An encoder's mean and log_std, or a decoder's logits."""
    if which not in ENCODERS:
        return [returned]
    if not isinstance(returned, tuple | list) or len(returned) < 2:
        raise TypeError("an encoder should return mean and log_std, two tensors")
    return list(returned[:2])


def _last_code(encoded: Calls, encoder: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """What the encoder gave in that pass; where the model went past its `forward`, what it gives when asked."""
    output = encoded.outputs[-1] if len(encoded) else _quietly(encoder, images)
    mean, log_std = _outputs(ENCODERS[0], output)
    return mean, log_std


def _decodings(decoded: Calls, decoder: nn.Module, mean: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """The latents and logits of all draws of that pass; where the decoder was not seen, those of the mean."""
    if len(decoded):
        return [inputs[0] for inputs in decoded.inputs], list(decoded.outputs)
    return [mean], [_quietly(decoder, mean)]


def _quietly(module: nn.Module, x: Tensor) -> Any:
    """The module's output, without a trace in its state or in autograd's."""
    training = module.training
    with torch.no_grad():
        output = module.eval()(x)
    module.train(training)
    return output


def _is_blind(output: Tensor, seen: Tensor) -> bool:
    if not output.requires_grad:
        return False
    (gradient,) = torch.autograd.grad(output.sum(), seen, retain_graph=True, allow_unused=True)
    return gradient is None
