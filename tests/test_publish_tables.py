"""Exported tables are written again byte for byte, except for the cells that are replaced."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gengrade.publish.model import Wishes
from gengrade.publish.numbers import chosen, decimal_comma, number, written
from gengrade.publish.tables import TableError, read_table

PATH = Path("export.csv")
cells = st.text(alphabet='ab;,\t"\r\n é', max_size=6)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.lists(cells, min_size=2, max_size=4), min_size=2, max_size=6),
    st.sampled_from(",;\t"),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE]),
    st.booleans(),
)
def test_whatever_is_read_is_written_again(
    rows: list[list[str]], delimiter: str, end: str, mark: bytes, last: bool
) -> None:
    head = delimiter.join(["Student", "ID", "X"])
    quoted = [delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    text = end.join([head, *quoted]) + (end if last else "")
    encoding = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}.get(mark, "utf-8")
    content = mark + text.encode(encoding)
    table = read_table(content, PATH)
    assert [list(row.cells) for row in table.rows] == rows
    assert table.filled({}, keep_others=True) == content
    assert table.filled({}, keep_others=False) == mark + (head + end).encode(encoding)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=120) | st.text(max_size=120).map(str.encode))
def test_no_file_breaks_the_reader(content: bytes) -> None:
    try:
        table = read_table(content, PATH)
    except TableError:
        return
    assert table.filled({}, keep_others=True) == content


def test_only_the_replaced_cell_differs_and_keeps_its_quotes() -> None:
    content = b'\xef\xbb\xbfa;"b";c\r\n"1";"x ""y""";\r\n2; 3 ;"4"'
    table = read_table(content, PATH)
    assert table.delimiter == ";"
    changed = table.filled({2: {2: "7.5"}, 3: {2: 'say "no"; never'}}, keep_others=True)
    assert changed == b'\xef\xbb\xbfa;"b";c\r\n"1";"x ""y""";7.5\r\n2; 3 ;"say ""no""; never"'
    assert table.filled({3: {2: "4"}}, keep_others=True) == content, "the same text is not written anew"


def test_a_short_row_gets_the_cells_that_it_lacks() -> None:
    assert read_table(b"a,b,c\n1\n", PATH).filled({2: {2: "x"}}, keep_others=True) == b"a,b,c\n1,,x\n"


def test_lines_are_those_of_the_file() -> None:
    table = read_table(b'sep=;\na;b\n"x\ny";1\nz;2\n', PATH)
    assert [row.line for row in table.rows] == [3, 5]
    assert table.filled({}, keep_others=True) == b'sep=;\na;b\n"x\ny";1\nz;2\n'


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"", 1, "there are no headings"),
        (b"\n\n", 1, "there are no headings"),
        (b'a,b\n1,"2\n', 2, "a quote is not closed"),
        (b'a,b\n1,2\n1,"2"x\n', 3, "after a closing quote"),
        ("a,b\n1,é\n".encode("latin-1"), 2, "it is not UTF-8 text"),
        (b"PK\x03\x04\xff\xfe", 1, "it is a workbook of a spreadsheet and no table in text: export the file anew"),
    ],
)
def test_what_is_no_table_is_refused_with_its_line(content: bytes, line: int, reason: str) -> None:
    with pytest.raises(TableError) as caught:
        read_table(content, PATH)
    assert caught.value.line == line
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("12.50", 12.5),
        ("12,50", 12.5),
        ("1,234.50", 1234.5),
        ("1.234,50", 1234.5),
        ("-", None),
        ("EX", None),
        ("", None),
        ("12.5 %", None),
        (" 7 ", 7),
    ],
)
def test_numbers_are_read_as_systems_write_them(text: str, value: float | None) -> None:
    assert number(text) == value


def test_the_decimal_separator_is_that_of_the_cells() -> None:
    assert decimal_comma(["100,00", "", "-"]) is True
    assert decimal_comma(["100.00", "1,000.00"]) is False
    assert decimal_comma(["100", ""]) is None
    assert decimal_comma(["1,5", "1.5"]) is None
    assert (written(12.5, comma=True), written(12.0, comma=True), written(1234.456)) == ("12,5", "12", "1234.46")


HEADINGS = {4: "Homework 1 (11)", 5: "Homework 2 (12)", 6: "homework 2 (13)", 7: "Quiz (14)"}
TITLES = {4: "Homework 1", 5: "Homework 2", 6: "homework 2", 7: "Quiz"}


@pytest.mark.parametrize(
    ("column", "assignment", "place"),
    [
        (None, "Quiz", 7),
        ("Homework 1", "Quiz", 4),
        ("homework 2 (12)", "Quiz", 5),
        ("13", "Quiz", 6),
        ("quiz", "", 7),
    ],
)
def test_a_column_is_found_by_heading_title_or_number(column: str | None, assignment: str, place: int) -> None:
    assert chosen(TITLES, HEADINGS, Wishes(assignment, column), PATH, 1) == place


@pytest.mark.parametrize(
    ("column", "assignment", "reason"),
    [
        (None, "Homework 3", 'which column is that of "Homework 3": give --column with one of "Homework 1 (11)"'),
        (None, "Homework 2", "it is not clear"),
        ("Homework 2", "", 'several columns are called "Homework 2"'),
        ("Homewrk 1 (11)", "", 'did you mean "Homework 1 (11)"?'),
    ],
)
def test_an_unclear_column_is_refused_with_the_list(column: str | None, assignment: str, reason: str) -> None:
    with pytest.raises(TableError) as caught:
        chosen(TITLES, HEADINGS, Wishes(assignment, column), PATH, 1)
    assert reason in str(caught.value)
    assert '"Quiz (14)"' in str(caught.value)


def test_a_single_column_is_the_one() -> None:
    assert chosen({4: "Anything"}, {4: "Anything (1)"}, Wishes("Homework"), PATH, 1) == 4
