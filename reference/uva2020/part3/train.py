"""Training a flow on the bimodal toy density."""

import argparse
import math
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from distributions import BimodalGaussianDiag, MultivariateGaussianDiag
from model import NormalizingFlow
from torch.utils.data import DataLoader, TensorDataset
from utils import make_mesh, plot_contours, plot_density


def step(model, optimizer, x):
    """One step down the mean loss of a batch x [B, dim]; returns the loss of each point, [B], in nats."""
    optimizer.zero_grad()
    nll = model(x)
    nll.mean().backward()
    optimizer.step()
    return nll.detach()


def bits_per_dimension(nats, dim):
    return nats * math.log2(math.e) / dim


def train_nf(model, train_loader, optimizer):
    """One epoch over batches [x]; returns the average bits per dimension over the points."""
    model.train()
    losses = [step(model, optimizer, x) for (x,) in train_loader]
    return bits_per_dimension(torch.cat(losses).mean().item(), model.dim)


@torch.no_grad()
def learned_density(model):
    """The model's density on the pictures' mesh."""
    *_, mesh = make_mesh()
    return torch.exp(-model(mesh.reshape(-1, model.dim))).reshape(mesh.shape[:2])


def save_picture(path, draw):
    """Saves what `draw` puts into a new figure."""
    plt.figure(figsize=(6, 6))
    draw()
    plt.savefig(path)
    plt.close()


def main(args):
    torch.manual_seed(args.seed)
    log_dir = Path(args.log_dir)
    log_dir.mkdir(parents=True, exist_ok=True)
    spread = torch.tensor([0.3, 0.3])
    base = MultivariateGaussianDiag(torch.zeros(2), spread, dims=2)
    target = BimodalGaussianDiag([torch.ones(2), -torch.ones(2)], [spread, spread], dims=2)
    save_picture(log_dir / "density_base.png", lambda: plot_density(base))
    save_picture(log_dir / "density_target.png", lambda: plot_density(target))

    loader = DataLoader(TensorDataset(target.sample(10_000)), batch_size=args.batch_size, shuffle=True)
    model = NormalizingFlow(base, dim=2, num_flows=args.num_flows, num_hidden=args.num_hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    for epoch in range(1, args.epochs + 1):
        print(f"epoch {epoch}: {train_nf(model, loader, optimizer):.3f} bits per dimension")
    save_picture(log_dir / "density_learned.png", lambda: plot_contours(learned_density(model)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--num_flows", default=6, type=int)
    parser.add_argument("--num_hidden", default=64, type=int)
    parser.add_argument("--lr", default=1e-3, type=float)
    parser.add_argument("--batch_size", default=256, type=int)
    parser.add_argument("--epochs", default=40, type=int)
    parser.add_argument("--seed", default=42, type=int)
    parser.add_argument("--log_dir", default="NF_logs", type=str)
    main(parser.parse_args())
