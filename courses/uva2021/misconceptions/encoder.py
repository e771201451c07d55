"""Mistakes in the encoder, CNNEncoder.forward: images [B, C, 28, 28] → mean and log_std, each [B, z_dim]."""

import torch
import torch.nn.functional as F

from graders.misconceptions import defaults, misconception

defaults("part1/cnn_encoder_decoder.py:CNNEncoder.forward", fails=("vae.cnn_encoder",))


@misconception
def relu_on_both(self, x):
    """You put a ReLU on the encoder's outputs, so that neither mean nor log_std can be negative: the output layer
    should be linear."""
    mean, log_std = self.original(x)
    return F.relu(mean), F.relu(log_std)


@misconception
def tanh_on_both(self, x):
    """You limit the encoder's outputs to (−1, 1) by a tanh, which mean and log_std must be able to leave: the output
    layer should be linear."""
    mean, log_std = self.original(x)
    return torch.tanh(mean), torch.tanh(log_std)


@misconception
def tanh_on_the_mean(self, x):
    """You limit the mean to (−1, 1) by a tanh, so that codes cannot lie apart: the output layer should be linear."""
    mean, log_std = self.original(x)
    return torch.tanh(mean), log_std


@misconception
def tanh_on_log_std(self, x):
    """You limit log_std to (−1, 1) by a tanh, so that no posterior can be narrow: the output layer should be linear, or
    have far wider limits."""
    mean, log_std = self.original(x)
    return mean, torch.tanh(log_std)


@misconception
def relu_on_the_mean(self, x):
    """You put a ReLU on the mean, so that it cannot be negative, where half of the prior lies: the output layer should
    be linear."""
    mean, log_std = self.original(x)
    return F.relu(mean), log_std


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
