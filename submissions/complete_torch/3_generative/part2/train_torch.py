import argparse
import os
import datetime
from tqdm import tqdm
import numpy as np

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.tensorboard import SummaryWriter
from torchvision.utils import make_grid, save_image

from mnist import mnist
from models import GeneratorMLP, DiscriminatorMLP
from utils import TensorBoardLogger


class GAN(nn.Module):

    def __init__(self, hidden_dims_gen, hidden_dims_disc, dp_rate_gen, dp_rate_disc, z_dim, *args, **kwargs):
        super().__init__()
        self.z_dim = z_dim
        self.generator = GeneratorMLP(z_dim=z_dim, hidden_dims=hidden_dims_gen, dp_rate=dp_rate_gen)
        self.discriminator = DiscriminatorMLP(hidden_dims=hidden_dims_disc, dp_rate=dp_rate_disc)
        self.loss = nn.BCEWithLogitsLoss()

    def noise(self, n):
        return torch.randn((n, self.z_dim), device=self.device)

    @torch.no_grad()
    def sample(self, batch_size):
        return self.generator(self.noise(batch_size))

    @torch.no_grad()
    def interpolate(self, batch_size, interpolation_steps):
        z0, z1 = self.noise(batch_size), self.noise(batch_size)
        rows = []
        for i in range(interpolation_steps + 2):
            w = i / (interpolation_steps + 1)
            rows.append(self.generator((1 - w) * z0 + w * z1))
        return torch.stack(rows, dim=1)

    def generator_step(self, x_real):
        x_fake = self.generator(self.noise(x_real.size(0)))
        preds = self.discriminator(x_fake)
        # fool the discriminator: fakes should be called real (non-saturating)
        loss = self.loss(preds, torch.ones_like(preds))
        return loss, {"loss": loss.item()}

    def discriminator_step(self, x_real):
        x_fake = self.generator(self.noise(x_real.size(0))).detach()
        preds = self.discriminator(torch.cat([x_real, x_fake], dim=0))
        real_preds, fake_preds = preds.chunk(2, dim=0)
        # -log D(x) and -log(1 - D(G(z))) with softplus
        loss = (F.softplus(-real_preds).mean() + F.softplus(fake_preds).mean()) / 2
        acc = ((real_preds > 0).float().mean() + (fake_preds < 0).float().mean()) / 2
        return loss, {"loss": loss.item(), "acc": acc.item()}

    @property
    def device(self):
        return self.generator.device


def generate_and_save(model, epoch, summary_writer, batch_size=64):
    model.eval()
    grid = make_grid((model.sample(batch_size) + 1) / 2, nrow=8)
    summary_writer.add_image("samples", grid, epoch)
    save_image(grid, os.path.join(summary_writer.log_dir, "samples_%i.png" % epoch))


def interpolate_and_save(model, epoch, summary_writer, batch_size=4, interpolation_steps=5):
    model.eval()
    imgs = model.interpolate(batch_size, interpolation_steps)
    grid = make_grid((imgs.reshape(-1, 1, 28, 28) + 1) / 2, nrow=interpolation_steps + 2)
    summary_writer.add_image("interpolation", grid, epoch)


def train_gan(model, train_loader, logger_gen, logger_disc, optimizer_gen, optimizer_disc):
    model.train()
    for imgs, _ in train_loader:
        imgs = imgs.to(model.device)

        optimizer_gen.zero_grad()
        loss, log = model.generator_step(imgs)
        loss.backward()
        optimizer_gen.step()
        logger_gen.add_values(log)

        optimizer_disc.zero_grad()
        loss, log = model.discriminator_step(imgs)
        loss.backward()
        optimizer_disc.step()
        logger_disc.add_values(log)


def main(args):
    log_dir = os.path.join(args.log_dir, datetime.datetime.now().strftime("%Y%m%d_%H%M%S"))
    os.makedirs(log_dir)
    torch.manual_seed(args.seed)
    train_loader = mnist(batch_size=args.batch_size, num_workers=args.num_workers)
    model = GAN(args.hidden_dims_gen, args.hidden_dims_disc, args.dp_rate_gen, args.dp_rate_disc, args.z_dim)
    model = model.to("cuda" if torch.cuda.is_available() else "cpu")
    opt_gen = torch.optim.Adam(model.generator.parameters(), lr=args.lr, betas=(0.5, 0.999))
    opt_disc = torch.optim.Adam(model.discriminator.parameters(), lr=args.lr, betas=(0.5, 0.999))
    writer = SummaryWriter(log_dir)
    log_gen, log_disc = TensorBoardLogger(writer, name="gen"), TensorBoardLogger(writer, name="disc")
    generate_and_save(model, 0, writer)
    for epoch in tqdm(range(1, args.epochs + 1)):
        train_gan(model, train_loader, log_gen, log_disc, opt_gen, opt_disc)
        if epoch % 10 == 0:
            generate_and_save(model, epoch, writer)
            interpolate_and_save(model, epoch, writer)


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('--z_dim', default=32, type=int)
    parser.add_argument('--hidden_dims_gen', default=[128, 256, 512], type=int, nargs='+')
    parser.add_argument('--hidden_dims_disc', default=[512, 256], type=int, nargs='+')
    parser.add_argument('--dp_rate_gen', default=0.1, type=float)
    parser.add_argument('--dp_rate_disc', default=0.3, type=float)
    parser.add_argument('--lr', default=2e-4, type=float)
    parser.add_argument('--batch_size', default=128, type=int)
    parser.add_argument('--epochs', default=250, type=int)
    parser.add_argument('--seed', default=42, type=int)
    parser.add_argument('--num_workers', default=4, type=int)
    parser.add_argument('--log_dir', default='GAN_logs/', type=str)
    main(parser.parse_args())
