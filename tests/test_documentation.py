"""The README, the page on writing graders and the workflow agree with the code."""

from __future__ import annotations

import ast
import hashlib
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main
import yaml

from gengrade.cli import app
from gengrade.course import load
from gengrade.facts import Outcome
from gengrade.grade import Grade, ItemGrade, QuestionGrade
from gengrade.grading import Evidence
from gengrade.grading.checks import known
from gengrade.grading.symptoms import Symptoms
from gengrade.lateness import assessed, determined
from gengrade.marks.files import parse
from gengrade.people.roster import ADDED, OWN, read_roster
from gengrade.rubric import CheckItem, Late, Limits, ManualItem, MeasureItem, Question, Rubric
from gengrade.sandbox.limits import NAMES
from gengrade.self_check_cli import app as self_check
from tests.attacks.__main__ import parser
from validation.workbench import library

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/architecture.md",
    "SECURITY.md",
    "docs/attacks.md",
    "docs/cluster.md",
    "docs/error-rates.md",
    "docs/grade-json.md",
    "docs/marking.md",
    "docs/new-course.md",
    "docs/people.md",
    "docs/publishing.md",
    "docs/students.md",
    "gengrade/kit/files/README.md",
    "docs/writing.md",
)
_OF_OTHER_PROGRAMS = {"docs/cluster.md": {"--account", "--protocol", "--nthreads", "--nworkers"}}  # sbatch and dask
WORKFLOW = ROOT / "examples" / "workflow.yml"


def text(page: str) -> str:
    return (ROOT / page).read_text()


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a page, without the indentation of lists."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text(page), re.DOTALL | re.MULTILINE)
    return ["\n".join(line.removeprefix(indent) for line in block.split("\n")) for indent, block in found]


def options(command: str = "grade") -> set[str]:
    commands: Any = typer.main.get_command(app)
    return options_of(commands.commands[command])


def options_of(command: Any) -> set[str]:
    """Return the options of a command, or of all commands in a group."""
    own = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return own.union(*map(options_of, getattr(command, "commands", {}).values()))


def options_of_attacks() -> set[str]:
    """Return the options of `python -m tests.attacks`."""
    return set(re.findall(r"--[a-z]+", parser().format_help()))


def run_grading_calls(script: str) -> Iterator[list[str]]:
    """Return the arguments of every call of run_grading.py in a shell script."""
    for line in script.splitlines():
        words = shlex.split(line, comments=True)
        if any(word.endswith("run_grading.py") for word in words):
            yield words[next(i for i, word in enumerate(words) if word.endswith("run_grading.py")) + 1 :]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text(page))
    missing = [link for link in links if not ((ROOT / page).parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_paths_exist(page: str) -> None:
    named = re.findall(r"`((?:gengrade|graders|reference|tests|docs|examples)/[\w/.-]*)`", text(page))
    missing = [path for path in named if not (ROOT / path).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_tables_are_whole_and_say_nothing_twice(page: str) -> None:
    for table in re.findall(r"(?:^ *\|.*\|\n)+", text(page), re.MULTILINE):
        rows = [row.strip() for row in table.splitlines()]
        assert len({row.count("|") - row.count("\\|") for row in rows}) == 1, rows[0]
        assert len(set(rows)) == len(rows), rows[0]


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))
    named = set(re.findall(r"\bmake(?: -C \w+)? ([a-z]+)", text("README.md") + WORKFLOW.read_text()))
    assert named <= targets
    listed = set(re.findall(r"^\| `make ([a-z]+)`", text("README.md"), re.MULTILINE))
    assert listed == targets - {"help"}


@pytest.mark.parametrize("page", PAGES)
def test_options_exist(page: str) -> None:
    named = set(re.findall(r"(?<![\w-])(--[a-z][\w-]*)", text(page)))
    others = options_of_attacks() if page == "docs/attacks.md" else _OF_OTHER_PROGRAMS.get(page, set())
    of_kits = {"docs/students.md", "gengrade/kit/files/README.md"}
    known_options = options_of(typer.main.get_command(self_check if page in of_kits else app))
    assert named <= known_options | others | {"--help"}


def test_commands_of_the_readme_are_understood() -> None:
    for block in blocks("README.md", "sh"):
        for arguments in run_grading_calls(block):
            assert {word.partition("=")[0] for word in arguments if word.startswith("--")} <= options() | {"--help"}


def test_the_help_names_every_option() -> None:
    shown = subprocess.run(
        [sys.executable, "run_grading.py", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb", "PATH": "/usr/bin:/bin"},
    )
    assert all(option in shown.stdout for option in options())


def test_outcomes_are_listed() -> None:
    listed = re.search(r"A check ends as (.*?)\. Only", text("README.md"), re.DOTALL)
    assert listed is not None
    assert set(re.findall(r"`(\w+)`", listed[1])) == {outcome.value for outcome in Outcome}


def test_marks_of_the_readme_fit_the_rubric() -> None:
    (block,) = blocks("README.md", "yaml")
    marks, mistakes = parse(block.encode(), Path("doe.yaml"), Rubric.load(ROOT / "rubric.yaml"))
    assert (len(marks), mistakes) == (4, [])


@pytest.mark.parametrize("block", blocks("docs/writing.md", "python"))
def test_examples_of_code_import_what_there_is(block: str) -> None:
    tree = ast.parse(block)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module or "")
            for name in node.names:
                assert hasattr(module, name.name), f"{node.module} has no {name.name}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
            inner = node.value
            if isinstance(inner.value, ast.Name) and inner.value.id == "probes":
                probes = importlib.import_module("gengrade.grading").probes
                assert getattr(getattr(probes, inner.attr), node.attr)


def test_checks_of_the_examples_exist() -> None:
    named = re.findall(r'@check\("([\w.]+)"', text("docs/writing.md"))
    assert named
    assert set(named) <= set(known())


def test_the_example_of_a_misconception_is_one() -> None:
    (block,) = [block for block in blocks("docs/writing.md", "python") if "@misconception" in block]
    definition = ast.parse(block).body[-1]
    assert isinstance(definition, ast.FunctionDef)
    sentence = " ".join((ast.get_docstring(definition) or "").split())
    assert library()[f"kld.{definition.name}"].sentence == sentence


def test_the_example_of_symptoms_gives_some() -> None:
    (block,) = [block for block in blocks("docs/writing.md", "python") if "@symptoms_of" in block]
    found: dict[str, Any] = {"symptoms_of": lambda probe: lambda reading: reading}
    exec(re.sub(r"^(from gengrade.grading.symptoms import .*), symptoms_of$", r"\1", block, flags=re.MULTILINE), found)
    inputs = {"mean": np.zeros((500, 4)), "std": np.ones((500, 4))}
    draws = np.random.default_rng(0).normal(size=(500, 4))
    honest: Symptoms = found["reparameterize"](inputs, Evidence({"first": draws}))
    shared: Symptoms = found["reparameterize"](inputs, Evidence({"first": np.repeat(draws[:1], 500, axis=0)}))
    assert honest["same noise"][0] == 0
    assert shared["same noise"][0] == 1
    assert honest["spread"][0] == pytest.approx(1, abs=0.05)


def test_the_example_of_a_grade_is_one_and_every_key_is_explained() -> None:
    (block,) = blocks("docs/grade-json.md", "json")
    example = json.loads(block)
    grade = Grade.model_validate(example)
    assert set(example) == set(Grade.model_fields)
    assert set(example["questions"][0]) == set(QuestionGrade.model_fields)
    assert set(example["questions"][0]["items"][0]) == set(ItemGrade.model_fields)
    misconception = grade.items[0].misconception
    assert misconception is not None
    assert misconception.name in library()
    obvious = {"title", "measures", "seconds", "bonus"}
    unexplained = [key for key in set(ItemGrade.model_fields) - obvious if f"`{key}`" not in text("docs/grade-json.md")]
    assert unexplained == []


def test_the_example_of_a_rubric_is_one() -> None:
    (block,) = [block for block in blocks("docs/writing.md", "yaml") if block.startswith("assignment:")]
    rubric = Rubric.parse(block, Path("example.yaml"))
    rubric.verify(known())
    assert rubric.checks()


def test_the_example_of_a_roster_is_one() -> None:
    (block,) = blocks("docs/people.md", "csv")
    roster = read_roster(block.encode(), Path("roster.csv"))
    assert (roster.mistakes, roster.notes) == ((), ())
    assert [each.id for each in roster.people][-1] == "u00021"
    assert [name for name in (*OWN, *ADDED) if f"`{name}`" not in text("docs/people.md")] == []


def test_the_rules_on_lateness_are_rules() -> None:
    page = text("docs/people.md")
    (example,) = re.findall(r"with `late: (\{.*?\})`", page, re.DOTALL)
    policy = Late(**yaml.safe_load(example))
    late = determined(None, datetime(2026, 11, 21, 19), datetime(2026, 11, 20, 18))
    assert assessed(late, policy).share == 0.1, "as the page says"
    for rule in re.findall(r"^\| `(?:late: )?(\{.*?\}|\w+: [\d.]+)`", page, re.MULTILINE):
        given = yaml.safe_load(rule)
        Late(**{"penalty": 0.1, **given})
    assert [name for name in Late.model_fields if name not in page] == []


def test_the_example_of_a_declaration_is_one(tmp_path: Path) -> None:
    (block,) = [block for block in blocks("docs/writing.md", "yaml") if block.startswith("title:")]
    folder = tmp_path / "mycourse"
    folder.mkdir()
    (folder / "course.yaml").write_text(block)
    course = load(folder)
    assert course.parts["vae"].folder == "part1"
    assert course.adapters["theory"] == "courses.mycourse.adapters.theory:TheoryContract"
    assert course.rubric == folder / "rubric.yaml"


def test_every_key_of_a_rubric_is_explained() -> None:
    models = (Rubric, Question, CheckItem, MeasureItem, ManualItem, Limits)
    keys = {key for model in models for key in model.model_fields}
    unexplained = [key for key in sorted(keys) if not re.search(rf"\b{key}\b", text("docs/writing.md"))]
    assert unexplained == []
    assert set(Limits.model_fields) == set(NAMES)


def test_the_workflow_calls_what_there_is() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    calls = [step["run"] for step in job["steps"] if "check.py" in step.get("run", "")]
    (call,) = calls
    kit: Any = typer.main.get_command(self_check)
    assert set(re.findall(r"--[a-z]+", call)) | {"--train"} <= options_of(kit)
    for step in job["steps"]:
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w/-]+@[0-9a-f]{40}", step["uses"]), "a tag could be moved"
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


def test_the_environment_is_kept_whether_or_not_the_check_passes() -> None:
    (job,) = yaml.safe_load(WORKFLOW.read_text())["jobs"].values()
    steps = {step["uses"].partition("@")[0]: step for step in job["steps"] if "uses" in step}
    found, kept = steps["actions/cache/restore"], steps["actions/cache/save"]
    assert "actions/cache" not in steps, "it keeps nothing after a step that failed"
    assert "always()" in kept["if"]
    assert "kit/.venv/ready" in kept["if"], "what is half made is not kept"
    assert found["with"]["path"] == kept["with"]["path"] == "kit/.venv"
    assert "steps.python.outputs.python-version" in found["with"]["key"]
    assert steps["actions/setup-python"]["id"] == "python"
    gitlab = yaml.safe_load((WORKFLOW.parent / "gitlab-ci.yml").read_text())["self-check"]
    assert gitlab["cache"]["when"] == "always"
    assert gitlab["cache"]["key"].endswith("-$SELFCHECK_PYTHON")


def _ran(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a step's script as a runner on GitHub does."""
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_workflow_fails_early_and_in_words(tmp_path: Path) -> None:
    (job,) = yaml.safe_load(WORKFLOW.read_text())["jobs"].values()
    settings, *_ = [step["run"] for step in job["steps"] if "run" in step]
    missing = _ran(settings, tmp_path, SELFCHECK_URL="https://example.org/kit.zip", SELFCHECK_SHA256="")
    assert missing.returncode == 1
    assert missing.stdout.startswith("::error::The variable SELFCHECK_SHA256 is not set")
    assert _ran(settings, tmp_path, SELFCHECK_URL="a", SELFCHECK_SHA256="b").returncode == 0


@pytest.mark.skipif(not shutil.which("curl") or not shutil.which("unzip"), reason="needs curl and unzip")
def test_the_workflow_takes_the_kit_that_its_hash_names(tmp_path: Path) -> None:
    (job,) = yaml.safe_load(WORKFLOW.read_text())["jobs"].values()
    (fetch,) = [step["run"] for step in job["steps"] if "curl" in step.get("run", "")]
    kit = tmp_path / "made.zip"
    with zipfile.ZipFile(kit, "w") as archive:
        archive.writestr("selfcheck-c-2026-11-30/check.py", "print()")
    digest = hashlib.sha256(kit.read_bytes()).hexdigest()
    for folder, sha256, status in (("right", digest, 0), ("wrong", "0" * 64, 1)):
        (tmp_path / folder).mkdir()
        done = _ran(fetch, tmp_path / folder, SELFCHECK_URL=kit.as_uri(), SELFCHECK_SHA256=sha256)
        assert done.returncode == status, done.stderr
        assert (tmp_path / folder / "kit" / "check.py").exists() is (status == 0)
    assert "is not the one that SELFCHECK_SHA256 names" in done.stdout
    gone = _ran(fetch, tmp_path, SELFCHECK_URL=(tmp_path / "nowhere.zip").as_uri(), SELFCHECK_SHA256=digest)
    assert "could not be downloaded" in gone.stdout


def test_the_job_for_gitlab_calls_what_there_is() -> None:
    job = yaml.safe_load((WORKFLOW.parent / "gitlab-ci.yml").read_text())["self-check"]
    kit: Any = typer.main.get_command(self_check)
    (call,) = job["script"]
    assert set(re.findall(r"--[a-z]+", call)) <= options_of(kit)
    assert job["artifacts"]["reports"]["junit"] in call
