"""Telling the machine where the run began how far this one has come, without writing more often than people look."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from gengrade.authenticity import Seal
from gengrade.engine.cluster.files import NodeState, write_state
from gengrade.engine.cluster.machine import machine_name
from gengrade.engine.results import EventKind, Progress

_SECONDS: Final = 2.0  # between two writes


@contextmanager
def telling(out: Path, number: int, seal: Seal) -> Iterator[Teller]:
    """Report how far a slice has come, and at the end that it has finished, or why it has not."""
    teller = Teller(out, number, seal)
    try:
        yield teller
    except BaseException as error:
        with suppress(OSError):
            teller.end(_named(str(error) or "it was stopped"))
        raise
    teller.end()


def _named(problem: str) -> str:
    """Return a problem with the name of this machine before it."""
    name = f"{machine_name()}: "
    return problem if problem.startswith(name) else f"{name}{problem}"


def both(first: Callable[[Progress], None], second: Callable[[Progress], None]) -> Callable[[Progress], None]:
    """Return a function that tells both of what happens."""

    def see(progress: Progress) -> None:
        first(progress)
        second(progress)

    return see


class Teller:
    """Keeps the state of one slice in its file."""

    def __init__(self, out: Path, number: int, seal: Seal) -> None:
        self._out, self._seal = out, seal
        self._state = NodeState(slice=number, machine=machine_name())
        self._written = 0.0
        self._write()

    def see(self, progress: Progress) -> None:
        """Note what has happened to a submission."""
        id_ = progress.submission.id
        others = {name: check for name, check in self._state.at.items() if name != id_}
        match progress.event:
            case EventKind.CHECK:
                self._change(at={**others, id_: progress.check})
            case EventKind.GRADED:
                self._change(at=others, graded=(*self._state.graded, id_))
            case EventKind.FAILED:
                self._change(at=others, failed=(*self._state.failed, id_))
        if time.monotonic() - self._written > _SECONDS:
            self._write()

    def end(self, problem: str | None = None) -> None:
        """Note the end. `problem`: why it came too early."""
        self._change(ended=True, problem=problem, at={})
        self._write()

    def _change(self, **fields: object) -> None:
        self._state = self._state.model_copy(update=fields)

    def _write(self) -> None:
        write_state(self._out, self._state, self._seal)
        self._written = time.monotonic()
