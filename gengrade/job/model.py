"""The job: what all submissions of a run share."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from pydantic import ConfigDict, Field

from gengrade import gpus
from gengrade.authenticity import Seal
from gengrade.choices import CheckKind, Device, Profile, Tier
from gengrade.course import Course, load
from gengrade.facts import Frozen
from gengrade.grading.budget import Allowance
from gengrade.places import TREES
from gengrade.rubric import SUBMISSION
from gengrade.sandbox import DEFAULTS, Kept, Limits
from gengrade.submissions import Submission


class Job(Frozen):
    """What all submissions of a run share. The engine sends it to every worker, and it is never written to the disk."""

    out: Path
    work: Path  # the harness's own folder beneath `out`: trees, seeds, the reference's evidence
    key: bytes = Field(repr=False)  # of the operator's seal
    drawn: bytes = Field(repr=False)  # at random, beside the seed, and shown by no report
    reference_sha256: str = ""  # of the reference's tree, once that is there
    course_folder: Path
    checks: tuple[str, ...]  # what to run, needs included
    first: tuple[str, ...] = ()  # what of it to run before the rest
    profile: Profile
    part: str | None
    public: bool
    data: str | None
    data_name: str
    data_hash: str
    tier: Tier
    device: Device  # not `AUTO`
    gpu_jobs: int = gpus.SUBMISSIONS  # submissions that share a GPU
    cache: bool
    seed: int
    limits: dict[str, dict[str, float]]  # the rubric's changes, by kind or check
    entry: dict[str, str]  # what the rubric says that things are called, by role
    needs: dict[str, tuple[str, ...]]  # what the rubric says that checks need, beyond what their graders say
    kept: tuple[Kept, ...]  # what no run may read
    machine: Path | None = None  # where results of our own code are kept for later classes; None: nowhere

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    @property
    def course(self) -> Course:
        return load(self.course_folder)

    @property
    def seal(self) -> Seal:
        return Seal(self.key)

    @property
    def trees(self) -> Path:
        return self.work / TREES

    @property
    def secret(self) -> bytes:
        """What inputs are derived from: the seed, and a secret that no report shows."""
        return self.drawn + str(self.seed).encode()

    def limits_for(self, check: str, kind: CheckKind) -> Limits:
        """Return the limits of a check's runs: its kind's, as the rubric changes them for either."""
        return DEFAULTS[kind].changed(self.limits.get(kind, {})).changed(self.limits.get(check, {}))

    @property
    def allowance(self) -> Allowance:
        """What all runs of a submission may use together."""
        return Allowance().changed(self.limits.get(SUBMISSION, {}))

    def folder(self, submission: Submission) -> Path:
        """Return the submission's folder of results."""
        return self.out / submission.id

    @cached_property
    def profile_name(self) -> str:
        """The profile in words; anything but "smoke" alone leaves some checks out."""
        left_out = [f"part {self.part} only"] if self.part else []
        left_out += ["public checks only"] if self.public else []
        return ", ".join([self.profile, *left_out])
