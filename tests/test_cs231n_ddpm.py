"""The course of Stanford's diffusion model: its mathematics, right values for one seed, examples, forms of hand-ins."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from torch.distributions import Normal

from gengrade.authoring.expected import differences
from gengrade.choices import Profile
from gengrade.course import courses
from gengrade.engine import Options, run
from gengrade.facts import Outcome
from gengrade.fitting import better_fit
from gengrade.grade import Grade
from gengrade.grading import Rng
from gengrade.grading.checks import known
from gengrade.rubric import Rubric
from gengrade.submissions import discover
from graders.ddpm.posterior import NOISE, OBJECTIVES, START, Process
from tests.support.examples import Examples
from tests.support.handed_in import write
from tests.support.validated import Validated, expect_enough
from validation.workbench import Workbench, reference_of

COURSE = "cs231n_ddpm"
EXAMPLES = Examples.of(COURSE)
FILE, UNET = "gaussian_diffusion.py", "unet.py"
HANDED_IN = ("assignment3/cs231n/gaussian_diffusion.py", "assignment3/cs231n/unet.py", "assignment3/DDPM.ipynb")
GANS = ("assignment3/cs231n/gan_pytorch.py", "assignment3/Generative_Adversarial_Networks.ipynb")
BLANK = "        self.downs = nn.ModuleList([None for _ in self.downs])\n"
GUIDANCE_LEFT = [("        model_kwargs = copy.deepcopy(model_kwargs)\n", "        return x\n")]
BLANK_WHOLLY = [
    ("        self.mid_block1 =", f"{BLANK}        self.mid_block1 ="),
    ("        skips = []\n", "        return self.final_conv(x)\n"),
]


class TestDdpm(Validated):
    course, family = COURSE, "ddpm"


def test_there_is_enough_of_everything() -> None:
    expect_enough(COURSE, caught=110, right=40, unnamed=25)


def test_the_rubric_is_whole() -> None:
    rubric = Rubric.load(EXAMPLES.rubric)
    rubric.verify(known())
    assert sum(question.points for question in rubric.questions()) == 40


@pytest.mark.parametrize(
    ("check", "changes", "says"),
    [
        (
            "ddpm.guidance",
            GUIDANCE_LEFT,
            "cfg_forward",
        ),
        (
            "ddpm.unet_forward",
            [("        skips = []\n", "        return self.final_conv(x)\n")],
            "forward uses no layer",
        ),
        (
            "ddpm.unet_layers",
            [("        self.mid_block1 =", f"{BLANK}        self.mid_block1 =")],
            "self.downs holds None",
        ),
        ("ddpm.unet_forward", BLANK_WHOLLY, "forward uses no layer"),
    ],
)
def test_what_the_hand_out_left_blank_is_missing(
    benches: Callable[[str], Workbench], check: str, changes: list[tuple[str, str]], says: str
) -> None:
    bench = benches(COURSE)
    fact = bench.check(bench.variant({UNET: changes}), check)[check]
    assert fact.outcome is Outcome.MISSING
    assert fact.decisive.message.startswith(says)
    assert fact.decisive.message.endswith("been filled in?")


# --- the mathematics -------------------------------------------------------------------------------------------------


def test_the_step_back_is_that_of_bayes() -> None:
    """q(x_{t−1} | x_t, x_0) is the product of q(x_t | x_{t−1}) and q(x_{t−1} | x_0), up to a constant."""
    process = Process.random(Rng(3), 12)
    start, x, t = 0.4, -0.7, 5
    schedule = process.schedule
    points = np.linspace(-6, 6, 200_001)
    before = Normal(
        float(np.sqrt(schedule["alphas_cumprod"][t - 1]) * start), float(np.sqrt(1 - schedule["alphas_cumprod"][t - 1]))
    )
    mean_of_step = np.sqrt(schedule["alphas"][t]) * points
    logs = (
        -0.5 * (x - mean_of_step) ** 2 / schedule.betas[t]
        - 0.5 * (points - before.mean.item()) ** 2 / before.variance.item()
    )
    density = np.exp(logs - logs.max())
    density /= density.sum()
    mean = float((density * points).sum())
    assert process.mean_before(np.array([start]), np.array([x]), t)[0] == pytest.approx(mean, abs=1e-5)
    assert process.std[t] == pytest.approx(np.sqrt((density * (points - mean) ** 2).sum()), abs=1e-5)
    assert process.std[0] == 1e-10


def test_a_prediction_gives_back_the_clean_image() -> None:
    process, rng = Process.random(Rng(4), 12), Rng(5)
    x, start = rng.normal(5, 3, 4, 4), rng.normal(5, 3, 4, 4)
    noise = process.predicted(NOISE, start, x, 7)
    assert process.start_in(x, noise, np.full(5, 7)) == pytest.approx(start, abs=1e-4)
    assert process.predicted(START, start, x, 7) == pytest.approx(start)
    weights = {objective: process.injected(objective)["loss_weight"] for objective in OBJECTIVES}
    assert (weights[NOISE] == 1).all()
    assert (np.diff(weights[START]) < 0).all()


def test_the_network_has_as_many_parameters_as_the_hand_out_says(benches: Callable[[str], Workbench]) -> None:
    """The hand-out's number is for a network of two channels."""
    bench = benches(COURSE)
    program = bench.variant({UNET: ("class Unet", "assert True\n\n\nclass Unet")}) / UNET
    names: dict[str, object] = {}
    exec(compile(program.read_text(), str(program), "exec"), names)
    network = names["Unet"](dim=2, condition_dim=4, dim_mults=(1, 2, 4))  # type: ignore[operator]
    assert sum(each.numel() for each in network.parameters()) == 6_499


# --- what the reports say ---------------------------------------------------------------------------------------------


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("file", "old", "new", "check", "says"),
    [
        (FILE, "mean + std * torch.randn_like(x_t)", "mean", "ddpm.step_back", "no noise is added"),
        (FILE, "(loss_weight * (", "(1 * (", "ddpm.start_loss", "weights of the images are missing"),
        (FILE, "x_start = self.normalize(x_start)", "pass", "ddpm.noise_loss", "the images in [−1, 1]"),
        (FILE, "self.model(x_t, t, model_kwargs)", "self.model(x_t, t)", "ddpm.step_back", "without model_kwargs"),
        (UNET, "self.mid_block1(x, context)", "x", "ddpm.unet_forward", "does not call self.mid_block1"),
        (UNET, "x = block1(x, context)\n", "x = block1(x)\n", "ddpm.unet_forward", "is not given the context"),
        (UNET, "Downsample(dim_in, dim_out)", "Downsample(dim_in, dim_in)", "ddpm.unet_layers", "self.downs["),
        (UNET, "skips.pop()], dim=1", "skips.pop(0)], dim=1", "ddpm.unet_forward", "Sizes of tensors"),
        (UNET, '["text_emb"] = None', '["text_emb"] *= 1', "ddpm.guidance", "the second pass should have None"),
    ],
)  # fmt: skip
def test_messages_say_what_is_wrong(
    benches: Callable[[str], Workbench], file: str, old: str, new: str, check: str, says: str
) -> None:
    bench = benches(COURSE)
    facts = bench.check(bench.variant({file: (old, new)}), check)
    assert facts[check].outcome in (Outcome.FAILED, Outcome.ERROR)
    assert says in facts[check].decisive.message


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("changes", "fails"),
    [
        ({FILE: ("signal * x_start + spread * noise", "signal * x_start + noise")}, {"ddpm.noising"}),
        ({FILE: ("(x_t - spread * noise) / signal", "x_t")}, {"ddpm.start_from_noise"}),
        ({FILE: ("x_start = x_start.clamp(-1, 1)", "pass")}, {"ddpm.clamp"}),
        ({FILE: [("return mean + std * torch.randn_like(x_t)",
                  "torch.manual_seed(0)\n        return (mean + std * torch.randn_like(x_t)).clamp(-1, 1)"),
                 ("x_start = x_start.clamp(-1, 1)", "pass")]}, {"ddpm.step_back", "ddpm.clamp"}),
        ({FILE: (".mean()", ".sum()")}, {"ddpm.noise_loss"}),
        ({FILE: [(".mean()", ".sum()"), ("(loss_weight * (", "(1 * (")]}, {"ddpm.noise_loss", "ddpm.start_loss"}),
        ({UNET: ("ResnetBlock(2 * dim_out, dim_out, context_dim)", "ResnetBlock(dim_out, dim_out, context_dim)")},
         {"ddpm.unet_layers"}),
    ],
    ids=["noising", "clean images", "clamp", "clamp and noise", "sum", "sum and weights", "layers"],
)  # fmt: skip
def test_a_mistake_is_charged_once(
    benches: Callable[[str], Workbench], changes: Mapping[str, tuple[str, str]], fails: set[str]
) -> None:
    bench = benches(COURSE)
    assert set(bench.failing(bench.variant(changes), "ddpm.")) == fails


def test_a_network_that_is_not_filled_in_gets_no_points(benches: Callable[[str], Workbench]) -> None:
    bench = benches(COURSE)
    unfilled = [
        ("self.down_block(dim_in, dim_out, context_dim)", "None"),
        ("self.up_block(dim_in, dim_out, context_dim)", "None"),
        ("        for block1, block2, downsample in self.downs:", "        for block1, block2, downsample in []:"),
        ("        for upsample, block1, block2 in self.ups:", "        for upsample, block1, block2 in []:"),
        ("self.mid_block1(x, context)", "x"),
        ("self.mid_block2(x, context)", "x"),
    ]
    facts = bench.check(bench.variant({UNET: unfilled}), "ddpm.unet_layers", "ddpm.unet_forward")
    assert facts["ddpm.unet_layers"].outcome is Outcome.MISSING
    assert "filled in?" in facts["ddpm.unet_layers"].decisive.message
    assert facts["ddpm.unet_forward"].outcome in (Outcome.MISSING, Outcome.FAILED, Outcome.ERROR)


def test_a_package_that_is_missing_costs_no_points(benches: Callable[[str], Workbench]) -> None:
    bench = benches(COURSE)
    folder = bench.variant(
        {UNET: ("from einops import rearrange", "from einops_that_is_not_installed import rearrange")}
    )
    facts = bench.check(folder, "ddpm.unet_layers", "ddpm.unet_forward", "ddpm.guidance")
    assert facts["ddpm.unet_forward"].outcome is Outcome.UNDECIDED
    assert "einops_that_is_not_installed" in facts["ddpm.unet_forward"].decisive.message
    for check in ("ddpm.unet_layers", "ddpm.guidance"):
        assert facts[check].outcome in (Outcome.PASSED, Outcome.UNDECIDED)


# --- examples and hand-ins --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("course", "files", "other"), [("cs231n_gan", HANDED_IN, COURSE), (COURSE, GANS, "cs231n_gan")]
)
def test_the_two_assignments_are_told_apart(tmp_path: Path, course: str, files: tuple[str, ...], other: str) -> None:
    """Both lie in the same folders."""
    parts = {name: each.parts for name, each in courses().items()}
    for number in range(3):
        write(tmp_path / f"student{number}", files)
    found = better_fit(course, discover(tmp_path, parts[course]).submissions, parts)
    assert found == ((other,), 3, 3)
    own = better_fit(other, discover(tmp_path, parts[other]).submissions, parts)
    assert own is None


def test_a_diffusion_model_of_mila_is_another_one(tmp_path: Path) -> None:
    parts = {name: each.parts for name, each in courses().items()}
    write(tmp_path / "student", HANDED_IN)
    submissions = discover(tmp_path, parts[COURSE]).submissions
    assert better_fit(COURSE, submissions, parts) is None
    assert better_fit("mila2023", submissions, parts) == ((COURSE,), 1, 1)


@pytest.fixture(scope="module")
def grades(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Grade]:
    return EXAMPLES.graded(tmp_path_factory.mktemp(COURSE))


@pytest.mark.slow
def test_examples_earn_what_is_stated(grades: Mapping[str, Grade]) -> None:
    assert list(differences(EXAMPLES.expected, grades)) == []
    assert not any(grade.has_infra for grade in grades.values())


def _graded(folder: Path, results: Path) -> Grade:
    options = Options(folder, results, EXAMPLES.rubric, profile=Profile.UNIT, seed=1, jobs=1)
    (graded,) = run(options).graded
    return graded.grade


@pytest.mark.slow
def test_the_packed_assignment_is_graded_like_its_folder(tmp_path: Path) -> None:
    packed = tmp_path / "class" / "doe_a3_code_submission"
    shutil.make_archive(str(packed), "zip", EXAMPLES.folder / "complete")
    assert _graded(tmp_path / "class", tmp_path / "results").points == EXAMPLES.expected["complete"].points


@pytest.mark.slow
def test_copies_beside_an_official_solution_are_graded(tmp_path: Path) -> None:
    folder = tmp_path / "class" / "doe" / "assignment3" / "cs231n"
    folder.mkdir(parents=True)
    complete = EXAMPLES.folder / "complete" / "assignment3" / "cs231n"
    text = (complete / FILE).read_text()
    (folder / "gaussian_diffusion (1).py").write_text(text.replace("min=-1.0, max=1.0", "min=0.0, max=1.0"))
    shutil.copy(complete / UNET, folder / UNET)
    solutions = folder.parent / "solutions"
    solutions.mkdir()
    shutil.copy(reference_of(COURSE) / FILE, solutions / FILE)
    (folder.parent / "DDPM.ipynb").write_text(_notebook("from cs231n.gaussian_diffusion import GaussianDiffusion"))
    grade = _graded(tmp_path / "class", tmp_path / "results")
    assert grade.points == EXAMPLES.expected["complete"].points - 2


def _notebook(source: str) -> str:
    cell: dict[str, object] = {
        "cell_type": "code",
        "metadata": {},
        "source": [source],
        "outputs": [],
        "execution_count": None,
    }
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4})
