"""Repeat the grading of one submission as it was for a release: the same seed, secret, options and code.

What a person marked is not repeated. Of every other item, the outcome and the measures are compared.
"""

from __future__ import annotations

import glob
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gengrade.choices import Isolation
from gengrade.course import Course, load
from gengrade.engine import GradedClass, Options, Progress, UsageError, run, seeds
from gengrade.engine.record import KeptRun
from gengrade.grade import Grade, ItemGrade, ItemKind
from gengrade.job.provenance import code_hash
from gengrade.paths import printable
from gengrade.places import WORK
from gengrade.publish.entries import Entry
from gengrade.publish.releases import RUBRIC, Release, drawn_for
from gengrade.rubric import Rubric
from gengrade.sandbox import remove


@dataclass(frozen=True, slots=True)
class Repeated:
    """An item of the release, and what it is now."""

    then: ItemGrade
    now: ItemGrade | None  # None: the rubric of the repetition lacks it

    @property
    def same(self) -> bool:
        """Whether outcome and measures are the same, the latter to the four digits that reports show."""
        return self.now is not None and _found(self.then) == _found(self.now)


@dataclass(frozen=True, slots=True)
class Replay:
    """The grading of one submission, repeated. `differences`: sentences on why it is no exact repetition."""

    entry: Entry
    items: tuple[Repeated, ...]
    differences: tuple[str, ...]

    @property
    def same(self) -> bool:
        return all(item.same for item in self.items)


def entry_of(release: Release, given: str) -> Entry:
    """Return the entry of the person with this id, submission or name. Raises UsageError if there is not just one."""
    entries = release.manifest.entries
    for fits in (
        [entry for entry in entries if given in (entry.id, entry.submission)],
        [entry for entry in entries if given == entry.name],
    ):
        submissions = {entry.submission for entry in fits}
        if len(submissions) == 1:
            if fits[0].digest is None:
                raise UsageError(f"{given}: nothing was graded for release {release.number}: {fits[0].status}")
            return fits[0]
        if fits:
            raise UsageError(f"{given}: {len(fits)} people in release {release.number} are called so: give the id")
    raise UsageError(f"{given}: nobody in release {release.number} has this id or name")


def replay(
    graded: GradedClass,
    release: Release,
    entry: Entry,
    watch: Callable[[Progress], None],
    *,
    present_code: bool = False,
) -> Replay:
    """Grade one submission again, and compare it with the release.

    entry: whose submission.
    present_code: whether to go on if graders, course or harness are not those of the release.

    Raises UsageError if it cannot be repeated: the code is another one, the submission or the secret is gone.
    """
    circumstances = release.manifest.circumstances
    then = release.snapshot().grades[entry.submission or ""]
    kept = circumstances.run
    drawn = drawn_for(graded, release.number)
    if kept is None or drawn is None:
        raise UsageError(
            f"release {release.number}: its seed and its secret are not there any more, so that it cannot be repeated"
        )
    course = load(kept.course)
    if circumstances.code != f"sha256:{code_hash(course)}" and not present_code:
        raise UsageError(
            f"release {release.number} was graded by other code (gengrade {circumstances.version}): use that version "
            "of gengrade and of the course, or give --present-code to see what this one finds"
        )
    now = _graded_again(graded, release, entry, course, kept, drawn, watch)
    later = {item.id: item for item in now.items}
    items = tuple(Repeated(item, later.get(item.id)) for item in then.items if item.kind is not ItemKind.MANUAL)
    return Replay(entry, items, tuple(_differences(then, now, kept, circumstances.code, course)))


def _graded_again(
    graded: GradedClass,
    release: Release,
    entry: Entry,
    course: Course,
    kept: KeptRun,
    drawn: seeds.Drawn,
    watch: Callable[[Progress], None],
) -> Grade:
    if not graded.graded.exists():
        raise UsageError(f"{printable(str(graded.graded))}: what was graded is not there any more: bring it back")
    folder = Path(tempfile.mkdtemp(prefix="gengrade-replay-"))
    try:
        seeds.keep(folder / WORK, drawn, graded.seal)
        options = Options(
            path=graded.graded,
            out=folder,
            rubric=_rubric(graded, release, folder),
            course=str(course.folder),
            only=glob.escape(entry.submission or ""),
            part=kept.part,
            profile=kept.profile,
            jobs=1,
            device=kept.device,
            data=kept.data,
            isolation=Isolation(kept.isolation),
            public=kept.public,
            cache=False,
            seed=drawn.seed,
        )
        return run(options, watch).graded[0].grade
    finally:
        remove(folder)


def _rubric(graded: GradedClass, release: Release, folder: Path) -> Path:
    """Return the rubric's own path if it is still as it was for the release, and otherwise that of a copy."""
    wanted = release.manifest.circumstances.rubric
    try:
        if Rubric.load(graded.rubric.path).sha256 == wanted:
            return graded.rubric.path
    except ValueError:
        pass
    copy = folder / WORK / RUBRIC
    copy.write_bytes(release.content(RUBRIC))
    return copy


def _found(item: ItemGrade) -> tuple[object, ...]:
    measures = {name: None if value is None else f"{value:.4g}" for name, value in item.measures.items()}
    return item.outcome, measures


def _differences(then: Grade, now: Grade, kept: KeptRun, code: str, course: Course) -> Iterator[str]:
    """Yield a sentence for each thing that the facts depend on and that is not as it was."""
    if then.provenance.key == now.provenance.key:
        return
    if then.provenance.submission != now.provenance.submission:
        yield "The files that were handed in are not those of the release."
    if code != f"sha256:{code_hash(course)}":
        yield "The code of gengrade or of the course is not that of the release."
    if then.provenance.profile != kept.described or then.provenance.seed != now.provenance.seed:
        yield "For the release, this submission was graded by another command than most of the class."
    before, after = then.provenance.versions, now.provenance.versions
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield f"{name} was {before.get(name, 'missing')} and is {after.get(name, 'missing')}."
    if (then.provenance.device, then.provenance.data) != (now.provenance.device, now.provenance.data):
        yield "The device or the data set differs from the release's."
