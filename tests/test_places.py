"""Where results may lie, and which files in the results folder are refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gengrade.atomic import write_whole
from gengrade.places import Owners, PlaceError, Source, output, read_plain, read_trusted, require_ours


@pytest.fixture
def doe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    """Make a submission in the working folder."""
    (tmp_path / "class" / "doe" / "part1").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "class")
    return Source("doe", (tmp_path / "class" / "doe",))


@pytest.mark.parametrize("out", ["doe", "doe/results", "doe/part1/a/b", "doe/../doe/new", "way-in/results", "."])
def test_results_within_a_submission_are_refused(doe: Source, out: str) -> None:
    """Neither may they lie around it, where the submission would be a student's results folder."""
    Path("way-in").symlink_to("doe")
    with pytest.raises(PlaceError) as refused:
        output(Path(out), doe.paths[0], [Source("roe", (Path("roe"),)), doe])
    assert str(doe.paths[0]) in str(refused.value)
    assert "give --out" in str(refused.value)


def test_a_way_that_leads_through_a_submission_is_its_authors(doe: Source, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (doe.paths[0] / "results").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PlaceError):
        output(Path("doe/results"), doe.paths[0], [doe])


@pytest.mark.parametrize("name", [".gengrade", "marks", "withdrawn", "doe"])
def test_a_submission_among_the_results_is_refused(tmp_path: Path, name: str) -> None:
    source = tmp_path / "out" / name / "handed-in"
    source.mkdir(parents=True)
    with pytest.raises(PlaceError, match="a submission cannot lie inside the results"):
        output(tmp_path / "out", source, [Source("doe", (source,))])


@pytest.mark.parametrize("inside", ["", "part1"])
def test_a_submission_that_is_graded_from_within_has_its_results_beside_it(
    doe: Source, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    monkeypatch.chdir(doe.paths[0] / inside)
    found = output(None, doe.paths[0], [doe])
    assert found.folder == doe.paths[0].parent / "results"
    assert found.marks == found.folder / "marks"


def test_results_elsewhere_are_where_they_were(doe: Source, tmp_path: Path) -> None:
    here = tmp_path / "class"
    assert output(None, doe.paths[0], [doe]).folder == here / "results"
    assert output(None, doe.paths[0], [doe]).marks == here / "results" / "marks"
    (tmp_path / "disk").mkdir()
    Path("linked").symlink_to(tmp_path / "disk")
    typed = output(Path("linked"), doe.paths[0], [doe])
    assert typed.folder == tmp_path / "disk", "a link that the operator typed is followed"
    assert typed.marks == tmp_path / "disk" / "marks"
    assert typed.beside == here / "marks"


def test_marks_that_somebody_handed_in_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The submission has the name of the folder of marks beside the results."""
    (tmp_path / "marks").mkdir()
    monkeypatch.chdir(tmp_path)
    found = output(None, tmp_path / "marks", [Source("marks", (tmp_path / "marks",))])
    assert (found.marks, found.beside) == (tmp_path / "results" / "marks", None)


def test_a_class_that_is_called_marks_holds_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "marks" / "doe").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    found = output(None, tmp_path / "marks", [Source("doe", (tmp_path / "marks" / "doe",))])
    assert (found.marks, found.beside) == (tmp_path / "results" / "marks", None)


@pytest.mark.parametrize("handed_in", ["marks", "results/marks"])
def test_a_folder_of_a_class_is_never_the_operators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handed_in: str
) -> None:
    """A student's folder holds marks for everybody in a class that is graded from inside it."""
    classroom = tmp_path / "class"
    (classroom / handed_in).mkdir(parents=True)
    (classroom / "doe").mkdir()
    monkeypatch.chdir(classroom)
    sources = [Source("doe", (classroom / "doe",))]
    found = output(None, Path(), sources)
    assert found.folder == tmp_path / "results"
    assert found.marks == tmp_path / "results" / "marks"
    with pytest.raises(PlaceError, match="results cannot lie inside the submissions"):
        output(Path("results"), Path(), sources)


def test_a_submission_called_as_the_results_needs_an_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "results").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PlaceError, match="give --out"):
        output(None, tmp_path / "results", [Source("results", (tmp_path / "results",))])


def _honest(out: Path) -> None:
    for name in (
        *(".gengrade/trees/doe/answers.py", ".gengrade/evidence/a.evidence", ".gengrade/lock", ".gengrade/secret"),
        *(".gengrade/temporary/file", ".gengrade/sandbox-x/work/file", "doe/facts.json", "doe/evidence/a.evidence"),
        *("doe/figures/a.png", "marks/doe.yaml"),
    ):
        write_whole(out / name, "")


PLACES = [
    *(".gengrade", ".gengrade/trees", ".gengrade/trees/doe", ".gengrade/evidence", ".gengrade/evidence/a.evidence"),
    *(".gengrade/lock", ".gengrade/secret", ".gengrade/temporary", ".gengrade/sandbox-x"),
    *("doe", "doe/facts.json", "doe/evidence", "doe/evidence/a.evidence", "doe/figures", "doe/figures/a.png"),
]


def _link(path: Path) -> None:
    aside = path.with_name(f"{path.name}-aside")
    path.rename(aside)
    path.symlink_to(aside)


def _pipe(path: Path) -> None:
    path.rename(path.with_name(f"{path.name}-aside"))
    os.mkfifo(path)


def _give_away(path: Path) -> None:
    os.chown(path, 12345, -1)


SPOILED = [
    (_link, "it is a symbolic link"),
    (_pipe, "neither a file nor a folder"),
    pytest.param(
        _give_away,
        "it belongs to another user (12345)",
        marks=pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away"),
    ),
]


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize(("spoil", "words"), SPOILED)
def test_what_is_not_ours_is_refused(tmp_path: Path, name: str, spoil: Callable[[Path], None], words: str) -> None:
    _honest(tmp_path)
    require_ours(tmp_path, ["doe"])
    spoil(tmp_path / name)
    with pytest.raises(PlaceError) as refused:
        require_ours(tmp_path, ["doe"])
    assert words in str(refused.value)
    assert str(tmp_path / name) in str(refused.value)
    assert "remove it" in str(refused.value)


@pytest.mark.parametrize("name", ["marks", "marks/doe.yaml"])
@pytest.mark.parametrize(("spoil", "words"), SPOILED)
def test_marks_that_are_not_ours_are_refused(
    tmp_path: Path, name: str, spoil: Callable[[Path], None], words: str
) -> None:
    _honest(tmp_path)
    owners = Owners.of(tmp_path)
    assert read_trusted(tmp_path / "marks" / "doe.yaml", owners) == b""
    assert read_trusted(tmp_path / "marks" / "roe.yaml", owners) is None
    spoil(tmp_path / name)
    with pytest.raises(PlaceError) as refused:
        read_trusted(tmp_path / "marks" / "doe.yaml", owners)
    assert words in str(refused.value)


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_the_owner_of_the_results_is_trusted_in_them(tmp_path: Path) -> None:
    """For example, a container has other user ids than the host whose folder is mounted."""
    _honest(tmp_path)
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, 12345, -1)
    require_ours(tmp_path, ["doe"])


def test_what_a_killed_runs_student_left_is_no_reason_to_stop(tmp_path: Path) -> None:
    """Scratch folders are removed without being searched."""
    _honest(tmp_path)
    for folder in ("sandbox-x/work", "temporary", "trees/doe"):
        (tmp_path / ".gengrade" / folder / "link").symlink_to("/etc")
    require_ours(tmp_path, ["doe"])


def test_nothing_is_written_or_read_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "operators").mkdir()
    (tmp_path / "operators" / "facts.json").write_text("theirs")
    (tmp_path / "doe").symlink_to("operators")
    with pytest.raises(PlaceError):
        write_whole(tmp_path / "doe" / "facts.json", "ours")
    with pytest.raises(OSError, match=r"symbolic|directory"):
        read_plain(tmp_path / "doe" / "facts.json")
    (tmp_path / "file").symlink_to("operators/facts.json")
    with pytest.raises(OSError, match=r"symbolic|directory"):
        read_plain(tmp_path / "file")
    write_whole(tmp_path / "file", "ours")
    assert (tmp_path / "operators" / "facts.json").read_text() == "theirs"
    assert (tmp_path / "file").read_text() == "ours"
