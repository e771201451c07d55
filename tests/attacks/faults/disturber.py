"""Grade a class repeatedly while killing processes of the grader, and judge the results of each run."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.attacks.faults.classroom import RUN_SECONDS, Classroom
from tests.attacks.faults.processes import Process, all_gone, bubblewraps, send, words_of, workers, zygotes
from tests.attacks.faults.results import differences, doubled, results, said, unfair

_APPEAR_SECONDS: Final = 20.0  # for a process of the kind that is to be killed
_STRAY: Final = "a process was left alive"


@dataclass(frozen=True)
class Kind:
    """The kind of process to kill, and the signal."""

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
    """The numbers of kills by kind, and all problems."""

    kills: Counter[str] = field(default_factory=Counter)
    went_on: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    longest: dict[str, float] = field(default_factory=dict)  # until the processes of an ended command were gone
    commands: int = 0
    classes: int = 0
    ours: int = 0  # verdicts "our fault" in incomplete results, all graded again later
    problems: list[str] = field(default_factory=list)


class Disturber:
    """Grades a class repeatedly while killing processes."""

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
        """Return whether every submission is on every page exactly once."""
        names = self._classroom.names
        graded = sorted(name.split("/")[0] for name in found if name.endswith("/grade.json"))
        rows = sorted(line.split(",")[0] for line in found.get("gradebook.csv", "").splitlines()[1:])
        linked = [name for name in names if f'"{name}/report.html' in found.get("index.html", "")]
        lists = {"grades": graded, "rows": rows, "links": linked}
        return [f"{what} for {have} instead of {names}" for what, have in lists.items() if have != names]

    def _one_class(self, kills: int) -> None:
        """Grade one class until it is complete, then once more, which must use all earlier results."""
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
        """Run the command once with at most `kills` kills, and return its exit status."""
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
            status = process.wait(RUN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
            self._problem(f"the command did not end within {RUN_SECONDS:.0f} s after {[kind.name for kind in made]}")
        self._judge(status, made, printed.read_text(), errors.read_text())
        return status

    def _kill(self, engine: subprocess.Popen[bytes]) -> Kind | None:
        """Kill a process of a random kind at a random moment; return None if it had already ended."""
        kind = self._random.choice(KINDS)
        if kind.find is None and self._random.random() < 0.25:
            self._wait(engine, _APPEAR_SECONDS, self._all_observed)  # while grades and pages are written
            self._wait(engine, self._random.uniform(0, 0.6))
        else:
            self._wait(engine, min(self._random.expovariate(1 / self._pause), 5 * self._pause))
        find = kind.find or (lambda pid: [Process(pid, words_of(pid))])
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
        """Judge the results of a command that has ended, complete or not."""
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
