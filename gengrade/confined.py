"""Calling our own code on strangers' bytes in a process of its own, whose end harms nobody.

Archives, names and programs that students hand in are read by parsers with faults and costs that nobody knows in full.
`confined` forks, limits the child, calls the function there, and takes its result back as data. Three properties are
deliberate:

1. The caller survives. Whatever the input does (a parser's crash, endless work, all memory) ends the child only, and
   becomes `Unreadable`, which says what ended it.
2. Only what nobody's input can cause is the machine's: a full or broken disk stays an OSError, and a child that
   somebody else stopped is `Disturbed`. The first says how much it computed, never how long it took: time is limited
   by what the child itself computed, and the limit by the clock lies far away.
3. Nothing but data comes back: a type that the caller named, read from JSON of limited length.
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
# What a system says of its disks, of its tables and of our own folders: nobody's input makes it say so.
_MACHINES: Final = NO_ROOM | {
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
_OURS: Final = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)  # sent, not caused
_LONGEST_REASON: Final = 300
_END_SECONDS: Final = 10.0
_STEP_SECONDS: Final = 0.0005
_MOST_FILES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a confined call may use: computing and memory beyond what the process had before, files and an answer."""

    cpu_seconds: int = 60
    memory_bytes: int = 1_024 * MIB
    file_bytes: int = 160 * MIB
    answer_bytes: int = 16 * MIB
    wall_seconds: float = 1_800.0  # a protection only: a disk that does not answer is no fault of what is read
    processes: bool = False  # whether it may start others, as for a confined call of its own


class Unreadable(ValueError):
    """The input ended the process that read it; `reason` says how, and completes "it cannot be read: …"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Disturbed(RuntimeError):
    """A confined process was stopped from outside, or waited too long for the machine: its input is not to blame."""


def confined(function: Callable[[], T], returns: type[T], bounds: Bounds | None = None) -> T:
    """Calls the function in a child process and returns its result, which is of the type `returns` (see `records`).

    What the function changes in memory is lost; what it wrote to the disk stays, also when it was ended halfway.

    Raises InputError and its kinds as the function did; OSError for the machine's faults; Unreadable for every other
    end; Disturbed where somebody else ended it.
    """
    bounds = bounds or Bounds()
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Newer Pythons warn of threads: none of ours holds a lock that the child takes.
        warnings.simplefilter("ignore", DeprecationWarning)
        parent = os.getpid()
        child = fork()
    if child == 0:
        _child(function, bounds, parent, writing)
    os.close(writing)
    with suppress(OSError):
        os.setpgid(child, child)  # here as well as there: whoever comes first
    status = None
    try:
        answer = _answer(reading, bounds)
        status = _end(child, 0.0 if answer is None else _END_SECONDS)
    finally:
        if status is None:
            _kill(child)
    if answer is None:
        raise Disturbed(f"reading took more than {bounds.wall_seconds:.0f} s, although it computed less than it may")
    return _result(answer, status, returns, bounds)


# In the parent --------------------------------------------------------------------------------------------------------


def _answer(reading: int, bounds: Bounds) -> bytes | None:
    """What the child said until its end, or until it said too much; None where the clock ran out. Closes the pipe."""
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
    """The exit status of a child that has said what it had to say; one that goes on is killed after some seconds."""
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
        raise Unreadable("there is too much to say of it")
    if status == -signal.SIGXCPU:
        raise Unreadable(f"it takes more than {bounds.cpu_seconds} s of computing")
    if status < 0 and -status in _OURS:
        raise Disturbed(f"the process that read it was stopped by {signal.Signals(-status).name}")
    if status != 0:
        name = signal.Signals(-status).name if status < 0 else f"status {status}"
        raise Unreadable(f"the program that reads it broke off ({name})")
    try:
        kind, content = json.loads(answer)
        if kind == "result":
            return records.loads(returns, content)
    except (ValueError, TypeError, RecursionError) as error:
        raise Unreadable("the program that reads it gave no answer") from error
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
    """Calls the function and writes what came of it. Never returns: the frames above belong to the parent."""
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
    """Limits the process. Returns whether the limit on a file's size is ours, and not one that the operator set."""
    with suppress(OSError):
        os.setpgid(0, 0)
    end_with_parent(parent)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGXCPU, signal.SIGPIPE, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a file that grows too large is an error of its writer
    threading.excepthook = lambda arguments: None
    gc.freeze()  # what the parent had is not looked through again
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
    """Sets a limit unless there is a lower one. Returns whether it set it."""
    soft, hard = resource.getrlimit(kind)
    if soft != resource.RLIM_INFINITY and soft <= limit:
        return False
    highest = limit + spare if hard == resource.RLIM_INFINITY else min(hard, limit + spare)
    with suppress(ValueError, OSError):  # some systems do not limit this
        resource.setrlimit(kind, (limit, highest))
    return True


def _said(function: Callable[[], object], file_limit_is_ours: bool) -> bytes:
    """What came of the call, as the parent reads it."""
    answer: list[object]
    try:
        answer = ["result", records.dumps(function())]
    except InputError as error:
        is_path = isinstance(error.path, Path)
        content = {"kind": type(error).__name__, "path": str(error.path), "is_path": is_path, "reason": error.reason}
        answer = ["input", content]
    except OSError as error:
        ours = error.errno == errno.EFBIG and file_limit_is_ours
        if error.errno in _MACHINES and not ours:
            path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes | Path) else None
            answer = ["system", {"errno": error.errno, "path": path}]
        else:
            answer = ["other", _reason(error.strerror or str(error))]
    except MemoryError:
        answer = ["other", "it takes too much memory"]
    except RecursionError:
        answer = ["other", "it is nested too deep"]
    except Exception as error:
        answer = ["other", f"{type(error).__name__} ({_reason(str(error))})"]
    return json.dumps(answer).encode()


def _reason(text: str) -> str:
    return printable(text[:_LONGEST_REASON])
