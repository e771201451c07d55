"""A class whose grading takes some minutes, the command on it, and the processes that carry it out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from gengrade.home import python_path
from validation.workbench import REFERENCE

SEED: Final = "7"
_SECRET: Final = "the same on all machines"
_RUBRIC: Final = """\
assignment: A small one
course: uva2020
parts:
  - name: Theory
    questions:
      - id: "3.1"
        title: A density
        points: 3
        items:
          - {check: theory.cubic_density, points: 3}
  - name: Flows
    questions:
      - id: "3.4"
        title: A flow
        points: 4
        items:
          - {check: flow.nll, points: 2}
          - {check: flow.bimodal_log_prob, points: 2}
"""
_WRONG: Final = ("return", "return 2 *")  # each fourth submission has this change in its flow
_SECONDS: Final = 900.0


@dataclass
class Klass:
    """A class of some students, and how long each run over it took."""

    folder: Path
    students: int
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.path.mkdir()
        (self.folder / "rubric.yaml").write_text(_RUBRIC)
        for number in range(self.students):
            self._hand_in(self.path / f"student{number:02}", number)

    @property
    def path(self) -> Path:
        return self.folder / "class"

    def _hand_in(self, into: Path, number: int) -> None:
        for part in ("answers.py", "part3"):
            for file in sorted((REFERENCE / part).rglob("*.py") if part == "part3" else [REFERENCE / part]):
                text = file.read_text()
                if number % 4 == 3 and file.name == "model.py":
                    text = text.replace(*_WRONG, 3)
                place = into / file.relative_to(REFERENCE)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(text)

    def begin(self, out: Path, words: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
        """Start the command with the class's seed and secret."""
        command = [sys.executable, "-P", "-X", "utf8", "-m", "gengrade", "grade", str(self.path), "--out", str(out)]
        command += ["--rubric", str(self.folder / "rubric.yaml"), "--profile", "unit", "--seed", SEED, *words]
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": python_path(),
                "GENGRADE_SECRET": _SECRET,
                "GENGRADE_KEY_FILE": str(self.folder / "key"),
                **environment,
            },
        )

    def grade(
        self,
        out: Path,
        *words: str,
        during: Callable[[], None] = lambda: None,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """Grade, and return what was said. `during`: is called while it goes on."""
        began = time.monotonic()
        process = self.begin(out, words, environment)
        try:
            during()
            said = process.communicate(timeout=_SECONDS)[0]
        except BaseException:
            process.kill()
            raise
        self.seconds[out.name] = time.monotonic() - began
        assert process.returncode == 0, said
        return said


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 300.0) -> None:
    """Wait until a condition holds. Raises AssertionError after that many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it did not happen within {seconds:.0f} s that {what}"
        time.sleep(0.1)


def processes(variable: str, value: str) -> Iterator[int]:
    """Yield the processes of this machine whose environment began with this variable."""
    wanted = f"{variable}={value}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)


def kill(numbers: Iterator[int]) -> None:
    """Kill processes without warning."""
    for number in list(numbers):
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def untouched(out: Path, ids: tuple[str, ...], before: float) -> bool:
    """Return whether the facts of these submissions are older than a time: nobody graded them again."""
    return all((out / id_ / "facts.json").stat().st_mtime < before for id_ in ids)
