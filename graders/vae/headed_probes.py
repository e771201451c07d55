"""Probes of a VAE and a conditional VAE with an encoder, two heads and a decoder: layers, a pass, a loss, a training.

Images are [B, 1, 28, 28] in [0, 1], labels one-hot [B, 10] or None, latents [B, latent_size]. A model is conditional if
there are labels.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from gengrade.sandbox.guest.errors import Missing, Undecided
from graders.adapting.images import in_either_form
from graders.probing.batches import rolled
from graders.probing.gradients import output_slopes
from graders.probing.networks import adam, built, described, unreached_parameter, weights_of
from graders.probing.watching import Calls, watch

if TYPE_CHECKING:
    from graders.probing.records import State
    from graders.vae.interface import VaePackage
    from graders.vae.records import (
        HeadedCode,
        HeadedPass,
        HeadedSlopes,
        HeadedTraining,
        Layer,
        Layers,
        LossFunction,
    )

CHUNK = 1000  # images in one pass outside of training
RATE = 1e-3  # the hand-out's learning rate of Adam


def loss(package: VaePackage, x_hat: Tensor, x: Tensor, mean: Tensor, logvar: Tensor) -> LossFunction:
    """Return the student's loss of reconstructions x_hat of images x, both [B, 1, 28, 28], and its gradients.

    A first call is not looked at, since a function may be right in that alone.
    """
    package.vae.loss_function(x_hat.clone(), x.clone(), mean.clone(), logvar.clone())
    leaves = [each.clone().requires_grad_() for each in (x_hat, mean, logvar)]
    of_images, of_means, of_spreads = (1 * each for each in leaves)
    value = package.vae.loss_function(of_images, x.clone(), of_means, of_spreads)
    if not isinstance(value, Tensor) or not value.requires_grad:
        return {"loss": torch.as_tensor(value)}
    found = torch.autograd.grad(value.sum(), leaves, allow_unused=True)
    gradients = (torch.zeros_like(leaf) if each is None else each for leaf, each in zip(leaves, found, strict=True))
    by_images, by_means, by_spreads = gradients
    return {"loss": value, "x_hat": by_images, "mean": by_means, "logvar": by_spreads}


def layers(package: VaePackage, x: Tensor, labels: Tensor | None, latents: Tensor, training: bool) -> Layers:
    """Return what each fully connected layer of a new model takes and gives in a pass, in either mode.

    Where forward fails, or leaves out a network or an answer, the networks are run on their own: another probe shows
    what is wrong with forward.

    latents: [R, n], which the decoder is given on its own, with labels behind them where there are labels. Of rows that
    are longer than it takes, it gets the beginning, since another probe shows whether it takes the labels.
    """
    model = _model(package, labels, latents.shape[1] - (0 if labels is None else labels.shape[1])).to(x.device)
    model.train(training)
    encoder, decoder, heads = package.vae.encoder_of(model), package.vae.decoder_of(model), package.vae.heads_of(model)
    seen = {name: _watched_layers(part) for name, part in (("encoder", encoder), ("decoder", decoder))}
    of_heads = [_watched_layers(head) for head in heads]
    encoded, decoded, *ends = several = [watch(each) for each in (encoder, decoder, *heads)]
    watched = [each.calls for some in (*seen.values(), *of_heads) for each in some]
    try:
        given = _sum(package.vae.forward(model, x, labels))
    except (Undecided, RecursionError):
        raise
    except Exception:
        given = None
    if given is None or not all(map(len, several)):
        for calls in (*several, *watched):
            calls.forget()
        given = _sum(_on_their_own(encoder, heads, decoder, x, labels))
    unreached = unreached_parameter(nn.ModuleList([encoder, *heads, decoder]), given)
    with torch.no_grad():
        found = {name: [_called(each) for each in some if len(each.calls)] for name, some in seen.items()}
        first = _last(decoded.outputs)
        width = found["decoder"][0]["taken"].shape[-1] if found["decoder"] else latents.shape[1]
        others = decoder(latents[:, :width])
        return {
            "unreached": unreached,
            "encoded": _last([inputs[0] for inputs in encoded.inputs if inputs]),
            "others_taken": seen["decoder"][0].calls.inputs[-1][0] if found["decoder"] else torch.zeros(0),
            "encoder": found["encoder"],
            "heads": [_called(each) for some in of_heads for each in some if len(each.calls)],
            "mean": _last(ends[0].outputs),
            "logvar": _last(ends[1].outputs),
            "decoder": found["decoder"],
            "decoded": first,
            "others": others,
        }


def _on_their_own(
    encoder: nn.Module, heads: tuple[nn.Module, nn.Module], decoder: nn.Module, x: Tensor, labels: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what a right forward would return, with the mean in the place of a draw.

    A network whose first layer does not take the labels gets none, since another probe shows whether it takes them.
    """
    if labels is None:
        hidden = in_either_form(encoder, x, x.flatten(1))
    else:
        hidden = encoder(_beside(encoder, x.flatten(1), labels))
    mean, logvar = (head(hidden) for head in heads)
    return decoder(mean if labels is None else _beside(decoder, mean, labels)), mean, logvar


def _beside(network: nn.Module, rows: Tensor, labels: Tensor) -> Tensor:
    """Return rows [B, n] with labels behind them, or without if the network's first layer takes n numbers."""
    first = next((each for each in network.modules() if isinstance(each, nn.Linear)), None)
    alone = first is not None and first.in_features == rows.shape[1]
    return rows if alone else torch.cat([rows, labels], dim=1)


def _sum(returned: Any) -> Tensor:
    """Return the sum of all that a forward returns, on which the parameters of all networks have a part."""
    return torch.stack([each.sum() for each in _three(returned)]).sum()


class _Watched(NamedTuple):
    """A fully connected layer with its calls."""

    layer: nn.Linear
    calls: Calls


def _watched_layers(network: nn.Module) -> list[_Watched]:
    """Return the fully connected layers of a network, with their calls from now on, in the order of its layers."""
    return [_Watched(layer, watch(layer)) for layer in network.modules() if isinstance(layer, nn.Linear)]


def _called(watched: _Watched) -> Layer:
    """Return what a layer took and gave in its first call, and its parameters."""
    layer, calls = watched
    bias = torch.zeros(layer.weight.shape[0]) if layer.bias is None else layer.bias
    return {"taken": calls.inputs[0][0], "given": calls.outputs[0], "weight": layer.weight, "bias": bias}


def forward(
    package: VaePackage, x: Tensor, labels: Tensor | None, code: Tensor, noise: Tensor | None, training: bool
) -> HeadedPass:
    """Return one pass of a new model in either mode, whose heads give known numbers, and the draws of a second one.

    Args:
        code: [2, B, latent_size], the mean and logvar that replace what the heads give.
        noise: [B, latent_size], with which latents are drawn where the student's function is called;
            None: that function stays in its place.
    """
    model = _model(package, labels, code.shape[2]).to(x.device).train(training)
    injected = code.clone().requires_grad_()
    heads = package.vae.heads_of(model)
    given = [watch(head, partial(_replaced, part)) for head, part in zip(heads, injected, strict=True)]
    encoded, decoded = watch(package.vae.encoder_of(model)), watch(package.vae.decoder_of(model))
    draws: list[tuple[Tensor, Tensor]] = []

    if noise is not None:
        package.vae.inject_reparameterize(model, partial(_drawn, draws, noise))
    x_hat, mean, logvar = _three(package.vae.forward(model, x.clone(), None if labels is None else labels.clone()))
    reached = [False, False]
    if x_hat.requires_grad:
        (gradient,) = torch.autograd.grad((x_hat * torch.rand_like(x_hat)).sum(), injected, allow_unused=True)
        reached = [gradient is not None and bool(each.any()) for each in (injected if gradient is None else gradient)]
    evidence: HeadedPass = {
        "x_hat": x_hat,
        "mean": mean,
        "logvar": logvar,
        "head_mean": _last(given[0].outputs),
        "head_logvar": _last(given[1].outputs),
        "encoded": _last([inputs[0] for inputs in encoded.inputs if inputs]),
        "decoder_taken": _last([inputs[0] for inputs in decoded.inputs if inputs]),
        "decoded": _last(decoded.outputs),
        "drawn": bool(draws),
        "mean_reached": reached[0],
        "logvar_reached": reached[1],
    }
    noted: HeadedPass = {**evidence, "drawn_mean": draws[-1][0], "drawn_logvar": draws[-1][1]} if draws else evidence
    decoded.forget()
    with torch.no_grad():
        package.vae.forward(model, x.clone(), None if labels is None else labels.clone())
    return {**noted, "taken_again": _last([inputs[0] for inputs in decoded.inputs if inputs])}


def slopes(package: VaePackage, x: Tensor, labels: Tensor | None, code: Tensor, noise: Tensor) -> HeadedSlopes:
    """Return how the answers of new models change with what the heads give, and with what the encoder gives.

    Latents are drawn with known `noise` [B, latent_size] where the student's function is called; other arguments are
    those of `forward`.
    """
    plain, replaced = (_model(package, labels, code.shape[2]).to(x.device) for _ in range(2))
    mean, logvar = (part.clone().requires_grad_() for part in code)
    for head, part in zip(package.vae.heads_of(replaced), (mean, logvar), strict=True):
        watch(head, partial(_replaced, part))
    package.vae.inject_reparameterize(plain, partial(_drawn, [], noise))  # which both models find

    def answer(model: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
        return _three(package.vae.forward(model, x.clone(), None if labels is None else labels.clone()))

    def code_of_images() -> Tensor:
        return torch.cat([each.flatten() for each in answer(plain)[1:]])

    encoder = package.vae.encoder_of(plain)
    seen = watch(encoder)
    with torch.no_grad():
        answer(plain)
    hidden = _last([each for each in seen.outputs if isinstance(each, Tensor)]).detach().clone().requires_grad_()
    if len(hidden):
        watch(encoder, partial(_replaced, hidden))
    return {
        "mean": output_slopes(replaced, lambda: answer(replaced)[0], [mean]),
        "logvar": output_slopes(replaced, lambda: answer(replaced)[0], [logvar]),
        "hidden": output_slopes(plain, code_of_images, [hidden]),
    }


def _drawn(draws: list[tuple[Tensor, Tensor]], noise: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    """Return a draw with known noise, and note its parameters in `draws`."""
    draws.append((mean, logvar))
    return mean + (logvar / 2).exp() * noise


def _replaced(wanted: Tensor, output: Tensor) -> Tensor:
    """Return a head's output with other values, through which gradients flow on to the head as well."""
    return wanted + 0 * output


def _last(tensors: list[Any]) -> Tensor:
    """Return the last of several tensors, or one without rows."""
    found: Tensor = tensors[-1] if tensors else torch.zeros(0)
    return found


def _three(returned: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Return the reconstruction, mean and logvar that a forward returns.

    Raises TypeError if it returns fewer or other things, and Missing for what is still None.
    """
    if not isinstance(returned, tuple | list) or len(returned) < 3:
        raise TypeError(f"forward should return x_hat, mu and logvar, and returns {described(returned)}")
    for name, each in zip(("x_hat", "mu", "logvar"), returned, strict=False):
        if each is None:
            raise Missing(f"forward returns None as {name}")
        if not isinstance(each, Tensor):
            raise TypeError(f"forward should return {name} as a tensor, and returns {described(each)}")
    x_hat, mean, logvar = returned[:3]
    return x_hat, mean, logvar


def train(
    package: VaePackage,
    images: Tensor,
    labels: Tensor | None,
    latent_size: int,
    steps: int,
    batch_size: int,
    shift: int,
) -> HeadedTraining:
    """Train the student's model on the student's loss, with Adam at the hand-out's rate.

    Args:
        images: uint8 [N, 1, 28, 28] in 0 … 255.
        shift: the most pixels by which a batch is moved at random.
    """
    model = _model(package, labels, latent_size).to(images.device).train()
    optimizer = adam(model, RATE)
    losses = torch.zeros(steps, device=images.device)
    for step in range(steps):
        chosen = torch.randint(len(images), (batch_size,), device=images.device)
        x = rolled(images[chosen], shift).float() / 255
        returned = _three(package.vae.forward(model, x, None if labels is None else labels[chosen]))
        value = package.vae.loss_function(returned[0], x, *returned[1:])
        optimizer.zero_grad()
        value.sum().backward()
        optimizer.step()
        losses[step] = value.detach().sum()
    return {"model": weights_of(model), "decoder": weights_of(package.vae.decoder_of(model)), "losses": losses}


@torch.no_grad()
def encode(package: VaePackage, weights: State, images: Tensor, labels: Tensor | None, latent_size: int) -> HeadedCode:
    """Return the posterior of uint8 images [N, 1, 28, 28], with these weights."""
    model = _model(package, labels, latent_size).to(images.device)
    model.load_state_dict(weights)
    model.eval()
    codes = []
    for start in range(0, len(images), CHUNK):
        some = slice(start, start + CHUNK)
        x = images[some].float() / 255
        codes.append(_three(package.vae.forward(model, x, None if labels is None else labels[some]))[1:])
    mean, logvar = (torch.cat(parts) for parts in zip(*codes, strict=True))
    return {"mean": mean, "logvar": logvar}


@torch.no_grad()
def decode(package: VaePackage, weights: State, z: Tensor, labels: Tensor | None) -> Tensor:
    """Return the means of pixels [N, 784] for latents z [N, latent_size], with the decoder's weights only."""
    decoder = package.vae.decoder_of(_model(package, labels, z.shape[1])).to(z.device)
    decoder.load_state_dict(weights)
    taken = z if labels is None else torch.cat([z, labels], dim=1)
    return torch.cat([decoder.eval()(part).reshape(len(part), -1) for part in torch.split(taken, CHUNK)])


def _model(package: VaePackage, labels: Tensor | None, latent_size: int) -> nn.Module:
    """Return a new VAE, or a conditional one if there are labels."""
    return built(package.vae.headed_model, conditional=labels is not None, latent_size=latent_size)
