"""Measure and end the processes that a run started, its family. All figures are read from /proc, where it exists.

The folder of a process in /proc describes the process's first task. If that task has ended while others continue, the
folder shows no memory, descriptors or namespaces, and calls the process a zombie. Then the other tasks' folders are
read.
"""

from __future__ import annotations

import os
import platform
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from gengrade.sandbox.guest.page_counter import REST, PageCounter
from gengrade.sandbox.guest.syscalls import libc
from gengrade.sandbox.guest.waits import Waits

_PROC: Final = "/proc"  # paths are strings here, since Path objects take too long to build twenty times a second
_KIB: Final = 1024
_NANO: Final = 1e-9
_TICKS: Final = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
# In a process's status: its anonymous and shared memory, including what was swapped out, and its page tables.
_MEMORY: Final = ("RssAnon:", "RssShmem:", "VmSwap:", "VmPTE:", "HugetlbPages:")
_PROPORTIONAL: Final = ("Pss_Anon:", "Pss_Shmem:", "SwapPss:")  # of smaps_rollup
# Entries of status and smaps_rollup that only a living task has. A program's name there cannot contain a line feed.
_HAS_MEMORY: Final = "\nRssAnon:"
_HAS_PAGES: Final = "\nRss:"
_KCMP: Final = {"x86_64": 312, "aarch64": 272}
_KCMP_FILES: Final = 2
_SOCKET_BYTES: Final = 212_992  # the buffer of a socket, if the kernel does not tell
_PIPE_BYTES: Final = 16 * 4096  # the buffer of a pipe, which guests cannot enlarge
_WATCH_BYTES: Final = 256  # kernel memory of an epoll instance for each descriptor that it may watch
_FEW_PROCESSES: Final = 6
_RISE: Final = 32  # more tasks on the machine than before: a reason to count the family again
_UNSEEN_DESCRIPTORS: Final = 1024  # assumed for a process whose descriptors cannot be read: the most it may have


@dataclass(frozen=True, slots=True)
class Usage:
    """The resources that all processes of a run use together."""

    resident: int  # bytes of anonymous and shared memory and of kernel buffers, without those of the zygote
    on_their_way: int  # descriptors that were sent over sockets and not yet received
    cpu: float  # seconds of CPU time, including that of processes that have ended
    waited: float  # seconds in which at least one of them was ready to run but had to wait for a processor


Family = list[tuple[int, list[str]]]  # processes, each with its tasks


class TooManyProcesses(Exception):
    """A family has more processes and threads than it may have, and the rest of them was not counted."""


def count(most: int) -> Family:
    """Return the processes below this one. Raises TooManyProcesses if they have more than `most` tasks together."""
    found: Family = []
    tasks = 0
    for process in _members():
        found.append(process)
        tasks += len(process[1])
        if tasks > most:
            raise TooManyProcesses
    return found


def _unhurried(family: Family, most: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the processes of a family to be measured one by one. Raises TooManyProcesses.

    Processes that multiply on the processor that measures them would be thousands by the time that fifty are measured.
    So after each of them, the number of all tasks on the machine is read, which is quick, and if it has risen, the
    family is counted again.
    """
    before = _tasks_of_the_machine()
    for process in family:
        yield process
        now = _tasks_of_the_machine()
        if now > before + _RISE:
            count(most)
            before = now


def _tasks_of_the_machine() -> int:
    """Return the number of tasks on this machine (proc_loadavg(5), field 4), or 0 if it is unknown."""
    total = _text(f"{_PROC}/loadavg").partition("/")[2].split(" ")[0]
    return int(total) if total.isdigit() else 0


class Meter:
    """Measures the family of one run, once for each call of `read`.

    Only `look_closely` reads what takes long to read; until its next results, its last ones are used.

    most: how many tasks the family may have; while it is measured, TooManyProcesses is raised if there are more.
    baseline: what the family began with.
    counter: reads the pages of many processes.
    """

    def __init__(self, most: int, baseline: Baseline, counter: PageCounter) -> None:
        self.most: Final = most
        self._baseline = baseline
        self._counter = counter
        self._counter.forget()
        self._cpu = 0.0
        self._waits = Waits(time.monotonic())
        self._buffers = 0
        self._private = 0
        self._on_their_way = 0
        self._next_look = 0.0

    def read(self, family: Family) -> Usage:
        """Return the current memory of these processes, and the times since the run began."""
        memory = 0
        cpu = 0.0
        now = time.monotonic()
        for pid, its_tasks in _unhurried(family, self.most):
            memory += max(0, _memory(pid) - self._baseline.memory)
            cpu += _cpu_seconds(pid)
            self._waits.add(pid, self._waited(pid, its_tasks), now)
        # A process that was just waited for is missing for a moment, so the sum may decrease; the maximum counts.
        self._cpu = max(self._cpu, cpu)
        resident = max(memory, self._private) + self._buffers
        return Usage(resident, self._on_their_way, self._cpu, self._waits.total)

    def _waited(self, pid: int, tasks: list[str]) -> dict[str, float]:
        """Return how long each task of a process has waited, reading the first task before the others for `Waits`.

        The list of tasks may be incomplete if one of them ended while it was read, so earlier tasks are read as well.
        """
        first = str(pid)
        others = self._waits.living(pid).union(tasks) - {first}
        waited = {task: _waited(pid, task) for task in (first, *others)}
        return {task: seconds for task, seconds in waited.items() if seconds is not None}

    def look_closely(self, family: Family) -> None:
        """Measure kernel buffers behind descriptors, counted at their largest size, and memory below the baseline.

        A process that frees inherited memory can allocate as much again without exceeding the baseline. For a few
        processes this is ignored; for many, each page is divided by the number of processes that share it.

        A family that takes long to measure is measured less often, since this uses its own processor.
        """
        private = self._counter.answer()
        if private is not None:
            self._private = max(0, private - self._baseline.memory)
        began = time.monotonic()
        if began < self._next_look:
            return
        sockets = others = in_namespace = on_their_way = 0
        if len(family) > _FEW_PROCESSES:
            self._counter.ask(pid for pid, _ in family)
        for pid, _ in _unhurried(family, self.most):
            found = _buffers(pid)
            sockets += found.sockets
            others += found.bytes
            on_their_way += found.on_their_way
            in_namespace = max(in_namespace, _sockets_of_the_namespace(pid, self._baseline.namespace))
        self._buffers = max(sockets, in_namespace) * self._baseline.socket_bytes + others
        self._on_their_way = on_their_way
        ended = time.monotonic()
        self._next_look = ended + REST * (ended - began)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The memory of a zygote, which each of its runs inherits, and the properties of sockets on this machine."""

    memory: int  # bytes
    socket_bytes: int  # the buffer of a socket
    namespace: str  # the zygote's network namespace, which its runs share in the tier `landlock`

    @classmethod
    def here(cls) -> Baseline:
        """Measure this process."""
        default = _text(f"{_PROC}/sys/net/core/wmem_default").strip()
        socket_bytes = int(default) if default.isdigit() else _SOCKET_BYTES
        return cls(_memory(os.getpid()), socket_bytes, _namespace(f"{_PROC}/self"))


def descendants() -> Iterator[int]:
    """Yield all processes below this one, including those in nested namespaces."""
    for pid, _ in _members():
        yield pid


def _members() -> Iterator[tuple[int, list[str]]]:
    """Yield all processes below this one, each with its tasks."""
    own = os.getpid()
    pending = _children(own, _tasks(own))
    while pending:
        pid = pending.pop()
        tasks = _tasks(pid)
        pending.extend(_children(pid, tasks))  # before the yield, since a process that the caller kills has none
        yield pid, tasks


def kill(pid: int) -> None:
    """Kill a run, which must not have been reaped yet: its process group, and all processes that left the group."""
    kill_group(pid)
    _kill_one(pid)
    for descendant in descendants():
        _kill_one(descendant)


def kill_group(pid: int) -> None:
    """Kill the process group of a run, which must not have been reaped yet.

    The kernel kills a group at once. One by one, processes that multiply would be faster than whoever kills them.
    """
    _kill_one(-pid)


def kill_descendants(seconds: float = 30.0) -> None:
    """Kill and reap all processes that a run left behind; orphans become children of this process, the subreaper.

    Raises TimeoutError if some are left after this time: they would count as the next run's.
    """
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
    raise TimeoutError(f"{len(left)} processes of a run did not end within {seconds:.0f} s of being killed")


def kill_session(session: int, seconds: float = 5.0) -> None:
    """Kill all processes of a session, group by group. No process of an isolated run can leave its session or group."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        groups = {group for name in _list(_PROC) if name.isdigit() and (group := _group(int(name), session))}
        if not groups:
            return
        for group in groups:
            _kill_one(-group)
        time.sleep(0.002)


def _group(pid: int, session: int) -> int:
    """Return the group of a process, or 0 if it is of another session or if all of its tasks have ended.

    The state in proc_pid_stat(5), of which fields 3, 5, 6 and 20 are read, is that of the first task. After that has
    ended, the number of tasks tells whether others still run.
    """
    fields = _read(pid, "stat").rpartition(")")[2].split()
    if len(fields) < 18 or int(fields[3]) != session or (fields[0] in "ZX" and int(fields[17]) < 2):
        return 0
    return int(fields[2])


def _kill_one(pid: int) -> None:
    """Kill a process or, if the number is negative, a process group (kill(2))."""
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _tasks(pid: int) -> list[str]:
    return _list(f"{_PROC}/{pid}/task")


def _children(pid: int, tasks: list[str]) -> list[int]:
    """Return the children of all tasks of a process; the children of a task that ended belong to another of them."""
    children: list[int] = []
    for task in tasks:
        children.extend(int(child) for child in _read(pid, f"task/{task}/children").split())
    return children


def _views(pid: int) -> Iterator[str]:
    """Yield the folders that describe a process: its own, for its first task, then those of its other tasks.

    The other tasks are listed only if the caller reads on.
    """
    yield f"{_PROC}/{pid}"
    yield from (f"{_PROC}/{pid}/task/{task}" for task in _tasks(pid) if task != str(pid))


def _of_a_living_task(pid: int, name: str, sign: str) -> str:
    """Return a file in /proc of the first task that has not ended; `sign` is a text that only living tasks show."""
    return next((text for view in _views(pid) if sign in (text := _text(f"{view}/{name}"))), "")


def _memory(pid: int) -> int:
    """Return the bytes of a process's memory without pages of files, such as libraries."""
    lines = _of_a_living_task(pid, "status", _HAS_MEMORY).split("\n")[1:]  # the first is its name, any text
    return sum(int(line.split()[1]) * _KIB for line in lines if line.startswith(_MEMORY))


def proportional(processes: Iterable[int]) -> int:
    """Return the bytes of these processes' memory, each page divided by the number of processes that share it."""
    return sum(map(_proportional, processes))


def _proportional(pid: int) -> int:
    """Return the bytes of a process's memory, each page divided by the number of processes that share it."""
    lines = _of_a_living_task(pid, "smaps_rollup", _HAS_PAGES).split("\n")
    if len(lines) < 2:  # the file is unreadable if the program's file is, and then all of its memory counts
        return _memory(pid)
    return sum(int(line.split()[1]) * _KIB for line in lines if line.startswith(_PROPORTIONAL))


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and of children that it has waited for (proc_pid_stat(5), fields 14 to 17)."""
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / _TICKS


def _waited(pid: int, task: str) -> float | None:
    """Return the seconds that a task has waited for a processor, or None if it has ended or they are not counted."""
    fields = _read(pid, f"task/{task}/schedstat").split()
    return int(fields[1]) * _NANO if len(fields) > 1 else None


@dataclass(frozen=True, slots=True)
class _Buffers:
    """The kernel buffers behind the open descriptors of a process."""

    sockets: int = 0  # open sockets
    bytes: int = 0  # the most that its other descriptors can hold
    on_their_way: int = 0  # descriptors that were sent over its sockets and not yet received


def _buffers(pid: int) -> _Buffers:
    sockets = size = on_their_way = 0
    unseen = False
    for view, names in tables(pid):
        if names is None:
            # The process's descriptors cannot be read, or it has ended and only waits to be reaped.
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
    """Yield the descriptor tables of a process, each as the folder of a task that uses it and the names in it.

    The names are None if they cannot be read. The tasks of a process share one table, unless a task has one of its own.
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
    """Return whether two tasks of a process share one descriptor table (kcmp(2)).

    If the kernel does not tell, the answer is yes: the seccomp filter refuses the system calls with which an isolated
    run could make the tables differ. For a task that has just ended the answer does not matter.
    """
    number = _KCMP.get(platform.machine())
    return number is None or libc().syscall(number, int(task), int(other), _KCMP_FILES, 0, 0) in (0, -1)


def _on_their_way(descriptor: str) -> int:
    """Return how many descriptors were sent over a socket and not yet received."""
    for line in _text(descriptor).split("\n"):
        if line.startswith("scm_fds:"):
            return int(line.split()[1])
    return 0


def _sockets_of_the_namespace(pid: int, outside: str) -> int:
    """Return the number of Unix sockets in a run's own network namespace, including those sent but not received."""
    for view in _views(pid):
        if namespace := _namespace(view):  # empty for a task that has ended
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
    """Return a file's text unchanged; text mode would turn some characters in a program's name to line feeds."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.readall().decode("latin-1")
    except OSError:
        return ""
