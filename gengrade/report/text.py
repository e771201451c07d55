"""Words, numbers and strangers' text as every report shows them."""

from __future__ import annotations

import re
from typing import NamedTuple

from gengrade.facts import Named, Outcome
from gengrade.grade import Grade, ItemGrade
from gengrade.visible import visible

LONGEST = 20_000  # characters of one text; the middle of a longer one is left out

SEEMS = "What your code seems to do:"  # a misconception's sentence comes next

HIDDEN_TITLE = "A hidden check"
HIDDEN_MESSAGE = (
    "What this check looks at is not shown. It tests the same functions on other inputs than the open ones."
)

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and cursor movements
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # titles, links and other strings to the terminal
    r"|\x1b[ -/]*[0-~]?",
    re.DOTALL,
)
_REPLACED = "\ufffd"
_COMMANDS = re.compile(r":(?=:)|##(?=\[)")


class Word(NamedTuple):
    """How an outcome is told to people: never by a colour alone."""

    word: str
    icon: str
    tone: str  # "good", "part", "bad", "ours" or "open": the style
    meaning: str


OUTCOMES = {
    Outcome.PASSED: Word("Passed", "✓", "good", "it does what it should"),
    Outcome.FAILED: Word("Not right yet", "✗", "bad", "it ran, but the answer is not the expected one"),
    Outcome.ERROR: Word(
        "Error", "!", "bad", "your code raised an exception, or gave back something that cannot be used"
    ),
    Outcome.TIMEOUT: Word("Out of time", "◷", "bad", "it took longer than this check allows and was stopped"),
    Outcome.MEMORY: Word("Out of memory", "▣", "bad", "it used more memory than this check allows and was stopped"),
    Outcome.CRASHED: Word("Crashed", "!", "bad", "the process ended before it gave an answer"),
    Outcome.MISSING: Word("Not handed in", "–", "bad", "the function is absent or still the gap of the hand-out"),
    Outcome.BLOCKED: Word("Not judged", "⊘", "bad", "it builds on something that did not pass"),
    Outcome.INFRA: Word("Our fault", "⚑", "ours", "something went wrong on our side; it costs you nothing"),
}
PARTLY = Word("Partly", "◐", "part", "some of the points")
PENDING = Word("Pending", "…", "open", "its points are still to come")
MARKED = Word("Marked", "✎", "part", "a teacher gave the points")
MARKED_FULL = Word("Marked", "✎", "good", "a teacher gave the points")


def plain(text: str) -> str:
    """A stranger's text without what cannot be seen or would act on a terminal, a parser or the reading direction.

    Line ends become line feeds, escape sequences disappear, all else that a reader cannot see becomes a replacement
    character.
    """
    text = _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    if len(text) <= LONGEST:
        return visible(text, _REPLACED, spared="\t\n")
    head, tail = (visible(half, _REPLACED, spared="\t\n") for half in (text[: LONGEST // 2], text[-LONGEST // 2 :]))
    return f"{head}\n… {len(text) - LONGEST} characters left out …\n{tail}"


def one_line(text: str, longest: int = 1_000) -> str:
    """`plain` text as one line of limited length."""
    line = " ".join(plain(text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def inert(text: str) -> str:
    """The text without what a workflow's log takes for a command: "::name::" begins one, "##[name]" is one anywhere."""
    return _COMMANDS.sub(r"\g<0> ", text)


def sentence(text: str) -> str:
    """`plain` text that begins with a capital, unless it begins with a name of the code (elbo_to_bpd, z, x_mean)."""
    text = plain(text)
    first = text.split(maxsplit=1)[0].rstrip(",.:;") if text.strip() else ""
    return text[:1].upper() + text[1:] if len(first) > 1 and first.isalpha() else text


def points(value: float) -> str:
    """Points with at most two decimals and no needless zeros: 61.5, 3, 0.25."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if round(value, 2) else "0"


def duration(seconds: float) -> str:
    """Seconds as people say them: 0.4 s, 21 s, 3 min 20 s."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def word(item: ItemGrade) -> Word:
    """The word for what became of an item."""
    if item.comment is not None:
        return MARKED_FULL if item.points == item.possible else MARKED
    if item.outcome is None:
        return PENDING
    if item.outcome is Outcome.FAILED and item.points:
        return PARTLY
    return OUTCOMES[item.outcome]


def mistake(item: ItemGrade) -> Named | None:
    """The recognised misconception, unless a teacher has seen the answer and found nothing wrong."""
    return None if item.points == item.possible else item.misconception


def beside(item: ItemGrade) -> str:
    """What an item's message adds to its misconception: nothing where it only guesses why an answer is wrong."""
    guess = mistake(item) is not None and item.outcome is Outcome.FAILED and item.comment is None
    return "" if guess else item.message


def told(item: ItemGrade) -> str:
    """What happened to an item, in one line: the recognised misconception first."""
    named = mistake(item)
    if named is None:
        return one_line(item.message)
    return f"{SEEMS} {one_line(named.sentence)} {sentence(one_line(beside(item)))}".rstrip()


def public(item: ItemGrade) -> ItemGrade:
    """The item as its student may see it: of a hidden one only the verdict and the points."""
    if not item.hidden:
        return item
    # How it went wrong would be a letter of an alphabet, which the code may choose by what it was asked.
    known = (None, Outcome.PASSED, Outcome.BLOCKED, Outcome.INFRA)
    shown: dict[str, object] = {
        "outcome": item.outcome if item.outcome in known else Outcome.FAILED,
        "title": HIDDEN_TITLE,
        "check": None,
        "message": HIDDEN_MESSAGE,
        "expected": None,
        "got": None,
        "misconception": None,
        "symptoms": {},
        "cause": None,
        "criterion": None,
        "measures": {},
        "seconds": 0.0,  # code can say by how long it runs what it was asked
    }
    return item.model_copy(update=shown)


def headline(grade: Grade) -> str:
    """A grade in one sentence, as it stands on top of every report."""
    sentence = f"{points(grade.total)} of {points(grade.possible)} points"
    if grade.bonus:
        sentence += f", {points(grade.bonus)} of them bonus"
    if grade.penalty:
        sentence += f", after {points(grade.penalty)} for lateness"
    if grade.pending:
        sentence += f"; {points(grade.pending)} more are still to be decided"
    return f"{sentence}."
