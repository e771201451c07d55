"""Draw the random inputs of a test, which are the same for a whole class, and differ unpredictably between runs."""

from __future__ import annotations

import hashlib
import hmac

import numpy as np

from gengrade.arrays import Array32, Integers


def derive(secret: bytes, *labels: object) -> int:
    """Return a 63-bit seed for these labels, which cannot be predicted without the run's secret."""
    message = "\0".join(map(str, labels)).encode()
    return int.from_bytes(hmac.digest(secret, message, hashlib.sha256)[:8], "big") >> 1


class Rng:
    """The random generator of one test; it draws float32 unless stated otherwise."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)

    def normal(self, *shape: int) -> Array32:
        """Draw standard normal numbers."""
        return self._generator.standard_normal(shape, dtype=np.float32)

    def uniform(self, low: float, high: float, *shape: int) -> Array32:
        """Draw uniform numbers from `low` to `high`."""
        return self._generator.uniform(low, high, shape).astype(np.float32)

    def integers(self, low: int, high: int, *shape: int) -> Integers:
        """Draw integers from `low` up to, not including, `high`."""
        return self._generator.integers(low, high, shape)

    def integer(self, low: int, high: int) -> int:
        """Draw one integer from `low` up to, not including, `high`."""
        return int(self._generator.integers(low, high))

    def choice(self, n: int, k: int) -> Integers:
        """Draw k distinct indices below n, in random order."""
        return self._generator.choice(n, k, replace=False)

    def bits(self, *shape: int) -> Array32:
        """Draw zeros and ones."""
        return self._generator.integers(0, 2, shape).astype(np.float32)

    @property
    def generator(self) -> np.random.Generator:
        return self._generator
