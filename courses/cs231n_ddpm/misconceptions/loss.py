"""Mistakes in p_losses(x_start, model_kwargs), the loss for images in [0, 1]."""

import torch

from graders.misconceptions import defaults, misconception

defaults("gaussian_diffusion.py:GaussianDiffusion.p_losses", fails=("ddpm.noise_loss",))


def drawn(self, x_start):
    """Times, scaled images, noise, target and weights, as the hand-out's code gives them."""
    t = torch.randint(0, self.num_timesteps, (len(x_start),), device=x_start.device)
    x_start = self.normalize(x_start)
    noise = torch.randn_like(x_start)
    target = noise if self.objective == "pred_noise" else x_start
    return t, x_start, noise, target, extract(self.loss_weight, t, x_start.shape)


def errors(self, x_start, model_kwargs):
    """The weights, and the difference of prediction and target."""
    t, x_start, noise, target, weight = drawn(self, x_start)
    return weight, self.model(self.q_sample(x_start, t, noise), t, model_kwargs) - target


@misconception
def images_not_scaled(self, x_start, model_kwargs=None):
    """You did not scale the images from [0, 1] to [−1, 1]. Keep the line with self.normalize."""
    t, _, noise, _, weight = drawn(self, x_start)
    target = noise if self.objective == "pred_noise" else x_start
    return (weight * (self.model(self.q_sample(x_start, t, noise), t, model_kwargs) - target) ** 2).mean()


@misconception
def images_scaled_twice(self, x_start, model_kwargs=None):
    """You scaled the images twice, so that they lie between −3 and 1. The line with self.normalize does it once."""
    t, x_start, noise, target, weight = drawn(self, self.normalize(x_start))
    return (weight * (self.model(self.q_sample(x_start, t, noise), t, model_kwargs) - target) ** 2).mean()


@misconception
def model_sees_the_clean_images(self, x_start, model_kwargs=None):
    """You showed the model the clean images. Show it the noisy ones, which q_sample gives."""
    t, x_start, noise, target, weight = drawn(self, x_start)
    self.q_sample(x_start, t, noise)
    return (weight * (self.model(x_start, t, model_kwargs) - target) ** 2).mean()


@misconception
def model_without_text(self, x_start, model_kwargs=None):
    """You called the model without model_kwargs, so that it never learns what texts mean. Pass x_t, t and
    model_kwargs."""
    t, x_start, noise, target, weight = drawn(self, x_start)
    return (weight * (self.model(self.q_sample(x_start, t, noise), t) - target) ** 2).mean()


@misconception(fails=("ddpm.noise_loss", "ddpm.start_loss"), raises=True)
def model_kwargs_unpacked(self, x_start, model_kwargs=None):
    """You unpacked model_kwargs with ** in the call of the model. The model takes it as one argument, the third."""
    t, x_start, noise, target, weight = drawn(self, x_start)
    return (weight * (self.model(self.q_sample(x_start, t, noise), t, **model_kwargs) - target) ** 2).mean()


@misconception
def other_noise_in_the_images(self, x_start, model_kwargs=None):
    """You drew other noise for q_sample than for the target, so that the target cannot be seen in the images. Use the
    same noise for both."""
    t, x_start, _, target, weight = drawn(self, x_start)
    noisy = self.q_sample(x_start, t, torch.randn_like(x_start))
    return (weight * (self.model(noisy, t, model_kwargs) - target) ** 2).mean()


@misconception
def uniform_noise(self, x_start, model_kwargs=None):
    """You drew uniform noise. It should be normal: torch.randn_like."""
    t, x_start, _, target, weight = drawn(self, x_start)
    noise = torch.rand_like(x_start)
    target = noise if self.objective == "pred_noise" else target
    return (weight * (self.model(self.q_sample(x_start, t, noise), t, model_kwargs) - target) ** 2).mean()


@misconception
def start_for_noise(self, x_start, model_kwargs=None):
    """You compared the prediction with the clean images although the model predicts noise. The target depends on
    self.objective."""
    t, x_start, noise, _, weight = drawn(self, x_start)
    return (weight * (self.model(self.q_sample(x_start, t, noise), t, model_kwargs) - x_start) ** 2).mean()


@misconception
def summed(self, x_start, model_kwargs=None):
    """You summed the loss over images and pixels. It is their mean."""
    weight, error = errors(self, x_start, model_kwargs)
    return (weight * error**2).sum()


@misconception
def summed_over_pixels(self, x_start, model_kwargs=None):
    """You summed the loss over the pixels of an image. It is the mean over images and pixels."""
    weight, error = errors(self, x_start, model_kwargs)
    return (weight * error**2).sum(dim=(1, 2, 3)).mean()


@misconception
def absolute_error(self, x_start, model_kwargs=None):
    """You used the absolute error. The loss is the mean squared error: equation 14."""
    weight, error = errors(self, x_start, model_kwargs)
    return (weight * error.abs()).mean()


@misconception
def halved(self, x_start, model_kwargs=None):
    """You halved the squared error. The loss has no factor ½."""
    weight, error = errors(self, x_start, model_kwargs)
    return 0.5 * (weight * error**2).mean()


@misconception
def rooted(self, x_start, model_kwargs=None):
    """You took the root of the mean squared error. Leave it out."""
    weight, error = errors(self, x_start, model_kwargs)
    return (weight * error**2).mean().sqrt()


@misconception
def loss_of_each_image(self, x_start, model_kwargs=None):
    """You returned a loss for each image. Return one number, their mean."""
    weight, error = errors(self, x_start, model_kwargs)
    return (weight * error**2).mean(dim=(1, 2, 3))


@misconception
def prediction_detached(self, x_start, model_kwargs=None):
    """You detached the prediction from the graph, so that the loss trains nothing. Leave out detach, no_grad and
    item."""
    weight, error = errors(self, x_start, model_kwargs)
    return (weight * error.detach() ** 2).mean()


@misconception
def one_time_for_the_batch(self, x_start, model_kwargs=None):
    """You drew one time for all images of the batch. Each image has a time of its own."""
    t, x_start, noise, target, weight = drawn(self, x_start)
    t = t[:1].expand(len(t))
    weight = extract(self.loss_weight, t, x_start.shape)
    return (weight * (self.model(self.q_sample(x_start, t, noise), t, model_kwargs) - target) ** 2).mean()


@misconception
def seed_in_the_loss(self, x_start, model_kwargs=None):
    """You set the seed within p_losses, so that each step trains with the same noise and the same times. Set a seed
    once, before the training."""
    torch.manual_seed(0)
    return self.original(x_start, model_kwargs)


@misconception
def times_of_the_beginning(self, x_start, model_kwargs=None):
    """You drew only the times 0 and 1. Draw all from 0 to T − 1: torch.randint leaves out its upper end."""
    t, x_start, noise, target, weight = drawn(self, x_start)
    t = t % 2
    weight = extract(self.loss_weight, t, x_start.shape)
    return (weight * (self.model(self.q_sample(x_start, t, noise), t, model_kwargs) - target) ** 2).mean()


defaults("gaussian_diffusion.py:GaussianDiffusion.p_losses", fails=("ddpm.start_loss",))


@misconception
def no_weights(self, x_start, model_kwargs=None):
    """You left out the weights. Multiply the squared errors of each image by its loss_weight before the mean."""
    _, error = errors(self, x_start, model_kwargs)
    return (error**2).mean()


@misconception
def weights_after_the_mean(self, x_start, model_kwargs=None):
    """You took the mean of all squared errors before you multiplied by the weights, so that each image gets the average
    weight. Multiply first, and take the mean then."""
    weight, error = errors(self, x_start, model_kwargs)
    return (weight * (error**2).mean()).mean()


@misconception
def weights_inside_the_square(self, x_start, model_kwargs=None):
    """You squared the weights, too. Square the errors, and multiply by the weights then."""
    weight, error = errors(self, x_start, model_kwargs)
    return ((weight * error) ** 2).mean()


@misconception
def divided_by_the_weights(self, x_start, model_kwargs=None):
    """You divided by the weights. Multiply by them."""
    weight, error = errors(self, x_start, model_kwargs)
    return (error**2 / weight).mean()


@misconception
def always_the_noise(self, x_start, model_kwargs=None):
    """You compared the prediction with the noise whatever the objective is. If self.objective is "pred_x_start", the
    target is the clean images."""
    t, x_start, noise, _, weight = drawn(self, x_start)
    return (weight * (self.model(self.q_sample(x_start, t, noise), t, model_kwargs) - noise) ** 2).mean()


@misconception
def loss_by_the_unscaled_images(self, x_start, model_kwargs=None):
    """You compared the prediction with the images in [0, 1]. The target is the scaled images, in [−1, 1]."""
    t, scaled, noise, target, weight = drawn(self, x_start)
    target = target if self.objective == "pred_noise" else x_start
    return (weight * (self.model(self.q_sample(scaled, t, noise), t, model_kwargs) - target) ** 2).mean()
