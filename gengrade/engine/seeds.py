"""The run's seed and secret, from which inputs are drawn; a run that goes on finds both again."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gengrade.atomic import write_whole
from gengrade.authenticity import Seal
from gengrade.places import read_plain


def secret_of(work: Path, seal: Seal) -> bytes:
    """Return the operator's secret, or else the last run's, or else a new one."""
    given = os.environ.get("GENGRADE_SECRET")
    return _kept_or_drawn(work / "secret", seal, given.encode() if given else None, lambda: secrets.token_bytes(32))


def seed_of(work: Path, wanted: int | None, seal: Seal) -> int:
    """Return the seed that is wanted, or else the last run's, or else a new one."""
    given = None if wanted is None else str(wanted).encode()
    return int(_kept_or_drawn(work / "seed", seal, given, lambda: str(secrets.randbelow(2**31)).encode()))


def _kept_or_drawn(file: Path, seal: Seal, given: bytes | None, draw: Callable[[], bytes]) -> bytes:
    """Return what is given, or what the file holds under the operator's seal, or a new draw; and keep it there."""
    kept = None
    with suppress(OSError):
        kept = seal.opened(file.name, "", read_plain(file))
    value = next(found for found in (given, kept, draw()) if found is not None)
    if value != kept:
        write_whole(file, seal.sealed(file.name, "", value))
    file.chmod(0o600)
    return value
