"""Written answers: the reference's in other spellings, or with a few words changed."""

from __future__ import annotations

from validation.variants import Changes, Unnamed
from validation.workbench import REFERENCE

ANSWERS = "answers.py"
SMALL, LARGE = "kl_small = gaussians(apart=0.0)", "kl_large = gaussians(apart=100.0)"
CROSS_ENTROPY = 'F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=-1)'
TERM = "0.5 * (torch.exp(2 * log_std) + mean**2 - 1 - 2 * log_std).sum(dim=-1)"
VALUE = "gan_value = -math.log(4)"
SUPPORT = "(a <= z) & (z <= b)"
DENSITY = "return torch.where(inside, 3 * x**2 / (b - a), torch.zeros_like(x))"
BODY = f"""    z = x**3
    inside = {SUPPORT}
    {DENSITY}"""


def answers(*changes: tuple[str, str]) -> Changes:
    return {ANSWERS: list(changes)}


RIGHT: dict[str, Changes] = {
    "examples as functions of lists": answers(
        (SMALL, "kl_small = lambda: [1, 1, 2, 2]"),
        (LARGE, "kl_large = lambda: [torch.tensor(0.), 0, torch.tensor(1.), 1e-4]"),
    ),
    "examples as arrays": answers(
        (SMALL, "kl_small = torch.tensor([3.0, 3.1, 1.0, 1.05])"),
        (LARGE, "import numpy as np\nkl_large = np.array([0, 1, 400, 1])"),
    ),
    "terms as batch means": answers((".sum(dim=-1)", ".sum(dim=-1).mean()")),
    "terms as sums": answers((".sum(dim=-1)", ".sum()")),
    "terms in double precision": answers(
        ("return F", "x, logits = x.double(), logits.double()\n    return F"), ("torch.exp(2", "torch.exp(2.0")
    ),
    "cross-entropy by hand": answers(
        (
            CROSS_ENTROPY,
            "-(x * torch.log(torch.sigmoid(logits)) + (1 - x) * torch.log(1 - torch.sigmoid(logits))).sum(1)",
        )
    ),
    "cross-entropy of probabilities": answers(
        (CROSS_ENTROPY, 'F.binary_cross_entropy(torch.sigmoid(logits), x, reduction="sum") / len(x)')
    ),
    "cross-entropy by a distribution": answers(
        (CROSS_ENTROPY, "-torch.distributions.Bernoulli(logits=logits).log_prob(x).sum(-1)")
    ),
    "divergence by distributions": answers(
        (
            TERM,
            "torch.distributions.kl_divergence(torch.distributions.Normal(mean, log_std.exp()), "
            "torch.distributions.Normal(0.0, 1.0)).sum(-1)",
        )
    ),
    "value of the game in decimals": answers((VALUE, "gan_value = -1.39")),
    "value of the game as a tensor from a function": answers(
        (VALUE, "gan_value = lambda: -torch.log(torch.tensor(4.0))")
    ),
    "a density of one number": answers(
        (
            BODY,
            "    low, high = (math.copysign(abs(end) ** (1 / 3), end) for end in (a, b))\n"
            "    return 3 * x**2 / (b - a) if low <= x <= high else 0",
        )
    ),
    "a density of arrays, without its ends": answers(
        (
            BODY,
            "    import numpy as np\n    inside = (x > np.cbrt(a)) & (x < np.cbrt(b))\n"
            "    return np.where(inside, 3 * np.square(x) / (b - a), 0.0)",
        )
    ),
    "a density with a mask": answers((DENSITY, "return inside * 3 * x**2 / (b - a)")),
    "a density by a distribution": answers(
        (
            BODY,
            "    uniform = torch.distributions.Uniform(a, b, validate_args=False)\n"
            "    return (uniform.log_prob(x**3) + torch.log(3 * x**2)).exp()",
        )
    ),
}

ALTERNATIVE: Changes = answers(
    (
        (REFERENCE / ANSWERS).read_text(),
        """
import numpy as np
import torch


def gaussians(apart):
    spread = 2.0
    return [-apart / 2, apart / 2, spread, spread]


kl_small = gaussians(0.01)
kl_large = gaussians(apart=100)


def reconstruction_loss(x, logits):
    probability = 1 / (1 + (-logits.double()).exp())
    likelihood = x * probability.log() + (1 - x) * (1 - probability).log()
    return likelihood.sum(dim=1).mean(dim=0).neg()


def regularization_loss(mean, log_std):
    variance = log_std.exp().square()
    each = (variance + mean.square()).div(2) - log_std - 0.5
    return each.sum()


def gan_value():
    return round(2 * float(np.log(0.5)), 2)


def cubic_density(x, a, b):
    x = np.asarray(x, dtype=float)
    ends = np.cbrt([a, b])
    return torch.tensor(3 / (b - a) * x * x * (ends[0] < x) * (x < ends[1]))
""",
    )
)


def unnamed(check: str, *changes: tuple[str, str], says: str = "") -> Unnamed:
    return Unnamed(answers(*changes), (f"theory.{check}",), says)


UNNAMED: dict[str, Unnamed] = {
    "a large divergence that is moderate": unnamed(
        "kl_examples", (LARGE, "kl_large = (0.0, 2.0, 1.0, 1.0)"), says="kl_large is not very large"
    ),
    "a small divergence that is moderate": unnamed(
        "kl_examples", (SMALL, "kl_small = (0.0, 2.0, 1.0, 1.0)"), says="kl_small is not very small"
    ),
    "an infinite example": unnamed("kl_examples", (LARGE, 'kl_large = (0.0, float("inf"), 1.0, 1.0)')),
    "three numbers for an example": Unnamed(
        answers((LARGE, "kl_large = (0.0, 100.0, 1.0)")), ("theory.kl_examples",), "has 3 numbers"
    ),
    "hinge loss of the pixels": unnamed(
        "loss_terms", (CROSS_ENTROPY, "F.relu(1 - (2 * x - 1) * logits).sum(dim=-1)"), says="reconstruction loss"
    ),
    "absolute value of the mean": unnamed("loss_terms", ("mean**2", "mean.abs()"), says="regularization loss"),
    "value of the game of three": unnamed("gan_value", (VALUE, "gan_value = -math.log(3)"), says="gan_value"),
    "square for the cube": unnamed("cubic_density", ("3 * x**2", "2 * x.abs()"), says="integrate"),
    "a density that is negative": unnamed("cubic_density", ("3 * x**2", "3 * x * abs(x)"), says="negative"),
    "half of the support": unnamed("cubic_density", (SUPPORT, "(a <= z) & (z <= (a + b) / 2)"), says="integrate"),
}
