"""Rows 45 to 47: attacks by values that are NaN or infinite, of another shape, or nearly right."""

from __future__ import annotations

from typing import Final

from tests.attacks.attack import Attack

_ONE: Final = "answers.py:regularization_loss"  # mean and log_std [B, D]; one test reads it
_BPD: Final = "part1/utils.py:elbo_to_bpd"

ATTACKS = [
    *(
        Attack(
            45,
            f"{what} for everything",
            hostile=f"""
                return {value}
            """,
            control="""
                float("nan") == float("nan")
            """,
            target=target,
        )
        for what, target, value in (
            ("NaN", "answers.py:cubic_density", "torch.full_like(x, float('nan'))"),
            ("infinity", "answers.py:cubic_density", "torch.full_like(x, float('inf'))"),
            ("NaN in one place", "answers.py:cubic_density", "torch.where(x == x[0], float('nan'), 0 * x)"),
            ("NaN alone", _ONE, "torch.tensor(float('nan'))"),
            ("an infinity alone", _ONE, "float('inf')"),
            ("a NaN with a sign", _ONE, "-torch.full((6,), float('nan'), dtype=torch.float64)"),
        )
    ),
    Attack(
        45,
        "constants that are no numbers",
        hostile="""
            spoilt = float("nan")
        """,
        control="""
            spare = float("nan")
        """,
        files={
            "answers.py": """
kl_small = (float("nan"),) * 4
kl_large = (0.0, float("inf"), 1.0, 1.0)
gan_value = float("nan")
def reconstruction_loss(x, logits): return float("nan")
def regularization_loss(mean, log_std): return float("nan") * mean.sum(dim=-1)
def cubic_density(x, a, b): return x * float("nan")
"""
        },
        at_import=True,
    ),
    *(
        Attack(
            46,
            f"{what} for a batch",
            hostile=f"""
                return {value}
            """,
            control="""
                mean = mean.expand(1, *mean.shape)[0]
            """,
            target=_ONE,
        )
        for what, value in (
            ("one number", "mean.square().mean() * 2.5"),
            ("one in a list", "torch.ones(1)"),
            ("a column", "torch.ones(6, 1)"),
            ("a row", "torch.ones(1, 6)"),
            ("a table", "torch.zeros(6, 6)"),
            ("nothing", "torch.zeros(0)"),
            ("nothing to speak of", "torch.zeros(6, 0)"),
        )
    ),
    Attack(
        46,
        "one number for all images",
        # The average is taken as right in one check: a constant is none.
        hostile="""
            return elbo.mean() * 0 + 1.0
        """,
        control="""
            elbo = elbo.reshape(-1).view(elbo.shape)
        """,
        target=_BPD,
    ),
    *(
        Attack(
            47,
            f"nearly right {what}",
            hostile=f"""
                return {value}
            """,
            control="""
                mean, log_std = mean.double(), log_std.double()
            """,
            target=_ONE,
        )
        for what, value in (
            ("in half precision", "(0.5 * (torch.exp(2 * log_std) + mean**2 - 1 - 2 * log_std)).sum(dim=-1).half()"),
            ("in bfloat16", "(0.5 * (torch.exp(2 * log_std) + mean**2 - 1 - 2 * log_std)).sum(dim=-1).bfloat16()"),
            ("off by a thousandth", "1.001 * 0.5 * (torch.exp(2 * log_std) + mean**2 - 1 - 2 * log_std).sum(dim=-1)"),
            ("rounded", "(0.5 * (torch.exp(2 * log_std) + mean**2 - 1 - 2 * log_std)).sum(dim=-1).round(decimals=2)"),
        )
    ),
    Attack(
        47,
        "small numbers for all",
        # Zeros pass where a tolerance is absolute: numbers below any that is usual.
        hostile="""
            return elbo * 1e-6
        """,
        control="""
            elbo = elbo.double()
        """,
        target=_BPD,
    ),
]
