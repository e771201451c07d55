"""Enter what students ask about their marks, and answer it. Nothing is ever deleted; reports show the newest answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gengrade.marks.model import Asked
from gengrade.marks.store import Store

LONGEST: Final = 10_000  # characters of a question or an answer


class QuestionError(ValueError):
    """A question or an answer cannot be taken; the text says why."""


def ask(
    store: Store,
    student: str,
    item: str,
    text: str,
    points: float | None,
    *,
    by: str,
    source: str,
    request: str | None = None,
) -> int:
    """Enter a student's question about an item, and return its number.

    points: the item's points now; None: they are pending.
    by: the person who enters it.
    request: a text that is the same when a browser repeats the request.

    Raises QuestionError.
    """
    return store.ask(student, item, _said(text, "question"), points, by=by, source=source, request=request)


def answer(
    store: Store,
    number: int,
    text: str,
    points: float | None,
    *,
    by: str,
    source: str,
    request: str | None = None,
) -> None:
    """Answer a question; a later answer takes the place of an earlier one. Raises QuestionError.

    points: the item's points now, after its mark was changed or not; None: they are pending.
    """
    found(store, number)
    store.answer(number, _said(text, "answer"), points, by=by, source=source, request=request)


def withdraw(store: Store, number: int, *, by: str, source: str) -> None:
    """Note that a question was entered by mistake, so that nothing shows it any more. Raises QuestionError."""
    found(store, number)
    store.answer(number, None, None, by=by, source=source, request=None)


def move(store: Store, asked: Iterable[Asked], student: str, *, source: str) -> None:
    """Enter these questions and their answers for another id of their student, and withdraw them for the one before."""
    for each in asked:
        new = store.ask(student, each.item, each.text, each.points, by=each.by, source=source, request=None)
        if each.answer:
            answer(store, new, each.answer.text, each.answer.points, by=each.answer.by, source=source)
        withdraw(store, each.id, by=each.by, source=source)


def found(store: Store, number: int) -> Asked:
    """Return a question by its number. Raises QuestionError if there is none."""
    for each in store.questions():
        if each.id == number:
            return each
    raise QuestionError(f"there is no question {number}")


def _said(text: str, what: str) -> str:
    text = text.replace("\r\n", "\n").strip()
    if not text or len(text) > LONGEST:
        raise QuestionError(f"the {what} has no text, or more than {LONGEST} characters: write it in fewer")
    return text
