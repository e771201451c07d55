import argparse
import os
import datetime
import random
from tqdm import tqdm
import numpy as np

import torch
import torch.nn as nn
from torch.utils.tensorboard import SummaryWriter
from torchvision.utils import make_grid, save_image

from bmnist import bmnist
from mlp_encoder_decoder import MLPEncoder, MLPDecoder
from cnn_encoder_decoder import CNNEncoder, CNNDecoder
from utils import *


class VAE(nn.Module):

    def __init__(self, model_name, hidden_dims, num_filters, z_dim, *args, **kwargs):
        super().__init__()
        self.z_dim = z_dim
        if model_name == 'MLP':
            self.encoder = MLPEncoder(z_dim=z_dim, hidden_dims=hidden_dims)
            self.decoder = MLPDecoder(z_dim=z_dim, hidden_dims=hidden_dims[::-1])
        else:
            self.encoder = CNNEncoder(z_dim=z_dim, num_filters=num_filters)
            self.decoder = CNNDecoder(z_dim=z_dim, num_filters=num_filters)
        self.criterion = nn.BCEWithLogitsLoss(reduction='sum')

    def forward(self, imgs):
        mean, log_std = self.encoder(imgs)
        z = sample_reparameterize(mean, torch.exp(log_std))
        out = self.decoder(z)
        L_rec = self.criterion(out, imgs) / imgs.shape[0]
        L_reg = KLD(mean, log_std).mean()
        bpd = elbo_to_bpd(L_rec + L_reg, imgs.shape)
        return L_rec, L_reg, bpd

    @torch.no_grad()
    def sample(self, batch_size):
        z = torch.randn(batch_size, self.z_dim).to(self.device)
        x_mean = torch.sigmoid(self.decoder(z))
        x_samples = (torch.rand_like(x_mean) < x_mean).float()
        return x_samples, x_mean

    @property
    def device(self):
        return self.decoder.device


def sample_and_save(model, epoch, summary_writer, batch_size=64):
    x_samples, x_mean = model.sample(batch_size)
    for imgs, tag in [(x_samples, 'samples'), (x_mean, 'means')]:
        grid = make_grid(imgs, nrow=8)
        summary_writer.add_image(tag, grid, global_step=epoch)
        save_image(grid, os.path.join(summary_writer.log_dir, '%s_%d.png' % (tag, epoch)))


@torch.no_grad()
def test_vae(model, data_loader):
    model.eval()
    bpds, recs, regs, n = 0, 0, 0, 0
    for imgs, _ in data_loader:
        imgs = imgs.to(model.device)
        L_rec, L_reg, bpd = model(imgs)
        b = imgs.size(0)
        bpds += bpd.item() * b
        recs += L_rec.item() * b
        regs += L_reg.item() * b
        n += b
    return bpds / n, recs / n, regs / n


def train_vae(model, train_loader, optimizer):
    model.train()
    bpds, recs, regs = [], [], []
    for imgs, _ in train_loader:
        imgs = imgs.to(model.device)
        L_rec, L_reg, bpd = model(imgs)
        optimizer.zero_grad()
        bpd.backward()
        optimizer.step()
        bpds.append(bpd.item())
        recs.append(L_rec.item())
        regs.append(L_reg.item())
    return np.mean(bpds), np.mean(recs), np.mean(regs)


def main(args):
    random.seed(args.seed)
    np.random.seed(args.seed)
    torch.manual_seed(args.seed)

    log_dir = os.path.join(args.log_dir, datetime.datetime.now().strftime("%Y%m%d_%H%M%S"))
    os.makedirs(os.path.join(log_dir, 'checkpoints'))
    train_loader, val_loader, test_loader = bmnist(batch_size=args.batch_size, num_workers=args.num_workers)

    device = torch.device("cuda") if torch.cuda.is_available() else torch.device("cpu")
    model = VAE(args.model, args.hidden_dims, args.num_filters, args.z_dim, args.lr).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    writer = SummaryWriter(log_dir)
    sample_and_save(model, 0, writer)

    best = float('inf')
    for epoch in range(1, args.epochs + 1):
        train_bpd, _, _ = train_vae(model, tqdm(train_loader, disable=not args.progress_bar), optimizer)
        val_bpd, _, _ = test_vae(model, val_loader)
        writer.add_scalars("BPD", {"train": train_bpd, "val": val_bpd}, epoch)
        if epoch in (10, args.epochs):
            sample_and_save(model, epoch, writer)
        if val_bpd < best:
            best = val_bpd
            torch.save(model.state_dict(), os.path.join(log_dir, 'checkpoints', 'best.pt'))

    if args.z_dim == 2:
        save_image(visualize_manifold(model.decoder), os.path.join(log_dir, 'manifold.png'))
    model.load_state_dict(torch.load(os.path.join(log_dir, 'checkpoints', 'best.pt')))
    print("test bpd: %.4f" % test_vae(model, test_loader)[0])


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('--model', default='MLP', type=str, choices=['MLP', 'CNN'])
    parser.add_argument('--z_dim', default=20, type=int)
    parser.add_argument('--hidden_dims', default=[512], type=int, nargs='+')
    parser.add_argument('--num_filters', default=32, type=int)
    parser.add_argument('--lr', default=1e-3, type=float)
    parser.add_argument('--batch_size', default=128, type=int)
    parser.add_argument('--epochs', default=80, type=int)
    parser.add_argument('--seed', default=42, type=int)
    parser.add_argument('--num_workers', default=4, type=int)
    parser.add_argument('--log_dir', default='VAE_logs/', type=str)
    parser.add_argument('--progress_bar', action='store_true')
    main(parser.parse_args())
