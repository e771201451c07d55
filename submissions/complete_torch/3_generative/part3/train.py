import os
import argparse
import numpy as np
import torch
from torch.utils.data import TensorDataset, DataLoader
from torch.utils.tensorboard import SummaryWriter
from torch.optim import Adam

from model import NormalizingFlow
from distributions import BimodalGaussianDiag, MultivariateGaussianDiag
from utils import make_mesh, plot_density


def train_nf(model, train_loader, optimizer):
    sum_bpd = 0
    for x in train_loader:
        x = x[0]
        nll = model(x).mean()
        bpd = nll * np.log2(np.e) / x.shape[-1]
        optimizer.zero_grad()
        bpd.backward()
        optimizer.step()
        sum_bpd += bpd.item()
    avg_bpd = sum_bpd / len(train_loader)
    return avg_bpd


def main(args):
    os.makedirs(args.log_dir, exist_ok=True)
    writer = SummaryWriter(args.log_dir)
    base = MultivariateGaussianDiag(torch.zeros(2), torch.tensor([0.3, 0.3]), 2)
    target = BimodalGaussianDiag([torch.ones(2), -torch.ones(2)], [torch.tensor([0.3, 0.3])] * 2, 2)
    mesh = make_mesh()[2]
    plot_density(base.log_prob(mesh).exp(), os.path.join(args.log_dir, 'base.png'))
    plot_density(target.log_prob(mesh).exp(), os.path.join(args.log_dir, 'target.png'))

    loader = DataLoader(TensorDataset(target.sample(10000)), batch_size=args.batch_size, shuffle=True)
    model = NormalizingFlow(base, 2, args.num_flows, args.num_hidden)
    optimizer = Adam(model.parameters(), lr=args.lr)
    for epoch in range(args.epochs):
        bpd = train_nf(model, loader, optimizer)
        writer.add_scalar('bpd', bpd, epoch)
        print(epoch, bpd)
    with torch.no_grad():
        p = torch.exp(-model(mesh.reshape(-1, 2))).reshape(50, 50)
    plot_density(p, os.path.join(args.log_dir, 'learned.png'))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument('--num_flows', default=6, type=int)
    parser.add_argument('--num_hidden', default=64, type=int)
    parser.add_argument('--lr', default=1e-3, type=float)
    parser.add_argument('--batch_size', default=256, type=int)
    parser.add_argument('--epochs', default=40, type=int)
    parser.add_argument('--log_dir', default='NF_logs/', type=str)
    main(parser.parse_args())
