"""A sandbox in which tests run small programs as if they were a student's."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from gengrade.course import find
from gengrade.sandbox import Limits, Request, Run, Sandbox, Tier, examine

MEAN = np.arange(6, dtype=np.float32).reshape(2, 3)
QUICK = Limits(seconds=3)


class SandboxHarness:
    """A folder of trees, and a sandbox around it; `run` wraps a body of Python as a student's KLD function."""

    def __init__(self, trees: Path, tier: Tier) -> None:
        self.trees = trees
        self.tier = tier
        self.sandbox = Sandbox(tier, find("uva2020"), trees)
        self._numbers = itertools.count()

    def tree(self, source: str) -> Path:
        tree = self.trees / f"student-{next(self._numbers)}"
        (tree / "vae").mkdir(parents=True)
        (tree / "vae" / "utils.py").write_text(source)
        return tree

    def run(self, body: str, limits: Limits = QUICK, *, before: str = "", seed: int = 1) -> Run:
        source = f"import os, sys, torch\n{before}\ndef KLD(mean, log_std):\n{textwrap.indent(body, '    ')}\n"
        return self.call(self.tree(source), limits, seed=seed)

    def call(self, tree: Path, limits: Limits = QUICK, *, seed: int = 1) -> Run:
        inputs = {"mean": MEAN, "log_std": np.zeros_like(MEAN)}
        return self.sandbox.run(Request("vae:kld", tree, inputs, seed, limits))


@contextmanager
def sandboxed(tier: Tier, trees: Path) -> Iterator[SandboxHarness]:
    """Return a sandbox of that tier; skips the test where this machine does not offer it."""
    finding = next(finding for finding in examine() if finding.tier is tier)
    if not finding.available:
        pytest.skip(f"this machine does not offer the tier {tier}: {finding.reason}")
    harness = SandboxHarness(trees, tier)
    yield harness
    harness.sandbox.close()
