"""The walls around one run, raised by the run's own process before it touches a byte of student code."""

from __future__ import annotations

import glob
import os
import resource
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gengrade.sandbox.guest import landlock, namespaces, seccomp
from gengrade.sandbox.guest.settings import RunSettings, ZygoteSettings
from gengrade.sandbox.guest.syscalls import check, libc

_PR_SET_NO_NEW_PRIVS = 38
_MIB = 1 << 20


def raise_walls(zygote: ZygoteSettings, run: RunSettings) -> tuple[Path, Path]:
    """Confines this process, as the tier can. Returns the submission's tree and the scratch folder.

    Raises WallError.
    """
    os.setsid()
    if zygote.tier == "sandbox":
        namespaces.enter(run.tree, int(run.limits["disk_mb"]))
        tree, scratch = Path(namespaces.SUBMISSION), Path("/tmp")
    else:
        tree, scratch = Path(run.tree), Path(run.scratch)
        if zygote.tier == "landlock":
            namespaces.drop_capabilities()
    _limit_resources(zygote, run)
    if zygote.tier != "process":
        check(libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
        if zygote.tier == "sandbox":
            landlock_paths = (["/"], [str(scratch), "/dev/shm", *_devices(zygote)])
        else:
            landlock_paths = (list(_readable(zygote, tree)), [str(scratch), *_devices(zygote)])
        if landlock.abi() > 0 or zygote.tier == "landlock":
            landlock.confine(*landlock_paths)
        seccomp.confine(alone=zygote.tier == "landlock")
    return tree, scratch


def _readable(zygote: ZygoteSettings, tree: Path) -> Iterator[str]:
    """Without namespaces: the interpreter, the system's libraries, and this one submission."""
    yield from {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values()}
    yield from ("/usr", "/lib", "/lib64", "/bin", "/opt/lib")
    yield from ("/etc/ld.so.cache", "/etc/localtime", "/etc/nsswitch.conf", "/etc/fonts", "/etc/mime.types")
    # Not its folders and links: they lead to the sockets of the whole machine, and to what was opened elsewhere.
    yield from (entry.path for entry in os.scandir("/proc/self") if entry.is_file(follow_symlinks=False))
    yield from ("/proc/self/fd", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems", "/proc/mounts")
    yield from ("/proc/sys/vm", "/proc/sys/kernel/random", "/proc/driver/nvidia", "/sys/devices/system", "/sys/class")
    yield str(tree)


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
