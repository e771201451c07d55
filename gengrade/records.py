"""Convert frozen dataclasses to JSON and back, for the pipes between the harness's own processes.

Two properties are deliberate: 1. Values that are read back have exactly the types that the class declares. 2. Texts
keep lone surrogates, which stand for bytes in file names that are not UTF-8.
"""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


def dumps(value: object) -> str:
    """Return one line of JSON for a text, number, path, tuple, list, dict with text keys, or dataclass of these."""
    return json.dumps(_plain(value))


def loads(kind: type[T], text: str | bytes) -> T:
    """Return the value of that type that `dumps` wrote. Raises ValueError or TypeError for any other text."""
    return cast(T, _typed(kind, json.loads(text)))


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return value


def _typed(kind: Any, value: Any) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        (some,) = (each for each in inner if each is not type(None))
        return None if value is None else _typed(some, value)
    if origin is tuple and inner[1:] not in {(), (...,)}:
        return tuple(_typed(*pair) for pair in zip(inner, _checked(list, value), strict=True))
    if origin in {tuple, list}:
        return origin(_typed(inner[0], item) for item in _checked(list, value))
    if origin is dict:
        return {name: _typed(inner[1], item) for name, item in _checked(dict, value).items()}
    return _record(kind, value) if is_dataclass(kind) else _single(kind, value)


def _record(kind: Any, value: Any) -> Any:
    declared = _fields(kind)
    if set(_checked(dict, value)) != set(declared):
        raise ValueError(f"the keys are not the fields of {kind}")
    return kind(**{name: _typed(type_, value[name]) for name, type_ in declared.items()})


def _single(kind: Any, value: Any) -> Any:
    return Path(_checked(str, value)) if kind is Path else _checked(kind, value)


@cache
def _fields(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _checked(kind: Any, value: Any) -> Any:
    if type(value) is not kind and kind is not Any:
        raise TypeError(f"expected {kind}, got {type(value)}")
    return value
