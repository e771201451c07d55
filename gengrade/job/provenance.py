"""What a submission's facts depend on: a key that changes with any of it, and the provenance that reports show."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from functools import cache
from pathlib import Path
from typing import Final

from gengrade.course import ADAPTERS, DECLARATION, RECORDED, Course
from gengrade.facts import Provenance
from gengrade.home import HOME, PACKAGE, own_name
from gengrade.job.model import Job

NO_KEY: Final = "none"  # of facts that are not to be found again
_LIBRARIES: Final = ("torch", "torchvision", "numpy", "scipy", "pytorch_lightning")
# What of the package decides no fact, but who is graded and how that is scored and shown.
_SCORING_AND_SHOWING: Final = {
    *("engine", "report", "authoring", "home", "cli.py", "marks_cli.py", "publish_cli.py", "release_cli.py"),
    *("console.py", "worker.py", "messages.py", "grade.py", "lateness.py", "marks", "people", "publish", "rubric.py"),
    *("room", "self_check.py", "explaining.py", "tryouts.py", "watching.py", "commands.py", "self_check_cli.py"),
}
# The fields of the job that facts depend on. Points and thresholds are none of them: they only score.
_DECISIVE: Final = {"checks", "profile", "part", "public", "data_hash", "tier", "device", "limits", "needs", "entry"}


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that a number may depend on, by name."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def facts_key(job: Job, submission: str) -> str:
    """Return a hash over all that the facts depend on. `submission`: the hash of the submission's clean tree."""
    document = {
        "submission": submission,
        "code": code_hash(job.course),
        "versions": versions(),
        "secret": hashlib.sha256(job.secret).hexdigest(),
        "course": job.course.name,
        "job": job.model_dump(mode="json", include=_DECISIVE),
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


@cache
def code_hash(course: Course) -> str:
    """Hash what makes facts: graders, the course with its reference, and the harness beneath them.

    Files that are no code belong to it: a reference may read weights or numbers that lie beside it.
    """
    harness = [path for path in sorted(PACKAGE.iterdir()) if path.name not in _SCORING_AND_SHOWING]
    files = [(own_name(file), file) for path in (HOME / "graders", *harness) for file in _files(path)]
    for folder in (course.folder / ADAPTERS, course.misconceptions, course.reference):
        files += [(file.relative_to(folder).as_posix(), file) for file in _files(folder)]
    files += [(name, course.folder / name) for name in (DECLARATION, RECORDED) if (course.folder / name).is_file()]
    digest = hashlib.sha256()
    for name, file in files:
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{name}\0{content}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    """Return the file itself, or all files below a folder but those that Python and others keep beside them."""
    found = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return [file for file in found if not any(_is_kept_aside(part) for part in file.relative_to(path.parent).parts)]


def _is_kept_aside(name: str) -> bool:
    return name == "__pycache__" or name.startswith(".")


def provenance_of(job: Job, submission: str, key: str) -> Provenance:
    """Return what a reader needs to repeat the run. `submission`: a hash as for `facts_key`, or "none"."""
    return Provenance(
        seed=job.seed,
        data=job.data_name,
        device=job.device,
        profile=job.profile_name,
        course=job.course.name,
        kit=job.course.is_kit,
        isolation=job.tier,
        versions=versions(),
        submission=submission,
        key=key,
    )
