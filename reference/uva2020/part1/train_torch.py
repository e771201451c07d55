"""Trains a variational auto-encoder on binarised MNIST, in plain PyTorch.

python train_torch.py --model MLP --z_dim 20
"""

import argparse
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from bmnist import bmnist
from cnn_encoder_decoder import CNNDecoder, CNNEncoder
from mlp_encoder_decoder import MLPDecoder, MLPEncoder
from torch import nn
from torch.utils.tensorboard import SummaryWriter
from torchvision.utils import make_grid, save_image
from utils import KLD, elbo_to_bpd, sample_reparameterize, visualize_manifold

Losses = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # reconstruction, regularisation, bits per dimension
Averages = tuple[float, float, float]


class VAE(nn.Module):
    """Encoder and decoder with the bound that trains them."""

    def __init__(
        self, model_name: str, hidden_dims: Sequence[int], num_filters: int, z_dim: int, *args: object, **kwargs: object
    ) -> None:
        super().__init__()
        self.z_dim = z_dim
        if model_name == "MLP":
            self.encoder = MLPEncoder(hidden_dims=hidden_dims, z_dim=z_dim)
            self.decoder = MLPDecoder(z_dim=z_dim, hidden_dims=hidden_dims[::-1])
        else:
            self.encoder = CNNEncoder(num_filters=num_filters, z_dim=z_dim)
            self.decoder = CNNDecoder(num_filters=num_filters, z_dim=z_dim)

    def forward(self, imgs: torch.Tensor) -> Losses:
        """The negative evidence lower bound of images [B, C, H, W], with one sample of z per image.

        Returns:
            The batch means of −log p(x|z) and of KL(q(z|x) ‖ p(z)), in nats per image, and of their sum in bits per
            dimension: the loss.
        """
        mean, log_std = self.encoder(imgs)
        logits = self.decoder(sample_reparameterize(mean, log_std.exp()))
        rec = F.binary_cross_entropy_with_logits(logits, imgs, reduction="none").sum(dim=(1, 2, 3)).mean()
        reg = KLD(mean, log_std).mean()
        return rec, reg, elbo_to_bpd(rec + reg, imgs.shape)

    @torch.no_grad()
    def sample(self, batch_size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """z ~ N(0, I), then x ~ Bernoulli(sigmoid(decoder(z))).

        Returns:
            The samples, 0 or 1, and their means, each [batch_size, C, H, W].
        """
        z = torch.randn(batch_size, self.z_dim, device=self.device)
        x_mean = torch.sigmoid(self.decoder(z))
        return torch.bernoulli(x_mean), x_mean

    @property
    def device(self) -> torch.device:
        return self.decoder.device


def sample_and_save(model: VAE, epoch: int, summary_writer: SummaryWriter, batch_size: int = 64) -> None:
    """Writes a grid of samples and one of their means to TensorBoard and beside its log."""
    for name, images in zip(("samples", "means"), model.sample(batch_size), strict=True):
        grid = make_grid(images, nrow=8)
        summary_writer.add_image(name, grid, epoch)
        save_image(grid, Path(summary_writer.log_dir) / f"{name}_{epoch}.png")


def average(batches: Iterable[tuple[Losses, int]]) -> Averages:
    """Bits per dimension, reconstruction and regularisation loss per image, from the losses and sizes of batches."""
    sums, count = [0.0, 0.0, 0.0], 0
    for losses, size in batches:
        sums = [total + loss.item() * size for total, loss in zip(sums, losses, strict=True)]
        count += size
    rec, reg, bpd = (total / count for total in sums)
    return bpd, rec, reg


@torch.no_grad()
def test_vae(model: VAE, data_loader: Iterable) -> Averages:
    """Average bits per dimension, reconstruction and regularisation loss per image, without training."""
    model.eval()
    return average((model(imgs.to(model.device)), len(imgs)) for imgs, _ in data_loader)


def train_step(model: VAE, imgs: torch.Tensor, optimizer: torch.optim.Optimizer) -> Losses:
    """One step along the gradient of this batch's bits per dimension; the losses before it."""
    losses = model(imgs.to(model.device))
    optimizer.zero_grad()
    losses[-1].backward()
    optimizer.step()
    return losses


def train_vae(model: VAE, train_loader: Iterable, optimizer: torch.optim.Optimizer) -> Averages:
    """One epoch of training; average bits per dimension, reconstruction and regularisation loss per image."""
    model.train()
    return average((train_step(model, imgs, optimizer), len(imgs)) for imgs, _ in train_loader)


def seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def main(args: argparse.Namespace) -> float:
    """Trains, keeps the weights of the best validation epoch, and returns their bits per dimension on the test set."""
    seed_everything(args.seed)
    train_loader, val_loader, test_loader = bmnist(batch_size=args.batch_size, num_workers=args.num_workers)
    model = VAE(args.model, args.hidden_dims, args.num_filters, args.z_dim)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    writer = SummaryWriter(args.log_dir)
    best_weights = Path(writer.log_dir) / "best.pt"

    sample_and_save(model, 0, writer)
    best_bpd = float("inf")
    for epoch in range(1, args.epochs + 1):
        train_bpd, train_rec, train_reg = train_vae(model, train_loader, optimizer)
        val_bpd, val_rec, val_reg = test_vae(model, val_loader)
        writer.add_scalars("bpd", {"train": train_bpd, "val": val_bpd}, epoch)
        writer.add_scalars("reconstruction", {"train": train_rec, "val": val_rec}, epoch)
        writer.add_scalars("regularization", {"train": train_reg, "val": val_reg}, epoch)
        if epoch % 5 == 0:
            sample_and_save(model, epoch, writer)
        if val_bpd < best_bpd:
            best_bpd = val_bpd
            torch.save(model.state_dict(), best_weights)

    model.load_state_dict(torch.load(best_weights, weights_only=True))
    test_bpd, _, _ = test_vae(model, test_loader)
    print(f"test bpd: {test_bpd:.4f}")
    if args.z_dim == 2:
        save_image(visualize_manifold(model.decoder), Path(writer.log_dir) / "manifold.png")
    return test_bpd


if __name__ == "__main__":
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--model", default="MLP", choices=["MLP", "CNN"], help="the kind of encoder and decoder")
    parser.add_argument("--z_dim", default=20, type=int, help="dimensions of the latent space")
    parser.add_argument("--hidden_dims", default=[512], type=int, nargs="+", help="widths of the MLP's hidden layers")
    parser.add_argument("--num_filters", default=32, type=int, help="channels of the CNN's first layers")
    parser.add_argument("--lr", default=1e-3, type=float, help="learning rate")
    parser.add_argument("--batch_size", default=128, type=int)
    parser.add_argument("--epochs", default=80, type=int)
    parser.add_argument("--seed", default=42, type=int)
    parser.add_argument("--num_workers", default=4, type=int, help="processes that load data")
    parser.add_argument("--log_dir", default="VAE_logs", help="where TensorBoard's files go")
    main(parser.parse_args())
