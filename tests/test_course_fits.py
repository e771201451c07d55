"""A wrong rubric for a class is reported at once, with the one that fits; parts whose files lie anywhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from gengrade.course import chosen, courses, find
from gengrade.engine import Options, UsageError, run
from gengrade.fitting import better_fit, files_held
from gengrade.parts import Part
from gengrade.submissions import Submission, discover, names_in, prepare
from gengrade.submissions.locating import TOP_FOLDER, locate
from graders.adapting.loading import Modules
from tests.support.handed_in import PARTS, make, tree_of, write, zipped

NOTEBOOK = Part(folder=None, files=("homework.py", "grading.yaml"), also={"homework.py": ("*.ipynb",)}, beside=True)
MODULES = {
    "vae": Part(folder=None, files=("vae_solution.py",), also={"vae_solution.py": ("vae.py",)}, beside=True),
    "gan": Part(folder=None, files=("gan_solution.py", "utils.py"), beside=True),
}
KNOWN = {"folders": PARTS, "modules": MODULES, "notebook": {"gan": NOTEBOOK, "vae": NOTEBOOK}}
MINE = ("part1/utils.py", "part1/encoder.py", "part2/models.py")
THEIRS = ("vae_solution.py", "gan_solution.py", "utils.py")


def classroom(folder: Path, *submissions: Sequence[str]) -> Sequence[Submission]:
    for number, files in enumerate(submissions):
        write(folder / f"student{number}", files)
    return discover(folder, PARTS).submissions


def test_files_are_counted_once_for_an_course_and_under_any_name() -> None:
    assert files_held(["vae.py", "a.ipynb", "b.ipynb"], KNOWN) == {"folders": 0, "modules": 1, "notebook": 1}


@pytest.mark.parametrize(
    ("submissions", "found"),
    [
        ([MINE, MINE], None),
        ([THEIRS, THEIRS, MINE], (("modules",), 2, 3)),
        ([THEIRS, MINE], None),  # half of a class is not most of it
        ([["hw3.ipynb"], ["Homework 3.ipynb", "grading.yaml"]], (("notebook",), 2, 2)),
        ([["notes.txt", "solution.py"], ["other.py"]], None),  # nothing of any course
        ([["part1/utils.py"], ["part1/utils.py", "analysis.ipynb"]], None),  # little, but of this one
        ([["notes.txt"], THEIRS], (("modules",), 1, 1)),
        (
            [["b.ipynb", "vae.py"], ["a.ipynb", "vae.py"]],
            (("modules", "notebook"), 2, 2),
        ),  # which of two courses is not known
        ([["vae.py", "a.ipynb", "vae_solution.py"]], (("modules",), 1, 1)),  # exact names count more
    ],
)
def test_the_course_that_fits(
    tmp_path: Path, submissions: list[Sequence[str]], found: tuple[tuple[str, ...], int, int] | None
) -> None:
    assert better_fit("folders", classroom(tmp_path, *submissions), KNOWN) == found


def test_archives_are_looked_into(tmp_path: Path) -> None:
    for number, kind in enumerate(("zip", "tar.gz", "zip")):
        make(tmp_path, kind, {f"work/{name}": b"" for name in THEIRS}, f"student{number}")
    write(tmp_path, {"broken.zip": b"PK", "empty.zip": b""})
    submissions = discover(tmp_path, PARTS).submissions
    assert [sorted(names_in(each)) for each in submissions[2:]] == [sorted(THEIRS)] * 3
    assert better_fit("folders", submissions, KNOWN) == (("modules",), 3, 3)


def test_a_large_class_is_looked_at_here_and_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def look(submission: Submission) -> Sequence[str]:
        looked.append(submission.id)
        return THEIRS

    monkeypatch.setattr("gengrade.fitting.names_in", look)
    submissions = [Submission(f"{number:03}", "", None, tmp_path) for number in range(101)]
    found = better_fit("folders", submissions, KNOWN)
    assert found is not None
    assert found[1] == len(looked) == 17
    assert looked[-1] > "090"


def test_the_command_says_which_course_to_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classroom(tmp_path / "class", THEIRS, THEIRS)
    modules = replace(find("uva2018"), name="modules", title="Of modules", parts=MODULES)
    monkeypatch.setattr("gengrade.engine.asked.courses", lambda: {"modules": modules})
    options = Options(path=tmp_path / "class", out=tmp_path / "results")
    with pytest.raises(UsageError, match=r"2 of 2 submissions hold files of the course modules \(Of modules\)"):
        run(options)
    with pytest.raises(UsageError, match=r"the course uva2020 asks for\. Give --course modules$"):
        run(options)
    assert not (tmp_path / "results").exists()


def test_every_course_has_a_rubric_of_its_own_and_a_reference_that_fits_it_best() -> None:
    known = {name: course.parts for name, course in courses().items()}
    assert "uva2020" in known
    for name, course in courses().items():
        assert chosen(None, course.rubric)[0] is course
        held = files_held({path.name for path in course.reference.rglob("*")}, known)
        assert held[name] == max(held.values()) > 0, (name, held)


# --- files anywhere, with what lies beside them ----------------------------------------------------------------------


def test_what_lies_beside_comes_along(tmp_path: Path) -> None:
    write(tmp_path / "doe", ["code/vae.py", "code/helper.py", "code/sub/w.pt", "gan_solution.ipynb", "code/old/vae.py"])
    (doe,) = discover(tmp_path / "doe", MODULES).submissions
    tree = tree_of(prepare(doe, tmp_path / "tree", MODULES).tree)
    assert set(tree) == {
        *("vae/vae.py", "vae/helper.py", "vae/sub/w.pt", "vae/old/vae.py"),
        *(f"gan/{name}" for name in ("gan_solution.ipynb", "code/vae.py", "code/helper.py")),
        *("gan/code/sub/w.pt", "gan/code/old/vae.py"),
    }


def test_notebooks_of_any_name_and_place_are_found(tmp_path: Path) -> None:
    parts = {"gan": NOTEBOOK}
    write(tmp_path / "doe", ["vae/interpolation.ipynb", "gan/Gan 1.ipynb", "gan/g.pt", "gan/backup/Gan 0.ipynb"])
    write(tmp_path / "roe", ["backup/only.ipynb", "grading.yaml"])
    doe, roe = discover(tmp_path, parts).submissions
    first, second = (prepare(each, tmp_path / "trees" / each.id, parts) for each in (doe, roe))
    assert set(tree_of(first.tree)) == {
        *("gan/Gan 1.ipynb", "gan/g.pt", "gan/interpolation.ipynb", "gan/backup/Gan 0.ipynb"),
    }
    assert set(tree_of(second.tree)) == {"gan/only.ipynb", "gan/grading.yaml"}
    found = Modules(first.tree / "gan", NOTEBOOK).files("homework")
    assert [path.name for path in found] == ["Gan 1.ipynb", "interpolation.ipynb"]


def test_a_systems_flat_notebooks_are_a_class_and_one_notebook_is_a_submission(tmp_path: Path) -> None:
    write(tmp_path / "class", ["doejane_12345_67890_hw3.ipynb", "roejim_12346_67891_hw3.ipynb"])
    found = discover(tmp_path / "class", {"gan": NOTEBOOK})
    assert ([each.id for each in found.submissions], found.single) == (["doejane_12345", "roejim_12346"], False)
    write(tmp_path, ["hw3.ipynb"])
    (alone,) = discover(tmp_path / "hw3.ipynb", {"gan": NOTEBOOK}).submissions
    assert (alone.id, alone.error) == ("hw3", None)
    assert set(tree_of(prepare(alone, tmp_path / "tree", {"gan": NOTEBOOK}).tree)) == {"gan/hw3.ipynb"}


def test_what_a_rubric_says_that_things_are_called_reaches_the_adapter(tmp_path: Path) -> None:
    work = zipped(tmp_path, "doe", ["vae.py"])
    (doe,) = discover(work, MODULES).submissions
    plain = prepare(doe, tmp_path / "1", MODULES)
    told = prepare(doe, tmp_path / "2", MODULES, {"decoder": "Dec"})
    assert json.loads((told.tree / "entry.json").read_text()) == {"decoder": "Dec"}
    assert told.sha256 != plain.sha256
    assert not (plain.tree / "entry.json").exists()


# --- the whole submission as one part --------------------------------------------------------------------------------

WHOLE = {"labs": Part(None, ("lab_one.py",), whole=True, never=("solutions", "*_complete.ipynb"))}


@pytest.mark.parametrize(
    ("handed_in", "laid_out"),
    [
        (["lab_one.ipynb", "notes.txt"], {"doe/lab_one.ipynb", "doe/notes.txt"}),
        (["hw/lab3/common.py", "hw/lab3/net/unet.py"], {"hw/lab3/common.py", "hw/lab3/net/unet.py"}),
        (["lab3/src/common.py", "readme.txt"], {"lab3/src/common.py"}),
        (["homework.ipynb"], {"doe/homework.ipynb"}),
    ],
)
def test_a_part_may_be_the_whole_submission(tmp_path: Path, handed_in: list[str], laid_out: set[str]) -> None:
    write(tmp_path / "doe", handed_in)
    (doe,) = discover(tmp_path / "doe", WHOLE).submissions
    prepared = prepare(doe, tmp_path / "tree", WHOLE)
    assert {name.removeprefix("labs/").removeprefix("doe/") for name in tree_of(prepared.tree)} == {
        name.removeprefix("doe/") for name in laid_out
    }
    assert prepared.parts == {"labs": TOP_FOLDER}  # so that messages name a file as it was handed in


LAB_FILES = ("lab_one.py", "lab_two.py", "lab_three.py")


@pytest.mark.parametrize(
    ("handed_in", "single"),
    [
        (["labs/lab_one.ipynb", "solutions/lab_one.ipynb"], True),
        (["lab1/answer.ipynb", "lab 2/answer.ipynb", "lab_three/net/unet.py"], True),
        (["code/lab_one.ipynb", "report/report.pdf"], True),
        (["simone/lab_one.ipynb", "leone/lab_one.ipynb"], False),
        (["doe/lab_one.ipynb", "roe/lab_two.ipynb"], False),
        (["labs/lab_one.ipynb", "roe/lab_two.ipynb"], False),
    ],
)
def test_folders_of_one_students_labs_are_no_class(tmp_path: Path, handed_in: list[str], single: bool) -> None:
    labs = {"labs": replace(WHOLE["labs"], files=LAB_FILES)}
    write(tmp_path / "it", handed_in)
    assert discover(tmp_path / "it", labs).single is single


def test_a_whole_part_needs_a_program() -> None:
    assert locate([PurePosixPath("report.txt")], WHOLE).places == {"labs": None}


def test_solutions_of_the_course_are_left_out_with_a_note(tmp_path: Path) -> None:
    write(tmp_path / "doe", ["lab_one.ipynb", "solutions/lab_one.ipynb", "lab_two_complete.ipynb"])
    (doe,) = discover(tmp_path / "doe", WHOLE).submissions
    prepared = prepare(doe, tmp_path / "tree", WHOLE)
    assert [name for name in tree_of(prepared.tree) if "solution" in name or "complete" in name] == []
    (note,) = [note for note in prepared.notes if "left out" in note]
    assert "solutions/lab_one.ipynb" in note
    assert "lab_two_complete.ipynb" in note


def test_programs_of_any_name_do_not_speak_for_a_course() -> None:
    """A course that takes everything would otherwise fit every class better than one without a file of its own."""
    known = {name: course.parts for name, course in courses().items()}
    assert set(files_held(["mine.py", "everything.py"], known).values()) == {0}
