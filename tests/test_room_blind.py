"""A blind marking room: nothing that markers see or are sent names a student."""

from __future__ import annotations

import http.client
import io
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gengrade.authenticity import Seal
from gengrade.marks import Change, Mark
from gengrade.room.answers import Cell, Notebook, Output, Picture, encoded
from gengrade.room.documents import HandedIn, Place
from gengrade.room.finding import Line
from gengrade.room.handing import Plan
from gengrade.room.naming import Names
from tests.support.room import NoDocuments, Server, graded_class, serving

ITEM = "1.1-sampling"
NAMES = {
    "doejane_12345": "doejane",
    "s7654321": "Søren Müller",
    "li_wei": "Li Wei",
    "max": "Max",
    "s31415": "Anna Maria Jansen & anna.jansen@students.uni.example",
    "s27182": "Jan Pieter van den Berg",
}
FORBIDDEN = ("doejane", "12345", "s7654321", "søren", "müller", "muller", "jane", "li wei", "wei li", "li_wei")
TEXT = """# Jane Doe, 12345, with Soren Müller and Wei Li
# jane_doe@university.example
def max_pool(x):
    return x.max()
"""


class Documents(NoDocuments):
    """Every student handed in the same, which names some of them."""

    def files(self, student: str) -> tuple[HandedIn, ...]:
        return (
            HandedIn(0, f"{student}_report.pdf", "pdf", 1, "", 9),
            HandedIn(1, "Jane Doe.py", "program", None, "", 9),
            HandedIn(2, "hw.ipynb", "notebook", None, "", 9),
            HandedIn(3, "doejane.bin", "other", None, "doejane.bin cannot be shown.", 9),
        )

    def notes(self, student: str) -> tuple[str, ...]:
        return ("Doe_Jane/broken.zip is left out.",)

    def notebook(self, student: str, index: int) -> Notebook:
        outputs = (Output(text="12345 says hello"),)
        return Notebook((Cell("markdown", "Jane\nDoe", outputs),), 0, ())

    def page(self, student: str, index: int, page: int, width: int) -> Picture:
        return encoded(np.full((400, 300, 3), 200, np.uint8))

    def lines(self, student: str, index: int, page: int) -> tuple[Line, ...]:
        return (Line("Student: Jane Doe", 0.1, 0.1, 0.5, 0.05), Line("Question 1.1", 0.1, 0.5, 0.5, 0.05))

    def place(self, student: str, question: str) -> Place | None:
        return None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    graded = replace(graded_class(tmp_path / "results", tuple(NAMES)), names=NAMES)
    with graded.open_marks() as store, store.transaction():
        (entry,) = [entry for entry in graded.rubric.entries() if entry.id == ITEM]
        mark = Mark(points=1, comment="Jane Doe forgot the prior.")
        store.add([Change("doejane_12345", ITEM, mark, entry.wording)], by="file", source="a file of marks")
    plan = Plan(("Ann", "Bob"), blind=True)
    with serving(graded, plan, Documents(TEXT)) as server:
        server.enter()
        yield server


def test_no_answer_of_the_server_names_a_student(server: Server) -> None:
    names = server.room.names
    shown = [names.shown(student) for student in NAMES]
    paths = ["/", "/agreement", "/question/1.1/next", "/answer/1.1/doejane_12345", "/answer/1.1/x"]
    paths += [f"/comments/{ITEM}?student={each}" for each in shown]
    paths += [f"/answer/{question}/{each}" for question in ("1.1", "1.9") for each in shown]
    paths += [f"/question/1.1/next?after={shown[0]}", f"/page/{shown[0]}/0/0/1300", "/page/doejane_12345/0/0/1300"]
    said = []
    for path in paths:
        _, text, headers = server.ask(path)
        said.append(text + json.dumps(headers))
    fields = {"student": names.shown("doejane_12345"), "item": ITEM, "seen": "1", "request": "r", "points": "2"}
    said += [server.ask("/mark", {**fields, "points": "9"})[1], server.ask("/mark", fields)[1]]
    said += [server.ask("/undo", {**fields, "item": "1.9-description"})[1]]
    said += [server.ask("/mark", {**fields, "request": "s"}, {"Accept": "text/html"})[2]["location"]]
    for text in said:
        found = [name for name in FORBIDDEN if re.search(rf"(?i)(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", text)]
        assert found == []
    assert any("return x.max()" in text for text in said), "what is no name is there"


def test_lines_of_a_page_that_name_a_student_are_black(server: Server) -> None:
    shown = server.room.names.shown("doejane_12345")
    pixels = np.asarray(Image.open(_picture(server, f"/page/{shown}/0/0/1300")).convert("L"))
    assert pixels[45, 60] == 0
    assert pixels[205, 60] == 200


def _picture(server: Server, path: str) -> io.BytesIO:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", path, headers={"Cookie": server.cookie})
    return io.BytesIO(connection.getresponse().read())


def test_a_comment_that_was_shown_with_hidden_names_keeps_them(server: Server) -> None:
    shown = server.room.names.shown("doejane_12345")
    page = server.ask(f"/answer/1.1/{shown}")[1]
    comment = re.search(r'<textarea name="comment"[^>]*>([^<]*)<', page)
    assert comment is not None
    assert comment[1] == "████ ███ forgot the prior."
    fields = {"student": shown, "item": ITEM, "seen": "1", "request": "r", "points": "2", "comment": comment[1]}
    assert server.ask("/mark", fields)[0] == 200
    (head,) = server.room.current("doejane_12345")[ITEM]
    assert head.mark == Mark(points=2, comment="Jane Doe forgot the prior.")
    changed = {**fields, "seen": str(head.id), "request": "s", "comment": f"Dear {comment[1]} Really."}
    assert server.ask("/mark", changed)[0] == 200
    (head,) = server.room.current("doejane_12345")[ITEM]
    assert head.mark == Mark(points=2, comment="Dear Jane Doe forgot the prior. Really.")
    status, text, _ = server.ask("/mark", {**changed, "seen": str(head.id), "request": "t", "comment": "█████████ hid"})
    assert (status, "holds hidden names" in text) == (422, True)


@pytest.mark.parametrize(
    ("student", "text", "hidden"),
    [
        ("doejane_12345", "Jane Doe", "████ ███"),
        ("doejane_12345", "by DOE, Jane (12345).", "by ███, ████ (█████)."),
        ("doejane_12345", "doejane@x.nl", "███████@x.nl"),
        ("doejane_12345", "JaneDoe's plane", "███████'s plane"),
        ("s7654321", "Soren Muller and Søren", "█████ ██████ and █████"),
        ("s7654321", "x = 7654321.0", "x = 7654321.0"),
        ("s7654321", "S7654321", "████████"),
        ("max", "the max of Max", "the ███ of ███"),
        ("li_wei", "the max of Max", "the max of Max"),
        ("li_wei", "Søren\n   Müller", "█████\n   ██████"),
        ("li_wei", "doejane and Jane Doe", "███████ and ████ ███"),
        ("li_wei", "Jane is not Doe", "Jane is not Doe"),
        ("s7654321", "Soeren Mueller", "██████ ███████"),
        ("li_wei", "", ""),
        ("li_wei", "li.py, Li's VAE and a li-chess", "██.py, ██'s VAE and a ██-chess"),
        ("li_wei", "half a li", "half a li"),
        ("s31415", "anna_jansen_vae.py", "████_██████_vae.py"),
        ("s31415", "class AnnaJansenVAE(Module): ...", "class ██████████VAE(Module): ..."),
        ("s31415", "VAEJansen, jansen2024, ajansen, jansenm", "VAE██████, ██████2024, ███████, ███████"),
        ("s31415", "anna.jansen@students.uni.example", "████.██████@students.uni.example"),
        ("s31415", "students of the uni; Maria Berg", "students of the uni; █████ Berg"),
        ("max", "with anna jansen, Jansen Maria", "with ████ ██████, ██████ █████"),
        ("max", "AnnaJansen said: van den heuvel, de berg", "██████████ said: van den heuvel, de berg"),
        ("max", "Jan Pieter van den Berg, Pieter Berg", "███ ██████ ███ ███ ████, ██████ ████"),
        ("s27182", "van den Berg is a part of it", "███ ███ ████ is a part of it"),
        ("s27182", "J. P. van_den_Berg, a part of den Haag", "█. █. ███_███_████, a part of den Haag"),
        ("s27182", "b_jan = p", "█_███ = p"),
        ("s7654321", unicodedata.normalize("NFD", "Søren Müller.py"), "█████ ███████.py"),
    ],
)
def test_names_are_hidden_and_other_words_are_not(student: str, text: str, hidden: str) -> None:
    names = Names(NAMES, Seal(bytes(32)), blind=True)
    assert names.hidden(text, student) == hidden


def test_a_name_on_two_lines_of_a_page_is_covered_on_both() -> None:
    names = Names(NAMES, Seal(bytes(32)), blind=True)
    page = encoded(np.full((400, 300, 3), 200, np.uint8))
    texts = ("my partner Jane", "Doe and I", "solved it")
    lines = [Line(text, 0.1, 0.1 + 0.2 * row, 0.5, 0.05) for row, text in enumerate(texts)]
    shown = names.page(page, lambda: lines, "max")
    pixels = np.asarray(Image.open(io.BytesIO(shown.png)).convert("L"))
    assert [int(pixels[int(400 * (0.125 + 0.2 * row)), 60]) for row in range(3)] == [0, 0, 200]


def test_pseudonyms_say_nothing_and_are_the_same_each_time() -> None:
    class_ = {f"s{number:03}": f"s{number:03}" for number in range(120)}
    one, again = (Names(class_, Seal(bytes(32)), blind=True) for _ in range(2))
    shown = [one.shown(student) for student in class_]
    assert shown == [again.shown(student) for student in class_]
    assert len(set(shown)) == len(class_)
    assert shown != sorted(shown)
    assert [one.student(each) for each in shown] == list(class_)
    assert shown != [Names(class_, Seal(bytes([1]) * 32), blind=True).shown(student) for student in class_]
