"""What probes ask adapters for: each family's interface says all of it, and each adapter is compared with one.

mypy compares arguments and results; here it is shown that nothing escapes it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from gengrade.course import courses
from gengrade.grading.checks import INTERFACE, RECORDS
from gengrade.home import module_path
from gengrade.sandbox import closure
from tests.support.examples import ROOT

FAMILIES = sorted(path.parent.name for path in ROOT.glob(f"graders/*/{INTERFACE}.py"))
ADAPTERS = [(name, part, place) for name, course in courses().items() for part, place in course.adapters.items()]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


def classes(family: str) -> dict[str, ast.ClassDef]:
    """The protocols of an interface, by name."""
    body = tree(ROOT / "graders" / family / f"{INTERFACE}.py").body
    return {each.name: each for each in body if isinstance(each, ast.ClassDef)}


def declared(family: str, protocol: str) -> dict[str, ast.FunctionDef]:
    """What a protocol asks for, with what it inherits."""
    known = classes(family)
    found: dict[str, ast.FunctionDef] = {}
    for base in known[protocol].bases:
        if isinstance(base, ast.Name) and base.id in known:
            found |= declared(family, base.id)
    return found | {each.name: each for each in known[protocol].body if isinstance(each, ast.FunctionDef)}


def package_of(family: str) -> dict[str, str]:
    """The parts of the package that the family's probes are given, and the protocol of each."""
    (name,) = [name for name in classes(family) if name.endswith("Package")]
    return {part: ast.unparse(each.returns) for part, each in declared(family, name).items() if each.returns}


def asked(family: str) -> set[tuple[str, str | None]]:
    """The parts of the package that the family's probes speak to, and what they ask of each."""
    files = (ROOT / "graders" / family).glob("*probes.py")
    return {found for path in files for statement in tree(path).body for found in closure._parts(statement)}


def test_every_family_that_speaks_to_a_part_has_an_interface() -> None:
    families = {path.parent.name for path in ROOT.glob("graders/*/*probes.py")}
    assert {family for family in families if asked(family)} == set(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_interface_declares_what_probes_ask_for_and_nothing_else(family: str) -> None:
    package = package_of(family)
    assert asked(family) == {(part, name) for part, protocol in package.items() for name in declared(family, protocol)}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_member_of_an_interface_is_explained(family: str) -> None:
    for protocol in classes(family).values():
        assert ast.get_docstring(protocol)
        members = [each for each in protocol.body if isinstance(each, ast.FunctionDef)]
        assert [each.name for each in members if not ast.get_docstring(each)] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_probes_are_typed_by_their_interface(family: str) -> None:
    (package,) = [name for name in classes(family) if name.endswith("Package")]
    for path in (ROOT / "graders" / family).glob("*probes.py"):
        functions = [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef)]
        given = [each for function in functions for each in function.args.args if each.arg == closure.PACKAGE]
        assert {ast.unparse(each.annotation) for each in given if each.annotation} == {package}


def below_type_checking(path: Path) -> Iterator[ast.stmt]:
    for statement in tree(path).body:
        if closure._is_for_type_checkers(statement):
            assert isinstance(statement, ast.If)
            yield from statement.body


def compared(path: Path, contract: str) -> tuple[str, set[str]]:
    """The family whose protocols mypy compares an adapter with, and their names."""
    protocols, family, inherited = set[str](), "", dict[str, set[str]]()
    for statement in below_type_checking(path):
        match statement:
            case ast.ImportFrom(module=str() as module, names=names) if module.endswith(f".{INTERFACE}"):
                family = module.split(".")[1]
                protocols = {each.name for each in names}
            case ast.ClassDef(name=name, bases=bases):
                inherited[name] = {base.id for base in bases if isinstance(base, ast.Name)}
            case ast.FunctionDef(
                returns=ast.Name(id=protocol), body=[ast.Return(value=ast.Call(func=ast.Name(id=made)))]
            ) if made == contract:
                return family, inherited.get(protocol, {protocol}) & protocols
    return family, set()


@pytest.mark.parametrize(("course", "part", "place"), ADAPTERS)
def test_every_adapter_is_compared_with_an_interface(course: str, part: str, place: str) -> None:
    module, _, contract = place.partition(":")
    family, protocols = compared(module_path(module).with_suffix(".py"), contract)
    assert protocols, f"{place} is compared with no interface"
    assert part in package_of(family)
    methods = [each.name for each in closure._contract(module, contract).body if isinstance(each, ast.FunctionDef)]
    wanted = {name for protocol in protocols for name in declared(family, protocol)}
    assert {name for name in methods if not name.startswith("_")} <= wanted


def test_only_type_checkers_import_an_interface_or_records() -> None:
    """Where they are imported in another way, a guest or the host would load them."""
    for path in (*ROOT.glob("graders/*/*.py"), *ROOT.glob("courses/*/adapters/*.py"), *ROOT.glob("gengrade/**/*.py")):
        allowed = {id(node) for statement in below_type_checking(path) for node in ast.walk(statement)}
        for node in ast.walk(tree(path)) if path.stem not in (INTERFACE, RECORDS) else ():
            match node:
                case ast.ImportFrom(module=str() as module) if module.startswith("graders."):
                    assert module.rpartition(".")[2] not in (INTERFACE, RECORDS) or id(node) in allowed, path


@pytest.mark.parametrize("course", courses())
def test_no_run_is_given_an_interface_or_records(course: str) -> None:
    given = courses()[course]
    assert not any(name.endswith((INTERFACE, RECORDS)) for name in closure.libraries(given))
    for probe in closure.probes():
        code = closure.closure_of(given, probe).code
        assert not any(f".{name}".encode() in code for name in (INTERFACE, RECORDS)), probe


def test_the_page_on_new_courses_lists_every_interface() -> None:
    """It leaves out a family without checks, which no course can use."""
    page = (ROOT / "docs/new-course.md").read_text()
    families = [family for family in FAMILIES if list((ROOT / "graders" / family).glob("*checks.py"))]
    assert [family for family in families if f"`graders/{family}/{INTERFACE}.py`" not in page] == []
    assert set(FAMILIES) - set(families) == {"documents"}
