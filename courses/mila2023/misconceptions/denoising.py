"""One step back: what is written in place of denoised_mean(model, x, t, coefficients) or p_sample(model, x, t, t_index,
(betas, √(1 − ᾱ), 1/√α, posterior variance), noise) → x_{t−1}."""

import torch

from graders.misconceptions import defaults, misconception, original


def parts(x, t, coefficients):
    return [extract(each, t, x.shape) for each in coefficients[:3]]


defaults("diffusion_solution.py:denoised_mean", fails=("ddpm.p_sample",))


@misconception
def image_not_scaled_up(model, x, t, coefficients):
    """You left out the factor 1/√α: a step forwards scaled the image down by √α, and the step back undoes that."""
    beta, spread, _ = parts(x, t, coefficients)
    return x - beta / spread * model(x, t)


@misconception
def only_the_image_scaled(model, x, t, coefficients):
    """You scaled x alone by 1/√α. The factor stands before the whole bracket: 1/√α·(x − β/√(1 − ᾱ)·ε)."""
    beta, spread, scale = parts(x, t, coefficients)
    return scale * x - beta / spread * model(x, t)


@misconception
def noise_added(model, x, t, coefficients):
    """You added the predicted noise, which makes images noisier in every step. Subtract it."""
    beta, spread, scale = parts(x, t, coefficients)
    return scale * (x + beta / spread * model(x, t))


@misconception
def noise_not_divided(model, x, t, coefficients):
    """You subtracted β·ε. The predicted noise has the weight β/√(1 − ᾱ): it is the noise of all steps so far, scaled to
    unit variance."""
    beta, _, scale = parts(x, t, coefficients)
    return scale * (x - beta * model(x, t))


@misconception
def noise_multiplied(model, x, t, coefficients):
    """You multiplied the predicted noise by √(1 − ᾱ), where it is divided by it: its weight is β/√(1 − ᾱ)."""
    beta, spread, scale = parts(x, t, coefficients)
    return scale * (x - beta * spread * model(x, t))


@misconception
def all_noise_at_once(model, x, t, coefficients):
    """You subtracted all of the noise in one step, √(1 − ᾱ)·ε. A step back removes the share β/√(1 − ᾱ) of it only."""
    _, spread, scale = parts(x, t, coefficients)
    return scale * (x - spread * model(x, t))


@misconception
def spread_rooted_again(model, x, t, coefficients):
    """You took the square root of √(1 − ᾱ), which is one already: divide by the coefficient as it is given."""
    beta, spread, scale = parts(x, t, coefficients)
    return scale * (x - beta / spread.sqrt() * model(x, t))


@misconception
def scale_inverted(model, x, t, coefficients):
    """You divided by the coefficient 1/√α. It is a reciprocal already: multiply by it, so that the image grows."""
    beta, spread, scale = parts(x, t, coefficients)
    return (x - beta / spread * model(x, t)) / scale


defaults("diffusion_solution.py:p_sample", fails=("ddpm.p_sample",))


@misconception
def variance_for_deviation(model, x, t, t_index, coefficients, noise=None):
    """You multiplied the noise by the posterior variance. It is multiplied by the standard deviation, the square root
    of that."""
    return original(model, x, t, t_index, [*coefficients[:3], coefficients[3] ** 2], noise)


@misconception
def variance_of_a_step_forwards(model, x, t, t_index, coefficients, noise=None):
    """You drew with the variance β of a step forwards. The coefficients hold the posterior variance for this, which is
    smaller."""
    return original(model, x, t, t_index, [*coefficients[:3], coefficients[0]], noise)


@misconception
def noise_in_the_last_step(model, x, t, t_index, coefficients, noise=None):
    """You add noise at t = 0 as well. The last step gives the mode, the mean alone: nothing would remove noise that is
    added there."""
    mean = denoised_mean(model, x, t, coefficients)
    noise = torch.randn_like(x) if noise is None else noise
    return mean + extract(coefficients[3], t, x.shape).sqrt() * noise


@misconception
def mode_at_one(model, x, t, t_index, coefficients, noise=None):
    """You return the mode at t = 1, and add noise at t = 0. Times begin at 0, and it is the step of t = 0 that is the
    last, and without noise."""
    return original(model, x, t, 0 if t_index == 1 else max(t_index, 1), coefficients, noise)


@misconception
def mode_up_to_one(model, x, t, t_index, coefficients, noise=None):
    """You return the mode at t = 1 as well as at t = 0. Only the last step, t = 0, goes without noise."""
    return original(model, x, t, 0 if t_index <= 1 else t_index, coefficients, noise)


@misconception
def clamped_in_the_last_step(model, x, t, t_index, coefficients, noise=None):
    """You cut off the pixels of the last step at −1 and 1. The mode is the mean as it is: clamp only what you show."""
    result = original(model, x, t, t_index, coefficients, noise)
    return result.clamp(-1, 1) if t_index == 0 else result


@misconception
def clamped_in_every_step(model, x, t, t_index, coefficients, noise=None):
    """You cut off the pixels of x_{t−1} at −1 and 1 in every step. It is a draw around the mean, whose pixels may be
    any numbers: clamp only what you show."""
    return original(model, x, t, t_index, coefficients, noise).clamp(-1, 1)


@misconception
def mean_clamped(model, x, t, t_index, coefficients, noise=None):
    """You cut off the mean of x_{t−1} at −1 and 1. Its pixels may be any numbers: clamp only what you show."""
    mean = denoised_mean(model, x, t, coefficients).clamp(-1, 1)
    if t_index == 0:
        return mean
    noise = torch.randn_like(x) if noise is None else noise
    return mean + extract(coefficients[3], t, x.shape).sqrt() * noise


@misconception("diffusion_solution.py:denoised_mean")
def time_as_a_number(model, x, t, coefficients):
    """You give the model the time as a single number. It takes a tensor with one for each image: t, not t_index."""
    return original(lambda image, times: model(image, int(times[0])), x, t, coefficients)


@misconception("diffusion_solution.py:denoised_mean")
def times_in_the_shape_of_images(model, x, t, coefficients):
    """You give the model times of shape [B, 1, 1, 1], which goes with images, but not with what a network makes of
    times. Give it t as it is, [B]."""
    return original(lambda image, times: model(image, times.view(-1, 1, 1, 1)), x, t, coefficients)


@misconception
def never_any_noise(model, x, t, t_index, coefficients, noise=None):
    """You return the mean in every step. Only the last step, t = 0, goes without noise; all others draw x_{t−1} with
    the posterior variance."""
    return denoised_mean(model, x, t, coefficients)


@misconception
def given_noise_ignored(model, x, t, t_index, coefficients, noise=None):
    """You draw new noise even where it is given: use `noise` unless it is None."""
    return original(model, x, t, t_index, coefficients)


@misconception
def uniform_noise(model, x, t, t_index, coefficients, noise=None):
    """The noise that you draw is uniform between 0 and 1, by torch.rand. It should be standard normal:
    torch.randn_like."""
    return original(model, x, t, t_index, coefficients, torch.rand_like(x) if noise is None else noise)


@misconception
def noise_shared_by_images(model, x, t, t_index, coefficients, noise=None):
    """You drew one noise for the whole batch, so that its images take the same way. Each needs its own:
    torch.randn_like(x)."""
    return original(
        model, x, t, t_index, coefficients, torch.randn_like(x[:1]).expand_as(x) if noise is None else noise
    )
