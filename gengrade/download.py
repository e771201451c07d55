"""Download MNIST with torchvision into FOLDER/MNIST/raw: `python -m gengrade.download FOLDER`.

It is a program of its own, since the grader's own process never imports torch.
"""

from __future__ import annotations

import sys

from gengrade.sandbox.guest.compatibility import import_torchvision


def main(folder: str) -> None:
    """Download MNIST into the folder."""
    import_torchvision()
    from torchvision.datasets import MNIST

    for train in (True, False):
        MNIST(folder, train=train, download=True)


if __name__ == "__main__":
    main(sys.argv[1])
