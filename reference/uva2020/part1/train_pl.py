"""Trains a variational auto-encoder on binarised MNIST, in PyTorch Lightning.

python train_pl.py --model MLP --z_dim 20
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from bmnist import bmnist
from cnn_encoder_decoder import CNNDecoder, CNNEncoder
from mlp_encoder_decoder import MLPDecoder, MLPEncoder
from pytorch_lightning.callbacks import ModelCheckpoint
from torchvision.utils import make_grid, save_image
from utils import KLD, elbo_to_bpd, sample_reparameterize, visualize_manifold


class VAE(pl.LightningModule):
    """Encoder and decoder with the bound that trains them."""

    def __init__(self, model_name: str, hidden_dims: Sequence[int], num_filters: int, z_dim: int, lr: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        if model_name == "MLP":
            self.encoder = MLPEncoder(hidden_dims=hidden_dims, z_dim=z_dim)
            self.decoder = MLPDecoder(z_dim=z_dim, hidden_dims=hidden_dims[::-1])
        else:
            self.encoder = CNNEncoder(num_filters=num_filters, z_dim=z_dim)
            self.decoder = CNNDecoder(num_filters=num_filters, z_dim=z_dim)

    def forward(self, imgs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The negative evidence lower bound of images [B, C, H, W], with one sample of z per image.

        Returns:
            The batch means of −log p(x|z) and of KL(q(z|x) ‖ p(z)), in nats per image, and of their sum in bits per
            dimension: the loss.
        """
        mean, log_std = self.encoder(imgs)
        logits = self.decoder(sample_reparameterize(mean, log_std.exp()))
        rec = F.binary_cross_entropy_with_logits(logits, imgs, reduction="none").sum(dim=(1, 2, 3))  # [B]
        reg = KLD(mean, log_std)  # [B]
        return rec.mean(), reg.mean(), elbo_to_bpd(rec + reg, imgs.shape).mean()

    @torch.no_grad()
    def sample(self, batch_size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """z ~ N(0, I), then x ~ Bernoulli(sigmoid(decoder(z))).

        Returns:
            The samples, 0 or 1, and their means, each [batch_size, C, H, W].
        """
        z = torch.randn(batch_size, self.hparams.z_dim, device=self.device)
        x_mean = torch.sigmoid(self.decoder(z))
        return torch.bernoulli(x_mean), x_mean

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams.lr)

    def training_step(self, batch: Sequence[torch.Tensor], batch_idx: int) -> torch.Tensor:
        return self._logged_bpd("train", batch)

    def validation_step(self, batch: Sequence[torch.Tensor], batch_idx: int) -> None:
        self._logged_bpd("val", batch)

    def test_step(self, batch: Sequence[torch.Tensor], batch_idx: int) -> None:
        self._logged_bpd("test", batch)

    def _logged_bpd(self, stage: str, batch: Sequence[torch.Tensor]) -> torch.Tensor:
        """The loss of a batch; epoch averages of all three values go to TensorBoard."""
        rec, reg, bpd = self(batch[0])
        values = {f"{stage}_reconstruction": rec, f"{stage}_regularization": reg, f"{stage}_bpd": bpd}
        self.log_dict(values, on_step=False, on_epoch=True, batch_size=len(batch[0]))
        return bpd


class GenerateCallback(pl.Callback):
    """Writes samples to TensorBoard, and to disk if told so, every few epochs."""

    def __init__(self, batch_size: int = 64, every_n_epochs: int = 5, save_to_disk: bool = False) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.every_n_epochs = every_n_epochs
        self.save_to_disk = save_to_disk

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: VAE) -> None:
        epoch = trainer.current_epoch + 1
        if epoch % self.every_n_epochs == 0:
            self.sample_and_save(trainer, pl_module, epoch)

    def sample_and_save(self, trainer: pl.Trainer, pl_module: VAE, epoch: int) -> None:
        for name, images in zip(("samples", "means"), pl_module.sample(self.batch_size), strict=True):
            grid = make_grid(images, nrow=8)
            trainer.logger.experiment.add_image(name, grid, epoch)
            if self.save_to_disk:
                save_image(grid, Path(trainer.logger.log_dir) / f"{name}_{epoch}.png")


def train_vae(args: argparse.Namespace) -> list[dict[str, float]]:
    """Trains, and tests the weights of the best validation epoch."""
    pl.seed_everything(args.seed)
    train_loader, val_loader, test_loader = bmnist(batch_size=args.batch_size, num_workers=args.num_workers)
    checkpoint = ModelCheckpoint(save_weights_only=True, mode="min", monitor="val_bpd")
    generate = GenerateCallback(save_to_disk=True)
    trainer = pl.Trainer(default_root_dir=args.log_dir, max_epochs=args.epochs, callbacks=[checkpoint, generate])
    model = VAE(args.model, args.hidden_dims, args.num_filters, args.z_dim, args.lr)

    Path(trainer.logger.log_dir).mkdir(parents=True, exist_ok=True)
    generate.sample_and_save(trainer, model, epoch=0)
    trainer.fit(model, train_loader, val_loader)
    model = VAE.load_from_checkpoint(checkpoint.best_model_path)
    if args.z_dim == 2:
        save_image(visualize_manifold(model.decoder), Path(trainer.logger.log_dir) / "manifold.png")
    return trainer.test(model, test_loader)


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
    train_vae(parser.parse_args())
