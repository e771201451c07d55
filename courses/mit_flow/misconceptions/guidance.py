"""Mistakes in CFGTrainer.get_train_loss(batch_size): the loss with labels, some of which are dropped."""

import torch

from graders.misconceptions import defaults, misconception

defaults("lab_three.py:CFGTrainer.get_train_loss", fails=("flow_matching.label_dropping",))


def _loss(trainer, z, y):
    t = torch.rand(len(z), 1, 1, 1).to(z)
    x = trainer.path.sample_conditional_path(z, t)
    residuals = trainer.model(x, t, y) - trainer.path.conditional_vector_field(x, z, t)
    return residuals.square().sum(dim=(1, 2, 3)).mean()


@misconception
def kept_with_probability_eta(self, batch_size):
    """You kept labels with probability η, and dropped the others: η is the share that is dropped, rand < η. An early
    version of the course's own solution had it the other way round."""
    z, y = self.path.p_data.sample(batch_size)
    return _loss(self, z, torch.where(torch.rand(batch_size) > self.eta, NULL_LABEL, y))


@misconception
def one_coin_for_the_batch(self, batch_size):
    """You tossed one coin for the whole batch, so that all its labels are dropped or none. Each label has its own coin:
    torch.rand(batch_size) < η."""
    z, y = self.path.p_data.sample(batch_size)
    return _loss(self, z, torch.full_like(y, NULL_LABEL) if torch.rand(1) < self.eta else y)


@misconception
def never_dropped(self, batch_size):
    """You dropped no labels. Without the null label, the model never learns the field without a label, with which
    guidance compares."""
    z, y = self.path.p_data.sample(batch_size)
    return _loss(self, z, y)


@misconception
def always_dropped(self, batch_size):
    """You replaced every label by the null label, so that the model never sees a digit's label. Each is dropped with
    probability η alone."""
    z, y = self.path.p_data.sample(batch_size)
    return _loss(self, z, torch.full_like(y, NULL_LABEL))


@misconception
def dropped_to_zero(self, batch_size):
    """You set dropped labels to 0, which is the label of a digit. They become the null label, 10."""
    z, y = self.path.p_data.sample(batch_size)
    return _loss(self, z, torch.where(torch.rand(batch_size) < self.eta, 0, y))


@misconception
def dropped_to_minus_one(self, batch_size):
    """You set dropped labels to −1, for which an embedding has no row. They become the null label, 10."""
    z, y = self.path.p_data.sample(batch_size)
    return _loss(self, z, torch.where(torch.rand(batch_size) < self.eta, -1, y))


@misconception
def the_first_are_dropped(self, batch_size):
    """You dropped the labels of the first samples of each batch. Each label is dropped by chance, by its own coin:
    torch.rand(batch_size) < η."""
    z, y = self.path.p_data.sample(batch_size)
    return _loss(self, z, torch.where(torch.arange(batch_size) < self.eta * batch_size, NULL_LABEL, y))


@misconception
def labels_of_other_images(self, batch_size):
    """You drew images and labels separately, so that they do not belong together: p_data.sample gives both at once."""
    z, _ = self.path.p_data.sample(batch_size)
    _, y = self.path.p_data.sample(batch_size)
    return _loss(self, z, torch.where(torch.rand(batch_size) < self.eta, NULL_LABEL, y))


defaults("lab_three.py:CFGTrainer.get_train_loss", fails=("flow_matching.guided_loss",))


@misconception
def times_without_axes(self, batch_size):
    """You drew times of shape [B]. Products with images [B, 1, 32, 32] need [B, 1, 1, 1]."""
    z, y = self.path.p_data.sample(batch_size)
    y = torch.where(torch.rand(batch_size) < self.eta, NULL_LABEL, y)
    t = torch.rand(batch_size)
    x = self.path.sample_conditional_path(z, t)
    return (self.model(x, t, y) - self.path.conditional_vector_field(x, z, t)).square().mean()


@misconception
def guided_one_time_for_all(self, batch_size):
    """You drew one time for the whole batch. Each sample needs its own: torch.rand(batch_size, 1, 1, 1)."""
    z, y = self.path.p_data.sample(batch_size)
    y = torch.where(torch.rand(batch_size) < self.eta, NULL_LABEL, y)
    t = torch.rand(1, 1, 1, 1).expand(batch_size, 1, 1, 1)
    x = self.path.sample_conditional_path(z, t)
    return (self.model(x, t, y) - self.path.conditional_vector_field(x, z, t)).square().mean()


@misconception
def images_for_points(self, batch_size):
    """You gave the model the images z. It is given x, which sample_conditional_path drew for z and t."""
    z, y = self.path.p_data.sample(batch_size)
    y = torch.where(torch.rand(batch_size) < self.eta, NULL_LABEL, y)
    t = torch.rand(batch_size, 1, 1, 1)
    x = self.path.sample_conditional_path(z, t)
    return (self.model(z, t, y) - self.path.conditional_vector_field(x, z, t)).square().mean()


@misconception(fails=("flow_matching.guided_loss", "flow_matching.label_dropping"))
def labels_not_given(self, batch_size):
    """You called the model without labels. It needs them to learn a field for each digit: self.model(x, t, y)."""
    z, _ = self.path.p_data.sample(batch_size)
    t = torch.rand(batch_size, 1, 1, 1)
    x = self.path.sample_conditional_path(z, t)
    return (self.model(x, t, None) - self.path.conditional_vector_field(x, z, t)).square().mean()


@misconception(fails=("flow_matching.guided_scale",))
def guided_summed_over_the_batch(self, batch_size):
    """You summed the loss over the batch, so that it, and every step, grows with batch_size. Take the mean."""
    return self.original(batch_size) * batch_size


@misconception(fails=("flow_matching.guided_loss", "flow_matching.label_dropping"))
def seed_in_the_guided_loss(self, batch_size):
    """You set the seed in get_train_loss, so that each step of the training gets the same times, and drops the labels
    in the same places. Set it once, before the training, if you want to repeat one."""
    torch.manual_seed(0)
    return self.original(batch_size)


@misconception(fails=("flow_matching.guided_times",))
def times_end_at_the_pole(self, batch_size):
    """You left out times near 0, and kept those near 1. The field has its pole at t = 1: draw from [0, 1 − eps)."""
    z, y = self.path.p_data.sample(batch_size)
    y = torch.where(torch.rand(batch_size) < self.eta, NULL_LABEL, y)
    t = 0.001 + 0.999 * torch.rand(batch_size, 1, 1, 1)
    x = self.path.sample_conditional_path(z, t)
    return (self.model(x, t, y) - self.path.conditional_vector_field(x, z, t)).square().mean()
