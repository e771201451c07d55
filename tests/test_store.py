"""Files are written whole or not at all, and runs come back from where they were kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gengrade.authenticity import Seal
from gengrade.facts import Outcome
from gengrade.sandbox import Frame, Run
from gengrade.store import EvidenceStore, write_whole

SEAL = Seal.passing()


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
