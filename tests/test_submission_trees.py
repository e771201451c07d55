"""Clean trees: the places of the parts, which files are kept, and what the hash depends on."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import shutil
import signal
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gengrade.archives import ArchiveError
from gengrade.confined import Bounds
from gengrade.submissions import SubmissionError, discard, discover, prepare, preparing
from gengrade.submissions.locating import locate
from gengrade.submissions.selection import keeps
from tests.support.handed_in import GAN, PARTS, VAE, make, submitted, tree_of, write, zipped


def places(*files: str) -> dict[str, str | None]:
    located = locate([PurePosixPath(file) for file in files], PARTS)
    return {key: place.shown for key, place in located.places.items() if place}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (VAE, {"vae": "part1"}),
        (
            [f"doe/3_generative/{name}" for name in (*VAE, *GAN)],
            {"vae": "doe/3_generative/part1", "gan": "doe/3_generative/part2"},
        ),
        (["Part 1/utils.py", "PART-2/train_torch.py"], {"vae": "Part 1", "gan": "PART-2"}),
        (["a/utils.py", "b/models.py", "b/train_torch.py"], {"vae": "a", "gan": "b"}),
        (["part1_vae/train_torch.py", "part10/train_torch.py"], {"vae": "part1_vae"}),
        (["part1/report.pdf", "code/utils.py", "code/encoder.py"], {"vae": "code"}),
        (["part1/utils.py", "backup/part1/utils.py", "backup/part1/encoder.py"], {"vae": "part1"}),
        (["part1/src/utils.py", "part1/src/encoder.py", "part1/setup.py"], {"vae": "part1/src"}),
        (["part1/train_torch.py", "part1/train_pl.py"], {"vae": "part1"}),
        (["utils.py", "encoder.py", "part2/models.py"], {"vae": "the top folder", "gan": "part2"}),
        (["part1/unknown.py"], {"vae": "part1"}),
        (["part1/notes.txt"], {}),
        (["train_torch.py"], {}),
        (["x/answers.py", "x/y/answers.py"], {"theory": "x/answers.py"}),
        (["vae/train_torch.py", "gan/train_torch.py"], {"vae": "vae", "gan": "gan"}),
        (["part1/Utils (1).PY", "part2/models-Copy1.py"], {"vae": "part1", "gan": "part2"}),
        (["answers (1).py"], {"theory": "answers (1).py"}),
        (["Answers.PY", "answers - Copy.py"], {"theory": "Answers.PY"}),
        (["part1/part1/utils.py", "part1/part2/models.py"], {"vae": "part1/part1", "gan": "part1/part2"}),
    ],
)
def test_parts_are_found(files: list[str], expected: dict[str, str]) -> None:
    assert places(*files) == expected


def test_what_is_ambiguous_is_noted() -> None:
    files = [PurePosixPath(file) for file in ("a/part1/utils.py", "b/part1/utils.py")]
    located = locate(files, PARTS)
    assert located.notes == ("part vae is read from a/part1, not from b/part1",)


def test_a_copy_beside_its_original_is_noted() -> None:
    located = locate(
        [PurePosixPath(file) for file in ("Copy of answers.py", "answers.py", "a (1).txt", "a.txt")], PARTS
    )
    assert located.places["theory"] is not None
    assert located.places["theory"].shown == "answers.py"
    assert located.notes == ("Copy of answers.py is a copy beside answers.py, which is graded instead",)


NAMES = ("part1", "part2", "src", "old", "vae", "utils.py", "encoder.py", "models.py", "train_torch.py", "answers.py")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map("/".join), max_size=12), st.randoms())
def test_locating_depends_on_no_order_and_shares_no_folder(files: list[str], shuffle: random.Random) -> None:
    paths = [PurePosixPath(file) for file in dict.fromkeys(files)]
    first = locate(paths, PARTS)
    shuffle.shuffle(paths)
    assert locate(paths, PARTS) == first
    sources = [source for key in ("vae", "gan") if (place := first.places[key]) for source in place.files.values()]
    assert len(set(sources)) == len(set(map(str, sources)))
    for place in first.places.values():
        assert place is None or set(place.files.values()) <= set(paths)


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("part1/utils.py", True),
        ("__MACOSX/part1/utils.py", False),
        ("part1/.git/hooks/a.py", False),
        ("part1/.secret.py", False),
        ("part1/__pycache__/utils.pyc", False),
        ("venv/lib/a.py", False),
        ("env39/lib/python3.9/site-packages/a.py", False),
        ("part1/data/loader.py", True),
        ("part1/data/images.npy", False),
        ("part1/train-images-idx3-ubyte", False),
        ("part2/GAN_logs/version_0/checkpoints/a.ckpt", True),
        ("part2/GAN_logs/version_0/samples.png", False),
        ("part2/lightning_logs/hparams.yaml", False),
        ("part2/events.out.tfevents.1", False),
        ("part2/model.pt", True),
    ],
)
def test_what_is_kept(path: str, kept: bool) -> None:
    assert keeps(PurePosixPath(path)) is kept


# --- clean trees -------------------------------------------------------------------------------------------------


def test_the_tree_is_clean_and_read_only(tmp_path: Path) -> None:
    work = write(tmp_path / "work", [*VAE, *GAN, "answers.py", "part1/__pycache__/a.pyc", "part1/data/x.bin", "r.pdf"])
    (work / "part1" / "passwd.py").symlink_to("/etc/passwd")
    os.mkfifo(work / "part1" / "pipe.py")
    prepared = prepare(submitted(work), tmp_path / "tree", PARTS)
    expected = {f"vae/{Path(name).name}" for name in VAE} | {f"gan/{Path(name).name}" for name in GAN}
    assert set(tree_of(prepared.tree)) == expected | {"theory/answers.py"}
    assert prepared.parts == {"vae": "part1", "gan": "part2", "flow": None, "theory": "answers.py"}
    assert (prepared.files, prepared.bytes) == (6, sum(map(len, tree_of(prepared.tree).values())))
    assert len([note for note in prepared.notes if "link or a device" in note]) == 2
    for path in (prepared.tree, *prepared.tree.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o555 if path.is_dir() else 0o444)
    discard(prepared.tree)
    discard(prepared.tree)
    assert {path.name for path in tmp_path.iterdir()} == {"work"}


@pytest.mark.parametrize("cells", [("cells",), ("worksheets", 0, "cells")])
def test_a_large_notebook_loses_its_outputs(tmp_path: Path, cells: tuple[str | int, ...]) -> None:
    cell = {"cell_type": "code", "source": "x = 1", "outputs": [{"data": "A" * (17 << 20)}]}
    content = {"cells": [cell]} if cells == ("cells",) else {"worksheets": [{"cells": [cell]}]}
    work = write(
        tmp_path / "work", {"part1/utils.ipynb": json.dumps(content).encode(), "part1/no.ipynb": b" " * (17 << 20)}
    )
    tree = tree_of(prepare(submitted(work), tmp_path / "tree", PARTS).tree)
    found = json.loads(tree["vae/utils.ipynb"])
    for key in cells:
        found = found[key]
    assert found == [{**cell, "outputs": []}]
    assert len(tree["vae/no.ipynb"]) == 17 << 20


def test_a_folder_and_its_archives_hash_alike(tmp_path: Path) -> None:
    work = write(tmp_path / "a" / "work", [*VAE, "part1/sub/x.txt"])
    files = {f"any/where/{name}": content for name, content in tree_of(work).items()}
    archives = [make(tmp_path, kind, dict(reversed(files.items()))) for kind in ("zip", "tar.gz", "tar")]
    os.utime(work / VAE[0], (1, 1))
    hashes = {
        prepare(submitted(source), tmp_path / "trees" / str(number), PARTS).sha256
        for number, source in enumerate((work, *archives))
    }
    assert len(hashes) == 1
    (work / VAE[0]).write_bytes(b"changed")
    assert prepare(submitted(work), tmp_path / "trees" / "changed", PARTS).sha256 not in hashes


def test_a_zip_in_a_zip_is_opened_when_it_holds_the_code(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner", "code", VAE).read_bytes()
    outer = zipped(tmp_path, "outer", {"doe/code.zip": inner, "doe/report.pdf": b"%PDF"})
    prepared = prepare(submitted(outer), tmp_path / "1", PARTS)
    assert prepared.parts["vae"] == "doe/code/part1"
    beside = zipped(tmp_path, "beside", {"old.zip": inner, "part1/utils.py": b"new"})
    assert tree_of(prepare(submitted(beside), tmp_path / "2", PARTS).tree) == {"vae/utils.py": b"new"}


def test_a_broken_archive_beside_the_code_is_a_note(tmp_path: Path) -> None:
    write(tmp_path, ["doe_123_502_report.rar"])
    zipped(tmp_path, "doe_123_501_work", VAE)
    (doe,) = discover(tmp_path, PARTS).submissions
    prepared = prepare(doe, tmp_path / "tree", PARTS)
    assert prepared.parts["vae"] == "work/part1"
    assert any("report.rar" in note for note in prepared.notes)


def test_a_broken_archive_alone_is_an_error(tmp_path: Path) -> None:
    path = zipped(tmp_path, "doe", VAE)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ArchiveError, match=r"doe\.zip: it is damaged"):
        prepare(submitted(path), tmp_path / "tree", PARTS)
    assert {each.name for each in tmp_path.iterdir()} == {"doe.zip"}


def test_large_files_are_left_out_and_small_checkpoints_stay(tmp_path: Path) -> None:
    work = write(tmp_path / "work", GAN)
    for name, size in (("part2/big.txt", 17 << 20), ("part2/a.pt", 17 << 20), ("part2/b.ckpt", 65 << 20)):
        with (work / name).open("wb") as file:
            file.truncate(size)
    prepared = prepare(submitted(work), tmp_path / "tree", PARTS)
    assert set(tree_of(prepared.tree)) == {"gan/models.py", "gan/train_torch.py", "gan/a.pt"}
    assert len(prepared.notes) == 2


def test_files_in_subfolders_come_up_where_the_part_lacks_them(tmp_path: Path) -> None:
    work = write(tmp_path / "work", ["part1/encoder.py", "part1/train_torch.py", "part1/lib/utils.py"])
    prepared = prepare(submitted(work), tmp_path / "tree", PARTS)
    assert tree_of(prepared.tree)["vae/utils.py"] == b"part1/lib/utils.py"
    assert any("part1/lib/utils.py is used as utils.py of part vae" in note for note in prepared.notes)


def test_names_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    work = write(tmp_path / "work", VAE)
    (work / "part1" / os.fsdecode(b"caf\xe9\n.py")).write_bytes(b"")
    prepared = prepare(submitted(work), tmp_path / "tree", PARTS)
    assert "vae/caf__.py" in tree_of(prepared.tree)


def test_an_encrypted_submission_is_an_error_of_that_submission(tmp_path: Path) -> None:
    path = zipped(tmp_path, "doe", VAE)
    with zipfile.ZipFile(path) as archive:
        start = archive.start_dir
    raw = bytearray(path.read_bytes())
    raw[start + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(ArchiveError, match="encrypted"):
        prepare(submitted(path), tmp_path / "tree", PARTS)


def fail_to_open_programs(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    """Make every later attempt to open a .py file by os.open fail."""
    real = os.open

    def opened(path: str | Path, *args: Any, **options: Any) -> int:
        if str(path).endswith(".py"):
            raise error
        return real(path, *args, **options)

    monkeypatch.setattr(os, "open", opened)


def test_a_full_disk_is_no_fault_of_the_submission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path, "doe", VAE)
    fail_to_open_programs(monkeypatch, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OSError, match="No space left"):
        prepare(submitted(path), tmp_path / "tree", PARTS)


def test_what_may_not_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = write(tmp_path / "work", VAE)
    fail_to_open_programs(monkeypatch, PermissionError(errno.EACCES, "Permission denied"))
    with pytest.raises(SubmissionError, match=r"\.py: it may not be read"):
        prepare(submitted(work), tmp_path / "tree", PARTS)
    assert not (tmp_path / "tree").exists()


def _endless(self: tarfile.TarFile) -> None:
    while True:
        pass


def test_an_archive_that_never_ends_is_an_error_of_the_submission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gengrade.submissions.reading.Bounds", lambda: Bounds(cpu_seconds=2))
    monkeypatch.setattr(tarfile.TarFile, "next", _endless)
    path = make(tmp_path, "tar.gz", dict.fromkeys(VAE, b""), "doe")
    with pytest.raises(
        SubmissionError, match=r"doe\.tar\.gz: it cannot be read: it takes more than 2 s of CPU time to read; hand"
    ):
        prepare(submitted(path), tmp_path / "trees" / "tree", PARTS)
    assert not list((tmp_path / "trees").iterdir())


def test_a_parser_that_crashes_is_an_error_of_the_submission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile.ZipFile, "infolist", lambda self: os.kill(os.getpid(), signal.SIGSEGV))
    with pytest.raises(SubmissionError, match=r"doe\.zip: it cannot be read: .*SIGSEGV"):
        prepare(submitted(zipped(tmp_path, "doe", VAE)), tmp_path / "trees" / "tree", PARTS)
    assert not list((tmp_path / "trees").iterdir())


def test_paths_that_no_system_takes_are_left_out_and_the_rest_stays(tmp_path: Path) -> None:
    for number, folders in enumerate((5, 22, 23)):
        long = "/".join(["n" * 190] * folders)
        path = zipped(tmp_path, f"doe{number}", [*VAE, f"{long}/utils.py"])
        prepared = prepare(submitted(path), tmp_path / f"tree{number}", PARTS)
        assert {f"vae/{Path(name).name}" for name in VAE} <= set(tree_of(prepared.tree))
        left_out = ["a path of more than 1,024 bytes" in note for note in prepared.notes]
        assert any(left_out) == (folders > 5)


def test_a_tree_that_changes_while_it_is_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file grows or is removed, or a link, a FIFO or a folder replaces it."""

    def changes(change: Callable[[Path], object]) -> None:
        work = write(tmp_path / "work", VAE)
        real = os.open

        def opened(path: str | Path, *arguments: Any, **options: Any) -> int:
            if Path(path).name == "utils.py":
                change(work / "part1" / "utils.py")
            return real(path, *arguments, **options)

        with monkeypatch.context() as patched:
            patched.setattr(os, "open", opened)
            with pytest.raises(SubmissionError, match=r"utils\.py: it changed while it was read; grade it again"):
                prepare(submitted(work), tmp_path / "tree", PARTS)
        shutil.rmtree(work)

    def replaced(make: Callable[[Path], object]) -> Callable[[Path], object]:
        def change(path: Path) -> None:
            path.unlink()
            make(path)

        return change

    changes(lambda path: path.write_bytes(b"more and more of it"))
    changes(Path.unlink)
    changes(replaced(lambda path: path.symlink_to("encoder.py")))
    changes(replaced(os.mkfifo))
    changes(replaced(Path.mkdir))


def test_a_tree_of_too_many_files_or_folders_is_made_without_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run copies all of them, so that it ended for want of room, and the reason was ours."""
    monkeypatch.setattr(preparing, "MOST_FILES", 30)
    monkeypatch.setattr(preparing, "MOST_FOLDERS", 12)
    deep = "/".join("abcdefgh")
    many = {f"part1/figures/{number}.txt": b"x" * number for number in range(40)}
    cases: dict[str, dict[str, bytes]] = {
        "files": many,
        "empty": dict.fromkeys(many, b""),
        "folders": {f"part1/n{number}/{deep}/f.txt": b"" for number in range(9)},
        "programs": {f"part1/conda/{number}/os.py": b"" for number in range(40)},
    }
    for name, more in cases.items():
        source = write(tmp_path / name, {**dict.fromkeys(VAE, b"own" * 99), **more})
        (source / "part1" / "empty" / "folder").mkdir(parents=True)
        prepared = prepare(submitted(source), tmp_path / f"{name}-tree", PARTS)
        files = tree_of(prepared.tree)
        folders = {folder for file in files for folder in PurePosixPath(file).parents}
        assert len(files) <= 30, name
        assert len(folders) <= 12, name
        assert files.keys() >= {f"vae/{file.removeprefix('part1/')}" for file in VAE}, name
        (note,) = prepared.notes
        left = len(VAE) + len(more) - len(files)
        says = rf"{left} files are left out \(vae/.* and {left - 3} more\), since .* 30 files in 12"
        assert re.search(says, note), note
        assert ("folders with" in note) == (name in ("folders", "programs"))
        discard(prepared.tree)
    enough = {**dict.fromkeys(VAE, b""), **dict.fromkeys(list(many)[:27], b"")}
    prepared = prepare(submitted(write(tmp_path / "enough", enough)), tmp_path / "t", PARTS)
    assert (prepared.files, prepared.notes) == (30, ())
