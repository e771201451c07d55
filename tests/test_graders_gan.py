"""The GANs' graders with either template, with gaps, and with losses from known scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from courses.uva2020.variants.gan import LIGHTNING, TORCH
from gengrade.data import load
from gengrade.facts import Outcome
from graders.common.gan_losses import Observed, judge_discriminator, judge_generator, softplus, sources
from graders.common.matching import Likeness
from validation.variants import Changes
from validation.workbench import Workbench, names

SAMPLE = "return self.generator(self.draw_latents(batch_size))"
FAKES = "        x_fake = self.generator("
ENDS = "        start, end = self.draw_latents(batch_size)"
GAP = "        raise NotImplementedError\n"

LOOPS: dict[str, tuple[tuple[str, str], str]] = {
    "one optimiser over both networks": (
        ("torch.optim.Adam(self.discriminator.parameters()", "torch.optim.Adam(self.parameters()"),
        "gan_loop.one_optimizer_for_both",
    ),
    "optimisers in the wrong order": (
        ("return [optimizer_gen, optimizer_disc], []", "return [optimizer_disc, optimizer_gen], []"),
        "gan_loop.losses_exchanged",
    ),
}

Scores = np.ndarray[tuple[int], np.dtype[np.float64]]
REAL = np.linspace(-1.0, 3.0, 16)
FAKE = np.linspace(-3.0, 2.0, 16)


def _lightning(*changes: tuple[str, str]) -> Changes:
    """Return the submission of a student who left train_torch.py as it was handed out."""
    return {TORCH: (SAMPLE, "raise NotImplementedError"), LIGHTNING: list(changes)}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", LOOPS)
def test_a_wrong_lightning_module_is_named(workbench: Workbench, name: str) -> None:
    change, misconception = LOOPS[name]
    failing = workbench.diagnosed(workbench.variant(_lightning(change)), "gan.")
    assert set(failing) == {"gan.alternation"}
    assert names(failing.values()) == {misconception}


@pytest.mark.slow
def test_a_wrong_loss_is_named_in_either_template(workbench: Workbench) -> None:
    failing = workbench.diagnosed(workbench.planted("generator_step.saturating_loss", _lightning()), "gan.")
    assert names(failing.values()) == {"generator_step.saturating_loss"}
    assert "saturating" in failing["gan.generator_step"].decisive.message


def _without_lightning(workbench: Workbench, changes: Changes) -> Path:
    folder = workbench.variant(changes)
    (folder / LIGHTNING).unlink()
    return folder


def test_gaps_are_missing(workbench: Workbench) -> None:
    folder = _without_lightning(workbench, {TORCH: [(FAKES, GAP + FAKES), (ENDS, GAP + ENDS)]})
    outcomes = {id_: str(fact.outcome) for id_, fact in workbench.failing(folder, "gan.").items()}
    missing = ("gan.discriminator_step", "gan.interpolate", "gan.interpolate_shape", "gan.alternation")
    assert outcomes == dict.fromkeys(missing, "missing")


def test_a_filled_template_is_preferred(workbench: Workbench) -> None:
    """A hand-out's untouched train_torch.py beside a complete train_pl.py does not count."""
    assert not workbench.failing(workbench.variant({TORCH: [(ENDS, GAP + ENDS)]}), "gan.")


def _step(loss: float, real_slope: Scores, fake_slope: Scores) -> Observed:
    """Return a step on all scores, with the slopes of each term at them."""
    scores = np.concatenate([REAL, FAKE])
    gradients = np.concatenate([real_slope / REAL.size, fake_slope / FAKE.size])
    fake = np.arange(scores.size) >= REAL.size
    return Observed(loss, scores, gradients, fake, ~fake)


NOTHING = np.zeros(16)


@pytest.mark.parametrize(
    ("loss", "slope", "labels", "words"),
    [
        (softplus(-FAKE).mean(), expit(FAKE) - 1, "usual", None),
        (softplus(-FAKE).mean() / 2, (expit(FAKE) - 1) / 2, "usual", None),
        (softplus(FAKE).mean(), expit(FAKE), "exchanged", None),
        (-softplus(FAKE).mean(), -expit(FAKE), "unknown", "saturating loss"),
        (-softplus(-FAKE).mean(), 1 - expit(FAKE), "unknown", "sign"),
        (softplus(-FAKE).sum(), 16 * (expit(FAKE) - 1), "unknown", "summed"),
        (-FAKE.mean(), -np.ones(16), "unknown", "Wasserstein"),
        (3 * softplus(-FAKE).mean(), 3 * (expit(FAKE) - 1), "unknown", "3 times too large"),
        (np.abs(FAKE).mean(), np.sign(FAKE), "unknown", ""),
    ],
)
def test_a_generators_loss_is_told_by_its_scores(loss: float, slope: Scores, labels: str, words: str | None) -> None:
    verdict = judge_generator(_step(loss, NOTHING, slope))
    assert verdict.labels == labels
    assert (verdict.mistake is None) == (words is None)
    assert words is None or words in (verdict.mistake or "")


@pytest.mark.parametrize(
    ("loss", "slopes", "labels", "words"),
    [
        (softplus(-REAL).mean() + softplus(FAKE).mean(), (expit(REAL) - 1, expit(FAKE)), "usual", None),
        (softplus(REAL).mean() + softplus(-FAKE).mean(), (expit(REAL), expit(FAKE) - 1), "exchanged", None),
        (softplus(-REAL).mean(), (expit(REAL) - 1, NOTHING), "unknown", "only the real"),
        (softplus(-REAL).mean() - softplus(FAKE).mean(), (expit(REAL) - 1, -expit(FAKE)), "unknown", "subtracted"),
        (FAKE.mean() - REAL.mean(), (-np.ones(16), np.ones(16)), "unknown", "Wasserstein"),
    ],
)
def test_a_discriminators_loss_is_told_by_its_scores(
    loss: float, slopes: tuple[Scores, Scores], labels: str, words: str | None
) -> None:
    verdict = judge_discriminator(_step(loss, *slopes))
    assert verdict.labels == labels
    assert (verdict.mistake is None) == (words is None)
    assert words is None or words in (verdict.mistake or "")


def test_rows_belong_to_the_image_that_they_resemble() -> None:
    rng = np.random.default_rng(0)
    real, fake = np.sign(rng.standard_normal((2, 8, 784)))
    rows = np.concatenate([fake[:3], real[:2] + 0.1 * rng.standard_normal((2, 784)), rng.standard_normal((1, 784))])
    from_real, from_fake = sources(rows, real, fake)
    assert from_fake.tolist() == [True] * 3 + [False] * 3
    assert from_real.tolist() == [False] * 3 + [True] * 2 + [False]
    from_real, from_fake = sources(rows, real, np.zeros((0, 784)))
    assert from_real.tolist() == [False] * 3 + [True] * 2 + [False]
    assert not from_fake.any()


def _digits(n: int) -> NDArray[np.float64]:
    chosen = np.random.default_rng(0).choice(len(load("digits").train), n, replace=False)
    return load("digits").train.images[chosen].reshape(n, -1) / 127.5 - 1


@pytest.mark.parametrize(
    ("change", "of_64"),
    [
        (lambda images, noise: images, 64),
        (lambda images, noise: images / 2 + 0.5, 64),
        (lambda images, noise: images + 0.8 * noise, 64),
        (lambda images, noise: images[::-1], 64),
        (lambda images, noise: images.reshape(-1, 28, 28)[:, :, ::-1].reshape(images.shape), 64),
        (lambda images, noise: np.roll(images.reshape(-1, 28, 28), (2, -3), (1, 2)).reshape(images.shape), 64),
        (lambda images, noise: images[:2], 2),
        (lambda images, noise: images[:1] + 0.1 * noise, 1),
        (lambda images, noise: images.mean(axis=0) + 0.01 * noise, 3),
        (lambda images, noise: -np.ones_like(images), 0),
        (lambda images, noise: noise, 0),
    ],
)
def test_images_of_a_batch_are_found_again(
    change: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]], of_64: int
) -> None:
    images = _digits(64)
    found = Likeness.of(change(images, np.random.default_rng(1).standard_normal(images.shape)), images).met
    assert found == of_64 if of_64 in (0, 64) else found <= of_64


def test_a_row_that_resembles_nothing_belongs_to_the_rows_beside_it() -> None:
    rng = np.random.default_rng(0)
    real, fake = np.sign(rng.standard_normal((2, 16, 784)))
    rows = np.concatenate([real, fake])
    rows[3] = rows[20] = rng.standard_normal(784)
    from_real, from_fake = sources(rows, real, fake)
    assert from_real.tolist() == [True] * 16 + [False] * 16
    assert from_fake.tolist() == [False] * 16 + [True] * 16


# Losses that are summed over the batch

CE = "F.binary_cross_entropy"
GENERATORS: dict[str, tuple[str, str, tuple[str, str]]] = {  # the family and the file, and what sums that loss only
    "uva2018": ("gan2018", "a3_gan_template.py", (f"return {CE}(on_fake,", f"return len(on_fake) * {CE}(on_fake,")),
    "uva2020": (
        "gan",
        "part2/losses.py",
        (f"return {CE}_with_logits(logits_fake,", f"return len(logits_fake) * {CE}_with_logits(logits_fake,"),
    ),
    "mila2023": ("gan", "gan_solution.py", ("return criterion(output,", "return len(output) * criterion(output,")),
}
DISCRIMINATORS = {
    "uva2018": ("return real + fake", "return len(on_real) * (real + fake)"),
    "uva2020": ("return loss_real + loss_fake", "return len(logits_real) * (loss_real + loss_fake)"),
    "mila2023": ("return criterion(real_output,", "return len(real_output) * criterion(real_output,"),
}
SECOND_TERM = (
    "+ criterion(fake_output, torch.zeros_like(fake_output))",
    "+ len(fake_output) * criterion(fake_output, torch.zeros_like(fake_output))",
)


def _checks_of(course: str) -> tuple[str, str]:
    family = GENERATORS[course][0]
    kind = "loss" if family == "gan2018" else "step"
    return f"{family}.generator_{kind}", f"{family}.discriminator_{kind}"


@pytest.mark.sampled(3)
@pytest.mark.parametrize("course", GENERATORS)
def test_two_summed_losses_are_one_mistake(benches: Callable[[str], Workbench], course: str) -> None:
    _, file, change = GENERATORS[course]
    changes = [change, DISCRIMINATORS[course], *([SECOND_TERM] if course == "mila2023" else [])]
    bench, checks = benches(course), _checks_of(course)
    generators, discriminators = (bench.check(bench.variant({file: changes}), *checks)[check] for check in checks)
    assert generators.outcome is Outcome.FAILED
    assert "both losses are summed over the batch" in generators.decisive.message
    assert discriminators.outcome is Outcome.PASSED
    assert any("costs the points of the generator's loss only" in test.message for test in discriminators.tests)


@pytest.mark.parametrize("which", [0, 1], ids=["generator", "discriminator"])
def test_one_summed_loss_costs_its_own_item(benches: Callable[[str], Workbench], which: int) -> None:
    _, file, change = GENERATORS["mila2023"]
    bench, checks = benches("mila2023"), _checks_of("mila2023")
    changes = [DISCRIMINATORS["mila2023"], SECOND_TERM] if which else [change]
    failing = bench.failing(bench.variant({file: changes}), *checks)
    assert list(failing) == [checks[which]]
    assert "the loss is summed over the batch" in failing[checks[which]].decisive.message


def test_losses_with_different_factors_are_two_mistakes(benches: Callable[[str], Workbench]) -> None:
    bench, checks = benches("mila2023"), _checks_of("mila2023")
    tripled = ("return criterion(real_output,", "return 3 * criterion(real_output,")
    changes = [GENERATORS["mila2023"][2], tripled, (SECOND_TERM[0], SECOND_TERM[1].replace("len(fake_output)", "3"))]
    failing = bench.failing(bench.variant({"gan_solution.py": changes}), *checks)
    assert set(failing) == set(checks)


def test_a_criterion_that_sums_costs_one_item(benches: Callable[[str], Workbench]) -> None:
    bench, checks = benches("mila2023"), _checks_of("mila2023")
    change = ("criterion = nn.BCEWithLogitsLoss()", 'criterion = nn.BCEWithLogitsLoss(reduction="sum")')
    failing = bench.failing(bench.variant({"gan_solution.py": change}), *checks)
    assert list(failing) == [checks[0]]
