"""Mistakes in DiscriminatorMLP, [B, 1, 28, 28] → logits [B, 1]."""

import torch
import torch.nn.functional as F
from torch import nn

from graders.misconceptions import defaults, misconception

defaults("part2/models.py:DiscriminatorMLP.forward", fails=("gan.discriminator",))


@misconception
def sigmoid_at_the_end(self, x):
    """You end the discriminator with a sigmoid: return logits, the last linear layer's output, since
    F.binary_cross_entropy_with_logits applies the sigmoid without overflow."""
    return torch.sigmoid(self.original(x))


@misconception
def softmax_at_the_end(self, x):
    """You take a softmax over the discriminator's single score, which is 1 for every image and has no gradient: return
    the logit itself."""
    return torch.softmax(self.original(x), dim=1)


@misconception
def never_negative(self, x):
    """You put an activation such as softplus or ReLU on the discriminator's last layer, so that its scores are never
    negative and no image can be called fake: return logits of either sign, as a linear layer gives them."""
    return F.softplus(self.original(x))


@misconception
def tanh_at_the_end(self, x):
    """You end the discriminator with a tanh, so that its scores stay within (−1, 1) and D within (0.27, 0.73): return
    logits of any size, as a linear layer gives them."""
    return torch.tanh(self.original(x))


@misconception
def no_last_dimension(self, x):
    """You drop the last dimension of the discriminator's scores and return [B]: keep them as [B, 1]."""
    return self.original(x).squeeze(1)


@misconception
def normalised_by_the_batch(self, x):
    """You subtract the batch's own mean inside the discriminator in eval mode too, so that each score depends on the
    other images of the batch: score every image on its own."""
    return self.original(x - x.mean(dim=0))


@misconception
def dropout_without_rest(self, x):
    """Your discriminator drops units in eval mode too, because F.dropout does not know the mode: use the module
    nn.Dropout, or pass training=self.training."""
    return self.original(F.dropout(x, 0.3))


@misconception("part2/models.py:DiscriminatorMLP")
class layers_in_a_list(nn.Module):
    """You keep the discriminator's layers in a plain list, which hides them from parameters(), so that no optimiser
    ever trains them: put them into an nn.ModuleList or an nn.Sequential."""

    def __init__(self, input_dims=784, hidden_dims=(512, 256), dp_rate=0.3):
        super().__init__()
        dims = [input_dims, *hidden_dims]
        self.layers = hidden_layers(dims, dp_rate)
        self.last = nn.Linear(dims[-1], 1)

    def forward(self, x):
        x = torch.flatten(x, start_dim=1)
        for layer in self.layers:
            x = layer(x)
        return self.last(x)


defaults("part2/models.py:DiscriminatorMLP.__init__", fails=("gan.discriminator",))


@misconception
def first_of_hidden_dims_only(self, input_dims=784, hidden_dims=(512, 256), dp_rate=0.3):
    """You build the discriminator from the first entry of hidden_dims only, so that it has one hidden layer whatever
    the list says: add a layer for every entry."""
    self.original(input_dims, hidden_dims[:1], dp_rate)


@misconception
def last_of_hidden_dims_only(self, input_dims=784, hidden_dims=(512, 256), dp_rate=0.3):
    """You build the discriminator from the last entry of hidden_dims only, so that it has one hidden layer whatever the
    list says: add a layer for every entry."""
    self.original(input_dims, hidden_dims[-1:], dp_rate)
