"""What the hand-out of 2018 leaves to its students: the names of what they add, and what only its script defines."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import torch
import torchvision.utils
from matplotlib import pyplot
from torch import Tensor, nn

from gengrade.sandbox.guest.errors import Missing
from graders.layouts.calling import call
from graders.layouts.devices import neutralise_cuda
from graders.layouts.loading import Modules

# How a shape that a network does not take is told: by torch, by an unpacking, by an index.
WRONG_SHAPE = (RuntimeError, ValueError, IndexError)


def prepare(modules: Modules, stem: str, args: Namespace) -> None:
    """Gives a file the globals that the hand-out's script parses from the command line, in both spellings."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    modules.provide(stem, args=args, ARGS=args, opt=args, device=device)
    neutralise_cuda(modules.folder.glob("*.py"))
    _stand_in_for_data()


def save_nothing(module: ModuleType) -> None:
    """Lets a file's code save its pictures nowhere: into folders that only its `main` makes, for seconds each.

    They are looked at in the report.
    """
    os.makedirs("images", exist_ok=True)  # which the hand-out's `main` makes
    for owner, names in ((torchvision.utils, ("save_image",)), (pyplot, ("savefig", "imsave", "show"))):
        for name in names:
            setattr(owner, name, _nothing)
    for name in ("save_image", "savefig", "imsave"):
        if name in vars(module):
            setattr(module, name, _nothing)


def _nothing(*args: object, **kwargs: object) -> None:
    """Stands in for what saves a picture."""


def named_after(module: ModuleType, word: str, *owners: object) -> Callable[..., Any]:
    """What has `word` in its name: a method of one of the `owners`, else a function of the file.

    Raises Missing where there is none, as where only the script does it.
    """
    for owner in owners:
        for name, _ in inspect.getmembers(type(owner), inspect.isfunction):
            if word in name.lower():
                found: Callable[..., Any] = getattr(owner, name)
                return found
    for name, value in vars(module).items():
        if word in name.lower() and inspect.isfunction(value) and value.__module__ == module.__name__:
            return value
    raise Missing(f"no function or method has “{word}” in its name, so there is none that could be called")


def call_entry(entry: Callable[..., Any], by_role: Mapping[str, object], positional: object) -> Any:
    """Calls what a student added: parameters go by what their names say, others keep their defaults.

    Where no parameter without a default says what it is, the first is given `positional`, the model.
    """
    needed = [
        parameter
        for parameter in inspect.signature(entry).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        and parameter.default is parameter.empty
    ]
    given: dict[str, object] = {}
    for parameter in needed:
        role = next((role for role in by_role if role in parameter.name.lower()), None)
        if role is not None:
            given[parameter.name] = by_role[role]
        elif positional is not None and positional not in given.values():
            given[parameter.name] = positional
        else:
            raise Missing(f"{entry.__name__} wants {parameter.name}, and nobody knows what that should be")
    return call(entry, given)


def in_a_form_that_fits(network: nn.Module, images: Tensor) -> Tensor:
    """Images [B, 1, 28, 28] as a network takes them: in flat rows [B, 784], as the hand-out has them, or as they are.

    It is tried out, without a trace in the network's state or in the random numbers; flat where it takes neither.
    """
    training, state = network.training, torch.get_rng_state()
    network.eval()
    try:
        for form in (images.flatten(1), images):
            with contextlib.suppress(*WRONG_SHAPE), torch.no_grad():
                network(form)
                return form
        return images.flatten(1)
    finally:
        network.train(training)
        torch.set_rng_state(state)


def _stand_in_for_data() -> None:
    """Lets the templates be imported without the hand-out's own `datasets` folder, which nobody hands in."""
    for name in ("datasets", "datasets.bmnist"):
        module = ModuleType(name)
        module.__dict__.update(__path__=[], bmnist=_no_data)
        sys.modules.setdefault(name, module)


def _no_data(*args: object, **kwargs: object) -> Any:
    raise Missing("the data set is not there at import: read it in main, behind `if __name__ == '__main__'`")
