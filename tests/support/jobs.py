"""A job for tests that need one and grade nothing by it, or little."""

from __future__ import annotations

from pathlib import Path

from gengrade.choices import Device, Profile
from gengrade.course import DEFAULT, find
from gengrade.job import Job
from gengrade.sandbox import Tier


def small_job(out: Path, tier: Tier) -> Job:
    """Return a job of the default course with one check. `out`: its folder of results."""
    return Job(
        out=out,
        work=out / ".gengrade",
        key=b"k" * 32,
        drawn=b"s",
        course_folder=find(DEFAULT).folder,
        checks=("theory.cubic_density",),
        profile=Profile.UNIT,
        part=None,
        public=False,
        data="digits",
        data_name="digits",
        data_hash="sha256:0",
        tier=tier,
        device=Device.CPU,
        cache=True,
        seed=1,
        limits={},
        entry={},
        needs={},
        kept=(),
    )
