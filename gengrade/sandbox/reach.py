"""What a guest may read: one list of files and folders for both walled tiers, and what is taken out of it.

Three properties are deliberate:

1. Single folders are listed, never a prefix such as /usr or the root of an environment: what else lies there, for
   instance a course's checkout, stays outside.
2. What must be kept from students (`Kept`: the project, results, submissions, data) is taken out of the list wherever
   it lies below one of its folders: `sandbox` covers it, `landlock` allows the folders beside it instead.
3. Where it cannot be taken out, nothing starts: `Exposed` says what lies where, and what to do.

The host computes all of it; the guest's process is only told the outcome.
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
    """A file or folder that no guest may read, list or find."""

    what: str  # e.g. "the folder of results"
    path: Path
    remedy: str  # what to do where it cannot be kept, as a sentence
    public: bool = False  # the names in it are known to everybody, as a package's are: only the contents are kept
    wished: bool = False  # kept where that is possible, and given up where a guest needs the folder


@dataclass(frozen=True, slots=True)
class Bind:
    """A file or folder of the list: where the guest looks for it, and where it really lies."""

    path: str
    source: str


@dataclass(frozen=True, slots=True)
class Reach:
    """What a guest may read in a tier."""

    binds: tuple[Bind, ...]  # sandbox: what is mounted, outer folders before inner ones
    covers: tuple[str, ...]  # sandbox: what is hidden in these mounts
    allowed: tuple[str, ...]  # landlock: what may be read, with all that lies beneath
    listed: tuple[str, ...]  # landlock: folders in which names may be seen, and nothing else


class Exposed(ValueError):
    """Something that must be kept from students lies where their code has to read."""

    def __init__(self, kept: Kept, readable: str, why: str) -> None:
        self.kept = kept
        self.readable = readable
        super().__init__(f"{kept.what} ({kept.path}) {why}. {kept.remedy}")


def reach_of(kept: Sequence[Kept], *, listing: bool, cuda: bool) -> Reach:
    """The list without `kept` and without our own code. Raises Exposed.

    listing: the folders from which modules are imported can be listed only with all that lies beneath, as in `landlock`
    cuda: the guest uses a GPU
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
    """In sentences, what lies below a folder that guests read: what is hidden from them there, and what cannot be."""
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
    """Our own code: the whole folder of a checkout; the package alone, where all of it lies within that."""
    remedy = "Install the project elsewhere, or grade with another interpreter"
    if not HOME.is_relative_to(PACKAGE):
        return (Kept("the project", HOME, remedy),)
    own = [PACKAGE, *PACKAGE.parent.glob("gengrade-*-info")]  # the latter names what was installed
    return tuple(Kept("the project", path, remedy, public=True) for path in own)


# What an interpreter needs --------------------------------------------------------------------------------------------


@cache
def _binds(cuda: bool) -> tuple[Bind, ...]:
    """All that may be read, outer folders first. A folder below a link is found by its name and by its real place."""
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
    """The folders from which the guest's interpreter imports: it ignores the user's own, and $PYTHONPATH."""
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
    """The shared libraries that this interpreter runs with, wherever a distribution keeps them."""
    try:
        lines = Path("/proc/self/maps").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return
    mapped = {line.split(maxsplit=5)[5] for line in lines if line.count("/")}
    yield from sorted(path for path in mapped if ".so" in os.path.basename(path) and os.path.isfile(path))


# What is kept -------------------------------------------------------------------------------------------------------


def _conflict(kept: Kept, binds: Iterable[Bind]) -> str | None:
    """The file or folder of the list that it is."""
    places = _places(kept.path)
    return next((bind.source for bind in binds if bind.source in places), None)


def _seen(hidden: dict[str, Kept], binds: Iterable[Bind]) -> tuple[str, ...]:
    """The folders of modules around what is kept: without being listed they would hold no modules."""
    sources = {bind.source for bind in binds}
    found = []
    for folder in dict.fromkeys(_real(path) for path in _import_folders()):
        inside = [each for place, each in hidden.items() if _below(place, folder)]
        if not inside or not any(folder == each or _below(folder, each) for each in sources):
            continue
        for each in inside:
            if not each.public:
                why = f"lies in {folder}, which student code has to list in the tier 'landlock', so that it sees names"
                raise Exposed(each, folder, why)
        found.append(folder)
    return tuple(found)


def _is_inside(bind: Bind, binds: Iterable[Bind], hidden: Iterable[str]) -> bool:
    """Whether an outer folder of the list shows it already, maybe as a link, with nothing hidden on the way to it."""
    for outer in binds:
        if _below(bind.path, outer.path):
            place = outer.source + bind.path[len(outer.path) :]
            if _real(place) == bind.source and not any(
                _below(other, outer.source) and _below(place, other) for other in hidden
            ):
                return True
    return False


def _covers(bind: Bind, hidden: Iterable[str]) -> Iterator[str]:
    """Where the hidden files and folders are found in a bind; not what lies in these again."""
    inside = [place for place in hidden if _below(place, bind.source) and os.path.exists(place)]
    for place in inside:
        if not any(_below(place, other) for other in inside):
            yield bind.path + place[len(bind.source) :]


def _carved(path: str, hidden: Iterable[str]) -> Iterator[str]:
    """The path, or what lies in it beside the hidden. No links: these could lead to it, and lead nowhere else."""
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
    """Where a file or folder is found: its real place, and other mounts of the same, whole or in part."""
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
    """This process's mounts, each before those that lie on it (proc_pid_mountinfo(5))."""
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
