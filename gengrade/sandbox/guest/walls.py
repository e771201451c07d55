"""Isolate the process of one run, before it reads any student code."""

from __future__ import annotations

import glob
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gengrade.choices import Tier
from gengrade.sandbox.guest import landlock, namespaces, seccomp, workplace
from gengrade.sandbox.guest.settings import RunSettings, ZygoteSettings
from gengrade.sandbox.guest.syscalls import check, libc

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_PDEATHSIG = 1
_MIB = 1 << 20
_OF_THE_MACHINE = (  # readable files in /proc about the machine
    *("cpuinfo", "meminfo", "stat", "vmstat", "loadavg", "uptime", "version", "filesystems", "sys/vm"),
    *(f"sys/kernel/{name}" for name in ("random", "ostype", "osrelease", "version", "pid_max", "threads-max")),
    *(f"sys/kernel/{name}" for name in ("cap_last_cap", "ngroups_max")),
)
_OF_THE_PROCESS = (  # readable files in /proc about the process itself
    *("status", "stat", "statm", "maps", "smaps", "smaps_rollup", "mem", "cmdline", "comm", "environ", "auxv"),
    *("limits", "io", "oom_score", "fd"),
)


def raise_walls(zygote: ZygoteSettings, run: RunSettings) -> tuple[Path, Path]:
    """Isolate this process as its tier can, and return its copy of the submission's tree and its scratch folder.

    Raises WallError.
    """
    if zygote.tier is Tier.SANDBOX:
        os.setsid()
        namespaces.enter(run.tree, int(run.limits["disk_mb"]), zygote.kept_mounts)
        scratch = Path("/tmp")
        tree = scratch / workplace.COPY
    else:
        # The process stays in the zygote's session, which an isolated run cannot leave, so that the host can find and
        # kill it even if the zygote has ended.
        os.setpgid(0, 0)
        scratch = Path(run.scratch)
        tree = workplace.copied(Path(run.tree), scratch)
        if zygote.tier is Tier.LANDLOCK:
            namespaces.drop_capabilities()
        if sys.platform == "linux":
            check(libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "parent-death signal")
    _limit_resources(zygote, run)
    if zygote.tier is not Tier.PROCESS:
        check(libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
        if landlock.abi() > 0 or zygote.tier is Tier.LANDLOCK:
            shared = ["/dev/shm"] if zygote.tier is Tier.SANDBOX else []
            readable = [*_readable(zygote, tree), *_kernel_files(run)]
            landlock.confine(readable, [str(scratch), *shared, *_devices(run)], zygote.listed)
        seccomp.confine(alone=zygote.tier is Tier.LANDLOCK)
    return tree, scratch


def _readable(zygote: ZygoteSettings, copy: Path) -> Iterator[str]:
    """Yield the readable files and folders of the disk: all mounts, or without namespaces those of the host's list.

    copy: the run's copy of its tree; without namespaces, the files that it links to are readable as well.
    """
    if zygote.tier is Tier.SANDBOX:
        yield from (entry.path for entry in os.scandir("/") if not entry.is_symlink() and entry.name != "proc")
    else:
        yield from zygote.readable
        yield from (str(path.readlink()) for path in copy.rglob("*") if path.is_symlink())


def _kernel_files(run: RunSettings) -> Iterator[str]:
    """Yield the readable files of the kernel about the processor, the memory and this process.

    Lists of mounts, sockets and groups are left out, since they name the paths of results, of submissions and of open
    files. The folders of threads and of other processes, which hold the same lists, are left out as well.
    """
    yield from (f"/proc/{name}" for name in _OF_THE_MACHINE)
    yield from (f"/proc/self/{name}" for name in _OF_THE_PROCESS)
    yield from ("/sys/devices/system/cpu", "/sys/devices/system/node")
    if run.device == "cuda":
        yield from ("/proc/driver/nvidia", "/proc/devices", "/proc/modules", "/sys/devices/system", "/sys/class")


def _devices(run: RunSettings) -> Iterator[str]:
    """Yield the devices that a run may use.

    All of /dev would also contain disks, and folders in which a run could leave files for the next. Mapping /dev/zero
    would give shared memory without a file, which can be hidden from measurement.
    """
    yield from ("/dev/null", "/dev/full", "/dev/random", "/dev/urandom")
    if run.device == "cuda":
        yield from sorted(glob.glob("/dev/nvidia*"))


def _limit_resources(zygote: ZygoteSettings, run: RunSettings) -> None:
    limits = run.limits
    with suppress(OSError):  # when the machine runs out of memory, the kernel kills runs first
        Path("/proc/self/oom_score_adj").write_text("1000")
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, int(limits["disk_mb"]) * _MIB)
    # The memory of sockets that were sent and not yet received cannot be measured without namespaces.
    _lower(resource.RLIMIT_NOFILE, 1024 if zygote.tier is not Tier.LANDLOCK else 256)
    if sys.platform == "linux":
        _lower(resource.RLIMIT_MSGQUEUE, 0)
        _lower(resource.RLIMIT_SIGPENDING, 1024)
    _lower(resource.RLIMIT_CPU, int(limits["seconds"] * (run.threads + 1)) + 30)
    if zygote.tier is Tier.SANDBOX:
        # This limit counts within the run's own user namespace; elsewhere it would count all processes of the user.
        _lower(resource.RLIMIT_NPROC, int(limits["processes"]))
    if sys.platform == "linux" and run.device == "cpu":
        # With CUDA, which reserves terabytes, there is no limit.
        _lower(resource.RLIMIT_AS, most_mapped(int(limits["memory_mb"])))


def most_mapped(memory_mb: int) -> int:
    """Return how many bytes a run on Linux may map: its limit of memory is added to what is mapped already."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize() + (memory_mb + 512) * _MIB


def _lower(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))
