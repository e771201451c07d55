"""Grade a class of attackers and honest students with the real command, and judge each attack's effect."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from tests.attacks.attack import Attack
from tests.attacks.shown import Printed, on_a_terminal
from tests.attacks.tripwires import Tripwires
from validation.workbench import REFERENCE

_ROOT: Final = Path(__file__).resolve().parents[2]
_SEED: Final = 5
_LIMITS: Final = "limits: {unit: {seconds: 8}, train: {seconds: 120}}"  # nobody waits long for an endless loop
_NEIGHBOURS: Final = ("00-first", "zz-last")  # graded before and after the attackers
_REFERENCES_SECRET: Final = "at the optimum D is 1/2 everywhere"  # a comment of the reference's
_GRADERS_SECRET: Final = "the divergence of kl_small is not very small"  # a message of a grader's
_RUN_SECONDS: Final = 3600
_NOT_JUDGED: Final = {"points": 0.0, "outcome": None}  # a training that is not run, and blocked where a file is broken


@dataclass(frozen=True)
class Row:
    """The result of an attack: problems of each kind, or none if it was stopped."""

    attack: Attack
    tier: str
    gained: tuple[str, ...]
    spilled: tuple[str, ...]
    control: tuple[str, ...]

    @property
    def stopped(self) -> bool:
        return not (self.gained or self.spilled or self.control)

    @property
    def declared(self) -> str:
        """The declared reason why this tier does not stop the attack; None if it should."""
        return self.attack.open_in.get(self.tier, "")


@dataclass
class Course:
    """A folder in which a class is graded in a tier, by this user or by another one."""

    folder: Path
    tier: str
    uid: int | None = None
    arguments: Sequence[str] = ()
    printed: str = ""
    _secret: str = field(default_factory=lambda: secrets.token_hex(32))  # the same questions where nobody attacks
    _grades: dict[str, dict[str, Any]] = field(default_factory=dict)

    def judge(self, attacks: Sequence[Attack]) -> list[Row]:
        """Grade all submissions of the attacks in one class, and return the results."""
        ((profile, asked),) = {(attack.profile, attack.asked) for attack in attacks}
        self.folder.mkdir()
        (self.folder / "rubric.yaml").write_text(_rubric(asked))
        undisturbed = self._undisturbed(profile)
        classroom, out = self.folder / "class", self.folder / "results"
        with Tripwires(self._own("traps")) as tripwires:
            traps = tripwires.traps(out, classroom)
            self._hand_in(classroom, attacks, traps, tripwires.neighbours_secret)
            self._grade(classroom, out, profile, tripwires.environment)
            sprung = tripwires.sprung(out, classroom)
            whole = [*sprung, *self._neighbours(out, undisturbed), *self._lost(classroom, out)]
            kept = {
                "the reference": _REFERENCES_SECRET,
                "the graders": _GRADERS_SECRET,
                "the run's secret": self._secret,
                "the operator's key": self._key.read_bytes().hex(),
            }
            return [self._row(attack, out, whole, tripwires.leaked(out / attack.id, kept)) for attack in attacks]

    @property
    def _key(self) -> Path:
        return self.folder / "operator" / "key"

    @property
    def _ours(self) -> dict[str, str]:
        """Return the operator's environment variables that the harness reads."""
        return {"GENGRADE_SECRET": self._secret, "GENGRADE_KEY_FILE": str(self._key)}

    def _undisturbed(self, profile: str) -> dict[str, Any]:
        """Return the grade of an honest submission in a class without attacks."""
        classroom, out = self.folder / "calm", self.folder / "calm-results"
        for name in _NEIGHBOURS:
            _honest(classroom / name, "")
        self._grade(classroom, out, profile, dict(os.environ))
        return read_grade(out / _NEIGHBOURS[0])

    def _own(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(parents=True)
        return folder

    def _hand_in(self, classroom: Path, attacks: Iterable[Attack], traps: Mapping[str, str], secret: str) -> None:
        for name in _NEIGHBOURS:
            _honest(classroom / name, secret)
        for attack in attacks:
            attack.write_hostile(classroom / attack.id, traps)
            attack.write_control(classroom / f"{attack.id}-control", traps)
            if not (classroom / plain_name(attack)).exists():
                attack.write_plain(classroom / plain_name(attack))

    def _command(self, classroom: Path, out: Path, profile: str) -> list[str]:
        rubric = self.folder / "rubric.yaml"
        command = [sys.executable, str(_ROOT / "run_grading.py"), str(classroom), "--out", str(out)]
        command += ["--rubric", str(rubric), "--profile", profile, "--seed", str(_SEED), "--data", "digits"]
        command += ["--isolation", self.tier, *self.arguments]
        if self.uid is not None:
            _give(self.folder, self.uid)
            command = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups", *command]
        return command

    def _grade(self, classroom: Path, out: Path, profile: str, environment: Mapping[str, str]) -> None:
        command = self._command(classroom, out, profile)
        run = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env={**environment, **self._ours},
            timeout=_RUN_SECONDS,
        )
        self.printed += run.stdout + run.stderr
        if run.returncode != 0:
            raise RuntimeError(f"the command ended with {run.returncode}:\n{run.stdout[-3000:]}\n{run.stderr[-3000:]}")

    def _printed(self, attack: Attack, out: Path) -> Printed:
        """Return what the command prints about one graded submission on a terminal and in a workflow."""
        folder = self._own(f"printed/{attack.id}")
        junit, summary = folder / "junit.xml", folder / "summary.md"
        command = [*self._command(out.parent / "class", out, attack.profile), "--only", attack.id]
        environment = {**os.environ, **self._ours}
        terminal = on_a_terminal([*command, "--github"], environment, folder)
        log = subprocess.run(
            [*command, "--github", "--junit", str(junit)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            env={**environment, "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)},
            timeout=_RUN_SECONDS,
        ).stdout
        return Printed(terminal, log.decode("utf-8", "replace"), summary.read_text(), junit)

    def _neighbours(self, out: Path, undisturbed: Mapping[str, Any]) -> list[str]:
        return [
            f"{name} was graded otherwise: {difference}"
            for name in _NEIGHBOURS
            for difference in differences(undisturbed, read_grade(out / name))
        ]

    @staticmethod
    def _lost(classroom: Path, out: Path) -> list[str]:
        """Return the submissions without a grade, or with a fault of the harness."""
        problems = []
        for submission in sorted(classroom.iterdir()):
            folder = out / submission.name.partition(".")[0]
            if not (folder / "grade.json").is_file():
                problems.append(f"{submission.name} has no grade")
            elif (folder / "faults.log").is_file():
                problems.append(f"{submission.name}: {(folder / 'faults.log').read_text()[-600:]}")
        return problems

    def _row(self, attack: Attack, out: Path, whole: Sequence[str], leaked: Sequence[str]) -> Row:
        hostile, plain = read_grade(out / attack.id), read_grade(out / plain_name(attack))
        control = read_grade(out / f"{attack.id}-control")
        gained, spilled, wrong = [], [*whole, *leaked], []
        for id_, item in hostile.items():
            before = plain.get(id_, _NOT_JUDGED)
            if item["points"] > before["points"]:
                gained.append(f"{id_}: {item['points']:g} points instead of {before['points']:g}")
            elif not id_.startswith(attack.touches) and verdict(item) != verdict(before):
                spilled.append(f"{id_}: {verdict(item)} instead of {verdict(before)}")
        wrong += [f"{id_}: {item['message']}" for id_, item in control.items() if item["points"] < item["possible"]]
        if attack.look is not None and (seen := attack.look(out / attack.id)):
            spilled.append(seen)
        if attack.look_shown is not None and (seen := attack.look_shown(out / attack.id, self._printed(attack, out))):
            spilled.append(seen)
        return Row(attack, self.tier, tuple(gained), tuple(spilled), tuple(wrong))


def _rubric(asked: tuple[str, ...]) -> str:
    """Return the default rubric, or only its checks and measures with the given prefixes."""
    text = re.sub("^limits:.*$", _LIMITS, (_ROOT / "rubric.yaml").read_text(), flags=re.MULTILINE)
    if not asked:
        return text
    rubric = yaml.safe_load(text)
    for part in rubric["parts"]:
        for question in part["questions"]:
            question["items"] = [
                item for item in question["items"] if str(item.get("check", item.get("measure"))).startswith(asked)
            ]
            question["points"] = sum(item["points"] for item in question["items"])
        part["questions"] = [question for question in part["questions"] if question["items"]]
    rubric["parts"] = [part for part in rubric["parts"] if part["questions"]]
    return yaml.safe_dump(rubric, sort_keys=False)


def plain_name(attack: Attack) -> str:
    """Return the name of the submission without an attack, which attacks on one target share."""
    return f"plain-{attack.target}".replace("/", "-").replace(":", "-").replace(".py", "").replace(".", "-").lower()


def read_grade(folder: Path) -> dict[str, Any]:
    """Return the automatic items of a grade, by check or measure; none, where there is no grade.

    `_lost` reports submissions without a grade: one of them must not end the report on all others.
    """
    path = folder / "grade.json"
    if not path.is_file():
        return {}
    grade = json.loads(path.read_text())
    items = [item for question in grade["questions"] for item in question["items"]]
    return {item["check"]: item for item in items if item["check"] is not None and item["outcome"] is not None}


def verdict(item: Mapping[str, Any]) -> tuple[object, ...]:
    return item["outcome"], item["points"]


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the differences in verdicts, messages and measures, leaving out whatever depends on time."""
    names = ("outcome", "points", "message", "got", "measures", "symptoms")
    return [
        f"{id_}'s {name}: {other.get(id_, {}).get(name)!r} instead of {item[name]!r}"
        for id_, item in one.items()
        for name in names
        if other.get(id_, {}).get(name) != item[name]
    ]


def _honest(folder: Path, secret: str) -> None:
    shutil.copytree(REFERENCE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "answers.py").write_text((folder / "answers.py").read_text() + f"# {secret}\n")


def _give(folder: Path, uid: int) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, uid, follow_symlinks=False)
