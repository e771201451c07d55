"""Reads and replaces the parameters of torch distributions, which some networks return instead of tensors."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Independent, Normal

from gengrade.sandbox.guest.errors import Missing


def parts_of(distribution: Distribution) -> list[Tensor]:
    """Return the mean and standard deviation of a Normal, or the probabilities of a Bernoulli.

    Raises Missing for others.
    """
    if isinstance(distribution, Independent):
        return parts_of(distribution.base_dist)
    if isinstance(distribution, Normal):
        return [distribution.loc, distribution.scale]
    if isinstance(distribution, Bernoulli):
        return [distribution.probs]
    raise Missing(
        f"a network returns a {type(distribution).__name__}, whose parameters are not read here: return tensors, or a "
        "Normal or Bernoulli"
    )


def with_parts(distribution: Distribution, parts: Sequence[Tensor]) -> Distribution:
    """Return a distribution of the same kind with other parameters, in the order of `parts_of`."""
    if isinstance(distribution, Independent):
        return Independent(with_parts(distribution.base_dist, parts), distribution.reinterpreted_batch_ndims)
    if isinstance(distribution, Normal):
        return Normal(parts[0], parts[1], validate_args=False)
    return Bernoulli(probs=parts[0], validate_args=False)
