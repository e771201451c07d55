"""No definition of ours that a run contains answers what the run asks, for every course and probe."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from gengrade.course import find
from gengrade.facts import Outcome
from gengrade.rubric import CheckItem, Rubric
from gengrade.sandbox import Limits, Request, Tier, examine
from gengrade.sandbox import closure as closures
from gengrade.sandbox.guest import compatibility
from gengrade.sandbox.guest.library import Library, load_apart
from tests.attacks import spying
from tests.attacks.planting import Candidate, Ground, Place, Planting, plantings
from validation.variants import COURSES
from validation.workbench import Workbench, reference_of

WALLED = (Tier.SANDBOX, Tier.LANDLOCK)
# By default, the course with the fewest probes.
_QUICK = [("uva2021", Tier.LANDLOCK)]
_PROJECT = Path(__file__).resolve().parents[2]


@cache
def library_of(course: str, probe: str) -> Library:
    compatibility.import_torchvision()
    return load_apart(closures.closure_of(find(course), probe).code)


@pytest.fixture(scope="module", params=COURSES)
def ground(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground(tmp_path_factory.mktemp(request.param), request.param)


def walled(tier: Tier) -> Tier:
    finding = next(finding for finding in examine() if finding.tier is tier)
    if not finding.available:
        pytest.skip(f"this machine does not give the tier {tier}: {finding.reason}")
    return tier


def modules_of_ours() -> list[str]:
    """Return every one of our modules by name: probes, adapters and graders."""
    files = [path for top in ("gengrade", "graders", "courses") for path in (_PROJECT / top).rglob("*.py")]
    names = [path.relative_to(_PROJECT).with_suffix("").as_posix().replace("/", ".") for path in files]
    return [name.removesuffix(".__init__") for name in names]


# A run's code is the same in both tiers: the slow tests look at all courses in both.
OF_EACH_COURSE = [
    pytest.param(course, tier, marks=[] if (course, tier) in _QUICK else [pytest.mark.slow])
    for course in COURSES
    for tier in WALLED
]

# --- what there is to be found ----------------------------------------------------------------------------------------


@pytest.mark.timeout(600)  # where it is not alone
@pytest.mark.parametrize(("course", "tier"), OF_EACH_COURSE)
def test_a_run_finds_what_its_probe_needs_and_nothing_else(tmp_path: Path, course: str, tier: Tier) -> None:
    with Workbench(tmp_path, walled(tier).value, course) as bench:
        tree = bench.tree(spying.hand_in(tmp_path / "spy", bench._parts, modules_of_ours()))
        reported = set()
        for probe in closures.probes():
            own, closure = library_of(course, probe), closures.closure_of(find(course), probe)
            if not any(name.startswith(f"courses.{course}.") for name in own.modules):
                continue  # it speaks to no part of this course
            run = bench.sandbox.run(Request(probe, tree, spying.inputs_for(own), 1, Limits(seconds=20)))
            report = spying.report_of(run)
            if report is None:
                continue
            reported.add(probe)
            found, imported, read = report
            needed = {(module, name.partition(".")[0]) for module, name in closure.definitions}
            assert found == needed, probe
            assert (imported, read) == ([], []), probe
    adapters = {place.partition(":")[0] for place in find(course).adapters.values()}
    assert adapters <= {name for probe in reported for name in library_of(course, probe).modules}, "of every part"


# --- what it is good for ----------------------------------------------------------------------------------------------


# Functions and distributions, where one of ours is most like a student's; networks and losses take longer.
QUICK = {
    "uva2020": ("flow.gaussian", "vae.kld"),
    "mila2023": ("gaussian_vae.kl", "gaussian_vae.nll", "ddpm.times"),
}


@pytest.mark.timeout(900)  # where it is not alone
@pytest.mark.slow
@pytest.mark.parametrize("course", ["uva2020", "mila2023"])
def test_no_definition_of_ours_answers_a_question_of_its_run(tmp_path: Path, course: str) -> None:
    """Each definition is tried in every place that a check depends on."""
    assert _answering(Ground(tmp_path, course), *QUICK[course]) == []


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_no_definition_of_ours_answers_any_question(ground: Ground) -> None:
    """The same holds for all unit checks of all courses."""
    assert _answering(ground, "") == []


def _answering(ground: Ground, *prefixes: str) -> list[str]:
    """Return, for each check, our definitions that answer it; there should be none."""
    answering = []
    checks = ground.bench.unit_checks(*prefixes)
    assert checks
    for check in sorted(set(checks) - _worth_nothing_alone(ground.course)):
        for request, asked in ground.runs_of(check):
            own = ground.library(request.probe)
            for place in ground.heeded(check, request, asked):
                answering += [
                    f"{check}: {planting}"
                    for planting in plantings(own, place)
                    if ground.answers(check, request, planting)
                ]
    return answering


def _worth_nothing_alone(course: str) -> set[str]:
    """Return the checks of a rubric that earn points only if another check passes, which is tried by itself."""
    items = [entry.item for entry in Rubric.load(find(course).rubric).entries()]
    checked = [item for item in items if isinstance(item, CheckItem)]
    return {item.check for item in checked if item.needs} - {item.check for item in checked if not item.needs}


def test_a_right_answer_is_seen_where_a_run_holds_one(tmp_path: Path) -> None:
    """The search finds the reference's own function when it is put into one of our modules."""
    ground = Ground(tmp_path, "uva2021")
    ((request, asked),) = ground.runs_of("vae.kld")
    own = ground.library(request.probe)
    held = ModuleType("graders.probing._held")
    vars(held)["divergence"] = asked["KLD"]
    asked["KLD"].__module__ = held.__name__
    own.modules[held.__name__] = held  # type: ignore[index]
    try:
        answering = [
            planting for planting in plantings(own, Place("KLD")) if ground.answers("vae.kld", request, planting)
        ]
    finally:
        del own.modules[held.__name__]  # type: ignore[attr-defined]
    assert answering == [Planting(Candidate(held.__name__, "divergence"), Place("KLD"))]


# --- our stand-in for a Gaussian, which earned eight points -----------------------------------------------------------

BORROWED = """
import gc as _gc, importlib as _importlib, sys as _sys

def _held():
    names = [name for name in _sys.modules if name.startswith("graders")] + ["graders.probing.gaussian"]
    for name in names:
        try:
            yield from vars(_importlib.import_module(name)).values()
        except ImportError:
            continue
    yield from (each for each in _gc.get_objects() if isinstance(each, type))

def _borrowed(theirs):
    for each in _held():
        if getattr(each, "__name__", "") == "Gaussian" and "graders" in str(getattr(each, "__module__", "")):
            return type("DiagonalGaussianDistribution", (each,), {"theirs": theirs, "__module__": __name__})
    return theirs

class DiagonalGaussianDistribution:
    def __init__(self, mean, logvar=None):
        self.mean, self.logvar = mean, logvar

    def sample(self, noise=None): return self.mean
    def kl(self): return self.mean.flatten(1).sum(dim=1)
    def nll(self, sample, dims=(1, 2, 3)): return self.mean.sum(dim=tuple(dims))
    def mode(self): return self.mean + 1

DiagonalGaussianDistribution = _borrowed(DiagonalGaussianDistribution)
"""
OF_A_LIBRARY = """
import sys as _sys
import torch.distributions

class DiagonalGaussianDistribution:
    def __init__(self, mean, logvar=None):
        self.mean, self.logvar = mean, torch.zeros_like(mean) if logvar is None else logvar
        self.law = _sys.modules["torch.distributions"].Normal(mean, (self.logvar / 2).exp())
        self.prior = torch.distributions.Normal(0.0, 1.0)

    def sample(self, noise=None): return self.law.rsample() if noise is None else self.mean + self.law.scale * noise
    def kl(self): return torch.distributions.kl_divergence(self.law, self.prior).flatten(1).sum(1)
    def nll(self, sample, dims=(1, 2, 3)): return -self.law.log_prob(sample).sum(dim=tuple(dims))
    def mode(self): return self.mean
"""
OF_THE_DISTRIBUTION = ("gaussian_vae.draw", "gaussian_vae.kl", "gaussian_vae.nll", "gaussian_vae.mode")


@pytest.mark.timeout(600)  # where it is not alone
@pytest.mark.parametrize("tier", WALLED)
def test_our_gaussian_is_no_students_gaussian(tmp_path: Path, tier: Tier) -> None:
    def with_distribution(source: str, name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for path in reference_of("mila2023").glob("*.py"):
            text = path.read_text()
            if path.name == "vae_solution.py":
                head, _, rest = text.partition("class DiagonalGaussianDistribution:")
                text = f"{head}{source}\n\nclass VAE(nn.Module):{rest.partition('class VAE(nn.Module):')[2]}"
            (folder / path.name).write_text(text)
        return folder

    with Workbench(tmp_path, walled(tier).value, "mila2023") as bench:
        hostile = bench.check(with_distribution(BORROWED, "hostile"), *OF_THE_DISTRIBUTION)
        control = bench.check(with_distribution(OF_A_LIBRARY, "control"), *OF_THE_DISTRIBUTION)
    assert {id_: fact.outcome for id_, fact in hostile.items()} == dict.fromkeys(OF_THE_DISTRIBUTION, Outcome.FAILED)
    assert {id_: fact.outcome for id_, fact in control.items()} == dict.fromkeys(OF_THE_DISTRIBUTION, Outcome.PASSED)
