"""Remove from the graders' sources the tests of other checks, and everything that only these tests use.

A *piece* is a statement at the top level of a module, such as a function, a constant or one imported name. What the
tests that are removed reach is removed, too, unless something that stays reaches it. Comments, docstrings and what only
type checkers read are removed everywhere, since they may tell of what is gone; a test keeps the title that students
read.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

_CHECK: Final = "check"
_SYMPTOMS: Final = "symptoms_of"
_PROBES: Final = "probes"
_GRADERS: Final = "graders"
_OF_CHECKS: Final = ("needs", "leaves_to")
_FUTURE: Final = "__future__"

Piece = tuple[str, int]  # a module's name, and the place in its body
Bodies = Mapping[str, list[ast.stmt]]


def pruned(sources: Mapping[str, str], checks: Collection[str]) -> dict[str, str]:
    """Return the sources of the graders that decide these checks and no others.

    sources: the texts of modules, by their dotted names.
    """
    bodies = {name: _body(bare(text)) for name, text in sources.items()}
    removed = {
        (name, place)
        for name, body in bodies.items()
        for place, statement in enumerate(body)
        if (declared := _declared(statement)) is not None and not _trimmed(declared, checks)
    }
    graph = _Graph(bodies)
    gone = graph.reached(removed)
    gone -= graph.reached(piece for piece in graph.pieces if piece not in gone or _is_kept_test(piece, bodies, removed))
    _forget_probes(bodies, graph, gone)
    return {
        name: ast.unparse(ast.Module([each for place, each in enumerate(body) if (name, place) not in gone], []))
        for name, body in bodies.items()
    }


def bare(text: str) -> ast.Module:
    """Return a program without comments, docstrings and what only type checkers read; a test keeps its title."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            title = (ast.get_docstring(node) or "").partition("\n")[0] if _declared(node) is not None else ""
            if ast.get_docstring(node) is not None:
                del node.body[0]
            kept = [ast.Expr(ast.Constant(title))] if title else []
            node.body[:0] = kept
            if not node.body and not isinstance(node, ast.Module):
                node.body.append(ast.Pass())
    tree.body = [node for node in tree.body if not _is_for_type_checkers(node)]
    return ast.fix_missing_locations(tree)


def _is_for_type_checkers(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _body(tree: ast.Module) -> list[ast.stmt]:
    """Return the statements of a module, in which each import is of one name."""
    body: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module != _FUTURE:
            body += [ast.ImportFrom(node.module, [alias], node.level) for alias in node.names]
        elif isinstance(node, ast.Import):
            body += [ast.Import([alias]) for alias in node.names]
        else:
            body.append(node)
    return body


def _declared(node: ast.AST) -> ast.Call | None:
    """Return the decorator that says which checks a test decides, or None if it is no test."""
    return next(_decorators(node, _CHECK), None)


def _decorators(node: ast.AST, name: str) -> Iterator[ast.Call]:
    for each in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == name:
            yield each


def _trimmed(declared: ast.Call, checks: Collection[str]) -> bool:
    """Remove the names of other checks from a declaration, and return whether it still declares one."""

    def is_kept(argument: ast.expr) -> bool:
        return not isinstance(argument, ast.Constant) or argument.value in checks

    declared.args = list(filter(is_kept, declared.args))
    for keyword in declared.keywords:
        if keyword.arg in _OF_CHECKS and isinstance(keyword.value, ast.Tuple):
            keyword.value.elts = list(filter(is_kept, keyword.value.elts))
    return bool(declared.args)


def _is_kept_test(piece: Piece, bodies: Bodies, removed: Collection[Piece]) -> bool:
    return piece not in removed and _declared(bodies[piece[0]][piece[1]]) is not None


class _Graph:
    """Which pieces use which others."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self.pieces = [(name, place) for name, body in bodies.items() for place in range(len(body))]
        self._defined: dict[str, dict[str, set[Piece]]] = {name: {} for name in bodies}
        for name, place in self.pieces:
            for defined in _defined_by(bodies[name][place]):
                self._defined[name].setdefault(defined, set()).add((name, place))
        self._uses = {piece: set(self._used_by(piece)) for piece in self.pieces}
        for piece in self.pieces:  # the symptoms of a probe are read wherever the probe is asked
            for probe in self.symptoms_of(piece):
                for asked in self._probe(probe):
                    self._uses[asked].add(piece)

    def reached(self, first: Iterable[Piece]) -> set[Piece]:
        """Return these pieces, and all that they use, directly or indirectly."""
        found, waiting = set[Piece](), list(first)
        while waiting:
            piece = waiting.pop()
            if piece not in found:
                found.add(piece)
                waiting += self._uses[piece]
        return found

    def symptoms_of(self, piece: Piece) -> list[str]:
        """Return the probes ("vae:kld") whose symptoms a piece reads."""
        decorators = _decorators(self._bodies[piece[0]][piece[1]], _SYMPTOMS)
        return [str(each.value) for call in decorators for each in call.args if isinstance(each, ast.Constant)]

    def is_left(self, probe: str, gone: Collection[Piece]) -> bool:
        """Return whether a probe stays, or is none of ours."""
        pieces = self._probe(probe)
        return not pieces or not pieces.issubset(gone)

    def _used_by(self, piece: Piece) -> Iterator[Piece]:
        module, statement = piece[0], self._bodies[piece[0]][piece[1]]
        if isinstance(statement, ast.ImportFrom):
            yield from self._imported(f"{statement.module}", statement.names[0].name)
            return
        for node in ast.walk(statement):
            name = node.id if isinstance(node, ast.Name) else node.arg if isinstance(node, ast.arg) else ""
            yield from self._defined[module].get(name, ())
            chain = _chain(node)
            if chain[:1] == [_PROBES] and len(chain) > 2:
                yield from self._probe(f"{'.'.join(chain[1:-1])}:{chain[-1]}")

    def _imported(self, module: str, name: str) -> Collection[Piece]:
        """Return the pieces that an import is for: all of a module, if that is what is imported."""
        whole = f"{module}.{name}"
        if whole in self._bodies:
            return {piece for piece in self.pieces if piece[0] == whole}
        return self._defined.get(module, {}).get(name, ())

    def _probe(self, probe: str) -> set[Piece]:
        file, _, function = probe.partition(":")
        family, _, subject = file.partition(".")
        module = f"{_GRADERS}.{family}.{f'{subject}_' if subject else ''}{_PROBES}"
        return self._defined.get(module, {}).get(function, set())


def _defined_by(statement: ast.stmt) -> set[str]:
    """Return the names that a statement at the top level defines."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return {alias.asname or alias.name.partition(".")[0] for alias in aliases}
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _chain(node: ast.AST) -> list[str]:
    """Return ["probes", "vae", "kld"] for probes.vae.kld, and [] for what is no such chain of names."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return [node.id, *names] if isinstance(node, ast.Name) and names else []


def _forget_probes(bodies: Bodies, graph: _Graph, gone: Collection[Piece]) -> None:
    """Remove the names of probes that are gone from the decorators of symptoms that stay."""
    for name, place in graph.pieces:
        for call in _decorators(bodies[name][place], _SYMPTOMS):
            call.args = [
                each for each in call.args if not isinstance(each, ast.Constant) or graph.is_left(str(each.value), gone)
            ]
