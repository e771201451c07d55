"""A right variational auto-encoder that shares no line with the reference, file by file.

Other architectures, sizes and activations; other spellings of each formula, some of them in float64; another use of
random numbers; pictures with the axes exchanged.
"""

UTILS = """
import numpy as np
import torch
import torchvision
from torch.distributions import Normal, kl_divergence


def sample_reparameterize(mean, std):
    noise = torch.randn(*mean.shape, 2, dtype=torch.float64, device=mean.device)[..., 1]
    return torch.addcmul(mean, std, noise.to(mean.dtype))


def KLD(mean, log_std):
    posterior = Normal(mean.double(), log_std.double().exp())
    prior = Normal(torch.zeros_like(mean).double(), torch.ones_like(mean).double())
    return kl_divergence(posterior, prior).sum(-1).to(mean.dtype)


def elbo_to_bpd(elbo, img_shape):
    dimensions = 1
    for size in list(img_shape)[1:]:
        dimensions = dimensions * size
    return elbo / (np.log(2.0) * dimensions)


def visualize_manifold(decoder, grid_size=20):
    p = (torch.arange(grid_size, dtype=torch.float64) + 0.5) / grid_size
    z = Normal(0.0, 1.0).icdf(p).float().to(decoder.device)
    rows = []
    with torch.no_grad():
        for vertical in reversed(z):
            codes = torch.stack([z, torch.full_like(z, vertical.item())], dim=1)
            rows.append(decoder(codes).sigmoid().cpu())
    return torchvision.utils.make_grid(torch.cat(rows), nrow=grid_size, padding=1, pad_value=0.5)
"""

MLP = """
import numpy as np
import torch
import torch.nn as nn


class MLPEncoder(nn.Module):
    def __init__(self, input_dim=784, hidden_dims=[512], z_dim=20):
        super().__init__()
        self.hidden = nn.ModuleList()
        width = input_dim
        for size in hidden_dims:
            self.hidden.append(nn.Linear(width, size))
            self.hidden.append(nn.LayerNorm(size))
            width = size
        self.mean_head = nn.Linear(width, z_dim)
        self.log_std_head = nn.Linear(width, z_dim)

    def forward(self, x):
        h = x.view(x.shape[0], -1) * 2 - 1
        for linear, norm in zip(self.hidden[0::2], self.hidden[1::2]):
            h = torch.nn.functional.silu(norm(linear(h)))
        return self.mean_head(h), self.log_std_head(h)


class MLPDecoder(nn.Module):
    def __init__(self, z_dim=20, hidden_dims=[512], output_shape=[1, 28, 28]):
        super().__init__()
        self.output_shape = list(output_shape)
        widths = [z_dim] + list(hidden_dims)
        self.hidden = nn.ModuleList([nn.Linear(a, b) for a, b in zip(widths[:-1], widths[1:])])
        self.last = nn.Linear(widths[-1], int(np.prod(output_shape)))

    def forward(self, z):
        for layer in self.hidden:
            z = torch.nn.functional.elu(layer(z))
        return self.last(z).reshape([-1] + self.output_shape)

    @property
    def device(self):
        return self.last.weight.device
"""

CNN = """
import torch
import torch.nn as nn
import torch.nn.functional as F


class CNNEncoder(nn.Module):
    def __init__(self, num_input_channels=1, num_filters=32, z_dim=20):
        super().__init__()
        self.first = nn.Conv2d(num_input_channels, num_filters, 5, stride=2, padding=2)
        self.second = nn.Conv2d(num_filters, 2 * num_filters, 5, stride=2, padding=2)
        self.norm = nn.GroupNorm(2, 2 * num_filters)
        self.third = nn.Linear(2 * num_filters * 7 * 7, 8 * num_filters)
        self.mean = nn.Linear(8 * num_filters, z_dim)
        self.log_std = nn.Linear(8 * num_filters, z_dim)

    def forward(self, x):
        x = F.leaky_relu(self.first(x), 0.1)
        x = F.leaky_relu(self.norm(self.second(x)), 0.1)
        x = torch.tanh(self.third(x.flatten(1)))
        return self.mean(x), self.log_std(x)


class CNNDecoder(nn.Module):
    def __init__(self, num_input_channels=1, num_filters=32, z_dim=20):
        super().__init__()
        self.filters = num_filters
        self.dense = nn.Linear(z_dim, num_filters * 7 * 7)
        self.first = nn.Conv2d(num_filters, num_filters, 3, padding=1)
        self.second = nn.Conv2d(num_filters, num_filters, 3, padding=1)
        self.third = nn.Conv2d(num_filters, num_input_channels, 3, padding=1)

    def forward(self, z):
        x = F.silu(self.dense(z)).view(-1, self.filters, 7, 7)
        x = F.silu(self.first(F.interpolate(x, scale_factor=2)))
        x = F.silu(self.second(F.interpolate(x, scale_factor=2)))
        return self.third(x)

    @property
    def device(self):
        return self.dense.weight.device
"""

TRAIN = """
import argparse
import os

import torch
import torch.nn as nn
from bmnist import bmnist
from cnn_encoder_decoder import CNNDecoder, CNNEncoder
from mlp_encoder_decoder import MLPDecoder, MLPEncoder
from torch.nn.functional import softplus
from torch.utils.tensorboard import SummaryWriter
from torchvision.utils import make_grid, save_image
from utils import *

ENCODERS = {"MLP": MLPEncoder, "CNN": CNNEncoder}
DECODERS = {"MLP": MLPDecoder, "CNN": CNNDecoder}


class VAE(nn.Module):
    def __init__(self, model_name, hidden_dims, num_filters, z_dim, *args, **kwargs):
        super().__init__()
        self.z_dim = z_dim
        sizes = {"num_filters": num_filters} if model_name == "CNN" else {"hidden_dims": hidden_dims}
        self.encoder = ENCODERS[model_name](z_dim=z_dim, **sizes)
        self.decoder = DECODERS[model_name](z_dim=z_dim, **sizes)

    def forward(self, imgs):
        mu, log_sigma = self.encoder(imgs)
        z = sample_reparameterize(mu, torch.exp(log_sigma))
        out = self.decoder(z)
        cross_entropy = softplus(out) - out * imgs
        L_rec = torch.sum(cross_entropy.double()) / imgs.shape[0]
        L_reg = torch.mean(KLD(mu, log_sigma).double())
        bpd = elbo_to_bpd(torch.stack([L_reg, L_rec]).sum(), imgs.shape)
        return L_rec, L_reg, bpd

    @torch.no_grad()
    def sample(self, batch_size):
        means = []
        for z in torch.randn(batch_size, self.z_dim).to(self.device).split(100):
            means.append(1 / (1 + torch.exp(-self.decoder(z))))
        x_mean = torch.cat(means)
        x_samples = torch.zeros_like(x_mean)
        x_samples[torch.rand(x_mean.shape, device=x_mean.device) < x_mean] = 1
        return x_samples, x_mean

    @property
    def device(self):
        return self.decoder.device


def sample_and_save(model, epoch, summary_writer, batch_size=64):
    samples, means = model.sample(batch_size)
    for tag, batch in [("x_samples", samples), ("x_mean", means)]:
        picture = make_grid(batch.cpu(), nrow=8)
        summary_writer.add_image(tag, picture, epoch)
        save_image(picture, os.path.join(summary_writer.log_dir, tag + str(epoch) + ".png"))


@torch.no_grad()
def test_vae(model, data_loader):
    model.train(False)
    bpds, recs, regs = [], [], []
    for imgs, _ in data_loader:
        L_rec, L_reg, bpd = model(imgs.to(model.device))
        bpds.append(bpd.item())
        recs.append(L_rec.item())
        regs.append(L_reg.item())
    return sum(bpds) / len(bpds), sum(recs) / len(recs), sum(regs) / len(regs)


def train_vae(model, train_loader, optimizer):
    model.train()
    average_bpd, average_rec, average_reg, batches = 0, 0, 0, 0
    for imgs, _ in train_loader:
        optimizer.zero_grad()
        L_rec, L_reg, bpd = model(imgs.to(model.device))
        bpd.backward()
        optimizer.step()
        batches += 1
        average_bpd += (bpd.item() - average_bpd) / batches
        average_rec += (L_rec.item() - average_rec) / batches
        average_reg += (L_reg.item() - average_reg) / batches
    return average_bpd, average_rec, average_reg


def main(args):
    torch.manual_seed(args.seed)
    train_loader, val_loader, test_loader = bmnist(batch_size=args.batch_size, num_workers=args.num_workers)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = VAE(args.model, args.hidden_dims, args.num_filters, args.z_dim).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    writer = SummaryWriter(args.log_dir)
    for epoch in range(args.epochs):
        train_vae(model, train_loader, optimizer)
        print(epoch, *test_vae(model, val_loader))
        sample_and_save(model, epoch, writer)
    print("test", *test_vae(model, test_loader))
    if args.z_dim == 2:
        save_image(visualize_manifold(model.decoder), os.path.join(writer.log_dir, "manifold.png"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="MLP")
    parser.add_argument("--z_dim", default=20, type=int)
    parser.add_argument("--hidden_dims", default=[512], type=int, nargs="+")
    parser.add_argument("--num_filters", default=32, type=int)
    parser.add_argument("--lr", default=1e-3, type=float)
    parser.add_argument("--batch_size", default=128, type=int)
    parser.add_argument("--epochs", default=80, type=int)
    parser.add_argument("--seed", default=42, type=int)
    parser.add_argument("--num_workers", default=4, type=int)
    parser.add_argument("--log_dir", default="VAE_logs")
    main(parser.parse_args())
"""
