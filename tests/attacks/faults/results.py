"""Compare the results of a run, without times, with those of an undisturbed run."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

_SLOWEST: Final = 'data-label="Slowest"'  # a cell of each row of that table


def without_times(path: Path) -> str:
    """Return a result without its times, and without the authentication code, which covers them."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(item) for key, item in value.items() if key not in ("seconds", "stages", "code")}
        return [strip(item) for item in value] if isinstance(value, list) else value

    return json.dumps(strip(json.loads(path.read_text())), sort_keys=True, indent=1)


def results(out: Path) -> dict[str, str]:
    """Return the contents of all result files of a run, by path."""
    files = [*out.glob("*/facts.json"), *out.glob("*/grade.json")]
    found = {path.relative_to(out).as_posix(): without_times(path) for path in files}
    pages = (out / name for name in ("gradebook.csv", "index.html"))
    return found | {page.name: _without_slowest(page.read_text()) for page in pages if page.exists()}


def _without_slowest(page: str) -> str:
    """Return a page without the rows of its table of the times that checks took."""
    return "".join(line for line in page.splitlines(keepends=True) if _SLOWEST not in line)


def differences(wanted: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Return the first differing line of each file in two complete results."""
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
    """Return the verdicts in incomplete results that are neither right nor `infra`, and the number of the latter."""
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
    """Return how often the command reported that a submission was finished."""
    return Counter(re.findall(r"^\[\d+/\d+\] (\S+): (?:graded|failed)", printed, re.MULTILINE))


def doubled(printed: str, names: Sequence[str]) -> list[str]:
    lines = said(printed)
    twice = [f"{name} was graded {count} times in a run" for name, count in lines.items() if count > 1]
    return [*twice, *(f"{name} is nobody" for name in lines if name not in names)]
