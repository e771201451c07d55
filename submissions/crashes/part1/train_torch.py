import torch
import torch.nn as nn
from bmnist import bmnist
from mlp_encoder_decoder import MLPEncoder, MLPDecoder


class VAE(nn.Module):

    def __init__(self, model_name, hidden_dims, num_filters, z_dim, *args, **kwargs):
        super().__init__()
        self.encoder = MLPEncoder(hidden_dims=hidden_dims, z_dim=z_dim)

    def forward(self, imgs)
        return self.encoder(imgs)
