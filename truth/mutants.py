"""How much of a change to a right solution do the checks see? Each mutant of the reference is graded until one fails.

What changes nothing, and what the hand-out leaves open, no check can see: each such survivor stands in `mutants.yaml`
with the reason. A mutant that fails no check and is not explained there is a hole in the graders.

It is the reference of 2020 whose mutants these are: it has the most checks, and it shares them with other editions.
"""

from __future__ import annotations

import fnmatch
import multiprocessing
import resource
import shutil
import signal
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Final

import yaml

from truth.direct import TIER
from truth.journal import Journal
from truth.operators import Mutant, mutants_of
from truth.workbench import REFERENCE, Workbench, not_passed, unit_checks

_CPU_SECONDS: Final = 40  # for all checks of a mutant together: some never end, and are caught
_SECONDS: Final = 900.0  # the same, for those that sleep, on a machine that is busy with other things
_EXPLAINED: Final = Path(__file__).with_name("mutants.yaml")

_COLUMNS: Final = ("all", "caught", "equivalent", "open", "unexplained")

# By folder of the reference, the prefix of the checks that grade it.
_FAMILIES: Final = {"part1": "vae.", "part2": "gan.", "part3": "flow.", ".": "theory."}

# Where both training templates are there, the one in plain PyTorch is graded: the other's mutants are handed in alone.
_INSTEAD_OF: Final = {
    "part1/train_pl.py": "part1/train_torch.py",
    "part2/train_pl.py": "part2/train_torch.py",
}

# What no check is about, as "file: definition". Everywhere, imports, annotations, docstrings and texts are left out,
# what stands under `if __name__ == "__main__"`, and defaults of arguments: those are the hand-out's own.
_LEFT_OUT: Final[Mapping[str, Sequence[str]]] = {
    "it starts a whole training from the command line; the parts that it calls are graded instead": (
        "*: main",
        "*: seed_everything",
        "part1/train_pl.py: train_vae",
        "part2/train_pl.py: train_gan",
    ),
    "it writes pictures and logs, which are looked at by people and asked for in no particular form": (
        "part1/*: sample_and_save",
        "part1/*: GenerateCallback*",
        "part2/*: save_grid",
        "part2/*: *_and_save",
        "part2/*: SaveImages*",
        "part2/*: GenerateCallback*",
        "part2/*: InterpolationCallback*",
        "part2/utils.py: TensorBoardLogger*",
        "part3/train.py: save_picture",
        "part3/train.py: learned_density",
        "part3/utils.py: *",
    ),
    "it names types, for annotations": ("part1/train_torch.py: ",),
    "it is the hand-out's own": (
        "part1/bmnist.py: *",
        "part2/mnist.py: *",
        "*: *.device",
        "part3/model.py: NormalizingFlow.sample",
    ),
}


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a mutant: the check that caught it, or none."""

    caught: str | None  # or "time" or "death", when it did not end or ended the process
    fault: str = ""  # of ours: a grader that fell over it
    cpu_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why some changes are seen by no check: they are "equivalent", or the hand-out leaves them "open"."""

    file: str
    within: str
    kind: str
    because: str
    changes: tuple[str, ...]


@dataclass(slots=True)
class Summary:
    """The outcome of a survey."""

    results: dict[Mutant, Result] = field(default_factory=dict)
    explained: dict[Mutant, Explanation] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)  # explanations of what is no survivor

    @property
    def caught(self) -> int:
        return sum(result.caught is not None for result in self.results.values())

    @property
    def survivors(self) -> list[Mutant]:
        """Those that nobody has explained."""
        return [
            mutant
            for mutant, result in self.results.items()
            if result.caught is None and not result.fault and mutant not in self.explained
        ]

    @property
    def faults(self) -> list[str]:
        return [f"{mutant}: {result.fault}" for mutant, result in self.results.items() if result.fault]

    @property
    def changing(self) -> int:
        """How many change what the hand-out asks for."""
        return len(self.results) - len(self.explained)

    @property
    def share(self) -> float:
        """Of those, the share that was caught."""
        return self.caught / max(1, self.changing)

    def by_file(self) -> dict[str, dict[str, int]]:
        """Counts of all mutants, of those caught, of the survivors of each kind, and of the unexplained."""
        table: dict[str, dict[str, int]] = {}
        unexplained = set(self.survivors)
        for mutant, result in self.results.items():
            row = table.setdefault(mutant.file, dict.fromkeys(_COLUMNS, 0))
            row["all"] += 1
            row["caught"] += result.caught is not None
            row["unexplained"] += mutant in unexplained
            if mutant in self.explained:
                row[self.explained[mutant].kind] += 1
        return table


def mutants(*files: str) -> Iterator[Mutant]:
    """The mutants of those files of the reference; of all if none is named."""
    for file in files or sorted(path.relative_to(REFERENCE).as_posix() for path in REFERENCE.rglob("*.py")):
        yield from mutants_of((REFERENCE / file).read_text(), file, partial(_left_out, file))


def _left_out(file: str, definition: str) -> bool:
    name = f"{file}: {definition}"
    return any(fnmatch.fnmatchcase(name, pattern) for patterns in _LEFT_OUT.values() for pattern in patterns)


def survey(
    journal: Journal, jobs: int, watch: Callable[[int, int], None], chosen: Iterable[Mutant] | None = None
) -> Summary:
    """Grades all mutants, or the chosen ones, so many side by side; what the journal holds is not graded again."""
    wanted = list(mutants() if chosen is None else chosen)
    results: dict[Mutant, Result] = {}
    with tempfile.TemporaryDirectory(prefix="gengrade-truth-") as folder, Workbench(Path(folder), TIER) as bench:
        for mutant, result in _Survey(Path(folder), bench, jobs, journal).run(wanted):
            results[mutant] = result
            watch(len(results), len(wanted))
    return summarise({mutant: results[mutant] for mutant in wanted}, explained())


def summarise(results: Mapping[Mutant, Result], explanations: Iterable[Explanation]) -> Summary:
    """Counts the results. An explanation must be of a survivor, if its file was surveyed."""
    summary = Summary(dict(results))
    files = {mutant.file for mutant in results}
    survivors: dict[tuple[str, str, str], list[Mutant]] = defaultdict(list)
    for mutant, result in results.items():
        if result.caught is None and not result.fault:
            survivors[mutant.file, mutant.definition, mutant.change].append(mutant)
    for each in explanations:
        for change in each.changes:
            found = survivors.get((each.file, each.within, change), [])
            summary.explained.update(dict.fromkeys(found, each))
            if not found and each.file in files:
                summary.stale.append(f"{each.file}: {each.within}: {change}")
    return summary


def explained() -> list[Explanation]:
    """The survivors that are known, and why each is right."""
    entries = yaml.safe_load(_EXPLAINED.read_text()) or []
    return [Explanation(**{**entry, "changes": tuple(entry["changes"])}) for entry in entries]


@dataclass(slots=True)
class _Child:
    """A process that grades a mutant."""

    mutant: Mutant
    process: ForkProcess
    answer: Connection
    folder: Path
    began: float


class _Survey:
    """Forks a process for each mutant: whatever it does to torch or to Python is gone with it."""

    def __init__(self, folder: Path, bench: Workbench, jobs: int, journal: Journal) -> None:
        self._folder = folder
        self._bench = bench
        self._jobs = jobs
        self._journal = journal
        self._context = multiprocessing.get_context("fork")
        self._catching: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)  # by definition, what caught others
        self._running: list[_Child] = []

    def run(self, chosen: Sequence[Mutant]) -> Iterator[tuple[Mutant, Result]]:
        waiting: list[Mutant] = []
        for mutant in chosen:
            result = self._remembered(mutant)
            if result is None:
                waiting.append(mutant)
            else:
                yield mutant, result
        if waiting:
            self._grade_reference({_family(mutant) for mutant in waiting})
        try:
            while waiting or self._running:
                while waiting and len(self._running) < self._jobs:
                    self._running.append(self._start(waiting.pop(0)))
                for child in self._ended():
                    yield child.mutant, self._conclude(child)
        finally:
            for child in self._running:
                child.process.kill()

    def _grade_reference(self, families: Set[str]) -> None:
        """It must pass, with either template. What is imported and remembered meanwhile, no forked process has to."""
        for missing in ((), _INSTEAD_OF.values()):
            folder = self._bench.variant({})
            for file in missing:
                (folder / file).unlink()
            failing = self._bench.failing(folder, *families)
            if failing:
                raise ValueError(f"the reference without {list(missing)} fails {failing}")

    def _remembered(self, mutant: Mutant) -> Result | None:
        kept = self._journal.get(mutant.key)
        return Result(**kept) if kept is not None else None

    def _start(self, mutant: Mutant) -> _Child:
        folder = Path(tempfile.mkdtemp(prefix="mutant-", dir=self._folder))
        checks = unit_checks(_family(mutant))
        nearest = [id_ for id_, _ in self._catching[mutant.file, mutant.definition].most_common() if id_ in checks]
        groups = [*([id_] for id_ in nearest), [id_ for id_ in checks if id_ not in nearest]]
        answer, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_grade, args=(self._bench.branch(folder), mutant, groups, theirs))
        process.start()
        theirs.close()
        return _Child(mutant, process, answer, folder, time.monotonic())

    def _ended(self) -> list[_Child]:
        """Those that have ended, or were ended since their time was up; waits for the first."""
        deadline = min(child.began for child in self._running) + _SECONDS
        wait([child.process.sentinel for child in self._running], max(0.0, deadline - time.monotonic()))
        for child in self._running:
            if time.monotonic() - child.began > _SECONDS:
                child.process.kill()
                child.process.join()
        ended = [child for child in self._running if not child.process.is_alive()]
        self._running = [child for child in self._running if child not in ended]
        return ended

    def _conclude(self, child: _Child) -> Result:
        child.process.join()
        try:
            result: Result = child.answer.recv()
        except EOFError:
            late = child.process.exitcode in (-signal.SIGXCPU, -signal.SIGKILL)
            result = Result("time" if late else "death")
        child.answer.close()
        shutil.rmtree(child.folder, ignore_errors=True)
        if result.caught is not None:
            self._catching[child.mutant.file, child.mutant.definition][result.caught] += 1
        self._journal.put(child.mutant.key, asdict(result))
        return result


def _family(mutant: Mutant) -> str:
    return _FAMILIES[str(Path(mutant.file).parent)]


def _grade(bench: Workbench, mutant: Mutant, groups: Sequence[Sequence[str]], answer: Connection) -> None:
    """In a process of its own: runs one group of checks after the other, until something fails."""
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    began = time.process_time()
    caught, fault = None, ""
    try:
        folder = bench.variant({mutant.file: ((REFERENCE / mutant.file).read_text(), mutant.source)})
        if mutant.file in _INSTEAD_OF:
            (folder / _INSTEAD_OF[mutant.file]).unlink()
        caught = next((id_ for group in groups for id_ in not_passed(bench.check(folder, *group))), None)
    except Exception:
        fault = traceback.format_exc()[-4000:]
    answer.send(Result(caught, fault, time.process_time() - began))
