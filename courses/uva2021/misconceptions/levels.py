"""Mistakes in a VAE for images with 16 levels: in the decoder's forward, and in VAE.forward."""

import torch

from graders.misconceptions import defaults, misconception

defaults("part1/cnn_encoder_decoder.py:CNNDecoder.forward", fails=("vae.levels", "vae.level_loss"))


@misconception(fails=("vae.levels",))
def softmax_in_the_decoder(self, z):
    """Your decoder ends in a softmax: return logits, since cross_entropy applies the softmax itself."""
    return torch.softmax(self.net(z), dim=1)


@misconception(raises=True)
def one_channel(self, z):
    """Your decoder gives one number for each pixel, as for binary images: a pixel of 4 bits has 16 levels, and each
    needs a logit."""
    return self.net(z)[:, :1]


@misconception(raises=True)
def levels_last(self, z):
    """Your decoder gives [B, 28, 28, 16]: the levels are the second dimension, [B, 16, 28, 28], where cross_entropy
    expects them."""
    return self.net(z).permute(0, 2, 3, 1)


defaults("part1/train_pl.py:VAE.forward", fails=("vae.level_loss",))


@misconception
def mean_over_pixels(self, imgs):
    """You average the cross-entropy over the pixels, so that the divergence counts 784 times too much: −log p(x|z) is
    the sum over the pixels."""
    mean, log_std = self.encoder(imgs.float() / (LEVELS - 1) * 2 - 1)
    logits = self.decoder(sample_reparameterize(mean, log_std.exp()))
    rec = F.cross_entropy(logits, imgs.squeeze(1).long())
    reg = KLD(mean, log_std).mean()
    return rec, reg, elbo_to_bpd(rec + reg, imgs.shape)


@misconception
def softmax_twice(self, imgs):
    """You give probabilities to cross_entropy, which expects logits and applies the softmax itself: give it the
    logits."""
    mean, log_std = self.encoder(imgs.float() / (LEVELS - 1) * 2 - 1)
    logits = self.decoder(sample_reparameterize(mean, log_std.exp()))
    rec = F.cross_entropy(logits.softmax(dim=1), imgs.squeeze(1).long(), reduction="none").sum(dim=(1, 2)).mean()
    reg = KLD(mean, log_std).mean()
    return rec, reg, elbo_to_bpd(rec + reg, imgs.shape)


@misconception
def squared_error(self, imgs):
    """You compare the expected level with the image by a squared error: −log p(x|z) of a categorical distribution is
    the cross entropy of the 16 logits with the level."""
    mean, log_std = self.encoder(imgs.float() / (LEVELS - 1) * 2 - 1)
    logits = self.decoder(sample_reparameterize(mean, log_std.exp()))
    expected = (logits.softmax(dim=1) * torch.arange(LEVELS).view(1, -1, 1, 1)).sum(dim=1, keepdim=True)
    rec = F.mse_loss(expected, imgs.float(), reduction="none").sum(dim=(1, 2, 3)).mean()
    reg = KLD(mean, log_std).mean()
    return rec, reg, elbo_to_bpd(rec + reg, imgs.shape)


@misconception
def divergence_subtracted(self, imgs):
    """You subtract the divergence from the reconstruction loss: the loss is the sum of both."""
    rec, reg, _ = self.original(imgs)
    return rec, reg, elbo_to_bpd(rec - reg, imgs.shape)


@misconception
def log_std_as_std(self, imgs):
    """You give the logarithm of the standard deviation to sample_reparameterize, which expects the standard deviation:
    exp(log_std)."""
    mean, log_std = self.encoder(imgs.float() / (LEVELS - 1) * 2 - 1)
    logits = self.decoder(sample_reparameterize(mean, log_std))
    rec = F.cross_entropy(logits, imgs.squeeze(1).long(), reduction="none").sum(dim=(1, 2)).mean()
    reg = KLD(mean, log_std).mean()
    return rec, reg, elbo_to_bpd(rec + reg, imgs.shape)
