"""Trains a variational auto-encoder on MNIST with 4 bits a pixel, in PyTorch Lightning."""

import argparse

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from cnn_encoder_decoder import CNNDecoder, CNNEncoder
from mnist import mnist
from utils import KLD, elbo_to_bpd, sample_reparameterize

Losses = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # reconstruction, regularisation, bits per dimension
LEVELS = 16


class VAE(pl.LightningModule):
    """Encoder and decoder with the bound that trains them."""

    def __init__(self, num_filters: int, z_dim: int, lr: float) -> None:
        super().__init__()
        self.z_dim, self.lr = z_dim, lr
        self.encoder = CNNEncoder(num_filters=num_filters, z_dim=z_dim)
        self.decoder = CNNDecoder(num_input_channels=LEVELS, num_filters=num_filters, z_dim=z_dim)

    def forward(self, imgs: torch.Tensor) -> Losses:
        """Of images [B, 1, 28, 28] with levels 0 … 15: batch means of −log p(x|z), of the KL, and their sum in bits.

        Each pixel is a draw from the categorical distribution of its 16 logits.
        """
        mean, log_std = self.encoder(imgs.float() / (LEVELS - 1) * 2 - 1)
        logits = self.decoder(sample_reparameterize(mean, log_std.exp()))
        rec = F.cross_entropy(logits, imgs.squeeze(1).long(), reduction="none").sum(dim=(1, 2)).mean()
        reg = KLD(mean, log_std).mean()
        return rec, reg, elbo_to_bpd(rec + reg, imgs.shape)

    @torch.no_grad()
    def sample(self, batch_size: int) -> torch.Tensor:
        """z ~ N(0, I), then a level for each pixel: [batch_size, 1, 28, 28]."""
        probabilities = self.decoder(torch.randn(batch_size, self.z_dim, device=self.device)).softmax(dim=1)
        levels = torch.multinomial(probabilities.permute(0, 2, 3, 1).reshape(-1, LEVELS), 1)
        return levels.reshape(batch_size, 1, 28, 28)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> torch.Tensor:
        rec, reg, bpd = self(batch[0])
        self.log_dict({"train_reconstruction_loss": rec, "train_regularization_loss": reg, "train_bpd": bpd})
        return bpd


def train_vae(args: argparse.Namespace) -> None:
    pl.seed_everything(args.seed)
    pl.Trainer(max_epochs=args.epochs).fit(
        VAE(args.num_filters, args.z_dim, args.lr), mnist(batch_size=args.batch_size)
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--z_dim", default=20, type=int)
    parser.add_argument("--num_filters", default=32, type=int)
    parser.add_argument("--lr", default=1e-3, type=float)
    parser.add_argument("--batch_size", default=128, type=int)
    parser.add_argument("--epochs", default=80, type=int)
    parser.add_argument("--seed", default=42, type=int)
    train_vae(parser.parse_args())
