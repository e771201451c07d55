"""A run over a class, from its options to the pages: the steps in their order.

What was finished is found again: a run that was killed goes on where it stood, and a changed rubric only scores.
"""

from __future__ import annotations

from collections.abc import Callable

from gengrade.course import Course, chosen
from gengrade.engine import seeds
from gengrade.engine.asked import asked_of, people_known
from gengrade.engine.carriers import Carrier, Local
from gengrade.engine.cluster.collecting import collected, refuse_beside_nodes, watched
from gengrade.engine.crew import Crew
from gengrade.engine.errors import Interrupted
from gengrade.engine.folder import locked, output_errors, tidy
from gengrade.engine.grades import write_grades
from gengrade.engine.marks import known_content, read_marks
from gengrade.engine.options import Options
from gengrade.engine.people import deadline_given, named, read_people, roster_given, shown_names
from gengrade.engine.planning import make_job, require_device, with_public_seed
from gengrade.engine.record import earlier_students, write_record
from gengrade.engine.results import Progress, Result
from gengrade.engine.signals import terminated_like_interrupted
from gengrade.engine.withdrawing import absent, move_aside
from gengrade.grading.checks import known
from gengrade.job import Job, changed, machine_evidence, reference_evidence, with_reference
from gengrade.places import require_ours
from gengrade.rubric import Rubric
from gengrade.sandbox import Tier, choose
from gengrade.submissions import Discovery, opened


def run(
    options: Options,
    watch: Callable[[Progress], None] = lambda progress: None,
    crew: Crew | None = None,
    carrier: Carrier | None = None,
) -> Result:
    """Grade what the options name, and call `watch` with what happens on the way.

    crew: the workers of several runs over the same folder by the same course; None: this run's end with it.
    carrier: who grades; None: this machine, by the crew.

    Raises UsageError, InputError (also for marks), DocumentError, NoSuchTier or Exposed before it starts.

    Raises OutputError, too, when the results find no room. Ctrl-C and SIGTERM come out as Interrupted; what was
    finished by then stays, and is found again.
    """
    course, rubric = chosen(options.course, options.rubric)
    rubric.verify(known())
    roster_given(options.roster)
    deadline_given(options.deadline)
    if carrier is None:
        require_device(options)
    with opened(options.path, course.parts) as discovery:
        tier = _tier(options, discovery, elsewhere=carrier is not None)
        return _graded(options, course, rubric, discovery, tier, watch, carrier or Local(options.jobs, crew))


def _tier(options: Options, discovery: Discovery, *, elsewhere: bool) -> Tier:
    """Return the isolation to use. Elsewhere, it is those who grade that must give the one that is asked for."""
    asked_for = options.isolation.tier
    return asked_for if elsewhere and asked_for is not None else choose(options.isolation, single=discovery.single)


def _graded(
    options: Options,
    course: Course,
    rubric: Rubric,
    discovery: Discovery,
    tier: Tier,
    watch: Callable[[Progress], None],
    carrier: Carrier,
) -> Result:
    asked = asked_of(options, course, rubric, discovery, tier)
    out, ids, trusted = asked.out, asked.ids, asked.trusted
    try:
        with (
            terminated_like_interrupted(),
            output_errors(out),
            locked(out),
            watched(options, out, trusted.seal, watch) as see,
        ):
            require_ours(out, ids)
            if not options.last:
                refuse_beside_nodes(out, trusted.seal)
            earlier = earlier_students(out, trusted.seal)
            gone, staying = absent(options, out, earlier, discovery)
            if not carrier.rests:
                tidy(out, discovery.submissions)
            known_people, kept = people_known(options, rubric, asked)
            people = read_people(known_people, discovery, staying)
            names = shown_names(people.found, {**staying, **{s.id: s.name for s in discovery.submissions}})
            submissions = [named(s, names) for s in asked.submissions]
            # An unusable store is found before hours of grading, in which people may go on marking.
            # Where somebody is new, a student who is gone may have been renamed, whose marks are to be moved.
            withdrawn = {**earlier.withdrawn, **({} if set(ids) - set(earlier.names) else gone)}
            content_of = known_content(discovery, earlier.content)
            marks = read_marks(asked.places, names, rubric, withdrawn, content_of, single=discovery.single)
            taken_back = marks.notes
            job = make_job(options, course, rubric, asked.tier, out, trusted.seal, kept)
            job = with_public_seed(job, submissions)
            if options.last:
                taken_back += collected(job)
            stale = changed(job, submissions)
            if stale:
                taken_back += _revealed(job)
                carrier.grade_all(with_reference(job), stale, see)
                for store in filter(None, (reference_evidence(job), machine_evidence(job))):
                    store.prune()
                marks = read_marks(asked.places, names, rubric, withdrawn, content_of, single=discovery.single)
                taken_back += (*marks.notes, *carrier.notes)
            moved = move_aside(out, gone, options.path)
            graded = write_grades(job, discovery, marks.rubric, marks.marks, people.found.people, names, staying)
            content = {id_: each.grade.provenance.content for id_, each in graded.items()}
            write_record(job, options.path, rubric, discovery, people, gone=gone, kept=staying, content=content)
    except KeyboardInterrupt:
        raise Interrupted(out) from None
    trust = (trusted.note,) if trusted.note else ()
    notes = (*discovery.notes, *people.notes, *moved, *taken_back, *marks.unfit, *trust)
    problems = (*people.problems, *marks.problems)
    found = people.found.people
    return Result(tuple(graded[s.id] for s in submissions), out, discovery.single, asked.tier, notes, problems, found)


def _revealed(job: Job) -> tuple[str, ...]:
    """Return a note if students may know the secret with which something is graded now."""
    if not seeds.revealed(job.work, seeds.Drawn(job.seed, job.drawn), job.seal):
        return ()
    return (
        "the secret of these results was revealed, so that what was handed in after that may be written against it: "
        "grade it with another --out",
    )
