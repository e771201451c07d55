"""The code of ours that one run needs: a probe's function, and all definitions that it refers to, cut out of modules.

Whatever shares a process with a student's code can be found by it, so that a run is given no definition that its probe
does not use: what stands in the place of a student's function in one run would answer the question of another. What is
needed is derived from the code itself. Four properties are deliberate:

1. A definition is needed when code that is needed refers to it as a global name, by an import, or as an attribute of an
   imported module. Annotations are no references, nor is what stands below `if TYPE_CHECKING`, such as the import
   of a family's interface: they are never evaluated.
2. Of the adapters, a run is given the contracts of those parts that its probe speaks to (`package.vae`), with the
   methods that are called of them (`package.vae.kld`), and what these call.
3. Where the code does not say which name is meant (`getattr(package.vae, which)`), all of that object is needed.
4. Modules keep their names and their lines, so that tracebacks, dataclasses and pickles are as they would be.

Only probes, adapters and what these share (`graders.probing`, `graders.adapting`) are cut; all others have to be in the
zygote.
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

_PROBES: Final = "probes"  # how the names of their files end
PROBING: Final = "graders.probing"
ADAPTING: Final = "graders.adapting"
PACKAGE: Final = "package"  # what every probe calls the submission that it is given
_WALLS: Final = ("gengrade.sandbox.guest.", "gengrade.sandbox.wire", "gengrade.parts")
_PACKAGE_CLASS: Final = (f"{ADAPTING}.loading", "Package")
_GLOBALS: Final = {"LOAD_GLOBAL", "LOAD_NAME"}
_FLAGS: Final = annotations.compiler_flag  # of `from __future__ import annotations`, which all our modules begin with
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class ClosureError(ValueError):
    """Code that a run needs cannot be found, or lies where no run may be given it."""


@dataclass(frozen=True, slots=True)
class Closure:
    """What a run is given: `code` for `gengrade.sandbox.guest.library.load`, and a hash over what that depends on."""

    code: bytes
    digest: str
    definitions: frozenset[tuple[str, str]]  # module, name; of a contract's method "Contract.method"


@cache
def closure_of(course: Course, probe: str) -> Closure:
    """The code of a run of that probe ("vae:kld") on a submission of that course. Raises ClosureError."""
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
    """The module of a file of probes: "vae" is graders.vae.probes, "vae.loop" is graders.vae.loop_probes."""
    family, _, subject = name.partition(".")
    return f"graders.{family}.{subject}_probes" if subject else f"graders.{family}.probes"


def probe_files() -> list[str]:
    """All files of probes, by the names that `probe_module` takes."""
    found = sorted(module_path("graders").glob(f"*/*{_PROBES}.py"))
    return [".".join([path.parent.name, *filter(None, [path.stem.removesuffix(_PROBES).strip("_")])]) for path in found]


def probes() -> list[str]:
    """All probes: "vae:kld" and so on."""
    return [
        f"{name}:{statement.name}"
        for name in probe_files()
        for statement in _source(probe_module(name)).tree.body
        if isinstance(statement, ast.FunctionDef) and not statement.name.startswith("_")
    ]


def libraries(course: Course) -> list[str]:
    """The modules of others that our code for a course imports: a zygote has them ready."""
    sources = [_source(name) for name in _names_of(course)]
    return sorted({name for source in sources for name in source.foreign()})


def _names_of(course: Course) -> Iterator[str]:
    """All modules of ours that a run of that course may need a part of."""
    yield from map(probe_module, probe_files())
    for package in (PROBING, ADAPTING, course.adapters_package):
        for path in sorted(module_path(package).glob("*.py")):
            if path.stem != "__init__":
                yield f"{package}.{path.stem}"


def _is_ours(module: str) -> bool:
    """Whether a run may be given some of it: probes, what adapters share, and the adapters of a course."""
    match module.split("."):
        case ["graders", "probing" | "adapting", *_] | ["courses", _, "adapters", *_]:
            return True
    return _is_of_probes(module)


def _is_of_probes(module: str) -> bool:
    """Whether it is a file of probes. Only these speak to a submission."""
    match module.split("."):
        case ["graders", _, name]:
            return name.endswith(_PROBES)
    return False


def _is_with_the_guest(module: str) -> bool:
    """Whether it is somebody else's, or of the code that raises a run's walls: the zygote has those."""
    return not module.startswith(("graders", "gengrade", "courses")) or module.startswith(_WALLS)


def _path(module: str) -> Path:
    """The file of a module of ours. Raises ClosureError where there is none."""
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
    """A module of ours: which of its statements give which name, and which have to be run in any case."""

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
        """The modules of others that are imported at the top."""
        for statement in self.tree.body:
            for module, _ in _imported(statement):
                if not _is_ours(module) and module != "__future__":
                    yield module


@cache
def _source(name: str) -> _Source:
    path = _path(name)
    return _Source(name, ast.parse(path.read_bytes()), path.name == "__init__.py")


def _split(statement: ast.Import | ast.ImportFrom) -> list[ast.stmt]:
    """An import as one statement for each name."""
    parts = []
    for alias in statement.names:
        part = copy.copy(statement)
        part.names = [alias]
        parts.append(part)
    return list(parts)


def _bound(statement: ast.stmt) -> list[str]:
    """The global names that a statement at the top of a module gives."""
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
    """A docstring, or what a compiler is told."""
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
    """What an import names: modules, and the name that is wanted of each (None: the module itself)."""
    match node:
        case ast.Import(names=aliases):
            return [(alias.name, None) for alias in aliases]
        case ast.ImportFrom(module=str() as module, names=aliases):
            whole = [(f"{module}.{alias.name}", alias) for alias in aliases]
            return [
                (name, None) if _is_ours(name) and _is_module(name) else (module, alias.name) for name, alias in whole
            ]
    return []


_NOTHING: Final = ""  # in the place of a name: a module has to be there, whatever is in it


@dataclass(frozen=True, slots=True)
class _References:
    """What a piece of code refers to: global names; definitions in modules; parts of the package; own methods."""

    globals: frozenset[str]
    imports: frozenset[tuple[str, str | None]]  # module, name; None: any name in it
    parts: frozenset[tuple[str, str | None]]  # of `package.vae.kld`, both names; None: any name of that part
    methods: frozenset[str] | None  # of `self`; None: any


@cache  # a statement is itself, and lives as long as its file is known
def _references(module: str, statement: ast.stmt) -> _References:
    """What a statement in a module of ours refers to."""
    modules = _whole_modules(module)
    code = compile(ast.Module([statement], []), "<reference>", "exec", flags=_FLAGS, dont_inherit=True)
    names = frozenset(_globals(code))
    known = {alias: other for alias, other in modules.items() if alias in names}
    imports: set[tuple[str, str | None]] = set()
    for node in ast.walk(statement):
        for other, name in _imported(node):
            if not _is_ours(other):
                if not _is_with_the_guest(other):
                    raise ClosureError(f"no run is given {other}")
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
    """The attributes that are taken of a name; None among them where it is used in another way."""
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
    """The parts of the package that are spoken to, and what is asked of each. Raises ClosureError for a riddle."""
    above = {id(child): node for node in ast.walk(statement) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(statement):
        if not isinstance(node, ast.Name) or node.id != PACKAGE or not isinstance(node.ctx, ast.Load):
            continue
        part = above[id(node)]
        if isinstance(part, ast.Attribute):
            yield part.attr, _asked(above[id(part)])
        elif not isinstance(part, ast.Call | ast.keyword):
            raise ClosureError(f"line {node.lineno}: which part of the package is meant?")


def _asked(node: ast.AST) -> str | None:
    """The attribute that an expression takes of a part, as `part.name` or `hasattr(part, "name")`; else None."""
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
    """What is needed so far, module by module, and what still has to be looked at."""

    def __init__(self, contracts: Mapping[str, str]) -> None:
        self._contracts = contracts
        self.parts: set[str] = set()
        self._needed: dict[str, dict[int, ast.stmt]] = {}  # by module, its statements by their identities
        self._methods: dict[tuple[str, str], set[str]] = {}  # by contract
        self._waiting: list[tuple[str, ast.stmt]] = []

    def need(self, module: str, name: str | None) -> None:
        """Raises ClosureError where there is no such definition."""
        source = self._source(module)
        names: Iterable[str] = source.bindings if name is None else [name] if name != _NOTHING else []
        for each in names:
            if each not in source.bindings:
                raise ClosureError(f"{module} has no {each}")
            for statement in source.bindings[each]:
                self._add(module, statement)

    def follow(self) -> None:
        while self._waiting:
            module, statement = self._waiting.pop()
            found = _references(module, statement)
            source = _source(module)
            for name in found.globals & source.bindings.keys():
                self.need(module, name)
            for other, wanted in found.imports:
                self.need(other, wanted)
            if _is_of_probes(module) or module.startswith(f"{PROBING}."):
                self._speak(found.parts)

    def _speak(self, parts: Iterable[tuple[str, str | None]]) -> None:
        for part, method in parts:
            if part not in self._contracts:
                continue  # of a course that has no such part
            module, _, name = self._contracts[part].partition(":")
            self.parts.add(part)
            if (module, name) not in self._methods:
                self._methods[module, name] = set()
                self.need(module, name)
            self._ask(module, name, method)

    def _ask(self, module: str, contract: str, method: str | None) -> None:
        """A method of a contract is needed, or all of them; and what it calls of its own."""
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
            raise ClosureError(f"no run is given {module}")
        source = _source(module)
        if module not in self._needed:
            self._needed[module] = {}
            for statement in source.always:
                self._add(module, statement)
        return source

    def modules(self) -> dict[str, _Cut]:
        """What is needed of each module; the packages above them, empty."""
        found: dict[str, _Cut] = {}
        for module, needed in self._needed.items():
            for above in _above(module):
                found.setdefault(above, _Cut(True, "", _compiled(above, ast.Module([], []))))
            asked = ((name, frozenset(methods)) for (other, name), methods in self._methods.items() if other == module)
            found[module] = _cut(module, frozenset(needed), frozenset(asked))
        return found

    def definitions(self) -> Iterator[tuple[str, str]]:
        for module, needed in self._needed.items():
            for statement in needed.values():
                if isinstance(statement, _Function | ast.ClassDef):
                    yield module, statement.name
        for (module, contract), methods in self._methods.items():
            yield from ((module, f"{contract}.{method}") for method in methods)


@dataclass(frozen=True, slots=True)
class _Cut:
    """What a run is given of a module."""

    is_package: bool
    digest: str
    code: CodeType


@cache
def _cut(module: str, needed: frozenset[int], methods: frozenset[tuple[str, frozenset[str]]]) -> _Cut:
    """`needed`: identities of statements; `methods`: of contracts, by their names."""
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
    """The names by which a file knows whole modules of ours."""
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
    """A class with only those of its methods."""
    cut = copy.copy(statement)
    cut.body = [each for each in statement.body if not isinstance(each, _Function) or each.name in methods]
    cut.body = cut.body or [ast.copy_location(ast.Pass(), statement)]
    return cut


def _above(module: str) -> list[str]:
    """The packages that a module lies in."""
    parts = module.split(".")
    return [".".join(parts[:count]) for count, _ in enumerate(pairwise(parts), start=1)]


def _compiled(module: str, tree: ast.Module) -> CodeType:
    code: CodeType = compile(tree, f"<{module}>", "exec", flags=_FLAGS, dont_inherit=True)
    return code
