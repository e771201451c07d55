"""Lab three: classifier-free guidance. Images x and z are [B, 1, 32, 32], times t [B, 1, 1, 1], labels y [B]."""

from abc import ABC, abstractmethod

import torch

NULL_LABEL = 10  # stands for no label; digits are 0 to 9


class Trainer(ABC):
    """Trains a model on a loss."""

    def __init__(self, model):
        self.model = model

    @abstractmethod
    def get_train_loss(self, batch_size):
        """The loss of a new batch, a single number."""


# 2.2


class CFGTrainer(Trainer):
    """Trains a field u(x, t, y) and, with the null label, u(x, t): Ho & Salimans 2022."""

    def __init__(self, path, model, eta):
        super().__init__(model)
        self.path = path
        self.eta = eta

    def get_train_loss(self, batch_size):
        z, y = self.path.p_data.sample(batch_size)
        dropped = torch.rand(batch_size, device=y.device) < self.eta
        y = torch.where(dropped, NULL_LABEL, y)
        t = torch.rand(batch_size, 1, 1, 1).to(z)
        x = self.path.sample_conditional_path(z, t)
        residuals = self.model(x, t, y) - self.path.conditional_vector_field(x, z, t)
        return residuals.square().sum(dim=(1, 2, 3)).mean()
