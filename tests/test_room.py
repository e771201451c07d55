"""The marking room's server: what it stores, and whom it lets in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gengrade.marks import Change, EventKind, Mark
from gengrade.room.documents import DocumentProblem, HandedIn, Notebook, Picture, Program
from gengrade.room.work import State, Work
from gengrade.rubric import Criterion
from tests.support.room import STUDENTS, NoDocuments, Server, graded_class, serving

ITEM = "1.1-sampling"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(graded_class(tmp_path / "results")) as server:
        server.enter()
        yield server


def _mark(server: Server, seen: str = "", request: str = "r1", **fields: object) -> tuple[int, dict[str, Any]]:
    status, text, _ = server.ask("/mark", {"student": "ada", "item": ITEM, "seen": seen, "request": request, **fields})
    return status, json.loads(text)


def test_a_mark_is_stored_and_every_page_follows(server: Server) -> None:
    status, told = _mark(server, criteria=["decoder"], judged=1, comment="And the prior?")
    assert (status, told["state"]) == (200, "marked")
    ((head,),) = [told["heads"]]
    assert (head["points"], head["criteria"], head["by"]) == (2, ["decoder"], "Tim")
    page = server.ask("/answer/1.1/ada")[1]
    assert re.search(r'value="decoder"[^>]* checked', page)
    assert "And the prior?" in page
    server.room.refresh()
    assert server.room.grade("ada").points == 22
    report = (server.room.graded.out / "ada" / "report.html").read_text()
    assert "And the prior?" in report
    assert '"by":"Tim"' in (server.room.graded.out / "ada" / "grade.json").read_text().replace(" ", "")
    assert "1 of 3" not in server.ask("/")[1]


def test_the_class_page_counts_and_continue_brings_the_next_open_answer(server: Server) -> None:
    order = server.room.work.order("1.1", "Tim")
    assert sorted(order) == list(STUDENTS)
    for number, student in enumerate(order):
        status, _, headers = server.ask("/question/1.1/next")
        assert (status, headers["location"]) == (303, f"/answer/1.1/{student}")
        server.ask("/mark", {"student": student, "item": ITEM, "seen": "", "request": f"r{number}", "points": "1"})
    assert server.ask("/question/1.1/next")[2]["location"] == "/#1.1"
    page = server.ask("/")[1]
    assert "Tim 3" in page
    assert "Look again" in page


def test_the_order_differs_between_questions_and_markers(tmp_path: Path) -> None:
    graded = graded_class(tmp_path, [f"s{number}" for number in range(12)])
    with serving(graded) as server:
        work = server.room.work
    orders = {work.order(question, marker) for question in ("1.1", "1.9") for marker in ("Ann", "Bob")}
    assert len(orders) == 4
    assert len({tuple(sorted(order)) for order in orders}) == 1


def test_a_repeated_request_marks_once(server: Server) -> None:
    first, second = _mark(server, points="2"), _mark(server, points="2")
    assert first == second
    assert len(server.room.current("ada")[ITEM]) == 1


def test_a_stale_page_loses_nothing(server: Server) -> None:
    _, told = _mark(server, points="1")
    seen = str(told["heads"][0]["id"])
    _mark(server, seen, "r2", points="2")
    status, told = _mark(server, seen, "r3", points="3", comment="All.")
    assert (status, told["state"]) == (200, "in conflict")
    page = server.ask("/answer/1.1/ada")[1]
    assert "There are several marks" in page
    assert "All." in page
    both = " ".join(str(head["id"]) for head in told["heads"])
    assert _mark(server, both, "r4", points="2.5")[1]["state"] == "marked"


def test_nothing_said_withdraws_and_undo_brings_back(server: Server) -> None:
    _, told = _mark(server, points="1")
    seen = str(told["heads"][0]["id"])
    assert _mark(server, seen, "r2", points="", comment=" ")[1]["state"] == "open"
    status, text, _ = server.ask("/undo", {"student": "ada", "item": ITEM})
    assert (status, json.loads(text)["heads"][0]["points"]) == (200, 1)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"points": "4"}, "exceed its maximum"),
        ({"points": "2,5"}, "write 2.5"),
        ({"points": "1e309"}, "are not points"),
        ({"points": "-1"}, "are not points"),
        ({"points": "nan"}, "are not points"),
        ({"criteria": "other", "judged": 1}, "no criterion"),
        ({"criteria": "prior", "judged": 1, "points": "3"}, "add up to 1 and not to 3"),
        ({"student": "eve", "points": "1"}, "no such student"),
        ({"item": "vae.nothing", "points": "1"}, "no such student or item"),
        ({"seen": "77", "points": "1"}, "load it again"),
        ({"seen": "x", "points": "1"}, "cannot be understood"),
        ({"student": ["ada", "bob"], "points": "1"}, "does not say which student"),
        ({"comment": "x" * 300_000, "points": "1"}, "too long"),
        ({f"more{number}": "x" for number in range(300)}, "too long"),
    ],
)
def test_what_cannot_be_stored_is_refused_in_words(fields: dict[str, object], problem: str, server: Server) -> None:
    sent = {"student": "ada", "item": ITEM, "seen": "", "request": "r", **fields}
    status, text, _ = server.ask("/mark", sent)
    assert status == 422
    assert problem in json.loads(text)["problem"]
    assert server.room.current("ada") == {}


def test_comments_are_offered_again_with_what_they_cost(server: Server) -> None:
    for number, (student, points, comment) in enumerate(
        [("ada", "1", "Which prior?"), ("bob", "2", "Which prior?"), ("cyd", "3", "Good.")]
    ):
        fields = {"student": student, "item": ITEM, "seen": "", "request": str(number), "points": points}
        server.ask("/mark", {**fields, "comment": comment})
    told = json.loads(server.ask(f"/comments/{ITEM}?student=ada")[1])
    assert told == [
        {"text": "Which prior?", "number": 2, "points": 1.5},
        {"text": "Good.", "number": 1, "points": 3.0},
    ]
    for nothing in ("nothing?student=ada", f"{ITEM}?student=eve", ITEM):
        assert json.loads(server.ask(f"/comments/{nothing}")[1]) == []


def test_a_form_without_script_works_as_well(server: Server) -> None:
    page = server.ask("/answer/1.1/ada")[1]
    form = page[page.index("<form") : page.index("</form>")]
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)">', form))  # none that is disabled
    status, _, headers = server.ask("/mark", {**fields, "points": "", "criteria": "prior"}, {"Accept": "text/html"})
    assert (status, headers["location"]) == (303, "/answer/1.1/ada")
    assert server.room.current("ada")[ITEM][0].mark == Mark(points=1, criteria=("prior",))


def test_a_changed_wording_is_shown_with_both_texts(tmp_path: Path) -> None:
    graded = graded_class(tmp_path)
    with serving(graded) as server:
        server.enter()
        _mark(server, points="2")
    with serving(graded_class(tmp_path, wording="in the wrong order")) as server:
        server.enter()
        page = server.ask("/answer/1.1/ada")[1]
        assert "in the right order" in page
        assert "in the wrong order" in page
        (head,) = server.room.current("ada")[ITEM]
        assert server.room.work.state("ada", "1.1", server.room.heads()) is State.CONFIRM
        assert _mark(server, str(head.id), "again", points="2")[1]["state"] == "marked"


def test_a_mark_for_earlier_files_waits_for_a_look_at_the_new_ones(tmp_path: Path) -> None:
    with serving(graded_class(tmp_path, content="sha256:1")) as server:
        server.enter()
        assert _mark(server, points="2")[1]["state"] == "marked"
    with serving(graded_class(tmp_path, content="sha256:2")) as server:
        server.enter()
        assert server.room.work.state("ada", "1.1", server.room.heads()) is State.CONFIRM
        (head,) = server.room.current("ada")[ITEM]
        assert "before the student handed in again" in server.ask("/answer/1.1/ada")[1]
        assert _mark(server, str(head.id), "again", points="2")[1]["state"] == "marked"
        (head,) = server.room.current("ada")[ITEM]
        assert (head.kind, head.content) == (EventKind.CONFIRMATION, "sha256:2")
        assert "before the student handed in again" not in server.ask("/answer/1.1/ada")[1]
        server.room.refresh()
        assert {item.id: item.points for item in server.room.grade("ada").items}[ITEM] == 2


def test_a_mark_whose_criteria_are_gone_is_confirmed_with_its_points(tmp_path: Path) -> None:
    """The sum of those that are left is another one; whoever confirms need not say why."""
    with serving(graded_class(tmp_path)) as server:
        server.enter()
        (entry,) = [entry for entry in server.room.graded.rubric.entries() if entry.id == ITEM]
        third = Criterion(id="third", text="a third", points=1)
        wording = entry.wording.model_copy(update={"criteria": (*entry.wording.criteria, third)})
        with server.room.stored() as store, store.transaction():
            store.add(
                [Change("ada", ITEM, Mark(points=3, criteria=("decoder", "third")), wording)], by="Ann", source="x"
            )
        page = server.ask("/answer/1.1/ada")[1]
        form = page[page.index("<form") : page.index("</form>")]
        fields: dict[str, Any] = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)">', form))
        points = re.search(r'name="points"[^>]* value="([^"]*)"', form)
        assert points is not None
        fields |= {"points": points[1], "comment": "", "criteria": ["decoder"]}
        status, text, _ = server.ask("/mark", fields)
        assert status == 200, text
        (head,) = server.room.current("ada")[ITEM]
        assert (head.mark, head.kind) == (Mark(points=3, criteria=("decoder",)), EventKind.CONFIRMATION)
        assert json.loads(text)["state"] == "marked"


def test_an_invalid_mark_is_answered_with_a_page_where_there_is_no_script(server: Server) -> None:
    fields = {"student": "ada", "item": ITEM, "seen": "", "request": "r", "points": "1,5", "comment": "Typed."}
    status, text, _ = server.ask("/mark", fields, {"Accept": "text/html"})
    assert status == 422
    assert "write 1.5" in text
    assert "Typed." in text
    assert 'href="/answer/1.1/ada"' in text


def test_an_automatic_item_waits_for_a_person_only_where_it_is_pending(server: Server) -> None:
    assert isinstance(server.room.work, Work)
    assert [entry.id for entry in server.room.work.entries("ada", "1.9")] == ["1.9-description"]
    assert server.room.work.entries("ada", "2.3") == ()


# --- who gets in ---------------------------------------------------------------------------------------------------


def test_only_the_printed_address_lets_somebody_in_and_only_once(tmp_path: Path) -> None:
    with serving(graded_class(tmp_path)) as server:
        address = server.address_for("Tim")
        script = server.pages.static.address("room.js")
        for path in ("/", "/answer/1.1/ada", script, f"/comments/{ITEM}", "/page/ada/0/0/1300"):
            status, text, headers = server.ask(path)
            assert status == 403, path
            assert "ada" not in text
            assert "set-cookie" not in headers
        assert server.ask("/enter?token=guess")[0] == 403
        assert server.ask("/enter")[0] == 403
        status, _, headers = server.ask(address)
        assert status == 303
        assert {"httponly", "samesite=strict"} <= set(headers["set-cookie"].lower().split("; "))
        assert server.ask(address)[0] == 403, "somebody who reads it later does not get in"
        assert server.ask("/", headers={"Cookie": f"gengrade_room_{server.port}=None"})[0] == 403


def test_a_name_that_points_here_does_not_reach_the_server(server: Server) -> None:
    for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1", "", f"localhost.:{server.port}"):
        assert server.ask("/", headers={"Host": host})[0] in (400, 421), host
    assert server.ask("/", headers={"Host": f"localhost:{server.port}"})[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_other_pages_cannot_mark(headers: dict[str, str], server: Server) -> None:
    fields = {"student": "ada", "item": ITEM, "seen": "", "request": "r", "points": "3"}
    assert server.ask("/mark", fields, headers)[0] == 403
    assert server.room.current("ada") == {}
    assert server.ask("/mark?student=ada&points=3")[0] == 405, "and nothing is changed by following a link"


def test_every_answer_says_what_its_page_may_do(server: Server) -> None:
    script = server.pages.static.address("room.js")
    for path in ("/", "/answer/1.1/ada", "/nothing", script, "/static/..%2f..%2fapp.py"):
        _, text, headers = server.ask(path)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == ("private, max-age=31536000, immutable" if path == script else "no-store")
        assert "import" not in text or path == script


def test_browsers_keep_the_style_and_the_script_at_addresses_of_their_content(server: Server) -> None:
    page = server.ask("/")[1]
    for name in ("room.css", "room.js"):
        address = server.pages.static.address(name)
        assert f'"{address}"' in page
        assert server.ask(address)[0] == 200
        assert server.ask(f"/static/{'0' * 16}/{name}")[0] == 404, "else an old page would keep what is new"


@pytest.mark.parametrize(
    "path",
    [
        *("/answer/1.1/eve", "/answer/9.9/ada", "/answer/1.1/..%2f..", "/question/9.9/next", "/static/rubric.yaml"),
        *("/page/ada/0/0/7", "/page/eve/0/0/1300", "/page/..%2fada/0/0/1300", "/page/ada/-1/0/1300", "/cell/eve/0/0"),
    ],
)
def test_what_is_not_there_is_no_file_of_ours(path: str, server: Server) -> None:
    status, text, headers = server.ask(path)
    assert status in (303, 404)
    assert headers.get("location", "/#9.9") == "/#9.9"
    assert len(text) < 200


def test_what_students_write_is_text(tmp_path: Path) -> None:
    hostile = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>\u202e"
    with serving(graded_class(tmp_path, ["ada"]), documents=NoDocuments(hostile)) as server:
        server.enter()
        page = server.ask("/answer/1.1/ada")[1]
    assert page.count("<script") == 1, "our own"
    assert "&lt;script&gt;alert(1)" in page
    assert "\u202e" not in page
    assert "onerror=alert" in page.replace("&lt;", "")


def test_marks_of_a_room_are_those_of_the_store(tmp_path: Path) -> None:
    graded = graded_class(tmp_path)
    with serving(graded) as server:
        server.enter()
        _mark(server, points="2")
    with graded.open_marks() as store:
        (event,) = store.history("ada", ITEM)
    assert (event.by, event.source) == ("Tim", "marking room")


class _Remembering(NoDocuments):
    """Stands for documents of which it is remembered what was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def files(self, student: str) -> tuple[HandedIn, ...]:
        kinds = ("pdf", "picture", "notebook", "program", "text")
        return tuple(
            HandedIn(i, f"file.{kind}", kind, 1 if kind == "pdf" else None, "", 1) for i, kind in enumerate(kinds)
        )

    def render_ahead(self, student: str, index: int, pages: Iterable[int], width: int) -> None:
        self.asked |= {"pdf" for _ in pages}

    def picture(self, student: str, index: int, width: int) -> Picture:
        self.asked.add("picture")
        raise DocumentProblem("It is damaged.")

    def notebook(self, student: str, index: int) -> Notebook:
        self.asked.add("notebook")
        return Notebook((), 0, ())

    def program(self, student: str, index: int) -> Program:
        self.asked.add("program")
        return Program("a = 1")

    def text(self, student: str, index: int) -> str:
        self.asked.add("text")
        return "an answer"


def test_all_that_a_page_shows_first_is_made_ahead(tmp_path: Path) -> None:
    documents = _Remembering()
    with serving(graded_class(tmp_path), documents=documents) as server:
        server.pages.warm()
    assert documents.asked == {"pdf", "picture", "notebook", "program", "text"}
