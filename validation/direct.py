"""Runs probes on our own code in this process, without a sandbox, so that thousands of gradings are affordable.

A sandboxed run forks, confines itself and is supervised. A direct run calls the probe, and then restores the state that
the imported package has changed. Evidence is encoded and decoded in the same way, so that the verdicts are the same.
There is no time limit: code that may not end has to run in a process that can be killed. Never use this for other
people's code.
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
from gengrade.sandbox.guest import child, compatibility, library, workplace
from gengrade.sandbox.guest.settings import RunSettings
from gengrade.sandbox.library import preloaded
from gengrade.sandbox.run import Output

TIER: Final = "direct"  # the name of the tier in the facts


class Direct:
    """Replaces the sandbox: it offers `run(request)`."""

    def __init__(self, course: Course) -> None:
        self._course = course
        began = time.monotonic()
        gc.disable()
        compatibility.import_torchvision()
        compatibility.restore(cuda=torch.cuda.is_available())
        library.preload([*preloaded(course), *course.on_demand])
        gc.freeze()  # pytest collects garbage three times per session, and this excludes the libraries
        gc.enable()
        self.starting = time.monotonic() - began

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Does nothing, since there is nothing to release."""

    def run(self, request: Request) -> Run:
        """Runs a probe once, on a package that is created for this run."""
        settings = RunSettings(
            tree=str(request.tree),
            scratch="",
            seed=request.seed,
            device=request.device,
            threads=request.threads,
            limits=request.limits.as_dict(),
        )
        inputs = wire.decode(wire.encode(dict(request.inputs)))
        own = _own(self._course, request.probe)
        began = time.monotonic()
        with _workplace(request.tree) as tree, own.in_place(), _printed() as printed:
            frame = child.answer(settings, tree, child.prepared(settings, own, tree, inputs))
        tag, _ = wire.FRAME_HEADER.unpack_from(frame)
        outcome, message, evidence, frames = read_answer(tag, frame[wire.FRAME_HEADER.size :])
        output = Output()
        output.add(printed.getvalue().encode("utf-8", "replace"))
        return Run(outcome, message, evidence, frames, output.text(), time.monotonic() - began)


@cache
def _own(course: Course, probe: str) -> library.Library:
    """The code that a sandboxed run of this probe would get; it is cached."""
    return library.load_apart(closure_of(course, probe).code)


@contextlib.contextmanager
def _workplace(tree: Path) -> Iterator[Path]:
    """A temporary copy of a tree, within which a run works.

    Afterwards, what a package and a probe change is restored: modules, finders, torch's modes and defaults, random
    states, the program's arguments and the working folder.
    """
    arguments = list(sys.argv)
    modules, finders, modes = set(sys.modules), list(sys.meta_path), torch._C._len_torch_function_stack()
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    dtype, gradients = torch.get_default_dtype(), torch.is_grad_enabled()
    with tempfile.TemporaryDirectory(prefix="gengrade-") as scratch, contextlib.chdir(scratch):
        copy = workplace.copied(tree, Path(scratch))
        try:
            yield copy
        finally:
            sys.argv[:] = arguments
            for name in set(sys.modules) - modules:
                if str(getattr(sys.modules[name], "__file__", None)).startswith(f"{copy}/"):
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
