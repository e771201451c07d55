"""The host's side of the wall: starts a zygote, hands it runs, and holds the clock and the caps.

Invariants: every byte from a run is hostile until `wire.decode` has returned it; what a run may cost is bounded by the
host's own clock; whatever goes wrong before the student's code starts is an `InfraError`, and whatever goes wrong after
is the run's outcome.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from gengrade.facts import Outcome
from gengrade.sandbox import tiers, wire
from gengrade.sandbox.guest.settings import RunSettings, ZygoteSettings
from gengrade.sandbox.library import stage
from gengrade.sandbox.reach import Kept
from gengrade.sandbox.run import Frame, InfraError, Output, Request, Run
from gengrade.sandbox.tiers import Tier

_START_SECONDS: Final = 120.0  # importing the libraries, on a slow disk
_WALLS_SECONDS: Final = 30.0  # from the fork to the student's code
_END_SECONDS: Final = 10.0  # from SIGKILL to the zygote's word that all is over
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

    def __init__(self, tier: Tier, layout: str, trees: Path, *, device: str = "cpu", kept: Sequence[Kept] = ()) -> None:
        self.tier = tier
        self.layout = layout
        self.device = device
        self._trees = trees.resolve()
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
        """One run in a fresh process. Raises InfraError when it failed twice for no fault of the student's."""
        try:
            return self._ready().run(request)
        except (InfraError, OSError):
            self.close()
        try:
            return self._ready().run(request)
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
            self._zygote = _Zygote(self.tier, self.layout, self._trees, self._kept, cuda=cuda)
            self.starting += time.monotonic() - began
        return self._zygote


class _Zygote:
    """A zygote process and the control socket to it."""

    def __init__(self, tier: Tier, layout: str, trees: Path, kept: Sequence[Kept], *, cuda: bool) -> None:
        self._tier = tier
        self._trees = trees
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
            library=tiers.LIBRARY if tier is Tier.SANDBOX else str(library),
            layout=layout,
            scratch=scratch,
            control=theirs.fileno(),
            uid=tiers.NOBODY if as_root else None,
            cuda=cuda,
            readable=reaches.allowed if tier is Tier.LANDLOCK else (),
            listed=reaches.listed if tier is Tier.LANDLOCK else ("/",),
            kept_mounts=tiers.beneath_temporary(reaches) if tier is Tier.SANDBOX else (),
        )
        with tempfile.TemporaryFile() as file:
            # Not an argument: the list may be long, and who runs on the machine may read arguments.
            file.write(settings.to_json().encode())
            file.seek(0)
            self._process = subprocess.Popen(
                tiers.command(tier, library, trees, theirs.fileno(), reaches, cuda=cuda),
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
        payload = wire.frame(wire.REQUEST, wire.encode(dict(request.inputs)))
        tree = request.tree.resolve()
        scratch = self._scratch_of_a_run()
        settings = RunSettings(
            probe=request.probe,
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
            subprocess.run(["rm", "-rf", str(leftover)], check=False, stderr=subprocess.DEVNULL)
        return tempfile.mkdtemp(prefix="run-", dir=self._work)

    @property
    def control(self) -> socket.socket:
        return self._control

    def kill_run(self) -> None:
        self._control.send(json.dumps({"kill": True}).encode())

    def ended(self) -> Mapping[str, Any]:
        """Waits for the zygote's word that the run is over."""
        message = self._message(_END_SECONDS)
        if "ended" not in message:
            raise InfraError(f"the zygote lost track of a run: {message}")
        ended = message["ended"]
        assert isinstance(ended, dict)
        return ended

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
        self.errors.close()
        remove(self._work)
        self._scratch.cleanup()


def remove(folder: Path) -> None:
    """A folder that student code may have written to, as far as that can be done."""
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
        self.expected: int | None = None  # bytes of the frame that is coming in, its header included
        self.output = Output()
        self.clock = _Clock()
        self.started: float | None = None
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
            left = self._deadline(began) - self.clock.read()
            if left <= 0:
                self._out_of_time()
                break
            events = dict(poll.poll(1000 * min(left, _LOOK_SECONDS)))
            if self.channel.fileno() in events:
                self._exchange(events[self.channel.fileno()], poll)
            if self.output_fd in events and not self._drain():
                poll.unregister(self.output_fd)
            if self.zygote.control.fileno() in events:
                ended = self.zygote.ended()
                self._read_channel(poll)
        seconds = self.clock.read() - (self.started or began)
        if ended is None:
            self.zygote.kill_run()
            ended = self.zygote.ended()
        self._drain()
        return self._verdict(ended, seconds)

    def _deadline(self, began: float) -> float:
        return began + _WALLS_SECONDS if self.started is None else self.started + self.limits.seconds

    def _out_of_time(self) -> None:
        if self.started is None:
            self.zygote.kill_run()
            self.zygote.ended()
            raise InfraError(f"a run's walls did not stand within {_WALLS_SECONDS:.0f} s: {self._printed()}")
        self.refusal = (Outcome.TIMEOUT, f"stopped after {self.limits.seconds:g} s: the limit of this check")

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
        if ended["reason"] == "memory":
            outcome, message = Outcome.MEMORY, f"stopped at {limits.memory_mb} MB of memory: the limit of this check"
        elif ended["reason"] == "processes":
            reason = f"stopped: more than {limits.processes} processes and threads at once, the limit of this check"
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
            cpu_seconds=float(ended["cpu"]),
            peak_mb=float(ended["peak_mb"]),
        )


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
