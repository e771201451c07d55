import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from cnn_encoder_decoder import CNNDecoder, CNNEncoder
from mnist import mnist
from utils import *


class VAE(pl.LightningModule):

    def __init__(self, num_filters, z_dim, lr):
        super().__init__()
        self.save_hyperparameters()
        self.encoder = CNNEncoder(z_dim=z_dim, num_filters=num_filters)
        self.decoder = CNNDecoder(z_dim=z_dim, num_filters=num_filters)

    def forward(self, imgs):
        mean, log_std = self.encoder(imgs)
        z = sample_reparameterize(mean, torch.exp(log_std))
        logits = self.decoder(z)
        L_rec = F.cross_entropy(logits, imgs.squeeze(1), reduction="none").sum(dim=[1, 2]).mean()
        L_reg = KLD(mean, log_std).mean()
        bpd = elbo_to_bpd(L_rec + L_reg, imgs.shape)
        return L_rec, L_reg, bpd

    @torch.no_grad()
    def sample(self, batch_size):
        z = torch.randn(batch_size, self.hparams.z_dim, device=self.device)
        x_samples = self.decoder(z).argmax(dim=1, keepdim=True)
        return x_samples

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.hparams.lr)

    def training_step(self, batch, batch_idx):
        L_rec, L_reg, bpd = self.forward(batch[0])
        self.log("train_bpd", bpd)
        return bpd


def train_vae(args):
    model = VAE(args.num_filters, args.z_dim, args.lr)
    pl.Trainer(max_epochs=args.epochs).fit(model, mnist(batch_size=args.batch_size))
