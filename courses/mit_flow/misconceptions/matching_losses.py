"""Mistakes in get_train_loss(batch_size) of the trainers for flow matching and for score matching."""

import torch

from graders.misconceptions import defaults, misconception

defaults("lab_two.py:ConditionalFlowMatchingTrainer.get_train_loss", fails=("flow_matching.flow_loss",))


@misconception
def one_time_for_all(self, batch_size):
    """You drew one time for the whole batch. Each sample needs its own, torch.rand(batch_size, 1): otherwise a step
    sees a single moment of the path."""
    z = self.path.p_data.sample(batch_size)
    t = torch.rand(1, 1).expand(batch_size, 1)
    x = self.path.sample_conditional_path(z, t)
    return (self.model(x, t) - self.path.conditional_vector_field(x, z, t)).square().sum(dim=-1).mean()


@misconception
def normal_times(self, batch_size):
    """You drew times by torch.randn, which are often below 0 or above 1. They are uniform on [0, 1): torch.rand."""
    z = self.path.p_data.sample(batch_size)
    t = torch.randn(batch_size, 1)
    x = self.path.sample_conditional_path(z, t)
    return (self.model(x, t) - self.path.conditional_vector_field(x, z, t)).square().sum(dim=-1).mean()


@misconception
def times_without_an_axis(self, batch_size):
    """You drew times of shape [B]. Products with points [B, d] need [B, 1]: torch.rand(batch_size, 1)."""
    z = self.path.p_data.sample(batch_size)
    t = torch.rand(batch_size)
    x = self.path.sample_conditional_path(z, t)
    return (self.model(x, t) - self.path.conditional_vector_field(x, z, t)).square().sum(dim=-1).mean()


@misconception
def data_for_points(self, batch_size):
    """You gave the model the data z. It is given x, which sample_conditional_path drew for z and t."""
    z = self.path.p_data.sample(batch_size)
    t = torch.rand(batch_size, 1)
    x = self.path.sample_conditional_path(z, t)
    return (self.model(z, t) - self.path.conditional_vector_field(x, z, t)).square().sum(dim=-1).mean()


@misconception
def other_data_in_the_target(self, batch_size):
    """You drew data twice. The target belongs to the z from which x was drawn: draw z once, and use it for both."""
    z = self.path.p_data.sample(batch_size)
    t = torch.rand(batch_size, 1)
    x = self.path.sample_conditional_path(z, t)
    target = self.path.conditional_vector_field(x, self.path.p_data.sample(batch_size), t)
    return (self.model(x, t) - target).square().sum(dim=-1).mean()


@misconception
def other_times_for_the_model(self, batch_size):
    """You drew times twice. The model is given those of the path: draw t once for a batch."""
    z = self.path.p_data.sample(batch_size)
    t = torch.rand(batch_size, 1)
    x = self.path.sample_conditional_path(z, t)
    return (
        (self.model(x, torch.rand(batch_size, 1)) - self.path.conditional_vector_field(x, z, t))
        .square()
        .sum(dim=-1)
        .mean()
    )


@misconception
def points_exchanged_in_the_target(self, batch_size):
    """You exchanged x and z in conditional_vector_field(x, z, t)."""
    z = self.path.p_data.sample(batch_size)
    t = torch.rand(batch_size, 1)
    x = self.path.sample_conditional_path(z, t)
    return (self.model(x, t) - self.path.conditional_vector_field(z, x, t)).square().sum(dim=-1).mean()


@misconception
def distance_not_squared(self, batch_size):
    """You averaged distances. The loss is the mean of their squares, whose minimum is the mean of the targets."""
    z = self.path.p_data.sample(batch_size)
    t = torch.rand(batch_size, 1)
    x = self.path.sample_conditional_path(z, t)
    return (self.model(x, t) - self.path.conditional_vector_field(x, z, t)).norm(dim=-1).mean()


@misconception
def absolute_differences(self, batch_size):
    """You averaged absolute differences. The loss is the mean of squares, whose minimum is the mean of the targets."""
    z = self.path.p_data.sample(batch_size)
    t = torch.rand(batch_size, 1)
    x = self.path.sample_conditional_path(z, t)
    return (self.model(x, t) - self.path.conditional_vector_field(x, z, t)).abs().mean()


@misconception(fails=("flow_matching.flow_loss", "flow_matching.loss_scale"))
def norm_of_the_batch(self, batch_size):
    """You divided the norm of all differences by batch_size. A norm is a root of a sum of squares, so that this is no
    mean: it falls as the batch grows. Square the distance of each sample, and average."""
    z = self.path.p_data.sample(batch_size)
    t = torch.rand(batch_size, 1)
    x = self.path.sample_conditional_path(z, t)
    return torch.norm(self.model(x, t) - self.path.conditional_vector_field(x, z, t)) / batch_size


@misconception
def root_of_the_mean(self, batch_size):
    """You took the root of the mean squared distance. The loss is the mean itself, without a root."""
    z = self.path.p_data.sample(batch_size)
    t = torch.rand(batch_size, 1)
    x = self.path.sample_conditional_path(z, t)
    return (self.model(x, t) - self.path.conditional_vector_field(x, z, t)).square().mean().sqrt()


@misconception
def detached(self, batch_size):
    """You detached the model's output, so that no gradient reaches it. Only the target needs no gradient."""
    z = self.path.p_data.sample(batch_size)
    t = torch.rand(batch_size, 1)
    x = self.path.sample_conditional_path(z, t)
    return (self.model(x, t).detach() - self.path.conditional_vector_field(x, z, t)).square().sum(dim=-1).mean()


@misconception
def score_for_field(self, batch_size):
    """You compared the model with the conditional score. Flow matching compares it with conditional_vector_field."""
    z = self.path.p_data.sample(batch_size)
    t = torch.rand(batch_size, 1)
    x = self.path.sample_conditional_path(z, t)
    return (self.model(x, t) - self.path.conditional_score(x, z, t)).square().sum(dim=-1).mean()


@misconception
def path_of_the_notebook(self, batch_size):
    """You used a global path of your notebook. The trainer has its own, self.path: with another one it would train on
    the wrong data."""
    path = GaussianConditionalProbabilityPath(GaussianMixture.symmetric_2D(5, 1.0), LinearAlpha(), SquareRootBeta())
    z = path.p_data.sample(batch_size)
    t = torch.rand(batch_size, 1)
    x = path.sample_conditional_path(z, t)
    return (self.model(torch.cat([x, t], dim=1), t) - path.conditional_vector_field(x, z, t).mean()).square().mean()


@misconception(fails=("flow_matching.loss_scale",))
def summed_over_the_batch(self, batch_size):
    """You summed the loss over the batch, so that it, and every step, grows with batch_size. Take the mean."""
    return self.original(batch_size) * batch_size


@misconception
def seed_in_the_loss(self, batch_size):
    """You set the seed in get_train_loss, so that each step of the training gets the same times, and the path draws
    the same points for them. Set it once, before the training, if you want to repeat one."""
    torch.manual_seed(0)
    return self.original(batch_size)


defaults("lab_two.py:ConditionalScoreMatchingTrainer.get_train_loss", fails=("flow_matching.score_loss",))


@misconception
def field_for_score(self, batch_size):
    """You compared the model with the conditional vector field. Score matching compares it with conditional_score."""
    z = self.path.p_data.sample(batch_size)
    t = torch.rand(batch_size, 1)
    x = self.path.sample_conditional_path(z, t)
    return (self.model(x, t) - self.path.conditional_vector_field(x, z, t)).square().sum(dim=-1).mean()


@misconception
def score_at_the_data(self, batch_size):
    """You took the score at the data z, and not at x, which sample_conditional_path drew."""
    z = self.path.p_data.sample(batch_size)
    t = torch.rand(batch_size, 1)
    x = self.path.sample_conditional_path(z, t)
    return (self.model(x, t) - self.path.conditional_score(z, z, t)).square().sum(dim=-1).mean()


@misconception
def one_time_for_all_scores(self, batch_size):
    """You drew one time for the whole batch. Each sample needs its own: torch.rand(batch_size, 1)."""
    z = self.path.p_data.sample(batch_size)
    t = torch.rand(1, 1).expand(batch_size, 1)
    x = self.path.sample_conditional_path(z, t)
    return (self.model(x, t) - self.path.conditional_score(x, z, t)).square().sum(dim=-1).mean()


@misconception
def scores_not_squared(self, batch_size):
    """You averaged absolute differences. The loss is the mean of squares, whose minimum is the mean of the targets."""
    z = self.path.p_data.sample(batch_size)
    t = torch.rand(batch_size, 1)
    x = self.path.sample_conditional_path(z, t)
    return (self.model(x, t) - self.path.conditional_score(x, z, t)).abs().mean()


@misconception
def seed_in_the_loss_of_scores(self, batch_size):
    """You set the seed in get_train_loss, so that each step of the training gets the same times, and the path draws
    the same points for them. Set it once, before the training, if you want to repeat one."""
    torch.manual_seed(0)
    return self.original(batch_size)


@misconception(fails=("flow_matching.loss_scale",))
def scores_summed_over_the_batch(self, batch_size):
    """You summed the loss of score matching over the batch, so that every step grows with batch_size. Take the mean."""
    return self.original(batch_size) * batch_size
