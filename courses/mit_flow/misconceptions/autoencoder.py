"""Mistakes in the autoencoder of lab three of 2026, and in guidance on its latents."""

import torch
from torch import nn

from graders.misconceptions import defaults, misconception

defaults("lab_three.py:ResidualBlock.forward", fails=("flow_matching.blocks",))


@misconception
def block_without_shortcut(self, x):
    """Your ResidualBlock does not add its input to what it computes: x + h."""
    return self.conv2(self.act(self.norm2(self.conv1(self.act(self.norm1(x))))))


defaults("lab_three.py:AttnBlock.forward", fails=("flow_matching.blocks",))


@misconception
def pixels_by_reshape(self, x):
    """You reshaped [B, C, H, W] to [B, H·W, C] without moving axes, so that tokens are no pixels: use flatten(2) and
    transpose(1, 2), and the other way round at the end."""
    batch, channels, height, width = x.shape
    tokens = self.norm(x).reshape(batch, height * width, channels)
    return x + self.attend(tokens).transpose(1, 2).reshape(x.shape)


@misconception
def attention_among_images(self, x):
    """You exchanged the axes of batch and pixels, so that images of a batch attend to each other, and pixels do not."""
    tokens = self.norm(x).flatten(2).permute(2, 0, 1)
    return x + self.attend(tokens).permute(1, 2, 0).reshape(x.shape)


defaults("lab_three.py:EncoderBlock.forward", fails=("flow_matching.blocks",))


@misconception
def encoder_block_keeps_the_size(self, x):
    """Your EncoderBlock never makes images smaller: with downsample_channels, a strided convolution halves height and
    width."""
    x = self.residual(x)
    return nn.functional.interpolate(self.down(x), size=x.shape[2:])


defaults("lab_three.py:DecoderBlock.forward", fails=("flow_matching.blocks",))


@misconception
def decoder_block_keeps_the_size(self, x):
    """Your DecoderBlock never makes images larger: with upsample_channels, height and width are doubled."""
    x = self.residual(x)
    return nn.functional.interpolate(self.up(x), size=x.shape[2:])


defaults("lab_three.py:Encoder.forward", fails=("flow_matching.coders",))


@misconception
def encoder_gives_the_mean_alone(self, x):
    """Your Encoder returns the mean alone: it returns (mean, self.logvar)."""
    return self.layers(x)


@misconception
def logvar_for_each_latent(self, x):
    """Your Encoder returns a logvar for each latent. It is one learned number for all of them."""
    mean = self.layers(x)
    return mean, self.logvar + torch.zeros_like(mean)


defaults("lab_three.py:VAE.compute_loss", fails=("flow_matching.vae_loss",))


def _reconstruction(x_mean, x_logvar, x_true):
    return ((x_true - x_mean) ** 2 / x_logvar.exp() + x_logvar).mean()


def _divergence(z_mean, z_logvar):
    return (z_mean**2 + z_logvar.exp() - z_logvar - 1).mean()


@misconception
def divergence_without_exponential(self, z_mean, z_logvar, x_mean, x_logvar, x_true):
    """Your divergence takes logvar itself for the variance: it is μ² + exp(logvar) − logvar − 1."""
    divergence = (z_mean**2 + z_logvar - z_logvar.abs().log() - 1).mean()
    return self.beta * divergence + _reconstruction(x_mean, x_logvar, x_true)


@misconception
def divergence_without_logarithm(self, z_mean, z_logvar, x_mean, x_logvar, x_true):
    """The term −logvar is missing in your divergence, so that a variance of 0 costs nothing: it is μ² + exp(logvar) −
    logvar − 1."""
    divergence = (z_mean**2 + z_logvar.exp() - 1).mean()
    return self.beta * divergence + _reconstruction(x_mean, x_logvar, x_true)


@misconception
def divergence_with_the_wrong_sign(self, z_mean, z_logvar, x_mean, x_logvar, x_true):
    """You subtracted the divergence, so that training drives latents away from the prior: add it."""
    return _reconstruction(x_mean, x_logvar, x_true) - self.beta * _divergence(z_mean, z_logvar)


@misconception
def divergence_missing(self, z_mean, z_logvar, x_mean, x_logvar, x_true):
    """Your loss has no divergence from the prior: add β · (μ² + exp(logvar) − logvar − 1)."""
    return _reconstruction(x_mean, x_logvar, x_true) + 0 * z_mean.mean()


@misconception
def beta_missing(self, z_mean, z_logvar, x_mean, x_logvar, x_true):
    """Your divergence is not multiplied by self.beta."""
    return _divergence(z_mean, z_logvar) + _reconstruction(x_mean, x_logvar, x_true)


@misconception
def beta_times_the_reconstruction(self, z_mean, z_logvar, x_mean, x_logvar, x_true):
    """You multiplied the reconstruction by self.beta, and not the divergence."""
    return _divergence(z_mean, z_logvar) + self.beta * _reconstruction(x_mean, x_logvar, x_true)


@misconception
def beta_times_all(self, z_mean, z_logvar, x_mean, x_logvar, x_true):
    """You multiplied the whole loss by self.beta: it is a factor of the divergence alone."""
    return self.beta * (_divergence(z_mean, z_logvar) + _reconstruction(x_mean, x_logvar, x_true))


@misconception
def variance_of_pixels_multiplied(self, z_mean, z_logvar, x_mean, x_logvar, x_true):
    """You multiplied the squared errors by the variance of the pixels: divide by exp(x_logvar)."""
    reconstruction = ((x_true - x_mean) ** 2 * x_logvar.exp() + x_logvar).mean()
    return self.beta * _divergence(z_mean, z_logvar) + reconstruction


@misconception
def logarithm_of_pixels_missing(self, z_mean, z_logvar, x_mean, x_logvar, x_true):
    """The term x_logvar is missing in your reconstruction, so that an infinite variance would be best."""
    reconstruction = ((x_true - x_mean) ** 2 / x_logvar.exp()).mean()
    return self.beta * _divergence(z_mean, z_logvar) + reconstruction


@misconception
def plain_squared_error(self, z_mean, z_logvar, x_mean, x_logvar, x_true):
    """Your reconstruction is the squared error, and x_logvar has no part in it: divide by exp(x_logvar), and add
    x_logvar."""
    return self.beta * _divergence(z_mean, z_logvar) + ((x_true - x_mean) ** 2).mean()


@misconception
def logarithm_once_for_each_latent(self, z_mean, z_logvar, x_mean, x_logvar, x_true):
    """You counted x_logvar once for each latent. It belongs to the pixels: their number is that of x_true."""
    squares = ((x_true - x_mean) ** 2 / x_logvar.exp()).sum(dim=(1, 2, 3))
    reconstruction = (squares + z_mean[0].numel() * x_logvar).mean()
    return self.beta * _divergence(z_mean, z_logvar) + reconstruction


defaults("lab_three.py:LatentCFGTrainer.get_train_loss", fails=("flow_matching.latent_loss",))


def _loss(trainer, z, y):
    y = torch.where(torch.rand(len(z)) < trainer.eta, trainer.null_label, y)
    t = (1 - trainer.eps) * torch.rand(len(z)).to(z)
    x = trainer.path.sample_conditional_path(z, t)
    residuals = trainer.model(x, t, y) - trainer.path.conditional_vector_field(x, z, t)
    return residuals.square().sum(dim=(1, 2, 3)).mean()


@misconception
def latents_with_gradients(self, batch_size):
    """Gradients flow into the autoencoder, which is trained already: make the latents under torch.no_grad()."""
    images, y = self.mnist.sample(batch_size)
    mean, logvar = self.vae.encode(images)
    return _loss(self, mean + torch.exp(logvar / 2) * torch.randn_like(mean), y)


@misconception(fails=("flow_matching.latent_noise",))
def latents_without_noise(self, batch_size):
    """Your latents are the means that the encoder gives. The model learns on draws: mean + exp(logvar/2) · ε."""
    images, y = self.mnist.sample(batch_size)
    with torch.no_grad():
        mean, _ = self.vae.encode(images)
    return _loss(self, mean, y)


@misconception(fails=("flow_matching.latent_noise",))
def latents_with_variance_for_deviation(self, batch_size):
    """You multiplied the noise by the variance, exp(logvar). The standard deviation is exp(logvar/2)."""
    images, y = self.mnist.sample(batch_size)
    with torch.no_grad():
        mean, logvar = self.vae.encode(images)
        z = mean + torch.exp(logvar) * torch.randn_like(mean)
    return _loss(self, z, y)


@misconception(fails=("flow_matching.latent_noise",))
def latents_with_uniform_noise(self, batch_size):
    """The noise of your latents is uniform, by torch.rand_like. It is standard normal: torch.randn_like."""
    images, y = self.mnist.sample(batch_size)
    with torch.no_grad():
        mean, logvar = self.vae.encode(images)
        z = mean + torch.exp(logvar / 2) * torch.rand_like(mean)
    return _loss(self, z, y)


@misconception
def one_time_for_all_latents(self, batch_size):
    """You drew one time for the whole batch. Each latent needs its own: torch.rand(batch_size)."""
    images, y = self.mnist.sample(batch_size)
    with torch.no_grad():
        mean, logvar = self.vae.encode(images)
        z = mean + torch.exp(logvar / 2) * torch.randn_like(mean)
    y = torch.where(torch.rand(batch_size) < self.eta, self.null_label, y)
    t = torch.rand(1).expand(batch_size)
    x = self.path.sample_conditional_path(z, t)
    residuals = self.model(x, t, y) - self.path.conditional_vector_field(x, z, t)
    return residuals.square().sum(dim=(1, 2, 3)).mean()


@misconception
def latents_of_noise(self, batch_size):
    """You never encoded the images that you drew. The latents are those of images, and belong to their labels."""
    images, y = self.mnist.sample(batch_size)
    with torch.no_grad():
        mean, logvar = self.vae.encode(torch.randn_like(images))
        z = mean + torch.exp(logvar / 2) * torch.randn_like(mean)
    return _loss(self, z, y)


def _latents(trainer, batch_size):
    images, y = trainer.mnist.sample(batch_size)
    with torch.no_grad():
        mean, logvar = trainer.vae.encode(images)
        return mean + torch.exp(logvar / 2) * torch.randn_like(mean), y


@misconception
def labels_of_latents_kept(self, batch_size):
    """You dropped no labels in LatentCFGTrainer. Without the null label, the model never learns the field without a
    label, with which guidance compares."""
    z, y = _latents(self, batch_size)
    t = (1 - self.eps) * torch.rand(batch_size)
    x = self.path.sample_conditional_path(z, t)
    return (self.model(x, t, y) - self.path.conditional_vector_field(x, z, t)).square().mean()


@misconception
def latents_exchanged_in_the_target(self, batch_size):
    """You exchanged x and z in conditional_vector_field(x, z, t) of LatentCFGTrainer."""
    z, y = _latents(self, batch_size)
    y = torch.where(torch.rand(batch_size) < self.eta, self.null_label, y)
    t = (1 - self.eps) * torch.rand(batch_size)
    x = self.path.sample_conditional_path(z, t)
    return (self.model(x, t, y) - self.path.conditional_vector_field(z, x, t)).square().mean()


@misconception
def seed_in_the_loss_on_latents(self, batch_size):
    """You set the seed in get_train_loss, so that each step of the training gets the same times and the same noise.
    Set it once, before the training, if you want to repeat one."""
    torch.manual_seed(0)
    return self.original(batch_size)
