import argparse
import torch
import torch.nn as nn
import torch.nn.functional as F
from torchvision.utils import make_grid, save_image

from bmnist import bmnist
from mlp_encoder_decoder import MLPEncoder, MLPDecoder
from utils import *

# no time for the CNN


class VAE(nn.Module):

    def __init__(self, model_name, hidden_dims, num_filters, z_dim, *args, **kwargs):
        super().__init__()
        self.z_dim = z_dim
        self.encoder = MLPEncoder(784, hidden_dims, z_dim)
        self.decoder = MLPDecoder(z_dim, hidden_dims[::-1])

    def forward(self, imgs):
        mean, log_std = self.encoder(imgs)
        z = sample_reparameterize(mean, log_std.exp())
        logits = self.decoder(z)
        L_rec = F.binary_cross_entropy_with_logits(logits, imgs, reduction='none')
        L_rec = L_rec.sum(dim=[1, 2, 3]).mean()
        L_reg = torch.mean(KLD(mean, log_std))
        bpd = elbo_to_bpd(L_rec + L_reg, imgs.shape)
        return L_rec, L_reg, bpd

    @torch.no_grad()
    def sample(self, batch_size):
        z = torch.randn(batch_size, self.z_dim, device=self.device)
        x_mean = torch.sigmoid(self.decoder(z))
        x_samples = torch.distributions.Bernoulli(probs=x_mean).sample()
        return x_samples, x_mean

    @property
    def device(self):
        return self.decoder.device


def sample_and_save(model, epoch, summary_writer, batch_size=64):
    x_samples, x_mean = model.sample(batch_size)
    save_image(make_grid(x_samples), 'samples_%d.png' % epoch)
    save_image(make_grid(x_mean), 'means_%d.png' % epoch)


@torch.no_grad()
def test_vae(model, data_loader):
    model.eval()
    totals = torch.zeros(3)
    for imgs, _ in data_loader:
        rec, reg, bpd = model(imgs.to(model.device))
        totals += torch.stack([bpd, rec, reg]).cpu()
    return tuple((totals / len(data_loader)).tolist())


def train_vae(model, train_loader, optimizer):
    model.train()
    totals = torch.zeros(3)
    for imgs, _ in train_loader:
        optimizer.zero_grad()
        rec, reg, bpd = model(imgs.to(model.device))
        bpd.backward()
        optimizer.step()
        totals += torch.stack([bpd, rec, reg]).detach().cpu()
    return tuple((totals / len(train_loader)).tolist())


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('--z_dim', default=20, type=int)
    parser.add_argument('--hidden_dims', default=[512], type=int, nargs='+')
    parser.add_argument('--epochs', default=80, type=int)
    args = parser.parse_args()
    train_loader, val_loader, test_loader = bmnist()
    model = VAE('MLP', args.hidden_dims, None, args.z_dim)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(args.epochs):
        print(epoch, train_vae(model, train_loader, optimizer), test_vae(model, val_loader))
    print('test', test_vae(model, test_loader))
