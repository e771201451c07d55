"""The process in which the marking room reads submissions."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gengrade import forking
from gengrade.archives import ArchiveError
from gengrade.room.documents import Documents
from gengrade.room.reader import Reader
from gengrade.sandbox import InfraError, Tier
from gengrade.submissions import Submission, lay_out_documents, names_in


@pytest.fixture
def reader() -> Iterator[Reader]:
    reader = Reader()
    yield reader
    reader.close()


def _submitted(folder: Path) -> Submission:
    folder.mkdir()
    (folder / "report.txt").write_text("By x = y.")
    return Submission("ada", "ada", None, folder)


def _end_its_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_program_with_threads_does_not_fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fork while another thread imports has stopped the whole room, about once in a hundred starts."""
    ada = _submitted(tmp_path / "ada")
    pids = []
    monkeypatch.setattr(forking, "fork", lambda: pids.append(os.getpid()))
    monkeypatch.setattr("gengrade.confined.fork", lambda: pids.append(os.getpid()))
    monkeypatch.setattr(os, "fork", lambda: pids.append(os.getpid()))
    with Documents(tmp_path / "results", {"ada": ada}, Tier.PROCESS) as documents:
        assert documents.sha256("ada")
    assert not pids


def test_a_killed_process_is_replaced(reader: Reader, tmp_path: Path) -> None:
    ada = _submitted(tmp_path / "ada")
    first = reader.call(os.getpid)
    os.kill(first, signal.SIGKILL)
    assert reader.call(names_in, ada) == ["report.txt"]
    assert reader.call(os.getpid) not in (first, os.getpid())


def test_a_process_that_always_dies_is_our_fault(reader: Reader) -> None:
    with pytest.raises(InfraError, match="was killed"):
        reader.call(_end_its_process)


def test_errors_come_back_whole(reader: Reader, tmp_path: Path) -> None:
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\3\4 is no archive")
    with pytest.raises(ArchiveError) as told:
        reader.call(lay_out_documents, Submission("bob", "bob", None, broken), tmp_path / "tree")
    assert (told.value.path, "damaged" in told.value.reason) == ("broken.zip", True)


def test_ctrl_c_is_the_rooms(reader: Reader) -> None:
    os.kill(reader.call(os.getpid), signal.SIGINT)
    assert reader.call(len, "abc") == 3
