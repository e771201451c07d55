"""Copy the code that a zygote needs, and nothing else, into a folder that it imports from.

Graders, rubrics, references, probes and adapters never lie on a path that a guest can read, in any tier: each run is
sent the part of probes and adapters that it needs (`gengrade.sandbox.closure`). Runs cannot read this folder either.
"""

from __future__ import annotations

import compileall
import hashlib
import shutil
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from gengrade.course import Course
from gengrade.home import PACKAGE, own_name
from gengrade.sandbox.closure import closure_of, libraries

_FOLDERS: Final = (PACKAGE / "sandbox/guest",)
_FILES: Final = (PACKAGE / "sandbox/wire.py", PACKAGE / "parts.py", PACKAGE / "choices.py")
_PACKAGES: Final = ("gengrade", "gengrade/sandbox")
_PROGRAMS: Final = (".py", ".ipynb")
_MOST_READ: Final = 16 << 20  # bytes of a file


def stage(into: Path) -> Path:
    """Copy the guest's code into a new folder, compile it, and return the folder."""
    for source in _sources():
        target = into / own_name(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    for package in _PACKAGES:
        (into / package / "__init__.py").write_text("")  # otherwise an installed gengrade would be imported instead
    compileall.compile_dir(into, quiet=2)
    for path in (into, *into.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return into


def preloaded(course: Course) -> list[str]:
    """Return the modules that a zygote imports for a course at its start: the usual ones, and those of our code."""
    return list(dict.fromkeys([*course.imports, *libraries(course)]))


def mentioned(tree: Path, modules: Sequence[str]) -> list[str]:
    """Return those modules whose names occur in a program or notebook of a tree, so that its runs may import them.

    A name in a comment counts as well: that costs time once, and changes nothing else.

    tree: a clean tree, which only holds regular files.
    modules: dotted names; of each, the last word is looked for that does not name a package of torch.
    """
    words = {name: _word(name) for name in modules}
    found: set[str] = set()
    for path in tree.rglob("*"):
        if path.suffix.lower() in _PROGRAMS and path.is_file():
            with path.open("rb") as file:
                text = file.read(_MOST_READ).lower()
            found.update(name for name, word in words.items() if word in text)
    return [name for name in modules if name in found]


def _word(module: str) -> bytes:
    """Return what a program must mention to import a module: its package, or the module itself if that is torch's."""
    words = module.split(".")
    return (words[-1] if words[0] == "torch" else words[0]).lower().encode()


@cache
def fingerprint(course: Course, probe: str) -> str:
    """Return a hash over all our code that a run's evidence depends on: what the run gets, and the guest's code."""
    digest = hashlib.sha256(closure_of(course, probe).digest.encode())
    for source in _sources():
        digest.update(own_name(source).encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()


def _sources() -> Iterator[Path]:
    for folder in _FOLDERS:
        yield from sorted(folder.rglob("*.py"))
    yield from _FILES
