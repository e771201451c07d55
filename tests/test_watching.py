"""A student's folder is watched, and a saved file says what is to be checked again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gengrade.course import courses
from gengrade.watching import State, families_of, saved

_UVA = ("vae", "gan", "flow", "theory")


def _scripted(states: list[State]) -> tuple[Iterator[tuple[str, ...]], list[float]]:
    """Return what is noticed if the looks show these states, and how long was waited between them."""
    waited: list[float] = []
    rest = iter(states)
    return saved(Path("x"), Path("y"), waited.append, lambda: next(rest)), waited


def _file(version: int) -> tuple[int, int, int]:
    return (version, 1, 1)


def test_what_is_changed_added_and_removed_is_said_once_it_has_settled() -> None:
    first = {"a.py": _file(1), "b.py": _file(1)}
    half = {"a.py": _file(2), "b.py": _file(1)}
    whole = {"a.py": _file(3), "c.py": _file(1)}
    changes, waited = _scripted([first, first, half, whole, whole])
    assert next(changes) == ("a.py", "b.py", "c.py")
    assert len(waited) == 3
    assert min(waited) > 0


def test_a_file_that_is_put_back_is_no_change() -> None:
    first = {"a.py": _file(1)}
    changes, _ = _scripted([first, {}, first, first, {"a.py": _file(2)}, {"a.py": _file(2)}])
    assert next(changes) == ("a.py",)


def test_what_is_saved_during_a_check_comes_next() -> None:
    one, two = {"a.py": _file(1)}, {"a.py": _file(2)}
    changes, _ = _scripted([{}, one, one, two, two])
    assert next(changes) == ("a.py",)
    assert next(changes) == ("a.py",), "the caller was busy when it was saved"


def test_a_folder_is_looked_at_without_what_nobody_hands_in(tmp_path: Path) -> None:
    out, kept = tmp_path / "selfcheck-results", tmp_path / "part1" / "utils.py"
    written = [out / "report.html", tmp_path / ".git" / "index", kept.parent / "__pycache__" / "utils.pyc", kept]
    for file in written:
        file.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text("a = 1")
    (tmp_path / "link.py").symlink_to(kept)  # which changes when the file itself does
    assert next(saved(tmp_path, out, _writes(written))) == ("part1/utils.py",)


def test_what_is_saved_before_the_first_wait_is_noticed(tmp_path: Path) -> None:
    changes = saved(tmp_path, tmp_path / "out", lambda seconds: None)
    (tmp_path / "utils.py").write_text("it was saved during the first check")
    assert next(changes) == ("utils.py",)


def test_an_archive_is_watched_as_a_whole(tmp_path: Path) -> None:
    archive = tmp_path / "hand-in.zip"
    archive.write_bytes(b"PK")
    assert next(saved(archive, tmp_path / "out", _writes([archive]))) == ("",)


def _writes(files: list[Path]) -> Callable[[float], None]:
    """Return what writes one more file each time that a watcher waits."""
    rest = iter(files)

    def sleep(seconds: float) -> None:
        file = next(rest, None)
        if file is not None:
            file.write_text("another text")

    return sleep


@pytest.mark.parametrize(
    ("course", "names", "families"),
    [
        ("uva2020", ["part1/utils.py"], {"vae"}),
        ("uva2020", ["ada/part1/cnn_encoder_decoder.py"], {"vae"}),
        ("uva2020", ["part1/a_helper_of_mine.py"], {"vae"}),
        ("uva2020", ["part1/utils.py", "part3/model.py"], {"vae", "flow"}),
        ("uva2020", ["answers.py"], {"theory"}),
        ("uva2020", ["my_helpers.py"], set(_UVA)),
        ("uva2020", ["part1/utils.py", "my_helpers.py"], set(_UVA)),
        ("uva2020", [""], set(_UVA)),
        ("uva2018", ["a3_vae_template.py"], {"vae2018"}),
        ("uva2018", ["a3_gan_template (1).py"], {"gan2018"}),
    ],
)
def test_a_saved_file_says_which_checks_are_touched(course: str, names: list[str], families: set[str]) -> None:
    of = {"uva2020": _UVA, "uva2018": ("vae2018", "gan2018")}[course]
    assert families_of(names, of, courses()[course].parts) == families
