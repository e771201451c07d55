"""The course of 2017: its right values for one seed, its examples, its notebooks, and handed-in weights."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from courses.duke2017.adapters.conditional import ConditionalContract
from courses.duke2017.adapters.interpolation import InterpolationContract
from courses.duke2017.variants import cgan as conditional
from courses.duke2017.variants import notebook as changed_notebook
from courses.duke2017.variants import rewritten
from gengrade.authoring.expected import differences
from gengrade.course import find
from gengrade.engine import Options, run
from gengrade.facts import Outcome
from gengrade.grade import Grade, ItemKind
from gengrade.grading import Evidence, Mismatch
from gengrade.grading.checks import known
from gengrade.rubric import Rubric
from gengrade.sandbox.guest.errors import Missing, Undecided
from graders.adapting.loading import Modules
from graders.cgan import probes as cgan
from graders.interpolation import probes as interpolation
from graders.interpolation.checks import judge_walk
from graders.interpolation.walks import walk_of
from graders.probing.watching import Calls
from tests.support.examples import ROOT, Examples
from tests.support.notebooks import notebook
from tests.support.validated import Validated
from validation.cases import cases
from validation.workbench import Workbench, names, reference_of

EXAMPLES = Examples.of("duke2017")
EXPECTED = EXAMPLES.expected


@pytest.fixture(autouse=True)
def _finders_as_they_were() -> Iterator[None]:
    """Restore the import finders, which contracts add when they are made in this process."""
    finders = list(sys.meta_path)
    yield
    sys.meta_path[:] = finders


class TestInterpolation(Validated):
    course, family = "duke2017", "interpolation"


class TestConditional(Validated):
    course, family = "duke2017", "cgan"


def test_there_is_enough_of_everything() -> None:
    found = list(cases("caught", "right", "unnamed", courses=["duke2017"]))
    assert sum(case.kind == "caught" and case.family == "cgan" for case in found) >= 15
    assert sum(case.kind == "caught" and case.family == "interpolation" for case in found) >= 15
    assert sum(case.kind == "right" for case in found) >= 12


def test_the_rubric_is_whole() -> None:
    rubric = Rubric.load(EXAMPLES.rubric)
    rubric.verify(known())
    assert sum(question.points for question in rubric.questions()) == 100


# --- the examples ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grades(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Grade]:
    return EXAMPLES.graded(tmp_path_factory.mktemp("duke2017"))


@pytest.mark.slow
def test_examples_earn_what_is_stated(grades: Mapping[str, Grade]) -> None:
    assert list(differences(EXPECTED, grades)) == []
    assert not any(grade.has_infra for grade in grades.values())


@pytest.mark.slow
def test_weights_that_were_handed_in_earn_full_points_and_a_figure(tmp_path: Path) -> None:
    result = run(Options(EXAMPLES.folder / "complete", tmp_path / "results", EXAMPLES.rubric, data="digits", seed=1))
    (one,) = result.graded
    measures = {item.check: item.lost for item in one.grade.items if item.kind is ItemKind.MEASURE}
    assert measures == {"cgan.digits": 0, "cgan.diversity": 0}
    assert (
        "Ten images of each digit, a row for each of 0 to 9: the weights that you handed in" in one.report.read_text()
    )


@pytest.mark.slow
def test_a_class_of_notebooks_is_not_graded_by_another_rubric(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Give --course duke2017"):
        run(Options(EXAMPLES.folder, tmp_path / "results", ROOT / "rubric.yaml"))


# --- roles and shapes ------------------------------------------------------------------------------------------------

NETWORK = """
class {name}(nn.Module):
    def __init__(self, {arguments}):
        super({name}, self).__init__()
        self.out = nn.Linear({inputs}, {outputs})

    def forward(self, {given}):
        return torch.sigmoid(self.out({used}))
"""


def network(
    name: str, inputs: str, outputs: str = "784", arguments: str = "n=1", given: str = "x", used: str = "x"
) -> str:
    return NETWORK.format(name=name, inputs=inputs, outputs=outputs, arguments=arguments, given=given, used=used)


def modules_of(folder: Path, *cells: str, wishes: str = "") -> Modules:
    (folder / "hw.ipynb").write_text(notebook("import torch\nfrom torch import nn", *cells))
    if wishes:
        (folder / "grading.yaml").write_text(wishes)
    return Modules(folder, find("duke2017").parts["cgan"])


def test_a_generator_that_is_defined_twice_is_the_plain_one_first(tmp_path: Path) -> None:
    cells = ("z_dim = 5", network("Generator", "5"), network("Generator", "15"))
    assert InterpolationContract(modules_of(tmp_path, *cells)).latent_size() == 5
    assert ConditionalContract(modules_of(tmp_path, *cells)).noise_size() == 5


def test_arguments_are_constants_of_the_same_name(tmp_path: Path) -> None:
    cells = ("z_dim = 7", network("ConditionalGenerator", "z_dim + 10", arguments="z_dim"))
    assert ConditionalContract(modules_of(tmp_path, *cells)).noise_size() == 7
    absent = network("ConditionalGenerator", "width", arguments="width")
    with pytest.raises(Missing, match="ConditionalGenerator needs width, and the notebook has no constant"):
        ConditionalContract(modules_of(tmp_path, absent)).noise_size()


def test_what_is_said_comes_before_what_is_usual(tmp_path: Path) -> None:
    cells = (network("Generator", "4"), network("Mine", "9"))
    said = modules_of(tmp_path, *cells, wishes="entry: {generator: Mine}")
    assert InterpolationContract(said).latent_size() == 9
    wrong = modules_of(tmp_path, *cells, wishes="entry: {generator: Yours}")
    with pytest.raises(Missing, match="has no Yours"):
        InterpolationContract(wrong).latent_size()


def test_a_role_that_nothing_fills_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        Missing, match=r'no conditional generator was found .*grading\.yaml.*"conditional_generator: …"'
    ):
        ConditionalContract(modules_of(tmp_path, "x = 1")).noise_size()


@pytest.mark.parametrize(
    "name", ["netG_cond", "cond_G", "cG", "CONDITIONAL_GENERATOR", "Generator_C", "cgan_generator"]
)
def test_usual_names_are_known_in_any_case(tmp_path: Path, name: str) -> None:
    cells = (network("Net", "15"), f"{name} = Net()")
    assert ConditionalContract(modules_of(tmp_path, *cells)).noise_size() == 5


def test_a_role_that_there_is_not_is_told(tmp_path: Path) -> None:
    modules = modules_of(tmp_path, "x = 1", wishes="entry: {conditional_generater: Mine}")
    with pytest.raises(Missing, match=r"names conditional_generater, which is no role: the roles are generator"):
        ConditionalContract(modules).noise_size()


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (("def cG(z, c):\n    return torch.sigmoid(torch.cat([z, c]) @ W)",), "cG is a function: .* a torch.nn.Module"),
        (("def train():\n    loss.backward()", "cG = train()"), "cG is computed in hw.ipynb, cell 3"),
    ],
)
def test_what_is_no_network_says_why(tmp_path: Path, cells: tuple[str, ...], says: str) -> None:
    with pytest.raises(Missing, match=says):
        ConditionalContract(modules_of(tmp_path, *cells)).noise_size()


def test_a_notebook_of_another_library_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "hw.ipynb").write_text(notebook("import tensorflow as tf", "G = tf.keras.Sequential()"))
    with pytest.raises(Missing, match="written with tensorflow: only PyTorch"):
        ConditionalContract(Modules(tmp_path, find("duke2017").parts["cgan"])).noise_size()


def test_images_of_another_size_are_told_in_a_clear_word(tmp_path: Path) -> None:
    given = {"outputs": "1", "given": "x, y", "used": "torch.cat([x.flatten(1), y], 1)"}
    contract = ConditionalContract(modules_of(tmp_path, network("ConditionalDiscriminator", "1024 + 10", **given)))
    with pytest.raises(Missing, match="the discriminator works on images of 32×32 pixels: MNIST's have 28×28"):
        contract.scores(contract.discriminator(), torch.zeros(2, 784), torch.arange(2))
    vae = """
class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.out, self.back = nn.Linear(1024, 3), nn.Linear(3, 1024)
    def encode(self, x):
        return self.out(x.view(-1, 1024))
    def decode(self, z):
        return self.back(z)
def interpolate_vae(vae, a, b, n=10):
    return vae.decode(torch.lerp(vae.encode(a), vae.encode(b), torch.linspace(0, 1, n)[:, None]))
"""
    ends = torch.rand(2, 1, 1, 28, 28)
    with pytest.raises(Missing, match="the VAE works on images of 32×32 pixels"):
        InterpolationContract(modules_of(tmp_path, vae)).vae(ends[0], ends[1], 10, Calls())


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("def generate(n):\n    return G(torch.randn(n, 5))", "it takes only n"),
        ("def generate(digit):\n    return G(torch.randn(10, 5))", "never calls the conditional generator"),
        ("def generate(digit):\n    return load(digit)", "name 'load' is not defined"),
        ("def generate(digit):\n    return G(W)\nfor x in []:\n    pass\nW = next(G)", "W is computed in hw"),
    ],
)
def test_a_usual_name_may_mean_something_else(tmp_path: Path, function: str, says: str) -> None:
    cells = (network("Generator", "5"), network("ConditionalGenerator", "15"), "G = Generator()", function)
    with pytest.raises(Missing, match=says):
        ConditionalContract(modules_of(tmp_path, *cells)).generate(3, torch.eye(10)[[3] * 10], Calls())
    if "never" in says:
        said = modules_of(tmp_path, *cells, wishes="entry: {generate: generate}")
        with pytest.raises(TypeError, match=says):
            ConditionalContract(said).generate(3, torch.eye(10)[[3] * 10], Calls())


@pytest.mark.parametrize(
    ("given", "used", "inputs"),
    [
        ("x", "x", "8 + 10"),
        ("z, y", "torch.cat([z, y], 1)", "8 + 10"),
        ("labels, z", "torch.cat([z, torch.eye(10)[labels]], 1)", "8 + 10"),
        ("labels, z", "torch.cat([labels, z], 1)", "8 + 10"),
    ],
)
def test_noise_and_label_go_in_as_the_network_takes_them(tmp_path: Path, given: str, used: str, inputs: str) -> None:
    cells = ("latent_dim = 8", network("ConditionalGenerator", inputs, given=given, used=used))
    contract = ConditionalContract(modules_of(tmp_path, *cells))
    made = contract.generator()
    noise, labels = torch.randn(6, 8), torch.arange(6)
    assert contract.noise_size() == 8
    hot = torch.nn.functional.one_hot(labels, 10).float()
    rows = torch.cat([hot, noise] if used.startswith("torch.cat([labels") else [noise, hot], 1)
    assert torch.allclose(contract.images(made, noise, labels), torch.sigmoid(made.get_submodule("out")(rows)))


def test_weights_are_read_as_tensors_only_and_only_from_the_submission(tmp_path: Path) -> None:
    class Package:
        cgan = ConditionalContract(modules_of(tmp_path, network("ConditionalGenerator", "15")))

    (tmp_path / "a.pt").write_bytes(b"no weights")
    torch.save({"out.weight": torch.zeros(3, 3), "out.bias": torch.zeros(784)}, tmp_path / "b.pt")
    found = cgan.handed_in(Package())
    assert found["file"] == ""
    assert "a.pt: " in found["problem"]
    assert "out.weight has shape [3, 3], but the model needs [784, 15]" in found["problem"]
    torch.save({"generator.out.weight": torch.ones(784, 15), "generator.out.bias": torch.ones(784)}, tmp_path / "c.pt")
    found = cgan.handed_in(Package())
    assert found["file"] == "c.pt"
    assert bool((found["weights"]["out.weight"] == 1).all())
    nested = {"epoch": 9, "netG": {"module.out.weight": torch.zeros(784, 15), "module.out.bias": torch.zeros(784)}}
    torch.save({**nested, "netD": {"x.weight": torch.zeros(2)}}, tmp_path / "c_10.pt")
    assert [cgan.handed_in(Package(), index)["file"] for index in range(3)] == ["c_10.pt, netG", "c.pt", ""]
    torch.save({"out.bias": torch.ones(784), "mine": torch.ones(1)}, tmp_path / "d.pt")
    problem = cgan.handed_in(Package(), 9)["problem"]
    assert "d.pt: ValueError: it contains no out.weight, but out.bias, mine" in problem
    wished = "weights: {conditional_generator: ../outside.pt}"
    (tmp_path.parent / "outside.pt").write_bytes((tmp_path / "c.pt").read_bytes())
    Package.cgan = ConditionalContract(modules_of(tmp_path, network("ConditionalGenerator", "15"), wishes=wished))
    assert "was not handed in" in cgan.handed_in(Package())["problem"]


def test_a_walk_is_judged_by_its_very_points() -> None:
    start, end = np.zeros(3), np.array([9.0, 0.0, 0.0])
    walk = np.linspace(start, end, 10)
    judge_walk(walk, start, end, "a", "b")
    judge_walk(walk[::-1], start, end, "a", "b")
    for wrong, says in (
        (walk[:9], "10 images"),
        (walk + 1, "does not begin"),
        (walk**2, "not evenly spaced|does not begin"),
    ):
        with pytest.raises(AssertionError, match=says):
            judge_walk(wrong, start, end, "a", "b")


def test_the_reference_is_a_notebook_without_outputs() -> None:
    cells = json.loads((reference_of("duke2017") / "homework.ipynb").read_text())["cells"]
    assert not any(cell.get("outputs") for cell in cells)


def test_a_notebook_that_cannot_be_read_is_the_students_error(
    tmp_path: Path, benches: Callable[[str], Workbench]
) -> None:
    shutil.copytree(EXAMPLES.folder / "partial", tmp_path / "doe")
    (tmp_path / "doe" / "HW3_final.ipynb").write_text("{")
    facts = benches("duke2017").check(tmp_path / "doe", "cgan.generator", "interpolation.vae")
    assert {fact.outcome for fact in facts.values()} == {Outcome.ERROR}
    assert all("HW3_final.ipynb is no notebook that Jupyter can read" in f.decisive.message for f in facts.values())


def test_evidence_without_end_keeps_nobody_busy() -> None:
    got = Evidence({"decoded": np.zeros((1025, 784), np.float32), "images": None})
    with pytest.raises(Mismatch, match="decoded is larger than any right answer"):
        walk_of(got, np.zeros((1025, 3)), "the generator")


# --- one mistake, one charge -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ("torch.cat([noise, labels.unsqueeze(1).float()], dim=1)", {"input_of_the_generator.label_as_a_number"}),
        ("torch.cat([labels.unsqueeze(1).float(), noise], dim=1)", set()),
        ("torch.cat([noise, labels.unsqueeze(1) / 9], dim=1)", set()),
    ],
)
def test_a_label_as_one_number_is_charged_once(benches: Callable[[str], Workbench], row: str, name: set[str]) -> None:
    bench = benches("duke2017")
    folder = bench.variant(
        changed_notebook(
            ("Generator(latent_size + classes)", "Generator(latent_size + 1)"),
            ("Discriminator(pixels + classes)", "Discriminator(pixels + 1)"),
            (conditional.ROW, row),
            (conditional.MADE, "return generator.eval()(generator_input(draw_noise(n), torch.full((n,), digit)))"),
        )
    )
    facts = bench.diagnosed(folder, "cgan.")
    assert set(facts) == {"cgan.input"}
    assert names(facts.values()) == name


@pytest.mark.parametrize(
    ("old", "new", "check", "name"),
    [
        (
            "self.layers(x)",
            "self.layers(x * (torch.arange(74) < 64))",
            "cgan.generator_condition",
            "conditional_generator.label_ignored",
        ),
        (
            "self.main(x)",
            "self.main(x * (torch.arange(794) < 784))",
            "cgan.discriminator_condition",
            "conditional_discriminator.label_ignored",
        ),
    ],
)
def test_networks_that_start_small_may_still_ignore_the_label(
    benches: Callable[[str], Workbench], old: str, new: str, check: str, name: str
) -> None:
    bench = benches("duke2017")
    changed = rewritten(conditional.NETWORKS, conditional.SMALL.replace(old, new))
    facts = bench.diagnosed(bench.variant(changed_notebook(changed)), "cgan.")
    assert set(facts) == {check}
    assert names(facts.values()) == {name}


# --- sizes that no network can have ----------------------------------------------------------------------------------


def test_sizes_below_one_are_not_tried(tmp_path: Path) -> None:
    odd = """
class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(7, 3), nn.Linear(3, 784)
    def forward(self, z):
        raise ValueError("not this size")
"""
    contract = InterpolationContract(modules_of(tmp_path, odd))
    with pytest.raises(Missing, match="the number of latents cannot be told"):
        contract.latent_size()


@pytest.mark.parametrize(("size", "error"), [(0, Undecided), (-3, Undecided), (100_000, ValueError)])
def test_an_absurd_number_of_latents_is_for_a_person_or_too_large(size: int, error: type[Exception]) -> None:
    package = Mock()
    package.cgan.noise_size.return_value = package.interpolation.latent_size.return_value = size
    with pytest.raises(error, match=f"{size} numbers of noise"):
        cgan.noise_size(package)
    with pytest.raises(error, match=f"{size} latents"):
        interpolation.gan(package, torch.zeros(1, 1024), torch.zeros(1, 1024), 10)
