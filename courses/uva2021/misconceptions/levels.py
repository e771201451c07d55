"""Mistakes in a VAE for images with 16 levels: in the decoder's forward, and in VAE.forward."""

import torch

from graders.misconceptions import defaults, misconception

defaults("part1/cnn_encoder_decoder.py:CNNDecoder.forward", fails=("vae.levels", "vae.level_loss"))


@misconception(fails=("vae.levels",))
def softmax_in_the_decoder(self, z):
    """Your decoder ends in a softmax: return logits, since cross_entropy applies the softmax itself."""
    return torch.softmax(self.net(z), dim=1)


@misconception(fails=("vae.levels",))
def softmax_over_the_columns(self, z):
    """Your decoder ends in a softmax over the last dimension, the columns of the image: return logits, since
    cross_entropy applies the softmax itself, over the 16 levels of each pixel."""
    return torch.softmax(self.net(z), dim=-1)


@misconception(fails=("vae.levels",))
def tanh_in_the_decoder(self, z):
    """You limit the decoder's output to (−1, 1) by a tanh, as for images, so that no level of a pixel can be more than
    e² times as probable as another: it should give logits, which may be any real numbers."""
    return torch.tanh(self.net(z))


@misconception(fails=("vae.levels",))
def sigmoid_in_the_decoder(self, z):
    """You end the decoder with a sigmoid, as for binary images: the 16 numbers of a pixel are the logits of one
    softmax, which cross_entropy applies, and may be any real numbers."""
    return torch.sigmoid(self.net(z))


@misconception(fails=("vae.levels",))
def relu_in_the_decoder(self, z):
    """You end the decoder with a ReLU, so that no logit can be negative, and those that are 0 get no gradient: there
    should be no activation after the last layer."""
    return torch.relu(self.net(z))


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
def exponential_of_some_log_std(self, imgs):
    """You take std = exp(log_std) only where some log_std is negative, and log_std itself otherwise. A log_std may have
    either sign: give sample_reparameterize exp(log_std) in any case."""
    mean, log_std = self.encoder(imgs.float() / (LEVELS - 1) * 2 - 1)
    std = log_std.exp() if torch.min(log_std) < 0 else log_std
    logits = self.decoder(sample_reparameterize(mean, std))
    rec = F.cross_entropy(logits, imgs.squeeze(1).long(), reduction="none").sum(dim=(1, 2)).mean()
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


@misconception
def rows_of_16_without_permute(self, imgs):
    """You reshape the logits [B, 16, 28, 28] to rows of 16 without moving the levels to the end first, so that a row
    holds 16 neighbouring pixels of one level: permute(0, 2, 3, 1) before the reshape, or give cross_entropy the logits
    as they are."""
    mean, log_std = self.encoder(imgs.float() / (LEVELS - 1) * 2 - 1)
    logits = self.decoder(sample_reparameterize(mean, log_std.exp()))
    rec = F.cross_entropy(logits.reshape(-1, LEVELS), imgs.reshape(-1).long(), reduction="sum") / len(imgs)
    reg = KLD(mean, log_std).mean()
    return rec, reg, elbo_to_bpd(rec + reg, imgs.shape)


@misconception
def levels_one_too_high(self, imgs):
    """You add one to the levels, as if they were counted from 1: the logits are those of the levels 0 … 15, as the
    images hold them."""
    mean, log_std = self.encoder(imgs.float() / (LEVELS - 1) * 2 - 1)
    logits = self.decoder(sample_reparameterize(mean, log_std.exp()))
    levels = (imgs.squeeze(1).long() + 1).clamp(max=LEVELS - 1)
    rec = F.cross_entropy(logits, levels, reduction="none").sum(dim=(1, 2)).mean()
    reg = KLD(mean, log_std).mean()
    return rec, reg, elbo_to_bpd(rec + reg, imgs.shape)


@misconception
def levels_one_too_low(self, imgs):
    """You subtract one from the levels, as if they were counted from 1: the images hold the levels 0 … 15, and these
    are the classes of the logits."""
    mean, log_std = self.encoder(imgs.float() / (LEVELS - 1) * 2 - 1)
    logits = self.decoder(sample_reparameterize(mean, log_std.exp()))
    rec = F.cross_entropy(logits, (imgs.squeeze(1).long() - 1).clamp(min=0), reduction="none").sum(dim=(1, 2)).mean()
    reg = KLD(mean, log_std).mean()
    return rec, reg, elbo_to_bpd(rec + reg, imgs.shape)


@misconception
def losses_swapped(self, imgs):
    """You return the divergence first and the reconstruction loss second: L_rec comes first, then L_reg, then bpd."""
    rec, reg, bpd = self.original(imgs)
    return reg, rec, bpd


@misconception
def nll_loss_of_logits(self, imgs):
    """You give logits to nll_loss, which expects their log-softmax, so that the loss has no lower bound: use
    cross_entropy, or log_softmax before it."""
    mean, log_std = self.encoder(imgs.float() / (LEVELS - 1) * 2 - 1)
    logits = self.decoder(sample_reparameterize(mean, log_std.exp()))
    rec = F.nll_loss(logits, imgs.squeeze(1).long(), reduction="none").sum(dim=(1, 2)).mean()
    reg = KLD(mean, log_std).mean()
    return rec, reg, elbo_to_bpd(rec + reg, imgs.shape)


@misconception
def z_detached(self, imgs):
    """You detach z, so that the reconstruction loss does not train the encoder: give the decoder the draw as it is."""
    mean, log_std = self.encoder(imgs.float() / (LEVELS - 1) * 2 - 1)
    logits = self.decoder(sample_reparameterize(mean, log_std.exp()).detach())
    rec = F.cross_entropy(logits, imgs.squeeze(1).long(), reduction="none").sum(dim=(1, 2)).mean()
    reg = KLD(mean, log_std).mean()
    return rec, reg, elbo_to_bpd(rec + reg, imgs.shape)


@misconception
def std_detached(self, imgs):
    """You detach the standard deviation before the draw, so that the reconstruction loss trains the mean only: z
    depends on both."""
    mean, log_std = self.encoder(imgs.float() / (LEVELS - 1) * 2 - 1)
    logits = self.decoder(sample_reparameterize(mean, log_std.exp().detach()))
    rec = F.cross_entropy(logits, imgs.squeeze(1).long(), reduction="none").sum(dim=(1, 2)).mean()
    reg = KLD(mean, log_std).mean()
    return rec, reg, elbo_to_bpd(rec + reg, imgs.shape)


@misconception
def divergence_detached(self, imgs):
    """You detach the divergence, so that nothing keeps the encoder near the prior: leave L_reg in the graph, and detach
    only what you log."""
    rec, reg, _ = self.original(imgs)
    return rec, reg.detach(), elbo_to_bpd(rec + reg.detach(), imgs.shape)


@misconception
def reconstruction_detached(self, imgs):
    """You detach the reconstruction loss, so that the decoder learns nothing: leave L_rec in the graph, and detach only
    what you log."""
    rec, reg, _ = self.original(imgs)
    return rec.detach(), reg, elbo_to_bpd(rec.detach() + reg, imgs.shape)


@misconception
def all_detached(self, imgs):
    """You detach all losses, by detach, item or no_grad, so that bpd has no gradient and nothing is trained: return
    tensors that depend on the model's parameters."""
    return tuple(loss.detach() for loss in self.original(imgs))
