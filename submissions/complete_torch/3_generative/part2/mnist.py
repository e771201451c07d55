import torchvision
from torchvision import transforms
from torch.utils.data import DataLoader


def mnist(root='../data/', batch_size=128, num_workers=4, download=True):
    scale = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    train = torchvision.datasets.MNIST(root, train=True, transform=scale, download=download)
    return DataLoader(train, batch_size=batch_size, shuffle=True, num_workers=num_workers, drop_last=True)
