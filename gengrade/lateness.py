"""Decide how late a submission is, and what the rubric deducts for it. Nothing here belongs to the facts of the code.

What is known comes from three sources, the first of which decides:

1. the roster: the student is excused, or has an extension;
2. the deadline, with the time at which the submission was handed in;
3. the name that a learning management system gave the file (LATE).

Three properties are deliberate:

1. Times are compared only if both or neither name a time zone. A time without one is as the system shows it.
2. Whoever has an extension is not called late by the name, which knows nothing of it.
3. Where a deduction depends on something unknown, it is undecided, and never guessed.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from gengrade.facts import Frozen
from gengrade.rubric import Late

_DAY: Final = 86_400.0
_HOUR: Final = 3_600.0
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_YEARS: Final = (1970, 9000)  # so that days can be added


class LateSource(StrEnum):
    """What says whether a submission was late."""

    ROSTER = "roster"  # the student is excused, or has an extension
    DEADLINE = "deadline"  # with the time at which it was handed in
    NAME = "name"  # of the file, as the learning management system gave it


class Lateness(Frozen):
    """Whether a submission was late, by how much, and what says so."""

    late: bool | None = None  # None: unknown
    seconds: float | None = None  # after the due time, 0 if it was on time; None: unknown
    source: LateSource | None = None  # None: nothing says anything
    due: datetime | None = None  # None: unknown, or no matter
    handed_in: datetime | None = None  # None: unknown
    excused: bool = False
    free_days: int | None = None  # that this student has, by the roster; None: as many as the rubric gives
    extended: bool = False


class Assessed(Lateness):
    """Lateness with its deduction by the rubric."""

    share: float | None = 0.0  # of the earned points, that is deducted; None: it cannot be decided yet
    free_days_used: int = 0
    reason: str = ""  # for students: how the deduction comes about; for an undecided one, what is missing


UNKNOWN: Final = Lateness()


def parsed_time(text: str) -> datetime:
    """Return a date or time in ISO 8601; a date alone means the end of that day. Raises ValueError."""
    text = text.strip()
    try:
        if not _DATE.match(text) or not _YEARS[0] <= int(text[:4]) <= _YEARS[1]:
            raise ValueError
        if _DATE.fullmatch(text):
            return datetime.combine(date.fromisoformat(text), time()) + timedelta(days=1)
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"“{text}” is not a date or time") from None


def determined(
    named: bool | None,
    handed_in: datetime | None,
    deadline: datetime | None,
    *,
    excused: bool = False,
    extension: datetime | float | None = None,
    free_days: int | None = None,
) -> Lateness:
    """Return how late a submission is.

    named: whether its name says that it was late; None: it says nothing.
    handed_in: the time at which it was handed in; None: unknown.
    deadline: of the class; None: none was given.
    excused: whether the roster excuses the student.
    extension: by the roster, until a time or by a number of days; None: there is none.
    free_days: that the student has, by the roster; None: it says nothing.
    """
    if excused:
        return Lateness(late=False, source=LateSource.ROSTER, handed_in=handed_in, excused=True, free_days=free_days)
    due, extended = _due(deadline, extension), extension is not None
    known = Lateness(due=due, handed_in=handed_in, free_days=free_days, extended=extended)
    source = LateSource.ROSTER if extended else LateSource.DEADLINE
    if due is not None and handed_in is not None and comparable(due, handed_in):
        seconds = max((handed_in - due).total_seconds(), 0.0)
        return known.model_copy(update={"late": seconds > 0, "seconds": seconds, "source": source})
    if extended and named is not False:
        return known.model_copy(update={"source": source})
    if named is None:
        return known
    return known.model_copy(update={"late": named, "seconds": None if named else 0.0, "source": LateSource.NAME})


def comparable(one: datetime, other: datetime) -> bool:
    """Return whether both times name a time zone, or neither does."""
    return (one.tzinfo is None) is (other.tzinfo is None)


def _due(deadline: datetime | None, extension: datetime | float | None) -> datetime | None:
    """Return the time until which a student may hand in: never before the deadline."""
    if isinstance(extension, datetime):
        earlier = deadline is not None and comparable(deadline, extension) and extension < deadline
        return deadline if earlier else extension
    if deadline is None or extension is None:
        return deadline
    return deadline + timedelta(days=extension)


def assessed(lateness: Lateness, policy: Late | None) -> Assessed:
    """Return the lateness with its deduction by the rubric's rules; None: it has none."""
    share, used, reason = _deduction(lateness, policy)
    return Assessed(**dict(lateness), share=share, free_days_used=used, reason=reason)


def _deduction(lateness: Lateness, policy: Late | None) -> tuple[float | None, int, str]:
    """Return the share that is deducted (None: undecided), the number of free days that it took, and the reason."""
    if lateness.excused:
        return 0.0, 0, "excused"
    costs = policy is not None and (policy.penalty or policy.refused_after_days is not None)
    if policy is None or not costs or lateness.late is False:
        return 0.0, 0, ""
    if lateness.late is None:
        asked = lateness.extended
        return None if asked else 0.0, 0, "it is not known whether this was in time for the extension" if asked else ""
    free = policy.free_days if lateness.free_days is None else lateness.free_days
    if lateness.seconds is not None:
        return _by_amount(lateness.seconds, policy, free)
    if policy.per or free or policy.grace_minutes or policy.refused_after_days is not None:
        return None, 0, "it is late, but it is not known by how much"
    return policy.penalty, 0, _flat(policy)


def _by_amount(seconds: float, policy: Late, free: int) -> tuple[float, int, str]:
    grace = policy.grace_minutes * 60
    if seconds <= grace:
        return 0.0, 0, f"within the grace time of {policy.grace_minutes:g} minutes"
    if policy.refused_after_days is not None and seconds > policy.refused_after_days * _DAY + grace:
        return (
            1.0,
            0,
            f"nothing is accepted after {policy.refused_after_days:g} {_plural('day', policy.refused_after_days)}",
        )
    used = min(math.ceil(seconds / _DAY), free)
    left = seconds - used * _DAY
    taken = f"{used} free {_plural('day', used)} used" if used else ""
    if left <= 0:
        return 0.0, used, taken
    if policy.per is None:
        return policy.penalty, used, "; ".join(filter(None, (taken, _flat(policy))))
    units = math.ceil(left / (_DAY if policy.per == "day" else _HOUR))
    most = 1.0 if policy.most is None else policy.most
    share = min(units * policy.penalty, most)
    said = f"{units} begun {_plural(policy.per, units)}, {_percent(policy.penalty)} of the points each"
    capped = f", at most {_percent(most)}" if units * policy.penalty > most else ""
    return share, used, "; ".join(filter(None, (taken, said + capped)))


def _flat(policy: Late) -> str:
    return f"{_percent(policy.penalty)} of the points, however late"


def _percent(share: float) -> str:
    return f"{share * 100:.4g} %"


def _plural(word: str, number: float) -> str:
    return word if number == 1 else f"{word}s"
