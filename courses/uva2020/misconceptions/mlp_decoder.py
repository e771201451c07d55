"""Mistakes in MLPDecoder, latents [B, z_dim] → logits [B, *output_shape]."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from graders.misconceptions import defaults, misconception


def perceptron(dims):
    """Returns linear layers of these widths with a ReLU after each but the last."""
    layers = [layer for n_in, n_out in pairwise(dims) for layer in (nn.Linear(n_in, n_out), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


class Decoder(nn.Module):
    """A correct decoder; the wrong ones change the widths of its layers."""

    def __init__(self, dims, output_shape):
        super().__init__()
        self.output_shape = tuple(output_shape)
        self.net = perceptron([*dims, math.prod(output_shape)])

    def forward(self, z):
        return self.net(z).unflatten(-1, self.output_shape)

    @property
    def device(self):
        return next(self.parameters()).device


# Activations on the output


defaults("part1/mlp_encoder_decoder.py:MLPDecoder.forward", fails=("vae.mlp_decoder",))


@misconception
def sigmoid_on_output(self, z):
    """You end the decoder with a sigmoid: return logits, since the loss applies the sigmoid in a numerically stable
    way, and sampling applies it too."""
    return torch.sigmoid(self.original(z))


@misconception
def relu_on_output(self, z):
    """You put a ReLU on the decoder's output layer, so that no pixel's mean can be below ½: the activation belongs
    after hidden layers only."""
    return F.relu(self.original(z))


@misconception
def tanh_on_output(self, z):
    """You limit the decoder's output to (−1, 1), as the tanh of a GAN's generator does, so that pixels' means cannot
    leave 0.27 … 0.73: it should give logits, which may be any real numbers."""
    return torch.tanh(self.original(z))


@misconception
def softmax_on_output(self, z):
    """You end the decoder with a softmax over pixels, so that their values sum to 1: each pixel is a Bernoulli variable
    of its own, with a logit that may be any real number."""
    logits = self.original(z)
    return logits.flatten(start_dim=1).softmax(dim=-1).reshape(logits.shape)


@misconception
def log_probabilities(self, z):
    """You return the logarithms of the pixels' means, log sigmoid, which cannot be positive: return logits, the output
    of the last linear layer."""
    return F.logsigmoid(self.original(z))


@misconception
def pixels_drawn(self, z):
    """You draw the pixels in the decoder, through which no gradient flows: return their logits, and draw in
    VAE.sample."""
    return torch.bernoulli(torch.sigmoid(self.original(z)))


# Shapes


@misconception(fails=("vae.mlp_decoder", "vae.loss", "vae.sample", "vae.training_loop"), raises=True)
def flat_output(self, z):
    """You return the logits as flat rows: reshape them to [B, *output_shape]."""
    return self.original(z).flatten(start_dim=1)


@misconception(fails=("vae.mlp_decoder", "vae.loss", "vae.sample", "vae.training_loop"), raises=True)
def no_channel(self, z):
    """You return the logits without the dimension of their channels, as [B, H, W]: reshape them to
    [B, *output_shape]."""
    return self.original(z)[:, 0]


@misconception(fails=("vae.mlp_decoder", "vae.loss", "vae.sample", "vae.training_loop"), raises=True)
def channels_last(self, z):
    """You return the logits with the channels last, as matplotlib expects pictures: PyTorch's order is [B, C, H, W]."""
    return self.original(z).permute(0, 2, 3, 1)


@misconception("part1/mlp_encoder_decoder.py:MLPDecoder")
class FixedOutputShape(Decoder):
    """Your decoder gives images of 1×28×28 whatever output_shape says: use output_shape."""

    def __init__(self, z_dim=20, hidden_dims=(512,), output_shape=(1, 28, 28)):
        super().__init__([z_dim, *hidden_dims], (1, 28, 28))


@misconception("part1/mlp_encoder_decoder.py:MLPDecoder")
class PixelsOfOtherLatents(Decoder):
    """You reshape the output to [*output_shape, B] and move the batch to the front, which mixes the pixels of all
    images: reshape to [B, *output_shape] at once."""

    def __init__(self, z_dim=20, hidden_dims=(512,), output_shape=(1, 28, 28)):
        super().__init__([z_dim, *hidden_dims], output_shape)

    def forward(self, z):
        return self.net(z).reshape(*self.output_shape, len(z)).movedim(-1, 0)


@misconception(
    "part1/mlp_encoder_decoder.py:MLPDecoder",
    fails=("vae.mlp_decoder", "vae.loss", "vae.sample", "vae.training_loop"),
    raises=True,
)
class BatchLost(Decoder):
    """You reshape the decoder's output to output_shape without the batch, which fits a single image only: reshape to
    [B, *output_shape]."""

    def __init__(self, z_dim=20, hidden_dims=(512,), output_shape=(1, 28, 28)):
        super().__init__([z_dim, *hidden_dims], output_shape)

    def forward(self, z):
        return self.net(z).view(self.output_shape)


@misconception(
    "part1/mlp_encoder_decoder.py:MLPDecoder",
    fails=("vae.mlp_decoder", "vae.loss", "vae.sample", "vae.training_loop"),
    raises=True,
)
class Always20Latents(Decoder):
    """Your decoder takes 20 latents whatever z_dim says: use z_dim."""

    def __init__(self, z_dim=20, hidden_dims=(512,), output_shape=(1, 28, 28)):
        super().__init__([20, *hidden_dims], output_shape)


# Layers


defaults("part1/mlp_encoder_decoder.py:MLPDecoder", fails=("vae.mlp_decoder",))


@misconception
class LayersInAList(Decoder):
    """You keep the decoder's layers in a Python list, where no optimiser finds them: use nn.ModuleList or
    nn.Sequential, which register what they hold."""

    def __init__(self, z_dim=20, hidden_dims=(512,), output_shape=(1, 28, 28)):
        super().__init__([z_dim, *hidden_dims], output_shape)
        self.layers = [self.net]
        del self.net

    def forward(self, z):
        return self.layers[0](z).unflatten(-1, self.output_shape)

    @property
    def device(self):
        return self.layers[0][0].weight.device


@misconception
class HiddenLayersInAList(nn.Module):
    """You keep the decoder's hidden layers in a Python list, so that an optimiser finds the output layer only: use
    nn.ModuleList or nn.Sequential, which register what they hold."""

    def __init__(self, z_dim=20, hidden_dims=(512,), output_shape=(1, 28, 28)):
        super().__init__()
        self.output_shape = tuple(output_shape)
        dims = [z_dim, *hidden_dims]
        self.hidden = [nn.Linear(n_in, n_out) for n_in, n_out in pairwise(dims)]
        self.head = nn.Linear(dims[-1], math.prod(output_shape))

    def forward(self, z):
        for layer in self.hidden:
            z = F.relu(layer(z))
        return self.head(z).unflatten(-1, self.output_shape)

    @property
    def device(self):
        return self.head.weight.device


@misconception
class FirstHiddenSizeOnly(Decoder):
    """You build one hidden layer, from the first entry of hidden_dims, and ignore the others: there should be a hidden
    layer for each entry."""

    def __init__(self, z_dim=20, hidden_dims=(512,), output_shape=(1, 28, 28)):
        super().__init__([z_dim, hidden_dims[0]], output_shape)


@misconception
class LastHiddenSizeOnly(Decoder):
    """You build one hidden layer, from the last entry of hidden_dims, since each turn of your loop starts again from
    the input: a layer's input is the output of the one before it."""

    def __init__(self, z_dim=20, hidden_dims=(512,), output_shape=(1, 28, 28)):
        super().__init__([z_dim, hidden_dims[-1]], output_shape)


@misconception
class LastHiddenLayerLeftOut(Decoder):
    """Your loop over hidden_dims ends one too early, so that the last hidden layer is missing: there should be as many
    as hidden_dims has entries."""

    def __init__(self, z_dim=20, hidden_dims=(512,), output_shape=(1, 28, 28)):
        super().__init__([z_dim, *hidden_dims[:-1]], output_shape)


@misconception
class FirstHiddenLayerLeftOut(Decoder):
    """Your loop over hidden_dims starts at its second entry, so that the first hidden layer is missing: there should be
    as many as hidden_dims has entries."""

    def __init__(self, z_dim=20, hidden_dims=(512,), output_shape=(1, 28, 28)):
        super().__init__([z_dim, *hidden_dims[1:]], output_shape)


@misconception
class NoHiddenLayer(Decoder):
    """Your decoder is a single linear layer from latents to pixels: there should be a hidden layer for each entry of
    hidden_dims, with an activation after it."""

    def __init__(self, z_dim=20, hidden_dims=(512,), output_shape=(1, 28, 28)):
        super().__init__([z_dim], output_shape)


@misconception
class HiddenSizesIgnored(Decoder):
    """Your decoder has a hidden layer of 512 units whatever hidden_dims says: there should be a layer for each of its
    entries, as wide as that."""

    def __init__(self, z_dim=20, hidden_dims=(512,), output_shape=(1, 28, 28)):
        super().__init__([z_dim, 512], output_shape)


@misconception
class NoActivations(Decoder):
    """There is no activation between your decoder's layers, so that together they are one linear layer: put a ReLU
    after each hidden layer."""

    def __init__(self, z_dim=20, hidden_dims=(512,), output_shape=(1, 28, 28)):
        super().__init__([z_dim, *hidden_dims], output_shape)
        self.net = nn.Sequential(*[layer for layer in self.net if isinstance(layer, nn.Linear)])


# Inputs


@misconception("part1/mlp_encoder_decoder.py:MLPDecoder.forward")
def centred_by_the_batch(self, z):
    """You subtract the batch's average from the latents, in evaluation too, so that an image depends on the other
    latents: decode each latent on its own."""
    return self.original(z - z.mean(dim=0))


@misconception("part1/mlp_encoder_decoder.py:MLPDecoder.forward")
def dropout_in_evaluation(self, z):
    """Your dropout is active in evaluation too, as F.dropout is unless it is told otherwise: use nn.Dropout, or
    F.dropout(z, training=self.training)."""
    return self.original(F.dropout(z))
