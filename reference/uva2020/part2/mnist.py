"""The training images, scaled to the generator's range."""

from torch.utils.data import DataLoader
from torchvision import datasets, transforms


def mnist(root="../data", batch_size=128, num_workers=4, download=True):
    """A shuffled loader of MNIST's training images [B, 1, 28, 28] in [-1, 1], with their labels [B]."""
    to_tanh_range = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    images = datasets.MNIST(root, train=True, download=download, transform=to_tanh_range)
    return DataLoader(images, batch_size=batch_size, shuffle=True, num_workers=num_workers, pin_memory=True)
