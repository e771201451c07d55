"""Loads a student's notebook as a module with its imports, definitions and constants, without running its work.

In a notebook, definitions stand among downloads, training and plots. What runs are imports, functions, classes,
assignments whose values are built from literals, names, libraries and the notebook's own classes, and method calls on
a library's objects (such as a parser's). Loops, plots and calls of the student's own functions do not run, except that
such a call which trains nothing is run if a definition needs its result. Cells may have been run in another order, so a
statement that lacked a name is tried again at the end. If a statement raises an error or cannot be parsed, only the
names that it would have defined are affected: asking for one of them raises the same error, or says which name was
missing first.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import linecache
import re
import sys
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from itertools import pairwise
from pathlib import Path, PurePath
from types import BuiltinFunctionType, BuiltinMethodType, CodeType, FunctionType, MethodType, ModuleType
from typing import Final

from gengrade.sandbox.guest.cells import UNREADABLE, parsed, readable, written
from gengrade.sandbox.guest.errors import FAILED, STAR, Missing

SKIPPED: Final = "__skipped__"  # attribute of the module: for each name, its assignment that was not run

_METHODS: Final = {"to", "cuda", "cpu", "double", "float", "half", "eval", "apply", "parameters", "manual_seed"}
TRAINING: Final = frozenset({"backward", "fit", "minimize"})  # attributes that only training uses
_WORK: Final = TRAINING | {"step", "fit_generator"}  # names that functions which train use
_FORBIDDEN: Final = (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)
_MADE: Final = (
    type,
    FunctionType,
    MethodType,
    BuiltinFunctionType,
    BuiltinMethodType,
)  # what says where it was defined


class ProgramEnded(RuntimeError):
    """A statement at the top level ends the program."""


@dataclass(frozen=True, slots=True)
class Step:
    """A statement of a cell or of a program; `cell` is the cell's or the program's name in tracebacks."""

    statement: ast.stmt
    cell: str

    def skip(self, module: ModuleType) -> None:
        """Take note that the names which the statement defines are skipped."""
        for name in names_of(self.statement):
            vars(module)[SKIPPED][name] = self
            vars(module)[FAILED].pop(name, None)

    def run(self, module: ModuleType) -> Exception | None:
        """Run the statement, updates the module's failed and skipped names, and returns the error, if there is one."""
        failed, skipped = vars(module)[FAILED], vars(module)[SKIPPED]
        names = names_of(self.statement)
        try:
            tree = ast.Module([*_future(module), self.statement], [])
            exec(compile(tree, self.cell, "exec", dont_inherit=True), module.__dict__)
        except (Exception, SystemExit) as raised:
            error = raised if isinstance(raised, Exception) else ProgramEnded(f"it ends the program ({raised})")
            if not (isinstance(error, NameError) and error.name in names & {*failed, *skipped}):
                failed.update(dict.fromkeys(names, error))  # otherwise the name lacked itself, for an earlier reason
            return error
        for name in names:
            failed.pop(name, None)
            skipped.pop(name, None)
        return None


def _future(module: ModuleType) -> list[ast.stmt]:
    """Import of the features of `__future__` that a module has imported, which each later statement needs as well."""
    names = [name for name in __future__.all_feature_names if vars(module).get(name) is getattr(__future__, name)]
    return [ast.fix_missing_locations(ast.ImportFrom("__future__", [ast.alias(name)], 0)) for name in names]


def load(path: Path, provided: Mapping[str, object] | None = None, until: int | None = None) -> ModuleType:
    """Return the notebook's module. `provided` holds globals for names that the notebook does not define.

    `until`: only the cells before this one (counted from 1) run, for the state in which it was reached. Raises
    ValueError for a file that is not a notebook.
    """
    module = ModuleType(f"notebook {path.stem}" if until is None else f"notebook {path.stem} until {until}")
    module.__file__ = sys.argv[0] = str(path)
    del sys.argv[1:]
    module.__dict__.update({**(provided or {}), FAILED: {}, SKIPPED: {}})
    sys.modules[module.__name__] = module  # where dataclasses and pickles look for a class's module
    late: list[Step] = []
    for position, (name, source) in enumerate(cells(path), start=1):
        if until is not None and position >= until:
            break
        late += _run_cell(module, name, source)
    run_again(module, late, lambda step: _run_step(module, step))
    return module


def make(module: ModuleType, name: str) -> bool:
    """Run the skipped assignment of a name, if the student's own functions in it train nothing. True on success.

    A network may come from a function: `netG = make_generator(110)`.
    """
    step = vars(module).get(SKIPPED, {}).get(name)
    if step is None or not isinstance(step.statement, ast.Assign):
        return False

    def makes(function: ast.expr, module: ModuleType) -> bool:
        called = vars(module).get(function.id) if isinstance(function, ast.Name) else None
        return _makes(function, module) or (isinstance(called, FunctionType) and not _leads_to_training(called))

    if not _is_plain(step.statement.value, module, makes):
        return False
    failed = dict(vars(module)[FAILED])
    made = step.run(module) is None
    if not made:
        vars(module)[FAILED] = failed  # that it could not be made is no reason for which it is missing
    return made


def why(module: ModuleType, name: str) -> Exception | None:
    """Return the error that kept a notebook from defining a name; None if no cell defines it.

    If the reason is another missing name, it is a Missing that names the whole chain up to the first one. A module that
    could not be imported is the same error for all names that need it.
    """
    failed: dict[str, Exception] = vars(module).get(FAILED, {})
    skipped: dict[str, Step] = vars(module).get(SKIPPED, {})
    chain, error = [name], failed.get(name)
    while isinstance(error, NameError) and error.name in {*failed, *skipped} - {*chain}:
        chain.append(str(error.name))
        error = failed.get(chain[-1])
    last = chain[-1]
    if isinstance(error, ImportError) or (len(chain) == 1 and (error is not None or name not in skipped)):
        return error
    needs = "".join(f"{each} needs {other}. " for each, other in pairwise(chain))
    if error is not None:
        reason = f"{last} is not defined here ({type(error).__name__}: {' '.join(str(error).split())[:80]})"
    else:
        reason = f"{last} is computed in {Path(skipped[last].cell).name}"
    return Missing(
        f"{needs}{reason}: the grader runs imports, definitions and constants, but loads no data and trains nothing. "
        f"Write what you need of {last} as constants, or define it without work."
    )


def cells(path: Path) -> list[tuple[str, str]]:
    """Return the code cells of a notebook, as pairs of name and source.

    The name is used in tracebacks: "…/homework.ipynb, cell 3", counted among code cells from 1. Raises ValueError for a
    file that is not a notebook.
    """
    import nbformat  # only courses with notebooks need it

    try:
        with warnings.catch_warnings(action="ignore"):
            notebook = nbformat.reads(path.read_text("utf-8", "replace"), as_version=4)
        sources = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    except Exception as error:  # the file may contain anything
        raise ValueError(f"{path.name} is no notebook that Jupyter can read ({type(error).__name__})") from None
    sources = ["".join(source) if isinstance(source, list) else str(source) for source in sources]
    return [(f"{path}, cell {number}", source) for number, source in enumerate(sources, start=1)]


def defining(path: Path, name: str) -> list[int]:
    """Return the numbers of all cells that define or assign that name at their top level, counted from 1."""
    found = []
    for number, (_, source) in enumerate(cells(path), start=1):
        try:
            tree = parsed(source, "")
        except UNREADABLE:
            continue
        if any(name in names_of(statement) for statement in tree.body):
            found.append(number)
    return found


def _run_cell(module: ModuleType, name: str, source: str) -> list[Step]:
    """Run the statements of a cell that may run, and returns those that lacked a name."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    tree, broken = readable(source, name)
    for piece, error in broken:
        vars(module)[FAILED].update(dict.fromkeys(_names_in(piece), error))
    return _run_steps(module, [Step(statement, name) for statement in tree.body])


def run(module: ModuleType, steps: Sequence[Step]) -> None:
    """Run the statements of a notebook that may run; those that lack a name are tried again at the end."""
    run_again(module, _run_steps(module, steps), lambda step: _run_step(module, step))


def _run_steps(module: ModuleType, steps: Sequence[Step]) -> list[Step]:
    """Run the statements that may run, and returns those that lacked a name."""
    late = []
    for step in steps:
        file = written(step.statement)
        if file is not None:
            _Written.found_by(module).add(*file)
        elif isinstance(_run_step(module, step), NameError):
            late.append(step)
    return late


def _run_step(module: ModuleType, step: Step) -> Exception | None:
    """Run a statement if it may run, and returns its error; otherwise takes note that its names are skipped."""
    if _is_kept(step.statement, module):
        return step.run(module)
    step.skip(module)
    return None


def run_again(module: ModuleType, late: list[Step], run: Callable[[Step], Exception | None]) -> None:
    """Run the statements that lacked a name again, by `run`, until this no longer defines more names.

    A name that they lack is made if a function of the student's makes it without training.
    """
    failed = vars(module)[FAILED]
    while waiting := [step for step in late if any(name in failed for name in names_of(step.statement))]:
        lacking = {error.name for error in failed.values() if isinstance(error, NameError)}
        made = [make(module, name) for name in lacking if isinstance(name, str) and name not in vars(module)]
        late = [step for step in waiting if isinstance(run(step), NameError)]
        failed = vars(module)[FAILED]
        if len(late) == len(waiting) and not any(made):
            return


class _Written(MetaPathFinder, InspectLoader):
    """Finds the modules whose files a notebook writes by `%%writefile`, before installed packages and other files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._texts: dict[str, str] = {}

    @classmethod
    def found_by(cls, module: ModuleType) -> _Written:
        """Return the finder of a notebook's folder."""
        folder = Path(str(module.__file__)).parent
        for finder in sys.meta_path:
            if isinstance(finder, cls) and finder._folder == folder:
                return finder
        made = cls(folder)
        sys.meta_path.insert(0, made)
        return made

    def add(self, file: str, text: str) -> None:
        """Add a file; files that are no Python modules are left out."""
        path = PurePath(file)
        if path.suffix == ".py" and path.stem not in sys.stdlib_module_names:
            self._texts[".".join((*(part for part in path.parent.parts if part != "."), path.stem))] = text

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._texts:
            return None
        return spec_from_loader(fullname, self, origin=str(self._folder / f"{fullname}.py"))

    def get_source(self, fullname: str) -> str:
        return self._texts[fullname]


def _is_kept(statement: ast.stmt, module: ModuleType) -> bool:
    kept = False
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Import() | ast.ImportFrom():
            kept = True
        case ast.Expr(value=ast.Call(func=ast.Attribute() as function) as call):
            kept = _is_told(function, module) and all(_is_foreign(inner, module) for inner in _within(call))
        case ast.Assign(targets=targets, value=value):
            kept = all(_is_name(each) or _is_item(each, module) for each in targets) and _is_plain(value, module)
        case (
            ast.AnnAssign(target=ast.Name(), value=ast.expr() as value) | ast.AugAssign(target=ast.Name(), value=value)
        ):
            kept = _is_plain(value, module)
        case ast.If(test=test, body=body, orelse=orelse):
            kept = _is_plain(test, module) and all(_is_kept(inner, module) for inner in (*body, *orelse))
        case ast.Pass():
            kept = True
        case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
            inside = [*body, *(inner for handler in handlers for inner in handler.body), *orelse, *final]
            kept = all(_is_kept(inner, module) for inner in inside)
    return kept


def _is_name(target: ast.expr) -> bool:
    if isinstance(target, ast.Tuple | ast.List):
        return all(map(_is_name, target.elts))
    return isinstance(target, ast.Name)


def _is_item(target: ast.expr, module: ModuleType) -> bool:
    """Return whether a target is an item of an object of a library's, such as the first number of a tensor."""
    if not isinstance(target, ast.Subscript) or not isinstance(target.value, ast.Name):
        return False
    name = target.value.id
    if name in vars(module)[FAILED]:
        return True  # this raises an error, and the statement is tried again
    own = name not in vars(module) or not _is_library(_origin(vars(module)[name]), module)
    return not own and _is_plain(target.slice, module)


def _is_told(method: ast.Attribute, module: ModuleType) -> bool:
    """Return whether a method belongs to an object whose class comes from a library, such as a parser or a list."""
    root = root_of(method)
    found = module.__dict__.get(root) if root else None
    if found is None or isinstance(found, ModuleType | type | FunctionType):
        return False
    return _is_library(_origin(found), module)


def _is_foreign(value: ast.expr, module: ModuleType) -> bool:
    """Return whether an expression is plain: it names no code of the student's that trains and a library could run."""
    named = (module.__dict__.get(node.id) for node in ast.walk(value) if isinstance(node, ast.Name))
    own = (each for each in named if _origin(each) is module)
    return _is_plain(value, module) and all(
        isinstance(each, FunctionType) and not _leads_to_training(each) for each in own
    )


def _is_plain(value: ast.expr, module: ModuleType, makes: Callable[[ast.expr, ModuleType], bool] | None = None) -> bool:
    """Return whether an expression only builds a value, without running the student's own functions.

    `makes` says which calls only build something.
    """
    makes = makes or _makes
    if isinstance(value, ast.Lambda):
        return True  # a definition
    if isinstance(value, _FORBIDDEN):
        return False
    if isinstance(value, ast.Call) and not makes(value.func, module):
        return False
    return all(_is_plain(inner, module, makes) for inner in _within(value))


def _within(node: ast.AST) -> Iterator[ast.expr]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            yield child
        else:
            yield from _within(child)


def _makes(function: ast.expr, module: ModuleType) -> bool:
    """Return whether a call only builds something: by a library, a builtin class, or a class of the notebook."""
    root = root_of(function)
    found = module.__dict__.get(root) if root else None
    if isinstance(function, ast.Attribute) and function.attr in _METHODS and not isinstance(found, ModuleType):
        return True  # a method of an object that was built, as in `Generator().to(device)`
    if root is None:
        return _is_method_of_library(function, module)
    if root not in module.__dict__:
        if root in vars(module)[FAILED]:
            return True  # this raises an error, which leads to the reason
        return isinstance(function, ast.Name) and isinstance(getattr(builtins, root, None), type)
    if isinstance(found, type):
        return True
    return _is_library(_origin(found), module)


def _is_method_of_library(function: ast.expr, module: ModuleType) -> bool:
    """Return whether a method belongs to what a library made, as in `(1 - alphas).sqrt()`."""
    start = root_of(function, through=(ast.Attribute, ast.Call, ast.Subscript))
    if start is not None or not isinstance(function, ast.Attribute):
        return start in module.__dict__ and _is_library(_origin(module.__dict__[start]), module)
    named = {node.id for node in ast.walk(function.value) if isinstance(node, ast.Name)}
    known = named - vars(module)[FAILED].keys()  # the others raise an error, which leads to the reason
    return all(name in vars(module) and _is_library(_origin(vars(module)[name]), module) for name in known)


def _origin(thing: object) -> ModuleType | None:
    """Return the module that a thing is, or in which its definition or that of its class stands."""
    if isinstance(thing, ModuleType):
        return thing
    name = (thing if isinstance(thing, _MADE) else type(thing)).__module__
    if not isinstance(name, str) and isinstance(thing, BuiltinMethodType):  # of an object, such as numpy.random.rand
        return _origin(thing.__self__)
    return sys.modules.get(name) if isinstance(name, str) else None


def trains(code: ast.AST, words: Collection[str] = TRAINING) -> bool:
    """Return whether a piece of code uses an attribute that occurs in training: one of `words`."""
    return any(isinstance(node, ast.Attribute) and node.attr in words for node in ast.walk(code))


def _leads_to_training(function: FunctionType) -> bool:
    """Return whether a function, or a function of the notebook that it calls, uses names that occur in training."""
    seen: set[str] = set()
    waiting = [function.__code__]
    while waiting:
        names, inner = set(waiting[-1].co_names) - seen, waiting.pop().co_consts
        seen |= names
        waiting += [each for each in inner if isinstance(each, CodeType)]
        others = (function.__globals__.get(name) for name in names)
        waiting += [
            each.__code__
            for each in others
            if isinstance(each, FunctionType) and each.__globals__ is function.__globals__
        ]
    return bool(seen & _WORK)


def _is_library(origin: ModuleType | None, module: ModuleType) -> bool:
    """Return whether a module is a library, and not a file beside the notebook."""
    beside = str(Path(str(module.__file__)).parent)
    return origin is not None and not str(vars(origin).get("__file__", "")).startswith(f"{beside}/")


def root_of(expression: ast.expr, through: tuple[type[ast.expr], ...] = (ast.Attribute,)) -> str | None:
    """Return the first name of a dotted expression; None if it does not begin with a name.

    `through`: the kinds of expressions that may stand between.
    """
    while isinstance(expression, through):
        expression = expression.func if isinstance(expression, ast.Call) else expression.value  # type: ignore[attr-defined]
    return expression.id if isinstance(expression, ast.Name) else None


def names_of(statement: ast.stmt) -> set[str]:
    """Return the names that a statement defines; those of `from utils import *` together as "*utils"."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.ImportFrom(module=module, names=[ast.alias(name="*")]):
            return {f"{STAR}{module}"}
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return {alias.asname or alias.name.partition(".")[0] for alias in aliases}
        case ast.Assign(targets=targets):
            nodes: Sequence[ast.AST] = targets
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            nodes = [target]
        case ast.If() | ast.Try():
            inner = (each for each in ast.walk(statement) if isinstance(each, ast.stmt) and each is not statement)
            return set().union(*(names_of(each) for each in inner if not isinstance(each, ast.If | ast.Try)))
        case _:
            return set()
    return {node.id for target in nodes for node in ast.walk(target) if isinstance(node, ast.Name)}


def _names_in(source: str) -> set[str]:
    """Return the names that a piece of a cell seems to define, if it cannot be parsed."""
    return set(re.findall(r"^(?:def|class)\s+(\w+)", source, re.MULTILINE)) | set(
        re.findall(r"^(\w+)\s*=(?!=)", source, re.MULTILINE)
    )
