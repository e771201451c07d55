"""Probes that train and apply our small convolutional classifier, in whose features generated images are compared.

They run with the reference package only, never beside a student's code. After about two seconds of training the
classifier is right on 98 % of MNIST's test images and on 99 % of the embedded digits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graders.probing.batches import scaled
from graders.probing.descent import Descent

if TYPE_CHECKING:
    from graders.common.records import Features
    from graders.probing.records import State

STEPS = 600
BATCH = 64
PEAK_RATE = 6e-3
FEATURES = 64


def train(package: object, images: Tensor, labels: Tensor) -> State:
    """Train the classifier on uint8 images [N, 1, 28, 28] in 0 … 255 with int64 labels [N], and return its weights."""
    network = _network().to(images.device)
    x = scaled(images)
    descent = Descent(network, peak=PEAK_RATE, steps=STEPS)
    for _ in range(STEPS):
        chosen = torch.randint(len(x), (BATCH,), device=x.device)
        descent.step(F.cross_entropy(network(x[chosen]), labels[chosen]))
    return dict(network.state_dict())


@torch.no_grad()
def features(package: object, weights: State, images: Tensor) -> Features:
    """Run the classifier with these weights on uint8 images [N, 1, 28, 28]."""
    network = _network().to(images.device)
    network.load_state_dict(weights)
    hidden = network[:-1](scaled(images))
    return {"features": hidden, "classes": network[-1](hidden).argmax(dim=1)}


def _network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 16, kernel_size=5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(16, 32, kernel_size=3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, FEATURES),
        nn.ReLU(),
        nn.Linear(FEATURES, 10),
    )
