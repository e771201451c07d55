"""Compute the files and folders that a guest may read, which are the same in the tiers `sandbox` and `landlock`.

Three properties are deliberate:

1. Single folders are listed, never a prefix such as /usr or the root of an environment, so that anything else that
   lies there, such as a course's checkout, is not readable.
2. Secret files and folders (`Kept`: the project, results, submissions, data) are excluded where they lie below a listed
   folder: `sandbox` covers them, `landlock` allows the entries beside them instead of the whole folder.
3. If a secret cannot be excluded, nothing is run: `Exposed` says what lies where, and what to do.

The host computes all of this; the guest's process only gets the result.
"""

from __future__ import annotations

import glob
import os
import re
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from gengrade.home import HOME, PACKAGE

_BELOW_USR: Final = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "libexec", "include", "share")
_BELOW_PREFIX: Final = ("bin", "lib", "lib64", "libexec", "include", "share", "pyvenv.cfg")
_BELOW_PREFIX_CUDA: Final = ("targets", "nvvm")  # where conda's packages keep CUDA
_BELOW_ROOT: Final = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
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
_CUDA: Final = ("/usr/local/nvidia", "/opt/nvidia", "/opt/cuda", "/sys", "/run/nvidia-persistenced")
_PACKAGES: Final = ("site-packages", "dist-packages")
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Kept:
    """A secret file or folder, which no guest may read, list or find."""

    what: str  # e.g. "the folder of results"
    path: Path
    remedy: str  # what to do if it cannot be kept secret, as a sentence
    public: bool = False  # whether only its contents are secret, since everybody knows the names, as of a package
    wished: bool = False  # whether it is kept secret only if no guest needs the folder


@dataclass(frozen=True, slots=True)
class Bind:
    """A readable file or folder: the path by which the guest finds it, and its real path."""

    path: str
    source: str


@dataclass(frozen=True, slots=True)
class Reach:
    """Everything that a guest may read in a tier."""

    binds: tuple[Bind, ...]  # sandbox: the mounts, outer folders before inner ones
    covers: tuple[str, ...]  # sandbox: the paths that are hidden in these mounts
    allowed: tuple[str, ...]  # landlock: the readable paths, with everything below them
    listed: tuple[str, ...]  # landlock: folders whose names, but not contents, are readable


class Exposed(ValueError):
    """A secret file or folder lies where student code must be able to read."""

    def __init__(self, kept: Kept, readable: str, why: str) -> None:
        self.kept = kept
        self.readable = readable
        super().__init__(f"{kept.what} ({kept.path}) {why}. {kept.remedy}")


def reach_of(kept: Sequence[Kept], *, listing: bool, cuda: bool) -> Reach:
    """Return everything that a guest may read, without the secrets and without our own code.

    kept: the secret files and folders.
    listing: whether a folder can be listed only together with everything below it, as in the tier `landlock`.
    cuda: whether the guest uses a GPU.

    Raises Exposed if a secret cannot be excluded.
    """
    binds = _binds(cuda)
    known = [each for each in (*project(), *kept) if not (each.wished and _conflict(each, binds))]
    hidden = {place: each for each in reversed(known) for place in _places(each.path)}
    for each in hidden.values():
        if found := _conflict(each, binds):
            raise Exposed(each, found, f"is a folder that student code has to read ({found})")
    seen = _seen(hidden, binds) if listing else ()
    needed = tuple(bind for bind in binds if not _is_inside(bind, binds, hidden))
    return Reach(
        binds=needed,
        covers=tuple(sorted({cover for bind in needed for cover in _covers(bind, hidden)}, key=_depth)),
        allowed=tuple(dict.fromkeys(path for bind in needed for path in _carved(bind.source, hidden))),
        listed=seen,
    )


def sentences(kept: Sequence[Kept], *, listing: bool) -> tuple[list[str], list[str]]:
    """Return sentences on secrets that lie below readable folders: on those that are hidden, and on those that cannot.

    Takes the arguments of `reach_of`.
    """
    hidden: dict[tuple[str, str], str] = {}
    exposed: list[str] = []
    for each in (*project(), *kept):
        above = {bind.source for place in _places(each.path) for bind in _binds(False) if _below(place, bind.source)}
        try:
            reach_of([each], listing=listing, cuda=False)
        except Exposed as error:
            exposed.append(str(error))
        else:
            if above and each.path.exists():
                where = max(above, key=len)
                sentence = f"{each.what} ({each.path}) lies below {where}: it is hidden from student code"
                hidden.setdefault((each.what, where), sentence)
    return list(hidden.values()), list(dict.fromkeys(exposed))


@cache
def project() -> tuple[Kept, ...]:
    """Return the files of the project: the whole checkout, or only the package if it is installed."""
    remedy = "Install the project elsewhere, or grade with another interpreter"
    if not HOME.is_relative_to(PACKAGE):
        return (Kept("the project", HOME, remedy),)
    own = [PACKAGE, *PACKAGE.parent.glob("gengrade-*-info")]  # the latter lists the installed files
    return tuple(Kept("the project", path, remedy, public=True) for path in own)


# What an interpreter needs --------------------------------------------------------------------------------------------


@cache
def _binds(cuda: bool) -> tuple[Bind, ...]:
    """Return all readable files and folders, outer ones first; one below a link is listed by both its paths."""
    paths = [*_system(), *_interpreter(), *(_cuda() if cuda else ())]
    found = {}
    for path in dict.fromkeys(paths):
        source = _real(path)
        if os.path.exists(source):
            found[path] = found[source] = source
    found |= {path: path for path in _libraries() if not any(_below(path, each) for each in found.values())}
    return tuple(Bind(path, found[path]) for path in sorted(found, key=_depth))


def _system() -> Iterator[str]:
    for prefix in ("/usr", "/usr/local"):
        yield from (f"{prefix}/{name}" for name in _BELOW_USR)
    yield from (path for path in _BELOW_ROOT if not os.path.islink(path))
    yield from _SYSTEM_FILES


def _interpreter() -> Iterator[str]:
    for prefix in _prefixes():
        yield from (f"{prefix}/{name}" for name in _BELOW_PREFIX)
    yield from (path for name, path in sysconfig.get_paths().items() if name != "data")
    yield from _import_folders()
    program = sys.executable
    while os.path.islink(program):
        yield program
        program = os.path.join(os.path.dirname(program), os.readlink(program))
    yield os.path.abspath(program)


def _prefixes() -> list[str]:
    return list(dict.fromkeys((sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix)))


def _import_folders() -> Iterator[str]:
    """Yield the folders from which the guest's interpreter imports, without the user's own and $PYTHONPATH."""
    stdlib = sysconfig.get_paths()["stdlib"]
    yield from (stdlib, f"{stdlib}/lib-dynload")
    own = [path for path in site.getsitepackages() if os.path.basename(path) in _PACKAGES]
    yield from own
    ignored = {site.getusersitepackages(), *os.environ.get("PYTHONPATH", "").split(os.pathsep), *own}
    yield from (path for path in sys.path if os.path.basename(path) in _PACKAGES and path not in ignored)


def _cuda() -> Iterator[str]:
    yield from _CUDA
    yield from sorted(glob.glob("/usr/local/cuda*"))
    for prefix in _prefixes():
        yield from (f"{prefix}/{name}" for name in _BELOW_PREFIX_CUDA)


def _libraries() -> Iterator[str]:
    """Yield the shared libraries that this interpreter has loaded, wherever the distribution keeps them."""
    try:
        lines = Path("/proc/self/maps").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return
    mapped = {line.split(maxsplit=5)[5] for line in lines if line.count("/")}
    yield from sorted(path for path in mapped if ".so" in os.path.basename(path) and os.path.isfile(path))


# What is kept -------------------------------------------------------------------------------------------------------


def _conflict(kept: Kept, binds: Iterable[Bind]) -> str | None:
    """Return the readable file or folder that is this secret itself, or None."""
    places = _places(kept.path)
    return next((bind.source for bind in binds if bind.source in places), None)


def _seen(hidden: dict[str, Kept], binds: Iterable[Bind]) -> tuple[str, ...]:
    """Return the import folders that contain secrets; Python can import from them only if it can list them.

    Raises Exposed if that would reveal secret names.
    """
    sources = {bind.source for bind in binds}
    found = []
    for folder in dict.fromkeys(_real(path) for path in _import_folders()):
        inside = [each for place, each in hidden.items() if _below(place, folder)]
        if not inside or not any(folder == each or _below(folder, each) for each in sources):
            continue
        for each in inside:
            if not each.public:
                why = f"lies in {folder}, which student code has to list in the tier 'landlock', so it can see its name"
                raise Exposed(each, folder, why)
        found.append(folder)
    return tuple(found)


def _is_inside(bind: Bind, binds: Iterable[Bind], hidden: Iterable[str]) -> bool:
    """Return whether an outer readable folder already contains it, and nothing on the way to it is hidden."""
    for outer in binds:
        if _below(bind.path, outer.path):
            place = outer.source + bind.path[len(outer.path) :]
            if _real(place) == bind.source and not any(
                _below(other, outer.source) and _below(place, other) for other in hidden
            ):
                return True
    return False


def _covers(bind: Bind, hidden: Iterable[str]) -> Iterator[str]:
    """Yield the paths of hidden files and folders in a mount, without those inside other hidden ones."""
    inside = [place for place in hidden if _below(place, bind.source) and os.path.exists(place)]
    for place in inside:
        if not any(_below(place, other) for other in inside):
            yield bind.path + place[len(bind.source) :]


def _carved(path: str, hidden: Iterable[str]) -> Iterator[str]:
    """Yield the path, or the entries in it beside the hidden ones, without links, which could lead to these."""
    inside = [place for place in hidden if place == path or _below(place, path)]
    if not inside:
        yield path
    elif path not in inside:
        with os.scandir(path) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if not entry.is_symlink():
                    yield from _carved(entry.path, inside)


@cache
def _places(path: Path) -> tuple[str, ...]:
    """Return all paths of a file or folder: its real path, and its paths in other mounts of the same device."""
    real = _real(str(path))
    mounts = _mounts()
    home = next((mount for mount in reversed(mounts) if real == mount.point or _below(real, mount.point)), None)
    if home is None:
        return (real,)
    inside = _joined(home.root, real[len(home.point.rstrip("/")) :])
    others = [mount for mount in mounts if mount.device == home.device and mount != home]
    found = [real]
    for mount in others:
        if inside == mount.root or _below(inside, mount.root):
            found.append(_joined(mount.point, inside[len(mount.root.rstrip("/")) :]))
        elif _below(mount.root, inside):
            found.append(mount.point)
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class _Mount:
    device: str
    root: str  # the folder of that device that is mounted
    point: str


@cache
def _mounts() -> list[_Mount]:
    """Return this process's mounts, each before those inside it (proc_pid_mountinfo(5))."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []
    fields = [line.split(" ") for line in lines]
    mounts = [_Mount(each[2], _unescaped(each[3]), _unescaped(each[4])) for each in fields if len(each) > 5]
    return sorted(mounts, key=lambda mount: _depth(mount.point))


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), text)


# Paths as text --------------------------------------------------------------------------------------------------------


def _real(path: str) -> str:
    return os.path.realpath(path)


def _below(path: str, folder: str) -> bool:
    return path.startswith(f"{folder.rstrip('/')}/") and path != folder


def _joined(folder: str, rest: str) -> str:
    return f"{folder.rstrip('/')}/{rest.lstrip('/')}".rstrip("/") or "/"


def _depth(path: str) -> tuple[int, str]:
    return path.count("/") if path != "/" else 0, path
