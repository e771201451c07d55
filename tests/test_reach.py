"""A guest may read single folders, and no secret file below them."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from gengrade.sandbox import Exposed, Kept, Tier, examine, reach
from gengrade.sandbox.reach import Bind, Reach, reach_of
from tests.support.handed_in import SMALL_RUBRIC

_ROOT = Path(__file__).resolve().parents[1]
_PACKAGES = Path(sysconfig.get_path("purelib")).resolve()


def kept(path: Path, *, public: bool = False, wished: bool = False) -> Kept:
    return Kept("the folder of results", path, "Give another --out", public, wished)


def may_read(path: Path, found: Reach) -> bool:
    return any(each == str(path) or str(path).startswith(f"{each}/") for each in found.allowed)


@pytest.fixture
def lib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder that interpreters read, with nested packages and a link out of it."""
    lib = tmp_path.resolve() / "venv" / "lib"
    for name in ("a/deep/one", "a/deep/two", "a/other", "b"):
        (lib / name).mkdir(parents=True)
    (lib / "a" / "file.py").touch()
    (tmp_path / "outside").mkdir()
    (lib / "a" / "link").symlink_to(tmp_path / "outside")
    monkeypatch.setattr(reach, "_binds", lambda cuda: (Bind(str(lib), str(lib)),))
    return lib


def test_no_prefix_is_listed() -> None:
    found = reach_of([], listing=True, cuda=True)
    prefixes = {Path("/"), Path("/usr"), Path("/usr/local"), Path("/opt"), Path("/etc"), Path("/usr/src")}
    prefixes |= {Path(each) for each in (sys.prefix, sys.base_prefix, *map(str, Path(sys.prefix).parents))}
    assert prefixes.isdisjoint({Path(each) for bind in found.binds for each in (bind.path, bind.source)})
    assert not any(
        may_read(path, found) for path in (Path("/usr/src/app"), Path("/usr/local/src"), Path("/opt/course"))
    )
    assert may_read(_PACKAGES / "torch", found)
    assert may_read(Path(sys.executable).resolve(), found)


def test_what_is_kept_is_covered_and_everything_beside_it_stays(lib: Path) -> None:
    found = reach_of([kept(lib / "a" / "deep" / "one")], listing=False, cuda=False)
    assert found.covers == (str(lib / "a" / "deep" / "one"),)
    assert sorted(found.allowed) == [str(lib / each) for each in ("a/deep/two", "a/file.py", "a/other", "b")]


def test_what_is_kept_in_two_folders_in_each_other_is_covered_once(lib: Path) -> None:
    found = reach_of([kept(lib / "a" / "deep" / "one"), kept(lib / "a")], listing=False, cuda=False)
    assert found.covers == (str(lib / "a"),)
    assert found.allowed == (str(lib / "b"),)


def test_an_environment_inside_of_a_hidden_project_can_be_read(lib: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner, results = lib / "a" / "deep", lib / "a" / "deep" / "one"
    binds = (Bind(str(lib), str(lib)), Bind(str(inner), str(inner)))
    monkeypatch.setattr(reach, "_binds", lambda cuda: binds)
    found = reach_of([kept(lib / "a"), kept(results)], listing=False, cuda=False)
    assert (found.binds, set(found.covers)) == (binds, {str(lib / "a"), str(results)})
    assert sorted(found.allowed) == [str(inner / "two"), str(lib / "b")]


def test_a_folder_under_two_names_is_covered_under_both(lib: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binds = (Bind(str(lib), str(lib)), Bind("/elsewhere/lib64", str(lib)))
    monkeypatch.setattr(reach, "_binds", lambda cuda: binds)
    found = reach_of([kept(lib / "b")], listing=False, cuda=False)
    assert set(found.covers) == {str(lib / "b"), "/elsewhere/lib64/b"}


def test_what_is_mounted_there_from_elsewhere_is_covered(lib: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mount holds the whole secret folder, a part of it, or a folder around it."""
    disk = Path("/disk")
    mounts = [reach._Mount("8:1", "/", "/disk"), reach._Mount("8:2", "/", str(lib.parent))]
    mounts += [reach._Mount("8:1", "/course", str(lib / "a"))]
    mounts += [reach._Mount("8:1", "/course/results/one", str(lib / "b"))]
    monkeypatch.setattr(reach, "_mounts", lambda: mounts)
    (lib / "a" / "results").mkdir()
    found = reach_of([kept(disk / "course" / "results")], listing=False, cuda=False)
    assert set(found.covers) == {str(lib / "a" / "results"), str(lib / "b")}
    reach._places.cache_clear()  # of mounts that are not there


@pytest.mark.parametrize("tier", [Tier.SANDBOX, Tier.LANDLOCK])
def test_what_an_interpreter_needs_cannot_be_kept(tier: Tier) -> None:
    with pytest.raises(Exposed, match=rf"results \({_PACKAGES}\) is a folder that student code has to read.*--out"):
        reach_of([kept(_PACKAGES)], listing=tier is Tier.LANDLOCK, cuda=False)
    reach_of([kept(_PACKAGES, wished=True)], listing=tier is Tier.LANDLOCK, cuda=False)


def test_names_among_packages_cannot_be_kept_by_landlock_and_contents_can() -> None:
    place = _PACKAGES / "results"
    assert str(place) not in reach_of([kept(place)], listing=False, cuda=False).allowed
    with pytest.raises(Exposed, match="has to list in the tier 'landlock'"):
        reach_of([kept(place)], listing=True, cuda=False)
    found = reach_of([kept(_PACKAGES / "torch", public=True)], listing=True, cuda=False)
    assert found.listed == (str(_PACKAGES),)
    assert not may_read(_PACKAGES / "torch", found)
    assert may_read(_PACKAGES / "numpy", found)


def test_a_class_whose_results_would_be_read_is_refused(tmp_path: Path) -> None:
    if not any(finding.available for finding in examine() if finding.tier is not Tier.PROCESS):
        pytest.skip("this machine offers no isolation")
    (tmp_path / "class" / "doe").mkdir(parents=True)
    (tmp_path / "class" / "doe" / "answers.py").touch()
    (tmp_path / "rubric.yaml").write_text(SMALL_RUBRIC)
    out = Path(sysconfig.get_path("stdlib")).resolve()
    command = [sys.executable, str(_ROOT / "run_grading.py"), str(tmp_path / "class"), "--out", str(out)]
    command += ["--rubric", str(tmp_path / "rubric.yaml"), "--data", "digits"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 2, run.stdout + run.stderr
    assert f"the folder of results ({out}) is a folder that student code has to read" in run.stderr
    assert "Give another --out" in run.stderr
    assert not (out / ".gengrade").exists()


def test_the_doctor_says_what_lies_where_student_code_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stdlib = Path(sysconfig.get_path("stdlib")).resolve()
    hidden, exposed = reach.sentences([kept(stdlib / "email"), kept(stdlib)], listing=False)
    assert any(f"({stdlib / 'email'}) lies below {stdlib}: it is hidden from student code" in each for each in hidden)
    assert len(exposed) == 1
    assert "has to read" in exposed[0]
