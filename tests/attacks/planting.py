"""Answer each request of a run with each of our own definitions that the run contains.

A course's checks are run on the reference once, and the requests of each run are kept: the names that its adapter looks
for, and the methods of the classes among them. Then each run is repeated with one of these replaced by one of our own
functions, methods or classes that its process contains. If the run gives evidence, the whole check is judged; in runs
that do not contain the definition, the reference itself answers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any, Final

from gengrade.course import find
from gengrade.facts import Outcome
from gengrade.sandbox import Request, Run
from gengrade.sandbox.guest.library import Library
from validation import direct
from validation.workbench import Workbench, reference_of

# Modules that find what was handed in, and know of no model.
FINDING: Final = ("loading", "notebooks", "devices", "calling", "members", "attempts", "roles", "entries", "lightning")


@dataclass(frozen=True, slots=True)
class Place:
    """A replaced definition: a name that is requested, or a method of the class of that name."""

    name: str
    method: str = ""

    def __str__(self) -> str:
        return f"{self.name}.{self.method}" if self.method else self.name


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of our definitions, by its module and its qualified name."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"

    def of(self, own: Library) -> object:
        """Return this definition in a run's process, or None if the run does not contain it."""
        found: object = own.modules.get(self.module)
        for part in self.name.split("."):
            found = inspect.getattr_static(found, part, None)
        return found


@dataclass(frozen=True, slots=True)
class Planting:
    candidate: Candidate
    place: Place
    bound: bool = False  # in a method's place: it is given the object that it is called of

    def __str__(self) -> str:
        return f"{self.candidate} in the place of {self.place}"


def _refuse(*args: object, **kwargs: object) -> object:
    raise NotImplementedError


_NOBODY: Final = Candidate("", "")  # for whom `_refuse` stands


class Ground:
    """A course's workbench that keeps runs and repeats them with a planted definition."""

    def __init__(self, folder: Path, course: str) -> None:
        self.bench = Workbench(folder, direct.TIER, course)
        self.course = course
        self.asked: dict[str, Any] = {}  # what the run that goes on looks for, and finds
        self.requests: list[Request] = []
        self._planted: Planting | None = None
        self._run = self.bench.sandbox.run
        self.bench.sandbox.run = self._kept  # type: ignore[method-assign]

    def runs_of(self, check: str) -> list[tuple[Request, dict[str, Any]]]:
        """Return the runs of a check on the reference, one for each probe, with the requested names."""
        self.requests = []
        fact = self.bench.check(reference_of(self.course), check)[check]
        assert fact.outcome is Outcome.PASSED, fact
        first = {request.probe: request for request in reversed(self.requests)}
        found = []
        for request in first.values():
            self.asked = {}
            self._walled(request)
            found.append((request, dict(self.asked)))  # later runs go on noting what they look for
        return found

    def library(self, probe: str) -> Library:
        """Return our code that such a run contains."""
        return direct._own(find(self.course), probe)

    def heeded(self, check: str, request: Request, asked: Mapping[str, Any]) -> list[Place]:
        """Return the places that a check depends on."""
        return [place for place in places(asked) if self.heeds(check, request, place)]

    def heeds(self, check: str, request: Request, place: Place) -> bool:
        """Return whether the check fails with an unusable definition there."""
        return not self.answers(check, request, Planting(_NOBODY, place))

    def answers(self, check: str, request: Request, planting: Planting) -> bool:
        """Return whether the check passes with this definition planted."""
        with self._with(planting):
            if self._walled(request).outcome is not Outcome.PASSED:
                return False
            self.requests = []
            return self.bench.check(reference_of(self.course), check)[check].outcome is Outcome.PASSED

    @contextlib.contextmanager
    def _with(self, planting: Planting) -> Iterator[None]:
        self._planted = planting
        try:
            yield
        finally:
            self._planted = None

    def _kept(self, request: Request) -> Run:
        """Keep only the student's runs, and plant only in them, not in the reference's."""
        if request.tree == self.bench.reference:
            return self._run(request)
        self.requests.append(request)
        return self._walled(request)

    def _walled(self, request: Request) -> Run:
        own = self.library(request.probe)
        with _finding(own, self._found):
            return self._run(request)

    def _found(self, own: Library, name: str, thing: Any) -> Any:
        self.asked[name] = thing
        planted = self._planted
        if planted is None or planted.place.name != name:
            return thing
        candidate = _refuse if planted.candidate is _NOBODY else planted.candidate.of(own)
        if candidate is None:
            return thing
        if not planted.place.method:
            return candidate
        method = candidate if planted.bound else staticmethod(candidate)  # type: ignore[arg-type]
        return type(thing.__name__, (thing,), {planted.place.method: method, "__module__": thing.__module__})


@contextlib.contextmanager
def _finding(own: Library, found: Callable[[Library, str, Any], Any]) -> Iterator[None]:
    """Replace what an adapter finds in a submission, by name or role, by the result of `found`."""
    modules = own.modules["graders.adapting.loading"].Modules
    roles: Any = own.modules.get("courses.duke2017.adapters.roles")
    places: list[tuple[Any, str]] = [(modules, "find")]
    if roles is not None:
        places.append((roles.Roles, "_found"))
    originals = [(owner, name, getattr(owner, name)) for owner, name in places]

    def find(self: Any, name: str, *stems: str) -> Any:
        return found(own, name, originals[0][2](self, name, *stems))

    def role_of(self: Any, role: str) -> Any:
        filled = originals[1][2](self, role)
        return dataclasses.replace(filled, thing=found(own, role, filled.thing))

    for (owner, name), replacement in zip(places, (find, role_of), strict=False):
        setattr(owner, name, replacement)
    try:
        yield
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


def candidates(own: Library, passed_over: tuple[str, ...] = FINDING) -> list[Candidate]:
    """Return all functions, classes and methods that the modules of a run define."""
    found = []
    for module_name, module in own.modules.items():
        if module_name.rpartition(".")[2] in passed_over:
            continue
        for name, value in vars(module).items():
            if getattr(value, "__module__", None) != module_name or not callable(value):
                continue
            found.append(Candidate(module_name, name))
            if isinstance(value, type):
                found += [
                    Candidate(module_name, f"{name}.{method}")
                    for method, each in vars(value).items()
                    if isinstance(each, FunctionType)
                ]
    return found


def places(asked: Mapping[str, Any]) -> list[Place]:
    """Return the requested names, and the methods of the student's classes of these names."""
    found = [Place(name) for name in asked]
    for name, thing in asked.items():
        if isinstance(thing, type):
            methods = [method for method, each in vars(thing).items() if isinstance(each, FunctionType)]
            found += [Place(name, method) for method in methods if not method.startswith("__")]
    return found


def plantings(own: Library, place: Place, passed_over: tuple[str, ...] = FINDING) -> Iterator[Planting]:
    for candidate in candidates(own, passed_over):
        yield Planting(candidate, place)
        if place.method:
            yield Planting(candidate, place, bound=True)
