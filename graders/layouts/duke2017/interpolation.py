"""Problems 2 and 3: walking from one latent to another, of a GAN and of a VAE.

Students write the walk as a function, with the networks as arguments or as globals of the notebook; those they are
given are the very ones that the notebook made, so that both ways are seen alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from gengrade.sandbox.guest.errors import Missing
from graders.layouts.duke2017.feeding import input_size
from graders.layouts.duke2017.roles import Roles, arguments
from graders.layouts.loading import Modules

PIXELS = 28 * 28
_GENERATOR = r"g|gen|.*generator|net_?g|model|net|network|.*gan|decoder"
_UNFIT = (RuntimeError, ValueError, IndexError, TypeError, AssertionError)  # of a shape that was not expected


class InterpolationContract:
    """`package.interpolation`. Methods raise Missing, or whatever the student's code raises."""

    def __init__(self, modules: Modules) -> None:
        self._roles = Roles(modules)

    def generator(self) -> nn.Module:
        """The plain generator, the same each time."""
        return self._roles.network("generator").eval()

    def latent_size(self) -> int:
        """How many numbers the generator takes for an image."""
        found = input_size(self.generator(), self._roles.latent_sizes())
        if found is None:
            raise Missing("the number of latents cannot be told: name it in a constant, latent_size = …")
        return found

    def gan(self, start: Tensor, end: Tensor, steps: int, forget: Callable[[], object]) -> Any:
        """What the student's interpolation gives for latents [1, d]. `forget` is called before each attempt."""
        function = self._roles.find("interpolate")
        networks = [(_GENERATOR, self.generator())]
        forms = [[start, end], [start[0], end[0]], [each[:, :, None, None] for each in (start, end)]]
        return _first_fit(function, networks, forms, steps, forget)

    def encoder(self) -> tuple[Any, str]:
        """Where calls of the encoder can be seen: an object, and the name of its method."""
        return self._roles.place("encoder", "vae")

    def decoder(self) -> tuple[Any, str]:
        return self._roles.place("decoder", "vae")

    def vae(self, first: Tensor, second: Tensor, steps: int, forget: Callable[[], object]) -> Any:
        """What the student's interpolation gives for images [1, 1, 28, 28] in 0 … 1; likewise."""
        function = self._roles.find("interpolate_vae")
        networks: list[tuple[str, Any]] = []
        for pattern, part in ((r"enc|.*encoder|q|.*encode", "encoder"), (r"dec|.*decoder|p|.*decode", "decoder")):
            owner, name = self._roles.place(part, "vae")
            networks.append((pattern, owner if name == "forward" else getattr(owner, name)))
        try:
            networks.append((r"vae|model|net|network|auto_?encoder", self._roles.network("vae").eval()))
        except Missing:
            pass
        forms = [[first, second], [first.flatten(1), second.flatten(1)], [first[0], second[0]]]
        return _first_fit(function, networks, forms, steps, forget)


def _first_fit(
    function: Any,
    networks: Sequence[tuple[str, Any]],
    forms: Sequence[Sequence[Tensor]],
    steps: int,
    forget: Callable[[], object],
) -> Any:
    """The result of the first form of the ends that the function takes; else what it raised for the very first."""
    failure: Exception | None = None
    for ends in forms:
        forget()
        try:
            return function(**arguments(function, networks, ends, steps))
        except _UNFIT as error:
            failure = failure or error
    assert failure is not None
    raise failure
