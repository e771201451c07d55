"""Modules import only what docs/architecture.md allows."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from gengrade.grading.checks import known
from tests.support.examples import ROOT

OURS = ("gengrade", "graders", "courses", "reference", "validation", "tests", "benchmarks")
_MOST_LINES = 50  # of the body of a function, without its docstring
GUEST = ("gengrade.sandbox.guest", "gengrade.sandbox.wire", "gengrade.parts", "gengrade.choices")
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


def test_symptoms_import_no_grader() -> None:
    """They may import what is common, and modules of their own family that hold no checks."""
    graders = {each.module for each in known().values()}
    for path in sorted((ROOT / "graders").glob("*/*symptoms.py")):
        may = ("graders.common.", "graders.probing.sizes", f"graders.{path.parent.name}.")
        ours = {name.rpartition(".")[0] for name in imported(path) if name.startswith("graders.")}
        foreign = {name for name in ours if name in graders or not name.startswith(may)}
        assert not foreign, f"{path.relative_to(ROOT)} imports {foreign}"


def test_one_place_knows_where_our_own_files_lie() -> None:
    """The others are scripts: the guest's, which finds the copy that was staged, and that of a kit for students."""
    knowing = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.glob("gengrade/**/*.py")
        if "Path(__file__)" in path.read_text()
    }
    assert knowing == {"gengrade/home.py", "gengrade/kit/files/check.py", "gengrade/sandbox/guest/zygote.py"}


def test_the_page_shows_every_public_exception_below_its_base() -> None:
    """Private ones, which no other module handles, are left out."""
    defined = dict(_exceptions())
    drawn = dict(_drawn(_section("Exceptions")))
    assert {name: base for name, (base, _) in drawn.items() if name in defined} == defined
    for name, (_, handler) in drawn.items():
        files = re.findall(r"[a-z_/]+\.py", handler)
        assert name not in defined or files, f"{name}: nobody handles it"
        assert all((ROOT / "gengrade" / file).is_file() or list(ROOT.glob(f"gengrade/*/{file}")) for file in files)


def _exceptions() -> Iterator[tuple[str, str]]:
    """Yield the names of the harness's public exceptions, with those of their bases."""
    for path in sorted((ROOT / "gengrade").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and node.bases and not node.name.startswith("_"):
                base = ast.unparse(node.bases[0])
                module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
                if issubclass(getattr(module, node.name, object), BaseException):
                    yield node.name, base


def _section(title: str) -> str:
    page = (ROOT / "docs" / "architecture.md").read_text()
    return page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def _drawn(section: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the names in the drawing of a tree, each with the one above it and the rest of its line."""
    above: dict[int, str] = {}
    for line in section.partition("```text\n")[2].partition("```")[0].splitlines():
        indent, name, rest = re.fullmatch(r"([│├└─ ]*)(\w+)(.*)", line).groups()  # type: ignore[union-attr]
        depth = len(indent) // 3
        above[depth] = name
        if depth:
            yield name, (above[depth - 1], rest)


def test_no_module_of_tests_imports_another_one() -> None:
    """What several need lies in tests/support/."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        others = [name for name in imported(path) if re.match(r"tests\.(\w+\.)*test_", name)]
        assert not others, f"{path.name} imports {others}"


def test_no_function_is_longer_than_a_screen() -> None:
    """The body of a function, without its docstring, has at most 50 lines."""
    long = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}: {lines} lines"
        for package in ("gengrade", "graders")
        for path in sorted((ROOT / package).rglob("*.py"))
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and (lines := _lines(function)) > _MOST_LINES
    ]
    assert not long


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
