"""Extract the part of our own code that one run needs: a probe's function and all definitions that it refers to.

A student's code can find everything in its process, and our definition in one run may be the answer to what another run
asks. So a run gets only the definitions that its probe uses. They are derived from the code itself. Four properties are
deliberate:

1. A definition is needed when needed code refers to it as a global name, by an import, or as an attribute of an
   imported module. Annotations do not count, nor does what stands below `if TYPE_CHECKING`, since they are never
   evaluated.
2. Of the adapters, a run gets the adapter classes, here called contracts, of the parts that its probe uses
   (`package.vae`), with the methods that it calls (`package.vae.kld`), and what these call.
3. Where the code does not name an attribute (`getattr(package.vae, which)`), the whole object is needed.
4. Modules keep their names and line numbers, so that tracebacks, dataclasses and pickles do not change.

Only probes, adapters and the packages that these share (`graders.probing`, `graders.adapting`) are extracted; all other
modules must be in the zygote.
"""

from __future__ import annotations

import ast
import copy
import dis
import hashlib
import json
import marshal
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import CodeType
from typing import Final

from gengrade.course import Course, module_path

_PROBES: Final = "probes"  # the ending of the names of probes' files
PROBING: Final = "graders.probing"
ADAPTING: Final = "graders.adapting"
PACKAGE: Final = "package"  # the name of every probe's parameter for the submission
_WALLS: Final = ("gengrade.sandbox.guest.", "gengrade.sandbox.wire", "gengrade.parts", "gengrade.choices")
_PACKAGE_CLASS: Final = (f"{ADAPTING}.loading", "Package")
_GLOBALS: Final = {"LOAD_GLOBAL", "LOAD_NAME"}
_FLAGS: Final = annotations.compiler_flag  # of `from __future__ import annotations`, which all our modules begin with
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class ClosureError(ValueError):
    """Code that a run needs does not exist, or lies in a module that no run may get."""


@dataclass(frozen=True, slots=True)
class Closure:
    """The code that a run gets."""

    code: bytes  # for `gengrade.sandbox.guest.library.load`
    digest: str  # a hash over everything that the code depends on
    definitions: frozenset[tuple[str, str]]  # modules and names; a contract's method is named "Contract.method"


@cache
def closure_of(course: Course, probe: str) -> Closure:
    """Return the code for running a probe, such as "vae:kld", on a submission of a course. Raises ClosureError."""
    file, _, function = probe.partition(":")
    name = probe_module(file)
    search = _Search(course.adapters)
    search.need(name, function)
    search.need(*_PACKAGE_CLASS)
    search.follow()
    modules = search.modules()
    parts = {key: asdict(part) for key, part in course.parts.items()}
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    for each, cut in sorted(modules.items()):
        digest.update(f"{each}\0{cut.digest}\0".encode())
    document = {
        "probe": (name, function),
        "package": _PACKAGE_CLASS,
        "parts": parts,
        "contracts": {part: course.adapters[part] for part in sorted(search.parts)},
        "modules": {each: (cut.is_package, cut.code) for each, cut in modules.items()},
    }
    return Closure(marshal.dumps(document), digest.hexdigest(), frozenset(search.definitions()))


def probe_module(name: str) -> str:
    """Return the module of a file of probes: graders.vae.probes for "vae", graders.vae.loop_probes for "vae.loop"."""
    family, _, subject = name.partition(".")
    return f"graders.{family}.{subject}_probes" if subject else f"graders.{family}.probes"


def probe_files() -> list[str]:
    """Return the names of all files of probes, as `probe_module` takes them."""
    found = sorted(module_path("graders").glob(f"*/*{_PROBES}.py"))
    return [".".join([path.parent.name, *filter(None, [path.stem.removesuffix(_PROBES).strip("_")])]) for path in found]


def probes() -> list[str]:
    """Return the names of all probes, such as "vae:kld"."""
    return [
        f"{name}:{statement.name}"
        for name in probe_files()
        for statement in _source(probe_module(name)).tree.body
        if isinstance(statement, ast.FunctionDef) and not statement.name.startswith("_")
    ]


def libraries(course: Course) -> list[str]:
    """Return the third-party modules that our code for a course imports, for a zygote to import in advance."""
    sources = [_source(name) for name in _names_of(course)]
    return sorted({name for source in sources for name in source.foreign()})


def _names_of(course: Course) -> Iterator[str]:
    """Yield the names of all our modules that a run of a course may need parts of."""
    yield from map(probe_module, probe_files())
    for package in (PROBING, ADAPTING, course.adapters_package):
        for path in sorted(module_path(package).glob("*.py")):
            if path.stem != "__init__":
                yield f"{package}.{path.stem}"


def _is_ours(module: str) -> bool:
    """Return whether a run may get parts of a module: probes, a course's adapters, and packages that these share."""
    match module.split("."):
        case ["graders", "probing" | "adapting", *_] | ["courses", _, "adapters", *_]:
            return True
    return _is_of_probes(module)


def _is_of_probes(module: str) -> bool:
    """Return whether a module is a file of probes."""
    match module.split("."):
        case ["graders", _, name]:
            return name.endswith(_PROBES)
    return False


def _is_with_the_guest(module: str) -> bool:
    """Return whether the zygote has a module: a third-party one, or one of the guest's own code."""
    return not module.startswith(("graders", "gengrade", "courses")) or module.startswith(_WALLS)


def _path(module: str) -> Path:
    """Return the file of one of our modules. Raises ClosureError if there is none."""
    stem = module_path(module)
    for path in (stem / "__init__.py", stem.with_suffix(".py")):
        if path.is_file():
            return path
    raise ClosureError(f"there is no module {module}")


def _is_module(module: str) -> bool:
    try:
        return bool(_path(module))
    except ClosureError:
        return False


@dataclass(slots=True)
class _Source:
    """One of our modules: its statements by the names that they bind, and those that must always run."""

    name: str
    tree: ast.Module
    is_package: bool
    bindings: dict[str, list[ast.stmt]] = field(default_factory=dict)
    always: list[ast.stmt] = field(default_factory=list)

    def __post_init__(self) -> None:
        body: list[ast.stmt] = []
        for statement in self.tree.body:
            if _is_for_type_checkers(statement):
                continue
            body += _split(statement) if isinstance(statement, ast.Import | ast.ImportFrom) else [statement]
        self.tree.body = body
        for statement in body:
            names = _bound(statement)
            for name in names:
                self.bindings.setdefault(name, []).append(statement)
            if not names and not _is_inert(statement):
                self.always.append(statement)

    def foreign(self) -> Iterator[str]:
        """Yield the modules outside our own code that it imports at its top level."""
        for statement in self.tree.body:
            for module, _ in _imported(statement):
                if not _is_ours(module) and module != "__future__":
                    yield module


@cache
def _source(name: str) -> _Source:
    path = _path(name)
    return _Source(name, ast.parse(path.read_bytes()), path.name == "__init__.py")


def _split(statement: ast.Import | ast.ImportFrom) -> list[ast.stmt]:
    """Return an import as one statement for each name."""
    parts = []
    for alias in statement.names:
        part = copy.copy(statement)
        part.names = [alias]
        parts.append(part)
    return list(parts)


def _bound(statement: ast.stmt) -> list[str]:
    """Return the global names that a top-level statement of a module binds."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Import(names=[alias]):
            return [alias.asname or alias.name.partition(".")[0]]
        case ast.ImportFrom(names=[alias]):
            return [] if statement.module == "__future__" else [alias.asname or alias.name]
    found = [node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    return list(dict.fromkeys(found))


def _is_inert(statement: ast.stmt) -> bool:
    """Return whether a statement without names can be left out: a docstring, or `from __future__ import …`."""
    return isinstance(statement, ast.ImportFrom) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def _is_for_type_checkers(statement: ast.stmt) -> bool:
    """Whether it is an `if TYPE_CHECKING`, whose lines are never run."""
    match statement:
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=[]):
            return True
    return False


def _imported(node: ast.AST) -> list[tuple[str, str | None]]:
    """Return the modules that an import names, each with the imported name (None: the module itself)."""
    match node:
        case ast.Import(names=aliases):
            return [(alias.name, None) for alias in aliases]
        case ast.ImportFrom(module=str() as module, names=aliases):
            whole = [(f"{module}.{alias.name}", alias) for alias in aliases]
            return [
                (name, None) if _is_ours(name) and _is_module(name) else (module, alias.name) for name, alias in whole
            ]
    return []


_NOTHING: Final = ""  # instead of a name: the module must exist, but no definition of it is needed


@dataclass(frozen=True, slots=True)
class _References:
    """Everything that a statement refers to."""

    globals: frozenset[str]
    imports: frozenset[tuple[str, str | None]]  # modules and names; None: all names of the module
    parts: frozenset[tuple[str, str | None]]  # ("vae", "kld") for `package.vae.kld`; None: all names of that part
    methods: frozenset[str] | None  # attributes of `self`; None: all of them


@cache  # statements are compared by identity, and live as long as their cached module
def _references(module: str, statement: ast.stmt) -> _References:
    """Return everything that a statement in one of our modules refers to. Raises ClosureError."""
    modules = _whole_modules(module)
    code = compile(ast.Module([statement], []), "<reference>", "exec", flags=_FLAGS, dont_inherit=True)
    names = frozenset(_globals(code))
    known = {alias: other for alias, other in modules.items() if alias in names}
    imports: set[tuple[str, str | None]] = set()
    for node in ast.walk(statement):
        for other, name in _imported(node):
            if not _is_ours(other):
                if not _is_with_the_guest(other):
                    raise ClosureError(f"a run may not get code of {other}")
                continue
            if name is None:
                (alias,) = (each.asname or each.name for each in node.names)  # type: ignore[attr-defined]
                known[alias] = other
                imports.add((other, _NOTHING))
            else:
                imports.add((other, name))
    for alias, other in known.items():
        imports |= {(other, name) for name in _attributes(statement, alias)}
    return _References(names, frozenset(imports), frozenset(_parts(statement)), _methods(statement))


def _globals(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname in _GLOBALS:
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _globals(constant)


def _attributes(statement: ast.AST, name: str) -> set[str | None]:
    """Return the attributes that a statement accesses on a name, and None if it also uses the name otherwise."""
    inside = {
        id(node.value): node.attr
        for node in ast.walk(statement)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    return {
        inside.get(id(node))
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
    }


def _parts(statement: ast.stmt) -> Iterator[tuple[str, str | None]]:
    """Yield the parts of the package that a statement uses, each with the attribute (None: unknown).

    Raises ClosureError if the statement uses the package without naming a part.
    """
    above = {id(child): node for node in ast.walk(statement) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(statement):
        if not isinstance(node, ast.Name) or node.id != PACKAGE or not isinstance(node.ctx, ast.Load):
            continue
        part = above[id(node)]
        if isinstance(part, ast.Attribute):
            yield part.attr, _asked(above[id(part)])
        elif not isinstance(part, ast.Call | ast.keyword):
            raise ClosureError(f"line {node.lineno}: the code does not name the part of the package that it uses")


def _asked(node: ast.AST) -> str | None:
    """Return the attribute in `part.name`, or in `hasattr(part, "name")`; None for any other expression."""
    match node:
        case ast.Attribute(attr=name):
            return name
        case ast.Call(func=ast.Name(id="hasattr" | "getattr"), args=[_, ast.Constant(value=str() as name), *_]):
            return name
    return None


def _methods(statement: ast.stmt) -> frozenset[str] | None:
    found = _attributes(statement, "self")
    return None if None in found else frozenset(name for name in found if name is not None)


class _Search:
    """The search for needed definitions: those found so far in each module, and those still to be followed."""

    def __init__(self, contracts: Mapping[str, str]) -> None:
        self._contracts = contracts
        self.parts: set[str] = set()
        self._needed: dict[str, dict[int, ast.stmt]] = {}  # for each module, its statements by identity
        self._methods: dict[tuple[str, str], set[str]] = {}  # for each contract
        self._waiting: list[tuple[str, ast.stmt]] = []

    def need(self, module: str, name: str | None) -> None:
        """Add a definition of a module, or all of them if the name is None. Raises ClosureError if it is missing."""
        source = self._source(module)
        names: Iterable[str] = source.bindings if name is None else [name] if name != _NOTHING else []
        for each in names:
            if each not in source.bindings:
                raise ClosureError(f"{module} has no {each}")
            for statement in source.bindings[each]:
                self._add(module, statement)

    def follow(self) -> None:
        """Add everything that the needed definitions refer to, directly or indirectly. Raises ClosureError."""
        while self._waiting:
            module, statement = self._waiting.pop()
            found = _references(module, statement)
            source = _source(module)
            for name in found.globals & source.bindings.keys():
                self.need(module, name)
            for other, wanted in found.imports:
                self.need(other, wanted)
            if _is_of_probes(module) or module.startswith(f"{PROBING}."):
                self._add_parts(found.parts)

    def _add_parts(self, parts: Iterable[tuple[str, str | None]]) -> None:
        for part, method in parts:
            if part not in self._contracts:
                continue  # this course has no such part
            module, _, name = self._contracts[part].partition(":")
            self.parts.add(part)
            if (module, name) not in self._methods:
                self._methods[module, name] = set()
                self.need(module, name)
            self._ask(module, name, method)

    def _ask(self, module: str, contract: str, method: str | None) -> None:
        """Add a method of a contract, or all of them if it is None, and the methods of `self` that it calls."""
        own = {each.name: each for each in _contract(module, contract).body if isinstance(each, _Function)}
        needed = self._methods[module, contract]
        for name in own if method is None else {method} & own.keys():
            if name in needed:
                continue
            needed.add(name)
            self._waiting.append((module, own[name]))
            called = _references(module, own[name]).methods
            for each in own if called is None else called & own.keys():
                self._ask(module, contract, each)

    def _add(self, module: str, statement: ast.stmt) -> None:
        needed = self._needed[module]
        if id(statement) in needed:
            return
        needed[id(statement)] = statement
        if isinstance(statement, ast.ClassDef) and (module, statement.name) in self._methods:
            shell = _with_methods(statement, ())
            self._waiting.append((module, shell))
            for each in statement.body:
                if isinstance(each, _Function) and each.name.startswith("__"):
                    self._ask(module, statement.name, each.name)
        else:
            self._waiting.append((module, statement))

    def _source(self, module: str) -> _Source:
        if not _is_ours(module):
            raise ClosureError(f"a run may not get code of {module}")
        source = _source(module)
        if module not in self._needed:
            self._needed[module] = {}
            for statement in source.always:
                self._add(module, statement)
        return source

    def modules(self) -> dict[str, _Cut]:
        """Return the needed part of each module, and an empty module for each package above them."""
        found: dict[str, _Cut] = {}
        for module, needed in self._needed.items():
            for above in _above(module):
                found.setdefault(above, _Cut(True, "", _compiled(above, ast.Module([], []))))
            asked = ((name, frozenset(methods)) for (other, name), methods in self._methods.items() if other == module)
            found[module] = _cut(module, frozenset(needed), frozenset(asked))
        return found

    def definitions(self) -> Iterator[tuple[str, str]]:
        """Yield the module and the name of each needed definition."""
        for module, needed in self._needed.items():
            for statement in needed.values():
                if isinstance(statement, _Function | ast.ClassDef):
                    yield module, statement.name
        for (module, contract), methods in self._methods.items():
            yield from ((module, f"{contract}.{method}") for method in methods)


@dataclass(frozen=True, slots=True)
class _Cut:
    """The part of a module that a run gets."""

    is_package: bool
    digest: str
    code: CodeType


@cache
def _cut(module: str, needed: frozenset[int], methods: frozenset[tuple[str, frozenset[str]]]) -> _Cut:
    """Return the needed part of a module, given its statements by identity and the methods of its contracts."""
    source, asked = _source(module), dict(methods)
    body: list[ast.stmt] = []
    for statement in source.tree.body:
        if id(statement) in needed:
            is_contract = isinstance(statement, ast.ClassDef) and statement.name in asked
            body.append(_with_methods(statement, asked[statement.name]) if is_contract else statement)  # type: ignore[arg-type, attr-defined]
    tree = ast.Module(body, [])
    return _Cut(source.is_package, hashlib.sha256(ast.dump(tree).encode()).hexdigest(), _compiled(module, tree))


@cache
def _whole_modules(module: str) -> dict[str, str]:
    """Return the names that a module binds to whole modules of ours, and these modules."""
    found = {}
    for statement in _source(module).tree.body:
        for other, name in _imported(statement):
            if name is None and _is_ours(other):
                (bound,) = _bound(statement)
                found[bound] = other
    return found


def _contract(module: str, name: str) -> ast.ClassDef:
    for statement in _source(module).bindings.get(name, ()):
        if isinstance(statement, ast.ClassDef):
            return statement
    raise ClosureError(f"{module} has no class {name}")


def _with_methods(statement: ast.ClassDef, methods: Collection[str]) -> ast.ClassDef:
    """Return a class with only these of its methods."""
    cut = copy.copy(statement)
    cut.body = [each for each in statement.body if not isinstance(each, _Function) or each.name in methods]
    cut.body = cut.body or [ast.copy_location(ast.Pass(), statement)]
    return cut


def _above(module: str) -> list[str]:
    """Return the packages that contain a module, the outermost first."""
    parts = module.split(".")
    return [".".join(parts[:count]) for count, _ in enumerate(pairwise(parts), start=1)]


def _compiled(module: str, tree: ast.Module) -> CodeType:
    code: CodeType = compile(tree, f"<{module}>", "exec", flags=_FLAGS, dont_inherit=True)
    return code
