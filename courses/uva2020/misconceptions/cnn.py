"""Mistakes in CNNEncoder and CNNDecoder, the convolutional networks for images [B, C, 28, 28]."""

import torch
import torch.nn.functional as F
from torch import nn

from graders.misconceptions import defaults, misconception


class Encoder(nn.Module):
    """A correct encoder; the wrong ones change a layer of it."""

    def __init__(self, num_input_channels, num_filters, outputs):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(num_input_channels, num_filters, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(num_filters, num_filters, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(num_filters * 7 * 7, outputs),
        )

    def forward(self, x):
        return self.net(x).chunk(2, dim=-1)


class Decoder(nn.Module):
    """A correct decoder; the wrong ones change a layer of it. `extra` is the output padding of its two transposed
    convolutions."""

    def __init__(self, num_input_channels, num_filters, z_dim, extra=(1, 1)):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(z_dim, num_filters * 7 * 7),
            nn.GELU(),
            nn.Unflatten(-1, (num_filters, 7, 7)),
            nn.ConvTranspose2d(num_filters, num_filters, 3, stride=2, padding=1, output_padding=extra[0]),
            nn.GELU(),
            nn.ConvTranspose2d(num_filters, num_input_channels, 3, stride=2, padding=1, output_padding=extra[1]),
        )

    def forward(self, z):
        return self.net(z)

    @property
    def device(self):
        return next(self.parameters()).device


# The encoder


defaults("part1/cnn_encoder_decoder.py:CNNEncoder.forward", fails=("vae.cnn_encoder",))


@misconception
def encoder_ends_in_relu(self, x):
    """You put a ReLU on the convolutional encoder's outputs, so that neither mean nor log_std can be negative; the
    output layer should be linear."""
    mean, log_std = self.original(x)
    return F.relu(mean), F.relu(log_std)


@misconception
def encoder_ends_in_gelu(self, x):
    """You put a GELU on the convolutional encoder's outputs, so that mean and log_std cannot be below −0.17; the output
    layer should be linear."""
    mean, log_std = self.original(x)
    return F.gelu(mean), F.gelu(log_std)


@misconception
def encoder_ends_in_tanh(self, x):
    """You limit the convolutional encoder's outputs to (−1, 1), as a tanh does, which mean and log_std must be able to
    leave; the output layer should be linear."""
    mean, log_std = self.original(x)
    return torch.tanh(mean), torch.tanh(log_std)


@misconception
def encoder_ends_in_sigmoid(self, x):
    """You put a sigmoid on the convolutional encoder's outputs, so that mean and log_std cannot leave (0, 1); the
    output layer should be linear."""
    mean, log_std = self.original(x)
    return torch.sigmoid(mean), torch.sigmoid(log_std)


@misconception
def relu_on_log_std(self, x):
    """You put a ReLU on log_std, so that the standard deviation cannot be below 1: it is the standard deviation that
    is positive, its logarithm may be any real number."""
    mean, log_std = self.original(x)
    return mean, F.relu(log_std)


@misconception
def softplus_on_log_std(self, x):
    """You put a softplus on log_std, as if it were the standard deviation, but its logarithm is asked for, which may be
    negative: return the linear layer's output, or the logarithm of the softplus."""
    mean, log_std = self.original(x)
    return mean, F.softplus(log_std)


@misconception
def std_for_log_std(self, x):
    """You return the standard deviation, exp(log_std), but its logarithm is asked for: leave the exponential to those
    who call the encoder."""
    mean, log_std = self.original(x)
    return mean, log_std.exp()


@misconception
def one_head_for_both(self, x):
    """You return the same numbers as mean and as log_std: each needs an output layer of its own, or a half of one
    layer with 2·z_dim outputs."""
    mean, _ = self.original(x)
    return mean, mean


@misconception
def log_std_of_zeros(self, x):
    """You return zeros as log_std, so that every posterior has a standard deviation of 1: log_std is to be predicted
    from the image, as the mean is."""
    mean, log_std = self.original(x)
    return mean, torch.zeros_like(log_std)


@misconception("part1/cnn_encoder_decoder.py:CNNEncoder")
class HalfOfZDim(Encoder):
    """You split z_dim outputs into mean and log_std, so that each has only half of the latents: the last linear layer
    needs 2·z_dim outputs."""

    def __init__(self, num_input_channels=1, num_filters=32, z_dim=20):
        super().__init__(num_input_channels, num_filters, z_dim)


@misconception(raises=True)
def split_along_the_batch(self, x):
    """You split the output into mean and log_std along the batch, so that one half of the images gives means and the
    other log_stds: split along the last dimension, with dim=-1."""
    return torch.cat(self.original(x), dim=-1).chunk(2, dim=0)


defaults("part1/cnn_encoder_decoder.py:CNNEncoder", fails=("vae.cnn_encoder",))


@misconception(raises=True)
class EncoderAlwaysTakesOneChannel(Encoder):
    """Your first convolution takes one channel whatever num_input_channels says: use num_input_channels."""

    def __init__(self, num_input_channels=1, num_filters=32, z_dim=20):
        super().__init__(1, num_filters, 2 * z_dim)


@misconception
class EncoderAlwaysGives20Latents(Encoder):
    """Your convolutional encoder gives 20 latents whatever z_dim says: use z_dim."""

    def __init__(self, num_input_channels=1, num_filters=32, z_dim=20):
        super().__init__(num_input_channels, num_filters, 2 * 20)


@misconception
class EncoderWithoutActivations(Encoder):
    """There is no activation between your encoder's convolutions, so that together they are one linear layer: put a
    GELU or ReLU after each but the last layer."""

    def __init__(self, num_input_channels=1, num_filters=32, z_dim=20):
        super().__init__(num_input_channels, num_filters, 2 * z_dim)
        self.net = nn.Sequential(*[layer for layer in self.net if not isinstance(layer, nn.GELU)])


@misconception
class EncoderLayersInAList(Encoder):
    """You keep the convolutional encoder's layers in a Python list, where no optimiser finds them: use nn.ModuleList or
    nn.Sequential, which register what they hold."""

    def __init__(self, num_input_channels=1, num_filters=32, z_dim=20):
        super().__init__(num_input_channels, num_filters, 2 * z_dim)
        self.layers = list(self.net)
        del self.net

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x.chunk(2, dim=-1)


@misconception("part1/cnn_encoder_decoder.py:CNNEncoder.forward")
def images_scaled_by_the_batch(self, x):
    """You subtract the batch's average from the images, in evaluation too, so that an image's code depends on the other
    images: use nn.BatchNorm2d, which keeps averages for evaluation, or no normalisation."""
    return self.original(x - x.mean(dim=0))


# The decoder


defaults("part1/cnn_encoder_decoder.py:CNNDecoder.forward", fails=("vae.cnn_decoder",))


@misconception
def decoder_ends_in_sigmoid(self, z):
    """You end the convolutional decoder with a sigmoid: return logits, since the loss applies the sigmoid in a
    numerically stable way, and sampling applies it too."""
    return torch.sigmoid(self.original(z))


@misconception
def decoder_ends_in_tanh(self, z):
    """You limit the convolutional decoder's output to (−1, 1), as the tanh of the tutorial's auto-encoder does, so that
    pixels' means cannot leave 0.27 … 0.73: it should give logits, which may be any real numbers."""
    return torch.tanh(self.original(z))


@misconception
def decoder_ends_in_relu(self, z):
    """You end the convolutional decoder with a ReLU, so that no pixel's mean can be below ½: it should give logits,
    which may be any real numbers."""
    return F.relu(self.original(z))


@misconception
def decoder_ends_in_gelu(self, z):
    """You end the convolutional decoder with a GELU, so that no logit can be below −0.17: there should be no activation
    after the last layer."""
    return F.gelu(self.original(z))


defaults("part1/cnn_encoder_decoder.py:CNNDecoder", fails=("vae.cnn_decoder",))


@misconception
class OddSizes(Decoder):
    """Your transposed convolutions go from 7 to 13 and 25 pixels, since a stride of 2 leaves open which of two sizes
    was meant: add output_padding=1 to reach 14 and 28."""

    def __init__(self, num_input_channels=1, num_filters=32, z_dim=20):
        super().__init__(num_input_channels, num_filters, z_dim, extra=(0, 0))


@misconception
class OnePixelShort(Decoder):
    """Your last transposed convolution goes from 14 to 27 pixels, since a stride of 2 leaves open which of two sizes
    was meant: add output_padding=1 to reach 28."""

    def __init__(self, num_input_channels=1, num_filters=32, z_dim=20):
        super().__init__(num_input_channels, num_filters, z_dim, extra=(1, 0))


@misconception
class PicturesOf32(Decoder):
    """Your decoder gives pictures of 32×32 pixels, as the tutorial's does for CIFAR10, but those of MNIST have 28×28:
    let the first transposed convolution go from 4 to 7 pixels, without output padding."""

    def __init__(self, num_input_channels=1, num_filters=32, z_dim=20):
        super().__init__(num_input_channels, num_filters, z_dim)
        self.net[0] = nn.Linear(z_dim, num_filters * 8 * 8)
        self.net[2] = nn.Unflatten(-1, (num_filters, 8, 8))


@misconception
class DecoderAlwaysGivesOneChannel(Decoder):
    """Your last convolution gives one channel whatever num_input_channels says: use num_input_channels."""

    def __init__(self, num_input_channels=1, num_filters=32, z_dim=20):
        super().__init__(1, num_filters, z_dim)


@misconception(raises=True)
class DecoderAlwaysTakes20Latents(Decoder):
    """Your convolutional decoder takes 20 latents whatever z_dim says: use z_dim."""

    def __init__(self, num_input_channels=1, num_filters=32, z_dim=20):
        super().__init__(num_input_channels, num_filters, 20)


@misconception("part1/cnn_encoder_decoder.py:CNNDecoder.forward")
def flat_output(self, z):
    """You return the convolutional decoder's logits as flat rows: images [B, C, 28, 28] were asked for."""
    return self.original(z).flatten(start_dim=1)


@misconception
class DecoderWithoutActivations(Decoder):
    """There is no activation between your decoder's layers, so that together they are one linear layer: put a GELU or
    ReLU after each but the last layer."""

    def __init__(self, num_input_channels=1, num_filters=32, z_dim=20):
        super().__init__(num_input_channels, num_filters, z_dim)
        self.net = nn.Sequential(*[layer for layer in self.net if not isinstance(layer, nn.GELU)])


@misconception
class DecoderLayersInAList(Decoder):
    """You keep the convolutional decoder's layers in a Python list, where no optimiser finds them: use nn.ModuleList or
    nn.Sequential, which register what they hold."""

    def __init__(self, num_input_channels=1, num_filters=32, z_dim=20):
        super().__init__(num_input_channels, num_filters, z_dim)
        self.layers = list(self.net)
        del self.net

    def forward(self, z):
        for layer in self.layers:
            z = layer(z)
        return z

    @property
    def device(self):
        return self.layers[0].weight.device
