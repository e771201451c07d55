"""Reading a run's answer: evidence, or the fault that student code raised.

Every byte of an answer is hostile until `wire.decode` has returned it. Of a guest's own words about a fault, only the
outcomes that cost points are accepted, and the one that leaves them to a person.
"""

from __future__ import annotations

from typing import TypeVar

from gengrade.facts import Outcome
from gengrade.sandbox import wire
from gengrade.sandbox.run import Frame

_Field = TypeVar("_Field")


def read_answer(tag: bytes, payload: bytes) -> tuple[Outcome, str, wire.Tree, tuple[Frame, ...]]:
    """Return a run's outcome, message, evidence and frames from its answer, whatever the bytes are."""
    try:
        tree = wire.decode(payload)
        if tag == wire.EVIDENCE:
            return Outcome.PASSED, "", tree, ()
        return _read_fault(tree)
    except wire.WireError:
        return Outcome.ERROR, "the run sent an answer that cannot be read as evidence", None, ()


def _read_fault(tree: wire.Tree) -> tuple[Outcome, str, wire.Tree, tuple[Frame, ...]]:
    """Read a fault, whose words come from the process of the student: no outcome that gives points is accepted."""
    claimed = _field(tree, "outcome", str)
    outcome = Outcome(claimed) if claimed in ("missing", "memory", "undecided") else Outcome.ERROR
    kind, text, hint = _words(tree, "type", 200), _words(tree, "message", 2000), _words(tree, "hint", 300)
    frames = tuple(
        Frame(
            _words(item, "file", 300),
            _field(item, "line", int),
            _words(item, "function", 200),
            _words(item, "source", 300),
        )
        for item in _field(tree, "frames", list)[:12]
    )
    if outcome is Outcome.MISSING:
        message = text if kind == "Missing" else f"not implemented{f': {text}' if text else ''}"
    elif outcome is Outcome.UNDECIDED or kind in ("UnusableEvidence", "EvidenceTooLarge"):
        message = text
    else:
        message = f"{kind}: {text}" if text else kind
    return outcome, f"{message} ({hint})" if hint else message, None, frames


def _words(tree: wire.Tree, name: str, most: int) -> str:
    return _field(tree, name, str)[:most]


def _field(tree: wire.Tree, name: str, kind: type[_Field]) -> _Field:
    """Return an entry of exactly that type: converting another one may take for ever. Raises WireError."""
    value = tree.get(name) if type(tree) is dict else None
    if type(value) is not kind:
        raise wire.WireError(f"a fault without a {name}")
    return value
