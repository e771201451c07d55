"""Keep marks in one SQLite file per assignment, as a history to which events are only added.

A transaction is on the disk before it is acknowledged (WAL with full synchronisation). Several processes may use the
file at once; two people who mark the same item at the same time both stay in the history.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gengrade.marks.model import SECOND, Change, Event, EventKind, Head, Mark, Marks, deciding
from gengrade.marks.place import require_local
from gengrade.paths import InputError, printable
from gengrade.places import Owners
from gengrade.rubric import Wording

NAME: Final = "marks.sqlite"
BESIDE: Final = tuple(f"{NAME}{ending}" for ending in ("-wal", "-shm", "-journal"))  # SQLite's own files beside it

_FORMAT: Final = 1
_APPLICATION: Final = 0x67726164  # "grad", which says that a SQLite file is one of ours
_WAIT_SECONDS: Final = 30.0
_SCHEMA: Final = """
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
_EVENTS: Final = """
SELECT e.id, e.at, e.by, e.source, e.kind, e.student, e.item, e.mark, w.content,
       (SELECT json_group_array(r.replaced) FROM replacements r WHERE r.event = e.id)
FROM events e LEFT JOIN wordings w USING (fingerprint)
"""
_STANDS: Final = "NOT EXISTS (SELECT 1 FROM replacements r WHERE r.replaced = e.id)"  # nothing has replaced the event
_CURRENT: Final = f"{_EVENTS} WHERE {_STANDS}"
_STATES: Final = f"""
SELECT e.student, e.item, e.by, e.fingerprint, json_extract(e.mark, '$.points'), e.source = '{SECOND}'
FROM events e WHERE {_STANDS}
"""
_TWICE: Final = f"""
{_EVENTS} WHERE (e.student, e.item) IN (SELECT student, item FROM events WHERE source = ?) ORDER BY e.id
"""
_COMMENTS: Final = f"""
SELECT json_extract(e.mark, '$.comment') AS text, count(*) AS number, avg(json_extract(e.mark, '$.points'))
FROM events e
WHERE e.item = ? AND text <> '' AND {_STANDS}
GROUP BY text ORDER BY number DESC, max(e.id) DESC
"""


class StoreError(InputError):
    """The file of marks cannot be used."""

    def __str__(self) -> str:
        return f"{printable(str(self.path))}: {self.reason}"


class Store:
    """An open file of marks. Use `opened`, which closes it."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
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
        fingerprint = None
        if change.wording is not None:
            fingerprint = change.wording.fingerprint
            run("INSERT OR IGNORE INTO wordings VALUES (?, ?)", (fingerprint, change.wording.model_dump_json()))
        mark = None if change.mark is None else change.mark.model_dump_json()
        row = (at, by, source, change.kind.value, change.student, change.item, mark, fingerprint, request)
        columns = "at, by, source, kind, student, item, mark, fingerprint, request"
        added = run(f"INSERT INTO events ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row).lastrowid
        assert added is not None
        for replaced in change.replaces:
            run("INSERT INTO replacements VALUES (?, ?)", (replaced, added))
        return added

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
            undone = [(event.mark, event.wording) for event in before] or [(None, None)]
            self.add(
                [Change(student, item, mark, wording, (last.id,), EventKind.UNDO) for mark, wording in undone],
                by=by,
                source=source,
            )
        return True

    def current(self, student: str) -> Marks:
        """Return a student's current marks; items whose mark was withdrawn are among them, with `mark` None."""
        return self._grouped(f"{_CURRENT} AND e.student = ? ORDER BY e.id", (student,)).get(student, Marks())

    def all_current(self) -> dict[str, Marks]:
        """Return the current marks of every student, by the student's id."""
        return self._grouped(f"{_CURRENT} ORDER BY e.id", ())

    def states(self, of: str = "") -> dict[tuple[str, str], list[Head]]:
        """Return, for each student and item with a mark, all current events, without reading them whole.

        of: the student; "": everybody.
        """
        query = f"{_STATES} {'AND e.student = ?' if of else ''} ORDER BY e.id"
        found: dict[tuple[str, str], list[Head]] = defaultdict(list)
        for student, item, by, fingerprint, points, second in self._connection.execute(query, (of,) if of else ()):
            found[student, item].append(Head(by, fingerprint, points, bool(second)))
        return found

    def comments(self, item: str) -> list[tuple[str, int, float | None]]:
        """Return the comments of an item's current marks, the most frequent first: text, number, mean points."""
        return [(text, int(number), mean) for text, number, mean in self._connection.execute(_COMMENTS, (item,))]

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
def opened(folder: Path, assignment: str, *, create: bool = True) -> Iterator[Store]:
    """Open the file of marks in a folder, for as long as the context lasts.

    folder: the folder of marks, which is made if it is missing and `create` is true.
    assignment: the assignment that the marks have to be for; "" accepts any.
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
        yield _prepared(path, connection, assignment)
    except sqlite3.Error as error:
        raise StoreError(path, _advice(error)) from error
    finally:
        connection.close()


def _prepared(path: Path, connection: sqlite3.Connection, assignment: str) -> Store:
    """Set a connection up, make the tables where there are none, and check what the file is."""
    for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {setting}")
    connection.execute("BEGIN IMMEDIATE")
    try:
        number = _pragma(connection, "application_id")
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not tables:
            for statement in _statements(_SCHEMA):
                connection.execute(statement)
            connection.execute("INSERT INTO assignment VALUES (?)", (assignment,))
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {_FORMAT}")
        elif number != _APPLICATION:
            raise StoreError(path, "it is a database of another program: move it away")
        elif _pragma(connection, "user_version") > _FORMAT:
            raise StoreError(path, "a newer version of gengrade wrote it: use that version")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    store = Store(path, connection)
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
    id_, at, by, source, kind, student, item, mark, wording, replaces = row
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
    )


def _marks(current: Mapping[str, tuple[Event, ...]]) -> Marks:
    """Return a student's marks from all current events by item."""
    seconds = {item: tuple(event for event in events if event.second) for item, events in current.items()}
    return Marks(
        {item: deciding(events, lambda event: event.head) for item, events in current.items()},
        {item: events for item, events in seconds.items() if events},
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
