"""Bridges the hand-out of winter 2023, whose functions read the sequences of the schedule from globals.

That hand-out computes the eight sequences at the top of the file, for T = 1000 and β from 1e-4 to 0.02, and its
functions have no parameter for them. What it asks for is otherwise the same as in autumn 2023. The hand-out of autumn
2022 is alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import torch
from torch import Tensor

from gengrade.sandbox.guest.errors import Missing, Undecided
from graders.adapting import constants

NAMES: Final = (
    "betas",
    "alphas",
    "sqrt_recip_alphas",
    "alphas_cumprod",
    "sqrt_alphas_cumprod",
    "sqrt_one_minus_alphas_cumprod",
    "alphas_cumprod_prev",
    "posterior_variance",
)
_START: Final = re.compile(r"(beta_?)?(start|1|min|first)", re.I)
_END: Final = re.compile(r"(beta_?)?(end|T|max|last)", re.I)
_STEPS: Final = re.compile(r"T|(num|n)?_?(diffusion_?)?(time_?)?steps|n_?T", re.I)
_PARAMETER: Final = re.compile(r".*(coef|sched|seq|const|param|alpha|beta).*", re.I)
_OF_THE_HAND_OUT: Final = {0.0001: "start", 0.02: "end", 1000: "steps"}


def recomputed(module: ModuleType, start: float, end: float, steps: int) -> list[Any]:
    """Return the eight sequences as the student's own statements compute them for another schedule.

    Raises Missing for one that is not defined, Undecided if the statements have the schedule's numbers in a place where
    they cannot be changed, or whatever the student's code raises.
    """
    asked = {"start": start, "end": end, "steps": steps}

    def replaced(name: str, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        for pattern, key in ((_STEPS, "steps"), (_START, "start"), (_END, "end")):
            if pattern.fullmatch(name) and isinstance(value, int) == (key == "steps"):
                return asked[key]
        return asked.get(_OF_THE_HAND_OUT.get(value, ""), value)

    file = str(module.__file__)
    statements = constants.needed_for(NAMES, constants.tree_of(Path(file)).body)
    space = dict(vars(module))
    constants.run([constants.with_literals(each, replaced) for each in statements], space, file)
    absent = [name for name in NAMES if space.get(name) is None]
    if absent:
        raise Missing(f"{Path(file).name} does not define {', '.join(absent)}: has it been filled in?")
    if (start, end, steps) != tuple(_OF_THE_HAND_OUT) and _is_fixed(vars(module).get("betas"), space["betas"], steps):
        raise Undecided(
            f"{Path(file).name} computes its sequences for one schedule only, in a way that cannot be changed from "
            "outside: keep T, beta_start and beta_end in constants, as the hand-out of winter 2023 does"
        )
    return [space[name] for name in NAMES]


def _is_fixed(own: Any, found: Any, steps: int) -> bool:
    """Return whether other constants left the number of β or both its ends as they are in the student's program."""
    own, found = (torch.as_tensor([] if each is None else each) for each in (own, found))
    if own.dim() != 1 or found.dim() != 1 or not own.numel() or not found.numel():
        return False
    return len(own) == len(found) != steps or bool(own[0] == found[0] and own[-1] == found[-1])


class Globals:
    """The sequences that one function of a student's reads from globals."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self._name = name
        spaces = {id(each.__globals__): each.__globals__ for each in constants.reached(function)}
        self._spaces = list(spaces.values())
        read = constants.read_by(function)
        self._own = {name for space in self._spaces for name in NAMES if name in read and name in space}
        self._later: list[tuple[dict[str, Any], list[Any]]] = []
        for space in self._spaces:
            statements = constants.tree_of(Path(str(space.get("__file__", "")))).body
            follow = constants.following_from(NAMES, statements)
            needed = constants.needed_for(follow & read, statements, NAMES)
            self._later.append((space, [each for each in needed if constants.stored(each) & follow]))
        self._computed = any(statements for _, statements in self._later)

    def __bool__(self) -> bool:
        """Return whether the function reads any of the sequences, or numbers that follow from them."""
        return bool(self._own) or self._computed

    def put(self, given: Mapping[str, Tensor]) -> None:
        """Put sequences into the globals, and computes again what the student's program computes from them.

        Raises Undecided if the function reads others that the given ones do not say.
        """
        known = _with_what_follows(given)
        unknown = self._own - known.keys()
        if unknown:
            raise Undecided(
                f"{self._name} reads {', '.join(sorted(unknown))} from globals, where the hand-out of winter 2023 "
                "reads other sequences: whether it is right cannot be told here"
            )
        count = len(next(iter(given.values())))
        for space in self._spaces:
            before = space.get("betas")
            for name in known.keys() & space.keys():
                space[name] = _like(known[name], space[name])
            for name, value in list(space.items()):
                if _STEPS.fullmatch(name) and type(value) is int and before is not None and value == len(before):
                    space[name] = count
        for space, statements in self._later:
            constants.run(statements, space, str(space.get("__file__", "")))


def takes_coefficients(names: Any) -> bool:
    """Return whether one of a function's parameters, by these names, is for the coefficients."""
    return any(_PARAMETER.fullmatch(name) for name in names)


def _with_what_follows(given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the given sequences, and those that a student may read in their place, such as ᾱ for √(1 − ᾱ)."""
    known = dict(given)
    product = 1 - known["sqrt_one_minus_alphas_cumprod"].double() ** 2
    known.setdefault("alphas_cumprod", product.float())
    known.setdefault("sqrt_alphas_cumprod", product.sqrt().float())
    if "betas" in known:
        alphas = 1 - known["betas"].double()
        known.setdefault("alphas", alphas.float())
        known.setdefault("alphas_cumprod_prev", (product / alphas).float())
    return known


def _like(sequence: Tensor, theirs: Any) -> Any:
    """Return a sequence in the form in which the student keeps it: a tensor on its device, an array or a list."""
    if isinstance(theirs, Tensor):
        return sequence.to(theirs.device, theirs.dtype if theirs.is_floating_point() else sequence.dtype)
    if isinstance(theirs, list | tuple):
        return sequence.tolist()
    return sequence.numpy() if type(theirs).__module__ == "numpy" else sequence
