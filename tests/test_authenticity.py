"""The operator's key, and files that are trusted because they carry its code."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gengrade.authenticity import KeyFileError, Seal, authority

SEAL = Seal.temporary()


def _seal(file: Path) -> Seal:
    made = authority([], {"GENGRADE_KEY_FILE": str(file)})
    assert made.note is None
    return made.seal


def test_what_was_sealed_comes_back_and_nothing_else_does() -> None:
    sealed = SEAL.sealed("facts", "doe", b"content")
    assert SEAL.opened("facts", "doe", sealed) == b"content"
    assert SEAL.opened("facts", "roe", sealed) is None
    assert SEAL.opened("seed", "doe", sealed) is None
    assert Seal.temporary().opened("facts", "doe", sealed) is None
    assert all(SEAL.opened("facts", "doe", sealed[:length]) is None for length in range(len(sealed)))
    assert SEAL.sealed("a", "bc", b"") != SEAL.sealed("ab", "c", b"")


def test_a_sealed_object_is_json_that_other_programs_read() -> None:
    sealed = SEAL.sealed_json("facts", "doe", json.dumps({"points": 1, "of": {"a": "}"}}, indent=1))
    read = json.loads(sealed)
    assert len(bytes.fromhex(read.pop("code"))) == 32
    opened = SEAL.opened_json("facts", "doe", sealed.encode())
    assert opened is not None
    assert json.loads(opened) == read == {"points": 1, "of": {"a": "}"}}
    assert SEAL.opened_json("facts", "roe", sealed.encode()) is None
    assert SEAL.opened_json("facts", "doe", sealed.replace("1", "2", 1).encode()) is None


@given(st.binary(max_size=300))
def test_no_bytes_are_an_object_by_accident(content: bytes) -> None:
    assert SEAL.opened_json("facts", "doe", content) is None
    assert SEAL.opened("facts", "doe", content) is None


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "state" / "gengrade" / "key"
    assert _seal(file) == _seal(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [path.name for path in file.parent.iterdir()] == ["key"]


def test_processes_that_begin_at_once_agree(tmp_path: Path) -> None:
    program = "from gengrade.authenticity import authority; print(authority([]).seal.key.hex())"
    environment = {**os.environ, "GENGRADE_KEY_FILE": str(tmp_path / "new" / "key")}
    command = [sys.executable, "-c", program]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) for _ in range(4)]
    assert len({process.communicate(timeout=240)[0] for process in processes}) == 1


def _linked(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))
    file.symlink_to(file.with_name("elsewhere"))


def _piped(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_linked, "it is a symbolic link"),
        (_piped, "it is not a regular file"),
        (lambda file: file.chmod(0o640), "other users may read or change it"),
        (lambda file: file.write_bytes(b"short"), "it does not hold a key of 32 bytes"),
        pytest.param(
            lambda file: os.chown(file, 12345, -1),
            "it belongs to another user (12345)",
            marks=pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away"),
        ),
    ],
)
def test_a_key_that_may_be_somebody_elses_is_refused(tmp_path: Path, spoil: Callable[[Path], None], words: str) -> None:
    file = tmp_path / "key"
    _seal(file)
    spoil(file)
    with pytest.raises(KeyFileError) as refused:
        _seal(file)
    assert words in str(refused.value)
    assert str(file) in str(refused.value)
    assert "remove it" in str(refused.value)


@pytest.mark.parametrize("environment", [{"XDG_STATE_HOME": "@"}, {"GENGRADE_KEY_FILE": "@/key"}])
def test_where_no_key_can_be_kept_nothing_is_believed(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "file").write_text("no folder")
    environment = {name: value.replace("@", str(tmp_path / "file")) for name, value in environment.items()}
    one, other = (authority([], environment) for _ in range(2))
    assert one.note is not None
    assert "everything is computed again" in one.note
    assert "\n" not in one.note
    assert one.seal != other.seal


def test_a_key_within_a_submission_is_its_authors(tmp_path: Path) -> None:
    """The home folder may be the checked-out repository of a student, who put a key there."""
    planted = tmp_path / "doe" / ".local" / "state" / "gengrade" / "key"
    planted.parent.mkdir(parents=True)
    planted.write_bytes(bytes(32))
    planted.chmod(0o600)
    environment = {"XDG_STATE_HOME": str(tmp_path / "doe" / ".local" / "state")}
    assert authority([tmp_path / "roe"], environment).seal == Seal(bytes(32))
    (tmp_path / "linked").symlink_to(tmp_path / "doe")
    for folder in (tmp_path / "doe", tmp_path / "linked"):
        found = authority([folder], environment)
        assert found.seal != Seal(bytes(32))
        assert found.note is not None
        assert "inside the submissions" in found.note


def test_the_key_is_in_no_text_about_it() -> None:
    assert SEAL.key.hex() not in repr(SEAL)
    assert repr(SEAL.key) not in repr(SEAL)
