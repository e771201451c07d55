"""Symptoms of mistakes in a U-Net with prescribed layers.

How forward connects the layers, and what cfg_forward returns, follows from the probes' inputs alone, and is compared
directly.
"""

from __future__ import annotations

import numpy as np

from gengrade.grading import Evidence
from gengrade.grading.symptoms import Inputs, Symptoms, symptoms_of


@symptoms_of("ddpm.unet:output")
def output(inputs: Inputs, got: Evidence) -> Symptoms:
    """Return whether the layers take the weights; a wrong output is explained by how the layers are connected."""
    shape = np.array(got.shape("output"), dtype=np.float64)
    return {"fits": (float(got.flag("fits")), 0.0), "shape": (shape, 0.0)}
