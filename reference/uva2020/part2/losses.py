"""The losses of the game of Goodfellow et al. (2014), from the discriminator's logits [B, 1]."""

import torch
import torch.nn.functional as F


def generator_loss(logits_fake):
    """The non-saturating loss -E log D(G(z)), whose gradient stays large where D rejects the fakes."""
    return F.binary_cross_entropy_with_logits(logits_fake, torch.ones_like(logits_fake))


def discriminator_loss(logits_real, logits_fake):
    """The loss -E log D(x) - E log(1 - D(G(z))), each term a mean over its half of the batch."""
    loss_real = F.binary_cross_entropy_with_logits(logits_real, torch.ones_like(logits_real))
    loss_fake = F.binary_cross_entropy_with_logits(logits_fake, torch.zeros_like(logits_fake))
    return loss_real + loss_fake
