"""Runs probes on our own code in this process, without a sandbox, so that thousands of gradings are affordable.

The sandbox runs our own code in the same way, in a process of its own. Evidence is encoded and decoded as there, so
that the verdicts are the same. There is no time limit here: code that may not end has to run in a process that can be
killed. Never use this for other people's code.
"""

from __future__ import annotations

import gc
import io
import time
from functools import cache
from typing import Final, Self

import torch

from gengrade.course import Course
from gengrade.sandbox import Request, Run, wire
from gengrade.sandbox.answers import read_answer
from gengrade.sandbox.closure import closure_of
from gengrade.sandbox.guest import compatibility, library
from gengrade.sandbox.guest.ours import answer
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

    @property
    def ours(self) -> Self:
        """Runs our own code, which is all that runs here."""
        return self

    def close(self) -> None:
        """Do nothing, since there is nothing to release."""

    def run(self, request: Request) -> Run:
        """Run a probe once, on a package that is created for this run."""
        settings = RunSettings(
            tree=str(request.tree),
            scratch="",
            seed=request.seed,
            device=request.device,
            gpu_share=1.0,
            threads=request.threads,
            limits=request.limits.as_dict(),
            replaced=dict(request.replaced),
        )
        inputs = wire.decode(wire.encode(dict(request.inputs)))
        own, printed = _own(self._course, request.probe), io.StringIO()
        began = time.monotonic()
        frame = answer(settings, own, request.tree, inputs, printed)
        tag, _ = wire.FRAME_HEADER.unpack_from(frame)
        outcome, message, evidence, frames = read_answer(tag, frame[wire.FRAME_HEADER.size :])
        output = Output()
        output.add(printed.getvalue().encode("utf-8", "replace"))
        return Run(outcome, message, evidence, frames, output.text(), time.monotonic() - began)


@cache
def _own(course: Course, probe: str) -> library.Library:
    """Return the code that a sandboxed run of this probe would get; it is cached."""
    return library.load_apart(closure_of(course, probe).code)
