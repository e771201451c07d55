"""The wire: what is encoded is decoded unchanged, and all other bytes raise one kind of exception."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from gengrade.sandbox import wire

SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=20)
)
ARRAYS = st.builds(
    lambda shape, dtype: np.arange(int(np.prod(shape))).astype(dtype).reshape(shape),
    st.lists(st.integers(0, 4), max_size=3),
    st.sampled_from(["float32", "float64", "float16", "int64", "uint8", "bool"]),
)
TREES = st.recursive(
    SCALARS | ARRAYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def same(left: Any, right: Any) -> bool:
    if isinstance(left, np.ndarray):
        return isinstance(right, np.ndarray) and left.dtype == right.dtype and np.array_equal(left, right)
    if isinstance(left, dict):
        return isinstance(right, dict) and left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list):
        return isinstance(right, list) and len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and bool(left == right)


def assert_decoded_or_refused(data: bytes) -> None:
    """Decode bytes: only WireError may be raised, and a decoded tree can be encoded again."""
    try:
        tree = wire.decode(data)
    except wire.WireError:
        return
    assert wire.decode(wire.encode(tree)) is not None or tree is None


def payload(document: object, tensors: bytes | None = None) -> bytes:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return struct.pack(">I", len(text)) + text + (save({}) if tensors is None else tensors)


@given(TREES)
@settings(max_examples=150, deadline=None)
def test_a_tree_comes_back_as_it_was(tree: Any) -> None:
    assert same(wire.decode(wire.encode(tree)), tree)


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    assert_decoded_or_refused(data)


@given(TREES, st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_payload_is_decoded_or_refused(tree: Any, data: st.DataObject) -> None:
    good = bytearray(wire.encode(tree))
    place = data.draw(st.integers(0, len(good) - 1))
    good[place] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(good)))
    for damaged in (bytes(good), bytes(good[:cut])):
        assert_decoded_or_refused(damaged)


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"v": 1, "l": []},
        {"x": 1},
        {"v": [1]},
        {"v": 2**70},
        {"t": "t0"},
        {"l": {"v": 1}},
        {"d": [1]},
        {"d": {"a": 1}},
        b'{"d": {"a": {"v": 1}, "a": {"v": 2}}}',
        b'{"v": 1',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"l": [' * 50 + b'{"v": 1}' + b"]}" * 50,
        {"l": [{"v": 0}] * (wire.MAX_NODES + 1)},
    ],
)
def test_a_document_of_another_form_is_refused(document: object) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(payload(document))


def test_a_tensor_that_nothing_refers_to_is_refused() -> None:
    with pytest.raises(wire.WireError):
        wire.decode(payload({"v": 1}, save({"t0": np.zeros(3)})))


def test_two_names_for_one_tensor_are_refused() -> None:
    document = {"l": [{"t": "t0"}, {"t": "t0"}]}
    with pytest.raises(wire.WireError):
        wire.decode(payload(document, save({"t0": np.zeros(3)})))


@pytest.mark.parametrize(
    "header",
    [
        {"t0": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 8]}},
        {"t0": {"dtype": "F32", "shape": [2], "data_offsets": [0, 10**15]}},
        {"t0": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 8]}},
        {"t0": {"dtype": "OBJECT", "shape": [1], "data_offsets": [0, 8]}},
        {"t0": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}},
    ],
)
def test_a_hostile_tensor_header_is_refused_before_anything_is_allocated(header: object) -> None:
    text = json.dumps(header).encode()
    blob = struct.pack("<Q", len(text)) + text + bytes(8)
    with pytest.raises(wire.WireError):
        wire.decode(payload({"t": "t0"}, blob))


def test_lone_surrogates_become_text_that_can_be_written() -> None:
    decoded = wire.decode(payload(b'{"d": {"\\ud800": {"v": "a\\udfff"}}}'))
    assert json.dumps(decoded, ensure_ascii=False).encode() == b'{"?": "a?"}'


@pytest.mark.parametrize("value", [object(), {1: 2}, (1, {2}), np.float64(1), type("S", (str,), {})("x")])
def test_only_plain_values_go_in(value: object) -> None:
    with pytest.raises(TypeError):
        wire.encode(value)
