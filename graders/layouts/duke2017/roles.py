"""Which of a notebook's definitions is the generator? No names are prescribed, so roles are filled by what is said.

A role is filled by what the student's `grading.yaml` names, else the rubric's `entry`, else by a usual name. A name may
be that of a class, of a network made at a cell's top level, or of a function; `VAE.encode` is a method of a network,
and `cgan.ipynb:Generator` the one in that notebook. Where a notebook defines a generator twice and says no more, the
first one is the plain one and the last one the conditional one.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from torch import nn

from gengrade.sandbox.guest.errors import Missing
from graders.layouts import notebooks
from graders.layouts.devices import neutralise_cuda
from graders.layouts.loading import WISHES, Modules

STEM: Final = "homework"

USUAL: Final = {
    "generator": ("Generator", "GeneratorNet", "GeneratorNetwork", "Gen", "generator", "netG", "G"),
    "discriminator": (
        "Discriminator",
        "DiscriminatorNet",
        "DiscriminatorNetwork",
        "Disc",
        "discriminator",
        "netD",
        "D",
    ),
    "conditional_generator": (
        *("ConditionalGenerator", "CondGenerator", "CGenerator", "GeneratorConditional", "GeneratorCond"),
        *("CGANGenerator", "cGANGenerator", "cGenerator", "conditional_generator", "cgenerator", "cG"),
    ),
    "conditional_discriminator": (
        *("ConditionalDiscriminator", "CondDiscriminator", "CDiscriminator", "DiscriminatorConditional"),
        *("DiscriminatorCond", "CGANDiscriminator", "cGANDiscriminator", "cDiscriminator"),
        *("conditional_discriminator", "cdiscriminator", "cD"),
    ),
    "encoder": ("Encoder", "encoder", "VAE.encode", "VAE.encoder", "VariationalAutoencoder.encode"),
    "decoder": ("Decoder", "decoder", "VAE.decode", "VAE.decoder", "VariationalAutoencoder.decode"),
    "vae": ("VAE", "VariationalAutoencoder", "VariationalAutoEncoder", "vae"),
    "interpolate": ("interpolate", "interpolate_gan", "gan_interpolation", "gan_interpolate", "interpolation"),
    "interpolate_vae": ("interpolate_vae", "vae_interpolation", "vae_interpolate", "interpolate_images"),
    "generator_input": ("generator_input", "make_input", "join", "concatenate", "combine", "concat", "condition"),
    "generate": ("generate", "generate_digit", "generate_digits", "sample_digit", "sample_digits"),
}
_CONDITIONAL: Final = {"conditional_generator": "generator", "conditional_discriminator": "discriminator"}
_LATENT: Final = re.compile(r"(n_?)?(z|latent|noise|eps|epsilon|code)(_?(dim|dims|size|n))?|nz", re.I)


class Roles:
    """What fills the roles of a submission. Everything is made when it is first asked for, and kept."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._made: dict[tuple[str, str], Any] = {}
        self._filled: dict[str, tuple[Any, ModuleType]] = {}
        # Half of a notebook's tensors are made without a device: everything stays on the CPU, as the probes' inputs do.
        neutralise_cuda(modules.files(STEM), anyway=True)

    def find(self, role: str) -> Any:
        """The object itself: a class, a network, a function, a method. Raises Missing, or what its cell raised."""
        return self._found(role)[0]

    def network(self, role: str) -> nn.Module:
        """The network of that role as the notebook has it: the same each time. Raises Missing."""
        found, module = self._found(role)
        return self._instance(found, module, role)

    def place(self, role: str, whole: str) -> tuple[Any, str]:
        """Where calls of a part of the network `whole` can be seen: an object, and the name of its method.

        A part may be a network of its own, or a method.
        """
        found, module = self._found(role)
        if inspect.ismethod(found):
            return found.__self__, found.__name__
        network = self._instance(found, module, role)
        try:
            parent = self.network(whole)
        except Missing:
            return network, "forward"
        inside = [child for child in parent.modules() if type(child) is type(network)]
        return (inside[0] if inside else network), "forward"

    def latent_sizes(self) -> list[int]:
        """What constants of the notebook say about the number of latents, in their order."""
        found = [
            value
            for module in self._modules.each(STEM)
            for name, value in vars(module).items()
            if _LATENT.fullmatch(name) and type(value) is int and 0 < value < 10_000
        ]
        return list(dict.fromkeys(found))

    def weights(self, role: str) -> list[Path]:
        """The files that may hold weights of that role: the one that grading.yaml names, else all that lie there."""
        wished = self._modules.wishes("weights").get(role)
        if wished is not None:
            path = self._modules.folder / wished
            if not path.is_file() or not path.resolve().is_relative_to(self._modules.folder.resolve()):
                raise Missing(f"{wished}, which {WISHES} names, was not handed in")
            return [path]
        return sorted(path for path in self._modules.folder.rglob("*") if path.suffix in {".pt", ".pth", ".ckpt"})

    def _found(self, role: str) -> tuple[Any, ModuleType]:
        if role not in self._filled:
            self._filled[role] = self._searched(role)
        return self._filled[role]

    def _searched(self, role: str) -> tuple[Any, ModuleType]:
        if not self._modules.has(STEM):
            raise Missing("no notebook was handed in")
        plain = _CONDITIONAL.get(role)
        found = self._named(role)
        if found is None and plain is not None:
            again = self._named(plain)
            found = again if again is not None and len(self._definitions(*again)) > 1 else None
        elif found is not None and role in _CONDITIONAL.values():
            found = self._first(role, *found)
        if found is None:
            usual = " or ".join(USUAL[role][:2])
            raise Missing(
                f"no {role.replace('_', ' ')} was found in the notebook: call it {usual}, or say in {WISHES} what it "
                f'is called: "entry:", and below it "{role}: …"'
            )
        return found

    def _named(self, role: str) -> tuple[Any, ModuleType] | None:
        """What goes by the name that was said, or by a usual one. Raises what a cell raised that should define it."""
        said = self._modules.entry.get(role)
        for name in (said,) if said else USUAL[role]:
            found = self._resolved(name)
            if found is not None:
                return found
        if said:
            raise Missing(f"the notebook has no {said}, which {WISHES} or the rubric names as the {role}")
        return None

    def _resolved(self, name: str) -> tuple[Any, ModuleType] | None:
        file, _, name = name.rpartition(":")
        first, *rest = name.split(".")
        for module in self._modules.each(STEM):
            if file and Path(str(module.__file__)).name not in {file, f"{file}.ipynb"}:
                continue
            failed = vars(module).get(notebooks.FAILED, {})
            if first not in vars(module):
                if first in failed:
                    raise failed[first]
                continue
            found = vars(module)[first]
            if rest and isinstance(found, type):
                if not all(hasattr(found, each) for each in rest[:1]) and not issubclass(found, nn.Module):
                    continue
                found = self._instance(found, module, first)
            for each in rest:
                found = getattr(found, each, None)
            if found is not None:
                return found, module
        return None

    def _definitions(self, found: Any, module: ModuleType) -> list[int]:
        """The cells that define what a class or function is called."""
        path = Path(str(module.__file__))
        name = getattr(found if isinstance(found, type) else type(found), "__name__", "")
        return notebooks.defining(path, name) if path.suffix == ".ipynb" and name else []

    def _first(self, role: str, found: Any, module: ModuleType) -> tuple[Any, ModuleType]:
        """The first definition, where a later one is the conditional network and goes by no name of its own."""
        conditional = next(each for each, plain in _CONDITIONAL.items() if plain == role)
        cells = self._definitions(found, module)
        if len(cells) < 2 or self._named(conditional) is not None:
            return found, module
        name = (found if isinstance(found, type) else type(found)).__name__
        earlier = notebooks.load(Path(str(module.__file__)), until=cells[1])
        return vars(earlier).get(name, found), earlier

    def _instance(self, found: Any, module: ModuleType, role: str) -> nn.Module:
        """A network: one that the notebook made itself, else one made with the constants that its arguments name."""
        if isinstance(found, nn.Module):
            return found
        key = (module.__name__, getattr(found, "__name__", role))
        if key not in self._made:
            ready = [value for value in vars(module).values() if isinstance(found, type) and type(value) is found]
            self._made[key] = ready[-1] if ready else self._constructed(found, module)
        network = self._made[key]
        if not isinstance(network, nn.Module):
            raise TypeError(f"{role} should be a torch.nn.Module, and is a {type(network).__name__}")
        return network

    @staticmethod
    def _constructed(found: Any, module: ModuleType) -> Any:
        if not callable(found):
            return found
        parameters = inspect.signature(found).parameters.values()
        wanted = [each.name for each in parameters if each.default is each.empty and each.kind in _ORDINARY]
        absent = [name for name in wanted if name not in vars(module)]
        if absent:
            raise Missing(
                f"{found.__name__} needs {', '.join(absent)}, and the notebook has no constant of that name: give its "
                "arguments defaults, or make the network at the top level of a cell"
            )
        return found(**{name: vars(module)[name] for name in wanted})


_ORDINARY: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def arguments(
    function: Any, networks: Sequence[tuple[str, Any]], ordered: Sequence[Any], steps: int | None = None
) -> dict[str, Any]:
    """What to give a function of the student's: networks by their parameters' names, the rest in order.

    `networks`: patterns of names, and what goes there. `steps` goes to a parameter that is called like a number.
    """
    left: Iterator[Any] = iter(ordered)
    given: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in _ORDINARY:
            continue
        network = next((value for pattern, value in networks if re.fullmatch(pattern, name, re.I)), None)
        if network is not None:
            given[name] = network
        elif steps is not None and _STEPS.fullmatch(name):
            given[name] = steps
        else:
            value = next(left, _NOTHING)
            if value is not _NOTHING:
                given[name] = value
    return given


_STEPS: Final = re.compile(r"k|n|(n|num|number|no)_?.*|.*steps?|.*count|points|frames", re.I)
_NOTHING: Final = object()
