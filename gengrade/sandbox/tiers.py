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
import sysconfig
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from gengrade.sandbox.guest import landlock
from gengrade.sandbox.guest.namespaces import LIBRARY, SUBMISSION, TREES

NOBODY: Final = 65534
_PROJECT: Final = Path(__file__).resolve().parents[2]
_SYSTEM_FILES: Final = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/fonts",
    "/etc/mime.types",
    "/etc/alternatives",
)
_USER_NAMESPACE_SWITCHES: Final = {
    "/proc/sys/kernel/unprivileged_userns_clone": ("0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    "/proc/sys/user/max_user_namespaces": ("0", "sysctl -w user.max_user_namespaces=10000"),
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
}


class Tier(StrEnum):
    SANDBOX = "sandbox"
    LANDLOCK = "landlock"
    PROCESS = "process"


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether this machine gives a tier; if not, why, and what mends it."""

    tier: Tier
    available: bool
    reason: str
    remedy: str = ""


class NoSuchTier(RuntimeError):
    """The operator asked for an isolation that this machine does not give, or nothing safe enough is there."""

    def __init__(self, findings: list[Finding], wanted: str) -> None:
        self.findings = findings
        lines = [f"{finding.tier}: {finding.reason}. {finding.remedy}".rstrip(". ") for finding in findings]
        super().__init__(f"isolation {wanted!r} is not to be had on this machine. " + "; ".join(lines))


def choose(wanted: str, *, single: bool) -> Tier:
    """The tier to use. `auto` takes the best; a class is never graded without walls unless the operator says so."""
    findings = examine()
    if wanted != "auto":
        tier = Tier(wanted)
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
        [*outer_wall(None, None), "--ro-bind", "/usr", "/usr", *_links(), "/usr/bin/unshare", "-Urpf", "/usr/bin/true"],
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


def command(tier: Tier, library: Path, trees: Path, control: int, settings_json: str, *, cuda: bool) -> list[str]:
    """The command line that starts a zygote in a tier."""
    script = "gengrade/sandbox/guest/zygote.py"
    python = [sys.executable, "-I", "-B", "-u"]  # unbuffered: what was printed before a kill is kept
    if tier is not Tier.SANDBOX:
        return [*python, str(library / script), settings_json]
    words = [*outer_wall(control, trees), *_links()]
    for folder in _ancestors(_readable()):
        words += ["--perms", "0755", "--dir", folder]  # bubblewrap would make them for root alone
    for path in _readable():
        words += ["--ro-bind-try", path, path]
    hidden = _hidden()
    for path in hidden:
        words += ["--tmpfs", path]
    words += ["--ro-bind", str(library), LIBRARY]
    if cuda:
        words += _cuda_binds()
    # What bubblewrap made itself belongs to the user who runs it, and so to all runs of this zygote.
    for path in ("/", "/dev", *hidden):
        words += ["--remount-ro", path]
    return [*words, "--chdir", "/tmp", *python, f"{LIBRARY}/{script}", settings_json]


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


def _links() -> list[str]:
    """Where a distribution links /lib to /usr/lib, the guest does too; where it does not, the folder is bound."""
    words: list[str] = []
    for name in ("bin", "sbin", "lib", "lib64", "lib32"):
        path = Path("/", name)
        if path.is_symlink():
            words += ["--symlink", os.readlink(path).lstrip("/"), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    return words


def _readable() -> list[str]:
    """The interpreter and the libraries, and the system's; nothing under a home besides."""
    interpreter = {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), str(Path(sys.executable).parent)}
    resolved = {str(Path(path).resolve()) for path in interpreter}
    folders = sorted(path for path in interpreter | resolved if Path(path).is_dir())
    outermost = [path for path in folders if not any(path.startswith(f"{other}/") for other in folders)]
    return ["/usr", *(path for path in outermost if not path.startswith("/usr/")), *_SYSTEM_FILES]


def _ancestors(paths: list[str]) -> list[str]:
    """The folders above those paths, outermost first."""
    above = {str(parent) for path in paths for parent in Path(path).parents}
    return sorted(above - {"/", "/usr", "/tmp"})


def _hidden() -> list[str]:
    """Our own installed code, should it lie inside what is bound: graders hold what students look for."""
    bound = _readable()
    names = ("gengrade", "graders", "reference", "rubrics", "truth", "examples", "submissions", "tests")
    own = [_PROJECT / name for name in names]
    return [str(path) for path in own if path.is_dir() and any(str(path).startswith(f"{top}/") for top in bound)]


def _cuda_binds() -> list[str]:
    """The GPU's device nodes and the driver's libraries, where they do not lie under /usr/lib."""
    words: list[str] = []
    for device in sorted(glob.glob("/dev/nvidia*")):
        words += ["--dev-bind-try", device, device]
    for folder in ("/usr/local/nvidia", "/opt/nvidia", "/sys", "/run/nvidia-persistenced"):
        words += ["--ro-bind-try", folder, folder]
    return words
