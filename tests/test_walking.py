"""Folders that their owner changes while they are read: only the owner's own files are ever read or named."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gengrade.archives import ArchiveError, Caps, extract, refusal
from gengrade.confined import Bounds
from gengrade.submissions import SubmissionError, names_in, prepare, signature
from gengrade.submissions.selection import enters
from gengrade.walking import CHANGED, Plain, TooMany, reason, walk
from tests.support.handed_in import PARTS, VAE, make, submitted, tree_of, write, zipped


class Waits(Exception):
    """A call waits for something that the folder's owner may never do."""


@contextmanager
def at_once() -> Iterator[None]:
    def stop(*arguments: object) -> None:
        raise Waits

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(10)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def just_before(monkeypatch: pytest.MonkeyPatch, name: str, change: Callable[[], object]) -> None:
    """Run `change` just before something of that name is opened or listed."""

    def changing(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: object = ".", *arguments: Any, **options: Any) -> Any:
            if isinstance(path, str | Path) and Path(path).name == name:
                change()
            return real(path, *arguments, **options)

        return call

    for function in ("open", "listdir", "scandir"):
        monkeypatch.setattr(os, function, changing(getattr(os, function)))
    monkeypatch.setattr(Path, "open", changing(Path.open))


def exchange(path: Path, make: Callable[[Path], object]) -> Callable[[], None]:
    """Replace `path` by something else, once."""

    def change() -> None:
        aside = path.with_name(f".{path.name}")
        if not aside.exists():
            path.rename(aside)
            make(path)

    return change


def secret(folder: Path) -> Path:
    """Make another person's folder that looks like a student's."""
    write(folder, {Path(name).name: b"S" * len(name) for name in VAE})
    write(folder, {"known_to_nobody.py": b"S"})
    return make(folder, "zip", {name: b"S" * len(name) for name in VAE}, "inner").parent


def said_of(file: Plain) -> str | None:
    """Return why a file cannot be opened."""
    try:
        file.open().close()
    except OSError as error:
        return reason(error)
    return None


def listed(root: Path, most: int = 1_000, deepest: int = 64) -> list[str]:
    return ["/".join(seen.components) for seen in walk(root, deepest, most, enters) if seen.is_file]


def test_everything_comes_in_order_and_what_is_no_file_is_told_apart(tmp_path: Path) -> None:
    write(tmp_path, ["b/x.py", "a.py", "b/deep/y.py", "c.py", ".git/z.py"])
    (tmp_path / "link").symlink_to("b")
    os.mkfifo(tmp_path / "pipe")
    seen = [("/".join(each.components), each.is_folder, each.is_file) for each in walk(tmp_path, 64, 100, enters)]
    assert seen == [
        ("", True, False),
        ("a.py", False, True),
        ("b", True, False),
        ("b/deep", True, False),
        ("b/deep/y.py", False, True),
        ("b/x.py", False, True),
        ("c.py", False, True),
        ("link", False, False),
        ("pipe", False, False),
    ]
    assert listed(tmp_path, deepest=1) == ["a.py", "b/x.py", "c.py"]


def test_the_way_to_a_root_may_hold_links_and_the_root_is_none(tmp_path: Path) -> None:
    write(tmp_path / "class" / "doe", ["a.py"])
    (tmp_path / "here").symlink_to("class")
    (tmp_path / "class" / "roe").symlink_to("doe")
    assert listed(tmp_path / "here" / "doe") == ["a.py"]
    assert Plain(tmp_path / "here" / "doe", ("a.py",)).open().read() == b"a.py"
    (only,) = walk(tmp_path / "here" / "roe", 64, 100, enters)
    assert only.fault is not None
    assert reason(only.fault) == CHANGED


def test_a_folder_in_whose_place_a_link_comes_is_not_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = secret(tmp_path / "other")
    root = write(tmp_path / "doe", ["a.py", "zsub/b.py"])
    just_before(monkeypatch, "zsub", exchange(root / "zsub", lambda path: path.symlink_to(other)))
    seen = list(walk(root, 64, 100, enters))
    assert [each.components for each in seen] == [(), ("a.py",), ("zsub",)]
    assert seen[-1].fault is not None
    assert reason(seen[-1].fault) == CHANGED


def test_a_file_is_opened_in_the_folder_that_was_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = secret(tmp_path / "other")
    root = write(tmp_path / "doe", {"zsub/utils.py": b"own"})
    file = Plain(root, ("zsub", "utils.py"))
    just_before(monkeypatch, "utils.py", exchange(root / "zsub", lambda path: path.symlink_to(other)))
    assert file.open().read() == b"own"
    assert said_of(file) == CHANGED


@pytest.mark.parametrize("put", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("b.py"), lambda path: None])
def test_what_is_no_file_any_more_is_not_waited_for(tmp_path: Path, put: Callable[[Path], object]) -> None:
    write(tmp_path, ["b.py"])
    put(tmp_path / "a.py")
    with at_once():
        assert said_of(Plain(tmp_path, ("a.py",))) == CHANGED


def test_a_file_that_its_owner_holds_back_is_not_waited_for(tmp_path: Path) -> None:
    write(tmp_path, ["a.py"])
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    try:
        with open(tmp_path / "a.py", "r+b") as held, at_once():
            try:
                fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            except OSError:
                pytest.skip("this file system has no leases")
            assert said_of(Plain(tmp_path, ("a.py",))) == CHANGED
    finally:
        signal.signal(signal.SIGIO, before)


def test_descriptors_are_few_and_given_back(tmp_path: Path) -> None:
    write(tmp_path, [*(f"{'d/' * deep}{number}.py" for deep in range(70) for number in range(20))])
    before = len(os.listdir("/proc/self/fd"))
    walking = walk(tmp_path, 64, 10_000, enters)
    most = max(len(os.listdir("/proc/self/fd")) for _ in walking)
    assert most - before <= 65
    some = walk(tmp_path, 64, 10_000, enters)
    for _ in range(1_000):
        next(some)
    del some
    assert len(os.listdir("/proc/self/fd")) == before


def test_names_are_limited_before_they_are_kept(tmp_path: Path) -> None:
    write(tmp_path, [*(f"a/{number}.py" for number in range(20)), *(f"b/{number}.py" for number in range(5))])
    seen = list(walk(tmp_path, 64, 15, enters))
    assert [each.components for each in seen if isinstance(each.fault, TooMany)] == [("a",)]
    assert sum(each.is_file for each in seen) == 5


# What reads submissions -----------------------------------------------------------------------------------------------


def test_no_race_lists_what_is_somebody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = secret(tmp_path / "other")
    work = write(tmp_path / "doe", VAE)
    just_before(monkeypatch, "part1", exchange(work / "part1", lambda path: path.symlink_to(other)))
    with pytest.raises(SubmissionError, match=f"part1: {CHANGED}"):
        prepare(submitted(work), tmp_path / "tree", PARTS)
    assert not (tmp_path / "tree").exists()


def test_no_race_copies_what_is_somebody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The race happens when the last file is about to be opened."""
    other = secret(tmp_path / "other")
    work = write(tmp_path / "doe", VAE)
    just_before(monkeypatch, "utils.py", exchange(work / "part1", lambda path: path.symlink_to(other)))
    prepared = prepare(submitted(work), tmp_path / "tree", PARTS)
    assert (work / "part1").is_symlink()
    assert set(tree_of(prepared.tree).values()) == {name.encode() for name in VAE}


def test_no_race_unpacks_what_is_somebody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = secret(tmp_path / "other")
    work = tmp_path / "doe"
    (work / "part1").mkdir(parents=True)
    make(work / "part1", "zip", {name: name.encode() for name in VAE}, "inner")
    just_before(monkeypatch, "inner.zip", exchange(work / "part1", lambda path: path.symlink_to(other)))
    prepared = prepare(submitted(work), tmp_path / "tree", PARTS)
    assert set(tree_of(prepared.tree).values()) == {name.encode() for name in VAE}


def test_no_race_names_what_is_somebody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = secret(tmp_path / "other")
    work = write(tmp_path / "doe", ["a.py", *VAE])
    os.utime(work / "a.py", (0, 0))
    just_before(monkeypatch, "part1", exchange(work / "part1", lambda path: path.symlink_to(other)))
    assert names_in(submitted(work)) == ["a.py"]


def test_of_what_changes_no_signature_is_sure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = secret(tmp_path / "other")
    work = write(tmp_path / "doe", VAE)
    monkeypatch.setattr(signature, "_SETTLED_SECONDS", -1_000.0)  # just written, and taken for settled
    assert signature.signatures([submitted(work)]) != (None,)
    just_before(monkeypatch, "part1", exchange(work / "part1", lambda path: path.symlink_to(other)))
    assert signature.signatures([submitted(work)]) == (None,)


def test_a_signature_sees_every_file_that_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file may have the name of a kind of folder that is not entered."""
    work = write(tmp_path / "doe", [*VAE, "part1/env"])
    monkeypatch.setattr(signature, "_SETTLED_SECONDS", -1_000.0)
    before = signature.signatures([submitted(work)])
    write(work, {"part1/env": b"something else"})
    assert signature.signatures([submitted(work)]) != before


def test_a_fifo_is_no_archive_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "doe.zip")
    (tmp_path / "roe.zip").symlink_to(zipped(tmp_path, "moe", VAE))
    with at_once():
        assert refusal(tmp_path / "doe.zip") == CHANGED
        assert refusal(tmp_path / "roe.zip") == CHANGED
        with pytest.raises(ArchiveError, match=CHANGED):
            extract(tmp_path / "doe.zip", tmp_path / "out")


def test_an_archive_that_becomes_a_fifo_is_its_owners_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path, "doe", VAE)
    monkeypatch.setattr("gengrade.submissions.reading.Bounds", lambda: Bounds(wall_seconds=5.0))
    just_before(monkeypatch, "doe.zip", exchange(path, os.mkfifo))
    with pytest.raises(ArchiveError, match=CHANGED):
        prepare(submitted(path), tmp_path / "tree", PARTS)


def test_an_archive_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that was checked is the one that is unpacked, whatever has its name by then."""
    path = zipped(tmp_path, "doe", {"utils.py": b"own"})
    other = make(tmp_path, "zip", {"utils.py": b"else"}, "other")
    real = zipfile.ZipFile.__init__

    def opened(self: zipfile.ZipFile, *arguments: Any, **options: Any) -> None:
        os.replace(other, path)
        real(self, *arguments, **options)

    monkeypatch.setattr(zipfile.ZipFile, "__init__", opened)
    extract(path, tmp_path / "out")
    assert (tmp_path / "out" / "utils.py").read_bytes() == b"own"


def test_a_lowered_limit_on_descriptors_suffices(tmp_path: Path) -> None:
    work = write(tmp_path / "doe", [*VAE, f"{'d/' * 70}deep.py", *(f"part1/{number}.py" for number in range(300))])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, soft), hard))
    try:
        assert prepare(submitted(work), tmp_path / "tree", PARTS).files == 303
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_more_files_than_are_looked_at_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = write(tmp_path / "doe", [*VAE, *(f"part1/.{number}" for number in range(50))])
    monkeypatch.setattr("gengrade.submissions.preparing.Caps", lambda: Caps(entries=40))
    with pytest.raises(SubmissionError, match="it holds too many files; remove data sets"):
        prepare(submitted(work), tmp_path / "tree", PARTS)
