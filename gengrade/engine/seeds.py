"""The run's seed and secret, from which inputs are drawn; a run that goes on finds both again.

A release commits to the secret by its hash, so that revealing the secret later proves that the inputs were drawn
before anybody's answers were known. Students then repeat their own grading with it. It is text for that reason.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gengrade.atomic import write_whole
from gengrade.authenticity import Seal
from gengrade.places import read_plain

_SEED, _SECRET, _REVEALED = "seed", "secret", "revealed"  # the names of files
VARIABLE: Final = "GENGRADE_SECRET"  # of the environment, in which an operator gives a secret


@dataclass(frozen=True, slots=True)
class Drawn:
    """The seed and the secret of results."""

    seed: int
    secret: bytes = field(repr=False)

    @property
    def commitment(self) -> str:
        """The hash of the secret, which does not reveal it."""
        return f"sha256:{hashlib.sha256(self.secret).hexdigest()}"


def kept(work: Path, seal: Seal) -> Drawn | None:
    """Return the seed and the secret of the last run, or None without one of this operator's."""
    seed, secret = (_opened(work / name, seal) for name in (_SEED, _SECRET))
    return None if seed is None or secret is None else Drawn(int(seed), secret)


def given(wanted: int | None) -> Drawn | None:
    """Return the seed that is wanted with the secret of the environment; None unless both are there."""
    secret = os.environ.get(VARIABLE)
    return None if wanted is None or not secret else Drawn(wanted, secret.encode())


def keep(work: Path, drawn: Drawn, seal: Seal) -> None:
    """Let the next run find this seed and this secret."""
    for name, value in ((_SEED, str(drawn.seed).encode()), (_SECRET, drawn.secret)):
        write_whole(work / name, seal.sealed(name, "", value), 0o600)


def secret_of(work: Path, seal: Seal) -> bytes:
    """Return the operator's secret, or else the last run's, or else a new one."""
    given = os.environ.get(VARIABLE)
    return _kept_or_drawn(work / _SECRET, seal, given.encode() if given else None, secrets.token_hex(32).encode)


def seed_of(work: Path, wanted: int | None, seal: Seal) -> int:
    """Return the seed that is wanted, or else the last run's, or else a new one."""
    given = None if wanted is None else str(wanted).encode()
    return int(_kept_or_drawn(work / _SEED, seal, given, lambda: str(secrets.randbelow(2**31)).encode()))


def _kept_or_drawn(file: Path, seal: Seal, given: bytes | None, draw: Callable[[], bytes]) -> bytes:
    """Return what is given, or what the file holds under the operator's seal, or a new draw; and keep it there."""
    before = _opened(file, seal)
    value = next(found for found in (given, before, draw()) if found is not None)
    if value != before:
        write_whole(file, seal.sealed(file.name, "", value))
    file.chmod(0o600)
    return value


def _opened(file: Path, seal: Seal) -> bytes | None:
    """Return what the file holds under the operator's seal."""
    try:
        return seal.opened(file.name, "", read_plain(file))
    except OSError:
        return None


def reveal(work: Path, drawn: Drawn, seal: Seal) -> None:
    """Note that the secret is known to students from now on."""
    write_whole(work / _REVEALED, seal.sealed(_REVEALED, "", drawn.commitment.encode()), 0o600)


def revealed(work: Path, drawn: Drawn, seal: Seal) -> bool:
    """Tell whether this secret was revealed."""
    return _opened(work / _REVEALED, seal) == drawn.commitment.encode()
