"""Compare the results of two runs over the same class, which must not differ in anything but times."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

_TIMES: Final = frozenset({"seconds", "stages", "code"})  # the code seals a file with its times
# Of a report, the stages of the grading, and of the class's page, the checks, both in the order of their times.
_TIMES_OF_PAGES: Final = (rb"<p>The stages shown here took.*?</details>", rb'<th scope="col">Slowest</th>.*?</table>')
_OURS: Final = ("evidence", "faults.log")


def difference(first: Path, second: Path) -> str:
    """Return how two folders of results differ, "" if only in times; what is cached is not compared."""
    names = [sorted(_results(folder)) for folder in (first, second)]
    if names[0] != names[1]:
        return f"the files differ: {sorted(set(names[0]) ^ set(names[1]))}"
    for name in names[0]:
        here, there = (_without_times(folder / name) for folder in (first, second))
        if here != there:
            return f"{name} differs: {_context(str(here), str(there))}"
    return ""


def require_alike(first: Path, second: Path) -> None:
    """Raise AssertionError if two folders of results differ in more than times."""
    found = difference(first, second)
    assert not found, found


def _context(here: str, there: str) -> str:
    """Return both texts around the first character in which they differ."""
    pairs = zip(here, there, strict=False)
    start = max(0, next((place for place, (a, b) in enumerate(pairs) if a != b), 0) - 200)
    return f"{here[start : start + 400]!r} and {there[start : start + 400]!r}"


def _results(folder: Path) -> list[str]:
    found = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in found if path.parts[0] != ".gengrade" and not set(_OURS) & set(path.parts)]


def _without_times(path: Path) -> Any:
    content = path.read_bytes()
    if path.suffix == ".json":
        return _stripped(json.loads(content))
    if path.suffix == ".xlsx":
        return None  # an archive, which holds the time at which it was made
    for times in _TIMES_OF_PAGES:
        content = re.sub(times, b"", content, flags=re.DOTALL)
    return re.sub(rb"\d+(\.\d+)? ?(s|min|ms)\b", b"", content)


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stripped(item) for key, item in value.items() if key not in _TIMES}
    return [_stripped(item) for item in value] if isinstance(value, list) else value
