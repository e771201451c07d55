"""A class on several machines: slices, scripts, refusals, and a run by programs in Slurm's place."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
import typer.main
from typer.testing import CliRunner, Result

from gengrade.authenticity import authority
from gengrade.choices import Device, Isolation, Profile
from gengrade.cli import app
from gengrade.engine import Options, UsageError, seeds
from gengrade.engine.cluster import collecting, files
from gengrade.engine.cluster.machine import Machine
from gengrade.engine.cluster.script import Batch, scripts_for
from gengrade.engine.cluster.slices import Slice
from gengrade.sandbox import Tier
from tests.support import fake_slurm
from tests.support.alike import difference
from tests.support.marked import RUBRIC
from validation.workbench import REFERENCE, Workbench

SEED: Final = "7"
WRONG: Final = 2


class Class:
    """A class of three, of which one is wrong; `grade` calls the command on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path, self.out = folder, folder / "a class", folder / "results 100%"
        right = (REFERENCE / "answers.py").read_text()
        for number in (1, WRONG, 3):
            (self.path / f"student{number}").mkdir(parents=True)
            text = right.replace("3", "2") if number == WRONG else right
            (self.path / f"student{number}" / "answers.py").write_text(text)
        (folder / "rubric.yaml").write_text(RUBRIC)

    def grade(self, *words: str, out: Path | None = None, status: int = 0) -> Result:
        given = ["--rubric", str(self.folder / "rubric.yaml"), "--out", str(out or self.out), "--profile", "unit"]
        result = CliRunner().invoke(app, ["grade", str(self.path), *given, *words], env={"COLUMNS": "200"})
        assert result.exit_code == status, result.output
        return result


@pytest.fixture
def students(tmp_path: Path, workbench: Workbench) -> Class:
    if workbench.tier is Tier.PROCESS:
        pytest.skip("this machine offers no isolation, and a class is not graded without it")
    return Class(tmp_path)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put programs in Slurm's place, and return their folder."""
    monkeypatch.setattr("gengrade.engine.cluster.slurm._SECONDS", 0.2)
    monkeypatch.setenv("PATH", fake_slurm.install(tmp_path / "slurm"))
    return tmp_path / "slurm"


def test_each_submission_belongs_to_one_slice() -> None:
    class_ = list(range(50))
    for slices in (1, 3, 16, 64):
        shares = [Slice.parse(f"{number}/{slices}")(class_) for number in range(1, slices + 1)]
        assert sorted(each for share in shares for each in share) == class_
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("text", ["0/4", "5/4", "4", "a/b", "1/4 ", "-1/4", "１/4"])
def test_other_texts_are_no_slices(text: str) -> None:
    with pytest.raises(UsageError, match="neither a slice"):
        Slice.parse(text)


OPTIONS = Options(
    path=Path("/classes/it's 100% here"),
    out=None,
    rubric=Path("/rubrics/a b.yaml"),
    course="uva2020",
    only="doe*",
    part="theory",
    profile=Profile.UNIT,
    isolation=Isolation.SANDBOX,
    data="digits",
    public=True,
    seed=5,
    roster="none",
    deadline="2026-11-20",
)


def _words(script: str) -> tuple[list[str], list[str]]:
    """Return a script's options for sbatch, and the arguments of its command."""
    lines = script.splitlines()
    options = [word for line in lines if line.startswith("#SBATCH ") for word in shlex.split(line[8:])]
    command = shlex.split(lines[-1])
    return options, command[command.index("grade") + 1 :]


def test_scripts_say_what_the_options_say() -> None:
    batch = Batch(array=4, partition="gpu", gpus=1, cpus=8, time="4:00:00", more=("--account=a course",))
    logs = Path("/results 100%/logs")
    scripts = scripts_for(OPTIONS, batch, Path("/results"), Tier.LANDLOCK, 3, logs)
    asked, arguments = _words(scripts.array)
    wanted = {"--array=1-3", "--partition=gpu", "--gpus=1", "--cpus-per-task=8", "--time=4:00:00", "--account=a course"}
    assert wanted | {"--output=/results 100%%/logs/slice-%a.log", "--requeue"} <= set(asked)
    assert arguments[-2:] == ["--slice", "$SLURM_ARRAY_TASK_ID/3"]
    assert _words(scripts.last)[1][-2:] == ["--slice", "last"]
    assert not any(word.startswith("--array") for word in _words(scripts.last)[0])
    commands: Any = typer.main.get_command(app)
    arguments[arguments.index("--jobs") + 1] = "8"
    given = commands.commands["grade"].make_context("grade", arguments).params
    for name in ("path", "rubric", "course", "only", "part", "profile", "data", "public", "roster", "deadline"):
        assert given[name] == getattr(OPTIONS, name), name
    assert (given["device"], given["isolation"], given["out"]) == (Device.CUDA, Isolation.LANDLOCK, Path("/results"))
    assert given["seed"] is None, "it lies in the folder of results"


def test_without_gpus_all_machines_use_the_processor() -> None:
    scripts = scripts_for(replace(OPTIONS, device=Device.AUTO), Batch(), Path("/r"), Tier.SANDBOX, 1, Path("/r"))
    assert "--device cpu" in scripts.array


HERE = Machine(name="login", lacks={}, versions={"torch": "2.6.0", "python": "3.11.2"}, code="aa")


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"versions": {"torch": "2.5.1", "python": "3.11.2"}}, "torch is 2.5.1 there and 2.6.0 where the run began"),
        ({"versions": {"python": "3.11.2"}}, "torch is missing there"),
        ({"code": "bb"}, "its code of gengrade or of the course differs from that of the machine"),
        ({"lacks": {Tier.SANDBOX: "no bubblewrap"}}, "does not give the isolation 'sandbox' (no bubblewrap)"),
    ],
)
def test_a_machine_that_would_grade_otherwise_is_refused_by_name(node: dict[str, Any], words: str) -> None:
    refusal = HERE.model_copy(update={"name": "node7", **node}).refusal(HERE, Tier.SANDBOX)
    assert refusal is not None
    assert refusal.startswith("node7: ")
    assert words in refusal


def test_a_machine_that_gives_what_is_asked_may_grade() -> None:
    assert HERE.refusal(HERE, Tier.SANDBOX) is None
    node = HERE.model_copy(update={"lacks": {Tier.SANDBOX: "no bubblewrap"}})
    assert (node.refusal(HERE, Tier.LANDLOCK), node.best) == (None, Tier.LANDLOCK)


def test_results_that_differ_in_more_than_times_are_told_apart(tmp_path: Path) -> None:
    texts = ('{"points": 1, "seconds": 2}', '{"points": 1, "seconds": 3}', '{"points": 2, "seconds": 3}')
    folders = [tmp_path / str(number) for number in range(4)]
    for folder, text in zip(folders, (*texts, "{}"), strict=True):
        (folder / "doe").mkdir(parents=True)
        (folder / "doe" / ("grade.json" if text != "{}" else "facts.json")).write_text(text)
    first, *others = folders
    assert [bool(difference(first, other)) for other in others] == [False, True, True]


def test_a_class_on_slurm_is_graded_as_on_one_machine(
    students: Class, slurm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of the two nodes is lost before it has graded anything."""
    monkeypatch.setenv("FAKE_SLURM_LOST", "2")
    monkeypatch.setenv(seeds.VARIABLE, "a secret that Slurm must not store")
    said = students.grade("--slurm", "--array", "2", "--seed", SEED).output
    assert "student1: graded on node-1" in said
    assert "student2: graded on " in said
    assert "note: of slice 2, nothing was heard" in said
    assert (students.out / "index.html").is_file()
    for log in files.folder_of(students.out).glob("*"):
        assert b"must not store" not in log.read_bytes()
    alone = students.folder / "alone"
    students.grade("--seed", SEED, out=alone)
    assert difference(students.out, alone) == ""
    before = fake_slurm.submitted(slurm)
    students.grade("--slurm", "--seed", SEED)
    assert fake_slurm.submitted(slurm) == before == 2, "nothing was left for nodes"


def test_a_slice_by_hand_leaves_facts_and_nothing_else(students: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    authority([])  # makes a key
    monkeypatch.setenv(seeds.VARIABLE, "the same everywhere")
    said = students.grade("--slice", "1/2", "--seed", SEED, "--only", "student1").output
    assert "slice 1/2 has 1 submissions, of which 1 were graded" in said
    assert (students.out / "student1" / "facts.json").is_file()
    assert not list(students.out.glob("*/report.html"))
    (work,) = (students.out / ".gengrade").iterdir()
    assert work.name == "cluster", "locks, trees and caches lie on the machine's own disk"
    before = (students.out / "student1" / "facts.json").read_bytes()
    students.grade("--seed", SEED, "--only", "student1")
    assert (students.out / "student1" / "facts.json").read_bytes() == before, "nothing was left to grade"


def test_the_last_job_names_what_was_not_finished(tmp_path: Path) -> None:
    done = files.NodeState(slice=1, machine="node-1", ended=True)
    killed = files.NodeState(slice=2, machine="node-2")
    refused = files.NodeState(slice=3, machine="node-3", ended=True, problem="node-3: numpy is 1 there")
    said = list(collecting.sentences(tmp_path, {1: done, 2: killed, 3: refused, 4: None, 5: None}))
    assert said[0].startswith("of slices 4, 5, nothing was heard")
    assert ["node-2: the machine or its job ended" in said[1], "(node-3: numpy is 1 there)" in said[2]] == [True, True]
    assert len(said) == 3


def test_scripts_are_printed_without_writing_anything(students: Class) -> None:
    said = students.grade("--slurm", "--dry-run").output
    assert said.count("#!/bin/bash") == 2
    assert "--array=1-3" in said
    assert not students.out.exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--slurm",), "there is no `sbatch` on this machine"),
        (("--slurm", "--no-cache", "--dry-run"), "give another --out instead"),
        (("--slice", "1/2"), "holds no run that was begun with your key"),
        (("--slice", "last"), "no run on several machines was begun there"),
        (("--slice", "some"), "neither a slice"),
        (("--slurm", "--scheduler", "tls://a:1"), "cannot be given together with --scheduler"),
        (("--slurm", "--github"), "cannot be given together with --github"),
        (("--partition", "gpu"), "add --slurm"),
    ],
)
def test_what_cannot_be_carried_out_is_said(
    students: Class, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], reason: str
) -> None:
    authority([])  # makes a key
    monkeypatch.setattr("gengrade.engine.cluster.slurm.shutil.which", lambda name: None)
    assert reason in students.grade(*words, status=2).output


def test_a_node_without_the_key_makes_none(students: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = students.folder / "home" / "key"
    monkeypatch.setenv("GENGRADE_KEY_FILE", str(elsewhere))
    monkeypatch.setenv("SLURMD_NODENAME", "node-9")
    said = students.grade("--slice", "1/2", status=2).output
    assert "node-9: your key" in said
    assert not elsewhere.exists()
    assert not students.out.exists()


def test_a_node_without_the_class_says_so(students: Class) -> None:
    shutil.rmtree(students.path)
    assert "a disk that all machines share" in students.grade("--slice", "1/2", status=2).output


def test_nobody_writes_beside_nodes(students: Class, slurm: Path) -> None:
    (slurm / "jobs").mkdir()
    (slurm / "jobs" / "12").write_text("running")
    files.write_submitted(students.out, ("12",), authority([]).seal)
    for words in ((), ("--slurm",)):
        assert "scancel 12" in students.grade(*words, status=2).output


def test_the_doctor_asks_each_node(slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = CliRunner().invoke(app, ["doctor", "--cluster"], env={"COLUMNS": "200"}).output.splitlines()
    assert [line.split()[1].rstrip(":") for line in said[:2]] == ["node-1", "node-2"]
    assert said[-1].startswith("All nodes that answered give at least the isolation")
