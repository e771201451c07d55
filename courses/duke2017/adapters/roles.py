"""Finds which definitions of a notebook fill which roles (generator, encoder, …), since no names are prescribed.

A role is filled by the name in the student's `grading.yaml`, else by that in the rubric's `entry`, else by a usual
name, in upper or lower case and with or without underscores. A name may be that of a class, of a network made at a
cell's top level, or of a function; `VAE.encode` is a method of a network, and `cgan.ipynb:Generator` a name in that
notebook.

If a notebook defines a generator twice and `grading.yaml` names neither, the first one is the unconditional one, and
the last one the conditional one. Functions that use the first one run in the notebook's state before the second one.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final

from torch import nn

from gengrade.sandbox.guest.errors import FAILED, Missing
from gengrade.sandbox.guest.old_torch import behave_like
from graders.adapting import notebooks
from graders.adapting.devices import stay_on_cpu
from graders.adapting.loading import WISHES, Modules
from graders.adapting.sizes import LATENT

STEM: Final = "homework"

_PLAIN: Final = {
    "generator": ("Generator", "GeneratorNet", "GeneratorNetwork", "Gen", "netG", "GNet", "G"),
    "discriminator": ("Discriminator", "DiscriminatorNet", "DiscriminatorNetwork", "Disc", "netD", "DNet", "D"),
}
_CONDITIONS: Final = (
    *("Conditional{}", "Cond{}", "C{}", "{}Conditional", "{}Cond", "{}C", "CGAN{}", "{}CGAN"),
    *("ConditionalGAN{}", "CondGAN{}"),
)
USUAL: Final[Mapping[str, Sequence[str]]] = {
    **_PLAIN,
    **{
        f"conditional_{role}": [condition.format(name) for name in names for condition in _CONDITIONS]
        for role, names in _PLAIN.items()
    },
    "encoder": ("Encoder", "VAE.encode", "VAE.encoder", "VariationalAutoencoder.encode"),
    "decoder": ("Decoder", "VAE.decode", "VAE.decoder", "VariationalAutoencoder.decode"),
    "vae": ("VAE", "VariationalAutoencoder"),
    "interpolate": ("interpolate", "interpolate_gan", "gan_interpolation", "gan_interpolate", "interpolation"),
    "interpolate_vae": ("interpolate_vae", "vae_interpolation", "vae_interpolate", "interpolate_images"),
    "generator_input": (
        *("generator_input", "make_input", "join", "concatenate", "combine", "concat", "condition"),
        *("combine_vectors", "concat_vectors", "concatenate_vectors", "get_generator_input"),
    ),
    "generate": ("generate", "generate_digit", "generate_digits", "sample_digit", "sample_digits"),
}
_CONDITIONAL: Final = {f"conditional_{plain}": plain for plain in _PLAIN}
_OF_A_VAE: Final = re.compile(r".*(vae|encoder).*|enc", re.I)  # parameters of an interpolation that is for a VAE
_ORDINARY: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_OTHER_LIBRARY: Final = re.compile(r"^\s*(?:import|from)\s+(tensorflow|keras|jax)\b", re.M)
_OURS: Final = re.compile(r"^\s*(?:import|from)\s+torch\b", re.M)


@dataclass(frozen=True, slots=True)
class _Found:
    """The object that fills a role, and the module with the state of the notebook that it belongs to."""

    thing: Any
    module: ModuleType
    name: str

    @property
    def defined_as(self) -> str:
        """The name of the class or function if the notebook defines it, else the name of the variable."""
        kind = self.thing if isinstance(self.thing, type | FunctionType) else type(self.thing)
        return kind.__name__ if kind.__module__ == self.module.__name__ else self.name


class Roles:
    """The objects that fill the roles of a submission. Each is created when it is first asked for, and then kept."""

    def __init__(self, modules: Modules) -> None:
        behave_like("0.3")
        self._modules = modules
        self._made: dict[tuple[str, str, bool], Any] = {}
        self._filled: dict[str, _Found] = {}
        # Notebooks often create tensors without naming a device, so all runs on the CPU, as the probes' inputs do.
        stay_on_cpu()

    def find(self, role: str) -> Any:
        """Return the object that fills a role: a class, a network, a function or a method.

        Raises Missing, or the error of the cell that should define it.
        """
        return self._found(role).thing

    def network(self, role: str) -> nn.Module:
        """Return the notebook's network for that role; it is the same instance each time.

        Raises Missing if there is none.
        """
        return self._instance(self._found(role), role)

    def place(self, role: str, whole: str) -> tuple[Any, str]:
        """Return the object and the name of its method by which a part of the network `whole` is called.

        The part may be a network of its own, or a method of the whole.
        """
        found = self._found(role)
        if inspect.ismethod(found.thing):
            return found.thing.__self__, found.thing.__name__
        kind = found.thing if isinstance(found.thing, type) else type(found.thing)
        try:
            inside = [child for child in self.network(whole).modules() if type(child) is kind]
        except Missing:
            inside = []
        return (inside[0] if inside else self._instance(found, role)), "forward"

    def latent_sizes(self, network: nn.Module) -> list[int]:
        """Return possible numbers of latents: a network's attributes, its defaults and the notebook's constants."""
        defaults = {name: each.default for name, each in inspect.signature(type(network).__init__).parameters.items()}
        constants = [vars(module) for module in self._modules.each(STEM)]
        found = [
            value
            for names in (vars(network), defaults, *constants)
            for name, value in names.items()
            if LATENT.fullmatch(name) and type(value) is int and 0 < value < 10_000
        ]
        return list(dict.fromkeys(found))

    def weights(self, role: str) -> list[Path]:
        """Return the files that may hold the weights of a role: the one in grading.yaml, or else all weight files.

        Raises Missing if the named file was not handed in.
        """
        wished = self._modules.wishes("weights").get(role)
        if wished is not None:
            path = self._modules.folder / wished
            if not path.is_file() or not path.resolve().is_relative_to(self._modules.folder.resolve()):
                raise Missing(f"{wished}, which {WISHES} names, was not handed in")
            return [path]
        return sorted(path for path in self._modules.folder.rglob("*") if path.suffix in {".pt", ".pth", ".ckpt"})

    @contextmanager
    def calling(self, role: str, reached: Callable[[], object] = lambda: True) -> Iterator[None]:
        """Return a context for calls of the object that fills a role, which turns some of its errors into Missing.

        A NameError becomes the reason why the notebook lacks that name. If the object was only found by a usual name,
        and fails before it has `reached` the role's network, it was probably meant for something else: then the error
        says how to name the right one.
        """
        try:
            yield
        except (Missing, NotImplementedError):
            raise
        except Exception as error:
            lacking = self._why(str(error.name)) if isinstance(error, NameError) else None
            if lacking is not None:
                raise lacking from error
            if role in self._modules.entry or reached():
                raise
            raise Missing(
                f'{self._found(role).name} is taken for "{role}" by its name, and it cannot be called as that '
                f"({type(error).__name__}: {' '.join(str(error).split())[:200]}). If it is meant, mend it; if "
                f"something "
                f'else is, say so in {WISHES}: "entry:", and below it "{role}: …"{self._no_roles()}'
            ) from error

    def _why(self, name: str) -> Exception | None:
        return next((why for module in self._modules.each(STEM) if (why := notebooks.why(module, name))), None)

    def _found(self, role: str) -> _Found:
        if role not in self._filled:
            self._filled[role] = self._searched(role)
        return self._filled[role]

    def _searched(self, role: str) -> _Found:
        if not self._modules.has(STEM):
            raise Missing("no notebook was handed in")
        if self._other_library:
            raise Missing(f"the notebook is written with {self._other_library}: only PyTorch can be run here")
        found: _Found | None
        if role in _PLAIN:
            found, _ = self._pair(role)
        elif role in _CONDITIONAL:
            found = self._named(role) or self._pair(_CONDITIONAL[role])[1]
        elif role == "interpolate":
            found = self._named(role, self._plain_states()) or self._named(role)
        else:
            found = self._named(role)
        if found is None:
            raise self._absent(role)
        return found

    def _absent(self, role: str) -> Missing:
        usual = " or ".join(USUAL[role][:2])
        names = {_fold(name) for name in USUAL[role]}
        lacking = [name for each in self._modules.each(STEM) for name in vars(each).get(notebooks.SKIPPED, {})]
        skipped = next((self._why(name) for name in lacking if _fold(name) in names), None)
        return Missing(
            f"no {_said(role)} was found in the notebook: call it {usual}, or say in {WISHES} what it is called: "
            f'"entry:", and below it "{role}: …"{f". {skipped}" if skipped else ""}{self._no_roles()}'
        )

    def _no_roles(self) -> str:
        """Return words on the names in grading.yaml that are not roles, or ""."""
        named = sorted({*self._modules.wishes("entry"), *self._modules.wishes("weights")} - {*USUAL})
        if not named:
            return ""
        return f" ({WISHES} names {', '.join(named)[:100]}, which is no role: the roles are {', '.join(USUAL)})"

    @cached_property
    def _other_library(self) -> str:
        """The library that a notebook uses instead of PyTorch, or ""."""
        paths = [path for path in self._modules.files(STEM) if path.suffix == ".ipynb"]
        text = "\n".join(source for path in paths for _, source in notebooks.cells(path))
        found = _OTHER_LIBRARY.search(text)
        return found.group(1) if found and not _OURS.search(text) else ""

    def _named(self, role: str, states: Sequence[ModuleType] | None = None) -> _Found | None:
        """Return the object of the name that grading.yaml or the rubric gives for a role, or else of a usual name.

        Raises the error of the cell that should define it.
        """
        states = self._modules.each(STEM) if states is None else states
        said = self._modules.entry.get(role)
        if said:
            found = self._resolved(said, states)
            if found is None and states:
                hint = self._why(said.rpartition(":")[2].partition(".")[0])
                raise hint or Missing(
                    f'the notebook has no {said}, which {WISHES} or the rubric names as "{role}"{self._no_roles()}'
                )
            return found
        walks = USUAL["interpolate"] if role == "interpolate_vae" else ()
        for name in (*USUAL[role], *walks):
            found = self._resolved(name, states, loose=True)
            if found is None or not callable(found.thing):
                continue
            if name not in USUAL["interpolate"] or _takes_a_vae(found.thing) == (role == "interpolate_vae"):
                return found
        return None

    def _resolved(self, name: str, states: Sequence[ModuleType], *, loose: bool = False) -> _Found | None:
        """Return the object of a (dotted) name. `loose`: upper and lower case and underscores make no difference."""
        file, _, name = name.rpartition(":")
        first, *rest = name.split(".")
        for module in states:
            if file and Path(str(module.__file__)).name not in {file, f"{file}.ipynb"}:
                continue
            name, found = _value(module, first, loose=loose)
            if rest and isinstance(found, type):
                if not all(hasattr(found, each) for each in rest[:1]) and not issubclass(found, nn.Module):
                    continue
                found = self._instance(_Found(found, module, first), first)
            for each in rest:
                found = getattr(found, each, None)
            if found is not None:
                return _Found(found, module, name)
        return None

    def _pair(self, role: str) -> tuple[_Found | None, _Found | None]:
        """Return an unconditional network, and the conditional one that later takes its name or that of its class."""
        found = self._named(role)
        path = Path(str(found.module.__file__)) if found else Path()
        if found is None or path.suffix != ".ipynb":
            return found, None
        conditional = next(each for each, plain in _CONDITIONAL.items() if plain == role)
        cells = notebooks.defining(path, found.defined_as)
        if len(cells) > 1 and self._named(conditional) is None:
            return _as_it_was(found, cells[1]), found
        for name in [name for name in vars(found.module) if _fold(name) in map(_fold, USUAL[role])]:
            cells, last = notebooks.defining(path, name), _Found(vars(found.module)[name], found.module, name)
            first = _as_it_was(last, cells[-1]) if len(cells) > 1 else last
            if _shapes(first.thing) != _shapes(last.thing) and isinstance(first.thing, nn.Module):
                return first, last
        return found, None

    def _plain_states(self) -> list[ModuleType]:
        """Return the notebook's state before another generator took the unconditional one's name; empty if none did."""
        try:
            state = self._found("generator").module
        except Missing:
            return []
        return [] if state in self._modules.each(STEM) else [state]

    def _instance(self, found: _Found, role: str) -> nn.Module:
        """Return the network itself: the notebook's own, or one made with the constants that its arguments name.

        Of several instances of one class, the first is the unconditional one.
        """
        thing, module = found.thing, found.module
        if isinstance(thing, nn.Module):
            return thing
        key = (module.__name__, getattr(thing, "__name__", role), role in _PLAIN)
        if key not in self._made:
            ready = [value for value in vars(module).values() if isinstance(thing, type) and type(value) is thing]
            self._made[key] = ready[0 if role in _PLAIN else -1] if ready else self._constructed(thing, module, role)
        network = self._made[key]
        if not isinstance(network, nn.Module):
            raise TypeError(f"{_said(role)} should be a torch.nn.Module, and is a {type(network).__name__}")
        return network

    def _constructed(self, found: Any, module: ModuleType, role: str) -> Any:
        if not callable(found):
            return found
        parameters = inspect.signature(found).parameters.values()
        wanted = [each.name for each in parameters if each.default is each.empty and each.kind in _ORDINARY]
        absent = [name for name in wanted if name not in vars(module)]
        if absent and not isinstance(found, type):
            raise Missing(
                f"{found.__name__} is a function: a network that can be judged here is a torch.nn.Module, which holds "
                "its weights. Write it as a class with a method forward"
            )
        if absent:
            names = {_fold(name) for name in USUAL.get(role, ())}
            instance = next((name for name in vars(module)[FAILED] if _fold(name) in names), absent[0])
            raise notebooks.why(module, instance) or Missing(
                f"{found.__name__} needs {', '.join(absent)}, and the notebook has no constant of that name: give its "
                "arguments defaults, or make the network at the top level of a cell"
            )
        return found(**{name: vars(module)[name] for name in wanted})


def _said(role: str) -> str:
    return role.replace("_", " ")


def _fold(name: str) -> str:
    """Return a name in lower case without underscores; a single letter is left unchanged."""
    return name.replace("_", "").casefold() if len(name) > 1 else name


def _value(module: ModuleType, name: str, *, loose: bool = False) -> tuple[str, Any]:
    """Return the notebook's spelling of a name, and the object of that name, or None.

    Raises the error of the cell that should define it.
    """
    skipped = vars(module).get(notebooks.SKIPPED, {})
    failed = vars(module).get(FAILED, {})
    names = {*vars(module), *skipped, *failed} if loose else set()
    for each in [name, *sorted(other for other in names if _fold(other) == _fold(name) and other != name)]:
        if each in vars(module) or (each in skipped and notebooks.make(module, each)):
            return each, vars(module)[each]
        if each in failed:
            raise notebooks.why(module, each) or failed[each]
    return name, None


def _as_it_was(found: _Found, cell: int) -> _Found:
    """Return the object that had that name before a cell ran."""
    earlier = notebooks.load(Path(str(found.module.__file__)), until=cell)
    name, thing = _value(earlier, found.defined_as if isinstance(found.thing, type) else found.name)
    return _Found(thing, earlier, name)


def _shapes(network: Any) -> object:
    """Return the class and the shapes of a network's weights, by which instances with other arguments differ."""
    if not isinstance(network, nn.Module):
        return None
    return type(network).__name__, [tuple(each.shape) for each in network.state_dict().values()]


def _takes_a_vae(function: Any) -> bool:
    try:
        return any(map(_OF_A_VAE.fullmatch, inspect.signature(function).parameters))
    except (TypeError, ValueError):
        return False


class Unfit(TypeError):
    """Raised if a function does not take the arguments that it should be given."""


def arguments(
    function: Any, networks: Sequence[tuple[str, Any]], ordered: Sequence[Any], steps: int | None = None
) -> dict[str, Any]:
    """Return the arguments for a student's function: networks by the names of the parameters, and the rest in order.

    `networks` are pairs of a pattern for names and the network to pass. `steps` goes to a parameter whose name says
    that it is a number. Raises Unfit if a parameter gets nothing, or something of `ordered` is left over.
    """
    left: Iterator[Any] = iter(ordered)
    given: dict[str, Any] = {}
    parameters = inspect.signature(function).parameters
    for name, parameter in parameters.items():
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
            elif parameter.default is parameter.empty:
                raise Unfit(f"nothing is known to give for its parameter {name}")
    open_ended = any(each.kind is each.VAR_POSITIONAL for each in parameters.values())
    if next(left, _NOTHING) is not _NOTHING and not open_ended:
        raise Unfit(f"it takes only {', '.join(parameters) or 'nothing'}")
    return given


def takes_a_number(function: Any) -> bool:
    """Return whether a function has a parameter for a number of images or steps."""
    return any(map(_STEPS.fullmatch, inspect.signature(function).parameters))


_STEPS: Final = re.compile(r"k|n|(n|num|number|no)_?.*|.*steps?|.*count|points|frames", re.I)
_NOTHING: Final = object()
