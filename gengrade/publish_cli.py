"""The commands `gengrade publish …`: fill the export of a learning management system, or make an autograder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from gengrade.atomic import write_whole
from gengrade.choices import Isolation, Profile
from gengrade.console import refuse
from gengrade.course import NoSuchCourse, chosen
from gengrade.documents import DocumentError
from gengrade.engine import UsageError, graded_class, locked
from gengrade.grading.checks import known
from gengrade.paths import InputError, from_here
from gengrade.places import PUBLISH, RELEASES, WORK, read_plain, require_ours
from gengrade.publish.given import given
from gengrade.publish.gradescope import Settings, automatic_points, image
from gengrade.publish.model import LeftOut, System, Wishes
from gengrade.publish.published import digest_of, note, published
from gengrade.publish.publishing import FEEDBACK, Publication, publication
from gengrade.report.text import inert, one_line, points

_DEFAULT: Final = Path("results")
_LOCK: Final = "publish"
_IMAGE: Final = "autograder.zip"
_GRADESCOPE: Final = "gradescope"
_LONGEST: Final = 400  # characters of a line

# What to do with the files, in a few words; docs/publishing.md says more.
_STEPS: Final[dict[System, tuple[str, ...]]] = {
    System.CANVAS: (
        "Grades: Gradebook › Import, choose {table}; check the changes that Canvas shows, and save them.",
        "Reports: the assignment › Upload Submissions, choose {feedback}, once.",
    ),
    System.MOODLE: (
        "Grades: the assignment › View all submissions › Upload grading worksheet, choose {table}.",
        "Reports: the same menu › Upload multiple feedback files in a zip, choose {feedback}.",
    ),
    System.BRIGHTSPACE: (
        "Grades: Grades › Enter Grades › Import, choose {table}; do not create new items.",
        "Reports: the assignment › Submissions › Add Feedback Files, choose {feedback}.",
    ),
    System.BLACKBOARD: (
        "Grades: Grade Center › Work Offline › Upload, choose {table}.",
        "Reports: unpack {feedback}, and attach them one by one.",
    ),
}

app = typer.Typer(no_args_is_help=True, help="Publish grades: fill the own export of a learning management system.")

_Results = Annotated[Path, typer.Argument(help="The folder of results of a class that was graded.")]
_Template = Annotated[Path, typer.Option("--template", help="The file that the system exported, as it is.")]
_To = Annotated[
    Path | None, typer.Option("--to", help="The folder to write to; by default publish/SYSTEM/RELEASE/ in the results.")
]
_Column = Annotated[
    str | None, typer.Option("--column", help="The heading, title or number of the column for the points.")
]
_Scale = Annotated[
    bool, typer.Option("--scale", help="Convert the points where the system has another number of possible points.")
]
_Partial = Annotated[
    bool, typer.Option("--partial", help="Leave out people whose grade is not decided, instead of publishing nothing.")
]
_Release = Annotated[int | None, typer.Option("--release", help="The release to publish; by default the newest.")]
_All = Annotated[
    bool, typer.Option("--all", help="Publish everybody, also people for whom nothing has changed since the last time.")
]
_Zero = Annotated[bool, typer.Option("--missing-as-zero", help="Give 0 points to people who handed in nothing.")]


def _add(system: System, about: str) -> None:
    """Add the command for a system whose export needs no options of its own."""

    def fill(
        template: _Template,
        out: _Results = _DEFAULT,
        to: _To = None,
        column: _Column = None,
        scale: _Scale = False,
        partial: _Partial = False,
        everybody: _All = False,
        missing_as_zero: _Zero = False,
        release: _Release = None,
    ) -> None:
        wishes = Wishes(column=column, scale=scale, missing_as_zero=missing_as_zero)
        _publish(system, out, template, to, wishes, release=release, partial=partial, everybody=everybody)

    app.command(system.value, help=f"{about}\n\n{_ONLY_CHANGES}")(fill)


_ONLY_CHANGES: Final = "The filled file holds only the rows that change. The system leaves everybody else as they are."
_add(System.CANVAS, 'Fill Canvas\'s gradebook, and pack the reports for "Upload Submissions".')
_add(System.BRIGHTSPACE, 'Fill the grades that Brightspace exported, and pack the reports for "Add Feedback Files".')
_add(System.BLACKBOARD, "Fill the table of Blackboard's Grade Center. Blackboard takes no archive of reports.")


@app.command("moodle")
def moodle(
    template: _Template,
    out: _Results = _DEFAULT,
    to: _To = None,
    column: _Column = None,
    feedback_column: Annotated[
        str | None, typer.Option("--feedback-column", help="The heading of the column for comments.")
    ] = None,
    decimal_comma: Annotated[
        bool | None,
        typer.Option(
            "--decimal-comma/--decimal-point",
            help="How your Moodle writes decimals, if the worksheet does not show it.",
        ),
    ] = None,
    scale: _Scale = False,
    partial: _Partial = False,
    everybody: _All = False,
    missing_as_zero: _Zero = False,
    release: _Release = None,
) -> None:
    """Fill a grading worksheet of Moodle, and pack the reports for "Upload multiple feedback files in a zip"."""
    wishes = Wishes(
        column=column,
        feedback_column=feedback_column,
        scale=scale,
        decimal_comma=decimal_comma,
        missing_as_zero=missing_as_zero,
    )
    _publish(System.MOODLE, out, template, to, wishes, release=release, partial=partial, everybody=everybody)


@app.command(_GRADESCOPE)
def gradescope(
    out: Annotated[
        Path | None, typer.Argument(help="A folder of results, whose rubric is taken; otherwise --course or --rubric.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="The folder to write to; by default publish/gradescope/ in the results.")
    ] = None,
    rubric: Annotated[Path | None, typer.Option(help="The rubric file; by default the course's own.")] = None,
    course: Annotated[str | None, typer.Option(help="The course: a name, or a course's folder.")] = None,
    part: Annotated[str | None, typer.Option(help="Check only this part of the assignment.")] = None,
    profile: Annotated[
        Profile, typer.Option(help="unit: the checks that train nothing; smoke: all checks.")
    ] = Profile.SMOKE,
    data: Annotated[str | None, typer.Option(help="The data set: by default digits, which needs no download.")] = None,
    isolation: Annotated[
        Isolation,
        typer.Option(help="How student code is isolated; auto: in a sandbox or under Landlock, or not at all."),
    ] = Isolation.AUTO,
    public: Annotated[bool, typer.Option("--public", help="Do not run hidden checks.")] = False,
) -> None:
    """Make the archive that Gradescope builds an autograder from. Nothing of a class is put into it."""
    with _refused():
        if out is None and rubric is None and course is None and (_DEFAULT / WORK).is_dir():
            out = _DEFAULT
        folder = to if to is not None else (out or _DEFAULT) / PUBLISH / _GRADESCOPE
        if out is not None:
            graded = graded_class(out, changed=True)
            rubric = rubric or graded.rubric.path
            _require_outside(folder, graded.graded)
        found, scheme = chosen(course, rubric)
        scheme.verify(known())
        settings = Settings(
            course=found.name, part=part, profile=profile, data=data, isolation=isolation, public=public
        )
        content = image(found, scheme, settings)
        with _writing(folder):
            write_whole(folder / _IMAGE, content)
    automatic = points(automatic_points(scheme))
    _say(f"Autograder: {from_here(folder / _IMAGE)} ({len(content) / (1 << 20):.1f} MiB)")
    if isolation is Isolation.PROCESS:
        _say("note: without isolation, student code can write its own grade, and read rubric and reference")
    _say(f"1. Create a programming assignment with {automatic} autograder points, and upload the file.")
    _say("2. In its settings, raise the time limit (at most 40 minutes), and choose at least one whole CPU.")
    _say("3. Test it with a right submission before students hand in.")


def _publish(
    system: System,
    out: Path,
    template: Path,
    to: Path | None,
    wishes: Wishes,
    *,
    release: int | None,
    partial: bool,
    everybody: bool,
) -> None:
    with _refused():
        class_ = given(out, release)
        require_ours(class_.out, (RELEASES, PUBLISH))
        wishes = replace(wishes, assignment=class_.assignment)
        # A folder for each release: what an earlier one left must not be uploaded again.
        folder = to if to is not None else out / PUBLISH / system / str(class_.number)
        _require_outside(folder, class_.graded)
        table, feedback = folder / template.name, folder / FEEDBACK
        if _same(table, template) or _same(feedback, template):
            raise UsageError(f"{template}: the exported file itself is not written over; give --to another folder")
        export = _content(template)
        with _writing(class_.out), locked(class_.out, _LOCK, "something is published there"):
            log = published(class_.out, system)
            made = publication(class_, system, (template, export), wishes, log, partial=partial, everybody=everybody)
            if made.placed:
                with _writing(folder):
                    write_whole(table, made.table, 0o600)
                    if made.feedback is not None:
                        write_whole(feedback, made.feedback, 0o600)
                    else:
                        feedback.unlink(missing_ok=True)  # that of the last time would be uploaded again
                with _writing(class_.out):
                    note(class_.out, system, (each.given for each in made.placed), digest_of(export))
    _show(system, class_.number, made, table, feedback)


def _require_outside(folder: Path, graded: Path) -> None:
    """Raise UsageError if a folder to write to lies in what students handed in, where a run would grade the files."""
    if folder.resolve().is_relative_to(graded):
        raise UsageError(
            f"{folder}: it lies in the class that was graded, {from_here(graded)}: give --to another folder"
        )


def _same(one: Path, other: Path) -> bool:
    with suppress(OSError):
        return one.samefile(other)
    return False


def _content(path: Path) -> bytes:
    try:
        return read_plain(path.resolve())
    except OSError as error:
        raise UsageError(f"{path}: it cannot be read ({error.strerror}): check the name and its permissions") from None


def _show(system: System, number: int, made: Publication, table: Path, feedback: Path) -> None:
    """Print who is in the files and who is not, what the importer does that may surprise, and how to upload."""
    if made.placed:
        everybody = len(made.placed) + made.unchanged + len(made.left)
        filled = f"filled {len(made.placed)} of {everybody}, in the column “{made.column}”"
        _say(f"Release {number}: {filled}: {from_here(table)}")
    else:
        _say("Nothing is to be published, and no file was written.")
    if made.unchanged:
        _say(f"Unchanged since the last time: {made.unchanged} (--all publishes them again)")
    _list("Left out:", made.left)
    _list("In the table, but without a report:", made.without_report)
    for sentence in made.notes:
        _say(f"note: {sentence}")
    if not made.placed:
        return
    steps = _STEPS[system] if made.feedback is not None else _STEPS[system][:1]
    for place, step in enumerate(steps, 1):
        _say(f"{place}. {step.format(table=table.name, feedback=feedback.name)}")


def _list(heading: str, people: tuple[LeftOut, ...]) -> None:
    if people:
        _say(heading)
    for each in people:
        _say(f"  {one_line(each.who, 60)}: {each.reason}")


def _say(text: str) -> None:
    indent = text[: len(text) - len(text.lstrip())]
    typer.echo(indent + inert(one_line(text, _LONGEST)))


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turn an error of the disk into one sentence."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{folder}: it cannot be written ({error.strerror}): make room, or give --to another"
        ) from None


@contextmanager
def _refused() -> Iterator[None]:
    """End the command with one sentence if it cannot be carried out."""
    try:
        yield
    except (UsageError, InputError, DocumentError, NoSuchCourse) as error:
        refuse(error)
