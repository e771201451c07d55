"""Mistakes in GAN.interpolate(batch_size, steps) → [B, steps + 2, 1, 28, 28], or in the straight lines between latents
[B, z_dim] → [B, points, z_dim]."""

import torch

from graders.misconceptions import defaults, misconception, original

defaults("part2/utils.py:straight_lines", fails=("gan.interpolate",))


@misconception
def extrapolation(start, end, points):
    """Your interpolation weights go below 0 and above 1, so that the strips begin before z₀ and end beyond z₁: let the
    weights run from 0 to 1, both included."""
    return torch.lerp(start.unsqueeze(1), end.unsqueeze(1), torch.linspace(-0.5, 1.5, points).view(1, -1, 1))


@misconception
def from_the_origin(start, end, points):
    """You interpolate from z = 0 to one latent, but 0 is no draw from N(0, I): draw two latents, and interpolate from
    one to the other."""
    return torch.linspace(0, 1, points).view(1, -1, 1) * end.unsqueeze(1)


@misconception
def last_end_left_out(start, end, points):
    """Your interpolation weights stop short of 1, so that the strips end before they reach z₁: divide by the number of
    steps between the points, or let linspace run from 0 to 1."""
    weight = torch.arange(points).view(1, -1, 1) / points
    return torch.lerp(start.unsqueeze(1), end.unsqueeze(1), weight)


@misconception
def both_ends_left_out(start, end, points):
    """Your interpolation weights neither begin at 0 nor end at 1, so that the images of z₀ and z₁ themselves are
    missing: include both ends."""
    return original(start, end, points + 2)[:, 1:-1]


@misconception
def ends_equal(start, end, points):
    """You interpolate from a latent to itself, so that all images of a strip are the same: draw z₀ and z₁ by two
    calls."""
    return original(start, start, points)


@misconception
def ends_opposite(start, end, points):
    """You take −z₀ for the second end, so that every strip passes through the origin: draw z₁ independently of z₀."""
    return original(start, -start, points)


@misconception
def great_circle(start, end, points):
    """You interpolate along a great circle (slerp), but the assignment asks for the straight line between the two
    latents: use (1 − w)·z₀ + w·z₁."""
    start, end = start.unsqueeze(1), end.unsqueeze(1)
    weight = torch.linspace(0, 1, points).view(1, -1, 1)
    angle = torch.acos(torch.cosine_similarity(start, end, dim=2)).unsqueeze(2)
    return (torch.sin((1 - weight) * angle) * start + torch.sin(weight * angle) * end) / torch.sin(angle)


@misconception
def weights_squared(start, end, points):
    """You square the interpolation weights, so that the steps grow along the strip: take evenly spaced weights, as
    linspace gives them."""
    weight = torch.linspace(0, 1, points).view(1, -1, 1).square()
    return torch.lerp(start.unsqueeze(1), end.unsqueeze(1), weight)


@misconception
def weights_do_not_add_up(start, end, points):
    """Your interpolation adds w·z₁ to z₀ without reducing z₀, so that the strips end at z₀ + z₁: use (1 − w)·z₀ +
    w·z₁."""
    return start.unsqueeze(1) + torch.linspace(0, 1, points).view(1, -1, 1) * end.unsqueeze(1)


@misconception
def one_pair_for_all(start, end, points):
    """You use one pair of latents for all strips, which are then the same: draw batch_size pairs."""
    return original(start[:1].expand_as(start), end[:1].expand_as(end), points)


@misconception
def one_start_for_all(start, end, points):
    """You draw one z₀ for the whole batch, so that all strips begin with the same image: draw [batch_size, z_dim]
    latents for both ends."""
    return original(start[:1].expand_as(end), end, points)


@misconception
def fresh_draws(start, end, points):
    """You decode a new draw of z for every image of a strip, so that consecutive images are unrelated: draw two latents
    for each strip, and interpolate between them."""
    return torch.randn(start.shape[0], points, start.shape[1])


@misconception
def uniform_ends(start, end, points):
    """You draw the two ends by torch.rand, uniformly on [0, 1), while sample draws latents from N(0, I): draw them by
    torch.randn."""
    return original(torch.rand_like(start), torch.rand_like(end), points)


@misconception("part2/train_torch.py:GAN.interpolate")
@torch.no_grad()
def pixels_mixed(self, batch_size, interpolation_steps):
    """You interpolate the pixels of the two end images, which fades one into the other: interpolate their latents, and
    decode each of them."""
    first, last = (self.generator(self.draw_latents(batch_size)).unsqueeze(1) for _ in range(2))
    weight = torch.linspace(0, 1, interpolation_steps + 2).view(1, -1, 1, 1, 1)
    return torch.lerp(first, last, weight)


@misconception("part2/train_torch.py:GAN.interpolate")
@torch.no_grad()
def strips_interleaved(self, batch_size, interpolation_steps):
    """You decode the latents step by step but reshape the images as if they came strip by strip, so that strips are
    mixed up: reshape the images in the order of their latents."""
    start, end = self.draw_latents(batch_size), self.draw_latents(batch_size)
    z = straight_lines(start, end, interpolation_steps + 2)
    x = self.generator(z.transpose(0, 1).flatten(0, 1))
    return x.unflatten(0, z.shape[:2])


defaults("part2/train_torch.py:GAN.interpolate", fails=("gan.interpolate_shape",))


@misconception
def steps_first(self, batch_size, interpolation_steps):
    """You return the interpolations with the steps in the first dimension, which should be the batch, [B, steps + 2, 1,
    28, 28]: stack the steps along dimension 1."""
    return self.original(batch_size, interpolation_steps).transpose(0, 1)


@misconception
def strips_flattened(self, batch_size, interpolation_steps):
    """You return all images of all strips in one dimension: reshape them to [B, steps + 2, 1, 28, 28]."""
    return self.original(batch_size, interpolation_steps).flatten(0, 1)


@misconception
def images_flattened(self, batch_size, interpolation_steps):
    """You return the images of the strips as flat rows of 784 pixels: reshape them to [B, steps + 2, 1, 28, 28]."""
    return self.original(batch_size, interpolation_steps).flatten(2)


@misconception
def channel_left_out(self, batch_size, interpolation_steps):
    """You return the strips without the dimension of their one channel: reshape them to [B, steps + 2, 1, 28, 28]."""
    return self.original(batch_size, interpolation_steps).squeeze(2)


@misconception
def list_of_strips(self, batch_size, interpolation_steps):
    """You return a list with a tensor for each strip: stack them to one tensor, [B, steps + 2, 1, 28, 28]."""
    return list(self.original(batch_size, interpolation_steps))


@misconception
def list_of_steps(self, batch_size, interpolation_steps):
    """You return a list with a batch of images for each step: stack them along dimension 1 to one tensor,
    [B, steps + 2, 1, 28, 28]."""
    return list(self.original(batch_size, interpolation_steps).transpose(0, 1))


@misconception
def one_step_too_few(self, batch_size, interpolation_steps):
    """Your strips have interpolation_steps + 1 images: the steps come between the two ends, which makes
    interpolation_steps + 2."""
    return self.original(batch_size, interpolation_steps - 1)


@misconception("part2/utils.py:straight_lines")
def ends_counted_as_steps(start, end, points):
    """Your strips have interpolation_steps images, both ends counted: the steps come between the two ends, which makes
    interpolation_steps + 2."""
    return original(start, end, points - 2)


@misconception("part2/utils.py:straight_lines", fails=("gan.interpolate_shape", "gan.interpolate"))
def weights_of_a_range(start, end, points):
    """Your interpolation weights are i / steps for i in range(steps), so that they stop short of z₁ and there are only
    as many images as steps: let the weights run from 0 to 1 in steps + 2 values."""
    steps = points - 2
    weight = torch.arange(steps).view(1, -1, 1) / steps
    return torch.lerp(start.unsqueeze(1), end.unsqueeze(1), weight)


@misconception(fails=("gan.interpolate_shape", "gan.interpolate"))
def ends_missing(self, batch_size, interpolation_steps):
    """You return only the images between z₀ and z₁: include G(z₀) and G(z₁), which makes interpolation_steps + 2
    images."""
    return self.original(batch_size, interpolation_steps)[:, 1:-1]
