"""MNIST with 4 bits a pixel (as the assignment gives it)."""

import torch
from torch.utils.data import DataLoader
from torchvision import datasets, transforms


def discretize(sample: torch.Tensor) -> torch.Tensor:
    """Grey values in [0, 1] → levels 0 … 15."""
    return (sample * 16).long().clamp(max=15)


def mnist(root: str = "../data/", batch_size: int = 128, num_workers: int = 4) -> DataLoader:
    """Batches of images [B, 1, 28, 28] of levels, with labels."""
    levels = transforms.Compose([transforms.ToTensor(), discretize])
    images = datasets.MNIST(root, train=True, transform=levels, download=True)
    return DataLoader(images, batch_size=batch_size, shuffle=True, num_workers=num_workers, drop_last=True)
