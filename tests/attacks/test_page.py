"""docs/attacks.md has a line for every row, and names the file of every attack and the tiers that leave it open."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests.attacks.__main__ import attacks, attacks_by_module

ROOT: Final = Path(__file__).resolve().parents[2]
LAST_ROW: Final = 72


def table_lines() -> list[list[str]]:
    """Return the cells of every line of a table, without headings."""
    lines = (ROOT / "docs" / "attacks.md").read_text().splitlines()
    tables = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [cells for cells in tables if cells[0] not in ("Row", "Attack") and not cells[0].startswith("-")]


def rows() -> list[tuple[int, list[str]]]:
    """Return each line about a row: its number, the attack, the defence, and the tests."""
    return [(int(cells[0]), cells[1:]) for cells in table_lines() if cells[0].isdigit()]


def files_in(cell: str) -> list[str]:
    return re.findall(r"`([\w.-]+(?:/[\w.-]*)+)`", cell)


def test_every_row_has_its_line() -> None:
    numbers = [number for number, _ in rows()]
    assert [number for number in numbers if number] == list(range(1, LAST_ROW + 1))
    assert {attack.row for attack in attacks()} <= set(numbers)


@pytest.mark.parametrize(("row", "cells"), rows())
def test_a_line_names_files_that_exist(row: int, cells: list[str]) -> None:
    _, meets, where = cells
    assert files_in(where), f"row {row} is tried nowhere"
    missing = [file for file in files_in(meets) + files_in(where) if not (ROOT / file).exists()]
    assert missing == []


def test_every_attack_is_tried_where_the_page_says() -> None:
    named: dict[int, set[str]] = {}
    for row, (_, _, where) in rows():
        named.setdefault(row, set()).update(files_in(where))
    absent = {
        (attack.row, f"tests/attacks/{module}.py")
        for module, some in attacks_by_module().items()
        for attack in some
        if f"tests/attacks/{module}.py" not in named[attack.row]
    }
    assert absent == set()


def test_open_attacks_are_listed() -> None:
    listed = {(cells[0], cells[1], cells[2]) for cells in table_lines() if not cells[0].isdigit()}
    declared = [attack for attack in attacks() if attack.open_in]
    assert listed == {(attack.name, str(attack.row), ", ".join(attack.open_in)) for attack in declared}
