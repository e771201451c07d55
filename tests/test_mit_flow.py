"""The labs of MIT's 6.S184: the mathematics of their graders, their examples, other file names, and a training."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from courses.mit_flow.adapters.labs import labs_of
from courses.mit_flow.variants.alternative import ONE, TWO
from courses.mit_flow.variants.flow_matching import DRAW, two
from gengrade.authoring.expected import differences
from gengrade.choices import Profile
from gengrade.course import find
from gengrade.facts import Outcome
from gengrade.grade import Grade
from gengrade.grading import Rng
from gengrade.submissions.locating import locate
from graders.flow_matching.gaussian_paths import Mixture, Powers
from graders.flow_matching.processes import AffineField, OrnsteinUhlenbeck
from tests.support.examples import Examples
from tests.support.validated import Validated, expect_enough
from validation.workbench import Workbench, reference_of

COURSE = "mit_flow"
EXAMPLES = Examples.of(COURSE)
EXPECTED = EXAMPLES.expected
AUTOMATIC, OF_TRAINING = 67, 2
STEP = 1e-5
OF_LAB_THREE = [
    f"flow_matching.{check}"
    for check in (
        *("guided_loss", "guided_times", "guided_scale", "label_dropping", "label_field", "fourier", "patches"),
        *("attention", "transformer_layer", "transformer", "flow_model", "blocks", "coders", "vae_loss"),
        *("latent_loss", "latent_noise"),
    )
]


class TestFlowMatching(Validated):
    course = COURSE
    family = "flow_matching"


def test_there_is_enough_of_everything() -> None:
    expect_enough(COURSE, caught=100, right=20, unnamed=20)


# --- the mathematics -------------------------------------------------------------------------------------------------


@pytest.fixture
def rng() -> Rng:
    return Rng(20250121)


SCHEDULES = [Powers(), Powers(1.0, 1.0), Powers(1.4, 0.6)]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_conditional_field_is_the_velocity_of_the_path(rng: Rng, schedule: Powers) -> None:
    """d/dt(αz + βx₀) = u(αz + βx₀|z)."""
    z, start, t = rng.normal(20, 3), rng.normal(20, 3), rng.uniform(0.1, 0.8, 20, 1).astype(np.float64)

    def at(time: np.ndarray) -> np.ndarray:
        return np.asarray(schedule.alpha(time) * z + schedule.beta(time) * start)

    velocity = (at(t + STEP) - at(t - STEP)) / (2 * STEP)
    assert schedule.field(at(t), z, t) == pytest.approx(velocity, abs=1e-5)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_field_and_score_are_linear_in_each_other(rng: Rng, schedule: Powers) -> None:
    """u = (α̇/α)x + b·s with b = β²α̇/α − β̇β."""
    x, z, t = rng.normal(20, 3), rng.normal(20, 3), rng.uniform(0.1, 0.8, 20, 1).astype(np.float64)
    ratio = schedule.alpha_dt(t) / schedule.alpha(t)
    weight = schedule.beta(t) ** 2 * ratio - schedule.beta_dt(t) * schedule.beta(t)
    assert ratio * x + weight * schedule.score(x, z, t) == pytest.approx(schedule.field(x, z, t), abs=1e-6)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_marginal_field_obeys_the_continuity_equation(rng: Rng, schedule: Powers) -> None:
    """∂ₜlog p + ∇·u + u·∇log p = 0, with all derivatives by differences."""
    mixture = Mixture.random(rng, 4, 2, schedule)
    t = rng.uniform(0.1, 0.8, 30, 1).astype(np.float64)
    x = mixture.sample_path(rng, t)
    change = (mixture.log_density(x, t + STEP) - mixture.log_density(x, t - STEP)) / (2 * STEP)
    score, divergence = np.zeros_like(x), np.zeros(len(x))
    for axis in range(2):
        move = STEP * np.eye(2)[axis]
        score[:, axis] = (mixture.log_density(x + move, t) - mixture.log_density(x - move, t)) / (2 * STEP)
        divergence += (mixture.field(x + move, t) - mixture.field(x - move, t))[:, axis] / (2 * STEP)
    assert mixture.score(x, t) == pytest.approx(score, abs=1e-5)
    assert change + divergence + (mixture.field(x, t) * score).sum(axis=1) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_density_of_a_conditional_path_changes_as_it_is_said(rng: Rng, schedule: Powers) -> None:
    x, z, t = rng.normal(20, 3), rng.normal(20, 3), rng.uniform(0.1, 0.8, 20, 1).astype(np.float64)

    def log_density(time: np.ndarray) -> np.ndarray:
        beta = schedule.beta(time)
        squares = ((x - schedule.alpha(time) * z) ** 2).sum(axis=1, keepdims=True)
        return np.asarray((-squares / (2 * beta**2) - 3 * np.log(beta))[:, 0])

    change = (log_density(t + STEP) - log_density(t - STEP)) / (2 * STEP)
    assert schedule.log_density_change(x, z, t) == pytest.approx(change, abs=1e-4)


def test_the_marginal_field_is_the_mean_of_conditional_ones(rng: Rng) -> None:
    """What flow matching learns: the least squared distance from u(x|z) is that of the marginal field."""
    mixture = Mixture.random(rng, 3, 2, Powers())
    n = 200_000
    t = np.full((n, 1), 0.4)
    z = mixture.sample(rng, n)
    x = mixture.schedule.alpha(t) * z + mixture.schedule.beta(t) * rng.normal(n, 2)
    rest = mixture.schedule.field(x, z, t) - mixture.field(x, t)
    basis = np.concatenate([x, x**2, np.tanh(x), np.ones((n, 1))], axis=1)
    fitted, *_ = np.linalg.lstsq(basis, rest, rcond=None)
    assert fitted == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("theta", [0.0, 0.3, 1.7])
def test_moments_of_euler_maruyama_hold_for_any_step(rng: Rng, theta: float) -> None:
    process, steps, n = OrnsteinUhlenbeck(theta, 1.3, 0.2), 7, 200_000
    x = np.full(n, 2.0)
    for _ in range(steps):
        x = x - process.h * theta * x + process.sigma * np.sqrt(process.h) * rng.normal(n)
    assert x.mean() == pytest.approx(float(process.mean(np.array(2.0), steps)), abs=0.02)
    assert x.std() == pytest.approx(process.std(steps), abs=0.02)


def test_moments_of_small_steps_are_those_of_the_process() -> None:
    for theta in (0.0, 1.2):
        process = OrnsteinUhlenbeck(theta, 1.3, 1e-4)
        assert process.std(10_000) == pytest.approx(process.exact_std(1.0), rel=1e-3)


def test_euler_steps_approach_the_solution_in_first_order(rng: Rng) -> None:
    field, x = AffineField(0.7 * rng.normal(2, 2), rng.normal(2)), rng.normal(4, 2)
    exact = field.solution(x, 0.1, 10)[-1]
    errors = [np.abs(field.euler(x, 1 / steps, steps)[-1] - exact).max() for steps in (100, 200, 400)]
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.1)
    assert errors[1] / errors[2] == pytest.approx(2, abs=0.1)


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "labs"),
    [
        ("lab_one.ipynb", {"one"}),
        ("lab_1.ipynb", {"one"}),
        ("lab_one (3).ipynb", {"one"}),
        ("Lab2_solved.py", {"two"}),
        ("lab_two_script.py", {"two"}),
        ("lab03.ipynb", {"three"}),
        ("lab3/common.py", {"three"}),
        ("lab_one/for_lab_two.py", {"two"}),
        ("lab1_and_lab2.ipynb", {"one", "two"}),
        ("labs/notebook.ipynb", set()),
        ("lab10.ipynb", set()),
    ],
)
def test_a_path_names_its_labs(path: str, labs: set[str]) -> None:
    assert labs_of(Path(path)) == labs


@pytest.mark.parametrize(
    ("files", "kept"),
    [
        (["lab_one.ipynb", "solutions/lab_two_complete.ipynb"], ["lab_one.ipynb"]),
        (["lab_two.ipynb", "lab_two_complete.ipynb"], ["lab_two.ipynb"]),
        (["solution-reference/lab_one.ipynb", "work/lab_one.ipynb"], ["work/lab_one.ipynb"]),
        (["me/lab1/sde.py", "me/lab2/lab_two.ipynb"], ["me/lab1/sde.py", "me/lab2/lab_two.ipynb"]),
        (["solutions/lab_two_complete.ipynb"], []),
        (["solutions/lab_two.ipynb"], ["solutions/lab_two.ipynb"]),
        (["lab_two_complete.ipynb"], ["lab_two_complete.ipynb"]),
        (["readme.txt"], []),
    ],
)
def test_solutions_of_the_course_are_left_out(files: list[str], kept: list[str]) -> None:
    place = locate([PurePosixPath(file) for file in files], find(COURSE).parts).places["flow_matching"]
    assert sorted(map(str, place.files if place else ())) == kept


def notebook(*cells: str) -> str:
    made: list[dict[str, object]] = [
        {"cell_type": "code", "source": cell, "metadata": {}, "outputs": [], "execution_count": None} for cell in cells
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})


def test_labs_may_be_split_into_modules_that_import_each_other(
    benches: Callable[[str], Workbench], tmp_path: Path
) -> None:
    integrators, processes = ONE[: ONE.index("class BrownianMotion")], ONE[ONE.index("class BrownianMotion") :]
    for lab in ("lab1", "lab2"):
        (tmp_path / lab).mkdir()
    (tmp_path / "lab1" / "simulation.py").write_text(integrators)
    (tmp_path / "lab1" / "processes.py").write_text(
        f"import torch\nfrom simulation import SDE, Tensor\n\n\n{processes}"
    )
    paths, losses = TWO[: TWO.index("def squared_distance")], TWO[TWO.index("def squared_distance") :]
    (tmp_path / "lab2" / "common.py").write_text(paths)
    (tmp_path / "lab2" / "lab_two.ipynb").write_text(notebook("from common import *\nfrom torch import nn", losses))
    failing = benches(COURSE).failing(tmp_path, "flow_matching.")
    assert {check: fact.outcome for check, fact in failing.items()} == dict.fromkeys(OF_LAB_THREE, Outcome.MISSING)


SIMULATORS = ["flow_matching.euler", "flow_matching.euler_maruyama"]


@pytest.mark.parametrize("imports", ["from .core import SDE, Tensor", "from work import (\n    SDE,\n    Tensor,\n)"])
def test_what_lab_one_imports_from_beside_it_answers_it(
    benches: Callable[[str], Workbench], tmp_path: Path, imports: str
) -> None:
    integrators, processes = ONE[: ONE.index("class BrownianMotion")], ONE[ONE.index("class BrownianMotion") :]
    (tmp_path / "lab1.py").write_text(f"import torch\n{imports}\n\n\n{processes}")
    (tmp_path / "core.py").write_text(integrators)
    (tmp_path / "work.py").write_text("from core import *\n")
    (tmp_path / "lab3.py").write_text("from core import EulerSimulator\n")
    facts = benches(COURSE).check(tmp_path, *SIMULATORS)
    assert {fact.outcome for fact in facts.values()} == {Outcome.PASSED}


def test_what_another_lab_imports_is_no_answer_to_lab_one(benches: Callable[[str], Workbench], tmp_path: Path) -> None:
    integrators, processes = ONE[: ONE.index("class BrownianMotion")], ONE[ONE.index("class BrownianMotion") :]
    (tmp_path / "lab1.py").write_text(f"import torch\nfrom torch import Tensor\n\nSDE = object\n\n\n{processes}")
    (tmp_path / "core.py").write_text(integrators)
    (tmp_path / "lab3.py").write_text("from core import EulerSimulator\n")
    facts = benches(COURSE).check(tmp_path, *SIMULATORS)
    assert {fact.outcome for fact in facts.values()} == {Outcome.MISSING}


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (["lab3/src/common.py"], "lab two was not handed in: there is no notebook or program of it"),
        (["lab2/a.py"], "a.py has no LinearAlpha"),
        (["lab2/a.py", "lab2/b/c.py"], "none of your 2 files for lab two defines LinearAlpha: lab2/a.py, lab2/b/c.py"),
    ],
)
def test_a_name_that_no_file_defines_is_said_to_be_missing(
    benches: Callable[[str], Workbench], tmp_path: Path, files: list[str], says: str
) -> None:
    for number, file in enumerate(files):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(f"def f{number}(): return 1\n")
    fact = benches(COURSE).check(tmp_path, "flow_matching.alpha")["flow_matching.alpha"]
    assert (fact.outcome, fact.decisive.message) == (Outcome.MISSING, says)


def test_what_lab_two_brings_is_no_answer_to_lab_one(benches: Callable[[str], Workbench], tmp_path: Path) -> None:
    integrators = ONE[: ONE.index("class BrownianMotion")]
    (tmp_path / "lab_two.py").write_text(f"{integrators}\n\n{TWO}")
    fact = benches(COURSE).check(tmp_path, "flow_matching.euler")["flow_matching.euler"]
    assert fact.outcome is Outcome.MISSING


def test_a_trainer_that_uses_a_global_path_is_told_so(benches: Callable[[str], Workbench]) -> None:
    bench = benches(COURSE)
    facts = bench.diagnosed(bench.planted("matching_losses.path_of_the_notebook"), "flow_matching.flow_loss")
    assert "use self.path" in facts["flow_matching.flow_loss"].decisive.message


# --- the examples, and the training ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grades(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Grade]:
    return EXAMPLES.graded(tmp_path_factory.mktemp(COURSE))


@pytest.mark.slow
def test_examples_earn_what_is_stated(grades: Mapping[str, Grade]) -> None:
    assert list(differences(EXPECTED, grades)) == []
    for grade in grades.values():
        assert sum(item.possible for item in grade.items if item.kind != "manual") == AUTOMATIC
    assert not any(grade.has_infra for grade in grades.values())


@pytest.mark.slow
def test_the_complete_example_earns_all_automatic_points(tmp_path: Path) -> None:
    assert EXAMPLES.graded(tmp_path, Profile.SMOKE, only="complete")["complete"].points == AUTOMATIC


@pytest.mark.slow
def test_a_network_that_is_trained_on_another_path_is_farther_from_the_field(
    benches: Callable[[str], Workbench],
) -> None:
    bench, measure = benches(COURSE), "flow_matching.field_distance"
    reached = {}
    for name, folder in {
        "right": reference_of(COURSE),
        "half of the noise": bench.variant(two((DRAW, DRAW.replace("self.beta(t) *", "0.5 * self.beta(t) *")))),
    }.items():
        reached[name] = bench.observe(folder, measure, seed=1, data=None).measures[measure]
    assert reached["right"] < 0.04
    assert reached["half of the noise"] > 0.4
