"""The conditional discriminator: what is written in place of ConditionalDiscriminator, [B, 784 + 10] → [B, 1]."""

import torch
from torch import nn

from graders.misconceptions import defaults, misconception

defaults("homework.ipynb:ConditionalDiscriminator.forward", fails=("cgan.discriminator_condition",))


@misconception
def label_ignored(self, x):
    """Your discriminator drops the label on the way: an image gets the same score with any label, and nothing tells the
    generator to draw the digit that was asked. Put the image and the one-hot label through the first layer."""
    return self.inner(torch.cat([x[:, :pixels], torch.zeros(len(x), classes)], dim=1))


@misconception
def image_ignored(self, x):
    """Your discriminator drops the image on the way: whatever comes with a label gets the same score. Put the image and
    the one-hot label through the first layer."""
    return self.inner(torch.cat([torch.zeros(len(x), pixels), x[:, pixels:]], dim=1))


@misconception
def softmax_of_one_score(self, x):
    """You put a softmax over one score, which is 1 whatever the score: use a sigmoid, or leave it to the loss."""
    return torch.softmax(self.inner(x), dim=1)


@misconception(fails=("cgan.discriminator",))
def batch_average(self, x):
    """You add the mean score of the batch to all of its scores: each image gets a score of its own."""
    return self.inner(x) + self.inner(x).mean()


@misconception(fails=("cgan.discriminator",))
def dropout_that_stays(self, x):
    """You call F.dropout without training=self.training in the discriminator, so that scores are random in eval mode as
    well: use nn.Dropout, or pass training=self.training."""
    return self.inner(F.dropout(x, 0.3))


@misconception("homework.ipynb:ConditionalDiscriminator", fails=("cgan.discriminator",))
class layers_in_a_list(nn.Module):
    """You keep the discriminator's layers in a Python list, where neither an optimiser nor .to(device) finds them: use
    nn.ModuleList or nn.Sequential."""

    def __init__(self):
        super().__init__()
        self.known = nn.Linear(pixels + classes, pixels + classes)
        self.layers = [nn.Linear(pixels + classes, 128), nn.ReLU(), nn.Linear(128, 1)]

    def forward(self, x):
        x = self.known(x)
        for layer in self.layers:
            x = layer(x)
        return x


@misconception
def label_rounded_to_parity(self, x):
    """Your discriminator only sees whether the digit is odd: it accepts an 8 where a 2 was asked for. Give it all ten
    numbers of the one-hot label."""
    odd = x[:, pixels + 1 :: 2].sum(dim=1, keepdim=True)
    hot = torch.cat([odd, torch.zeros(len(x), classes - 1)], dim=1)
    return self.inner(torch.cat([x[:, :pixels], hot], dim=1))


@misconception(fails=("cgan.discriminator",))
def images_detached(self, x):
    """You take the images out of the graph in the discriminator's forward, by detach, .data or numpy, so that no
    gradient reaches the generator, which learns nothing: detach the fake images in the discriminator's step only, where
    you call it."""
    return self.inner(x.detach())


@misconception(fails=("cgan.discriminator",))
def scores_detached(self, x):
    """You take the scores out of the graph, by detach, .data, numpy or no_grad, so that neither network learns anything
    from them: return them as they come from the last layer."""
    return self.inner(x).detach()
