"""What the host tells a zygote at its start, and with each run. Nothing here is a secret, not even where one lies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

ENTRY = "entry.json"  # in a clean tree, beside its parts, whose names have no dot: what the rubric's `entry` says


@dataclass(frozen=True, slots=True)
class ZygoteSettings:
    """Fixed for a zygote's life."""

    tier: str  # "sandbox", "landlock" or "process"
    library: str  # the folder that holds the guest's code, the probes and the layouts
    layout: str  # e.g. "uva2020"
    scratch: str  # the folder that its environment names; each run gets one of its own
    control: int  # the descriptor of the control socket
    uid: int | None  # a real unprivileged user to become, when started as root
    cuda: bool
    readable: Sequence[str]  # without namespaces: what runs may read, with all that lies beneath
    listed: Sequence[str]  # folders in which they may see names, in all that lies beneath
    kept_mounts: Sequence[str]  # with namespaces: what stays mounted in folders that each run has of its own

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ZygoteSettings:
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class RunSettings:
    """One run of one probe; its inputs come over the run's own channel."""

    probe: str  # "vae:kld": a module of graders.probes, and a function in it
    tree: str  # the submission's folder: a name beneath TREES in the sandbox tier, else a path
    scratch: str  # an empty folder that it may write to; in the sandbox tier /tmp, a fresh tmpfs
    seed: int
    device: str  # "cpu" or "cuda"
    threads: int
    limits: Mapping[str, float]

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, object]) -> RunSettings:
        return cls(**fields)  # type: ignore[arg-type]
