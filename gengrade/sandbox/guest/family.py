"""The processes that a run started: what they take, and how they end. Read from /proc, where there is one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_KIB: Final = 1024
_NANO: Final = 1e-9
_TICKS: Final = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
# Of a process's status: its anonymous and shared memory, also where it was swapped out, and the tables of its pages.
_MEMORY: Final = ("RssAnon:", "RssShmem:", "VmSwap:", "VmPTE:", "HugetlbPages:")
_PROPORTIONAL: Final = ("Pss_Anon:", "Pss_Shmem:", "SwapPss:")  # of smaps_rollup
_SOCKET_BYTES: Final = 212_992  # what a socket may hold, where the kernel does not say
_PIPE_BYTES: Final = 16 * 4096  # a pipe's buffer; guests cannot enlarge it
_WATCH_BYTES: Final = 256  # what an epoll instance keeps for each descriptor that it may watch
_FEW_PROCESSES: Final = 6
_REST: Final = 20.0  # times as long as a close look took, until the next
_UNSEEN_DESCRIPTORS: Final = 1024  # of a process whose descriptors may not be looked at: as many as it may have


@dataclass(frozen=True, slots=True)
class Usage:
    """What all processes of a run take together, and have taken so far."""

    resident: int  # bytes of anonymous and shared memory, and of kernel buffers, beyond what the zygote has
    tasks: int  # processes and threads
    on_their_way: int  # descriptors that were sent and not yet received
    cpu: float  # seconds of processor time, of processes that have ended as well
    waited: float  # seconds in which one of them could have run, and had to wait for a processor


class Meter:
    """Measures the family of one run, reading by reading.

    What is dear to read is read by `look_closely` alone; in between, its last results count.
    """

    def __init__(self, baseline: Baseline) -> None:
        self._baseline = baseline
        self._cpu = 0.0
        self._waits = Waits(time.monotonic())
        self._buffers = 0
        self._private = 0
        self._on_their_way = 0
        self._next_look = 0.0

    def read(self) -> Usage:
        """Memory and processes as they are now; times since the run began."""
        memory = tasks = 0
        cpu = 0.0
        now = time.monotonic()
        for pid in descendants():
            memory += max(0, _memory(pid) - self._baseline.memory)
            cpu += _cpu_seconds(pid)
            for task in _list(_PROC / str(pid) / "task"):
                tasks += 1
                self._waits.add(f"{pid}/{task}", _waited(pid, task), now)
        # A process that has just been waited for is missing here for a moment; what was used stays used.
        self._cpu = max(self._cpu, cpu)
        resident = max(memory, self._private) + self._buffers
        return Usage(resident, tasks, self._on_their_way, self._cpu, self._waits.total)

    def look_closely(self) -> None:
        """Counts the kernel's buffers behind descriptors, as large as they may become, and memory behind the baseline.

        A process that gives up what it inherited may take as much anew before it exceeds the baseline. Among few
        processes that is little; of many, each page counts by how many of them share it.

        A family that takes long to look at is looked at less often: its own processor does that.
        """
        began = time.monotonic()
        if began < self._next_look:
            return
        sockets = others = in_namespace = on_their_way = 0
        processes = list(descendants())
        if len(processes) > _FEW_PROCESSES:
            self._private = max(0, sum(map(_proportional, processes)) - self._baseline.memory)
        for pid in processes:
            found = _buffers(pid)
            sockets += found.sockets
            others += found.bytes
            on_their_way += found.on_their_way
            in_namespace = max(in_namespace, _sockets_of_the_namespace(pid, self._baseline.namespace))
        self._buffers = max(sockets, in_namespace) * self._baseline.socket_bytes + others
        self._on_their_way = on_their_way
        ended = time.monotonic()
        self._next_look = ended + _REST * (ended - began)


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a zygote has itself, which each of its runs inherits; and what a socket may hold on this machine."""

    memory: int
    socket_bytes: int
    namespace: str  # its network, which its runs of the tier `landlock` share

    @classmethod
    def here(cls) -> Baseline:
        default = _text(_PROC / "sys/net/core/wmem_default").strip()
        return cls(_memory(os.getpid()), int(default) if default.isdigit() else _SOCKET_BYTES, _namespace("self"))


@dataclass(slots=True)
class Waits:
    """How long, in all, at least one task was ready to run and did not.

    The kernel adds a wait to its task's account when it is over, so that each addition is an interval that ends with
    the reading. Several tasks that wait at once wait once: what counts is the union of the intervals.
    """

    began: float
    _seen: dict[str, float] = field(default_factory=dict)
    _union: list[tuple[float, float]] = field(default_factory=list)

    def add(self, task: str, waited: float, now: float) -> None:
        more = waited - self._seen.get(task, 0.0)
        if more <= 0:
            return
        self._seen[task] = waited
        start = max(self.began, now - more)
        while self._union and self._union[-1][1] >= start:
            start = min(start, self._union.pop()[0])
        self._union.append((start, now))

    @property
    def total(self) -> float:
        return sum(end - start for start, end in self._union)


def descendants() -> Iterator[int]:
    """All processes below this one, nested namespaces included."""
    pending = _children(os.getpid())
    while pending:
        pid = pending.pop()
        yield pid
        pending.extend(_children(pid))


def kill(pid: int) -> None:
    """Ends a run: its process group, and whatever left the group."""
    for end in (os.killpg, os.kill):
        try:
            end(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
    for descendant in descendants():
        _kill_one(descendant)


def kill_descendants(seconds: float = 5.0) -> None:
    """Ends and reaps all that a run left behind. Orphans come to this process, the subreaper."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        left = list(descendants())
        for pid in left:
            _kill_one(pid)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        if not left:
            return
        time.sleep(0.002)


def kill_session(session: int, seconds: float = 5.0) -> None:
    """Ends all processes of a session, whoever is their parent: none of a walled run's can leave it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        left = [int(name) for name in _list(_PROC) if name.isdigit() and _session(int(name)) == session]
        if not left:
            return
        for pid in left:
            _kill_one(pid)
        time.sleep(0.002)


def _session(pid: int) -> int:
    """The session of a process that still runs (proc_pid_stat(5), fields 3 and 6); 0 of one that has ended."""
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return int(fields[3]) if len(fields) > 3 and fields[0] not in "ZX" else 0


def _kill_one(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _children(pid: int) -> list[int]:
    children: list[int] = []
    for task in _list(_PROC / str(pid) / "task"):
        children.extend(int(child) for child in _read(pid, f"task/{task}/children").split())
    return children


def _memory(pid: int) -> int:
    """Bytes of a process's memory; pages of files (libraries) do not count."""
    lines = _read(pid, "status").split("\n")[1:]  # the first is the program's name, which may hold anything
    return sum(int(line.split()[1]) * _KIB for line in lines if line.startswith(_MEMORY))


def _proportional(pid: int) -> int:
    """Bytes of a process's memory, each page divided by the number of processes that share it."""
    lines = _read(pid, "smaps_rollup").split("\n")
    if len(lines) < 2:  # a program that may be run but not read is not shown: all that it has counts
        return _memory(pid)
    return sum(int(line.split()[1]) * _KIB for line in lines if line.startswith(_PROPORTIONAL))


def _cpu_seconds(pid: int) -> float:
    """Processor time of a process and of its children that it has waited for (proc_pid_stat(5), fields 14 to 17)."""
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / _TICKS


def _waited(pid: int, task: str) -> float:
    """Seconds that a task stood in a processor's queue; 0 where the kernel does not count them."""
    fields = _read(pid, f"task/{task}/schedstat").split()
    return int(fields[1]) * _NANO if len(fields) > 1 else 0.0


@dataclass(frozen=True, slots=True)
class _Buffers:
    """What a process has open: sockets, and bytes that its other descriptors may hold in the kernel."""

    sockets: int = 0
    bytes: int = 0
    on_their_way: int = 0


def _buffers(pid: int) -> _Buffers:
    folder = _PROC / str(pid) / "fd"
    try:
        names = os.listdir(folder)
    except PermissionError:  # it may not be looked at; or it has ended, and waits to be waited for
        return _Buffers(_UNSEEN_DESCRIPTORS if _memory(pid) else 0)
    except OSError:
        return _Buffers()
    sockets = pipes = watches = on_their_way = 0
    for name in names:
        try:
            target = os.readlink(folder / name)
        except OSError:
            continue
        if target.startswith("socket:"):
            sockets += 1
            on_their_way += _on_their_way(pid, name)
        pipes += target.startswith("pipe:")
        watches += target.startswith("anon_inode:[eventpoll]")
    # Each end of a pipe counts half of it.
    return _Buffers(sockets, pipes * _PIPE_BYTES // 2 + watches * len(names) * _WATCH_BYTES, on_their_way)


def _on_their_way(pid: int, descriptor: str) -> int:
    """How many descriptors lie in a socket, sent and not yet received."""
    for line in _read(pid, f"fdinfo/{descriptor}").split("\n"):
        if line.startswith("scm_fds:"):
            return int(line.split()[1])
    return 0


def _sockets_of_the_namespace(pid: int, outside: str) -> int:
    """How many Unix sockets there are in a run's own network: those on their way to somebody, too."""
    if _namespace(str(pid)) in ("", outside):
        return 0
    return max(0, _read(pid, "net/unix").count("\n") - 1)


def _namespace(pid: str) -> str:
    try:
        return os.readlink(_PROC / pid / "ns/net")
    except OSError:
        return ""


def _list(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _read(pid: int, name: str) -> str:
    return _text(_PROC / str(pid) / name)


def _text(path: Path) -> str:
    """A file's text as it stands: a program's name may hold what other readers take for the end of a line."""
    try:
        return path.read_bytes().decode("latin-1")
    except OSError:
        return ""
