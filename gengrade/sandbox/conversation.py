"""One run, seen from the host: sends the inputs, reads the answer and what is printed, and holds the run's limits.

Every byte from a run is hostile. The host never blocks on one, never takes more than the limits allow, and ends the run
by its own clock. A failure before the student's code starts is an `InfraError`, unless the submission's own tree does
not fit into the room that a run has for files; whatever goes wrong after that is the run's outcome.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from collections.abc import Mapping
from typing import Any, Final

from gengrade.facts import Outcome
from gengrade.sandbox import wire
from gengrade.sandbox.answers import read_answer
from gengrade.sandbox.clock import LOOK_SECONDS, RunTime
from gengrade.sandbox.closure import closure_of
from gengrade.sandbox.endings import death, kills_for_memory, late, stopped
from gengrade.sandbox.guest.disk import TREE_EXIT
from gengrade.sandbox.run import Frame, InfraError, Output, Request, Run
from gengrade.sandbox.zygote_process import ZygoteProcess

_WALLS_SECONDS: Final = 120.0  # from the fork to the student's code
_FAR: Final = 20.0  # times its own time may pass before a run is given up
_CHUNK: Final = 1 << 18


def carry_out(zygote: ZygoteProcess, request: Request) -> Run:
    """Run a probe in a fresh process of the zygote. Raises InfraError, or OSError when the zygote is lost."""
    assert not request.replaced, "a student's files are run as they are"
    code = closure_of(zygote.course, request.probe).code
    payload = wire.frame(wire.CODE, code) + wire.frame(wire.REQUEST, wire.encode(dict(request.inputs)))
    channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    output, their_output = os.pipe()
    try:
        with channel:
            try:
                zygote.begin(request, theirs, their_output)
            finally:
                theirs.close()
                os.close(their_output)
            return Conversation(zygote, request, channel, output, payload).hold()
    finally:
        os.close(output)


class Conversation:
    """Holds one run from its beginning to its end; `hold` does so once."""

    def __init__(
        self, zygote: ZygoteProcess, request: Request, channel: socket.socket, output: int, payload: bytes
    ) -> None:
        """`channel` and `output`: the host's ends of the run's channel and pipe; `payload`: the frames to send."""
        self.zygote = zygote
        self.limits = request.limits
        self.channel = channel
        self.output_fd = output
        self.unsent = memoryview(payload)
        self.received = bytearray()
        self.taken = 0  # bytes that came in altogether
        self.output = Output()
        self.time = RunTime()
        self.kills = kills_for_memory()
        self.starved = False
        self.answer: tuple[bytes, bytes] | None = None
        self.refusal: tuple[Outcome, str] | None = None  # why the host ended the run

    def hold(self) -> Run:
        """Hold the conversation until the run has answered, is refused or has ended. Raises InfraError."""
        self.channel.setblocking(False)
        os.set_blocking(self.output_fd, False)
        poll = select.poll()
        poll.register(self.channel, select.POLLIN | select.POLLOUT)
        poll.register(self.output_fd, select.POLLIN)
        poll.register(self.zygote.control, select.POLLIN)
        ended: Mapping[str, Any] | None = None
        while self.answer is None and self.refusal is None and ended is None:
            if self._is_over():
                break
            events = dict(poll.poll(1000 * LOOK_SECONDS))
            if self.channel.fileno() in events:
                self._exchange(events[self.channel.fileno()], poll)
            if self.output_fd in events and not self._drain():
                poll.unregister(self.output_fd)
            if self.zygote.control.fileno() in events:
                kind, fields = self.zygote.report()
                if kind == "ended":
                    ended = fields
                    self._read_channel(poll)
                elif self.time.started:
                    self.time.report(fields)
        passed = self.time.passed()
        if ended is None:
            self.zygote.kill_run()
            ended = self.zygote.ended()
        self._drain()
        self.time.report({**ended, "passed": passed})
        return self._verdict(ended, self._used(passed))

    def _used(self, passed: float) -> float:
        return self.time.used(passed, self.zygote.processors)

    def _is_over(self) -> bool:
        """Tell whether the run is out of time, and refuse it then. Raises InfraError where the machine is to blame."""
        passed = self.time.passed()
        if not self.time.started:
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
        self.refusal = (Outcome.TIMEOUT, late(self.limits))
        self.starved = self.time.is_starved(passed, self.zygote.processors)
        return True

    def _exchange(self, events: int, poll: select.poll) -> None:
        """Send what the channel takes of the inputs, and read what is there."""
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
        """Read what is there, never more than a frame of the size that the limit allows."""
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
        """Take apart the frames that came in so far, until there is an answer or a refusal."""
        while len(self.received) >= wire.FRAME_HEADER.size and self.refusal is None:
            tag, length = wire.FRAME_HEADER.unpack_from(self.received)
            end = wire.FRAME_HEADER.size + length
            if length > cap:
                megabytes = self.limits.evidence_mb
                self.refusal = (Outcome.ERROR, f"more than {megabytes} MB were returned: the limit of this check")
            elif tag == wire.STARTED and not self.time.started and length == 0:
                self.time.start()
                self.zygote.start_clock()
                del self.received[:end]
            elif tag in (wire.EVIDENCE, wire.FAULT) and self.time.started:
                if len(self.received) >= end:
                    self.answer = (tag, bytes(self.received[wire.FRAME_HEADER.size : end]))
                return
            else:
                self.refusal = (Outcome.ERROR, "the run sent an answer that cannot be read as evidence")

    def _drain(self) -> bool:
        """Read what was printed, so that a full pipe never blocks the run. Returns False at the end of the pipe."""
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
        if not self.time.started and (ended["reason"] == "disk" or ended["exit"] == TREE_EXIT):
            ended = {**ended, "reason": "disk"}  # nothing but the submission's own tree was there yet
        elif not self.time.started and self.refusal is None:
            raise InfraError(f"a run ended before its walls stood: {ended}; {self._printed()}")
        evidence: wire.Tree = None
        frames: tuple[Frame, ...] = ()
        out_of_memory = ended["reason"] == "memory" or (self.zygote.group and self.zygote.group.has_killed())
        stop = stopped("memory" if out_of_memory else ended["reason"], self.limits)
        if stop is not None:
            outcome, message = stop
        elif self.refusal is not None:
            outcome, message = self.refusal
        elif self.answer is None:
            outcome, message = Outcome.CRASHED, death(int(ended["exit"]), int(ended["signal"]))
        else:
            outcome, message, evidence, frames = read_answer(*self.answer)
        return Run(
            outcome=outcome,
            message=message,
            evidence=evidence,
            frames=frames,
            output=self.output.text(),
            seconds=seconds,
            cpu_seconds=self.time.cpu,
            peak_mb=float(ended["peak_mb"]),
            starved=self._may_differ(outcome, ended),
            received=self.taken,
        )

    def _may_differ(self, outcome: Outcome, ended: Mapping[str, Any]) -> bool:
        """Tell whether a shortage of the machine may have made this outcome.

        A run that somebody killed, without a request of ours, was perhaps the kernel's choice when all memory was
        taken; so was a process of a run in whose time the kernel chose any.
        """
        if outcome is Outcome.PASSED:
            return False
        killed = not ended["reason"] and signal.SIGKILL in (ended["signal"], ended["exit"] - 128)
        unasked = killed and self.answer is None and self.refusal is None
        return (self.starved and outcome is Outcome.TIMEOUT) or unasked or kills_for_memory() > self.kills
