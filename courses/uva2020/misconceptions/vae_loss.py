"""Mistakes in VAE.forward(imgs), the loss of a VAE: [B, C, H, W] → L_rec, L_reg, bpd."""

import torch
import torch.nn.functional as F
from utils import KLD, elbo_to_bpd, sample_reparameterize

from graders.misconceptions import defaults, misconception


def losses_of(mean, log_std, logits, imgs):
    """Returns the right L_rec and L_reg of each image."""
    rec = F.binary_cross_entropy_with_logits(logits, imgs, reduction="none").sum(dim=(1, 2, 3))
    return rec, KLD(mean, log_std)


def averages(rec, reg, imgs):
    return rec.mean(), reg.mean(), elbo_to_bpd(rec + reg, imgs.shape).mean()


defaults("part1/train_torch.py:VAE.forward", fails=("vae.loss",))


@misconception
def exponential_of_some_log_std(self, imgs):
    """You take std = exp(log_std) only where some log_std is negative, and log_std itself otherwise. A log_std may have
    either sign: give sample_reparameterize exp(log_std) in any case."""
    mean, log_std = self.encoder(imgs)
    std = log_std.exp() if torch.min(log_std) < 0 else log_std
    rec, reg = losses_of(mean, log_std, self.decoder(sample_reparameterize(mean, std)), imgs)
    return averages(rec, reg, imgs)


@misconception
def pixels_averaged(self, imgs):
    """You averaged the cross-entropy over the pixels, so that it hardly counts beside the KL divergence: sum over the
    pixels, and then take the mean over the batch."""
    mean, log_std = self.encoder(imgs)
    logits = self.decoder(sample_reparameterize(mean, log_std.exp()))
    rec = F.binary_cross_entropy_with_logits(logits, imgs, reduction="none").mean(dim=(1, 2, 3))
    return averages(rec, KLD(mean, log_std), imgs)


@misconception
def reconstruction_summed_over_batch(self, imgs):
    """You summed the cross-entropy over the batch as well as over the pixels (reduction="sum"), so that it outweighs
    the KL divergence by the size of the batch. Sum over the pixels, and take the mean over the batch."""
    mean, log_std = self.encoder(imgs)
    logits = self.decoder(sample_reparameterize(mean, log_std.exp()))
    rec = F.binary_cross_entropy_with_logits(logits, imgs, reduction="sum")
    return averages(rec, KLD(mean, log_std), imgs)


@misconception
def summed_over_batch(self, imgs):
    """You summed the losses over the batch, so that they grow with its size. Sum over pixels and latents, and take the
    mean over the batch."""
    return tuple(len(imgs) * loss for loss in self.original(imgs))


@misconception(fails=("vae.loss", "vae.training_loop"), raises=True)
def one_loss_for_each_image(self, imgs):
    """You returned the losses of each image, [B]. Return three numbers, their means over the batch: backward() needs a
    single number."""
    mean, log_std = self.encoder(imgs)
    logits = self.decoder(sample_reparameterize(mean, log_std.exp()))
    rec, reg = losses_of(mean, log_std, logits, imgs)
    return rec, reg, elbo_to_bpd(rec + reg, imgs.shape)


@misconception
def kl_left_out_of_bound(self, imgs):
    """Your bits per dimension are those of the reconstruction alone, so that nothing keeps the posterior near the
    prior. The bound is the sum of both terms: elbo_to_bpd(L_rec + L_reg)."""
    rec, reg, _ = self.original(imgs)
    return rec, reg, elbo_to_bpd(rec[None], imgs.shape).mean()


@misconception
def reconstruction_left_out_of_bound(self, imgs):
    """Your bits per dimension are those of the KL divergence alone, so that the decoder learns nothing. The bound is
    the sum of both terms: elbo_to_bpd(L_rec + L_reg)."""
    rec, reg, _ = self.original(imgs)
    return rec, reg, elbo_to_bpd(reg[None], imgs.shape).mean()


@misconception
def kl_added_in_nats(self, imgs):
    """You converted the reconstruction loss to bits per dimension and added the KL divergence in nats. Both terms must
    be converted: elbo_to_bpd(L_rec + L_reg)."""
    rec, reg, _ = self.original(imgs)
    return rec, reg, elbo_to_bpd(rec[None], imgs.shape).mean() + reg


@misconception
def kl_subtracted(self, imgs):
    """You subtracted the KL divergence, which drives the posterior away from the prior. Both terms are losses: the
    negative bound is L_rec + L_reg."""
    rec, reg, _ = self.original(imgs)
    return rec, reg, elbo_to_bpd((rec - reg)[None], imgs.shape).mean()


@misconception
def likelihood_for_loss(self, imgs):
    """You returned the log-likelihood instead of its negative: L_rec = −log p(x|z), the cross-entropy, is positive and
    is to be minimised."""
    rec, reg, _ = self.original(imgs)
    return -rec, reg, elbo_to_bpd((reg - rec)[None], imgs.shape).mean()


@misconception
def bound_negated(self, imgs):
    """Your bits per dimension are negative: you converted the bound itself, −(L_rec + L_reg). Training minimises them,
    so they must be those of the negative bound, L_rec + L_reg."""
    rec, reg, bpd = self.original(imgs)
    return rec, reg, -bpd


@misconception
def bound_in_nats(self, imgs):
    """Your third loss is L_rec + L_reg in nats for a whole image. It should be in bits per dimension: convert it with
    elbo_to_bpd."""
    rec, reg, _ = self.original(imgs)
    return rec, reg, rec + reg


@misconception
def terms_exchanged(self, imgs):
    """You returned the KL divergence first and the reconstruction loss second. The order is L_rec, L_reg, bpd."""
    rec, reg, bpd = self.original(imgs)
    return reg, rec, bpd


@misconception
def bits_first(self, imgs):
    """You returned bits per dimension first. The order is L_rec, L_reg, bpd; with yours, training would minimise L_reg
    instead of bpd."""
    rec, reg, bpd = self.original(imgs)
    return bpd, rec, reg


@misconception(fails=("vae.loss", "vae.training_loop"), raises=True)
def bound_without_gradient(self, imgs):
    """Your bits per dimension are cut off from the parameters, by .item(), .detach() or no_grad, and cannot be trained
    on. Return the tensor as it was computed."""
    rec, reg, bpd = self.original(imgs)
    return rec, reg, bpd.detach()


@misconception(fails=("vae.loss", "vae.training_loop"), raises=True)
def logits_as_means(self, imgs):
    """You gave the decoder's logits to F.binary_cross_entropy, which takes means between 0 and 1. Use
    F.binary_cross_entropy_with_logits, which applies the sigmoid itself."""
    mean, log_std = self.encoder(imgs)
    logits = self.decoder(sample_reparameterize(mean, log_std.exp()))
    rec = F.binary_cross_entropy(logits, imgs, reduction="none").sum(dim=(1, 2, 3))
    return averages(rec, KLD(mean, log_std), imgs)


@misconception
def reconstruction_detached(self, imgs):
    """You detach the reconstruction loss, so that the decoder learns nothing: leave L_rec in the graph, and detach only
    what you log."""
    rec, reg, _ = self.original(imgs)
    return rec.detach(), reg, elbo_to_bpd(rec.detach() + reg, imgs.shape)


@misconception
def sigmoid_applied_twice(self, imgs):
    """You applied the sigmoid and then F.binary_cross_entropy_with_logits, which applies another one. Give it the
    logits."""
    mean, log_std = self.encoder(imgs)
    means = torch.sigmoid(self.decoder(sample_reparameterize(mean, log_std.exp())))
    return averages(*losses_of(mean, log_std, means, imgs), imgs)


@misconception
def squared_error(self, imgs):
    """You took the squared error of the means. Pixels are binary here, so that −log p(x|z) is the binary
    cross-entropy: F.binary_cross_entropy_with_logits, summed over the pixels."""
    mean, log_std = self.encoder(imgs)
    means = torch.sigmoid(self.decoder(sample_reparameterize(mean, log_std.exp())))
    return averages((means - imgs).square().sum(dim=(1, 2, 3)), KLD(mean, log_std), imgs)


@misconception
def ones_only(self, imgs):
    """Your cross-entropy counts the white pixels only, −Σ x · log p, as for a choice among several classes. For binary
    pixels the black ones count too: −Σ x · log p + (1 − x) · log(1 − p)."""
    mean, log_std = self.encoder(imgs)
    logits = self.decoder(sample_reparameterize(mean, log_std.exp()))
    return averages(-(imgs * F.logsigmoid(logits)).sum(dim=(1, 2, 3)), KLD(mean, log_std), imgs)


@misconception
def logits_and_images_exchanged(self, imgs):
    """You gave the images as the logits and the logits as the targets. The order is
    F.binary_cross_entropy_with_logits(logits, images)."""
    mean, log_std = self.encoder(imgs)
    logits = self.decoder(sample_reparameterize(mean, log_std.exp()))
    return averages(*losses_of(mean, log_std, imgs, logits), imgs)


@misconception
def std_in_kl(self, imgs):
    """You gave the standard deviation to KLD, which takes its logarithm. Only sample_reparameterize takes
    log_std.exp()."""
    mean, log_std = self.encoder(imgs)
    logits = self.decoder(sample_reparameterize(mean, log_std.exp()))
    return averages(*losses_of(mean, log_std.exp(), logits, imgs), imgs)


@misconception
def mean_decoded(self, imgs):
    """You decoded the mean, so that nothing is random and nothing smooths the latent space. Decode a draw from N(mean,
    std²), by sample_reparameterize."""
    mean, log_std = self.encoder(imgs)
    return averages(*losses_of(mean, log_std, self.decoder(mean), imgs), imgs)


@misconception
def prior_decoded(self, imgs):
    """You decoded a draw from the prior, so that the reconstruction does not depend on the image. Decode a draw from
    N(mean, std²), by sample_reparameterize."""
    mean, log_std = self.encoder(imgs)
    return averages(*losses_of(mean, log_std, self.decoder(torch.randn_like(mean)), imgs), imgs)


@misconception
def draw_detached(self, imgs):
    """You cut the draw off from the graph before you decoded it, so that the reconstruction does not train the
    encoder. Decode z as sample_reparameterize gives it."""
    mean, log_std = self.encoder(imgs)
    logits = self.decoder(sample_reparameterize(mean, log_std.exp()).detach())
    return averages(*losses_of(mean, log_std, logits, imgs), imgs)


@misconception
def log_std_for_std(self, imgs):
    """You gave log_std to sample_reparameterize, which takes the standard deviation: log_std.exp()."""
    mean, log_std = self.encoder(imgs)
    logits = self.decoder(sample_reparameterize(mean, log_std))
    return averages(*losses_of(mean, log_std, logits, imgs), imgs)


@misconception
def variance_for_std(self, imgs):
    """You gave the variance, exp(2·log_std), to sample_reparameterize, which takes the standard deviation:
    log_std.exp()."""
    mean, log_std = self.encoder(imgs)
    logits = self.decoder(sample_reparameterize(mean, (2 * log_std).exp()))
    return averages(*losses_of(mean, log_std, logits, imgs), imgs)


@misconception
def log_std_as_log_variance(self, imgs):
    """You drew z with exp(log_std / 2), as if log_std were the logarithm of a variance. It is that of a standard
    deviation: log_std.exp()."""
    mean, log_std = self.encoder(imgs)
    logits = self.decoder(sample_reparameterize(mean, (0.5 * log_std).exp()))
    return averages(*losses_of(mean, log_std, logits, imgs), imgs)
