"""Measure the inputs of full size that take the host the most time or memory to read."""

from __future__ import annotations

import json
import os
import resource
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from safetensors.numpy import save

from gengrade.sandbox import wire
from tests.attacks.fuzzing.inputs import CAP, FAULT_FIELDS
from tests.attacks.fuzzing.listening import Fault, answered


def payload(document: bytes, blob: bytes | None = None) -> bytes:
    return wire.DOCUMENT_LENGTH.pack(len(document)) + document + (save({}) if blob is None else blob)


def _blob(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


def _filled(before: bytes, piece: bytes, after: bytes, most: int = wire.MAX_DOCUMENT_BYTES) -> bytes:
    """Return as many of the pieces as fit."""
    return before + piece * ((most - len(before) - len(after)) // len(piece)) + after


def _numbered(most: int, piece: Callable[[int], bytes]) -> bytes:
    """Return `{piece, piece, …}` with increasing numbers, of at most so many bytes."""
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
    fault: dict[str, Any] = dict.fromkeys(FAULT_FIELDS, "")
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
        lambda: wire.encode({name: [] if name == "frames" else "x" * 800_000 for name in FAULT_FIELDS}),
    ),
}
WORST_SECONDS: Final = 6.0  # of the processor's time
WORST_BYTES: Final = 6 * CAP  # what came in, the answer in it, its tensors, and a copy of each on the way


@dataclass(frozen=True)
class Cost:
    """The time and memory of reading one answer, in addition to those of the process before."""

    seconds: float
    bytes: int
    outcome: str


def cost(tag: bytes, content: bytes) -> Cost:
    """Read an answer in a separate process, and return the cost."""
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
