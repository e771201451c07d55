"""A hand-in in which no function is filled in earns nothing: what nobody wrote has not been shown to be right."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from gengrade.course import courses
from gengrade.facts import Outcome
from validation.workbench import Workbench, cells_of, with_cells

# A value that a file of answers holds is an answer, although it stands in no function.
CONSTANTS = {"theory.gan_value"}


class Emptying(ast.NodeTransformer):
    """Replaces the body of every function; constructors keep the call of their base class."""

    def __init__(self, body: str) -> None:
        self._body = body

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.body = ast.parse("super().__init__()" if node.name == "__init__" else self._body).body
        return node


def emptied(text: str, body: str) -> str:
    try:
        tree = ast.parse(text)
    except SyntaxError:  # a cell with magics
        return text
    return ast.unparse(ast.fix_missing_locations(Emptying(body).visit(tree))) + "\n"


@pytest.mark.parametrize("body", ["return None", pytest.param("raise NotImplementedError", marks=pytest.mark.slow)])
@pytest.mark.parametrize("course", sorted(courses()))
def test_what_is_not_filled_in_earns_nothing(tmp_path: Path, course: str, body: str) -> None:
    with Workbench(tmp_path, "direct", course) as bench:
        folder = bench.variant({})
        for file in [*folder.rglob("*.py"), *folder.rglob("*.ipynb")]:
            text = file.read_text()
            notebook = file.suffix == ".ipynb"
            cells = [emptied(cell, body) for cell in (cells_of(text) if notebook else [text])]
            file.write_text(with_cells(text, cells) if notebook else cells[0])
        facts = bench.check(folder, *bench.unit_checks(""))
    assert facts.keys() >= set(bench.unit_checks(""))
    earned = {id_: fact.decisive.message for id_, fact in facts.items() if fact.outcome is Outcome.PASSED}
    assert earned.keys() <= CONSTANTS, earned


@pytest.mark.parametrize("course", sorted(courses()))
def test_an_empty_folder_earns_nothing(tmp_path: Path, course: str) -> None:
    with Workbench(tmp_path, "direct", course) as bench:
        (tmp_path / "empty").mkdir()
        facts = bench.check(tmp_path / "empty", *bench.unit_checks(""))
    outcomes = {id_: fact.outcome for id_, fact in facts.items()}
    assert set(outcomes.values()) <= {Outcome.MISSING, Outcome.BLOCKED}, outcomes
