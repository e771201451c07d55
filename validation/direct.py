"""Runs of our own code without a wall, in this very process: thousands of gradings of it become affordable.

A walled run forks, confines itself, and is watched; a direct run calls the probe, and afterwards puts back what a
package leaves in the process that imported it. Evidence crosses the same wire, so that the verdicts are the same. There
is no clock: who runs code that may not end runs it in a process that can be killed. Never for anybody else's code.
"""

from __future__ import annotations

import contextlib
import gc
import io
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, Self

import numpy as np
import torch

from gengrade.course import Course
from gengrade.sandbox import Request, Run, wire
from gengrade.sandbox.answers import read_answer
from gengrade.sandbox.closure import closure_of
from gengrade.sandbox.guest import child, compatibility, library
from gengrade.sandbox.guest.settings import RunSettings
from gengrade.sandbox.library import preloaded
from gengrade.sandbox.run import Output

TIER: Final = "direct"  # what stands for the tier in the facts


class Direct:
    """Stands in for the sandbox: `run(request)`."""

    def __init__(self, course: Course) -> None:
        self._course = course
        began = time.monotonic()
        gc.disable()
        compatibility.import_torchvision()
        compatibility.restore_numpy_names()
        library.preload(preloaded(course))
        gc.freeze()  # pytest collects garbage thrice a session, and need not look at the libraries
        gc.enable()
        self.starting = time.monotonic() - began

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is held."""

    def run(self, request: Request) -> Run:
        """One run, on a package that is built for it alone."""
        tree = request.tree.resolve()
        settings = RunSettings(
            tree=str(tree),
            scratch=str(tree),
            seed=request.seed,
            device=request.device,
            threads=request.threads,
            limits=request.limits.as_dict(),
        )
        inputs = wire.decode(wire.encode(dict(request.inputs)))
        own = _own(self._course, request.probe)
        began = time.monotonic()
        with _undone(tree), own.in_place(), _printed() as printed:
            frame = child.answer(settings, tree, child.prepared(settings, own, tree, inputs))
        tag, _ = wire.FRAME_HEADER.unpack_from(frame)
        outcome, message, evidence, frames = read_answer(tag, frame[wire.FRAME_HEADER.size :])
        output = Output()
        output.add(printed.getvalue().encode("utf-8", "replace"))
        return Run(outcome, message, evidence, frames, output.text(), time.monotonic() - began)


@cache
def _own(course: Course, probe: str) -> library.Library:
    """The code that such a run would be given, kept for the next one."""
    return library.load_apart(closure_of(course, probe).code)


@contextlib.contextmanager
def _undone(tree: Path) -> Iterator[None]:
    """Takes back what a package and a probe leave behind: modules, finders, torch's modes and defaults, random states.

    The working folder is one of the run's own meanwhile: hand-outs write logs beside themselves.
    """
    modules, finders, modes = set(sys.modules), list(sys.meta_path), torch._C._len_torch_function_stack()
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    dtype, gradients = torch.get_default_dtype(), torch.is_grad_enabled()
    with tempfile.TemporaryDirectory(prefix="gengrade-") as scratch, contextlib.chdir(scratch):
        try:
            yield
        finally:
            for name in set(sys.modules) - modules:
                if str(getattr(sys.modules[name], "__file__", None)).startswith(f"{tree}/"):
                    del sys.modules[name]
            sys.meta_path[:] = finders
            while torch._C._len_torch_function_stack() > modes:
                torch._C._pop_torch_function_stack()
            torch.set_default_dtype(dtype)
            torch.set_grad_enabled(gradients)
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.set_rng_state(states[2])


@contextlib.contextmanager
def _printed() -> Iterator[io.StringIO]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        yield printed
