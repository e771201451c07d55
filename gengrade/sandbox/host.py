"""The host's side of the wall: starts a zygote, hands it runs, and holds the clock and the caps.

Invariants: every byte from a run is hostile until `wire.decode` has returned it; what a run may cost is bounded by the
host's own clock; whatever goes wrong before the student's code starts is an `InfraError`, and whatever goes wrong after
is the run's outcome.

A run's time is its own: the processor time of all of its processes, or, where that is more, the time that passed while
none of them waited for a processor. Other programs on the machine take none of it. Far beyond it stands a limit on the
time that passes at all. A run that ends there, or runs out of its time on a machine that had little for it, is repeated
once while no other run goes on (`_Turns`), as is one that the kernel may have ended when all memory was taken; if that
tells nothing either, it is nobody's fault but ours.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from gengrade.course import Course
from gengrade.facts import Outcome
from gengrade.sandbox import tiers, wire
from gengrade.sandbox.cgroups import Group
from gengrade.sandbox.closure import closure_of
from gengrade.sandbox.guest import family
from gengrade.sandbox.guest.disk import MOST_FILES
from gengrade.sandbox.guest.settings import RunSettings, ZygoteSettings
from gengrade.sandbox.library import preloaded, stage
from gengrade.sandbox.reach import Kept
from gengrade.sandbox.run import Frame, InfraError, Output, Request, Run
from gengrade.sandbox.tiers import Tier

_START_SECONDS: Final = 300.0  # importing the libraries, on a slow disk or a busy machine
_WALLS_SECONDS: Final = 120.0  # from the fork to the student's code
_END_SECONDS: Final = 60.0  # from SIGKILL to the zygote's word that all is over
_SLACK_MB: Final = 1024  # of a control group, beyond what is counted: caches of files, and what the zygote shares
_FAR: Final = 20.0  # times its own time may pass before a run is given up
_STARVED: Final = 0.05  # share of the time that passed in which a run waited for others' work, and no little of it
_FULL: Final = 0.9  # share of all of its processors' time above which a run waited for its own work alone
_LOOK_SECONDS: Final = 1.0  # at the latest, the host looks at its clock again
_CHUNK: Final = 1 << 18
_Field = TypeVar("_Field")
SCRATCH_PREFIX: Final = "sandbox-"  # of a zygote's own folder, beside the trees; a killed worker leaves it behind


class Sandbox:
    """The front of the wall: `run(request)` gives a `Run`, whatever the student's code does.

    The zygote starts with the first run, and again after it was lost. `trees` is the folder that holds every clean
    tree that will be run; a run sees its own only. `kept` is what no run may read, wherever it lies; our own code is
    always kept.
    """

    def __init__(
        self, tier: Tier, course: Course, trees: Path, *, device: str = "cpu", kept: Sequence[Kept] = ()
    ) -> None:
        self.tier = tier
        self.course = course
        self.device = device
        self._trees = trees.resolve()
        self._turns = _Turns(self._trees.parent / "turns")
        self._kept = tuple(kept)
        self._zygote: _Zygote | None = None
        self.starting = 0.0  # seconds spent on starting zygotes so far

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._zygote is not None:
            self._zygote.close()
            self._zygote = None

    def warm(self) -> None:
        """Starts the zygote now rather than with the first run. Raises InfraError."""
        self._ready()

    def run(self, request: Request) -> Run:
        """One run in a fresh process. Raises InfraError when it failed twice for no fault of the student's.

        The second time it is the only run that goes on.
        """
        spent = 0.0  # on the first try, which counts as well
        try:
            with self._turns.beside_others():
                run = self._ready().run(request)
            if not run.starved:
                return run
            spent = run.seconds
        except (InfraError, OSError):
            self.close()
        try:
            with self._turns.alone():
                again = self._ready().run(request)
                return replace(again, seconds=again.seconds + spent)
        except OSError as error:
            self.close()
            raise InfraError(f"the sandbox failed: {error}") from error
        except InfraError:
            self.close()
            raise

    def _ready(self) -> _Zygote:
        if self._zygote is None:
            began = time.monotonic()
            cuda = self.device == "cuda"
            self._zygote = _Zygote(self.tier, self.course, self._trees, self._kept, cuda=cuda)
            self.starting += time.monotonic() - began
        return self._zygote


class _Turns:
    """Whose turn it is among all workers that grade into one folder: many runs beside each other, or one alone.

    Whoever waits to be alone keeps the gate, so that no new run begins before it.
    """

    def __init__(self, folder: Path) -> None:
        self._gate, self._room = folder.with_suffix(".gate"), folder.with_suffix(".room")

    @contextmanager
    def beside_others(self) -> Iterator[None]:
        with ExitStack() as stack:
            with _locked(self._gate, fcntl.LOCK_EX):
                stack.enter_context(_locked(self._room, fcntl.LOCK_SH))
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        with _locked(self._gate, fcntl.LOCK_EX), _locked(self._room, fcntl.LOCK_EX):
            yield


@contextmanager
def _locked(file: Path, how: int) -> Iterator[None]:
    """The kernel lets go of the lock when its holder dies."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


class _Zygote:
    """A zygote process and the control socket to it."""

    def __init__(self, tier: Tier, course: Course, trees: Path, kept: Sequence[Kept], *, cuda: bool) -> None:
        self._tier = tier
        self._course = course
        self._trees = trees
        self.processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._scratch = tempfile.TemporaryDirectory(prefix=SCRATCH_PREFIX, dir=trees.parent)
        folder = Path(self._scratch.name)
        library = stage(folder / "library")
        self._work = folder / "work"
        self._work.mkdir()
        folder.chmod(0o711)
        trees.chmod(0o755)  # the run's unprivileged user looks in; the folders above still keep others out
        self.errors = (folder / "zygote.log").open("wb+")
        self._control, theirs = _control_pair()
        as_root = os.name == "posix" and os.getuid() == 0 and tier is Tier.SANDBOX
        scratch = "/tmp" if tier is Tier.SANDBOX else str(self._work)
        reaches = tiers.reaches(tier, kept, cuda=cuda)
        settings = ZygoteSettings(
            tier=tier.value,
            preload=preloaded(course),
            scratch=scratch,
            control=theirs.fileno(),
            uid=tiers.unprivileged() if as_root else None,
            cuda=cuda,
            readable=reaches.allowed if tier is Tier.LANDLOCK else (),
            listed=reaches.listed if tier is Tier.LANDLOCK else ("/",),
            kept_mounts=tiers.beneath_temporary(reaches) if tier is Tier.SANDBOX else (),
        )
        command = tiers.command(tier, library, trees, theirs.fileno(), reaches, cuda=cuda)
        self.group = Group.make()
        with tempfile.TemporaryFile() as file:
            # Not an argument: the list may be long, and who runs on the machine may read arguments.
            file.write(settings.to_json().encode())
            file.seek(0)
            self._process = subprocess.Popen(
                self.group.entered_by(command) if self.group else command,
                stdin=file,
                stdout=self.errors,
                stderr=self.errors,
                env=tiers.environment(scratch, cuda=cuda),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        theirs.close()
        try:
            message = self._message(_START_SECONDS)
            if "ready" not in message:
                raise InfraError(f"the zygote did not start: {message}")
        except BaseException:
            self.close()
            raise

    def run(self, request: Request) -> Run:
        if self.group:
            limits = request.limits
            self.group.allow((limits.memory_mb + 2 * limits.disk_mb + _SLACK_MB) << 20)
        code = closure_of(self._course, request.probe).code
        payload = wire.frame(wire.CODE, code) + wire.frame(wire.REQUEST, wire.encode(dict(request.inputs)))
        tree = request.tree.resolve()
        scratch = self._scratch_of_a_run()
        settings = RunSettings(
            tree=tree.relative_to(self._trees).as_posix() if self._tier is Tier.SANDBOX else str(tree),
            scratch=scratch,
            seed=request.seed,
            device=request.device,
            threads=request.threads,
            limits=request.limits.as_dict(),
        )
        channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        output, their_output = os.pipe()
        with channel:
            try:
                message = json.dumps({"run": settings.to_json()}).encode()
                socket.send_fds(self._control, [message], [theirs.fileno(), their_output])
            finally:
                theirs.close()
                os.close(their_output)
            try:
                return _Conversation(self, request, channel, output, payload).hold()
            finally:
                os.close(output)

    def _scratch_of_a_run(self) -> str:
        """An empty folder. In the sandbox tier it is the run's own memory; else what the last run left goes first.

        What cannot be removed, since it was locked, stays until the end: the next run's folder is another one.
        """
        if self._tier is Tier.SANDBOX:
            return "/tmp"
        for leftover in list(self._work.iterdir()):
            remove(leftover)
        return tempfile.mkdtemp(prefix="run-", dir=self._work)

    @property
    def control(self) -> socket.socket:
        return self._control

    def start_clock(self) -> None:
        """The student's code has started."""
        self._control.send(json.dumps({"started": True}).encode())

    def kill_run(self) -> None:
        self._control.send(json.dumps({"kill": True}).encode())

    def said(self) -> tuple[str, Mapping[str, Any]]:
        """The zygote's next word on the run: "usage" on the way, "ended" when it is over."""
        ((kind, fields),) = self._message(_END_SECONDS).items()
        if kind not in ("usage", "ended"):
            raise InfraError(f"the zygote lost track of a run: {kind}")
        return kind, fields

    def ended(self) -> Mapping[str, Any]:
        """Waits for the zygote's word that the run is over."""
        while True:
            kind, fields = self.said()
            if kind == "ended":
                return fields

    def _message(self, seconds: float) -> dict[str, Any]:
        """The zygote's next message. Raises InfraError when it is dead or silent."""
        self._control.settimeout(seconds)
        try:
            data = self._control.recv(1 << 16)
        except TimeoutError:
            raise InfraError(f"the zygote was silent for {seconds:.0f} s{self._last_words()}") from None
        finally:
            self._control.settimeout(None)
        if not data:
            raise InfraError(f"the zygote died{self._last_words()}")
        message = json.loads(data)
        assert isinstance(message, dict)
        return message

    def _last_words(self) -> str:
        self.errors.seek(0)
        words = self.errors.read()[-2000:].decode("utf-8", "replace").strip()
        return f": {words}" if words else ""

    def close(self) -> None:
        self._control.close()
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self._process.kill()
        self._process.wait()
        if self._tier is not Tier.SANDBOX:
            family.kill_session(self._process.pid)
        if self.group:
            self.group.close()
        self.errors.close()
        remove(self._work)
        self._scratch.cleanup()


def remove(folder: Path) -> None:
    """A folder that student code may have written to, as far as that can be done. Of a link, only the link itself."""
    if folder.is_symlink():
        folder.unlink()  # `chmod` would follow it
        return
    for command in (
        ["chmod", "-R", "u+rwX"],
        ["rm", "-rf"],
    ):  # Python would not remove what lies deeper than it recurses
        subprocess.run([*command, "--", str(folder)], check=False, stderr=subprocess.DEVNULL)


class _Clock:
    """Seconds in which this process was awake.

    While it was stopped, by Ctrl-Z, by a paused container or by a machine that slept, nobody's time ran out: the run
    was stopped as well, or could not tell its answer.
    """

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._awake = 0.0

    def read(self) -> float:
        """Time since the last reading counts as far as a host that is awake lets it pass."""
        now = time.monotonic()
        self._awake += min(now - self._last, 2 * _LOOK_SECONDS)
        self._last = now
        return self._awake


class _Conversation:
    """One run, seen from the host: sends the inputs, reads frames and output, minds the clock."""

    def __init__(self, zygote: _Zygote, request: Request, channel: socket.socket, output: int, payload: bytes) -> None:
        self.zygote = zygote
        self.limits = request.limits
        self.channel = channel
        self.output_fd = output
        self.unsent = memoryview(payload)
        self.received = bytearray()
        self.taken = 0  # bytes that came in altogether
        self.expected: int | None = None  # bytes of the frame that is coming in, its header included
        self.output = Output()
        self.clock = _Clock()
        self.kills = _kills_for_memory()
        self.started: float | None = None
        self.idle = self.cpu = self.waited = 0.0  # seconds since then, as the zygote told last
        self.starved = False
        self.answer: tuple[bytes, bytes] | None = None
        self.refusal: tuple[Outcome, str] | None = None  # why the host ended the run

    def hold(self) -> Run:
        began = self.clock.read()
        self.channel.setblocking(False)
        os.set_blocking(self.output_fd, False)
        poll = select.poll()
        poll.register(self.channel, select.POLLIN | select.POLLOUT)
        poll.register(self.output_fd, select.POLLIN)
        poll.register(self.zygote.control, select.POLLIN)
        ended: Mapping[str, Any] | None = None
        while self.answer is None and self.refusal is None and ended is None:
            if self._is_over(began):
                break
            events = dict(poll.poll(1000 * _LOOK_SECONDS))
            if self.channel.fileno() in events:
                self._exchange(events[self.channel.fileno()], poll)
            if self.output_fd in events and not self._drain():
                poll.unregister(self.output_fd)
            if self.zygote.control.fileno() in events:
                kind, fields = self.zygote.said()
                if kind == "ended":
                    ended = fields
                    self._read_channel(poll)
                elif self.started is not None:
                    self._told(fields)
        passed = self._passed(began)
        if ended is None:
            self.zygote.kill_run()
            ended = self.zygote.ended()
        self._drain()
        self._told({**ended, "passed": passed})
        return self._verdict(ended, self._used(passed))

    def _passed(self, began: float) -> float:
        """Seconds since the student's code started, or before it did, since the run began."""
        return self.clock.read() - (began if self.started is None else self.started)

    def _told(self, usage: Mapping[str, Any]) -> None:
        """Takes the zygote's word on the run's time; while this process was stopped, no time passed."""
        passed = min(float(usage["passed"]), self._passed(0.0))
        self.cpu, self.waited = float(usage["cpu"]), float(usage["waited"])
        self.idle = passed - self.waited

    def _used(self, passed: float) -> float:
        """Seconds on the run's own clock, as far as the zygote has told, when so many have passed.

        More than all processors can do in the time that passed was done while this process was stopped.
        """
        return max(min(self.cpu, passed * self.zygote.processors), self.idle)

    def _is_over(self, began: float) -> bool:
        """Whether the run is out of time, and then what of it."""
        passed = self._passed(began)
        if self.started is None:
            if passed > _WALLS_SECONDS:
                self.zygote.kill_run()
                self.zygote.ended()
                raise InfraError(f"a run's walls did not stand within {_WALLS_SECONDS:.0f} s: {self._printed()}")
            return False
        if passed > _FAR * self.limits.seconds + _WALLS_SECONDS:
            self.zygote.kill_run()
            self.zygote.ended()
            raise InfraError(
                f"a run had {self._used(passed):.0f} s of its {self.limits.seconds:g} s while {passed:.0f} s passed: "
                "the machine is too busy"
            )
        if self._used(passed) < self.limits.seconds:
            return False
        self.refusal = (Outcome.TIMEOUT, f"stopped after {self.limits.seconds:g} s: the limit of this check")
        waited_for_itself = self.cpu > _FULL * passed * self.zygote.processors
        self.starved = self.waited > _STARVED * passed and not waited_for_itself
        return True

    def _exchange(self, events: int, poll: select.poll) -> None:
        if events & select.POLLOUT and self.unsent:
            try:
                sent = self.channel.send(self.unsent[:_CHUNK])
                self.unsent = self.unsent[sent:]
            except BlockingIOError:
                return
            except OSError:
                self.unsent = self.unsent[:0]
        if not self.unsent:
            poll.modify(self.channel, select.POLLIN)
        if events & (select.POLLIN | select.POLLHUP | select.POLLERR):
            self._read_channel(poll)

    def _read_channel(self, poll: select.poll) -> None:
        """Takes what is there, never more than a frame of the size that the limit allows."""
        cap = (self.limits.evidence_mb << 20) + wire.MAX_DOCUMENT_BYTES + (1 << 20)
        while self.answer is None and self.refusal is None:
            try:
                data = self.channel.recv(_CHUNK)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                with contextlib.suppress(KeyError):  # it may have ended before
                    poll.unregister(self.channel)
                return
            self.received += data
            self.taken += len(data)
            self._frames(cap)

    def _frames(self, cap: int) -> None:
        while len(self.received) >= wire.FRAME_HEADER.size and self.refusal is None:
            tag, length = wire.FRAME_HEADER.unpack_from(self.received)
            end = wire.FRAME_HEADER.size + length
            if length > cap:
                megabytes = self.limits.evidence_mb
                self.refusal = (Outcome.ERROR, f"more than {megabytes} MB were returned: the limit of this check")
            elif tag == wire.STARTED and self.started is None and length == 0:
                self.started = self.clock.read()
                self.zygote.start_clock()
                del self.received[:end]
            elif tag in (wire.EVIDENCE, wire.FAULT) and self.started is not None:
                if len(self.received) >= end:
                    self.answer = (tag, bytes(self.received[wire.FRAME_HEADER.size : end]))
                return
            else:
                self.refusal = (Outcome.ERROR, "the run answered with something that is no evidence")

    def _drain(self) -> bool:
        """Reads what was printed, so that a full pipe never blocks the run. False at its end."""
        while True:
            try:
                data = os.read(self.output_fd, _CHUNK)
            except BlockingIOError:
                return True
            if not data:
                return False
            self.output.add(data)
            if self.output.total > self.limits.output_kb << 10:
                megabytes = self.limits.output_kb / 1024
                reason = f"stopped after printing {megabytes:g} MB: the limit of this check"
                self.refusal = self.refusal or (Outcome.ERROR, reason)
                return True

    def _printed(self) -> str:
        self._drain()
        return self.output.text().strip()[-500:]

    def _verdict(self, ended: Mapping[str, Any], seconds: float) -> Run:
        limits = self.limits
        if self.started is None and self.refusal is None:
            raise InfraError(f"a run ended before its walls stood: {ended}; {self._printed()}")
        outcome, message = Outcome.CRASHED, ""
        evidence: wire.Tree = None
        frames: tuple[Frame, ...] = ()
        if ended["reason"] == "memory" or (self.zygote.group and self.zygote.group.has_killed()):
            outcome, message = Outcome.MEMORY, f"stopped at {limits.memory_mb} MB of memory: the limit of this check"
        elif ended["reason"] == "processes":
            reason = f"stopped: more than {limits.processes} processes and threads at once, the limit of this check"
            outcome, message = Outcome.ERROR, reason
        elif ended["reason"] == "descriptors":
            outcome, message = Outcome.ERROR, "stopped: too many descriptors were sent and not received"
        elif ended["reason"] == "unmeasurable":
            outcome, message = Outcome.ERROR, "stopped: what its processes take could not be measured"
        elif ended["reason"] == "disk":
            reason = (
                f"stopped: files may take {limits.disk_mb} MB in this check, and {MOST_FILES:,} may be there at once"
            )
            outcome, message = Outcome.ERROR, reason
        elif self.refusal is not None:
            outcome, message = self.refusal
        elif self.answer is None:
            message = _death(int(ended["exit"]), int(ended["signal"]))
        else:
            outcome, message, evidence, frames = read_answer(*self.answer)
        return Run(
            outcome=outcome,
            message=message,
            evidence=evidence,
            frames=frames,
            output=self.output.text(),
            seconds=seconds,
            cpu_seconds=self.cpu,
            peak_mb=float(ended["peak_mb"]),
            starved=self._may_differ(outcome, ended),
            received=self.taken,
        )

    def _may_differ(self, outcome: Outcome, ended: Mapping[str, Any]) -> bool:
        """Whether a shortage of the machine may have made this outcome.

        A run that somebody killed, without a word of ours, was perhaps the kernel's choice when all memory was taken;
        so was a process of a run in whose time the kernel chose any.
        """
        if outcome is Outcome.PASSED:
            return False
        killed = not ended["reason"] and signal.SIGKILL in (ended["signal"], ended["exit"] - 128)
        unasked = killed and self.answer is None and self.refusal is None
        return (self.starved and outcome is Outcome.TIMEOUT) or unasked or _kills_for_memory() > self.kills


def _kills_for_memory() -> int:
    """How many processes this machine has ended for want of memory, where it says so."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return 0


def read_answer(tag: bytes, payload: bytes) -> tuple[Outcome, str, wire.Tree, tuple[Frame, ...]]:
    """A run's outcome, message, evidence and frames, from what its process answered, whatever the bytes are."""
    try:
        tree = wire.decode(payload)
        if tag == wire.EVIDENCE:
            return Outcome.PASSED, "", tree, ()
        return _read_fault(tree)
    except wire.WireError:
        return Outcome.ERROR, "the run answered with something that is no evidence", None, ()


def _read_fault(tree: wire.Tree) -> tuple[Outcome, str, wire.Tree, tuple[Frame, ...]]:
    """A fault's words come from the student's process: of its outcomes, only those that cost points are taken."""
    claimed = _field(tree, "outcome", str)
    outcome = Outcome(claimed) if claimed in ("missing", "memory") else Outcome.ERROR
    kind, text, hint = _words(tree, "type", 200), _words(tree, "message", 2000), _words(tree, "hint", 300)
    frames = tuple(
        Frame(
            _words(item, "file", 300),
            _field(item, "line", int),
            _words(item, "function", 200),
            _words(item, "source", 300),
        )
        for item in _field(tree, "frames", list)[:12]
    )
    if outcome is Outcome.MISSING:
        message = text if kind == "Missing" else f"not implemented{f': {text}' if text else ''}"
    elif kind in ("UnusableEvidence", "EvidenceTooLarge"):
        message = text
    else:
        message = f"{kind}: {text}" if text else kind
    return outcome, f"{message} ({hint})" if hint else message, None, frames


def _words(tree: wire.Tree, name: str, most: int) -> str:
    return _field(tree, name, str)[:most]


def _field(tree: wire.Tree, name: str, kind: type[_Field]) -> _Field:
    """A dict's entry of exactly that type: to turn anything else into it may take for ever. Raises WireError."""
    value = tree.get(name) if type(tree) is dict else None
    if type(value) is not kind:
        raise wire.WireError(f"a fault without a {name}")
    return value


def _death(code: int, number: int) -> str:
    """In words. A status above 128 is a signal's, by the convention of shells."""
    number = number or max(0, code - 128)
    if number:
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = str(number)
        return f"the process was ended by {name} before it answered"
    return f"the process ended itself before it answered (exit status {code})"


def _control_pair() -> tuple[socket.socket, socket.socket]:
    """Packets where the system has them: a message and its descriptors then arrive as one."""
    kind = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM
    return socket.socketpair(socket.AF_UNIX, kind)
