"""Finds the attribute of a student's module that is still None where code fails because of it."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from types import CodeType, FrameType, TracebackType

from torch import nn

from graders.adapting.members import STILL_NONE


def still_none(error: BaseException) -> str:
    """Return which attribute that is None made an error about None, as a sentence, or "".

    Hand-outs set what is to be filled in to None: `self.hidden_dim = None`. The innermost of the student's methods
    counts whose failing expression reads such an attribute of its own module.
    """
    if "NoneType" not in str(error):
        return ""
    for frame, instruction in reversed([*_calls(error.__traceback__)]):
        owner = frame.f_locals.get("self")
        if not isinstance(owner, nn.Module) or str(frame.f_globals.get("__name__")).partition(".")[0] == "torch":
            continue
        for name in _read(frame.f_code, instruction):
            if vars(owner).get(name, error) is None:
                return f"{type(owner).__name__}.{name} {STILL_NONE}"
    return ""


def _calls(traceback: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    """Yield the frames of a traceback, the outermost first, each with the offset of the instruction that failed."""
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lasti
        traceback = traceback.tb_next


def _read(code: CodeType, offset: int) -> Iterator[str]:
    """Yield the names of the attributes that the expression of an instruction reads."""
    instructions = list(dis.get_instructions(code))
    failed = next((each.positions for each in instructions if each.offset == offset), None)
    if failed is None or None in failed:
        return
    first, last = (failed.lineno, failed.col_offset), (failed.end_lineno, failed.end_col_offset)
    for each in instructions:
        place = each.positions
        if each.opname not in ("LOAD_ATTR", "LOAD_METHOD") or place is None or None in place:
            continue
        if first <= (place.lineno, place.col_offset) and (place.end_lineno, place.end_col_offset) <= last:
            yield str(each.argval)
