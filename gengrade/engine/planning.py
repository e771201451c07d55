"""Making the job of a run, which all workers share, from its options and its rubric."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gengrade import data as datasets
from gengrade import gpus
from gengrade.authenticity import Seal
from gengrade.caching import folder_of_ours
from gengrade.choices import Device
from gengrade.course import Course
from gengrade.engine.checks import checks_to_run, needs_of_checks
from gengrade.engine.errors import UsageError
from gengrade.engine.options import Options
from gengrade.engine.seeds import Drawn, secret_of, seed_of
from gengrade.grading.recorded import load
from gengrade.job import Job
from gengrade.places import WORK
from gengrade.rubric import Rubric
from gengrade.sandbox import Kept, Tier
from gengrade.submissions import Submission, content


def make_job(
    options: Options,
    course: Course,
    rubric: Rubric,
    tier: Tier,
    out: Path,
    seal: Seal,
    kept: tuple[Kept, ...],
    drawn: Drawn | None = None,
) -> Job:
    """Make the job. Raises UsageError for a part that the rubric does not have, and what loading the data raises.

    drawn: the seed and the secret; None: those that are wanted, or else of the last run, or else new ones, which are
        then kept for the next run.
    """
    work = out / WORK
    drawn = drawn or Drawn(seed_of(work, options.seed, seal), secret_of(work, seal))
    data_set = datasets.load(options.data or rubric.data)
    return Job(
        out=out,
        work=work,
        key=seal.key,
        drawn=drawn.secret,
        course_folder=course.folder,
        checks=checks_to_run(options, rubric),
        first=options.first,
        profile=options.profile,
        part=options.part,
        public=options.public,
        data=options.data or rubric.data,
        data_name=data_set.name,
        data_hash=data_set.sha256,
        tier=tier,
        device=device_of(options),
        gpu_jobs=options.gpu_jobs or gpus.SUBMISSIONS,
        cache=options.cache,
        seed=drawn.seed,
        entry=rubric.entry,
        needs=needs_of_checks(rubric),
        kept=kept,
        machine=folder_of_ours([options.path]) if options.cache and not course.is_kit else None,
        limits={name: limits.model_dump(exclude_none=True) for name, limits in rubric.limits.items()},
    )


def with_public_seed(job: Job, submissions: Sequence[Submission]) -> Job:
    """Return the job of a kit for students, which draws inputs from a public seed; any other job stays as it is.

    The seed depends on what is handed in, so that nobody gets used to one, and the same files are judged alike.
    """
    if not job.course.is_kit:
        return job
    found = load(job.course.recorded).seed_for(content(submissions[0]))
    return job.model_copy(update={"drawn": found.secret.encode(), "seed": found.seed})


def require_device(options: Options) -> None:
    """Raise UsageError if a GPU is asked for that is not there: every check would be our fault then."""
    if options.gpu_jobs and device_of(options) is Device.CPU:
        raise UsageError("--gpu-jobs: models are trained on the processor here; leave the option out")
    if options.device is Device.CUDA and not gpus.available():
        raise UsageError("--device cuda: there is no GPU of NVIDIA on this machine; leave the option out")


def device_of(options: Options) -> Device:
    """Return the device that is wanted; `AUTO` becomes a GPU where there is one."""
    if options.device is not Device.AUTO:
        return options.device
    return Device.CUDA if gpus.available() else Device.CPU
