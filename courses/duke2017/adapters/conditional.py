"""Adapter for problem 4: a conditional generator and a conditional discriminator, which are given a digit's label.

The assignment's input is the noise followed by a one-hot label. Networks that take the two as separate arguments and
join them themselves are right as well, and so is a label as a number that an embedding turns into a row.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from courses.duke2017.adapters import feeding
from courses.duke2017.adapters.roles import Roles, Unfit, arguments, takes_a_number
from gengrade.sandbox.guest.errors import Missing
from graders.adapting import sizes
from graders.adapting.loading import Modules

if TYPE_CHECKING:
    from graders.cgan.interface import Cgan, Seen

_HOT = re.compile(r"hot", re.I)  # parameters for labels that are one-hot already
_GENERATOR = r"g|gen|.*generator|net_?g|c_?g|model|net|network|c?_?gan"


class ConditionalContract:
    """`package.cgan`. Methods raise Missing, or whatever the student's code raises."""

    def __init__(self, modules: Modules) -> None:
        self._roles = Roles(modules)

    def generator(self) -> nn.Module:
        """Return a new copy of the conditional generator, as the notebook has it before any training."""
        return copy.deepcopy(self.own_generator())

    def own_generator(self) -> nn.Module:
        """Return the instance of the conditional generator that the notebook's functions use."""
        return self._roles.network("conditional_generator")

    def discriminator(self) -> nn.Module:
        """Return a new copy of the conditional discriminator, as the notebook has it before any training."""
        return copy.deepcopy(self._roles.network("conditional_discriminator"))

    def noise_size(self) -> int:
        """Return the number of noise values the generator takes besides the label. Raises Missing if it is unknown."""
        network = self.own_generator()
        training = network.training
        sizes = self._roles.latent_sizes(feeding.unwrapped(network))
        with self._roles.calling("conditional_generator"):
            found = feeding.noise_size(network.eval(), sizes)
        network.train(training)
        if found is None:
            raise Missing(
                "the conditional generator takes no noise with a one-hot label of 10 behind it, and the number of its "
                "latents cannot be told: name it in a constant, latent_size = …"
            )
        return found

    def images(self, generator: nn.Module, noise: Tensor, labels: Tensor, *, label_first: bool = False) -> Any:
        """Return the images for noise [B, d] and labels [B]. label_first: the label comes before the noise."""
        with self._roles.calling("conditional_generator"):
            return feeding.generated(generator, noise, labels, label_first=label_first)

    def scores(self, discriminator: nn.Module, images: Tensor, labels: Tensor) -> Any:
        """Return a discriminator's scores for images [B, 784] and labels [B]."""
        with self._roles.calling("conditional_discriminator"):
            return feeding.scored(discriminator, images, labels)

    def generator_input(self, noise: Tensor, labels: Tensor, encoded: Tensor) -> Any:
        """Return the generator's input that the student's function makes from noise [B, d] and labels [B].

        A helper that does not encode labels itself gets them `encoded` [B, 10], as the caller in a notebook does.
        """
        function = self._roles.find("generator_input")
        with self._roles.calling("generator_input", lambda: False), sizes.put([function], {"batch": len(noise)}):
            first = _labels_first(function)
            forms = _labels_as(function, [labels, encoded])
            return _first_fit(
                lambda form: function(**arguments(function, [], [form, noise] if first else [noise, form])), forms
            )

    def generate(self, digit: int, encoded: Tensor, calls: Seen) -> Any:
        """Return the result of the student's function for n images of a digit.

        A function that does not take the digit itself gets n labels, as numbers or `encoded` [n, 10]. `calls` are the
        recorded calls of the generator. If there are none, the function is taken for another one.
        """
        function = self._roles.find("generate")
        n = len(encoded)
        batch = {} if takes_a_number(function) else {"batch": n}  # a number that is given has to be used
        labels = torch.full((n,), digit)

        def attempt(form: Any) -> Any:
            calls.forget()
            made = function(**arguments(function, [(_GENERATOR, self.own_generator())], [form], n))
            if not len(calls):
                raise Unfit("it never calls the conditional generator")
            return made

        with self._roles.calling("generate", calls.__len__), sizes.put([function], batch):
            return _first_fit(attempt, _labels_as(function, [digit, labels, encoded]))

    def weights(self) -> list[Path]:
        """Return the files that may hold weights of the conditional generator."""
        return self._roles.weights("conditional_generator")


def _labels_as(function: Any, forms: list[Any]) -> list[Any]:
    """Return the forms of a label, the last of which is one-hot, in the order in which a function may take them.

    Helpers such as combine_vectors(x, one_hot) put together what they are given, so the caller encodes the labels.
    """
    names = inspect.signature(function).parameters
    return forms[::-1] if any(_HOT.search(name) for name in names) else forms


def _first_fit(attempt: Callable[[Any], Any], forms: Sequence[Any]) -> Any:
    """Return the result for the first form that a function takes. Raises the first error if it takes none."""
    failure: Exception | None = None
    for form in forms:
        try:
            return attempt(form)
        except feeding.UNFIT as error:
            failure = failure or error
    assert failure is not None
    raise failure


def _labels_first(function: Any) -> bool:
    names = list(inspect.signature(function).parameters)
    return len(names) > 1 and feeding.is_label(names[0]) and not feeding.is_label(names[1])


if TYPE_CHECKING:  # mypy compares the class with what the family's probes ask for

    def _adapter(modules: Modules) -> Cgan:
        return ConditionalContract(modules)
