"""Faults that are ours: a class is graded while pieces of the grader are killed at random moments.

`python -m tests.attacks.faults --kills 200` grades a class undisturbed, then again and again with kills, each run gone
on with until it is complete. What comes out in the end must be the same; on the way nothing worse than "our fault" may
stand anywhere.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from gengrade.grading.suspects import plant
from truth.workbench import REFERENCE, library

ROOT: Final = Path(__file__).resolve().parents[2]
RUBRIC: Final = """\
assignment: A small one
layout: uva2020
limits: {unit: {seconds: 12}}
parts:
  - name: Theory
    questions:
      - id: "3.1"
        title: A density
        points: 5
        items:
          - {check: theory.cubic_density, points: 3}
          - {manual: "The derivation", points: 2, id: derivation}
  - name: Flows
    questions:
      - id: "3.4"
        title: A flow
        points: 4
        items:
          - {check: flow.nll, points: 2}
          - {check: flow.bimodal_log_prob, points: 2}
"""
_SEED: Final = 7
_SECRET: Final = "the same in all runs that are compared"
_RUN_SECONDS: Final = 900.0
_APPEAR_SECONDS: Final = 20.0  # for a process of the kind that is to be killed
_GONE_SECONDS: Final = 15.0  # for all processes of a run that has ended
_SET_CHILD_SUBREAPER: Final = 36
_STRAY: Final = "a process was left alive"


# The class ----------------------------------------------------------------------------------------------------------

_DENSITY: Final = "    z = x**3\n"  # the first line of the body of cubic_density, and of what is put before it


def _density(folder: Path, *lines: str) -> None:
    """Lines at the beginning of a function that one check calls."""
    file = folder / "answers.py"
    source = file.read_text()
    assert _DENSITY in source
    file.write_text(source.replace(_DENSITY, "".join(f"    {line}\n" for line in lines) + _DENSITY))


def _planted(name: str) -> Callable[[Path], object]:
    return lambda folder: plant(library()[name], folder)


# Right and wrong in each way that leaves something else behind. The slow ones are there to be caught in the act.
_KINDS: Final[Mapping[str, Callable[[Path], object]]] = {
    "right": lambda folder: None,
    "named": _planted("answers.no_jacobian"),
    "slow": lambda folder: _density(folder, "import time", "time.sleep(0.4)"),
    "wrong": lambda folder: _density(folder, "return x * 0 + 0.123"),
    "endless": lambda folder: _density(folder, "while True: pass"),
    "broken": lambda folder: (folder / "part3" / "model.py").write_text("class NormalizingFlow(:\n"),
    "talks": lambda folder: _density(folder, "print('word ' * 30_000)"),
    "flow": _planted("flow.loss_in_bits"),
    "exits": lambda folder: _density(folder, "import os", "os._exit(0)"),
    "partial": lambda folder: (folder / "answers.py").unlink(),
}


def hand_in(classroom: Path, count: int) -> list[str]:
    """A class of so many, of all kinds in turn; an archive and a file that is none among them. Returns their ids."""
    kinds = list(_KINDS.items())
    names = []
    for number in range(count):
        kind, change = kinds[number % len(kinds)]
        folder = classroom / f"{kind}-{number:02d}"
        shutil.copytree(REFERENCE, folder, ignore=shutil.ignore_patterns("__pycache__", "part1", "part2"))
        change(folder)
        if (folder / "answers.py").exists():
            _sign(folder / "answers.py", number)
        names.append(folder.name)
    if count >= len(kinds):
        _pack(classroom, names[0])
        shutil.rmtree(classroom / names[-1])
        names[-1] = "unreadable"
        (classroom / "unreadable.zip").write_bytes(b"this is no archive")
    return sorted(names)


def _sign(file: Path, number: int) -> None:
    """No two are the same, so that none has another's evidence."""
    file.write_text(f"{file.read_text()}# {number}\n")


def _pack(classroom: Path, name: str) -> None:
    folder = classroom / name
    with zipfile.ZipFile(classroom / f"{name}.zip", "w") as archive:
        for file in sorted(folder.rglob("*.py")):
            archive.write(file, file.relative_to(folder))
    shutil.rmtree(folder)


@dataclass
class Classroom:
    """A class, and the command that grades it into `out` as a TA would."""

    folder: Path
    students: int
    tier: str = "auto"
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "class").mkdir(parents=True)
        self.names = hand_in(self.folder / "class", self.students)
        (self.folder / "rubric.yaml").write_text(RUBRIC)
        (self.folder / "tmp").mkdir()

    def command(self, out: Path, *arguments: str) -> list[str]:
        command = [sys.executable, str(ROOT / "run_grading.py"), str(self.folder / "class"), "--out", str(out)]
        command += ["--rubric", str(self.folder / "rubric.yaml"), "--profile", "unit", "--data", "digits"]
        return [*command, "--seed", str(_SEED), "--jobs", "2", "--isolation", self.tier, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """Temporary files in a folder of its own, to see what is left in it."""
        return {**os.environ, "TMPDIR": str(self.folder / "tmp"), "GENGRADE_SECRET": _SECRET}

    def grade(self, out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(out, *arguments),
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env=self.environment,
            timeout=_RUN_SECONDS,
        )

    def scratch(self, out: Path) -> list[str]:
        """What is of no use after a run, and still there."""
        work = out / ".gengrade"
        found = [*work.glob("sandbox-*"), *(self.folder / "tmp").iterdir(), *out.rglob(".*.tmp")]
        found += [tree for tree in (work / "trees").glob("*") if tree.name != ".reference"]
        return [f"{path.relative_to(self.folder)} was left behind" for path in found]


# Results, without times ---------------------------------------------------------------------------------------------


def without_times(path: Path) -> str:
    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(item) for key, item in value.items() if key not in ("seconds", "stages")}
        return [strip(item) for item in value] if isinstance(value, list) else value

    return json.dumps(strip(json.loads(path.read_text())), sort_keys=True, indent=1)


def results(out: Path) -> dict[str, str]:
    """All that a run leaves for people and programs, by file; no page of the class shows a time."""
    files = [*out.glob("*/facts.json"), *out.glob("*/grade.json")]
    found = {path.relative_to(out).as_posix(): without_times(path) for path in files}
    return found | {name: (out / name).read_text() for name in ("gradebook.csv", "index.html") if (out / name).exists()}


def differences(wanted: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Between two complete results, the first line of each file that differs."""
    problems = [f"{name} is there, and should not be" for name in found.keys() - wanted.keys()]
    for name, text in wanted.items():
        if name not in found:
            problems.append(f"{name} is not there")
        elif found[name] != text:
            pairs = zip(text.splitlines(), found[name].splitlines(), strict=False)
            lines = next((pair for pair in pairs if pair[0] != pair[1]), ("", "its length"))
            problems.append(f"{name}: {lines[1].strip()[:200]!r} instead of {lines[0].strip()[:200]!r}")
    return sorted(problems)


def unfair(wanted: Mapping[str, str], found: Mapping[str, str]) -> tuple[list[str], int]:
    """In results that may be incomplete: verdicts that are neither right nor ours, and how many are ours."""
    problems, ours = [], 0
    for name in (name for name in found if name.endswith("/facts.json")):
        right, given = json.loads(wanted[name])["checks"], json.loads(found[name])["checks"]
        for check, fact in given.items():
            outcomes = [test["outcome"] for test in fact["tests"]]
            if "infra" in outcomes:
                ours += 1
            elif outcomes != (expected := [test["outcome"] for test in right[check]["tests"]]):
                problems.append(f"{name}: {check} is {outcomes} instead of {expected}")
    for name in (name for name in found if name.endswith("/grade.json")):
        for id_, item in _items(found[name]).items():
            if item["outcome"] != "infra" and item["points"] < _items(wanted[name])[id_]["points"]:
                problems.append(f"{name}: {id_} has {item['points']} points for {item['outcome']}")
    return problems, ours


def _items(grade: str) -> dict[str, Any]:
    return {item["id"]: item for question in json.loads(grade)["questions"] for item in question["items"]}


def said(printed: str) -> Counter[str]:
    """How often the command said that it is done with a submission."""
    return Counter(re.findall(r"^\[\d+/\d+\] (\S+): (?:graded|failed)", printed, re.MULTILINE))


def doubled(printed: str, names: Sequence[str]) -> list[str]:
    lines = said(printed)
    twice = [f"{name} was graded {count} times in a run" for name, count in lines.items() if count > 1]
    return [*twice, *(f"{name} is nobody" for name in lines if name not in names)]


# Processes ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Process:
    pid: int
    words: tuple[str, ...]  # of its command line
    parent: Process | None = None

    def runs(self, word: str) -> bool:
        return any(part.endswith(word) for part in self.words)

    @property
    def is_bubblewrap(self) -> bool:
        return bool(self.words) and Path(self.words[0]).name == "bwrap"


def below(pid: int, parent: Process | None = None) -> Iterator[Process]:
    """All processes that descend from one, each after its parent. Found by parent, so that none is anybody else's."""
    for task in _listed(Path(f"/proc/{pid}/task")):
        for child in _read(task / "children").split():
            words = tuple(_read(Path(f"/proc/{child}/cmdline")).split("\0")[:-1])
            process = Process(int(child), words, parent)
            yield process
            yield from below(process.pid, process)


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def workers(engine: int) -> list[Process]:
    return [each for each in below(engine) if each.parent is None and each.runs("gengrade.worker")]


def bubblewraps(engine: int) -> list[Process]:
    """Around zygotes: both of each, the one outside and the first process inside."""
    return [each for each in below(engine) if each.is_bubblewrap and each.runs("zygote.py")]


def zygotes(engine: int) -> list[Process]:
    """Not the runs that they forked, which look the same: what becomes of those is the student's."""
    return [
        each
        for each in below(engine)
        if each.runs("zygote.py")
        and not each.is_bubblewrap
        and each.parent is not None
        and (each.parent.is_bubblewrap or each.parent.runs("gengrade.worker"))
    ]


def send(process: Process, number: signal.Signals) -> bool:
    """False when it was gone by then."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if tuple(_read(Path(f"/proc/{process.pid}/cmdline")).split("\0")[:-1]) != process.words:
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def adopt_orphans() -> None:
    """From now on, whoever loses its parent becomes a child of this process: nothing that is left alive is missed."""
    if ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError("prctl")


def all_gone(seconds: float = _GONE_SECONDS) -> tuple[float, list[Process]]:
    """Waits until nothing of a run is left: how long that took, and what did not go by itself and was ended here."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        _reap()
        if not any(below(os.getpid())):
            return time.monotonic() - began, []
        time.sleep(0.01)
    left = list(below(os.getpid()))
    for process in left:
        send(process, signal.SIGKILL)
    time.sleep(0.2)
    _reap()
    return seconds, left


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


# Kills --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """What is killed, and how."""

    name: str
    number: signal.Signals
    find: Callable[[int], list[Process]] | None = None  # below the engine; None: the engine itself


KINDS: Final = (
    Kind("zygote, SIGKILL", signal.SIGKILL, zygotes),
    Kind("worker, SIGKILL", signal.SIGKILL, workers),
    Kind("bubblewrap, SIGKILL", signal.SIGKILL, bubblewraps),
    Kind("engine, SIGKILL", signal.SIGKILL),
    Kind("engine, SIGTERM", signal.SIGTERM),
    Kind("engine, SIGINT", signal.SIGINT),
)
# How the command may end: by itself, or as it was told to.
_STATUS: Final = {
    signal.SIGKILL: (-signal.SIGKILL,),
    signal.SIGTERM: (-signal.SIGTERM, 143, 130),
    signal.SIGINT: (-signal.SIGINT, 130),
}


@dataclass
class Tally:
    """What came of the kills, by kind, and all that was not as it should be."""

    kills: Counter[str] = field(default_factory=Counter)
    went_on: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    longest: dict[str, float] = field(default_factory=dict)  # until the processes of an ended command were gone
    commands: int = 0
    classes: int = 0
    ours: int = 0  # verdicts "our fault" in incomplete results, all graded again later
    problems: list[str] = field(default_factory=list)


class Disturber:
    """Grades a class again and again, killing."""

    def __init__(self, classroom: Classroom, seed: int, per_class: int, pause: float) -> None:
        self._classroom = classroom
        self._random = random.Random(seed)
        self._per_class = per_class
        self._pause = pause
        self._out = classroom.folder / "results"
        self._wanted: dict[str, str] = {}
        self.tally = Tally()

    def run(self, kills: int, watch: Callable[[str], None] = lambda line: None) -> Tally:
        began = time.monotonic()
        calm = self._classroom.folder / "calm"
        run = self._classroom.grade(calm)
        if run.returncode != 0:
            raise RuntimeError(f"undisturbed, the command ended with {run.returncode}:\n{run.stdout}\n{run.stderr}")
        self._wanted = results(calm)
        self._problem(*self._complete(self._wanted))
        watch(f"undisturbed: {time.monotonic() - began:.0f} s")
        while (done := self.tally.kills.total()) < kills:
            self._one_class(min(self._per_class, kills - done))
            watch(
                f"{self.tally.kills.total()} kills, {time.monotonic() - began:.0f} s: {self.tally.problems or 'fine'}"
            )
        return self.tally

    def _problem(self, *words: str) -> None:
        self.tally.problems.extend(words)

    def _complete(self, found: Mapping[str, str]) -> list[str]:
        """Every submission once, on every page."""
        names = self._classroom.names
        graded = sorted(name.split("/")[0] for name in found if name.endswith("/grade.json"))
        rows = sorted(line.split(",")[0] for line in found.get("gradebook.csv", "").splitlines()[1:])
        linked = [name for name in names if f'"{name}/report.html' in found.get("index.html", "")]
        lists = {"grades": graded, "rows": rows, "links": linked}
        return [f"{what} for {have} instead of {names}" for what, have in lists.items() if have != names]

    def _one_class(self, kills: int) -> None:
        """One results folder, from nothing to complete; then the next run, which finds all that was done."""
        shutil.rmtree(self._out, ignore_errors=True)
        self.tally.classes += 1
        status = None
        while status != 0 and self.tally.commands < 10_000:
            wanted = self.tally.kills.total() + kills
            status = self._one_command(kills)
            kills = max(0, wanted - self.tally.kills.total())
        found = results(self._out)
        self._problem(*differences(self._wanted, found), *self._complete(found))
        again = self._classroom.grade(self._out)
        # What cannot be opened is looked at again each time.
        if again.returncode != 0 or not said(again.stdout).keys() <= {"unreadable"}:
            self._problem(f"a run over a complete class did not find it complete: {again.stdout}{again.stderr}")
        self._problem(*differences(found, results(self._out)), *self._classroom.scratch(self._out))

    def _one_command(self, kills: int) -> int:
        """One run of the command, with up to so many kills in it. Returns its exit status."""
        self.tally.commands += 1
        printed, errors = self._classroom.folder / "stdout", self._classroom.folder / "stderr"
        made: list[Kind] = []
        with printed.open("w") as stdout, errors.open("w") as stderr:
            process = subprocess.Popen(
                self._classroom.command(self._out),
                stdout=stdout,
                stderr=stderr,
                cwd=self._classroom.folder,
                env=self._classroom.environment,
            )
        while len(made) < kills and process.poll() is None:
            kind = self._kill(process)
            if kind is None:
                continue
            self.tally.kills[kind.name] += 1
            made.append(kind)
            if kind.find is None:
                break
        try:
            status = process.wait(_RUN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
            self._problem(f"the command did not end within {_RUN_SECONDS:.0f} s after {[kind.name for kind in made]}")
        self._judge(status, made, printed.read_text(), errors.read_text())
        return status

    def _kill(self, engine: subprocess.Popen[bytes]) -> Kind | None:
        """Kills something of a random kind at a random moment; None when that came too late."""
        kind = self._random.choice(KINDS)
        if kind.find is None and self._random.random() < 0.25:
            self._wait(engine, _APPEAR_SECONDS, self._all_observed)  # while grades and pages are written
            self._wait(engine, self._random.uniform(0, 0.6))
        else:
            self._wait(engine, min(self._random.expovariate(1 / self._pause), 5 * self._pause))
        find = kind.find or (lambda pid: [Process(pid, tuple(_read(Path(f"/proc/{pid}/cmdline")).split("\0")[:-1]))])
        self._wait(engine, _APPEAR_SECONDS, lambda: bool(find(engine.pid)))
        if self._random.random() < 0.5:
            self._wait(engine, self._random.uniform(0, 0.5))  # not always as soon as it is there
        there = find(engine.pid)
        if engine.poll() is not None or not there or not send(self._random.choice(there), kind.number):
            return None
        return kind

    def _all_observed(self) -> bool:
        return all((self._out / name / "facts.json").is_file() for name in self._classroom.names)

    @staticmethod
    def _wait(engine: subprocess.Popen[bytes], seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and engine.poll() is None and not until():
            time.sleep(0.005)

    def _judge(self, status: int, made: Sequence[Kind], printed: str, errors: str) -> None:
        """What a command left that has ended, complete or not."""
        last = made[-1] if made and made[-1].find is None else None
        stopped = last is not None and status in _STATUS[last.number]
        seconds, left = all_gone()
        for kind in made:
            (self.tally.ended if kind is last and stopped else self.tally.went_on)[kind.name] += 1
        if made:
            self.tally.longest[made[-1].name] = max(self.tally.longest.get(made[-1].name, 0.0), seconds)
        after = f"after {[kind.name for kind in made]}"
        self._problem(*(f"{_STRAY} {after}: {' '.join(process.words)[-200:]}" for process in left))
        if not stopped and status not in (0, 1):
            self._problem(f"the command ended with {status} {after}: {errors[-1500:]}")
        if "Traceback" in errors and not errors.rstrip().endswith("KeyboardInterrupt"):
            self._problem(f"a traceback {after}: {errors[-1500:]}")
        try:
            found = results(self._out)
        except ValueError as error:
            self._problem(f"a result is half written {after}: {error}")
            return
        problems, ours = unfair(self._wanted, found)
        self.tally.ours += ours
        if status == 1 and not ours:
            problems.append("the command ended with 1, and no fault of ours is anywhere")
        self._problem(*(f"{problem} {after}" for problem in (*problems, *doubled(printed, self._classroom.names))))


def show(tally: Tally, console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("Killed")
    for heading in ("times", "the run went on", "the run ended, and was gone on with", "all processes gone within"):
        table.add_column(heading, justify="right")
    for kind in KINDS:
        gone = tally.longest.get(kind.name)
        cells = [str(counter[kind.name]) for counter in (tally.kills, tally.went_on, tally.ended)]
        table.add_row(kind.name, *cells, "" if gone is None else f"{gone:.2f} s")
    console.print(table)
    console.print(
        f"{tally.kills.total()} kills in {tally.commands} runs of the command over {tally.classes} results folders;"
        f" {tally.ours} verdicts were “our fault” on the way."
    )
    for problem in tally.problems:
        console.print(f"WRONG: {problem}", markup=False, soft_wrap=True)
    if not tally.problems:
        console.print(
            "All results as without kills: no zero, nothing lost or doubled, no process and no scratch folder left."
        )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attacks.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--students", type=int, default=20)
    parser.add_argument("--per-class", type=int, default=25, help="kills before a class is left to be completed")
    parser.add_argument("--pause", type=float, default=2.5, help="seconds between kills, on the average")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tier", default="auto")
    parser.add_argument("--folder", type=Path, help="where to work, kept afterwards; it must not exist")
    options = parser.parse_args(arguments)
    adopt_orphans()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and all they start
    console = Console(width=120)
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        classroom = Classroom(folder / "work", options.students, options.tier)
        disturber = Disturber(classroom, options.seed, options.per_class, options.pause)
        tally = disturber.run(options.kills, lambda line: console.print(line, markup=False, soft_wrap=True))
    show(tally, console)
    return int(bool(tally.problems))


if __name__ == "__main__":
    sys.exit(main())
