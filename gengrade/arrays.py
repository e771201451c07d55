"""Types of NumPy arrays, by the precision of their elements.

Evidence arrives in single precision and is compared in double precision, so that the host's own rounding never decides.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]  # what the host computes
Array32 = NDArray[np.float32]  # what a model is given
Floats = NDArray[np.floating]  # of either precision
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]
Pixels = NDArray[np.uint8]  # of images, from 0 to 255
