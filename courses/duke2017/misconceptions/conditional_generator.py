"""The conditional generator: what is written in place of ConditionalGenerator, [B, latent_size + 10] → [B, 784]."""

import torch
from torch import nn

from graders.misconceptions import defaults, misconception

defaults("homework.ipynb:ConditionalGenerator.forward", fails=("cgan.generator",))


@misconception(fails=("cgan.generator_condition",))
def label_ignored(self, x):
    """Your generator drops the label on the way: all digits give the same image. Put the whole row, noise and one-hot
    label, through the first layer."""
    return self.inner(torch.cat([x[:, :latent_size], torch.zeros(len(x), classes)], dim=1))


@misconception(fails=("cgan.generator_condition",))
def noise_ignored(self, x):
    """Your generator drops the noise on the way: it can give one image of each digit only. Put the whole row, noise and
    one-hot label, through the first layer."""
    return self.inner(torch.cat([torch.zeros(len(x), latent_size), x[:, latent_size:]], dim=1))


@misconception(fails=("cgan.generator", "cgan.generator_condition"))
def label_of_the_first_row(self, x):
    """You give all images of a batch the label of its first row: each row has a label of its own."""
    hot = x[:1, latent_size:].expand(len(x), -1)
    return self.inner(torch.cat([x[:, :latent_size], hot], dim=1))


@misconception(fails=("cgan.generator_condition",))
def label_rounded_to_parity(self, x):
    """Your generator only sees whether the digit is odd: some digits share an image. Give it all ten numbers of the
    one-hot label."""
    odd = x[:, latent_size + 1 :: 2].sum(dim=1, keepdim=True)
    hot = torch.cat([odd, torch.zeros(len(x), classes - 1)], dim=1)
    return self.inner(torch.cat([x[:, :latent_size], hot], dim=1))


@misconception
def own_noise(self, x):
    """Your generator draws noise of its own in forward, in place of what it is given, so that the same input gives
    another image each time: the noise is an input."""
    return self.inner(torch.cat([torch.randn(len(x), latent_size), x[:, latent_size:]], dim=1))


@misconception
def without_an_activation(self, x):
    """Your generator ends in a linear layer, so that pixels may be any numbers: end with a tanh, for images in [−1, 1],
    or with a sigmoid, for [0, 1]."""
    return self.inner.layers[:-1](x)


@misconception
def batch_statistics(self, x):
    """You subtract the mean of the batch, also in eval mode, so that an image depends on what else is made with it: use
    nn.BatchNorm1d, which keeps running averages for that."""
    x = self.inner.layers[:-1](x)
    return torch.tanh(x - x.mean(dim=0))


@misconception("homework.ipynb:ConditionalGenerator")
class layers_in_a_list(nn.Module):
    """You keep the generator's layers in a Python list, where neither an optimiser nor .to(device) finds them: use
    nn.ModuleList or nn.Sequential."""

    def __init__(self):
        super().__init__()
        self.known = nn.Linear(latent_size + classes, latent_size + classes)
        self.layers = [nn.Linear(latent_size + classes, 128), nn.ReLU(), nn.Linear(128, pixels), nn.Tanh()]

    def forward(self, x):
        x = self.known(x)
        for layer in self.layers:
            x = layer(x)
        return x


@misconception
def softmax_over_pixels(self, x):
    """You end with a softmax, which makes the pixels of an image add up to 1: every pixel is a number of its own, so
    end with a tanh or a sigmoid."""
    return 400 * torch.softmax(self.inner.layers[:-1](x), dim=1)


@misconception
def images_detached(self, x):
    """You take the images out of the graph in the generator's forward, by detach, .data, numpy or no_grad, so that no
    gradient reaches its weights, and it learns nothing: return them as they come from the last layer."""
    return self.inner(x).detach()
