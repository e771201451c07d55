"""Choose one of three tiers of isolation, and start a zygote in it.

sandbox    bubblewrap around the zygote, nested namespaces around each run
landlock   a forked process for each run, confined by Landlock, seccomp and rlimits
process    a process group, rlimits and a clean environment, without protection of files; reports say so
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

from gengrade import gpus
from gengrade.choices import Isolation, Tier
from gengrade.sandbox.guest import landlock
from gengrade.sandbox.guest.namespaces import LIBRARY, TREES
from gengrade.sandbox.reach import Kept, Reach, reach_of, sentences

# User ids that no distribution assigns. Each worker uses another one, since the kernel limits some resources per user.
_NOBODIES: Final = range(65520, 65534)
_TOP_LINKS: Final = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_MADE: Final = ("/", "/tmp", "/dev", "/dev/shm", "/proc")  # folders that bubblewrap itself makes
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
    """Whether a tier is available on this machine, and if not, why and how to make it available."""

    tier: Tier
    available: bool
    reason: str
    remedy: str = ""


class NoSuchTier(RuntimeError):
    """The tier that the operator asked for, or any tier that is safe for a class, is not available on this machine."""

    def __init__(self, findings: list[Finding], wanted: Isolation) -> None:
        self.findings = findings
        lines = [f"{finding.tier}: {finding.reason}. {finding.remedy}".rstrip(". ") for finding in findings]
        super().__init__(f"isolation {wanted.value!r} is not available on this machine. " + "; ".join(lines))


def unprivileged() -> int:
    """Return the id of the user that runs become when this process belongs to root; workers have different ones."""
    return _NOBODIES[min(os.sched_getaffinity(0)) % len(_NOBODIES)]


def choose(wanted: Isolation, *, single: bool) -> Tier:
    """Return the tier to use.

    wanted: a tier, or `AUTO` for the strongest one that is available.
    single: whether a single submission is graded; `AUTO` never chooses `process` for a class.

    Raises NoSuchTier.
    """
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
    """Return the findings on all three tiers, the strongest first."""
    process = Finding(Tier.PROCESS, True, "always available, but student code can read and change your files")
    return [_examine_sandbox(), _examine_landlock(), process]


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
        words = (trial.stderr.strip().splitlines() or ["it failed without a message"])[-1]
        return Finding(
            Tier.SANDBOX,
            False,
            f"bubblewrap cannot create namespaces: {words}",
            "Allow user namespaces, or run as root",
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
    return Finding(Tier.LANDLOCK, True, f"the kernel supports Landlock, version {version}")


def outer_wall(control: int | None, trees: Path | None) -> list[str]:
    """Return the command line of bubblewrap around a zygote, without the files that the zygote may read.

    control: the descriptor of the control socket; None: the command is only tried.
    trees: the folder of the submissions' trees to mount; None: none.
    """
    command = ["bwrap", "--die-with-parent", "--new-session", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    command += ["--unshare-net", "--unshare-cgroup-try", "--hostname", "guest"]
    if os.getuid() == 0:
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SYS_ADMIN"):
            command += ["--cap-add", capability]
        command += ["--dir", "/proc"]  # the zygote mounts it itself before it gives up its rights
        command += [] if control is not None else ["--proc", "/proc"]
    else:
        command += ["--unshare-user", "--proc", "/proc"]
    command += ["--dev", "/dev"]
    for folder in ("/tmp", "/dev/shm"):
        command += ["--perms", "1777", "--size", str(256 << 20), "--tmpfs", folder]
    if trees is not None:
        command += ["--ro-bind", str(trees), TREES]
    return command


def reaches(tier: Tier, kept: Sequence[Kept], *, cuda: bool) -> Reach:
    """Return everything that a guest may read in a tier, without the secrets; `process` restricts nothing.

    Raises Exposed if a secret cannot be excluded.
    """
    if tier is Tier.PROCESS:
        return Reach((), (), (), ())
    return reach_of(kept, listing=tier is Tier.LANDLOCK, cuda=cuda)


def describe(kept: Sequence[Kept]) -> tuple[list[str], list[str]]:
    """Return sentences on secrets that the best tier of this machine hides from student code, and that it cannot."""
    best = next(finding.tier for finding in examine() if finding.available)
    return ([], []) if best is Tier.PROCESS else sentences(kept, listing=best is Tier.LANDLOCK)


def beneath_temporary(reach: Reach) -> tuple[str, ...]:
    """Return the mounts below /tmp and /dev/shm, which a run's own temporary folders there would hide."""
    return tuple(bind.path for bind in reach.binds if bind.path.startswith(("/tmp/", "/dev/shm/")))


def command(tier: Tier, library: Path, trees: Path, control: int, reach: Reach, *, cuda: bool) -> list[str]:
    """Return the command line that starts a zygote in a tier; the zygote reads its settings from standard input.

    library: the folder of the guest's code.
    trees: the folder of the submissions' trees.
    control: the descriptor of the control socket.
    reach: everything that a guest may read.
    cuda: whether the guest uses a GPU.
    """
    script = "gengrade/sandbox/guest/zygote.py"
    python = [sys.executable, "-I", "-B", "-u", "-X", "utf8"]  # unbuffered, so that output before a kill is not lost
    if tier is not Tier.SANDBOX:
        return [*python, str(library / script)]
    words = [*outer_wall(control, trees), *_links(), *_files(reach), "--ro-bind", str(library), LIBRARY]
    if cuda:
        for device in sorted(glob.glob("/dev/nvidia*")):
            words += ["--dev-bind-try", device, device]
    # Folders that bubblewrap makes belong to its user, so all runs of this zygote could write to them.
    for path in ("/", "/dev", *(path for path in reach.covers if os.path.isdir(path))):
        words += ["--remount-ro", path]
    return [*words, "--chdir", "/tmp", *python, f"{LIBRARY}/{script}"]


def _files(reach: Reach) -> list[str]:
    """Return bubblewrap's arguments that mount the readable files, and cover the hidden ones in them."""
    words: list[str] = []
    shown = dict.fromkeys((*_MADE, *_TOP_LINKS), False)  # the paths made so far, and whether each is a mount
    sources = {bind.path: bind.source for bind in reach.binds}
    for path in sorted((*sources, *reach.covers), key=lambda path: (path.count("/"), path)):
        for folder in _missing(path, shown):
            words += ["--perms", "0755", "--dir", folder]  # by default only root could enter the folder
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
    """Return the folders above a path that are not made or mounted yet, the outermost first."""
    missing: list[str] = []
    for folder in (str(parent) for parent in Path(path).parents):
        if folder in shown:
            return missing[::-1] if not shown[folder] else []  # a mount already contains them
        missing.append(folder)
    return missing[::-1]


def environment(scratch: str, *, cuda: bool) -> dict[str, str]:
    """Return the environment variables of a guest, which include none of the operator's."""
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
        "TORCHDYNAMO_DISABLE": "1",  # compiling would take longer than most checks allow
        "TORCH_COMPILE_DISABLE": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "CUDA_CACHE_PATH": f"{scratch}/cuda",
    }
    if not cuda:
        variables[gpus.VISIBLE] = ""
    else:
        theirs = {name: os.environ[name] for name in (gpus.VISIBLE, "LD_LIBRARY_PATH") if os.environ.get(name)}
        variables |= {gpus.ORDER: os.environ.get(gpus.ORDER, "PCI_BUS_ID"), **theirs}
        # Asking whether there is a GPU starts CUDA otherwise, and a zygote that has done so is of no use to its runs.
        variables["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
    return variables


def _all_programs() -> list[str]:
    """Return bubblewrap's arguments that mount the system's programs, for a trial."""
    folders = ["/usr", *(path for path in _TOP_LINKS if os.path.isdir(path) and not os.path.islink(path))]
    return [*_links(), *(word for path in folders for word in ("--ro-bind", path, path))]


def _links() -> list[str]:
    """Return bubblewrap's arguments for the distribution's links, such as from /lib to /usr/lib."""
    links = [path for path in _TOP_LINKS if os.path.islink(path)]
    return [word for path in links for word in ("--symlink", os.readlink(path).lstrip("/"), path)]
