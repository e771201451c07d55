"""Adapter for problems 2 and 3: linear interpolation between latents of a GAN and of a VAE.

Students write the interpolation as a function, with the networks as arguments or as globals of the notebook. The
functions are given the notebook's own instances, so that calls of the networks are recorded in both cases.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn import functional as F

from courses.duke2017.adapters.feeding import UNFIT, input_size, other_side, unwrapped
from courses.duke2017.adapters.roles import Roles, arguments
from gengrade.sandbox.guest.errors import Missing
from graders.adapting.loading import Modules

if TYPE_CHECKING:
    from graders.interpolation.interface import Interpolation, Seen

_GENERATOR = r"g|gen|.*generator|net_?g|model|net|network|.*gan|decoder"
RESIZED = 32  # the side in pixels to which images are usually resized


class InterpolationContract:
    """`package.interpolation`. Methods raise Missing, or whatever the student's code raises."""

    def __init__(self, modules: Modules) -> None:
        self._roles = Roles(modules)

    def generator(self) -> nn.Module:
        """Return the unconditional generator; it is the same instance each time."""
        return self._roles.network("generator").eval()

    def latent_size(self) -> int:
        """Return the number of latents that the generator takes. Raises Missing if it cannot be told."""
        found = input_size(self.generator(), self._roles.latent_sizes(unwrapped(self.generator())))
        if found is None:
            raise Missing("the number of latents cannot be told: name it in a constant, latent_size = …")
        return found

    def gan(self, start: Tensor, end: Tensor, steps: int, seen: Seen) -> Any:
        """Return the result of the student's interpolation between latents [1, d]. `seen` are the generator's calls."""
        networks = [(_GENERATOR, self.generator())]
        forms = [[start, end], [start[0], end[0]], [each[:, :, None, None] for each in (start, end)]]
        with self._roles.calling("interpolate", seen.__len__):
            return _first_fit(self._roles.find("interpolate"), networks, forms, steps, seen)

    def encoder(self) -> tuple[Any, str]:
        """Return the object and the name of its method that calls the encoder, so that calls can be recorded."""
        return self._roles.place("encoder", "vae")

    def decoder(self) -> tuple[Any, str]:
        """Return the object and the name of its method by which the decoder is called."""
        return self._roles.place("decoder", "vae")

    def vae(self, first: Tensor, second: Tensor, steps: int, seen: Seen) -> Any:
        """Return the result of the student's interpolation between images [1, 1, 28, 28] with pixels in [0, 1].

        `seen` are the encoder's calls. Raises Missing for a VAE that takes images of another size.
        """
        networks: list[tuple[str, Any]] = []
        with contextlib.suppress(Missing):  # there may be an encoder and a decoder without a class for the VAE
            networks.append((r"vae|model|net|network|.*auto_?encoder", self._roles.network("vae").eval()))
        parts = ((r"enc|(?!.*auto).*encoder|q|.*encode", "encoder"), (r"dec|.*decoder|p|.*decode", "decoder"))
        for pattern, part in parts:
            owner, name = self._roles.place(part, "vae")
            networks.append((pattern, owner if name == "forward" else getattr(owner, name)))
        function = self._roles.find("interpolate_vae")
        with self._roles.calling("interpolate_vae", seen.__len__):
            try:
                return _first_fit(function, networks, _forms(first, second), steps, seen)
            except UNFIT:
                resized = [F.interpolate(each, size=(RESIZED, RESIZED)) for each in (first, second)]
                if _fits(function, networks, _forms(*resized), steps, seen):
                    raise other_side("the VAE", RESIZED) from None
                raise


def _first_fit(
    function: Any, networks: Sequence[tuple[str, Any]], forms: Sequence[Sequence[Tensor]], steps: int, seen: Seen
) -> Any:
    """Return the function's result for the first form of the ends that it takes.

    Raises the first error if it takes none.
    """
    failure: Exception | None = None
    for ends in forms:
        seen.forget()
        try:
            return function(**arguments(function, networks, ends, steps))
        except UNFIT as error:
            failure = failure or error
    assert failure is not None
    raise failure


def _fits(
    function: Any, networks: Sequence[tuple[str, Any]], forms: Sequence[Sequence[Tensor]], steps: int, seen: Seen
) -> bool:
    try:
        _first_fit(function, networks, forms, steps, seen)
    except UNFIT:
        return False
    return True


def _forms(first: Tensor, second: Tensor) -> list[list[Tensor]]:
    return [[first, second], [first.flatten(1), second.flatten(1)], [first[0], second[0]]]


if TYPE_CHECKING:  # mypy compares the class with what the family's probes ask for

    def _adapter(modules: Modules) -> Interpolation:
        return InterpolationContract(modules)
