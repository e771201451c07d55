"""The store of marks: what was acknowledged is there, and two people's marks never replace each other unseen."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gengrade.documents import DocumentError
from gengrade.marks import Change, EventKind, Mark, Store, StoreError, opened, place
from gengrade.marks.files import parse, to_yaml
from gengrade.marks.importing import files_in, remembered_as, take_over, unused, write_files
from gengrade.marks.store import NAME
from gengrade.places import PlaceError
from gengrade.rubric import Rubric
from tests.support import report_examples as examples

ITEM = "1.1-sampling"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "results" / "marks"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with opened(folder, "An assignment") as store:
        yield store


def _give(store: Store, points: float | None, *replaces: int, by: str = "Ann", student: str = "doe") -> int:
    wording = next(examples.rubric().entries()).wording
    mark = None if points is None else Mark(points=points)
    kind = EventKind.MARK if mark else EventKind.WITHDRAWAL
    with store.transaction():
        (id_,) = store.add([Change(student, ITEM, mark, wording if mark else None, replaces, kind)], by=by, source="t")
    return id_


def _points(store: Store, student: str = "doe") -> list[float | None]:
    heads = store.current(student).items.get(ITEM, ())
    return [event.mark.points if event.mark else None for event in heads]


def test_a_mark_replaces_the_one_that_was_seen(store: Store) -> None:
    first = _give(store, 1)
    _give(store, 2, first)
    assert _points(store) == [2]
    assert [event.replaces for event in store.history("doe")] == [(), (first,)]
    (event,) = store.current("doe").items[ITEM]
    assert (event.by, event.source, event.wording) == ("Ann", "t", next(examples.rubric().entries()).wording)
    assert event.at.endswith("+00:00")


def test_marks_that_did_not_see_each_other_both_stay(store: Store) -> None:
    first = _give(store, 1)
    second, third = _give(store, 2, first, by="Ann"), _give(store, 3, first, by="Bob")
    assert _points(store) == [2, 3]
    _give(store, 2.5, second, third)
    assert _points(store) == [2.5]


def test_an_undo_brings_back_what_was_there_and_a_second_one_repeats_the_change(store: Store) -> None:
    first = _give(store, 1)
    _give(store, 2, first)
    for expected in (1, 2, 1):
        assert store.undo("doe", ITEM, by="Ann", source="t")
        assert _points(store) == [expected]
    assert [event.kind for event in store.history("doe", ITEM)][-1] is EventKind.UNDO
    assert len(store.history("doe", ITEM)) == 5
    assert store.history("doe", "another") == []


def test_an_undo_of_the_first_mark_leaves_none_and_of_a_decision_the_conflict(store: Store) -> None:
    first = _give(store, 1)
    store.undo("doe", ITEM, by="Ann", source="t")
    assert _points(store) == [None]
    store.undo("doe", ITEM, by="Ann", source="t")
    assert _points(store) == [1]
    (head,) = store.current("doe").items[ITEM]
    second, third = _give(store, 2, head.id), _give(store, 3, first)
    assert not store.undo("doe", ITEM, by="Ann", source="t"), "of two marks in conflict, none is the last"
    _give(store, 2.5, second, third)
    assert store.undo("doe", ITEM, by="Ann", source="t")
    assert sorted(_points(store), key=str) == [2, 3]
    assert not store.undo("roe", ITEM, by="Ann", source="t")


def test_the_history_cannot_be_changed(store: Store, folder: Path) -> None:
    _give(store, 1)
    with sqlite3.connect(folder / NAME) as connection:
        for statement in ("DELETE FROM events", "UPDATE events SET mark = NULL"):
            with pytest.raises(sqlite3.IntegrityError, match="never"):
                connection.execute(statement)
    with pytest.raises(StoreError, match="FOREIGN KEY"), opened(folder, "") as again:
        _give(again, 1, 99)


def test_what_fails_in_the_middle_of_a_transaction_leaves_nothing(store: Store) -> None:
    wording = next(examples.rubric().entries()).wording
    changes = [Change("doe", ITEM, Mark(points=1), wording, replaces) for replaces in ((), (99,))]
    with pytest.raises(sqlite3.IntegrityError), store.transaction():
        store.add(changes, by="Ann", source="t")
    assert _points(store) == []


def test_another_assignment_is_refused_until_it_is_adopted(store: Store, folder: Path) -> None:
    _give(store, 1)
    with pytest.raises(StoreError, match=r"given for “An assignment”.*“Another”.*gengrade marks adopt"):
        opened(folder, "Another").__enter__()
    store.adopt("Another")
    with opened(folder, "Another") as again:
        assert _points(again) == [1]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"SQLite format 3\x00" + b"x" * 5000, "damaged"), (b"marks: 3\n" * 200, "damaged")],
)
def test_a_damaged_file_is_refused_in_words_and_kept(folder: Path, content: bytes, reason: str) -> None:
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(content)
    with pytest.raises(StoreError, match=reason):
        opened(folder, "An assignment").__enter__()
    assert (folder / NAME).read_bytes() == content


def test_a_database_of_another_program_or_a_newer_version_is_refused(folder: Path) -> None:
    folder.mkdir(parents=True)
    with sqlite3.connect(folder / NAME) as connection:
        connection.execute("CREATE TABLE recipes (name)")
    with pytest.raises(StoreError, match="another program"):
        opened(folder, "An assignment").__enter__()
    (folder / NAME).unlink()
    with opened(folder, "An assignment"):
        pass
    with sqlite3.connect(folder / NAME) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="newer version"):
        opened(folder, "An assignment").__enter__()


def test_a_link_in_the_place_of_the_store_is_not_followed(folder: Path, tmp_path: Path) -> None:
    folder.mkdir(parents=True)
    (folder / NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PlaceError, match="symbolic link"):
        opened(folder, "An assignment").__enter__()
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("mount", "refused"),
    [
        ("30 1 0:40 / {} rw - nfs4 server:/home rw", True),
        ("30 1 0:40 / {} rw shared:3 - fuse.sshfs me@host:/ rw", True),
        ("30 1 0:40 / {} rw - 9p drvfs rw,aname=drvfs;path=C:", True),
        ("30 1 0:40 / {} rw - 9p none rw,trans=fd", False),
        ("30 1 0:40 / {} rw - ext4 /dev/sda1 rw", False),
    ],
)
def test_network_drives_are_refused(mount: str, refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drive = tmp_path / "a drive"
    (tmp_path / "mounts").write_text(
        "20 0 8:1 / / rw - ext4 /dev/root rw\n" + mount.format(str(drive).replace(" ", "\\040")) + "\n"
    )
    monkeypatch.setattr(place, "_MOUNTS", tmp_path / "mounts")
    if not refused:
        with opened(drive / "results" / "marks", "An assignment"):
            return
    with pytest.raises(StoreError, match="network drive"):
        opened(drive / "results" / "marks", "An assignment").__enter__()
    assert not (drive / "results" / "marks" / NAME).exists()
    with opened(tmp_path / "local" / "marks", "An assignment"):
        pass


def _marker(folder: Path, name: str, acknowledged: Path) -> None:
    """Mark at random, and write down every mark that was acknowledged."""
    rng = random.Random(name)
    with opened(folder, "An assignment") as store, acknowledged.open("a") as log:
        while True:
            student = f"s{rng.randrange(5)}"
            heads = [event.id for event in store.current(student).items.get(ITEM, ())]
            points = rng.randrange(300) / 100
            id_ = _give(store, points, *heads[:1], by=name, student=student)
            log.write(f"{id_} {student} {points}\n")
            log.flush()


def test_every_acknowledged_mark_survives_kill_9(folder: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    rng = random.Random(4)
    written = 0
    for turn in range(3):
        logs = [tmp_path / f"log-{turn}-{number}" for number in range(2)]
        markers = [context.Process(target=_marker, args=(folder, log.name, log)) for log in logs]
        for marker in markers:
            marker.start()
        deadline = time.monotonic() + 120
        while not all(log.exists() and log.stat().st_size > 200 for log in logs) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(rng.random() / 10)
        for marker in markers:
            assert marker.pid is not None
            os.kill(marker.pid, signal.SIGKILL)
            marker.join()
        written += sum(len(log.read_text().splitlines()) for log in logs)
    acknowledged = [line.split() for log in tmp_path.glob("log-*") for line in log.read_text().splitlines()]
    assert len(acknowledged) == written > 30
    with opened(folder, "An assignment") as store:
        for id_, student, points in acknowledged:
            event = store.event(int(id_))
            assert (event.student, event.mark and event.mark.points) == (student, float(points))
        kept = [event.id for number in range(5) for event in store.history(f"s{number}")]
    assert len(kept) == len(set(kept)) >= len(acknowledged)
    assert len({id_ for id_, _, _ in acknowledged}) == len(acknowledged), "no mark is there twice"


# --- files ---------------------------------------------------------------------------------------------------------


def _take(store: Store, text: str, by: str = "file") -> None:
    marks, mistakes = parse(text.encode(), Path("doe.yaml"), examples.rubric())
    assert mistakes == []
    take_over(store, "doe", marks, examples.rubric(), name="doe.yaml", by=by)


def test_only_what_changed_in_a_file_is_taken_over(store: Store) -> None:
    _take(store, f"{ITEM}: 1\nvae.kld: {{points: 1, comment: Why}}\n")
    (head,) = store.current("doe").items[ITEM]
    _give(store, 3, head.id, by="room")
    for _ in range(2):
        _take(store, f"{ITEM}: 1\nvae.kld: {{points: 2, comment: Why}}\n")
        assert _points(store) == [3], "the file did not change this mark, so the newer one stays"
    assert len(store.history("doe")) == 4


def test_a_file_and_a_person_who_mark_at_the_same_time_are_in_conflict(store: Store) -> None:
    _take(store, f"{ITEM}: 1\n")
    (head,) = store.current("doe").items[ITEM]
    _give(store, 3, head.id, by="room")
    _take(store, f"{ITEM}: 2\n")
    assert sorted(_points(store), key=str) == [2, 3]
    _take(store, f"{ITEM}: 2\n")
    assert sorted(_points(store), key=str) == [2, 3]
    heads = [event.id for event in store.current("doe").items[ITEM]]
    _give(store, 2.5, *heads)
    _take(store, f"{ITEM}: 2\n")
    assert _points(store) == [2.5]


def test_a_file_that_says_what_was_marked_already_changes_nothing(store: Store) -> None:
    _give(store, 2)
    _take(store, f"{ITEM}: 2\n")
    assert len(store.history("doe")) == 1
    _take(store, f"{ITEM}: 3\n")
    assert _points(store) == [3]


def test_a_line_that_is_removed_takes_its_own_mark_back(store: Store) -> None:
    _take(store, f"{ITEM}: 1\n")
    _take(store, "")
    assert _points(store) == [None]
    _take(store, f"{ITEM}: 2\n")
    assert _points(store) == [2]
    (head,) = store.current("doe").items[ITEM]
    _give(store, 3, head.id, by="room")
    _take(store, "")
    assert _points(store) == [3], "it was not the file's"


def test_exported_files_are_imported_as_no_change(store: Store, folder: Path) -> None:
    _give(store, 2.25)
    (path,) = write_files(store, folder, examples.rubric(), ["doe", "roe"])
    assert path.read_text() == f"{ITEM}: 2.25\n"
    _take(store, path.read_text())
    assert len(store.history("doe")) == 1
    assert write_files(store, folder, examples.rubric(), ["doe"]) == [path], "it holds that already"
    _take(store, path.read_text().replace("2.25", "2.5"))
    assert _points(store) == [2.5]
    with pytest.raises(FileExistsError):
        write_files(store, folder, examples.rubric(), ["doe"])
    assert path.read_text() == f"{ITEM}: 2.25\n", "what is typed there is not written over"


def test_files_of_one_name_in_two_places_are_two_files(store: Store, folder: Path, tmp_path: Path) -> None:
    here, there = (remembered_as(place / "doe.yaml", folder) for place in (folder, tmp_path))
    assert here == "doe.yaml"
    assert there == str(tmp_path / "doe.yaml")
    for name, item in ((here, ITEM), (there, "1.9-description")):
        take_over(store, "doe", {item: Mark(points=1)}, examples.rubric(), name=name, by="file")
    assert set(store.current("doe").items) == {ITEM, "1.9-description"}
    assert _points(store) == [1], "the second file does not take back what it never showed"
    assert take_over(store, "doe", {}, examples.rubric(), name=there, by="file") == ["took back 1.9-description"]


def test_files_that_belong_to_nobody_are_named_with_the_nearest_ids(folder: Path) -> None:
    folder.mkdir(parents=True)
    students = {"doejane_123": "doejane", "o_brien_7": "O'Brien", "doejane_456": "doejane", "müller": "Müller"}
    for name in (
        "doejane.yaml",
        "O'Brien.yaml",
        "müller.yml",
        "roe.yaml",
        "doejane_123.yaml",
        ".DS_Store",
        "x.yaml~",
        "marks.sqlite.bak",
        "all.csv",
    ):
        (folder / name).touch()
    found, problems = files_in(folder, students)
    assert set(found) == {"doejane_123"}
    (table,) = (problem for problem in problems if "all.csv" in problem)
    assert "gengrade marks import" in table
    problems.remove(table)
    assert [problem.rpartition("nobody; ")[2] for problem in sorted(problems)] == [
        "name it o_brien_7.yaml",
        "put its lines into doejane_123.yaml, which is there already",
        "name it müller.yaml",
        "no student has the id roe: name it by an id, or move it away",
    ]


def test_marks_of_students_and_items_that_are_gone_are_named(store: Store) -> None:
    _give(store, 1, student="doe_1")
    text = examples.RUBRIC.replace(f"id: {ITEM}", "id: 1.1-drawing")
    (problem,) = unused(store.all_current(), {"doe_2": "doe"}, examples.rubric())
    assert "doe_1: no submission has this id" in problem
    assert "gengrade marks move doe_1 doe_2" in problem
    (problem,) = unused(store.all_current(), {"doe_1": "doe"}, Rubric.parse(text, Path("rubric.yaml")))
    assert f'"{ITEM}", which the rubric does not have' in problem
    assert unused(store.all_current(), {"doe_1": "doe"}, examples.rubric()) == []
    with store.transaction():
        (head,) = store.current("doe_1").items[ITEM]
        store.add([Change("doe_1", ITEM, None, None, (head.id,), EventKind.WITHDRAWAL)], by="Ann", source="t")
    assert unused(store.all_current(), {}, examples.rubric()) == []


def test_errors_of_files_are_those_of_documents() -> None:
    _, (mistake,) = parse(b"\xff", Path("doe.yaml"), examples.rubric())
    assert isinstance(mistake, DocumentError)
    assert to_yaml({}) == ""
