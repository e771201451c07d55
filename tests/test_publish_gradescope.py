"""The autograder runs in a folder laid out as Gradescope's, and leaves a results.json whatever happens."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gengrade.choices import Profile, Tier
from gengrade.cli import app
from gengrade.course import chosen
from gengrade.facts import Outcome
from gengrade.grade import score
from gengrade.publish.autograder import document_of
from gengrade.publish.gradescope import Settings, automatic_points, image
from tests.support.examples import ROOT
from tests.support.importers import RefusedByImporterError, gradescope
from tests.support.marked import RUBRIC
from tests.support.report_examples import fact, facts, struggling
from tests.support.report_examples import rubric as example_rubric
from validation.workbench import REFERENCE, Workbench

WRONG = "def cubic_density(x, a, b):\n    return 0 * x\n"


class Autograder:
    """Gradescope's container: a folder in which the archive was unpacked, and a submission was laid."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.results = root / "results" / "results.json"

    def submit(self, **files: str | bytes) -> None:
        folder = self.root / "submission"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (self.root / "submission_metadata.json").write_text('{"id": 1, "users": [{"name": "Jane Doe"}]}')
        for name, content in files.items():
            path = folder / name.replace("__", ".")
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def run(self, python: str = sys.executable) -> tuple[float, dict[str, dict[str, Any]]]:
        """Start the script as Gradescope does, and return the score and the tests that it reads."""
        shutil.rmtree(self.root / "grading", ignore_errors=True)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment |= {"AUTOGRADER_ROOT": str(self.root), "AUTOGRADER_PYTHON": python}
        script = self.root / "run_autograder"
        shutil.copy(self.root / "source" / "run_autograder", script)
        done = subprocess.run([str(script)], env=environment, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stderr
        self.printed = done.stdout + done.stderr
        return gradescope(self.results.read_bytes())

    @property
    def output(self) -> str:
        said: str = json.loads(self.results.read_text()).get("output", "")
        return said


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("rubric") / "rubric.yaml"
    path.write_text(RUBRIC)
    course, rubric = chosen(None, path)
    return image(course, rubric, Settings(course=course.name, profile=Profile.UNIT))


@pytest.fixture
def autograder(archive: bytes, tmp_path: Path) -> Autograder:
    root = tmp_path / "autograder"
    (root / "source").mkdir(parents=True)
    with zipfile.ZipFile(io.BytesIO(archive)) as content:
        for info in content.infolist():
            (root / "source" / info.filename).parent.mkdir(parents=True, exist_ok=True)
            (root / "source" / info.filename).write_bytes(content.read(info))
            (root / "source" / info.filename).chmod(info.external_attr >> 16)
    return Autograder(root)


def test_the_archive_holds_what_gradescope_needs_and_no_tests(archive: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(archive)) as content:
        names = content.namelist()
        modes = {name: content.getinfo(name).external_attr >> 16 for name in names}
        requirements = content.read("requirements.txt").decode().splitlines()
        scripts = content.read("setup.sh").decode() + content.read("run_autograder").decode()
    assert {"setup.sh", "run_autograder", "autograder.json", "rubric.yaml", "gengrade/home/rubric.yaml"} <= set(names)
    assert "gengrade/home/graders/vae/checks.py" in names
    assert "gengrade/home/reference/uva2020/answers.py" in names
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests/")]
    assert (modes["setup.sh"], modes["run_autograder"], modes["rubric.yaml"]) == (0o755, 0o755, 0o644)
    assert any(line.startswith("torch>=") for line in requirements)
    assert not any("pytest-xdist" in line for line in requirements), "what only developers need"
    assert "http" not in scripts
    for script in ("setup.sh", "run_autograder"):
        text = zipfile.ZipFile(io.BytesIO(archive)).read(script)
        assert subprocess.run(["bash", "-n"], input=text, check=False).returncode == 0
    assert len(archive) < 16 << 20


@pytest.mark.slow  # three quarters of a minute: Gradescope's script starts everything anew for each submission
def test_a_right_and_a_wrong_submission_are_graded(autograder: Autograder, workbench: Workbench) -> None:
    if workbench.tier is Tier.PROCESS:
        pytest.skip("this machine offers no isolation")
    autograder.submit(answers__py=(REFERENCE / "answers.py").read_bytes())
    total, tests = autograder.run()
    assert total == 3, autograder.printed
    assert list(tests) == ["3.1.1", "3.1.2"]
    assert (tests["3.1.1"]["score"], tests["3.1.1"]["max_score"], tests["3.1.1"]["status"]) == (3, 3, "passed")
    assert "score" not in tests["3.1.2"], "a teacher gives the points of the derivation"
    assert tests["3.1.2"]["name"] == "A density: Written answer"
    autograder.submit(answers__py=WRONG)
    total, tests = autograder.run()
    assert total == 0
    assert tests["3.1.1"]["status"] == "failed"
    assert tests["3.1.1"]["output"].startswith("Not right yet.")


def test_what_cannot_be_read_is_said_to_the_student(autograder: Autograder) -> None:
    autograder.submit()
    assert autograder.run() == (0, {})
    assert "cannot be graded" in autograder.output


@pytest.mark.parametrize("broken", ["settings", "rubric", "package", "python", "killed"])
def test_there_are_results_after_every_kind_of_crash(broken: str, autograder: Autograder, tmp_path: Path) -> None:
    autograder.submit(answers__py=WRONG)
    source, python = autograder.root / "source", sys.executable
    if broken == "settings":
        (source / "autograder.json").write_text("{")
    elif broken == "rubric":
        (source / "rubric.yaml").unlink()
    elif broken == "package":
        (source / "gengrade" / "publish" / "autograder.py").write_text("syntax error")
    elif broken == "python":
        python = str(tmp_path / "none")
    else:
        (source / "gengrade" / "publish" / "autograder.py").write_text(
            "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"
        )
    assert autograder.run(python) == (0, {})
    said = "Something went wrong on our side" if broken in ("settings", "rubric") else "was not completed"
    assert said in autograder.output
    assert "no judgement about your work" in autograder.output
    assert "Traceback" not in autograder.output
    assert str(autograder.root) not in autograder.output


def test_nothing_is_graded_without_isolation_unless_it_was_chosen(
    autograder: Autograder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Student code in the same container could write its own grade."""
    from gengrade.choices import Isolation
    from gengrade.publish import autograder as module
    from gengrade.sandbox import NoSuchTier

    def none(wanted: Isolation, *, single: bool) -> Tier:
        assert not single
        raise NoSuchTier([], wanted)

    monkeypatch.setattr(module, "choose", none)
    autograder.submit(answers__py=WRONG)
    module.main(autograder.root)
    assert gradescope(autograder.results.read_bytes()) == (0, {})
    assert "this container offers no isolation" in autograder.output


def test_every_kind_of_item_becomes_a_test() -> None:
    document = document_of(score(struggling(), example_rubric()))
    total, tests = gradescope(json.dumps(document).encode())
    assert total == sum(test.get("score", 0) for test in tests.values())
    text = json.dumps(document)
    for secret in ("the secret message", "the secret expectation", "the secret figure", "vae.secret"):
        assert secret not in text
    hidden = [test for test in tests.values() if test["visibility"] == "hidden"]
    assert [test["name"].partition(": ")[2] for test in hidden] == ["A hidden check"]
    assert {test["status"] for test in tests.values() if "status" in test} == {"passed", "failed"}
    pending = [test for test in tests.values() if "score" not in test]
    assert any("Our fault" in test["output"] for test in pending), "a fault of ours costs nothing"
    assert all("max_score" not in test for test in tests.values() if test["name"].startswith("Bonus: "))


def test_output_is_plain_text() -> None:
    nasty = "\x1b[31mred\x1b[0m <script>alert(1)</script> \u202etxt\x00" + "x" * 50_000
    found = facts(fact("vae.kld", Outcome.FAILED, nasty, expected=nasty, got="[1, nan]"))
    document = document_of(score(found, example_rubric()))
    _, tests = gradescope(json.dumps(document).encode())
    output = next(test["output"] for test in tests.values() if "script" in test["output"])
    assert not {"\x1b", "\u202e", "\x00"} & set(output)
    assert len(output) <= 2_000
    assert document["test_output_format"] == document["output_format"] == document["test_name_format"] == "text"


def test_only_pending_items_have_a_score_of_zero(tmp_path: Path) -> None:
    path = tmp_path / "rubric.yaml"
    path.write_text(RUBRIC.replace("- {check: theory.cubic_density, points: 3}", "- {id: x, manual: X, points: 3}"))
    _, rubric = chosen(None, path)
    assert automatic_points(rubric) == 0
    assert gradescope(json.dumps(document_of(score(facts(), rubric))).encode())[0] == 0


def test_the_replica_refuses_what_gradescope_cannot_read() -> None:
    for text in ('{"tests": []}', '{"score": NaN}', '{"score": "3"}', '{"score": 1, "visibility": "secret"}'):
        with pytest.raises(RefusedByImporterError):
            gradescope(text.encode())


def test_the_command_writes_the_archive_and_says_what_to_do(tmp_path: Path) -> None:
    words = ["publish", "gradescope", "--course", "uva2018", "--profile", "unit", "--to", str(tmp_path / "to")]
    result = CliRunner().invoke(app, words, env={"COLUMNS": "200"}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    with zipfile.ZipFile(tmp_path / "to" / "autograder.zip") as content:
        settings = json.loads(content.read("autograder.json"))
        assert content.read("rubric.yaml") == (ROOT / "courses" / "uva2018" / "rubric.yaml").read_bytes()
    assert (settings["course"], settings["profile"], settings["isolation"]) == ("uva2018", "unit", "auto")
    assert "autograder points" in result.stdout
    refused = CliRunner().invoke(app, ["publish", "gradescope", "--course", "uva1999"], catch_exceptions=False)
    assert refused.exit_code == 2
    assert "there is no such course" in refused.stderr


def test_a_course_of_ones_own_is_put_into_the_archive(tmp_path: Path) -> None:
    folder = tmp_path / "ownassignment"
    created = CliRunner().invoke(app, ["course", "new", str(folder)], catch_exceptions=False)
    assert created.exit_code == 0, created.output
    course, rubric = chosen(str(folder), None)
    with zipfile.ZipFile(io.BytesIO(image(course, rubric, Settings(course="")))) as content:
        assert json.loads(content.read("autograder.json"))["course"] == "course/ownassignment"
        assert "course/ownassignment/course.yaml" in content.namelist()
