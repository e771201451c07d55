"""What travels to machines without a common disk: submissions there, and facts back."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from gengrade.authenticity import Seal
from gengrade.choices import Tier
from gengrade.engine import UsageError
from gengrade.engine.cluster.dask import Dask, require_safe
from gengrade.engine.cluster.parcels import Unpackable, packed, packed_results, unpacked, write_results
from gengrade.facts import Outcome
from gengrade.job import broken_facts, facts_in, write_facts
from gengrade.submissions import Submission, content
from tests.support.jobs import small_job


def _submission(source: Path, *attachments: Path) -> Submission:
    return Submission(id="doe", name="Doe", late=None, source=source, attachments=attachments)


def test_a_submission_is_the_same_on_the_other_side(tmp_path: Path) -> None:
    source = tmp_path / "class" / "doe's work"
    (source / "part 1" / "empty").mkdir(parents=True)
    (source / "part 1" / "mödel.py").write_text("x = 1\n")
    (source / "__MACOSX").mkdir()
    note = tmp_path / "class" / "answers.py"
    note.write_text("y = 2\n")
    sent = _submission(source, note)
    there = unpacked(packed(sent), sent, tmp_path / "there")
    assert content(there) == content(sent)
    assert (there.source.name, there.attachments[0].name) == (source.name, note.name)
    assert (there.source / "part 1" / "empty").is_dir()


def test_an_archive_travels_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "doe.zip").write_bytes(b"this is no archive")
    sent = _submission(tmp_path / "doe.zip")
    there = unpacked(packed(sent), sent, tmp_path / "there")
    assert there.source.read_bytes() == b"this is no archive"


def test_links_do_not_travel(tmp_path: Path) -> None:
    source = tmp_path / "doe"
    source.mkdir()
    (source / "model.py").symlink_to("/etc/passwd")
    with pytest.raises(Unpackable):
        packed(_submission(source))
    with pytest.raises(Unpackable):
        packed(_submission(source / "model.py"))
    with pytest.raises(Unpackable):
        packed(_submission(tmp_path / "gone"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../doe", tarfile.REGTYPE),
        ("0/../../doe", tarfile.REGTYPE),
        ("/doe", tarfile.REGTYPE),
        ("0/doe", tarfile.SYMTYPE),
        ("0/doe", tarfile.LNKTYPE),
        ("0/doe", tarfile.FIFOTYPE),
    ],
)
def test_nothing_else_is_unpacked(tmp_path: Path, name: str, kind: bytes) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, "/etc/passwd"
        archive.addfile(entry)
    with pytest.raises(Unpackable, match="a parcel holds"):
        unpacked(buffer.getvalue(), _submission(tmp_path / "doe"), tmp_path / "there")
    assert list(tmp_path.iterdir()) == []


def test_facts_come_back_under_the_seal(tmp_path: Path) -> None:
    source = tmp_path / "doe"
    source.mkdir()
    submission = _submission(source)
    there, here = small_job(tmp_path / "there", Tier.LANDLOCK), small_job(tmp_path / "here", Tier.LANDLOCK)
    write_facts(there, submission, broken_facts(there, submission, "lost"))
    (there.folder(submission) / "evidence").mkdir()
    (there.folder(submission) / "evidence" / "large").write_bytes(b"stays there")
    write_results(packed_results(there.folder(submission)), here, submission)
    facts = facts_in(here.folder(submission), "doe", Seal(b"k" * 32))
    assert facts is not None
    assert {check.outcome for check in facts.checks.values()} == {Outcome.INFRA}
    assert [path.name for path in here.folder(submission).iterdir()] == ["facts.json"]


@pytest.mark.parametrize("name", ["facts.json", "../facts.json", "report.html", "figures/../../x", "evidence/x"])
def test_other_files_are_not_written(tmp_path: Path, name: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = 2
        archive.addfile(entry, io.BytesIO(b"{}"))
    with pytest.raises(ValueError, match="came back"):
        write_results(buffer.getvalue(), small_job(tmp_path, Tier.LANDLOCK), _submission(tmp_path / "doe"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["tls://head:8786", "tcp://127.0.0.1:8786", "tcp://localhost:1", "tcp://[::1]:1"])
def test_safe_addresses(address: str) -> None:
    require_safe(address, "--scheduler")


@pytest.mark.parametrize("address", ["head:8786", "tcp://10.0.0.1:8786", "ws://127.0.0.1:1", "tcp://127.0.0.1.evil:1"])
def test_a_connection_that_others_could_read_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="TLS"):
        Dask(address)
