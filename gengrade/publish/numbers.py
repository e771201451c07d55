"""Read and write the numbers of exported tables, and find the column that the points belong into."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from gengrade.documents import suggestion
from gengrade.people.words import key
from gengrade.publish.model import Given, Wishes
from gengrade.publish.tables import TableError
from gengrade.report.text import points
from gengrade.texts import listed

_NUMBER: Final = re.compile(r"[+-]?\d+(?:[.,]\d+)*")
_ID: Final = re.compile(r"[(|](\d+)\)?$")  # at the end of a heading of Canvas or Blackboard
_NAMED: Final = 12  # columns in a sentence


def number(text: str) -> float | None:
    """Return a number as a system wrote it, of whose points and commas the last is the decimal one; None if it is none.

    "1,234.50", "1.234,50" and "1234,5" are numbers; a text such as "EX" or "-" is none.
    """
    text = text.strip().replace("\u00a0", "").replace(" ", "")
    if not _NUMBER.fullmatch(text):
        return None
    whole, separator, fraction = max((text.rpartition(each) for each in ".,"), key=lambda each: len(each[0]))
    whole = whole.replace(".", "").replace(",", "")
    return float(f"{whole}.{fraction}" if separator else text)


def decimal_comma(cells: Iterable[str]) -> bool | None:
    """Return whether the numbers in these cells have decimal commas; None if no cell shows it, or they differ."""
    found = {match[1] == "," for cell in cells if (match := re.fullmatch(r"[+-]?[\d.,]*?([.,])\d{1,2}", cell.strip()))}
    return found.pop() if len(found) == 1 else None


def written(value: float, *, comma: bool = False) -> str:
    """Return points with at most two decimals, as the systems read them: 12.5 or 12,5, and no separator elsewhere."""
    text = points(value)
    return text.replace(".", ",") if comma else text


def chosen(titles: Mapping[int, str], headings: Mapping[int, str], wishes: Wishes, path: Path, line: int) -> int:
    """Return the place of the column for the points.

    titles: of the columns that may be it, without what the system adds to them, by their places.
    headings: the same columns' headings as they are written.
    line: of the headings.

    Raises TableError if there is none, or if it is not clear which one it is; then it lists them.
    """
    if not titles:
        raise TableError(path, line, "there is no column of an assignment: create it in the system, and export anew")
    columns = listed([f'"{heading}"' for heading in headings.values()], _NAMED)
    if wishes.column is not None:
        named = [at for at, heading in headings.items() if key(heading) == key(wishes.column)]
        named = named or [at for at, title in titles.items() if key(title) == key(wishes.column)]
        named = named or [at for at, each in headings.items() if (id_ := _ID.search(each)) and id_[1] == wishes.column]
        if len(named) == 1:
            return named[0]
        how = "several columns are" if named else "no column is"
        hint = "" if named else suggestion(wishes.column, headings.values())
        raise TableError(path, line, f'{how} called "{wishes.column}"{hint}: name one of {columns}')
    fitting = [at for at, title in titles.items() if key(title) == key(wishes.assignment)]
    if len(fitting) == 1:
        return fitting[0]
    if len(titles) == 1:
        return next(iter(titles))
    reason = f'it is not clear which column is that of "{wishes.assignment}": give --column with one of {columns}'
    raise TableError(path, line, reason)


def scaled(given: Given, ours: float | None, theirs: float | None) -> Given:
    """Return what somebody gets on the system's scale. `ours`, `theirs`: the points that are possible."""
    if given.points is None or not ours or theirs is None or ours == theirs:
        return given
    return Given(given.entry, round(given.points * theirs / ours, 2))


def require_scale(ours: float | None, theirs: float | None, wishes: Wishes, path: Path, line: int) -> None:
    """Raise TableError if the system's possible points are others than ours, unless points are to be converted."""
    if ours is None or theirs is None or ours == theirs:
        return
    if not theirs:
        reason = f"0 points are possible in this column, and {points(ours)} by the rubric: correct it in the system"
        raise TableError(path, line, reason)
    if wishes.scale:
        return
    reason = (
        f"{points(theirs)} points are possible in this column, and {points(ours)} by the rubric: correct one of them, "
        f"or give --scale, which multiplies all points by {points(theirs)}/{points(ours)}"
    )
    raise TableError(path, line, reason)
