"""Times to train on: what is written in place of t_sample(timesteps, batch_size, device) → [batch_size]."""

import torch

from graders.misconceptions import defaults, misconception

defaults("diffusion_solution.py:t_sample", fails=("ddpm.t_sample",))


@misconception
def never_the_last(timesteps, batch_size, device):
    """You never draw the last time, T − 1: torch.randint leaves its upper end out, so that it has to be T."""
    return torch.randint(0, timesteps - 1, (batch_size,), device=device)


@misconception
def from_one_to_the_end(timesteps, batch_size, device):
    """You draw times from 1 to T. They are indices of sequences of T entries, 0 … T − 1."""
    return torch.randint(1, timesteps + 1, (batch_size,), device=device)


@misconception
def never_the_first(timesteps, batch_size, device):
    """You never draw time 0, which the last step of sampling needs as well: begin at 0."""
    return torch.randint(1, timesteps, (batch_size,), device=device)


@misconception
def one_too_many(timesteps, batch_size, device):
    """You draw times from 0 to T, and T is beyond the end of the sequences: torch.randint(0, T, …) ends at T − 1."""
    return torch.randint(0, timesteps + 1, (batch_size,), device=device)


@misconception
def one_for_the_batch(timesteps, batch_size, device):
    """You draw one time for the whole batch. Each image needs a time of its own: draw batch_size of them."""
    return torch.randint(0, timesteps, (1,), device=device).expand(batch_size).clone()


@misconception
def not_whole(timesteps, batch_size, device):
    """Your times are real numbers. They are indices: draw whole numbers, by torch.randint."""
    return timesteps * torch.rand(batch_size, device=device)


@misconception
def in_order(timesteps, batch_size, device):
    """You go through the times in order, so that every batch has the same ones. Draw them independently."""
    return torch.arange(batch_size, device=device) % timesteps


@misconception
def without_replacement(timesteps, batch_size, device):
    """You draw times without replacement, by torch.randperm: no two images of a batch share one, and there are never
    more than T. Draw each on its own: torch.randint."""
    return torch.randperm(timesteps, device=device)[:batch_size]


@misconception
def rounded(timesteps, batch_size, device):
    """You rounded uniform numbers between 0 and T − 1, so that the first and the last time come up half as often as the
    others: torch.randint gives all the same chance."""
    return ((timesteps - 1) * torch.rand(batch_size, device=device)).round().long()
