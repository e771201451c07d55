"""Check one submission on several processors: its checks are divided, and each share is a session in a process.

Three properties are deliberate:

1. No verdict depends on it. The inputs and seeds of a test depend on its name alone, and checks that need each other,
   or leave mistakes to each other, are in the same share.
2. What is limited for all checks together (the submission's budget, its pictures) is counted over all shares. If they
   exceed a limit together, the submission is checked again in one session, so that the same checks are stopped as on
   one processor; most of its runs are cached then.
3. A share whose process is lost is carried out by this process, after its own.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Final

from gengrade.choices import CheckKind
from gengrade.forking import end_with_parent
from gengrade.grading.budget import Allowance
from gengrade.grading.checks import Known, declaration, tests_of
from gengrade.grading.figures import Gallery
from gengrade.grading.plugin import Observed
from gengrade.messages import CheckEnded, CheckMessage

_MOST: Final = 4  # shares, each of which takes the memory of a worker
_TRAINING: Final = 30  # usual tests that take as long as one that trains
_END_SECONDS: Final = 30.0  # for a process to take down its sandbox
_NUMBER: Final = struct.Struct("<Q")
Tell = Callable[[CheckMessage], None]


@dataclass(frozen=True, slots=True)
class Share:
    """What the session of a share has observed, and the time and evidence of its runs."""

    observed: Observed
    seconds: float
    bytes: int


Session = Callable[[frozenset[str], Tell], Share]  # carries out a session with these checks, and tells of each


def divided(
    checks: Iterable[str],
    known: Mapping[str, Known],
    needs: Mapping[str, Iterable[str]],
    most: int,
    first: Iterable[str] = (),
) -> list[frozenset[str]]:
    """Return the checks in at most `most` shares of similar cost, none of which depends on another.

    checks: the ids of the checks to run.
    known: all checks, with what their graders say of each other.
    needs: for each check, what the rubric says that it needs beyond that.
    first: checks whose verdicts are wanted first. The share with most of them comes first, otherwise the costliest.
    """
    groups = _dependent(set(checks), known, needs)
    shares: list[set[str]] = [set() for _ in range(min(most, _MOST, len(groups)))]
    for group in sorted(groups, key=lambda group: (-_cost(group, known), min(group))):
        min(shares, key=lambda share: _cost(share, known)).update(group)
    wanted = set(first)
    return sorted(map(frozenset, shares), key=lambda share: (-len(wanted & share), -_cost(share, known), min(share)))


def _dependent(
    checks: set[str], known: Mapping[str, Known], needs: Mapping[str, Iterable[str]]
) -> list[frozenset[str]]:
    """Return the checks in groups: those that need each other, leave mistakes to each other or have a test together."""
    groups: list[set[str]] = []
    for check in checks:
        together = {check, *known[check].needs, *known[check].leaves_to, *needs.get(check, ())}
        for test in tests_of(check):
            declared = declaration(test)
            together.update(declared.ids if declared else ())
        met = [group for group in groups if group & together]
        groups = [group for group in groups if not group & together]
        groups.append((together & checks).union(*met))
    return list(map(frozenset, groups))


def _cost(checks: Iterable[str], known: Mapping[str, Known]) -> int:
    """Return about how many usual tests these checks cost."""
    return sum(
        len(list(tests_of(check))) * (_TRAINING if known[check].kind is CheckKind.TRAIN else 1) for check in checks
    )


def carried_out(
    shares: Sequence[frozenset[str]],
    session: Session,
    tell: Tell,
    elsewhere: Callable[[], AbstractContextManager[None]],
) -> list[Share]:
    """Carry out a session for each share: the first in this process, the others beside it in copies of this process.

    session: is called once in each process.
    tell: is called in all processes.
    elsewhere: returns the context of a session in another process, in which that has a sandbox of its own.
    """
    context = get_context("fork")
    processes: list[tuple[BaseProcess, Connection]] = []
    with mmap.mmap(-1, _NUMBER.size * len(shares)) as counts:
        tells = [partial(_told, tell, counts, number, sum(map(len, shares))) for number in range(len(shares))]
        try:
            for share, its_tell in zip(shares[1:], tells[1:], strict=True):
                reading, writing = context.Pipe(duplex=False)
                process = context.Process(
                    target=_send, args=(os.getpid(), writing, elsewhere, session, share, its_tell)
                )
                process.start()
                writing.close()
                processes.append((process, reading))
            found = [session(shares[0], tells[0])]
            for (_, reading), share, its_tell in zip(processes, shares[1:], tells[1:], strict=True):
                found.append(_received(reading) or session(share, its_tell))
            return found
        finally:
            for ended, reading in processes:
                _end(ended)
                reading.close()


def _told(tell: Tell, counts: mmap.mmap, number: int, of: int, message: CheckMessage) -> None:
    """Tell of a check, with the number of checks that have ended in all processes."""
    if isinstance(message, CheckEnded):
        _NUMBER.pack_into(counts, _NUMBER.size * number, message.done)
        done = sum(count for (count,) in _NUMBER.iter_unpack(counts[:]))
        message = message.model_copy(update={"done": done, "of": of})
    tell(message)


def _send(
    parent: int,
    writing: Connection,
    elsewhere: Callable[[], AbstractContextManager[None]],
    session: Session,
    share: frozenset[str],
    tell: Tell,
) -> None:
    end_with_parent(parent)
    with elsewhere():
        found = session(share, tell)
    writing.send(found)


def _received(reading: Connection) -> Share | None:
    """Return what a process has sent; None if it ended before."""
    try:
        found = reading.recv()
    except (EOFError, OSError):
        return None
    assert isinstance(found, Share)
    return found


def _end(process: BaseProcess) -> None:
    process.join(0)
    if process.is_alive():
        process.terminate()
        process.join(_END_SECONDS)
    if process.is_alive():
        process.kill()
    process.join()


def merged(shares: Sequence[Share], allowance: Allowance) -> Observed | None:
    """Return what all shares have observed, or None if one session might have met a limit of all checks together."""
    observed = [share.observed for share in shares]
    seconds, size = sum(share.seconds for share in shares), sum(share.bytes for share in shares)
    if not allowance.covers(seconds, size) or any(test.cut for each in observed for test in each.tested):
        return None
    if Gallery.may_be_full([each.gallery for each in observed]):
        return None
    together = Observed()
    for each in observed:
        together.tests.update(each.tests)
        together.measures.update(each.measures)
        together.figures += each.figures
        together.faults += each.faults
        together.tested += each.tested
        together.used.update(each.used)
        together.starved |= each.starved
        for stage, time in each.stages.items():
            together.stages[stage] = together.stages.get(stage, 0.0) + time
    return together
