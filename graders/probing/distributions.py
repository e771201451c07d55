"""Networks that return distributions of torch's: what these are made of, as tensors, and others of their kind."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Independent, Normal

from gengrade.sandbox.guest.errors import Missing


def parts_of(distribution: Distribution) -> list[Tensor]:
    """Mean and standard deviation of a normal one, the probabilities of a Bernoulli. Raises Missing for any other."""
    if isinstance(distribution, Independent):
        return parts_of(distribution.base_dist)
    if isinstance(distribution, Normal):
        return [distribution.loc, distribution.scale]
    if isinstance(distribution, Bernoulli):
        return [distribution.probs]
    raise Missing(
        f"a network returns a {type(distribution).__name__}, which cannot be looked into here: let it return tensors, "
        "or a Normal or Bernoulli"
    )


def with_parts(distribution: Distribution, parts: Sequence[Tensor]) -> Distribution:
    """A distribution of the same kind with other parts."""
    if isinstance(distribution, Independent):
        return Independent(with_parts(distribution.base_dist, parts), distribution.reinterpreted_batch_ndims)
    if isinstance(distribution, Normal):
        return Normal(parts[0], parts[1], validate_args=False)
    return Bernoulli(probs=parts[0], validate_args=False)
