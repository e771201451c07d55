"""Fuzz the reading of submissions: classes of trees, archives, programs and notebooks.

An input is a seed, from which a class's folder with structured mistakes is made. It is discovered, signed, prepared and
inspected. Faults are: any exception but a submission's error, a process that ends or leaks, too much memory or time, a
clean tree that contains anything but regular files with safe names, a missing student, two students with one id, and an
honest submission that is read differently than it is alone.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import random
import resource
import shutil
import stat
import struct
import subprocess
import tarfile
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gengrade.paths import InputError, fold, printable
from gengrade.submissions import Submission, code_flags, discard, discover, names_in, prepare, signatures
from tests.support.children import children
from tests.support.handed_in import PARTS

_OWN_SECONDS: Final = 2.0  # of the reader's own computing, for a class
_OWN_BYTES: Final = 64 << 20
_HONEST: Final = b"def honest():\n    exec('x')\n"
_FILES: Final = ("utils.py", "encoder.py", "train_torch.py", "models.py", "model.py", "answers.py", "hw.ipynb", "a.pt")
_FOLDERS: Final = (
    "part1",
    "part2",
    "part3",
    "Part 1",
    "code",
    "old",
    "vae",
    "data",
    "runs",
    ".git",
    "__pycache__",
    "d",
)
_HIDDEN: Final = (
    "\u200b",
    "\u202e",
    "\ue000",
    "\u0301" * 30,
    "\x1b[31m",
    "\n",
    "\udcff",
    "\ufe0f",
    "\u3164",
    "\U000e0041",
)
_PIECES: Final = (
    *(
        "doe",
        "Doe",
        "d\u00f6e",
        "do\u0308e",
        "\ufb01",
        "_77_88_",
        "_4242_assignsubmission_file_",
        " - ",
        "LATE_",
        "anon_",
    ),
    *(
        "_12_345_",
        "Mar 29, 2018 905 AM",
        "..",
        ".",
        "-",
        " ",
        "index.html",
        "con",
        "n" * 190,
        "x",
        "2023_12_",
        "1-2 - ",
    ),
    *_HIDDEN,
)
_EXPRESSIONS: Final = (
    "a",
    "0xf",
    "1",
    "f'{1}'",
    "'x'",
    "a.b",
    "[1]",
    "lambda: 0",
    "b'x'",
    "...",
    "{1: 2}",
    "-1",
    "yield",
)


@dataclass
class Making:
    """Makes a class of submissions from a seed."""

    random: random.Random
    folder: Path
    _left: int = field(default=60)  # files that may still be made

    def classroom(self) -> None:
        """Make honest submissions, and a few with strange names and contents."""
        for name in ("00-honest", "zz-honest"):
            (self.folder / name / "part1").mkdir(parents=True)
            (self.folder / name / "part1" / "utils.py").write_bytes(_HONEST)
        for _ in range(self.random.randrange(1, 5)):
            self._one(self.folder / self.name())

    def name(self) -> str:
        """Return a random name, made of pieces as systems and attackers write them."""
        pieces = [self.random.choice(_PIECES) for _ in range(self.random.randrange(1, 6))]
        name = "".join(pieces).replace("/", "").replace("\0", "")
        name += self.random.choice(("", "", ".zip", ".tar.gz", ".tar", ".tgz", ".rar", ".py", ".ipynb", ".ZIP"))
        return os.fsdecode(
            os.fsencode(name.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape"))[:250]
        )

    def _one(self, path: Path) -> None:
        with contextlib.suppress(OSError, ValueError):  # a name that the system does not take, or has already
            if path.name in {".", ".."} or path.exists():
                return
            if path.name.lower().endswith((".zip", ".gz", ".tar", ".tgz", ".rar")) and self.random.random() < 0.9:
                path.write_bytes(self.archive(path.name.lower()))
            elif path.suffix in {".py", ".ipynb"}:
                path.write_bytes(self.content(path.name))
            else:
                path.mkdir()
                self._fill(path, 3)

    def _fill(self, folder: Path, deep: int) -> None:
        for _ in range(self.random.randrange(6)):
            self._left -= 1
            if self._left < 0:
                return
            with contextlib.suppress(OSError, ValueError):
                self._entry(folder / self._component(), deep)

    def _component(self) -> str:
        known = self.random.choice((_FILES, _FOLDERS))
        return self.random.choice(known) if self.random.random() < 0.7 else self.name()

    def _entry(self, path: Path, deep: int) -> None:
        kind = self.random.random()
        if os.path.lexists(path) and not path.is_dir():
            return  # to write to a FIFO would wait for its reader
        if path.suffix == "" and kind < 0.6 and deep:
            path.mkdir(exist_ok=True)
            self._fill(path, deep - 1)
        elif kind < 0.8:
            path.write_bytes(self.content(path.name))
        elif kind < 0.85:
            path.symlink_to(self.random.choice(("/etc/passwd", ".", "..", "nowhere", "utils.py", "/dev/zero")))
        elif kind < 0.9:
            os.mkfifo(path)
        elif kind < 0.95:
            with path.open("wb") as file:
                file.truncate(self.random.choice((0, 1 << 20, 17 << 20, 1 << 32)))
        else:
            path.write_bytes(b"x")
            path.chmod(self.random.choice((0, 0o4755, 0o777)))

    def content(self, name: str) -> bytes:
        """Return random content that fits a file's name more or less."""
        if name.endswith(".ipynb"):
            content = self._notebook()
        elif name.lower().endswith((".zip", ".gz", ".tar", ".tgz")):
            content = self.archive(name.lower()) if self.random.random() < 0.5 else b"PK\x03\x04"
        else:
            content = self._program().encode("utf-8", "surrogatepass")
        return self._scratched(content) if self.random.random() < 0.15 else content

    def _program(self) -> str:
        lines = []
        for _ in range(self.random.randrange(1, 6)):
            many = self.random.choice((1, 3, 90, 250, 600, 3_000, 30_000))
            inner = self.random.choice(_EXPRESSIONS)
            lines.append(
                self.random.choice(
                    (
                        f"x = {inner}{'.b' * many}",
                        f"x = {inner}{'()' * many}",
                        f"x = {inner}{'[0]' * many}",
                        f"x = {'-' * many}{inner}",
                        f"x = {'(' * many}{inner}{')' * many}",
                        f"x = {'not ' * many}{inner}",
                        f"x = [{(inner + ',') * many}]",
                        f"x = {'+'.join([inner] * many)}",
                        f"x = 0x{'f' * many}",
                        f"x = {'9' * many}",
                        f"x = f'{'{' * many}{'}' * many}'",
                        f"import {'.'.join(['a'] * many)}",
                        f"{'if x:' * many} pass",
                        f"{' ' * many}pass",
                        f"x{'=x' * many} = {inner}",
                        f"@{inner}\n" * min(many, 90) + "def f(): pass",
                        f"def f({','.join(f'a{number}' for number in range(many))}): pass",
                        f"match x:\n  case {'[' * many}{']' * many}: pass",
                        f"# -*- coding: {self.random.choice(('utf-7', 'rot13', 'x', 'utf-16', 'latin-1'))} -*-",
                        f"%{'%' * many}time\nexec('x')",
                        "\0\x0c\ufeff\ud800"[self.random.randrange(4) :],
                        "import ctypes, sys; sys._getframe()",
                        "exec('/proc/self')",
                    )
                )
            )
        return "\n".join(lines)

    def _notebook(self) -> bytes:
        def cell() -> object:
            source: object = self.random.choice((self._program(), self._program().split("\n"), 7, None, {}, ["a", 1]))
            kind = self.random.choice(("code", "code", "code", "markdown", 1, None))
            return self.random.choice(({"cell_type": kind, "source": source}, {}, [], "x", None))

        cells: object = [cell() for _ in range(self.random.randrange(6))]
        content = json.dumps({"cells": self.random.choice((cells, cells, cells, cells, {}, None, "x"))}).encode()
        if self.random.random() < 0.1:
            many = self.random.choice((100, 10_000, 1_000_000))
            content = b'{"cells": ' + self.random.choice((b"[", b"[],", b'{"a":', b"9", b'"')) * many
        return content

    def archive(self, name: str, deep: int = 1) -> bytes:
        """Return an archive, mostly of the kind that its name says, sometimes damaged."""
        entries = [(self._path(), self._inner(deep)) for _ in range(self.random.randrange(6))]
        if self.random.random() < 0.05:
            entries = [(f"part1/{number}.py", b"") for number in range(6_000)]
        file = io.BytesIO()
        if name.endswith((".zip", ".rar")):
            self._zip(file, entries)
        else:
            self._tar(file, entries)
        content = file.getvalue() if name.endswith((".zip", ".rar", ".tar")) else gzip.compress(file.getvalue(), 1)
        return self._scratched(content) if self.random.random() < 0.4 else content

    def _zip(self, file: io.BytesIO, entries: list[tuple[str, bytes]]) -> None:
        kinds = (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2)
        with zipfile.ZipFile(file, "w") as archive, contextlib.suppress(ValueError, UnicodeError):
            for path, content in entries:
                info = zipfile.ZipInfo(path)
                info.external_attr = self.random.choice((0, 0o120777, 0o100644, 0o40755, 0o20666)) << 16
                info.extra = self.random.choice((b"", b"", b"\x01\x00\x04\x00abcd", b"\xff"))
                archive.writestr(info, content, self.random.choice(kinds))

    def _tar(self, file: io.BytesIO, entries: list[tuple[str, bytes]]) -> None:
        formats = (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)
        kinds = (b"0", b"0", b"0", b"1", b"2", b"3", b"6", b"5", b"S", b"x", b"g", b"L", b"K", b"V")
        with (
            tarfile.open(fileobj=file, mode="w", format=self.random.choice(formats)) as archive,
            contextlib.suppress(ValueError, UnicodeError),
        ):
            for path, content in entries:
                info = tarfile.TarInfo(path)
                info.type, info.size, info.linkname = self.random.choice(kinds), len(content), "../../etc/passwd"
                info.pax_headers = self.random.choice(
                    ({}, {"size": "9" * 30}, {"path": "../x"}, {"GNU.sparse.major": "1"})
                )
                archive.addfile(info, io.BytesIO(content))

    def _path(self) -> str:
        parts = [self._component() for _ in range(self.random.choice((1, 2, 2, 3, 25)))]
        start = self.random.choice(("", "", "", "", "/", "../", "C:\\", "./"))
        return start + self.random.choice(("/", "/", "/", "\\")).join(parts)

    def _inner(self, deep: int) -> bytes:
        kind = self.random.random()
        if deep and kind < 0.1:
            return self.archive(self.random.choice((".zip", ".tar.gz")), deep - 1)
        if kind < 0.2:
            return bytes(self.random.choice((1, 1 << 16, 1 << 22, 20 << 20)))
        return self.content(self.random.choice(_FILES))

    def _scratched(self, content: bytes) -> bytes:
        out = bytearray(content)
        for _ in range(1 << self.random.randrange(4)):
            if not out:
                break
            place = self.random.randrange(len(out))
            match self.random.randrange(4):
                case 0:
                    out[place] = self.random.randrange(256)
                case 1:
                    out[place : place + 4] = struct.pack("<I", self.random.choice((0, 1, 2**31, 2**32 - 1, 0xFFFF)))
                case 2:
                    del out[place : place + self.random.randrange(1, 64)]
                case 3:
                    out[place:place] = out[place : place + self.random.randrange(1, 64)]
        return bytes(out)


def hand_in(seed: int, folder: Path) -> None:
    """Make and read the class of a seed in a folder; raise AssertionError if something is wrong."""
    classroom, trees = folder / "class", folder / "trees"
    classroom.mkdir(parents=True)
    trees.mkdir()
    Making(random.Random(seed), classroom).classroom()
    before = {path: _outside(path) for path in (folder, Path("/etc/passwd"))}
    started = children()
    began = resource.getrusage(resource.RUSAGE_SELF)
    _read(classroom, trees)
    ended = resource.getrusage(resource.RUSAGE_SELF)
    spent = ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime
    assert spent < _OWN_SECONDS, f"the reader itself computed for {spent:.1f} s"
    grown = (ended.ru_maxrss - began.ru_maxrss) << 10
    assert grown < _OWN_BYTES, f"the reader itself grew by {grown >> 20} MB"
    assert before == {path: _outside(path) for path in before}
    left = children() - started
    assert not left, f"processes are left: {left}"


def _outside(path: Path) -> object:
    return sorted(os.listdir(path)) if path.is_dir() else path.stat().st_mtime_ns


def _read(classroom: Path, trees: Path) -> None:
    found = discover(classroom, PARTS)
    if found.single:
        _prepare(found.submissions[0], trees)
        return
    ids = [fold(each.id) for each in found.submissions]
    assert len(set(ids)) == len(ids), ids
    assert ids
    assert all(_is_safe(each.id) and len(each.id) < 200 for each in found.submissions)
    for text in (*found.notes, *(note for each in found.submissions for note in each.notes)):
        assert text == printable(text), ascii(text)
    assert len(signatures(found.submissions)) == len(ids)
    honest = {each.source.name: each for each in found.submissions if each.source.name.endswith("-honest")}
    assert set(honest) == {"00-honest", "zz-honest"}
    for each in found.submissions:
        names_in(each)
        flags = _prepare(each, trees)
        if each.source.name in honest:
            assert flags == ("part1/utils.py, line 2: exec() makes code while it runs",), flags
            assert each.notes == ()


def _prepare(submission: Submission, trees: Path) -> tuple[str, ...]:
    """Prepare a submission, inspect its code, and return its flags."""
    if submission.error is not None:
        assert submission.error == printable(submission.error)
        return ()
    into = trees / submission.id
    try:
        prepared = prepare(submission, into, PARTS)
    except InputError as error:
        said = str(error)
        assert said == printable(said)
        assert "cannot be read: it takes" not in said, said  # that costs a minute
        assert not list(trees.iterdir()), "something is left of what could not be read"
        return ()
    for path in _all_below(into):
        mode = path.lstat().st_mode
        assert stat.S_ISREG(mode) or stat.S_ISDIR(mode), path
        assert _is_safe(path.name), path
        assert mode & 0o222 == 0, path
        assert len(str(path.relative_to(into))) < 1_200
    assert all(note == printable(note) for note in prepared.notes), prepared.notes
    shown = {key: place for key, place in prepared.parts.items() if place is not None}
    flags = code_flags(into, shown)
    assert all(flag == printable(flag) for flag in flags), flags
    discard(into)
    assert not list(trees.iterdir()), "something is left of what was read"
    return flags


def _all_below(folder: Path) -> Iterator[Path]:
    return folder.rglob("*")


def _is_safe(name: str) -> bool:
    return name == printable(name) and not set(name) & set("/\\\0") and name not in {"", ".", ".."}


def search(seed: int, seconds: float, most: int, say: Callable[[str], None] = print) -> list[str]:
    """Read the classes of `count` seeds, as long as there is time, and return the faults."""
    faults: list[str] = []
    began, number = time.monotonic(), 0
    slowest = 0.0
    while number < most and time.monotonic() - began < seconds and len(faults) < 20:
        folder = Path(tempfile.mkdtemp(prefix="gengrade-handing-in-"))
        before = time.monotonic()
        try:
            hand_in(seed + number, folder)
        except Exception:
            faults.append(f"the class of seed {seed + number}:\n{traceback.format_exc()}")
        slowest = max(slowest, time.monotonic() - before)
        subprocess.run(["chmod", "-R", "u+rwx", str(folder)], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)
        number += 1
    say(
        f"{number:,} classes handed in, in {time.monotonic() - began:.0f} s; the slowest took {slowest:.1f} s; "
        f"{len(faults)} faults"
    )
    return faults
