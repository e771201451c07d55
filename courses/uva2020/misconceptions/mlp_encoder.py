"""Mistakes in MLPEncoder, images [B, C, H, W] → mean and log_std, each [B, z_dim]."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from graders.misconceptions import defaults, misconception


def perceptron(dims):
    """Returns linear layers of these widths with a ReLU after each but the last."""
    layers = [layer for n_in, n_out in pairwise(dims) for layer in (nn.Linear(n_in, n_out), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


class Encoder(nn.Module):
    """A correct encoder; the wrong ones change the widths of its layers."""

    def __init__(self, dims):
        super().__init__()
        self.net = perceptron(dims)

    def forward(self, x):
        return self.net(x.flatten(start_dim=1)).chunk(2, dim=-1)


# Activations on outputs


defaults("part1/mlp_encoder_decoder.py:MLPEncoder.forward", fails=("vae.mlp_encoder",))


@misconception
def relu_on_outputs(self, x):
    """You put a ReLU on the encoder's output layer, so that neither mean nor log_std can be negative; the activation
    belongs after hidden layers only."""
    mean, log_std = self.original(x)
    return F.relu(mean), F.relu(log_std)


@misconception
def tanh_on_outputs(self, x):
    """You limit the encoder's outputs to (−1, 1), as a tanh does, which mean and log_std must be able to leave: the
    output layer should be linear."""
    mean, log_std = self.original(x)
    return torch.tanh(mean), torch.tanh(log_std)


@misconception
def sigmoid_on_outputs(self, x):
    """You put a sigmoid on the encoder's output layer, so that mean and log_std cannot leave (0, 1); the output layer
    should be linear."""
    mean, log_std = self.original(x)
    return torch.sigmoid(mean), torch.sigmoid(log_std)


@misconception
def softmax_on_outputs(self, x):
    """You put a softmax on the encoder's outputs, as in a classifier, so that each row sums to 1; mean and log_std are
    no probabilities, and the output layer should be linear."""
    mean, log_std = self.original(x)
    return mean.softmax(dim=-1), log_std.softmax(dim=-1)


@misconception
def relu_on_mean(self, x):
    """You put a ReLU on the mean, so that it cannot be negative: half of the latent space stays unused. Return what
    the linear layer gives."""
    mean, log_std = self.original(x)
    return F.relu(mean), log_std


@misconception
def tanh_on_mean(self, x):
    """You limit the mean to (−1, 1), as a tanh does: a mean may be any real number, so return what the linear layer
    gives."""
    mean, log_std = self.original(x)
    return torch.tanh(mean), log_std


@misconception
def sigmoid_on_mean(self, x):
    """You put a sigmoid on the mean, so that it cannot leave (0, 1): latents are no pixels, and a mean may be any real
    number."""
    mean, log_std = self.original(x)
    return torch.sigmoid(mean), log_std


@misconception
def relu_on_log_std(self, x):
    """You put a ReLU on log_std, so that the standard deviation cannot be below 1: it is the standard deviation that
    is positive, its logarithm may be any real number."""
    mean, log_std = self.original(x)
    return mean, F.relu(log_std)


@misconception
def softplus_on_log_std(self, x):
    """You put a softplus on log_std, as if it were the standard deviation, but its logarithm is asked for, which may be
    negative: return the linear layer's output, or the logarithm of the softplus."""
    mean, log_std = self.original(x)
    return mean, F.softplus(log_std)


@misconception
def std_for_log_std(self, x):
    """You return the standard deviation, exp(log_std), but its logarithm is asked for: leave the exponential to those
    who call the encoder."""
    mean, log_std = self.original(x)
    return mean, log_std.exp()


@misconception
def sigmoid_on_log_std(self, x):
    """You put a sigmoid on log_std, so that the standard deviation stays between 1 and 2.72: a logarithm may be any
    real number, so return what the linear layer gives."""
    mean, log_std = self.original(x)
    return mean, torch.sigmoid(log_std)


@misconception
def tanh_on_log_std(self, x):
    """You limit log_std to (−1, 1), as a tanh does, so that the standard deviation stays between 0.37 and 2.72, too
    wide for sharp images: return what the linear layer gives."""
    mean, log_std = self.original(x)
    return mean, torch.tanh(log_std)


@misconception
def negative_log_std(self, x):
    """You take the absolute value, a square or the like of log_std with a minus before it, so that the standard
    deviation cannot be above 1: a logarithm may be any real number."""
    mean, log_std = self.original(x)
    return mean, -log_std.abs()


# Two outputs


@misconception
def one_head_for_both(self, x):
    """You return the same numbers as mean and as log_std: each needs an output layer of its own, or a half of one
    layer with 2·z_dim outputs."""
    mean, _ = self.original(x)
    return mean, mean


@misconception
def log_std_of_zeros(self, x):
    """You return zeros as log_std, so that every posterior has a standard deviation of 1: log_std is to be predicted
    from the image, as the mean is."""
    mean, log_std = self.original(x)
    return mean, torch.zeros_like(log_std)


@misconception("part1/mlp_encoder_decoder.py:MLPEncoder")
class LogStdAsParameter(nn.Module):
    """You made log_std a parameter that all images share: each image has a posterior of its own, so predict log_std
    from the image, as you do the mean."""

    def __init__(self, input_dim=784, hidden_dims=(512,), z_dim=20):
        super().__init__()
        self.net = perceptron([input_dim, *hidden_dims, z_dim])
        self.log_std = nn.Parameter(torch.zeros(z_dim))

    def forward(self, x):
        mean = self.net(x.flatten(start_dim=1))
        return mean, self.log_std.expand_as(mean)


@misconception("part1/mlp_encoder_decoder.py:MLPEncoder")
class OneLogStdForAllLatents(nn.Module):
    """Your log_std is one number for each image, repeated for all latents: the posterior has a standard deviation for
    each latent, so log_std needs z_dim outputs."""

    def __init__(self, input_dim=784, hidden_dims=(512,), z_dim=20):
        super().__init__()
        self.z_dim = z_dim
        self.net = perceptron([input_dim, *hidden_dims, z_dim + 1])

    def forward(self, x):
        out = self.net(x.flatten(start_dim=1))
        return out[:, : self.z_dim], out[:, self.z_dim :].expand(-1, self.z_dim)


@misconception(
    "part1/mlp_encoder_decoder.py:MLPEncoder", fails=("vae.mlp_encoder", "vae.loss", "vae.training_loop"), raises=True
)
class HalfOfZDim(Encoder):
    """You split z_dim outputs into mean and log_std, so that each has only half of the latents: the output layer needs
    2·z_dim outputs."""

    def __init__(self, input_dim=784, hidden_dims=(512,), z_dim=20):
        super().__init__([input_dim, *hidden_dims, z_dim])


@misconception(fails=("vae.mlp_encoder", "vae.loss", "vae.training_loop"), raises=True)
def split_along_the_batch(self, x):
    """You split the output into mean and log_std along the batch, so that one half of the images gives means and the
    other log_stds: split along the last dimension, with dim=-1."""
    return torch.cat(self.original(x), dim=-1).chunk(2, dim=0)


@misconception(fails=("vae.mlp_encoder", "vae.loss", "vae.training_loop"), raises=True)
def in_one_tensor(self, x):
    """You return mean and log_std in one tensor of 2·z_dim columns: split it, and return two."""
    return torch.cat(self.original(x), dim=-1)


@misconception
def sample_for_mean(self, x):
    """You return a draw from the posterior instead of its mean: the encoder should only predict mean and log_std, and
    sampling comes after it."""
    mean, log_std = self.original(x)
    return mean + log_std.exp() * torch.randn_like(mean), log_std


# Layers


defaults("part1/mlp_encoder_decoder.py:MLPEncoder", fails=("vae.mlp_encoder",))


@misconception
class LayersInAList(Encoder):
    """You keep the encoder's layers in a Python list, where no optimiser finds them: use nn.ModuleList or
    nn.Sequential, which register what they hold."""

    def __init__(self, input_dim=784, hidden_dims=(512,), z_dim=20):
        super().__init__([input_dim, *hidden_dims, 2 * z_dim])
        self.layers = [self.net]
        del self.net

    def forward(self, x):
        return self.layers[0](x.flatten(start_dim=1)).chunk(2, dim=-1)


@misconception
class HiddenLayersInAList(nn.Module):
    """You keep the encoder's hidden layers in a Python list, so that an optimiser finds the output layer only: use
    nn.ModuleList or nn.Sequential, which register what they hold."""

    def __init__(self, input_dim=784, hidden_dims=(512,), z_dim=20):
        super().__init__()
        dims = [input_dim, *hidden_dims]
        self.hidden = [nn.Linear(n_in, n_out) for n_in, n_out in pairwise(dims)]
        self.head = nn.Linear(dims[-1], 2 * z_dim)

    def forward(self, x):
        x = x.flatten(start_dim=1)
        for layer in self.hidden:
            x = F.relu(layer(x))
        return self.head(x).chunk(2, dim=-1)


@misconception
class FirstHiddenSizeOnly(Encoder):
    """You build one hidden layer, from the first entry of hidden_dims, and ignore the others: there should be a hidden
    layer for each entry."""

    def __init__(self, input_dim=784, hidden_dims=(512,), z_dim=20):
        super().__init__([input_dim, hidden_dims[0], 2 * z_dim])


@misconception
class LastHiddenSizeOnly(Encoder):
    """You build one hidden layer, from the last entry of hidden_dims, since each turn of your loop starts again from
    the input: a layer's input is the output of the one before it."""

    def __init__(self, input_dim=784, hidden_dims=(512,), z_dim=20):
        super().__init__([input_dim, hidden_dims[-1], 2 * z_dim])


@misconception
class LastHiddenLayerLeftOut(Encoder):
    """Your loop over hidden_dims ends one too early, so that the last hidden layer is missing: there should be as many
    as hidden_dims has entries."""

    def __init__(self, input_dim=784, hidden_dims=(512,), z_dim=20):
        super().__init__([input_dim, *hidden_dims[:-1], 2 * z_dim])


@misconception
class FirstHiddenLayerLeftOut(Encoder):
    """Your loop over hidden_dims starts at its second entry, so that the first hidden layer is missing: there should be
    as many as hidden_dims has entries."""

    def __init__(self, input_dim=784, hidden_dims=(512,), z_dim=20):
        super().__init__([input_dim, *hidden_dims[1:], 2 * z_dim])


@misconception
class NoHiddenLayer(Encoder):
    """Your encoder is a single linear layer from pixels to outputs: there should be a hidden layer for each entry of
    hidden_dims, with an activation after it."""

    def __init__(self, input_dim=784, hidden_dims=(512,), z_dim=20):
        super().__init__([input_dim, 2 * z_dim])


@misconception
class HiddenSizesIgnored(Encoder):
    """Your encoder has a hidden layer of 512 units whatever hidden_dims says: there should be a layer for each of its
    entries, as wide as that."""

    def __init__(self, input_dim=784, hidden_dims=(512,), z_dim=20):
        super().__init__([input_dim, 512, 2 * z_dim])


@misconception
class FirstWidthForAll(Encoder):
    """All of your hidden layers are as wide as the first entry of hidden_dims says: each should have the width of its
    own entry."""

    def __init__(self, input_dim=784, hidden_dims=(512,), z_dim=20):
        super().__init__([input_dim, *[hidden_dims[0]] * len(hidden_dims), 2 * z_dim])


@misconception
class OneLayerUsedAgain(nn.Module):
    """You use one and the same hidden layer several times, so that all uses share their weights: make a new nn.Linear
    for each entry of hidden_dims."""

    def __init__(self, input_dim=784, hidden_dims=(512,), z_dim=20):
        super().__init__()
        width = hidden_dims[0]
        hidden = [nn.Linear(width, width)] * (len(hidden_dims) - 1)
        self.hidden = nn.ModuleList([nn.Linear(input_dim, width), *hidden])
        self.head = nn.Linear(width, 2 * z_dim)

    def forward(self, x):
        x = x.flatten(start_dim=1)
        for layer in self.hidden:
            x = F.relu(layer(x))
        return self.head(x).chunk(2, dim=-1)


@misconception
class NoActivations(Encoder):
    """There is no activation between your encoder's layers, so that together they are one linear layer: put a ReLU
    after each hidden layer."""

    def __init__(self, input_dim=784, hidden_dims=(512,), z_dim=20):
        super().__init__([input_dim, *hidden_dims, 2 * z_dim])
        self.net = nn.Sequential(*[layer for layer in self.net if isinstance(layer, nn.Linear)])


# Inputs and sizes


@misconception("part1/mlp_encoder_decoder.py:MLPEncoder.forward")
def centred_by_the_batch(self, x):
    """You subtract the batch's average from the images, in evaluation too, so that an image's code depends on the other
    images: encode each image on its own."""
    return self.original(x - x.mean(dim=0))


@misconception
class PixelsOfOtherImages(Encoder):
    """You reshape the batch to [pixels, B] and transpose, so that each row is made of pixels of several images: flatten
    with x.flatten(start_dim=1), which keeps images apart."""

    def __init__(self, input_dim=784, hidden_dims=(512,), z_dim=20):
        super().__init__([input_dim, *hidden_dims, 2 * z_dim])

    def forward(self, x):
        return super().forward(x.reshape(-1, len(x)).T)


@misconception(fails=("vae.mlp_encoder", "vae.loss", "vae.training_loop"), raises=True)
class BatchFlattenedToo(Encoder):
    """You flatten the whole batch into one vector: only the pixels of each image are to be flattened, with
    x.flatten(start_dim=1)."""

    def __init__(self, input_dim=784, hidden_dims=(512,), z_dim=20):
        super().__init__([input_dim, *hidden_dims, 2 * z_dim])

    def forward(self, x):
        return self.net(x.flatten()).chunk(2, dim=-1)


@misconception(fails=("vae.mlp_encoder", "vae.loss", "vae.training_loop"), raises=True)
class NotFlattened(Encoder):
    """You give images [B, C, H, W] to a linear layer as they are: flatten each into one row first, with
    x.flatten(start_dim=1)."""

    def __init__(self, input_dim=784, hidden_dims=(512,), z_dim=20):
        super().__init__([input_dim, *hidden_dims, 2 * z_dim])

    def forward(self, x):
        return self.net(x).chunk(2, dim=-1)


@misconception(raises=True)
class Always784Pixels(Encoder):
    """Your first layer takes 784 pixels whatever input_dim says: use input_dim."""

    def __init__(self, input_dim=784, hidden_dims=(512,), z_dim=20):
        super().__init__([784, *hidden_dims, 2 * z_dim])


@misconception("part1/mlp_encoder_decoder.py:MLPEncoder.forward", raises=True)
def reshaped_to_784_pixels(self, x):
    """You reshape every image to 784 pixels, although the encoder is built with input_dim: flatten the images with
    x.flatten(start_dim=1), or reshape them to (len(x), -1)."""
    return self.original(torch.reshape(x, (x.shape[0], 784)))


@misconception("part1/mlp_encoder_decoder.py:MLPEncoder.forward", raises=True)
def viewed_as_784_pixels(self, x):
    """You view every image as 784 pixels, although the encoder is built with input_dim: flatten the images with
    x.flatten(start_dim=1), or view them as (len(x), -1)."""
    return self.original(x.view(-1, 784))


@misconception(fails=("vae.mlp_encoder", "vae.loss", "vae.training_loop"), raises=True)
class Always20Latents(Encoder):
    """Your encoder gives 20 latents whatever z_dim says: use z_dim."""

    def __init__(self, input_dim=784, hidden_dims=(512,), z_dim=20):
        super().__init__([input_dim, *hidden_dims, 2 * 20])


@misconception("part1/mlp_encoder_decoder.py:MLPEncoder.forward")
def dropout_in_evaluation(self, x):
    """Your dropout is active in evaluation too, as F.dropout is unless it is told otherwise: use nn.Dropout, or
    F.dropout(x, training=self.training)."""
    return self.original(F.dropout(x))
