"""The course of 2021 to 2025, a VAE of 4-bit images: its right values for one seed, rubric and examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from gengrade.authoring.expected import differences
from gengrade.grade import Grade
from gengrade.grading.checks import known
from gengrade.rubric import Rubric
from graders.vae.levels import level_losses
from tests.support.examples import Examples
from tests.support.validated import Validated
from validation.workbench import Workbench

EXAMPLES = Examples.of("uva2021")
EXPECTED = EXAMPLES.expected


class TestVae(Validated):
    course, family = "uva2021", "vae"


def test_the_rubric_is_whole() -> None:
    rubric = Rubric.load(EXAMPLES.rubric)
    rubric.verify(known())
    assert sum(question.points for question in rubric.questions()) == 30


def test_losses_of_levels_are_those_of_a_categorical_distribution() -> None:
    levels = np.array([[[0, 2], [1, 1]]])
    probabilities = np.array([0.5, 0.2, 0.3])
    logits = np.broadcast_to(np.log(probabilities)[None, :, None, None] + 7, (1, 3, 2, 2))
    assert level_losses(levels, logits) == pytest.approx(-np.log(0.5 * 0.3 * 0.2 * 0.2))


@pytest.fixture(scope="module")
def grades(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Grade]:
    return EXAMPLES.graded(tmp_path_factory.mktemp("uva2021"))


@pytest.mark.slow
def test_examples_earn_what_is_stated(grades: Mapping[str, Grade]) -> None:
    assert list(differences(EXPECTED, grades)) == []
    assert not any(grade.has_infra for grade in grades.values())


# --- what the reports say ---------------------------------------------------------------------------------------------


def test_errors_of_a_network_name_the_arguments_that_it_was_built_with(benches: Callable[[str], Workbench]) -> None:
    bench = benches("uva2021")
    folder = bench.variant({"part1/cnn_encoder_decoder.py": ("nn.Linear(z_dim, ", "nn.Linear(20, ")})
    message = bench.check(folder, "vae.levels")["vae.levels"].decisive.message
    assert "cannot be multiplied" in message
    assert "built with num_input_channels=16, num_filters=8, z_dim=7" in message


@pytest.mark.parametrize(
    ("old", "new", "check", "says"),
    [
        ("return self.net(z)", "return self.net(z), z", "vae.levels", "a tuple of 2: Tensor, Tensor"),
        ("return self.net(z)", "self.net(z)", "vae.levels", "returned None"),
        ("return mean, log_std", "return mean", "vae.cnn_encoder", "two tensors, and returned a Tensor"),
    ],
)
def test_other_things_than_tensors_are_said_in_words(
    benches: Callable[[str], Workbench], old: str, new: str, check: str, says: str
) -> None:
    bench = benches("uva2021")
    folder = bench.variant({"part1/cnn_encoder_decoder.py": (old, new)})
    assert says in bench.check(folder, check)[check].decisive.message
