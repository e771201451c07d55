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
    """Return whether the layers take the weights, and whether gradients pass in each mode.

    A wrong output is explained by how the layers are connected.
    """
    fits = got.flag("fits")
    if not fits:
        return {"fits": (0.0, 0.0)}
    modes = [got[mode] for mode in ("eval", "training")]
    return {
        "fits": (1.0, 0.0),
        "shapes": (np.array([each.shape("output") for each in modes], dtype=np.float64), 0.0),
        "attached": (np.array([float(each.flag("attached")) for each in modes]), 0.0),
    }
