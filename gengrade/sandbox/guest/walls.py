"""The walls around one run, raised by the run's own process before it touches a byte of student code."""

from __future__ import annotations

import glob
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gengrade.sandbox.guest import landlock, namespaces, seccomp
from gengrade.sandbox.guest.settings import RunSettings, ZygoteSettings
from gengrade.sandbox.guest.syscalls import check, libc

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_PDEATHSIG = 1
_MIB = 1 << 20
_OF_THE_MACHINE = (
    *("cpuinfo", "meminfo", "stat", "vmstat", "loadavg", "uptime", "version", "filesystems", "sys/vm"),
    *(f"sys/kernel/{name}" for name in ("random", "ostype", "osrelease", "version", "pid_max", "threads-max")),
    *(f"sys/kernel/{name}" for name in ("cap_last_cap", "ngroups_max")),
)
_OF_THE_PROCESS = (
    *("status", "stat", "statm", "maps", "smaps", "smaps_rollup", "mem", "cmdline", "comm", "environ", "auxv"),
    *("limits", "io", "oom_score", "fd"),
)


def raise_walls(zygote: ZygoteSettings, run: RunSettings) -> tuple[Path, Path]:
    """Confines this process, as the tier can. Returns the submission's tree and the scratch folder.

    Raises WallError.
    """
    if zygote.tier == "sandbox":
        os.setsid()
        namespaces.enter(run.tree, int(run.limits["disk_mb"]), zygote.kept_mounts)
        tree, scratch = Path(namespaces.SUBMISSION), Path("/tmp")
    else:
        # It stays in the zygote's session, which a walled run cannot leave: so it is found, should the zygote be lost.
        os.setpgid(0, 0)
        tree, scratch = Path(run.tree), Path(run.scratch)
        if zygote.tier == "landlock":
            namespaces.drop_capabilities()
        if sys.platform == "linux":
            check(libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "parent-death signal")
    _limit_resources(zygote, run)
    if zygote.tier != "process":
        check(libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
        if landlock.abi() > 0 or zygote.tier == "landlock":
            shared = ["/dev/shm"] if zygote.tier == "sandbox" else []
            readable = [*_readable(zygote, tree), *_kernels(zygote)]
            landlock.confine(readable, [str(scratch), *shared, *_devices(zygote)], zygote.listed)
        seccomp.confine(alone=zygote.tier == "landlock")
    return tree, scratch


def _readable(zygote: ZygoteSettings, tree: Path) -> Iterator[str]:
    """Files and folders of the disk: in namespaces all that is mounted; else the host's list and this submission."""
    if zygote.tier == "sandbox":
        yield from (entry.path for entry in os.scandir("/") if not entry.is_symlink() and entry.name != "proc")
    else:
        yield from (*zygote.readable, str(tree))


def _kernels(zygote: ZygoteSettings) -> Iterator[str]:
    """What the kernel tells of the processor, of memory, and of this process: no list of mounts, sockets or groups.

    Those name where results and submissions lie, and what was opened elsewhere. Threads and other processes have
    folders with the same files, which are all left out.
    """
    yield from (f"/proc/{name}" for name in _OF_THE_MACHINE)
    yield from (f"/proc/self/{name}" for name in _OF_THE_PROCESS)
    yield from ("/sys/devices/system/cpu", "/sys/devices/system/node")
    if zygote.cuda:
        yield from ("/proc/driver/nvidia", "/proc/devices", "/proc/modules", "/sys/devices/system", "/sys/class")


def _devices(zygote: ZygoteSettings) -> Iterator[str]:
    """Those that everybody may write to. Not /dev itself: it holds disks, and what one run leaves for the next.

    Nor /dev/zero: mapped, it is shared memory without a file, which can be hidden.
    """
    yield from ("/dev/null", "/dev/full", "/dev/random", "/dev/urandom")
    if zygote.cuda:
        yield from sorted(glob.glob("/dev/nvidia*"))


def _limit_resources(zygote: ZygoteSettings, run: RunSettings) -> None:
    limits = run.limits
    with suppress(OSError):  # whatever takes a machine's last memory, its runs go first
        Path("/proc/self/oom_score_adj").write_text("1000")
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, int(limits["disk_mb"]) * _MIB)
    # Sockets hold memory that is counted only where they can be seen; without namespaces, not those under way.
    _lower(resource.RLIMIT_NOFILE, 1024 if zygote.tier != "landlock" else 256)
    if sys.platform == "linux":
        _lower(resource.RLIMIT_MSGQUEUE, 0)
        _lower(resource.RLIMIT_SIGPENDING, 1024)
    _lower(resource.RLIMIT_CPU, int(limits["seconds"] * (run.threads + 1)) + 30)
    if zygote.tier == "sandbox":
        # Counted within the run's own user namespace; elsewhere it would count all that this user runs.
        _lower(resource.RLIMIT_NPROC, int(limits["processes"]))
    if sys.platform == "linux" and run.device == "cpu":
        # CUDA reserves address space by the terabyte. Libraries that are mapped already do not count.
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        _lower(resource.RLIMIT_AS, pages * resource.getpagesize() + (int(limits["memory_mb"]) + 512) * _MIB)


def _lower(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))
