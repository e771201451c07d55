"""Calls in a confined process: their results, and every way in which one may end."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gengrade import records
from gengrade.archives import ArchiveError
from gengrade.confined import MIB, Bounds, Disturbed, Unreadable, confined
from gengrade.submissions import Discovery, Prepared, Submission, SubmissionError

SMALL = Bounds(cpu_seconds=1, memory_bytes=200 * MIB, file_bytes=MIB, answer_bytes=100_000, wall_seconds=20)


def raising(error: BaseException) -> Callable[[], int]:
    def call() -> int:
        raise error

    return call


def deeper(n: int) -> int:
    return deeper(n + 1) + 1


def busy() -> int:
    while True:
        pass


def crashing() -> int:
    ctypes.string_at(0)
    return 0


def wrong() -> int:
    return "text"  # type: ignore[return-value]


def children_of_this_process() -> set[int]:
    """Return the ids of this process's children, also of those that have ended and wait to be collected."""
    children = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # another process may have ended meanwhile
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getpid():
                children.add(int(process.name))
    return children


def test_a_result_comes_back() -> None:
    assert confined(lambda: 7, int) == 7
    assert confined(lambda: ["a", "\udcff\n"], list[str]) == ["a", "\udcff\n"]
    submission = Submission("a", "\udcff", None, Path("/\udcff/b"), (Path("c"),), ("n",), None)
    assert confined(lambda: Discovery((submission,), single=True), Discovery) == Discovery((submission,), single=True)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (raising(MemoryError()), "too much memory"),
        (lambda: len(bytes(400 * MIB)), "too much memory"),
        (lambda: deeper(0), "nested too deep"),
        (raising(OSError(errno.ENAMETOOLONG, "File name too long")), "File name too long"),
        (raising(KeyError("\x1b[31m\u200bodd")), r"KeyError \('_\[31m_odd'\)|KeyError"),
        (raising(SystemExit(3)), r"crashed \(status 1\)"),
        (lambda: os._exit(0), "gave no valid answer"),
        (crashing, r"crashed \(SIGSEGV\)"),
        (busy, "more than 1 s of CPU time"),
        (lambda: int("x" * 200_000), None),
        (wrong, "gave no valid answer"),
    ],
)
def test_whatever_its_input_causes_is_unreadable(call: Callable[[], int], says: str | None) -> None:
    with pytest.raises(Unreadable, match=says):
        confined(call, int, SMALL)


def test_an_answer_without_end_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="the result of reading it is too long"):
        confined(lambda: "x" * 1_000_000, str, SMALL)


def test_errors_of_input_come_through_with_their_fields() -> None:
    for path in (Path("/a/\udcff.zip"), "b.zip"):
        with pytest.raises(ArchiveError) as caught:
            confined(raising(ArchiveError(path, "it is empty")), int)
        assert (caught.value.path, caught.value.reason) == (path, "it is empty")
    with pytest.raises(SubmissionError):
        confined(raising(SubmissionError(Path("x"), "y")), int)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.EACCES])
def test_a_fault_of_the_machine_stays_one(number: int) -> None:
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        confined(raising(OSError(number, "", "/a")), int)
    assert (caught.value.errno, caught.value.filename) == (number, "/a")


def test_a_file_beyond_our_limit_is_the_inputs_and_beyond_the_operators_is_the_machines(tmp_path: Path) -> None:
    def grow() -> int:
        return (tmp_path / "file").write_bytes(bytes(2 * MIB))

    with pytest.raises(Unreadable, match="File too large"):
        confined(grow, int, SMALL)
    program = (
        "import resource, sys; from pathlib import Path; from gengrade.confined import confined\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: confined(lambda: Path(sys.argv[1]).write_bytes(bytes(2000)), int)\n"
        "except OSError as error: print('OSError', error.errno)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "file")], capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["OSError", str(errno.EFBIG)]


def test_what_somebody_else_stops_is_not_the_inputs_fault() -> None:
    for number in (signal.SIGKILL, signal.SIGTERM):
        with pytest.raises(Disturbed, match=number.name):
            confined(lambda number=number: os.kill(os.getpid(), number), type(None), SMALL)  # type: ignore[misc]


def test_time_on_the_clock_alone_is_not_the_inputs_fault() -> None:
    began = time.monotonic()
    with pytest.raises(Disturbed, match="although it used little CPU time"):
        confined(lambda: time.sleep(60), type(None), Bounds(wall_seconds=0.3))
    assert time.monotonic() - began < 30


def test_waiting_is_no_computing() -> None:
    confined(lambda: time.sleep(1.5), type(None), SMALL)


def _processes() -> int:
    return resource.getrlimit(resource.RLIMIT_NPROC)[0]


def test_a_confined_call_may_start_others_only_where_it_says_so() -> None:
    bounds = Bounds(processes=True)
    assert confined(_processes, int) == 0
    assert confined(_processes, int, bounds) == _processes()
    assert confined(lambda: confined(_processes, int), int, bounds) == 0

    def unreadable() -> str:
        try:
            return str(confined(busy, int, Bounds(cpu_seconds=1)))
        except Unreadable as error:
            return error.reason

    assert "more than 1 s of CPU time" in confined(unreadable, str, bounds)


def test_one_that_says_nothing_more_and_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gengrade.confined._END_SECONDS", 0.2)

    def hang() -> int:
        os.closerange(3, 100)
        time.sleep(60)
        return 0

    with pytest.raises(Disturbed):
        confined(hang, int, SMALL)


def test_the_parent_is_as_it_was(tmp_path: Path) -> None:
    before = {
        kind: resource.getrlimit(kind) for kind in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE)
    }
    descriptors = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    children = children_of_this_process()
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    for call in (lambda: 1, raising(MemoryError()), lambda: os._exit(1)):
        try:
            confined(call, int, SMALL)
        except Unreadable:
            pass
    assert {kind: resource.getrlimit(kind) for kind in before} == before
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    if sys.platform == "linux":
        assert len(os.listdir("/proc/self/fd")) == descriptors
    # Earlier tests of this worker may have left children of their own, such as Python's resource tracker.
    assert children_of_this_process() <= children


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    program = (
        "import os, sys, time; from pathlib import Path; from gengrade.confined import confined\n"
        "def call():\n Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(60)\n"
        "confined(call, type(None))\n"
    )
    note = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", program, str(note)]) as parent:
        while not (note.is_file() and note.read_text()):
            time.sleep(0.01)
        child = int(note.read_text())
        parent.kill()
    until = time.monotonic() + 10
    while time.monotonic() < until and Path(f"/proc/{child}").exists() and not _is_zombie(child):
        time.sleep(0.01)
    assert not Path(f"/proc/{child}").exists() or _is_zombie(child)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


texts = st.text(alphabet=st.characters(), max_size=20)
paths = texts.map(lambda text: Path("/", text.replace("\0", "")))


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        Submission,
        texts,
        texts,
        st.none() | st.booleans(),
        paths,
        st.lists(paths, max_size=3).map(tuple),
        st.lists(texts, max_size=3).map(tuple),
        st.none() | texts,
    )
    | st.builds(
        Prepared, paths, st.dictionaries(texts, st.none() | texts), texts, st.just(("a",)), st.integers(), st.integers()
    )
)
def test_records_come_back_as_they_were(value: Submission | Prepared) -> None:
    assert records.loads(type(value), records.dumps(value)) == value


@pytest.mark.parametrize("kind", [Submission, Prepared, Discovery, list[str], tuple[str | None, ...], int])
@pytest.mark.parametrize("text", ["", "{}", "[1]", "null", '"a"', "true", '{"id": 1}', "[" * 100, "1.5", '[["a"]]'])
def test_what_is_no_record_of_that_type_is_refused(kind: Any, text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        records.loads(kind, text)
