"""Find, by syntax trees alone, which keys of evidence records declare, and which ones graders read.

A key is read where it is the first argument of an accessor of `Evidence`, a subscript of evidence, or stands before
`in` and evidence. A key that is a name is followed to the literals that it stands for: those that a loop runs over, an
assignment, a constant of another module, or the arguments that a function's callers give. What only a run can tell,
such as the name of the network that an optimiser holds, is `ANY`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path

ACCESSORS = frozenset({"tensor", "number", "integer", "flag", "text", "list", "shape", "is_none", "state"})
RUNS = frozenset({"run", "again"})  # methods of a subject that return evidence
ANY = "*"
_MOST_STEPS = 12  # from a name to what it stands for
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_Scope = ast.FunctionDef | ast.Lambda | _Comprehension | ast.For
_Place = tuple[int, ...]  # in nested tuples: (1, 0) is the first item of the second
_Binding = tuple[ast.expr, _Place | None]  # None: the expression; otherwise what is at this place of each of its items


@dataclass(frozen=True, slots=True)
class Read:
    """A place where a key of evidence is read. `key`: the key, or a pattern in which `ANY` stands for any text."""

    module: str
    line: int
    key: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line} reads {self.key!r}"

    @property
    def is_known(self) -> bool:
        """Whether anything is known of the key."""
        return self.key != ANY

    def fits(self, key: str) -> bool:
        """Return whether this key may be the one that is read, as far as anything is known of that."""
        return self.is_known and fnmatchcase(key, self.key)


def parsed(paths: Iterable[Path], root: Path) -> dict[str, ast.Module]:
    """Return the syntax trees of files, by the names of their modules."""
    names = {path: ".".join(path.relative_to(root).with_suffix("").parts) for path in sorted(paths)}
    return {name: ast.parse(path.read_bytes()) for path, name in names.items()}


def declared(tree: ast.Module) -> dict[str, frozenset[str]]:
    """Return the keys that each record of a module declares itself, without inherited ones."""
    return {
        record.name: frozenset(
            each.target.id
            for each in record.body
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
        )
        for record in tree.body
        if isinstance(record, ast.ClassDef)
    }


@dataclass(eq=False)
class Readers:
    """Modules that read evidence, by name."""

    trees: Mapping[str, ast.Module]
    _above: dict[ast.AST, ast.AST] = field(default_factory=dict, init=False)
    _module_of: dict[ast.AST, str] = field(default_factory=dict, init=False)
    _functions: dict[str, list[ast.FunctionDef]] = field(default_factory=dict, init=False)
    _calls: dict[str, list[ast.Call]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        for module, tree in self.trees.items():
            for node in ast.walk(tree):
                self._module_of[node] = module
                self._above.update((child, node) for child in ast.iter_child_nodes(node))
                match node:
                    case ast.FunctionDef(name=name):
                        self._functions.setdefault(name, []).append(node)
                    case ast.Call(func=ast.Name(id=name)):
                        self._calls.setdefault(name, []).append(node)

    def reads(self, modules: Iterable[str]) -> list[Read]:
        """Return all that these modules read."""
        return [
            Read(module, key.lineno, text)
            for module in modules
            for node in ast.walk(self.trees[module])
            for key in self._keys(node)
            for text in sorted({*self._texts(key)})
        ]

    def _keys(self, node: ast.AST) -> Iterator[ast.expr]:
        match node:
            case ast.Call(func=ast.Attribute(attr=accessor), args=[key, *_]) if accessor in ACCESSORS:
                yield key
            case ast.Subscript(value=value, slice=key) if self._is_evidence(value):
                yield key
            case ast.Compare(left=key, ops=[ast.In() | ast.NotIn()], comparators=[value]) if self._is_evidence(value):
                yield key

    # What an expression stands for

    def _texts(self, node: ast.expr, steps: int = _MOST_STEPS) -> Iterator[str]:
        """Yield the texts that a key may be; none if it is no text, but a number or a slice."""
        match node:
            case ast.Constant(value=str() as text):
                yield text
            case ast.Constant() | ast.Slice() | ast.Tuple():
                pass
            case ast.IfExp(body=body, orelse=orelse):
                yield from self._texts(body, steps)
                yield from self._texts(orelse, steps)
            case ast.JoinedStr(values=parts):
                yield from map("".join, product(*(self._texts(part, steps) for part in parts)))
            case ast.FormattedValue(value=value):
                yield from self._texts(value, steps)
            case ast.Name() if steps:
                values = [each for binding in self._bindings(node) for each in self._values(binding, steps - 1)]
                yield from [text for each in values for text in self._texts(each, steps - 1)] or [ANY]
            case _:
                yield ANY

    def _values(self, binding: _Binding, steps: int) -> Iterator[ast.expr]:
        value, place = binding
        if place is None:
            yield value
        else:
            yield from self._items(value, place, steps)

    def _items(self, node: ast.expr, place: _Place, steps: int) -> Iterator[ast.expr]:
        """Yield what stands at a place of each item of an iterable; nothing where that is not known."""
        match node:
            case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
                yield from self._at(items, place, steps)
            case ast.GeneratorExp(elt=item) | ast.ListComp(elt=item):
                yield from self._at([item], place, steps)
            case ast.Dict(keys=keys):
                yield from self._at(keys, place, steps)
            case ast.IfExp(body=body, orelse=orelse):
                yield from self._items(body, place, steps)
                yield from self._items(orelse, place, steps)
            case ast.Call(func=ast.Name(id="enumerate"), args=[inner, *_]) if place[:1] == (1,):
                yield from self._items(inner, place[1:], steps)
            case ast.Call(func=ast.Name(id="zip"), args=inner) if place and place[0] < len(inner):
                yield from self._items(inner[place[0]], place[1:], steps)
            case ast.Call(func=ast.Attribute(value=inner, attr="items")) if place[:1] == (0,):
                yield from self._items(inner, place[1:], steps)
            case ast.Call(func=ast.Attribute(value=inner, attr="items" | "values" as method)):
                for each in self._dicts(inner, steps):
                    yield from self._at(each.values, place[1:] if method == "items" else place, steps)
            case ast.Name() if steps:
                for binding in self._bindings(node):
                    for value in self._values(binding, steps - 1):
                        yield from self._items(value, place, steps - 1)

    def _at(self, items: Iterable[ast.expr | None], place: _Place, steps: int) -> Iterator[ast.expr]:
        """Yield what stands at a place of each of these items."""
        for item in items:
            match item:
                case ast.Starred(value=inner):
                    yield from self._items(inner, place, steps)
                case ast.Tuple(elts=inside) | ast.List(elts=inside) if place:
                    yield from self._at(inside[place[0] :][:1], place[1:], steps)
                case ast.expr() if not place:
                    yield item

    def _dicts(self, node: ast.expr, steps: int) -> Iterator[ast.Dict]:
        match node:
            case ast.Dict():
                yield node
            case ast.Name() if steps:
                for value, _ in self._bindings(node):
                    yield from self._dicts(value, steps - 1)

    def _bindings(self, node: ast.Name) -> list[_Binding]:
        """Return what a name may be bound to where it stands, by the innermost scope that binds it."""
        inside: ast.AST = node
        while inside in self._above:
            scope = self._above[inside]
            if isinstance(scope, _Scope | ast.Module):
                found = [*self._bound_in(scope, node.id)]
                if found:
                    return found
            inside = scope
        return []

    def _bound_in(self, scope: ast.AST, name: str) -> Iterator[_Binding]:
        match scope:
            case ast.For(target=target, iter=value):
                yield from ((value, place) for place in _places(target, name))
                return
            case ast.FunctionDef():
                yield from self._arguments(scope, name)
        for each in _statements(scope):
            match each:
                case ast.comprehension(target=target, iter=value) | ast.For(target=target, iter=value):
                    yield from ((value, place) for place in _places(target, name))
                case ast.Assign(targets=[ast.Name(id=bound)], value=value) if bound == name:
                    yield value, None
                case ast.AnnAssign(target=ast.Name(id=bound), value=ast.expr() as value) if bound == name:
                    yield value, None
                case ast.Assign(targets=[ast.Tuple() as target], value=value):
                    yield from self._unpacked(target, value, name)
                case ast.ImportFrom(module=str() as module, names=names) if module in self.trees:
                    for alias in names:
                        if (alias.asname or alias.name) == name:
                            yield from self._bound_in(self.trees[module], alias.name)

    def _unpacked(self, target: ast.Tuple, value: ast.expr, name: str) -> Iterator[_Binding]:
        for first, *rest in _places(target, name):
            match value:
                case ast.Tuple(elts=items) if first < len(items):
                    yield items[first], tuple(rest) or None
                case ast.GeneratorExp(elt=item):
                    yield item, tuple(rest) or None

    def _arguments(self, function: ast.FunctionDef, name: str) -> Iterator[_Binding]:
        """Yield what the callers of a function give for a parameter, and its default."""
        named = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
        if name not in [*named, *(each.arg for each in function.args.kwonlyargs)]:
            return
        for call in self._calls.get(function.name, ()):
            if function not in self._called(call):
                continue
            given = {each.arg: each.value for each in call.keywords}
            if name in given:
                yield given[name], None
            elif name in named and named.index(name) < len(call.args):
                yield call.args[named.index(name)], None
        defaults = dict(zip(reversed(named), reversed(function.args.defaults), strict=False))
        if name in defaults:
            yield defaults[name], None

    def _called(self, call: ast.Call) -> list[ast.FunctionDef]:
        """Return the functions that a call by name may be of: those of its own module, or else of any."""
        found = self._functions.get(call.func.id, []) if isinstance(call.func, ast.Name) else []
        own = [each for each in found if self._module_of[each] == self._module_of[call]]
        return own or found

    # What is evidence

    def _is_evidence(self, node: ast.expr, steps: int = _MOST_STEPS) -> bool:
        """Return whether an expression is evidence, or holds some in a list, tuple or dict."""
        sources: list[ast.expr] = []
        match node:
            case ast.Call(func=ast.Attribute(attr=method)) if method in RUNS:
                return True
            case ast.Call(func=ast.Attribute(value=value, attr="list")) | ast.Subscript(value=value):
                sources = [value]
            case ast.Call(func=ast.Name(id="reversed" | "enumerate" | "zip"), args=inner):
                sources = inner
            case ast.Call():
                return any("Evidence" in _written(each.returns) for each in self._called(node))
            case ast.IfExp(body=body, orelse=orelse):
                sources = [body, orelse]
            case ast.ListComp(elt=item) | ast.GeneratorExp(elt=item) | ast.DictComp(value=item):
                sources = [item]
            case ast.Name() if steps:
                return any("Evidence" in _written(each) for each in self._annotations(node)) or any(
                    self._holds(value, place, steps - 1) for value, place in self._bindings(node)
                )
        return any(self._is_evidence(each, steps) for each in sources)

    def _holds(self, value: ast.expr, place: _Place | None, steps: int) -> bool:
        match value:
            case ast.Call(func=ast.Name(id="zip"), args=inner) if place:
                return place[0] < len(inner) and self._is_evidence(inner[place[0]], steps)
            case ast.Call(func=ast.Name(id="enumerate"), args=[inner, *_]) if place:
                return place[0] == 1 and self._is_evidence(inner, steps)
            case ast.Tuple() | ast.List() if place is not None:
                return any(self._is_evidence(each, steps) for each in self._items(value, place, steps))
        return self._is_evidence(value, steps)

    def _annotations(self, node: ast.Name) -> Iterator[ast.expr | None]:
        """Yield the annotations of the parameters that a name may be."""
        inside: ast.AST = node
        while inside in self._above:
            inside = self._above[inside]
            if isinstance(inside, ast.FunctionDef):
                arguments = (*inside.args.posonlyargs, *inside.args.args, *inside.args.kwonlyargs)
                yield from (each.annotation for each in arguments if each.arg == node.id)


def _written(node: ast.expr | None) -> str:
    return "" if node is None else ast.unparse(node)


def _places(target: ast.expr, name: str) -> Iterator[_Place]:
    """Yield where a name stands in the target of a loop or of an assignment: () if it is the target."""
    match target:
        case ast.Name(id=bound) if bound == name:
            yield ()
        case ast.Tuple(elts=items) | ast.List(elts=items):
            for index, item in enumerate(items):
                yield from ((index, *rest) for rest in _places(item, name))


def _statements(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield what stands in a scope, without what stands in the functions and comprehensions within."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.Lambda | _Comprehension | ast.ClassDef):
            yield from _statements(child)
