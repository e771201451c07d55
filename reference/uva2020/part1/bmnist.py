"""MNIST with every pixel set to 0 or 1."""

import torch
from torch.utils.data import DataLoader, Subset
from torchvision import transforms
from torchvision.datasets import MNIST


class Binarize:
    """Maps grey values in [0, 1] to 1 above the threshold and to 0 elsewhere."""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        return (image > self.threshold).float()


def bmnist(
    root: str = "../data/", batch_size: int = 128, num_workers: int = 4, download: bool = True
) -> tuple[DataLoader, DataLoader, DataLoader]:
    """Loaders of (images [B, 1, 28, 28] of 0 and 1, labels [B]).

    Returns:
        The training set (45,000 images, shuffled), the validation set (5,000) and the test set (10,000).
    """
    transform = transforms.Compose([transforms.ToTensor(), Binarize(threshold=0.5)])
    training = MNIST(root, train=True, transform=transform, download=download)
    test = MNIST(root, train=False, transform=transform, download=download)

    def loader(images: MNIST | Subset, shuffle: bool) -> DataLoader:
        return DataLoader(images, batch_size=batch_size, shuffle=shuffle, num_workers=num_workers)

    return (
        loader(Subset(training, range(45_000)), shuffle=True),
        loader(Subset(training, range(45_000, 50_000)), shuffle=False),
        loader(test, shuffle=False),
    )
