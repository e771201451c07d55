"""The marking room's server as a process of its own, which may be killed and is started again."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.examples import ROOT
from tests.support.room import graded_class

STUDENTS = [f"s{number}" for number in range(8)]
NAMES = ("Ann", "Bob")


@dataclass
class Killed:
    """A server that is started again each time it is killed."""

    folder: Path
    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        words = [sys.executable, "-m", "tests.support.room_process", str(self.folder), str(self.port), *NAMES]
        self._process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.cookies = json.loads(self._process.stdout.readline())

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


@contextmanager
def served(folder: Path) -> Iterator[Killed]:
    graded_class(folder, STUDENTS)
    (folder / "students.json").write_text(json.dumps(STUDENTS))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Killed(folder, port)
    server.start()
    try:
        yield server
    finally:
        server.kill()
