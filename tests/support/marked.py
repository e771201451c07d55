"""Marks for tests, as if one person had given them just now."""

from __future__ import annotations

from collections.abc import Mapping

from gengrade.marks import Event, EventKind, Mark, Marks
from gengrade.rubric import Rubric, Wording

# A small assignment: one check, and one written answer with criteria.
RUBRIC = """\
assignment: A small one
course: uva2020
parts:
  - name: Theory
    questions:
      - id: "3.1"
        title: A density
        points: 6
        items:
          - {check: theory.cubic_density, points: 3}
          - id: derivation
            manual: The derivation
            points: 3
            criteria:
              - {id: steps, text: the steps, points: 1}
              - {id: integral, text: the integral, points: 2}
"""

NOW = "2026-01-02T03:04:05.678+00:00"


def marks(rubric: Rubric, given: Mapping[str, Mark]) -> Marks:
    """Return marks for the present wordings of a rubric's items, by the items' ids."""
    wordings = {entry.id: entry.wording for entry in rubric.entries()}
    return Marks({item: (event(item, mark, wordings[item], id_),) for id_, (item, mark) in enumerate(given.items())})


def event(item: str, mark: Mark | None, wording: Wording | None, id_: int = 1, by: str = "Tim") -> Event:
    """Return an event that replaces no other."""
    return Event(id_, NOW, by, "test", EventKind.MARK, "doejane", item, mark, wording if mark else None, ())
