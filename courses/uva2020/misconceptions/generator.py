"""Mistakes in GeneratorMLP, [B, z_dim] → images [B, 1, 28, 28] in (−1, 1)."""

import torch
import torch.nn.functional as F
from torch import nn

from graders.misconceptions import defaults, misconception

defaults("part2/models.py:GeneratorMLP.forward", fails=("gan.generator",))


@misconception
def sigmoid_at_the_end(self, z):
    """You end the generator with a sigmoid, so that its pixels lie in (0, 1): end with a tanh, since the data are
    scaled to [−1, 1]."""
    return torch.sigmoid(self.net(z)).view(-1, *self.output_shape)


@misconception
def relu_at_the_end(self, z):
    """You end the generator with a ReLU, so that its pixels are never negative and have no upper bound: end with a
    tanh, since the data are scaled to [−1, 1]."""
    return F.relu(self.net(z)).view(-1, *self.output_shape)


@misconception
def no_activation_at_the_end(self, z):
    """You return the output of the generator's last linear layer, which is not bounded: end with a tanh, so that pixels
    lie in (−1, 1) as the data do."""
    return self.net(z).view(-1, *self.output_shape)


@misconception
def half_a_tanh(self, z):
    """You multiply the generator's tanh by one half, so that no pixel can come near −1 or 1, where most of the data
    are: return the tanh as it is."""
    return 0.5 * self.original(z)


@misconception
def flat_images(self, z):
    """You return the generator's images as flat rows of 784 pixels: reshape them to [B, *output_shape], here
    [B, 1, 28, 28]."""
    return self.original(z).flatten(1)


@misconception
def no_channel(self, z):
    """You return the generator's images without the dimension of their one channel, as [B, 28, 28]: reshape them to
    [B, *output_shape], here [B, 1, 28, 28]."""
    return self.original(z).squeeze(1)


@misconception
def scaled_by_the_batch(self, z):
    """You scale the generator's images by the smallest and largest pixel of the whole batch, so that each image depends
    on the others: end with a tanh, which transforms every pixel on its own."""
    x = self.original(z)
    return 2 * (x - x.min()) / (x.max() - x.min()) - 1


@misconception
def dropout_without_rest(self, z):
    """Your generator drops units in eval mode too, because F.dropout does not know the mode: use the module nn.Dropout,
    or pass training=self.training."""
    return torch.tanh(self.net(F.dropout(z, 0.1))).view(-1, *self.output_shape)


@misconception("part2/models.py:GeneratorMLP")
class layers_in_a_list(nn.Module):
    """You keep the generator's layers in a plain list, which hides them from parameters(), so that no optimiser ever
    trains them: put them into an nn.ModuleList or an nn.Sequential."""

    def __init__(self, z_dim=32, hidden_dims=(128, 256, 512, 1024), output_shape=(1, 28, 28), dp_rate=0.1):
        super().__init__()
        self.output_shape = tuple(output_shape)
        dims = [z_dim, *hidden_dims]
        self.layers = hidden_layers(dims, dp_rate)
        self.last = nn.Linear(dims[-1], math.prod(self.output_shape))

    def forward(self, z):
        for layer in self.layers:
            z = layer(z)
        return torch.tanh(self.last(z)).view(-1, *self.output_shape)

    @property
    def device(self):
        return self.last.weight.device


defaults("part2/models.py:GeneratorMLP.__init__", fails=("gan.generator",))


@misconception
def first_of_hidden_dims_only(self, z_dim=32, hidden_dims=(128, 256, 512), output_shape=(1, 28, 28), dp_rate=0.1):
    """You build the generator from the first entry of hidden_dims only, so that it has one hidden layer whatever the
    list says: add a layer for every entry."""
    self.original(z_dim, hidden_dims[:1], output_shape, dp_rate)


@misconception
def last_of_hidden_dims_only(self, z_dim=32, hidden_dims=(128, 256, 512), output_shape=(1, 28, 28), dp_rate=0.1):
    """You build the generator from the last entry of hidden_dims only, so that it has one hidden layer whatever the
    list says: add a layer for every entry."""
    self.original(z_dim, hidden_dims[-1:], output_shape, dp_rate)


@misconception
def output_shape_ignored(self, z_dim=32, hidden_dims=(128, 256, 512), output_shape=(1, 28, 28), dp_rate=0.1):
    """Your generator gives images of one channel and 28×28 pixels whatever output_shape says: use output_shape for the
    size of the last layer, and to reshape its output."""
    self.original(z_dim, hidden_dims, (1, 28, 28), dp_rate)


@misconception
def channels_ignored(self, z_dim=32, hidden_dims=(128, 256, 512), output_shape=(1, 28, 28), dp_rate=0.1):
    """Your generator gives images of one channel whatever output_shape says: its first entry is the number of channels,
    and belongs to the size of the last layer as the others do."""
    self.original(z_dim, hidden_dims, (1, *output_shape[1:]), dp_rate)
