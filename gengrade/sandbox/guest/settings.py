"""Define the settings that the host sends to a zygote at its start and with each run.

None of them is a secret, or tells where a secret lies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from gengrade.choices import Tier

ENTRY = "entry.json"  # the file with the rubric's `entry` in a clean tree, beside its parts, whose names have no dot


@dataclass(frozen=True, slots=True)
class ZygoteSettings:
    """The settings of a zygote, which do not change."""

    tier: Tier
    preload: Sequence[str]  # third-party modules that runs will import
    scratch: str  # the scratch folder in its environment variables; each run gets its own instead
    control: int  # the descriptor of the control socket
    ours: int  # the descriptor of the socket by which channels to processes for our own code are sent
    uid: int | None  # the unprivileged user to become when it was started as root; None: it was not
    cuda: bool  # whether runs use a GPU
    readable: Sequence[str]  # without namespaces: the paths that runs may read, with everything below them
    listed: Sequence[str]  # without namespaces: the folders in which, and below which, runs may list names
    kept_mounts: Sequence[str]  # with namespaces: the mounts below /tmp and /dev/shm that each run keeps

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ZygoteSettings:
        fields = json.loads(text)
        return cls(**{**fields, "tier": Tier(fields["tier"])})


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The settings of one run; its inputs are sent over the run's own channel."""

    tree: str  # the submission's folder: a name below TREES in the tier `sandbox`, otherwise a path
    scratch: str  # an empty folder that it may write to; in the tier `sandbox` /tmp, a new tmpfs
    seed: int
    device: str  # "cpu" or "cuda"
    gpu_share: float  # of the GPU's memory that it may use, with "cuda"
    threads: int
    limits: Mapping[str, float]
    # Of a run of our own code: texts in the place of the tree's files, by their paths there.
    replaced: Mapping[str, str]

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, object]) -> RunSettings:
        return cls(**fields)  # type: ignore[arg-type]
