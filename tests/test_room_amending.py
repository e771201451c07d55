"""The marking room's pages on which criteria and comments are changed for all students at once."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gengrade.choices import Assignment
from gengrade.marks import Mark
from gengrade.marks import amendments as amending
from gengrade.places import WORK
from gengrade.room.handing import Plan, Role
from gengrade.room.work import State
from tests.support.room import Server, graded_class, serving

ITEM = "1.1-sampling"
MARK = {"item": ITEM, "seen": ""}
LESS = {"item": ITEM, "student": "ada", "criterion": "decoder", "text": "the decoder", "points": "2.5"}
ADDED = {"item": ITEM, "student": "ada", "text": "the order", "points": "1"}
HOSTILE = '"><script>alert(1)</script>{{ 7 * 7 }}\u202e'


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(graded_class(tmp_path / "results")) as server:
        server.enter()
        yield server


def _give(server: Server, student: str, seen: str = "", **fields: object) -> None:
    sent = {**MARK, "student": student, "seen": seen, "request": f"{student}{seen}", "judged": 1, **fields}
    assert server.ask("/mark", sent)[0] == 200


def _mark(server: Server, student: str) -> Mark | None:
    (head,) = server.room.current(student)[ITEM]
    return head.mark


def _form(page: str, action: str) -> dict[str, str]:
    """Return the hidden fields of the page's form that is sent there, as a browser without script would."""
    form = next(form for form in re.findall(r"<form.*?</form>", page, re.DOTALL) if f'action="{action}"' in form)
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form)
    return {name: html.unescape(value) for name, value in found}


def _preview(server: Server, fields: dict[str, str], kind: str = "criteria") -> tuple[str, dict[str, str]]:
    status, page, _ = server.ask(f"/{kind}/preview", fields, {"Accept": "text/html"})
    assert status == 200, page
    return page, _form(page, f"/{kind}/apply")


def _apply(server: Server, fields: dict[str, str], kind: str = "criteria") -> str:
    """Preview and apply a change; return the path of the page that tells what it did."""
    status, page, headers = server.ask(f"/{kind}/apply", _preview(server, fields, kind)[1], {"Accept": "text/html"})
    assert status == 303, page
    return headers["location"]


def _cells(page: str) -> list[list[str]]:
    rows = re.findall(r'<tr><th scope="row">(.*?)</tr>', page)
    return [[re.sub(r"<.*?>", "", cell) for cell in re.split(r"</t[hd]>", row)][:-1] for row in rows]


def test_who_changes_is_shown_before_it_is_applied_and_everything_follows(server: Server) -> None:
    _give(server, "ada", criteria="decoder")
    _give(server, "bob", criteria="decoder", points="1.5", comment="Half of it.")
    page, fields = _preview(server, LESS)
    assert _cells(page) == [["ada", "2", "2.5", ""], ["bob", "1.5", "1.5", "given by hand; they stay"]]
    assert "1 mark gets other points, 0 keep their points, and 1 keeps points that were given by hand." in page
    assert _mark(server, "ada") == Mark(points=2, criteria=("decoder",))
    status, _, headers = server.ask("/criteria/apply", fields)
    assert (status, headers["location"]) == (303, "/changes/1?student=ada")
    assert _mark(server, "ada") == Mark(points=2.5, criteria=("decoder",))
    assert _mark(server, "bob") == Mark(points=1.5, criteria=("decoder",), comment="Half of it.")
    page = server.ask("/answer/1.1/ada")[1]
    assert "+2.5" in page
    assert "was marked for an earlier wording" not in page
    assert server.room.work.state("ada", "1.1", server.room.heads()) is State.MARKED
    server.room.refresh()
    report = (server.room.graded.out / "ada" / "report.html").read_text()
    assert "2.5 of 2.5" in report
    assert server.room.grade("ada").points == 22.5
    page = server.ask(headers["location"])[1]
    assert _cells(page) == [["ada", "2", "2.5"], ["bob", "1.5", "1.5"]]
    assert "“the decoder” (+2) became “the decoder” (+2.5)" in page.lower()


def test_an_added_criterion_is_there_for_everybody_and_met_by_nobody(server: Server) -> None:
    _give(server, "ada", criteria="decoder")
    _apply(server, ADDED)
    page = server.ask("/answer/1.1/bob")[1]
    assert 'name="criteria" value="order"' in page
    assert _mark(server, "ada") == Mark(points=2, criteria=("decoder",))
    _give(server, "bob", criteria=["decoder", "order"])
    assert _mark(server, "bob") == Mark(points=3, criteria=("decoder", "order"))


def test_a_criterion_is_removed_for_everybody(server: Server) -> None:
    _apply(server, {**ADDED, "points": "2"})
    _give(server, "ada", criteria="decoder")
    page, fields = _preview(server, {"item": ITEM, "student": "ada", "criterion": "decoder", "remove": "yes"})
    assert "The criterion “the decoder” (+2) is removed." in page.replace("The decoder", "the decoder")
    assert _cells(page) == [["ada", "2", "0", ""]]
    assert server.ask("/criteria/apply", fields, {"Accept": "text/html"})[0] == 303
    assert _mark(server, "ada") == Mark(points=0, criteria=())
    assert 'name="criteria" value="decoder"' not in server.ask("/answer/1.1/bob")[1]


def test_a_new_text_leaves_nothing_to_confirm(server: Server) -> None:
    _give(server, "ada", criteria="decoder")
    _apply(server, {**LESS, "text": "the decoder p(x|z)", "points": "2"})
    assert server.room.work.state("ada", "1.1", server.room.heads()) is State.MARKED
    assert _mark(server, "ada") == Mark(points=2, criteria=("decoder",))
    assert "the decoder p(x|z)" in server.ask("/answer/1.1/bob")[1].lower()


def test_a_change_is_taken_back_as_a_whole(server: Server) -> None:
    _give(server, "ada", criteria="decoder")
    _give(server, "bob", criteria="decoder")
    place = _apply(server, LESS)
    (head,) = server.room.current("bob")[ITEM]
    _give(server, "bob", str(head.id), criteria="prior")
    assert "change 1 for all students" in server.ask("/undo", {"student": "ada", "item": ITEM})[1]
    page = server.ask(place)[1]
    assert "bob: it was marked since" in page
    fields = _form(page, "/changes/undo")
    places = {server.ask("/changes/undo", fields)[2]["location"] for _ in range(2)}
    assert places == {"/changes/2?student=ada"}
    assert _mark(server, "ada") == Mark(points=2, criteria=("decoder",))
    assert _mark(server, "bob") == Mark(points=1, criteria=("prior",))
    assert server.room.work.state("bob", "1.1", server.room.heads()) is State.CONFIRM
    page = server.ask(place)[1]
    assert "It was taken back" in page
    assert "Undo this change" not in page
    assert server.ask("/changes/undo", {**fields, "request": "another"})[0] == 422
    assert server.ask("/changes")[1].count("<li>") == 2


def test_a_stale_preview_is_shown_anew(server: Server) -> None:
    _give(server, "ada", criteria="decoder")
    _, fields = _preview(server, LESS)
    _give(server, "bob", criteria="decoder")
    status, page, _ = server.ask("/criteria/apply", fields)
    assert status == 409
    assert "have changed meanwhile" in page
    assert [row[0] for row in _cells(page)] == ["ada", "bob"]
    assert _mark(server, "ada") == Mark(points=2, criteria=("decoder",))
    assert server.ask("/criteria/apply", _form(page, "/criteria/apply"))[0] == 303
    assert _mark(server, "bob") == Mark(points=2.5, criteria=("decoder",))


def test_a_repeated_request_applies_once(server: Server) -> None:
    _give(server, "ada", criteria="decoder")
    _, fields = _preview(server, ADDED)
    answers = [server.ask("/criteria/apply", fields) for _ in range(2)]
    assert [(status, headers["location"]) for status, _, headers in answers] == [(303, "/changes/1?student=ada")] * 2
    assert len(server.room.work.items[ITEM].wording.criteria) == 3


def test_a_conflict_is_left_alone_and_named(server: Server) -> None:
    _give(server, "ada", criteria="prior")
    server.room.mark("ada", ITEM, Mark(points=2), [], "elsewhere", by="Ann")
    page, fields = _preview(server, LESS)
    assert "ada: several marks are in conflict" in page
    assert server.ask("/criteria/apply", fields)[0] == 303
    assert len(server.room.current("ada")[ITEM]) == 2
    assert "did not change: ada" in server.ask("/changes/1")[1]


def test_a_page_from_before_a_change_marks_for_what_it_showed(server: Server) -> None:
    page = server.ask("/answer/1.1/bob")[1]
    (wording,) = re.findall(r'name="wording" value="(\w+)"', page)[:1]
    _apply(server, LESS)
    _give(server, "bob", criteria="decoder", wording=wording)
    assert _mark(server, "bob") == Mark(points=2, criteria=("decoder",))
    assert server.room.work.state("bob", "1.1", server.room.heads()) is State.CONFIRM
    assert "Its criteria were: “the prior” (+1); “the decoder” (+2)." in server.ask("/answer/1.1/bob")[1]
    server.room.refresh()
    (item,) = server.room.grade("bob").open_marks
    assert "was given for other criteria: “the prior” (+1); “the decoder” (+2). Now they are" in (item.cause or "")
    _give(server, "cyd", criteria="decoder", wording="0123")
    assert _mark(server, "cyd") == Mark(points=2.5, criteria=("decoder",))


@pytest.mark.parametrize(
    ("path", "fields", "problem"),
    [
        ("/criteria/preview", {**LESS, "points": "2,5"}, "write 2.5"),
        ("/criteria/preview", {**LESS, "points": "1"}, "would add up to 2 points"),
        ("/criteria/preview", {**LESS, "points": "nan"}, "at most two decimals"),
        ("/criteria/preview", {**LESS, "text": " "}, "needs a text"),
        ("/criteria/preview", {**LESS, "item": "nothing"}, "no item"),
        ("/criteria/preview", {**LESS, "item": ["a", "b"]}, "does not say which item"),
        ("/criteria/preview", {"item": ITEM}, "does not say which text"),
        ("/criteria/apply", LESS, "does not say which digest"),
        ("/comment/preview", {"item": ITEM, "before": "x", "comment": "y"}, "nobody has this comment"),
        ("/changes/undo", {"number": "1", "request": "r"}, "there is no change 1"),
        ("/changes/undo", {"number": "x", "request": "r"}, "cannot be understood"),
        ("/criteria/preview", {**LESS, "text": "x" * 300_000}, "too long"),
        ("/criteria/preview", {**LESS, "more": ["x"] * 300}, "cannot be understood"),
    ],
)
def test_what_cannot_be_changed_is_said_on_a_page(
    path: str, fields: dict[str, object], problem: str, server: Server
) -> None:
    status, page, headers = server.ask(path, fields, {"Accept": "text/html"})
    assert (status, headers["content-type"]) == (422, "text/html; charset=utf-8")
    assert problem.lower() in html.unescape(page).lower()
    assert "Nothing was changed" in page


def test_hostile_texts_stay_texts_on_every_page(server: Server) -> None:
    _give(server, "ada", criteria="decoder", comment=HOSTILE)
    places = [_apply(server, {**ADDED, "text": HOSTILE}), _apply(server, {**LESS, "text": HOSTILE})]
    page = server.ask(f"/comments/{ITEM}/change?student=ada")[1]
    (key,) = re.findall(r'name="before" value="(\w+)"', page)
    sent = {"item": ITEM, "student": "ada", "before": key, "comment": f"{HOSTILE}!"}
    shown = [page, _preview(server, sent, "comment")[0], _preview(server, {**ADDED, "text": HOSTILE})[0]]
    places.append(_apply(server, sent, "comment"))
    refused = server.ask("/criteria/preview", {**ADDED, "text": HOSTILE, "points": HOSTILE}, {"Accept": "text/html"})
    server.room.refresh()
    shown += [refused[1], (server.room.graded.out / "ada" / "report.html").read_text()]
    shown += [server.ask(place)[1] for place in (*places, "/changes", "/answer/1.1/ada", "/")]
    shown += [server.ask(f"/changes?item={place}&student={place}")[1] for place in ("%22%3E%3Cscript%3E",)]
    for page in shown:
        assert "<script>" not in page
        assert "onerror" not in page
        assert "\u202e" not in re.sub(r'(?:value="[^"]*"|<textarea.*?</textarea>)', "", page, flags=re.DOTALL)
        assert "49" not in re.findall(r"alert\(1\).{0,40}", page), "no text is a template"
    assert "{{ 7 * 7 }}" in html.unescape(server.ask(places[0])[1])


def test_a_comment_changes_for_all_who_have_it_and_back(server: Server) -> None:
    for student in ("ada", "bob"):
        _give(server, student, criteria="decoder", comment="Which prior?\nSay so.")
    _give(server, "cyd", criteria="decoder", comment="Which prior?")
    page = server.ask(f"/comments/{ITEM}/change?student=ada")[1]
    (key,) = re.findall(r'name="before" value="(\w+)" required checked', page)
    assert re.search(r"<textarea[^>]*>Which prior\?\nSay so\.</textarea>", page)
    sent = {"item": ITEM, "student": "ada", "before": key, "comment": "Name the prior.\r\nPlease."}
    page, fields = _preview(server, sent, "comment")
    assert [row[0] for row in _cells(page)] == ["ada", "bob"]
    assert "for 2 students" in page
    place = server.ask("/comment/apply", fields)[2]["location"]
    for student in ("ada", "bob"):
        assert _mark(server, student) == Mark(points=2, criteria=("decoder",), comment="Name the prior.\nPlease.")
    assert _mark(server, "cyd") == Mark(points=2, criteria=("decoder",), comment="Which prior?")
    server.room.refresh()
    assert "Name the prior." in (server.room.graded.out / "bob" / "report.html").read_text()
    server.ask("/changes/undo", _form(server.ask(place)[1], "/changes/undo"))
    for student in ("ada", "bob"):
        assert _mark(server, student) == Mark(points=2, criteria=("decoder",), comment="Which prior?\nSay so.")
    assert server.ask("/comments/nothing/change")[0] == 422


def test_a_page_that_was_loaded_before_a_change_for_all_does_not_bring_the_old_comment_back(server: Server) -> None:
    for student in ("ada", "bob", "cyd"):
        _give(server, student, criteria="decoder", comment="Which prior?")
    old = {student: _form(server.ask(f"/answer/1.1/{student}")[1], "/mark") for student in ("ada", "bob", "cyd")}
    page = server.ask(f"/comments/{ITEM}/change?student=ada")[1]
    (key,) = re.findall(r'name="before" value="(\w+)" required checked', page)
    sent = {"item": ITEM, "student": "ada", "before": key, "comment": "Name the prior."}
    server.ask("/comment/apply", _preview(server, sent, "comment")[1])
    assert server.ask("/mark", {**old["ada"], "criteria": "prior", "comment": "Which prior?"})[0] == 200
    assert server.ask("/mark", {**old["bob"], "criteria": "decoder", "comment": "Which prior, Bob?"})[0] == 200
    assert server.ask("/mark", {**old["cyd"], "criteria": "decoder", "comment": ""})[0] == 200
    assert _mark(server, "ada") == Mark(points=1, criteria=("prior",), comment="Name the prior.")
    assert _mark(server, "bob") == Mark(points=2, criteria=("decoder",), comment="Which prior, Bob?")
    assert _mark(server, "cyd") == Mark(points=2, criteria=("decoder",))


def test_the_room_follows_a_change_by_a_command_and_a_rubric_that_changed_later(tmp_path: Path) -> None:
    graded = graded_class(tmp_path)
    with serving(graded) as server:
        server.enter()
        _give(server, "ada", criteria="decoder")
        _apply(server, LESS)
        with graded.open_marks() as store:
            amending.undo(store, graded.rubric, 1, by="Ann", source="gengrade marks")
        assert "+2.5" not in server.ask("/answer/1.1/ada")[1]
        _apply(server, LESS)
    with serving(graded_class(tmp_path, wording="in the wrong order")) as server:
        server.enter()
        for path in ("/", "/answer/1.1/ada"):
            assert "changes do not count any more" in server.ask(path)[1]
        assert server.room.work.state("ada", "1.1", server.room.heads()) is State.CONFIRM
        assert "+2.5" not in server.ask("/answer/1.1/bob")[1]
        server.ask("/changes/undo", _form(server.ask("/changes/3")[1], "/changes/undo"))
        assert "do not count" not in server.ask("/")[1]


def test_a_change_that_cannot_be_taken_back_says_why(server: Server) -> None:
    _apply(server, LESS)
    _apply(server, {**LESS, "points": "2.25"})
    assert "changed again after change 1: take the newest change back first" in html.unescape(
        server.ask("/changes/1")[1]
    )
    assert "It cannot be taken back" not in server.ask("/changes/2")[1]
    server.ask("/changes/undo", _form(server.ask("/changes/2")[1], "/changes/undo"))
    assert "change 3 takes change 2 back" in server.ask("/changes/3")[1]
    assert "It cannot be taken back" not in server.ask("/changes/2")[1], "it was"


def test_three_changes_are_taken_back_one_after_the_other(server: Server) -> None:
    _give(server, "ada", criteria="decoder")
    for number in range(3):
        _apply(server, {**ADDED, "text": f"the order, number {number}"})
    for number in (3, 2, 1):
        page = server.ask(f"/changes/{number}")[1]
        assert "1 mark becomes what it was before" in page, number
        assert "it was marked since" not in page
        server.ask("/changes/undo", _form(page, "/changes/undo"))
    assert _mark(server, "ada") == Mark(points=2, criteria=("decoder",))
    assert server.room.work.state("ada", "1.1", server.room.heads()) is State.MARKED


def test_the_room_says_that_the_class_was_graded_again(tmp_path: Path) -> None:
    graded = graded_class(tmp_path)
    record = graded.out / WORK / "class.json"
    record.parent.mkdir(exist_ok=True)
    record.write_bytes(b"this run")
    with serving(replace(graded, record=b"this run")) as server:
        server.enter()
        for path in ("/", "/answer/1.1/ada"):
            assert "graded again" not in server.ask(path)[1]
        record.write_bytes(b"another run")
        for path in ("/", "/answer/1.1/ada"):
            assert "graded again since this room was opened" in server.ask(path)[1]


def test_nobody_else_changes_anything(server: Server) -> None:
    _, fields = _preview(server, LESS)
    for headers in ({"Cookie": ""}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        for path in ("/criteria/preview", "/criteria/apply", "/comment/apply", "/changes/undo"):
            assert server.ask(path, fields, headers)[0] == 403
    assert server.ask("/criteria/apply")[0] == 405
    assert server.room.work.items[ITEM].wording.criteria[1].points == 2


# --- several markers, second marks and pseudonyms ------------------------------------------------------------------


def test_a_mark_keeps_its_marker_and_the_change_says_who_made_it(tmp_path: Path) -> None:
    with serving(graded_class(tmp_path), Plan(("Ann", "Bob"))) as server:
        server.room.mark("ada", ITEM, Mark(points=2, criteria=("decoder",)), [], "r", by="Ann")
        fields = _form(server.ask("/criteria/preview", LESS, by="Bob")[1], "/criteria/apply")
        assert server.ask("/criteria/apply", fields, by="Bob")[0] == 303
        (head,) = server.room.current("ada")[ITEM]
        assert (head.by, head.source) == ("Ann", "change 1 by Bob")
        assert "Bob, " in server.ask("/changes/1", by="Ann")[1]
        assert "Ann 1" in server.ask("/", by="Bob")[1]
        waiting = server.room.handing.next("1.1", "Bob", server.room.heads())
        assert waiting != "ada", "it is marked, by the criteria as they are now"


def test_marks_that_were_given_twice_are_left_alone_and_named(tmp_path: Path) -> None:
    with serving(graded_class(tmp_path), Plan(("Ann", "Bob"), second=1.0)) as server:
        mark = Mark(points=2, criteria=("decoder",))
        server.room.mark("ada", ITEM, mark, [], "r", by="Ann")
        server.room.mark("ada", ITEM, mark, [], "s", by="Bob", role=Role.SECOND)
        server.room.mark("bob", ITEM, mark, [], "t", by="Ann")
        page = server.ask("/criteria/preview", LESS, by="Ann")[1]
        assert "ada: a second person marked it as well" in page
        assert [row[0] for row in _cells(page)] == ["bob"]
        assert server.ask("/criteria/apply", _form(page, "/criteria/apply"), by="Ann")[0] == 303
        assert server.room.work.state("ada", "1.1", server.room.heads()) is State.CONFIRM
        (head,) = server.room.current("bob")[ITEM]
        server.room.mark("bob", ITEM, head.mark, [], "u", by="Bob", role=Role.SECOND)
        page = server.ask("/changes/1", by="Ann")[1]
        assert "bob: a second person marked it as well" in page
        server.ask("/changes/undo", _form(page, "/changes/undo"), by="Ann")
        assert _mark(server, "bob") == Mark(points=2.5, criteria=("decoder",))


@pytest.mark.parametrize(
    "plan", [Plan(("Ann", "Bob"), second=0.5), Plan(("Ann", "Bob"), Assignment.STUDENT)], ids=["second", "student"]
)
def test_who_must_not_see_what_others_got_changes_nothing_for_all(plan: Plan, tmp_path: Path) -> None:
    with serving(graded_class(tmp_path), plan) as server:
        server.room.mark("ada", ITEM, Mark(points=2, criteria=("decoder",)), [], "r", by="Ann")
        page = server.ask("/criteria/preview", LESS, by="Ann")[1]
        assert server.ask("/criteria/apply", _form(page, "/criteria/apply"), by="Bob")[0] == 422
        assert server.ask("/criteria/apply", _form(page, "/criteria/apply"), by="Ann")[0] == 303
        for path, fields in (
            ("/criteria/preview", LESS),
            ("/changes", None),
            ("/changes/1", None),
            (f"/comments/{ITEM}/change", None),
            ("/changes/undo", {"number": "1", "request": "r"}),
        ):
            status, page, _ = server.ask(path, fields, by="Bob")
            assert (status, "only the person who opened this room" in page.lower()) == (422, True), path
            assert "ada" not in re.sub(r'(?:value|href)="[^"]*"', "", page), "but what was sent"
        assert "/changes" not in server.ask("/", by="Bob")[1]


def test_a_blind_marker_reads_no_name_where_all_are_changed(tmp_path: Path) -> None:
    with serving(graded_class(tmp_path, ["janedoe_123", "roejohn_45678"]), Plan(("Ann",), blind=True)) as server:
        server.cookie = server.cookie_of("Ann")
        shown = server.room.names.shown("janedoe_123")
        for student, request in (("janedoe_123", "r"), ("roejohn_45678", "s")):
            mark = Mark(points=2, criteria=("decoder",), comment="Ask janedoe_123.")
            server.room.mark(student, ITEM, mark, [], request, by="Ann")
        sent = {**LESS, "student": shown}
        page = server.ask("/criteria/preview", sent)[1]
        place = server.ask("/criteria/apply", _form(page, "/criteria/apply"))[2]["location"]
        chosen = server.ask(f"/comments/{ITEM}/change?student={shown}")[1]
        (key,) = re.findall(r'name="before" value="(\w+)"', chosen)
        fields = {"item": ITEM, "student": shown, "before": key, "comment": "See me."}
        comment = server.ask("/comment/preview", fields)[1]
        server.ask("/comment/apply", _form(comment, "/comment/apply"))
        asked = {"student": shown, "item": ITEM, "question": "I am janedoe_123. Why?", "request": "q"}
        assert server.ask("/questions/ask", asked)[2]["location"] == f"/answer/1.1/{shown}"
        pages = [page, chosen, comment, *(server.ask(path)[1] for path in ("/questions", "/changes", "/changes/2"))]
        pages += [server.ask(place)[1], server.ask(f"/answer/1.1/{shown}")[1]]
        for each in pages:
            assert "jane" not in each.lower()
            assert "roe" not in each.lower()
        assert f'href="/answer/1.1/{shown}"' in pages[0]
        assert server.room.current("janedoe_123")[ITEM][0].mark == Mark(
            points=2.5, criteria=("decoder",), comment="See me."
        )
        server.room.refresh()
        assert "I am janedoe_123." in (server.room.graded.out / "janedoe_123" / "report.html").read_text()


def test_a_second_marker_reads_no_question_of_the_student(tmp_path: Path) -> None:
    with serving(graded_class(tmp_path), Plan(("Ann", "Bob"), second=1.0)) as server:
        server.room.mark("ada", ITEM, Mark(points=2, criteria=("decoder",)), [], "r", by="Ann")
        asked = {"student": "ada", "item": ITEM, "question": "Why only 2?", "request": "q"}
        assert server.ask("/questions/ask", asked, by="Ann")[0] == 303
        for path in ("/answer/1.1/ada", "/questions"):
            assert "Why only 2?" in server.ask(path, by="Ann")[1]
            assert "Why only 2?" not in server.ask(path, by="Bob")[1]
        status, page, _ = server.ask("/questions/answer", {"number": "1", "answer": "So.", "request": "a"}, by="Bob")
        assert (status, "another marker's answer" in html.unescape(page)) == (422, True)


def test_a_marker_is_told_of_questions_that_are_theirs_to_answer(tmp_path: Path) -> None:
    with serving(graded_class(tmp_path), Plan(("Ann", "Bob"), Assignment.STUDENT)) as server:
        bobs = [each for each in server.room.work.students if server.room.handing.may_see("Bob", "1.1", each, {})]
        assert 0 < len(bobs) < len(server.room.work.students)
        for student in server.room.work.students:
            asked = {"student": student, "item": ITEM, "question": "Why?", "request": student}
            assert server.ask("/questions/ask", asked, by="Ann")[0] == 303
        for marker, number in (("Ann", len(server.room.work.students)), ("Bob", len(bobs))):
            said = "1 question of students is open" if number == 1 else f"{number} questions of students are open"
            assert said in server.ask("/", by=marker)[1]


def test_a_room_says_that_its_rubric_has_changed(server: Server) -> None:
    assert "has changed since the class was graded" not in server.ask("/")[1]
    path = server.room.rubric.path
    path.write_text(path.read_text() + "\n# later\n")
    assert "rubric.yaml has changed since the class was graded" in server.ask("/")[1]
    path.unlink()
    assert "has changed since the class was graded" in server.ask("/")[1]
