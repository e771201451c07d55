"""A row of an export belongs to one person at most, and no order of people or rows changes who gets it."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gengrade.people import Person, Status
from gengrade.publish.entries import Entry
from gengrade.publish.model import Given, System
from gengrade.publish.rows import find_rows

NUMBERS = st.sampled_from(["17", "18", "19", "u17", "u18", ""])
NAMES = st.sampled_from(["Ann Doe", "Doe, Ann", "Bob Roe", "Ann", "17", ""])
ROWS = st.lists(
    st.builds(
        Person,
        line=st.just(2),
        id=st.sampled_from(["17", "18", "19", "20"]),
        name=NAMES,
        numbers=NUMBERS.map(lambda each: (each,) if each else ()),
        logins=NUMBERS.map(lambda each: (each,) if each else ()),
    ),
    max_size=5,
)
ORIGINS = st.sampled_from([(), ("canvas", "doeann", "17"), ("moodle", "Ann Doe", "18"), ("", "17")])
ENTRIES = st.lists(
    st.builds(
        Entry,
        id=st.sampled_from(["17", "18", "u17", "Ann_Doe", "doeann_17"]),
        name=NAMES,
        status=st.just(Status.GRADED),
        group=st.sampled_from(["", "", "Blue"]),
        submission=st.sampled_from(["17", "18", "doeann_17"]),
        numbers=NUMBERS.map(lambda each: (each,) if each else ()),
        origin=ORIGINS,
        total=st.just(1.0),
    ),
    max_size=5,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS, ENTRIES, st.sampled_from(System), st.integers(0, 99))
def test_no_row_is_given_twice_and_nobody_is_lost(
    rows: list[Person], entries: list[Entry], system: System, seed: int
) -> None:
    rows = [row.model_copy(update={"line": line}) for line, row in enumerate(rows, 2)]
    people = [Given(each, 1.0) for each in entries]
    placed, left = find_rows(people, rows, system)
    assert len({each.row.line for each in placed}) == len(placed)
    assert len(placed) + len(left) == len(people)
    mixed = random.Random(seed)
    again, _ = find_rows(mixed.sample(people, len(people)), mixed.sample(rows, len(rows)), system)
    assert {(id(each.given), each.row.line) for each in again} == {(id(each.given), each.row.line) for each in placed}


@pytest.mark.parametrize("system", System)
def test_a_name_that_is_only_similar_finds_no_row(system: System) -> None:
    rows = [Person(line=2, id="1", name="Ann Müller"), Person(line=3, id="2", name="Ann")]
    for name in ("Anna Müller", "Ann Mueller", "Ann M", "Müller"):
        entry = Entry(id="x", name=name, status=Status.GRADED, submission="s", total=1.0)
        assert find_rows([Given(entry, 1.0)], rows, system)[0] == ()
