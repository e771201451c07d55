"""A run over a class, from its options to the pages: the steps in their order.

What was finished is found again: a run that was killed goes on where it stood, and a changed rubric only scores.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gengrade.authenticity import authority
from gengrade.choices import Device
from gengrade.course import Course, chosen, courses
from gengrade.engine import seeds
from gengrade.engine.crew import Crew
from gengrade.engine.errors import Interrupted, UsageError
from gengrade.engine.folder import locked, output_errors, own_folders, tidy
from gengrade.engine.grades import write_grades
from gengrade.engine.kept import kept_by_run, kept_results, kept_roster
from gengrade.engine.marks import known_content, read_marks
from gengrade.engine.options import Options
from gengrade.engine.people import KeptPeople, deadline_given, known_from, named, read_people, roster_given, shown_names
from gengrade.engine.planning import device_of, make_job, require_device, with_public_seed
from gengrade.engine.record import Earlier, earlier_students, kept_people, write_record
from gengrade.engine.results import Progress, Result
from gengrade.engine.sharing import grade_all
from gengrade.engine.signals import terminated_like_interrupted
from gengrade.engine.withdrawing import gone_from, move_aside, refuse_another_class
from gengrade.fitting import better_fit
from gengrade.grading.checks import known
from gengrade.job import Job, changed, reference_evidence, with_reference
from gengrade.places import Source, output, require_ours
from gengrade.rubric import Rubric
from gengrade.sandbox import Kept, Tier, choose, reaches
from gengrade.submissions import Discovery, Submission, opened


def run(
    options: Options, watch: Callable[[Progress], None] = lambda progress: None, crew: Crew | None = None
) -> Result:
    """Grade what the options name, and call `watch` with what happens on the way.

    crew: the workers of several runs over the same folder by the same course; None: this run's end with it.

    Raises UsageError, InputError (also for marks), DocumentError, NoSuchTier or Exposed before it starts.

    Raises OutputError, too, when the results find no room. Ctrl-C and SIGTERM come out as Interrupted; what was
    finished by then stays, and is found again.
    """
    course, rubric = chosen(options.course, options.rubric)
    rubric.verify(known())
    roster_given(options.roster)
    deadline_given(options.deadline)
    require_device(options)
    with opened(options.path, course.parts) as discovery:
        return _graded(options, course, rubric, discovery, watch, crew)


def _graded(
    options: Options,
    course: Course,
    rubric: Rubric,
    discovery: Discovery,
    watch: Callable[[Progress], None],
    crew: Crew | None,
) -> Result:
    submissions = [s for s in discovery.submissions if options.only is None or fnmatch.fnmatch(s.id, options.only)]
    if not submissions:
        pattern = f" whose name matches {options.only!r}" if options.only else ""
        raise UsageError(f"{options.path}: there is no submission{pattern}")
    _refuse_another_course(options, course, submissions)
    tier = choose(options.isolation, single=discovery.single)
    sources = [Source(s.id, (s.source, *s.attachments)) for s in discovery.submissions]
    places = output(options.out, options.path, sources)
    out, ids = places.folder, [source.id for source in sources]
    kept = kept_by_run(options, course, rubric, out, discovery.submissions)
    # Before anything is written there:
    reaches(tier, [*kept, *kept_results(out, submissions)], cuda=device_of(options) is Device.CUDA)
    # A key within what is graded would be its author's.
    trusted = authority([options.path, *(path for source in sources for path in source.paths), *own_folders(out, ids)])
    try:
        with terminated_like_interrupted(), output_errors(out), locked(out):
            require_ours(out, ids)
            earlier = earlier_students(out, trusted.seal)
            gone, staying = _absent(options, out, earlier, discovery)
            if crew is None or not crew.rests:
                tidy(out, discovery.submissions)
            known_people = known_from(kept_people(out, rubric, trusted.seal), options.roster, options.deadline)
            kept = (*kept, *_kept_roster(known_people, tier, cuda=device_of(options) is Device.CUDA))
            people = read_people(known_people, discovery, staying)
            names = shown_names(people.found, {**staying, **{s.id: s.name for s in discovery.submissions}})
            submissions = [named(s, names) for s in submissions]
            # An unusable store is found before hours of grading, in which people may go on marking.
            # Where somebody is new, a student who is gone may have been renamed, whose marks are to be moved.
            withdrawn = {**earlier.withdrawn, **({} if set(ids) - set(earlier.names) else gone)}
            content_of = known_content(discovery, earlier.content)
            marks = read_marks(places, names, rubric, withdrawn, content_of, single=discovery.single)
            taken_back = marks.notes
            job = with_public_seed(make_job(options, course, rubric, tier, out, trusted.seal, kept), submissions)
            stale = changed(job, submissions)
            if stale:
                taken_back += _revealed(job)
                grade_all(with_reference(job), stale, options.jobs, watch, crew)
                reference_evidence(job).prune()
                marks = read_marks(places, names, rubric, withdrawn, content_of, single=discovery.single)
                taken_back += marks.notes
            moved = move_aside(out, gone, options.path)
            graded = write_grades(job, discovery, marks.rubric, marks.marks, people.found.people, names, staying)
            content = {id_: each.grade.provenance.content for id_, each in graded.items()}
            write_record(job, options.path, rubric, discovery, people, gone=gone, kept=staying, content=content)
    except KeyboardInterrupt:
        raise Interrupted(out) from None
    notes = (
        *discovery.notes,
        *people.notes,
        *moved,
        *taken_back,
        *marks.unfit,
        *([trusted.note] if trusted.note else []),
    )
    problems = (*people.problems, *marks.problems)
    found = people.found.people
    return Result(tuple(graded[s.id] for s in submissions), out, discovery.single, tier, notes, problems, found)


def _absent(
    options: Options, out: Path, earlier: Earlier, discovery: Discovery
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the students of the last run who are not in the class any more, and those who only are not asked for.

    Raises UsageError if the results are those of another class.
    """
    absent = {} if discovery.single else gone_from(out, earlier.names, [s.id for s in discovery.submissions])
    if options.only is not None:
        require_ours(out, absent)
        return {}, absent
    refuse_another_class(options.path, out, earlier, absent)
    return absent, {}


def _revealed(job: Job) -> tuple[str, ...]:
    """Return a note if students may know the secret with which something is graded now."""
    if not seeds.revealed(job.work, seeds.Drawn(job.seed, job.drawn), job.seal):
        return ()
    return (
        "the secret of these results was revealed, so that what was handed in after that may be written against it: "
        "grade it with another --out",
    )


def _kept_roster(known_people: KeptPeople, tier: Tier, *, cuda: bool) -> tuple[Kept, ...]:
    """Return the roster as what no submission may see. Raises Exposed if it lies where student code has to read."""
    kept = kept_roster(known_people.roster.path if known_people.roster else None)
    reaches(tier, kept, cuda=cuda)
    return kept


def _refuse_another_course(options: Options, course: Course, submissions: Sequence[Submission]) -> None:
    """Raise UsageError when the submissions hold the files of another course.

    Hours of grading by the wrong rubric would say of everybody that nothing was handed in.
    """
    known = {**courses(), course.name: course}
    better = better_fit(course.name, submissions, {name: each.parts for name, each in known.items()})
    if better is None:
        return
    names, count, of = better
    found = f"{count} of {of} submissions hold" if of > 1 else "the submission holds"
    named = " or ".join(f"{name} ({known[name].title})" for name in names)
    raise UsageError(
        f"{options.path}: {found} files of the course {named}, and hardly any that the course {course.name} asks for. "
        f"Give {' or '.join(f'--course {name}' for name in names)}"
    )
