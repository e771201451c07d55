import torch.nn as nn
from collections import OrderedDict


class MLPEncoder(nn.Module):

    def __init__(self, input_dim=784, hidden_dims=[512], z_dim=20):
        super().__init__()
        layers = OrderedDict([('flatten', nn.Flatten())])
        n = input_dim
        for i, h in enumerate(hidden_dims):
            layers['linear%d' % i] = nn.Linear(n, h)
            layers['relu%d' % i] = nn.ReLU()
            n = h
        self.net = nn.Sequential(layers)
        self.mean = nn.Linear(n, z_dim)
        self.log_std = nn.Linear(n, z_dim)

    def forward(self, x):
        h = self.net(x)
        return self.mean(h), self.log_std(h)


class MLPDecoder(nn.Module):

    def __init__(self, z_dim=20, hidden_dims=[512], output_shape=[1, 28, 28]):
        super().__init__()
        self.output_shape = output_shape
        out = output_shape[0] * output_shape[1] * output_shape[2]
        layers = OrderedDict()
        n = z_dim
        for i, h in enumerate(hidden_dims):
            layers['linear%d' % i] = nn.Linear(n, h)
            layers['relu%d' % i] = nn.ReLU()
            n = h
        layers['out'] = nn.Linear(n, out)
        self.net = nn.Sequential(layers)

    def forward(self, z):
        x = self.net(z)
        return x.view(x.shape[0], *self.output_shape)

    @property
    def device(self):
        return next(self.parameters()).device
