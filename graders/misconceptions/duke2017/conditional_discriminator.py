"""The conditional discriminator: what is written in place of ConditionalDiscriminator, [B, 784 + 10] → [B, 1]."""

import torch
from torch import nn

from graders.misconceptions import misconception


@misconception("homework.ipynb:ConditionalDiscriminator.forward", fails="cgan.discriminator_condition")
def label_ignored(self, x):
    """Your discriminator drops the label on the way: an image gets the same score with any label, and nothing tells the
    generator to draw the digit that was asked. Put the image and the one-hot label through the first layer."""
    return self.inner(torch.cat([x[:, :pixels], torch.zeros(len(x), classes)], dim=1))


@misconception("homework.ipynb:ConditionalDiscriminator.forward", fails="cgan.discriminator_condition")
def image_ignored(self, x):
    """Your discriminator drops the image on the way: whatever comes with a label gets the same score. Put the image and
    the one-hot label through the first layer."""
    return self.inner(torch.cat([torch.zeros(len(x), pixels), x[:, pixels:]], dim=1))


@misconception("homework.ipynb:ConditionalDiscriminator.forward", fails="cgan.discriminator_condition")
def softmax_of_one_score(self, x):
    """You put a softmax over one score, which is 1 whatever the score: use a sigmoid, or leave it to the loss."""
    return torch.softmax(self.inner(x), dim=1)


@misconception("homework.ipynb:ConditionalDiscriminator.forward", fails="cgan.discriminator")
def batch_average(self, x):
    """You add the mean score of the batch to all of its scores: each image gets a score of its own."""
    return self.inner(x) + self.inner(x).mean()


@misconception("homework.ipynb:ConditionalDiscriminator.forward", fails="cgan.discriminator")
def dropout_that_stays(self, x):
    """You call F.dropout without training=self.training in the discriminator, so that scores are random in eval mode as
    well: use nn.Dropout, or pass training=self.training."""
    return self.inner(F.dropout(x, 0.3))


@misconception("homework.ipynb:ConditionalDiscriminator", fails="cgan.discriminator")
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
