"""Copy the code that a zygote needs, and nothing else, into a folder that it imports from.

Graders, rubrics, references, probes and adapters never lie on a path that a guest can read, in any tier: each run is
sent the part of probes and adapters that it needs (`gengrade.sandbox.closure`). Runs cannot read this folder either.
"""

from __future__ import annotations

import compileall
import hashlib
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from gengrade.course import Course
from gengrade.home import PACKAGE, own_name
from gengrade.sandbox.closure import closure_of, libraries

_FOLDERS: Final = (PACKAGE / "sandbox/guest",)
_FILES: Final = (PACKAGE / "sandbox/wire.py", PACKAGE / "parts.py")
_PACKAGES: Final = ("gengrade", "gengrade/sandbox")


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
    """Return the third-party modules that a zygote imports for a course: those of its hand-out and of our code."""
    return list(dict.fromkeys([*course.imports, *libraries(course)]))


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
