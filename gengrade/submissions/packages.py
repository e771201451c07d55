"""Find the packages that submissions import, and which of them are not installed here."""

from __future__ import annotations

import ast
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from gengrade.confined import Bounds, Disturbed, Unreadable, confined
from gengrade.parts import Part
from gengrade.paths import InputError
from gengrade.sandbox.guest import absent
from gengrade.sandbox.guest.absent import MUTED
from gengrade.submissions.looking import Unseen, programs, syntax_trees
from gengrade.submissions.model import Submission
from gengrade.submissions.preparing import discard
from gengrade.submissions.reading import prepare

_BOUNDS: Final = Bounds(cpu_seconds=60)
_MOST: Final = 200  # packages of one submission
_DISTRIBUTIONS: Final = {  # what to install for a module of another name
    "cv2": "opencv-python-headless",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "PIL": "pillow",
    "yaml": "pyyaml",
    "Image": "pillow",
    "pl_bolts": "lightning-bolts",
    "dateutil": "python-dateutil",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "dotenv": "python-dotenv",
    "ot": "pot",
    "umap": "umap-learn",
    "tensorflow_probability": "tensorflow-probability",
    "pytorch_fid": "pytorch-fid",
    "lpips": "lpips",
}


@dataclass(frozen=True, slots=True)
class Package:
    """A package that submissions import."""

    name: str  # of the module: "cv2"
    distribution: str  # what to install: "opencv-python-headless"
    students: tuple[str, ...]
    installed: bool
    replaced: bool  # an object that accepts everything stands in for it, since it only records or shows


@dataclass(frozen=True, slots=True)
class Survey:
    """The packages of a class, and the submissions that could not be read, each with the reason."""

    packages: tuple[Package, ...]
    unread: Mapping[str, str]


def survey(submissions: Sequence[Submission], parts: Mapping[str, Part]) -> Survey:
    """Return the packages that some submissions import, those first that are missing and that most import."""
    students: dict[str, list[str]] = {}
    unread: dict[str, str] = {}
    for submission in submissions:
        try:
            for name in _imported_by(submission, parts):
                students.setdefault(name, []).append(submission.name)
        except (InputError, Unreadable, Disturbed, OSError) as error:
            unread[submission.name] = str(error)
    found = [_package(name, who) for name, who in students.items()]
    return Survey(tuple(sorted(found, key=_rank)), unread)


def _rank(package: Package) -> tuple[bool, bool, int, str]:
    return package.installed, package.replaced, -len(package.students), package.name


def _package(name: str, students: Sequence[str]) -> Package:
    installed = _is_installed(name)
    distribution = _DISTRIBUTIONS.get(name, name.replace("_", "-"))
    return Package(name, distribution, tuple(students), installed, not installed and name in _TOPS)


_TOPS: Final = {name.partition(".")[0] for name in MUTED}


def _is_installed(name: str) -> bool:
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return False
    # Where the guest's stand-ins are active, as in our own validation, they are found for what is not installed.
    return spec is not None and type(spec.loader).__module__ != absent.__name__


def _imported_by(submission: Submission, parts: Mapping[str, Part]) -> list[str]:
    if submission.error is not None:
        raise Unreadable(submission.error)
    with tempfile.TemporaryDirectory(prefix="gengrade-") as folder:
        tree = Path(folder) / "tree"
        try:
            prepare(submission, tree, parts)
            return confined(partial(_imports, tree, [part.folder or "" for part in parts.values()]), list[str], _BOUNDS)
        finally:
            discard(tree)


def _imports(tree: Path, folders: Iterable[str]) -> list[str]:
    """Return the top-level names of all modules that programs import and that are neither Python's nor their own."""
    own = {*folders, *(part for path in tree.rglob("*") for part in path.relative_to(tree).with_suffix("").parts)}
    found: dict[str, None] = {}
    for path in programs(tree):
        try:
            for _, syntax in syntax_trees(path):
                found |= dict.fromkeys(_modules(syntax))
        except (Unseen, RecursionError, MemoryError):
            continue  # its checks and code flags say so
    return [name for name in found if name not in own and name not in sys.stdlib_module_names][:_MOST]


def _modules(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name.partition(".")[0] for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]
