"""The course of 2018: its meaning of the encoder's output, the validation of its families, and its examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from gengrade.authoring.expected import differences
from gengrade.choices import Profile
from gengrade.facts import Outcome
from gengrade.grade import Grade
from gengrade.rubric import CheckItem, Rubric
from graders.common.statistics import ALPHA
from graders.vae2018.parameterisations import PARAMETERISATIONS, Parameterisation, parameterisation_of
from tests.support.examples import Examples, full_measures
from tests.support.validated import Validated
from validation.cases import cases
from validation.variants import variants_of
from validation.workbench import Workbench, library

COURSE = "uva2018"
VAE = "a3_vae_template.py"
GAN = "a3_gan_template.py"
EXAMPLES = Examples.of(COURSE)
EXPECTED = EXAMPLES.expected
LEVELS = np.array([0.35, 0.75, 1.3, 1.8])


class TestVae(Validated):
    course = COURSE
    family = "vae2018"


class TestGan(Validated):
    course = COURSE
    family = "gan2018"


def test_there_is_enough_of_everything() -> None:
    kinds = [case.kind for case in cases("caught", "right", "unnamed", courses=[COURSE])]
    assert kinds.count("caught") >= 60
    assert kinds.count("right") >= 30
    assert kinds.count("unnamed") >= 20


def test_the_rubric_asks_for_a_hundred_points() -> None:
    assert sum(question.points for question in Rubric.load(EXAMPLES.rubric).questions()) == 100


# Parameterisations


@pytest.mark.parametrize("parameterisation", PARAMETERISATIONS, ids=lambda parameterisation: parameterisation.name)
def test_a_parameterisation_is_recognised_by_its_noise(parameterisation: Parameterisation) -> None:
    random = np.random.default_rng(2018)
    second = random.choice(LEVELS, (1024, 20))
    noise = parameterisation.std(second) * random.standard_normal(second.shape)
    assert parameterisation_of(noise, second, ALPHA) is parameterisation


@pytest.mark.parametrize("parameterisation", PARAMETERISATIONS, ids=lambda parameterisation: parameterisation.name)
def test_the_slope_of_a_parameterisation_is_that_of_its_logarithm(parameterisation: Parameterisation) -> None:
    assert parameterisation.slope is not None
    step = 1e-6
    found = (np.log(parameterisation.std(LEVELS + step)) - np.log(parameterisation.std(LEVELS - step))) / (2 * step)
    assert parameterisation.slope(LEVELS) == pytest.approx(found, rel=1e-4)


@pytest.mark.parametrize("parameterisation", PARAMETERISATIONS, ids=lambda parameterisation: parameterisation.name)
def test_twice_the_variance_of_a_parameterisation_is_recognised(parameterisation: Parameterisation) -> None:
    random = np.random.default_rng(2018)
    second = random.choice(LEVELS, (1024, 20))
    noise = 2**0.5 * parameterisation.std(second) * random.standard_normal(second.shape)
    found = parameterisation_of(noise, second, ALPHA)
    assert found.name.startswith(f"{parameterisation.name}, with 1.4")
    assert "twice the variance" in found.name
    assert found.std(LEVELS) == pytest.approx(2**0.5 * parameterisation.std(LEVELS), rel=found.error)


def test_a_spread_that_is_no_reading_is_measured_and_says_how_well() -> None:
    random = np.random.default_rng(2018)
    second = random.choice(LEVELS, (1024, 20))
    noise = (0.4 + second**3) * random.standard_normal(second.shape)
    found = parameterisation_of(noise, second, ALPHA)
    assert found.name == ""
    assert found.std(LEVELS) == pytest.approx(0.4 + LEVELS**3, rel=found.error)
    right = Parameterisation("right", lambda s: 0.4 + s**3)
    away = abs(float((found.spread_term(second) - right.spread_term(second)).sum(axis=1).mean()))
    assert away <= found.uncertainty(second)


# Entries that students choose


UNCALLABLE = {
    "another name": ("manifold(model", "grid_of(model"),
    "what nobody knows": ("manifold(model, size=20)", "manifold(model, palette, size=20)"),
    "weights that a training leaves": (
        "    levels = (torch",
        "    model.load_state_dict(torch.load('best.pt'))\n    levels = (torch",
    ),
}


@pytest.mark.parametrize("change", UNCALLABLE.values(), ids=UNCALLABLE)
def test_what_cannot_be_called_waits_for_a_person(benches: Callable[[str], Workbench], change: tuple[str, str]) -> None:
    bench = benches(COURSE)
    failing = bench.failing(bench.variant({VAE: change}), "vae2018.manifold")
    outcome = Outcome.UNDECIDED if "palette" in change[1] else Outcome.MISSING
    assert {id_: fact.outcome for id_, fact in failing.items()} == {"vae2018.manifold": outcome}


def test_samples_that_only_the_script_draws_wait_for_a_person(benches: Callable[[str], Workbench]) -> None:
    bench = benches(COURSE)
    failing = bench.failing(bench.variant({VAE: ("def sample(self", "def drawn(self")}), "vae2018.sample")
    assert {id_: fact.outcome for id_, fact in failing.items()} == {"vae2018.sample": Outcome.MISSING}
    items = [item for question in Rubric.load(EXAMPLES.rubric).questions() for item in question.items]
    optional = {item.check for item in items if isinstance(item, CheckItem) and item.optional}
    assert optional == {"vae2018.sample", "vae2018.manifold", "gan2018.interpolation"}


def test_a_loss_beside_the_model_waits_for_a_person(benches: Callable[[str], Workbench]) -> None:
    changes = [
        ("return (reconstruction(input, means) + divergence(mean, std)).mean()", "return means, mean, std"),
        (
            "            loss = model(images.view(-1, PIXELS))\n",
            "            images = images.view(-1, PIXELS)\n            means, mean, std = model(images)\n"
            "            loss = (reconstruction(images, means) + divergence(mean, std)).mean()\n",
        ),
    ]
    bench = benches(COURSE)
    failing = bench.failing(bench.variant({VAE: changes}), "vae2018.bound", "vae2018.epoch")
    assert {fact.outcome for fact in failing.values()} == {Outcome.UNDECIDED}
    assert "a person has to look" in failing["vae2018.epoch"].decisive.message


def test_a_size_that_main_reads_from_a_batch_is_known(benches: Callable[[str], Workbench]) -> None:
    """The hand-out's data set is not handed in, and is blank while such a size is computed."""
    changes = [
        (
            "    def __init__(self, hidden_dim=500, z_dim=20):\n        super().__init__()\n        self.z_dim",
            "    def __init__(self, x_dims, hidden_dim=500, z_dim=20):\n        super().__init__()\n"
            "        assert x_dims[-2] * x_dims[-1] == PIXELS\n        self.z_dim",
        ),
        ("model = VAE(z_dim", "x_dims = next(iter(data[0])).shape\n    model = VAE(x_dims, z_dim"),
    ]
    bench = benches(COURSE)
    assert bench.failing(bench.variant({VAE: changes}), "vae2018.bound", "vae2018.epoch") == {}


UNUSUAL = {
    "images of 64×64 pixels": Outcome.UNDECIDED,
    "images padded to 32×32 pixels in the model": Outcome.UNDECIDED,
    "a convolutional discriminator for 64×64 pixels": Outcome.UNDECIDED,
    "images of 783 pixels": Outcome.ERROR,
}


@pytest.mark.parametrize("family", ["vae2018", "gan2018"])
def test_networks_for_images_of_another_usual_size_wait_for_a_person(
    benches: Callable[[str], Workbench], family: str
) -> None:
    bench = benches(COURSE)
    for name, variant in variants_of(COURSE).families[family].unnamed.items():
        if name in UNUSUAL:
            first = variant.fails[0]
            facts = bench.failing(bench.variant(variant.changes), first)
            assert (name, facts[first].outcome) == (name, UNUSUAL[name])


ODD_SIZES = {
    "vae2018.encoder": (VAE, "PIXELS = 28 * 28", "PIXELS = 783", "hidden_dim=40, z_dim=10"),
    "vae2018.sample": (VAE, "nn.Linear(z_dim, hidden_dim)", "nn.Linear(20, hidden_dim)", "hidden_dim=32, z_dim=8"),
    "vae2018.epoch": (VAE, "nn.Linear(z_dim, hidden_dim)", "nn.Linear(20, hidden_dim)", "hidden_dim=24, z_dim=4"),
    "gan2018.interpolation": (GAN, "sizes = (LATENTS, ", "sizes = (50, ", ""),  # its constructor takes none
}


@pytest.mark.parametrize("check", ODD_SIZES)
def test_errors_of_a_network_name_its_sizes(benches: Callable[[str], Workbench], check: str) -> None:
    file, old, new, sizes = ODD_SIZES[check]
    bench = benches(COURSE)
    message = bench.check(bench.variant({file: (old, new)}), check)[check].decisive.message
    assert "cannot be multiplied" in message
    assert message.endswith(f"built with {sizes})" if sizes else "cannot be multiplied (9x100 and 50x128)")


def test_one_file_is_judged_without_the_other(benches: Callable[[str], Workbench]) -> None:
    bench = benches(COURSE)
    folder = bench.variant({})
    (folder / VAE).unlink()
    failing = bench.failing(folder, "vae2018.noise", "gan2018.noise")
    assert {id_: fact.outcome for id_, fact in failing.items()} == {"vae2018.noise": Outcome.MISSING}


# Examples


@pytest.fixture(scope="module")
def grades(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Grade]:
    return EXAMPLES.graded(tmp_path_factory.mktemp("examples"))


@pytest.mark.slow
def test_the_examples_earn_what_is_said(grades: Mapping[str, Grade]) -> None:
    assert list(differences(EXPECTED, grades)) == []
    assert not any(grade.has_infra for grade in grades.values())
    assert set((EXPECTED["mistakes"].named or {}).values()) <= set(library(COURSE))


@pytest.mark.parametrize("student", EXPECTED)
def test_the_table_for_readers_agrees(student: str) -> None:
    text = (EXAMPLES.folder / "README.md").read_text()
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith(f"| `{student}`")]
    assert [float(row[2].partition("+")[0]) for row in rows] == [EXPECTED[student].points]


@pytest.mark.slow
@pytest.mark.parametrize("student", [student for student in EXPECTED if EXPECTED[student].trained])
def test_right_examples_reach_their_full_points(tmp_path: Path, student: str) -> None:
    assert full_measures(EXAMPLES.graded(tmp_path, Profile.SMOKE, only=student)[student]) == set(
        EXPECTED[student].trained
    )


@pytest.mark.slow
@pytest.mark.mnist
def test_the_complete_example_reaches_its_full_points_on_mnist(tmp_path: Path, mnist_root: Path) -> None:
    grade = EXAMPLES.graded(tmp_path, Profile.SMOKE, data=str(mnist_root), only="complete")["complete"]
    assert full_measures(grade) == set(EXPECTED["complete"].trained)
