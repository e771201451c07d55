"""Keeps results on disk, so that an interrupted run can go on: lines of JSON with a key and its result.

A result is valid as long as the code that it is about does not change; results for other code are ignored.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from gengrade.home import HOME

_CODE: Final = ("graders", "courses", "reference", "gengrade")


def code_hash(*more: str) -> str:
    """A hash of all code that the outcome of a grading depends on, and of the folders `more` of the project."""
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

    def _take(self, line: str) -> None:
        try:
            entry = json.loads(line)
        except ValueError:  # the line was cut off when a run was killed
            return
        if entry["code"] == self._code:
            self._results[entry["key"]] = entry["result"]

    def get(self, key: str) -> Any:
        """The result of that key, or None."""
        return self._results.get(key)

    def put(self, key: str, result: Any) -> None:
        """Adds a result, which consists of plain values, to the file."""
        self._results[key] = result
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(json.dumps({"code": self._code, "key": key, "result": result}) + "\n")
