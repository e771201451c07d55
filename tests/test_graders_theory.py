"""The written answers' checks: wrong answers fail, right ones in any spelling pass, absent ones are missing."""

from __future__ import annotations

import pytest

from gengrade.facts import Outcome
from tests.workbench import REFERENCE, Workbench

ANSWERS = "answers.py"
DENSITY = "return torch.where(inside, 3 * x**2 / (b - a), torch.zeros_like(x))"
TERM = "0.5 * (torch.exp(2 * log_std) + mean**2 - 1 - 2 * log_std).sum(dim=-1)"
CROSS_ENTROPY = 'F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=-1)'
SMALL, LARGE = "kl_small = (0.0, 0.0, 1.0, 1.0)", "kl_large = (0.0, 100.0, 1.0, 1.0)"
BODY = """    z = x**3
    inside = (a <= z) & (z <= b)
    """

Changes = tuple[str, str] | list[tuple[str, str]]

WRONG: dict[str, tuple[str, Changes]] = {
    "examples swapped": ("theory.kl_examples", [("kl_small", "_tmp"), ("kl_large", "kl_small"), ("_tmp", "kl_large")]),
    "a large divergence that is none": ("theory.kl_examples", (LARGE, "kl_large = (0.0, 1.0, 1.0, 1.0)")),
    "a small divergence that is none": ("theory.kl_examples", (SMALL, "kl_small = (0.0, 2.0, 1.0, 1.0)")),
    "a variance of zero": ("theory.kl_examples", (LARGE, "kl_large = (0.0, 1.0, 1.0, 0.0)")),
    "an infinite example": ("theory.kl_examples", (LARGE, 'kl_large = (0.0, float("inf"), 1.0, 1.0)')),
    "pixels not summed": ("theory.loss_terms", (".sum(dim=-1)\n\n\ndef reg", "\n\n\ndef reg")),
    "pixels averaged": ("theory.loss_terms", (CROSS_ENTROPY, CROSS_ENTROPY.replace(".sum", ".mean"))),
    "log-likelihood for a loss": ("theory.loss_terms", ("return " + CROSS_ENTROPY, "return -" + CROSS_ENTROPY)),
    "no sigmoid": ("theory.loss_terms", (CROSS_ENTROPY, "((x - logits) ** 2).sum(dim=-1)")),
    "log variance": ("theory.loss_terms", (TERM, "0.5 * (torch.exp(log_std) + mean**2 - 1 - log_std).sum(dim=-1)")),
    "no half": ("theory.loss_terms", (TERM, TERM[6:])),
    "negative divergence": ("theory.loss_terms", (TERM, "-" + TERM)),
    "value of the game without a sign": ("theory.gan_value", ("-math.log(4)", "math.log(4)")),
    "value of the game in bits": ("theory.gan_value", ("-math.log(4)", "-2")),
    "value of one term": ("theory.gan_value", ("-math.log(4)", "-math.log(2)")),
    "no Jacobian": ("theory.cubic_density", (DENSITY, DENSITY.replace("3 * x**2", "torch.ones_like(x)"))),
    "the inverse's Jacobian": (
        "theory.cubic_density",
        (DENSITY, DENSITY.replace("3 * x**2", "abs(x) ** (-2 / 3) / 3")),
    ),
    "not normalised": ("theory.cubic_density", (DENSITY, DENSITY.replace(" / (b - a)", ""))),
    "support of z": ("theory.cubic_density", ("(a <= z) & (z <= b)", "(a <= x) & (x <= b)")),
    "no support": ("theory.cubic_density", (DENSITY, "return 3 * x**2 / (b - a)")),
    "positive x only": ("theory.cubic_density", ("(a <= z) & (z <= b)", "(a <= z) & (z <= b) & (x > 0)")),
    "z for x": ("theory.cubic_density", (DENSITY, DENSITY.replace("3 * x**2", "3 * z**2"))),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answers_fail_their_check(workbench: Workbench, name: str) -> None:
    check, replacements = WRONG[name]
    failing = workbench.failing(workbench.variant({ANSWERS: replacements}), "theory.")
    assert {id_: fact.outcome for id_, fact in failing.items()} == {check: Outcome.FAILED}


RIGHT: dict[str, Changes] = {
    "examples as functions of lists": [
        (SMALL, "kl_small = lambda: [1, 1, 2, 2]"),
        (LARGE, "kl_large = lambda: [torch.tensor(0.), 0, torch.tensor(1.), 1e-4]"),
    ],
    "terms as batch means": [(".sum(dim=-1)", ".sum(dim=-1).mean()")],
    "terms as sums": [(".sum(dim=-1)", ".sum()")],
    "cross-entropy by hand": (
        CROSS_ENTROPY,
        "-(x * torch.log(torch.sigmoid(logits)) + (1 - x) * torch.log(1 - torch.sigmoid(logits))).sum(1)",
    ),
    "value of the game in decimals": ("-math.log(4)", "-1.39"),
    "value of the game as a tensor from a function": (
        "gan_value = -math.log(4)",
        "gan_value = lambda: -torch.log(torch.tensor(4.0))",
    ),
    "a density of one number": (
        BODY + DENSITY,
        "    low, high = (math.copysign(abs(end) ** (1 / 3), end) for end in (a, b))\n"
        "    return 3 * x**2 / (b - a) if low <= x <= high else 0",
    ),
    "a density of arrays": (
        BODY + DENSITY,
        "    import numpy as np\n    inside = (x > np.cbrt(a)) & (x < np.cbrt(b))\n"
        "    return np.where(inside, 3 * np.square(x) / (b - a), 0.0)",
    ),
    "a density with a mask": (DENSITY, "return inside * 3 * x**2 / (b - a)"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_answers_in_any_spelling_pass(workbench: Workbench, name: str) -> None:
    assert workbench.failing(workbench.variant({ANSWERS: RIGHT[name]}), "theory.") == {}


def test_the_reference_passes(workbench: Workbench) -> None:
    assert workbench.failing(REFERENCE, "theory.") == {}


def test_absent_answers_are_missing(workbench: Workbench) -> None:
    folder = workbench.variant({ANSWERS: ("gan_value = ", "_ = ")})
    failing = workbench.failing(folder, "theory.")
    assert {id_: fact.outcome for id_, fact in failing.items()} == {"theory.gan_value": Outcome.MISSING}
    (folder / ANSWERS).unlink()
    failing = workbench.failing(folder, "theory.")
    assert {fact.outcome for fact in failing.values()} == {Outcome.MISSING}


def test_the_cube_root_of_a_negative_number_is_no_complex_one(workbench: Workbench) -> None:
    complex_root = BODY.replace("(a <= z) & (z <= b)", "(a ** (1 / 3) <= x) & (x <= b ** (1 / 3))") + DENSITY
    failing = workbench.failing(workbench.variant({ANSWERS: (BODY + DENSITY, complex_root)}), "theory.")
    assert {id_: fact.outcome for id_, fact in failing.items()} == {"theory.cubic_density": Outcome.ERROR}
