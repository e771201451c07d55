"""Fuzzes the host's side of the wire: `python -m tests.attacks.fuzzing --seconds 1800 --inputs 10000000 --jobs 1`.

An input is what a hostile run sends, or what a damaged store holds. It goes through the code that reads it in earnest:
`_Conversation`, `wire.decode`, `read_answer`, the accessors of `Evidence`, and `EvidenceStore`. Inputs that reach a new
pair of lines are kept, and changed further; half of all are frames of the right form with a few mistakes in them.

Faults are: any exception but those that the code promises, an outcome that it does not, evidence that changes on its
way through the store, an input that takes seconds, and one that takes much memory. Full-size inputs that aim at one
cost each are measured first (`WORST`).

The loop is our own. atheris would do as well on one platform; but its wheel takes 35 MB, exists for few platforms, and
sees no more than this: the parsers beneath are C and Rust, which neither instruments.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import mmap
import multiprocessing
import os
import random
import resource
import struct
import sys
import tempfile
import time
import traceback
import tracemalloc
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any, Final, cast

import numpy as np
from safetensors.numpy import save

import gengrade.grading.evidence
import gengrade.sandbox.host
import gengrade.store
from gengrade.facts import Outcome
from gengrade.grading import Evidence, Mismatch, assert_close
from gengrade.sandbox import InfraError, Request, Run, wire
from gengrade.sandbox.host import _Conversation
from gengrade.sandbox.limits import Limits
from gengrade.store import EvidenceStore

_MOST_BYTES: Final = 1 << 14  # of an input; the great ones are in WORST
_SLOW_SECONDS: Final = 1.0  # of the processor's time
_LARGE_BYTES: Final = 32 << 20
_HANGING_SECONDS: Final = 120.0
_LONGEST_MESSAGE: Final = 2_800  # its kind, its text and its hint
_FEW_NODES: Final = 5
_TRACED: Final = 4  # an input in so many is followed line by line: that takes five times as long
_REQUEST: Final = Request("vae:kld", Path("/nowhere"), {}, 0, Limits())
CAP: Final = (Limits().evidence_mb << 20) + wire.MAX_DOCUMENT_BYTES + (1 << 20)
_NOTHING: Final = os.open(os.devnull, os.O_RDONLY)  # what a run printed
_STORE, _CHUNKS = 0, (1 << 18, 1 << 18, 1 << 18, 1 << 18, 1000, 64, 9, 1)


class Fault(AssertionError):
    """The host did with an input what it must never do."""


# --- what the host does with an input ------------------------------------------------------------------------------


def listen(data: bytes) -> None:
    """Reads an input as the host does. Its first byte chooses who reads it. Raises Fault, or whatever goes wrong."""
    if not data:
        return
    if data[0] == _STORE:
        _remember(data[1:])
    else:
        _look_into(answered(data[1:], _CHUNKS[data[0] % len(_CHUNKS)]))


def answered(sent: bytes, chunk: int = 1 << 18) -> Run | None:
    """What the host makes of a run that sent these bytes and ended; None: it holds that the walls did not stand."""
    conversation = _Conversation(cast(Any, None), _REQUEST, cast(Any, _Channel(sent, chunk)), _NOTHING, b"")
    conversation._read_channel(cast(Any, _Poll()))
    ended = {"reason": "", "exit": 0, "signal": 0, "cpu": 0.1, "peak_mb": 1.0}
    try:
        return conversation._verdict(ended, 0.1)
    except InfraError:
        if conversation.started is not None:
            raise
        return None


@dataclass
class _Channel:
    """A socket whose other side has said all that it will."""

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


_PROMISED: Final = {Outcome.PASSED, Outcome.ERROR, Outcome.MISSING, Outcome.MEMORY, Outcome.CRASHED}


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
    """What a store makes of content that it did write, or that a disk's fault turned into something like it."""
    run = _HeldStore(gengrade.store._digest(content) + content).get("")
    if run is not None:
        _look_into(Run(Outcome.PASSED, evidence=run.evidence))


class _HeldStore(EvidenceStore):
    """A store in memory: a file for each of ten million inputs takes too long."""

    def __init__(self, held: bytes = b"") -> None:
        super().__init__(Path())
        self.held = held

    def _path(self, key: str) -> Path:
        return cast(Path, self)

    def read_bytes(self) -> bytes:
        return self.held

    def put(self, key: str, run: Run) -> None:
        with contextlib.suppress(_Held):
            try:
                gengrade.store.write_whole = self._hold
                super().put(key, run)
            finally:
                gengrade.store.write_whole = _WRITE_WHOLE

    def _hold(self, path: Path, data: bytes | str) -> None:
        assert isinstance(data, bytes)
        self.held = data
        raise _Held


class _Held(Exception):
    """The content was taken; nothing is written."""


_WRITE_WHOLE: Final = gengrade.store.write_whole

_QUESTIONS: Final[tuple[Callable[[Evidence], object], ...]] = (
    Evidence.tensor,
    lambda evidence: evidence.tensor(shape=(2, None)),
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
    """The first few nodes of a tree, its root first."""
    waiting = [tree]
    for _ in range(_FEW_NODES):
        if not waiting:
            return
        node = waiting.pop(0)
        yield node
        if isinstance(node, list | dict):
            waiting += list(node.values() if isinstance(node, dict) else node)[:_FEW_NODES]


def same(one: object, other: object) -> bool:
    """Whether two trees, or runs, are equal in types and values; NaN is equal to itself."""
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


# --- inputs --------------------------------------------------------------------------------------------------------

_TEXTS: Final = ("", "a", "t0", "error", "missing", "memory", "Missing", "UnusableEvidence", "\x1b[2J", "\ud800", "é")
_NUMBERS: Final = (0, 1, -1, 2**31, 2**63 - 1, -(2**63), 2**63, 2**70, 0.5, 1e308, float("inf"), float("nan"), 1e15)
_DTYPES: Final = ("F64", "F32", "F16", "BF16", "I64", "I32", "U64", "U16", "U8", "BOOL", "C64", "F8_E4M3", "F4", "X")
_LENGTHS: Final = (0, 1, 2, 3, 8, 9, 255, 2**16, 2**31, 2**32, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**64)
_TOKENS: Final = (
    *(b'{"v":', b'{"l":[', b'{"d":{', b'{"t":"t0"}', b'{"t":"t1"}', b"]}", b"}}", b"}", b",", b":", b'"', b"\\ud800"),
    *(b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-0", b"1e-7", b"\\u0000", b"\xff", b"\x00", b" ", b"[" * 40),
    *(b'"dtype":"BOOL"', b'"shape":[0,4611686018427387904]', b'"data_offsets":[0,0]', b'"__metadata__":{"a":"b"}'),
    *(b"E", b"F", b"S" + bytes(8), b"R", b'"outcome":', b'"frames":{"l":[]}', b'"line":{"v":1e999}', b"1" * 40),
)
_FAULT_FIELDS: Final = ("outcome", "type", "message", "hint", "frames")
_FRAME_FIELDS: Final = ("file", "line", "function", "source")
_RUN_FIELDS: Final = ("outcome", "message", "evidence", "frames", "output", "seconds", "cpu_seconds", "peak_mb")


@dataclass
class Maker:
    """Makes inputs: of the right form with mistakes here and there, or changed from those that it is given."""

    random: random.Random
    _tensors: list[tuple[str, list[int]]] = field(default_factory=list)

    def fresh(self) -> bytes:
        """What a run might send, or a store hold; a mistake or two are likely."""
        kind = self.random.random()
        self._tensors = []
        if kind < 0.12:
            return bytes([_STORE]) + self.payload(self.record(_RUN_FIELDS))
        frames = [wire.frame(wire.STARTED)] if self.random.random() < 0.97 else []
        if kind < 0.4:
            frames.append(self.frame(wire.FAULT, self.payload(self.record(_FAULT_FIELDS))))
        else:
            frames.append(self.frame(wire.EVIDENCE, self.payload(self.tree())))
        if self.random.random() < 0.1:
            frames.insert(self.random.randrange(3), self.random.choice(frames))
        if self.random.random() < 0.05:
            self.random.shuffle(frames)
        return bytes([self.random.randrange(1, 256)]) + b"".join(frames)

    def changed(self, data: bytes, other: bytes) -> bytes:
        """Another input that is much like this one."""
        out = bytearray(data)
        for _ in range(1 << self.random.randrange(4)):
            self._change(out, other)
        if self.random.random() < 0.5:
            _mend_lengths(out)
        return bytes(out[:_MOST_BYTES])

    def _change(self, out: bytearray, other: bytes) -> None:
        place = self.random.randrange(len(out) + 1)
        length = min(1 << self.random.randrange(8), len(out) - place)
        match self.random.randrange(8):
            case 0 if place < len(out):
                out[place] ^= 1 << self.random.randrange(8)
            case 1 if place < len(out):
                out[place] = self.random.randrange(256)
            case 2:
                out[place:place] = self.random.choice(_TOKENS)
            case 3:
                out[place : place + length] = self.random.choice(_TOKENS)
            case 4:
                del out[place : place + length]
            case 5:
                out[place:place] = out[place : place + length] * (1 + self.random.randrange(3))
            case 6:
                start = self.random.randrange(len(other) + 1)
                out[place : place + length] = other[start : start + (1 << self.random.randrange(9))]
            case 7:
                number = self.random.choice(_LENGTHS)
                text = str(number).encode() if self.random.random() < 0.5 else struct.pack(">Q", number & (2**64 - 1))
                out[place : place + self.random.choice((0, 1, 4, 8))] = text

    def frame(self, tag: bytes, payload: bytes) -> bytes:
        if self._seldom():
            tag = self.random.choice((b"E", b"F", b"S", b"R", b"\x00"))
        if self._seldom():
            length = self.random.choice((*_LENGTHS, CAP, CAP + 1, len(payload) - 1, len(payload) + 1)) & (2**64 - 1)
            return wire.FRAME_HEADER.pack(tag, length) + payload
        return wire.frame(tag, payload[: self.random.randrange(len(payload) + 1)] if self._seldom() else payload)

    def payload(self, document: object) -> bytes:
        text = json.dumps(document, ensure_ascii=not self._seldom(), separators=(",", ":"))
        raw = text.encode("utf-8" if not self._seldom() else "utf-16", "surrogatepass")
        length = len(raw) if not self._seldom() else self.random.choice(_LENGTHS) % 2**32
        return wire.DOCUMENT_LENGTH.pack(length) + raw + self.blob()

    def blob(self) -> bytes:
        header: dict[str, object] = {}
        end = 0
        for name, shape in self._tensors:
            dtype = self.random.choice(_DTYPES[:11])
            size = {"F64": 8, "I64": 8, "U64": 8, "C64": 8, "F32": 4, "I32": 4, "U8": 1, "BOOL": 1}.get(dtype, 2)
            start, end = end, end + size * math.prod(max(0, min(length, 64)) for length in shape)
            offsets = [start, end] if not self._seldom() else [self.random.choice(_LENGTHS), end]
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
            if self._seldom():
                header[name] = self.random.choice(([], {}, None, {"dtype": "F32"}, {"dtype": 1, "shape": "x"}))
        if self._seldom():
            header["__metadata__"] = self.random.choice(({"a": "b"}, {"a": 1}, [], None))
        text = json.dumps(header, separators=(",", ":")).encode()
        length = len(text) if not self._seldom() else self.random.choice(_LENGTHS) % 2**64
        data = self.random.choice((bytes(end), self.random.randbytes(end), b"\x01" * end))
        return struct.pack("<Q", length) + text + data + (b"x" if self._seldom() else b"")

    def tree(self, depth: int = 0) -> object:
        """A node of the document, and the tensors that it refers to."""
        if self._seldom():  # a node of another form
            return self.random.choice((None, [], {}, 1, {"v": []}, {"l": {}}, {"d": []}, {"t": 0}, {"v": 1, "l": []}))
        if self._seldom(0.01):
            return self._deep()
        kind = self.random.randrange(8 if depth < 4 else 6)
        if kind < 3:
            values = ((None, True, False), _NUMBERS, _TEXTS)[kind]
            return {"v": self.random.choice(cast(Sequence[object], values))}
        if kind < 6:
            return self._tensor()
        if kind == 6:
            return {"l": [self.tree(depth + 1) for _ in range(self.random.randrange(4))]}
        names = self.random.choices(("a", "b", "mu", "weight", *_TEXTS), k=self.random.randrange(4))
        return {"d": {name: self.tree(depth + 1) for name in names}}

    def record(self, names: Sequence[str]) -> object:
        """A fault's document, a frame's in it, or a run's as the store keeps it."""
        fields = {name: self._field(name) for name in names if not self._seldom()}
        if self._seldom():
            return self.tree()
        return {"d": fields}

    def _field(self, name: str) -> object:
        if self._seldom(0.1):
            return self.tree()
        if name == "frames":
            return {"l": [self.record(_FRAME_FIELDS) for _ in range(self.random.choice((0, 1, 3, 14)))]}
        if name == "evidence":
            return self.tree()
        if name in ("seconds", "cpu_seconds", "peak_mb"):
            return {"v": 0.5}
        return {"v": 1 if name == "line" else "passed" if name == "outcome" else self.random.choice(_TEXTS)}

    def _tensor(self) -> object:
        name = f"t{len(self._tensors)}" if not self._seldom() else self.random.choice(_TEXTS)
        shape = self.random.choices((1, 2, 3, 0), k=self.random.randrange(4))
        if self._seldom():
            shape.append(self.random.choice((*_LENGTHS, -1)))
        if self._seldom(0.01):
            shape = [1] * self.random.choice((32, 64, 65, 400))
        self._tensors.append((name, shape))
        return {"t": name}

    def _deep(self) -> object:
        node: object = {"v": 0}
        for _ in range(self.random.choice((10, 11, 12, 13, 60))):
            node = {"l": [node]} if self.random.random() < 0.5 else {"d": {"a": node}}
        return node

    def _seldom(self, chance: float = 0.03) -> bool:
        return self.random.random() < chance


def _mend_lengths(data: bytearray) -> None:
    """Makes the lengths of the last frame and its parts right again, so that a change of theirs gets further."""
    start = 1 if data[:1] == b"\x00" else 1 + 2 * wire.FRAME_HEADER.size
    if len(data) < start + 4:
        return
    text = data.find(b'{"', start + 4)
    if start > 1:
        data[start - 8 : start] = struct.pack(">Q", len(data) - start)
    for opening in (b'{"t0"', b'{"__m', b"{}"):  # the beginning of a header, as a rule
        header = data.rfind(opening, start)
        if header > text >= 0 and header - 8 >= start + 4:
            data[start : start + 4] = struct.pack(">I", header - 8 - start - 4)
            end = data.rfind(b"}", header) + 1 or len(data)
            data[header - 8 : header] = struct.pack("<Q", end - header)
            return


# --- the greatest costs --------------------------------------------------------------------------------------------


def payload(document: bytes, blob: bytes | None = None) -> bytes:
    return wire.DOCUMENT_LENGTH.pack(len(document)) + document + (save({}) if blob is None else blob)


def _blob(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


def _filled(before: bytes, piece: bytes, after: bytes, most: int = wire.MAX_DOCUMENT_BYTES) -> bytes:
    """As many of the pieces as there is room for."""
    return before + piece * ((most - len(before) - len(after)) // len(piece)) + after


def _numbered(most: int, piece: Callable[[int], bytes]) -> bytes:
    """`{piece, piece, …}` with rising numbers, of at most so many bytes."""
    pieces: list[bytes] = []
    room = most - 3
    while room > len(new := piece(len(pieces))):
        pieces.append(new)
        room -= len(new) + 1
    return b"{" + b",".join(pieces) + b"}"


def _entry(number: int) -> bytes:
    return b'"t%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}' % number


def _many_tensors(most: int = wire.MAX_HEADER_BYTES) -> bytes:
    header = _numbered(most, _entry)
    count = header.count(b"dtype")
    return payload(b'{"l":[' + b",".join(b'{"t":"t%d"}' % number for number in range(count)) + b"]}", _blob(header))


def _fault_of_tensors() -> bytes:
    """A fault whose message is a list of tensors: to print each takes milliseconds."""
    tensors = [np.full(900, 0.1, np.float32) for _ in range(8_000)]
    fault: dict[str, Any] = dict.fromkeys(_FAULT_FIELDS, "")
    return wire.encode(fault | {"message": tensors, "frames": []})


_BIG: Final = 32 << 20

WORST: Final[Mapping[str, tuple[bytes, Callable[[], bytes]]]] = {
    "an honest tensor of 64 MB": (wire.EVIDENCE, lambda: wire.encode(np.zeros(16 << 20, np.float32))),
    "4 MB of digits in a float": (wire.EVIDENCE, lambda: payload(_filled(b'{"v":1.', b"7", b"}"))),
    "4 MB of zeros in a float": (wire.EVIDENCE, lambda: payload(_filled(b'{"v":0.', b"0", b"1e4194200}"))),
    "4 MB of digits in an integer": (wire.EVIDENCE, lambda: payload(_filled(b'{"v":', b"7", b"}"))),
    "4 MB of digits in an exponent": (wire.EVIDENCE, lambda: payload(_filled(b'{"v":1e', b"7", b"}"))),
    "4 MB of open brackets": (wire.EVIDENCE, lambda: payload(_filled(b"", b"[", b""))),
    "4 MB of empty lists": (wire.EVIDENCE, lambda: payload(_filled(b"[", b"[],", b"[]]"))),
    "4 MB of empty dicts": (wire.EVIDENCE, lambda: payload(_filled(b"[", b"{},", b"{}]"))),
    "4 MB of one key": (wire.EVIDENCE, lambda: payload(_filled(b'{"d":{', b'"":0,', b'"":0}}'))),
    "4 MB of keys": (wire.EVIDENCE, lambda: payload(_numbered(wire.MAX_DOCUMENT_BYTES, lambda n: b'"%x":0' % n))),
    "4 MB of floats": (wire.EVIDENCE, lambda: payload(_filled(b'{"l":[', b"1e3,", b"1]}"))),
    "100,000 nodes": (wire.EVIDENCE, lambda: payload(b'{"l":[' + b'{"v":1e15},' * (wire.MAX_NODES - 2) + b'{"v":0}]}')),
    "4 MB of escapes": (wire.EVIDENCE, lambda: payload(_filled(b'{"v":"', b"\\ud800", b'"}'))),
    "a megabyte of tensors": (wire.EVIDENCE, _many_tensors),
    "32 MB of tensors": (
        wire.EVIDENCE,
        lambda: payload(b'{"v":0}', _blob(_filled(b"{", _entry(0), b"}", _BIG))),
    ),
    "32 MB of a tensor's lengths": (
        wire.EVIDENCE,
        lambda: payload(b'{"v":0}', _blob(_filled(b'{"t0":{"dtype":"U8","shape":[', b"1,", b"1]}}", _BIG))),
    ),
    "a megabyte of a tensor's lengths": (
        wire.EVIDENCE,
        lambda: payload(
            b'{"t":"t0"}',
            _blob(
                _filled(b'{"t0":{"dtype":"U8","shape":[', b"1,", b'1],"data_offsets":[0,1]}}', wire.MAX_HEADER_BYTES),
                b"x",
            ),
        ),
    ),
    "a megabyte of notes on tensors": (
        wire.EVIDENCE,
        lambda: payload(
            b'{"v":0}',
            _blob(b'{"__metadata__":' + _numbered(wire.MAX_HEADER_BYTES - 20, lambda n: b'"%x":""' % n) + b"}"),
        ),
    ),
    "a header of open brackets": (wire.EVIDENCE, lambda: payload(b'{"v":0}', _blob(b'{"t0":' + b"[" * (1 << 19)))),
    "a fault of 8,000 tensors": (wire.FAULT, _fault_of_tensors),
    "a fault with a message of 4 MB": (
        wire.FAULT,
        lambda: wire.encode({name: [] if name == "frames" else "x" * 800_000 for name in _FAULT_FIELDS}),
    ),
}
WORST_SECONDS: Final = 6.0  # of the processor's time
WORST_BYTES: Final = 6 * CAP  # what came in, the answer in it, its tensors, and a copy of each on the way


@dataclass(frozen=True)
class Cost:
    """What it took to read one answer, beyond what the process had before."""

    seconds: float
    bytes: int
    outcome: str


def cost(tag: bytes, content: bytes) -> Cost:
    """Reads an answer in a process of its own, and measures that."""
    sent = wire.frame(wire.STARTED) + wire.frame(tag, content)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            os.write(writing, json.dumps(_spent(sent)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        said = file.read()
    os.waitpid(child, 0)
    if not said:
        raise Fault("the process that read it died")
    return Cost(*json.loads(said))


def _spent(sent: bytes) -> tuple[float, int, str]:
    before = resource.getrusage(resource.RUSAGE_SELF)
    try:
        run = answered(sent)
        outcome = "none" if run is None else run.outcome.value
    except BaseException as error:
        outcome = repr(error)[:500]
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, (after.ru_maxrss - before.ru_maxrss) << 10, outcome


# --- the loop ------------------------------------------------------------------------------------------------------


def _targets() -> frozenset[CodeType]:
    """The code whose lines guide the search."""
    host = gengrade.sandbox.host
    read = (host.read_answer, host._read_fault, host._field, host._words, _Conversation._read_channel)
    functions = [cast(FunctionType, each) for each in (*read, _Conversation._frames, _Conversation._verdict)]
    codes = {function.__code__ for function in functions}
    for module in (wire, gengrade.store, gengrade.grading.evidence):
        codes |= _codes_of(Path(cast(str, module.__file__)))
    return frozenset(codes)


def _codes_of(file: Path) -> set[CodeType]:
    """All functions' code of a module, as loaded: found by compiling it again, since equal code is equal."""
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
    """Collects pairs of lines of the targets that followed each other."""

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
        """Whether pairs came that were not there when this was last asked."""
        self._last = 0
        new = len(self.pairs) > self._seen
        self._seen = len(self.pairs)
        return new

    def lines(self) -> tuple[set[str], set[str]]:
        """Lines of the targets that were reached, and all of them."""
        hit = {here for _, here in self.pairs}
        every: dict[str, int] = {}
        for code in _targets():
            for _, _, line in code.co_lines():
                if line is not None and line != code.co_firstlineno:
                    every[f"{Path(code.co_filename).name}:{line}"] = line + _number_of(code)
        return {text for text, line in every.items() if line in hit}, set(every)


@dataclass
class Worker:
    """One process of the search."""

    seed: int
    seconds: float
    inputs: int
    out: Path
    shared: mmap.mmap  # the count and the input that is being read: what a dead process leaves behind
    done: int = 0
    faults: dict[str, str] = field(default_factory=dict)
    slowest: float = 0.0

    def run(self) -> None:
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "invalid value encountered in cast")  # a signalling NaN is one NaN of many
        rng = random.Random(self.seed)
        maker, tracer = Maker(rng), Tracer()
        corpus = [maker.fresh() for _ in range(50)]
        began = saved = time.monotonic()
        memory = _peak()
        while self.done < self.inputs and saved - began < self.seconds:
            fresh = rng.random() < 0.5
            data = maker.fresh() if fresh else maker.changed(rng.choice(corpus), rng.choice(corpus))
            data = data[:_MOST_BYTES]
            self._announce(data)
            sampled = self.done % 256 == 0
            if sampled:
                self._weigh(data)
            else:
                self._read(data, tracer if self.done % _TRACED == 1 else None)
            if tracer.anything_new():
                corpus.append(data)
            if (peak := _peak()) > memory + _LARGE_BYTES:
                self._fault(f"memory grew by {(peak - memory) >> 20} MB", data)
            memory = max(memory, peak)
            self.done += 1
            if self.done % 100 == 0 and time.monotonic() > saved + 10:
                saved = time.monotonic()
                self._save(corpus, tracer, saved - began)
        self._save(corpus, tracer, time.monotonic() - began)

    def _read(self, data: bytes, tracer: Tracer | None) -> None:
        before = time.process_time()
        sys.settrace(tracer)
        try:
            listen(data)
        except BaseException as error:
            sys.settrace(None)
            self._fault("".join(traceback.format_exception(error)), data, str(_where(error)))
        finally:
            sys.settrace(None)
        spent = time.process_time() - before
        self.slowest = max(self.slowest, spent)
        if spent > _SLOW_SECONDS:
            self._fault(f"slow: {spent:.1f} s", data)

    def _weigh(self, data: bytes) -> None:
        """Reads an input and counts what is allocated for it, touched or not."""
        tracemalloc.start()
        try:
            with contextlib.suppress(Exception):  # the other way to read it reports these
                listen(data)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        if peak > _LARGE_BYTES:
            self._fault(f"{peak >> 20} MB were allocated", data)

    def _announce(self, data: bytes) -> None:
        self.shared[:12] = struct.pack("<QI", self.done, len(data))
        self.shared[12 : 12 + len(data)] = data

    def _fault(self, words: str, data: bytes, key: str | None = None) -> None:
        key = key or words[:20]
        if key not in self.faults and len(self.faults) < 50:
            self.faults[key] = f"{words}\ninput: {data.hex()}"
            (self.out / f"fault-{self.seed}-{len(self.faults)}.bin").write_bytes(data)

    def _save(self, corpus: Sequence[bytes], tracer: Tracer, seconds: float) -> None:
        reached, every = tracer.lines()
        report = {
            "inputs": self.done,
            "seconds": seconds,
            "pairs": len(tracer.pairs),
            "kept": len(corpus),
            "reached": sorted(reached),
            "lines": sorted(every),
            "slowest": self.slowest,
            "faults": list(self.faults.values()),
        }
        path = self.out / f"worker-{self.seed}.json"
        path.with_suffix(".tmp").write_text(json.dumps(report))
        path.with_suffix(".tmp").replace(path)


def _where(error: BaseException) -> tuple[str, str, int | None]:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return type(error).__name__, last.filename, last.lineno


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _search(jobs: int, seed: int, seconds: float, inputs: int, out: Path) -> list[str]:
    """Runs the workers and watches over them. Returns their faults."""
    context = multiprocessing.get_context("fork")
    faults: list[str] = []
    crew = []
    for number in range(seed, seed + jobs):
        shared = mmap.mmap(-1, 12 + _MOST_BYTES)
        worker = Worker(number, seconds, inputs // jobs, out, shared)
        process = context.Process(target=worker.run)
        process.start()
        crew.append((process, shared))
    for process, shared in crew:
        count, since = b"", time.monotonic()
        while process.is_alive():
            process.join(1)
            if bytes(shared[:8]) != count:
                count, since = bytes(shared[:8]), time.monotonic()
            elif time.monotonic() - since > _HANGING_SECONDS:
                process.kill()
        if process.exitcode:
            _, length = struct.unpack("<QI", shared[:12])
            words = f"a process hung or died ({process.exitcode})"
            faults.append(f"{words}\ninput: {bytes(shared[12 : 12 + length]).hex()}")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attacks.fuzzing", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--inputs", type=int, default=100_000_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="a folder for inputs that show a fault; a new one, if none is named")
    options = parser.parse_args()
    out = options.out or Path(tempfile.mkdtemp(prefix="gengrade-fuzzing-"))
    out.mkdir(parents=True, exist_ok=True)
    faults = []
    for name, (tag, make) in WORST.items():
        spent = cost(tag, make())
        print(f"{name:34} {spent.seconds:6.2f} s {spent.bytes >> 20:5} MB  {spent.outcome}", flush=True)
        if spent.seconds > WORST_SECONDS or spent.bytes > WORST_BYTES or spent.outcome not in list(Outcome):
            faults.append(f"{name} costs too much, or raises: {spent}")
    faults += _search(options.jobs, options.seed, options.seconds, options.inputs, out)
    reports = [json.loads(path.read_text()) for path in sorted(out.glob("worker-*.json"))]
    if not reports:
        print("\n".join(faults))
        return 1
    faults += [fault for report in reports for fault in report["faults"]]
    reached = {line for report in reports for line in report["reached"]}
    every = {line for report in reports for line in report["lines"]}
    print(
        f"{sum(report['inputs'] for report in reports):,} inputs in {max(r['seconds'] for r in reports):.0f} s; "
        f"{len(reached)} of {len(every)} lines and {max(r['pairs'] for r in reports)} pairs reached, "
        f"{sum(report['kept'] for report in reports)} inputs kept; "
        f"the slowest took {max(r['slowest'] for r in reports):.3f} s; {len(faults)} faults; {out}"
    )
    print("not reached:", ", ".join(sorted(every - reached)) or "nothing")
    for fault in faults:
        print(fault)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
