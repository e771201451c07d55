"""Take marks over from files that people write into the history, without losing what was marked elsewhere meanwhile.

A file is compared with what was last read from it: only what a person changed in it since becomes an event. An event
replaces the one that the file showed. If somebody has replaced that one meanwhile, the item is in conflict.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from gengrade.atomic import write_whole
from gengrade.documents import suggestion
from gengrade.marks import files, table
from gengrade.marks.model import Change, Event, EventKind, Mark, Marks
from gengrade.marks.store import Store
from gengrade.paths import from_here, printable
from gengrade.rubric import Rubric, Wording

ENDING: Final = ".yaml"
TABLE: Final = ".csv"


def files_in(folder: Path, students: Mapping[str, str]) -> tuple[dict[str, Path], list[str]]:
    """Return the files of marks by the student's id, and a sentence about each file that belongs to no student.

    folder: the folder of marks, which may be missing.
    students: the names of all students by their ids.
    """
    found: dict[str, Path] = {}
    problems = []
    entries = sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []
    for path in entries:
        if path.name.startswith(".") or path.name.endswith("~") or ".sqlite" in path.name:
            continue  # the store, copies of it, and what editors and desktops leave
        if path.suffix == ENDING and path.stem in students:
            found[path.stem] = path
        else:
            shown = printable(str(from_here(path)))
            problems.append(f"{shown}: its marks count for nobody; {_meant(path, students)}")
    return found, problems


def _meant(path: Path, students: Mapping[str, str]) -> str:
    """Return what to call a file of marks, from the ids and names that are nearest to its own name."""
    stem = path.stem
    if path.suffix == TABLE:
        return f"take them over with: gengrade marks import {printable(str(from_here(path)))}, and move the file away"
    if stem in students:
        return _advice(path, [stem])
    wanted = _key(stem)
    named = [id_ for id_, name in students.items() if wanted in (_key(name), _key(id_))]
    named = named or [
        id_ for id_ in students if wanted and (_key(id_).startswith(wanted) or wanted.startswith(_key(id_)))
    ]
    if named:
        return _advice(path, named)
    return f"no student has the id {printable(stem)}{suggestion(stem, students)}: name it by an id, or move it away"


def _advice(path: Path, ids: Sequence[str]) -> str:
    """Return what to do with a file of marks that is meant for one of these students."""
    names = [f"{id_}{ENDING}" for id_ in ids[:3]]
    taken = [name for name in names if path.with_name(name).exists()]
    return f"put its lines into {taken[0]}, which is there already" if taken else f"name it {' or '.join(names)}"


def _key(name: str) -> str:
    """Return the letters and digits of a name, by which a name and the id that was made from it are compared."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def read_files(
    store: Store, found: Mapping[str, Path], rubric: Rubric, read: Callable[[Path], bytes | None], by: str
) -> tuple[list[str], list[str]]:
    """Take over all files of marks; return their mistakes, and a sentence on each whose removed lines were taken back.

    read: returns a file's content, or None if it is gone; it may raise OSError, and what it raises else passes through.

    A file with a mistake is left out as a whole: what was read from it earlier stands.
    """
    problems: list[str] = []
    notes: list[str] = []
    for student, path in found.items():
        try:
            content = read(path)
        except OSError as error:
            problems.append(f"{printable(str(path))}: it cannot be read ({error.strerror}): check its permissions")
            continue
        if content is None:
            continue
        name = remembered_as(path, store.path.parent)
        known = {item: store.event(id_).mark for item, id_ in store.file(name).items()}
        marks, mistakes = files.parse(content, from_here(path), rubric, known)
        if mistakes:
            problems += [str(mistake) for mistake in mistakes]
            continue
        gone = take_over(store, student, marks, rubric, name=name, by=by, copied=name != path.name)
        notes += [f"{printable(student)}: {done}, whose lines were removed" for done in gone]
    return problems, notes


def take_over(
    store: Store,
    student: str,
    marks: Mapping[str, Mark],
    rubric: Rubric,
    *,
    name: str,
    by: str,
    copied: bool = False,
) -> list[str]:
    """Make events of what a person changed in a student's file since it was last read.

    name: the file's name or path, under which the store remembers it.
    by: the person who gave the marks.
    copied: whether the file lies outside of the folder of marks, as one that was exported. A changed line is then for
        the files that its mark was given for.

    Returns what was done about the items that the file does not show any more, in words.
    """
    gone: dict[str, list[str]] = {}
    entries = {entry.id: entry for entry in rubric.entries()}
    with store.transaction():
        known = store.file(name)
        current = store.current(student)
        shown = dict(known)
        for item in sorted({*known, *marks}):
            before = store.event(known[item]) if item in known else None
            mark = marks.get(item)
            if mark == (before.mark if before else None):
                continue
            wording = entries[item].wording if mark is not None else None
            # Who edits a copy has read what it was made from; in the folder of marks, what was graded last.
            content = before.content if copied and before and before.mark else None
            change = _change(student, item, mark, wording, before, current, content)
            if isinstance(change, Event):
                shown[item] = change.id
            elif change is not None:
                (shown[item],) = store.add([change], by=by, source=name)
            if mark is None:
                shown.pop(item)
                taken = "took back" if isinstance(change, Change) else "could not take back, since another mark counts:"
                gone.setdefault(taken, []).append(item)
        if shown != known:
            store.remember_file(name, shown)
    return [f"{done} {', '.join(items)}" for done, items in gone.items()]


def _change(
    student: str,
    item: str,
    mark: Mark | None,
    wording: Wording | None,
    before: Event | None,
    current: Marks,
    content: str | None,
) -> Change | Event | None:
    """Return the change that a file asks for, the event that says the same already, or None where nothing is to do.

    before: the event that the file showed when it was last read; None: it did not show the item.
    current: the student's current marks.
    content: the hash of the submission that the mark is for; None: the present one.
    """
    heads = current.items.get(item, ())
    same = [event for event in heads if event.mark == mark and (mark is None or event.wording == wording)]
    if same and len(heads) == 1:
        return same[0]
    if mark is None:
        # A line that was removed takes the mark back that it gave, and no other.
        if before is None or [event.id for event in heads] != [before.id]:
            return None
        standing = tuple(event.id for event in current.standing(item))
        return Change(student, item, None, None, standing, EventKind.WITHDRAWAL)
    replaces = [before.id] if before else []
    # Withdrawn marks are not in anybody's way, and whoever confirms a mark says what the file says.
    replaces += [event.id for event in heads if event.mark is None or (before and _confirms(event, before))]
    if before and len(heads) == 1 and heads[0].id in replaces:
        replaces += [event.id for event in current.standing(item)]
    return Change(student, item, mark, wording, tuple(dict.fromkeys(replaces)), content=content)


def _confirms(event: Event, earlier: Event) -> bool:
    """Return whether an event confirms another one."""
    return event.kind is EventKind.CONFIRMATION and earlier.id in event.replaces


class Table:
    """A table of marks, with what was last read from it.

    store: the marks of the class.
    name: the path under which the store remembers the table.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name

    def is_unchanged(self, row: table.Row) -> bool:
        """Return whether a row still equals the event that it was written from."""
        before = self._event_of(row, self._store.file(self._name))
        return before is not None and row.mark == before.mark

    def take_over(self, rows: Iterable[table.Row], rubric: Rubric, *, by: str) -> list[str]:
        """Make events of the rows that a person changed; return a sentence on each that took nothing back."""
        entries = {entry.id: entry for entry in rubric.entries()}
        notes: list[str] = []
        with self._store.transaction():
            known = self._store.file(self._name)
            shown = dict(known)
            for row in rows:
                before = self._event_of(row, known)
                if row.mark == (before.mark if before else None):
                    continue
                wording = entries[row.item].wording if row.mark is not None else None
                current = self._store.current(row.student)
                content = row.content or (before.content if before and before.mark else None)
                change = _change(row.student, row.item, row.mark, wording, before, current, content)
                if isinstance(change, Event):
                    shown[row.key] = change.id
                elif change is not None:
                    (shown[row.key],) = self._store.add([change], by=by, source=Path(self._name).name)
                else:
                    who = f"line {row.line}, {printable(row.student)}"
                    notes.append(f"{who}: {row.item} was not taken back, since another mark counts")
            if shown != known:
                self._store.remember_file(self._name, shown)
        return notes

    def _event_of(self, row: table.Row, known: Mapping[str, int]) -> Event | None:
        """Return the event that a row stands for: what was last read from it, or else what it was written from."""
        number = known.get(row.key, row.event)
        if number is None:
            return None
        try:
            event = self._store.event(number)
        except KeyError:
            return None
        return event if (event.student, event.item) == (row.student, row.item) else None


def remembered_as(path: Path, marks: Path) -> str:
    """Return what a file is remembered as: its name in the folder of marks, its whole path elsewhere."""
    return path.name if path.parent.resolve() == marks.resolve() else str(path.resolve())


def write_files(store: Store, folder: Path, rubric: Rubric, students: Iterable[str]) -> list[Path]:
    """Write the current marks of these students as YAML files, and return their paths.

    Raises FileExistsError, before anything is written, for a file that holds something else.

    The store remembers them, so that only what is changed in them afterwards is taken over. Items in conflict are left
    out, since a file can show one mark only.
    """
    order = [entry.id for entry in rubric.entries()]
    texts: dict[Path, tuple[str, dict[str, int]]] = {}
    for student in students:
        events = {item: heads[0] for item, heads in store.current(student).items.items() if len(heads) == 1}
        given = {item: event.mark for item, event in events.items() if event.mark is not None}
        if not given:
            continue
        path = folder / f"{student}{ENDING}"
        text = files.to_yaml(given, order)
        if path.exists() and path.read_bytes() != text.encode():
            raise FileExistsError(errno.EEXIST, "it holds something else", str(path))
        texts[path] = text, {item: events[item].id for item in given}
    with store.transaction():
        for path, (text, shown) in texts.items():
            write_whole(path, text)
            store.remember_file(remembered_as(path, store.path.parent), shown)
    return list(texts)


def unused(marks: Mapping[str, Marks], students: Mapping[str, str], rubric: Rubric) -> list[str]:
    """Return a sentence about each mark that counts for nobody: its student or its item is not there any more."""
    items = {entry.id for entry in rubric.entries()}
    problems = []
    for student, given in marks.items():
        kept = sorted(item for item, heads in given.items.items() if any(event.mark for event in heads))
        if student not in students and kept:
            free = [other for other in students if other not in marks]  # nobody's marks are mixed with another's
            near = difflib.get_close_matches(student, free, n=1, cutoff=0.5)
            new = near[0] if near else "NEW_ID"
            count = f"its {len(kept)} marks count" if len(kept) > 1 else "its mark counts"
            problems.append(
                f"{printable(student)}: no submission has this id, so {count} for nobody; if the student was renamed, "
                f"run: gengrade marks move {printable(student)} {printable(new)}"
            )
        elif student in students:
            gone = [item for item in kept if item not in items]
            if gone:
                named = ", ".join(f'"{item}"' for item in gone[:5])
                problems.append(
                    f"{printable(student)}: there are marks for {named}, which the rubric does not have; "
                    "they are kept, and count for nothing"
                )
    return problems
