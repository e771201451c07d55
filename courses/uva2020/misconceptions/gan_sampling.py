"""Mistakes in GAN.sample(batch_size) → [B, 1, 28, 28] in [−1, 1], or in its draws of latents [B, z_dim]."""

import torch

from graders.misconceptions import defaults, misconception

defaults("part2/train_torch.py:GAN.draw_latents", fails=("gan.sample",))


@misconception
def uniform_noise(self, batch_size):
    """You draw z by torch.rand, uniformly on [0, 1): the prior is N(0, I), and torch.randn draws from it."""
    return torch.rand_like(self.original(batch_size))


@misconception
def uniform_noise_about_zero(self, batch_size):
    """You draw z uniformly on [−1, 1): the prior is N(0, I), and torch.randn draws from it."""
    return 2 * torch.rand_like(self.original(batch_size)) - 1


@misconception
def twice_the_spread(self, batch_size):
    """You draw z with a standard deviation of 2: the prior is N(0, I), and torch.randn draws from it as it is."""
    return 2 * self.original(batch_size)


defaults("part2/train_torch.py:GAN.sample", fails=("gan.sample",))


@misconception
@torch.no_grad()
def one_latent_for_all(self, batch_size):
    """You decode the same z for all samples of a batch, which are then all equal: draw one z for each of them,
    torch.randn(batch_size, z_dim)."""
    return self.generator(self.draw_latents(1).expand(batch_size, -1))


@misconception
@torch.no_grad()
def one_image_repeated(self, batch_size):
    """You make one image and repeat it for the whole batch: draw a z for each sample, torch.randn(batch_size, z_dim),
    and decode them all."""
    return self.generator(self.draw_latents(1)).repeat(batch_size, 1, 1, 1)


@misconception
def seeded(self, batch_size):
    """You seed the random numbers in sample, so that every call returns the same images: seed once, at the start of the
    program."""
    torch.manual_seed(42)
    return self.original(batch_size)


@misconception
def sigmoid_of_samples(self, batch_size):
    """You apply a sigmoid to the generator's images, which are no logits: its tanh has already brought them to [−1, 1],
    so return them as they are."""
    return torch.sigmoid(self.original(batch_size))


@misconception
def tanh_of_samples(self, batch_size):
    """You apply a tanh to the generator's images, to which the generator has already applied one: return them as they
    are."""
    return torch.tanh(self.original(batch_size))


@misconception
def scaled_to_unit_range(self, batch_size):
    """You scale the samples to [0, 1], but they should be in [−1, 1], the range of the training data: return the
    generator's images, and scale them where you save them."""
    return (self.original(batch_size) + 1) / 2


@misconception
def scaled_to_bytes(self, batch_size):
    """You scale the samples to 0 … 255, but they should be in [−1, 1], the range of the training data: return the
    generator's images, and scale them where you save them."""
    return (self.original(batch_size) + 1) * 127.5


@misconception
def clamped(self, batch_size):
    """You clamp the samples to [0, 1], which sets all pixels below 0 to 0: return the generator's images as they are,
    in [−1, 1]."""
    return self.original(batch_size).clamp(0, 1)


@misconception
def rounded_to_bits(self, batch_size):
    """You turn the samples into bits by a threshold, as for a Bernoulli decoder: a GAN's images are the generator's
    output itself, grey values in [−1, 1]."""
    return (self.original(batch_size) > 0).float()


@misconception
def always_sixty_four(self, batch_size):
    """You always draw 64 samples, whatever batch_size is: draw batch_size latents."""
    return self.original(64)


@misconception
def flat_samples(self, batch_size):
    """You return the samples as flat rows of 784 pixels: return images, [B, 1, 28, 28]."""
    return self.original(batch_size).flatten(1)
