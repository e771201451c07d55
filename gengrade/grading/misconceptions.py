"""Read a course's misconceptions as source text, and plant them into copies of the reference."""

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
    """A misconception cannot be read or planted, which is a mistake of the course's author."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is known of a misconception where its source may not be: in a kit for students."""

    name: str  # the misconception's file and its name in that file: "kld.log_std_as_log_variance"
    sentence: str  # the explanation for the student
    fails: tuple[str, ...]  # the unit checks that it makes fail, the one that it is mainly about first
    raises: bool  # whether it may make a check end in an exception


@dataclass(frozen=True, slots=True)
class Misconception(Mistake):
    """A named wrong implementation of one definition of the reference."""

    file: str  # the file whose definition it replaces, as handed in: "part1/utils.py"
    path: tuple[str, ...]  # the names of that definition in the file: ("KLD",) or ("VAE", "forward")
    source: str  # the source of the wrong definition
    prelude: str = field(repr=False)  # the source of everything else in its file

    @property
    def digest(self) -> str:
        """A hash over everything that the planted text depends on, except the text that it is planted into."""
        return hashlib.sha256("\0".join((self.file, *self.path, self.prelude, self.source)).encode()).hexdigest()

    def fits(self, text: str) -> bool:
        """Return whether the text of a file contains the definition that this misconception replaces."""
        try:
            self.planted(text)
        except LibraryError:
            return False
        return True

    def planted(self, text: str) -> str:
        """Return the text of a file with the definition replaced. Raises LibraryError if it lacks that definition.

        In a notebook, the definition is replaced in the last cell that contains it.
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
    """Return a notebook's text with the last code cell changed for which `plant` does not raise LibraryError.

    Raises LibraryError if there is no such cell.
    """
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
    """All misconceptions in a course's folder `misconceptions`, by name."""

    def __init__(self, folder: Path) -> None:
        found = [each for path in sorted(folder.glob("*.py")) for each in _read(path)]
        self._by_name = {each.name: each for each in found}
        if len(found) != len(self._by_name):
            twice = sorted(name for name, count in Counter(each.name for each in found).items() if count > 1)
            raise LibraryError(f"{', '.join(twice)}: two misconceptions have this name; rename one of them")

    def __getitem__(self, name: str) -> Misconception:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)


def _read(path: Path) -> Iterator[Misconception]:
    """Yield the misconceptions of a file. Raises LibraryError if it cannot be parsed, or if one is incomplete."""
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
            raise LibraryError(
                f"{name}: a misconception needs a docstring, a target such as file.py:name, and the checks that it "
                "makes fail"
            )
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
    """The arguments of the decorator `graders.misconceptions.misconception`."""

    target: str = ""
    fails: tuple[str, ...] = ()
    raises: bool = False

    def changed(self, call: ast.expr, where: str) -> _Mark:
        """Return this mark with the arguments of a call replacing its own. Raises LibraryError for unknown ones."""
        if not isinstance(call, ast.Call):
            return self
        try:
            given = {keyword.arg or "": ast.literal_eval(keyword.value) for keyword in call.keywords}
            for argument in call.args:
                given["target"] = ast.literal_eval(argument)
            mark = replace(self, **given)
        except (ValueError, TypeError) as error:
            raise LibraryError(
                f"{where}: the arguments must be a target and the checks that fail, as literals ({error})"
            ) from None
        names = (mark.target, *mark.fails) if isinstance(mark.fails, tuple) else (None,)
        if not all(isinstance(name, str) for name in names):
            raise LibraryError(
                f'{where}: the target must be text, and the checks that fail a tuple of texts, as in ("vae.kld",)'
            )
        return mark


def _decorator(statement: Definition) -> ast.expr | None:
    """Return the decorator `@misconception` of a definition, with or without arguments, or None."""
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
    """Replace the definition at `path`, and return whether it exists.

    If the new definition refers to `original`, the old one is kept beside it under that name.
    """
    index = _index(body, path[0])
    if index is None:
        return False
    old = body[index]
    if len(path) > 1:
        return isinstance(old, ast.ClassDef) and _replace(old.body, path[1:], new)
    new.name = path[0]
    body[index] = new
    if _refers_to_original(new):
        _rename(old)
        body.insert(index, old)
    return True


def _index(body: list[ast.stmt], name: str) -> int | None:
    """Return the index of the last statement that defines or assigns the name, or None."""
    return next((index for index in reversed(range(len(body))) if name in _names(body[index])), None)


def _names(statement: ast.stmt) -> set[str]:
    if isinstance(statement, Definition):
        return {statement.name}
    if isinstance(statement, ast.Assign):
        return {target.id for target in statement.targets if isinstance(target, ast.Name)}
    return set()


def _refers_to_original(new: Definition) -> bool:
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
