"""The commands `gengrade marks …`: give, confirm, take back, export and import marks of a class that was graded."""

from __future__ import annotations

import difflib
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from gengrade.console import WRONG_USAGE, refuse
from gengrade.documents import DocumentError, suggestion
from gengrade.engine import GradedClass, UsageError, graded_class, operator, rescore, rewrite_class_pages
from gengrade.marks import Change, Event, EventKind, Mark, Marks, Store, opened
from gengrade.marks import amendments as amending
from gengrade.marks import questions as asking
from gengrade.marks import table as tables
from gengrade.marks.importing import ENDING, TABLE, Table, files_in, read_files, remembered_as, write_files
from gengrade.marks.model import Asked, completed, confirmed, is_for_other_files, problem_with
from gengrade.paths import InputError
from gengrade.places import read_plain
from gengrade.report.text import inert, one_line
from gengrade.rubric import Entry, Rubric

_SOURCE: Final = "gengrade marks"
_DEFAULT: Final = Path("results")
_ALL: Final = "all"  # instead of an item's id
_DECIMAL_COMMA: Final = re.compile(r"(\d+),(\d+)")

app = typer.Typer(no_args_is_help=True, help="Give, confirm, take back, export and import marks.")

_Out = Annotated[Path, typer.Option("--out", help="The folder of results of the class.")]
_By = Annotated[str, typer.Option("--by", help="Who marks; by default the user of this machine.")]
_Student = Annotated[str, typer.Argument(help="The student's id: the name of their folder of results.")]
_Item = Annotated[str, typer.Argument(help="The item's id in the rubric.")]


def _points(text: str) -> float:
    """Return a number of points on the command line. Raises UsageError."""
    comma = _DECIMAL_COMMA.fullmatch(text)
    hint = f"write {comma[1]}.{comma[2]}" if comma else "give one from 0, with at most two decimals"
    try:
        points = float(text)
    except ValueError:
        points = math.nan
    if not (0 <= points < math.inf and round(points, 2) == points):
        raise UsageError(f"{text} is no number of points: {hint}")
    return points


@app.command("give")
def give(
    student: _Student,
    item: _Item,
    points: Annotated[
        str | None, typer.Argument(help="The points, such as 2.5; leave them out if criteria say them.")
    ] = None,
    criteria: Annotated[
        list[str] | None,
        typer.Option(help="The id of a criterion that is met, or several with commas; may be repeated."),
    ] = None,
    comment: Annotated[
        str | None, typer.Option(help='A comment for the student; "" removes the one that is there.')
    ] = None,
    out: _Out = _DEFAULT,
    by: _By = "",
) -> None:
    """Give a mark. It replaces the one that the item has, or those in conflict.

    Points or criteria alone keep the comment, and a comment alone keeps the points.
    """
    with _class(out) as (graded, store):
        entry = _entry(graded, item)
        student = _known(graded, student)
        named = [name.strip() for some in criteria or () for name in some.split(",")]
        met = tuple(filter(None, named)) if criteria else None
        number = None if points is None else _points(points)
        if number is None and met is None and comment is None:
            raise UsageError(f"{student}: give points, criteria or a comment")
        with store.transaction():
            current = store.current(student)
            events = current.items.get(item, ())
            mark = _combined(Mark(points=number, criteria=met, comment=comment or ""), events, comment is not None)
            if reason := problem_with(mark, entry):
                raise UsageError(f"{student}: {reason}")
            store.add(
                [Change(student, item, completed(mark, entry), entry.wording, _ids(current.standing(item)))],
                by=by or operator(),
                source=_SOURCE,
            )
        _show_scores(graded, store, [student])


def _ids(events: Iterable[Event]) -> tuple[int, ...]:
    return tuple(event.id for event in events)


def _combined(mark: Mark, events: Sequence[Event], commented: bool) -> Mark:
    """Return a mark with what it does not say from the only one that is there. `commented`: it says the comment."""
    before = events[0].mark if len(events) == 1 else None
    if before is None:
        return mark
    if mark.points is None and mark.criteria is None:
        mark = mark.model_copy(update={"points": before.points, "criteria": before.criteria})
    return mark if commented else mark.model_copy(update={"comment": before.comment})


@app.command("withdraw")
def withdraw(student: _Student, item: _Item, out: _Out = _DEFAULT, by: _By = "") -> None:
    """Take the mark of an item back, so that the item has none."""
    with _class(out) as (graded, store):
        student = graded.id_of(student)
        with store.transaction():
            standing = store.current(student).standing(item)
            if not any(event.mark for event in standing):
                raise UsageError(f'{student} has no mark for "{item}"')
            change = Change(student, item, None, None, _ids(standing), EventKind.WITHDRAWAL)
            store.add([change], by=by or operator(), source=_SOURCE)
        _show_scores(graded, store, [student])


@app.command("undo")
def undo(student: _Student, item: _Item, out: _Out = _DEFAULT, by: _By = "") -> None:
    """Take the last change of an item back. A second time repeats it."""
    with _class(out) as (graded, store):
        student = graded.id_of(student)
        if reason := amending.not_alone(store, student, item):
            raise UsageError(f"{student}: {reason}")
        if len(store.current(student).items.get(item, ())) > 1:
            raise UsageError(f'{student} has several marks for "{item}": decide with gengrade marks give')
        if not store.undo(student, item, by=by or operator(), source=_SOURCE):
            raise UsageError(f'{student} has no change of "{item}" that could be taken back')
        _show_scores(graded, store, [student])


@app.command("confirm")
def confirm(
    item: Annotated[str, typer.Argument(help="The item's id in the rubric, or “all” for all items.")],
    students: Annotated[list[str] | None, typer.Argument(help="Only these students; by default all.")] = None,
    out: _Out = _DEFAULT,
    by: _By = "",
) -> None:
    """Let marks stand that were given for an earlier wording of an item, or before the student handed in again."""
    with _class(out) as (graded, store):
        entries = {entry.id: entry for entry in graded.rubric.entries()}
        wanted = entries if item not in entries and item == _ALL else {item: _entry(graded, item)}
        students = [_known(graded, student) for student in students or ()]
        waiting = [
            (heads[0], _ids(marks.standing(name)))
            for student, marks in store.all_current().items()
            if not students or student in students
            for name, heads in marks.items.items()
            if name in wanted and len(heads) == 1 and _waits(heads[0], wanted[name], store)
        ]
        if not waiting:
            which = "" if wanted is entries else f' for "{item}"'
            raise UsageError(f"no mark{which} waits to be confirmed")
        changes = [_confirmed(event, wanted[event.item], standing) for event, standing in waiting]
        with store.transaction():
            store.add(changes, by=by or operator(), source=_SOURCE)
        _show_scores(graded, store, [event.student for event, _ in waiting])


def _waits(event: Event, entry: Entry, store: Store) -> bool:
    """Return whether a mark was given for another wording of its item, or for other files."""
    other_files = is_for_other_files(event.content, store.content_of(event.student))
    return event.mark is not None and (event.wording != entry.wording or other_files)


def _confirmed(event: Event, entry: Entry, standing: tuple[int, ...]) -> Change:
    """Return the change that lets a mark stand for the item's present wording, with the same points.

    standing: all of the item's events that nothing has replaced yet.
    """
    assert event.mark is not None
    mark = confirmed(event.mark, entry)
    reason = problem_with(mark.model_copy(update={"criteria": None}), entry)
    if reason:
        raise UsageError(f"{event.student}: {reason}; nothing was confirmed")
    return Change(event.student, entry.id, mark, entry.wording, standing, EventKind.CONFIRMATION)


@app.command("history")
def history(
    student: _Student,
    item: Annotated[str | None, typer.Argument(help="Only this item; by default all.")] = None,
    out: _Out = _DEFAULT,
) -> None:
    """Show who marked what, when, and what was marked before."""
    with _class(out) as (graded, store):
        student = graded.id_of(student)
        events = store.history(student, item)
        asked = [each for each in store.questions(student) if item in (None, each.item)]
        current = {event.id for heads in store.current(student).items.values() for event in heads}
        if not events and not asked:
            raise UsageError(f"{student} has no marks{f' for {item!r}' if item else ''}")
        lines = [line for each in asked for line in _asked_lines(each)]
        for event in events:
            stands = "*" if event.id in current else " "
            what = f"{_said(event)}  ({event.kind}, {one_line(event.source, 60)})"
            lines.append((event.at, f"{stands} {event.id:5}  {_who(event.at, event.by)}  {event.item}: {what}"))
        for _, line in sorted(lines, key=lambda each: each[0]):
            typer.echo(inert(line))


def _who(at: str, by: str) -> str:
    return f"{at[:19].replace('T', ' ')}  {one_line(by, 24):12}"


def _asked_lines(asked: Asked) -> Iterator[tuple[str, str]]:
    """Yield the time and the line of a question, and of its answer."""
    said = f"{asked.item}: asked “{one_line(asked.text, 200)}” at {_number(asked.points)}"
    yield asked.at, f"?       {_who(asked.at, asked.by)}  {said}  (question {asked.id})"
    if answer := asked.answer:
        said = f"{asked.item}: answered “{one_line(answer.text, 200)}” at {_number(answer.points)}"
        yield answer.at, f"!       {_who(answer.at, answer.by)}  {said}  (question {asked.id})"


def _number(points: float | None) -> str:
    return "pending points" if points is None else f"{points:g} points"


def _said(event: Event) -> str:
    if event.mark is None:
        return "no mark"
    points = "no points" if event.mark.points is None else f"{event.mark.points:g}"
    criteria = f" [{', '.join(event.mark.criteria)}]" if event.mark.criteria is not None else ""
    return f"{points}{criteria}{f' “{one_line(event.mark.comment, 80)}”' if event.mark.comment else ''}"


@app.command("export")
def export(
    target: Annotated[Path, typer.Argument(help="A .csv file for all students, or a folder for one .yaml file each.")],
    out: _Out = _DEFAULT,
) -> None:
    """Write all marks as a table, or as a file for each student. Both can be changed and imported again."""
    with _class(out) as (graded, store), _writing(target):
        marks = store.all_current()
        if target.suffix.lower() == TABLE:
            events = tables.in_order(marks, graded.rubric)
            with target.open("x", encoding="utf-8", newline="") as file:
                file.write(tables.to_csv(events))
            typer.echo(f"Wrote {sum(event.mark is not None for event in events)} marks to {target}")
            return
        if target.suffix or not target.name:
            raise UsageError(f"{target}: name a file that ends in .csv, or a folder")
        target.mkdir(parents=True, exist_ok=True)
        paths = write_files(store, target.resolve(), graded.rubric, sorted(marks))
        typer.echo(f"Wrote the marks of {len(paths)} students to {target}")
        for student, given in sorted(marks.items()):
            if several := [item for item, heads in given.items.items() if len(heads) > 1]:
                said = f"{student}: left out, since there are several marks (a table holds all): {', '.join(several)}"
                typer.echo(inert(said), err=True)


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Turn an error of the disk into one sentence. Nothing that is there already is written over."""
    try:
        yield
    except FileExistsError as error:
        raise UsageError(f"{error.filename}: it is there already: move it away, or name another place") from None
    except OSError as error:
        raise UsageError(f"{target}: it cannot be written ({error.strerror})") from None


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="A .csv file, a student's .yaml file, or a folder of such files.")],
    out: _Out = _DEFAULT,
    by: _By = "",
) -> None:
    """Take over what was changed in exported files, or in files that were written by hand."""
    with _class(out) as (graded, store):
        before = {student: marks.sha256 for student, marks in store.all_current().items()}
        problems = _import(graded, store, source, by or operator())
        after = store.all_current()
        changed = [student for student, marks in after.items() if marks.sha256 != before.get(student)]
        _show_scores(graded, store, changed)
        if not changed and not problems:
            typer.echo("No mark was changed.")
        for problem in problems:
            typer.echo(f"error: {inert(problem)}", err=True)
        if problems:
            raise typer.Exit(WRONG_USAGE)


def _import(graded: GradedClass, store: Store, source: Path, by: str) -> list[str]:
    """Take over what files say, and return what is wrong with them; a file with a mistake is left out as a whole."""
    if source.is_dir():
        found, problems = files_in(source, graded.names)
    elif source.suffix == ENDING and source.stem in graded.names:
        found, problems = {source.stem: source}, []
    elif source.suffix.lower() == TABLE:
        table = Table(store, remembered_as(source, store.path.parent))
        rows, mistakes = tables.parse(_content(source), source, graded.rubric, graded.names, table.is_unchanged)
        for note in [] if mistakes else table.take_over(rows, graded.rubric, by=by):
            typer.echo(inert(note))
        return [str(mistake) for mistake in mistakes]
    else:
        near = suggestion(source.stem, graded.names) if source.suffix == ENDING else ""
        why = f"it is neither a .csv file nor named by a student's id, as in ID{ENDING}{near}"
        found, problems = {}, [f"{source}: {why}"]
    wrong, notes = read_files(store, found, graded.rubric, read_plain, by)
    for note in notes:
        typer.echo(inert(note))
    return [*problems, *wrong]


def _content(path: Path) -> bytes:
    try:
        return read_plain(path)
    except OSError as error:
        raise UsageError(f"{path}: it cannot be read ({error.strerror}): check the name and its permissions") from None


@app.command("move")
def move(
    old: Annotated[str, typer.Argument(help="The id under which the marks were given.")],
    new: Annotated[str, typer.Argument(help="The student's id now.")],
    out: _Out = _DEFAULT,
    by: _By = "",
) -> None:
    """Move a student's marks to another id, after the student was renamed. Marks of the other id are not replaced."""
    with _class(out) as (graded, store):
        old, new = unicodedata.normalize("NFC", old), _known(graded, new)
        if old == new:
            raise UsageError(f"{old} is the same student: give the old id, then the new one")
        with store.transaction():
            before = store.current(old)
            given = [event for heads in before.items.values() for event in heads if event.mark]
            if not given:
                raise UsageError(f"{old} has no marks")
            asked = store.questions(old)
            store.add(_moves(given, before, store.current(new), new), by=by or operator(), source=f"{_SOURCE} move")
        asking.move(store, asked, new, source=f"{_SOURCE} move")
        _show_scores(graded, store, [new, *([old] if old in graded.names else [])])


def _moves(given: Sequence[Event], before: Marks, there: Marks, new: str) -> Iterator[Change]:
    """Yield the changes that give a student the marks of another one, who has none afterwards.

    given: the marks.
    before, there: all current marks of the one who had them, and of the one who gets them. A mark that was taken back
        there is not in the way.
    """
    for event in given:
        free = tuple(each.id for each in there.items.get(event.item, ()) if each.mark is None)
        yield Change(new, event.item, event.mark, event.wording, free, content=event.content)
    for item, old in dict.fromkeys((event.item, event.student) for event in given):
        yield Change(old, item, None, None, _ids(before.standing(item)), EventKind.WITHDRAWAL)


@app.command("changes")
def changes(out: _Out = _DEFAULT) -> None:
    """List which criteria and comments were changed for all students while marking, and which can be taken back."""
    with _class(out) as (_, store):
        amendments = store.amendments()
        if not amendments:
            raise UsageError("no criterion and no comment was changed for all students")
        said, open_ = amending.told(amendments), amending.undoable(amendments)
        for each in amendments:
            stands = "*" if each.id in open_ else " "
            what = f"{each.item}: {one_line(said[each.id], 400)}"
            typer.echo(inert(f"{stands} {each.id:5}  {_who(each.at, each.by)}  {what}"))


@app.command("revoke")
def revoke(
    number: Annotated[int, typer.Argument(help="The number of the change, as gengrade marks changes shows it.")],
    out: _Out = _DEFAULT,
    by: _By = "",
) -> None:
    """Take a change of criteria, or of a comment, back for all students whose mark is still the one that it made."""
    with _refused():
        graded = graded_class(out)
        with graded.open_marks() as store:
            try:
                plan = amending.undoing(store, number)
                amending.undo(store, graded.rubric, number, by=by or operator(), source=_SOURCE)
            except amending.AmendmentError as problem:
                raise UsageError(str(problem)) from None
            for left in plan.left:
                typer.echo(inert(f"{left.student}: left as it is, since {left.reason}"))
            known = [student for student in store.marked(plan.amendment.item) if student in graded.names]
            _show_scores(graded.amended(store), store, known)


@app.command("ask")
def ask(
    student: _Student,
    item: _Item,
    text: Annotated[str, typer.Argument(help="What the student asks.")],
    out: _Out = _DEFAULT,
    by: _By = "",
) -> None:
    """Enter a student's question about an item, to be answered with `gengrade marks answer` or in the marking room."""
    with _class(out) as (graded, store), _questions():
        _entry(graded, item)
        student = _known(graded, student)
        points = _points_now(graded, store, student, item)
        number = asking.ask(store, student, item, text, points, by=by or operator(), source=_SOURCE)
        typer.echo(f"Question {number}")
        _show_scores(graded, store, [student])


@app.command("answer")
def answer(
    number: Annotated[int, typer.Argument(help="The question's number.")],
    text: Annotated[str, typer.Argument(help="The answer, which the student's report shows.")] = "",
    mistake: Annotated[bool, typer.Option("--mistake", help="Hide a question that was entered by mistake.")] = False,
    out: _Out = _DEFAULT,
    by: _By = "",
) -> None:
    """Answer a student's question. Change the mark first, if it changes: the report shows the points before and after.

    A later answer takes the place of an earlier one.
    """
    with _class(out) as (graded, store), _questions():
        asked = asking.found(store, number)
        if mistake:
            asking.withdraw(store, number, by=by or operator(), source=_SOURCE)
        else:
            points = _points_now(graded, store, asked.student, asked.item)
            asking.answer(store, number, text, points, by=by or operator(), source=_SOURCE)
        _show_scores(graded, store, [asked.student])


@app.command("questions")
def questions(
    out: _Out = _DEFAULT,
    all_: Annotated[bool, typer.Option("--all", help="Also those that were answered.")] = False,
) -> None:
    """List the questions of students that nobody has answered yet."""
    with _class(out) as (_, store):
        for each in store.questions():
            if all_ or each.answer is None:
                for _, line in _asked_lines(each):
                    typer.echo(inert(f"{one_line(each.student, 40):20}  {line}"))


@contextmanager
def _questions() -> Iterator[None]:
    try:
        yield
    except asking.QuestionError as problem:
        raise UsageError(str(problem)) from None


def _points_now(graded: GradedClass, store: Store, student: str, item: str) -> float | None:
    """Return the points that a student has for an item; None while they are pending."""
    grade = rescore(graded, student, store.current(student))
    found = next((each for each in grade.items if each.id == item), None) if grade else None
    return None if found is None or found.pending else found.points


@app.command("adopt")
def adopt(
    rubric: Annotated[Path | None, typer.Option(help="The rubric; by default that of the last run.")] = None,
    out: _Out = _DEFAULT,
) -> None:
    """Use the marks for a rubric, although they were given for an assignment of another title."""
    with _refused():
        graded = graded_class(out, changed=True)
        with opened(graded.marks, "", create=False) as store:
            before = store.assignment
            assignment = (Rubric.load(rubric) if rubric else graded.rubric).assignment
            store.adopt(assignment)
            typer.echo(f"The marks for “{before}” are now those for “{assignment}”.")


@contextmanager
def _class(out: Path) -> Iterator[tuple[GradedClass, Store]]:
    """Open a class that was graded, and its marks; mistakes of the user end the command with one sentence."""
    with _refused():
        graded = graded_class(out)
        with graded.open_marks() as store:
            yield graded.amended(store), store


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except (UsageError, InputError, DocumentError) as error:
        refuse(error)


def _entry(graded: GradedClass, item: str) -> Entry:
    entries = {entry.id: entry for entry in graded.rubric.entries()}
    if item not in entries:
        raise UsageError(f'the rubric has no item "{item}"{suggestion(item, entries)}')
    return entries[item]


def _known(graded: GradedClass, given: str) -> str:
    """Return the id of the student with this id or name. Raises UsageError if there is none."""
    id_ = graded.id_of(given)
    if id_ not in graded.names:
        named = [other for other, name in graded.names.items() if name == given]
        near = named or difflib.get_close_matches(given, [*graded.names], n=3, cutoff=0.4)
        hint = f": {' or '.join(near)}?" if near else ""
        raise UsageError(f'no student has the id "{given}"{hint}')
    return id_


def _show_scores(graded: GradedClass, store: Store, students: Sequence[str]) -> None:
    """Compute the points of these students again, and print them."""
    for student in dict.fromkeys(students):
        grade = rescore(graded, student, store.current(student))
        if grade is None:
            typer.echo(f"{inert(student)}: not graded yet; the mark is kept")
            continue
        bonus = f", {grade.bonus:g} of them bonus" if grade.bonus else ""
        typer.echo(f"{inert(student)}: {grade.total:g} of {grade.possible:g} points{bonus}, {grade.pending:g} pending")
        for item in grade.open_marks:
            typer.echo(f"  {item.id}: {item.mark_state}. {inert(one_line(item.cause or ''))}")
    if students:
        rewrite_class_pages(graded)
