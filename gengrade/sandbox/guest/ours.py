"""Serve runs of our own code, the reference and copies of it with a misconception, one after the other in one process.

Our own code is trusted, so it needs neither a process nor walls of its own, which take longer than most probes. After
each run, what the package and the probe have changed is restored. This process is no parent of the zygote, so that no
student's run inherits anything of ours. The host starts as many as it has processors.

    host → here    the frames SETTINGS, CODE and REQUEST
    here → host    a frame EVIDENCE, FAULT or LATE
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import resource
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import IO

import numpy as np
import torch

from gengrade.choices import Tier
from gengrade.sandbox import wire
from gengrade.sandbox.guest import child, gpu, library, old_torch, workplace
from gengrade.sandbox.guest.errors import WallError
from gengrade.sandbox.guest.namespaces import TREES
from gengrade.sandbox.guest.settings import RunSettings, ZygoteSettings
from gengrade.sandbox.guest.walls import most_mapped

_AGAIN_SECONDS = 1.0  # until code that has caught the exception for its time limit gets another one


def serve(zygote: ZygoteSettings, channel: socket.socket) -> None:
    """Serve runs until the host closes the channel."""
    known: dict[bytes, library.Library] = {}
    with open(os.devnull, "w") as nowhere:
        while True:
            try:
                run = RunSettings.from_json(json.loads(bytes(child.receive(channel, wire.SETTINGS))))
                code = child.receive(channel, wire.CODE).tobytes()
                inputs = wire.decode(child.receive(channel, wire.REQUEST))
            except WallError:
                return
            digest = hashlib.sha256(code).digest()
            if digest not in known:
                known[digest] = library.load_apart(code)
            tree = Path(TREES, run.tree) if zygote.tier is Tier.SANDBOX else Path(run.tree)
            channel.sendall(_in_time(run, known[digest], tree, inputs, nowhere))
            gpu.release()


def _in_time(run: RunSettings, own: library.Library, tree: Path, inputs: wire.Tree, printed: IO[str]) -> bytes:
    """Answer as `answer` does, with the limits of the run; the frame LATE if it has used up its processor time."""
    late = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal late
        late = True
        raise _OutOfTime

    signal.signal(signal.SIGPROF, stop)
    try:
        with _less_memory(run):
            signal.setitimer(signal.ITIMER_PROF, run.limits["seconds"], _AGAIN_SECONDS)
            frame = answer(run, own, tree, inputs, printed)
            signal.setitimer(signal.ITIMER_PROF, 0)
    except _OutOfTime:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return wire.frame(wire.LATE) if late else frame


class _OutOfTime(BaseException):
    """A run has used up its time."""


@contextlib.contextmanager
def _less_memory(run: RunSettings) -> Iterator[None]:
    """Within this context, only as much memory can be mapped as a student's run could map."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    if sys.platform == "linux" and run.device == "cpu":
        resource.setrlimit(resource.RLIMIT_AS, (most_mapped(int(run.limits["memory_mb"])), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def answer(run: RunSettings, own: library.Library, tree: Path, inputs: wire.Tree, printed: IO[str]) -> bytes:
    """Call a probe on a package that is made for this call, and return the frame with its evidence or its fault.

    own: the probe and the adapters.
    tree: a clean tree, of which the run gets a copy.
    printed: takes what is printed.
    """
    with (
        _workplace(tree, run.replaced) as copy,
        own.in_place(),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
    ):
        return child.answer(run, copy, child.prepared(run, own, copy, inputs), own.parts)


@contextlib.contextmanager
def _workplace(tree: Path, replaced: Mapping[str, str]) -> Iterator[Path]:
    """Give a temporary copy of a tree, with other texts in some files, within which a run works.

    Afterwards, what a package and a probe change is restored: modules, finders, the search path, torch's behaviour,
    modes and defaults, random states, the environment, the program's arguments and the working folder.
    """
    arguments, sys.argv[:] = list(sys.argv), [workplace.PROGRAM]
    environment, search_path = dict(os.environ), list(sys.path)
    modules, finders, modes = set(sys.modules), list(sys.meta_path), torch._C._len_torch_function_stack()
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    dtype, gradients = torch.get_default_dtype(), torch.is_grad_enabled()
    with tempfile.TemporaryDirectory(prefix="gengrade-") as scratch, contextlib.chdir(scratch):
        copy = workplace.copied(tree, Path(scratch))
        for path, text in replaced.items():
            (copy / path).write_text(text, encoding="utf-8")
        try:
            yield copy
        finally:
            sys.argv[:], sys.path[:] = arguments, search_path
            if os.environ != environment:
                os.environ.clear()
                os.environ.update(environment)
            for name in set(sys.modules) - modules:
                if str(getattr(sys.modules[name], "__file__", None)).startswith(f"{copy}/"):
                    del sys.modules[name]
            sys.meta_path[:] = finders
            while torch._C._len_torch_function_stack() > modes:
                torch._C._pop_torch_function_stack()
            old_torch.behave_as_installed()
            torch.set_default_dtype(dtype)
            torch.set_grad_enabled(gradients)
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.set_rng_state(states[2])
