"""Criteria and comments that are changed for all students at once: what follows, and how it is taken back."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from gengrade.grade import score
from gengrade.marks import Change, EventKind, Mark, Store, opened
from gengrade.marks import amendments as amending
from gengrade.marks.amendments import AmendmentError, CommentProposal, Proposal, Stale, amended
from gengrade.marks.store import NAME
from gengrade.rubric import ManualItem, Rubric, Wording
from tests.support import report_examples as examples
from tests.support.room import CRITERIA

ITEM = "1.1-sampling"
TEXT = examples.RUBRIC.replace('in the right order", points: 3', f'in the right order", points: 3, {CRITERIA}')
DEDUCTING = TEXT.replace(CRITERIA, "criteria: [{id: slip, text: a slip, points: -1}]")
PLAIN = TEXT.replace(f", {CRITERIA}", "")


def _rubric(text: str = TEXT) -> Rubric:
    return Rubric.parse(text, Path("rubric.yaml"))


def _wording(rubric: Rubric) -> Wording:
    return next(rubric.entries()).wording


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "results" / "marks", "An assignment") as store:
        yield store


def _give(
    store: Store, student: str, mark: Mark | None, *replaces: int, rubric: Rubric | None = None, item: str = ITEM
) -> int:
    wording = _wording(amended(rubric or _rubric(), store.amendments()).rubric) if mark else None
    with store.transaction():
        (id_,) = store.add([Change(student, item, mark, wording, replaces)], by="Ann", source="t")
    return id_


def _mark(store: Store, student: str, item: str = ITEM) -> Mark | None:
    (head,) = store.current(student).items[item]
    return head.mark


def _apply(store: Store, proposal: Proposal | CommentProposal, rubric: Rubric | None = None, request: str = "") -> int:
    rubric = rubric or _rubric()
    digest = amending.planned(store, rubric, proposal).digest
    return amending.apply(store, rubric, proposal, digest=digest, by="Tim", source="t", request=request or None)


def _undo(store: Store, amendment: int, rubric: Rubric | None = None) -> int:
    return amending.undo(store, rubric or _rubric(), amendment, by="Tim", source="t")


def _criteria(store: Store, rubric: Rubric | None = None) -> dict[str, float]:
    wording = _wording(amended(rubric or _rubric(), store.amendments()).rubric)
    return {criterion.id: criterion.points for criterion in wording.criteria}


LESS = Proposal(ITEM, "decoder", "the  decoder", 2.5)
ADDED = Proposal(ITEM, "", "The order of both steps", 1)


def test_other_points_change_sums_and_keep_what_was_given_by_hand(store: Store) -> None:
    _give(store, "sum", Mark(points=2, criteria=("decoder",)))
    _give(store, "full", Mark(points=3, criteria=("prior", "decoder")))
    _give(store, "hand", Mark(points=1.5, criteria=("decoder",), comment="Half of it."))
    _give(store, "plain", Mark(points=1))
    _give(store, "comment", Mark(comment="See me."))
    first = _give(store, "gone", Mark(points=1, criteria=("prior",)))
    _give(store, "gone", None, first)
    for points in (1, 2):
        _give(store, "both", Mark(points=points))
    _give(store, "old", Mark(points=1), rubric=_rubric(TEXT.replace("the prior", "a prior")))
    plan = amending.planned(store, _rubric(), LESS)
    assert [(row.student, row.before, row.after, row.by_hand) for row in plan.rows] == [
        ("sum", 2, 2.5, False),
        ("hand", 1.5, 1.5, True),
        ("plain", 1, 1, True),
        ("comment", None, None, False),
        ("full", 3, 3, False),
    ]
    assert [(left.student, left.reason) for left in plan.left] == [
        ("both", amending.CONFLICT),
        ("old", amending.EARLIER),
    ]
    assert store.amendments() == []
    number = _apply(store, LESS)
    assert _criteria(store) == {"prior": 1, "decoder": 2.5}
    assert _mark(store, "sum") == Mark(points=2.5, criteria=("decoder",))
    assert _mark(store, "hand") == Mark(points=1.5, criteria=("decoder",), comment="Half of it.")
    (head,) = store.current("sum").items[ITEM]
    assert (head.kind, head.by, head.source, head.wording) == (
        EventKind.CONFIRMATION,
        "Ann",
        f"change {number} by Tim",
        _wording(amended(_rubric(), store.amendments()).rubric),
    )
    assert len(store.current("both").items[ITEM]) == 2
    assert {event.student for event in store.amended_events(number)} == {row.student for row in plan.rows}
    grade = score(examples.facts(), amended(_rubric(), store.amendments()).rubric, store.current("sum"))
    item = next(item for item in grade.items if item.id == ITEM)
    assert (item.points, item.mark_state) == (2.5, "counts")
    assert (grade.provenance.rubric, score(examples.facts(), _rubric()).provenance.amendments) == (
        _rubric().sha256,
        None,
    )
    assert grade.provenance.amendments is not None


def test_a_new_criterion_is_met_by_nobody_and_a_new_text_asks_nobody_to_confirm(store: Store) -> None:
    _give(store, "ada", Mark(points=2, criteria=("decoder",)))
    _apply(store, ADDED)
    assert _criteria(store) == {"prior": 1, "decoder": 2, "order-both-steps": 1}
    _apply(store, Proposal(ITEM, "prior", "The prior p(z)", 1))
    assert _mark(store, "ada") == Mark(points=2, criteria=("decoder",))
    grade = score(examples.facts(), amended(_rubric(), store.amendments()).rubric, store.current("ada"))
    assert grade.open_marks == ()
    _apply(store, ADDED)
    assert list(_criteria(store))[-1] == "order-both-steps-2"


def test_a_criterion_is_removed_where_the_others_suffice(store: Store) -> None:
    with pytest.raises(AmendmentError, match="would add up to 1 points, and the item has 3: give more points, or add"):
        amending.planned(store, _rubric(), Proposal(ITEM, "decoder", remove=True))
    _apply(store, Proposal(ITEM, "", "The joint", 2))
    for student, mark in {
        "sum": Mark(points=2, criteria=("decoder",)),
        "full": Mark(points=3, criteria=("prior", "decoder", "joint")),
        "other": Mark(points=1, criteria=("prior",)),
        "hand": Mark(points=1.5, criteria=("decoder",), comment="Half of it."),
        "plain": Mark(points=1),
    }.items():
        _give(store, student, mark)
    plan = amending.planned(store, _rubric(), Proposal(ITEM, "decoder", remove=True))
    old, new = plan.criterion
    assert (old and old.id, new) == ("decoder", None)
    number = _apply(store, Proposal(ITEM, "decoder", remove=True))
    assert _criteria(store) == {"prior": 1, "joint": 2}
    assert _mark(store, "sum") == Mark(points=0, criteria=())
    assert _mark(store, "full") == Mark(points=3, criteria=("prior", "joint"))
    assert _mark(store, "other") == Mark(points=1, criteria=("prior",))
    assert _mark(store, "hand") == Mark(points=1.5, criteria=(), comment="Half of it.")
    assert _mark(store, "plain") == Mark(points=1)
    assert amending.told(store.amendments())[number] == "“the decoder” (+2) was removed"
    _undo(store, number)
    assert _mark(store, "sum") == Mark(points=2, criteria=("decoder",))
    assert list(_criteria(store)) == ["prior", "decoder", "joint"]


def test_the_last_criterion_stays(store: Store) -> None:
    deducting = _rubric(DEDUCTING)
    with pytest.raises(AmendmentError, match="would have no criterion any more"):
        amending.planned(store, deducting, Proposal(ITEM, "slip", remove=True))
    _apply(store, Proposal(ITEM, "", "no order", -0.5), deducting)
    _apply(store, Proposal(ITEM, "slip", remove=True), deducting)
    assert _criteria(store, deducting) == {"no-order": -0.5}


def test_a_criterion_that_deducts_takes_nothing_from_anybody(store: Store) -> None:
    rubric = _rubric(DEDUCTING)
    _give(store, "ada", Mark(points=3, criteria=()), rubric=rubric)
    _give(store, "bob", Mark(points=2, criteria=("slip",)), rubric=rubric)
    plan = amending.planned(store, rubric, Proposal(ITEM, "", "no order", -0.5))
    assert [(row.before, row.after) for row in plan.rows] == [(3, 3), (2, 2)]
    _apply(store, Proposal(ITEM, "slip", "a slip", -2), rubric)
    assert _mark(store, "bob") == Mark(points=1, criteria=("slip",))


def test_an_item_without_criteria_gets_one(store: Store) -> None:
    rubric = _rubric(PLAIN)
    _give(store, "ada", Mark(points=2), rubric=rubric)
    _apply(store, Proposal(ITEM, "", "γράμματα", -1), rubric)
    assert _criteria(store, rubric) == {"criterion": -1}
    assert _mark(store, "ada") == Mark(points=2)


@pytest.mark.parametrize(
    ("proposal", "reason"),
    [
        (Proposal(ITEM, "", " \n", 1), "needs a text"),
        (Proposal(ITEM, "", "a\x00b", 1), "visible"),
        (Proposal(ITEM, "", "x" * 1001, 1), "at most 1000"),
        (Proposal(ITEM, "", "x", 0), "not 0"),
        (Proposal(ITEM, "", "x", float("nan")), "at most two decimals"),
        (Proposal(ITEM, "", "x", float("inf")), "at most two decimals"),
        (Proposal(ITEM, "", "x", 1.001), "at most two decimals"),
        (Proposal(ITEM, "other", "x", 1), 'no criterion "other" any more'),
        (Proposal(ITEM, "prior", " the  prior", 1), "nothing was changed"),
        (Proposal(ITEM, "decoder", "the decoder", 1), "would add up to 2 points, and the item has 3"),
        (Proposal("vae.kld", "", "x", 1), "no item"),
        (Proposal("nothing", "", "x", 1), "no item"),
    ],
)
def test_what_cannot_be_amended_is_refused_in_words(proposal: Proposal, reason: str, store: Store) -> None:
    with pytest.raises(AmendmentError, match=reason):
        amending.planned(store, _rubric(), proposal)


def test_a_criterion_does_not_turn_what_sums_begin_with(store: Store) -> None:
    with pytest.raises(AmendmentError, match="begin with all points"):
        amending.planned(store, _rubric(DEDUCTING), Proposal(ITEM, "", "all of it", 3))
    one = _rubric(TEXT.replace(CRITERIA, "criteria: [{id: all, text: all, points: 3}]"))
    with pytest.raises(AmendmentError, match="begin with no points"):
        amending.planned(store, one, Proposal(ITEM, "all", "all", -3))


def test_a_plan_that_is_stale_is_not_carried_out(store: Store) -> None:
    first = _give(store, "ada", Mark(points=2, criteria=("decoder",)))
    digest = amending.planned(store, _rubric(), LESS).digest
    _give(store, "ada", Mark(points=0, criteria=()), first)
    with pytest.raises(Stale) as stale:
        amending.apply(store, _rubric(), LESS, digest=digest, by="Tim", source="t")
    assert [(row.before, row.after) for row in stale.value.plan.rows] == [(0, 0)]
    assert store.amendments() == []
    digest = amending.planned(store, _rubric(), LESS).digest
    _apply(store, ADDED)
    with pytest.raises(Stale):
        amending.apply(store, _rubric(), LESS, digest=digest, by="Tim", source="t")


def test_a_repeated_request_amends_once(store: Store) -> None:
    _give(store, "ada", Mark(points=2, criteria=("decoder",)))
    digest = amending.planned(store, _rubric(), ADDED).digest
    numbers = {
        amending.apply(store, _rubric(), ADDED, digest=digest, by="Tim", source="t", request="r") for _ in range(2)
    }
    assert len(numbers) == len(store.amendments()) == 1
    back = {amending.undo(store, _rubric(), *numbers, by="Tim", source="t", request="u") for _ in range(2)}
    assert len(back) == 1
    assert len(store.amendments()) == 2


def test_a_change_is_taken_back_where_its_marks_still_stand(store: Store) -> None:
    _give(store, "ada", Mark(points=2, criteria=("decoder",)))
    _give(store, "bob", Mark(points=2, criteria=("decoder",)))
    number = _apply(store, LESS)
    (head,) = store.current("bob").items[ITEM]
    _give(store, "bob", Mark(points=1, criteria=("prior",)), head.id)
    _give(store, "cyd", Mark(points=1, criteria=("prior",)))
    plan = amending.undoing(store, number)
    assert [change.student for change in plan.changes] == ["ada"]
    assert [(left.student, left.reason) for left in plan.left] == [("bob", amending.LATER), ("cyd", amending.LATER)]
    back = _undo(store, number)
    assert _criteria(store) == {"prior": 1, "decoder": 2}
    (head,) = store.current("ada").items[ITEM]
    assert (head.mark, head.wording) == (Mark(points=2, criteria=("decoder",)), _wording(_rubric()))
    rubric = _rubric()
    assert amended(rubric, store.amendments()) == (rubric, (), {})
    for again in (number, back, 99):
        with pytest.raises(AmendmentError):
            _undo(store, again)


def test_changes_are_taken_back_one_after_another(store: Store) -> None:
    _give(store, "ada", Mark(points=2, criteria=("decoder",)))
    first, second = _apply(store, LESS), _apply(store, Proposal(ITEM, "decoder", "the decoder", 3))
    assert _mark(store, "ada") == Mark(points=3, criteria=("decoder",))
    assert amending.undoable(store.amendments()) == {second}
    with pytest.raises(AmendmentError, match="take the newest change back first"):
        _undo(store, first)
    _undo(store, second)
    assert (_criteria(store)["decoder"], _mark(store, "ada")) == (2.5, Mark(points=2.5, criteria=("decoder",)))
    store.undo("ada", ITEM, by="Ann", source="t")
    store.undo("ada", ITEM, by="Ann", source="t")
    assert amending.undoable(store.amendments()) == {first}
    _undo(store, first)
    assert (_criteria(store)["decoder"], _mark(store, "ada")) == (2, Mark(points=2, criteria=("decoder",)))
    third = _apply(store, LESS)
    assert amending.undoable(store.amendments()) == {third}
    said = amending.told(store.amendments())
    assert said[first] == "“the decoder” (+2) became “the decoder” (+2.5)"
    assert said[second] == "“the decoder” (+2.5) became “the decoder” (+3)"
    assert said[third - 1] == f"change {first} was taken back: “the decoder” (+2.5) became “the decoder” (+2)"


@pytest.mark.parametrize("seed", range(4))
def test_what_is_done_and_taken_back_at_once_leaves_everything_as_it_was(seed: int, store: Store) -> None:
    rng = random.Random(seed)

    def state() -> object:
        marked = store.marked(ITEM).items()
        return _criteria(store), {student: [(head.mark, head.wording) for head in heads] for student, heads in marked}

    for turn in range(8):
        for student in "abcd":
            heads = [event.id for event in store.current(student).items.get(ITEM, ())]
            met = tuple(id_ for id_ in _criteria(store) if rng.random() < 0.5)
            entry = next(amended(_rubric(), store.amendments()).rubric.entries())
            assert isinstance(entry.item, ManualItem)
            summed = Mark(points=entry.item.sum(met), criteria=met, comment=rng.choice(("", "Why?")))
            _give(store, student, rng.choice((summed, Mark(points=1.0), None)), *heads[: rng.randrange(3)])
        criterion = rng.choice(("", *_criteria(store)))
        remove = bool(criterion) and rng.random() < 0.3
        points = rng.choice((0.5, 2.5, 3)) if criterion else 1
        proposal = Proposal(ITEM, criterion, f"turn {turn}", points, remove=remove)
        with suppress(AmendmentError):
            before = state()
            number = _apply(store, proposal)
            after = state()
            assert before != after
            _undo(store, number)
            assert state() == before
            if rng.random() < 0.5:
                _apply(store, proposal)
                assert state() == after


def test_a_rubric_that_says_the_same_itself_is_not_amended(store: Store) -> None:
    _give(store, "ada", Mark(points=2, criteria=("decoder",)))
    number = _apply(store, ADDED)
    rubric, items, _ = amended(_rubric(), store.amendments())
    said = yaml.safe_load(amending.to_yaml(rubric, items))
    lines = yaml.safe_dump(said[ITEM]["criteria"], default_flow_style=True, width=float("inf"))
    pasted = _rubric(TEXT.replace(CRITERIA, f"criteria: {lines.strip()}"))
    assert amended(pasted, store.amendments()) == (pasted, (), {})
    assert score(examples.facts(), pasted, store.current("ada")).open_marks == ()
    with pytest.raises(AmendmentError, match="the rubric's file has these criteria itself"):
        _undo(store, number, pasted)
    for _ in range(2):
        amending.note_taken_over(store, pasted, by="Ann", source="gengrade grade")
    assert len(store.amendments()) == 2
    later = _rubric(TEXT.replace(CRITERIA, "criteria: [{id: all, text: everything, points: 3}]"))
    assert amended(later, store.amendments()).unfit == {}, "the file had these criteria, and was changed since"
    assert amended(_rubric(), store.amendments()).items == (ITEM,), "and the file of before is amended as before"


def test_changes_that_do_not_fit_the_rubric_any_more_are_named_until_they_are_taken_back(store: Store) -> None:
    _give(store, "ada", Mark(points=2, criteria=("decoder",)))
    number = _apply(store, ADDED)
    changed = _rubric(TEXT.replace("the prior", "some prior"))
    rubric, items, unfit = amended(changed, store.amendments())
    assert (rubric, items) == (changed, ())
    assert "do not count any more" in unfit[ITEM]
    (item,) = score(examples.facts(), rubric, store.current("ada")).open_marks
    assert item.mark_state == "earlier wording"
    _undo(store, number, changed)
    assert amended(changed, store.amendments()) == (changed, (), {})
    assert _mark(store, "ada") == Mark(points=2, criteria=("decoder",))
    gone = _rubric(TEXT.replace(f"id: {ITEM}", "id: 1.1-drawing"))
    assert amended(gone, store.amendments()) == (gone, (), {})


def test_a_comment_changes_for_all_who_have_exactly_that_one(store: Store) -> None:
    for student, comment in (("ada", "Why?"), ("bob", "Why?"), ("cyd", "Why? "), ("dan", "why?")):
        _give(store, student, Mark(points=2, criteria=("decoder",), comment=comment))
    for points in (1, 2):
        _give(store, "eve", Mark(points=points, comment="Why?"))
    proposal = CommentProposal(ITEM, "Why?", "Say why. \r\n")
    plan = amending.planned(store, _rubric(), proposal)
    assert [row.student for row in plan.rows] == ["ada", "bob"]
    assert [left.student for left in plan.left] == ["eve"]
    number = _apply(store, proposal)
    assert _mark(store, "ada") == Mark(points=2, criteria=("decoder",), comment="Say why.")
    assert [_mark(store, student) for student in ("cyd", "dan")] == [
        Mark(points=2, criteria=("decoder",), comment=comment) for comment in ("Why? ", "why?")
    ]
    (head,) = store.current("bob").items[ITEM]
    _give(store, "bob", Mark(points=3), head.id)
    plan_back = amending.undoing(store, number)
    assert ([change.student for change in plan_back.changes], [left.student for left in plan_back.left]) == (
        ["ada"],
        ["bob"],
    )
    _undo(store, number)
    assert _mark(store, "ada") == Mark(points=2, criteria=("decoder",), comment="Why?")
    assert _mark(store, "bob") == Mark(points=3)
    for after, reason in ((" ", "write the new comment"), ("Why?", "nothing was changed")):
        with pytest.raises(AmendmentError, match=reason):
            amending.planned(store, _rubric(), CommentProposal(ITEM, "Why?", after))
    with pytest.raises(AmendmentError, match="nobody has this comment"):
        amending.planned(store, _rubric(), CommentProposal(ITEM, "Never said.", "x"))


# --- the store -----------------------------------------------------------------------------------------------------

FORMAT_1 = """
CREATE TABLE assignment (name TEXT NOT NULL);
CREATE TABLE wordings (fingerprint TEXT PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE events (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, by TEXT NOT NULL, source TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('mark', 'confirmation', 'withdrawal', 'undo')),
    student TEXT NOT NULL, item TEXT NOT NULL, mark TEXT, fingerprint TEXT REFERENCES wordings, request TEXT UNIQUE,
    CHECK ((mark IS NULL) = (fingerprint IS NULL))
);
CREATE INDEX events_of ON events (student, item);
CREATE TABLE replacements (
    replaced INTEGER NOT NULL REFERENCES events, event INTEGER NOT NULL REFERENCES events,
    PRIMARY KEY (replaced, event)
) WITHOUT ROWID;
CREATE INDEX replacements_by ON replacements (event);
CREATE TABLE files (name TEXT PRIMARY KEY, events TEXT NOT NULL);
CREATE TRIGGER events_are_kept BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
INSERT INTO assignment VALUES ('An assignment');
INSERT INTO events VALUES (7, '2026-01-02T03:04:05.678+00:00', 'Ann', 't', 'withdrawal', 'ada', '1.1-sampling',
    NULL, NULL, NULL);
PRAGMA application_id = 1735549284;
PRAGMA user_version = 1;
"""


def test_a_file_of_the_first_format_is_taken_over_with_its_marks(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "marks"
    folder.mkdir(parents=True)
    with sqlite3.connect(folder / NAME) as connection:
        connection.executescript(FORMAT_1)
    with opened(folder, "An assignment") as store:
        assert [event.id for event in store.history("ada")] == [7]
        assert store.amendments() == []
        _give(store, "ada", Mark(points=2, criteria=("decoder",)), 7)
        _apply(store, LESS)
    with opened(tmp_path / "new" / "results" / "marks", "An assignment") as store:
        new = store.path
    schemas = []
    for path in (folder / NAME, new):
        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA user_version").fetchone()[0] > 1
            names = "SELECT type, name FROM sqlite_master ORDER BY type, name"
            schemas.append(connection.execute(names).fetchall())
    assert schemas[0] == schemas[1]


def test_amendments_cannot_be_changed_or_deleted(store: Store) -> None:
    _give(store, "ada", Mark(points=2, criteria=("decoder",)))
    _apply(store, LESS)
    with sqlite3.connect(store.path) as connection:
        for table in ("amendments", "amended_events"):
            for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET rowid = rowid + 1"):
                with pytest.raises(sqlite3.IntegrityError, match="never"):
                    connection.execute(statement)


def test_a_change_that_fails_in_the_middle_leaves_nothing(store: Store) -> None:
    wording = _wording(_rubric())
    changes = [Change("ada", ITEM, Mark(points=1), wording, replaces) for replaces in ((), (99,))]
    with pytest.raises(KeyError), store.transaction():
        store.amend(ITEM, changes, criteria=(wording, wording), by="Ann", source="t")
    assert store.amendments() == []
    assert store.history("ada") == []
