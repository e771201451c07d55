"""The eight sequences: what is written in place of alphas_betas_sequences_helper(beta_start, beta_end, T)."""

import torch

from graders.misconceptions import defaults, misconception, original


def remade(betas, **changed):
    """All sequences of these betas, some of them changed."""
    alphas = 1 - betas
    products = changed.get("products", alphas.cumprod(0))
    before = changed.get("before", torch.cat([torch.ones(1), products[:-1]]))
    found = {
        "alphas": alphas,
        "recip": 1 / alphas.sqrt(),
        "products": products,
        "signal": products.sqrt(),
        "spread": (1 - products).sqrt(),
        "before": before,
        "variance": betas * (1 - before) / (1 - products),
    }
    return (betas, *(found | changed).values())


defaults("diffusion_solution.py:alphas_betas_sequences_helper", fails=("ddpm.schedule",))


@misconception
def before_not_shifted(beta_start, beta_end, T):
    """Your alphas_cumprod_prev is alphas_cumprod itself. It holds the ᾱ of the step before: shift it to the right by
    one, with 1 for the first."""
    betas = torch.linspace(beta_start, beta_end, T)
    return remade(betas, before=(1 - betas).cumprod(0))


@misconception
def before_rolled(beta_start, beta_end, T):
    """You rolled alphas_cumprod around, so that the last one stands before the first. Before the first step there is no
    noise yet, and ᾱ is 1 there."""
    betas = torch.linspace(beta_start, beta_end, T)
    return remade(betas, before=(1 - betas).cumprod(0).roll(1))


@misconception
def before_begins_with_zero(beta_start, beta_end, T):
    """You filled alphas_cumprod_prev with 0 at the first step. Before it there is no noise yet, and ᾱ, the product of
    no factors, is 1."""
    betas = torch.linspace(beta_start, beta_end, T)
    return remade(betas, before=torch.cat([torch.zeros(1), (1 - betas).cumprod(0)[:-1]]))


@misconception
def before_from_the_next(beta_start, beta_end, T):
    """You shifted alphas_cumprod to the left, so that it holds the ᾱ of the next step. Shift it to the right: that of
    the step before, with 1 for the first."""
    betas = torch.linspace(beta_start, beta_end, T)
    return remade(betas, before=torch.cat([(1 - betas).cumprod(0)[1:], torch.ones(1)]))


@misconception
def variance_is_beta(beta_start, beta_end, T):
    """Your posterior variance is β, which is the variance of a step forwards. Looking back from x_t and x_0 it is
    smaller: β·(1 − ᾱ before)/(1 − ᾱ)."""
    betas = torch.linspace(beta_start, beta_end, T)
    return remade(betas, variance=betas)


@misconception
def variance_without_beta(beta_start, beta_end, T):
    """You left β out of the posterior variance: it is β times (1 − ᾱ before)/(1 − ᾱ)."""
    found = original(beta_start, beta_end, T)
    return (*found[:7], (1 - found[6]) / (1 - found[3]))


@misconception
def variance_upside_down(beta_start, beta_end, T):
    """You divided the wrong way around in the posterior variance: the numerator is 1 − ᾱ of the step before, the
    denominator 1 − ᾱ. The variance of the first step is then 0, and not infinite."""
    found = original(beta_start, beta_end, T)
    return (*found[:7], found[0] * (1 - found[3]) / (1 - found[6]))


@misconception
def variance_as_deviation(beta_start, beta_end, T):
    """You took the square root of the posterior variance. What is asked for is the variance; the root is taken where
    noise is added."""
    found = original(beta_start, beta_end, T)
    return (*found[:7], found[7].sqrt())


@misconception
def not_the_reciprocal(beta_start, beta_end, T):
    """Your sqrt_recip_alphas is √α. It is the square root of the reciprocal, 1/√α."""
    betas = torch.linspace(beta_start, beta_end, T)
    return remade(betas, recip=(1 - betas).sqrt())


@misconception
def reciprocal_without_root(beta_start, beta_end, T):
    """Your sqrt_recip_alphas is 1/α. It is the square root of that, 1/√α."""
    betas = torch.linspace(beta_start, beta_end, T)
    return remade(betas, recip=1 / (1 - betas))


@misconception
def reciprocal_of_products(beta_start, beta_end, T):
    """Your sqrt_recip_alphas is 1/√ᾱ, of the products. A step back undoes one step only: it is 1/√α, of the single
    α of the step."""
    found = original(beta_start, beta_end, T)
    return (*found[:2], 1 / found[4], *found[3:])


@misconception
def spread_of_single_steps(beta_start, beta_end, T):
    """Your sqrt_one_minus_alphas_cumprod is √(1 − α), of single steps. After t steps the noise has the standard
    deviation √(1 − ᾱ), with ᾱ the product."""
    betas = torch.linspace(beta_start, beta_end, T)
    return remade(betas, spread=betas.sqrt())


@misconception
def one_minus_the_root(beta_start, beta_end, T):
    """Your sqrt_one_minus_alphas_cumprod is 1 − √ᾱ. Subtract first, and take the root then: √(1 − ᾱ)."""
    found = original(beta_start, beta_end, T)
    return (*found[:5], 1 - found[4], *found[6:])


@misconception
def spread_squared(beta_start, beta_end, T):
    """Your sqrt_one_minus_alphas_cumprod is 1 − ᾱ, a variance: its square root is missing."""
    found = original(beta_start, beta_end, T)
    return (*found[:5], 1 - found[3], *found[6:])


@misconception
def products_of_betas(beta_start, beta_end, T):
    """Your alphas_cumprod is the product of the β. It is that of the α = 1 − β, the shares of the signal that are
    left."""
    betas = torch.linspace(beta_start, beta_end, T)
    return remade(betas, products=betas.cumprod(0))


@misconception
def one_product_for_all(beta_start, beta_end, T):
    """You multiplied all α into one number. ᾱ is one for each step, the product up to there: torch.cumprod."""
    betas = torch.linspace(beta_start, beta_end, T)
    return remade(betas, products=(1 - betas).prod().expand(T).clone())


@misconception
def betas_of_even_roots(beta_start, beta_end, T):
    """Your betas are evenly spaced in their square roots, which is another schedule. The linear one has evenly spaced
    betas: torch.linspace(beta_start, beta_end, T)."""
    return remade(torch.linspace(beta_start**0.5, beta_end**0.5, T) ** 2)


@misconception
def betas_stop_short(beta_start, beta_end, T):
    """Your betas stop one step before beta_end. Both ends belong to the schedule: torch.linspace includes them."""
    return remade(beta_start + (beta_end - beta_start) / T * torch.arange(T))


@misconception
def betas_backwards(beta_start, beta_end, T):
    """Your betas run from beta_end down to beta_start. They should grow, so that little noise is added at first, and
    more later."""
    return remade(torch.linspace(beta_end, beta_start, T))
