"""Files are written whole or not at all, and cached runs are read back unchanged."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from gengrade.atomic import write_whole
from gengrade.authenticity import Seal
from gengrade.facts import Outcome
from gengrade.sandbox import Frame, Run
from gengrade.store import EvidenceStore

SEAL = Seal.temporary()


def test_write_whole_makes_folders_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    write_whole(path, "žluť")
    write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    assert [each.name for each in path.parent.iterdir()] == ["file.txt"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.txt"
    write_whole(path, "old")

    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="no space"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["file.txt"]


def test_a_run_comes_back_from_the_store(tmp_path: Path) -> None:
    run = Run(
        Outcome.PASSED, evidence={"x": np.arange(3.0)}, output="said", seconds=0.5, frames=(Frame("a", 1, "f", "s"),)
    )
    store = EvidenceStore(tmp_path, SEAL, "doe")
    assert store.get("key") is None
    store.put("key", run)
    found = store.get("key")
    assert found is not None
    np.testing.assert_array_equal(found.evidence["x"], [0, 1, 2])
    assert (found.outcome, found.output, found.frames, found.seconds) == (Outcome.PASSED, "said", run.frames, 0.5)


def test_half_a_file_is_as_good_as_none(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path, SEAL, "doe")
    store.put("key", Run(Outcome.PASSED, evidence=np.zeros(100)))
    (file,) = tmp_path.glob("*.evidence")
    file.write_bytes(file.read_bytes()[:50])
    assert store.get("key") is None


@pytest.mark.parametrize(
    ("megabytes", "seconds", "kept"), [(0.5, 0.0, True), (8, 0.1, False), (8, 1.0, True), (8, 20.0, True)]
)
def test_a_thrifty_store_leaves_out_what_is_cheaper_to_have_again(
    tmp_path: Path, megabytes: float, seconds: float, kept: bool
) -> None:
    run = Run(Outcome.PASSED, evidence=np.zeros(int(megabytes * (1 << 20)), np.uint8), seconds=seconds)
    for thrifty in (True, False):
        store = EvidenceStore(tmp_path / str(thrifty), SEAL, "doe", thrifty=thrifty)
        store.put("key", run)
        assert (store.get("key") is not None) == (kept or not thrifty)


def _run(megabytes: float = 0.0) -> Run:
    return Run(Outcome.PASSED, evidence=np.zeros(int(megabytes * (1 << 20)), np.uint8), seconds=1.0)


def test_evidence_that_was_moved_or_forged_is_none(tmp_path: Path) -> None:
    EvidenceStore(tmp_path / "ada", SEAL, "ada").put("key", _run())
    content = (tmp_path / "ada" / "key.evidence").read_bytes()
    for owner, key, seal in (("bob", "key", SEAL), ("ada", "other", SEAL), ("ada", "key", Seal.temporary())):
        write_whole(tmp_path / owner / f"{key}.evidence", content)
        assert EvidenceStore(tmp_path / owner, seal, owner).get(key) is None
    assert EvidenceStore(tmp_path / "ada", SEAL, "ada").get("key") is not None


def test_evidence_behind_a_link_or_a_pipe_is_none(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path, SEAL, "doe")
    store.put("key", _run())
    (tmp_path / "key.evidence").rename(tmp_path / "elsewhere")
    (tmp_path / "key.evidence").symlink_to("elsewhere")
    assert store.get("key") is None
    (tmp_path / "key.evidence").unlink()
    os.mkfifo(tmp_path / "key.evidence")
    assert store.get("key") is None
    store.put("key", _run())
    assert store.get("key") is not None, "and it is replaced"


def test_a_lock_is_not_taken_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "operators").write_text("theirs")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "key.lock").symlink_to(tmp_path / "operators")
    with pytest.raises(OSError, match="symbolic"), EvidenceStore(tmp_path / "store", SEAL, "doe").lock("key"):
        pass
    assert (tmp_path / "operators").read_text() == "theirs"


def test_a_store_keeps_what_was_used_last(tmp_path: Path) -> None:
    """Files count by their last use, not by their age; locks and leftovers are removed."""
    store = EvidenceStore(tmp_path, SEAL, "doe", most_bytes=int(3.5 * (1 << 20)))
    for number in range(5):
        store.put(f"key{number}", _run(megabytes=1))
        os.utime(tmp_path / f"key{number}.evidence", (number, number))
    written = (tmp_path / "key0.evidence").stat().st_mtime_ns
    assert store.get("key0") is not None
    with store.lock("key0"):
        pass
    (tmp_path / ".key9.evidence.1234.tmp").write_bytes(b"half")
    store.prune()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key0.evidence", "key3.evidence", "key4.evidence"]
    assert (tmp_path / "key0.evidence").stat().st_mtime_ns == written
    store.prune()
    assert len(list(tmp_path.iterdir())) == 3
    EvidenceStore(tmp_path / "nowhere", SEAL, "doe").prune()
