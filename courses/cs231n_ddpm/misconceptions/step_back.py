"""Mistakes in p_sample(x_t, t, model_kwargs), which gives images one step less noisy."""

import torch

from graders.misconceptions import defaults, misconception

defaults("gaussian_diffusion.py:GaussianDiffusion.p_sample", fails=("ddpm.step_back",))


def asked(self, x_t, t, model_kwargs):
    """The times, what the model predicts, and the clean images that follow from it."""
    t = torch.full((len(x_t),), t, device=x_t.device, dtype=torch.long)
    output = self.model(x_t, t, model_kwargs)
    return t, output, self.predict_start_from_noise(x_t, t, output) if self.objective == "pred_noise" else output


def posterior(self, x_t, t, model_kwargs):
    """The mean and the standard deviation of x_{t−1}."""
    t, _, x_start = asked(self, x_t, t, model_kwargs)
    return self.q_posterior(x_start.clamp(-1, 1), x_t, t)


@misconception
def start_by_the_inverse_for_noise(self, x_t, t: int, model_kwargs=None):
    """You called predict_noise_from_start to find x_0. That method finds the noise for given clean images: call
    predict_start_from_noise with the noise that the model predicts."""
    t, output, x_start = asked(self, x_t, t, model_kwargs)
    x_start = self.predict_noise_from_start(x_t, t, output) if self.objective == "pred_noise" else x_start
    mean, std = self.q_posterior(x_start.clamp(-1, 1), x_t, t)
    return mean + std * torch.randn_like(x_t)


@misconception(raises=True)
def only_one_objective(self, x_t, t: int, model_kwargs=None):
    """You left out the case in which the model predicts noise, so that x_start has no value there. Compute it by
    predict_start_from_noise if self.objective is "pred_noise"."""
    t = torch.full((len(x_t),), t, device=x_t.device, dtype=torch.long)
    output = self.model(x_t, t, model_kwargs)
    if self.objective == "pred_x_start":
        x_start = output
    mean, std = self.q_posterior(x_start.clamp(-1, 1), x_t, t)
    return mean + std * torch.randn_like(x_t)


@misconception(fails=("ddpm.step_back", "ddpm.clamp"), raises=True)
def times_made_twice(self, x_t, t: int, model_kwargs=None):
    """You made a tensor of times from t by torch.full, but t is already a tensor of times there: the hand-out's first
    line has made it. Give t itself to the model."""
    t = torch.full((len(x_t),), t, device=x_t.device, dtype=torch.long)
    mean, std = posterior(self, x_t, t, model_kwargs)
    return mean + std * torch.randn_like(x_t)


@misconception
def always_predicted_noise(self, x_t, t: int, model_kwargs=None):
    """You took the prediction for noise whatever the objective is. If self.objective is "pred_x_start", the model
    predicts x_0 itself."""
    t, output, _ = asked(self, x_t, t, model_kwargs)
    mean, std = self.q_posterior(self.predict_start_from_noise(x_t, t, output).clamp(-1, 1), x_t, t)
    return mean + std * torch.randn_like(x_t)


@misconception
def always_predicted_start(self, x_t, t: int, model_kwargs=None):
    """You took the prediction for x_0 whatever the objective is. If self.objective is "pred_noise", find x_0 by
    predict_start_from_noise."""
    t, output, _ = asked(self, x_t, t, model_kwargs)
    mean, std = self.q_posterior(output.clamp(-1, 1), x_t, t)
    return mean + std * torch.randn_like(x_t)


@misconception
def predicted_noise_reused(self, x_t, t: int, model_kwargs=None):
    """You used the predicted noise as the noise of the step. Draw new noise, by torch.randn_like: the prediction is
    that in x_t, and has been removed already."""
    t, output, x_start = asked(self, x_t, t, model_kwargs)
    mean, std = self.q_posterior(x_start.clamp(-1, 1), x_t, t)
    return mean + std * output


@misconception
def noise_of_the_image_reused(self, x_t, t: int, model_kwargs=None):
    """You used the noise in x_t, which predict_noise_from_start finds, as the noise of the step. Draw new noise, by
    torch.randn_like: that in x_t has been removed already."""
    t, _, x_start = asked(self, x_t, t, model_kwargs)
    x_start = x_start.clamp(-1, 1)
    mean, std = self.q_posterior(x_start, x_t, t)
    return mean + std * self.predict_noise_from_start(x_t, t, x_start)


@misconception
def no_noise(self, x_t, t: int, model_kwargs=None):
    """You returned the mean of x_{t−1}. Add its standard deviation times new noise."""
    return posterior(self, x_t, t, model_kwargs)[0]


@misconception
def uniform_noise(self, x_t, t: int, model_kwargs=None):
    """You drew uniform noise, by torch.rand_like. It should be normal: torch.randn_like."""
    mean, std = posterior(self, x_t, t, model_kwargs)
    return mean + std * torch.rand_like(x_t)


@misconception
def ones_for_noise(self, x_t, t: int, model_kwargs=None):
    """You added the standard deviation itself. Multiply it with new noise, by torch.randn_like."""
    mean, std = posterior(self, x_t, t, model_kwargs)
    return mean + std * torch.ones_like(x_t)


@misconception
def one_noise_for_the_batch(self, x_t, t: int, model_kwargs=None):
    """You drew one noise for all images of the batch. Each image and each pixel needs noise of its own:
    torch.randn_like(x_t)."""
    mean, std = posterior(self, x_t, t, model_kwargs)
    return mean + std * torch.randn_like(x_t[:1])


@misconception
def one_number_for_each_image(self, x_t, t: int, model_kwargs=None):
    """You drew one number for each image. Each pixel needs noise of its own: torch.randn_like(x_t)."""
    mean, std = posterior(self, x_t, t, model_kwargs)
    return mean + std * torch.randn(len(x_t), 1, 1, 1, device=x_t.device)


@misconception
def always_the_same_noise(self, x_t, t: int, model_kwargs=None):
    """You add the same noise in each step: you keep it, or seed the random numbers in p_sample. Draw new noise each
    time."""
    mean, std = posterior(self, x_t, t, model_kwargs)
    torch.manual_seed(0)
    return mean + std * torch.randn_like(x_t)


@misconception
def variance_for_the_deviation(self, x_t, t: int, model_kwargs=None):
    """You multiplied the noise with the variance of x_{t−1}. q_posterior gives the standard deviation, which is its
    factor: do not square it."""
    mean, std = posterior(self, x_t, t, model_kwargs)
    return mean + std**2 * torch.randn_like(x_t)


@misconception
def root_of_the_deviation(self, x_t, t: int, model_kwargs=None):
    """You took the root of what q_posterior gives. It is the standard deviation already."""
    mean, std = posterior(self, x_t, t, model_kwargs)
    return mean + std.sqrt() * torch.randn_like(x_t)


@misconception
def noise_as_it_is(self, x_t, t: int, model_kwargs=None):
    """You added the noise as it is. Multiply it with the standard deviation that q_posterior gives."""
    return posterior(self, x_t, t, model_kwargs)[0] + torch.randn_like(x_t)


@misconception
def deviation_of_the_forward_process(self, x_t, t: int, model_kwargs=None):
    """You multiplied the noise with √(1 − ᾱ), which belongs to q_sample. A step back has the smaller standard deviation
    of x_{t−1} given x_t and x_0, which q_posterior gives."""
    t, _, x_start = asked(self, x_t, t, model_kwargs)
    mean, _ = self.q_posterior(x_start.clamp(-1, 1), x_t, t)
    return mean + extract(self.sqrt_one_minus_alphas_cumprod, t, x_t.shape) * torch.randn_like(x_t)


@misconception
def weights_exchanged(self, x_t, t: int, model_kwargs=None):
    """You exchanged x_0 and x_t in the mean of x_{t−1}: posterior_mean_coef1 belongs to x_0, and posterior_mean_coef2
    to x_t."""
    t, _, x_start = asked(self, x_t, t, model_kwargs)
    mean, std = self.q_posterior(x_t, x_start.clamp(-1, 1), t)
    return mean + std * torch.randn_like(x_t)


@misconception
def clean_image_for_the_mean(self, x_t, t: int, model_kwargs=None):
    """You used x_0 itself as the mean of x_{t−1}, which goes all the way in one step. Use q_posterior."""
    t, _, x_start = asked(self, x_t, t, model_kwargs)
    _, std = self.q_posterior(x_start, x_t, t)
    return x_start.clamp(-1, 1) + std * torch.randn_like(x_t)


@misconception
def noised_again(self, x_t, t: int, model_kwargs=None):
    """You noised the predicted x_0 again by q_sample, at the same time t. x_{t−1} is drawn from q_posterior."""
    t, _, x_start = asked(self, x_t, t, model_kwargs)
    return self.q_sample(x_start.clamp(-1, 1), t, torch.randn_like(x_t))


@misconception
def prediction_for_noise_in_the_mean(self, x_t, t: int, model_kwargs=None):
    """You gave the model's prediction to q_posterior as x_t. It takes x_0, then x_t."""
    t, output, x_start = asked(self, x_t, t, model_kwargs)
    mean, std = self.q_posterior(x_start.clamp(-1, 1), output, t)
    return mean + std * torch.randn_like(x_t)


@misconception
def next_time(self, x_t, t: int, model_kwargs=None):
    """You told the model the time t + 1. Times are indices from 0 to T − 1: pass t."""
    t = torch.full((len(x_t),), t, device=x_t.device, dtype=torch.long)
    output = self.model(x_t, t + 1, model_kwargs)
    x_start = self.predict_start_from_noise(x_t, t, output) if self.objective == "pred_noise" else output
    mean, std = self.q_posterior(x_start.clamp(-1, 1), x_t, t)
    return mean + std * torch.randn_like(x_t)


@misconception
def model_without_text(self, x_t, t: int, model_kwargs=None):
    """You called the model without model_kwargs, so that it knows no text. Pass x_t, t and model_kwargs."""
    t = torch.full((len(x_t),), t, device=x_t.device, dtype=torch.long)
    output = self.model(x_t, t)
    x_start = self.predict_start_from_noise(x_t, t, output) if self.objective == "pred_noise" else output
    mean, std = self.q_posterior(x_start.clamp(-1, 1), x_t, t)
    return mean + std * torch.randn_like(x_t)


@misconception(fails=("ddpm.step_back", "ddpm.clamp"), raises=True)
def model_kwargs_unpacked(self, x_t, t: int, model_kwargs=None):
    """You unpacked model_kwargs with ** in the call of the model. The model takes it as one argument, the third."""
    t = torch.full((len(x_t),), t, device=x_t.device, dtype=torch.long)
    output = self.model(x_t, t, **model_kwargs)
    x_start = self.predict_start_from_noise(x_t, t, output) if self.objective == "pred_noise" else output
    mean, std = self.q_posterior(x_start.clamp(-1, 1), x_t, t)
    return mean + std * torch.randn_like(x_t)


@misconception(fails=("ddpm.step_back", "ddpm.clamp"))
def prediction_clamped(self, x_t, t: int, model_kwargs=None):
    """You clamped what the model predicts. If it predicts noise, that cuts the noise off, and x_0 still lies beyond
    [−1, 1]: find x_0 first, and clamp that."""
    t = torch.full((len(x_t),), t, device=x_t.device, dtype=torch.long)
    output = self.model(x_t, t, model_kwargs).clamp(-1, 1)
    x_start = self.predict_start_from_noise(x_t, t, output) if self.objective == "pred_noise" else output
    mean, std = self.q_posterior(x_start, x_t, t)
    return mean + std * torch.randn_like(x_t)


defaults("gaussian_diffusion.py:GaussianDiffusion.p_sample", fails=("ddpm.clamp",))


@misconception
def no_clamp(self, x_t, t: int, model_kwargs=None):
    """You did not clamp the predicted x_0, or did not keep the result. Clamp it to [−1, 1] before you compute x_{t−1}:
    at late times, small mistakes of the model lead far out."""
    t, _, x_start = asked(self, x_t, t, model_kwargs)
    mean, std = self.q_posterior(x_start, x_t, t)
    return mean + std * torch.randn_like(x_t)


@misconception
def clamp_to_bright_pixels(self, x_t, t: int, model_kwargs=None):
    """You clamped the predicted x_0 to [0, 1]. Images are scaled to [−1, 1] here."""
    t, _, x_start = asked(self, x_t, t, model_kwargs)
    mean, std = self.q_posterior(x_start.clamp(0, 1), x_t, t)
    return mean + std * torch.randn_like(x_t)


@misconception
def clamp_of_the_result(self, x_t, t: int, model_kwargs=None):
    """You clamped x_{t−1}. It is noisy, and may lie beyond [−1, 1]: clamp the predicted x_0, from which it is
    computed."""
    t, _, x_start = asked(self, x_t, t, model_kwargs)
    mean, std = self.q_posterior(x_start, x_t, t)
    return (mean + std * torch.randn_like(x_t)).clamp(-1, 1)


@misconception
def clamp_below_only(self, x_t, t: int, model_kwargs=None):
    """You clamped the predicted x_0 at −1 only. It should not exceed 1, either."""
    t, _, x_start = asked(self, x_t, t, model_kwargs)
    mean, std = self.q_posterior(x_start.clamp(min=-1), x_t, t)
    return mean + std * torch.randn_like(x_t)


@misconception
def clamp_of_predicted_starts_only(self, x_t, t: int, model_kwargs=None):
    """You clamped x_0 only if the model predicts it. Clamp it for both objectives."""
    t, _, x_start = asked(self, x_t, t, model_kwargs)
    x_start = x_start if self.objective == "pred_noise" else x_start.clamp(-1, 1)
    mean, std = self.q_posterior(x_start, x_t, t)
    return mean + std * torch.randn_like(x_t)


@misconception
def clamp_of_starts_from_noise_only(self, x_t, t: int, model_kwargs=None):
    """You clamped x_0 only if the model predicts noise. Clamp it for both objectives."""
    t, _, x_start = asked(self, x_t, t, model_kwargs)
    x_start = x_start.clamp(-1, 1) if self.objective == "pred_noise" else x_start
    mean, std = self.q_posterior(x_start, x_t, t)
    return mean + std * torch.randn_like(x_t)
