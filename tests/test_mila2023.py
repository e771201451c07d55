"""The course of 2023: the mathematics of its graders, its examples, other file names, and its training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from scipy.special import logsumexp

from courses.mila2023.variants.ddpm import winter
from courses.mila2023.variants.ddpm_winter import WINTER_TEXT
from gengrade.authoring.expected import differences
from gengrade.choices import Profile
from gengrade.facts import Outcome
from gengrade.grade import Grade
from gengrade.grading import Rng
from graders.adapting.calling import answered, received
from graders.ddpm.diffusion import GaussianData, Schedule, huber, huber_slope
from graders.gaussian_vae.linear_gaussian import LinearGaussian, log_gaussian
from tests.support.examples import Examples
from validation.workbench import Workbench, names, reference_of

EXAMPLES = Examples.of("mila2023")
EXPECTED = EXAMPLES.expected
COURSE = "mila2023"
AUTOMATIC = 61


# --- the mathematics -------------------------------------------------------------------------------------------------


@pytest.fixture
def rng() -> Rng:
    return Rng(20231103)


def test_the_likelihood_of_a_linear_gaussian_is_that_of_its_covariance(rng: Rng) -> None:
    model = LinearGaussian.random(rng, 12, 3)
    x = model.draw(rng, 5, (12,)).astype(np.float64)
    covariance = np.eye(12) + model.matrix @ model.matrix.T
    residuals = x - model.offset
    squares = np.einsum("ni,ij,nj->n", residuals, np.linalg.inv(covariance), residuals)
    expected = -0.5 * (squares + np.linalg.slogdet(2 * np.pi * covariance)[1])
    assert model.log_prob(x) == pytest.approx(expected, abs=1e-4)


def test_every_weight_of_the_true_posterior_is_the_likelihood(rng: Rng) -> None:
    model = LinearGaussian.random(rng, 12, 3)
    x = model.draw(rng, 5, (12,)).astype(np.float64)
    mean, logvar = model.posterior(x)
    z = mean + np.exp(0.5 * logvar) * rng.normal(7, 5, 3)
    for draws in (1, 7):
        assert model.estimate(x, z[:draws], mean, logvar) == pytest.approx(model.log_prob(x), abs=1e-4)


def test_estimates_grow_with_the_number_of_draws_towards_the_likelihood(rng: Rng) -> None:
    """Burda et al. 2016, theorem 1: in expectation, here over many images."""
    model = LinearGaussian.random(rng, 12, 3)
    x = model.draw(rng, 3000, (12,)).astype(np.float64)
    mean, logvar = model.posterior(x)
    logvar = logvar + 1.0
    z = mean + np.exp(0.5 * logvar) * rng.normal(64, len(x), 3)
    away = [float((model.estimate(x, z[:draws], mean, logvar) - model.log_prob(x)).mean()) for draws in (1, 4, 16, 64)]
    assert away == sorted(away)
    assert away[0] < -0.2
    assert -0.05 < away[-1] < 0.01


def test_a_log_density_of_unit_variance_may_leave_out_its_shape(rng: Rng) -> None:
    x = rng.normal(4, 6)
    assert log_gaussian(x, np.zeros(1), np.zeros(1)) == pytest.approx(log_gaussian(x, np.zeros(6), np.zeros(6)))
    assert float(logsumexp(log_gaussian(np.linspace(-9, 9, 2001)[:, None], np.zeros(1), np.zeros(1)))) == pytest.approx(
        np.log(2000 / 18), abs=1e-3
    )


def test_steps_back_by_the_best_guess_come_near_the_data(rng: Rng) -> None:
    covariance = np.array([[1.0, 0.6], [0.6, 0.8]])
    data = GaussianData(np.array([1.0, -2.0]), covariance, Schedule.linear(1e-4, 0.05, 400))
    mean, found = data.drawn
    assert mean == pytest.approx(data.mean, abs=0.02)
    assert found == pytest.approx(covariance, abs=0.05)


def test_the_best_guess_of_the_noise_is_the_best_linear_one(rng: Rng) -> None:
    data = GaussianData(np.array([1.0, -2.0]), np.array([[1.0, 0.6], [0.6, 0.8]]), Schedule.random(rng, 5))
    n, t = 200_000, 3
    images = data.mean + rng.normal(n, 2) @ np.linalg.cholesky(data.covariance).T
    noise = rng.normal(n, 2).astype(np.float64)
    noisy = data.schedule.noised(images, np.full(n, t), noise)
    inputs = np.concatenate([noisy, np.ones((n, 1))], axis=1)
    fitted, *_ = np.linalg.lstsq(inputs, noise, rcond=None)
    matrices, offsets = data.denoiser
    assert matrices[t] == pytest.approx(fitted[:2].T, abs=0.02)
    assert offsets[t] == pytest.approx(fitted[2], abs=0.02)


def test_the_huber_loss_and_its_slope_belong_together(rng: Rng) -> None:
    residuals = 2 * rng.normal(50).astype(np.float64)
    step = 1e-6 * rng.normal(50)
    slope = float(huber_slope(residuals) @ step)
    assert huber(residuals + step) - huber(residuals - step) == pytest.approx(2 * slope, rel=1e-3)
    assert huber(np.array([0.5, -3.0])) == pytest.approx((0.125 + 2.5) / 2)


# --- calling what students wrote -------------------------------------------------------------------------------------


def test_what_was_received_goes_by_the_hand_outs_names() -> None:
    def theirs(x0: object, t: object, coefs: object, noise: object = None) -> None: ...

    names = ("x_start", "t", "coefficients", "noise")
    found = received(theirs, names, (1, 2), {"coefs": 3, "noise": 4})
    assert found == {"x_start": 1, "t": 2, "coefficients": 3, "noise": 4}


def test_a_gap_that_returns_nothing_is_missing() -> None:
    assert answered(0, "sample") == 0
    with pytest.raises(Exception, match="sample returns None"):
        answered(None, "sample")


# --- files, and the examples -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grades(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Grade]:
    return EXAMPLES.graded(tmp_path_factory.mktemp("mila2023"))


@pytest.mark.slow
def test_examples_earn_what_is_stated(grades: Mapping[str, Grade]) -> None:
    assert list(differences(EXPECTED, grades)) == []
    for grade in grades.values():
        assert sum(item.possible for item in grade.items if item.kind != "manual") == AUTOMATIC
    assert not any(grade.has_infra for grade in grades.values())


def test_optimisers_at_the_top_of_a_file_find_the_networks_of_the_notebook(
    benches: Callable[[str], Workbench], tmp_path: Path
) -> None:
    folder = tmp_path / "given"
    shutil.copytree(reference_of(COURSE), folder)
    text = (folder / "gan_solution.py").read_text()
    kept = text[text.index("discriminator_optimizer") :]
    (folder / "gan_solution.py").write_text(f"import torch\n{kept}")
    assert benches(COURSE).failing(folder, "gan.") == {}


def test_pixels_that_are_mixed_one_image_after_the_other_are_named(benches: Callable[[str], Workbench]) -> None:
    bench = benches(COURSE)
    mixed = "return torch.cat([(1 - w) * generator(z_1) + w * generator(z_2) for w in weight])"
    changes = {"gan_solution.py": ("return generator((1 - weight) * z_1 + weight * z_2)", mixed)}
    facts = bench.diagnosed(bench.variant(changes), "gan.interpolate")
    assert names(facts.values()) == {"gan_samples.pixels_mixed"}


def test_a_loop_is_named_beside_a_wrong_step(benches: Callable[[str], Workbench]) -> None:
    bench = benches(COURSE)
    changes = {
        "diffusion_solution.py": [
            ("return torch.stack(imgs)", "return torch.stack(imgs[::-1])"),
            ("return mean + extract", "return mean + 1.2 * extract"),
        ]
    }
    facts = bench.diagnosed(bench.variant(changes), "ddpm.p_sample", "ddpm.p_sample_loop")
    assert set(facts) == {"ddpm.p_sample", "ddpm.p_sample_loop"}
    assert names(facts.values()) == {"sampling_loop.in_reverse_order"}


def test_mistakes_in_answers_to_the_hand_out_of_winter_2023_have_their_names(
    benches: Callable[[str], Workbench],
) -> None:
    bench = benches(COURSE)
    for changed, check, name in (
        (("extract(posterior_variance, t, x.shape).sqrt()", "extract(posterior_variance, t, x.shape)"), "p_sample", ""),
        (("q_sample(x_start, t, noise)", "q_sample(x_start, t)"), "p_losses", "ddpm_loss.other_noise_in_the_image"),
    ):
        facts = bench.diagnosed(bench.variant(winter(changed)), "ddpm.")
        assert set(facts) == {f"ddpm.{check}"}
        assert names(facts.values()) == {name or "denoising.variance_for_deviation"}


def test_an_answer_to_the_hand_out_of_winter_2023_may_be_a_notebook(
    benches: Callable[[str], Workbench], tmp_path: Path
) -> None:
    cells: list[dict[str, object]] = [
        {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}
        for source in (*WINTER_TEXT.split("\n\n\n"), "loss = p_losses(Unet(32), next(iter(loader)), t_sample(T, 64))")
    ]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    (tmp_path / "DDPM.ipynb").write_text(json.dumps(notebook))
    assert benches(COURSE).failing(tmp_path, "ddpm.") == {}


def test_an_answer_to_the_hand_out_of_winter_2025_is_left_to_a_person(
    benches: Callable[[str], Workbench], tmp_path: Path
) -> None:
    (tmp_path / "q2_ddpm.py").write_text(
        "import torch\n\n\nclass DenoiseDiffusion:\n    def __init__(self, eps_model, n_steps, device):\n"
        "        self.beta = torch.linspace(0.0001, 0.02, n_steps).to(device)\n\n"
        "    def q_sample(self, x0, t, eps=None):\n        return x0\n\n"
        "    def p_sample(self, xt, t, set_seed=False):\n        return xt\n"
    )
    facts = benches(COURSE).failing(tmp_path, "ddpm.")
    assert {fact.outcome for fact in facts.values()} <= {Outcome.UNDECIDED, Outcome.BLOCKED}
    assert "winter 2025" in facts["ddpm.q_sample"].decisive.message


def _trained(folder: Path, data: str) -> Grade:
    return EXAMPLES.graded(folder, Profile.SMOKE, data=data, only="complete")["complete"]


@pytest.mark.slow
def test_the_complete_example_earns_all_automatic_points(tmp_path: Path) -> None:
    assert _trained(tmp_path, "digits").points == AUTOMATIC


@pytest.mark.slow
@pytest.mark.mnist
def test_the_complete_example_earns_all_automatic_points_on_mnist(tmp_path: Path, mnist_root: Path) -> None:
    assert _trained(tmp_path, str(mnist_root)).points == AUTOMATIC


@pytest.mark.slow
def test_a_network_that_is_trained_on_other_times_earns_less(benches: Callable[[str], Workbench]) -> None:
    bench = benches(COURSE)
    reached = {}
    for name, changes in {
        "right": {},
        "late": {"diffusion_solution.py": ("torch.randint(0, timesteps", "torch.randint(timesteps - 20, timesteps")},
    }.items():
        observed = bench.observe(bench.variant(changes), "ddpm.held_out_loss", seed=1)
        reached[name] = observed.measures["ddpm.held_out_loss"]
    assert reached["right"] < 0.04
    assert reached["late"] > 3 * reached["right"]
