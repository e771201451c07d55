"""The host's side of the wall: `Sandbox` starts a zygote, hands it runs, and tries a failed run once more.

Three properties are deliberate:

1. Every byte from a run is hostile until `wire.decode` has returned it (`answers`), and what a run may cost is bounded
   by the host's own clock (`conversation`, `clock`).
2. Whatever goes wrong before the student's code starts is an `InfraError`, and whatever goes wrong after is the run's
   outcome. So is a tree of the student's that does not fit into the room that a run has for files.
3. A run is repeated once, while no other run goes on (`turns`), when it ran out of time on a machine that had little
   for it, when the kernel may have ended it for want of memory, or when the harness failed. If the second try fails as
   well, it is nobody's fault but ours.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from gengrade import processors
from gengrade.choices import Device, Tier
from gengrade.course import Course
from gengrade.sandbox.conversation import carry_out
from gengrade.sandbox.ours import carry_out_ours
from gengrade.sandbox.reach import Kept
from gengrade.sandbox.run import InfraError, Request, Run, Runner
from gengrade.sandbox.turns import Turns
from gengrade.sandbox.zygote_process import ZygoteProcess


class Sandbox:
    """The front of the wall: `run(request)` gives a `Run`, whatever the student's code does.

    The zygote starts with the first run or, by `start`, before it, and again after it was lost.
    """

    def __init__(
        self,
        tier: Tier,
        course: Course,
        trees: Path,
        *,
        device: str = "cpu",
        gpu_share: float = 1.0,
        kept: Sequence[Kept] = (),
    ) -> None:
        """`trees`: the folder that holds every clean tree that will be run; a run sees its own only.

        `device`: "cuda" if some runs use a GPU; `gpu_share`: the share of its memory that each of them may use.

        `kept`: what no run may read, wherever it lies. Our own code is always kept.
        """
        self.tier = tier
        self.course = course
        self.device = device
        self._gpu_share = gpu_share
        self._trees = trees.resolve()
        self._turns = Turns(self._trees.parent / "turns")
        self._kept = tuple(kept)
        self._zygote: ZygoteProcess | None = None
        self._is_ready = False
        self._lock = threading.RLock()  # guards the zygote, since several threads may run our own code
        self.starting = 0.0  # seconds that runs have waited for zygotes to start so far

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the zygote, if one was started."""
        with self._lock:
            if self._zygote is not None:
                self._zygote.close()
            self._zygote, self._is_ready = None, False

    def start(self) -> None:
        """Start the zygote now rather than with the first run, without waiting for it. Raises OSError, InfraError."""
        with self._lock:
            if self._zygote is None:
                share = self._gpu_share if self.device == Device.CUDA else None
                self._zygote = ZygoteProcess(self.tier, self.course, self._trees, self._kept, gpu_share=share)

    def warm(self) -> None:
        """Start the zygote and wait until it is ready. Raises OSError and InfraError."""
        self._ready()

    def run(self, request: Request) -> Run:
        """Run a probe in a fresh process. Raises InfraError when it failed twice for no fault of the student's.

        The second time it is the only run that goes on.
        """
        return self._tried(carry_out, request)

    @property
    def processors(self) -> int:
        """How many processors this process may use, and so how many runs may reasonably go on at once."""
        return len(processors.available())

    @property
    def ours(self) -> Runner:
        """Runs probes on our own code, without walls around each run. Never give it a student's tree.

        Several threads may use it at once: each run that goes on has a process. The zygote ends with the thread that
        started it, so start it in one that lasts; otherwise a later run has to start it again.
        """
        return _Ours(self, partial(self._tried, carry_out_ours))

    def _tried(self, act: Callable[[ZygoteProcess, Request], Run], request: Request) -> Run:
        spent = 0.0  # on the first try, which counts as well
        try:
            with self._turns.beside_others(), self._zygote_of_a_run() as zygote:
                run = act(zygote, request)
            if not run.starved:
                return run
            spent = run.seconds
        except (InfraError, OSError):
            pass  # the second try says what is wrong
        try:
            with self._turns.alone(), self._zygote_of_a_run() as zygote:
                again = act(zygote, request)
                return replace(again, seconds=again.seconds + spent)
        except OSError as error:
            raise InfraError(f"the sandbox failed: {error}") from error

    @contextmanager
    def _zygote_of_a_run(self) -> Iterator[ZygoteProcess]:
        """Give a zygote that is ready. It is ended if the run fails for no fault of the student's."""
        zygote = self._ready()
        try:
            yield zygote
        except (InfraError, OSError):
            with self._lock:
                if self._zygote is zygote:  # or another thread has replaced it already
                    self.close()
            raise

    def _ready(self) -> ZygoteProcess:
        with self._lock:
            began = time.monotonic()
            self.start()
            assert self._zygote is not None
            if not self._is_ready:
                zygote, self._zygote = self._zygote, None
                zygote.wait()
                self._zygote, self._is_ready = zygote, True
                self.starting += time.monotonic() - began
            return self._zygote


@dataclass(frozen=True, slots=True)
class _Ours:
    """Runs our own code in a sandbox's process for it."""

    sandbox: Sandbox
    run: Callable[[Request], Run]

    @property
    def starting(self) -> float:
        """The seconds that starting the sandbox has taken so far."""
        return self.sandbox.starting
