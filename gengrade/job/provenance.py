"""What a submission's facts depend on: a key that changes with any of it, and the provenance that reports show."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from functools import cache
from pathlib import Path
from typing import Final

from gengrade.course import ADAPTERS, DECLARATION, Course
from gengrade.facts import Provenance
from gengrade.home import HOME, PACKAGE, own_name
from gengrade.job.model import Job

NO_KEY: Final = "none"  # of facts that are not to be found again
_LIBRARIES: Final = ("torch", "torchvision", "numpy", "scipy", "pytorch_lightning")
_CODE: Final = (".py", ".ipynb", ".yaml")  # a reference may be a notebook
# The fields of the job that facts depend on. Points and thresholds are none of them: they only score.
_DECISIVE: Final = {"checks", "profile", "part", "public", "data_hash", "tier", "device", "limits", "needs", "entry"}


@cache
def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that a number may depend on, by name."""
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
        "code": _code_hash(job.course),
        "versions": versions(),
        "secret": hashlib.sha256(job.secret).hexdigest(),
        "course": job.course.name,
        "job": job.model_dump(mode="json", include=_DECISIVE),
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


@cache
def _code_hash(course: Course) -> str:
    """Hash the code that makes facts: graders, the course with its reference, and the harness beneath them."""
    digest = hashlib.sha256()
    harness = [PACKAGE / name for name in ("grading", "sandbox", "submissions")]
    for folder in (HOME / "graders", *harness):
        for path in _code(folder):
            digest.update(own_name(path).encode() + b"\0" + path.read_bytes())
    for folder in (course.folder / ADAPTERS, course.misconceptions, course.reference):
        for path in _code(folder):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    digest.update((course.folder / DECLARATION).read_bytes())
    return digest.hexdigest()


def _code(folder: Path) -> list[Path]:
    return sorted(path for suffix in _CODE for path in folder.rglob(f"*{suffix}"))


def provenance_of(job: Job, submission: str, key: str) -> Provenance:
    """Return what a reader needs to repeat the run. `submission`: a hash as for `facts_key`, or "none"."""
    return Provenance(
        seed=job.seed,
        data=job.data_name,
        device=job.device,
        profile=job.profile_name,
        course=job.course.name,
        isolation=job.tier,
        versions=versions(),
        submission=submission,
        key=key,
    )
