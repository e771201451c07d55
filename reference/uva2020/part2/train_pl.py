"""Training the GAN of Goodfellow et al. (2014) on MNIST, in PyTorch Lightning 1.x (a `training_step` per optimiser)."""

import argparse
import os

import pytorch_lightning as pl
import torch
from losses import discriminator_loss, generator_loss
from mnist import mnist
from models import DiscriminatorMLP, GeneratorMLP
from pytorch_lightning.callbacks import ModelCheckpoint
from torchvision.utils import make_grid, save_image
from utils import straight_lines


class GAN(pl.LightningModule):
    """A generator G and a discriminator D, with the loss and the optimiser of each."""

    def __init__(self, hidden_dims_gen, hidden_dims_disc, dp_rate_gen, dp_rate_disc, z_dim, lr):
        super().__init__()
        self.save_hyperparameters()
        self.generator = GeneratorMLP(z_dim=z_dim, hidden_dims=hidden_dims_gen, dp_rate=dp_rate_gen)
        self.discriminator = DiscriminatorMLP(hidden_dims=hidden_dims_disc, dp_rate=dp_rate_disc)

    def draw_latents(self, batch_size):
        """Latent vectors [B, z_dim] from the prior N(0, I)."""
        return torch.randn(batch_size, self.hparams.z_dim, device=self.generator.device)

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

    def configure_optimizers(self):
        """The generator's optimiser first, then the discriminator's."""
        settings = {"lr": self.hparams.lr, "betas": (0.5, 0.999)}
        optimizer_gen = torch.optim.Adam(self.generator.parameters(), **settings)
        optimizer_disc = torch.optim.Adam(self.discriminator.parameters(), **settings)
        return [optimizer_gen, optimizer_disc], []

    def training_step(self, batch, batch_idx, optimizer_idx):
        """The loss of the network that this optimiser trains: 0 the generator, 1 the discriminator."""
        x_real, _ = batch
        return self.generator_step(x_real) if optimizer_idx == 0 else self.discriminator_step(x_real)

    def generator_step(self, x_real):
        """The loss of fresh fakes, which should pass for real."""
        logits_fake = self.discriminator(self.generator(self.draw_latents(x_real.shape[0])))
        loss = generator_loss(logits_fake)
        self.log("generator/loss", loss)
        return loss

    def discriminator_step(self, x_real):
        """The loss of telling a real batch from as many fakes, which are given as images: G has no part in it."""
        x_fake = self.generator(self.draw_latents(x_real.shape[0])).detach()
        logits_real, logits_fake = self.discriminator(x_real), self.discriminator(x_fake)
        loss = discriminator_loss(logits_real, logits_fake)
        self.log("discriminator/loss", loss)
        self.log("discriminator/accuracy", torch.cat([logits_real > 0, logits_fake <= 0]).float().mean())
        return loss


class SaveImages(pl.Callback):
    """Saves a grid of images every few epochs, to TensorBoard and beside its log."""

    name = "images"

    def __init__(self, batch_size, every_n_epochs=10, save_to_disk=False):
        super().__init__()
        self.batch_size = batch_size
        self.every_n_epochs = every_n_epochs
        self.save_to_disk = save_to_disk

    def on_epoch_end(self, trainer, pl_module):
        epoch = trainer.current_epoch + 1
        if epoch % self.every_n_epochs == 0:
            self.sample_and_save(trainer, pl_module, epoch)

    def strips(self, pl_module):
        """The rows of the grid: [rows, columns, 1, 28, 28]."""
        raise NotImplementedError

    def sample_and_save(self, trainer, pl_module, epoch):
        rows = self.strips(pl_module)
        grid = make_grid(rows.flatten(0, 1), nrow=rows.shape[1], normalize=True, value_range=(-1, 1))
        trainer.logger.experiment.add_image(self.name, grid, epoch)
        if self.save_to_disk:
            save_image(grid, os.path.join(trainer.logger.log_dir, f"{self.name}_{epoch:03d}.png"))


class GenerateCallback(SaveImages):
    """Saves fresh samples, eight in a row."""

    name = "samples"

    def __init__(self, batch_size=64, every_n_epochs=10, save_to_disk=False):
        super().__init__(batch_size, every_n_epochs, save_to_disk)

    def strips(self, pl_module):
        return pl_module.sample(self.batch_size).unflatten(0, (-1, 8))


class InterpolationCallback(SaveImages):
    """Saves one row of images for each pair of latents."""

    name = "interpolations"

    def __init__(self, batch_size=4, interpolation_steps=5, every_n_epochs=10, save_to_disk=False):
        super().__init__(batch_size, every_n_epochs, save_to_disk)
        self.interpolation_steps = interpolation_steps

    def strips(self, pl_module):
        return pl_module.interpolate(self.batch_size, self.interpolation_steps)


def train_gan(args):
    os.makedirs(args.log_dir, exist_ok=True)
    train_loader = mnist(batch_size=args.batch_size, num_workers=args.num_workers)
    generate = GenerateCallback(save_to_disk=True)
    trainer = pl.Trainer(
        default_root_dir=args.log_dir,
        checkpoint_callback=ModelCheckpoint(save_weights_only=True),
        gpus=1 if torch.cuda.is_available() else 0,
        max_epochs=args.epochs,
        callbacks=[generate, InterpolationCallback(save_to_disk=True)],
        progress_bar_refresh_rate=1 if args.progress_bar else 0,
    )
    pl.seed_everything(args.seed)
    model = GAN(
        hidden_dims_gen=args.hidden_dims_gen,
        hidden_dims_disc=args.hidden_dims_disc,
        dp_rate_gen=args.dp_rate_gen,
        dp_rate_disc=args.dp_rate_disc,
        z_dim=args.z_dim,
        lr=args.lr,
    )
    generate.sample_and_save(trainer, model, epoch=0)
    trainer.fit(model, train_loader)
    return model


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
    train_gan(parser.parse_args())
