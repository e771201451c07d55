"""The zygote is a process that imports the libraries once, and then forks a new process for each run.

It is run as a script, with its settings on standard input. When the libraries are imported, the script forks: the child
is the zygote, and the parent forks processes for our own code (`ours`) whenever the host sends a channel for one, so
that nothing of ours can be found in what runs inherit. The zygote communicates with the host over a Unix socket: a
message is a JSON object, and a `run` message carries two descriptors, the run's channel and the pipe for what it
prints. Neither process loads other code or runs a torch operation, after which forked processes would hang.

    host → zygote   {"preload": ["scipy.stats"]}   {"run": {...}} + descriptors   {"started": true}   {"kill": true}
    zygote → host   {"ready": {...}}   {"usage": {"passed": 0.5, "cpu": 0.3, "waited": 0.0}}
                    {"ended": {"exit": 0, "signal": 0, "reason": "", "cpu": 0.1, "waited": 0.0, "peak_mb": 80}}

The zygote measures the time of a run and reports it; the host decides when the time is up.
"""

from __future__ import annotations

import array
import gc
import importlib
import itertools
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

# Modules of this project are imported from this script's folder. torch is imported only after the settings are read.
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from gengrade.choices import Tier
from gengrade.sandbox.guest import disk, family, pages
from gengrade.sandbox.guest.page_counter import PageCounter
from gengrade.sandbox.guest.settings import RunSettings, ZygoteSettings
from gengrade.sandbox.guest.syscalls import check, libc

_TICK_SECONDS = 0.05
_CLOSE_LOOK_TICKS = 5  # between two measurements of what takes long to measure
MOST_ON_THEIR_WAY = 128  # descriptors sent and not received, which the kernel counts for all runs of a user together
_OWN_PROCESSES = 2  # those of a run that only wait for others, in their own namespaces
_WORD_SECONDS = 0.25  # between two reports to the host of the time that a run has used
_MANY_RUNS = 16  # gathering pages takes as long as it saves in about this many runs
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_NOSUID, _NODEV, _NOEXEC = 2, 4, 8


def main() -> None:
    """Import the libraries, and serve runs until the host closes its sockets."""
    settings = ZygoteSettings.from_json(sys.stdin.read())
    os.dup2(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), 0)
    _become_unprivileged(settings)
    control, ours = socket.socket(fileno=settings.control), socket.socket(fileno=settings.ours)
    _die_with_parent()
    began = time.monotonic()
    gc.disable()  # imported objects stay, and searching them for garbage took a fifth of the time
    _import_libraries(settings)
    _forget_own_files()
    gc.freeze()
    gc.enable()
    counter = PageCounter.start(family.proportional, lambda: _let_go(control, ours))
    if os.fork() == 0:
        _let_go(ours)
        _send(control, {"ready": {"seconds": time.monotonic() - began, "uid": os.getuid()}})
        _serve(settings, control, counter)
    else:
        counter.close()
        control.close()
        _fork_for_ours(settings, ours)
    os._exit(0)


def _let_go(*sockets: socket.socket) -> None:
    """Close the sockets of others in a new process, which ends with its parent."""
    for other in sockets:
        other.close()
    _die_with_parent()


def _die_with_parent() -> None:
    if sys.platform == "linux":
        libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _fork_for_ours(settings: ZygoteSettings, control: socket.socket) -> None:
    """Fork a process that serves runs of our own code for each channel that comes, until the host closes the socket."""
    from gengrade.sandbox.guest import ours

    while True:
        message, descriptors = _receive(control)
        if message is None:
            return
        (channel,) = descriptors
        if os.fork() == 0:
            control.close()
            _die_with_parent()
            ours.serve(settings, socket.socket(fileno=channel))
            os._exit(0)
        os.close(channel)
        _reap()


def _reap() -> None:
    """Take notice of the children that have ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _serve(settings: ZygoteSettings, control: socket.socket, counter: PageCounter) -> None:
    """Serve runs until the host closes the control socket."""
    if sys.platform == "linux":
        libc().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for served in itertools.count():
        if served == _MANY_RUNS:
            pages.collapse()
        message, descriptors = _receive(control)
        if message is None:
            return
        if "preload" in message:
            _preload(message["preload"])
        if "run" in message:
            _run(settings, control, counter, RunSettings.from_json(message["run"]), descriptors)


def _become_unprivileged(settings: ZygoteSettings) -> None:
    """Become an unprivileged user if root started the zygote, since root would keep its rights over files.

    When root starts bubblewrap, its /proc is partly covered and could not be mounted again in a nested namespace, so it
    is mounted here instead. setresuid clears the parent-death signal, which is therefore set afterwards.
    """
    if settings.uid is None:
        return
    if settings.tier is Tier.SANDBOX:
        check(libc().mount(b"proc", b"/proc", b"proc", _NOSUID | _NODEV | _NOEXEC, None), "mount on /proc")
    os.setgroups([])
    os.setresgid(settings.uid, settings.uid, settings.uid)
    os.setresuid(settings.uid, settings.uid, settings.uid)
    # After a change of user, the descriptors of this process and its children could otherwise not be counted.
    check(libc().prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0), "dumpable")


def _import_libraries(settings: ZygoteSettings) -> None:
    """Import what optimisers import lazily, and what the course's hand-out imports, which saves seconds in each run."""
    for name in ("torch._dynamo", "torch.optim", "torch.utils.data"):
        importlib.import_module(name)

    from gengrade.sandbox.guest import compatibility

    try:
        compatibility.import_torchvision()
    except ImportError as error:
        print(f"torchvision cannot be imported: {error}")
    compatibility.restore(cuda=settings.cuda)
    if settings.tier is not Tier.PROCESS:
        compatibility.map_files_for_shared_memory()
    if settings.tier is Tier.LANDLOCK:
        compatibility.load_in_this_process()
    _preload(settings.preload)
    importlib.import_module("gengrade.sandbox.guest.ours")


def _preload(names: Sequence[str]) -> None:
    """Import modules for all runs from now on. Raises RuntimeError if one of them makes CUDA unusable for runs."""
    import torch

    from gengrade.sandbox.guest import library

    library.preload(names)
    gc.freeze()
    if torch.cuda.is_initialized():
        raise RuntimeError("a library initialised CUDA, so that no forked run could use it")


def _forget_own_files() -> None:
    """Remove our folder, which runs cannot read, from the places where imports search.

    The path of this script is removed as well, since Python processes that student code starts would search for it.
    """
    own = Path(__file__).resolve()
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() not in own.parents]
    del sys.modules["__main__"].__file__


def _run(
    settings: ZygoteSettings,
    control: socket.socket,
    counter: PageCounter,
    run: RunSettings,
    descriptors: list[int],
) -> None:
    from gengrade.sandbox.guest import child

    channel, output = descriptors
    meter = family.Meter(int(run.limits["processes"]) + _OWN_PROCESSES, family.Baseline.here(), counter)
    pid = os.fork()
    if pid == 0:
        control.close()
        counter.close()
        child.serve(settings, run, socket.socket(fileno=channel), output)
    os.close(channel)
    os.close(output)
    # In the tier `sandbox` a run's files lie in its own tmpfs, whose size the kernel limits.
    scratch = Path(run.scratch) if settings.tier is not Tier.SANDBOX else None
    ended = _watch(control, pid, _Watched(run, meter, scratch))
    family.kill_descendants()
    _send(control, {"ended": ended})


def _watch(control: socket.socket, pid: int, watched: _Watched) -> dict[str, Any]:
    """Wait for the end of a run, or end it when the host says so or it exceeds a limit; return the `ended` message."""
    poll = select.poll()
    poll.register(control, select.POLLIN)
    pidfd = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    if pidfd is not None:
        poll.register(pidfd, select.POLLIN)
    tick = 1000 * (_TICK_SECONDS if pidfd is not None else 0.01)
    try:
        while True:
            events = dict(poll.poll(tick))
            if pidfd in events:
                family.kill_group(pid)  # what it leaves behind, as long as no other process can have its number
            if pidfd is None or pidfd in events:
                ended, status, usage = os.wait4(pid, os.WNOHANG)
                if ended:
                    break
            starts = control.fileno() in events and _starts(control, pid)
            try:
                watched.start() if starts else watched.look()
            except family.TooManyProcesses:
                watched.reason = "processes"
            except Exception as error:  # only the run's own processes can make measuring them fail
                watched.reason = watched.reason or "unmeasurable"
                print(f"a run could not be measured: {error!r}")
            if watched.reason:
                family.kill(pid)
            elif word := watched.word():
                # If the socket is full, since the host is stopped, the next report replaces this one.
                with suppress(BlockingIOError):
                    control.send(json.dumps({"usage": word}).encode(), socket.MSG_DONTWAIT)
    finally:
        if pidfd is not None:
            os.close(pidfd)
    code = os.waitstatus_to_exitcode(status)
    return {
        "exit": max(code, 0),
        "signal": max(-code, 0),
        "reason": watched.reason,
        "cpu": max(watched.cpu, usage.ru_utime + usage.ru_stime - watched.cpu_before),
        "waited": watched.waited,
        "peak_mb": watched.peak / (1 << 20),
    }


def _starts(control: socket.socket, pid: int) -> bool:
    """Return whether the host's message says that the student's code starts now; every other one ends the run."""
    message, _ = _receive(control)
    if message is not None and "started" in message:
        return True
    family.kill(pid)
    if message is None:
        os._exit(0)
    return False


class _Watched:
    """Compares the resources that a run has used so far with its limits."""

    def __init__(self, run: RunSettings, meter: family.Meter, scratch: Path | None) -> None:
        self._limits = run.limits
        self._meter = meter
        self._scratch = scratch
        self._ticks = 0
        self._began = self._told = time.monotonic()
        self.reason = ""  # the name of the limit that it exceeded
        self.peak = 0
        self.passed = self.cpu = self.waited = 0.0  # seconds since the student's code started
        self.cpu_before = self._waited_before = 0.0

    def start(self) -> None:
        """Begin to count time, since the student's code starts now. Raises TooManyProcesses."""
        usage = self._meter.read(family.count(self._meter.most))
        self._began, self.cpu_before, self._waited_before = time.monotonic(), usage.cpu, usage.waited

    def look(self) -> None:
        """Measure the run once, and set `reason` if it exceeds a limit; then there is no more to measure.

        Raises TooManyProcesses.
        """
        if self.reason:
            return
        found = family.count(self._meter.most)
        if self._ticks % _CLOSE_LOOK_TICKS == 0:
            self._meter.look_closely(found)
        self._ticks += 1
        usage = self._meter.read(found)
        self.peak = max(self.peak, usage.resident)
        self.passed = time.monotonic() - self._began
        self.cpu = max(0.0, usage.cpu - self.cpu_before)
        self.waited = max(0.0, usage.waited - self._waited_before)
        if usage.resident > self._limits["memory_mb"] * (1 << 20):
            self.reason = "memory"
        elif usage.on_their_way > MOST_ON_THEIR_WAY:
            self.reason = "descriptors"
        elif self._scratch is not None and self._fills(self._scratch, found):
            self.reason = "disk"

    def _fills(self, scratch: Path, found: family.Family) -> bool:
        return disk.exceeds(scratch, (pid for pid, _ in found), int(self._limits["disk_mb"]) << 20)

    def word(self) -> dict[str, float] | None:
        """Return the next report for the host, or None if it is too early for one."""
        if time.monotonic() - self._told < _WORD_SECONDS:
            return None
        self._told = time.monotonic()
        return {"passed": self.passed, "cpu": self.cpu, "waited": self.waited}


def _send(control: socket.socket, message: dict[str, Any]) -> None:
    control.sendall(json.dumps(message).encode() + b"\n")


def _receive(control: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """Return one message, which is one packet, and the descriptors that came with it; None if the host has closed."""
    descriptors = array.array("i")
    data, ancillary, _, _ = control.recvmsg(1 << 16, socket.CMSG_SPACE(2 * descriptors.itemsize))
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(payload[: len(payload) - len(payload) % descriptors.itemsize])
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return (json.loads(data) if data else None), list(descriptors)


if __name__ == "__main__":
    main()
