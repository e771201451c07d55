"""Format outcomes, numbers and untrusted text in the same way for every report."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from markupsafe import Markup, escape

from gengrade.facts import Named, Outcome
from gengrade.grade import UNDECIDED_MARKS, Grade, ItemGrade
from gengrade.visible import visible

LONGEST = 20_000  # characters of one text; the middle of a longer one is left out

SEEMS = "What your code seems to do:"  # a misconception's sentence comes next

HIDDEN_TITLE = "A hidden check"
HIDDEN_MESSAGE = (
    "The details of this check are not shown. It tests the same functions as the open checks, on other inputs."
)

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and cursor movements
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # titles, links and other strings to the terminal
    r"|\x1b[ -/]*[0-~]?",
    re.DOTALL,
)
# A number, also with letters and dots (1.10, u4711), or a place within an id at which a line may break.
_NUMBER_OR_JOINT = re.compile(
    r"(?P<number>(?<![^\W_])[^\W\d_]*\d[^\W_]*(?:\.\d[^\W_]*)*)"
    r"|(?<=\w)(?:_|\.(?=[^\W\d]))"
)
_LONGEST_NUMBER = 24
_REPLACED = "\ufffd"
_COMMANDS = re.compile(r":(?=:)|##(?=\[)")


class Word(NamedTuple):
    """An outcome as people see it: a word, an icon and a meaning, so that it never depends on colour alone."""

    word: str
    icon: str
    tone: str  # the CSS class: "good", "part", "bad", "ours" or "open"
    meaning: str


OUTCOMES = {
    Outcome.PASSED: Word("Passed", "✓", "good", "the answer is right"),
    Outcome.FAILED: Word("Not right yet", "✗", "bad", "your code ran, but its answer is not the expected one"),
    Outcome.ERROR: Word(
        "Error", "!", "bad", "your code raised an exception, or returned something that cannot be used"
    ),
    Outcome.TIMEOUT: Word("Out of time", "◷", "bad", "it took longer than this check allows and was stopped"),
    Outcome.MEMORY: Word("Out of memory", "▣", "bad", "it used more memory than this check allows and was stopped"),
    Outcome.CRASHED: Word("Crashed", "!", "bad", "the process ended before it gave an answer"),
    Outcome.MISSING: Word("Not handed in", "–", "bad", "the function is missing, or still as empty as in the hand-out"),
    Outcome.BLOCKED: Word("Not judged", "⊘", "bad", "it builds on another check that did not pass"),
    Outcome.UNDECIDED: Word("Undecided", "…", "open", "it cannot be decided here; a teacher will"),
    Outcome.INFRA: Word("Our fault", "⚑", "ours", "something went wrong on our side; it costs you no points"),
}
NOT_ASKED = Word("Not asked here", "–", "open", "nothing was asked of this answer, for the reason that is given")
PARTLY = Word("Partly", "◐", "part", "the answer earned some of the points")
PENDING = Word("Pending", "…", "open", "its points are not decided yet")
MARKED = Word("Marked", "✎", "part", "a teacher gave the points")
MARKED_FULL = Word("Marked", "✎", "good", "a teacher gave the points")


def plain(text: str) -> str:
    """Return untrusted text without invisible characters and without control sequences.

    Line ends become line feeds, terminal escape sequences are removed, and every other invisible character, such as
    one that changes the reading direction, becomes a replacement character. The middle of a very long text is cut.
    """
    text = _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    if len(text) <= LONGEST:
        return visible(text, _REPLACED, spared="\t\n")
    head, tail = (visible(half, _REPLACED, spared="\t\n") for half in (text[: LONGEST // 2], text[-LONGEST // 2 :]))
    return f"{head}\n… {len(text) - LONGEST} characters left out …\n{tail}"


def one_line(text: str, longest: int = 1_000) -> str:
    """Return the `plain` text as one line of at most `longest` characters."""
    line = " ".join(plain(text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def inert(text: str) -> str:
    """Return the text with spaces added so that GitHub's workflow log finds no commands, "::name::" or "##[name]"."""
    return _COMMANDS.sub(r"\g<0> ", text)


def unbroken(text: str, longest: int = 1_000) -> Markup:
    """Return the text as `one_line`, as HTML in which no line breaks within a number such as 1.10 or 4711.

    In an id such as gan.alternation or doe_4711, a line may break after an underscore, or after a dot that follows a
    word. Numbers that might be wider than a page are left as they are.
    """
    parts = []
    end = 0
    line = one_line(text, longest)
    for found in _NUMBER_OR_JOINT.finditer(line):
        parts.append(escape(line[end : found.start()]))
        number = found["number"]
        if number is None:
            parts.append(escape(found[0]) + Markup("<wbr>"))
        elif len(number) <= _LONGEST_NUMBER:
            parts.append(Markup('<span class="id">{}</span>').format(number))
        else:
            parts.append(escape(number))
        end = found.end()
    return Markup("").join([*parts, escape(line[end:])])


def sentence(text: str) -> str:
    """Return the `plain` text with a capital first letter, unless it begins with a name from code (z, x_mean)."""
    text = plain(text)
    first = text.split(maxsplit=1)[0].rstrip(",.:;") if text.strip() else ""
    return text[:1].upper() + text[1:] if len(first) > 1 and first.isalpha() else text


def points(value: float) -> str:
    """Return points as text with at most two decimals and no trailing zeros: 61.5, 3, 0.25."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if round(value, 2) else "0"


def percent(share: float) -> str:
    """Return a share as a whole number of percent. Only all is 100 %, and only nothing is 0 %."""
    rounded = round(share * 100)
    if rounded in (0, 100) and 1e-9 < share < 1 - 1e-9:
        return f"{min(max(share * 100, 0.1), 99.9):.1f} %"
    return f"{rounded} %"


def signed(value: float) -> str:
    """Return a correlation as text with two decimals and a true minus sign: 0.42, −0.07."""
    text = f"{value:.2f}"
    return f"−{text[1:]}" if value < 0 and text != "-0.00" else text.removeprefix("-")


def duration(seconds: float) -> str:
    """Return a duration, given in seconds, as text: 0.4 s, 21 s, 3 min 20 s."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def word(item: ItemGrade) -> Word:
    """Return the word for the outcome of an item."""
    if item.marked:
        return MARKED_FULL if item.points == item.possible else MARKED
    if item.outcome is None or item.mark_state in UNDECIDED_MARKS:
        return PENDING
    if item.outcome is Outcome.FAILED and item.points:
        return PARTLY
    return OUTCOMES[item.outcome]


def mistake(item: ItemGrade) -> Named | None:
    """Return the recognised misconception, or None if the item has full points, as after a teacher's mark."""
    return None if item.points == item.possible else item.misconception


def beside(item: ItemGrade) -> str:
    """Return an item's message, or "" if it only guesses at a mistake that the recognised misconception explains."""
    guess = mistake(item) is not None and item.outcome is Outcome.FAILED and not item.marked
    return "" if guess else item.message


def told(item: ItemGrade) -> str:
    """Return what happened to an item in one line: the recognised misconception, then the message."""
    named = mistake(item)
    if named is None:
        return one_line(item.message)
    return f"{SEEMS} {one_line(named.sentence)} {sentence(one_line(beside(item)))}".rstrip()


def public(item: ItemGrade) -> ItemGrade:
    """Return the item as its student may see it: a hidden item shows only its verdict and its points."""
    if not item.hidden:
        return item
    # Every kind of failure is shown as `failed`: student code could fail in different ways to reveal its inputs.
    known = (None, Outcome.PASSED, Outcome.BLOCKED, Outcome.UNDECIDED, Outcome.INFRA)
    shown: dict[str, object] = {
        "id": item.place,
        "outcome": item.outcome if item.outcome in known else Outcome.FAILED,
        "title": HIDDEN_TITLE,
        "check": None,
        "message": HIDDEN_MESSAGE,
        "expected": None,
        "got": None,
        "misconception": None,
        "code": None,
        "symptoms": {},
        "cause": None,
        "criterion": None,
        "measures": {},
        "seconds": 0.0,  # student code could run longer or shorter to reveal its inputs
    }
    return item.model_copy(update=shown)


def lateness(grade: Grade) -> str:
    """Return whether a submission was handed in on time, in words: "no, 1 day 2 h late"."""
    known = grade.lateness
    if known.excused:
        return "excused"
    if grade.late is None:
        return known.reason or "unknown"
    if not grade.late:
        return "yes"
    return f"no, {length(known.seconds)} late" if known.seconds else "no, late"


def length(seconds: float) -> str:
    """Return a length of time, given in seconds, in its two largest units: 1 day 2 h, 1 day 5 min, 3 h 20 min."""
    minutes = max(math.ceil(seconds / 60), 1)
    days, hours, minutes = minutes // 1_440, minutes // 60 % 24, minutes % 60
    said = [f"{days} day{'s' if days > 1 else ''}" if days else "", f"{hours} h" if hours else ""]
    said += [f"{minutes} min" if minutes else ""]
    return " ".join([*filter(None, said)][:2])


def headline(grade: Grade) -> str:
    """Return a grade in one sentence, as at the top of every report."""
    sentence = f"{points(grade.total)} of {points(grade.possible)} points"
    if grade.bonus:
        sentence += f", {points(grade.bonus)} of them bonus"
    if grade.penalty:
        sentence += f", after a deduction of {points(grade.penalty)} for lateness"
    if grade.undecided:
        sentence += "; a deduction for lateness is not decided yet"
    if grade.pending or grade.bonus_pending:
        bonus = f"{points(grade.bonus_pending)} bonus"
        both = f"{points(grade.pending)} more and {bonus}" if grade.bonus_pending else f"{points(grade.pending)} more"
        sentence += f"; {both if grade.pending else bonus} are not decided yet"
    return f"{sentence}."
