"""Releases: what students were given stays, and can be compared, repeated and revealed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gengrade.cli import app
from gengrade.engine import graded_class
from gengrade.publish.comparing import Cause, Comparison, compare
from gengrade.publish.releases import Release, releases, snapshot_now
from gengrade.sandbox import Tier
from tests.support.marked import RUBRIC
from validation.workbench import REFERENCE, Workbench

RUN = ("--profile", "unit", "--jobs", "1")


class Class:
    """A class of three, one of whom handed in a wrong answer; each test has a copy of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder / "class", folder / "results"
        self.rubric = folder / "rubric.yaml"

    def run(self, *words: str, status: int = 0) -> Result:
        wide = {"COLUMNS": "200"}
        result = CliRunner().invoke(app, [*words], env=wide, catch_exceptions=False)
        assert result.exit_code == status, result.output
        return result

    def grade(self, *words: str) -> Result:
        given = ("--rubric", str(self.rubric), "--out", str(self.out))
        return self.run("grade", str(self.folder), *RUN, *given, *words)

    def hand_in_again(self, folder: Path) -> None:
        """Let bob hand in what ada handed in, in a copy of the class, and grade it."""
        shutil.copytree(self.folder, folder)
        shutil.copy(folder / "ada" / "answers.py", folder / "bob" / "answers.py")
        self.folder = folder
        self.grade()

    def mark(self, student: str, points: str, *words: str) -> None:
        self.run("marks", "give", student, "derivation", points, "--out", str(self.out), *words)

    def mark_all(self) -> None:
        for student in ("ada", "bob", "cyd"):
            self.mark(student, "3")

    def release(self, *words: str, status: int = 0) -> Result:
        return self.run("release", str(self.out), *words, status=status)

    def releases(self) -> list[Release]:
        return releases(graded_class(self.out, changed=True))

    def compared(self, number: int) -> Comparison:
        graded = graded_class(self.out)
        return compare(self.releases()[number - 1].snapshot(), snapshot_now(graded))


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory, workbench: Workbench) -> Path:
    if workbench.tier is Tier.PROCESS:
        pytest.skip("this machine offers no isolation, and a class is not graded without it")
    folder = tmp_path_factory.mktemp("releases")
    small = Class(folder)
    small.folder.mkdir()
    for name in ("ada", "cyd"):
        shutil.copy(REFERENCE / "answers.py", small.folder / f"{name}.py")
    (small.folder / "bob.py").write_text(_wrong())
    for name in ("ada", "bob", "cyd"):
        (small.folder / name).mkdir()
        (small.folder / f"{name}.py").rename(small.folder / name / "answers.py")
    time.sleep(2.1)  # what was handed in just now might still change without a later time
    small.rubric.write_text(RUBRIC)
    small.grade()
    return folder


def _wrong() -> str:
    """Return the reference with another density."""
    right = (REFERENCE / "answers.py").read_text()
    wrong = right.replace("3", "2")
    assert wrong != right
    return wrong


@pytest.fixture
def small(graded: Path, tmp_path: Path) -> Class:
    """The graded class with results of its own. The class's files stay, since new ones would be read again."""
    shutil.copytree(graded / "results", tmp_path / "results")
    copied = Class(graded)
    copied.out = tmp_path / "results"
    return copied


def test_a_release_waits_for_what_is_not_decided(small: Class) -> None:
    refused = small.release(status=2)
    assert "the points of 3 people are not decided yet: ada (3 points are pending)" in refused.stderr
    assert not (small.out / "releases").exists() or small.releases() == []
    small.release("--partial")
    (first,) = small.releases()
    assert [entry.total for entry in first.manifest.entries] == [None, None, None]
    assert {entry.open for entry in first.manifest.entries} == {"3 points are pending"}


def test_a_release_holds_what_students_see(small: Class) -> None:
    small.mark_all()
    small.release("--by", "Ann")
    (first,) = small.releases()
    assert (first.number, first.manifest.by) == (1, "Ann")
    assert [(entry.id, entry.total) for entry in first.manifest.entries] == [("ada", 6), ("bob", 3), ("cyd", 6)]
    report = (first.folder / "ada" / "report.html").read_text()
    assert re.search(r"<dt>Release</dt><dd>1, \d{4}-\d\d-\d\d \d\d:\d\d UTC</dd>", report)
    commitment = first.manifest.circumstances.commitment
    assert commitment is not None
    assert commitment in report
    names = {str(path.relative_to(first.folder)) for path in first.folder.rglob("*") if path.is_file()}
    assert names == {*first.manifest.files, "manifest.json"}
    assert {"gradebook.csv", "index.html", "rubric.yaml", "marks.csv", "bob/grade.json"} <= names
    secret = (small.out / ".gengrade" / "secret").read_bytes()[32:]
    for path in first.folder.rglob("*"):
        assert not path.is_file() or secret not in path.read_bytes(), "the secret stays one"


@pytest.mark.slow
def test_nothing_changed_makes_no_release(small: Class) -> None:
    small.mark_all()
    small.release()
    assert "Nothing has changed since release 1" in small.release().stdout
    small.grade(
        "--no-cache", "--seed", str(json.loads((small.out / "ada" / "grade.json").read_text())["provenance"]["seed"])
    )
    assert "Nothing has changed since release 1" in small.release().stdout
    assert len(small.releases()) == 1


def test_a_mark_is_the_reason_for_one_student_alone(small: Class) -> None:
    small.mark_all()
    small.release()
    small.mark("bob", "2", "--by", "Zoe", "--comment", "one step is missing")
    (change,) = small.compared(1).changes
    assert (change.entry.id, change.was, change.becomes, change.by, change.causes) == (
        "bob",
        "3",
        "2",
        "−1",
        (Cause.MARK,),
    )
    (item,) = change.items
    assert (item.item, item.before, item.after, item.why) == ("derivation", "3 of 3", "2 of 3", "a mark: by Zoe")
    told = small.release().stdout
    assert "From release 1 to now: 1 of 3 differ." in told
    assert [each.number for each in small.releases()] == [1, 2]
    first, second = small.releases()
    assert first.content("bob/report.html") != second.content("bob/report.html")
    page = small.out.parent / "compared.html"
    shown = small.run("compare", "1", "2", "--out", str(small.out), "--html", str(page)).stdout
    assert "derivation" in shown
    assert "From release 1 to release 2" in page.read_text()
    assert "by Zoe" in page.read_text()


def test_a_rubric_is_told_from_marks_and_code(small: Class, tmp_path: Path) -> None:
    small.mark_all()
    small.release()
    small.rubric = tmp_path / "rubric.yaml"
    small.rubric.write_text(
        RUBRIC.replace("theory.cubic_density, points: 3", "theory.cubic_density, points: 4").replace(
            "points: 6", "points: 7"
        )
    )
    small.grade()
    found = {change.entry.id: change for change in small.compared(1).changes}
    assert set(found) == {"ada", "bob", "cyd"}
    assert found["ada"].causes == (Cause.RUBRIC,)
    assert (found["ada"].was, found["ada"].becomes) == ("6", "7")
    assert (found["bob"].was, found["bob"].becomes) == ("3", "3")
    assert small.compared(1).surroundings == ("another rubric",)
    assert found["ada"].items[0].reasons == ((Cause.RUBRIC, "possible points 3 → 4"),)


def test_a_resubmission_is_the_reason(small: Class, tmp_path: Path) -> None:
    small.mark_all()
    small.release()
    small.hand_in_again(tmp_path / "class")
    (change,) = small.compared(1).changes
    assert (change.entry.id, change.causes, change.becomes) == ("bob", (Cause.RESUBMITTED,), "pending")
    assert (Cause.RESUBMITTED, "a mark was given for the earlier files") in change.items[-1].reasons
    small.run("marks", "confirm", "all", "bob", "--out", str(small.out))
    (change,) = small.compared(1).changes
    assert (change.entry.id, change.causes, change.by) == ("bob", (Cause.RESUBMITTED,), "+3")


def test_a_resubmission_and_a_new_rubric_are_both_reasons(small: Class, tmp_path: Path) -> None:
    small.mark_all()
    small.release()
    small.rubric = tmp_path / "rubric.yaml"
    text = RUBRIC.replace("theory.cubic_density, points: 3", "theory.cubic_density, points: 4")
    small.rubric.write_text(text.replace("points: 6", "points: 7"))
    small.hand_in_again(tmp_path / "class")
    small.run("marks", "confirm", "all", "bob", "--out", str(small.out))
    found = {change.entry.id: change for change in small.compared(1).changes}
    assert set(found["bob"].causes) == {Cause.RESUBMITTED, Cause.RUBRIC}
    assert found["bob"].items[0].why == "handed in again; the rubric: possible points 3 → 4"
    assert found["ada"].causes == (Cause.RUBRIC,)


@pytest.mark.slow
def test_other_seeds_change_nothing_for_right_answers(small: Class) -> None:
    small.mark_all()
    small.release()
    small.grade("--seed", "1")
    comparison = small.compared(1)
    assert "another seed or secret" in comparison.surroundings
    assert {change.entry.id for change in comparison.changes} <= {"bob"}, "of a wrong answer, the numbers differ"
    assert all(change.causes == (Cause.GRADED_AGAIN,) for change in comparison.changes)


def test_lateness_is_a_reason_of_its_own(small: Class, tmp_path: Path) -> None:
    small.rubric = tmp_path / "rubric.yaml"
    small.rubric.write_text("late: {penalty: 0.5}\n" + RUBRIC)
    small.grade()
    small.mark_all()
    small.release()
    roster = tmp_path / "roster.csv"
    roster.write_text("id,handed_in\nada,2026-01-02\nbob,2026-01-03T12:00\ncyd,2026-01-01\n")
    small.grade("--roster", str(roster), "--deadline", "2026-01-02")
    (change,) = [each for each in small.compared(1).changes if each.difference]
    assert (change.entry.id, change.causes, change.detail, change.by) == (
        "bob",
        (Cause.LATENESS,),
        "deduction −0 → −1.5",
        "−1.5",
    )


def test_a_changed_release_is_refused(small: Class) -> None:
    small.mark_all()
    small.release()
    grade = small.out / "releases" / "1" / "bob" / "grade.json"
    grade.write_text(grade.read_text().replace('"total": 3.0', '"total": 6.0'))
    refused = small.run("compare", "1", "--out", str(small.out), status=2)
    assert "grade.json: it was changed since release 1 was made" in refused.stderr
    manifest = grade.parent.parent / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"by": ', '"by":  '))
    refused = small.run("compare", "1", "--out", str(small.out), status=2)
    assert "manifest.json: it was not written by you, or was changed since" in refused.stderr


def test_a_release_that_was_not_finished_is_none(small: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    small.mark_all()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", killed)
    assert CliRunner().invoke(app, ["release", str(small.out)], catch_exceptions=False).exit_code != 0
    monkeypatch.undo()
    assert small.releases() == []
    small.release()
    assert [each.number for each in small.releases()] == [1]
    assert sorted(path.name for path in (small.out / "releases").iterdir()) == [".secrets", "1"]


@pytest.mark.slow
def test_a_grading_is_repeated(small: Class) -> None:
    small.mark_all()
    small.release()
    small.mark("bob", "1")
    before = {path: path.read_bytes() for path in small.out.rglob("*") if path.is_file()}
    replayed = small.run("replay", "bob", "--out", str(small.out)).stdout
    assert "theory.cubic_density  failed  failed  same" in re.sub(r" {2,}", "  ", replayed)
    assert "bob, release 1: every automatic item is the same." in replayed
    assert "is not" not in replayed
    assert {path: path.read_bytes() for path in small.out.rglob("*") if path.is_file()} == before


@pytest.mark.slow
def test_a_repetition_of_other_files_says_so(small: Class, tmp_path: Path) -> None:
    small.mark_all()
    small.release()
    small.hand_in_again(tmp_path / "class")
    replayed = small.run("replay", "bob", "--release", "1", "--out", str(small.out), status=1).stdout
    assert "The files that were handed in are not those of the release." in replayed
    assert "bob, release 1: 1 of 1 items differ." in replayed


def test_a_repetition_needs_its_code(small: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    small.mark_all()
    small.release()
    monkeypatch.setattr("gengrade.publish.replaying.code_hash", lambda course: "another")
    refused = small.run("replay", "bob", "--out", str(small.out), status=2)
    assert "was graded by other code" in refused.stderr
    assert "The code of gengrade" not in refused.stdout
    assert (
        "nobody in release 1 has this id or name"
        in small.run("replay", "eve", "--out", str(small.out), status=2).stderr
    )


@pytest.mark.slow
def test_the_secret_is_revealed_and_repeats_a_grading(
    small: Class, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.mark_all()
    small.release()
    told = small.run("reveal", str(small.out)).stdout
    secret, seed = (re.search(pattern, told)[1] for pattern in (r"Secret: (\w+)", r"Seed: (\d+)"))  # type: ignore[index]
    committed = small.releases()[0].manifest.circumstances.commitment
    assert committed == f"sha256:{hashlib.sha256(secret.encode()).hexdigest()}"
    assert "Releases that show this hash: 1" in told
    own = tmp_path / "own"
    shutil.copytree(small.folder / "bob", own)
    monkeypatch.setenv("GENGRADE_SECRET", secret)
    given = ("--rubric", str(small.rubric), "--out", str(tmp_path / "mine"), "--seed", seed)
    CliRunner().invoke(app, ["grade", str(own), *RUN, *given], catch_exceptions=False)
    mine, theirs = (
        json.loads(path.read_text())["questions"][0]["items"][0]
        for path in (tmp_path / "mine" / "own" / "grade.json", small.out / "bob" / "grade.json")
    )
    assert [mine[key] for key in ("outcome", "got", "expected", "symptoms")] == [
        theirs[key] for key in ("outcome", "got", "expected", "symptoms")
    ]
    monkeypatch.delenv("GENGRADE_SECRET")
    assert "the secret of these results was revealed" in small.grade("--no-cache").output
    assert "the secret of these results was revealed" not in small.grade().output
