"""Finding submissions: one or a class, who handed them in, and whether they were late."""

from __future__ import annotations

import errno
import io
import os
import signal
import tarfile
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gengrade.parts import Part
from gengrade.submissions import SubmissionError, discover, discovery, names_in, prepare, reading
from gengrade.submissions.names import identify, safe_id
from tests.support.handed_in import GAN, PARTS, VAE, make, submitted, tree_of, write, zipped


@pytest.mark.parametrize(
    ("name", "student", "name_shown", "late", "file"),
    [
        ("doejane_LATE_12345_67890_doe_assignment3.zip", "doejane_12345", "doejane", True, "doe_assignment3.zip"),
        ("doejane_12345_67890_doe_assignment3-1.zip", "doejane_12345", "doejane", False, "doe_assignment3.zip"),
        ("müllerjörg_12345_67890_a.tar.gz", "müllerjörg_12345", "müllerjörg", False, "a.tar.gz"),
        ("anon_123abc_67890_hw2.zip", "anon_123abc", "anon_123abc", False, "hw2.zip"),
        ("LATE_anon_123abc_67890_hw2.zip", "anon_123abc", "anon_123abc", True, "hw2.zip"),
        ("doejane_12345_text.html", "doejane_12345", "doejane", False, "text.html"),
        ("Jane Doe_4711_assignsubmission_file", "Jane_Doe_4711", "Jane Doe", None, ""),
        ("Jane Doe_4711_assignsubmission_file_", "Jane_Doe_4711", "Jane Doe", None, ""),
        ("Jane Doe_4711_assignsubmission_file_a.zip", "Jane_Doe_4711", "Jane Doe", None, "a.zip"),
        ("Participant_12_assignsubmission_onlinetext", "Participant_12", "Participant", None, "onlinetext.html"),
        ("123-456 - Jo Doe - Mar 29, 2018 1205 PM", "Jo_Doe_123", "Jo Doe", None, ""),
        ("123-456 - Jo Doe - Mar 29, 2018 905 AM - a - b.zip", "Jo_Doe_123", "Jo Doe", None, "a - b.zip"),
        ("Homework 2_jdoe_attempt_2026-11-20-17-05-33_a_b.zip", "jdoe", "jdoe", None, "a_b.zip"),
        ("Home_work_jdoe_attempt_2026-11-20-17-05-33.txt", "jdoe", "jdoe", None, "attempt.txt"),
        ("doe_assignment3.zip", "doe_assignment3", "doe_assignment3", None, "doe_assignment3.zip"),
        ("Jane Doe", "Jane_Doe", "Jane Doe", None, "Jane Doe"),
    ],
)
def test_names_tell_who_and_how_late(name: str, student: str, name_shown: str, late: bool | None, file: str) -> None:
    identity = identify(name)
    assert (identity.id, identity.name, identity.late, identity.file) == (student, name_shown, late, file)


def test_times_of_brightspace_are_ordered() -> None:
    names = ("Mar 9, 2018 1205 AM", "Mar 9, 2018 905 AM", "Mar 9, 2018 12:05 PM", "Mar 29, 2018 1205 AM")
    attempts = [identify(f"1-2 - Jo - {name}").attempt for name in names]
    assert attempts == sorted(attempts)


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("123-456 - Jo Doe - Mar 29, 2018 1205 PM", "2018-03-29 12:05:00"),
        ("123-456 - Jo Doe - Mar 29, 2018 1205 AM - a.zip", "2018-03-29 00:05:00"),
        ("123-456 - Jo Doe - Mrz 29, 2018 1205 AM", "None"),
        ("123-456 - Jo Doe - Feb 30, 2018 1205 AM", "None"),
        ("Homework_jdoe_attempt_2026-11-20-17-05-33_a.zip", "2026-11-20 17:05:33"),
        ("Homework_jdoe_attempt_2026-13-20-17-05-33_a.zip", "None"),
        ("doejane_LATE_12345_67890_a.zip", "None"),
    ],
)
def test_names_tell_when(name: str, time: str) -> None:
    assert str(identify(name).handed_in) == time


@given(st.text(max_size=300))
def test_ids_are_safe_folder_names(text: str) -> None:
    made = safe_id(text)
    assert made == safe_id(text)
    assert 0 < len(made.encode()) <= 80
    assert not set(made) & set("/\\ \0:*?\"<>|'")
    assert made[0] not in ".-"


# --- discovery ---------------------------------------------------------------------------------------------------


def test_a_class_of_folders_and_archives(tmp_path: Path) -> None:
    write(tmp_path / "doe", VAE)
    write(tmp_path / "Jane Roe", GAN, "code")
    zipped(tmp_path, "kim", VAE)
    make(tmp_path, "tar.gz", {"part1/utils.py": b""}, "lee")
    write(tmp_path, ["README.md", ".DS_Store", "gradebook.csv", "__MACOSX/._kim", "solver.exe"])
    found = discover(tmp_path, PARTS)
    assert [each.id for each in found.submissions] == ["Jane_Roe", "doe", "kim", "lee"]
    assert not found.single
    assert found.notes == ("solver.exe is not a submission and is ignored",)
    assert all(each.late is None and each.error is None for each in found.submissions)


def test_a_canvas_export(tmp_path: Path) -> None:
    for name in ("doejane_LATE_123_501_work", "roejim_124_502_work", "roejim_124_503_work-1", "roejim_124_504_work-2"):
        zipped(tmp_path, name, VAE)
    write(tmp_path, ["roejim_124_505_report.pdf", "kimlee_125_506_utils.py", "kimlee_125_507_encoder-1.py"])
    write(tmp_path, ["moe_126_text.html"])
    doe, kim, moe, roe = discover(tmp_path, PARTS).submissions
    assert (doe.id, doe.late, doe.source.name) == ("doejane_123", True, "doejane_LATE_123_501_work.zip")
    assert (roe.source.name, [path.name for path in roe.attachments], roe.late) == (
        "roejim_124_504_work-2.zip",
        ["roejim_124_505_report.pdf"],
        False,
    )
    assert len(roe.notes) == 2
    assert (kim.id, len(kim.attachments)) == ("kimlee_125", 1)
    assert set(tree_of(prepare(kim, tmp_path / "trees" / "kim", PARTS).tree)) == {"vae/utils.py", "vae/encoder.py"}
    assert set(tree_of(prepare(roe, tmp_path / "trees" / "roe", PARTS).tree)) == {
        f"vae/{Path(name).name}" for name in VAE
    }
    assert not any(prepare(moe, tmp_path / "trees" / "moe", PARTS).parts.values())


def test_lateness_counts_for_what_is_graded(tmp_path: Path) -> None:
    zipped(tmp_path, "doe_123_501_work", VAE)
    zipped(tmp_path, "doe_LATE_123_502_work-1", VAE)
    (doe,) = discover(tmp_path, PARTS).submissions
    assert doe.late is True


def test_files_that_are_numbered_by_their_author_are_no_resubmissions(tmp_path: Path) -> None:
    zipped(tmp_path, "doe_123_501_part-1", VAE)
    zipped(tmp_path, "doe_123_502_part-2", GAN)
    (doe,) = discover(tmp_path, PARTS).submissions
    prepared = prepare(doe, tmp_path / "tree", PARTS)
    assert (prepared.parts["vae"], prepared.parts["gan"]) == ("part-1/part1", "part-2/part2")


def test_a_moodle_export(tmp_path: Path) -> None:
    zipped(tmp_path / "Jane Doe_11_assignsubmission_file", "work", [f"work/{name}" for name in VAE])
    write(tmp_path / "Jane Doe_11_assignsubmission_onlinetext", ["onlinetext.html"])
    write(tmp_path / "Jim Roe_12_assignsubmission_file_", VAE)
    doe, roe = discover(tmp_path, PARTS).submissions
    assert (doe.name, roe.name, doe.late) == ("Jane Doe", "Jim Roe", None)
    assert prepare(doe, tmp_path / "1", PARTS).parts["vae"] is not None
    assert prepare(roe, tmp_path / "2", PARTS).parts["vae"] == "part1"


def test_a_blackboard_export(tmp_path: Path) -> None:
    """Of two attempts, the last counts. Two users, of whom one name ends like the other, are never one student."""
    zipped(tmp_path, "HW_jdoe_attempt_2026-11-19-17-05-33_old", VAE)
    zipped(tmp_path, "HW_jdoe_attempt_2026-11-20-17-05-33_new", VAE)
    zipped(tmp_path, "HW_a_jdoe_attempt_2026-11-20-17-05-33_new", VAE)
    write(tmp_path, ["HW_jdoe_attempt_2026-11-19-17-05-33.txt", "HW_jdoe_attempt_2026-11-20-17-05-33.txt"])
    other, doe = sorted(discover(tmp_path, PARTS).submissions, key=lambda each: each.source.name)
    assert (other.origin[1], doe.origin[1], other.id != doe.id) == ("HW_a_jdoe", "HW_jdoe", True)
    assert doe.handed_in == "2026-11-20T17:05:33"
    assert {path.name for path in (doe.source, *doe.attachments)} == {
        "HW_jdoe_attempt_2026-11-20-17-05-33_new.zip",
        "HW_jdoe_attempt_2026-11-20-17-05-33.txt",
    }
    assert prepare(doe, tmp_path / "1", PARTS).parts["vae"] is not None


def test_a_brightspace_export(tmp_path: Path) -> None:
    zipped(tmp_path, "1-9 - Jo Doe - Mar 29, 2018 905 AM - old", VAE)
    zipped(tmp_path, "1-9 - Jo Doe - Mar 29, 2018 105 PM - new", VAE)
    write(tmp_path, ["1-9 - Jo Doe - Mar 29, 2018 105 PM - report.pdf", "index.html"])
    (doe,) = discover(tmp_path, PARTS).submissions
    assert (doe.source.name, len(doe.attachments), len(doe.notes)) == (
        "1-9 - Jo Doe - Mar 29, 2018 105 PM - new.zip",
        1,
        1,
    )


def test_an_archive_that_somebody_unpacked_counts_once(tmp_path: Path) -> None:
    zipped(tmp_path, "doe", VAE)
    write(tmp_path / "doe", VAE)
    write(tmp_path / "roe", VAE)
    doe, _ = discover(tmp_path, PARTS).submissions
    assert (doe.source, doe.notes) == (tmp_path / "doe", ("doe.zip is ignored, since doe replaces it",))


def ids_in(folder: Path) -> dict[str, str]:
    """Return the ids by the names of what was handed in."""
    return {each.source.name: each.id for each in discover(folder, PARTS).submissions}


def test_unicodes_forms_of_a_name_are_one_student(tmp_path: Path) -> None:
    """A Mac writes "ö" as two characters, and Hindi has vowel signs that are no letters."""
    for name in ("d\u00f6e", "do\u0308e", "other"):
        write(tmp_path / name, VAE)
    assert sorted(submission.name for submission in discover(tmp_path, PARTS).submissions) == ["d\u00f6e", "other"]


@pytest.mark.parametrize("name", ["mu\u0308llerjan", "m\u00fcllerjan", "\u0939\u093f\u0928\u094d\u0926\u0940"])
def test_canvass_names_in_any_script_are_read(tmp_path: Path, name: str) -> None:
    make(tmp_path, "zip", {"part1/utils.py": b"1"}, f"{name}_LATE_123_4567_work")
    make(tmp_path, "zip", {"part1/utils.py": b"2"}, f"{name}_123_4568_work-1")
    (submission,) = discover(tmp_path, PARTS).submissions
    assert (submission.name, submission.source.name[-11:]) == (unicodedata.normalize("NFC", name), "_work-1.zip")


@pytest.mark.parametrize(
    "names",
    [
        ("jane doe", "jane_doe", "Jane Doe"),
        ("Doe", "doe"),
        ("doe", "do\u200be", "do_e", "do\u00ade"),
        ("\ufb01sh", "fish"),
        ("index.html", "_index.html"),
        ("n" * 90, "n" * 91),
    ],
)
def test_of_names_that_are_alike_none_has_the_plain_id(tmp_path: Path, names: tuple[str, ...]) -> None:
    """A new student in a class cannot get somebody else's results or marks."""
    for name in (*names, "other"):
        write(tmp_path / name, VAE)
    ids = ids_in(tmp_path)
    assert len({id_.casefold() for id_ in ids.values()}) == len(names) + 1
    assert ids["other"] == "other"
    for name in names:
        shared = sum(safe_id(other).casefold() == safe_id(name).casefold() for other in names)
        assert (ids[name] == safe_id(name)) == (shared == 1)
    # An id depends on its own name alone, whatever comes beside it.
    write(tmp_path / "between", VAE)
    write(tmp_path / f"{ids[names[0]]}", VAE)
    again = ids_in(tmp_path)
    assert all(again[name].startswith(ids[name]) for name in names)
    assert len({id_.casefold() for id_ in again.values()}) == len(again)


def grouped_by_student(folder: Path, *names: str) -> list[set[str]]:
    """Return the groups of files that are taken for one student's."""
    for name in names:
        if name.endswith(".zip"):
            zipped(folder, name.removesuffix(".zip"), {"part1/utils.py": name.encode()})
        else:
            write(folder / name, VAE)
    found = discover(folder, PARTS).submissions
    groups = [{path.name for path in (each.source, *each.attachments)} for each in found]
    assert not [note for each in found for note in each.notes if "is ignored" in note]
    assert sorted(name for group in groups for name in group) == sorted(names)
    return groups


@pytest.mark.parametrize(
    "names",
    [
        ("jane_4711.zip", "jane_4711_99_x.zip"),
        ("jane_4711", "jane_4711_99_x.zip", "roe_12_100_y.zip"),
        ("2023_12_alice.zip", "2023_12_bob.zip"),
        ("2023_1042_alice.zip", "2023_1043_bob.zip"),
        ("hw_03_1042_alice.zip", "hw_03_1043_bob.zip"),
        ("hw_10_12_alice.zip", "hw_10_12_bob.zip"),
        tuple(f"hw_10_10{number}_{number}doe.zip" for number in range(40, 45)),
        ("doe_123_501_work.zip", "doe_123_999_zz_666_700_work.zip", "roe_124_505_work.zip"),
        ("doe_123_501_work.zip", "doe_123_501_zz_666_700_work.zip", "roe_124_505_work.zip"),
        ("doe_123_501_work.zip", "doe_123_666_700_work.zip", "roe_124_505_work.zip"),
        ("eve_77_601_w.zip", "eve_77_88_x_200_600_w.zip", "roe_124_605_w.zip", "moe_125_607_w.zip"),
        ("anon_x_123_456_work.zip", "anon_x_124_457_work.zip", "roe_125_458_work.zip"),
        ("Jane Doe_11_assignsubmission_file", "Jane Doe_11_assignsubmission_file_x_99_assignsubmission_file_w.zip"),
        ("Jane_11_assignsubmission_file_a.zip", "Jane_11_assignsubmission_file_4242_assignsubmission_file_a.zip"),
        ("Jane_11_assignsubmission_file_a.zip", "Jim_12_assignsubmission_file_Jane_11_assignsubmission_file_a.zip"),
        (
            "1-9 - Jo - Mar 29, 2018 905 AM - w.zip",
            "2-9 - Jo - Mar 29, 2018 905 AM - 1-9 - Jo - Mar 30, 2018 905 AM.zip",
        ),
        ("1-9 - Jo_11_assignsubmission_file_x - Mar 29, 2018 905 AM - w.zip", "Jo_11_assignsubmission_file_x.zip"),
        ("Doe.zip", "doe.zip"),
        ("doe", "doe.zip"),
        ("do\u200be.zip", "doe.zip"),
    ],
)
def test_two_students_are_never_taken_for_one(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert all(len(group) == 1 for group in grouped_by_student(tmp_path, *names))
    ids = [each.id.casefold() for each in discover(tmp_path, PARTS).submissions]
    assert len(set(ids)) == len(names)


@pytest.mark.parametrize(
    ("names", "owner"),
    [
        (("doe_123_501_2023_12_part1.zip", "doe_123_502_part2.zip", "roe_124_503_w.zip"), "doe_123"),
        (("doe_12345_67890_2023_12_part1.zip", "doe_12345_67891_2023_12_part2.zip"), "doe_12345"),
        (("doe_123_501_x_4242_assignsubmission_file_y.zip", "doe_123_502_z.zip", "roe_124_503_w.zip"), "doe_123"),
        (("doe_123_501_x_77_88_y.zip", "doe_123_502_a - Mar 29, 2018 905 AM.zip", "roe_124_503_w.zip"), "doe_123"),
        (("anon_12ab_67890_456_part1.zip", "anon_12ab_67891_457_part2.zip", "anon_34ab_67892_w.zip"), "anon_12ab"),
        (("Jane_11_assignsubmission_file_77_88_a.zip", "Jane_11_assignsubmission_file_b.zip"), "Jane_11"),
        (("1-9 - Jo - Mar 29, 2018 905 AM - a - b.zip", "1-9 - Jo - Mar 29, 2018 905 AM - 77_88_c.zip"), "Jo_1"),
    ],
)
def test_a_files_own_name_does_not_take_it_from_its_owner(tmp_path: Path, names: tuple[str, ...], owner: str) -> None:
    groups = grouped_by_student(tmp_path, *names)
    assert {name for name in names if name.startswith(names[0][:6])} in groups
    assert owner in {each.id for each in discover(tmp_path, PARTS).submissions}


def test_what_is_kept_apart_says_so(tmp_path: Path) -> None:
    grouped_by_student(tmp_path, "doe_123_501_work.zip", "doe_123_999_zz_666_700_work.zip", "roe_124_505_work.zip")
    found = discover(tmp_path, PARTS)
    said = {each.source.name: each.notes for each in found.submissions}
    assert said["doe_123_999_zz_666_700_work.zip"] == (
        "it is graded as a separate submission, since its name can be read in two ways",
    )
    assert said["doe_123_501_work.zip"] == ()
    assert found.notes == (
        "doe_123_999_zz_666_700_work.zip: it is graded as a separate submission, "
        "since its name can be read in two ways",
    )


def test_an_empty_folder_or_a_broken_archive_replaces_no_work(tmp_path: Path) -> None:
    zipped(tmp_path, "doe", VAE)
    (tmp_path / "doe").mkdir()
    write(tmp_path / "roe", VAE)
    (tmp_path / "roe.zip").write_bytes(b"PK broken")
    write(tmp_path, {"moe.rar": b"Rar!"})
    write(tmp_path / "moe", VAE)
    found = discover(tmp_path, PARTS).submissions
    assert [(each.id, each.source.name) for each in found] == [("doe", "doe.zip"), ("moe", "moe"), ("roe", "roe")]


def test_one_broken_archive_does_not_lose_the_class(tmp_path: Path) -> None:
    zipped(tmp_path, "doe", VAE)
    write(tmp_path, {"kim.rar": b"Rar!", "lee.zip": b"", "roe.zip": b"<html>"})
    doe, kim, lee, roe = discover(tmp_path, PARTS).submissions
    assert doe.error is None
    assert kim.error == "kim.rar: it is not a .zip or .tar.gz archive; hand in one of these"
    assert lee.error == "lee.zip: it is empty; hand it in again"
    assert roe.error is not None


def test_links_in_a_class_are_ignored(tmp_path: Path) -> None:
    write(tmp_path / "class" / "doe", VAE)
    write(tmp_path / "class" / "roe", VAE)
    (tmp_path / "class" / "kim").symlink_to(tmp_path / "class" / "doe")
    found = discover(tmp_path / "class", PARTS)
    assert [each.id for each in found.submissions] == ["doe", "roe"]
    assert "kim is a symbolic link" in found.notes[0]


@pytest.mark.parametrize(
    "files",
    [
        VAE,
        [f"3_generative/{name}" for name in VAE],
        [f"code/src/{name}" for name in (*VAE, *GAN)],
        [*(f"code/{name}" for name in VAE), "report/report.tex", "figures/a.png", "README.md"],
        ["Part 1/utils.py"],
        ["utils.py", "encoder.py", "old/utils.py"],
        ["vae/utils.py", "vae/encoder.py", "gan/models.py"],
        ["my_vae/encoder.py", "GAN code/models.py"],
        ["q1/encoder.py", "q2/models.py"],
        ["answers.py"],
        ["solution.py"],
    ],
)
def test_one_submission_is_a_self_check(tmp_path: Path, files: list[str]) -> None:
    found = discover(write(tmp_path / "doe_assignment3", files), PARTS)
    assert found.single
    assert [(each.id, each.source) for each in found.submissions] == [("doe_assignment3", tmp_path / "doe_assignment3")]


@pytest.mark.parametrize(
    "files",
    [
        [f"{student}/{name}" for student in ("doe", "roe") for name in VAE],
        [*(f"doe/{name}" for name in VAE), "roe/nothing.txt"],
        ["doe/utils.py", "roe/utils.py"],
        ["doe/thing.py", "roe/thing.py"],
        ["doe_1234_567_work/part1/utils.py"],
        [f"doe/code/{VAE[0]}", f"roe/code/{GAN[0]}"],
        ["doe/encoder.py", "roe/models.py"],
        ["1234567/encoder.py", "7654321/models.py"],
    ],
)
def test_several_students_are_a_class(tmp_path: Path, files: list[str]) -> None:
    assert not discover(write(tmp_path, files), PARTS).single


@pytest.mark.parametrize(
    ("stray", "graded"),
    [("model.py", False), ("part2/models.py", True), ("Part 3/model.py", True), ("utils.py", False)],
)
def test_a_stray_part_hides_no_class(tmp_path: Path, stray: str, graded: bool) -> None:
    """One loose file made the whole class one submission, of which the best parts counted."""
    for number, student in enumerate(("alice", "bob")):
        write(tmp_path / student, {name: name.encode() * (number + 1) for name in VAE})
    zipped(tmp_path, "carol", dict.fromkeys(VAE, b"carol"))
    write(tmp_path, [stray])
    found = discover(tmp_path, PARTS)
    name = stray.partition("/")[0]
    students = {"alice", "bob", "carol"} | ({name.replace(" ", "_")} if graded else set())
    assert not found.single
    assert {each.id for each in found.submissions} == students
    (note,) = [note for note in found.notes if note.startswith(f"{name} is a part of a submission")]
    assert ("is graded by itself" in note) == graded


@pytest.mark.parametrize(
    "names",
    [
        ("alice.zip", "bob.zip"),
        ("alice_1234_5678_work.zip", "bob_1235_5679_work.zip"),
        ("submission_alice", "submission_bob"),
    ],
)
def test_a_stray_part_hides_no_class_of_archives(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        if name.endswith(".zip"):
            zipped(tmp_path, name.removesuffix(".zip"), {file: name.encode() for file in VAE})
        else:
            write(tmp_path / name, {file: name.encode() for file in VAE})
    write(tmp_path, ["part2/models.py", "model.py"])
    found = discover(tmp_path, PARTS)
    assert (found.single, len(found.submissions)) == (False, 3)


@pytest.mark.parametrize(
    "beside",
    [
        ["backup.zip", "data/mnist.py", "old/part1/utils.py"],
        ["backup.zip", "backup 2.zip", "part1_old/utils.py"],
        ["code/part1/utils.py", "submission.zip", "final_code.zip"],
        ["part1.zip", "part2.zip", "my_vae.zip", "gan code.zip"],
        ["venv/lib/utils.py", "results/part1/utils.py", "figures/utils.py"],
        ["helpers/thing.py", "report/report.pdf", "notes.zip"],
    ],
)
def test_parts_beside_ones_own_copies_are_one_submission(tmp_path: Path, beside: list[str]) -> None:
    write(tmp_path, [*VAE, *GAN, "part3/model.py", "answers.py"])
    for number, name in enumerate(beside):
        if name.endswith(".zip"):
            files = {"notes.txt": b""} if name == "notes.zip" else dict.fromkeys((*VAE, *GAN), b"x" * number)
            zipped(tmp_path, name.removesuffix(".zip"), files)
        else:
            write(tmp_path, {name: b"x" * number})
    found = discover(tmp_path, PARTS)
    assert (found.single, found.notes) == (True, ())


def test_parts_beside_one_other_submission_are_doubtful(tmp_path: Path) -> None:
    write(tmp_path, [*VAE, "alice/part1/utils.py"])
    found = discover(tmp_path, PARTS)
    assert found.single
    assert "since part1 lies beside alice; if alice is a student's submission" in found.notes[0]


def test_the_same_programs_twice_are_one_students(tmp_path: Path) -> None:
    write(tmp_path, VAE)
    write(tmp_path / "anna", GAN)
    zipped(tmp_path, "anna2", GAN)
    assert discover(tmp_path, PARTS).single


def test_folders_of_different_parts_are_told_from_one_student_by_a_note(tmp_path: Path) -> None:
    """Two students who handed in one part each must never be graded as one; a student is told how to be one."""
    (note,) = discover(write(tmp_path / "a", ["doe/encoder.py", "roe/models.py"]), PARTS).notes
    assert "doe, roe hold a different part each, and are graded as different students" in note
    assert "vae, gan, flow, theory" in note
    assert discover(write(tmp_path / "b", ["doe/encoder.py", "roe/encoder.py"]), PARTS).notes == ()


LABS = {"labs": Part(None, ("lab_one.py", "lab_two.py", "lab_three.py"), whole=True)}


@pytest.mark.parametrize(
    ("names", "students"),
    [
        (["lab1", "lab2"], 1),
        (["lab_one", "lab_two", "lab_three"], 1),
        (["alice", "bob"], 2),
        (["submission_104", "submission_105"], 2),
        (["104", "105"], 2),
        (["project-01", "project-02"], 2),
        (["my lab", "new lab"], 2),
        (["lab 104", "lab 105"], 2),
        (["Simone", "Leone"], 2),
    ],
)
def test_folders_are_one_students_labs_only_by_names_of_labs(tmp_path: Path, names: list[str], students: int) -> None:
    """A class of numbered folders was graded as one submission, of which the best labs counted."""
    write(tmp_path, [f"{name}/lab_one.py" for name in names])
    found = discover(tmp_path, LABS)
    assert len(found.submissions) == students
    assert any("are graded as one submission" in note for note in found.notes) == (students == 1)


def test_a_loose_file_does_not_join_numbered_folders(tmp_path: Path) -> None:
    write(tmp_path, [*VAE, "104/part1/utils.py", "105/part1/utils.py"])
    for number in ("104", "105"):
        (tmp_path / number / "part1" / "utils.py").write_text(f"NUMBER = {number}\n")
    assert not discover(tmp_path, PARTS).single


def test_one_archive_is_a_self_check(tmp_path: Path) -> None:
    found = discover(zipped(tmp_path, "doejane_LATE_12345_67890_work", VAE), PARTS)
    assert found.single
    assert (found.submissions[0].id, found.submissions[0].late) == ("doejane_12345", True)


def test_nothing_to_grade_is_said(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="there is no such file or folder"):
        discover(tmp_path / "nowhere", PARTS)
    with pytest.raises(SubmissionError, match="it holds no submissions"):
        discover(tmp_path, PARTS)
    with pytest.raises(SubmissionError, match="not a folder, a"):
        discover(write(tmp_path, ["notes.txt"]) / "notes.txt", PARTS)


def test_a_student_may_be_called_as_one_of_our_folders(tmp_path: Path) -> None:
    """Folders of marks and results hold no programs; a note names what is ignored."""
    for name in ("doe", "Marks", "Results"):
        (tmp_path / name / "part1").mkdir(parents=True)
        (tmp_path / name / "part1" / "utils.py").write_text("x = 1\n")
    for name, file in (("marks", "doe.yaml"), ("env", "model.py")):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / file).write_text("x: 1\n")
    found = discover(tmp_path, PARTS)
    assert sorted(submission.name for submission in found.submissions) == ["Marks", "Results", "doe"]
    assert [note for note in found.notes if note.startswith("env ")]


def test_a_link_alone_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "work.zip").symlink_to(zipped(tmp_path, "doe", VAE))
    (tmp_path / "work").symlink_to(write(tmp_path / "roe", VAE))
    for name in ("work.zip", "work"):
        (only,) = discover(tmp_path / name, PARTS).submissions
        assert only.error == f"{name}: it is a symbolic link; give the real path instead"


def not_seen(monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> None:
    """Make the system fail to tell what a file of that name is."""
    real = os.stat

    def stat(path: str | Path, *arguments: Any, **options: Any) -> os.stat_result:
        if isinstance(path, str | Path) and Path(path).name == name:
            raise OSError(number, os.strerror(number), str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", stat)
    monkeypatch.setattr(os, "lstat", partial(stat, follow_symlinks=False))


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOENT, errno.EIO])
def test_what_cannot_be_seen_in_one_folder_costs_no_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A folder that may be listed and not entered, or whose files are renamed all the time."""
    write(tmp_path / "mallory", [*VAE, "sub/strange.py"])
    zipped(tmp_path, "mallory", VAE)
    write(tmp_path / "doe", VAE)
    not_seen(monkeypatch, "strange.py", number)
    doe, mallory = discover(tmp_path, PARTS).submissions
    assert (doe.error, doe.notes) == (None, ())
    if number != errno.EIO:  # which a disk says that is broken
        with pytest.raises(SubmissionError, match=r"it may not be read|it changed while it was read"):
            prepare(mallory, tmp_path / "tree", PARTS)


def _of_digits(path: Path) -> None:
    """Return extended headers of digits only, which `tarfile` takes very long to parse."""
    with tarfile.open(path, "w:gz") as archive:
        for _ in range(20):
            info = tarfile.TarInfo("x")
            info.type, info.size = tarfile.XHDTYPE, 130_000
            archive.addfile(info, io.BytesIO(b"1" * 130_000))
            archive.addfile(tarfile.TarInfo("part1/utils.py"))


def test_an_archive_that_costs_much_costs_no_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "tar", {name: name.encode() for name in VAE}, "mallory")
    _of_digits(tmp_path / "mallory.tar.gz")
    write(tmp_path / "doe", VAE)
    monkeypatch.setattr(reading, "_CLASS", replace(reading._CLASS, cpu_seconds=3))
    doe, mallory = discover(tmp_path, PARTS).submissions
    assert (doe.error, doe.notes) == (None, ())
    assert mallory.source.name == "mallory.tar"


@pytest.mark.parametrize(
    ("ends", "says"),
    [
        (lambda self: [None for _ in iter(int, 1)], "it takes more than 1 s of CPU time to read"),
        (lambda self: os.kill(os.getpid(), signal.SIGSEGV), "SIGSEGV"),
        (lambda self: os.kill(os.getpid(), signal.SIGKILL), "SIGKILL"),
    ],
)
def test_however_a_look_into_an_archive_ends_it_costs_no_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: Callable[[object], object], says: str
) -> None:
    make(tmp_path, "tar.gz", {name: name.encode() for name in VAE}, "mallory")
    write(tmp_path / "mallory", VAE)
    write(tmp_path / "doe", VAE)
    monkeypatch.setattr(tarfile.TarFile, "next", ends)
    monkeypatch.setattr(discovery, "_LOOK", replace(discovery._LOOK, cpu_seconds=1))
    doe, mallory = discover(tmp_path, PARTS).submissions
    assert (doe.error, doe.notes) == (None, ())
    assert mallory.source.name == "mallory"
    (note,) = [note for note in mallory.notes if "could not be opened" in note]
    assert note.startswith("mallory.tar.gz could not be opened: ")
    assert says in note


def test_folders_without_number_cost_no_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of files that are not kept count as well towards the most names that are looked at."""
    write(tmp_path / "doe", VAE)
    write(tmp_path / "roe", VAE)
    write(tmp_path / "mallory", [*VAE, *(f"part1/.{number}" for number in range(50))])
    monkeypatch.setattr(discovery, "_LOOK_NAMES", 40)
    assert [each.id for each in discover(tmp_path, PARTS).submissions] == ["doe", "mallory", "roe"]
    assert names_in(submitted(tmp_path / "mallory")) == []
