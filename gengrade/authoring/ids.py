"""Add the missing ids of a rubric's manual items, in place, so that comments and layout stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from gengrade.atomic import write_whole
from gengrade.documents import Document
from gengrade.naming import telling_words, unique
from gengrade.rubric import Rubric, RubricError


def add_ids(path: Path) -> tuple[str, ...]:
    """Give each manual item without an id one that is made from its question's id and its text; return the new ids.

    Raises RubricError if the file is not a rubric, for reasons other than missing ids.
    """
    document = Document.load(path, RubricError)
    text = path.read_bytes().decode("utf-8")  # with its own line ends, which nodes' positions count
    line_end = "\r\n" if "\r\n" in text else "\n"
    nodes = list(_items(document.root))
    taken = {name for _, item in nodes if (name := _value(item, "id"))}
    new: list[tuple[int, str, str]] = []  # where to insert what into the text, and the id in it
    for question, item in nodes:
        words = _value(item, "manual")
        if words is None or _value(item, "id") is not None:
            continue
        id_ = unique(_id(question, words), taken)
        taken.add(id_)
        start = item.start_mark
        position = start.index + 1 if item.flow_style else start.index
        end = ", " if item.flow_style else f"{line_end}{' ' * start.column}"
        new.append((position, f"id: {id_}{end}", id_))
    for position, insertion, _ in reversed(new):
        text = text[:position] + insertion + text[position:]
    Rubric.parse(text, path)
    if new:
        write_whole(path.parent.resolve() / path.name, text)
    return tuple(id_ for _, _, id_ in new)


def _items(root: yaml.Node | None) -> Iterator[tuple[str, yaml.MappingNode]]:
    """Yield each item's node with its question's id."""
    for part in _members(root, "parts"):
        for question in _members(part, "questions"):
            for item in _members(question, "items"):
                if isinstance(item, yaml.MappingNode):
                    yield _value(question, "id") or "", item


def _members(node: yaml.Node | None, key: str) -> list[yaml.Node]:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    lists = [value for name, value in pairs if name.value == key and isinstance(value, yaml.SequenceNode)]
    return lists[0].value if lists else []


def _value(node: yaml.Node, key: str) -> str | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value.value for name, value in pairs if name.value == key and isinstance(value.value, str)), None)


def _id(question: str, text: str) -> str:
    """Return an id of the question's id and the first telling words of the text: "1.1-ancestral-sampling"."""
    return "-".join([question, *(telling_words(text) or ["written"])])
