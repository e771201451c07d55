"""What our own code finds out once on a machine: it is kept for later classes, and nobody can plant it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gengrade import gpus, processors
from gengrade.authenticity import Seal
from gengrade.caching import OURS, folder_of_ours
from gengrade.choices import CheckKind
from gengrade.course import find
from gengrade.engine.kept import kept_here
from gengrade.facts import Outcome
from gengrade.grading import Subject, probes
from gengrade.grading.subject import Circumstances
from gengrade.sandbox import DEFAULTS, Limits, Request, Run
from gengrade.store import EvidenceStore
from validation.workbench import Workbench

SEAL = Seal.temporary()
HERE = Circumstances(find("uva2020"), "", "cpu", 1, {"torch": "2"})
IMAGES = np.zeros((4, 1, 28, 28), dtype=np.uint8)


class _Counting:
    """Answers each request with a number of its own."""

    starting = 0.0

    def __init__(self, outcome: Outcome = Outcome.PASSED) -> None:
        self.requests: list[Request] = []
        self._outcome = outcome

    def run(self, request: Request) -> Run:
        self.requests.append(request)
        return Run(self._outcome, "", {"number": len(self.requests)})


class Machine:
    """A machine's cache, and classes that use it one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runner = _Counting()
        self._classes = 0

    def reference(
        self, seal: Seal = SEAL, circumstances: Circumstances = HERE, tree: str = "tree", *, cached: bool = True
    ) -> Subject:
        """Return the reference of another class, which has evidence, seeds and a secret of its own."""
        self._classes += 1
        store = EvidenceStore(self.folder / f"class-{self._classes}", seal, ".reference")
        machine = EvidenceStore(self.folder / OURS, seal, ".machine") if cached else None
        subject = Subject(Path(), tree, self.runner, store, circumstances, ours=True, machine=machine)
        subject.begin(lambda: self._classes, Limits())
        return subject

    def found(self, subject: Subject, images: Any = IMAGES) -> int:
        """Return the number of the run whose evidence a class gets."""
        return subject.once(probes.gan.train, images=images).integer("number")

    @property
    def file(self) -> Path:
        """The only file that is kept."""
        (file,) = (self.folder / OURS).glob("*.evidence")
        return file


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_later_class_finds_what_an_earlier_one_has_found_out(machine: Machine) -> None:
    assert [machine.found(machine.reference()) for _ in range(3)] == [1, 1, 1]
    assert len({request.seed for request in machine.runner.requests}) == 1


def test_without_the_cache_each_class_finds_it_out(machine: Machine) -> None:
    assert [machine.found(machine.reference(cached=False)) for _ in range(2)] == [1, 2]
    seeds = {request.seed for request in machine.runner.requests}
    assert len(seeds) == 1, "what is kept and what is found out again depend on the same seed"


def test_everything_that_decides_a_result_is_in_its_key(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.found(machine.reference())
    others = [
        machine.reference(tree="another reference"),
        machine.reference(circumstances=replace(HERE, versions={"torch": "3"})),
        machine.reference(circumstances=replace(HERE, threads=2)),
        machine.reference(circumstances=replace(HERE, course=find("mila2023"))),
    ]
    assert [machine.found(other) for other in others] == [2, 3, 4, 5]
    assert machine.found(machine.reference(), IMAGES + 1) == 6, "other data"
    monkeypatch.setattr("gengrade.grading.subject.fingerprint", lambda *_: "other code of ours")
    assert machine.found(machine.reference()) == 7
    monkeypatch.undo()
    monkeypatch.setattr(processors, "model", lambda: "another processor")
    assert machine.found(machine.reference()) == 8
    monkeypatch.undo()
    assert machine.found(machine.reference()) == 1


def test_a_gpu_has_results_of_its_own(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for model in ("one", "one", "another"):
        monkeypatch.setattr(gpus, "models", lambda model=model: (model,))
        subject = machine.reference(circumstances=replace(HERE, device="cuda"))
        subject.begin(lambda: 1, Limits(), trains=True)
        found.append(machine.found(subject))
    assert found == [1, 1, 2]
    assert machine.found(machine.reference()) == 3


@pytest.mark.parametrize("forged", ["another key", "changed", "moved", "of a student"])
def test_a_planted_file_counts_as_missing(machine: Machine, forged: str) -> None:
    machine.found(machine.reference())
    content = machine.file.read_bytes()
    if forged == "another key":
        assert machine.found(machine.reference(Seal.temporary())) == 2
        return
    if forged == "changed":
        machine.file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif forged == "moved":
        machine.found(machine.reference(), IMAGES + 1)
        first, second = sorted((machine.folder / OURS).glob("*.evidence"))
        first.write_bytes(second.read_bytes())
        second.write_bytes(content if second != machine.folder else b"")
        found = {machine.found(machine.reference()), machine.found(machine.reference(), IMAGES + 1)}
        assert max(found) > 2
        return
    else:
        key = machine.file.stem
        students = EvidenceStore(machine.folder / "student", SEAL, "student")
        students.put(key, Run(Outcome.PASSED, "", {"number": 99}))
        machine.file.write_bytes((machine.folder / "student" / f"{key}.evidence").read_bytes())
    assert machine.found(machine.reference()) == 2


def test_a_run_that_failed_is_not_kept(machine: Machine) -> None:
    machine.runner = _Counting(Outcome.ERROR)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="the reference failed"):
            machine.found(machine.reference())
    assert len(machine.runner.requests) == 2
    assert list(machine.folder.glob(f"{OURS}/*.evidence")) == []


def test_what_students_return_is_never_kept_for_others(tmp_path: Path) -> None:
    student = Subject(tmp_path, "tree", _Counting(), None, HERE)
    with pytest.raises(AssertionError):
        student.once(probes.gan.train, images=IMAGES)


def test_the_folder_is_the_operators_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    wanted = tmp_path / "cache" / "gengrade" / OURS
    assert folder_of_ours([tmp_path / "class"]) == wanted
    assert wanted.stat().st_mode & 0o777 == 0o700
    assert folder_of_ours([tmp_path]) is None, "within what is graded"
    assert wanted in {each.path for each in kept_here()}
    wanted.chmod(0o777)
    assert folder_of_ours([]) is None, "others may write to it"
    wanted.chmod(0o700)
    wanted.rename(tmp_path / "elsewhere")
    wanted.symlink_to(tmp_path / "elsewhere")
    assert folder_of_ours([]) is None, "a link"
    wanted.unlink()
    wanted.mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert folder_of_ours([]) is None, "another user's"


def test_a_folder_that_cannot_be_made_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert folder_of_ours([]) is None


def test_kept_and_fresh_results_are_the_same(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (64, 1, 28, 28), dtype=np.uint8)
    labels = np.arange(64) % 10
    kept = EvidenceStore(tmp_path / OURS, SEAL, ".machine")
    found = []
    with Workbench(tmp_path, "direct") as bench:
        for number, machine in enumerate((kept, kept, None)):
            store = EvidenceStore(tmp_path / f"class-{number}", SEAL, ".reference")
            subject = Subject(bench.reference, "tree", bench.sandbox, store, HERE, ours=True, machine=machine)
            subject.begin(lambda number=number: number, DEFAULTS[CheckKind.TRAIN])  # type: ignore[misc]
            found.append(subject.once(probes.common.classifier.train, images=images, labels=labels).state())
    for other in found[1:]:
        assert set(other) == set(found[0])
        assert all(np.array_equal(other[name], found[0][name]) for name in found[0])
