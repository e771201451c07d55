"""The messages that a worker sends to its engine: one JSON object a line.

In the other direction go the job and then one submission a line (see `gengrade.worker`). Texts keep lone surrogates,
which stand for bytes in file names that are no UTF-8: `json` writes them, and pydantic's own JSON would not.
"""

from __future__ import annotations

import json
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from gengrade.facts import Frozen


class CheckBegan(Frozen):
    """A check of the submission in hand begins."""

    kind: Literal["check"] = "check"
    check: str


class Finished(Frozen):
    """The submission in hand is done, and its facts are written, unless the harness failed on it."""

    kind: Literal["finished"] = "finished"
    error: str | None = None  # the traceback of the failure


class DiskFull(Frozen):
    """Results cannot be written any more."""

    kind: Literal["full"] = "full"
    reason: str


Message = CheckBegan | Finished | DiskFull
_ANY: Final = TypeAdapter[Message](Annotated[Message, Field(discriminator="kind")])


def write_message(message: Message) -> str:
    """Return the line that stands for a message."""
    return json.dumps(message.model_dump()) + "\n"


def read_message(line: bytes) -> Message:
    """Return the message that a line stands for. Raises ValueError for any other line."""
    return _ANY.validate_python(json.loads(line))
