"""The command as teaching assistants and students use it: whole, killed, resumed, re-scored and refused runs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from gengrade.sandbox import Tier
from tests.support.operator import RUBRIC, OperatorFolder, without_times
from validation.workbench import REFERENCE, Workbench

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def operator(tmp_path: Path) -> OperatorFolder:
    return OperatorFolder(tmp_path)


@pytest.fixture(autouse=True)
def _needs_a_wall(workbench: Workbench) -> None:
    if workbench.tier is Tier.PROCESS:
        pytest.skip("this machine offers no isolation, and a class is not graded without it")


def test_a_class_is_graded(operator: OperatorFolder) -> None:
    operator.add("ada")
    operator.add("bob", lambda folder: (folder / "part3" / "model.py").write_text("class NormalizingFlow(:\n"))
    operator.add("cyd", lambda folder: (folder / "answers.py").unlink())
    (operator.classroom / "dan.zip").write_bytes(b"this is no archive")
    with zipfile.ZipFile(operator.classroom / "doejane_LATE_12345_67890_hw.zip", "w") as archive:
        for file in sorted(REFERENCE.rglob("*.py")):
            archive.write(file, f"hw/{file.relative_to(REFERENCE)}")
    run = operator.grade("--jobs", "2")
    assert run.returncode == 0, run.stderr + run.stdout
    assert operator.outcomes("ada") == {
        "theory.cubic_density": "passed",
        "derivation": None,
        "flow.nll": "passed",
        "flow.bimodal_log_prob": "passed",
        "flow.bpd": None,
    }
    assert (operator.result("ada")["points"], operator.result("ada")["bonus"]) == (3, 4)
    assert operator.outcomes("bob")["flow.nll"] == "error"
    assert operator.outcomes("bob")["flow.bimodal_log_prob"] == "passed"
    assert operator.outcomes("cyd")["theory.cubic_density"] is None, (
        "an optional file that is not there waits for a person"
    )
    assert operator.result("cyd")["pending"] == 5
    assert "dan.zip" in " ".join(operator.result("dan")["notes"])
    assert operator.result("doejane_12345")["late"] is True
    for name in ("index.html", "gradebook.csv", "ada/report.html", "dan/report.html"):
        assert (operator.out / name).is_file(), name
    assert "index.html" in run.stdout
    bob = (operator.out / "bob" / "report.html").read_text()
    assert "part3/model.py" in bob
    assert str(operator.folder) not in bob


@pytest.mark.slow
def test_no_terminal_keeps_a_class_from_being_graded(operator: OperatorFolder) -> None:
    """The class is one archive, a name cannot be printed, and nobody reads beyond the first line."""
    packed = operator.folder / "class.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("ada", "J\u00f6e W\u00e1ng \u738b"):
            archive.write(REFERENCE / "answers.py", f"{name}/answers.py")
    terminal = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    command = operator.command("--part", "theory", path=packed)
    run = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=operator.folder, env=os.environ | terminal)
    assert run.stdout is not None
    assert run.stdout.readline() != b""
    run.stdout.close()
    assert run.wait(300) == 0
    assert operator.outcomes("J\u00f6e_W\u00e1ng_\u738b")["theory.cubic_density"] == "passed"
    assert (operator.out / "index.html").is_file()


def test_a_student_checks_their_own_folder(operator: OperatorFolder) -> None:
    folder = operator.add("mine")
    run = operator.grade("--junit", str(operator.folder / "junit.xml"), "--github", path=folder)
    assert run.returncode == 0, run.stderr
    assert (operator.folder / "junit.xml").read_text().startswith("<?xml")
    assert "::notice title=Grade::" in run.stdout
    (folder / "part3" / "distributions.py").write_text("raise RuntimeError('x')\n")
    run = operator.grade("--github", path=folder)
    assert run.returncode == 1
    assert "::error title=" in run.stdout


@pytest.mark.slow
def test_hidden_checks_are_left_out_in_public(operator: OperatorFolder) -> None:
    """This includes a check that a public one needs, since the public one would reveal its verdict."""
    folder = operator.add("mine")
    operator.rubric.write_text(
        RUBRIC.replace("{check: flow.nll, points: 2}", "{check: flow.nll, points: 2, hidden: true}")
    )
    assert operator.grade("--public", path=folder).returncode == 0
    assert operator.outcomes("mine")["flow.nll"] is None
    assert operator.outcomes("mine")["flow.bimodal_log_prob"] == "passed"
    assert operator.grade(path=folder).returncode == 0
    assert operator.outcomes("mine")["flow.nll"] == "passed"


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_stood(operator: OperatorFolder, tmp_path: Path) -> None:
    for name in ("ada", "bob", "cyd", "dee"):
        operator.add(name)
    process = subprocess.Popen(operator.command("--seed", "7"), stdout=subprocess.DEVNULL, cwd=operator.folder)
    deadline = time.monotonic() + 120
    while not (operator.out / "bob" / "evidence").is_dir() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = {path: path.stat().st_mtime_ns for path in operator.out.rglob("*.evidence")}
    assert kept, "nothing was finished when the run was killed"
    assert not (operator.out / "dee" / "facts.json").exists(), "the run was over before it was killed"
    time.sleep(0.5)  # its workers notice, and end
    assert operator.grade().returncode == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    undisturbed = OperatorFolder(_new(tmp_path / "undisturbed"))
    for name in ("ada", "bob", "cyd", "dee"):
        undisturbed.add(name)
    shutil.copytree(
        operator.out / ".gengrade", undisturbed.out / ".gengrade", ignore=shutil.ignore_patterns("trees", "*.log")
    )
    assert undisturbed.grade().returncode == 0
    for name in ("ada", "bob", "cyd", "dee"):
        assert without_times(operator.out / name / "grade.json") == without_times(undisturbed.out / name / "grade.json")


def test_a_changed_rubric_scores_without_running_anything(operator: OperatorFolder) -> None:
    operator.add("ada")
    operator.add("bob")
    time.sleep(2.1)  # what was handed in just now might still change without a later time
    assert operator.grade().returncode == 0
    before = (operator.out / "ada" / "facts.json").stat().st_mtime_ns
    for log in (operator.out / ".gengrade").glob("worker-*.log"):
        log.unlink()
    text = operator.rubric.read_text()
    operator.rubric.write_text(
        text.replace("{check: flow.nll, points: 2}", "{check: flow.nll, points: 4}").replace(
            "points: 6\n", "points: 8\n"
        )
    )
    run = operator.grade()
    assert run.returncode == 0, run.stderr
    assert operator.result("ada")["bonus"] == 6
    assert (operator.out / "ada" / "facts.json").stat().st_mtime_ns == before
    assert "graded" not in run.stdout
    assert not list((operator.out / ".gengrade").glob("worker-*.log")), "no worker was started"


@pytest.mark.slow
def test_a_part_of_the_class_leaves_the_rest_on_its_pages(operator: OperatorFolder) -> None:
    for name in ("ada", "bob"):
        operator.add(name)
    assert operator.grade().returncode == 0
    run = operator.grade("--only", "ada")
    assert run.returncode == 0
    assert "bob" not in run.stdout
    for page in ("index.html", "gradebook.csv"):
        assert "bob" in (operator.out / page).read_text(), page


@pytest.mark.slow
def test_marks_settle_what_is_pending(operator: OperatorFolder) -> None:
    operator.add("ada")
    operator.add("bob")
    marks = operator.out / "marks"
    marks.mkdir(parents=True)
    (marks / "ada.yaml").write_text("derivation: {points: 1.5, comment: A sign is missing}\n")
    assert operator.grade().returncode == 0
    assert (operator.result("ada")["points"], operator.result("ada")["pending"]) == (4.5, 0)
    assert "A sign is missing" in (operator.out / "ada" / "report.html").read_text()


def test_ctrl_c_leaves_what_is_done_and_nothing_else(operator: OperatorFolder) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and all they start
    for name in ("ada", "bob", "cyd"):
        operator.add(name)
    process = subprocess.Popen(
        operator.command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=operator.folder
    )
    deadline = time.monotonic() + 120
    while not (operator.out / "ada" / "facts.json").is_file() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=400)
    assert process.returncode == 130
    assert "run the same command again to continue" in errors
    assert (operator.out / "ada" / "facts.json").is_file()
    assert not (operator.out / "cyd" / "facts.json").exists()
    assert not list((operator.out / ".gengrade").glob("sandbox-*"))
    assert operator.grade().returncode == 0


def test_a_lost_worker_costs_a_second_try_and_no_points(operator: OperatorFolder) -> None:
    """The worker is killed while it grades; its submission is graded again by another."""
    for name in ("ada", "bob"):
        operator.add(name)
    process = subprocess.Popen(operator.command(), stdout=subprocess.PIPE, text=True, cwd=operator.folder)
    deadline = time.monotonic() + 120
    while not (operator.out / "ada" / "evidence").is_dir() and time.monotonic() < deadline:
        time.sleep(0.005)
    subprocess.run(["pkill", "-KILL", "-P", str(process.pid), "-f", "gengrade.worker"], check=False)
    process.communicate(timeout=800)
    assert process.returncode == 0
    for name in ("ada", "bob"):
        assert (operator.result(name)["points"], operator.result(name)["bonus"]) == (3, 4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--only", "nobody*"), "no submission whose name matches 'nobody*'"),
        (("--part", "gan"), "--part gan: the rubric has no such part"),
        (("--data", "/nowhere/at/all"), "nowhere"),
        (("--profile", "huge"), "huge"),
    ],
)
def test_wrong_usage_is_one_clear_sentence(operator: OperatorFolder, arguments: tuple[str, ...], words: str) -> None:
    operator.add("ada")
    run = operator.grade(*arguments)
    assert run.returncode == 2
    assert words in run.stderr
    assert "Traceback" not in run.stderr


def test_a_wrong_rubric_is_refused_before_anything_runs(operator: OperatorFolder) -> None:
    operator.add("ada")
    operator.rubric.write_text(RUBRIC.replace("flow.nll, points: 2", "flow.nnl, points: 2"))
    run = operator.grade()
    assert run.returncode == 2
    assert "rubric.yaml" in run.stderr
    assert "flow.nll" in run.stderr, "the nearest id is named"
    assert not (operator.out / "ada").exists()


def test_doctor_and_rubric_check_answer() -> None:
    doctor = subprocess.run(
        [sys.executable, "-m", "gengrade", "doctor"], capture_output=True, text=True, check=False, cwd=ROOT, timeout=60
    )
    assert doctor.returncode == 0
    assert all(tier.value in doctor.stdout for tier in Tier)
    checked = subprocess.run(
        [sys.executable, "-m", "gengrade", "rubric", "check", "rubric.yaml"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=400,
    )
    assert checked.returncode == 0, checked.stderr
    assert "100 points and 8 bonus" in checked.stdout


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder
