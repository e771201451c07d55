"""Modules import only what docs/architecture.md allows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.support.examples import ROOT

OURS = ("gengrade", "graders", "courses", "reference", "validation", "tests", "benchmarks")
GUEST = ("gengrade.sandbox.guest", "gengrade.sandbox.wire", "gengrade.parts")
# By folder, the first that fits: what its modules may import of ours.
ALLOWED = {
    "gengrade/authoring/template/": ("graders.adapting", "graders.misconceptions"),
    "gengrade/sandbox/guest/": GUEST,
    "gengrade/": ("gengrade",),
    "graders/*/interface.py": ("graders.*.records",),
    "graders/*/records.py": ("graders.*.records",),
    "graders/*/*probes.py": (
        "graders.*.*probes",
        "graders.*.interface",
        "graders.*.records",
        "graders.probing",
        "graders.adapting",
        *GUEST,
    ),
    "graders/probing/": ("graders.probing", "graders.adapting", *GUEST),
    "graders/adapting/documents.py": (
        "graders.documents.interface",
        "graders.documents.records",
        "graders.adapting",
        *GUEST,
    ),
    "graders/adapting/": ("graders.adapting", *GUEST),
    "graders/": ("graders", "gengrade"),
    "courses/*/adapters/": ("courses", "graders.*.interface", "graders.adapting", *GUEST),
    "courses/*/misconceptions/": ("graders.misconceptions",),
    "courses/*/variants/": ("courses", "validation", "gengrade"),
    "reference/": (),
    "validation/": ("validation", "courses", "graders", "gengrade"),
}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(pattern: str) -> list[Path]:
    """Return the modules in these folders that fit no earlier pattern."""
    earlier = list(ALLOWED)[: list(ALLOWED).index(pattern)]
    taken = {path for each in earlier for path in fitting(each)}
    return [path for path in fitting(pattern) if path not in taken]


def fitting(pattern: str) -> list[Path]:
    """Return the modules of a folder "name/", or the files that fit a pattern."""
    return list(ROOT.glob(f"{pattern}**/*.py" if pattern.endswith("/") else pattern))


@pytest.mark.parametrize("pattern", ALLOWED)
def test_packages_import_what_they_may(pattern: str) -> None:
    found = files(pattern)
    assert found or pattern == "reference/"
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in found
        for name in imported(path)
        if name.partition(".")[0] in OURS
        and not any(fnmatch(name, may) or fnmatch(name, f"{may}.*") for may in ALLOWED[pattern])
    ]
    assert wrong == []


def test_one_place_knows_where_our_own_files_lie() -> None:
    """The others are scripts: the guest's, which finds the copy that was staged, and that of a kit for students."""
    knowing = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.glob("gengrade/**/*.py")
        if "Path(__file__)" in path.read_text()
    }
    assert knowing == {"gengrade/home.py", "gengrade/kit/files/check.py", "gengrade/sandbox/guest/zygote.py"}
