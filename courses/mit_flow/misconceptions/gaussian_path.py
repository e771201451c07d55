"""Mistakes in the Gaussian path N(α(t)z, β(t)²I): its draws, its vector field and its score, all [B, d]."""

import torch

from graders.misconceptions import defaults, misconception

defaults("lab_two.py:GaussianConditionalProbabilityPath.sample_conditional_path", fails=("flow_matching.path_sample",))


@misconception
def no_noise(self, z, t):
    """You returned αz, the mean of the path. A draw adds noise to it: αz + βε, with ε from torch.randn_like(z)."""
    return self.alpha(t) * z


@misconception
def noise_forgotten(self, z, t):
    """You returned αz + β, without noise: β is multiplied by standard normal numbers, torch.randn_like(z)."""
    return self.alpha(t) * z + self.beta(t)


@misconception
def uniform_noise(self, z, t):
    """You drew uniform noise, by torch.rand_like. The path is Gaussian: torch.randn_like."""
    return self.alpha(t) * z + self.beta(t) * torch.rand_like(z)


@misconception
def variance_for_deviation(self, z, t):
    """You multiplied the noise by β². The path is N(αz, β²I): β² is its variance, and noise is multiplied by β."""
    return self.alpha(t) * z + self.beta(t) ** 2 * torch.randn_like(z)


@misconception
def schedules_exchanged(self, z, t):
    """You exchanged the schedules: z is multiplied by α, which grows to 1, and the noise by β, which falls to 0."""
    return self.beta(t) * z + self.alpha(t) * torch.randn_like(z)


@misconception
def noise_shared_by_points(self, z, t):
    """You drew one noise for the whole batch. Each point needs its own: torch.randn_like(z)."""
    return self.alpha(t) * z + self.beta(t) * torch.randn(1, z.shape[1])


@misconception
def noise_shared_by_coordinates(self, z, t):
    """You drew one number for each point, so that all its coordinates get the same noise: torch.randn_like(z) draws one
    for each coordinate."""
    return self.alpha(t) * z + self.beta(t) * torch.randn(len(z), 1)


@misconception
def one_time_for_all(self, z, t):
    """You used the first time for the whole batch. Each point has a time of its own."""
    return self.original(z, t[:1].expand_as(t))


@misconception
def means_alone_scaled(self, z, t):
    """You added noise of unit variance at every time. It is multiplied by β(t), which falls to 0 at the data."""
    return self.alpha(t) * z + torch.randn_like(z)


@misconception
def schedules_of_the_hand_out(self, z, t):
    """You wrote t and √(1 − t) into the path. It holds for any schedules: use self.alpha(t) and self.beta(t)."""
    return t * z + torch.sqrt(1 - t) * torch.randn_like(z)


defaults("lab_two.py:GaussianConditionalProbabilityPath.conditional_vector_field", fails=("flow_matching.path_field",))


@misconception
def field_sum_for_difference(self, x, z, t):
    """You added αβ̇/β to α̇. It is subtracted: u(x|z) = (α̇ − αβ̇/β)z + (β̇/β)x."""
    ratio = self.beta.dt(t) / self.beta(t)
    return (self.alpha.dt(t) + ratio * self.alpha(t)) * z + ratio * x


@misconception
def field_ratio_inverted(self, x, z, t):
    """You divided β by its derivative. The ratio is β̇/β, by which noise shrinks."""
    ratio = self.beta(t) / self.beta.dt(t)
    return (self.alpha.dt(t) - ratio * self.alpha(t)) * z + ratio * x


@misconception
def field_without_alpha(self, x, z, t):
    """You subtracted β̇/β where αβ̇/β is: u(x|z) = (α̇ − αβ̇/β)z + (β̇/β)x."""
    ratio = self.beta.dt(t) / self.beta(t)
    return (self.alpha.dt(t) - ratio) * z + ratio * x


@misconception
def field_points_exchanged(self, x, z, t):
    """You exchanged x and z: the data point z is multiplied by α̇ − αβ̇/β, and x by β̇/β."""
    return self.original(z, x, t)


@misconception
def field_of_the_mean(self, x, z, t):
    """Your field is α̇z, by which the path's mean moves. Points also come nearer to the mean, since β falls: add
    (β̇/β)(x − αz)."""
    return self.alpha.dt(t) * z


@misconception
def field_values_for_slopes(self, x, z, t):
    """You used α where its derivative α̇ stands: u(x|z) = (α̇ − αβ̇/β)z + (β̇/β)x, with α̇ from self.alpha.dt(t)."""
    ratio = self.beta.dt(t) / self.beta(t)
    return (self.alpha(t) - ratio * self.alpha(t)) * z + ratio * x


@misconception
def field_divided_by_the_square(self, x, z, t):
    """You divided β̇ by β². It is divided by β: u(x|z) = (α̇ − αβ̇/β)z + (β̇/β)x."""
    ratio = self.beta.dt(t) / self.beta(t) ** 2
    return (self.alpha.dt(t) - ratio * self.alpha(t)) * z + ratio * x


defaults("lab_two.py:GaussianConditionalProbabilityPath.conditional_score", fails=("flow_matching.path_score",))


@misconception
def score_divided_by_beta(self, x, z, t):
    """You divided by β. The gradient of log N(x; αz, β²I) is divided by the variance: (αz − x)/β²."""
    return (self.alpha(t) * z - x) / self.beta(t)


@misconception
def score_negated(self, x, z, t):
    """You gave the score the wrong sign: it leads to where the density is higher, so it is (αz − x)/β²."""
    return -self.original(x, z, t)


@misconception
def score_without_alpha(self, x, z, t):
    """You took z for the path's mean, which is αz: the score is (αz − x)/β²."""
    return (z - x) / self.beta(t) ** 2


@misconception
def score_with_half(self, x, z, t):
    """You halved the score. The ½ of the log-density goes away when its square is differentiated: (αz − x)/β²."""
    return self.original(x, z, t) / 2


@misconception
def score_not_divided(self, x, z, t):
    """You did not divide by the variance: the score is (αz − x)/β²."""
    return self.alpha(t) * z - x
