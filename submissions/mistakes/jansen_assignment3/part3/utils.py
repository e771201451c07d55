import matplotlib.pyplot as plt
import torch


def make_mesh():
    axis = torch.linspace(-2.5, 2.5, 50)
    x1, x2 = torch.meshgrid(axis, axis, indexing='ij')
    return x1, x2, torch.stack((x1, x2), dim=-1)


def plot_density(p, path):
    plt.figure(figsize=(6, 6))
    plt.contourf(p.T, extent=(-2.5, 2.5, -2.5, 2.5), cmap='Blues')
    plt.savefig(path)
    plt.close()
