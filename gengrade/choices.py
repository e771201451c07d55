"""What an operator chooses among: which kinds of checks run, where models run, and how student code is isolated."""

from __future__ import annotations

from enum import StrEnum


class CheckKind(StrEnum):
    """What a check does with a submission's code, which decides its limits."""

    UNIT = "unit"  # it calls functions and runs models
    TRAIN = "train"  # it trains models, and runs in the smoke profile only


class Profile(StrEnum):
    """Which checks are run."""

    UNIT = "unit"  # those without a training
    SMOKE = "smoke"  # all of them


class Device(StrEnum):
    """Where models run."""

    AUTO = "auto"  # on a GPU where there is one
    CPU = "cpu"
    CUDA = "cuda"


class Tier(StrEnum):
    """How strong the wall around student code is."""

    SANDBOX = "sandbox"
    LANDLOCK = "landlock"
    PROCESS = "process"


class Isolation(StrEnum):
    """Which tier is asked for."""

    AUTO = "auto"  # the best one that this machine gives
    SANDBOX = "sandbox"
    LANDLOCK = "landlock"
    PROCESS = "process"

    @property
    def tier(self) -> Tier | None:
        """The tier; None for the best one."""
        return None if self is Isolation.AUTO else Tier(self.value)


class Assignment(StrEnum):
    """How answers are divided between markers."""

    FREE = "free"  # everybody marks whatever comes next
    QUESTION = "question"  # each question belongs to one marker
    STUDENT = "student"  # all answers of a student belong to one marker
