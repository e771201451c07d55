"""Authenticate the files in the results folder with a keyed hash that only the operator can compute.

Three properties are deliberate:

1. The key lies outside the results folder, in the operator's own state folder, and never reaches a guest. Somebody who
   plants a file among the results does not have it.
2. An authentication code is valid for one kind of file in one place (the facts of one student, the evidence under one
   key). A file that was moved to another student, or given another role, counts as forged.
3. A forged file is not an error. It is treated as if it did not exist, and its content is computed again.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gengrade.paths import InputError, printable
from gengrade.places import lies_within

CODE_BYTES: Final = 32
_KEY_BYTES: Final = 32
_PERSONALISATION: Final = b"gengrade"  # codes that other programs make with the same key are not valid here
_KEY_FILE_VARIABLE: Final = "GENGRADE_KEY_FILE"
_OTHERS_PERMISSIONS: Final = 0o077


class KeyFileError(InputError):
    """The file of the operator's key cannot be trusted, or does not hold a key."""

    def __str__(self) -> str:
        return f"{printable(str(self.path))}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Seal:
    """Computes and verifies authentication codes under one key."""

    key: bytes = field(repr=False)

    @classmethod
    def temporary(cls) -> Seal:
        """Return a seal with a new random key that is not stored: its codes are valid in this run only."""
        return cls(secrets.token_bytes(_KEY_BYTES))

    def code(self, kind: str, place: str, content: bytes) -> bytes:
        """Return the code, CODE_BYTES long, of a file's content.

        kind: what the file holds, such as "facts" or "evidence".
        place: the student's id, or the key of the evidence.
        """
        digest = hashlib.blake2b(key=self.key, digest_size=CODE_BYTES, person=_PERSONALISATION)
        for word in (kind.encode(), place.encode()):
            digest.update(len(word).to_bytes(8, "big") + word)
        digest.update(content)
        return digest.digest()

    def sealed(self, kind: str, place: str, content: bytes) -> bytes:
        """Return the code followed by the content."""
        return self.code(kind, place, content) + content

    def opened(self, kind: str, place: str, sealed: bytes) -> bytes | None:
        """Return the content of what `sealed` returned, or None if the code is not of this key, kind and place."""
        content = sealed[CODE_BYTES:]
        return content if hmac.compare_digest(sealed[:CODE_BYTES], self.code(kind, place, content)) else None

    def sealed_json(self, kind: str, place: str, document: str) -> str:
        """Return a JSON object, given as text, with its code as a last entry "code"; it stays valid JSON."""
        body = document.rstrip()
        assert body.startswith("{")
        body = body.removesuffix("}").rstrip()
        return f"{body}{_entry(self.code(kind, place, body.encode()))}"

    def opened_json(self, kind: str, place: str, sealed: bytes) -> bytes | None:
        """Return the JSON text without its code, or None if the code is wrong. Nothing is parsed before that check."""
        body = sealed[: -len(_entry(bytes(CODE_BYTES)))]
        wanted = f"{_entry(self.code(kind, place, body))}".encode()
        return body + b"\n}" if hmac.compare_digest(sealed[len(body) :], wanted) else None


def _entry(code: bytes) -> str:
    return f',\n "code": "{code.hex()}"\n}}\n'


@dataclass(frozen=True, slots=True)
class Authority:
    """The seal of a run; `note` says why it is a temporary one, or is None."""

    seal: Seal
    note: str | None = None


def authority(foreign: Iterable[Path], environment: Mapping[str, str] = os.environ) -> Authority:
    """Return the operator's seal; its key is created when it is first needed.

    foreign: folders of other people, such as submissions. A key file inside one of them is not used.
    environment: the variables that may name the key's file or the user's state folder.

    Raises KeyFileError when the key file exists and cannot be trusted.
    """
    file = key_file(environment)
    if file is None:
        return _temporary("no home folder is known")
    if any(lies_within(file, folder) for folder in foreign):
        return _temporary(f"the key file {printable(str(file))} would lie inside the submissions")
    try:
        return Authority(Seal(_read(file) or _make(file)))
    except OSError as error:
        return _temporary(f"no key can be stored at {printable(str(file))} ({error.strerror})")


def _temporary(reason: str) -> Authority:
    what = "results of earlier runs cannot be authenticated, and everything is computed again"
    remedy = f"set {_KEY_FILE_VARIABLE} to a file of yours outside the submissions"
    return Authority(Seal.temporary(), f"{reason}, so {what}; {remedy}")


def key_file(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the path of the operator's key file, or None if no home folder is known."""
    if given := environment.get(_KEY_FILE_VARIABLE):
        return Path(given).absolute()
    state = environment.get("XDG_STATE_HOME", "")
    if os.path.isabs(state):  # the XDG specification says to ignore relative paths
        return Path(state) / "gengrade" / "key"
    home = os.path.expanduser("~")
    return Path(home) / ".local" / "state" / "gengrade" / "key" if os.path.isabs(home) else None


def _read(file: Path) -> bytes | None:
    """Return the key in a file, or None if there is no file. Raises KeyFileError."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise
    except OSError as error:
        if file.is_symlink():
            raise _distrusted(file, "it is a symbolic link") from None
        raise _distrusted(file, f"it cannot be read ({error.strerror})") from None
    try:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode):
            raise _distrusted(file, "it is not a regular file")
        if state.st_uid != os.geteuid():
            raise _distrusted(file, f"it belongs to another user ({state.st_uid})")
        if state.st_mode & _OTHERS_PERMISSIONS:
            raise _distrusted(file, "other users may read or change it")
        key = os.read(handle, _KEY_BYTES + 1)
    finally:
        os.close(handle)
    if len(key) != _KEY_BYTES:
        raise _distrusted(file, f"it does not hold a key of {_KEY_BYTES} bytes")
    return key


def _distrusted(file: Path, reason: str) -> KeyFileError:
    remedy = f"remove it, and a new one is made, or set {_KEY_FILE_VARIABLE} to another file"
    return KeyFileError(file, f"{reason}, so it cannot be the key that authenticates your results; {remedy}")


def _make(file: Path) -> bytes:
    """Create the key file and return its key, or the key that another process created meanwhile. Raises OSError."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(secrets.token_bytes(_KEY_BYTES))
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileExistsError):  # only one process can create the link; the others read its key
            os.link(temporary, file, follow_symlinks=False)
    finally:
        temporary.unlink(missing_ok=True)
    key = _read(file)
    if key is None:
        raise FileNotFoundError(file)
    return key
