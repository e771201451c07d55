"""Read a table that a learning management system exported, and change single cells of it.

Three properties are deliberate:

1. A table that was read is written again byte for byte: encoding, byte order mark, delimiter, line ends and the quotes
   of each cell stay.
2. Only the cells that a caller replaces differ, and only the rows that it leaves out are missing.
3. What is no whole table is refused with its line, before anything of it is used.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from gengrade.documents import DocumentError
from gengrade.people.words import key
from gengrade.texts import no_text

_MARKS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_DELIMITERS: Final = ",;\t"
_FIRST_LINE: Final = re.compile(r"sep=(.)(?:\r\n|\n|\r)")  # a line by which Excel learns the delimiter
_END: Final = re.compile(r"\r\n|\n|\r")


class TableError(DocumentError):
    """An exported table cannot be used."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its cells as they are written, quotes included, and the end of its line."""

    line: int  # of the file, from 1
    raw: tuple[str, ...]
    end: str

    @property
    def cells(self) -> tuple[str, ...]:
        """What the cells say, without quotes."""
        return tuple(map(_unquoted, self.raw))

    @property
    def blank(self) -> bool:
        return not any(cell.strip() for cell in self.cells)

    def cell(self, column: int) -> str:
        """Return what a cell says, without spaces around it; "" if the row ends before it."""
        return _unquoted(self.raw[column]).strip() if column < len(self.raw) else ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its headings in the first row, and all that is needed to write it again."""

    path: Path  # for messages only
    mark: bytes
    encoding: str
    preamble: str  # a line of Excel's before the headings
    delimiter: str
    head: Row
    rows: tuple[Row, ...]

    @property
    def headings(self) -> tuple[str, ...]:
        return tuple(cell.strip() for cell in self.head.cells)

    def column(self, heading: str) -> int | None:
        """Return the place of the first column with this heading, in any case; None if there is none."""
        return next((at for at, each in enumerate(self.headings) if key(each) == key(heading)), None)

    def text(self, row: Row, heading: str) -> str:
        """Return what a row says below this heading; "" if there is no such column."""
        column = self.column(heading)
        return row.cell(column) if column is not None else ""

    def filled(self, cells: Mapping[int, Mapping[int, str]], *, keep_others: bool, always: Sequence[int] = ()) -> bytes:
        """Return the file with other cells.

        cells: the texts by the line of the row, and the place of the column. A text that the cell has already is not
            written anew.
        keep_others: whether rows without such texts stay; otherwise only those at the lines `always` do.
        """
        rows = [
            self._row(row, cells.get(row.line, {}))
            for row in self.rows
            if keep_others or row.line in cells or row.line in always
        ]
        text = self.preamble + "".join(self.delimiter.join(row.raw) + row.end for row in (self.head, *rows))
        return self.mark + text.encode(self.encoding)

    def _row(self, row: Row, texts: Mapping[int, str]) -> Row:
        raw = list(row.raw)
        for column, text in texts.items():
            raw += [""] * (column + 1 - len(raw))
            if _unquoted(raw[column]) != text:
                raw[column] = self._written(text, quoted=raw[column].startswith('"'))
        return replace(row, raw=tuple(raw))

    def _written(self, text: str, *, quoted: bool) -> str:
        special = {self.delimiter, '"', "\r", "\n"}.intersection(text) or text != text.strip()
        return '"' + text.replace('"', '""') + '"' if quoted or special else text


def read_table(content: bytes, path: Path) -> Table:
    """Return the table in the bytes of a file. `path` is used in messages only. Raises TableError."""
    mark, encoding = next(((mark, name) for mark, name in _MARKS if content.startswith(mark)), (b"", "utf-8"))
    try:
        text = content[len(mark) :].decode(encoding)
    except UnicodeDecodeError as problem:
        line = content[: problem.start].count(b"\n") + 1
        reason = (
            f"{no_text(content).partition(':')[0]}: export the file anew, and do not save it with a spreadsheet before"
        )
        raise TableError(path, line, reason) from None
    first = _FIRST_LINE.match(text)
    preamble, text = (first[0], text[first.end() :]) if first else ("", text)
    delimiter = first[1] if first else _delimiter(text)
    rows = _rows(text, delimiter, 1 + bool(first), path)
    if not rows or rows[0].blank:
        raise TableError(path, 1 + bool(first), "there are no headings: give the file that the system exported")
    return Table(path, mark, encoding, preamble, delimiter, rows[0], tuple(rows[1:]))


def _delimiter(text: str) -> str:
    """Return the delimiter that stands most often in the first line outside of quotes."""
    outside = "".join(_END.split(text, maxsplit=1)[0].split('"')[::2])
    return max(_DELIMITERS, key=outside.count)


def _rows(text: str, delimiter: str, line: int, path: Path) -> list[Row]:
    bare = re.compile(rf"[^{re.escape(delimiter)}\r\n]*")
    quoted = re.compile(r'"(?:[^"]|"")*"')
    rows: list[Row] = []
    at, began, raw = 0, line, []
    while at < len(text):
        found = quoted.match(text, at) if text[at] == '"' else bare.match(text, at)
        if found is None:
            raise TableError(path, line, "a quote is not closed: export the file anew")
        raw.append(found[0])
        line += len(_END.findall(found[0]))
        at = found.end()
        end = _END.match(text, at)
        if text.startswith(delimiter, at):
            at += len(delimiter)
            if at < len(text):
                continue
            raw.append("")
        elif end is None and at < len(text):
            raise TableError(path, line, "there is text after a closing quote: export the file anew")
        ended = end[0] if end else ""
        rows.append(Row(began, tuple(raw), ended))
        at, line = at + len(ended), line + bool(ended)
        began, raw = line, []
    return rows


def _unquoted(raw: str) -> str:
    return raw[1:-1].replace('""', '"') if raw.startswith('"') else raw
