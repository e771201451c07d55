"""Trace which lines of the reading code follow each other, to guide the fuzzing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any, cast

import gengrade.grading.evidence
import gengrade.sandbox.answers
import gengrade.store
from gengrade.sandbox import wire
from gengrade.sandbox.conversation import Conversation


def _targets() -> frozenset[CodeType]:
    """Return the code objects whose lines guide the fuzzing."""
    reading = (Conversation._read_channel, Conversation._frames, Conversation._verdict)
    functions = [cast(FunctionType, each) for each in reading]
    codes = {function.__code__ for function in functions}
    for module in (wire, gengrade.sandbox.answers, gengrade.store, gengrade.grading.evidence):
        codes |= _codes_of(Path(cast(str, module.__file__)))
    return frozenset(codes)


def _codes_of(file: Path) -> set[CodeType]:
    """Return the code of all functions of a module, found by compiling it again."""
    waiting = [compile(file.read_text(), str(file), "exec", flags=0x1000000, dont_inherit=True)]
    found: set[CodeType] = set()
    while waiting:
        inner = [constant for constant in waiting.pop().co_consts if isinstance(constant, CodeType)]
        waiting += inner
        found |= {code for code in inner if code.co_flags & 0x1}  # a function's, not a class's
    return found


def _name(code: CodeType) -> tuple[str, int]:
    return code.co_filename, code.co_firstlineno


def _number_of(code: CodeType) -> int:
    return hash(code.co_filename) << 16


class Tracer:
    """Collects the pairs of consecutive lines in the traced code."""

    def __init__(self) -> None:
        self._names = {_name(code) for code in _targets()}
        self._ours: dict[CodeType, bool] = {}
        self._last = 0
        self.pairs: set[tuple[int, int]] = set()
        self._seen = 0

    def __call__(self, frame: FrameType, event: str, argument: object) -> Callable[..., Any] | None:
        code = frame.f_code
        ours = self._ours.get(code)
        if ours is None:
            ours = self._ours[code] = _name(code) in self._names
        return self._line if ours else None

    def _line(self, frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
        here = frame.f_lineno + _number_of(frame.f_code)
        self.pairs.add((self._last, here))
        self._last = here
        return self._line

    def anything_new(self) -> bool:
        """Return whether there are new pairs since the last call."""
        self._last = 0
        new = len(self.pairs) > self._seen
        self._seen = len(self.pairs)
        return new

    def lines(self) -> tuple[set[str], set[str]]:
        """Return the numbers of reached lines and of all lines of the traced code."""
        hit = {here for _, here in self.pairs}
        every: dict[str, int] = {}
        for code in _targets():
            for _, _, line in code.co_lines():
                if line is not None and line != code.co_firstlineno:
                    every[f"{Path(code.co_filename).name}:{line}"] = line + _number_of(code)
        return {text for text, line in every.items() if line in hit}, set(every)
