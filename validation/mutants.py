"""Measures which small changes to a right solution the checks detect: each mutant is graded until a check fails.

Some mutants cannot be detected, because they change nothing, or only what the hand-out leaves open. Each of these
survivors is listed in `mutants.yaml` with the reason. A mutant that fails no check and is not listed there shows a gap
in the graders.

The file of a mutant is given relative to the folder of all references: "uva2020/part1/utils.py" belongs to the course
uva2020.
"""

from __future__ import annotations

import fnmatch
import json
import multiprocessing
import resource
import shutil
import signal
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import groupby
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from threading import RLock
from typing import Final

import yaml
from tqdm import tqdm

from gengrade.course import find
from gengrade.sandbox.closure import closure_of, probes
from validation.direct import TIER
from validation.journal import Journal
from validation.operators import Mutant, mutants_of
from validation.variants import COURSES
from validation.workbench import REFERENCE, Workbench, cells_of, not_passed, with_cells

_CPU_SECONDS: Final = 40  # CPU time for all checks of a mutant; one that exceeds it counts as caught
_SECONDS: Final = 900.0  # wall-clock time for all checks of a mutant, for mutants that sleep, on a busy machine
_REFERENCES: Final = REFERENCE.parent
_EXPLAINED: Final = Path(__file__).with_name("mutants.yaml")

_COLUMNS: Final = ("all", "caught", "equivalent", "open", "unexplained")

# For each file or folder, the prefix of the checks that grade it. Files of other folders are graded by all checks.
_FAMILIES: Final = {
    "uva2020/part1": "vae.",
    "uva2020/part2": "gan.",
    "uva2020/part3": "flow.",
    "uva2020": "theory.",
    "uva2018/a3_vae_template.py": "vae2018.",
    "uva2018/a3_gan_template.py": "gan2018.",
    "cs231n_gan": "image_gan.",
    "cs231n_ddpm": "ddpm.",
    "eecs498/gan.py": "image_gan.",
    "eecs498/vae.py": "vae.",
    "mila2023/vae_solution.py": "gaussian_vae.",
    "mila2023/gan_solution.py": "gan.",
    "mila2023/diffusion_solution.py": "ddpm.",
}

# If both training templates exist, the one in plain PyTorch is graded, so the mutants of the other are graded alone.
_INSTEAD_OF: Final = {
    "uva2020/part1/train_pl.py": "uva2020/part1/train_torch.py",
    "uva2020/part2/train_pl.py": "uva2020/part2/train_torch.py",
}

# Code that no check is about, as "file: definition". In all files, imports, annotations, docstrings, texts, defaults of
# arguments (which the hand-out gives) and code under `if __name__ == "__main__"` are left out, too.
_LEFT_OUT: Final[Mapping[str, Sequence[str]]] = {
    "it starts a whole training from the command line; the parts that it calls are graded instead": (
        "*: main",
        "*: seed_everything",
        "uva202*/part1/train_pl.py: train_vae",
        "uva2020/part2/train_pl.py: train_gan",
    ),
    "it trains, where networks are graded from saved weights, or after a training by our own loop": (
        "duke2017/homework.ipynb: ",  # what the notebook runs, and does not define
        "duke2017/homework.ipynb: batches",
        "duke2017/homework.ipynb: train_*",
        "duke2017/homework.ipynb: VAE.forward",
        "duke2017/homework.ipynb: vae_loss",
    ),
    "the rubric leaves it to a person": (
        "uva2021/part1/cnn_encoder_decoder.py: CNNEncoder*",
        "uva2021/part1/train_pl.py: ",
        "uva2021/part1/train_pl.py: VAE.training_step",
        "uva2021/part1/train_pl.py: VAE.configure_optimizers",
    ),
    "it writes pictures and logs, which are looked at by people and asked for in no particular form": (
        "uva202*/part1/*: sample_and_save",
        "uva202*/part1/*: GenerateCallback*",
        "uva2020/part2/*: save_grid",
        "uva2020/part2/*: *_and_save",
        "uva2020/part2/*: SaveImages*",
        "uva2020/part2/*: GenerateCallback*",
        "uva2020/part2/*: InterpolationCallback*",
        "uva2020/part2/utils.py: TensorBoardLogger*",
        "uva2020/part3/train.py: save_picture",
        "uva2020/part3/train.py: learned_density",
        "uva2020/part3/utils.py: *",
        "uva2018/a3_vae_template.py: save_elbo_plot",
        "uva2018/a3_gan_template.py: save_samples",
    ),
    "it names types, for annotations": ("uva2020/part1/train_torch.py: ",),
    "it is the hand-out's own": (
        "uva2020/part1/bmnist.py: *",
        "uva2020/part2/mnist.py: *",
        "uva2021/part1/mnist.py: *",
        "*: *.device",
        "uva2020/part3/model.py: NormalizingFlow.sample",
        "uva2018/a3_vae_template.py: run_epoch",
        "mila2023/gan_solution.py: ",  # networks and what else the notebook sets up: ours take their places
        "mila2023/gan_solution.py: Generator*",
        "mila2023/gan_solution.py: Discriminator*",
        "mila2023/vae_solution.py: Encoder*",
        "mila2023/vae_solution.py: Decoder*",
        "cs231n_ddpm/gaussian_diffusion.py: *_beta_schedule",  # our schedule takes its place
        "cs231n_ddpm/gaussian_diffusion.py: betas_of",
        "cs231n_ddpm/gaussian_diffusion.py: GaussianDiffusion.__init__",
        "cs231n_ddpm/gaussian_diffusion.py: GaussianDiffusion.unnormalize",
        "cs231n_ddpm/gaussian_diffusion.py: GaussianDiffusion.q_posterior",
        "cs231n_ddpm/gaussian_diffusion.py: GaussianDiffusion.sample",
        "cs231n_ddpm/unet.py: Upsample",  # how the layers within a block are written
        "cs231n_ddpm/unet.py: Downsample",
        "cs231n_ddpm/unet.py: RMSNorm*",
        "cs231n_ddpm/unet.py: SinusoidalPosEmb*",
        "cs231n_ddpm/unet.py: Block*",
        "cs231n_ddpm/unet.py: ResnetBlock*",
        "cs231n_ddpm/unet.py: Unet.context",
        "mit_flow/lab_one.py: ODE*",
        "mit_flow/lab_one.py: SDE*",
        "mit_flow/lab_one.py: Simulator*",
        "mit_flow/lab_two.py: Gaussian",
        "mit_flow/lab_two.py: Gaussian.*",
        "mit_flow/lab_two.py: GaussianMixture*",
        "mit_flow/lab_two.py: ConditionalProbabilityPath*",
        "mit_flow/lab_two.py: LinearConditionalProbabilityPath.conditional_score",
        "mit_flow/lab_two.py: MLPVectorField*",
        "mit_flow/lab_two.py: Trainer*",
        "mit_flow/lab_three.py: Trainer*",
    ),
}


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a mutant: the check that caught it, or None if it survived."""

    caught: str | None  # also "time" if it did not end, or "death" if it ended the process
    fault: str = ""  # the traceback of an error in a grader
    cpu_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why no check detects some changes: their kind is "equivalent", or "open" if the hand-out leaves them open."""

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
    stale: list[str] = field(default_factory=list)  # explanations of changes that did not survive

    @property
    def caught(self) -> int:
        """The number of mutants that were caught."""
        return sum(result.caught is not None for result in self.results.values())

    @property
    def survivors(self) -> list[Mutant]:
        """The survivors without an explanation."""
        return [
            mutant
            for mutant, result in self.results.items()
            if result.caught is None and not result.fault and mutant not in self.explained
        ]

    @property
    def faults(self) -> list[str]:
        """The mutants for which a grader failed, with the traceback."""
        return [f"{mutant}: {result.fault}" for mutant, result in self.results.items() if result.fault]

    @property
    def changing(self) -> int:
        """The number of mutants that change what the hand-out asks for."""
        return len(self.results) - len(self.explained)

    @property
    def share(self) -> float:
        """The share of these mutants that was caught."""
        return self.caught / max(1, self.changing)

    def by_file(self) -> dict[str, dict[str, int]]:
        """For each file, the numbers of all, caught and unexplained mutants, and of survivors of each kind."""
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
    """Yield the mutants of these files of the references, or of all files if none is named."""
    for file in files or _files():
        for source, whole in _modules(_REFERENCES / file):
            yield from (
                replace(mutant, source=whole(mutant.source))
                for mutant in mutants_of(source, file, partial(_left_out, file))
            )


def _files() -> Iterator[str]:
    """Yield all files with code in all references, course by course."""
    for course in COURSES:
        found = (path for kind in ("*.py", "*.ipynb") for path in (_REFERENCES / course).rglob(kind))
        yield from sorted(path.relative_to(_REFERENCES).as_posix() for path in found)


def _modules(path: Path) -> Iterator[tuple[str, Callable[[str], str]]]:
    """Yield the units of a file that are changed separately: a module, or each code cell of a notebook.

    Each comes with a function that turns the changed source into a whole file.
    """
    text = path.read_text()
    if path.suffix == ".py":
        yield text, str
        return
    sources = cells_of(text)
    for index, cell in enumerate(json.loads(text)["cells"]):
        if cell["cell_type"] == "code" and not sources[index].startswith("%"):
            yield sources[index], partial(_notebook_with, text, sources, index)


def _notebook_with(text: str, sources: Sequence[str], index: int, source: str) -> str:
    return with_cells(text, [*sources[:index], source, *sources[index + 1 :]])


def _left_out(file: str, definition: str) -> bool:
    name = f"{file}: {definition}"
    return any(fnmatch.fnmatchcase(name, pattern) for patterns in _LEFT_OUT.values() for pattern in patterns)


def survey(
    journal: Journal, jobs: int, watch: Callable[[int, int], None], chosen: Iterable[Mutant] | None = None
) -> Summary:
    """Grade all mutants, or the chosen ones, in `jobs` parallel processes, except those in the journal."""
    wanted = list(mutants() if chosen is None else chosen)
    results = {mutant: Result(**kept) for mutant in wanted if (kept := journal.get(mutant.key)) is not None}
    missing = [mutant for mutant in wanted if mutant not in results]
    for course, those in groupby(missing, _course):
        with tempfile.TemporaryDirectory(prefix="gengrade-validation-") as name:
            folder = Path(name)
            with Workbench(folder, TIER, course) as bench:
                for probe in probes():
                    closure_of(find(course), probe)  # computed and cached once, not in each mutant's process
                for mutant, result in _Survey(folder, bench, jobs).run(list(those)):
                    results[mutant] = result
                    journal.put(mutant.key, asdict(result))
                    watch(len(results), len(wanted))
    return summarise({mutant: results[mutant] for mutant in wanted}, explained())


def summarise(results: Mapping[Mutant, Result], explanations: Iterable[Explanation]) -> Summary:
    """Combine results and explanations. An explanation is stale if its change did not survive."""
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
    """Return the explanations of known survivors in mutants.yaml."""
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
    """Grades each mutant of a course in a forked process, so that its changes to torch or Python do not last."""

    def __init__(self, folder: Path, bench: Workbench, jobs: int) -> None:
        self._folder = folder
        self._bench = bench
        self._jobs = jobs
        self._context = multiprocessing.get_context("fork")
        # For each definition, how often each check caught mutants of it.
        self._catching: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._running: list[_Child] = []

    def run(self, chosen: Sequence[Mutant]) -> Iterator[tuple[Mutant, Result]]:
        waiting = [*chosen]
        self._grade_reference(waiting)
        try:
            while waiting or self._running:
                while waiting and len(self._running) < self._jobs:
                    self._running.append(self._start(waiting.pop(0)))
                for child in self._ended():
                    yield child.mutant, self._conclude(child)
        finally:
            for child in self._running:
                child.process.kill()

    def _grade_reference(self, chosen: Sequence[Mutant]) -> None:
        """Check that the reference passes, with either template. Imports and caches are then ready before forking."""
        families = {_family(mutant) for mutant in chosen}
        for missing in {_INSTEAD_OF.get(mutant.file) for mutant in chosen}:
            folder = _without(self._bench.variant({}), missing)
            failing = self._bench.failing(folder, *families)
            if failing:
                raise ValueError(f"the reference of {self._bench.course} without {missing} fails {failing}")

    def _start(self, mutant: Mutant) -> _Child:
        folder = Path(tempfile.mkdtemp(prefix="mutant-", dir=self._folder))
        checks = self._bench.unit_checks(_family(mutant))
        nearest = [id_ for id_, _ in self._catching[mutant.file, mutant.definition].most_common() if id_ in checks]
        groups = [*([id_] for id_ in nearest), [id_ for id_ in checks if id_ not in nearest]]
        answer, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_grade, args=(self._bench.branch(folder), mutant, groups, theirs))
        process.start()
        theirs.close()
        return _Child(mutant, process, answer, folder, time.monotonic())

    def _ended(self) -> list[_Child]:
        """Wait for a process to end, kills those whose time is up, and returns all that have ended."""
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
        return result


def _course(mutant: Mutant) -> str:
    return mutant.file.partition("/")[0]


def _inside(file: str) -> str:
    """Return the path of a file in a package of its course."""
    return file.partition("/")[2]


def _family(mutant: Mutant) -> str:
    return _FAMILIES.get(mutant.file) or _FAMILIES.get(str(Path(mutant.file).parent), "")


def _without(folder: Path, file: str | None) -> Path:
    if file is not None:
        (folder / _inside(file)).unlink()
    return folder


def _grade(bench: Workbench, mutant: Mutant, groups: Sequence[Sequence[str]], answer: Connection) -> None:
    """Run groups of checks on a mutant, in a process of its own, until a check fails."""
    tqdm.set_lock(
        RLock()
    )  # tqdm's default lock is shared by all processes, and a killed process would never release it
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    began = time.process_time()
    caught, fault = None, ""
    try:
        folder = _without(bench.variant({}), _INSTEAD_OF.get(mutant.file))
        (folder / _inside(mutant.file)).write_text(mutant.source)
        caught = next((id_ for group in groups for id_ in not_passed(bench.check(folder, *group))), None)
    except Exception:
        fault = traceback.format_exc()[-4000:]
    answer.send(Result(caught, fault, time.process_time() - began))
