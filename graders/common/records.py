"""Records of the evidence that our classifier's probes return."""

from __future__ import annotations

from typing import TypedDict

from torch import Tensor


class Features(TypedDict):
    """What the classifier makes of images."""

    features: Tensor  # [N, 64], its last hidden layer
    classes: Tensor  # [N], the likeliest class
