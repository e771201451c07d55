"""A short sample of the fuzzing of submissions, and tests that it notices faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from gengrade.submissions import preparing
from tests.attacks.fuzzing.handing_in import hand_in, search


def test_some_classes_of_strange_hand_ins_are_read() -> None:
    assert search(7_000_000, 20, 4, say=lambda line: None) == []


def test_an_exception_would_be_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(*arguments: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(preparing, "_copy", broken)
    with pytest.raises(OSError, match="Input/output error"):
        hand_in(7_000_000, tmp_path)


def test_a_name_that_is_not_safe_would_be_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = preparing._copy

    def copied(files: object, tree: Path, entry: object) -> str:
        digest = real(files, tree, entry)  # type: ignore[arg-type]
        tree.chmod(0o755)
        (tree / "a\u200b").write_bytes(b"")
        return digest

    monkeypatch.setattr(preparing, "_copy", copied)
    with pytest.raises(AssertionError):
        hand_in(7_000_000, tmp_path)
