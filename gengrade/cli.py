"""Grade PyTorch assignments: `gengrade grade PATH` grades a folder of submissions, or a single one.

Exit status 0: every submission was graded; a single submission passed all public checks.

Exit status 1: a fault of the grader left a check undecided; or a single submission did not pass a public check.

Exit status 2: the command, the rubric or the input cannot be used. If files of marks, or the
roster, have mistakes, all else is graded.
"""

from __future__ import annotations

import signal
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from gengrade import __version__, gpus
from gengrade.authoring import add_ids, create, verify
from gengrade.choices import Assignment, Device, Isolation, Profile
from gengrade.commands import (
    LAST,
    USER_ERRORS,
    carried_out,
    carried_out_on_slurm,
    carrier_at,
    export,
    parsed_slice,
    refuse_together,
    require_slurm,
    slice_carried_out,
    status,
    told,
)
from gengrade.console import (
    refuse,
    show_courses,
    show_findings,
    show_hidden,
    show_machines,
    show_packages,
    show_result,
)
from gengrade.course import DEFAULT, NoSuchCourse, courses, find
from gengrade.documents import DocumentError
from gengrade.engine import Options, UsageError, graded_class, kept_here, operator
from gengrade.engine.cluster.script import Batch
from gengrade.engine.cluster.survey import here, survey_nodes
from gengrade.grading.checks import known
from gengrade.grading.misconceptions import LibraryError
from gengrade.kit_cli import kit
from gengrade.lasting import outlast_readers
from gengrade.marks import opened as opened_marks
from gengrade.marks.amendments import amended, to_yaml
from gengrade.marks_cli import app as marks_app
from gengrade.paths import from_here, printable
from gengrade.publish_cli import app as publish_app
from gengrade.release_cli import app as releases_app
from gengrade.report.text import inert
from gengrade.rubric import Rubric
from gengrade.sandbox import describe, examine
from gengrade.submissions import opened
from gengrade.submissions.packages import survey

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
rubric_app = typer.Typer(no_args_is_help=True, help="Work with rubrics.")
app.add_typer(rubric_app, name="rubric")
course_app = typer.Typer(no_args_is_help=True, help="Write and check a course of your own.")
app.add_typer(course_app, name="course")
app.add_typer(marks_app, name="marks")
app.add_typer(publish_app, name="publish")
app.add_typer(releases_app)
app.command("kit")(kit)
_MACHINES: Final = "Several machines"
_single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gengrade {__version__}")
        raise typer.Exit


@app.callback()
def common(
    shown: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


@app.command("grade")
@_single.command()
def grade(
    path: Annotated[Path, typer.Argument(help="A folder of submissions (folders, .zip, .tar.gz), or one submission.")],
    out: Annotated[
        Path | None,
        typer.Option(help="The folder to write results to; by default results/ here, or beside a single submission."),
    ] = None,
    rubric: Annotated[Path | None, typer.Option(help="The rubric file; by default the course's own.")] = None,
    course: Annotated[
        str | None, typer.Option(help="The course: a name that `gengrade courses` lists, or a course's folder.")
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="Grade only the submissions whose id matches this pattern, e.g. 'doe*'.")
    ] = None,
    part: Annotated[str | None, typer.Option(help="Check only this part of the assignment, e.g. 'vae'.")] = None,
    profile: Annotated[
        Profile, typer.Option(help="unit: the checks that train nothing; smoke: all checks.")
    ] = Profile.SMOKE,
    jobs: Annotated[
        int, typer.Option(min=0, help="How many submissions to grade in parallel; 0: one per CPU core.")
    ] = 0,
    device: Annotated[
        Device, typer.Option(help="The device that models are trained on; auto: a GPU where there is one.")
    ] = Device.AUTO,
    gpu_jobs: Annotated[
        int,
        typer.Option(
            min=0, help=f"How many submissions share each GPU, and its memory, at a time; 0: {gpus.SUBMISSIONS}."
        ),
    ] = 0,
    data: Annotated[
        str | None, typer.Option(help="The data set to train and test on: digits, mnist, or a folder that holds MNIST.")
    ] = None,
    isolation: Annotated[
        Isolation,
        typer.Option(help="How student code is isolated; auto: the strongest way that works (see `gengrade doctor`)."),
    ] = Isolation.AUTO,
    public: Annotated[bool, typer.Option("--public", help="Do not run hidden checks.")] = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Run everything again, and use no results of earlier runs.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="The random seed, to repeat an earlier run.")] = None,
    roster: Annotated[
        str | None,
        typer.Option(
            help="The people of the class: a CSV file, or the export of a learning management system. It is "
            "remembered; none: forget it."
        ),
    ] = None,
    deadline: Annotated[
        str | None,
        typer.Option(
            help="When the submissions were due, e.g. 2026-11-20T23:59, as the learning management system writes its "
            "times. It is remembered; none: forget it."
        ),
    ] = None,
    slurm: Annotated[
        bool, typer.Option("--slurm", help="Grade the class by jobs on Slurm.", rich_help_panel=_MACHINES)
    ] = False,
    array: Annotated[
        int, typer.Option(min=1, max=10_000, help="The most jobs that share the class.", rich_help_panel=_MACHINES)
    ] = 16,
    partition: Annotated[
        str | None, typer.Option(help="Slurm's partition, as of sbatch.", rich_help_panel=_MACHINES)
    ] = None,
    job_gpus: Annotated[
        int,
        typer.Option("--gpus", min=0, help="GPUs for each job, on which models then run.", rich_help_panel=_MACHINES),
    ] = 0,
    time: Annotated[
        str | None,
        typer.Option(
            help="The time limit of each job, in the format of sbatch, such as 4:00:00.", rich_help_panel=_MACHINES
        ),
    ] = None,
    sbatch: Annotated[
        list[str] | None,
        typer.Option(
            help="Another option of sbatch, e.g. --sbatch=--account=course; may be repeated.",
            rich_help_panel=_MACHINES,
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only print the scripts that --slurm would submit.", rich_help_panel=_MACHINES),
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Grade the class by the workers of this Dask scheduler, e.g. tls://head:8786.",
            rich_help_panel=_MACHINES,
        ),
    ] = None,
    slice_: Annotated[
        str | None,
        typer.Option(
            "--slice",
            help="Grade one slice of the class, e.g. 3/16, as one of several machines, and score nothing; last: score "
            "what these have graded.",
            rich_help_panel=_MACHINES,
        ),
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Also write the results to this file, as JUnit XML.")] = None,
    github: Annotated[
        bool, typer.Option("--github", help="Print GitHub Actions annotations and write a step summary.")
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Open the report in a browser when grading has ended.")] = False,
) -> None:
    """Grade submissions, and write an HTML report for each."""
    options = Options(
        path=path,
        out=out,
        rubric=rubric,
        course=course,
        only=only,
        part=part,
        profile=profile,
        jobs=jobs,
        device=device,
        gpu_jobs=gpu_jobs,
        data=data,
        isolation=isolation,
        public=public,
        cache=not no_cache,
        seed=seed,
        roster=roster,
        deadline=deadline,
        last=slice_ == LAST,
    )
    console = Console()
    if slice_ is not None and not options.last:
        slice_carried_out(options, parsed_slice(slice_), console)
        return
    of_slurm = {"--partition": partition, "--gpus": job_gpus, "--time": time, "--sbatch": sbatch, "--dry-run": dry_run}
    refuse_together(
        {"--slurm": slurm, "--scheduler": scheduler, "--slice": slice_},
        {"--scheduler": scheduler, "--slice": slice_},
        {"--slurm": slurm, "--junit": junit, "--github": github, "--open": open_},
    )
    if slurm:
        batch = Batch(array, partition, job_gpus, jobs, time, tuple(sbatch or ()))
        ended = carried_out_on_slurm(options, batch, console, dry=dry_run)
        if isinstance(ended, int):
            raise typer.Exit(ended)
        result = ended
    else:
        require_slurm(of_slurm)
        result = carried_out(options, console, carrier=carrier_at(scheduler))
    show_result(console, result)
    export(result, junit, github=github)
    if open_:
        webbrowser.open((result.graded[0].report if result.single else result.out / "index.html").resolve().as_uri())
    raise typer.Exit(told(result, status(result)) if options.last else status(result))


@app.command("courses")
def list_courses() -> None:
    """List the courses that come with gengrade: name, title, rubric, and the files that each part asks for."""
    show_courses(Console(), courses().values())


@app.command()
def doctor(
    cluster: Annotated[bool, typer.Option("--cluster", help="Ask each node of Slurm instead of this machine.")] = False,
    partition: Annotated[str | None, typer.Option(help="With --cluster: only the nodes of this partition.")] = None,
) -> None:
    """Show which kinds of isolation work on this machine, and how to fix those that do not.

    Also shows which secret files (reference solutions, data, results) lie where student code could read them.
    """
    console = Console()
    if cluster:
        try:
            show_machines(console, here(), survey_nodes(partition))
        except USER_ERRORS as error:
            refuse(error)
        return
    show_findings(console, examine())
    show_hidden(console, *describe(kept_here()))


@rubric_app.command("check")
def rubric_check(file: Annotated[Path, typer.Argument(help="The rubric to check.")]) -> None:
    """Check a rubric file, and show the line and the reason of its first mistake."""
    try:
        checked = Rubric.load(file)
        checked.verify(known())
    except DocumentError as error:
        refuse(error)
    questions = list(checked.questions())
    points = sum(entry.item.points for entry in checked.entries() if not entry.bonus)
    bonus = sum(entry.item.points for entry in checked.entries() if entry.bonus)
    typer.echo(
        f"{file}: {len(questions)} questions, {points:g} points and {bonus:g} bonus, {len(checked.checks())} checks"
    )


@rubric_app.command("ids")
def rubric_ids(file: Annotated[Path, typer.Argument(help="The rubric to change.")]) -> None:
    """Give each manual item without an id one, in place; comments and layout stay as they are.

    Marks are kept by the id. Change the ids if you like, but do not change them any more once somebody has marked.
    """
    try:
        added = add_ids(file)
    except DocumentError as error:
        refuse(error)
    for id_ in added:
        typer.echo(id_)
    typer.echo(f"{file}: added {len(added)} ids" if added else f"{file}: no id was missing")


@rubric_app.command("amended")
def rubric_amended(
    out: Annotated[Path, typer.Argument(help="The folder of results of a class that was graded.")] = Path("results"),
) -> None:
    """Print the criteria that were changed while marking, as YAML to paste into the rubric's items.

    Once the rubric has them itself, grade again.
    """
    try:
        graded = graded_class(out, changed=True)
        with opened_marks(graded.marks, "", create=False) as store:
            rubric, items, unfit = amended(graded.rubric, store.amendments())
    except USER_ERRORS as error:
        refuse(error)
    typer.echo(to_yaml(rubric, items) or "# The criteria are those of the rubric.\n", nl=False)
    for sentence in unfit.values():
        typer.echo(f"note: {inert(sentence)}", err=True)


@course_app.command("new")
def course_new(
    folder: Annotated[Path, typer.Argument(help="The folder to create; its name becomes the course's.")],
) -> None:
    """Create a minimal course that works: one part, one function, one check."""
    try:
        course = create(folder)
    except (NoSuchCourse, DocumentError) as error:
        refuse(error)
    typer.echo(f"Created the course {from_here(course.folder)}. To check it, run: gengrade course check {folder}")


@course_app.command("check")
def course_check(
    course: Annotated[str, typer.Argument(help="The folder of a course, or the name of one that comes with gengrade.")],
    profile: Annotated[
        Profile, typer.Option(help="unit: the checks that train nothing; smoke: also train the reference solution.")
    ] = Profile.UNIT,
    isolation: Annotated[Isolation, typer.Option(help="How student code is isolated.")] = Isolation.AUTO,
) -> None:
    """Check a course: its reference solution, its examples, its misconceptions and its tryouts.

    The exit status is 1 when one of them does not get the result that the course declares.
    """
    wrong = False
    try:
        for finding in verify(find(course), profile, isolation=isolation):
            wrong |= bool(finding.problems)
            typer.echo(f"{'no ' if finding.problems else 'yes'} {finding.what}")
            for problem in finding.problems:
                typer.echo(f"      {inert(problem)}")
    except (*USER_ERRORS, LibraryError) as error:
        refuse(error)
    raise typer.Exit(int(wrong))


@course_app.command("packages")
def course_packages(
    course: Annotated[
        str | None, typer.Argument(help="A course's name or folder; all that come with gengrade, if none is given.")
    ] = None,
) -> None:
    """Print the packages that a course needs, one a line, as `python -m pip install` takes them."""
    try:
        chosen = [find(course)] if course else list(courses().values())
    except (NoSuchCourse, DocumentError) as error:
        refuse(error)
    for package in dict.fromkeys(package for each in chosen for package in each.packages):
        typer.echo(package)


@app.command("mark")
def mark(
    out: Annotated[Path, typer.Argument(help="The folder of results of a class that was graded.")] = Path("results"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0: the same as last time.")] = 0,
    by: Annotated[str, typer.Option("--by", help="Who marks; by default the user of this machine.")] = "",
    invite: Annotated[
        list[str] | None,
        typer.Option(help="Somebody else who marks and gets an address of their own; may be repeated."),
    ] = None,
    assign: Annotated[Assignment, typer.Option(help="How answers are divided between markers.")] = Assignment.FREE,
    second: Annotated[
        float, typer.Option(min=0, max=100, help="The percentage of answers that a second person marks as well.")
    ] = 0,
    blind: Annotated[bool, typer.Option(help="Show pseudonyms, and hide names in what was handed in.")] = False,
    host: Annotated[
        str, typer.Option(help="An address of this machine at which other machines reach the room, by TLS.")
    ] = "",
    certificate: Annotated[
        Path | None, typer.Option(help="The certificate for --host, in PEM format; by default one is made.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="The private key of --certificate, in PEM format.")] = None,
    isolation: Annotated[
        Isolation, typer.Option(help="How the process that reads the files that were handed in is isolated.")
    ] = Isolation.AUTO,
    browser: Annotated[bool, typer.Option(help="Open the address in a browser.")] = True,
) -> None:
    """Mark written answers in a browser, with the files that were handed in beside the criteria."""
    from gengrade.room import (  # here: they would slow every other command down
        Listening,
        MarkerNameError,
        Plan,
        listening_to,
        marker_name,
        serve,
    )

    markers: list[str] = []
    for given in (by or operator(), *(invite or ())):
        try:
            markers.append(marker_name(given, markers))
        except MarkerNameError as problem:
            refuse(UsageError(str(problem)))
    plan = Plan(tuple(dict.fromkeys(markers)), assign, second / 100, blind)

    def announce(addresses: Mapping[str, str], listening: Listening) -> None:
        own, *others = addresses.items()
        typer.echo(f"Marking room: {own[1]}")
        for name, address in others:
            typer.echo(f"For {printable(name)}: {address}")
        machine = "" if host else " and on this machine only"
        typer.echo(f"Each address works once{machine}. Stop with Ctrl-C.")
        if listening.certificate is not None and listening.certificate.made:
            typer.echo(f"The certificate was made here. Its SHA-256 is {listening.certificate.fingerprint}")
        if browser:
            webbrowser.open(own[1])

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, end)  # a closed terminal, or a service that ends the room, does as Ctrl-C does
    try:
        listening = listening_to(out, port, host, certificate, key)
        serve(out, plan, listening=listening, isolation=isolation, announce=lambda found: announce(found, listening))
    except USER_ERRORS as error:
        refuse(error)
    except OSError as error:
        refuse(UsageError(f"{error.filename or out}: {error.strerror}; make room, or check the permissions"))
    except KeyboardInterrupt:
        pass


@app.command("packages")
def list_packages(
    path: Annotated[Path, typer.Argument(help="A folder of submissions, or one submission.")],
    course: Annotated[str, typer.Option(help="The course: a name, or a course's folder.")] = DEFAULT,
) -> None:
    """List the packages that submissions import: who imports them, and which of them are not installed here."""
    try:
        parts = find(course).parts
        with opened(path, parts) as discovery:
            found = survey(discovery.submissions, parts)
    except USER_ERRORS as error:
        refuse(error)
    show_packages(Console(), found)


def main() -> None:
    """Run the `gengrade` command."""
    outlast_readers()
    app()


def grade_command() -> None:
    """Run `run_grading.py`, which is the command `gengrade grade` alone."""
    outlast_readers()
    _single()
