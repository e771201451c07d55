"""Writes the table of docs/error-rates.md: all statistical tests that the graders declare."""

from __future__ import annotations

from gengrade.grading.checks import known
from graders.common.statistics import DECLARED, Declared

HEAD = """\
| check | what is random | statistic | false-fail probability | sample | smallest bias caught with probability 0.99 |
|---|---|---|---|---|---|
"""


def declared() -> list[Declared]:
    """Return all declared tests, in the order of the checks."""
    order = list(known())  # imports the graders, which declare them
    return sorted(DECLARED.values(), key=lambda each: order.index(each.check))


def table() -> str:
    """Return the table, in Markdown."""
    return HEAD + "".join(map(_row, declared()))


def _row(each: Declared) -> str:
    test = each.test
    cases = f"{each.cases} × " if each.cases > 1 else ""
    caught = ", ".join(f"{name} {value:.2g}" for name, value in test.caught.items())
    cells = (f"`{each.check}`", each.random, test.statistic, f"{cases}{test.alpha:.2g}", test.size, caught)
    return f"| {' | '.join(cells)} |\n"
