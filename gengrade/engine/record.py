"""Remember what a folder of results was made from, for the commands that mark a class after it was graded."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError

from gengrade.atomic import write_whole
from gengrade.authenticity import Seal, authority
from gengrade.choices import Device, Profile, Tier
from gengrade.engine.errors import UsageError
from gengrade.engine.people import KeptPeople, ReadPeople, found_again, shown_names
from gengrade.facts import Frozen
from gengrade.grade import TOGETHER
from gengrade.job import Job
from gengrade.marks import Store, opened
from gengrade.marks.amendments import amended
from gengrade.people import NOBODY, People
from gengrade.people.words import names_of
from gengrade.places import MARKS, WORK, read_plain, require_ours
from gengrade.rubric import Rubric
from gengrade.submissions import Discovery

_FILE: Final = "class.json"
_KIND, _PLACE = "class", ""  # under which its seal is made


class KeptRun(Frozen):
    """The options of a run that its facts depend on, by which it can be repeated."""

    course: Path  # its folder
    profile: Profile
    part: str | None
    public: bool
    data: str | None
    device: Device
    isolation: Tier
    described: str  # the profile in words, as grades show it

    @classmethod
    def of(cls, job: Job) -> KeptRun:
        """Return the options of a run by its job."""
        return cls(
            course=job.course_folder,
            profile=job.profile,
            part=job.part,
            public=job.public,
            data=job.data,
            device=job.device,
            isolation=job.tier,
            described=job.profile_name,
        )


class _Record(Frozen):
    """The content of the file."""

    graded: Path  # what the command was given: a class's folder or archive, or one submission
    rubric: Path
    rubric_sha256: str  # of its content then
    names: dict[str, str]  # of the students, by their ids
    people: KeptPeople | None = None  # None: an earlier version wrote the file
    run: KeptRun | None = None  # likewise
    withdrawn: dict[str, str] = Field(default_factory=dict)  # likewise, of those who were taken out of the class
    content: dict[str, str] = Field(default_factory=dict)  # likewise, the hash of what each student handed in


@dataclass(frozen=True, slots=True)
class Earlier:
    """The students of the last run over a folder of results, by any rubric.

    graded: what the command was given then; None: there was no run.
    names: of the students, by their ids.
    withdrawn: the names of those whose submissions were taken out of the class before.
    content: the hashes of what they handed in, as far as they are known.
    """

    graded: Path | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    withdrawn: Mapping[str, str] = field(default_factory=dict)
    content: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GradedClass:
    """A folder of results, what it was made from, and the operator's seal on the facts in it."""

    out: Path
    graded: Path
    rubric: Rubric
    names: dict[str, str]  # of the students, by their ids
    seal: Seal
    people: People = field(default=NOBODY)
    roster: Path | None = None
    identities: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by the roster, of each student
    kept: KeptPeople = field(default_factory=KeptPeople)  # what `people` was made from
    run: KeptRun | None = None  # None: an earlier version graded the class
    content: Mapping[str, str] = field(default_factory=dict)  # the hash of what each student handed in, where known
    record: bytes = b""  # the file that all this was read from

    def was_graded_again(self) -> bool:
        """Return whether the folder holds the results of another run now, or none any more."""
        return _content(self.out) != self.record

    @property
    def marks(self) -> Path:
        """The folder of marks."""
        return self.out / MARKS

    def open_marks(self) -> AbstractContextManager[Store]:
        """Open the store of the class's marks. Raises StoreError and PlaceError when it is entered."""
        return opened(self.marks, self.rubric.assignment, self.content.get)

    def amended(self, store: Store) -> GradedClass:
        """Return the class, whose rubric is as its file says, with the criteria that were changed while marking."""
        return replace(self, rubric=amended(self.rubric, store.amendments()).rubric)

    def known_as(self, student: str) -> str:
        """Return all that tells who a student is: the name, and of a roster also ids, logins and the group's names."""
        return TOGETHER.join(dict.fromkeys((self.names.get(student, student), *self.identities.get(student, ()))))

    def id_of(self, given: str) -> str:
        """Return the id of the only student with this name; if there is none, the text itself, which may be an id.

        A name may be written in its other order: "Jane Doe" finds "Doe, Jane". A roster's ids, numbers and logins count
        as names.
        """
        given = unicodedata.normalize("NFC", given)  # a Mac's terminal writes "ö" as two characters
        wanted = names_of(given)
        named = {id_ for id_, name in self.names.items() if wanted & names_of(name)}
        named |= {id_ for id_, texts in self.identities.items() if given.casefold() in map(str.casefold, texts)}
        for each in self.people.members:
            if each.submission and (given == each.id or wanted & names_of(each.name)):
                named.add(each.submission)
        return named.pop() if len(named) == 1 and given not in self.names else given


def kept_people(out: Path, rubric: Rubric, seal: Seal) -> KeptPeople | None:
    """Return what the last run by this rubric kept of the class's people; None if there was none."""
    earlier = _read(out, seal)
    return earlier.people if earlier is not None and earlier.rubric == rubric.path.resolve() else None


def earlier_students(out: Path, seal: Seal) -> Earlier:
    """Return the students of the last run, as far as its record is this operator's."""
    record = _read(out, seal)
    return Earlier() if record is None else Earlier(record.graded, record.names, record.withdrawn, record.content)


def write_record(
    job: Job,
    graded: Path,
    rubric: Rubric,
    discovery: Discovery,
    people: ReadPeople,
    *,
    gone: Mapping[str, str],
    kept: Mapping[str, str],
    content: Mapping[str, str | None],
) -> None:
    """Note what the results of a job were made from. A run over one student's files keeps what is known of the others.

    graded: what the command was given.
    gone: the names of students whose submissions were taken out of the class since the last run.
    kept: the names of students who are not in the class any more, but whom this run does not withdraw.
    content: the hashes of what was handed in, by the student's id; None: a file cannot be read.
    """
    now = {each.id: each.name for each in discovery.submissions}
    names = {**kept, **shown_names(people.found, now)}
    run = KeptRun.of(job)
    earlier = _read(job.out, job.seal)
    withdrawn = {**(earlier.withdrawn if earlier else {}), **gone}
    if discovery.single and earlier is not None and earlier.rubric == rubric.path.resolve():
        names = {**earlier.names, **names}
        graded, run = earlier.graded, earlier.run or run
    known = {**(earlier.content if earlier else {}), **content}
    record = _Record(
        graded=graded.resolve(),
        rubric=rubric.path.resolve(),
        rubric_sha256=rubric.sha256,
        names=names,
        people=people.kept,
        run=run,
        withdrawn={id_: name for id_, name in withdrawn.items() if id_ not in names},
        content={id_: sha256 for id_, sha256 in known.items() if id_ in names and sha256},
    )
    write_whole(job.out / WORK / _FILE, job.seal.sealed_json(_KIND, _PLACE, record.model_dump_json(indent=1)), 0o600)


def graded_class(out: Path, *, changed: bool = False) -> GradedClass:
    """Return the class whose results lie in a folder.

    out: the folder of results.
    changed: whether the rubric may have changed since, so that it does not fit the grades.

    Raises UsageError if no class was graded there with this operator's key, or by another version of the rubric;
    RubricError and PlaceError.
    """
    folder = out.resolve()
    require_ours(folder, [])
    seal = authority([]).seal
    content = _content(folder)
    record = _opened(content, seal)
    if record is None:
        raise UsageError(f"{out}: no class was graded into this folder by you; grade first, or give --out its results")
    rubric = Rubric.load(record.rubric)
    if rubric.sha256 != record.rubric_sha256 and not changed:
        raise UsageError(f"{rubric.path} has changed since {out} was graded: first give the command for grading again")
    kept = record.people or KeptPeople()
    people = found_again(kept).people
    identities: dict[str, tuple[str, ...]] = {}
    for row, member in zip(kept.roster.people or () if kept.roster else (), people.members, strict=True):
        if member.submission is not None:
            texts = (row.name, row.id, *row.numbers, *row.logins)
            identities[member.submission] = (*identities.get(member.submission, ()), *filter(None, texts))
    roster = kept.roster.path if kept.roster else None
    return GradedClass(
        folder,
        record.graded,
        rubric,
        record.names,
        seal,
        people,
        roster,
        identities,
        kept,
        record.run,
        record.content,
        content,
    )


def _read(out: Path, seal: Seal) -> _Record | None:
    return _opened(_content(out), seal)


def _content(out: Path) -> bytes:
    """Return the content of the file in a folder of results; nothing if it cannot be read."""
    try:
        return read_plain(out / WORK / _FILE)
    except OSError:
        return b""


def _opened(content: bytes, seal: Seal) -> _Record | None:
    """Return what a file says; None if it is not this operator's."""
    document = seal.opened_json(_KIND, _PLACE, content)
    try:
        return None if document is None else _Record.model_validate_json(document)
    except ValidationError:
        return None
