"""Make inputs for the fuzzing: well-formed ones with a few mistakes, or changed earlier ones."""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from gengrade.sandbox import wire
from gengrade.sandbox.limits import Limits
from tests.attacks.fuzzing.listening import STORE

MOST_BYTES: Final = 1 << 14  # of an input; the great ones are in costs.WORST
CAP: Final = (Limits().evidence_mb << 20) + wire.MAX_DOCUMENT_BYTES + (1 << 20)  # of a frame
FAULT_FIELDS: Final = ("outcome", "type", "message", "hint", "frames")
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
_FRAME_FIELDS: Final = ("file", "line", "function", "source")
_RUN_FIELDS: Final = ("outcome", "message", "evidence", "frames", "output", "seconds", "cpu_seconds", "peak_mb")


@dataclass
class Maker:
    """Makes inputs: well-formed ones with a few mistakes, or changed earlier ones."""

    random: random.Random
    _tensors: list[tuple[str, list[int]]] = field(default_factory=list)

    def fresh(self) -> bytes:
        """Return an input that a run might send or a store hold, probably with a mistake or two."""
        kind = self.random.random()
        self._tensors = []
        if kind < 0.12:
            return bytes([STORE]) + self.payload(self.record(_RUN_FIELDS))
        frames = [wire.frame(wire.STARTED)] if self.random.random() < 0.97 else []
        if kind < 0.4:
            frames.append(self.frame(wire.FAULT, self.payload(self.record(FAULT_FIELDS))))
        else:
            frames.append(self.frame(wire.EVIDENCE, self.payload(self.tree())))
        if self.random.random() < 0.1:
            frames.insert(self.random.randrange(3), self.random.choice(frames))
        if self.random.random() < 0.05:
            self.random.shuffle(frames)
        return bytes([self.random.randrange(1, 256)]) + b"".join(frames)

    def changed(self, data: bytes, other: bytes) -> bytes:
        """Return a changed copy of an input."""
        out = bytearray(data)
        for _ in range(1 << self.random.randrange(4)):
            self._change(out, other)
        if self.random.random() < 0.5:
            _mend_lengths(out)
        return bytes(out[:MOST_BYTES])

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
        """Return a node of the document, and the tensors that it refers to."""
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
        """Return a fault's document, a frame of its traceback, or a run as the store keeps it."""
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
    """Correct the lengths in the last frame, so that a changed input is read further."""
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
