"""Unpack untrusted archives safely.

Three properties are deliberate:

1. Only regular files are written, only inside the given folder, and never more than the caps allow. Declared sizes are
   not trusted: bytes are counted while they are decompressed.
2. An entry that cannot be unpacked safely (a link, a device, a path outside the folder, a name that collides) is left
   out with a note, and the rest is unpacked; so is an entry of a zip whose own bytes are damaged. Of two entries of
   exactly one name, the last counts, as in all programs that unpack archives.
3. An archive that is damaged, encrypted or exceeds a cap as a whole is refused with an `ArchiveError`.
"""

from __future__ import annotations

import gzip
import lzma
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import IO, Any, Protocol, cast

from gengrade.paths import InputError, Refused, SafePaths, printable, split
from gengrade.walking import Plain, reason

MIB = 1 << 20
_CHUNK = 1 << 16
# The largest central directory of a zip that is read into memory, in bytes.
_LARGEST_DIRECTORY = 16 * MIB
# The largest extended header of a tar, and the most bytes of headers before one entry. Real ones stay below 4 kB.
_LARGEST_HEADER = 16 << 10
_LARGEST_HEADERS = 64 << 10
# The time that `tarfile` needs to parse a run of digits in a header grows with the square of the run's length.
_MANY_DIGITS = re.compile(rb"[0-9]{128}")
_MOST_GLOBAL = 64  # global header values, which `tarfile` copies for each entry that follows them
# The compression ratio is not limited below this many bytes: a log of equal lines shrinks a thousandfold.
_RATIO_FLOOR = 16 * MIB

SUFFIXES = (".zip", ".tar.gz", ".tgz", ".tar")
# These are recognised only to tell their owners what to do; otherwise such a submission would not be graded at all.
UNSUPPORTED_SUFFIXES = (".rar", ".7z", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tar.zst")

_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    ValueError,
    OverflowError,
    IndexError,
    KeyError,
    NotImplementedError,
    RecursionError,
    RuntimeError,
    MemoryError,  # a dictionary of gigabytes, as some compressions may ask for
)


class ArchiveError(InputError):
    """An archive cannot be unpacked at all."""


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits of one extraction. All sizes are in bytes after decompression."""

    files: int = 5_000
    folders: int = 2_000  # that these files lie in
    entries: int = 100_000  # of any kind, including those that are left out
    total_bytes: int = 512 * MIB
    file_bytes: int = 128 * MIB  # a larger file is left out
    scanned_bytes: int = 2_048 * MIB  # of a tar, which is decompressed to its end even where entries are left out
    ratio: float = 200.0  # decompressed size to compressed size, for the whole archive
    depth: int = 24
    name_bytes: int = 200


@dataclass(frozen=True, slots=True)
class ExtractionNotes:
    """The numbers of files, folders and bytes that were written, and a sentence for each entry that was left out."""

    files: int
    folders: int
    bytes: int
    left_out: tuple[str, ...]


class _Seekable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...


class _Guarded:
    """A file that refuses to read more than `largest` bytes at once, or beyond the offset `furthest`."""

    def __init__(self, file: _Seekable, furthest: int, largest: int) -> None:
        self._file = file
        self._furthest = furthest
        self._largest = largest

    def read(self, size: int | None = -1) -> bytes:
        wanted = self._largest + 1 if size is None or size < 0 else size
        if size is not None and size > self._largest:
            raise ValueError("a header asks for an unreasonable amount of memory")
        data = self._file.read(wanted)
        if len(data) > self._largest or self._file.tell() > self._furthest:
            raise ValueError("it holds more bytes than allowed")
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == 0 and offset > self._furthest:
            raise ValueError("it holds more bytes than allowed")
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


class _Headers(_Guarded):
    """A tar file for `tarfile` to read headers from, with a limit on the bytes of headers before one entry."""

    def __init__(self, file: _Seekable, furthest: int) -> None:
        super().__init__(file, furthest, _LARGEST_HEADER)
        self._left = _LARGEST_HEADERS

    def next_entry(self) -> None:
        self._left = _LARGEST_HEADERS

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self._left -= len(data)
        if self._left < 0 or _MANY_DIGITS.search(data):
            raise ValueError("a header is unreasonably large")
        return data


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    refusal: str | None  # why this entry is not a regular file; None when it is one
    is_folder: bool
    size: int  # as the archive states it
    open: Callable[[], IO[bytes]]
    alone: bool = False  # whether it can be read even if other entries are damaged, as in a zip


def is_archive(path: Path) -> bool:
    """Return whether the file's suffix is that of an archive that `extract` can read."""
    return path.name.lower().endswith(SUFFIXES)


def is_unsupported(path: Path) -> bool:
    """Return whether the file's suffix is that of a kind of archive that `extract` refuses."""
    return path.name.lower().endswith(UNSUPPORTED_SUFFIXES)


def stem(name: str) -> str:
    """Return a file's name without its archive suffix: "doe.tar.gz" → "doe"."""
    for suffix in (*SUFFIXES, *UNSUPPORTED_SUFFIXES):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def refusal(path: Path) -> str | None:
    """Return why the file cannot be an archive, judged by its name and first bytes, or None if it may be one."""
    try:
        _opened(Plain(path)).close()
    except ArchiveError as error:
        return error.reason
    return None


def _opened(archive: Plain) -> IO[bytes]:
    """Open the file, check its first bytes, and return it at its beginning. Raises ArchiveError."""
    name = archive.name.lower()
    if not name.endswith(SUFFIXES):
        raise ArchiveError(archive.path, "it is not a .zip or .tar.gz archive; hand in one of these")
    try:
        file = archive.open()
    except OSError as error:
        said = reason(error) or f"it cannot be read ({error.strerror}); check its permissions"
        raise ArchiveError(archive.path, said) from error
    try:
        refused = _no_archive(file.read(512), Path(name).suffix)
        file.seek(0)
    except OSError as error:
        refused = f"it cannot be read ({error.strerror}); check its permissions"
    if refused is None:
        return file
    file.close()
    raise ArchiveError(archive.path, refused)


def _no_archive(head: bytes, suffix: str) -> str | None:
    if not head:
        return "it is empty; hand it in again"
    magic = {".zip": b"PK", ".gz": b"\x1f\x8b", ".tgz": b"\x1f\x8b"}.get(suffix, b"")
    if not head.startswith(magic):
        return f"it is not a {suffix} archive, although it has that suffix; pack it and hand it in again"
    return None


def extract(
    archive: Path | Plain,
    into: Path,
    caps: Caps | None = None,
    skip: Callable[[PurePosixPath], bool] = lambda path: False,
) -> ExtractionNotes:
    """Unpack a .zip, .tar.gz, .tgz or .tar archive into the folder `into`, which is created if it does not exist.

    archive: the archive's path, or the `Plain` file to open.
    into: an empty folder, or one that does not exist yet.
    caps: the limits of this extraction; by default those of `Caps()`.
    skip: entries for whose relative path this returns true are ignored without a note.

    Files are created with mode 0600 and folders with mode 0700; no other metadata is taken from the archive.

    Raises ArchiveError when the archive is refused as a whole; `into` may then hold a part of the files.
    """
    plain = archive if isinstance(archive, Plain) else Plain(archive)
    with _opened(plain) as raw:
        into.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _Extraction(plain.path, raw, into, caps or Caps(), skip).run()


def members(archive: Path, most: int, caps: Caps | None = None) -> list[PurePosixPath]:
    """Return the relative paths of at most `most` files in an archive, without unpacking it; [] if it is damaged."""
    return [path for path, _ in sizes(archive, most, caps)]


def sizes(archive: Path, most: int, caps: Caps | None = None) -> list[tuple[PurePosixPath, int]]:
    """Return the same paths as `members`, each with the size in bytes that the archive states."""
    found: list[tuple[PurePosixPath, int]] = []
    try:
        with _opened(Plain(archive)) as raw, closing(_members(archive, raw, caps or Caps())) as entries:
            for member in islice(entries, most):
                with suppress(Refused):
                    if not member.is_folder:
                        found.append((PurePosixPath(*split(member.name)), member.size))
    except (ArchiveError, *_BROKEN):
        return []
    return found


class _Damaged(Exception):
    """The bytes of one entry are damaged, while the others can be read; `detail` says how."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def _damage(detail: str) -> str:
    return f"it is damaged or not an archive ({detail}); pack it and hand it in again"


class _Extraction:
    """The extraction of one archive into one folder, with the counts that are compared with the caps."""

    def __init__(
        self, archive: Path, raw: IO[bytes], into: Path, caps: Caps, skip: Callable[[PurePosixPath], bool]
    ) -> None:
        self._archive = archive
        self._raw = raw
        self._into = into
        self._caps = caps
        self._skip = skip
        self._paths = SafePaths(caps.depth, caps.name_bytes)
        self._most_bytes = min(caps.total_bytes, int(max(_RATIO_FLOOR, caps.ratio * _size(raw))))
        self._entries = self._files = self._bytes = self._read_bytes = 0
        self._left_out: list[str] = []
        self._written: dict[tuple[str, ...], Path] = {}  # the files so far, by their exact names in the archive
        self._damaged: ArchiveError | None = None

    def run(self) -> ExtractionNotes:
        with closing(_members(self._archive, self._raw, self._caps)) as members:
            while member := self._next(members):
                self._entries += 1
                if self._entries > self._caps.entries:
                    raise self._too_much(f"more than {self._caps.entries:,} entries")
                if not member.is_folder:
                    self._take(member)
        if self._damaged is not None and not self._files:
            raise self._damaged
        return ExtractionNotes(self._files, self._paths.folders, self._bytes, tuple(self._left_out))

    def _take(self, member: _Member) -> None:
        try:
            components = split(member.name)
            if self._skip(PurePosixPath(*components)):
                return
            if member.refusal:
                raise Refused(member.refusal)
            target = self._written.get(components) or self._into / self._paths.place(components)
        except Refused as refused:
            self._leave_out(member, refused.reason)
            return
        if components in self._written and target.exists():
            target.unlink()
            self._files -= 1
        self._written[components] = target
        self._files += 1
        if self._files > self._caps.files:
            raise self._too_much(f"more than {self._caps.files:,} files")
        if self._paths.folders > self._caps.folders:
            raise self._too_much(f"more than {self._caps.folders:,} folders")
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._write(member, target)
        except _Damaged as damaged:
            target.unlink(missing_ok=True)
            self._files -= 1
            self._damaged = ArchiveError(self._archive, _damage(damaged.detail))
            self._leave_out(member, f"is damaged ({damaged.detail})")

    def _write(self, member: _Member, target: Path) -> None:
        with self._reading(member):
            source = member.open()
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        size = 0
        with closing(source), open(descriptor, "wb") as file:
            while chunk := self._chunk(source, member):
                size += len(chunk)
                if size > self._caps.file_bytes:
                    break
                file.write(chunk)
        if size > self._caps.file_bytes:
            target.unlink()
            self._files -= 1
            self._leave_out(member, f"is larger than {self._caps.file_bytes // MIB} MiB")
        else:
            self._bytes += size

    def _chunk(self, source: IO[bytes], member: _Member) -> bytes:
        with self._reading(member):
            chunk = source.read(_CHUNK)
        self._read_bytes += len(chunk)
        if self._read_bytes > self._most_bytes:
            raise self._too_much(
                f"more than {self._most_bytes // MIB} MiB, which is too much for an archive of its size"
            )
        return chunk

    def _next(self, members: Iterator[_Member]) -> _Member | None:
        with self._reading():
            return next(members, None)

    @contextmanager
    def _reading(self, member: _Member | None = None) -> Iterator[None]:
        """Turn every error of reading the archive into an ArchiveError, or into _Damaged if only a member is lost.

        The bodies do nothing but read the archive.
        """
        try:
            yield
        except ArchiveError:
            raise
        except _BROKEN as error:
            detail = printable(str(error)) or type(error).__name__
            if member is not None and member.alone:
                raise _Damaged(detail) from error
            raise ArchiveError(self._archive, _damage(detail)) from error

    def _leave_out(self, member: _Member, reason: str) -> None:
        self._left_out.append(f"{printable(member.name)[:200]} is left out, since it {reason}")

    def _too_much(self, what: str) -> ArchiveError:
        return ArchiveError(self._archive, f"it holds {what}; hand it in without data sets, logs and environments")


def _members(archive: Path, raw: IO[bytes], caps: Caps) -> Generator[_Member, None, None]:
    kind = _zip_members if archive.name.lower().endswith(".zip") else _tar_members
    return kind(archive, raw, caps)


def _size(raw: IO[bytes]) -> int:
    return os.fstat(raw.fileno()).st_size


def _zip_members(archive: Path, raw: IO[bytes], caps: Caps) -> Generator[_Member, None, None]:
    file = _Guarded(raw, _size(raw), _LARGEST_DIRECTORY)
    with zipfile.ZipFile(file) as container:
        for info in container.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            is_folder = info.filename.endswith(("/", "\\")) or kind == stat.S_IFDIR
            reason = None if kind in {0, stat.S_IFREG} else "is a link or a device"
            yield _Member(
                info.filename,
                reason,
                is_folder,
                info.file_size,
                partial(_open_zipped, archive, container, info),
                alone=True,
            )


def _open_zipped(archive: Path, container: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    if info.flag_bits & 0x1:
        raise ArchiveError(archive, "it is encrypted; hand it in without a password")
    return container.open(info)


def _tar_members(archive: Path, raw: IO[bytes], caps: Caps) -> Generator[_Member, None, None]:
    with closing(raw if archive.name.lower().endswith(".tar") else gzip.GzipFile(fileobj=raw)) as stream:
        headers = _Headers(stream, caps.scanned_bytes)
        contents: Any = _Guarded(stream, caps.scanned_bytes, 4 * _CHUNK)
        with tarfile.TarFile(fileobj=headers) as container:  # type: ignore[arg-type]  # all that reading needs
            # A `for` loop would make the TarFile keep every member in memory.
            while info := container.next():
                container.members = []  # type: ignore[attr-defined]
                if len(container.pax_headers) > _MOST_GLOBAL:
                    raise ValueError("its global headers hold unreasonably many values")
                reason = None if info.isreg() and not info.issparse() else "is a link or a device"
                yield _Member(info.name, reason, info.isdir(), info.size, partial(_open_tarred, contents, info))
                headers.next_entry()


def _open_tarred(contents: Any, info: tarfile.TarInfo) -> IO[bytes]:
    """Return what `TarFile.extractfile` returns for a regular file, but read through the limits for contents."""
    return cast(IO[bytes], tarfile.ExFileObject(SimpleNamespace(fileobj=contents), info))  # type: ignore[arg-type]
