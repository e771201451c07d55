"""Encode and decode the messages between host and guest: frames of JSON and safetensors, never a pickle.

Both sides import this module, so it imports only the standard library, numpy and safetensors. Bytes from a guest are
untrusted until `decode` has returned. Two properties are deliberate:

1. Sizes are checked before anything is allocated, types are exact, and duplicate keys, unknown tags and unused tensors
   are refused.
2. The cost of `decode` is bounded by the size of its argument: a few copies of the tensors, and some hundred megabytes
   and a few seconds for the worst document and header.

A frame is one tag byte, the payload's length (8 bytes, big-endian) and the payload. A payload is the length of a JSON
document (4 bytes), the document in ASCII, and a safetensors blob. The document is a tree whose nodes name their kind:
`{"v": scalar}`, `{"l": [...]}`, `{"d": {...}}` or `{"t": "t7"}`. The latter is the tensor of that name in the blob;
tensors are numbered in the order of the document.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from typing import Any, Final, NoReturn

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

SETTINGS: Final = b"O"  # host → our own code's process: the settings of a run, as JSON
CODE: Final = b"C"  # host → guest: the part of our code that the run needs
REQUEST: Final = b"R"  # host → guest: the inputs of the run
STARTED: Final = b"S"  # guest → host: the isolation is set up, and student code starts now
EVIDENCE: Final = b"E"  # guest → host: the value that the probe returned
FAULT: Final = b"F"  # guest → host: the exception that the student's code raised
LATE: Final = b"L"  # our own code's process → host: the run has used up its time

FRAME_HEADER: Final = struct.Struct(">cQ")
DOCUMENT_LENGTH: Final = struct.Struct(">I")

HEADER_LENGTH: Final = struct.Struct("<Q")  # of safetensors' own header, at the start of a blob

MAX_DOCUMENT_BYTES: Final = 4 << 20
# An empty tensor takes 50 bytes of the header and 1,000 bytes of memory; safetensors itself would read 100 MB.
MAX_HEADER_BYTES: Final = 1 << 20
MAX_LENGTHS: Final = 1 << 31  # of the product of a tensor's nonzero lengths: a sum over a zero length has that size
MAX_DEPTH: Final = 12
MAX_NODES: Final = 100_000
MAX_KEY: Final = 200  # characters of a dict's key, since messages show keys

# None, bool, int, float, str, np.ndarray, list[Tree] or dict[str, Tree]
Tree = Any


class WireError(ValueError):
    """Bytes that were received do not have the format that this module describes."""


def frame(tag: bytes, payload: bytes = b"") -> bytes:
    """Return a frame with this tag and payload."""
    return FRAME_HEADER.pack(tag, len(payload)) + payload


def encode(tree: Tree, to_array: Callable[[object], np.ndarray | None] = lambda leaf: None) -> bytes:
    """Return a tree of plain scalars, arrays, lists and dicts with string keys as a payload.

    tree: the tree.
    to_array: converts a leaf that is another kind of tensor to an array, and returns None for any other leaf.

    Raises TypeError for any other value. Types are compared exactly, since a subclass could give another answer each
    time it is read.
    """
    tensors: dict[str, np.ndarray] = {}

    def node(value: object, depth: int) -> dict[str, object]:
        if depth > MAX_DEPTH:
            raise TypeError(f"nested deeper than {MAX_DEPTH} levels")
        kind = type(value)
        if value is None or kind in (bool, int, float, str):
            return {"v": value}
        if kind in (list, tuple):
            return {"l": [node(item, depth + 1) for item in value]}  # type: ignore[attr-defined]
        if kind is dict:
            return {"d": {_key(key): node(item, depth + 1) for key, item in value.items()}}  # type: ignore[attr-defined]
        array = value if isinstance(value, np.ndarray) and kind is np.ndarray else to_array(value)
        if array is None:
            raise TypeError(f"a {kind.__module__}.{kind.__qualname__}")
        if array.dtype.kind not in "biuf":
            raise TypeError(f"a tensor of {array.dtype}")
        name = f"t{len(tensors)}"
        tensors[name] = np.ascontiguousarray(array).reshape(array.shape)
        return {"t": name}

    document = json.dumps(node(tree, 0), ensure_ascii=True, separators=(",", ":")).encode()
    if len(document) > MAX_DOCUMENT_BYTES:
        raise TypeError(f"more than {MAX_DOCUMENT_BYTES >> 20} MiB of plain values: use a tensor")
    blob: bytes = save_tensors(tensors)
    if HEADER_LENGTH.unpack_from(blob)[0] > MAX_HEADER_BYTES:
        raise TypeError(f"{len(tensors):,} tensors: stack them")
    return DOCUMENT_LENGTH.pack(len(document)) + document + blob


def decode(payload: bytes | memoryview) -> Tree:
    """Return the tree in a payload, with numpy arrays for tensors. Raises WireError for any other bytes."""
    view = memoryview(payload)
    if len(view) < DOCUMENT_LENGTH.size:
        raise WireError("truncated payload")
    (length,) = DOCUMENT_LENGTH.unpack(view[: DOCUMENT_LENGTH.size])
    start = DOCUMENT_LENGTH.size + length
    if length > MAX_DOCUMENT_BYTES or start > len(view):
        raise WireError("the document's length is out of range")
    try:
        document = json.loads(
            str(view[DOCUMENT_LENGTH.size : start], "ascii"), object_pairs_hook=_unique, parse_int=_small_integer
        )
        return _Decoder(_tensors(view[start:])).tree(document)
    except WireError:
        raise
    except (
        ArithmeticError,
        LookupError,
        MemoryError,
        RecursionError,
        SafetensorError,
        TypeError,
        ValueError,
    ) as error:
        raise WireError(f"unreadable: {type(error).__name__}") from error


def _tensors(blob: memoryview) -> dict[str, np.ndarray]:
    if len(blob) < HEADER_LENGTH.size or HEADER_LENGTH.unpack_from(blob)[0] > MAX_HEADER_BYTES:
        raise WireError("the tensors' header is out of range")
    tensors: dict[str, np.ndarray] = load_tensors(bytes(blob))
    for array in tensors.values():
        if array.dtype.kind not in "biuf":
            raise WireError("a tensor whose elements are not real numbers")
        if math.prod(length for length in array.shape if length) > MAX_LENGTHS:
            raise WireError("an empty tensor with unreasonably large lengths")
        if array.dtype == np.bool_ and array.size and array.view(np.uint8).max() > 1:
            raise WireError("a truth value other than 0 and 1")
    return tensors


class _Decoder:
    """Builds a tree from a document, and counts its nodes."""

    def __init__(self, tensors: dict[str, np.ndarray]) -> None:
        self.tensors = tensors
        self.nodes = 0
        self.taken = 0

    def tree(self, document: object) -> Tree:
        value = self.node(document, 0)
        if self.tensors:
            raise WireError("a tensor that nothing refers to")
        return value

    def node(self, document: object, depth: int) -> Tree:
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            raise WireError("too deep or too many nodes")
        if not isinstance(document, dict) or len(document) != 1:
            raise WireError("a node must have exactly one kind")
        ((kind, value),) = document.items()
        match kind:
            case "v" if isinstance(value, str):
                return _text(value)
            case "v" if value is None or isinstance(value, bool | int | float):
                return value
            case "l" if isinstance(value, list):
                return [self.node(item, depth + 1) for item in value]
            case "d" if isinstance(value, dict):
                # Checked again, since `_name` makes keys equal that differ only in lone surrogates.
                return _unique([(_name(key), self.node(item, depth + 1)) for key, item in value.items()])
            case "t" if value == f"t{self.taken}" and value in self.tensors:
                self.taken += 1
                return self.tensors.pop(value)
        raise WireError("a node of unknown kind")


def _key(key: object) -> str:
    if type(key) is not str:
        raise TypeError(f"a dict with a key of type {type(key).__qualname__}")
    if len(key) > MAX_KEY:
        raise TypeError(f"a dict with a key of more than {MAX_KEY} characters")
    return key


def _text(value: str) -> str:
    """Return the text with lone surrogates, which JSON may contain, replaced, so that it can be written as UTF-8."""
    return value.encode("utf-8", "replace").decode("utf-8")


def _name(key: str) -> str:
    if len(key) > MAX_KEY:
        raise WireError("a key that is too long")
    return _text(key)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    return result


def _small_integer(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**63:
        _refuse("an integer beyond 64 bits")
    return int(digits)


def _refuse(reason: str) -> NoReturn:
    raise ValueError(reason)
