"""Handles what the hand-out of 2018 leaves open: names that students choose, and globals of its script."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import torch
import torchvision.utils
from matplotlib import pyplot
from torch import Tensor, nn

from courses.uva2018.adapters.sizes import on_trial
from gengrade.sandbox.guest.blank_data import loaders
from gengrade.sandbox.guest.errors import Missing, Undecided
from gengrade.sandbox.guest.old_torch import behave_like
from graders.adapting.calling import call, suitable, suits
from graders.adapting.loading import Modules
from graders.adapting.own_calls import passed

# Names of parameters that students add for the number of an image's pixels.
SIZES_OF_IMAGES = ("input_dim", "input_size", "in_dim", "x_dim", "image_dim", "img_dim", "output_dim", "out_dim")
# Exceptions for an input of the wrong shape, raised by torch, by an unpacking or by an index.
WRONG_SHAPE = (RuntimeError, ValueError, IndexError)

_NO_DATA = "the data set is not there at import: read it in main, behind `if __name__ == '__main__'`"


def prepare(modules: Modules, stem: str, args: Namespace) -> None:
    """Give a file the globals that the hand-out's script parses from the command line, as `args` and as `ARGS`.

    From then on, torch behaves as in 2018.
    """
    behave_like("0.4")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    modules.provide(stem, args=args, ARGS=args, opt=args, device=device)
    _stand_in_for_data()


def save_nothing(module: ModuleType) -> None:
    """Make a file's code save no pictures, since that takes seconds each, and the folders may not exist.

    The report shows pictures instead.
    """
    os.makedirs("images", exist_ok=True)  # the hand-out's `main` creates this folder
    for owner, names in ((torchvision.utils, ("save_image",)), (pyplot, ("savefig", "imsave", "show"))):
        for name in names:
            setattr(owner, name, _nothing)
    for name in ("save_image", "savefig", "imsave"):
        if name in vars(module):
            setattr(module, name, _nothing)


def _nothing(*args: object, **kwargs: object) -> None:
    """Replace functions that save a picture."""


def call_named(
    word: str,
    module: ModuleType,
    owners: Sequence[nn.Module],
    by_role: Mapping[str, object],
    asked: Mapping[str, object] | None = None,
) -> Any:
    """Call a function with `word` in its name: a method of one of the `owners`, or else a function of the file.

    Arguments are chosen by the names of the parameters (`by_role`, `asked`); parameters with a default keep it unless
    they are in `asked`. Of several functions, such as a function and its helpers, a network's method or the first
    function with a network among its parameters is taken, else the first one. Raises Missing if none can be called, for
    example because only the script does the work, or because it needs weights that a training has saved; and Undecided
    if nothing says what to pass.
    """
    fitting: list[tuple[Callable[..., Any], dict[str, object]]] = []
    unfitting: list[Missing | Undecided] = []
    for entry in _named(word, module, owners):
        try:
            fitting.append((entry, _arguments(entry, by_role, owners[0], asked or {})))
        except (Missing, Undecided) as unfit:
            unfitting.append(unfit)
    if not fitting:
        none = Missing(f"no function or method has “{word}” in its name, so there is none that could be called")
        raise next(iter(unfitting), none)
    entry, given = max(fitting, key=lambda each: _says_network(each[0], each[1], by_role))
    try:
        return call(entry, given)
    except FileNotFoundError as error:
        raise Missing(
            f"{entry.__name__} wants the file {error.filename}, which is not there before a training"
        ) from error


def _named(word: str, module: ModuleType, owners: Sequence[nn.Module]) -> Iterator[Callable[..., Any]]:
    for owner in owners:
        names = [name for name, _ in inspect.getmembers(type(owner), inspect.isfunction) if word in name.lower()]
        yield from (getattr(owner, name) for name in names)
    for name, value in vars(module).items():
        if word in name.lower() and inspect.isfunction(value) and value.__module__ == module.__name__:
            yield value


def _says_network(entry: Callable[..., Any], given: Mapping[str, object], by_role: Mapping[str, object]) -> bool:
    networks = [name for name, value in given.items() if isinstance(value, nn.Module)]
    return inspect.ismethod(entry) or any(_role_of(name.lower(), by_role) for name in networks)


def _arguments(
    entry: Callable[..., Any], by_role: Mapping[str, object], positional: nn.Module, asked: Mapping[str, object]
) -> dict[str, object]:
    """Return the arguments for a function: those in `asked`, and those for parameters without a default.

    A parameter whose name is unknown gets what the student's own call of the function passes, if that is no network, or
    what its name suits, such as a step. The first one without either gets `positional`, unless another parameter is a
    network. Raises Undecided if there are more unknown ones.
    """
    given: dict[str, object] = {}
    unknown: list[str] = []
    for parameter in inspect.signature(entry).parameters.values():
        wanted = _role_of(parameter.name.lower(), asked)
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            continue
        if wanted is not None:
            given[parameter.name] = asked[wanted]
            continue
        if parameter.default is not parameter.empty:
            continue
        role = _role_of(parameter.name.lower(), by_role)
        if role is not None:
            given[parameter.name] = by_role[role]
        else:
            unknown.append(parameter.name)
    own = passed(entry, unknown) if unknown else {}
    networked = inspect.ismethod(entry) or any(isinstance(value, nn.Module) for value in given.values())
    for name in unknown:
        if name in own and not isinstance(own[name], nn.Module):
            given[name] = own[name]
        elif suits(name):
            given[name] = suitable(name)
        elif not networked:
            given[name], networked = positional, True
        else:
            raise Undecided(
                f"{entry.__name__} requires {name}, which the assignment does not have: nothing says what to pass"
            )
    return given


def _role_of(name: str, by_role: Mapping[str, object]) -> str | None:
    """Return the role that equals a parameter's name or is contained in it; single letters must be equal."""
    return name if name in by_role else next((role for role in by_role if len(role) > 1 and role in name), None)


def in_a_form_that_fits(network: nn.Module, images: Tensor) -> Tensor:
    """Return images [B, 1, 28, 28] in a form that the network takes: flat rows [B, 784], as in the hand-out, or not.

    Both are tried, without changing the network's state or the random numbers. If it takes neither, they are flat.
    """
    with on_trial(network):
        for form in (images.flatten(1), images):
            with contextlib.suppress(*WRONG_SHAPE):
                network(form)
                return form
        return images.flatten(1)


def _stand_in_for_data() -> None:
    """Allow importing the templates without the hand-out's folder `datasets`, which is not handed in."""
    for name in ("datasets", "datasets.bmnist"):
        module = ModuleType(name)
        module.__dict__.update(__path__=[], bmnist=loaders(_NO_DATA, labelled=False))
        sys.modules.setdefault(name, module)
