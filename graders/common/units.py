"""Units of information."""

from __future__ import annotations

import math
from typing import Final

BITS: Final = math.log2(math.e)  # per nat
