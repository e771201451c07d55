"""Process an input as the host does, in this process: read it, use every accessor, and store it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from gengrade.authenticity import Seal
from gengrade.facts import Outcome
from gengrade.grading import Evidence, Mismatch, UpTo, assert_close
from gengrade.sandbox import InfraError, Request, Run, wire
from gengrade.sandbox.conversation import Conversation
from gengrade.sandbox.limits import Limits
from gengrade.store import EvidenceStore

STORE: Final = 0  # the first byte of an input that a store holds
_CHUNKS: Final = (1 << 18, 1 << 18, 1 << 18, 1 << 18, 1000, 64, 9, 1)
_LONGEST_MESSAGE: Final = 2_800  # its kind, its text and its hint
_FEW_NODES: Final = 5
_REQUEST: Final = Request("vae:kld", Path("/nowhere"), {}, 0, Limits())
_NOTHING: Final = os.open(os.devnull, os.O_RDONLY)  # what a run printed


class Fault(AssertionError):
    """The host did something with an input that it must never do."""


def listen(data: bytes) -> None:
    """Read an input as the host does; its first byte chooses the reader. Raises Fault, or other exceptions."""
    if not data:
        return
    if data[0] == STORE:
        _remember(data[1:])
    else:
        _look_into(answered(data[1:], _CHUNKS[data[0] % len(_CHUNKS)]))


def answered(sent: bytes, chunk: int = 1 << 18) -> Run | None:
    """Return the host's result for a run that sent these bytes; None: the run could not be isolated."""
    conversation = Conversation(cast(Any, _Zygote()), _REQUEST, cast(Any, _Channel(sent, chunk)), _NOTHING, b"")
    conversation._read_channel(cast(Any, _Poll()))
    ended = {"reason": "", "exit": 0, "signal": 0, "cpu": 0.1, "peak_mb": 1.0}
    try:
        return conversation._verdict(ended, 0.1)
    except InfraError:
        if conversation.time.started:
            raise
        return None


class _Zygote:
    """A zygote without a control group, which is told that the student's code has started."""

    group = None

    def start_clock(self) -> None:
        pass


@dataclass
class _Channel:
    """A socket whose other side has sent everything and closed."""

    sent: bytes
    chunk: int
    read: int = 0

    def recv(self, most: int) -> bytes:
        data = self.sent[self.read : self.read + min(most, self.chunk)]
        self.read += len(data)
        return data


class _Poll:
    def unregister(self, channel: object) -> None:
        pass


_PROMISED: Final = {Outcome.PASSED, Outcome.ERROR, Outcome.MISSING, Outcome.UNDECIDED, Outcome.MEMORY, Outcome.CRASHED}


def _look_into(run: Run | None) -> None:
    if run is None:
        return
    if run.outcome not in _PROMISED or len(run.message) > _LONGEST_MESSAGE or len(run.frames) > 12:
        raise Fault(f"an outcome that nobody promised: {run!r:.300}")
    (run.message + "".join(f"{frame.file}{frame.function}{frame.source}" for frame in run.frames)).encode()
    if run.outcome is not Outcome.PASSED and run.evidence is not None:
        raise Fault("evidence of a run that did not pass")
    for tree in _nodes(run.evidence):
        _ask(Evidence(tree))
    store = _HeldStore()
    store.put("", run)
    if store.held and not same(store.get(""), run):
        raise Fault("a run came back from the store as another one")


def _remember(content: bytes) -> None:
    """Check what a store returns for content that it wrote, or for a damaged copy of it."""
    run = _HeldStore(_SEAL.sealed("evidence", "owner/", content)).get("")
    if run is not None:
        _look_into(Run(Outcome.PASSED, evidence=run.evidence))


_SEAL: Final = Seal.temporary()


class _HeldStore(EvidenceStore):
    """A store in memory, since ten million files would take too long."""

    def __init__(self, held: bytes = b"") -> None:
        super().__init__(Path(), _SEAL, "owner")
        self.held = held

    def _read(self, key: str) -> bytes:
        return self.held

    def _write(self, key: str, content: bytes) -> None:
        self.held = content


_QUESTIONS: Final[tuple[Callable[[Evidence], object], ...]] = (
    Evidence.tensor,
    lambda evidence: evidence.tensor(shape=(2, UpTo(9))),
    lambda evidence: evidence.tensor("a", finite=False),
    Evidence.number,
    lambda evidence: evidence.number(finite=False),
    Evidence.integer,
    Evidence.flag,
    Evidence.text,
    Evidence.list,
    Evidence.state,
    Evidence.names,
    Evidence.shape,
    Evidence.is_none,
    lambda evidence: evidence["a"].text(),
    lambda evidence: evidence.integer("a"),
    lambda evidence: "a" in evidence,
    lambda evidence: assert_close(evidence, np.zeros((2, 3))),
    repr,
)


def _ask(evidence: Evidence) -> None:
    for question in _QUESTIONS:
        try:
            question(evidence)
        except Mismatch as mismatch:
            f"{mismatch.message}{mismatch.expected}{mismatch.got}".encode()


def _nodes(tree: wire.Tree) -> Iterator[wire.Tree]:
    """Yield the first few nodes of a tree, the root first."""
    waiting = [tree]
    for _ in range(_FEW_NODES):
        if not waiting:
            return
        node = waiting.pop(0)
        yield node
        if isinstance(node, list | dict):
            waiting += list(node.values() if isinstance(node, dict) else node)[:_FEW_NODES]


def same(one: object, other: object) -> bool:
    """Return whether two trees, or runs, have equal types and values; NaN equals NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        assert isinstance(other, np.ndarray)
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, list | tuple):
        assert isinstance(other, list | tuple)
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        assert isinstance(other, dict)
        return list(one) == list(other) and all(same(one[name], other[name]) for name in one)
    if isinstance(one, Run):
        return all(same(getattr(one, name), getattr(other, name)) for name in Run.__slots__)
    return one == other or repr(one) == repr(other) == "nan"
