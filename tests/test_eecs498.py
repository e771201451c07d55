"""The course of Michigan's VAEs and GANs: the mathematics of its loss, right values for one seed, its examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import pytest
import torch
from torch.distributions import Normal, kl_divergence
from torch.nn import functional

from gengrade.authoring.expected import differences
from gengrade.facts import Outcome
from gengrade.grade import Grade
from gengrade.grading.checks import known
from gengrade.rubric import Rubric
from graders.vae.headed import right_loss
from tests.support.examples import Examples
from tests.support.validated import Validated
from validation.cases import cases
from validation.workbench import Workbench

COURSE = "eecs498"
EXAMPLES = Examples.of(COURSE)


class TestVae(Validated):
    course, family = COURSE, "vae"


class TestImageGan(Validated):
    course, family, by_default = COURSE, "image_gan", 1


def test_there_is_enough_of_everything() -> None:
    found = Counter((case.family, case.kind) for case in cases("caught", "right", "unnamed", courses=[COURSE]))
    for family in ("vae", "image_gan"):
        assert found[family, "caught"] >= 40
        assert found[family, "right"] >= 10
        assert found[family, "unnamed"] >= 5


def test_the_rubric_is_whole() -> None:
    rubric = Rubric.load(EXAMPLES.rubric)
    rubric.verify(known())
    assert sum(question.points for question in rubric.questions()) == 60


def test_the_loss_is_that_of_torch() -> None:
    random = torch.Generator().manual_seed(3)
    x, x_hat = torch.rand(2, 5, 1, 28, 28, generator=random, dtype=torch.float64)
    mean, logvar = torch.randn(2, 5, 4, generator=random, dtype=torch.float64)
    leaves = [each.clone().requires_grad_() for each in (x_hat, mean, logvar)]
    divergence = kl_divergence(Normal(leaves[1], (leaves[2] / 2).exp()), Normal(torch.tensor(0.0), 1.0)).sum()
    loss = (functional.binary_cross_entropy(leaves[0], x, reduction="sum") + divergence) / 5
    value, gradients = right_loss(*(each.numpy() for each in (x_hat, x, mean, logvar)))
    assert value == pytest.approx(loss.item())
    for found, right in zip(gradients.values(), torch.autograd.grad(loss, leaves), strict=True):
        assert found == pytest.approx(right.numpy())


@pytest.mark.parametrize(
    ("old", "new", "check", "says"),
    [
        ("        nn.Linear(HIDDEN, HIDDEN),\n        nn.ReLU(),\n    ]", "        nn.Linear(HIDDEN, HIDDEN),\n    ]",
         "vae.layers", "there is no ReLU after layer 3 of the encoder"),
        ("nn.Sigmoid(), ", "", "vae.layers", "sigmoid"),
        ("torch.cat([z, c], dim=1)", "torch.cat([c, z], dim=1)", "vae.conditional_forward", "labels behind"),
        ("x.flatten(start_dim=1), c], dim=1)", "x.flatten(start_dim=1), 0 * c], dim=1)", "vae.conditional_forward",
         "labels beside them"),
        ("self.decoder = decoder_of(latent_size, input_size)", "self.decoder = None", "vae.layers",
         "VAE.decoder is still None"),
        ("self.mu_layer = nn.Linear(HIDDEN, latent_size)",
         "self.hidden_dim = None\n        self.mu_layer = nn.Linear(\n            self.hidden_dim, latent_size)",
         "vae.conditional_layers", "CVAE.hidden_dim is still None"),
        ("hidden = self.encoder(torch.cat", "self.fusion = None\n        hidden = self.fusion(torch.cat",
         "vae.conditional_forward", "CVAE.fusion is still None"),
        ("latent_size + num_classes, input_size)", "latent_size, input_size)", "vae.conditional_forward",
         "built with input_size=784, num_classes=10, latent_size=15)"),
    ],
)  # fmt: skip
def test_messages_say_what_is_wrong(
    benches: Callable[[str], Workbench], old: str, new: str, check: str, says: str
) -> None:
    bench = benches(COURSE)
    facts = bench.check(bench.variant({"vae.py": (old, new)}), check)
    assert facts[check].outcome in (Outcome.FAILED, Outcome.ERROR, Outcome.MISSING)
    assert says in facts[check].decisive.message


def test_a_wrong_draw_is_charged_once(benches: Callable[[str], Workbench]) -> None:
    """The forward is judged with a known draw in the place of the student's."""
    bench = benches(COURSE)
    folder = bench.variant({"vae.py": ("torch.exp(0.5 * logvar)", "logvar")})
    assert set(bench.failing(folder, "vae.")) == {"vae.reparameterize"}


def test_two_files_that_were_exchanged_are_judged_all_the_same(benches: Callable[[str], Workbench]) -> None:
    bench = benches(COURSE)
    folder = bench.variant({"vae.py": ("logvar.exp() + mu**2", "logvar.exp() + mu")})
    (folder / "vae.py").rename(folder / "other.txt")
    (folder / "gan.py").rename(folder / "vae.py")
    (folder / "other.txt").rename(folder / "gan.py")
    asked = ("vae.loss_function", "vae.reparameterize", "image_gan.generator_loss")
    assert set(bench.failing(folder, *asked)) == {"vae.loss_function"}


@pytest.fixture(scope="module")
def grades(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Grade]:
    return EXAMPLES.graded(tmp_path_factory.mktemp(COURSE))


@pytest.mark.slow
def test_examples_earn_what_is_stated(grades: Mapping[str, Grade]) -> None:
    assert list(differences(EXAMPLES.expected, grades)) == []
    assert not any(grade.has_infra for grade in grades.values())
