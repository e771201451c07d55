"""The library of misconceptions of a course: read as text, planted into copies of the reference."""

from __future__ import annotations

import ast
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_MARK = "misconception"
_ORIGINAL = "original"

Definition = ast.FunctionDef | ast.ClassDef


class LibraryError(ValueError):
    """A misconception cannot be read, or cannot be planted: our own fault."""


@dataclass(frozen=True, slots=True)
class Misconception:
    """A named wrong implementation of one definition of the reference."""

    name: str  # "kld.log_std_as_log_variance": its file, and what it is called there
    sentence: str  # for the student who has it
    file: str  # of the definition that it replaces, as handed in: "part1/utils.py"
    path: tuple[str, ...]  # of that definition in the file: ("KLD",) or ("VAE", "forward")
    fails: tuple[str, ...]  # the unit checks that do not pass for it; first the one that is about it
    source: str  # its own
    prelude: str = field(repr=False)  # what else its file defines
    raises: bool = False  # whether a check that fails for it may end in an exception

    @property
    def digest(self) -> str:
        """A hash over all that planting it depends on, besides the file that it is planted into."""
        return hashlib.sha256("\0".join((self.file, *self.path, self.prelude, self.source)).encode()).hexdigest()

    def fits(self, text: str) -> bool:
        """Whether its file, with this text, has the definition that it replaces."""
        try:
            self.planted(text)
        except LibraryError:
            return False
        return True

    def planted(self, text: str) -> str:
        """The text of its file with the definition replaced. Raises LibraryError when that is not there.

        In a notebook, the definition is replaced in the last cell that has it.
        """
        return _in_last_cell(text, self._planted) if self.file.endswith(".ipynb") else self._planted(text)

    def _planted(self, text: str) -> str:
        module = ast.parse(text)
        new = ast.parse(self.source).body[0]
        assert isinstance(new, Definition)
        outermost = _index(module.body, self.path[0])
        if outermost is None or not _replace(module.body, self.path, new):
            raise LibraryError(f"{self.name}: there is no {'.'.join(self.path)} in {self.file}")
        module.body[outermost:outermost] = ast.parse(self.prelude).body
        return ast.unparse(ast.fix_missing_locations(module))


def _in_last_cell(text: str, plant: Callable[[str], str]) -> str:
    """A notebook of our own with the last of its code cells changed in which that can be done. Raises LibraryError."""
    notebook = json.loads(text)
    failure = LibraryError("the notebook has no code")
    for cell in reversed([cell for cell in notebook["cells"] if cell["cell_type"] == "code"]):
        try:
            cell["source"] = plant("".join(cell["source"]))
        except LibraryError as error:
            failure = error
        else:
            return json.dumps(notebook, indent=1)
    raise failure


class Library(Mapping[str, Misconception]):
    """All misconceptions in a course's folder of them, by name."""

    def __init__(self, folder: Path) -> None:
        found = [each for path in sorted(folder.glob("*.py")) for each in _read(path)]
        self._by_name = {each.name: each for each in found}
        if len(found) != len(self._by_name):
            twice = sorted(name for name, count in Counter(each.name for each in found).items() if count > 1)
            raise LibraryError(f"{', '.join(twice)}: there are two of this name")

    def __getitem__(self, name: str) -> Misconception:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)


def _read(path: Path) -> Iterator[Misconception]:
    """The misconceptions of a file. Raises LibraryError where it cannot be read, or one lacks what it needs."""
    marked: list[tuple[Definition, ast.Call]] = []
    rest: list[ast.stmt] = []
    try:
        module = ast.parse(path.read_text(), path.name)
    except SyntaxError as error:
        raise LibraryError(f"{path.stem}: {error}") from None
    for statement in module.body:
        mark = _mark(statement)
        if mark is not None and isinstance(statement, Definition):
            marked.append((statement, mark))
        elif not _is_docstring(statement) and not _is_import_of_mark(statement):
            rest.append(statement)
    prelude = ast.unparse(ast.Module(rest, []))
    for definition, mark in marked:
        name = f"{path.stem}.{definition.name}"
        sentence = " ".join((ast.get_docstring(definition) or "").split())
        try:
            (target,) = (ast.literal_eval(argument) for argument in mark.args)
            (fails,) = (ast.literal_eval(keyword.value) for keyword in mark.keywords if keyword.arg == "fails")
            file, _, place = target.partition(":")
            checks = tuple(fails.split())
        except (ValueError, AttributeError) as error:
            raise LibraryError(f"{name}: it is not marked with a target and what fails ({error})") from None
        if not sentence or not place or not checks:
            raise LibraryError(f"{name}: it needs a docstring, a target such as file.py:name, and checks that fail")
        definition.decorator_list.remove(mark)
        yield Misconception(
            name=name,
            sentence=sentence,
            file=file,
            path=tuple(place.split(".")),
            fails=checks,
            source=ast.unparse(definition),
            prelude=prelude,
            raises=any(keyword.arg == "raises" for keyword in mark.keywords),
        )


def _mark(statement: ast.stmt) -> ast.Call | None:
    for decorator in getattr(statement, "decorator_list", ()):
        call = decorator if isinstance(decorator, ast.Call) else ast.Call(decorator, [], [])
        if isinstance(call.func, ast.Name) and call.func.id == _MARK:
            return call
    return None


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_import_of_mark(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and any(name.name == _MARK for name in statement.names)


def _replace(body: list[ast.stmt], path: tuple[str, ...], new: Definition) -> bool:
    """Replaces the definition at `path`; where the new one asks for the original, that stays beside it."""
    index = _index(body, path[0])
    if index is None:
        return False
    old = body[index]
    if len(path) > 1:
        return isinstance(old, ast.ClassDef) and _replace(old.body, path[1:], new)
    new.name = path[0]
    body[index] = new
    if _asks_for_original(new):
        _rename(old)
        body.insert(index, old)
    return True


def _index(body: list[ast.stmt], name: str) -> int | None:
    """Where a body last defines or assigns that name."""
    return next((index for index in reversed(range(len(body))) if name in _names(body[index])), None)


def _names(statement: ast.stmt) -> set[str]:
    if isinstance(statement, Definition):
        return {statement.name}
    if isinstance(statement, ast.Assign):
        return {target.id for target in statement.targets if isinstance(target, ast.Name)}
    return set()


def _asks_for_original(new: Definition) -> bool:
    return any(
        (isinstance(node, ast.Name) and node.id == _ORIGINAL)
        or (isinstance(node, ast.Attribute) and node.attr == _ORIGINAL)
        for node in ast.walk(new)
    )


def _rename(old: ast.stmt) -> None:
    if isinstance(old, Definition):
        old.name = _ORIGINAL
    elif isinstance(old, ast.Assign):
        old.targets = [ast.Name(_ORIGINAL, ast.Store())]
