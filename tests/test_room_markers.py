"""Several people in one marking room: who gets which answer, what is marked twice, and what each may see."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from gengrade.authenticity import Seal
from gengrade.choices import Assignment
from gengrade.marks import opened
from gengrade.room.agreement import Agreement
from gengrade.room.handing import HELD_SECONDS, Handing, Plan, Role
from tests.support.room import Server, graded_class, serving

ITEM = "1.1-sampling"
CLASS = [f"s{number:02}" for number in range(12)]
THREE = ("Ann", "Bob", "Cyd")


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    with serving(graded_class(tmp_path / "results", CLASS), request.param) as server:
        yield server


def following(**plan: object) -> pytest.MarkDecorator:
    """Serve a room with three markers, and whatever else is given of the plan."""
    return pytest.mark.parametrize("server", [Plan(THREE, **plan)], indirect=True, ids=[""])  # type: ignore[arg-type]


def _next(server: Server, by: str, question: str = "1.1", after: str = "") -> str | None:
    _, _, headers = server.ask(f"/question/{question}/next?after={after}", by=by)
    found = re.fullmatch(rf"/answer/{question}/(.+)", headers["location"])
    return found[1] if found else None


def _mark(server: Server, student: str, by: str, request: str, **fields: object) -> dict[str, object]:
    page = server.ask(f"/answer/1.1/{student}", by=by)[1]
    shown = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)">', page))
    status, text, _ = server.ask("/mark", {**shown, "request": request, **fields}, by=by)
    told: dict[str, object] = json.loads(text)
    assert status == 200, told
    return told


# --- who gets which answer -------------------------------------------------------------------------------------------


@following()
def test_two_people_never_get_the_same_answer(server: Server) -> None:
    given: dict[str, list[str]] = {name: [] for name in THREE}
    for _ in range(20):
        open_now = []
        for name in THREE:
            student = _next(server, name, after=given[name][-1] if given[name] else "")
            assert student is not None
            given[name].append(student)
            open_now.append(student)
        assert len(set(open_now)) == len(THREE)


@following()
def test_an_answer_that_was_marked_is_nobodys_next(server: Server) -> None:
    seen = set()
    for number in range(len(CLASS)):
        name = THREE[number % 3]
        student = _next(server, name)
        assert student is not None
        assert student not in seen
        seen.add(student)
        _mark(server, student, name, f"r{number}", points="1")
    assert {_next(server, name) for name in THREE} == {None}


@following()
def test_what_somebody_has_open_is_said_to_others(server: Server) -> None:
    student = _next(server, "Ann")
    assert "Ann has this answer open" in server.ask(f"/answer/1.1/{student}", by="Bob")[1]
    assert "has this answer open" not in server.ask(f"/answer/1.1/{student}", by="Ann")[1]


@following()
def test_an_answer_is_free_again_when_its_marker_gives_no_sign_of_life(server: Server) -> None:
    room, now = server.room, [0.0]
    handing = Handing(room.work, Plan(THREE), room.graded.seal, clock=lambda: now[0])
    held = [handing.next("1.1", "Ann", {}), *(handing.next("1.1", "Bob", {}, after) for after in ("", ""))]
    assert handing.hold("1.1", str(held[0]), "Cyd") == "Ann"
    now[0] = HELD_SECONDS
    assert handing.hold("1.1", str(held[0]), "Cyd") is None


@following(assignment=Assignment.STUDENT)
def test_a_class_divided_by_student_shows_nobody_the_answers_of_others(server: Server) -> None:
    own: dict[str, set[str]] = {}
    for name in ("Bob", "Cyd"):
        own[name] = {student for student in CLASS if server.ask(f"/answer/1.1/{student}", by=name)[0] == 200}
    assert own["Bob"].isdisjoint(own["Cyd"])
    assert {len(students) for students in own.values()} == {4}
    another = min(own["Cyd"])
    for path in (f"/page/{another}/0/0/1300", f"/picture/{another}/0/1300", f"/cell/{another}/0/0"):
        assert server.ask(path, by="Bob")[0] == 404
    fields = {"student": another, "item": ITEM, "seen": "", "request": "r", "points": "3"}
    for path in ("/mark", "/undo"):
        status, text, _ = server.ask(path, fields, by="Bob")
        assert (status, json.loads(text)["problem"]) == (422, "this answer is another marker's")
    assert server.room.current(another) == {}
    for number in range(4):
        student = _next(server, "Bob")
        assert student in own["Bob"]
        _mark(server, str(student), "Bob", f"r{number}", points="1")
    assert _next(server, "Bob") is None
    assert "nothing for you" in server.ask("/", by="Bob")[1]
    assert _next(server, "Cyd") is not None
    assert server.ask(f"/answer/1.1/{another}", by="Ann")[0] == 200, "who opened the room sees everything"


@following(assignment=Assignment.QUESTION)
def test_a_class_divided_by_question_has_one_marker_for_each(server: Server) -> None:
    takers = {
        question: [name for name in THREE if _next(server, name, question) is not None]
        for question in server.room.work.questions
        if server.room.work.entries(CLASS[0], question)
    }
    assert len(takers) > 1
    assert all(len(names) == 1 for names in takers.values())
    assert len({names[0] for names in takers.values()}) > 1


# --- invitations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", [Plan(("Ann",))], indirect=True, ids=[""])
def test_who_is_invited_marks_under_their_own_name(server: Server) -> None:
    page = server.ask("/invite", {"name": "  Eve  <b> "}, by="Ann")[1]
    address = re.search(r'id="invitation">([^<]+)<', page)
    assert address is not None
    assert "Eve &lt;b&gt; enters by this address" in page
    status, _, headers = server.ask(address[1])
    assert status == 303
    cookie = {"Cookie": headers["set-cookie"].partition(";")[0]}
    assert server.ask(address[1])[0] == 403, "it works once"
    fields = {"student": "s03", "item": ITEM, "seen": "", "request": "r", "points": "2"}
    assert server.ask("/mark", fields, cookie)[0] == 200
    assert server.room.current("s03")[ITEM][0].by == "Eve <b>"
    assert server.ask("/invite", {"name": "Mallory"}, cookie)[0] == 403
    for wrong in ("", "x" * 200, "a\u202eb", "ann"):
        assert server.ask("/invite", {"name": wrong}, by="Ann")[0] == 422
    assert "Ann marks already" in html.unescape(server.ask("/invite", {"name": " ANN"}, by="Ann")[1])


# --- two marks of one answer -----------------------------------------------------------------------------------------

ALL_TWICE = following(second=1.0)


@ALL_TWICE
def test_a_second_marker_sees_no_first_mark(server: Server) -> None:
    _mark(server, "s01", "Ann", "a", criteria=["decoder"], judged=1, comment="Nothing on the prior.")
    for path in ("/answer/1.1/s01", "/"):
        page = server.ask(path, by="Bob")[1]
        assert "prior." not in page
        assert not re.search(r'value="decoder"[^>]* checked', page)
    assert "You give the second mark" in server.ask("/answer/1.1/s01", by="Bob")[1]
    assert re.search(r'value="decoder"[^>]* checked', server.ask("/answer/1.1/s01", by="Ann")[1])
    told = _mark(server, "s01", "Bob", "b", criteria=["prior"], judged=1)
    assert told["state"] == "marked"
    assert "Nothing on the prior" not in json.dumps(told)
    assert "prior." not in server.ask("/answer/1.1/s01", by="Bob")[1], "nor after it"
    assert json.loads(server.ask(f"/comments/{ITEM}?student=s01", by="Bob")[1]) == [], "nor is its comment offered"
    assert "Nothing on the prior." in server.ask(f"/comments/{ITEM}?student=s02", by="Bob")[1], "which others may need"


@ALL_TWICE
def test_equal_marks_are_no_conflict_and_the_first_one_stands(server: Server) -> None:
    _mark(server, "s01", "Ann", "a", criteria=["decoder"], judged=1, comment="Well.")
    _mark(server, "s01", "Bob", "b", criteria=["prior"], judged=1)  # saved after each key
    assert len(server.room.current("s01")[ITEM]) == 2
    _mark(server, "s01", "Bob", "c", points="2", comment="My own words.")
    (head,) = server.room.current("s01")[ITEM]
    assert (head.by, head.mark and head.mark.comment) == ("Ann", "Well.")
    assert [head.by for head in server.room.seconds("s01", "Bob")[ITEM]] == ["Bob"]
    server.room.refresh()
    item = next(item for item in server.room.grade("s01").items if item.id == ITEM)
    assert (item.points, item.pending) == (2, 0)
    with opened(server.room.graded.marks, server.room.graded.rubric.assignment) as store:
        assert [event.mark.comment for event in store.history("s01", ITEM) if event.mark][-1] == "My own words."


@ALL_TWICE
def test_different_marks_are_settled_by_a_third(server: Server) -> None:
    _mark(server, "s01", "Ann", "a", points="3")
    assert _next(server, "Ann") != "s01"
    for number, student in enumerate(CLASS):
        if student != "s01":
            _mark(server, student, "Ann", f"a{number}", points="1")
    given = [_next(server, "Bob")]
    while given[-1] != "s01":
        given.append(_next(server, "Bob", after=str(given[-1])))
        assert len(given) < 40
    _mark(server, "s01", "Bob", "b", points="1")
    server.room.refresh()
    item = next(item for item in server.room.grade("s01").items if item.id == ITEM)
    assert item.pending == 3
    assert "There are several marks" not in server.ask("/answer/1.1/s01", by="Bob")[1]
    _next(server, "Bob", after="s01")
    assert _next(server, "Cyd") == "s01", "conflicts come before second marks"
    page = server.ask("/answer/1.1/s01", by="Cyd")[1]
    assert "There are several marks" in page
    assert "You give the second mark" not in page
    assert "In 1 item the two marks differ" in server.ask("/agreement", by="Cyd")[1]
    _mark(server, "s01", "Cyd", "c", points="2")
    (head,) = server.room.current("s01")[ITEM]
    assert (head.by, head.mark and head.mark.points) == ("Cyd", 2)
    assert server.room.seconds("s01", "Bob").get(ITEM, ()) == ()
    page = server.ask("/agreement", by="Ann")[1]
    assert "-66.7 %" in page
    assert "the two marks differ" not in page
    for marker in ("Ann", "Bob", "Cyd"):  # a decision is final
        heads = server.room.heads("s01")
        assert server.room.handing.role(marker, "1.1", "s01", heads) is Role.FIRST, marker
        assert server.room.handing._is_due(marker, "1.1", "s01", heads) is None, marker


def test_of_two_markers_the_one_who_opened_the_room_settles_also_what_they_marked_second(tmp_path: Path) -> None:
    with serving(graded_class(tmp_path, ("s01", "s02")), Plan(("Tim", "Ann"), second=1.0)) as server:
        _mark(server, "s01", "Ann", "a", points="1")
        assert "You give the second mark" in server.ask("/answer/1.1/s01", by="Tim")[1]
        _mark(server, "s01", "Tim", "b", points="2")
        assert _next(server, "Ann") == "s02"
        assert _next(server, "Tim") == "s01"
        page = server.ask("/answer/1.1/s01", by="Tim")[1]
        assert "There are several marks" in page
        assert "You give the second mark" not in page
        _mark(server, "s01", "Tim", "c", points="3")
        (head,) = server.room.current("s01")[ITEM]
        assert (head.by, head.mark and head.mark.points) == ("Tim", 3)
        assert _next(server, "Ann") != "s01"


@ALL_TWICE
@pytest.mark.parametrize("corrector", ["Ann", "Cyd"])
def test_who_corrects_an_agreed_mark_has_seen_that_it_was_agreed(corrector: str, server: Server) -> None:
    before = _mark(server, "s01", "Ann", "a", points="2")
    _mark(server, "s01", "Bob", "b", points="2")
    page = server.ask("/answer/1.1/s01", by=corrector)[1]
    assert "Bob gave the second mark, which agrees" in page
    seen = re.search(r'name="seen" value="([^"]*)"', page)
    assert seen is not None
    told = _mark(server, "s01", corrector, "c", points="3", seen=seen[1])
    assert told["state"] == "marked"
    again = _mark(server, "s01", corrector, "d", points="1", seen=str(told["seen"]))
    assert again["state"] == "marked"
    # Who has not seen the second mark is in conflict with it, as before.
    first = before["heads"][0]["id"]  # type: ignore[index]
    assert _mark(server, "s01", "Ann", "e", points="0", seen=str(first))["state"] == "in conflict"


@ALL_TWICE
def test_a_second_mark_replaces_no_first_one(server: Server) -> None:
    told = _mark(server, "s01", "Ann", "a", points="3")
    seen = str(told["heads"][0]["id"])  # type: ignore[index]
    fields = {"student": "s01", "item": ITEM, "seen": seen, "request": "b", "points": "1", "role": "second"}
    status, text, _ = server.ask("/mark", fields, by="Bob")
    assert (status, "of another item or person" in text) == (422, True)
    assert [head.by for head in server.room.current("s01")[ITEM]] == ["Ann"]


@ALL_TWICE
def test_who_had_an_answer_open_before_it_was_marked_gives_the_second_mark(server: Server) -> None:
    """Whatever role the page says: nobody who has not seen the first mark replaces it, or is in conflict with it."""
    _mark(server, "s01", "Ann", "a", points="3")
    fields = {"student": "s01", "item": ITEM, "seen": "", "request": "b", "points": "3", "role": "first"}
    assert server.ask("/mark", fields, by="Bob")[0] == 200
    assert [head.by for head in server.room.current("s01")[ITEM]] == ["Ann"]
    assert [head.by for head in server.room.seconds("s01", "Bob")[ITEM]] == ["Bob"]


@ALL_TWICE
def test_a_second_mark_is_taken_back_alone(server: Server) -> None:
    _mark(server, "s01", "Ann", "a", points="3")
    _mark(server, "s01", "Bob", "b", points="1")
    fields = {"student": "s01", "item": ITEM, "role": "second"}
    assert server.ask("/undo", fields, by="Bob")[0] == 200
    assert [head.by for head in server.room.current("s01")[ITEM]] == ["Ann"]
    assert server.ask("/undo", fields, by="Cyd")[0] == 422


@following(second=0.4)
def test_a_share_of_the_answers_is_marked_twice_and_never_by_one_person(server: Server) -> None:
    handing = server.room.handing
    for number, student in enumerate(CLASS):
        _mark(server, student, THREE[number % 2], f"r{number}", points="1")
    heads = server.room.heads()
    roles = {name: {s for s in CLASS if handing.role(name, "1.1", s, heads) is Role.SECOND} for name in THREE}
    assert 0 < len(roles["Cyd"]) < len(CLASS)
    assert roles["Ann"] | roles["Bob"] == roles["Cyd"]
    assert roles["Ann"].isdisjoint(roles["Bob"])
    assert all(int(student[1:]) % 2 == 1 for student in roles["Ann"]), "Ann did not mark these first"
    again = Handing(server.room.work, handing.plan, server.room.graded.seal)
    assert again.role("Cyd", "1.1", min(roles["Cyd"]), heads) is Role.SECOND
    other = Handing(server.room.work, handing.plan, Seal(bytes([7]) * 32))
    assert {s for s in CLASS if other.role("Cyd", "1.1", s, heads) is Role.SECOND} != roles["Cyd"]


@ALL_TWICE
def test_agreement_is_cohens_kappa_with_quadratic_weights(server: Server) -> None:
    random = np.random.default_rng(3)
    first = random.integers(0, 4, len(CLASS))
    second = np.clip(first + random.integers(-1, 2, len(CLASS)), 0, 3)
    for number, student in enumerate(CLASS):
        _mark(server, student, "Ann", f"a{number}", points=str(first[number]))
        _mark(server, student, "Bob", f"b{number}", points=str(second[number]))
    found = Agreement.of(server.room.twice_marked(), server.room.work.items)
    (figures,) = found.questions
    assert figures.number == len(CLASS)
    assert figures.kappa == pytest.approx(cohen_kappa_score(first, second, weights="quadratic", labels=[0, 1, 2, 3]))
    assert figures.difference == pytest.approx(np.mean(second - first) / 3)
    assert figures.low is not None
    assert figures.low < figures.difference
    ann, bob = found.markers
    assert ann.name == "Ann"
    assert ann.difference == pytest.approx(-bob.difference)
    assert found.waiting == np.sum(first != second)


@ALL_TWICE
@pytest.mark.parametrize("strict", [False, True])
def test_a_strict_marker_is_named(server: Server, strict: bool) -> None:
    for number, student in enumerate(CLASS):
        points = number % 3 + 1
        _mark(server, student, "Ann", f"a{number}", points=str(points))
        others = points - 1 if strict and number != 3 else points - (number == 3)
        _mark(server, student, "Bob", f"b{number}", points=str(others))
    page = server.ask("/agreement", by="Ann")[1]
    assert ("Bob gives less than others" in page) is strict
    assert ("Ann gives more than others" in page) is strict
