"""Keep marks in one SQLite file per assignment, as a history to which events are only added.

A transaction is on the disk before it is acknowledged (WAL with full synchronisation). Several processes may use the
file at once; two people who mark the same item at the same time both stay in the history.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gengrade.marks.model import SECOND, Amendment, Answer, Asked, Change, Event, EventKind, Head, Mark, Marks, deciding
from gengrade.marks.place import require_local
from gengrade.paths import InputError, printable
from gengrade.places import Owners
from gengrade.rubric import Wording

NAME: Final = "marks.sqlite"
ContentOf = Callable[[str], str | None]
BESIDE: Final = tuple(f"{NAME}{ending}" for ending in ("-wal", "-shm", "-journal"))  # SQLite's own files beside it

_APPLICATION: Final = 0x67726164  # "grad", which says that a SQLite file is one of ours
_WAIT_SECONDS: Final = 30.0
_EVENTS_AND_FILES: Final = """
CREATE TABLE assignment (name TEXT NOT NULL);
CREATE TABLE wordings (fingerprint TEXT PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    by TEXT NOT NULL,
    source TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('mark', 'confirmation', 'withdrawal', 'undo')),
    student TEXT NOT NULL,
    item TEXT NOT NULL,
    mark TEXT,
    fingerprint TEXT REFERENCES wordings,
    request TEXT UNIQUE,
    CHECK ((mark IS NULL) = (fingerprint IS NULL))
);
CREATE INDEX events_of ON events (student, item);
CREATE TABLE replacements (
    replaced INTEGER NOT NULL REFERENCES events,
    event INTEGER NOT NULL REFERENCES events,
    PRIMARY KEY (replaced, event)
) WITHOUT ROWID;
CREATE INDEX replacements_by ON replacements (event);
CREATE TABLE files (name TEXT PRIMARY KEY, events TEXT NOT NULL);
CREATE TRIGGER events_are_kept BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
"""
_AMENDMENTS: Final = """
CREATE TABLE amendments (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    by TEXT NOT NULL,
    source TEXT NOT NULL,
    item TEXT NOT NULL,
    base TEXT REFERENCES wordings,
    fingerprint TEXT REFERENCES wordings,
    old_comment TEXT,
    new_comment TEXT,
    undoes INTEGER UNIQUE REFERENCES amendments,
    request TEXT UNIQUE,
    CHECK ((base IS NULL) = (fingerprint IS NULL)),
    CHECK ((old_comment IS NULL) = (new_comment IS NULL)),
    CHECK ((base IS NULL) <> (old_comment IS NULL))
);
CREATE TABLE amended_events (
    event INTEGER PRIMARY KEY REFERENCES events,
    amendment INTEGER NOT NULL REFERENCES amendments
);
CREATE INDEX amended_events_of ON amended_events (amendment);
CREATE TRIGGER amendments_are_kept BEFORE DELETE ON amendments
    BEGIN SELECT RAISE(ABORT, 'amendments are never deleted'); END;
CREATE TRIGGER amendments_stay BEFORE UPDATE ON amendments
    BEGIN SELECT RAISE(ABORT, 'amendments are never changed'); END;
CREATE TRIGGER amended_events_are_kept BEFORE DELETE ON amended_events
    BEGIN SELECT RAISE(ABORT, 'amendments are never deleted'); END;
CREATE TRIGGER amended_events_stay BEFORE UPDATE ON amended_events
    BEGIN SELECT RAISE(ABORT, 'amendments are never changed'); END;
"""
_QUESTIONS: Final = """
CREATE TABLE questions (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    by TEXT NOT NULL,
    source TEXT NOT NULL,
    student TEXT NOT NULL,
    item TEXT NOT NULL,
    text TEXT NOT NULL,
    points REAL,
    request TEXT UNIQUE
);
CREATE TABLE answers (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    by TEXT NOT NULL,
    source TEXT NOT NULL,
    question INTEGER NOT NULL REFERENCES questions,
    text TEXT,
    points REAL,
    request TEXT UNIQUE
);
CREATE INDEX answers_of ON answers (question);
CREATE TRIGGER questions_are_kept BEFORE DELETE ON questions
    BEGIN SELECT RAISE(ABORT, 'questions are never deleted'); END;
CREATE TRIGGER questions_stay BEFORE UPDATE ON questions
    BEGIN SELECT RAISE(ABORT, 'questions are never changed'); END;
CREATE TRIGGER answers_are_kept BEFORE DELETE ON answers
    BEGIN SELECT RAISE(ABORT, 'answers are never deleted'); END;
CREATE TRIGGER answers_stay BEFORE UPDATE ON answers
    BEGIN SELECT RAISE(ABORT, 'answers are never changed'); END;
"""
_CONTENTS: Final = "ALTER TABLE events ADD COLUMN content TEXT;"
_STEPS: Final = (
    _EVENTS_AND_FILES,
    _AMENDMENTS + _QUESTIONS,
    _CONTENTS,
)  # a file of format n has the tables of the first n
_FORMAT: Final = len(_STEPS)
_EVENTS: Final = """
SELECT e.id, e.at, e.by, e.source, e.kind, e.student, e.item, e.mark, w.content,
       (SELECT json_group_array(r.replaced) FROM replacements r WHERE r.event = e.id), e.content
FROM events e LEFT JOIN wordings w USING (fingerprint)
"""
_STANDS: Final = "NOT EXISTS (SELECT 1 FROM replacements r WHERE r.replaced = e.id)"  # nothing has replaced the event
_CURRENT: Final = f"{_EVENTS} WHERE {_STANDS}"
_STATES: Final = f"""
SELECT e.student, e.item, e.by, e.fingerprint, json_extract(e.mark, '$.points'), e.source = '{SECOND}', e.content,
    EXISTS (
        SELECT 1 FROM events s JOIN replacements r ON r.replaced = s.id JOIN events d ON d.id = r.event
        WHERE s.student = e.student AND s.item = e.item AND s.source = '{SECOND}' AND d.source <> '{SECOND}'
    )
FROM events e WHERE {_STANDS}
"""
_TWICE: Final = f"""
{_EVENTS} WHERE (e.student, e.item) IN (SELECT student, item FROM events WHERE source = ?) ORDER BY e.id
"""
_ALL_AMENDMENTS: Final = """
SELECT a.id, a.at, a.by, a.source, a.item, b.content, w.content, a.old_comment, a.new_comment, a.undoes
FROM amendments a LEFT JOIN wordings b ON b.fingerprint = a.base LEFT JOIN wordings w ON w.fingerprint = a.fingerprint
"""
# Each question with its newest answer; an answer without a text says that the question was entered by mistake.
_ASKED: Final = """
SELECT q.id, q.at, q.by, q.student, q.item, q.text, q.points, a.id, a.at, a.by, a.text, a.points
FROM questions q LEFT JOIN answers a ON a.id = (SELECT max(id) FROM answers WHERE question = q.id)
WHERE (a.id IS NULL OR a.text IS NOT NULL) AND ? IN (q.student, '') ORDER BY q.id
"""
_COMMENTS: Final = f"""
SELECT json_extract(e.mark, '$.comment') AS text, count(*) AS number, avg(json_extract(e.mark, '$.points'))
FROM events e
WHERE e.item = ? AND e.student <> ? AND text <> '' AND {_STANDS}
GROUP BY text ORDER BY number DESC, max(e.id) DESC
"""


class StoreError(InputError):
    """The file of marks cannot be used."""

    def __str__(self) -> str:
        return f"{printable(str(self.path))}: {self.reason}"


class Store:
    """An open file of marks. Use `opened`, which closes it.

    content_of: returns the hash of what a student handed in, for which new marks are given; None if it is unknown.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, content_of: ContentOf) -> None:
        self.path = path
        self.content_of = content_of
        self._connection = connection

    @property
    def assignment(self) -> str:
        """The assignment that the marks are for."""
        (name,) = self._connection.execute("SELECT name FROM assignment").fetchone()
        return str(name)

    def adopt(self, assignment: str) -> None:
        """Use the marks for an assignment of another name from now on."""
        with self.transaction():
            self._connection.execute("UPDATE assignment SET name = ?", (assignment,))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Store everything that is done inside it, or nothing. Other processes wait meanwhile."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def add(self, changes: Iterable[Change], *, by: str, source: str) -> list[int]:
        """Add events inside a `transaction`, and return their ids.

        by: the person who made the changes.
        source: what they used, such as the name of a file.
        """
        at = _now()
        return [self._add(change, at, by, source) for change in changes]

    def add_once(self, change: Change, *, by: str, source: str, request: str) -> int:
        """Add an event unless an earlier call with the same `request` has added it; return its id.

        A browser that got no answer repeats its request, and must not mark twice.
        """
        with self.transaction():
            row = self._connection.execute("SELECT id FROM events WHERE request = ?", (request,)).fetchone()
            return int(row[0]) if row else self._add(change, _now(), by, source, request)

    def _add(self, change: Change, at: str, by: str, source: str, request: str | None = None) -> int:
        run = self._connection.execute
        fingerprint = self._known(change.wording)
        mark = None if change.mark is None else change.mark.model_dump_json()
        content = None if mark is None else change.content or self.content_of(change.student)
        row = (at, by, source, change.kind.value, change.student, change.item, mark, fingerprint, request, content)
        columns = "at, by, source, kind, student, item, mark, fingerprint, request, content"
        added = run(f"INSERT INTO events ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row).lastrowid
        assert added is not None
        for replaced in change.replaces:
            run("INSERT INTO replacements VALUES (?, ?)", (replaced, added))
        return added

    def _known(self, wording: Wording | None) -> str | None:
        """Keep a wording, and return its fingerprint."""
        if wording is None:
            return None
        row = (wording.fingerprint, wording.model_dump_json())
        self._connection.execute("INSERT OR IGNORE INTO wordings VALUES (?, ?)", row)
        return row[0]

    def undo(self, student: str, item: str, *, by: str, source: str) -> bool:
        """Take back the last change of an item; return whether there was one. To take back an undo repeats the change.

        If the last change settled a conflict, the conflict is there again. With the source of second marks, that
        person's last second mark is taken back.
        """
        with self.transaction():
            marks = self.current(student)
            second = tuple(event for event in marks.seconds.get(item, ()) if event.by == by)
            heads = second if source == SECOND else marks.items.get(item, ())
            if len(heads) != 1:
                return False
            (last,) = heads
            before = [self.event(id_) for id_ in last.replaces]
            undone = [(event.mark, event.wording, event.content) for event in before] or [(None, None, None)]
            self.add(
                [
                    Change(student, item, mark, wording, (last.id,), EventKind.UNDO, content)
                    for mark, wording, content in undone
                ],
                by=by,
                source=source,
            )
        return True

    def current(self, student: str) -> Marks:
        """Return a student's current marks; items whose mark was withdrawn are among them, with `mark` None."""
        found = self._grouped(f"{_CURRENT} AND e.student = ? ORDER BY e.id", (student,)).get(student, Marks())
        return replace(found, asked=_by_item(self.questions(student)))

    def all_current(self) -> dict[str, Marks]:
        """Return the current marks of every student, by the student's id."""
        found = self._grouped(f"{_CURRENT} ORDER BY e.id", ())
        asked: dict[str, list[Asked]] = defaultdict(list)
        for each in self.questions():
            asked[each.student].append(each)
        return found | {
            student: replace(found.get(student, Marks()), asked=_by_item(asked[student])) for student in asked
        }

    def states(self, of: str = "") -> dict[tuple[str, str], list[Head]]:
        """Return, for each student and item with a mark, all current events, without reading them whole.

        of: the student; "": everybody.
        """
        query = f"{_STATES} {'AND e.student = ?' if of else ''} ORDER BY e.id"
        found: dict[tuple[str, str], list[Head]] = defaultdict(list)
        for student, item, by, fingerprint, points, second, content, decided in self._connection.execute(
            query, (of,) if of else ()
        ):
            found[student, item].append(Head(by, fingerprint, points, bool(second), content, bool(decided)))
        return found

    def comments(self, item: str, without: str = "") -> list[tuple[str, int, float | None]]:
        """Return the comments of an item's current marks, the most frequent first: text, number, mean points.

        without: a student whose marks are left out.
        """
        rows = self._connection.execute(_COMMENTS, (item, without))
        return [(text, int(number), mean) for text, number, mean in rows]

    def history(self, student: str, item: str | None = None) -> list[Event]:
        """Return all events of a student, or of one item, the oldest first."""
        return self._events(f"{_EVENTS} WHERE e.student = ? AND ? IN (e.item, '') ORDER BY e.id", (student, item or ""))

    def twice_marked(self) -> list[list[Event]]:
        """Return the history of each student's item that has ever got a second mark."""
        found: dict[tuple[str, str], list[Event]] = defaultdict(list)
        for event in self._events(_TWICE, (SECOND,)):
            found[event.student, event.item].append(event)
        return list(found.values())

    def event(self, id_: int) -> Event:
        """Return one event. Raises KeyError if there is none with this id."""
        found = self._events(f"{_EVENTS} WHERE e.id = ?", (id_,))
        if not found:
            raise KeyError(id_)
        return found[0]

    def marked(self, item: str) -> dict[str, tuple[Event, ...]]:
        """Return the current events of one item, by the student's id."""
        found = self._grouped(f"{_CURRENT} AND e.item = ? ORDER BY e.id", (item,))
        return {student: marks.items[item] for student, marks in found.items()}

    def seconded(self, item: str) -> set[str]:
        """Return the students with a second mark for an item."""
        query = f"SELECT e.student FROM events e WHERE e.item = ? AND e.source = ? AND e.mark IS NOT NULL AND {_STANDS}"
        return {student for (student,) in self._connection.execute(query, (item, SECOND))}

    def wording(self, fingerprint: str) -> Wording | None:
        """Return the wording with this fingerprint, if a mark or an amendment was ever made for it."""
        row = self._connection.execute("SELECT content FROM wordings WHERE fingerprint = ?", (fingerprint,)).fetchone()
        return None if row is None else Wording.model_validate_json(row[0])

    def amend(
        self,
        item: str,
        changes: Iterable[Change],
        *,
        criteria: tuple[Wording, Wording] | None = None,
        comments: tuple[str, str] | None = None,
        undoes: int | None = None,
        by: str,
        source: str,
        request: str | None = None,
    ) -> int:
        """Add an amendment inside a `transaction`, with the events that it leads to, and return its id.

        An event has the same author as the one that it replaces, and its source names who made the amendment.

        criteria: the wording in the rubric's file, and the item's wording from now on.
        comments: the comment before and after. Either these or the criteria are given.
        undoes: the amendment that this one takes back.
        request: a text that is the same when a browser repeats the request; see `amendment_of`.
        """
        base, wording = map(self._known, criteria or (None, None))
        row = (_now(), by, source, item, base, wording, *(comments or (None, None)), undoes, request)
        columns = "at, by, source, item, base, fingerprint, old_comment, new_comment, undoes, request"
        run = self._connection.execute
        added = run(f"INSERT INTO amendments ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row).lastrowid
        assert added is not None
        for change in changes:  # whoever judged an answer stays its marker, also when its sum is computed again
            author = self.event(change.replaces[0]).by if change.replaces else by
            (event,) = self.add([change], by=author, source=f"change {added} by {by}")
            run("INSERT INTO amended_events VALUES (?, ?)", (event, added))
        return added

    def amendments(self, item: str | None = None) -> list[Amendment]:
        """Return all amendments, or those of one item, the oldest first."""
        found = self._connection.execute(f"{_ALL_AMENDMENTS} WHERE ? IN (a.item, '') ORDER BY a.id", (item or "",))
        return [_amendment(row) for row in found]

    def amendment_of(self, request: str) -> int | None:
        """Return the amendment that a request has added already, or None."""
        row = self._connection.execute("SELECT id FROM amendments WHERE request = ?", (request,)).fetchone()
        return int(row[0]) if row else None

    def last_amendment(self) -> int:
        """Return the id of the newest amendment; 0 if there is none."""
        return int(self._connection.execute("SELECT coalesce(max(id), 0) FROM amendments").fetchone()[0])

    def amendment_behind(self, student: str, item: str) -> int | None:
        """Return the amendment that led to the current event of a student's item; None if a person's own mark did."""
        heads = self.current(student).items.get(item, ())
        return self.amendment_that_led_to(heads[0].id) if len(heads) == 1 else None

    def amendment_that_led_to(self, event: int) -> int | None:
        """Return the amendment that led to an event; None if a person's own mark did."""
        row = self._connection.execute("SELECT amendment FROM amended_events WHERE event = ?", (event,)).fetchone()
        return int(row[0]) if row else None

    def amended_events(self, amendment: int) -> list[Event]:
        """Return the events that an amendment led to, the oldest first."""
        which = "e.id IN (SELECT event FROM amended_events WHERE amendment = ?)"
        return self._events(f"{_EVENTS} WHERE {which} ORDER BY e.id", (amendment,))

    def ask(
        self, student: str, item: str, text: str, points: float | None, *, by: str, source: str, request: str | None
    ) -> int:
        """Add a student's question about an item unless the same `request` has added it already; return its id."""
        return self._once("questions", {"student": student, "item": item}, text, points, by, source, request)

    def answer(
        self, question: int, text: str | None, points: float | None, *, by: str, source: str, request: str | None
    ) -> int:
        """Add an answer to a question unless the same `request` has added it already; return its id.

        text: None says that the question was entered by mistake, so that it is not shown any more.
        """
        return self._once("answers", {"question": question}, text, points, by, source, request)

    def _once(
        self,
        table: str,
        about: Mapping[str, object],
        text: str | None,
        points: float | None,
        by: str,
        source: str,
        request: str | None,
    ) -> int:
        row = {"at": _now(), "by": by, "source": source, "text": text, "points": points, "request": request, **about}
        columns, marks = ", ".join(row), ", ".join("?" * len(row))
        run = self._connection.execute
        with self.transaction():
            there = run(f"SELECT id FROM {table} WHERE request = ?", (request,)).fetchone()
            if there:
                return int(there[0])
            added = run(f"INSERT INTO {table} ({columns}) VALUES ({marks})", [*row.values()]).lastrowid
            assert added is not None
            return added

    def questions(self, student: str | None = None) -> list[Asked]:
        """Return the questions of all students, or of one, with their newest answers, the oldest first.

        Questions that were entered by mistake are left out.
        """
        return [_asked(row) for row in self._connection.execute(_ASKED, (student or "",))]

    def file(self, name: str) -> dict[str, int]:
        """Return what was last read from, or written to, a file: for each item (or row), the event with its mark."""
        row = self._connection.execute("SELECT events FROM files WHERE name = ?", (name,)).fetchone()
        return dict(json.loads(row[0])) if row else {}

    def remember_file(self, name: str, events: Mapping[str, int]) -> None:
        """Note, inside a `transaction`, which events a file's content stands for."""
        self._connection.execute("INSERT OR REPLACE INTO files VALUES (?, ?)", (name, json.dumps(dict(events))))

    def _grouped(self, query: str, values: Sequence[object]) -> dict[str, Marks]:
        found: dict[str, dict[str, tuple[Event, ...]]] = defaultdict(dict)
        for event in self._events(query, values):
            some = found[event.student]
            some[event.item] = (*some.get(event.item, ()), event)
        return {student: _marks(items) for student, items in found.items()}

    def _events(self, query: str, values: Sequence[object]) -> list[Event]:
        return [_event(row) for row in self._connection.execute(query, values)]


@contextmanager
def opened(
    folder: Path, assignment: str, content_of: ContentOf = lambda student: None, *, create: bool = True
) -> Iterator[Store]:
    """Open the file of marks in a folder, for as long as the context lasts.

    folder: the folder of marks, which is made if it is missing and `create` is true.
    assignment: the assignment that the marks have to be for; "" accepts any.
    content_of: returns the hash of what a student handed in, for which new marks are given; None if it is unknown.
    create: whether to make the file if there is none.

    Raises StoreError if the file is not one of ours, belongs to another assignment, or lies on a network drive, and
    PlaceError if it cannot be trusted.
    """
    path = folder / NAME
    if create:
        folder.mkdir(parents=True, exist_ok=True)
    owners = Owners.of(folder.parent)
    for place in (folder, path, *(folder / name for name in BESIDE)):
        if place.exists() or place.is_symlink():
            owners.require(place, place.lstat())
    if not create and not path.exists():
        raise StoreError(path, "there are no marks yet: grade first, then mark")
    require_local(folder, StoreError)
    try:
        connection = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise StoreError(path, f"it cannot be opened ({error}): check its permissions") from None
    try:
        yield _prepared(path, connection, assignment, content_of)
    except sqlite3.Error as error:
        raise StoreError(path, _advice(error)) from error
    finally:
        connection.close()


def _prepared(path: Path, connection: sqlite3.Connection, assignment: str, content_of: ContentOf) -> Store:
    """Set a connection up, make the tables where there are none, and check what the file is."""
    for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {setting}")
    connection.execute("BEGIN IMMEDIATE")
    try:
        number = _pragma(connection, "application_id")
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        format_ = _pragma(connection, "user_version") if tables else 0
        if tables and number != _APPLICATION:
            raise StoreError(path, "it is a database of another program: move it away")
        if format_ > _FORMAT:
            raise StoreError(path, "a newer version of gengrade wrote it: use that version")
        for statement in (each for step in _STEPS[format_:] for each in _statements(step)):
            connection.execute(statement)
        if not tables:
            connection.execute("INSERT INTO assignment VALUES (?)", (assignment,))
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        if format_ < _FORMAT:
            connection.execute(f"PRAGMA user_version = {_FORMAT}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    store = Store(path, connection, content_of)
    if assignment and store.assignment != assignment:
        reason = (
            f"these marks were given for “{store.assignment}”, and the rubric is that of “{assignment}”: give --out "
            "another folder. If only the title changed, run: gengrade marks adopt"
        )
        raise StoreError(path, reason)
    return store


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _event(row: Sequence[Any]) -> Event:
    id_, at, by, source, kind, student, item, mark, wording, replaces, content = row
    return Event(
        id_,
        at,
        by,
        source,
        EventKind(kind),
        student,
        item,
        None if mark is None else Mark.model_validate_json(mark),
        None if wording is None else Wording.model_validate_json(wording),
        tuple(json.loads(replaces)),
        content,
    )


def _marks(current: Mapping[str, tuple[Event, ...]]) -> Marks:
    """Return a student's marks from all current events by item."""
    seconds = {item: tuple(event for event in events if event.second) for item, events in current.items()}
    return Marks(
        {item: deciding(events, lambda event: event.head) for item, events in current.items()},
        {item: events for item, events in seconds.items() if events},
    )


def _by_item(asked: Iterable[Asked]) -> dict[str, tuple[Asked, ...]]:
    found: dict[str, tuple[Asked, ...]] = {}
    for each in asked:
        found[each.item] = (*found.get(each.item, ()), each)
    return found


def _asked(row: Sequence[Any]) -> Asked:
    id_, at, by, student, item, text, points, answered, *answer = row
    return Asked(id_, at, by, student, item, text, points, None if answered is None else Answer(*answer))


def _amendment(row: Sequence[Any]) -> Amendment:
    id_, at, by, source, item, base, wording, before, after, undoes = row
    return Amendment(
        id_,
        at,
        by,
        source,
        item,
        None if base is None else Wording.model_validate_json(base),
        None if wording is None else Wording.model_validate_json(wording),
        None if before is None else (before, after),
        undoes,
    )


def _advice(error: sqlite3.Error) -> str:
    text = str(error)
    if "not a database" in text or "malformed" in text:
        return f"it is damaged ({text}): put back a copy, or move it away and read your files of marks again"
    if "locked" in text:
        return "another program keeps it locked: end that program, and try again"
    if any(word in text for word in ("full", "readonly", "I/O", "unable to open")):
        return f"nothing can be written there ({text}): make room, or check its permissions; nothing was lost"
    return f"it cannot be used ({text})"
