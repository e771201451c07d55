"""Run the code of a test in a forked process that limits its CPU time and its memory.

Evidence that a guest sends quickly may take a grader very long to process: distances between all pairs of rows, a sort,
a picture. Five properties are deliberate:

1. Only the grader's own code counts. The parent carries out the runs of the student's package and of the reference,
   which the child requests over a pipe, and a waiting process uses no CPU time.
2. The kernel ends a child that uses too much, even inside a call of numpy, and the parent continues with the next test.
   The child's memory is freed with it.
3. A child that a limit ended fails the student's check (`TooMuch`). If it ends otherwise, or raises an exception, that
   is a fault of the harness (`GraderFault`). If it failed in computing with arrays (`ComputingFault`), the plugin finds
   out whether the student's numbers caused it.
4. A verdict is final. Symptoms are read after it, with limits of their own, and are left out if they take too much.
5. The child is a copy of this program and sends only what this program made; it forwards no bytes of a guest.
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

from gengrade.choices import CheckKind
from gengrade.facts import Figure
from gengrade.forking import address_space, end_with_parent, fork
from gengrade.grading.evidence import Evidence, Mismatch, NotAsked
from gengrade.grading.probes import Probe
from gengrade.grading.subject import Subject, plain
from gengrade.grading.symptoms import Symptoms, read
from gengrade.sandbox import Request, Run

# What numpy raises for numbers that it cannot compute with, and for sizes that do not fit.
_COMPUTING: Final = (ArithmeticError, np.linalg.LinAlgError, ValueError, IndexError)
_MEMORY_SHARE: Final = 0.5  # a child that ends without a report after using this share of its memory ran out of it


@dataclass(frozen=True, slots=True)
class Allowance:
    """Limits for the code of one test, and again for reading its symptoms."""

    seconds: int = 30  # of CPU time
    memory_mb: int = 4096  # of address space, in addition to that at the start of the test


# For each kind of check. The slowest unit test of all courses takes 0.5 s and 70 MB; a test of a trained model compares
# samples with each image of the data set, which takes 170 billion operations for MNIST.
ALLOWANCES: Final[Mapping[CheckKind, Allowance]] = {
    CheckKind.UNIT: Allowance(),
    CheckKind.TRAIN: Allowance(seconds=120),
}


class TooMuch(Mismatch):
    """Comparing an answer with the expected one took more time or memory than it does for any right answer."""

    @classmethod
    def of(cls, what: str) -> TooMuch:
        """Return the error for exceeding a limit, such as "30 s of processor time"."""
        return cls(
            "Your answer is too large, or takes too long, to be compared with the expected one: check how many "
            "numbers your code returns",
            expected=f"an answer that can be compared within {what}",
            got="more than that",
        )


class GraderFault(RuntimeError):
    """The code of a test raised an exception, or its process died: a fault of the harness, with a description."""


class ComputingFault(GraderFault):
    """The code of a test failed in computing with arrays: in arithmetic, or for their sizes.

    The arrays may be its own, or those of the evidence.
    """


class _Stopped(BaseException):
    """Ends a test in the child after a run that gave no evidence; the parent knows the reason."""


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a test in the child."""

    recorded: Mapping[str, float] = field(default_factory=dict)
    figures: Sequence[Figure] = ()
    error: BaseException | None = (
        None  # Mismatch, TooMuch, NotAsked, GraderFault, or the exception of a run of a package
    )
    symptoms: Sequence[Symptoms] = ()  # of the student's runs, in order; fewer if reading them took too much
    faults: Sequence[str] = ()  # of the harness, in reading symptoms
    seconds: float = 0.0  # of CPU time
    memory_mb: float = 0.0  # the most resident memory, in addition to that at the start


class _Remote:
    """Replaces a Subject in the child, and requests its runs from the parent."""

    def __init__(self, name: str, channel: Connection, seen: list[tuple[Request, Run]]) -> None:
        self._name = name
        self._channel = channel
        self._seen = seen

    def run(self, probe: Probe, **inputs: Any) -> Evidence:
        return self._ask("run", probe, inputs)

    def again(self, probe: Probe, **inputs: Any) -> Evidence:
        return self._ask("again", probe, inputs)

    def once(self, probe: Probe, **inputs: Any) -> Evidence:
        return self._ask("once", probe, inputs)

    def on_theirs(self, probe: Probe, **inputs: Any) -> Evidence:
        return self._ask("on_theirs", probe, inputs)

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
    """Call a test in a child process and return its result.

    test: the test function.
    arguments: its arguments by name. Runs of those that are `Subject`s are carried out in this process.
    recorded, figures: the containers that the test's fixtures fill in the child.
    allowance: the limits of the child.
    symptoms_of: the package whose runs' symptoms are read; None: no symptoms are read.

    Raises KeyboardInterrupt, and other exceptions that come from outside, after the child has ended.
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
    """Carry out the runs that the child requests until it ends. Return its messages, and the exception of a run."""
    words: dict[str, Any] = {}
    error: Exception | None = None
    with contextlib.suppress(EOFError, ConnectionError):  # the child has ended, perhaps in the middle of a message
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
            except Exception as raised:  # it ends the test, as it would in one process
                error = raised
            channel.send((subject.runs[earlier:], error is not None))
    return words, error


def _death(status: int, grown_mb: float, allowance: Allowance) -> TooMuch | GraderFault:
    """Return the error for a child that ended without a report."""
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        return TooMuch.of(f"{allowance.seconds} s of processor time")
    if grown_mb > _MEMORY_SHARE * allowance.memory_mb:  # some libraries end their process when they get no memory
        return _too_large(allowance)
    return GraderFault(f"the process of a test ended with status {os.waitstatus_to_exitcode(status)} and no report")


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
    """Run the test in the child, send its report, and exit without returning into the parent's frames."""
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
    except NotAsked as raised:
        error = NotAsked(raised.reason, raised.unless)
    except MemoryError:
        error = _too_large(allowance)
    except _COMPUTING as raised:
        error = ComputingFault("".join(traceback.format_exception(raised)))
    except BaseException as raised:
        error = GraderFault("".join(traceback.format_exception(raised)))
    return Report(recorded, figures, error)


def _symptoms(seen: Sequence[tuple[Request, Run]]) -> dict[str, Any]:
    """Return the symptoms of all runs, {} for a run whose symptoms need too much memory, or a fault of the harness."""
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
    """Detach the child: reset signal handlers, replace the parent's descriptors, and end with the parent."""
    end_with_parent(parent)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in _descriptors():
        if descriptor > 2 and descriptor not in (nothing, channel.fileno()):
            os.dup2(nothing, descriptor)  # if it were closed, an object with this number could close a later file
    gc.freeze()


def _descriptors() -> Iterator[int]:
    folder = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            os.fstat(int(name))  # fails for the descriptor of the listing, which is closed again
            yield int(name)


def _limit(allowance: Allowance) -> None:
    """Set soft limits: the kernel then sends SIGXCPU, and allocations fail."""
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
    """Return the largest resident size in MiB."""
    return used.ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20)
