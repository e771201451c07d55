"""A run's own clock measures what the run does, and not how busy the machine is."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from gengrade.facts import Outcome
from gengrade.processors import shares_of
from gengrade.sandbox import Limits, Tier, examine
from gengrade.sandbox.guest import family, page_counter
from gengrade.sandbox.guest.page_counter import PageCounter
from gengrade.sandbox.guest.waits import Waits
from gengrade.sandbox.turns import Turns
from tests.load import busy
from tests.support.sandboxed import SandboxHarness

TIERS = [finding.tier for finding in examine() if finding.available and finding.tier is not Tier.PROCESS]
BUSY = 2


@pytest.fixture(scope="module", params=TIERS)
def crowded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxHarness]:
    """Return a sandbox on one processor, which it shares with two busy processes."""
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system does not bind processes to processors")
    before = os.sched_getaffinity(0)
    harness = SandboxHarness(tmp_path_factory.mktemp("trees"), request.param)
    harness.sandbox.warm()
    harness.sandbox.close()
    os.sched_setaffinity(0, [min(before)])
    try:
        harness.sandbox.warm()
        with busy(BUSY):
            yield harness
    finally:
        os.sched_setaffinity(0, before)
        harness.sandbox.close()


WORK = "import time\nwhile time.process_time() < {seconds}: pass\nreturn 1"


def test_work_within_its_limit_passes_on_a_busy_machine(crowded: SandboxHarness) -> None:
    """Beside two busy processes, such work takes longer than its limit by the wall clock."""
    passed = 0.0
    while passed < 1.5:
        began = time.monotonic()
        run = crowded.run(WORK.format(seconds=0.8), Limits(seconds=1.5))
        passed = time.monotonic() - began
        assert (run.outcome, run.starved) == (Outcome.PASSED, False), run.message
        assert run.seconds < 1.5


def test_work_beyond_its_limit_does_not(crowded: SandboxHarness) -> None:
    """The only run on the machine gets all of its time and a verdict, which is not cached."""
    run = crowded.run("while True: pass", Limits(seconds=0.6))
    assert (run.outcome, run.message) == (Outcome.TIMEOUT, "stopped after 0.6 s: the limit of this check")
    assert run.starved
    assert run.cpu_seconds > 0.4


def test_sleep_takes_its_time_on_a_busy_machine_too(crowded: SandboxHarness) -> None:
    run = crowded.run("import time\ntime.sleep(1000)", Limits(seconds=0.6))
    assert run.outcome is Outcome.TIMEOUT


@pytest.mark.parametrize(
    "body",
    [
        "for _ in range(6):\n    if os.fork() == 0:\n        while True: pass\nimport time\ntime.sleep(1000)",
        "import threading\n"
        "threads = [threading.Thread(target=lambda: [None for _ in iter(int, 1)]) for _ in range(4)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()",
        # Children whose end nobody asks for: the kernel would not count them.
        "import signal, time\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "while True:\n"
        "    if os.fork() == 0:\n"
        "        while time.process_time() < 0.03: pass\n"
        "        os._exit(0)\n"
        "    time.sleep(0.03)\n"
        "    try: os.waitpid(-1, os.WNOHANG)\n"
        "    except OSError: pass",
        "import subprocess, sys\nwhile True: subprocess.run([sys.executable, '-c', 'sum(range(10**6))'])",
    ],
    ids=["children", "threads", "unwaited", "programs"],
)
@pytest.mark.slow
def test_the_time_of_the_whole_family_counts(crowded: SandboxHarness, body: str) -> None:
    """The work counts in whichever process it is done; the wall-clock limit, 20 times as long, is not reached."""
    run = crowded.run(body, Limits(seconds=0.6))
    assert run.outcome is Outcome.TIMEOUT, run.message
    assert run.cpu_seconds > 0.3


def test_a_thread_that_starts_a_program_stops_no_clock(crowded: SandboxHarness) -> None:
    """The thread takes its counter of waits along to the first task's number, where it was not seen before."""
    body = (
        "import threading, time\n"
        "if os.fork() == 0:\n"
        "    def work():\n"
        "        while time.thread_time() < 1: pass\n"
        "        time.sleep(3)\n"
        "        os.execv('/bin/sleep', ['sleep', '1'])\n"
        "    threading.Thread(target=work).start()\n"
        "    time.sleep(60)\n"
        "return os.wait()[1]"
    )
    run = crowded.run(body, Limits(seconds=30))
    assert (run.outcome, run.evidence) == (Outcome.PASSED, 0), run.message
    assert run.seconds > 4.5  # a second of work, and four in which nobody waited


def test_waits_at_once_count_once() -> None:
    waits = Waits(began=100.0)
    waits.add(1, {"1": 1.0}, now=101.0)
    waits.add(2, {"2": 0.5}, now=101.0)
    assert waits.total == 1.0
    waits.add(1, {"1": 1.0}, now=102.0)
    assert waits.total == 1.0
    waits.add(2, {"2": 1.0}, now=103.0)  # half a second more, which ended just now
    assert waits.total == 1.5
    waits.add(3, {"3": 60.0}, now=104.0)  # not more than it can have been there
    assert waits.total == 2.5
    waits.add(3, {"3": 160.0}, now=105.0)  # not more than there was
    assert waits.total == 5.0


@pytest.mark.parametrize("others", [{}, {"9": 0.0}])
def test_a_wait_counts_once_though_its_task_takes_the_first_ones_number(others: dict[str, float]) -> None:
    """A thread that executes another program becomes its process's first task and takes its counter along."""
    waits = Waits(began=0.0)
    waits.add(1, {"1": 0.0, "2": 0.0, **others}, now=1.0)
    waits.add(1, {"1": 0.0, "2": 10.0, **others}, now=11.0)
    assert waits.total == 10.0
    waits.add(1, {"1": 0.0, "2": 10.0, **others}, now=60.0)
    waits.add(1, {"1": 10.25}, now=61.0)  # it was the second, and waited a quarter of a second more
    assert waits.total == 10.25
    waits.add(1, {"1": 10.5}, now=62.0)
    assert waits.total == 10.5


def test_a_wait_counts_once_though_its_task_changes_its_number_between_two_accounts_of_a_reading() -> None:
    """The first task was read before the change, and the second one was gone when it was read."""
    waits = Waits(began=0.0)
    waits.add(1, {"1": 0.0, "2": 10.0}, now=10.0)
    waits.add(1, {"1": 0.0}, now=60.0)
    waits.add(1, {"1": 10.0}, now=61.0)
    assert waits.total == 10.0


def test_what_waits_after_another_task_has_ended_counts() -> None:
    """A thread that waited and ended does not hide later waits of the first task."""
    waits = Waits(began=0.0)
    waits.add(1, {"1": 1.0, "2": 10.0}, now=10.0)
    for now in (11.0, 12.0):
        waits.add(1, {"1": 1.0}, now=now)
    waits.add(1, {"1": 3.0}, now=20.0)
    assert waits.total == 12.0


def test_a_number_that_is_given_anew_counts_no_wait_twice() -> None:
    waits = Waits(began=0.0)
    waits.add(1, {"1": 0.0, "2": 5.0}, now=5.0)
    waits.add(1, {"1": 0.0}, now=20.0)
    waits.add(1, {"1": 0.0, "2": 4.0}, now=30.0)  # another task, perhaps: what it waited is left out
    waits.add(7, {"7": 2.0}, now=40.0)
    waits.add(1, {"1": 0.0, "2": 5.5}, now=50.0)
    waits.add(7, {"7": 1.0}, now=60.0)
    assert waits.total == 7.5


def test_what_was_hidden_from_the_readings_waited_no_longer_than_since_the_last() -> None:
    waits = Waits(began=0.0)
    waits.add(1, {"1": 0.0}, now=49.0)
    waits.add(1, {"1": 0.0}, now=50.0)
    waits.add(2, {"2": 30.0, "3": 20.0}, now=50.0)
    assert waits.total == 1.0


def test_who_is_alone_waits_for_the_others_and_they_for_it(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "turns")
    order: list[str] = []
    inside = threading.Event()

    def alone() -> None:
        with turns.alone():
            order.append("alone")

    def beside() -> None:
        inside.wait()
        with turns.beside_others():
            order.append("later")

    with turns.beside_others(), turns.beside_others():
        first = threading.Thread(target=alone)
        first.start()
        while first.is_alive() and not _held(tmp_path / "turns.gate"):
            time.sleep(0.01)
        second = threading.Thread(target=beside)
        second.start()
        inside.set()
        time.sleep(0.05)
        assert order == []
    first.join()
    second.join()
    assert order == ["alone", "later"]


def _held(lock: Path) -> bool:
    import fcntl

    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


@pytest.mark.parametrize(
    ("processors", "workers", "shares"),
    [
        ([0, 1], 2, ["0", "1"]),
        ([0, 1, 2, 3, 4], 2, ["0,2,4", "1,3"]),
        ([4, 6], 3, ["4", "6", "4"]),
        ([3], 1, ["3"]),
    ],
)
def test_workers_have_processors_of_their_own(processors: list[int], workers: int, shares: list[str]) -> None:
    assert shares_of(processors, workers) == shares


def test_of_too_many_processes_no_more_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads about all of a thousand processes on their processor is slower than they are."""
    tree = {1: [2, 3], 2: list(range(10, 60))}
    looked: list[int] = []

    def children(pid: int, tasks: list[str]) -> list[int]:
        looked.append(pid)
        return list(tree.get(pid, []))

    monkeypatch.setattr(os, "getpid", lambda: 1)
    monkeypatch.setattr(family, "_children", children)
    monkeypatch.setattr(family, "_tasks", lambda pid: [str(pid), f"{pid}0"])
    everything = list(family._members())
    assert sorted(pid for pid, _ in everything) == [2, 3, *range(10, 60)]
    assert family.count(104) == everything
    looked.clear()
    with pytest.raises(family.TooManyProcesses):
        family.count(10)
    assert len(looked) <= 1 + 6, "two tasks each"


def test_a_family_that_multiplies_while_it_is_measured_is_counted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty processes take a moment to measure, and on a processor that they share, this moment is long."""
    few = [(pid, [str(pid)]) for pid in range(10, 30)]
    now = list(few)
    tasks = 200
    measured: list[int] = []

    def memory(pid: int) -> int:
        nonlocal tasks
        measured.append(pid)
        if len(measured) == 3:
            now.extend((pid, [str(pid)]) for pid in range(30, 90))
            tasks += 60
        return 0

    monkeypatch.setattr(family, "_memory", memory)
    monkeypatch.setattr(family, "_members", lambda: iter(now))
    monkeypatch.setattr(family, "_text", lambda path: f"0.5 0.5 0.5 1/{tasks} 4711\n" if "loadavg" in path else "")
    own, other = socket.socketpair()
    with own, other:
        meter = family.Meter(50, family.Baseline(0, 0, ""), PageCounter(own))
        with pytest.raises(family.TooManyProcesses):
            meter.read(few)
        assert measured == [10, 11, 12]
        now[:] = few
        meter.read(few)
        assert len(measured) == 3 + 20


def test_processes_that_stay_are_not_taken_for_those_of_the_next_run(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr(family, "descendants", lambda: iter([4711, 4712]))
    monkeypatch.setattr(family, "_kill_one", killed.append)
    monkeypatch.setattr(os, "waitpid", lambda pid, options: (0, 0))
    with pytest.raises(TimeoutError, match="2 processes of a run"):
        family.kill_descendants(0.05)
    assert set(killed) == {4711, 4712}


def test_pages_are_counted_without_waiting_for_them() -> None:
    """The zygote asks, and measures on; an answer about an earlier run is not taken for one about this run."""
    may_read = threading.Semaphore(0)

    def read(processes: Iterable[int]) -> int:
        may_read.acquire()
        return sum(processes)

    own, other = socket.socketpair()
    with other:
        reader = threading.Thread(target=page_counter._serve, args=(other, read))
        reader.start()
        counter = PageCounter(own)
        counter.ask([1, 2])
        counter.ask([100])  # ignored, since a question is open
        assert counter.answer() is None
        may_read.release()
        assert _asked_until_answered(counter, [4]) == 3
        assert counter.answer() is None
        counter.ask([4])
        counter.forget()
        may_read.release(2)
        assert _asked_until_answered(counter, [5, 6]) == 11
        counter.close()
        may_read.release()
        reader.join()


def test_who_cannot_count_pages_does_not_blame_a_run() -> None:
    own, other = socket.socketpair()
    counter = PageCounter(own)
    other.close()
    with pytest.raises(SystemExit, match="counts pages"):
        counter.ask([1])
    with pytest.raises(SystemExit, match="counts pages"):
        counter.answer()
    counter.close()


def _asked_until_answered(counter: PageCounter, processes: list[int]) -> int | None:
    deadline = time.monotonic() + 30
    while (answer := counter.answer()) is None and time.monotonic() < deadline:
        counter.ask(processes)
        time.sleep(0.001)
    return answer
