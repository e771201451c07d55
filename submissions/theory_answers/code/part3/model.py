import torch
import torch.nn as nn


class NormalizingFlow(nn.Module):

    def __init__(self, base_density, dim, num_flows, num_hidden):
        super().__init__()
        self.register_buffer('init_log_det', torch.zeros(1))
        self.layers = nn.ModuleList()
        self.base_density = base_density

    def forward(self, x):
        nll = None
        raise NotImplementedError
        return nll

    def transform(self, z, inverse=False):
        log_det = self.init_log_det
        raise NotImplementedError
        return z, log_det
