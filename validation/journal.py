"""Keeps results on disk, so that an interrupted run can go on: lines of JSON with a key and its result.

A result is valid as long as the code that it is about does not change; results for other code are ignored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from gengrade.home import HOME

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Keyed(Protocol):
    """Something to compute, with its name in a journal."""

    @property
    def key(self) -> str: ...


Task = TypeVar("Task", bound=Keyed)
Outcome = TypeVar("Outcome", bound="DataclassInstance")

_CODE: Final = ("graders", "courses", "reference", "gengrade")


def code_hash(*more: str) -> str:
    """Return a hash of all code that the outcome of a grading depends on, and of the folders `more` of the project."""
    digest = hashlib.sha256()
    for folder in (*_CODE, *more):
        for file in sorted(file for kind in ("*.py", "*.ipynb") for file in (HOME / folder).rglob(kind)):
            digest.update(f"{file.relative_to(HOME)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


class Journal:
    """The results in a file for the code with the hash `code` (see `code_hash`)."""

    def __init__(self, path: Path, code: str) -> None:
        self._path = path
        self._code = code
        self._results: dict[str, Any] = {}
        if path.is_file():
            for line in path.read_text().splitlines():
                self._take(line)

    @property
    def code(self) -> str:
        """The hash of the code that the results are for."""
        return self._code

    def _take(self, line: str) -> None:
        try:
            entry = json.loads(line)
        except ValueError:  # the line was cut off when a run was killed
            return
        if entry["code"] == self._code:
            self._results[entry["key"]] = entry["result"]

    def get(self, key: str) -> Any:
        """Return the result of that key, or None."""
        return self._results.get(key)

    def put(self, key: str, result: Any) -> None:
        """Add a result, which consists of plain values, to the file."""
        self._results[key] = result
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(json.dumps({"code": self._code, "key": key, "result": result}) + "\n")


def computed(
    wanted: Iterable[Task],
    function: Callable[[Task], Outcome],
    kind: type[Outcome],
    journal: Journal,
    jobs: int,
    watch: Callable[[int, int], None],
) -> dict[Task, Outcome]:
    """Return the result of each task, in their order; those in the journal are not computed again.

    Args:
        wanted: the tasks.
        function: computes the result of a task, in one of `jobs` parallel processes.
        kind: the dataclass of the results, which consists of plain values.
        watch: is called with the number of results so far, and of all, after each.
    """
    tasks = list(wanted)
    found = {task: kind(**kept) for task in tasks if (kept := journal.get(task.key)) is not None}
    missing = [task for task in tasks if task not in found]
    with ProcessPoolExecutor(jobs) as pool:
        futures = {pool.submit(function, task): task for task in missing}
        for future in as_completed(futures):
            task, result = futures[future], future.result()
            found[task] = result
            journal.put(task.key, asdict(result))
            watch(len(found), len(tasks))
    return {task: found[task] for task in tasks}
