"""How classes are handed over: as one archive, as one folder of files, and beside the results of earlier runs."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from gengrade.course import find
from gengrade.parts import Part
from gengrade.submissions import Discovery, discover, opened, prepare
from gengrade.submissions.authors import authors
from tests.support.handed_in import PARTS, make, write

DUKE = find("duke2017").parts
FILE = {"part1/utils.py": b"1"}


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def names(found: Discovery) -> list[str]:
    return sorted(submission.name for submission in found.submissions)


@pytest.mark.parametrize(
    "files",
    [
        {"ann/part1/utils.py": b"", "bob/part1/utils.py": b""},
        {"class/ann/part1/utils.py": b"", "class/bob/part1/utils.py": b"", "class/readme.txt": b""},
        {"ann.zip": zipped(FILE), "bob.zip": zipped(FILE)},
        {"ann_12_345_work.zip": zipped(FILE), "bob_13_346_work.zip": zipped(FILE)},
        {"ann_12_345_utils.py": b"", "bob_LATE_13_346_utils.py": b""},
        {"Ann_12_assignsubmission_file/part1/utils.py": b"", "Bob_13_assignsubmission_file/part1/utils.py": b""},
    ],
    ids=["folders", "a folder of folders", "archives", "Canvas", "Canvas, programs", "Moodle"],
)
def test_a_class_may_be_one_archive(tmp_path: Path, files: dict[str, bytes]) -> None:
    archive = make(tmp_path, "zip", files, "class")
    with opened(archive, PARTS) as found:
        assert not found.single
        assert [name.casefold() for name in names(found)] == ["ann", "bob"]
        for submission in found.submissions:
            prepared = prepare(submission, tmp_path / submission.id, PARTS)
            assert prepared.files >= 0
        source = found.submissions[0].source
    assert not source.exists()


@pytest.mark.parametrize(
    "files",
    [
        {"part1/utils.py": b"", "part2/models.py": b""},
        {"work/part1/utils.py": b"", "work/part2/models.py": b"", "work/report.pdf": b""},
        {"utils.py": b"", "report.pdf": b""},
        {"code/part1/utils.py": b"", "report/report.pdf": b""},
    ],
)
def test_one_students_archive_is_no_class(tmp_path: Path, files: dict[str, bytes]) -> None:
    with opened(make(tmp_path, "zip", files, "ann"), PARTS) as found:
        assert (found.single, names(found)) == (True, ["ann"])
        assert found.submissions[0].source.name == "ann.zip"


@pytest.mark.parametrize(
    ("files", "people"),
    [
        (["a_hw3.ipynb", "b_hw3.ipynb"], ["a", "b"]),
        (["Ann Lee - homework 3.ipynb", "bob.hw3.ipynb", "readme.md"], ["Ann Lee", "bob"]),
        (["hw3_ann.ipynb", "hw3_bob.ipynb", "hw3_eve.py"], ["ann", "bob", "eve"]),
        (["gan_hw3.ipynb", "vae_hw3.ipynb"], None),
        (["my_hw3.ipynb", "old_hw3.ipynb"], None),
        (["part1_hw3.ipynb", "part2_hw3.ipynb"], None),
        (["hw3_final.ipynb", "hw3_draft.ipynb"], None),
        (["ann_hw3.ipynb"], None),
        (["ann_hw3.ipynb", "helper.py"], None),
        (["ann_hw3.ipynb", "bob_hw3.ipynb", "eve_hw3.ipynb", "hw3.ipynb"], ["ann", "bob", "eve"]),
        (["ann_hw3.ipynb", "bob_hw3.ipynb", "eve_hw3.ipynb", "vae.py", "my_gan.py"], ["ann", "bob", "eve"]),
        (["ann_hw3.ipynb", "bob_hw3.ipynb", "hw3.ipynb"], None),
        (["a_hw3.ipynb", "b_hw3.ipynb", "c_hw3.ipynb", "hw3.ipynb", "main.py", "train.py"], None),
    ],
)
def test_a_class_may_be_one_folder_of_files(tmp_path: Path, files: list[str], people: list[str] | None) -> None:
    write(tmp_path / "class", files)
    found = discover(tmp_path / "class", DUKE)
    assert found.single == (people is None)
    if people is not None:
        assert names(found) == people


def test_a_file_without_an_author_is_named_beside_those_of_authors(tmp_path: Path) -> None:
    """One such file made the whole class one submission, without a word."""
    three = ["ann_hw3.ipynb", "bob_hw3.ipynb", "eve_hw3.ipynb"]
    (note,) = discover(write(tmp_path / "three", [*three, "hw3.ipynb"]), DUKE).notes
    assert "hw3.ipynb is a part of a submission that lies beside whole ones, so it belongs to nobody" in note
    (note,) = discover(write(tmp_path / "two", [*three[:2], "hw3.ipynb"]), DUKE).notes
    assert "ann_hw3.ipynb, bob_hw3.ipynb are graded as one submission, since" in note


def test_an_author_may_have_several_files(tmp_path: Path) -> None:
    parts = {"vae": Part(None, ("vae.py",)), "gan": Part(None, ("gan.py",))}
    write(tmp_path / "class", ["ann_vae.py", "ann_gan.py", "bob_vae.py"])
    found = discover(tmp_path / "class", parts)
    assert {one.name: 1 + len(one.attachments) for one in found.submissions} == {"ann": 2, "bob": 1}
    assert authors(["train_vae.py", "test_vae.py"], parts) == {}


def test_the_results_of_an_earlier_run_are_no_student(tmp_path: Path) -> None:
    write(tmp_path, ["ann/part1/utils.py", "bob/part1/utils.py", "grades/gradebook.csv", "grades/index.html"])
    write(tmp_path, ["grades/.gengrade/secret", "grades/ann/report.html", "results/gradebook.csv"])
    found = discover(tmp_path, PARTS)
    assert names(found) == ["ann", "bob"]
    assert "grades is not a submission and is ignored" in found.notes


def test_without_a_program_all_files_are_named(tmp_path: Path) -> None:
    write(tmp_path / "ann", ["report.pdf", "figures/a.png"])
    write(tmp_path / "bob", ["part1/utils.py", "report.pdf"])
    submissions = discover(tmp_path, PARTS).submissions
    by_name = {one.name: prepare(one, tmp_path / f"tree-{one.id}", PARTS) for one in submissions}
    assert by_name["ann"].handed_in == ("report.pdf", "figures/a.png")
    assert by_name["bob"].handed_in == ("part1/utils.py", "report.pdf")
