"""A bench for graders: run chosen checks on a folder, reference or broken, without the command around them."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from gengrade.data import DataSet, load
from gengrade.facts import CheckFact, Outcome
from gengrade.grading.checks import known, with_needs
from gengrade.grading.plugin import GradingPlugin, Observed
from gengrade.grading.session import run_session
from gengrade.grading.subject import Circumstances, Subject
from gengrade.sandbox import DEFAULTS, Limits, Sandbox, choose
from gengrade.store import EvidenceStore
from graders.layouts.uva2020 import PARTS

REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "uva2020"


class Workbench:
    """One sandbox for many small gradings. `isolation` as on the command line."""

    def __init__(self, folder: Path, isolation: str = "auto") -> None:
        self._folder = folder
        self._trees = folder / "trees"
        self._trees.mkdir()
        self._numbers = itertools.count()
        self.tier = choose(isolation, single=True)
        self.sandbox = Sandbox(self.tier, "uva2020", self._trees)
        self._store = EvidenceStore(folder / "reference-evidence")
        self.reference = self.tree(REFERENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sandbox.close()

    def variant(self, changes: Mapping[str, tuple[str, str] | list[tuple[str, str]]]) -> Path:
        """The reference with texts replaced: `{"part1/utils.py": ("old", "new")}`. Each old text must be there."""
        folder = self._folder / f"variant-{next(self._numbers)}"
        shutil.copytree(REFERENCE, folder, ignore=shutil.ignore_patterns("__pycache__"))
        for name, replacements in changes.items():
            file = folder / name
            text = file.read_text()
            for old, new in [replacements] if isinstance(replacements, tuple) else replacements:
                assert old in text, f"{name} does not hold {old!r}"
                text = text.replace(old, new)
            file.write_text(text)
        return folder

    def tree(self, folder: Path) -> Path:
        """The clean tree of a folder in the hand-out's shape."""
        tree = self._trees / f"tree-{next(self._numbers)}"
        for key, part in PARTS.items():
            (tree / key).mkdir(parents=True)
            source = folder / part.folder if part.folder else folder
            for file in sorted(source.rglob("*") if part.folder else (source / name for name in part.files)):
                if file.is_file() and "__pycache__" not in file.parts:
                    target = tree / key / file.relative_to(source)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, target)
            if not any((tree / key).iterdir()):
                (tree / key).rmdir()
        return tree

    def observe(
        self, folder: Path, *checks: str, seed: int = 0, data: str | None = "digits", limits: Limits | None = None
    ) -> Observed:
        """Runs these checks and what they need on a folder. Faults of the graders themselves fail the test."""
        wanted = frozenset(with_needs(set(checks)))
        circumstances = Circumstances("uva2020", self.tier, "cpu", 1, {})
        plugin = GradingPlugin(
            Subject(self.tree(folder), f"{folder}", self.sandbox, None, circumstances),
            Subject(self.reference, "reference", self.sandbox, self._store, circumstances, ours=True),
            lambda: _data(data),
            wanted=wanted,
            secret=f"seed {seed}".encode(),
            limits=lambda check, kind: limits or DEFAULTS[kind],
            folder=self._folder / f"facts-{next(self._numbers)}",
            on_check=lambda check: None,
            needs={},
            names={key: part.folder or "." for key, part in PARTS.items()},
        )
        observed = run_session(plugin, wanted)
        assert not observed.faults, observed.faults[0]
        return observed

    def check(self, folder: Path, *checks: str, seed: int = 0) -> dict[str, CheckFact]:
        return self.observe(folder, *checks, seed=seed).checks()

    def failing(self, folder: Path, *prefixes: str, seed: int = 0) -> dict[str, CheckFact]:
        """All unit checks with those prefixes ("vae.") that did not pass."""
        ids = [id_ for id_, check in known().items() if check.kind == "unit" and id_.startswith(prefixes)]
        facts = self.check(folder, *ids, seed=seed)
        return {id_: fact for id_, fact in facts.items() if fact.outcome is not Outcome.PASSED}


@cache
def _data(name: str | None) -> DataSet:
    return load(name)
