"""The library of misconceptions of a course: read as text, planted into copies of the reference."""

from __future__ import annotations

import ast
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

_MARK = "misconception"
_DEFAULTS = "defaults"
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
    marked: list[tuple[Definition, _Mark]] = []
    defaults = _Mark()
    rest: list[ast.stmt] = []
    try:
        module = ast.parse(path.read_text(), path.name)
    except SyntaxError as error:
        raise LibraryError(f"{path.stem}: {error}") from None
    for statement in module.body:
        if isinstance(statement, ast.Expr) and _is_call_of(_DEFAULTS, statement.value):
            defaults = _Mark().changed(statement.value, f"{path.stem}, line {statement.lineno}")
        elif isinstance(statement, Definition) and (decorator := _decorator(statement)) is not None:
            statement.decorator_list.remove(decorator)
            marked.append((statement, defaults.changed(decorator, f"{path.stem}.{statement.name}")))
        elif not _is_docstring(statement) and not _is_import_of_mark(statement):
            rest.append(statement)
    prelude = ast.unparse(ast.Module(rest, []))
    for definition, mark in marked:
        name = f"{path.stem}.{definition.name}"
        sentence = " ".join((ast.get_docstring(definition) or "").split())
        file, _, place = mark.target.partition(":")
        if not sentence or not place or not mark.fails:
            raise LibraryError(f"{name}: it needs a docstring, a target such as file.py:name, and checks that fail")
        yield Misconception(
            name=name,
            sentence=sentence,
            file=file,
            path=tuple(place.split(".")),
            fails=mark.fails,
            source=ast.unparse(definition),
            prelude=prelude,
            raises=mark.raises,
        )


@dataclass(frozen=True, slots=True)
class _Mark:
    """What a misconception is marked with: see `graders.misconceptions`."""

    target: str = ""
    fails: tuple[str, ...] = ()
    raises: bool = False

    def changed(self, call: ast.expr, where: str) -> _Mark:
        """With the arguments of a call in the place of its own. Raises LibraryError for those that it has not."""
        if not isinstance(call, ast.Call):
            return self
        try:
            given = {keyword.arg or "": ast.literal_eval(keyword.value) for keyword in call.keywords}
            for argument in call.args:
                given["target"] = ast.literal_eval(argument)
            mark = replace(self, **given)
        except (ValueError, TypeError) as error:
            raise LibraryError(f"{where}: it is not marked with a target and what fails ({error})") from None
        names = (mark.target, *mark.fails) if isinstance(mark.fails, tuple) else (None,)
        if not all(isinstance(name, str) for name in names):
            raise LibraryError(
                f'{where}: a target is text, and what fails are names in parentheses, as in ("vae.kld",)'
            )
        return mark


def _decorator(statement: Definition) -> ast.expr | None:
    """The decorator that marks it as a misconception, with or without arguments."""
    for decorator in statement.decorator_list:
        if _is_call_of(_MARK, decorator) or (isinstance(decorator, ast.Name) and decorator.id == _MARK):
            return decorator
    return None


def _is_call_of(name: str, node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


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
