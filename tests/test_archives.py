"""Untrusted archives: what is unpacked, what is left out, and what is refused."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gengrade.archives import MIB, ArchiveError, Caps, ExtractionNotes, extract
from gengrade.paths import InputError, Refused, SafePaths, fold, safe_name, split
from tests.support.handed_in import make

KINDS = ("zip", "tar.gz", "tgz", "tar")


def unpacked(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_plain_files_arrive(tmp_path: Path, kind: str) -> None:
    files = {"part1/utils.py": b"x = 1\n", "part1/deep/er/é.py": b"", "README.md": b"hello"}
    notes = extract(make(tmp_path, kind, files), tmp_path / "out")
    assert unpacked(tmp_path / "out") == files
    assert (notes.files, notes.bytes, notes.left_out) == (3, 11, ())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", ["../evil.py", "a/../../evil.py", "/tmp/evil.py", "C:\\evil.py", "..\\evil.py", "c:evil.py", ".."]
)
def test_paths_that_climb_out_are_left_out(tmp_path: Path, kind: str, name: str) -> None:
    archive = make(tmp_path, kind, {name: b"evil", "good.py": b"good"})
    notes = extract(archive, tmp_path / "in" / "out")
    assert unpacked(tmp_path) == {archive.name: archive.read_bytes(), "in/out/good.py": b"good"}
    assert len(notes.left_out) == 1


def test_links_and_devices_in_a_tar_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "work.tar"
    with tarfile.open(path, "w") as archive:
        for number, kind in enumerate((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE)):
            info = tarfile.TarInfo(f"bad{number}")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        sparse = tarfile.TarInfo("sparse")
        sparse.type = tarfile.GNUTYPE_SPARSE
        archive.addfile(sparse)
        archive.addfile(tarfile.TarInfo("good.py"))
    notes = extract(path, tmp_path / "out")
    assert unpacked(tmp_path / "out") == {"good.py": b""}
    assert len(notes.left_out) == 5
    assert "link or a device" in notes.left_out[0]


def test_a_link_in_a_zip_cannot_redirect_what_follows(tmp_path: Path) -> None:
    path = tmp_path / "work.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("part1")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/tmp")
        archive.writestr("part1/utils.py", "x = 1")
    notes = extract(path, tmp_path / "out")
    assert unpacked(tmp_path / "out") == {"part1/utils.py": b"x = 1"}
    assert len(notes.left_out) == 1


def test_modes_are_ours(tmp_path: Path) -> None:
    path = tmp_path / "work.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("set-uid.py")
        info.mode, info.uid = 0o6777, 0
        archive.addfile(info)
    extract(path, tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out" / "set-uid.py").stat().st_mode) == 0o600


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_colliding_names_never_overwrite(tmp_path: Path, kind: str) -> None:
    files = {"Part1/utils.py": b"1", "part1/UTILS.py": b"2", "part1/other.py": b"3", "cafe\u0301.py": b"4"}
    files |= {"caf\u00e9.py": b"5", "part1": b"6", "Part1/utils.py/inner.py": b"7"}
    notes = extract(make(tmp_path, kind, files), tmp_path / "out")
    assert unpacked(tmp_path / "out") == {"Part1/utils.py": b"1", "Part1/other.py": b"3", "caf\u00e9.py": b"4"}
    assert len(notes.left_out) == 4


def test_the_last_of_two_equal_names_counts(tmp_path: Path) -> None:
    path = tmp_path / "work.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.py", "first")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.py", "second")
    assert extract(path, tmp_path / "out") == ExtractionNotes(1, 0, len(b"first" + b"second"), ())
    assert unpacked(tmp_path / "out") == {"a.py": b"second"}


def test_a_damaged_file_in_a_zip_is_lost_alone(tmp_path: Path) -> None:
    def damaged(name: str, files: dict[str, bytes]) -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as archive:  # stored without compression
            for file, content in files.items():
                archive.writestr(file, content)
        path.write_bytes(path.read_bytes().replace(b"pixels", b"damage", 1))
        return path

    path = damaged("some.zip", {"a.py": b"first", "picture.png": b"pixels" * 9, "b.py": b"last"})
    notes = extract(path, tmp_path / "out")
    assert unpacked(tmp_path / "out") == {"a.py": b"first", "b.py": b"last"}
    assert (notes.files, len(notes.left_out)) == (2, 1)
    assert notes.left_out[0].startswith("picture.png is left out, since it is damaged (Bad CRC-32")
    with pytest.raises(ArchiveError, match="it is damaged"):
        extract(damaged("all.zip", {"a.py": b"pixels" * 9}), tmp_path / "none")


def test_names_that_steer_a_terminal_are_made_harmless(tmp_path: Path) -> None:
    extract(make(tmp_path, "tar", {"a\x1b[31m\u202e.py": b""}), tmp_path / "out")
    assert unpacked(tmp_path / "out") == {"a_[31m_.py": b""}


def test_what_is_skipped_is_not_even_decompressed(tmp_path: Path) -> None:
    archive = make(tmp_path, "zip", {"data/zeros": bytes(64 * MIB), "a.py": b"1"})
    notes = extract(archive, tmp_path / "out", skip=lambda path: path.parts[0] == "data")
    assert (unpacked(tmp_path / "out"), notes.left_out) == ({"a.py": b"1"}, ())


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_bomb_is_refused(tmp_path: Path, kind: str) -> None:
    archive = make(tmp_path, kind, {"zeros": bytes(24 * MIB)})
    with pytest.raises(ArchiveError, match="too much for an archive of its size"):
        extract(archive, tmp_path / "out")
    assert sum(map(len, unpacked(tmp_path / "out").values())) <= 16 * MIB


@pytest.mark.parametrize("kind", KINDS)
def test_caps_hold(tmp_path: Path, kind: str) -> None:
    archive = make(tmp_path, kind, {f"{number}.py": os.urandom(1000) for number in range(20)})
    with pytest.raises(ArchiveError, match="more than 10 files"):
        extract(archive, tmp_path / "few", Caps(files=10))
    with pytest.raises(ArchiveError, match="more than 15 entries"):
        extract(archive, tmp_path / "entries", Caps(entries=15))
    with pytest.raises(ArchiveError, match="more than 0 MiB"):
        extract(archive, tmp_path / "bytes", Caps(total_bytes=10_000))
    nested = make(tmp_path, kind, {f"a/{number}/b/{number}.py": b"" for number in range(5)}, "nested")
    with pytest.raises(ArchiveError, match="more than 10 folders"):
        extract(nested, tmp_path / "folders", Caps(folders=10))
    assert extract(nested, tmp_path / "enough", Caps(folders=11)).folders == 11
    notes = extract(archive, tmp_path / "each", Caps(file_bytes=999))
    assert (notes.files, len(notes.left_out), unpacked(tmp_path / "each")) == (0, 20, {})


def test_a_lie_about_the_size_is_not_believed(tmp_path: Path) -> None:
    archive = make(tmp_path, "zip", {"a.py": b"x" * 50_000})
    raw = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = raw.index(signature) + offset
        raw[start : start + 4] = (10).to_bytes(4, "little")
    archive.write_bytes(raw)
    with pytest.raises(ArchiveError):
        extract(archive, tmp_path / "out")


def test_a_tar_header_cannot_ask_for_much_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    path = tmp_path / "work.tar.gz"
    path.write_bytes(gzip.compress(info.tobuf() + bytes(MIB)))
    with pytest.raises(ArchiveError, match="memory"):
        extract(path, tmp_path / "out")


def _extended(path: Path, headers: Iterable[tuple[bytes, bytes]]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for kind, content in headers:
            info = tarfile.TarInfo("x")
            info.type, info.size = kind, len(content)
            archive.addfile(info, io.BytesIO(content))
        archive.addfile(tarfile.TarInfo("utils.py"))
    return path


def _values(start: int) -> bytes:
    """Return records of an extended header, each with a name of its own."""
    return b"".join(b"12 k%05d=x\n" % number for number in range(start, start + 40))


@pytest.mark.parametrize(
    "headers",
    {
        "long": [(tarfile.XHDTYPE, b"1000000 comment=" + b"x" * 20_000)],
        "of digits": [(tarfile.XHDTYPE, b"1" * 15_000)],
        "of digits, for all": [(tarfile.XGLTYPE, b"1" * 15_000)],
        "a long name": [(tarfile.GNUTYPE_LONGNAME, b"n" * 20_000)],
        "many in a row": [(tarfile.XHDTYPE, b"13 comment=x\n" + b"\0" * 10_000)] * 10,
        "many for all": [(tarfile.XGLTYPE, _values(40 * number)) for number in range(3)],
    }.values(),
)
def test_extended_headers_are_short_and_few(tmp_path: Path, headers: list[tuple[bytes, bytes]]) -> None:
    """The time that `tarfile` takes for them grows with the square of their length, and of their number."""
    path = _extended(tmp_path / "work.tar.gz", headers)
    before = time.process_time()
    with pytest.raises(ArchiveError, match=r"header|holds more"):
        extract(path, tmp_path / "out")
    assert time.process_time() - before < 1.0


def test_extended_headers_as_people_have_them_are_read(tmp_path: Path) -> None:
    path = tmp_path / "work.tar.gz"
    names = [f"part1/{'n' * 150}-{number}.py" for number in range(50)]
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT, pax_headers={"comment": "a commit"}) as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 200_000
            info.pax_headers = {"LIBARCHIVE.xattr.com.apple.quarantine": "Zm9v" * 500, "mtime": "1700000000.123456789"}
            archive.addfile(info, io.BytesIO(b"1" * 200_000))
    assert extract(path, tmp_path / "out").files == 50


def test_a_tar_is_not_read_for_ever(tmp_path: Path) -> None:
    info = tarfile.TarInfo("data/huge")
    info.size = 1 << 40
    path = tmp_path / "work.tar.gz"
    path.write_bytes(gzip.compress(info.tobuf() + bytes(MIB)))
    with pytest.raises(ArchiveError, match="more bytes than allowed"):
        extract(path, tmp_path / "out", skip=lambda path: True)


def test_depth_and_length_of_names_are_limited(tmp_path: Path) -> None:
    files = {"/".join(["d"] * 30): b"1", "n" * 230 + ".py": b"2", "ok.py": b"3"}
    notes = extract(make(tmp_path, "tar", files), tmp_path / "out")
    assert unpacked(tmp_path / "out") == {"ok.py": b"3"}
    assert len(notes.left_out) == 2


def test_an_encrypted_zip_says_so(tmp_path: Path) -> None:
    archive = make(tmp_path, "zip", {"a.py": b"x"})
    raw = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + offset] |= 1
    archive.write_bytes(raw)
    with pytest.raises(ArchiveError, match=r"^work\.zip: it is encrypted; hand it in without a password$"):
        extract(archive, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.zip", b"", "it is empty"),
        ("a.zip", b"<html>", "it is not a .zip archive"),
        ("a.zip", b"PK\x03\x04nothing", "damaged"),
        ("a.tar.gz", b"\x1f\x8bnothing", "damaged"),
        ("a.tar", b"nothing" * 200, "damaged"),
        ("a.rar", b"Rar!", "not a .zip or .tar.gz archive"),
    ],
)
def test_broken_archives_are_refused_in_a_sentence(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ArchiveError, match=says) as caught:
        extract(tmp_path / name, tmp_path / "out")
    assert str(caught.value).startswith(f"{name}: it is ")
    assert isinstance(caught.value, InputError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar"])
def test_half_an_archive_is_refused(tmp_path: Path, kind: str) -> None:
    archive = make(tmp_path, kind, {f"{number}.py": os.urandom(9_000) for number in range(5)})
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with pytest.raises(ArchiveError, match="damaged"):
        extract(archive, tmp_path / "out")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_scratched_archive_is_unpacked_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("scratched")
    archive = make(folder, data.draw(st.sampled_from(KINDS)), {"a/b.py": b"x" * 300, "c.py": b"print()"})
    raw = bytearray(archive.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=4)):
        raw[place] = data.draw(st.integers(0, 255))
    archive.write_bytes(raw)
    try:
        extract(archive, folder / "out")
    except ArchiveError:
        pass
    assert {path.name for path in folder.iterdir()} <= {archive.name, "out"}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.text(max_size=6), min_size=1, max_size=4), max_size=12))
def test_safe_paths_never_collide_nor_leave(paths: list[list[str]]) -> None:
    places = SafePaths(depth=8, name_bytes=100)
    given_out: list[PurePosixPath] = []
    for path in paths:
        try:
            given_out.append(places.place(split("/".join(path))))
        except Refused:
            continue
    keys = [tuple(map(fold, path.parts)) for path in given_out]
    assert len(set(keys)) == len(keys)
    folders = {key[:length] for key in keys for length in range(len(key))}
    assert not folders & set(keys)
    for place in given_out:
        assert not place.is_absolute()
        assert ".." not in place.parts
        assert all(name == safe_name(name) and name.encode() for name in place.parts)
