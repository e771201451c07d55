"""Read YAML files that people write, strictly, and report every mistake with its line."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gengrade.texts import unwrapped

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"
Where: TypeAlias = tuple[str | int, ...]  # keys and list positions from the top of the file

_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str")}
_TIME_TAG = "tag:yaml.org,2002:timestamp"  # "2020-11-27" is read as text


class DocumentError(ValueError):
    """A file that a person wrote has a mistake, in the given line."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(path, line, reason)
        self.path, self.line, self.reason = path, line, reason

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.reason}"


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `' (did you mean "x"?)'` when one of the known words is similar to the given one, otherwise ""."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f' (did you mean "{close[0]}"?)' if close else ""


@dataclass(frozen=True)
class Document:
    """A YAML file as plain values, with the line of each value.

    Every mistake in it is raised as an `error`, the caller's own exception type.
    """

    path: Path
    data: Plain
    sha256: str
    root: yaml.Node | None
    error: type[DocumentError]

    @classmethod
    def load(cls, path: Path, error: type[DocumentError] = DocumentError) -> Document:
        """Read and parse a file. Raises `error` if it is missing, unreadable or not plain YAML."""
        try:
            content = path.read_bytes()
        except OSError as problem:
            raise error(
                path, 1, f"it cannot be read ({problem.strerror}): check the name and its permissions"
            ) from None
        return cls.parse(content, path, error)

    @classmethod
    def parse(cls, content: bytes, path: Path, error: type[DocumentError] = DocumentError) -> Document:
        """Parse the bytes of a file. `path` is used in messages only. Raises `error` if they are not plain YAML."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return cls._of(_compose(content, path, error), path, digest, error)

    @classmethod
    def _of(cls, root: yaml.Node | None, path: Path, digest: str, error: type[DocumentError]) -> Document:
        return cls(path, _Values(path, error).of(root) if root is not None else None, digest, root, error)

    @classmethod
    def entries(
        cls, content: bytes, path: Path, error: type[DocumentError] = DocumentError
    ) -> Iterator[Document | DocumentError]:
        """Yield the entries of a file that is one mapping, each as a document of its own, or the mistake in it.

        Raises `error` if the file is not YAML or not a mapping; an empty file has no entries.
        """
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        root = _compose(content, path, error)
        if root is None:
            return
        if not isinstance(root, yaml.MappingNode):
            line = root.start_mark.line + 1
            raise error(path, line, f'"{path.name}" must be a mapping: write it as one "key: value" on each line')
        seen: set[str] = set()
        for key, value in root.value:
            one = yaml.MappingNode(root.tag, [(key, value)], key.start_mark, value.end_mark)
            try:
                entry = cls._of(one, path, digest, error)
                if key.value in seen:
                    reason = f'the key "{key.value}" is repeated: keep one of the two'
                    raise error(path, key.start_mark.line + 1, reason)
                seen.add(key.value)
                yield entry
            except DocumentError as mistake:
                yield mistake

    def line(self, where: Where) -> int:
        """Return the line of a value, counted from 1. Steps that do not exist in the file are skipped.

        Such steps are the tags that pydantic adds for unions, and missing keys.
        """
        start = self.root.start_mark.line + 1 if self.root is not None else 1
        return [start, *(line for _, line in self._steps(where))][-1]

    def problem(self, where: Where, reason: str) -> DocumentError:
        """Return the error to raise about the value at `where`."""
        return self.error(self.path, self.line(where), reason)

    def invalid(self, invalid: ValidationError, keys: Collection[str]) -> DocumentError:
        """Return the topmost complaint of a data model as an error about this file.

        keys: the keys that a file may have, to suggest one for a misspelt key.

        A missing key is reported only when nothing else is wrong, since it may be there with a misspelt name.
        """
        errors = invalid.errors()
        # A list whose only member is wrong is itself reported as too short: only the member is reported.
        causes = [e for e in errors if not any(o["loc"][: len(e["loc"])] == e["loc"] for o in errors if o is not e)]

        def first(error: ErrorDetails) -> tuple[bool, int, int]:
            return error["type"] == "missing", self.line(error["loc"]), -len(error["loc"])

        details = min(causes or errors, key=first)
        found = [step for step, _ in self._steps(details["loc"]) if isinstance(step, str)]
        name = str(details["loc"][-1]) if details["type"] == "missing" else [str(self.path.name), *found][-1]
        return self.problem(details["loc"], _reason(details, name, keys))

    def _steps(self, where: Where) -> Iterator[tuple[str | int, int]]:
        """Yield those steps of `where` that exist in the file, each with its line."""
        node = self.root
        for step in where:
            if isinstance(node, yaml.MappingNode):
                found = [(key, value) for key, value in node.value if key.value == step]
                if found:
                    key, node = found[0]
                    yield step, key.start_mark.line + 1
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                yield step, node.start_mark.line + 1


def _compose(content: bytes, path: Path, error: type[DocumentError]) -> yaml.Node | None:
    """Return the file's nodes; None if it is empty. Raises `error` if it is not YAML."""
    try:
        return yaml.compose(content.decode("utf-8"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as problem:
        line = content[: problem.start].count(b"\n") + 1
        raise error(path, line, "it is not UTF-8 text: save it in that encoding") from None
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        line = mark.line + 1 if mark else 1
        raise error(path, line, f"it is not valid YAML ({problem.problem}): correct the syntax here") from None
    except yaml.reader.ReaderError as problem:
        line = content.decode("utf-8")[: problem.position].count("\n") + 1
        raise error(path, line, f"there is a control character (U+{problem.character:04X}): remove it") from None


class _Values:
    """Converts YAML nodes to plain values; keys stay text as in the file, so that "1.10" does not become 1.1."""

    def __init__(self, path: Path, error: type[DocumentError]) -> None:
        self.path, self.error = path, error
        self.scalars = yaml.SafeLoader("")
        self.open: set[int] = set()

    def of(self, node: yaml.Node) -> Plain:
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node)
        if id(node) in self.open:
            raise self.refusal(node, "an alias contains itself: write its values here instead")
        self.open.add(id(node))
        value: Plain = (
            self.mapping(node) if isinstance(node, yaml.MappingNode) else [self.of(each) for each in node.value]
        )
        self.open.remove(id(node))
        return value

    def scalar(self, node: yaml.ScalarNode) -> Plain:
        if node.tag == _TIME_TAG:
            return str(node.value)
        if node.tag not in _PLAIN_TAGS:
            raise self.refusal(node, f"the YAML tag {node.tag} is not allowed: write a plain value")
        try:
            value: Plain = self.scalars.construct_object(node)
        except ValueError:
            raise self.refusal(node, f'"{node.value}" is not a number: write one, or put it in quotes') from None
        return value

    def mapping(self, node: yaml.MappingNode) -> dict[str, Plain]:
        values: dict[str, Plain] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.refusal(key, "a key must be plain text: write one word or a quoted string")
            if key.value in values:
                raise self.refusal(key, f'the key "{key.value}" is repeated: keep one of the two')
            values[key.value] = self.of(value)
        return values

    def refusal(self, node: yaml.Node, reason: str) -> DocumentError:
        return self.error(self.path, node.start_mark.line + 1, reason)


# Messages for pydantic's types of errors, about the key {name} and its value {value}; {hint} suggests a known key.
_REASONS = {
    "missing": 'the key "{name}" is missing here: add it',
    "extra_forbidden": 'the key "{name}" is unknown{hint}: correct or remove it',
    "string_type": '"{name}" must be text, not {value}: put it in quotes',
    "float_type": '"{name}" must be a number, not {value}: write one without quotes',
    "int_type": '"{name}" must be a whole number, not {value}: write one without quotes',
    "bool_type": '"{name}" must be true or false, not {value}: write one of these',
    "too_short": '"{name}" is empty: write at least one entry',
    "string_too_short": '"{name}" is empty: write a text',
    "finite_number": '"{name}" must be a finite number, not {value}: write one',
    "tuple_type": '"{name}" must be a list, not {value}: write it as [one, two]',
    "model_type": '"{name}" must be a mapping, not {value}: write it as {{key: value}}',
    "dict_type": '"{name}" must be a mapping, not {value}: write it as {{key: value}}',
}


def _reason(details: ErrorDetails, name: str, keys: Collection[str]) -> str:
    """Return pydantic's complaint about the value called `name` as a sentence for the person who wrote the file."""
    kind, given = details["type"], details["input"]
    if kind == "value_error":
        return unwrapped(str(details["ctx"]["error"]))
    if kind == "item_kind":  # `rubric.Item` defines this error, and its message is a whole sentence
        misspelt = [key for key in given if key not in keys] if isinstance(given, dict) else []
        return details["msg"] + (f', not "{misspelt[0]}"{suggestion(misspelt[0], keys)}' if misspelt else "")
    if kind in _REASONS:
        value = unwrapped(repr(given))
        value = value if len(value) < 60 else f"{value[:57]}..."
        return _REASONS[kind].format(name=name, value=value, hint=suggestion(name, keys))
    return f'"{name}" is not usable ({unwrapped(details["msg"])}): correct it'
