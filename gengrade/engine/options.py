"""What the command line asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gengrade.choices import Device, Isolation, Profile


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a run."""

    path: Path
    out: Path | None  # None: "results" here, or beside a submission that it would lie in
    rubric: Path | None = None  # None: the course's own
    course: str | None = None  # a name or a folder; None: the rubric's, or else the default one
    only: str | None = None  # a pattern that the ids of submissions match
    part: str | None = None
    first: tuple[str, ...] = ()  # checks that are run before the others
    profile: Profile = Profile.SMOKE
    jobs: int = 0  # 0: one for each core
    device: Device = Device.AUTO
    gpu_jobs: int = 0  # submissions that share a GPU; 0: as many as by default
    data: str | None = None
    isolation: Isolation = Isolation.AUTO
    public: bool = False
    cache: bool = True
    seed: int | None = None
    roster: str | None = None  # a path, or "none"; None: that of the last run
    deadline: str | None = None  # a time, or "none"; None: that of the last run
    last: bool = False  # whether nodes have graded the class, and this run scores what they left
