"""Random inputs of a test: the same for a whole class, different in each run and unknown beforehand."""

from __future__ import annotations

import hashlib
import hmac

import numpy as np
from numpy.typing import NDArray


def derive(secret: bytes, *labels: object) -> int:
    """A 63-bit seed from the run's secret and labels; without the secret, no label's seed can be guessed."""
    message = "\0".join(map(str, labels)).encode()
    return int.from_bytes(hmac.digest(secret, message, hashlib.sha256)[:8], "big") >> 1


class Rng:
    """Draws of one test; float32 unless said otherwise, as models expect them."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)

    def normal(self, *shape: int) -> NDArray[np.float32]:
        return self._generator.standard_normal(shape, dtype=np.float32)

    def uniform(self, low: float, high: float, *shape: int) -> NDArray[np.float32]:
        return self._generator.uniform(low, high, shape).astype(np.float32)

    def integers(self, low: int, high: int, *shape: int) -> NDArray[np.int64]:
        """Integers from low up to, not including, high."""
        return self._generator.integers(low, high, shape)

    def integer(self, low: int, high: int) -> int:
        return int(self._generator.integers(low, high))

    def choice(self, n: int, k: int) -> NDArray[np.int64]:
        """k distinct indices below n, in random order."""
        return self._generator.choice(n, k, replace=False)

    def bits(self, *shape: int) -> NDArray[np.float32]:
        return self._generator.integers(0, 2, shape).astype(np.float32)

    @property
    def generator(self) -> np.random.Generator:
        return self._generator
