"""The three tiers of isolation: what this machine can give, why not more, and how a zygote is started in each.

sandbox    bubblewrap around the zygote, nested namespaces around each run
landlock   the same fork, confined by Landlock, seccomp and rlimits
process    a process group, rlimits, a clean environment: no wall at all, and marked so
"""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gengrade.choices import Isolation, Tier
from gengrade.sandbox.guest import landlock
from gengrade.sandbox.guest.namespaces import LIBRARY, SUBMISSION, TREES
from gengrade.sandbox.reach import Kept, Reach, reach_of, sentences

# Users that no distribution gives to anybody: what the kernel counts for a user, one worker cannot take from another.
_NOBODIES: Final = range(65520, 65534)
_TOP_LINKS: Final = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_MADE: Final = ("/", "/tmp", "/dev", "/dev/shm", "/proc")  # by the outer wall itself
_USER_NAMESPACE_SWITCHES: Final = {
    "/proc/sys/kernel/unprivileged_userns_clone": ("0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    "/proc/sys/user/max_user_namespaces": ("0", "sysctl -w user.max_user_namespaces=10000"),
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether this machine gives a tier; if not, why, and what mends it."""

    tier: Tier
    available: bool
    reason: str
    remedy: str = ""


class NoSuchTier(RuntimeError):
    """The operator asked for an isolation that this machine does not give, or nothing safe enough is there."""

    def __init__(self, findings: list[Finding], wanted: Isolation) -> None:
        self.findings = findings
        lines = [f"{finding.tier}: {finding.reason}. {finding.remedy}".rstrip(". ") for finding in findings]
        super().__init__(f"isolation {wanted.value!r} is not to be had on this machine. " + "; ".join(lines))


def unprivileged() -> int:
    """The user that runs of this process become when it is root's: another one on other processors."""
    return _NOBODIES[min(os.sched_getaffinity(0)) % len(_NOBODIES)]


def choose(wanted: Isolation, *, single: bool) -> Tier:
    """The tier to use. `AUTO` takes the best; a class is never graded without walls unless the operator says so."""
    findings = examine()
    tier = wanted.tier
    if tier is not None:
        finding = next(finding for finding in findings if finding.tier is tier)
        if not finding.available:
            raise NoSuchTier([finding], wanted)
        return tier
    for finding in findings:
        if finding.available and (finding.tier is not Tier.PROCESS or single):
            return finding.tier
    raise NoSuchTier(findings[:2], wanted)


def examine() -> list[Finding]:
    """All three tiers, the strongest first."""
    return [_examine_sandbox(), _examine_landlock(), Finding(Tier.PROCESS, True, "always there, and no wall")]


def _examine_sandbox() -> Finding:
    if sys.platform != "linux":
        return Finding(Tier.SANDBOX, False, "needs Linux")
    if shutil.which("bwrap") is None:
        return Finding(Tier.SANDBOX, False, "bubblewrap is not installed", "Install it: apt-get install bubblewrap")
    for switch, (off, remedy) in _USER_NAMESPACE_SWITCHES.items():
        path = Path(switch)
        if os.getuid() != 0 and path.is_file() and path.read_text().strip() == off:
            return Finding(Tier.SANDBOX, False, f"{switch} is {off}", f"As root: {remedy}")
    trial = subprocess.run(
        [*outer_wall(None, None), *_all_programs(), "/usr/bin/unshare", "-Urpf", "/usr/bin/true"],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    if trial.returncode != 0:
        words = (trial.stderr.strip().splitlines() or ["it failed without a word"])[-1]
        return Finding(
            Tier.SANDBOX, False, f"bubblewrap cannot make namespaces: {words}", "Allow user namespaces, or run as root"
        )
    return Finding(Tier.SANDBOX, True, "bubblewrap and user namespaces work")


def _examine_landlock() -> Finding:
    if sys.platform != "linux":
        return Finding(Tier.LANDLOCK, False, "needs Linux")
    version = landlock.abi()
    if version < 1:
        return Finding(
            Tier.LANDLOCK, False, "this kernel has no Landlock", "Boot Linux 5.13 or newer with lsm=landlock"
        )
    return Finding(Tier.LANDLOCK, True, f"the kernel's Landlock is version {version}")


def outer_wall(control: int | None, trees: Path | None) -> list[str]:
    """bubblewrap's words for the zygote's world, without its files."""
    command = ["bwrap", "--die-with-parent", "--new-session", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    command += ["--unshare-net", "--unshare-cgroup-try", "--hostname", "guest"]
    if os.getuid() == 0:
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SYS_ADMIN"):
            command += ["--cap-add", capability]
        command += ["--dir", "/proc"]  # mounted by the zygote itself, while it still may
        command += [] if control is not None else ["--proc", "/proc"]
    else:
        command += ["--unshare-user", "--proc", "/proc"]
    command += ["--dev", "/dev"]
    for folder in ("/tmp", "/dev/shm"):
        command += ["--perms", "1777", "--size", str(256 << 20), "--tmpfs", folder]
    if trees is not None:
        command += ["--ro-bind", str(trees), TREES, "--dir", SUBMISSION]
    return command


def reaches(tier: Tier, kept: Sequence[Kept], *, cuda: bool) -> Reach:
    """What a guest may read in a tier; without a wall, nothing is kept from it. Raises Exposed."""
    if tier is Tier.PROCESS:
        return Reach((), (), (), ())
    return reach_of(kept, listing=tier is Tier.LANDLOCK, cuda=cuda)


def describe(kept: Sequence[Kept]) -> tuple[list[str], list[str]]:
    """What of ours is hidden from student code in the best tier of this machine, and what cannot be, in sentences."""
    best = next(finding.tier for finding in examine() if finding.available)
    return ([], []) if best is Tier.PROCESS else sentences(kept, listing=best is Tier.LANDLOCK)


def beneath_temporary(reach: Reach) -> tuple[str, ...]:
    """The mounts of the outer wall that a run's own folders for temporary files would hide: an environment in /tmp."""
    return tuple(bind.path for bind in reach.binds if bind.path.startswith(("/tmp/", "/dev/shm/")))


def command(tier: Tier, library: Path, trees: Path, control: int, reach: Reach, *, cuda: bool) -> list[str]:
    """The command line that starts a zygote in a tier. It reads its settings from its standard input."""
    script = "gengrade/sandbox/guest/zygote.py"
    python = [sys.executable, "-I", "-B", "-u"]  # unbuffered: what was printed before a kill is kept
    if tier is not Tier.SANDBOX:
        return [*python, str(library / script)]
    words = [*outer_wall(control, trees), *_links(), *_files(reach), "--ro-bind", str(library), LIBRARY]
    if cuda:
        for device in sorted(glob.glob("/dev/nvidia*")):
            words += ["--dev-bind-try", device, device]
    # What bubblewrap made itself belongs to the user who runs it, and so to all runs of this zygote.
    for path in ("/", "/dev", *(path for path in reach.covers if os.path.isdir(path))):
        words += ["--remount-ro", path]
    return [*words, "--chdir", "/tmp", *python, f"{LIBRARY}/{script}"]


def _files(reach: Reach) -> list[str]:
    """The folders that may be read, and over what is hidden in them an empty folder or a file that cannot be opened."""
    words: list[str] = []
    shown = dict.fromkeys((*_MADE, *_TOP_LINKS), False)  # what is mounted or made so far, and whether it is a bind
    sources = {bind.path: bind.source for bind in reach.binds}
    for path in sorted((*sources, *reach.covers), key=lambda path: (path.count("/"), path)):
        for folder in _missing(path, shown):
            words += ["--perms", "0755", "--dir", folder]  # bubblewrap would make them for root alone
            shown[folder] = False
        if path in sources:
            words += ["--ro-bind-try", sources[path], path]
        elif os.path.isdir(path):
            words += ["--perms", "0755", "--size", "4096", "--tmpfs", path]
        else:
            words += ["--ro-bind", "/dev/null", path]
        shown[path] = path in sources
    return words


def _missing(path: str, shown: dict[str, bool]) -> list[str]:
    """The folders above it that nothing has made or mounted yet, outermost first."""
    missing: list[str] = []
    for folder in (str(parent) for parent in Path(path).parents):
        if folder in shown:
            return missing[::-1] if not shown[folder] else []  # a bind holds them already
        missing.append(folder)
    return missing[::-1]


def environment(scratch: str, *, cuda: bool) -> dict[str, str]:
    """A clean environment: nothing of the operator's crosses."""
    variables = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": scratch,
        "TMPDIR": scratch,
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": f"{scratch}/matplotlib",
        "XDG_CACHE_HOME": f"{scratch}/cache",
        "TORCH_HOME": f"{scratch}/torch",
        "PYTHONHASHSEED": "0",
        "TORCHDYNAMO_DISABLE": "1",  # a compiler would take longer than most checks may, and is not needed
        "TORCH_COMPILE_DISABLE": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "CUDA_CACHE_PATH": f"{scratch}/cuda",
    }
    if not cuda:
        variables["CUDA_VISIBLE_DEVICES"] = ""
    elif library_path := os.environ.get("LD_LIBRARY_PATH"):
        variables["LD_LIBRARY_PATH"] = library_path
    return variables


def _all_programs() -> list[str]:
    """Files enough for a trial of bubblewrap with programs of the system's own."""
    folders = ["/usr", *(path for path in _TOP_LINKS if os.path.isdir(path) and not os.path.islink(path))]
    return [*_links(), *(word for path in folders for word in ("--ro-bind", path, path))]


def _links() -> list[str]:
    """Where a distribution links /lib to /usr/lib, the guest does too."""
    links = [path for path in _TOP_LINKS if os.path.islink(path)]
    return [word for path in links for word in ("--symlink", os.readlink(path).lstrip("/"), path)]
