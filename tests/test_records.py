"""Keys of evidence are declared once, in records: mypy compares probes with them, and these tests compare graders."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from gengrade.grading.checks import RECORDS, modules
from gengrade.home import module_path
from tests.support.evidence_keys import Read, Readers, declared, parsed
from tests.support.examples import ROOT

SHARED = ("probing", "common")  # all families use what these give and read
DOCUMENTS = "documents"  # which the marking room reads, without `Evidence`
FAMILIES = sorted(
    path.parent.name for path in ROOT.glob(f"graders/*/{RECORDS}.py") if path.parent.name not in (*SHARED, DOCUMENTS)
)
MARGINS = "validation.margins"  # it reads evidence of several families
UNREAD = {
    ("gan", "Checkpoint", "problem"): "people and a test look there for why handed-in weights do not fit",
}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


def records(family: str) -> dict[str, frozenset[str]]:
    """Return the keys of a family's own records, by the records' names."""
    return declared(tree(ROOT / "graders" / family / f"{RECORDS}.py"))


def keys(*families: str) -> set[str]:
    return {key for family in families for own in records(family).values() for key in own}


@cache
def readers() -> Readers:
    return Readers(parsed([module_path(name).with_suffix(".py") for name in (*modules(), MARGINS)], ROOT))


def reads(*families: str) -> list[Read]:
    return readers().reads(name for name in readers().trees if name.split(".")[1] in families)


def files_of_probes() -> list[Path]:
    return [*ROOT.glob("graders/*/*probes.py"), *ROOT.glob("graders/probing/*.py")]


def test_every_family_has_records() -> None:
    families = {path.parent.name for path in ROOT.glob("graders/*/*probes.py")}
    assert families == {*FAMILIES, "common", DOCUMENTS}


@pytest.mark.parametrize("family", [*FAMILIES, *SHARED, DOCUMENTS])
def test_every_record_is_explained(family: str) -> None:
    body = tree(ROOT / "graders" / family / f"{RECORDS}.py").body
    assert [each.name for each in body if isinstance(each, ast.ClassDef) and not ast.get_docstring(each)] == []


def functions(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef)]


def literal_dicts(path: Path) -> Iterator[tuple[ast.FunctionDef, ast.Dict]]:
    """Yield the functions of a file that return a dict with literal keys, each with that dict."""
    for function in functions(path):
        for node in ast.walk(function):
            match node:
                case ast.Return(value=ast.Dict(keys=[*given]) as found) if any(
                    isinstance(key, ast.Constant) for key in given
                ):
                    yield function, found


@pytest.mark.parametrize("path", files_of_probes(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_probes_return_records(path: Path) -> None:
    """A function that returns a dict with literal keys says which record that is, so that mypy knows its keys."""
    known = {*records(path.parent.name), *records("probing")}
    for function, found in literal_dicts(path):
        names = {each.id for each in ast.walk(function.returns or found) if isinstance(each, ast.Name)}
        assert names & known, f"{path.name}:{found.lineno}: {function.name} returns keys that no record declares"
    for probe in functions(path) if path.name.endswith("probes.py") else ():
        returned = ast.unparse(probe.returns) if probe.returns else ""
        if probe in tree(path).body and not probe.name.startswith("_"):
            assert "dict[" not in returned, f"{path.name}: {probe.name} returns {returned}"


@pytest.mark.parametrize("family", FAMILIES)
def test_what_graders_read_is_declared(family: str) -> None:
    known = keys(family, *SHARED)
    assert [str(read) for read in reads(family) if read.is_known and not any(map(read.fits, known))] == []


def test_what_no_family_reads_alone_is_declared() -> None:
    known = keys(*FAMILIES, *SHARED)
    found = [*reads("common"), *readers().reads([MARGINS])]
    assert found
    assert [str(read) for read in found if read.is_known and not any(map(read.fits, known))] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_declared_is_read(family: str) -> None:
    found = reads(family, *SHARED)
    unread = {
        (family, record, key)
        for record, own in records(family).items()
        for key in own
        if not any(read.fits(key) for read in found)
    }
    assert unread == {each for each in UNREAD if each[0] == family}


def test_what_families_share_is_read() -> None:
    found = reads(*FAMILIES, *SHARED)
    assert [key for key in sorted(keys(*SHARED)) if not any(read.fits(key) for read in found)] == []


def test_the_marking_room_reads_what_documents_declare() -> None:
    found = set()
    for node in ast.walk(tree(ROOT / "gengrade" / "room" / "answers.py")):
        match node:
            case ast.Call(func=ast.Attribute(attr="get", value=ast.Name(id=name)), args=[ast.Constant(value=key), *_]):
                found |= {key} if name.islower() else set()
            case ast.Compare(left=ast.Constant(value=str(key)), ops=[ast.In()]) if key.isidentifier():
                found.add(key)
    assert found == keys(DOCUMENTS)


# --- the collector --------------------------------------------------------------------------------------------------

RECORD = """
class Draw(TypedDict):
    first: Tensor
    mean_gradient: NotRequired[Tensor]

class Loop(TypedDict):
    steps: list[Draw]
    moved: bool
"""
GRADER = """
NAMES = ("mean", "std")

def test_draw(student):
    got = student.run(probes.made.draw)
    first = got.tensor("first", shape=(3,))
    assert "mean_gradient" in got
    for name in NAMES:
        got.tensor(f"{name}_gradient")
    inputs = {"scale": 1}
    assert inputs["scale"] and "scale" in inputs
    judge(got, "second")
    judge(got, name="third")

def judge(result: Evidence, name: str) -> None:
    result.number(name)

def test_loop(student):
    for index, step in enumerate(student.run(probes.made.loop).list("steps")):
        close(step["first"], index)
    for name, (what, key) in {"a": ("left", "own"), "b": ("right", "all")}.items():
        step.flag(key)

def owner(step: Evidence, which) -> None:
    step["moved"].number(which["name"])
"""


def read_in(source: str) -> list[str]:
    found = Readers({"made": ast.parse(source)}).reads(["made"])
    return sorted(read.key for read in found if read.is_known)


def test_a_key_is_followed_to_its_literals() -> None:
    assert declared(ast.parse(RECORD)) == {"Draw": {"first", "mean_gradient"}, "Loop": {"steps", "moved"}}
    gradients = ["mean_gradient", "mean_gradient", "std_gradient"]
    assert read_in(GRADER) == sorted([*gradients, "first", "first", "second", "third", "steps", "own", "all", "moved"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('tensor("first"', 'tensor("frist"'),
        ('"mean_gradient" in', '"mean_gradeint" in'),
        ('f"{name}_gradient"', 'f"{name}_gradeint"'),
        ('("mean", "std")', '("maen", "std")'),
        ('judge(got, "second")', 'judge(got, "secnod")'),
        ('name="third"', 'name="thrid"'),
        ('list("steps")', 'list("stpes")'),
        ('step["first"]', 'step["frist"]'),
        ('("left", "own")', '("left", "onw")'),
        ('step["moved"]', 'step["mvoed"]'),
    ],
)
def test_a_misspelt_key_is_seen(old: str, new: str) -> None:
    assert GRADER.count(old) == 1
    right, wrong = read_in(GRADER), read_in(GRADER.replace(old, new))
    assert set(wrong) - set(right), "the misspelt key"
    assert len(wrong) == len(right)


def test_a_key_that_only_a_run_can_tell_is_no_mistake() -> None:
    (read,) = Readers({"made": ast.parse("def owner(step: Evidence, which): step.number(which['name'])")}).reads(
        ["made"]
    )
    assert not read.is_known
    assert not read.fits("moved")
