"""Run our own code on untrusted input in a limited child process, so that a crash or hang ends only the child.

Parsers read the archives, names and programs that students hand in, and any parser may have bugs or take very long on
some input. `confined` forks, limits the child, calls the function there, and receives its result as data. Three
properties are deliberate:

1. The caller survives. Whatever the input causes (a parser's crash, endless work, exhausted memory) ends the child only
   and is reported as `Unreadable`, which says what ended it.
2. Faults that no input can cause are kept apart: a full or broken disk is raised as an OSError, and a child that
   somebody else stopped as `Disturbed`. For this reason the child's CPU time is limited, and the limit of wall-clock
   time is so long that only a faulty machine reaches it.
3. Only data comes back: a value of the type that the caller named, read from JSON of limited length.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import resource
import selectors
import signal
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from gengrade import records
from gengrade.atomic import NO_ROOM
from gengrade.forking import address_space, end_with_parent, fork
from gengrade.paths import InputError, printable

T = TypeVar("T")

MIB: Final = 1 << 20
# Errors of disks, of system tables and of the harness's own folders, which no input can cause.
_MACHINE_ERRNOS: Final = NO_ROOM | {
    errno.EIO,
    errno.ENFILE,
    errno.EMFILE,
    errno.ESTALE,
    errno.ETIMEDOUT,
    errno.EHOSTDOWN,
    errno.ENOTCONN,
    errno.EACCES,
    errno.EPERM,
    errno.EBUSY,
}
_CHUNK: Final = 1 << 16
# Signals that somebody sends to a process; a fault in the process does not cause them.
_SENT_SIGNALS: Final = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_LONGEST_REASON: Final = 300
_END_SECONDS: Final = 10.0
_STEP_SECONDS: Final = 0.0005
_MOST_FILES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of a confined call: CPU time and memory beyond those of the caller, sizes of files and of the answer."""

    cpu_seconds: int = 60
    memory_bytes: int = 1_024 * MIB
    file_bytes: int = 160 * MIB
    answer_bytes: int = 16 * MIB
    wall_seconds: float = 1_800.0  # reached only where the machine is at fault, such as a disk that does not answer
    processes: bool = False  # whether the child may start processes, as it must to make confined calls itself


class Unreadable(ValueError):
    """The input ended the process that read it; `reason` completes the sentence "it cannot be read: …"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Disturbed(RuntimeError):
    """A confined process was stopped from outside or waited too long for the machine; its input is not the cause."""


def confined(function: Callable[[], T], returns: type[T], bounds: Bounds | None = None) -> T:
    """Call the function in a child process and return its result.

    function: takes no arguments. Its changes in memory are lost; its changes on the disk stay, even if it was ended
        before it returned.
    returns: the type of the result, one that `records` can write.
    bounds: the limits of the child; by default those of `Bounds()`.

    Raises the InputError (or subclass) that the function raised, OSError for faults of the machine, Disturbed when
    the child was stopped from outside, and Unreadable for every other failure.
    """
    bounds = bounds or Bounds()
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Newer Pythons warn about forking with threads. A program of ours that has some does not call this function:
        # it has `gengrade.room.reader` do so. Threads of libraries hold no lock that the child takes.
        warnings.simplefilter("ignore", DeprecationWarning)
        parent = os.getpid()
        child = fork()
    if child == 0:
        _child(function, bounds, parent, writing)
    os.close(writing)
    with suppress(OSError):
        os.setpgid(child, child)  # parent and child both do this, since either may run first
    status = None
    try:
        answer = _answer(reading, bounds)
        status = _end(child, 0.0 if answer is None else _END_SECONDS)
    finally:
        if status is None:
            _kill(child)
    if answer is None:
        raise Disturbed(f"reading took more than {bounds.wall_seconds:.0f} s, although it used little CPU time")
    return _result(answer, status, returns, bounds)


# In the parent --------------------------------------------------------------------------------------------------------


def _answer(reading: int, bounds: Bounds) -> bytes | None:
    """Read the child's answer until its end or until it is too long, and close the pipe; None after the time limit."""
    said = bytearray()
    until = time.monotonic() + bounds.wall_seconds
    with open(reading, "rb", buffering=0) as pipe, selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while len(said) <= bounds.answer_bytes:
            if not selector.select(max(0.0, until - time.monotonic())):
                return None
            data = pipe.read(_CHUNK)
            if not data:
                break
            said += data
    return bytes(said)


def _end(child: int, seconds: float) -> int:
    """Return the exit status of a child that has answered; one that still runs after so many seconds is killed."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(_STEP_SECONDS)
    return _kill(child)


def _kill(child: int) -> int:
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _result(answer: bytes, status: int, returns: type[T], bounds: Bounds) -> T:
    if len(answer) > bounds.answer_bytes:
        raise Unreadable("the result of reading it is too long")
    if status == -signal.SIGXCPU:
        raise Unreadable(f"it takes more than {bounds.cpu_seconds} s of CPU time to read")
    if status < 0 and -status in _SENT_SIGNALS:
        raise Disturbed(f"the process that read it was stopped by {signal.Signals(-status).name}")
    if status != 0:
        name = signal.Signals(-status).name if status < 0 else f"status {status}"
        raise Unreadable(f"the program that reads it crashed ({name})")
    try:
        kind, content = json.loads(answer)
        if kind == "result":
            return records.loads(returns, content)
    except (ValueError, TypeError, RecursionError) as error:
        raise Unreadable("the program that reads it gave no valid answer") from error
    if kind == "input":
        raise _input_error(content)
    if kind == "system":
        raise OSError(content["errno"], os.strerror(content["errno"]), content["path"])
    raise Unreadable(str(content))


def _input_error(content: dict[str, Any]) -> InputError:
    kinds = {kind.__name__: kind for kind in _below(InputError)} | {InputError.__name__: InputError}
    path = content["path"]
    return kinds[content["kind"]](Path(path) if content["is_path"] else path, content["reason"])


def _below(kind: type[InputError]) -> list[type[InputError]]:
    found: list[type[InputError]] = []
    for child in kind.__subclasses__():
        found += [child, *_below(child)]
    return found


# In the child ---------------------------------------------------------------------------------------------------------


def _child(function: Callable[[], object], bounds: Bounds, parent: int, writing: int) -> NoReturn:
    """Call the function, write its outcome to the pipe, and exit without returning into the parent's frames."""
    status = 1
    try:
        ours = _confine(bounds, parent, writing)
        said = _said(function, ours)
        with open(writing, "wb", closefd=False) as pipe:
            pipe.write(said)
        status = 0
    finally:
        os._exit(status)


def _confine(bounds: Bounds, parent: int, writing: int) -> bool:
    """Limit this process. Return whether the limit on the size of files is ours, not a lower one of the operator's."""
    with suppress(OSError):
        os.setpgid(0, 0)
    end_with_parent(parent)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGXCPU, signal.SIGPIPE, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing too large a file then raises an OSError
    threading.excepthook = lambda arguments: None
    gc.freeze()  # the garbage collector need not look at the parent's objects
    os.closerange(3, writing)
    os.closerange(writing + 1, _MOST_FILES)
    _lower(resource.RLIMIT_CORE, 0)
    if not bounds.processes:
        _lower(resource.RLIMIT_NPROC, 0)
    _lower(resource.RLIMIT_CPU, bounds.cpu_seconds, spare=5)
    size = address_space()
    if size is not None:
        _lower(resource.RLIMIT_AS, size + bounds.memory_bytes)
    return _lower(resource.RLIMIT_FSIZE, bounds.file_bytes)


def _lower(kind: int, limit: int, spare: int = 0) -> bool:
    """Set a resource limit unless a lower one exists. Return whether it was set."""
    soft, hard = resource.getrlimit(kind)
    if soft != resource.RLIM_INFINITY and soft <= limit:
        return False
    highest = limit + spare if hard == resource.RLIM_INFINITY else min(hard, limit + spare)
    with suppress(ValueError, OSError):  # some systems do not limit this
        resource.setrlimit(kind, (limit, highest))
    return True


def _said(function: Callable[[], object], file_limit_is_ours: bool) -> bytes:
    """Call the function and return its outcome as JSON for the parent."""
    answer: list[object]
    try:
        answer = ["result", records.dumps(function())]
    except InputError as error:
        is_path = isinstance(error.path, Path)
        content = {"kind": type(error).__name__, "path": str(error.path), "is_path": is_path, "reason": error.reason}
        answer = ["input", content]
    except OSError as error:
        ours = error.errno == errno.EFBIG and file_limit_is_ours
        if error.errno in _MACHINE_ERRNOS and not ours:
            path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes | Path) else None
            answer = ["system", {"errno": error.errno, "path": path}]
        else:
            answer = ["other", _reason(error.strerror or str(error))]
    except MemoryError:
        answer = ["other", "it takes too much memory"]
    except RecursionError:
        answer = ["other", "it is nested too deeply"]
    except Exception as error:
        answer = ["other", f"{type(error).__name__} ({_reason(str(error))})"]
    return json.dumps(answer).encode()


def _reason(text: str) -> str:
    return printable(text[:_LONGEST_REASON])
