"""Runs the code of a test in a forked process, where its processor time and its memory are limited.

What a grader makes of evidence may take far longer than what a guest took to send it: distances between all pairs of
rows, a sort of equal ones, a picture. Four properties are deliberate:

1. Only the grader's own code counts. Runs of the student's package and of the reference are carried out by the parent,
   which the child asks for them over a pipe, and a process that waits uses no processor time.
2. The kernel ends what uses too much, also within a call of numpy that does not come back to Python; the parent goes
   on with the next test. What the child has allocated is gone with it.
3. The end by a limit is a failed check of the student's (`TooMuch`); another death of the child, or an exception, is a
   fault of ours (`GraderFault`). Of arithmetic that fails (`ArithmeticFault`) the plugin finds out whose numbers do it.
4. A verdict that was given stands. Symptoms are read after it, within limits of their own, and are left out where they
   take too much.

The child is a copy of this program, and what it sends is what this program made: no byte of it is a guest's own.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe
from typing import Any, Final, NoReturn

import numpy as np

from gengrade.facts import Figure
from gengrade.forking import address_space, end_with_parent, fork
from gengrade.grading.evidence import Evidence, Mismatch
from gengrade.grading.probes import Probe
from gengrade.grading.subject import Subject, plain
from gengrade.grading.symptoms import Symptoms, read
from gengrade.sandbox import Request, Run

_MEMORY_SHARE: Final = 0.5  # of the allowance in use, from which on a death without a word is one for want of memory


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the code of one test may use, and as much again what reads its symptoms."""

    seconds: int = 30  # of the processor
    memory_mb: int = 4096  # of address space, beyond what the process has when the test begins


# By kind of check. The slowest unit test of all courses takes 0.5 s and 70 MB; a training's compares samples with each
# image of the data set, which are 170 billion operations for MNIST's.
ALLOWANCES: Final[Mapping[str, Allowance]] = {"unit": Allowance(), "train": Allowance(seconds=120)}


class TooMuch(Mismatch):
    """Comparing an answer with what was expected took more time or memory than any right answer does."""

    @classmethod
    def of(cls, what: str) -> TooMuch:
        return cls(
            "Your answer is too large, or takes too long, to be compared with what was expected: look at how many "
            "numbers your code gives back",
            expected=f"an answer that can be compared within {what}",
            got="more than that",
        )


class GraderFault(RuntimeError):
    """The code of a test failed, or its process died: a fault of ours, with what is known of it."""


class ArithmeticFault(GraderFault):
    """The code of a test came to numbers that it cannot compute with: its own, or those of the evidence."""


class _Stopped(BaseException):
    """Ends a test in the child whose run of a package came to no evidence; the parent knows why."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a test came to in the child."""

    recorded: Mapping[str, float] = field(default_factory=dict)
    figures: Sequence[Figure] = ()
    error: BaseException | None = None  # Mismatch, TooMuch, GraderFault, or what a run of a package raised
    symptoms: Sequence[Symptoms] = ()  # of the student's runs, in order; fewer, where they took too much
    faults: Sequence[str] = ()  # of ours, in reading symptoms
    seconds: float = 0.0  # of the processor
    memory_mb: float = 0.0  # resident at most, beyond that of the start


class _Remote:
    """Stands for a package in the child: its runs are the parent's to carry out."""

    def __init__(self, name: str, channel: Connection, seen: list[tuple[Request, Run]]) -> None:
        self._name = name
        self._channel = channel
        self._seen = seen

    def run(self, probe: Probe, **inputs: Any) -> Evidence:
        return self._ask("run", probe, inputs)

    def again(self, probe: Probe, **inputs: Any) -> Evidence:
        return self._ask("again", probe, inputs)

    def _ask(self, how: str, probe: Probe, inputs: Mapping[str, Any]) -> Evidence:
        self._channel.send((self._name, how, probe, {name: plain(value) for name, value in inputs.items()}))
        runs, stopped = self._channel.recv()
        self._seen += runs
        if stopped:
            raise _Stopped
        return Evidence(runs[-1][1].evidence)


def confined(
    test: Callable[..., None],
    arguments: Mapping[str, Any],
    *,
    recorded: dict[str, float],
    figures: list[Figure],
    allowance: Allowance,
    symptoms_of: Subject | None,
) -> Report:
    """Calls a test with these arguments in a child; its packages among them, which are `Subject`s, stay here.

    `recorded` and `figures` are what the test's fixtures fill, in the child. `symptoms_of`: the package of whose runs
    symptoms are read. Raises KeyboardInterrupt, and whatever else comes from outside, after the child has ended.
    """
    subjects = {name: value for name, value in arguments.items() if isinstance(value, Subject)}
    here, there = Pipe()
    parent = os.getpid()
    child = fork()
    if child == 0:
        _in_the_child(test, arguments, subjects, recorded, figures, allowance, symptoms_of, there, parent)
    there.close()
    try:
        with here:
            messages, error = _converse(here, subjects)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.wait4(child, 0)
        raise
    _, status, used = os.wait4(child, 0)
    grown = _megabytes(used) - messages.get("start", 0.0)
    report = messages.get("report") or Report(error=_death(status, grown, allowance))
    return Report(
        report.recorded,
        report.figures,
        error or report.error,
        messages.get("symptoms", ()),
        messages.get("faults", ()),
        used.ru_utime + used.ru_stime,
        grown,
    )


def _converse(channel: Connection, subjects: Mapping[str, Subject]) -> tuple[dict[str, Any], Exception | None]:
    """Carries out the runs that the child asks for, until it ends; its last words, and what a run raised."""
    words: dict[str, Any] = {}
    error: Exception | None = None
    with contextlib.suppress(EOFError, ConnectionError):  # it has ended, perhaps in the middle of something
        while True:
            message = channel.recv()
            if isinstance(message, dict):
                words |= message
                continue
            name, how, probe, inputs = message
            subject = subjects[name]
            earlier = len(subject.runs)
            try:
                getattr(subject, how)(probe, **inputs)
            except Exception as raised:  # whatever it is, it ends the test here as it would in one process
                error = raised
            channel.send((subject.runs[earlier:], error is not None))
    return words, error


def _death(status: int, grown_mb: float, allowance: Allowance) -> TooMuch | GraderFault:
    """Why a child ended without a report."""
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        return TooMuch.of(f"{allowance.seconds} s of processor time")
    if grown_mb > _MEMORY_SHARE * allowance.memory_mb:  # some libraries end the process that they get no memory in
        return _too_large(allowance)
    return GraderFault(f"the process of a test ended with {os.waitstatus_to_exitcode(status)}, having said nothing")


def _too_large(allowance: Allowance) -> TooMuch:
    return TooMuch.of(f"{allowance.memory_mb / 1024:g} GB of memory")


# In the child ---------------------------------------------------------------------------------------------------------


def _in_the_child(
    test: Callable[..., None],
    arguments: Mapping[str, Any],
    subjects: Mapping[str, Subject],
    recorded: dict[str, float],
    figures: list[Figure],
    allowance: Allowance,
    symptoms_of: Subject | None,
    channel: Connection,
    parent: int,
) -> NoReturn:
    """All of the child's life. It never returns: what is on the stack above is the parent's."""
    status = 1
    try:
        _let_go(channel, parent)
        _limit(allowance)
        channel.send({"start": _megabytes(resource.getrusage(resource.RUSAGE_SELF))})
        seen: dict[str, list[tuple[Request, Run]]] = {name: [] for name in subjects}
        remotes = {name: _Remote(name, channel, seen[name]) for name in subjects}
        report = _tried(test, {**arguments, **remotes}, recorded, figures, allowance)
        channel.send({"report": report})
        of = next((name for name, subject in subjects.items() if subject is symptoms_of), None)
        if of is not None:
            _more_time(allowance)
            channel.send(_symptoms(seen[of]))
        status = 0
    finally:
        os._exit(status)


def _tried(
    test: Callable[..., None],
    arguments: Mapping[str, Any],
    recorded: dict[str, float],
    figures: list[Figure],
    allowance: Allowance,
) -> Report:
    error: BaseException | None = None
    try:
        test(**arguments)
    except _Stopped:
        pass
    except Mismatch as raised:
        error = Mismatch(raised.message, expected=raised.expected, got=raised.got)  # without what its frames hold
    except MemoryError:
        error = _too_large(allowance)
    except (ArithmeticError, np.linalg.LinAlgError) as raised:
        error = ArithmeticFault("".join(traceback.format_exception(raised)))
    except BaseException as raised:
        error = GraderFault("".join(traceback.format_exception(raised)))
    return Report(recorded, figures, error)


def _symptoms(seen: Sequence[tuple[Request, Run]]) -> dict[str, Any]:
    """Of all runs. What cannot be read for want of memory has none; another failure is a fault of ours."""
    found: list[Symptoms] = []
    for request, run in seen:
        try:
            found.append(read(request.probe, request.inputs, run))
        except MemoryError:
            found.append({})
        except Exception:
            return {"faults": (traceback.format_exc(),)}
    return {"symptoms": found}


def _let_go(channel: Connection, parent: int) -> None:
    """Keeps nothing of the parent's: neither its descriptors, nor its handlers, nor a life beyond its own."""
    end_with_parent(parent)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in _descriptors():
        if descriptor > 2 and descriptor not in (nothing, channel.fileno()):
            os.dup2(nothing, descriptor)  # not closed: an object that still has this number would close another's
    gc.freeze()


def _descriptors() -> Iterator[int]:
    folder = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            os.fstat(int(name))  # that of the listing itself is closed again
            yield int(name)


def _limit(allowance: Allowance) -> None:
    """Soft limits, which the kernel and the C library hold: SIGXCPU and an allocation that fails."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _soften(resource.RLIMIT_CPU, allowance.seconds)
    size = address_space()
    if size is not None:
        _soften(resource.RLIMIT_AS, size + (allowance.memory_mb << 20))


def _more_time(allowance: Allowance) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _soften(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + allowance.seconds)


def _soften(which: int, limit: int) -> None:
    hard = resource.getrlimit(which)[1]
    with contextlib.suppress(ValueError, OSError):  # a system that has no such limit
        resource.setrlimit(which, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _megabytes(used: resource.struct_rusage) -> float:
    """What was resident at most."""
    return used.ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20)
