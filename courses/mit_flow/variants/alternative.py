"""The labs, written quite differently: one formula a line, other names, and lab three of 2026 with einops."""

ONE = """import math

import torch
from torch import Tensor


class ODE:
    def drift_coefficient(self, xt: Tensor, t: Tensor) -> Tensor:
        raise NotImplementedError


class SDE(ODE):
    sigma: float

    def diffusion_coefficient(self, xt: Tensor, t: Tensor) -> Tensor:
        raise NotImplementedError


class EulerSimulator:
    def __init__(self, ode: ODE):
        self.ode = ode

    def step(self, xt: Tensor, t: Tensor, h: Tensor) -> Tensor:
        velocity = self.ode.drift_coefficient(xt, t)
        return torch.add(xt, velocity * h)


class EulerMaruyamaSimulator:
    def __init__(self, sde: SDE):
        self.sde = sde

    def step(self, xt: Tensor, t: Tensor, h: Tensor) -> Tensor:
        new = torch.normal(0.0, math.sqrt(float(h)), size=xt.shape)
        new = new * self.sde.diffusion_coefficient(xt, t)
        new = new + self.sde.drift_coefficient(xt, t) * h
        return new + xt


class BrownianMotion(SDE):
    def __init__(self, sigma: float):
        self.sigma = sigma

    def drift_coefficient(self, xt: Tensor, t: Tensor) -> Tensor:
        return torch.zeros(xt.shape)

    def diffusion_coefficient(self, xt: Tensor, t: Tensor) -> Tensor:
        return torch.ones(xt.shape) * self.sigma


class OUProcess(SDE):
    def __init__(self, theta: float, sigma: float):
        self.theta, self.sigma = theta, sigma

    def drift_coefficient(self, xt: Tensor, t: Tensor) -> Tensor:
        return (0.0 - xt) * self.theta

    def diffusion_coefficient(self, xt: Tensor, t: Tensor) -> Tensor:
        return torch.ones(xt.shape) * self.sigma


class LangevinSDE(SDE):
    def __init__(self, sigma: float, density):
        self.sigma, self.density = sigma, density

    def drift_coefficient(self, xt: Tensor, t: Tensor) -> Tensor:
        return self.density.score(xt) * (self.sigma * self.sigma / 2)

    def diffusion_coefficient(self, xt: Tensor, t: Tensor) -> Tensor:
        return torch.ones(xt.shape) * self.sigma
"""

TWO = """import torch
from torch import Tensor, nn


class Gaussian:
    def __init__(self, dim, std):
        self.dim, self.std = dim, std

    def sample(self, num_samples):
        return torch.normal(0.0, self.std, size=(num_samples, self.dim))


class GaussianMixture:
    def __init__(self, means, std):
        self.means, self.std, self.dim = means, std, means.size(1)

    @classmethod
    def symmetric_2D(cls, nmodes, std, scale=10.0):
        return cls(scale * torch.randn(nmodes, 2), std)

    def sample(self, num_samples):
        chosen = torch.randint(0, self.means.size(0), size=(num_samples,))
        return self.means[chosen] + self.std * torch.randn(num_samples, 2)


class LinearAlpha:
    def __call__(self, t: Tensor) -> Tensor:
        return 1.0 * t

    def dt(self, t: Tensor) -> Tensor:
        return torch.ones(t.shape)


class SquareRootBeta:
    def __call__(self, t: Tensor) -> Tensor:
        return (1.0 - t).pow(0.5)

    def dt(self, t: Tensor) -> Tensor:
        return -1 / (2 * (1.0 - t).pow(0.5) + 2e-4)


class ConditionalProbabilityPath:
    def __init__(self, p_simple, p_data):
        self.p_simple, self.p_data = p_simple, p_data

    def sample_conditioning_variable(self, num_samples):
        return self.p_data.sample(num_samples)


class GaussianConditionalProbabilityPath(ConditionalProbabilityPath):
    def __init__(self, p_data, alpha, beta):
        super().__init__(Gaussian(p_data.dim, 1.0), p_data)
        self.alpha, self.beta = alpha, beta

    def sample_conditional_path(self, z: Tensor, t: Tensor) -> Tensor:
        noise = torch.normal(0.0, 1.0, size=z.shape)
        return noise * self.beta(t) + z * self.alpha(t)

    def conditional_vector_field(self, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        noise = (x - self.alpha(t) * z) / self.beta(t)
        return noise * self.beta.dt(t) + z * self.alpha.dt(t)

    def conditional_score(self, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        noise = (x - self.alpha(t) * z) / self.beta(t)
        return -noise / self.beta(t)


def squared_distance(one: Tensor, other: Tensor) -> Tensor:
    return torch.nn.functional.mse_loss(one, other)


class Trainer:
    def __init__(self, model):
        self.model = model


class ConditionalFlowMatchingTrainer(Trainer):
    def __init__(self, path, model):
        super().__init__(model)
        self.path = path

    def get_train_loss(self, batch_size: int) -> Tensor:
        times = torch.empty(batch_size, 1).uniform_()
        z = self.path.sample_conditioning_variable(batch_size)
        x = self.path.sample_conditional_path(z, times)
        target = self.path.conditional_vector_field(x, z, times)
        return squared_distance(self.model(x, times), target)


class ConditionalScoreMatchingTrainer(Trainer):
    def __init__(self, path, model):
        super().__init__(model)
        self.path = path

    def get_train_loss(self, batch_size: int) -> Tensor:
        times = torch.empty(batch_size, 1).uniform_()
        z = self.path.sample_conditioning_variable(batch_size)
        x = self.path.sample_conditional_path(z, times)
        target = self.path.conditional_score(x, z, times)
        return squared_distance(self.model(x, times), target)


class ScoreFromVectorField(nn.Module):
    def __init__(self, vector_field, alpha, beta):
        super().__init__()
        self.vector_field, self.alpha, self.beta = vector_field, alpha, beta

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        a, b, da, db = self.alpha(t), self.beta(t), self.alpha.dt(t), self.beta.dt(t)
        below = b * (b * da - a * db)
        return self.vector_field(x, t) * (a / below) - x * (da / below)


class LinearConditionalProbabilityPath(ConditionalProbabilityPath):
    def sample_conditional_path(self, z: Tensor, t: Tensor) -> Tensor:
        return torch.lerp(self.p_simple.sample(z.size(0)), z, t.expand_as(z))

    def conditional_vector_field(self, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        return torch.div(z - x, 1.0 - t)
"""

THREE = """import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from einops import rearrange, repeat
from einops.layers.torch import Rearrange
from torch import Tensor


class CFGTrainer:
    def __init__(self, path, eta: float, null_label: int, eps: float = 0.001):
        self.path, self.eta, self.null_label, self.eps = path, eta, null_label, eps
        self.model = None

    def get_train_loss(self, batch_size: int) -> Tensor:
        z, y = self.path.p_data.sample(batch_size)
        y = y.masked_fill(torch.bernoulli(torch.full(y.shape, self.eta)).bool(), self.null_label)
        t = torch.rand(batch_size).to(z) * (1 - self.eps)
        x = self.path.sample_conditional_path(z, t)
        error = self.model(x, t, y) - self.path.conditional_vector_field(x, z, t)
        return error.pow(2).flatten(1).sum(1).mean()


class MLPConditionalVectorField(nn.Module):
    def __init__(self, dim: int, hidden_dim: int, class_dim: int, num_classes: int):
        super().__init__()
        self.embed = nn.Embedding(num_classes, class_dim)
        self.mlp = nn.Sequential(nn.Linear(class_dim + dim + 1, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, dim))

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        return self.mlp(torch.hstack([self.embed(y), t.view(len(x), 1), x]))


class FourierEncoder(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.weights = nn.Parameter(torch.randn(dim // 2))

    def forward(self, t: Tensor) -> Tensor:
        phase = torch.outer(t.flatten(), self.weights) * (2 * torch.pi)
        return torch.stack([phase.sin(), phase.cos()], dim=2).flatten(1)


class Patchifier(nn.Module):
    def __init__(self, img_size: int, patch_size: int, c_in: int, dim: int):
        super().__init__()
        self.net = nn.Sequential(
            Rearrange("b c (h p) (w q) -> b (w h) (c p q)", p=patch_size, q=patch_size),
            nn.Linear(c_in * patch_size * patch_size, dim),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class Depatchifier(nn.Module):
    def __init__(self, img_size: int, patch_size: int, dim: int, final_dim: int, c_out: int):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.up = nn.Linear(dim, patch_size**2 * final_dim)
        self.last = nn.Conv2d(final_dim, c_out, 1)
        self.h, self.p = img_size // patch_size, patch_size

    def forward(self, x: Tensor) -> Tensor:
        x = self.up(self.norm(x))
        return self.last(rearrange(x, "b (w h) (p q c) -> b c (h p) (w q)", h=self.h, p=self.p, q=self.p))


class MHA(nn.Module):
    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads, self.scale = heads, (dim // heads) ** -0.5
        self.to_q, self.to_k, self.to_v = (nn.Linear(dim, dim, bias=False) for _ in range(3))
        self.to_out = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            rearrange(f(x), "b n (d h) -> b h n d", h=self.heads) for f in (self.to_q, self.to_k, self.to_v)
        )
        attention = F.softmax(torch.einsum("bhid,bhjd->bhij", q, k) * self.scale, dim=3)
        return self.to_out(rearrange(torch.einsum("bhij,bhjd->bhid", attention, v), "b h n d -> b n (d h)"))


class DiffusionTransformerLayer(nn.Module):
    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.ada = nn.Linear(dim, 6 * dim)
        self.mha = MHA(dim, heads)
        self.ln1, self.ln2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.up, self.down = nn.Linear(dim, 2 * dim), nn.Linear(2 * dim, dim)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        a1, g1, b1, a2, g2, b2 = rearrange(self.ada(F.silu(c)), "b (k d) -> k b 1 d", k=6)
        x = x + a1 * self.mha(self.ln1(x) * (g1 + 1) + b1)
        return x + a2 * self.down(F.gelu(self.up(self.ln2(x) * (g2 + 1) + b2)))


class DiffusionTransformer(nn.Module):
    def __init__(self, depth: int, n_tokens: int, dim: int, **layer_kwargs):
        super().__init__()
        self.pos = nn.Embedding(n_tokens, dim)
        self.blocks = nn.ModuleList()
        for _ in range(depth):
            self.blocks.append(DiffusionTransformerLayer(dim, **layer_kwargs))

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        x = x + repeat(self.pos.weight, "n d -> b n d", b=x.shape[0])
        for block in self.blocks:
            x = block(x, c)
        return x


class DiffusionTransformerFlowModel(nn.Module):
    def __init__(
        self, img_size=32, patch_size=8, num_layers=12, c=1, dim=256, heads=4, final_dim=10, n_classes=11
    ):
        super().__init__()
        self.patch = Patchifier(img_size, patch_size, c, dim)
        self.unpatch = Depatchifier(img_size, patch_size, dim, final_dim, c)
        self.embed_t, self.embed_y = FourierEncoder(dim), nn.Embedding(n_classes, dim)
        self.body = DiffusionTransformer(num_layers, (img_size // patch_size) ** 2, dim, heads=heads)

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        condition = self.embed_t(t) + self.embed_y(y)
        return self.unpatch(self.body(self.patch(x), condition))


class ResidualBlock(nn.Module):
    def __init__(self, channels: int, act=nn.SiLU):
        super().__init__()
        conv2 = nn.Conv2d(channels, channels, 3, padding="same")
        nn.init.zeros_(conv2.weight)
        nn.init.zeros_(conv2.bias)
        first = (nn.GroupNorm(8, channels), act(), nn.Conv2d(channels, channels, 3, padding="same"))
        self.f = nn.Sequential(*first, nn.GroupNorm(8, channels), act(), conv2)

    def forward(self, x: Tensor) -> Tensor:
        return self.f(x).add(x)


class AttnBlock(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.q, self.k, self.v, self.o = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        q, k, v = (rearrange(f(h), "b c i j -> b (i j) c") for f in (self.q, self.k, self.v))
        h = F.scaled_dot_product_attention(q, k, v)
        return x + self.o(rearrange(h, "b (i j) c -> b c i j", i=x.shape[2]))


class EncoderBlock(nn.Module):
    def __init__(self, in_channels: int, downsample_channels: int | None = None):
        super().__init__()
        self.res = nn.Sequential(ResidualBlock(in_channels), ResidualBlock(in_channels))
        self.down = None
        if downsample_channels is not None:
            unfold = Rearrange("b c (h p) (w q) -> b (c p q) h w", p=2, q=2)
            self.down = nn.Sequential(unfold, nn.Conv2d(4 * in_channels, downsample_channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.res(x)
        return x if self.down is None else self.down(x)


class Encoder(nn.Module):
    def __init__(self, in_channels: int, hidden_channels: list[int]):
        super().__init__()
        self.stem = nn.Conv2d(in_channels, hidden_channels[0], 3, padding=1)
        self.blocks = nn.ModuleList()
        for index, channels in enumerate(hidden_channels):
            following = hidden_channels[index + 1] if index + 1 < len(hidden_channels) else None
            self.blocks.append(EncoderBlock(channels, following))
        self.attn = AttnBlock(hidden_channels[-1])
        self.log_var = nn.Parameter(torch.tensor([0.0]))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.attn(x), self.log_var


class DecoderBlock(nn.Module):
    def __init__(self, in_channels: int, upsample_channels: int | None = None):
        super().__init__()
        self.res = ResidualBlock(in_channels)
        self.up = nn.Identity()
        if upsample_channels is not None:
            self.up = nn.ConvTranspose2d(in_channels, upsample_channels, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.res(x))


class Decoder(nn.Module):
    def __init__(self, out_channels: int, hidden_channels: list[int]):
        super().__init__()
        following = [*hidden_channels[1:], None]
        self.attn = AttnBlock(hidden_channels[0])
        self.blocks = nn.Sequential(*(DecoderBlock(a, b) for a, b in zip(hidden_channels, following)))
        self.head = nn.Conv2d(hidden_channels[-1], out_channels, 3, padding=1)
        self.log_var = nn.Parameter(torch.tensor([0.0]))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return self.head(self.blocks(self.attn(z))), self.log_var


class VAE(nn.Module):
    def __init__(self, data_channels: int, hidden_channels: list[int], beta: float = 0.1):
        super().__init__()
        self.encoder = Encoder(data_channels, hidden_channels)
        self.decoder = Decoder(data_channels, list(reversed(hidden_channels)))
        self.beta = beta

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.encoder(x)

    def decode(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return self.decoder(z)

    def compute_loss(self, z_mean, z_logvar, x_mean, x_logvar, x_true):
        kl = 0.5 * (z_mean.square() + z_logvar.exp() - z_logvar - 1).flatten(1).sum(1)
        squares = (x_true - x_mean).square() * torch.exp(-x_logvar)
        nll = 0.5 * (squares + x_logvar + math.log(2 * math.pi)).flatten(1).sum(1)
        return (nll + self.beta * kl).mean()


class LatentCFGTrainer:
    def __init__(self, mnist, vae: nn.Module, path, eta: float, null_label: int, eps: float = 0.001):
        self.data, self.vae, self.path = mnist, vae, path
        self.eta, self.null, self.eps = eta, null_label, eps
        self.model = None

    @torch.no_grad()
    def latents(self, images: Tensor) -> Tensor:
        mean, log_var = self.vae.encode(images)
        return torch.normal(mean, (0.5 * log_var).exp().expand_as(mean))

    def get_train_loss(self, batch_size: int) -> Tensor:
        images, labels = self.data.sample(batch_size)
        z = self.latents(images)
        dropped = torch.rand_like(labels.float()) < self.eta
        labels = labels * ~dropped + self.null * dropped
        t = torch.rand(batch_size, 1, 1, 1).to(z) * (1 - self.eps)
        x = self.path.sample_conditional_path(z, t)
        return F.mse_loss(self.model(x, t, labels), self.path.conditional_vector_field(x, z, t))
"""
