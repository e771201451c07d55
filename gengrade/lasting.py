"""Go on when nobody reads the output any more, as in `gengrade grade class | head -1`, or it cannot be printed."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


class _Lasting(io.TextIOWrapper):
    """A text stream whose output goes nowhere once nobody reads it any more."""

    def write(self, text: str) -> int:
        return self._lasting(lambda: super(_Lasting, self).write(text))

    def flush(self) -> None:
        self._lasting(super().flush)

    def _lasting(self, output: Callable[[], _T]) -> _T:
        try:
            return output()
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return output()  # what is buffered goes nowhere, too


def outlast_readers() -> None:
    """Make this process ignore that nobody reads its output, and print other characters for those that it cannot."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if type(stream) is io.TextIOWrapper:
            settings = stream.encoding, "backslashreplace", None, stream.line_buffering
            setattr(sys, name, _Lasting(stream.detach(), *settings))
