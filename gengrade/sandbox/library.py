"""The guest's library: copies of just the code that a guest may see, in a folder of their own.

Graders, rubrics and references never lie on a path that a guest can read, in any tier: this folder is what the outer
wall binds.
"""

from __future__ import annotations

import compileall
import hashlib
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

_PROJECT: Final = Path(__file__).resolve().parents[2]
_FOLDERS: Final = ("gengrade/sandbox/guest", "graders/probes", "graders/layouts")
_FILES: Final = ("gengrade/sandbox/wire.py",)
_PACKAGES: Final = ("gengrade", "gengrade/sandbox", "graders")


def stage(into: Path) -> Path:
    """Copies the guest's code into a new folder, compiled."""
    for source in _sources():
        target = into / source.relative_to(_PROJECT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    for package in _PACKAGES:
        (into / package / "__init__.py").write_text("")  # without it, an installed package of that name would win
    compileall.compile_dir(into, quiet=2)
    for path in (into, *into.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return into


@cache
def fingerprint(layout: str) -> str:
    """A hash over the code that evidence depends on: all probes, since they share helpers, the layout, the guest."""
    digest = hashlib.sha256()
    for source in _sources():
        name = source.relative_to(_PROJECT).as_posix()
        if not name.startswith("graders/layouts/") or _belongs(name, layout):
            digest.update(name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()


def probe_path(module: str) -> Path:
    return _PROJECT / "graders" / "probes" / f"{module}.py"


def _belongs(name: str, layout: str) -> bool:
    rest = name.removeprefix("graders/layouts/")
    return "/" not in rest or rest.startswith(f"{layout}/")


def _sources() -> Iterator[Path]:
    for folder in _FOLDERS:
        yield from sorted((_PROJECT / folder).rglob("*.py"))
    for file in _FILES:
        yield _PROJECT / file
