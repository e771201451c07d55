"""The messages that a worker sends to its engine: one JSON object a line.

In the other direction go jobs, marked as such, and submissions, one a line (see `gengrade.worker`). Texts keep lone
surrogates, which stand for bytes in file names that are no UTF-8: `json` writes them; pydantic's own JSON would not.
"""

from __future__ import annotations

import json
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from gengrade.facts import Frozen, Outcome

JOB: Final = "job "  # how the line of a job begins; that of a submission is a JSON object


class CheckBegan(Frozen):
    """A check of the submission in hand begins."""

    kind: Literal["check"] = "check"
    check: str


class CheckEnded(Frozen):
    """All tests of a check of the submission in hand have been carried out."""

    kind: Literal["verdict"] = "verdict"
    check: str
    outcome: Outcome
    done: int  # checks that have ended, with this one
    of: int  # checks of the submission


class DiagnosisBegan(Frozen):
    """All checks have ended, some failed, and the known mistakes that explain them are looked for."""

    kind: Literal["diagnosis"] = "diagnosis"


class Finished(Frozen):
    """The submission in hand is done, and its facts are written, unless the harness failed on it."""

    kind: Literal["finished"] = "finished"
    error: str | None = None  # the traceback of the failure


class DiskFull(Frozen):
    """Results cannot be written any more."""

    kind: Literal["full"] = "full"
    reason: str


CheckMessage = CheckBegan | CheckEnded | DiagnosisBegan
Message = CheckMessage | Finished | DiskFull
_ANY: Final = TypeAdapter[Message](Annotated[Message, Field(discriminator="kind")])


def write_message(message: Message) -> str:
    """Return the line that stands for a message."""
    return json.dumps(message.model_dump()) + "\n"


def read_message(line: bytes) -> Message:
    """Return the message that a line stands for. Raises ValueError for any other line."""
    return _ANY.validate_python(json.loads(line))
