"""How late a submission is, and what the rubric deducts for it, with numbers that were computed by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gengrade.lateness import Assessed, Lateness, LateSource, assessed, determined, parsed_time
from gengrade.rubric import Late

DEADLINE = datetime(2026, 11, 20, 18)
HOUR = 3_600
DAY = 24 * HOUR


def _after(seconds: float) -> Lateness:
    return determined(None, DEADLINE + timedelta(seconds=seconds), DEADLINE)


def _deducted(seconds: float, **policy: Any) -> Assessed:
    return assessed(_after(seconds), Late(**policy))


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-20", datetime(2026, 11, 21)),
        ("2026-11-20T18:00", DEADLINE),
        (" 2026-11-20 18:00 ", DEADLINE),
        ("2028-02-29", datetime(2028, 3, 1)),
    ],
)
def test_a_day_means_its_end(text: str, time: datetime) -> None:
    assert parsed_time(text) == time


@pytest.mark.parametrize(
    "text", ["", "20.11.2026", "2026-13-01", "2026-11-20T25:00", "9999-12-31", "tomorrow", "20261120"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a date or time"):
        parsed_time(text)


@pytest.mark.parametrize(
    ("given_", "late", "seconds", "source"),
    [
        ({}, None, None, None),
        ({"named": True}, True, None, "name"),
        ({"named": False}, False, 0, "name"),
        ({"handed_in": DEADLINE}, None, None, None),
        ({"handed_in": DEADLINE, "deadline": DEADLINE}, False, 0, "deadline"),
        ({"handed_in": DEADLINE, "deadline": DEADLINE, "named": True}, False, 0, "deadline"),
        ({"handed_in": datetime(2026, 11, 20, 19), "deadline": DEADLINE, "named": False}, True, HOUR, "deadline"),
        ({"named": True, "deadline": DEADLINE}, True, None, "name"),
        ({"handed_in": datetime(2026, 11, 22, 19), "deadline": DEADLINE, "extension": 2.0}, True, HOUR, "roster"),
        ({"handed_in": datetime(2026, 11, 22, 18), "deadline": DEADLINE, "extension": 2.0}, False, 0, "roster"),
        ({"handed_in": datetime(2026, 11, 21, 20), "extension": datetime(2026, 11, 21, 19)}, True, HOUR, "roster"),
        ({"named": True, "extension": datetime(2026, 11, 21)}, None, None, "roster"),
        ({"named": True, "extension": 2.0}, None, None, "roster"),
        ({"named": False, "extension": 2.0}, False, 0, "name"),
        (
            {"named": True, "excused": True, "handed_in": DEADLINE, "deadline": datetime(2026, 1, 1)},
            False,
            None,
            "roster",
        ),
        (
            {"handed_in": DEADLINE, "deadline": DEADLINE, "extension": datetime(2026, 11, 1)},  # before the deadline
            False,
            0,
            "roster",
        ),
        ({"handed_in": datetime.fromisoformat("2026-11-20T19:00Z"), "deadline": DEADLINE}, None, None, None),
        (
            {
                "handed_in": datetime.fromisoformat("2026-11-20T19:00+01:00"),
                "deadline": datetime.fromisoformat("2026-11-20T17:30Z"),
            },
            True,
            HOUR / 2,
            "deadline",
        ),
    ],
)
def test_the_first_source_that_knows_decides(
    given_: dict[str, Any], late: bool | None, seconds: float | None, source: str | None
) -> None:
    found = determined(**{"named": None, "handed_in": None, "deadline": None, **given_})
    assert (found.late, found.seconds, found.source) == (late, seconds, source)


@pytest.mark.parametrize(
    ("policy", "seconds", "share", "free"),
    [
        ({"penalty": 0.1}, 1, 0.1, 0),
        ({"penalty": 0.1}, 30 * DAY, 0.1, 0),
        ({"penalty": 0.1}, 0, 0, 0),
        ({"penalty": 0.1, "per": "day"}, 1, 0.1, 0),
        ({"penalty": 0.1, "per": "day"}, DAY, 0.1, 0),
        ({"penalty": 0.1, "per": "day"}, DAY + 1, 0.2, 0),
        ({"penalty": 0.1, "per": "day"}, 30 * DAY, 1, 0),
        ({"penalty": 0.1, "per": "day", "most": 0.25}, 3 * DAY, 0.25, 0),
        ({"penalty": 0.01, "per": "hour"}, 2 * HOUR + 60, 0.03, 0),
        ({"penalty": 0.1, "per": "day", "grace_minutes": 15}, 15 * 60, 0, 0),
        ({"penalty": 0.1, "per": "day", "grace_minutes": 15}, 15 * 60 + 1, 0.1, 0),
        ({"penalty": 0.1, "grace_minutes": 15}, 16 * 60, 0.1, 0),
        ({"penalty": 0.1, "per": "day", "free_days": 2}, DAY, 0, 1),
        ({"penalty": 0.1, "per": "day", "free_days": 2}, 2 * DAY, 0, 2),
        ({"penalty": 0.1, "per": "day", "free_days": 2}, 3 * DAY, 0.1, 2),
        ({"penalty": 0.01, "per": "hour", "free_days": 1}, DAY + 2 * HOUR, 0.02, 1),
        ({"penalty": 0.3, "free_days": 1}, DAY + 1, 0.3, 1),
        ({"penalty": 0.1, "refused_after_days": 3}, 3 * DAY, 0.1, 0),
        ({"penalty": 0.1, "refused_after_days": 3}, 3 * DAY + 1, 1, 0),
        ({"penalty": 0.1, "refused_after_days": 3, "grace_minutes": 1, "free_days": 9}, 3 * DAY + 60, 0, 4),
        ({"penalty": 0.1, "refused_after_days": 3, "grace_minutes": 1, "free_days": 9}, 3 * DAY + 61, 1, 0),
        ({"penalty": 0, "refused_after_days": 0}, 1, 1, 0),
    ],
)
def test_rules_deduct_what_they_say(policy: dict[str, Any], seconds: float, share: float, free: int) -> None:
    found = _deducted(seconds, **policy)
    assert found.share == pytest.approx(share)
    assert found.free_days_used == free
    assert found.reason or not seconds


@pytest.mark.parametrize(
    ("lateness", "policy", "share"),
    [
        (determined(True, None, None), {"penalty": 0.1}, 0.1),
        (determined(True, None, None), {"penalty": 0.1, "per": "day"}, None),
        (determined(True, None, None), {"penalty": 0.1, "free_days": 1}, None),
        (determined(True, None, None, free_days=1), {"penalty": 0.1}, None),
        (determined(True, None, None, free_days=0), {"penalty": 0.1, "free_days": 1}, 0.1),
        (determined(True, None, None), {"penalty": 0.1, "grace_minutes": 5}, None),
        (determined(True, None, None), {"penalty": 0.1, "refused_after_days": 5}, None),
        (determined(True, None, None), {"penalty": 0, "per": "day"}, 0),
        (determined(True, None, None, extension=1.0), {"penalty": 0.1}, None),
        (determined(False, None, None, extension=1.0), {"penalty": 0.1}, 0),
        (determined(None, None, None), {"penalty": 0.1, "per": "day"}, 0),
        (determined(True, None, None, excused=True), {"penalty": 0.1, "per": "day"}, 0),
    ],
)
def test_what_is_not_known_is_not_guessed(lateness: Lateness, policy: dict[str, Any], share: float | None) -> None:
    assert assessed(lateness, Late(**policy)).share == share


def test_a_student_may_have_other_free_days_than_the_rubric_gives() -> None:
    late = determined(None, DEADLINE + timedelta(days=2), DEADLINE, free_days=1)
    found = assessed(late, Late(penalty=0.1, per="day", free_days=5))
    assert (found.share, found.free_days_used) == (0.1, 1)


def test_without_rules_nothing_is_deducted() -> None:
    found = assessed(_after(DAY), None)
    assert (found.late, found.share, found.source) == (True, 0, LateSource.DEADLINE)


policies = st.builds(
    Late,
    penalty=st.floats(0, 0.5),
    per=st.sampled_from(["day", "hour"]),
    grace_minutes=st.floats(0, 100),
    free_days=st.integers(0, 5),
    refused_after_days=st.none() | st.floats(0, 9),
)


@given(policies, st.floats(0, 20 * DAY), st.floats(0, 20 * DAY))
def test_who_is_later_never_pays_less(policy: Late, one: float, other: float) -> None:
    less, more = (assessed(_after(seconds), policy).share for seconds in sorted((one, other)))
    assert less is not None
    assert more is not None
    assert 0 <= less <= more <= 1
