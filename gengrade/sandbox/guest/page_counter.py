"""Count the pages of many processes in a process beside the zygote, which must never wait for a run.

Whoever reads how a process shares its pages waits for each of its forks in progress, and a fork waits for its turn on
the processor. If a run's processes multiplied, there would be thousands of them before the zygote could count again.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, Self

_MOST_BYTES: Final = 1 << 16
REST: Final = 20.0  # the time between two measurements, in durations of the last one: they use the run's processor


class PageCounter:
    """A process that reads the memory of families. Only one question is open at a time."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._asked = 0
        self._open = False
        self._next = 0.0  # the time of the next question

    @classmethod
    def start(cls, read: Callable[[Iterable[int]], int], prepare: Callable[[], None]) -> Self:
        """Fork the process, which serves until this object is closed.

        read: returns the memory in bytes of the processes with these ids.
        prepare: what the new process does first.
        """
        own, other = socket.socketpair()
        if os.fork() == 0:
            own.close()
            prepare()
            with suppress(BrokenPipeError):
                _serve(other, read)
            os._exit(0)
        other.close()
        return cls(own)

    def ask(self, processes: Iterable[int]) -> None:
        """Ask for the memory of these processes, unless an earlier question is still open or was answered just now."""
        if not self._open and time.monotonic() >= self._next:
            self._asked += 1
            self._open = True
            with _needed():
                self._channel.sendall(json.dumps([self._asked, list(processes)]).encode() + b"\n")

    def answer(self) -> int | None:
        """Return the answer in bytes to the last question, once, or None if there is none yet."""
        if not self._open:
            return None
        with _needed():
            try:
                answer = self._channel.recv(_MOST_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return None
            if not answer:
                raise ConnectionError("its socket is closed")
        self._open = False
        number, memory, seconds = json.loads(answer)
        self._next = time.monotonic() + REST * seconds
        return int(memory) if number == self._asked else None

    def forget(self) -> None:
        """Ignore the answer to an open question, whose processes have ended."""
        self._asked += 1

    def close(self) -> None:
        """Close the socket here; the process ends when it is closed everywhere."""
        self._channel.close()


@contextmanager
def _needed() -> Iterator[None]:
    """End this process if the other one has ended: without it, no run could be measured, for which none is to blame."""
    try:
        yield
    except OSError as error:
        raise SystemExit(f"the process that counts pages has ended: {error}") from error


def _serve(channel: socket.socket, read: Callable[[Iterable[int]], int]) -> None:
    with channel.makefile("rb") as questions:
        for question in questions:
            began = time.process_time()
            number, processes = json.loads(question)
            memory = read(processes)
            channel.sendall(json.dumps([number, memory, time.process_time() - began]).encode())
