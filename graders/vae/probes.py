"""Probes of a variational auto-encoder: its arithmetic, its networks, one pass of its loss, and its samples.

`loop_probes` runs the student's own loops, `training_probes` a short training.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from graders.probing.gradients import output_slopes
from graders.probing.injecting import gradient_of, shifted_logits, with_code, with_logits, with_part
from graders.probing.layers import Ends, watch_layers
from graders.probing.networks import built, described, drive, enlarged, idle_parameter, registration, used_parameters
from graders.probing.sizes import PIXELS
from graders.probing.telltales import Telltale, pictured
from graders.probing.watching import Calls, rows_of, watch

if TYPE_CHECKING:
    from graders.probing.records import OutputSlopes
    from graders.vae.interface import VaePackage
    from graders.vae.records import (
        BpdGradients,
        Loss,
        Manifold,
        Network,
        OwnBits,
        OwnDivergence,
        OwnDraws,
        Pass,
        Reach,
        Reparameterize,
        Sample,
        Samples,
    )

ENCODERS = ("mlp_encoder", "cnn_encoder")
FRESH = 32  # new networks whose first outputs are recorded
FAR = 10.0  # factor on an input, far enough for activations to be nonlinear that are linear around zero

# Arithmetic


def reparameterize(package: VaePackage, mean: Tensor, std: Tensor, weights: Tensor) -> Reparameterize:
    """Draws z twice by the student's function, and returns the gradients of Σ weights · z of the first draw.

    mean, std and weights have one shape. The student's code gets tensors inside a graph, as in a model, so that it may
    work in place.
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
    """Return the student's KL divergence from N(0, I), for inputs [..., z_dim]."""
    return package.vae.kld(mean, log_std)


def bpd(package: VaePackage, elbo: Tensor, img_shape: list[int]) -> Any:
    """Return the student's bits per dimension for negative bounds [B] in nats, of images of shape [B, C, H, W]."""
    return package.vae.bpd(elbo, torch.Size(img_shape))


# Networks


def network(package: VaePackage, which: str, x: Tensor, settings: dict[str, Any]) -> Network:
    """Return a network's outputs in eval mode, and whether its parameters are registered.

    Args:
        which: the network's name in the adapter's contract; it is created with `settings`.
        x: the input, [B, …].
    """
    given = copy.deepcopy(settings)
    module = _built(package, which, given).to(x.device).eval()
    outputs = _outputs(which, module(x))
    rows = [_outputs(which, module(row[None])) for row in x]
    seen = x.clone().requires_grad_()
    # A line through zero, where a ReLU is nonlinear; zero is not its middle, where an even function would look linear.
    # It comes last, since it changes the network.
    line = FAR * torch.stack([-x[0], x[0], 3 * x[0]])
    return {
        "outputs": outputs,
        "again": _outputs(which, module(x)),
        "changed": next((name for name in settings if given[name] != settings[name]), ""),
        "alone": [torch.stack(each) for each in zip(*rows, strict=True)],
        "blind": [_is_blind(output, seen) for output in _outputs(which, module(1 * seen))],
        **registration(module, torch.cat([output.flatten() for output in outputs])),
        "line": _outputs(which, enlarged(module)(line)),
    }


def reach(
    package: VaePackage,
    which: str,
    x: Tensor,
    target: Tensor,
    settings: dict[str, Any],
    levels: int = 1,
    apart: bool = False,
) -> Reach | None:
    """Train a network towards −`target` and then towards `target` [B, n], to find the range of its outputs.

    Of `FRESH` new networks, the one with the lowest (or highest) first outputs is trained, so that no activation is
    saturated from the start. Training ends when some output has reached each of the different numbers in `target`.
    Outputs may be logits of `levels` levels, [B, levels, …]. With `apart`, their distances from the mean over the
    levels are trained, which a shift of all logits of a pixel, such as a log-softmax, does not change. Returns None if
    the network registers no parameters.
    """
    modules = [_made(package, which, settings).to(x.device) for _ in range(FRESH)]
    if not any(parameter.requires_grad for parameter in modules[0].parameters()):
        return None

    def outputs_of(module: nn.Module, x: Tensor) -> Tensor:
        return torch.cat([output.flatten(1) for output in _outputs(which, module(x))], dim=1)

    def highest(sign: int) -> Tensor:
        module = modules[int((sign * means).argmax())]
        seen: dict[bool, list[Tensor]] = {True: [], False: []}  # by whether the module was in training mode

        def forward() -> Tensor:
            outputs = outputs_of(module, x)
            if apart:
                logits = outputs.reshape(len(x), levels, -1)
                outputs = (logits - logits.mean(dim=1, keepdim=True)).flatten(1)
            return outputs

        def enough(outputs: Tensor) -> bool:
            seen[module.training].append(sign * outputs)
            return all(bool((seen[module.training][-1][target == level] >= level).any()) for level in target.unique())

        drive(module, forward, sign * target, enough)
        return sign * torch.stack([torch.stack(seen[training]).amax(dim=0) for training in (True, False)])

    trained, used = ([outputs_of(module.train(mode), x[:2]).detach() for module in modules] for mode in (True, False))
    starts = torch.stack([torch.stack(trained), torch.stack(used)])
    if starts.shape[3] != target.shape[1]:
        return {"starts": starts}
    means = starts[1].flatten(1).mean(dim=1)
    return {"starts": starts, "lowest": highest(-1), "highest": highest(1)}


def parameter_counts(package: VaePackage, which: str, x: Tensor, settings: list[dict[str, Any]]) -> list[int]:
    """Return how many numbers the outputs for x [B, …] depend on, of the network's parameters, for each setting."""

    def count(network: nn.Module) -> int:
        return sum(each.numel() for each in used_parameters(network, lambda: _joined(which, network, x)).values())

    return [count(_made(package, which, each).to(x.device).eval()) for each in settings]


def use(package: VaePackage, which: str, x: Tensor, settings: dict[str, Any]) -> str:
    """Return the name of a parameter of the network that changes none of its outputs in eval mode; "" without any."""
    module = _made(package, which, settings).to(x.device).eval()
    return idle_parameter(module, lambda: _joined(which, module, x))


def slopes(package: VaePackage, which: str, x: Tensor, settings: dict[str, Any]) -> OutputSlopes:
    """Return how the outputs of a network for x [B, …] change with its parameters, and what its gradients predict."""
    module = _made(package, which, settings).to(x.device)
    return output_slopes(module, lambda: _joined(which, module, x))


def slopes_of_input(package: VaePackage, which: str, x: Tensor, settings: dict[str, Any]) -> OutputSlopes:
    """Return the same for the network's input x [B, …] in the place of its parameters."""
    module, given = _made(package, which, settings).to(x.device), x.clone().requires_grad_()
    return output_slopes(module, lambda: _joined(which, module, given), [given])


def _joined(which: str, network: nn.Module, x: Tensor) -> Tensor:
    """Return all numbers of a network's outputs for x [B, …], [n]."""
    return torch.cat([output.flatten() for output in _outputs(which, network(x))])


def _made(package: VaePackage, which: str, settings: dict[str, Any]) -> nn.Module:
    """Create a network with a copy of the settings, which some constructors change in place."""
    return _built(package, which, copy.deepcopy(settings))


def _built(package: VaePackage, which: str, settings: dict[str, Any]) -> nn.Module:
    """Create a network by its name in the adapter's contract.

    The names are written out, so that only the methods that are called here are sent to the guest.
    """
    network: nn.Module
    match which:
        case "mlp_encoder":
            network = built(package.vae.mlp_encoder, **settings)
        case "mlp_decoder":
            network = built(package.vae.mlp_decoder, **settings)
        case "cnn_encoder":
            network = built(package.vae.cnn_encoder, **settings)
        case "cnn_decoder":
            network = built(package.vae.cnn_decoder, **settings)
        case _:
            raise ValueError(f"there is no network {which}")
    return network


# The whole model


def loss(
    package: VaePackage, images: Tensor, code: Tensor, logits: Tensor, settings: dict[str, Any], training: bool = True
) -> Pass | Loss:
    """Run one pass of `VAE.forward` with known outputs of encoder and decoder; return its losses and gradients.

    The known outputs replace the networks' own, but gradients still flow into the networks. If the model calls the
    layers of a network instead of its `forward`, they replace the layers' outputs in a second pass. In an untrained
    model log_std and the logits are about 0, where a standard deviation, a variance and their logarithms are hardly
    distinguishable. With known outputs, a pass depends on the networks only through its noise.

    What the student's own functions make of the same numbers is returned as well, so that a mistake in one of these
    functions can be told from a mistake in how `forward` puts them together.

    Args:
        images: [B, 1, 28, 28].
        code: [2, B, z_dim], the mean and log_std that replace the encoder's.
        logits: [B, …], which replace the decoder's.
        settings: the model's kind and sizes.
        training: whether the model is in training mode; else it is in eval mode, and the pass without gradients.
    """
    with torch.set_grad_enabled(training):
        evidence, state = _passed(package, images, code, logits, settings, training)
    if "mean" not in evidence:
        return evidence
    divergence = _own_divergence(package, code)
    bits = _own_bits(package, evidence["rec"], evidence["reg"], images)
    draws: OwnDraws = {}
    if state is not None:
        draws = _own_draws(package, code, state, evidence["z"], evidence.get("z_gradient"))
    return {**evidence, **divergence, **bits, **draws}


def _own_divergence(package: VaePackage, code: Tensor) -> OwnDivergence:
    """Return the batch mean of the student's divergence, and its gradients; empty if the function gives none."""
    code = code.clone().requires_grad_()
    try:
        mean = package.vae.kld(1 * code[0], 1 * code[1]).mean()
    except Exception:  # `vae.kld` says what is wrong with it
        return {}
    return {"own_reg": mean, "own_reg_gradient": _gradient_by(code, mean)}


def _own_bits(package: VaePackage, rec: Any, reg: Any, images: Tensor) -> OwnBits:
    """Return the student's bits per dimension of a sum of both losses; empty if the function gives none."""
    try:
        return {"own_bpd": package.vae.bpd((rec + reg).detach().clone(), images.shape).mean()}
    except Exception:  # `vae.bpd` says what is wrong with it
        return {}


def _own_draws(package: VaePackage, code: Tensor, state: Tensor, z: Tensor, weights: Tensor | None) -> OwnDraws:
    """As many of the student's draws as there are in z [D, B, z_dim], and their gradients; empty if there are none."""
    code, then = code.clone().requires_grad_(), torch.get_rng_state()
    torch.set_rng_state(state)
    try:
        draws = torch.stack([package.vae.reparameterize(1 * code[0], code[1].exp()) for _ in z])
        if draws.shape != z.shape:
            return {}
    except Exception:  # `vae.reparameterize` says what is wrong with it
        return {}
    finally:
        torch.set_rng_state(then)
    found: OwnDraws = {"own_z": draws, "own_z_attached": draws.requires_grad}
    return found if weights is None else {**found, "own_z_gradient": _gradient_by(code, (draws * weights).sum())}


def _gradient_by(code: Tensor, number: Tensor) -> Tensor:
    """Return the gradient of a number with respect to the code [2, B, z_dim]; zeros if it does not depend on it."""
    if not number.requires_grad:
        return torch.zeros_like(code)
    (found,) = torch.autograd.grad(number, code, allow_unused=True)
    return torch.zeros_like(code) if found is None else found


def _passed(
    package: VaePackage, images: Tensor, code: Tensor, logits: Tensor, settings: dict[str, Any], training: bool
) -> tuple[Pass, Tensor | None]:
    """Return the evidence of a pass, and the state of the random numbers when the encoder gave its last output."""
    states: list[Tensor] = []

    def encoding(output: Any) -> Any:
        states.append(torch.get_rng_state())
        return with_code(output, code)

    model = built(package.vae.model, **settings).to(images.device).train(training)
    encoder, decoder = package.vae.encoder_of(model), package.vae.decoder_of(model)
    encoded = watch(encoder, encoding)
    decoded = watch(decoder, lambda output: with_logits(output, logits))
    returned = _losses(model, images)
    ends = [None if len(encoded) else _encoder_ends(encoder, images, code)]
    ends.append(None if len(decoded) else _decoder_ends(decoder, code[0], logits))
    if any(ends):
        encoded.forget()
        decoded.forget()
        returned = _losses(model, images)
    codes = [_outputs(ENCODERS[0], output) for output in encoded.outputs]
    if ends[0] is not None:
        codes = [list(pair) for pair in zip(ends[0].outputs(0), ends[0].outputs(1), strict=False)]
    z, outputs = _latents(decoded), [*decoded.outputs]
    if ends[1] is not None:
        z, outputs = ends[1].inputs(), [each.reshape(-1, *logits.shape[1:]) for each in ends[1].outputs(0)]
    rec, reg, bits = returned
    shown = encoded if ends[0] is None else Calls([(each,) for each in ends[0].inputs()])
    evidence: Pass = {
        "encoder_seen": len(codes) > 0,
        "decoder_seen": len(z) > 0 and len(outputs) > 0,
        "rec": rec,
        "reg": reg,
        "bpd": bits,
        "shown": rows_of(shown, PIXELS),
    }
    state = states[-1] if ends[0] is None and states else None
    if not (evidence["encoder_seen"] and evidence["decoder_seen"]):
        return evidence, state
    mean, log_std = codes[-1]
    evidence = {**evidence, "mean": mean, "log_std": log_std, "z": torch.stack(z), "logits": torch.stack(outputs)}
    if not torch.is_tensor(bits) or not bits.requires_grad or not training:
        return evidence, state
    ended = list(decoded.outputs) if ends[1] is None else ends[1].outputs(0)
    return {**evidence, **_gradients(bits, mean, log_std, z, ended)}, state


def _latents(decoded: Calls) -> list[Tensor]:
    """Return what the decoder was given in its calls, which have to be alike so that they can be compared."""
    given = [inputs[0] if inputs else None for inputs in decoded.inputs]
    found = [each for each in given if isinstance(each, Tensor)]
    if len(found) < len(given):
        other = next(each for each in given if not isinstance(each, Tensor))
        raise TypeError(f"forward should give the decoder a tensor z, and gave it {described(other)}")
    if len({each.shape for each in found}) > 1:
        shapes = sorted({str(list(each.shape)) for each in found})
        raise ValueError(f"forward gives the decoder latents of different shapes: {', '.join(shapes)}")
    return found


def _encoder_ends(encoder: nn.Module, images: Tensor, code: Tensor) -> Ends:
    """Make the layers of an encoder whose `forward` is not called give the code."""
    del encoder.forward  # Stop watching.
    return watch_layers(
        encoder,
        images,
        parts_of=lambda output: _outputs(ENCODERS[0], output),
        change=lambda index, part: with_part(part, code[index]),
    )


def _decoder_ends(decoder: nn.Module, z: Tensor, logits: Tensor) -> Ends:
    """Make the layers of a decoder whose `forward` is not called give the logits; z is any latents."""
    del decoder.forward  # Stop watching.
    return watch_layers(
        decoder, z, parts_of=lambda output: [output], change=lambda index, part: with_logits(part, logits)
    )


def untrained_loss(package: VaePackage, images: Tensor, settings: dict[str, Any]) -> Any:
    """Return L_rec of one pass of an untrained model's `VAE.forward` on images [B, 1, 28, 28]."""
    return _losses(built(package.vae.model, **settings).to(images.device), images)[0]


def _losses(model: nn.Module, images: Tensor) -> tuple[Any, Any, Any]:
    """Return L_rec, L_reg and bpd as the student's forward returns them; raises TypeError if it returns fewer."""
    returned = model(images.clone())
    if not isinstance(returned, tuple | list) or len(returned) < 3:
        raise TypeError("VAE.forward should return L_rec, L_reg and bpd")
    rec, reg, bits = returned[:3]
    return rec, reg, bits


def _gradients(bits: Tensor, mean: Tensor, log_std: Tensor, z: list[Tensor], decoded: list[Tensor]) -> BpdGradients:
    """Return the gradients of bpd. `z` and `decoded` are what the decoder was given and returned, draw by draw."""
    for draw in (*z, *decoded):
        if draw.requires_grad:
            draw.retain_grad()
    bits.sum().backward()
    return {
        "mean_gradient": gradient_of(mean),
        "log_std_gradient": gradient_of(log_std),
        "z_gradient": torch.stack([gradient_of(draw) for draw in z]),
        "z_attached": all(draw.requires_grad for draw in z),
        "decoder_trained": any(bool(gradient_of(each).any()) for each in decoded),
    }


def sample(package: VaePackage, n: int, z_dim: int, shift: Tensor, training: bool = True) -> Samples:
    """Return the results of two calls of `VAE.sample(n)`, with the decoder's inputs and outputs.

    `shift` [1, 28, 28] is added to the decoder's logits. Without it all means would be about ½ before training, where
    samples that are rounded means could not be told from draws.
    """
    model = built(package.vae.model, kind="MLP", hidden_dims=[32], z_dim=z_dim).to(shift.device)
    decoded = watch(package.vae.decoder_of(model), lambda output: shifted_logits(output, shift))

    def call() -> Sample:
        decoded.forget()
        model.train(training)
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

    return {**call(), "again": call()}


def manifold(package: VaePackage, grid_size: int, gain: float, training: bool = True) -> Manifold:
    """Return the student's picture of a decoder of ours, in either mode, and the latents that it decoded."""
    decoder = Telltale(gain).train(training)
    grid, latents = pictured(decoder, lambda: package.vae.manifold(decoder, grid_size))
    return {"picture": grid, "latents": latents}


def _outputs(which: str, returned: Any) -> list[Tensor]:
    """Return an encoder's mean and log_std, or a decoder's logits, as a list."""
    if which not in ENCODERS:
        if not isinstance(returned, Tensor):
            raise TypeError(f"a decoder should return one tensor of logits, and returned {described(returned)}")
        return [returned]
    parts = list(returned[:2]) if isinstance(returned, tuple | list) else []
    if len(parts) < 2 or not all(isinstance(each, Tensor) for each in parts):
        raise TypeError(f"an encoder should return mean and log_std, two tensors, and returned {described(returned)}")
    return parts


def _is_blind(output: Tensor, seen: Tensor) -> bool:
    if not output.requires_grad:
        return False
    (gradient,) = torch.autograd.grad(output.sum(), seen, retain_graph=True, allow_unused=True)
    return gradient is None
