"""Remember what was published to which system, so that later only what has changed is published again.

    results/releases/published.json

Nothing here knows whether the files were uploaded: whoever did not upload them gives `--all` the next time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError

from gengrade.atomic import write_whole
from gengrade.engine import UsageError
from gengrade.facts import Frozen
from gengrade.places import RELEASES, Owners, read_trusted
from gengrade.publish.model import Given

FILE: Final = "published.json"


class Once(Frozen):
    """What was last published about a person.

    digest: of the report (`gengrade.publish.entries.Entry`); None: there was no grade.
    written: the points as the system got them, or "excused".
    """

    digest: str | None
    written: str


class Log(Frozen):
    """What was last published to a system: to whom, and into which exports."""

    people: dict[str, Once] = Field(default_factory=dict)  # by the person's id
    exports: tuple[str, ...] = ()  # "sha256:…" of the exports that were filled

    def has(self, given: Given) -> bool:
        """Return whether exactly this was published last."""
        return self.people.get(given.entry.id) == _once(given)


class _Logs(Frozen):
    """The content of the file."""

    systems: dict[str, Log] = Field(default_factory=dict)


def published(out: Path, system: str) -> Log:
    """Return what was published to a system from these results. Raises UsageError and PlaceError."""
    return _read(out).systems.get(system, Log())


def note(out: Path, system: str, given: Iterable[Given], export: str) -> None:
    """Note what is published now. Call it after the files to upload were written.

    out: the folder of results.
    export: the "sha256:…" of the export that was filled.

    Raises UsageError, PlaceError and OSError.
    """
    logs = _read(out)
    log = logs.systems.get(system, Log())
    people: Mapping[str, Once] = {**log.people, **{each.entry.id: _once(each) for each in given}}
    exports = tuple(dict.fromkeys((*log.exports, export)))
    now = _Logs(systems={**logs.systems, system: Log(people=dict(people), exports=exports)})
    write_whole(out / RELEASES / FILE, now.model_dump_json(indent=1) + "\n", 0o600)


def _once(given: Given) -> Once:
    return Once(digest=given.entry.digest, written=given.written)


def _read(out: Path) -> _Logs:
    path = out / RELEASES / FILE
    try:
        content = read_trusted(path, Owners.of(out))
        return _Logs() if content is None else _Logs.model_validate_json(content)
    except (OSError, ValidationError):
        raise UsageError(
            f"{path}: it is damaged, so that it is not known what was published before: move it away, after which "
            "everybody is published again"
        ) from None


def digest_of(content: bytes) -> str:
    """Return the hash by which logs and manifests name a file."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
