"""Find where a question is answered, by its number at the start of a line.

Numbers stand at the start of lines for many reasons: in tables of contents and lists of questions, in tables, beside
equations, as the number of a page. Each line that starts with the question's number gets a score that says how much it
looks like the heading of an answer; the best line counts, and of equal ones the first.

The lines are a student's, and may be anything. The time that a line takes has a limit: of a long one, only the
beginning and the end are looked at, and what is searched for at the end of a line is searched for in its last
characters only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

_WORDS: Final = (
    r"(?:(?:answers?|solutions?|antwoord|lösung)\s+(?:(?:to|for|of|op)\s+)?)?"
    r"(?:sub-?)?(?:question|exercise|problem|task|assignment|part|section|vraag|opgave|aufgabe|q|ex|§)"
    r"|answers?|solutions?"
)
_NUMBERED: Final = re.compile(
    rf"^[^\w§]{{0,3}}(?:(?P<word>{_WORDS})(?:\s*[.:#]?\s*|(?=\d)))?(?P<number>\d+(?:\.\d+)*)(?P<rest>.*)$",
    re.IGNORECASE,
)
_ASKED: Final = re.compile(r"\D*?(?P<number>\d+(?:\.\d+)*)\.?\s*\(?(?P<letter>[a-z])?\)?", re.IGNORECASE)
_LEADERS: Final = re.compile(r"(?:[.…·]\s?){4}\s*\d{0,4}$")
_ENDS_IN_PAGE: Final = re.compile(r"\D\s+\d{1,3}$")
_REFERENCES: Final = re.compile(r"^[\d.\s]*(?:references|bibliography|literature|referenties)\s*:?$", re.IGNORECASE)
_SUB_PART: Final = re.compile(r"^[\s.]*\(?[a-hA-H]\)?(?:[).:]|\s|$)")
_QUANTITY: Final = re.compile(r"^\s*(?:[\d%×·*/+±≈<>=≤≥,&|]|[-–−]\s*\d|\.\d)")
_BEGINNING: Final = 300  # characters of a line that is longer than this and the next number together
_END: Final = 60
_FEW: Final = 3  # lines of a page that end like those of a table of contents
_LARGER: Final = 1.12  # a heading's height in that of other lines
_PART_THEN_QUESTION: Final = (
    r"^\W{{0,3}}(?:\w+\s+)?{}\W+(?:question|exercise|problem|vraag|opgave|q)\W{{0,2}}{}(?!\d|\.\d)"
)
_LEAST: Final = 0  # score of a line that is taken for an answer's start
_LEAST_OF_WHOLE: Final = 2  # the same for a number without a point, which starts many lines


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page's text: where it lies, and how large it is, as fractions of the page's width and height."""

    text: str
    x: float
    y: float  # of the upper edge, from the page's upper edge
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Found:
    """A line at which an answer may start. `page` counts from 0."""

    page: int
    y: float
    score: float


def find(question: str, pages: Sequence[Sequence[Line]]) -> Found | None:
    """Return where a question is answered in a document, or None if no line looks like that.

    question: its number, such as "1.4", "1.4a" or "Q2"; if it holds no number, the words that a line starts with.
    pages: the lines of each page.
    """
    return _find(question, [[_brief(line) for line in lines] for lines in pages])


def _brief(line: Line) -> Line:
    """Return the line with the beginning and the end of its text, without line breaks."""
    text = line.text
    if len(text) > _BEGINNING + _END:
        text = text[:_BEGINNING] + text[-_END:]
    return line if text is line.text and "\n" not in text else replace(line, text=text.replace("\n", " "))


def _find(question: str, pages: Sequence[Sequence[Line]]) -> Found | None:
    asked = _ASKED.fullmatch(question.strip())
    if asked is None:
        return _named(question, pages)
    number, letter = asked["number"], (asked["letter"] or "").casefold()
    found = list(_candidates(number, letter, pages))
    least = _LEAST if "." in number or letter else _LEAST_OF_WHOLE
    best = max(found, key=lambda each: each.score, default=None)  # the first of equal ones
    if best is not None and best.score >= least:
        return best
    return _find(number, pages) if letter else _within_part(number, pages)


def _candidates(number: str, letter: str, pages: Sequence[Sequence[Line]]) -> Iterator[Found]:
    heights = [line.height for lines in pages for line in lines]
    usual = median(heights) if heights else 0.0
    outer, _, inner = number.rpartition(".")
    spelled = re.compile(_PART_THEN_QUESTION.format(re.escape(outer), inner), re.IGNORECASE) if outer else None
    cited = False
    for page, lines in enumerate(pages):
        numbered = [_NUMBERED.match(line.text) for line in lines]
        contents = sum(_ends_like_contents(each) for each in numbered) >= _FEW
        for place, (line, match) in enumerate(zip(lines, numbered, strict=True)):
            cited = cited or bool(_REFERENCES.match(line.text))
            if spelled is not None and spelled.match(line.text) and not _ends_in_leaders(line.text):
                yield Found(page, line.y, 4.0 + _look(line, usual))
                continue
            score = _fit(match, number, letter)
            if match is None or score is None:
                continue
            score += _look(line, usual) + _continued(match["rest"])
            if _ends_in_leaders(line.text) or (contents and _ends_like_contents(match)):
                score -= 8
            if cited:
                score -= 4
            if match["word"] is None and any(_is_another(each, number) for each in _beside(numbered, place)):
                score -= 2
            yield Found(page, line.y, score)


def _fit(match: re.Match[str] | None, number: str, letter: str) -> float | None:
    """Return how well a line's number fits the question, or None if it is another number."""
    if match is None:
        return None
    score = 0.0 if match["word"] is None else 4.0
    if match["number"] == number:
        if not letter:
            return score
        return score + 2 if re.match(rf"[\s.]*\(?{letter}(?!\w)", match["rest"], re.IGNORECASE) else None
    return score - 2 if match["number"].startswith(f"{number}.") and not letter else None


def _look(line: Line, usual: float) -> float:
    """Return how much a line looks like a heading."""
    score = 0.0
    if line.height > _LARGER * usual:
        score += 2
    if line.y < 0.04 or line.y + line.height > 0.95:
        score -= 3  # the head or foot of a page
    if line.x > 0.55:
        score -= 3  # the number of an equation
    return score - (len(line.text) > 90)


def _continued(rest: str) -> float:
    """Return how much what follows a number looks like an answer, and not like a sentence or a row of a table."""
    if not rest.strip():
        return 1
    if _SUB_PART.match(rest):
        return 2
    if _QUANTITY.match(rest):
        return -6
    if rest[0] in ").:]–—-" or rest[0] == "(":
        return 2
    first = rest.strip()[0]
    if first.isupper():
        return 1
    return -3 if first.islower() else 0


def _ends_like_contents(match: re.Match[str] | None) -> bool:
    return match is not None and (bool(_ENDS_IN_PAGE.search(match["rest"][-_END:])) or _ends_in_leaders(match["rest"]))


def _ends_in_leaders(text: str) -> bool:
    """Return whether a line ends in dots and perhaps the number of a page, as in a table of contents."""
    return bool(_LEADERS.search(text[-_END:]))


def _beside(numbered: Sequence[re.Match[str] | None], place: int) -> Sequence[re.Match[str] | None]:
    return [*numbered[max(0, place - 1) : place], *numbered[place + 1 : place + 2]]


def _is_another(match: re.Match[str] | None, number: str) -> bool:
    """Return whether a neighbouring line starts with the number of another question, as in a list of them."""
    return match is not None and match["number"] != number and match["number"].count(".") == number.count(".") > 0


def _within_part(number: str, pages: Sequence[Sequence[Line]]) -> Found | None:
    """Return where "Question 4" stands below the heading of part 1, if the question is 1.4."""
    outer, _, inner = number.rpartition(".")
    start = _find(outer, pages) if outer else None
    if start is None:
        return None
    above, point, last = outer.rpartition(".")
    following = _find(f"{above}{point}{int(last) + 1}", pages)
    begin = (start.page, start.y)
    end = (following.page, following.y) if following is not None else begin
    end = end if end > begin else (len(pages), 0.0)
    inside = [[line for line in lines if begin < (page, line.y) < end] for page, lines in enumerate(pages)]
    found = [each for each in _candidates(inner, "", inside) if each.score >= _LEAST_OF_WHOLE]
    return max(found, key=lambda each: each.score, default=None)


def _named(question: str, pages: Sequence[Sequence[Line]]) -> Found | None:
    """Return the last line that is short and starts with these words: earlier ones may be of a table of contents."""
    words = " ".join(question.split()).casefold()
    found = [
        Found(page, line.y, 0.0)
        for page, lines in enumerate(pages)
        for line in lines
        if words and line.text.casefold().lstrip("0123456789.() ").startswith(words) and not _ends_in_leaders(line.text)
        if len(line.text) <= len(words) + 40
    ]
    return found[-1] if found else None
