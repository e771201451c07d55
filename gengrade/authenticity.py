"""Which files beneath the results were written by this operator: each carries a code that only the operator can make.

Three properties are deliberate:

1. The key lies outside of the results, in the operator's own state folder, and never reaches a guest. Whoever plants a
   file among results does not have it.
2. A code holds for one kind of file in one place (facts of that student, evidence under that key). A file that was
   moved to another student, or to another role, is a forgery like any other.
3. A forgery is never an error. It is treated as if it were not there, and what it would have told is computed again.
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
_PERSON: Final = b"gengrade"  # no other program's codes are taken for ours
_WHERE: Final = "GENGRADE_KEY_FILE"
_OTHERS: Final = 0o077


class KeyFileError(InputError):
    """The operator's key cannot be trusted, or is none."""

    def __str__(self) -> str:
        return f"{printable(str(self.path))}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Seal:
    """Makes and checks codes under one key."""

    key: bytes = field(repr=False)

    @classmethod
    def passing(cls) -> Seal:
        """A seal of a new key, which nobody will have again: what is written under it is believed in this run only."""
        return cls(secrets.token_bytes(_KEY_BYTES))

    def code(self, kind: str, place: str, content: bytes) -> bytes:
        """The code of a file's content: CODE_BYTES bytes. `place`: the student's id, or the key of the evidence."""
        digest = hashlib.blake2b(key=self.key, digest_size=CODE_BYTES, person=_PERSON)
        for word in (kind.encode(), place.encode()):
            digest.update(len(word).to_bytes(8, "big") + word)
        digest.update(content)
        return digest.digest()

    def sealed(self, kind: str, place: str, content: bytes) -> bytes:
        """The content behind its code."""
        return self.code(kind, place, content) + content

    def opened(self, kind: str, place: str, sealed: bytes) -> bytes | None:
        """What `sealed` was made of; None for everything that was not made under this key, for this kind and place."""
        content = sealed[CODE_BYTES:]
        return content if hmac.compare_digest(sealed[:CODE_BYTES], self.code(kind, place, content)) else None

    def sealed_json(self, kind: str, place: str, document: str) -> str:
        """A JSON object, as text, with its code as the last entry, "code": other programs read it as before."""
        body = document.rstrip()
        assert body.startswith("{")
        body = body.removesuffix("}").rstrip()
        return f"{body}{_entry(self.code(kind, place, body.encode()))}"

    def opened_json(self, kind: str, place: str, sealed: bytes) -> bytes | None:
        """The object without its code, as text; None for every other text. Nothing is parsed before that is known."""
        body = sealed[: -len(_entry(bytes(CODE_BYTES)))]
        wanted = f"{_entry(self.code(kind, place, body))}".encode()
        return body + b"\n}" if hmac.compare_digest(sealed[len(body) :], wanted) else None


def _entry(code: bytes) -> str:
    return f',\n "code": "{code.hex()}"\n}}\n'


@dataclass(frozen=True, slots=True)
class Authority:
    """The seal of a run; `note` says why it is a passing one, where it is."""

    seal: Seal
    note: str | None = None


def authority(foreign: Iterable[Path], environment: Mapping[str, str] = os.environ) -> Authority:
    """The operator's seal, whose key is made when it is first needed.

    `foreign`: folders of others, such as submissions; a key in one of them would be theirs. Raises KeyFileError for a
    key that is there and cannot be trusted.
    """
    file = key_file(environment)
    if file is None:
        return _passing("no home folder is known")
    if any(lies_within(file, folder) for folder in foreign):
        return _passing(f"{printable(str(file))} would lie within what is graded")
    try:
        return Authority(Seal(_read(file) or _make(file)))
    except OSError as error:
        return _passing(f"no key can be kept at {printable(str(file))} ({error.strerror})")


def _passing(reason: str) -> Authority:
    what = "nothing of an earlier run is believed, and everything is computed again"
    return Authority(Seal.passing(), f"{reason}, so that {what}; set {_WHERE} to a file of yours outside of it")


def key_file(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Where the operator's key lies; None where no home folder is known."""
    if given := environment.get(_WHERE):
        return Path(given).absolute()
    state = environment.get("XDG_STATE_HOME", "")
    if os.path.isabs(state):  # by its specification, any other is to be ignored
        return Path(state) / "gengrade" / "key"
    home = os.path.expanduser("~")
    return Path(home) / ".local" / "state" / "gengrade" / "key" if os.path.isabs(home) else None


def _read(file: Path) -> bytes | None:
    """The key in a file; None when there is no file. Raises KeyFileError."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise
    except OSError as error:
        if file.is_symlink():
            raise _distrusted(file, "it is a link") from None
        raise _distrusted(file, f"it cannot be read ({error.strerror})") from None
    try:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode):
            raise _distrusted(file, "it is no plain file")
        if state.st_uid != os.geteuid():
            raise _distrusted(file, f"it belongs to another user ({state.st_uid})")
        if state.st_mode & _OTHERS:
            raise _distrusted(file, "others may read or change it")
        key = os.read(handle, _KEY_BYTES + 1)
    finally:
        os.close(handle)
    if len(key) != _KEY_BYTES:
        raise _distrusted(file, f"it holds no key of {_KEY_BYTES} bytes")
    return key


def _distrusted(file: Path, reason: str) -> KeyFileError:
    remedy = f"remove it, so that a new one is made, or set {_WHERE} to another file"
    return KeyFileError(file, f"{reason}, so that it cannot be your key for results; {remedy}")


def _make(file: Path) -> bytes:
    """A new key, or the one that another process made meanwhile. Raises OSError where none can be kept."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(secrets.token_bytes(_KEY_BYTES))
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileExistsError):  # a link is made once: whoever comes second reads the first one's key
            os.link(temporary, file, follow_symlinks=False)
    finally:
        temporary.unlink(missing_ok=True)
    key = _read(file)
    if key is None:
        raise FileNotFoundError(file)
    return key
