"""Classes with made-up grades, for the tests of publishing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gengrade.people import Status
from gengrade.publish.entries import Entry
from gengrade.publish.given import Publishable

POSSIBLE = 15.0


def entry(id_: str, name: str, total: float | None = 12.5, **fields: Any) -> Entry:
    """Return somebody in the roster who has a grade, unless `total` is None or fields say otherwise."""
    submission = fields.pop("submission", f"{id_}-work")
    graded = {} if submission is None else {"possible": POSSIBLE, "digest": digest(f"{id_} {total}"), "penalty": 0.0}
    given = {"status": Status.GRADED, "listed": True, "submission": submission, **graded, "total": total}
    return Entry(id=id_, name=name, **{**given, **fields})


def absent(id_: str, name: str, status: Status = Status.NOTHING) -> Entry:
    """Return somebody in the roster who handed in nothing."""
    return entry(id_, name, None, submission=None, status=status)


def unrostered(submission: str, name: str, total: float | None = 12.5, **fields: Any) -> Entry:
    """Return a submission of a class without a roster."""
    return entry(submission, name, total, submission=submission, listed=False, **fields)


def class_of(entries: Sequence[Entry], assignment: str = "Homework 2") -> Publishable:
    """Return a class whose reports hold the submissions' ids."""
    return Publishable(
        Path("results"),
        Path("class"),
        1,
        assignment,
        tuple(entries),
        lambda each: f"<p>{each.submission}</p>".encode() if each.digest else None,
    )


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
