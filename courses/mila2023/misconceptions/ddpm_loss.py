"""The loss of a denoiser: what is written in place of p_losses(denoise_model, x_start, t, coefficients, noise)."""

import torch
import torch.nn.functional as F

from graders.misconceptions import defaults, misconception, original


def drawn(x_start, noise):
    return torch.randn_like(x_start) if noise is None else noise


defaults("diffusion_solution.py:p_losses", fails=("ddpm.p_losses",))


@misconception
def squared_error(denoise_model, x_start, t, coefficients, noise=None):
    """You took the mean squared error. The Huber loss is asked for, which grows linearly for residuals beyond 1:
    F.smooth_l1_loss or F.huber_loss."""
    noise = drawn(x_start, noise)
    return F.mse_loss(denoise_model(q_sample(x_start, t, coefficients, noise), t), noise)


@misconception
def absolute_error(denoise_model, x_start, t, coefficients, noise=None):
    """You took the mean absolute error. The Huber loss is asked for, which is quadratic for residuals within 1:
    F.smooth_l1_loss or F.huber_loss."""
    noise = drawn(x_start, noise)
    return F.l1_loss(denoise_model(q_sample(x_start, t, coefficients, noise), t), noise)


@misconception
def half_missing_on_the_lines(denoise_model, x_start, t, coefficients, noise=None):
    """Your loss is |r| for residuals beyond 1, and jumps there: the Huber loss is |r| − ½, which goes on from ½·r²."""
    noise = drawn(x_start, noise)
    distance = (denoise_model(q_sample(x_start, t, coefficients, noise), t) - noise).abs()
    return torch.where(distance <= 1, 0.5 * distance**2, distance).mean()


@misconception
def bend_at_a_half(denoise_model, x_start, t, coefficients, noise=None):
    """Your Huber loss turns into a line at 0.5. It should at 1, δ's value by default: leave delta out."""
    noise = drawn(x_start, noise)
    return F.huber_loss(denoise_model(q_sample(x_start, t, coefficients, noise), t), noise, delta=0.5)


@misconception
def seed_in_the_loss(denoise_model, x_start, t, coefficients, noise=None):
    """You set the seed within p_losses, so that each step trains with the same noise. Set a seed once, before the
    training."""
    torch.manual_seed(0)
    return original(denoise_model, x_start, t, coefficients, noise)


@misconception
def times_in_the_shape_of_images(denoise_model, x_start, t, coefficients, noise=None):
    """You give the model times of shape [B, 1, 1, 1], which goes with images, but not with what a network makes of
    times. Give it t as it is, [B]."""
    noise = drawn(x_start, noise)
    x_noisy = q_sample(x_start, t, coefficients, noise)
    return F.smooth_l1_loss(denoise_model(x_noisy, t.view(-1, 1, 1, 1)), noise)


@misconception
def summed(denoise_model, x_start, t, coefficients, noise=None):
    """You summed the loss over all pixels, so that it depends on the size of batch and images. Take the mean."""
    noise = drawn(x_start, noise)
    return F.smooth_l1_loss(denoise_model(q_sample(x_start, t, coefficients, noise), t), noise, reduction="sum")


@misconception
def not_reduced(denoise_model, x_start, t, coefficients, noise=None):
    """You return the loss of every pixel. One number is asked for, their mean."""
    noise = drawn(x_start, noise)
    return F.smooth_l1_loss(denoise_model(q_sample(x_start, t, coefficients, noise), t), noise, reduction="none")


@misconception
def compared_with_the_image(denoise_model, x_start, t, coefficients, noise=None):
    """You compare what the model gives with the clean image. It predicts the noise: compare it with that."""
    noise = drawn(x_start, noise)
    return F.smooth_l1_loss(denoise_model(q_sample(x_start, t, coefficients, noise), t), x_start)


@misconception
def compared_with_the_noisy_image(denoise_model, x_start, t, coefficients, noise=None):
    """You compare what the model gives with the noisy image that it was shown. It predicts the noise in it: compare it
    with that."""
    x_noisy = q_sample(x_start, t, coefficients, drawn(x_start, noise))
    return F.smooth_l1_loss(denoise_model(x_noisy, t), x_noisy)


@misconception
def clean_image_shown(denoise_model, x_start, t, coefficients, noise=None):
    """You show the model the clean image, from which no noise can be guessed. Show it the noisy one."""
    noise = drawn(x_start, noise)
    q_sample(x_start, t, coefficients, noise)
    return F.smooth_l1_loss(denoise_model(x_start, t), noise)


@misconception
def other_noise_in_the_image(denoise_model, x_start, t, coefficients, noise=None):
    """You call q_sample without your noise, so that it draws another one, and the model is asked for noise that is
    not in the image. Pass yours on."""
    noise = drawn(x_start, noise)
    return F.smooth_l1_loss(denoise_model(q_sample(x_start, t, coefficients), t), noise)


@misconception
def given_noise_ignored(denoise_model, x_start, t, coefficients, noise=None):
    """You draw new noise even where it is given: use `noise` unless it is None."""
    return original(denoise_model, x_start, t, coefficients)


@misconception
def prediction_detached(denoise_model, x_start, t, coefficients, noise=None):
    """Your loss does not depend on the model's parameters any more: its prediction is detached or made under no_grad,
    so that nothing is learnt."""
    with torch.no_grad():
        return original(denoise_model, x_start, t, coefficients, noise)


@misconception
def uniform_noise(denoise_model, x_start, t, coefficients, noise=None):
    """The noise that you train on is uniform, by torch.rand. Sampling meets normal noise, and so must training:
    torch.randn_like."""
    noise = torch.rand_like(x_start) if noise is None else noise
    return original(denoise_model, x_start, t, coefficients, noise)


@misconception
def model_not_told_the_time(denoise_model, x_start, t, coefficients, noise=None):
    """You show the model time 0 for all images, so that it cannot know how noisy they are. Give it t."""
    noise = drawn(x_start, noise)
    return F.smooth_l1_loss(denoise_model(q_sample(x_start, t, coefficients, noise), torch.zeros_like(t)), noise)


@misconception
def sign_turned(denoise_model, x_start, t, coefficients, noise=None):
    """You return the loss with a minus, and an optimiser that makes it smaller makes the prediction worse."""
    return -original(denoise_model, x_start, t, coefficients, noise)
