import torch
import torchvision
from torchvision import transforms
from torch.utils.data import DataLoader, random_split


def bmnist(root='../data/', batch_size=128, num_workers=4, download=True):
    binarize = transforms.Compose([transforms.ToTensor(), lambda img: (img > 0.5).float()])
    train = torchvision.datasets.MNIST(root, train=True, transform=binarize, download=download)
    test = torchvision.datasets.MNIST(root, train=False, transform=binarize, download=download)
    train, val = random_split(train, [45000, 5000 + len(train) - 50000])
    kwargs = dict(batch_size=batch_size, num_workers=num_workers)
    return (DataLoader(train, shuffle=True, drop_last=True, **kwargs),
            DataLoader(val, **kwargs), DataLoader(test, **kwargs))
