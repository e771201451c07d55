"""Lab three: classifier-free guidance. Images x and z are [B, 1, 32, 32], times t [B, 1, 1, 1], labels y [B]."""

import math
from abc import ABC, abstractmethod
from itertools import pairwise

import torch
from torch import nn

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


# The lab of 2026: a transformer as the vector field, and guidance in the latent space of an autoencoder. Tokens are
# [B, N, dim], conditions c [B, dim], times t [B] or [B, 1, 1, 1].


class MLPConditionalVectorField(nn.Module):
    """A vector field of points [B, dim] with labels, for trying out guidance."""

    def __init__(self, dim, hidden_dim, class_dim, num_classes):
        super().__init__()
        self.class_embedding = nn.Embedding(num_classes, class_dim)
        self.mlp = nn.Sequential(
            nn.Linear(dim + 1 + class_dim, hidden_dim),
            nn.SiLU(),
            nn.Linear(hidden_dim, hidden_dim),
            nn.SiLU(),
            nn.Linear(hidden_dim, dim),
        )

    def forward(self, x, t, y):
        return self.mlp(torch.cat([x, t.reshape(-1, 1), self.class_embedding(y)], dim=-1))


class FourierEncoder(nn.Module):
    """Cosines and sines of the times, with learned frequencies: [B, dim]."""

    def __init__(self, dim):
        super().__init__()
        self.weights = nn.Parameter(torch.randn(1, dim // 2))

    def forward(self, t):
        angles = 2 * math.pi * t.reshape(-1, 1) * self.weights
        return math.sqrt(2) * torch.cat([angles.cos(), angles.sin()], dim=-1)


class Patchifier(nn.Module):
    """Makes a token of each patch of an image."""

    def __init__(self, img_size, patch_size, c_in, dim):
        super().__init__()
        self.project = nn.Conv2d(c_in, dim, patch_size, stride=patch_size)

    def forward(self, x):
        return self.project(x).flatten(2).transpose(1, 2)


class Depatchifier(nn.Module):
    """Makes an image [B, c_out, img_size, img_size] of the tokens of its patches."""

    def __init__(self, img_size, patch_size, dim, final_dim, c_out):
        super().__init__()
        self.side, self.patch, self.channels = img_size // patch_size, patch_size, final_dim
        self.expand = nn.Linear(dim, final_dim * patch_size**2)
        self.smooth = nn.Conv2d(final_dim, c_out, 3, padding=1)

    def forward(self, tokens):
        side, patch = self.side, self.patch
        patches = self.expand(tokens).reshape(-1, side, side, self.channels, patch, patch)
        images = patches.permute(0, 3, 1, 4, 2, 5).reshape(-1, self.channels, side * patch, side * patch)
        return self.smooth(images)


class MHA(nn.Module):
    """Self-attention with several heads: Vaswani et al. 2017, section 3.2."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x):
        batch, tokens, dim = x.shape
        parts = self.qkv(x).reshape(batch, tokens, 3, self.heads, dim // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) / math.sqrt(dim // self.heads)).softmax(dim=-1)
        return self.out((weights @ v).transpose(1, 2).reshape(batch, tokens, dim))


class DiffusionTransformerLayer(nn.Module):
    """Attention, then two fully connected layers, both modulated by c: adaLN-Zero of Peebles & Xie 2023."""

    def __init__(self, dim, heads):
        super().__init__()
        self.attend = MHA(dim, heads)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        self.norms = nn.ModuleList([nn.LayerNorm(dim, elementwise_affine=False) for _ in range(2)])
        self.modulate = nn.Sequential(nn.SiLU(), nn.Linear(dim, 6 * dim))
        nn.init.zeros_(self.modulate[1].weight)
        nn.init.zeros_(self.modulate[1].bias)

    def forward(self, x, c):
        shift, scale, gate, shift2, scale2, gate2 = self.modulate(c)[:, None].chunk(6, dim=-1)
        x = x + gate * self.attend((1 + scale) * self.norms[0](x) + shift)
        return x + gate2 * self.mlp((1 + scale2) * self.norms[1](x) + shift2)


class DiffusionTransformer(nn.Module):
    """Several layers, which know where a token stands by a learned position."""

    def __init__(self, depth, n_tokens, dim, **layer_kwargs):
        super().__init__()
        self.positions = nn.Parameter(0.02 * torch.randn(1, n_tokens, dim))
        self.layers = nn.ModuleList([DiffusionTransformerLayer(dim, **layer_kwargs) for _ in range(depth)])

    def forward(self, x, c):
        x = x + self.positions
        for layer in self.layers:
            x = layer(x, c)
        return x


class DiffusionTransformerFlowModel(nn.Module):
    """The field u(x, t, y) of images x [B, c, img_size, img_size]."""

    def __init__(self, img_size=32, patch_size=8, num_layers=12, c=1, dim=256, heads=4, final_dim=10, n_classes=11):
        super().__init__()
        self.time = FourierEncoder(dim)
        self.label = nn.Embedding(n_classes, dim)
        self.patchify = Patchifier(img_size, patch_size, c, dim)
        self.transformer = DiffusionTransformer(num_layers, (img_size // patch_size) ** 2, dim, heads=heads)
        self.depatchify = Depatchifier(img_size, patch_size, dim, final_dim, c)

    def forward(self, x, t, y):
        return self.depatchify(self.transformer(self.patchify(x), self.time(t) + self.label(y)))


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut; a new block gives what it takes."""

    def __init__(self, channels, act=nn.SiLU):
        super().__init__()
        self.norm1, self.norm2 = (nn.GroupNorm(4, channels) for _ in range(2))
        self.conv1, self.conv2 = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.act = act()
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x):
        hidden = self.conv1(self.act(self.norm1(x)))
        return x + self.conv2(self.act(self.norm2(hidden)))


class AttnBlock(nn.Module):
    """Attention among the pixels of an image, beside a shortcut."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.GroupNorm(4, channels)
        self.attend = MHA(channels, 1)

    def forward(self, x):
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        return x + self.attend(tokens).transpose(1, 2).reshape(x.shape)


class EncoderBlock(nn.Module):
    """A residual block; with downsample_channels, the image then gets half as high and wide."""

    def __init__(self, in_channels, downsample_channels=None):
        super().__init__()
        self.residual = ResidualBlock(in_channels)
        self.down = nn.Conv2d(in_channels, downsample_channels, 3, 2, 1) if downsample_channels else nn.Identity()

    def forward(self, x):
        return self.down(self.residual(x))


class Encoder(nn.Module):
    """The mean of the latents of images, and the logarithm of their variance, which is one learned number."""

    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        first, last = hidden_channels[0], hidden_channels[-1]
        blocks = [EncoderBlock(*pair) for pair in pairwise(hidden_channels)]
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, first, 3, padding=1), *blocks, EncoderBlock(last), AttnBlock(last)
        )
        self.logvar = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return self.layers(x), self.logvar


class DecoderBlock(nn.Module):
    """A residual block; with upsample_channels, the image then gets twice as high and wide."""

    def __init__(self, in_channels, upsample_channels=None):
        super().__init__()
        self.residual = ResidualBlock(in_channels)
        self.up = nn.Identity()
        if upsample_channels:
            self.up = nn.Sequential(
                nn.Upsample(scale_factor=2), nn.Conv2d(in_channels, upsample_channels, 3, padding=1)
            )

    def forward(self, x):
        return self.up(self.residual(x))


class Decoder(nn.Module):
    """The mean of images of latents, and the logarithm of their variance, which is one learned number."""

    def __init__(self, out_channels, hidden_channels):
        super().__init__()
        first, last = hidden_channels[0], hidden_channels[-1]
        blocks = [DecoderBlock(*pair) for pair in pairwise(hidden_channels)]
        self.layers = nn.Sequential(
            AttnBlock(first), *blocks, DecoderBlock(last), nn.Conv2d(last, out_channels, 3, padding=1)
        )
        self.logvar = nn.Parameter(torch.zeros(()))

    def forward(self, z):
        return self.layers(z), self.logvar


class VAE(nn.Module):
    """An autoencoder whose latents are small images: Kingma & Welling 2014; its β is that of Higgins et al. 2017."""

    def __init__(self, data_channels, hidden_channels, beta=0.1):
        super().__init__()
        self.encoder = Encoder(data_channels, hidden_channels)
        self.decoder = Decoder(data_channels, hidden_channels[::-1])
        self.beta = beta

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def compute_loss(self, z_mean, z_logvar, x_mean, x_logvar, x_true):
        divergence = (z_mean**2 + z_logvar.exp() - z_logvar - 1).mean()
        reconstruction = ((x_true - x_mean) ** 2 / x_logvar.exp() + x_logvar).mean()
        return self.beta * divergence + reconstruction


class LatentCFGTrainer(Trainer):
    """Trains a field with labels on the latents of images."""

    def __init__(self, mnist, vae, path, eta, null_label, eps=0.001):
        super().__init__(None)  # the model comes with the training
        self.mnist, self.vae, self.path = mnist, vae, path
        self.eta, self.null_label, self.eps = eta, null_label, eps

    def get_train_loss(self, batch_size):
        images, y = self.mnist.sample(batch_size)
        with torch.no_grad():
            mean, logvar = self.vae.encode(images)
            z = mean + torch.exp(logvar / 2) * torch.randn_like(mean)
        y = torch.where(torch.rand(batch_size, device=y.device) < self.eta, self.null_label, y)
        t = (1 - self.eps) * torch.rand(batch_size).to(z)
        x = self.path.sample_conditional_path(z, t)
        residuals = self.model(x, t, y) - self.path.conditional_vector_field(x, z, t)
        return residuals.square().sum(dim=(1, 2, 3)).mean()
