"""What a run is asked to grade, where it may write, and what it hides: found out before anything is written."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gengrade.authenticity import Authority, authority
from gengrade.choices import Device
from gengrade.course import Course, courses
from gengrade.engine.errors import UsageError
from gengrade.engine.folder import own_folders
from gengrade.engine.kept import kept_by_run, kept_results, kept_roster
from gengrade.engine.options import Options
from gengrade.engine.people import KeptPeople, known_from
from gengrade.engine.planning import device_of
from gengrade.engine.record import kept_people
from gengrade.fitting import better_fit
from gengrade.places import Output, Source, output
from gengrade.rubric import Rubric
from gengrade.sandbox import Kept, Tier, reaches
from gengrade.submissions import Discovery, Submission


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run is asked for.

    submissions: those that the options choose, of all those that were found.
    ids: of all that were found.
    kept: what no submission may see, without the roster.
    """

    submissions: tuple[Submission, ...]
    ids: tuple[str, ...]
    tier: Tier
    places: Output
    kept: tuple[Kept, ...]
    trusted: Authority

    @property
    def out(self) -> Path:
        """The folder of results."""
        return self.places.folder


def asked_of(options: Options, course: Course, rubric: Rubric, discovery: Discovery, tier: Tier) -> Asked:
    """Find out what the options ask for. Nothing is written for it but the operator's key, if there is none yet.

    Raises UsageError, PlaceError, KeyFileError or Exposed.
    """
    submissions = [s for s in discovery.submissions if options.only is None or fnmatch.fnmatch(s.id, options.only)]
    if not submissions:
        pattern = f" whose name matches {options.only!r}" if options.only else ""
        raise UsageError(f"{options.path}: there is no submission{pattern}")
    _refuse_another_course(options, course, submissions)
    sources = [Source(s.id, (s.source, *s.attachments)) for s in discovery.submissions]
    places = output(options.out, options.path, sources)
    out, ids = places.folder, [source.id for source in sources]
    kept = kept_by_run(options, course, rubric, out, discovery.submissions)
    reaches(tier, [*kept, *kept_results(out, submissions)], cuda=device_of(options) is Device.CUDA)
    # A key within what is graded would be its author's.
    trusted = authority([options.path, *(path for source in sources for path in source.paths), *own_folders(out, ids)])
    return Asked(tuple(submissions), tuple(ids), tier, places, kept, trusted)


def people_known(options: Options, rubric: Rubric, asked: Asked) -> tuple[KeptPeople, tuple[Kept, ...]]:
    """Return what is known of the class's people without its submissions, and all that no submission may see.

    Raises Exposed if the roster lies where student code has to read.
    """
    earlier = kept_people(asked.out, rubric, asked.trusted.seal)
    known_people = known_from(earlier, options.roster, options.deadline)
    kept = kept_roster(known_people.roster.path if known_people.roster else None)
    reaches(asked.tier, kept, cuda=device_of(options) is Device.CUDA)
    return known_people, (*asked.kept, *kept)


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
