"""Why a run cannot be carried out, or came to no end.

    ValueError
     └─ UsageError             the command asks for something that cannot be done
         └─ OutputError        the folder of results cannot be written to, or not any more
    KeyboardInterrupt
     └─ Interrupted            the run was stopped by a person or the system

The command line shows all of them as one sentence. Nothing that was finished is lost.
"""

from __future__ import annotations

from pathlib import Path


class UsageError(ValueError):
    """The command line asks for something that cannot be done."""


class OutputError(UsageError):
    """The folder of results cannot be written to, or not any more."""

    def __init__(self, out: Path, reason: str) -> None:
        super().__init__(
            f"{out}: results cannot be written there ({reason}). Make room, or choose another --out; finished"
            " results are kept, and the same command continues"
        )


class Interrupted(KeyboardInterrupt):
    """The run was stopped; what was finished lies in `out`."""

    def __init__(self, out: Path) -> None:
        super().__init__(out)
        self.out = out
