"""`python -m gengrade.download FOLDER`: MNIST by torchvision into FOLDER/MNIST/raw, as the host imports no torch."""

from __future__ import annotations

import sys

from gengrade.sandbox.guest.compatibility import import_torchvision


def main(folder: str) -> None:
    import_torchvision()
    from torchvision.datasets import MNIST

    for train in (True, False):
        MNIST(folder, train=train, download=True)


if __name__ == "__main__":
    main(sys.argv[1])
