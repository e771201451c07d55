"""Training the GAN of Goodfellow et al. (2014) on MNIST, in plain PyTorch."""

import argparse
import os
import random
from datetime import datetime

import numpy as np
import torch
from losses import discriminator_loss, generator_loss
from mnist import mnist
from models import DiscriminatorMLP, GeneratorMLP
from torch import nn
from torch.utils.tensorboard import SummaryWriter
from torchvision.utils import make_grid, save_image
from tqdm import tqdm, trange
from utils import TensorBoardLogger, straight_lines


class GAN(nn.Module):
    """A generator G and a discriminator D, with the loss of each."""

    def __init__(self, hidden_dims_gen, hidden_dims_disc, dp_rate_gen, dp_rate_disc, z_dim, *args, **kwargs):
        super().__init__()
        self.z_dim = z_dim
        self.generator = GeneratorMLP(z_dim=z_dim, hidden_dims=hidden_dims_gen, dp_rate=dp_rate_gen)
        self.discriminator = DiscriminatorMLP(hidden_dims=hidden_dims_disc, dp_rate=dp_rate_disc)

    def draw_latents(self, batch_size):
        """Latent vectors [B, z_dim] from the prior N(0, I)."""
        return torch.randn(batch_size, self.z_dim, device=self.device)

    @torch.no_grad()
    def sample(self, batch_size):
        """Draws images [B, 1, 28, 28] in [-1, 1]."""
        return self.generator(self.draw_latents(batch_size))

    @torch.no_grad()
    def interpolate(self, batch_size, interpolation_steps):
        """Decodes the straight lines between pairs of random latents: [B, interpolation_steps + 2, 1, 28, 28]."""
        start, end = self.draw_latents(batch_size), self.draw_latents(batch_size)
        z = straight_lines(start, end, interpolation_steps + 2)  # [B, steps + 2, z_dim]
        x = self.generator(z.flatten(0, 1))
        return x.unflatten(0, z.shape[:2])

    def generator_step(self, x_real):
        """The loss of fresh fakes, which should pass for real."""
        logits_fake = self.discriminator(self.generator(self.draw_latents(x_real.shape[0])))
        loss = generator_loss(logits_fake)
        return loss, {"loss": loss}

    def discriminator_step(self, x_real):
        """The loss of telling a real batch from as many fakes, which are given as images: G has no part in it."""
        x_fake = self.generator(self.draw_latents(x_real.shape[0])).detach()
        logits_real, logits_fake = self.discriminator(x_real), self.discriminator(x_fake)
        loss = discriminator_loss(logits_real, logits_fake)
        accuracy = torch.cat([logits_real > 0, logits_fake <= 0]).float().mean()
        return loss, {"loss": loss, "accuracy": accuracy}

    @property
    def device(self):
        return self.generator.device


def save_grid(images, name, epoch, summary_writer, nrow):
    """Writes images [N, 1, 28, 28] in [-1, 1] as one grid, to TensorBoard and beside its log."""
    grid = make_grid(images, nrow=nrow, normalize=True, value_range=(-1, 1))
    summary_writer.add_image(name, grid, epoch)
    save_image(grid, os.path.join(summary_writer.log_dir, f"{name}_{epoch:03d}.png"))


def generate_and_save(model, epoch, summary_writer, batch_size=64):
    """Saves a grid of fresh samples."""
    model.eval()
    save_grid(model.sample(batch_size), "samples", epoch, summary_writer, nrow=8)


def interpolate_and_save(model, epoch, summary_writer, batch_size=4, interpolation_steps=5):
    """Saves one row of images for each pair of latents."""
    model.eval()
    strips = model.interpolate(batch_size, interpolation_steps)
    save_grid(strips.flatten(0, 1), "interpolations", epoch, summary_writer, nrow=strips.shape[1])


def update(step, x_real, optimizer, logger):
    """One step of the network that this optimiser trains."""
    loss, logging_dict = step(x_real)
    loss.backward()
    optimizer.step()
    logger.add_values(logging_dict)


def train_gan(model, train_loader, logger_gen, logger_disc, optimizer_gen, optimizer_disc):
    """One epoch: for each batch an update of the discriminator, then one of the generator."""
    model.train()
    for imgs, _ in train_loader:
        x_real = imgs.to(model.device)
        model.zero_grad()  # drops what the generator's last update left in the discriminator's gradients, too
        update(model.discriminator_step, x_real, optimizer_disc, logger_disc)
        update(model.generator_step, x_real, optimizer_gen, logger_gen)


def seed_everything(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def main(args):
    seed_everything(args.seed)
    experiment_dir = os.path.join(args.log_dir, datetime.now().strftime("%Y_%m_%d_%H_%M_%S"))
    checkpoint_dir = os.path.join(experiment_dir, "checkpoints")
    os.makedirs(checkpoint_dir, exist_ok=True)

    train_loader = mnist(batch_size=args.batch_size, num_workers=args.num_workers)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = GAN(
        hidden_dims_gen=args.hidden_dims_gen,
        hidden_dims_disc=args.hidden_dims_disc,
        dp_rate_gen=args.dp_rate_gen,
        dp_rate_disc=args.dp_rate_disc,
        z_dim=args.z_dim,
    ).to(device)
    # Radford et al. (2016) found Adam's usual momentum of 0.9 to oscillate
    optimizer_gen = torch.optim.Adam(model.generator.parameters(), lr=args.lr, betas=(0.5, 0.999))
    optimizer_disc = torch.optim.Adam(model.discriminator.parameters(), lr=args.lr, betas=(0.5, 0.999))

    summary_writer = SummaryWriter(experiment_dir)
    logger_gen = TensorBoardLogger(summary_writer, name="generator")
    logger_disc = TensorBoardLogger(summary_writer, name="discriminator")
    generate_and_save(model, 0, summary_writer)

    for epoch in trange(1, args.epochs + 1, desc="GAN", disable=not args.progress_bar):
        batches = tqdm(train_loader, desc="Training", leave=False, disable=not args.progress_bar)
        train_gan(model, batches, logger_gen, logger_disc, optimizer_gen, optimizer_disc)
        if epoch % 10 == 0:
            generate_and_save(model, epoch, summary_writer)
            interpolate_and_save(model, epoch, summary_writer)
            torch.save(model.state_dict(), os.path.join(checkpoint_dir, "model_checkpoint.pt"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--z_dim", default=32, type=int, help="size of the latent vector")
    parser.add_argument("--hidden_dims_gen", default=[128, 256, 512], type=int, nargs="+", help="generator's layers")
    parser.add_argument("--hidden_dims_disc", default=[512, 256], type=int, nargs="+", help="discriminator's layers")
    parser.add_argument("--dp_rate_gen", default=0.1, type=float, help="dropout rate in the generator")
    parser.add_argument("--dp_rate_disc", default=0.3, type=float, help="dropout rate in the discriminator")
    parser.add_argument("--lr", default=2e-4, type=float, help="learning rate of both optimisers")
    parser.add_argument("--batch_size", default=128, type=int, help="images in a batch")
    parser.add_argument("--epochs", default=250, type=int, help="epochs to train for")
    parser.add_argument("--seed", default=42, type=int, help="seed of all random numbers")
    parser.add_argument("--num_workers", default=4, type=int, help="processes that load data; 0 to be deterministic")
    parser.add_argument("--log_dir", default="GAN_logs/", help="where logs, images and checkpoints go")
    parser.add_argument("--progress_bar", action="store_true", help="show progress")
    main(parser.parse_args())
