"""Run student code in isolated processes, the guests. Verdicts are made outside them, in the host.

`Sandbox.run(request)` runs a probe on a submission's tree in a new, isolated process and returns a `Run`.
"""

from gengrade.choices import Isolation, Tier
from gengrade.sandbox.host import Sandbox
from gengrade.sandbox.limits import DEFAULTS, Limits
from gengrade.sandbox.reach import Exposed, Kept
from gengrade.sandbox.run import Frame, InfraError, Request, Run, Runner
from gengrade.sandbox.scratch import SCRATCH_PREFIX, remove, remove_scratch
from gengrade.sandbox.tiers import Finding, NoSuchTier, choose, describe, examine, reaches

__all__ = [
    "DEFAULTS",
    "SCRATCH_PREFIX",
    "Exposed",
    "Finding",
    "Frame",
    "InfraError",
    "Isolation",
    "Kept",
    "Limits",
    "NoSuchTier",
    "Request",
    "Run",
    "Runner",
    "Sandbox",
    "Tier",
    "choose",
    "describe",
    "examine",
    "reaches",
    "remove",
    "remove_scratch",
]
