"""What `--explain CHECK` says: titles, what code is asked with inputs of which shapes, and lines to try it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gengrade import tryouts
from gengrade.authoring import create
from gengrade.authoring.trying import problems_of
from gengrade.choices import CheckKind
from gengrade.course import Course, courses
from gengrade.engine import UsageError
from gengrade.explaining import explanation
from gengrade.facts import Outcome
from gengrade.grading.asked import first_requests
from gengrade.grading.checks import known
from gengrade.kit.stripping import public_checks, public_tryouts
from gengrade.parts import part_of
from gengrade.rubric import Rubric
from gengrade.sandbox import Request, Run
from gengrade.tryouts import TryoutsError
from validation.variants import COURSES
from validation.workbench import Workbench

MOST_LINES = 9
LONGEST = 120  # characters of a line, as in our own code


def explained(course: Course, check: str) -> list[str]:
    return list(explanation(check, Rubric.load(course.rubric), course))


def unit_checks(course: Course) -> set[str]:
    """Return the checks that a student's kit of a course runs without trainings."""
    public = public_checks(Rubric.load(course.rubric))
    return {check for check in public if known()[check].kind is CheckKind.UNIT}


def test_shapes_and_lines_to_try_are_shown() -> None:
    lines = explained(courses()["uva2020"], "vae.kld")
    asked = lines.index("What your code is asked, in this order at first:")
    assert lines[:2] == ["vae.kld: 0.75 points", "It passes if all of this is so:"]
    titles = [line for line in lines[:asked] if line.startswith("  - ")]
    assert titles == ["  - KLD gives the KL divergence of N(mean, std²) from N(0, I), summed over the last dimension"]
    shapes = [request.inputs["mean"].shape for request in first_requests("vae.kld")]
    assert [len(shape) for shape in shapes] == [2, 2]
    assert lines[asked + 1 : asked + 3] == [
        f"  - kld with mean: {rows} × {z_dim}, log_std: {rows} × {z_dim}" for rows, z_dim in shapes
    ]
    heading = lines.index("Try it in the folder part1 of your solution:")
    assert lines[heading + 1].startswith("    # Start python there.")
    assert "    from utils import KLD" in lines[heading:]


def test_scalars_are_shown_by_value_and_settings_by_name() -> None:
    text = "\n".join(explained(courses()["uva2020"], "vae.mlp_decoder"))
    assert "settings: (z_dim: 6, hidden_dims: [36, 24, 48], output_shape: [1, 28, 28])" in text
    assert "… (6 in all)]" in text, "long lists are cut"
    assert "  - gan value, without inputs" in explained(courses()["uva2020"], "theory.gan_value")
    (asked,) = [line for line in explained(courses()["uva2020"], "vae.bpd_per_image") if line.startswith("  - bpd")]
    assert re.fullmatch(r"  - bpd with elbo: (\d+) numbers, img_shape: \[\1, 1, 28, 28\]", asked)
    walk = explained(courses()["duke2017"], "interpolation.gan")
    assert "If a row is longer than your network's input, only its beginning is used." in walk


def test_what_needs_an_answer_or_the_data_set_is_left_out() -> None:
    text = "\n".join(explained(courses()["uva2020"], "gan.frechet"))
    assert "What your code is asked" not in text
    assert "Try it" not in text
    assert list(first_requests("cgan.digits")) == [], "it asks the reference first"


@pytest.mark.parametrize("name", COURSES)
def test_what_each_check_asks_first_is_known(name: str) -> None:
    """Of all but one check, which asks the reference for its weights first."""
    unknown = {check for check in unit_checks(courses()[name]) if not list(first_requests(check))}
    assert unknown <= {"ddpm.unet_forward"}


def test_a_check_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match=r'there is no such check \(did you mean "vae.kld"\?\)'):
        explained(courses()["uva2020"], "vae.kdl")


# Tryouts


@pytest.mark.parametrize("name", COURSES)
def test_each_check_has_a_tryout_that_prints_something(name: str, benches: Callable[[str], Workbench]) -> None:
    course, bench = courses()[name], benches(name)
    found = tryouts.read(course)
    assert found.checks.keys() == unit_checks(course)
    assert list(problems_of(course, found, bench.sandbox, bench.reference)) == []


@pytest.mark.parametrize("name", COURSES)
def test_tryouts_are_short_and_say_what_is_right(name: str) -> None:
    for check, text in tryouts.read(courses()[name]).checks.items():
        lines = text.splitlines()
        assert len(lines) <= MOST_LINES, check
        assert max(map(len, lines)) <= LONGEST, check
        assert any("print(" in line and "  # " in line for line in lines), check


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("vae.kld: |", "vae.kdl: |", 5, 'no grader has a check "vae.kdl" (did you mean "vae.kld"?)'),
        ("import torch", "import", 5, "the lines are no Python (invalid syntax, in line 1 of them)"),
        ("checks:", "check:", 4, 'the key "check" is unknown (did you mean "checks"?)'),
        ('note: "', 'note: "\\n', 3, '"note" is not usable'),
    ],
    ids=["check", "Python", "key", "note"],
)
def test_a_mistake_is_refused_by_its_line(tmp_path: Path, old: str, new: str, line: int, reason: str) -> None:
    course = create(tmp_path / f"wrong{abs(hash(new))}")
    text = course.tryouts.read_text()
    assert old in text
    course.tryouts.write_text(text.replace(old, new))
    with pytest.raises(TryoutsError) as refused:
        tryouts.read(course)
    assert (refused.value.path, refused.value.line) == (course.tryouts, line)
    assert reason in refused.value.reason


def test_a_course_needs_no_tryouts(tmp_path: Path) -> None:
    course = create(tmp_path / "without")
    course.tryouts.unlink()
    assert tryouts.read(course).checks == {}
    assert not any(line.startswith("Try it") for line in explained(course, "vae.kld"))
    assert "checks: {}" in public_tryouts(tryouts.read(course), {"vae.kld"})


def test_a_tryout_that_fails_or_prints_nothing_is_reported(tmp_path: Path) -> None:
    course = create(tmp_path / "silent")
    asked: list[Request] = []

    class Runs:
        starting = 0.0

        def __init__(self, run: Run) -> None:
            self._run = run

        def run(self, request: Request) -> Run:
            asked.append(request)
            return self._run

    def reported(run: Run, check: str = "vae.kld") -> list[str]:
        return list(problems_of(course, tryouts.Tryouts(checks={check: "x"}), Runs(run), tmp_path))

    assert reported(Run(Outcome.PASSED, evidence="1\n")) == []
    assert reported(Run(Outcome.PASSED, evidence=" \n")) == ["vae.kld: its lines print nothing"]
    failed = Run(Outcome.ERROR, "NameError: name 'x' is not defined")
    assert reported(failed) == ["vae.kld: its lines end as error: NameError: name 'x' is not defined"]
    assert [each.inputs for each in asked] == [{"part": "vae", "lines": "x"}] * 3
    assert reported(failed, "vae.loss") == ["vae.loss: neither the rubric nor a part of the course is about it"]


def test_a_kit_holds_the_tryouts_of_its_own_checks(tmp_path: Path) -> None:
    course = courses()["uva2020"]
    all_ = tryouts.read(course)
    public = public_tryouts(all_, all_.checks.keys() - {"vae.kld"})
    assert "  vae.kld:" not in public
    kit = create(tmp_path / "likeakit")
    kit.tryouts.write_text(public)
    kept = tryouts.read(kit)
    assert kept.note == all_.note
    assert {check: lines.strip() for check, lines in kept.checks.items()} == {
        check: lines.strip() for check, lines in all_.checks.items() if check != "vae.kld"
    }


def test_a_check_is_of_the_part_with_which_its_name_begins() -> None:
    parts = {name: courses()[name].parts for name in ("mila2023", "uva2018")}
    assert part_of("gan.sample", parts["mila2023"]) == "gan"
    assert part_of("gaussian_vae.kl", parts["mila2023"]) == "gaussian_vae"
    assert part_of("vae2018.epoch", parts["uva2018"]) == "vae"
    assert part_of("flow.nll", parts["uva2018"]) is None
