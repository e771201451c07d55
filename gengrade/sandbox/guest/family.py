"""The processes that a run started: what they take, and how they end. Read from /proc, where there is one.

What /proc shows in a process's own folder is shown of its first task. Where that has ended and others go on, it shows
neither memory nor descriptors nor namespaces, and calls the process a zombie: then the other tasks tell.
"""

from __future__ import annotations

import os
import platform
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from gengrade.sandbox.guest.syscalls import libc

_PROC: Final = "/proc"  # as text, like all paths here: twenty times a second, objects cost more than what they name
_KIB: Final = 1024
_NANO: Final = 1e-9
_TICKS: Final = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
# Of a process's status: its anonymous and shared memory, also where it was swapped out, and the tables of its pages.
_MEMORY: Final = ("RssAnon:", "RssShmem:", "VmSwap:", "VmPTE:", "HugetlbPages:")
_PROPORTIONAL: Final = ("Pss_Anon:", "Pss_Shmem:", "SwapPss:")  # of smaps_rollup
# What only a living task has, in its status and its smaps_rollup. No name of a program can hold a line's end there.
_HAS_MEMORY: Final = "\nRssAnon:"
_HAS_PAGES: Final = "\nRss:"
_KCMP: Final = {"x86_64": 312, "aarch64": 272}
_KCMP_FILES: Final = 2
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
        for pid, its_tasks in _family():
            memory += max(0, _memory(pid) - self._baseline.memory)
            cpu += _cpu_seconds(pid)
            tasks += len(its_tasks)
            self._waits.add(pid, self._waited(pid, its_tasks), now)
        # A process that has just been waited for is missing here for a moment; what was used stays used.
        self._cpu = max(self._cpu, cpu)
        resident = max(memory, self._private) + self._buffers
        return Usage(resident, tasks, self._on_their_way, self._cpu, self._waits.total)

    def _waited(self, pid: int, tasks: list[str]) -> dict[str, float]:
        """How long each task of a process has waited: the first one before the others, as `Waits` needs it.

        A list of tasks ends early where one of them dies under it: tasks that were there before are asked as well.
        """
        first = str(pid)
        others = self._waits.living(pid).union(tasks) - {first}
        waited = {task: _waited(pid, task) for task in (first, *others)}
        return {task: seconds for task, seconds in waited.items() if seconds is not None}

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
        default = _text(f"{_PROC}/sys/net/core/wmem_default").strip()
        socket_bytes = int(default) if default.isdigit() else _SOCKET_BYTES
        return cls(_memory(os.getpid()), socket_bytes, _namespace(f"{_PROC}/self"))


@dataclass(slots=True)
class _Seen:
    """What the readings of one process have shown so far."""

    before: float  # when it, or anything of its family, was read last
    waited: dict[str, float] = field(default_factory=dict)  # by task, of those that have ended as well
    living: set[str] = field(default_factory=set)
    lost: float = 0.0  # the most that any task had waited of which the last reading showed that it is gone


@dataclass(slots=True)
class Waits:
    """How long, in all, at least one task was ready to run and did not.

    The kernel adds a wait to its task's account when it is over, so that each addition is an interval that ends with
    the reading. Several tasks that wait at once wait once: what counts is the union of the intervals.

    Each wait counts once, although accounts change their names: a task that starts another program takes the place, and
    the number, of its process's first task, which ends. So when a task is gone, the first one's account may be the one
    that was its own: what was seen of the lost one is not new there. Rather is a wait left out: numbers that are given
    anew begin where their last owner stood.
    """

    began: float
    _seen: dict[int, _Seen] = field(default_factory=dict)
    _union: list[tuple[float, float]] = field(default_factory=list)
    _read: float = 0.0  # when the latest reading was
    _read_before: float = 0.0

    def add(self, process: int, tasks: Mapping[str, float], now: float) -> None:
        """A reading of all accounts of a process, of which that of the first task was read first.

        Only then does it hold that whoever is still there under a number of its own was not yet the first one.
        """
        if now > self._read:
            self._read_before, self._read = self._read or self.began, now
        seen = self._seen.get(process)
        if seen is None:
            seen = self._seen[process] = _Seen(self._read_before)
        lost = max((seen.waited[task] for task in seen.living.difference(tasks)), default=0.0)
        # The first task may have been read before it changed, and the other one missed after: at the next reading, the
        # change is certain to show.
        floor = max(lost, seen.lost)
        more = 0.0
        for task, waited in tasks.items():
            known = seen.waited.get(task)
            if known is None:  # a task that is new has not waited for longer than since the last reading
                more = max(more, min(waited, now - seen.before))
            else:
                more = max(more, waited - (max(known, floor) if task == str(process) else known))
            seen.waited[task] = max(waited, known or 0.0)
        seen.living, seen.lost, seen.before = set(tasks), lost, now
        self._count(now - more, now)

    def living(self, process: int) -> set[str]:
        """The tasks of a process that its last reading showed."""
        seen = self._seen.get(process)
        return seen.living if seen else set()

    def _count(self, start: float, now: float) -> None:
        start = max(self.began, start)
        if start >= now:
            return
        while self._union and self._union[-1][1] >= start:
            start = min(start, self._union.pop()[0])
        self._union.append((start, now))

    @property
    def total(self) -> float:
        return sum(end - start for start, end in self._union)


def descendants() -> Iterator[int]:
    """All processes below this one, nested namespaces included."""
    for pid, _ in _family():
        yield pid


def _family() -> Iterator[tuple[int, list[str]]]:
    """All processes below this one, each with its tasks."""
    own = os.getpid()
    pending = _children(own, _tasks(own))
    while pending:
        pid = pending.pop()
        tasks = _tasks(pid)
        pending.extend(_children(pid, tasks))  # first: whoever is killed meanwhile has none any more
        yield pid, tasks


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
    """The session of a process of which anything runs (proc_pid_stat(5), fields 3, 6 and 20); 0 of one that has ended.

    Its state is that of its first task: one that has ended may still have others, and counts among them until they end.
    """
    fields = _read(pid, "stat").rpartition(")")[2].split()
    if len(fields) < 18 or (fields[0] in "ZX" and int(fields[17]) < 2):
        return 0
    return int(fields[3])


def _kill_one(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _tasks(pid: int) -> list[str]:
    return _list(f"{_PROC}/{pid}/task")


def _children(pid: int, tasks: list[str]) -> list[int]:
    """Each child is that of a task, or of another of the same process when that has ended."""
    children: list[int] = []
    for task in tasks:
        children.extend(int(child) for child in _read(pid, f"task/{task}/children").split())
    return children


def _views(pid: int) -> Iterator[str]:
    """Where a process can be looked at: its own folder, which shows its first task, and those of the other tasks.

    They are listed only for who goes on to them.
    """
    yield f"{_PROC}/{pid}"
    yield from (f"{_PROC}/{pid}/task/{task}" for task in _tasks(pid) if task != str(pid))


def _of_a_living_task(pid: int, name: str, sign: str) -> str:
    """A file about a process as the first of its tasks tells it that has not ended; `sign` is what only these tell."""
    return next((text for view in _views(pid) if sign in (text := _text(f"{view}/{name}"))), "")


def _memory(pid: int) -> int:
    """Bytes of a process's memory; pages of files (libraries) do not count."""
    lines = _of_a_living_task(pid, "status", _HAS_MEMORY).split("\n")[1:]  # the first is its name: it may be anything
    return sum(int(line.split()[1]) * _KIB for line in lines if line.startswith(_MEMORY))


def _proportional(pid: int) -> int:
    """Bytes of a process's memory, each page divided by the number of processes that share it."""
    lines = _of_a_living_task(pid, "smaps_rollup", _HAS_PAGES).split("\n")
    if len(lines) < 2:  # a program that may be run but not read is not shown: all that it has counts
        return _memory(pid)
    return sum(int(line.split()[1]) * _KIB for line in lines if line.startswith(_PROPORTIONAL))


def _cpu_seconds(pid: int) -> float:
    """Processor time of a process and of its children that it has waited for (proc_pid_stat(5), fields 14 to 17)."""
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / _TICKS


def _waited(pid: int, task: str) -> float | None:
    """Seconds that a task stood in a processor's queue; None where it is gone, or the kernel does not count them."""
    fields = _read(pid, f"task/{task}/schedstat").split()
    return int(fields[1]) * _NANO if len(fields) > 1 else None


@dataclass(frozen=True, slots=True)
class _Buffers:
    """What a process has open: sockets, and bytes that its other descriptors may hold in the kernel."""

    sockets: int = 0
    bytes: int = 0
    on_their_way: int = 0


def _buffers(pid: int) -> _Buffers:
    sockets = size = on_their_way = 0
    unseen = False
    for view, names in tables(pid):
        if names is None:
            # It may not be looked at; or it has ended, and waits to be waited for.
            unseen = unseen or _HAS_MEMORY in _text(f"{view}/status")
            continue
        pipes = watches = 0
        for name in names:
            try:
                target = os.readlink(f"{view}/fd/{name}")
            except OSError:
                continue
            if target.startswith("socket:"):
                sockets += 1
                on_their_way += _on_their_way(f"{view}/fdinfo/{name}")
            pipes += target.startswith("pipe:")
            watches += target.startswith("anon_inode:[eventpoll]")
        # Each end of a pipe counts half of it.
        size += pipes * _PIPE_BYTES // 2 + watches * len(names) * _WATCH_BYTES
    return _Buffers(sockets + (_UNSEEN_DESCRIPTORS if unseen else 0), size, on_their_way)


def tables(pid: int) -> Iterator[tuple[str, list[str] | None]]:
    """The tables of descriptors of a process: the folder of a task that has it, and the names in it.

    None for the names where they may not be looked at. A process's tasks share one table, which its first task has
    until it ends; but one may take a table of its own.
    """
    found: list[str] = []
    for view in _views(pid):
        task = view.rpartition("/")[2]
        if any(_share_descriptors(task, other) for other in found):
            continue
        try:
            names = os.listdir(f"{view}/fd")
        except PermissionError:
            yield view, None
            continue
        except OSError:
            continue
        if names:
            found.append(task)
            yield view, names


def _share_descriptors(task: str, other: str) -> bool:
    """Whether two tasks of a process have one table of descriptors (kcmp(2)).

    Where the kernel does not tell, they do: a walled run cannot make them differ, since its system calls for that are
    refused. Nor does it matter of a task that has just ended.
    """
    number = _KCMP.get(platform.machine())
    return number is None or libc().syscall(number, int(task), int(other), _KCMP_FILES, 0, 0) in (0, -1)


def _on_their_way(descriptor: str) -> int:
    """How many descriptors lie in a socket, sent and not yet received."""
    for line in _text(descriptor).split("\n"):
        if line.startswith("scm_fds:"):
            return int(line.split()[1])
    return 0


def _sockets_of_the_namespace(pid: int, outside: str) -> int:
    """How many Unix sockets there are in a run's own network: those on their way to somebody, too."""
    for view in _views(pid):
        if namespace := _namespace(view):  # who has ended has none
            return 0 if namespace == outside else max(0, _text(f"{view}/net/unix").count("\n") - 1)
    return 0


def _namespace(view: str) -> str:
    try:
        return os.readlink(f"{view}/ns/net")
    except OSError:
        return ""


def _list(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _read(pid: int, name: str) -> str:
    return _text(f"{_PROC}/{pid}/{name}")


def _text(path: str) -> str:
    """A file's text as it stands: a program's name may hold what other readers take for the end of a line."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.readall().decode("latin-1")
    except OSError:
        return ""
