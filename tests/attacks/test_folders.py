"""Hostile folders and archives are graded in one class with honest ones by the real command.

What `tests/test_archives.py` shows of one archive is not shown again: here it is the class that must be graded, each
hand-in by itself, with a sentence that says what is wrong with it, and nothing written but results of safe names.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from gengrade.archives import MIB
from gengrade.sandbox import Isolation, Tier, choose, examine
from tests.support.handed_in import SMALL_RUBRIC, make
from tests.support.notebooks import notebook
from validation.workbench import REFERENCE

pytestmark = pytest.mark.slow  # a class for each test

_ROOT: Final = Path(__file__).resolve().parents[2]
_ANSWERS: Final = (REFERENCE / "answers.py").read_bytes()
_NEIGHBOURS: Final = ("00-first", "zz-last")  # found before and after all others
_FULL: Final = 3

Write = Callable[[Path], object]  # hands something in under that path
# By name: how, its points, and what is said of it ("": nothing; None: whatever it is).
Cases = Mapping[str, tuple[Write, float, str | None]]


@dataclass(frozen=True)
class Graded:
    """A graded class: what the command printed, and each submission's grade by its id."""

    printed: str
    out: Path
    grades: dict[str, dict[str, Any]]

    def points(self, id_: str) -> float:
        return float(self.grades[id_]["points"])

    def notes(self, id_: str) -> str:
        return "\n".join(self.grades[id_]["notes"])


@pytest.fixture
def classroom() -> Iterator[Path]:
    """A class's folder, which is removed at the end with everything in it."""
    if choose(Isolation.AUTO, single=True) is Tier.PROCESS:
        pytest.skip("this machine offers no isolation, and a class is not graded without it")
    with tempfile.TemporaryDirectory(prefix="gengrade-folders-") as folder:
        (Path(folder) / "class").mkdir()
        yield Path(folder) / "class"
        # Python would remove neither what is locked nor what lies a thousand folders deep.
        subprocess.run(["chmod", "-R", "u+rwx", f"{folder}/class"], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["rm", "-rf", f"{folder}/class"], check=False)


def grade(classroom: Path, around: tuple[str, ...] = (), arguments: tuple[str, ...] = ()) -> Graded:
    """Grade the class; check that nothing outside the results changed, and that the results are complete."""
    folder = classroom.parent
    out = folder / "results"
    (folder / "rubric.yaml").write_text(SMALL_RUBRIC)
    command = [*around, sys.executable, str(_ROOT / "run_grading.py"), str(classroom), "--out", str(out)]
    command += ["--profile", "unit", "--rubric", str(folder / "rubric.yaml"), "--data", "digits", *arguments]
    run = subprocess.run(command, capture_output=True, check=False, cwd=folder, timeout=280)
    printed = run.stdout.decode() + run.stderr.decode()  # and it is text
    assert run.returncode == 0, printed
    assert {path.name for path in folder.iterdir()} == {"class", "rubric.yaml", "results"}
    assert not list(out.rglob("faults.log"))
    assert not list((out / ".gengrade" / "trees").glob("[!.]*")), "trees are left behind"
    grades = {path.parent.name: json.loads(path.read_text()) for path in out.glob("*/grade.json")}
    for id_ in grades:
        assert re.fullmatch(r"\w[\w.-]*", id_), id_
        assert (out / id_ / "report.html").is_file(), id_
    return Graded(printed, out, grades)


def without_roots_rights() -> tuple[str, ...]:
    """Return the words that run a command without root's right to ignore permissions."""
    if os.getuid() != 0:
        return ()
    command = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    if not shutil.which("setpriv") or subprocess.run([*command, "true"], check=False, capture_output=True).returncode:
        pytest.skip("root may read everything, and nothing here takes that right from it")
    return command


def hand_in(folder: Path, files: dict[str, bytes] | None = None) -> Path:
    """Make an honest submission with additional files."""
    folder.mkdir(parents=True)
    for name, content in ({"answers.py": _ANSWERS} | (files or {})).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def judged(classroom: Path, cases: Cases, around: tuple[str, ...] = ()) -> Graded:
    """Hand the cases in, and grade them with honest submissions."""
    for name in _NEIGHBOURS:
        hand_in(classroom / name)
    for name, (write, _, _) in cases.items():
        write(classroom / name)
    graded = grade(classroom, around)
    for name in _NEIGHBOURS:
        assert (graded.points(name), graded.notes(name)) == (_FULL, ""), name
    found = {}
    for name, (_, points, says) in cases.items():
        id_ = re.sub(r"\.(zip|rar|7z|tar(\.\w+)?)$", "", name)
        notes = graded.grades[id_]["notes"]
        said = any(re.search(says, note) for note in notes) if says else says is None or not notes
        if not said or graded.points(id_) != points or any("\n" in note for note in notes):
            found[name] = (graded.points(id_), notes)
    assert not found
    assert len(graded.grades) == len(cases) + len(_NEIGHBOURS)
    return graded


# --- archives ------------------------------------------------------------------------------------------------------


def _zip(path: Path, files: dict[str, bytes]) -> bytes:
    return make(path.parent, "zip", files, path.stem).read_bytes()


def _nested(path: Path, names: tuple[str, ...], content: bytes) -> None:
    """Make nested archives, the outermost one at the path."""
    for name in names:
        content = _zip(path, {name: content})


def _directory_of(raw: bytes) -> tuple[int, bytes, bytearray]:
    """Return the positions of a zip's directory, its only entry, and its end."""
    start, end = raw.index(b"PK\x01\x02"), raw.index(b"PK\x05\x06")
    return start, raw[start:end], bytearray(raw[end:])


def _overlapping(path: Path) -> None:
    """Make a zip with a thousand entries that share the same compressed megabytes."""
    raw = _zip(path, {"a.py": bytes(8 * MIB)})
    start, entry, end = _directory_of(raw)
    entries = b"".join(entry.replace(b"a.py", b"%03d." % number) for number in range(1000))
    end[8:20] = struct.pack("<HHII", 1000, 1000, len(entries), start)
    path.write_bytes(raw[:start] + entries + end)


def _overlapping_of_one_name(path: Path) -> None:
    """Make the same zip, with the name of the one local header in each entry."""
    raw = _zip(path, {"answers.py": _ANSWERS})
    start, entry, end = _directory_of(raw)
    end[8:20] = struct.pack("<HHII", 1000, 1000, 1000 * len(entry), start)
    path.write_bytes(raw[:start] + entry * 1000 + end)


def _endless_directory(path: Path) -> None:
    """Make a zip whose directory claims 65,535 entries in 4 GB."""
    raw = bytearray(_zip(path, {"answers.py": _ANSWERS}))
    end = raw.index(b"PK\x05\x06")
    raw[end + 8 : end + 20] = struct.pack("<HHII", 65535, 65535, 2**32 - 2, 0)
    path.write_bytes(raw)


def _of_unknown_compression(path: Path) -> None:
    raw = bytearray(_zip(path, {"answers.py": _ANSWERS}))
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        start = raw.index(signature) + offset
        raw[start : start + 2] = struct.pack("<H", 93)
    path.write_bytes(raw)


def _name_that_is_no_text(path: Path) -> None:
    """Make a zip with a name that claims to be UTF-8 and is not."""
    raw = _zip(path, {"answers.py": _ANSWERS, "\u00e9.py": b""})
    path.write_bytes(raw.replace("\u00e9".encode(), b"\xff\xfe"))


def _devices(path: Path) -> None:
    """Make a tar with devices, FIFOs and links around an honest file, one named as markup and a command."""
    kinds = {"part1/sda": tarfile.BLKTYPE, "part1/tty": tarfile.CHRTYPE, "part1/pipe.py": tarfile.FIFOTYPE}
    kinds |= {"answers": tarfile.SYMTYPE, "x.py": tarfile.LNKTYPE, "a\n::error::<script>1": tarfile.SYMTYPE}
    with tarfile.open(path, "w:gz") as archive:
        for name, kind in kinds.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.devmajor, info.devminor = kind, "../../class", 8, 0
            archive.addfile(info)
        info = tarfile.TarInfo("answers.py")
        info.size = len(_ANSWERS)
        archive.addfile(info, io.BytesIO(_ANSWERS))


def _names_in(path: Path) -> None:
    """Make a zip with names outside its folder, or that differ from an honest file's only on some systems."""
    names = ["../../class/escaped.py", "/tmp/escaped.py", "C:\\escaped.py", "\\\\host\\share\\escaped.py", "..", "/"]
    names += ["ANSWERS.py", "\uff41nswers.py", "answers.py/inner.py", "\u0430nswers.py", "answers.py ", "a\nb.py"]
    names += ["NUL.py", "part1/con", "part1/aux.py.", "part1/a:b.py", "part1/ ", "part1/?*|<>.py"]
    _zip(path, {"answers.py": _ANSWERS} | dict.fromkeys(names, b"raise SystemExit"))


def _long_paths(path: Path) -> None:
    """Make an archive with an honest file, and others whose paths are too long for the system."""
    long = {f"{'/'.join(['n' * 190] * folders)}/utils.py": b"" for folders in (5, 6, 20, 22)}
    _zip(path, {"answers.py": _ANSWERS} | long | {f"part1/{'/'.join('m' * 90 for _ in range(23))}.py": b""})


def _digits_in_a_header(path: Path) -> None:
    """Make a tar with an extended header of digits, which `tarfile` takes very long to parse."""
    digits = b"1" * (12 * MIB)
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, len(digits)
    with tarfile.open(path, "w") as archive:
        archive.addfile(info, io.BytesIO(digits))
        info = tarfile.TarInfo("answers.py")
        info.size = len(_ANSWERS)
        archive.addfile(info, io.BytesIO(_ANSWERS))


def _of_a_large_dictionary(path: Path) -> None:
    """Make a zip compressed with LZMA whose header requests a dictionary of 4 GB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("answers.py", _ANSWERS)
    raw = bytearray(path.read_bytes())
    properties = raw.index(b"answers.py") + len(b"answers.py") + 4
    raw[properties + 1 : properties + 5] = struct.pack("<I", 2**32 - 1)
    path.write_bytes(raw)


def _sparse(path: Path, begins: bytes = b"", size: int = 4 << 30) -> None:
    with path.open("wb") as file:
        file.write(begins)
        file.truncate(size)


def _many_entries(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(5_100):
            archive.writestr(f"f{number}.py", b"")


def _nested_folders(path: Path, many: int) -> None:
    """Make a zip of many files, each in eighteen folders of its own."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("answers.py", _ANSWERS)
        for number in range(many):
            archive.writestr(f"part1/n{number}/{'/'.join('abcdefghijklmnopq')}/f.txt", b"x")


def _plain(path: Path, files: int, folders: int) -> None:
    """Make a folder of empty files, each in one of several folders, and of empty folders."""
    hand_in(path)
    for number in range(folders):
        (path / "part1" / f"d{number}").mkdir(parents=True)
        (path / "part1" / f"empty{number}").mkdir()
    for number in range(files):
        (path / "part1" / f"d{number % folders}" / f"{number}.txt").touch()


ARCHIVES: Final[Cases] = {
    "nested-bomb.zip": (
        lambda path: _nested(path, ("answers.py", "inner.zip", "middle.zip"), bytes(40 * MIB)),
        0,
        r"^inner\.zip: it holds more than \d+ MiB, which is too much .*; hand it in without",
    ),
    "nested.zip": (
        lambda path: _nested(path, ("answers.py", "inner.zip", "middle.zip"), _ANSWERS),
        _FULL,
        r"^middle/inner\.zip is an archive inside the submission; it was unpacked$",
    ),
    "overlapping.zip": (_overlapping, 0, r"^overlapping\.zip: it is damaged.*; pack it and hand it in again"),
    "one-name.zip": (_overlapping_of_one_name, _FULL, ""),  # the last of equal names counts
    "endless-directory.zip": (_endless_directory, 0, r"^endless-directory\.zip: it is damaged.*; pack it"),
    "compression.zip": (_of_unknown_compression, 0, r"^compression\.zip: .*compression method.*; pack it"),
    "no-text.zip": (_name_that_is_no_text, 0, r"^no-text\.zip: it is damaged.*; pack it and hand it in again"),
    "many.zip": (_many_entries, 0, r"^many\.zip: it holds more than 5,000 files; hand it in without"),
    "folders.zip": (
        lambda path: _nested_folders(path, 900),
        0,
        r"^folders\.zip: it holds more than 2,000 folders",
    ),
    "fewer-folders.zip": (lambda path: _nested_folders(path, 100), _FULL, r"^\d+ folders with \d+ files are left out"),
    "plain-files": (lambda path: _plain(path, 9_000, 3), _FULL, r"^1 folder with 5,\d+ files are left out"),
    "plain-folders": (lambda path: _plain(path, 1_500, 1_500), _FULL, r"^\d+ folders with \d+ files are left out"),
    "plain": (lambda path: _plain(path, 300, 30), _FULL, ""),  # the honest shape of them
    "rar.rar": (
        lambda path: path.write_bytes(b"Rar!\x1a\x07"),
        0,
        r"^rar\.rar: it is not a \.zip or \.tar\.gz archive; hand in",
    ),
    "xz.tar.xz": (
        lambda path: path.write_bytes(b"\xfd7zXZ"),
        0,
        r"^xz\.tar\.xz: it is not a \.zip or \.tar\.gz archive; hand",
    ),
    "sparse.zip": (_sparse, 0, r"^sparse\.zip: it is not a \.zip archive, although it has that suffix"),
    "sparse-pk.zip": (lambda path: _sparse(path, b"PK\x03\x04"), 0, r"^sparse-pk\.zip: it is damaged.*; pack it"),
    "sparse-tar.tar": (_sparse, 0, r""),  # nothing but the end of an archive: one without files
    "sparse-gz.tar.gz": (lambda path: _sparse(path, b"\x1f\x8b\x08"), 0, r"^sparse-gz\.tar\.gz: it is damaged.*; pack"),
    "devices.tar.gz": (_devices, _FULL, r"^part1/pipe\.py is left out, since it is a link or a device"),
    "paths.zip": (_long_paths, _FULL, r"^n+/.* is left out, since it has a path of more than 1,024 bytes$|^n+/.*…$"),
    "header.tar": (_digits_in_a_header, 0, r"^header\.tar: it is damaged.*unreasonable amount.*; pack it"),
    "dictionary.zip": (_of_a_large_dictionary, 0, r"^dictionary\.zip: it is damaged.*; pack it and hand it in again"),
    "names.zip": (_names_in, _FULL, r"^\.\./\.\./class/escaped\.py is left out, since it has '..' in its path"),
}


def test_hostile_archives_are_refused_each_in_a_sentence_and_the_class_is_graded(classroom: Path) -> None:
    graded = judged(classroom, ARCHIVES)
    assert "ANSWERS.py is left out, since it has the same name as another one" in graded.notes("names")
    assert "a_::error::<script>1 is left out" in graded.notes("devices")
    assert "<script>1" not in (graded.out / "devices" / "report.html").read_text()


def test_an_archive_that_lies_too_deep_is_named(classroom: Path) -> None:
    """The author of work that is not searched so deep must be told."""
    names = ("answers.py", "d.zip", "c.zip", "b.zip")
    judged(classroom, {"deep.zip": (lambda path: _nested(path, names, _ANSWERS), 0, r"d\.zip .*not")})


# --- programs ------------------------------------------------------------------------------------------------------


def _beside(codes: Mapping[str, str], suffix: str = ".py") -> Write:
    """Make an honest submission with hostile programs in a part, and another one that is flagged."""
    odd = {f"part1/{name}{suffix}": code.encode(errors="surrogatepass") for name, code in codes.items()}
    return lambda folder: hand_in(folder, {"part1/utils.py": b"exec('x')"} | odd)


_ODD: Final = {
    "attributes": "x = a" + ".b" * 600,
    "many-attributes": "x = a" + ".b" * 100_000,
    "calls": "x = a" + "()" * 600,
    "subscripts": "x = a" + "[0]" * 600,
    "digits": f"x = (0x{'f' * 100_000}).real",
    "signs": f"x = {'-' * 200_000}1",
    "brackets": "(" * 200_000,
    "sum": "x = " + "+".join("1" * 100_000),
    "elements": "x = [" + "1," * 1_500_000 + "1]",
    "powers": f"x = {'2**' * 2_000}2",
    "comparisons": "x = " + "<".join("1" * 100_000),
    "braces": f"x = f'{'{' * 2_000}1{'}' * 2_000}'",
    "elses": "if a:\n  pass\n" + "elif a:\n  pass\n" * 20_000,
    "indents": "".join(f"{' ' * number}if a:\n" for number in range(99)) + " " * 99 + "pass",
    "zeros": "\0" * 1_000_000,
    "surrogates": "x = '\ud800'",
}
_ODD_NOTEBOOKS: Final = {
    "open-brackets": '{"cells": ' + "[" * 1_000_000,
    "many-cells": '{"cells": [' + '{"cell_type":"code","source":""},' * 400_000 + "{}]}",
    "empty-lists": '{"cells": [' + "[]," * 5_000_000 + "[]]}",
    "number": '{"cells": [{"cell_type": "code", "source": ' + "9" * 1_000_000 + "}]}",
}
PROGRAMS: Final[Cases] = {
    "attributes": (_beside({"odd": _ODD["attributes"]}), _FULL, ""),
    "digits": (_beside({"odd": _ODD["digits"]}), _FULL, ""),
    "elements": (_beside({"odd": _ODD["elements"]}), _FULL, ""),
    "programs": (_beside(_ODD), _FULL, ""),
    "cells": (_beside({name: notebook("x", code) for name, code in _ODD.items()}, ".ipynb"), _FULL, ""),
    "notebooks": (_beside(_ODD_NOTEBOOKS, ".ipynb"), _FULL, ""),
    "plain": (_beside({"odd": "x = 1"}), _FULL, ""),  # the honest shape of it
}


def test_programs_that_no_reader_of_them_survives_cost_no_points_and_hide_nothing(classroom: Path) -> None:
    """Flags of the code are advice only: they fail no grading, and a strange file hides no other one's flags."""
    graded = judged(classroom, PROGRAMS)
    code_flags = {name: graded.grades[name]["code_flags"] for name in PROGRAMS}
    for name, said in code_flags.items():
        assert "part1/utils.py, line 1: exec() makes code while it runs" in said, name
    assert [len(code_flags[name]) for name in ("plain", "attributes", "digits")] == [1, 1, 1]
    assert "part1/odd.py could not be inspected: it holds more than 512 kB of code" in code_flags["elements"]


# --- folders -------------------------------------------------------------------------------------------------------

# Of a folder that somebody handed in; each is a name that this system can hold.
_NAMES: Final = (
    *("\u0441on", "con", "NUL", "-rf", "--help", "a b", "$(reboot)", "a;b|c&d", "100%s{0}", "trailing. "),
    *("<img src=x onerror=alert(1)>", "\"quoted' `name`", "line\nbreak", "tab\tand\x1b[31mred", "\u202egpj.exe"),
    *("Doe", "doe", "d\u00f6e", "do\u0308e", "d\u043e\u0435", "\ufb01sh", "fish", "n" * 255, "\U0001f600"),
    *("=1+1", "@SUM(1)", "[bold]red", "[link=x]y", ":smile:"),
)


def test_names_become_safe_ones_and_nobody_is_lost(classroom: Path) -> None:
    """No two submissions share a results folder, even if case and Unicode form are ignored."""
    names = [os.fsencode(name) for name in _NAMES] + [b"caf\xe9", b"caf\xe8", b"\xff\xff"]
    for name in names:
        hand_in(classroom / os.fsdecode(name))
    graded = grade(classroom)
    assert len(graded.grades) == len(names)
    assert all(graded.points(id_) == _FULL for id_ in graded.grades)
    assert len({id_.casefold() for id_ in graded.grades}) == len(names)
    for page in [graded.out / "index.html", *graded.out.glob("*/report.html")]:
        text = page.read_text()
        assert not re.search("<img|[\x00-\x08\x1b\u202e]", text), page
    assert not re.search("[\x00-\x08\x1b\u202e]", graded.printed)
    for row in csv.reader(io.StringIO((graded.out / "gradebook.csv").read_text())):
        assert not any(re.match(r"[=+@\t\r]|-(?!\d)", cell) for cell in row), row


def test_a_name_is_no_command_to_the_system_that_shows_our_log(classroom: Path) -> None:
    """GitHub Actions executes lines that begin with two colons, and "##[" anywhere in a line."""
    hand_in(classroom / "::error::a student wrote this")
    hand_in(classroom / "##[error]a student wrote this")
    (classroom / "::error::linked").symlink_to("nowhere")
    printed = grade(classroom).printed
    assert not re.search(r"^\s*::|##\[", printed, re.MULTILINE), printed


def test_names_of_the_classs_own_pages_cost_nobody_theirs(classroom: Path) -> None:
    names = ("real", "index.html", "gradebook.csv")
    for name in names:
        hand_in(classroom / name)
    graded = grade(classroom)
    assert (graded.out / "index.html").is_file()
    assert (graded.out / "gradebook.csv").is_file()
    assert [graded.points(id_) for id_ in graded.grades] == [_FULL] * len(names)


def _locked_inside(folder: Path, mode: int, name: str) -> None:
    hand_in(folder, {f"{name}/utils.py": b""})
    (folder / name).chmod(mode)


def _no_plain_files(folder: Path) -> None:
    """Make links, a FIFO, a socket and a device in place of requested files."""
    hand_in(folder)
    (folder / "part1").symlink_to("/etc")
    (folder / "part2").mkdir()
    (folder / "part2" / "models.py").symlink_to(REFERENCE / "part2" / "models.py")
    os.mkfifo(folder / "part2" / "train_torch.py")
    (folder / "loop").symlink_to(".")
    with contextlib.suppress(OSError):  # root's to make
        os.mknod(folder / "part2" / "zero.py", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    with contextlib.chdir(folder), socket.socket(socket.AF_UNIX) as listener:  # a socket's path is short
        listener.bind("part2/train_pl.py")


def _deeper(folder: Path, levels: int = 1500, name: str = "d") -> None:
    """Make folders nested deeper than Python recurses, or than the longest path."""
    with contextlib.chdir(folder):
        for _ in range(levels):
            os.mkdir(name)
            os.chdir(name)
        Path("deep.py").write_bytes(b"")


def _sparse_inside(folder: Path) -> None:
    hand_in(folder)
    (folder / "part1").mkdir()
    _sparse(folder / "part1" / "utils.py")
    _sparse(folder / "part1" / "model.pt")


def _twins(folder: Path) -> None:
    """Make names that are equal if case or Unicode form is ignored."""
    hand_in(folder, {"\uff41nswers.py": b"1 / 0", "\u0430nswers.py": b"1 / 0", "answers.py\n": b"1 / 0"})


FOLDERS: Final[Cases] = {
    "no-plain-files": (
        _no_plain_files,
        _FULL,
        r"^part2/models\.py is left out, since it is a link or a device",
    ),
    "sparse-inside": (_sparse_inside, _FULL, r"^part1/utils\.py is left out, since it is larger than 16 MiB"),
    "twins": (_twins, _FULL, r"^\uff41nswers\.py is left out, since it has the same name as another one"),
}
LOCKED: Final[Cases] = {
    "locked": (lambda folder: hand_in(folder).chmod(0), 0, r"^locked: it may not be read; check its permissions"),
    "part": (lambda folder: _locked_inside(folder, 0, "part1"), 0, r"^part1: it may not be read; check its perm"),
    "git": (lambda folder: _locked_inside(folder, 0, ".git"), _FULL, r""),
    "file": (
        lambda folder: (hand_in(folder) / "answers.py").chmod(0),
        0,
        r"^answers\.py: it may not be read; check its permissions",
    ),
    "zip.zip": (
        lambda path: make(path.parent, "zip", {"answers.py": _ANSWERS}, "zip").chmod(0),
        0,
        r"^zip\.zip: it cannot be read \(Permission denied\); check its permissions",
    ),
}
LISTED: Final[Cases] = {
    "part": (lambda folder: _locked_inside(folder, 0o444, "part1"), 0, r": it may not be read; check its perm"),
    "git": (lambda folder: _locked_inside(folder, 0o444, ".git"), _FULL, r""),
}


def test_what_is_no_plain_file_in_a_folder_is_left_out(classroom: Path) -> None:
    (classroom / "link").symlink_to("00-first")
    os.mkfifo(classroom / "pipe.zip")
    printed = " ".join(judged(classroom, FOLDERS).printed.split())
    assert "link is a symbolic link and is ignored; put the real folder in its place" in printed
    assert "pipe.zip is not a submission and is ignored" in printed


def test_what_may_not_be_read_costs_nobody_else(classroom: Path) -> None:
    judged(classroom, LOCKED, without_roots_rights())


def test_a_folder_whose_files_may_only_be_listed_costs_nobody_else(classroom: Path) -> None:
    judged(classroom, LISTED, without_roots_rights())


def test_folders_within_folders_without_end_are_graded(classroom: Path) -> None:
    cases: Cases = {
        "deep": (lambda folder: _deeper(hand_in(folder)), _FULL, None),
        "long": (lambda folder: _deeper(hand_in(folder), 20, "n" * 250), _FULL, None),
    }
    judged(classroom, cases)


def test_a_folder_that_grows_deep_between_two_runs_stops_neither(classroom: Path) -> None:
    """The second run searches everything that was handed in for changes."""
    for name in _NEIGHBOURS:
        hand_in(classroom / name)
    grade(classroom)
    _deeper(classroom / "00-first")
    graded = grade(classroom)
    assert [graded.points(name) for name in _NEIGHBOURS] == [_FULL, _FULL]


def _rewritten(path: Path, content: bytes) -> None:
    """Write other content of the same length with the same time."""
    before = path.stat()
    assert len(content) == before.st_size
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_mtime_ns, path.stat().st_size) == (before.st_mtime_ns, before.st_size)


def _padded(content: bytes) -> bytes:
    return content + b"#" * (len(_ANSWERS) + 500 - len(content))


def test_other_content_of_the_same_size_and_time_is_graded_again(classroom: Path) -> None:
    """This holds for a file, for an archive, and for a file that replaces another one."""
    good, bad = _padded(_ANSWERS), _padded(_ANSWERS + b"\ndel cubic_density\n")
    for name in ("file", "renamed"):
        hand_in(classroom / name, {"answers.py": bad})
    hand_in(classroom / "honest", {"answers.py": good})
    with zipfile.ZipFile(classroom / "zip.zip", "w") as archive:
        archive.writestr("answers.py", bad)
    time.sleep(2.5)  # else what was just written is looked at again whatever the system says of it
    graded = grade(classroom)
    assert [graded.points(name) for name in ("file", "renamed", "zip", "honest")] == [0, 0, 0, _FULL]
    time.sleep(0.1)
    _rewritten(classroom / "file" / "answers.py", good)
    raw = (classroom / "zip.zip").read_bytes()
    with zipfile.ZipFile(classroom / "new", "w") as archive:
        archive.writestr("answers.py", good)
    _rewritten(classroom / "zip.zip", (classroom / "new").read_bytes().ljust(len(raw))[: len(raw)])
    (classroom / "new").unlink()
    other = classroom / "renamed" / "other.py"
    other.write_bytes(good)
    times = (classroom / "renamed" / "answers.py").stat()
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.rename(classroom / "renamed" / "answers.py")
    before = (graded.out / "honest" / "facts.json").stat().st_mtime_ns
    graded = grade(classroom)
    assert [graded.points(name) for name in ("file", "renamed", "zip", "honest")] == [_FULL] * 4
    assert (graded.out / "honest" / "facts.json").stat().st_mtime_ns == before, "what nobody touched was graded again"


def test_what_was_only_touched_keeps_its_facts(classroom: Path) -> None:
    """The content decides, as it does when the whole class is copied."""
    for name in _NEIGHBOURS:
        hand_in(classroom / name)
    graded = grade(classroom)
    before = [(graded.out / name / "facts.json").stat().st_mtime_ns for name in _NEIGHBOURS]
    os.utime(classroom / "00-first" / "answers.py")
    shutil.copytree(classroom / "zz-last", classroom / "copy")
    shutil.rmtree(classroom / "zz-last")
    (classroom / "copy").rename(classroom / "zz-last")
    graded = grade(classroom)
    assert [(graded.out / name / "facts.json").stat().st_mtime_ns for name in _NEIGHBOURS] == before


_DIGS: Final = """
import os, tempfile
def cubic_density(x, a, b):
    os.chdir(tempfile.mkdtemp())
    for _ in range(1500):
        os.mkdir("d")
        os.chdir("d")
    os._exit(0)
"""


def test_a_deep_folder_that_a_run_leaves_behind_does_not_stop_the_next_one(classroom: Path) -> None:
    """A run without a tmpfs writes to the disk, and the last run's files are removed at the end."""
    if not next(finding for finding in examine() if finding.tier is Tier.LANDLOCK).available:
        pytest.skip("this machine does not give the tier landlock")
    hand_in(classroom / "00-digs", {"answers.py": _DIGS.encode()})
    hand_in(classroom / "zz-last")
    for _ in range(2):
        graded = grade(classroom, arguments=("--isolation", "landlock", "--jobs", "1"))
        assert (graded.points("00-digs"), graded.points("zz-last")) == (0, _FULL)
    assert not list((graded.out / ".gengrade").glob("sandbox-*"))


def test_a_hundred_thousand_files_are_refused_or_graded(classroom: Path) -> None:
    """The files are code in one folder, folders, a data set, or entries of an archive."""
    for name in ("code", "data", "folders", "real"):
        hand_in(classroom / name)
    (classroom / "data" / "data").mkdir()
    for number in range(100_001):
        (classroom / "code" / f"{number}.py").touch()
        (classroom / "data" / "data" / f"{number}.png").touch()
        (classroom / "folders" / str(number)).mkdir()
    with zipfile.ZipFile(classroom / "packed.zip", "w") as archive:
        for number in range(100_001):
            archive.writestr(f"data/{number}.png", b"")
    graded = grade(classroom)
    assert [graded.points(name) for name in ("real", "folders")] == [_FULL, _FULL]
    for name in ("code", "data", "packed"):
        assert graded.points(name) == 0, name
        assert re.search(r"it holds (too many files|more than 100,000 entries); ", graded.notes(name)), name


def test_what_many_archives_hold_is_counted_together(classroom: Path) -> None:
    """Each archive holds as much as one archive may."""
    inner = {f"{number}.zip": _zip(classroom / "x.zip", {"a.txt": os.urandom(15 * MIB)}) for number in range(12)}
    _zip(classroom / "bomb.zip", inner)
    (classroom / "x.zip").unlink()
    hand_in(classroom / "real")
    graded = grade(classroom)
    assert (graded.points("real"), graded.points("bomb")) == (_FULL, 0)
    assert graded.notes("bomb")
    assert sum(path.stat().st_size for path in graded.out.rglob("*") if path.is_file()) < 64 * MIB
