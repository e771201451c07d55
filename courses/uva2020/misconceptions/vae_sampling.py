"""Mistakes in VAE.sample(batch_size), which returns samples and means, each [B, C, H, W]."""

import torch

from graders.misconceptions import defaults, misconception

defaults("part1/train_torch.py:VAE.sample", fails=("vae.sample",))


@misconception
def means_rounded(self, batch_size):
    """You rounded the means, or cut them at a threshold, so that a pixel with mean 0.6 is always 1. Draw each pixel
    instead: torch.bernoulli(x_mean)."""
    _, x_mean = self.original(batch_size)
    return (x_mean > 0.5).float(), x_mean


@misconception
def means_for_samples(self, batch_size):
    """You returned the means as samples. Draw each pixel from a Bernoulli distribution of that mean:
    torch.bernoulli(x_mean)."""
    _, x_mean = self.original(batch_size)
    return x_mean, x_mean


@misconception
def samples_for_means(self, batch_size):
    """You returned the samples as means too. The means are the sigmoids of the decoder's logits, from which the samples
    are drawn."""
    samples, _ = self.original(batch_size)
    return samples, samples


@misconception
def exchanged(self, batch_size):
    """You returned the means first and the samples second. The order is x_samples, x_mean."""
    samples, x_mean = self.original(batch_size)
    return x_mean, samples


@misconception
def comparison_turned_round(self, batch_size):
    """You compared the wrong way round, so that a pixel with mean p is 1 with probability 1 − p, and images are
    negatives. A uniform number is below p with probability p: (torch.rand_like(x_mean) < x_mean).float()."""
    samples, x_mean = self.original(batch_size)
    return 1 - samples, x_mean


@misconception
def coins_shared_by_images(self, batch_size):
    """You drew one image of uniform numbers and used it for all images. Each pixel of each image needs a draw of its
    own, as torch.bernoulli(x_mean) makes it."""
    _, x_mean = self.original(batch_size)
    return (torch.rand_like(x_mean[:1]) < x_mean).float(), x_mean


@misconception
def coin_shared_by_pixels(self, batch_size):
    """You drew one uniform number for each image and used it for all of its pixels. Each pixel needs a draw of its own,
    as torch.bernoulli(x_mean) makes it."""
    _, x_mean = self.original(batch_size)
    return (torch.rand_like(x_mean[:, :1, :1, :1]) < x_mean).float(), x_mean


@misconception
def logits_for_means(self, batch_size):
    """You returned the decoder's logits as means. The mean of a pixel is the sigmoid of its logit."""
    logits = self.decoder(torch.randn(batch_size, self.z_dim, device=self.device))
    return torch.bernoulli(torch.sigmoid(logits)), logits


@misconception(raises=True)
def logits_drawn_from(self, batch_size):
    """You gave the decoder's logits to torch.bernoulli, which takes probabilities. Apply the sigmoid first."""
    logits = self.decoder(torch.randn(batch_size, self.z_dim, device=self.device))
    return torch.bernoulli(logits), logits


@misconception
def sigmoid_applied_twice(self, batch_size):
    """You applied the sigmoid twice, so that all means lie between 0.5 and 0.73. Once is right: it turns the decoder's
    logits into means."""
    _, x_mean = self.original(batch_size)
    x_mean = torch.sigmoid(x_mean)
    return torch.bernoulli(x_mean), x_mean


@misconception
def uniform_prior(self, batch_size):
    """You drew the latents with torch.rand, uniformly between 0 and 1. The prior is N(0, I): torch.randn, with an
    n."""
    x_mean = torch.sigmoid(self.decoder(torch.rand(batch_size, self.z_dim, device=self.device)))
    return torch.bernoulli(x_mean), x_mean


@misconception
def zeros_decoded(self, batch_size):
    """You decoded z = 0 for every image, the mean of the prior. Draw a latent for each image:
    torch.randn(batch_size, z_dim)."""
    x_mean = torch.sigmoid(self.decoder(torch.zeros(batch_size, self.z_dim, device=self.device)))
    return torch.bernoulli(x_mean), x_mean


@misconception
def one_latent_for_all(self, batch_size):
    """You drew one latent and decoded it for every image, so that all images have the same means. Draw a latent for
    each image: torch.randn(batch_size, z_dim)."""
    z = torch.randn(1, self.z_dim, device=self.device).repeat(batch_size, 1)
    x_mean = torch.sigmoid(self.decoder(z))
    return torch.bernoulli(x_mean), x_mean


@misconception
def batch_size_ignored(self, batch_size):
    """You made 64 samples whatever batch_size is. Use the argument."""
    return self.original(64)


@misconception
def images_flat(self, batch_size):
    """You returned each image as a row of pixels. Keep the shape that the decoder gives, [batch_size, 1, 28, 28]."""
    samples, x_mean = self.original(batch_size)
    return samples.flatten(1), x_mean.flatten(1)


@misconception
def latents_drawn_twice(self, batch_size):
    """You decoded new latents for the means, so that x_mean does not belong to the samples: decode one z, and return
    its means beside draws from them."""
    samples, _ = self.original(batch_size)
    _, x_mean = self.original(batch_size)
    return samples, x_mean
