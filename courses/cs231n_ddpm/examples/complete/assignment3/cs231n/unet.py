"""Assignment 3, DDPM: the U-Net."""
import copy
import math

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn


def Upsample(dim, dim_out):
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(dim, dim_out, 3, padding=1))


def Downsample(dim, dim_out):
    return nn.Conv2d(dim, dim_out, kernel_size=2, stride=2)


class RMSNorm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.scale = math.sqrt(dim)
        self.g = nn.Parameter(torch.ones(1, dim, 1, 1))

    def forward(self, x):
        return self.scale * self.g * F.normalize(x, dim=1)


class SinusoidalPosEmb(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, x):
        half = self.dim // 2
        freqs = torch.exp(torch.arange(half, device=x.device) * (-math.log(10000) / (half - 1)))
        emb = x[:, None] * freqs[None, :]
        return torch.cat((emb.sin(), emb.cos()), dim=-1)


class Block(nn.Module):
    def __init__(self, dim, dim_out):
        super().__init__()
        self.proj = nn.Conv2d(dim, dim_out, 3, padding=1)
        self.norm = RMSNorm(dim_out)
        self.act = nn.GELU()

    def forward(self, x, scale_shift=None):
        x = self.norm(self.proj(x))
        if scale_shift is not None:
            x = x * (scale_shift[0] + 1) + scale_shift[1]
        return self.act(x)


class ResnetBlock(nn.Module):
    def __init__(self, dim, dim_out, context_dim):
        super().__init__()
        self.mlp = nn.Sequential(nn.GELU(), nn.Linear(context_dim, dim_out * 2))
        self.block1 = Block(dim, dim_out)
        self.block2 = Block(dim_out, dim_out)
        self.res_conv = nn.Conv2d(dim, dim_out, 1) if dim != dim_out else nn.Identity()
        self.dropout = nn.Dropout(0.1)

    def forward(self, x, context=None):
        scale_shift = None
        if context is not None:
            scale_shift = rearrange(self.mlp(context), "b c -> b c 1 1").chunk(2, dim=1)
        h = self.dropout(self.block1(x, scale_shift=scale_shift))
        return self.block2(h) + self.res_conv(x)


class Unet(nn.Module):
    def __init__(self, dim, condition_dim, dim_mults=(1, 2, 4, 8), channels=3, uncond_prob=0.2):
        super().__init__()
        self.init_conv = nn.Conv2d(channels, dim, 3, padding=1)
        self.channels = channels
        dims = [dim] + [dim * m for m in dim_mults]
        pairs = [(dims[i], dims[i + 1]) for i in range(len(dim_mults))]
        context_dim = dim * 4
        self.time_mlp = nn.Sequential(
            SinusoidalPosEmb(dim), nn.Linear(dim, context_dim), nn.GELU(), nn.Linear(context_dim, context_dim)
        )
        self.condition_dim = condition_dim
        self.condition_mlp = nn.Sequential(
            nn.Linear(condition_dim, context_dim), nn.GELU(), nn.Linear(context_dim, context_dim)
        )
        self.uncond_prob = uncond_prob
        self.downs = nn.ModuleList([])
        self.ups = nn.ModuleList([])
        for dim_in, dim_out in pairs:
            down_block = nn.ModuleList()
            for _ in range(2):
                down_block.append(ResnetBlock(dim_in, dim_in, context_dim=context_dim))
            down_block.append(Downsample(dim_in, dim_out))
            self.downs.append(down_block)
        self.mid_block1 = ResnetBlock(dims[-1], dims[-1], context_dim=context_dim)
        self.mid_block2 = ResnetBlock(dims[-1], dims[-1], context_dim=context_dim)
        for dim_out, dim_in in pairs[::-1]:
            up_block = nn.ModuleList([Upsample(dim_in, dim_out)])
            up_block.extend(ResnetBlock(dim_out * 2, dim_out, context_dim=context_dim) for _ in range(2))
            self.ups.append(up_block)
        self.final_conv = nn.Conv2d(dim, channels, 1)

    def cfg_forward(self, x, time, model_kwargs={}):
        cfg_scale = model_kwargs.pop("cfg_scale")
        print("Classifier-free guidance scale:", cfg_scale)
        model_kwargs = copy.deepcopy(model_kwargs)
        cond = self.forward(x, time, model_kwargs)
        uncond = self.forward(x, time, {**model_kwargs, "text_emb": None})
        x = (cfg_scale + 1) * cond - cfg_scale * uncond
        return x

    def forward(self, x, time, model_kwargs={}):
        if "cfg_scale" in model_kwargs:
            return self.cfg_forward(x, time, model_kwargs)
        context = self.time_mlp(time)
        cond_emb = model_kwargs["text_emb"]
        if cond_emb is None:
            cond_emb = torch.zeros(x.shape[0], self.condition_dim, device=x.device)
        if self.training:
            keep = torch.rand(cond_emb.shape[0], 1, device=cond_emb.device) > self.uncond_prob
            cond_emb = cond_emb * keep.float()
        context = context + self.condition_mlp(cond_emb)

        x = self.init_conv(x)
        h = []
        for down in self.downs:
            x = down[0](x, context)
            h.append(x)
            x = down[1](x, context)
            h.append(x)
            x = down[2](x)
        x = self.mid_block2(self.mid_block1(x, context), context)
        for up in self.ups:
            x = up[0](x)
            x = up[1](torch.cat((x, h.pop()), dim=1), context)
            x = up[2](torch.cat((x, h.pop()), dim=1), context)
        x = self.final_conv(x)
        return x
