"""The course of Stanford's GANs: its mathematics, right values for one seed, examples, and forms of hand-ins."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from gengrade.authoring.expected import differences
from gengrade.choices import Profile
from gengrade.engine import Options, run
from gengrade.facts import Outcome
from gengrade.grade import Grade
from gengrade.grading.checks import known
from gengrade.rubric import Rubric
from graders.image_gan.adam import ADAM, adam
from graders.image_gan.checks import LAYERS, NOISE_DIM, right_loss
from graders.probing.filling import fill
from tests.support.examples import Examples, full_measures
from tests.support.validated import Validated, expect_enough
from validation.workbench import Workbench, reference_of

COURSE = "cs231n_gan"
EXAMPLES = Examples.of(COURSE)
FILE = "gan_pytorch.py"
OFFICIAL = {"discriminator": 267_009, "generator": 1_858_320, "dc_discriminator": 1_102_721, "dc_generator": 6_580_801}


class TestImageGan(Validated):
    course, family = COURSE, "image_gan"


def test_there_is_enough_of_everything() -> None:
    expect_enough(COURSE, caught=80, right=25, unnamed=15)


def test_the_rubric_is_whole() -> None:
    rubric = Rubric.load(EXAMPLES.rubric)
    rubric.verify(known())
    assert sum(question.points for question in rubric.questions()) == 40


# --- the mathematics -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", LAYERS)
def test_layers_have_as_many_parameters_as_the_hand_out_says(which: str) -> None:
    """The hand-out's numbers are for 4 latents."""
    sizes = ([4 if size == NOISE_DIM else size for size in shape] for shape in LAYERS[which])
    assert sum(int(np.prod(shape)) for shape in sizes) == OFFICIAL[which]


@pytest.mark.parametrize(
    "which", ["discriminator_loss", "generator_loss", "ls_discriminator_loss", "ls_generator_loss"]
)
def test_losses_are_those_of_torch(which: str) -> None:
    random = torch.Generator().manual_seed(3)
    scores = [torch.randn(6, generator=random, dtype=torch.float64).requires_grad_() for _ in range(2)]
    real, fake = scores
    entropy, ones, zeros = functional.binary_cross_entropy_with_logits, torch.ones_like(real), torch.zeros_like(real)
    losses = {
        "discriminator_loss": entropy(real, ones) + entropy(fake, zeros),
        "generator_loss": entropy(fake, ones),
        "ls_discriminator_loss": (functional.mse_loss(real, ones) + functional.mse_loss(fake, zeros)) / 2,
        "ls_generator_loss": functional.mse_loss(fake, ones) / 2,
    }
    expected = torch.autograd.grad(losses[which], scores, allow_unused=True)
    value, *gradients = right_loss(which, real.detach().numpy(), fake.detach().numpy())
    assert value == pytest.approx(losses[which].item())
    for found, right in zip(gradients, expected, strict=True):
        assert found == pytest.approx(np.zeros(6) if right is None else right.numpy())


def test_the_way_of_adam_is_that_of_torch() -> None:
    gradients = np.random.default_rng(3).standard_normal((9, 4))
    parameter = nn.Parameter(torch.zeros(4, dtype=torch.float64))
    optimizer = torch.optim.Adam([parameter], lr=ADAM["rate"], betas=(ADAM["beta1"], ADAM["beta2"]))
    for gradient, place in zip(gradients, adam(gradients, **ADAM), strict=True):
        parameter.grad = torch.from_numpy(gradient)
        optimizer.step()
        assert place == pytest.approx(parameter.detach().numpy())


def test_known_weights_follow_from_kind_and_size_alone() -> None:
    first, norm, last = nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 4)
    other_first, other_norm, other_last = nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 4)
    fill(nn.Sequential(first, norm, last), 7)
    fill(nn.ModuleDict({"last": other_last, "norm": other_norm, "first": other_first}), 7)
    for left, right in ((first, other_first), (norm, other_norm), (last, other_last)):
        assert all(torch.equal(a, b) for a, b in zip(left.parameters(), right.parameters(), strict=True))
    assert norm.running_var is not None
    assert (norm.running_var > 0).all()
    before = first.weight.clone()
    fill(first, 8)
    assert not torch.equal(before, first.weight)


# --- what the reports say ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "check", "says"),
    [
        ("nn.Linear(noise_dim, 1024)", "nn.Linear(96, 1024)", "image_gan.generator", "noise_dim="),
        ("nn.Linear(256, 1),", "nn.Linear(256, 1),\n        nn.Sigmoid(),", "image_gan.discriminator", "sigmoid"),
        ("2 * torch.rand", "torch.rand", "image_gan.sample_noise", "both ends"),
        (
            "    return bce_loss(logits_fake, torch.ones_like(logits_fake))",
            "    return -torch.log(torch.sigmoid(logits_fake)).mean()",
            "image_gan.large_scores",
            "your formula is right for ordinary ones",
        ),
        pytest.param(
            *("Unflatten(C=128", "Unflatten(N=128, C=128", "image_gan.batch_sizes", "works for batches of 128"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_messages_say_what_is_wrong(
    benches: Callable[[str], Workbench], old: str, new: str, check: str, says: str
) -> None:
    bench = benches(COURSE)
    facts = bench.check(bench.variant({FILE: (old, new)}), check)
    assert facts[check].outcome is Outcome.FAILED
    assert says in facts[check].decisive.message


@pytest.mark.slow
def test_a_network_that_is_wrong_anyway_is_not_asked_for_other_batches(benches: Callable[[str], Workbench]) -> None:
    bench = benches(COURSE)
    folder = bench.variant({FILE: ("nn.Linear(4 * 4 * 64, 1024)", "nn.Linear(5 * 5 * 64, 1024)")})
    assert set(bench.failing(folder, "image_gan.dc_discriminator", "image_gan.batch_sizes")) == {
        "image_gan.dc_discriminator"
    }


# --- examples and hand-ins --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grades(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Grade]:
    return EXAMPLES.graded(tmp_path_factory.mktemp(COURSE))


@pytest.mark.slow
def test_examples_earn_what_is_stated(grades: Mapping[str, Grade]) -> None:
    assert list(differences(EXAMPLES.expected, grades)) == []
    assert not any(grade.has_infra for grade in grades.values())


@pytest.mark.slow
def test_the_packed_assignment_is_graded_like_its_folder(tmp_path: Path) -> None:
    shutil.make_archive(str(tmp_path / "class" / "doe_a3_code_submission"), "zip", EXAMPLES.folder / "complete")
    options = Options(tmp_path / "class", tmp_path / "results", EXAMPLES.rubric, profile=Profile.UNIT, seed=1, jobs=1)
    (graded,) = run(options).graded
    assert graded.grade.points == EXAMPLES.expected["complete"].points


@pytest.mark.slow
def test_the_reference_earns_the_points_of_the_training(tmp_path: Path) -> None:
    options = Options(
        reference_of(COURSE), tmp_path, EXAMPLES.rubric, profile=Profile.SMOKE, data="digits", seed=1, jobs=1
    )
    (graded,) = run(options).graded
    assert full_measures(graded.grade) == {"image_gan.frechet"}
