"""A U-Net for images with times and texts, whose layers have the names of the course's checkpoint."""

import copy
import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn


def Upsample(dim, dim_out=None):
    """Doubles height and width."""
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(dim, dim_out or dim, 3, padding=1))


def Downsample(dim, dim_out=None):
    """Halves height and width."""
    return nn.Conv2d(dim, dim_out or dim, 2, stride=2)


class RMSNorm(nn.Module):
    """Gives the channels of each pixel a root mean square of 1, and scales each channel."""

    def __init__(self, dim):
        super().__init__()
        self.g = nn.Parameter(torch.ones(1, dim, 1, 1))

    def forward(self, x):
        return F.normalize(x, dim=1) * x.shape[1] ** 0.5 * self.g


class SinusoidalPosEmb(nn.Module):
    """Sines and cosines of times [B] at dim / 2 frequencies: [B, dim]. Vaswani et al. 2017, section 3.5."""

    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, time):
        half = self.dim // 2
        rates = torch.exp(-math.log(10000) * torch.arange(half, device=time.device) / (half - 1))
        angles = time[:, None] * rates
        return torch.cat([angles.sin(), angles.cos()], dim=1)


class Block(nn.Module):
    """A convolution, a norm that a context may scale and shift, and an activation."""

    def __init__(self, dim, dim_out):
        super().__init__()
        self.proj = nn.Conv2d(dim, dim_out, 3, padding=1)
        self.norm = RMSNorm(dim_out)
        self.act = nn.GELU()

    def forward(self, x, scale_shift=None):
        x = self.norm(self.proj(x))
        if scale_shift is not None:
            scale, shift = scale_shift
            x = x * (1 + scale) + shift
        return self.act(x)


class ResnetBlock(nn.Module):
    """Two blocks with a shortcut; a context [B, context_dim] changes the first."""

    def __init__(self, dim, dim_out, context_dim):
        super().__init__()
        self.mlp = nn.Sequential(nn.GELU(), nn.Linear(context_dim, 2 * dim_out)) if context_dim is not None else None
        self.block1 = Block(dim, dim_out)
        self.block2 = Block(dim_out, dim_out)
        self.res_conv = nn.Identity() if dim == dim_out else nn.Conv2d(dim, dim_out, 1)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x, context=None):
        scale_shift = None
        if self.mlp is not None and context is not None:
            scale_shift = rearrange(self.mlp(context), "b c -> b c 1 1").chunk(2, dim=1)
        return self.res_conv(x) + self.block2(self.dropout(self.block1(x, scale_shift)))


class Unet(nn.Module):
    """Images [B, channels, H, W], times [B] and texts [B, condition_dim] → noise or images of the same shape."""

    def __init__(self, dim, condition_dim, dim_mults=(1, 2, 4, 8), channels=3, uncond_prob=0.2):
        super().__init__()
        self.channels = channels
        self.condition_dim = condition_dim
        self.uncond_prob = uncond_prob
        dims = [dim, *(dim * each for each in dim_mults)]
        in_out = list(pairwise(dims))
        context_dim = 4 * dim
        self.init_conv = nn.Conv2d(channels, dim, 3, padding=1)
        self.time_mlp = nn.Sequential(
            SinusoidalPosEmb(dim), nn.Linear(dim, context_dim), nn.GELU(), nn.Linear(context_dim, context_dim)
        )
        self.condition_mlp = nn.Sequential(
            nn.Linear(condition_dim, context_dim), nn.GELU(), nn.Linear(context_dim, context_dim)
        )
        self.downs = nn.ModuleList([])
        self.ups = nn.ModuleList([])
        for dim_in, dim_out in in_out:
            down_block = self.down_block(dim_in, dim_out, context_dim)
            self.downs.append(down_block)
        self.mid_block1 = ResnetBlock(dims[-1], dims[-1], context_dim)
        self.mid_block2 = ResnetBlock(dims[-1], dims[-1], context_dim)
        for dim_out, dim_in in reversed(in_out):
            up_block = self.up_block(dim_in, dim_out, context_dim)
            self.ups.append(up_block)
        self.final_conv = nn.Conv2d(dim, channels, 1)

    def down_block(self, dim_in, dim_out, context_dim):
        return nn.ModuleList(
            [
                ResnetBlock(dim_in, dim_in, context_dim),
                ResnetBlock(dim_in, dim_in, context_dim),
                Downsample(dim_in, dim_out),
            ]
        )

    def up_block(self, dim_in, dim_out, context_dim):
        return nn.ModuleList(
            [
                Upsample(dim_in, dim_out),
                ResnetBlock(2 * dim_out, dim_out, context_dim),
                ResnetBlock(2 * dim_out, dim_out, context_dim),
            ]
        )

    def cfg_forward(self, x, time, model_kwargs=None):
        scale = model_kwargs.pop("cfg_scale")
        model_kwargs = copy.deepcopy(model_kwargs)
        conditional = self.forward(x, time, model_kwargs)
        model_kwargs["text_emb"] = None
        unconditional = self.forward(x, time, model_kwargs)
        return (scale + 1) * conditional - scale * unconditional

    def context(self, x, time, text):
        """What all blocks are told of times [B] and texts [B, condition_dim], of which training drops some."""
        if text is None:
            text = torch.zeros(len(x), self.condition_dim, device=x.device)
        if self.training:
            text = text * (torch.rand(len(x), 1, device=x.device) > self.uncond_prob)
        return self.time_mlp(time) + self.condition_mlp(text)

    def forward(self, x, time, model_kwargs=None):
        model_kwargs = model_kwargs or {}
        if "cfg_scale" in model_kwargs:
            return self.cfg_forward(x, time, model_kwargs)
        context = self.context(x, time, model_kwargs["text_emb"])
        x = self.init_conv(x)
        skips = []
        for block1, block2, downsample in self.downs:
            x = block1(x, context)
            skips.append(x)
            x = block2(x, context)
            skips.append(x)
            x = downsample(x)
        x = self.mid_block1(x, context)
        x = self.mid_block2(x, context)
        for upsample, block1, block2 in self.ups:
            x = upsample(x)
            x = block1(torch.cat([x, skips.pop()], dim=1), context)
            x = block2(torch.cat([x, skips.pop()], dim=1), context)
        return self.final_conv(x)
