"""Creates mutants of Python code: small changes, each of which is a mistake that somebody could make.

`mutants_of(source, file)` changes one place of the syntax tree at a time. Changes that compile to the same code count
as one mutant, and a change that compiles to the original code is not a mutant.
"""

from __future__ import annotations

import ast
import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any, Final

_MIN_CONTEXT, _MAX_CONTEXT = 24, 40  # characters of the code that shows a change: at least, and at most on each side

# Names of functions, classes and methods that are easily confused.
_SIBLINGS: Final = (
    ("ones_like", "zeros_like"),
    ("ones", "zeros"),
    ("ones_", "zeros_"),
    ("randn", "rand"),
    ("randn_like", "rand_like"),
    ("exp", "log"),
    ("log", "log2"),
    ("log2", "log10"),
    ("log", "exp"),
    ("sigmoid", "tanh"),
    ("tanh", "sigmoid"),
    ("sum", "mean"),
    ("mean", "sum"),
    ("prod", "sum"),
    ("train", "eval"),
    ("eval", "train"),
    ("square", "abs"),
    ("logaddexp", "maximum"),
    ("ppf", "cdf"),
    ("bernoulli", "round"),
    ("squeeze", "unsqueeze"),
    ("expand", "repeat"),
    ("linspace", "logspace"),
    ("reversed", "list"),
    ("chunk", "split"),
    ("step", "zero_grad"),
    ("zero_grad", "step"),
    ("binary_cross_entropy_with_logits", "binary_cross_entropy"),
    ("binary_cross_entropy_with_logits", "mse_loss"),
    ("ReLU", "Identity"),
    ("GELU", "Identity"),
    ("LeakyReLU", "Identity"),
    ("ReLU", "Sigmoid"),
    ("GELU", "Sigmoid"),
    ("Dropout", "Identity"),
    ("ModuleList", "list"),
    ("Adam", "SGD"),
    ("e", "pi"),
    ("pi", "e"),
    ("generator", "discriminator"),
    ("discriminator", "generator"),
    ("encoder", "decoder"),
    ("decoder", "encoder"),
)
_WORDS: Final = {"none": ("mean", "sum"), "mean": ("sum",), "sum": ("mean",), "ij": ("xy",), "min": ("max",)}
_UNTOUCHED: Final = ("annotation", "returns", "type_comment", "ctx", "defaults", "kw_defaults")
_OPERATORS: Final[dict[type[ast.operator], tuple[type[ast.operator], ...]]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
}
_COMPARISONS: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A file with one change."""

    file: str  # "uva2020/part1/utils.py"
    definition: str  # for example "VAE.forward", or "" for code at the file's top level
    before: str
    after: str
    source: str
    key: str

    @property
    def change(self) -> str:
        """The code before and after the change, in one line; long code is shortened around the change."""
        return " → ".join(_shortened(self.before, self.after))

    def __str__(self) -> str:
        return f"{self.file}: {self.definition or 'top level'}: {self.change}"


@dataclass(slots=True)
class _Place:
    """The place of a node: `field` of its parent, at `index` if that is a list. `above` are its ancestors."""

    above: tuple[ast.AST, ...]
    field: str
    index: int | None
    scope: _Scope

    @property
    def node(self) -> ast.AST:
        """The node that is at this place now."""
        value = getattr(self.above[-1], self.field)
        found: ast.AST = value if self.index is None else value[self.index]
        return found

    def put(self, node: ast.AST) -> None:
        """Replace the node at this place."""
        if self.index is None:
            setattr(self.above[-1], self.field, node)
        else:
            getattr(self.above[-1], self.field)[self.index] = node


@dataclass(frozen=True, slots=True)
class _Scope:
    """A definition: its qualified name, the names that it binds, and the attributes that its class assigns to self."""

    name: str
    modules: frozenset[str]  # the names of what the file imports
    variables: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()


def mutants_of(source: str, file: str, skip: Callable[[str], bool] = lambda definition: False) -> list[Mutant]:
    """Return the mutants of a file's code, except those in definitions for which `skip` is true."""
    tree = ast.parse(source)
    seen = {_signature(tree)}
    found: list[Mutant] = []
    for place in list(_places(tree, _Scope("", _imported(tree)), ())):
        if skip(place.scope.name):
            continue
        original = place.node
        for new in list(_changes(original, place)):
            context = _context(place, original)
            before = _text(original if context is None else context)
            place.put(new)
            try:
                signature = _signature(tree)
                after = _text(new if context is None else context)
                mutated = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
            except (SyntaxError, ValueError):
                continue
            finally:
                place.put(original)
            if signature not in seen:
                seen.add(signature)
                key = hashlib.sha256(f"{file}\0{mutated}".encode()).hexdigest()[:16]
                found.append(Mutant(file, place.scope.name, before, after, mutated, key))
    return found


# Walking


def _places(node: ast.AST, scope: _Scope, above: tuple[ast.AST, ...]) -> Iterator[_Place]:
    """Yield all places beneath a node, except those that do not affect how the code works.

    These are annotations, docstrings, texts, defaults of arguments, imports, and code under `__main__`.
    """
    above = (*above, node)
    for field, value in ast.iter_fields(node):
        if field in _UNTOUCHED:
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or _is_inert(child):
                continue
            inner = scope
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                inner = _scope_of(child, scope, above)
            yield _Place(above, field, index, inner)
            yield from _places(child, inner, above)


def _is_inert(node: ast.AST) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr | ast.Raise | ast.Assert):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    return isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)


def _scope_of(node: ast.FunctionDef | ast.ClassDef, outer: _Scope, above: tuple[ast.AST, ...]) -> _Scope:
    name = f"{outer.name}.{node.name}" if outer.name else node.name
    if isinstance(node, ast.ClassDef):
        return _Scope(name, outer.modules)
    arguments = [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    bound = [each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)]
    variables = tuple(name for name in dict.fromkeys((*arguments, *bound)) if name not in ("self", "_"))
    attributes: dict[str, None] = {}
    if isinstance(above[-1], ast.ClassDef):
        for each in ast.walk(above[-1]):
            if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store) and _is_self(each.value):
                attributes[each.attr] = None
    return _Scope(name, outer.modules, variables, tuple(attributes))


def _imported(tree: ast.Module) -> frozenset[str]:
    imports = (node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))
    return frozenset(alias.asname or alias.name.partition(".")[0] for node in imports for alias in node.names)


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


# Changing


def _changes(node: ast.AST, place: _Place) -> Iterator[ast.AST]:  # noqa: PLR0912
    """Yield the nodes that could replace a node by mistake."""
    match node:
        case ast.stmt():
            yield from _statements(node, place)
        case ast.BinOp():
            yield from _arithmetic(node)
        case ast.UnaryOp():
            yield node.operand
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            yield from (ast.Compare(left, [new()], [right]) for new in _COMPARISONS[type(operator)])
        case ast.BoolOp(op=joined, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(joined, ast.And) else ast.And(), values)
            yield from values
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield from (body, orelse, ast.IfExp(test, orelse, body))
        case ast.Constant(value=value):
            yield from map(ast.Constant, _constants(value))
        case ast.Tuple(elts=elements, ctx=context) | ast.List(elts=elements, ctx=context):
            for chosen in (*_without_one(elements), *_with_two_swapped(elements)):
                yield type(node)(chosen, context)
        case ast.Call():
            yield from _calls(node, place.scope.modules)
        case ast.Name(id=name, ctx=ast.Load()):
            others = (*_neighbours(name, place.scope.variables), *_siblings(name))
            yield from (ast.Name(new, ast.Load()) for new in others)
        case ast.Attribute(value=value, attr=name, ctx=ast.Load()):
            others = _neighbours(name, place.scope.attributes) if _is_self(value) else ()
            yield from (ast.Attribute(value, new, ast.Load()) for new in dict.fromkeys((*others, *_siblings(name))))
        case ast.Subscript(value=value, ctx=ast.Load()):
            yield value
        case ast.Slice(lower=lower, upper=upper, step=step):
            yield from (ast.Slice(None, upper, step), ast.Slice(lower, None, step), ast.Slice(lower, upper, None))
        case ast.comprehension(ifs=[_, *_]):
            yield ast.comprehension(node.target, node.iter, [], node.is_async)


def _statements(node: ast.stmt, place: _Place) -> Iterator[ast.stmt]:
    match node:
        case ast.FunctionDef():
            for kept in _without_one(node.decorator_list):
                yield _but(node, decorator_list=kept)
            return
        case ast.ClassDef():
            return
        case ast.Return(value=value) if value is not None:
            yield ast.Return(None)
            return
        case ast.If(test=test):
            yield _but(node, test=ast.UnaryOp(ast.Not(), test))
            yield _but(node, test=ast.Constant(True))
            yield _but(node, test=ast.Constant(False))
            return
        case ast.With(body=body):
            yield ast.If(ast.Constant(True), body, [])
        case ast.AugAssign(target=target, op=operator, value=value):
            yield ast.Assign([target], value, lineno=0)
            yield from (ast.AugAssign(target, new(), value) for new in _OPERATORS.get(type(operator), ()))
    if place.field in ("body", "orelse", "finalbody") and not isinstance(node, ast.Pass):
        yield ast.Pass()


def _arithmetic(node: ast.BinOp) -> Iterator[ast.AST]:
    left, right = node.left, node.right
    yield from (ast.BinOp(left, new(), right) for new in _OPERATORS.get(type(node.op), ()))
    yield left
    if not isinstance(node.op, ast.Pow):
        yield right
    if isinstance(node.op, ast.Sub | ast.Div | ast.Pow):
        yield ast.BinOp(right, node.op, left)


def _constants(value: object) -> Iterator[bool | int | float | str]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from dict.fromkeys((value + 1, value - 1, 2 * value))
    elif isinstance(value, float):
        yield from dict.fromkeys((2 * value, value + 1, 0.0))
    elif isinstance(value, str):
        yield from _WORDS.get(value, ())


def _calls(node: ast.Call, modules: frozenset[str]) -> Iterator[ast.AST]:
    arguments, keywords = node.args, node.keywords
    if isinstance(node.func, ast.Attribute):
        owner = node.func.value
        if not (isinstance(owner, ast.Name) and owner.id in modules | {"self"}):
            yield owner  # as if a method of a chain had been forgotten
    if arguments and not isinstance(arguments[0], ast.Starred):
        yield arguments[0]
    for chosen in (*_without_one(arguments), *_with_two_swapped(arguments)):
        yield ast.Call(node.func, chosen, keywords)
    for kept in _without_one(keywords):
        yield ast.Call(node.func, arguments, kept)


def _siblings(name: str) -> Iterator[str]:
    return (new for old, new in _SIBLINGS if old == name)


def _neighbours(name: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names that are bound just before and just after a name, which are most easily confused with it."""
    if name not in names:
        return ()
    at = names.index(name)
    return (*names[max(0, at - 1) : at], *names[at + 1 : at + 2])


def _without_one(items: list[Any]) -> Iterator[list[Any]]:
    for index in range(len(items)):
        yield [*items[:index], *items[index + 1 :]]


def _with_two_swapped(items: list[Any]) -> Iterator[list[Any]]:
    for index in range(len(items) - 1):
        yield [*items[:index], items[index + 1], items[index], *items[index + 2 :]]


def _but(node: Any, **fields: object) -> Any:
    """Return a copy of a node with other values of some fields."""
    return type(node)(**{**dict(ast.iter_fields(node)), **fields})


# Telling mutants apart, and showing them


def _signature(tree: ast.AST) -> object:
    """Return the compiled code without line numbers. Raises SyntaxError or ValueError if it does not compile."""
    ast.fix_missing_locations(tree)
    return _essence(compile(ast.unparse(tree), "mutant", "exec", optimize=2, dont_inherit=True))


def _essence(code: CodeType) -> object:
    constants = tuple(_essence(item) if isinstance(item, CodeType) else _typed(item) for item in code.co_consts)
    return (
        code.co_name,
        code.co_code,
        constants,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        code.co_flags,
        code.co_argcount,
    )


def _typed(constant: object) -> object:
    """Return a constant with its type, since 1, 1.0 and True are equal but not the same."""
    return f"{type(constant).__name__} {constant!r}"


def _context(place: _Place, node: ast.AST) -> ast.AST | None:
    """Return the smallest piece of code around a node that is long enough to show a change.

    None for the node itself.
    """
    around = itertools.chain([node] if isinstance(node, ast.expr) else [], reversed(place.above))
    if isinstance(node, ast.stmt):
        return None
    for each in around:
        if isinstance(each, ast.stmt) or (isinstance(each, ast.expr) and each is not node and _is_wide(each)):
            return each
    return None


def _shortened(before: str, after: str) -> tuple[str, str]:
    """Return both texts, with their common beginning and end shortened."""
    start = _alike(before, after)
    end = _alike(before[start:][::-1], after[start:][::-1])
    opening, closing = before[:start], before[len(before) - end :]
    if len(opening) > _MAX_CONTEXT:
        opening = "… " + opening[-_MAX_CONTEXT:].partition(" ")[2]
    if len(closing) > _MAX_CONTEXT:
        closing = closing[:_MAX_CONTEXT].rpartition(" ")[0] + " …"
    return opening + before[start : len(before) - end] + closing, opening + after[start : len(after) - end] + closing


def _alike(first: str, second: str) -> int:
    """Return the length of the common beginning of two texts."""
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))


def _is_wide(node: ast.expr) -> bool:
    return len(ast.unparse(node)) >= _MIN_CONTEXT


def _text(node: ast.AST) -> str:
    """Return the code of a node in one line; for a compound statement, its first line."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        decorators = "".join(f"@{ast.unparse(each)} " for each in node.decorator_list)
        node = _but(node, decorator_list=[], body=[ast.Pass()])
        return decorators + ast.unparse(ast.fix_missing_locations(node)).splitlines()[0]
    return ast.unparse(ast.fix_missing_locations(node)).splitlines()[0]


__all__ = ["Mutant", "mutants_of"]
