"""Traps outside a guest: files, sockets and secrets that no attack may change or reveal."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Self

_PROJECT: Final = Path(__file__).resolve().parents[2]
_SHARED_FOLDERS: Final = (Path("/tmp"), Path("/dev/shm"), Path("/var/tmp"))
_CODE: Final = ("gengrade", "graders", "courses", "reference", "rubric.yaml", "run_grading.py")


class Tripwires:
    """Traps around a class: `traps` tells their places, `sprung` which were touched."""

    def __init__(self, folder: Path) -> None:
        token = secrets.token_hex(6)
        self.home = folder / "home"
        self.home.mkdir()
        self._secrets = {
            "a variable of the operator's environment": f"canary-env-{token}",
            "a file of the operator's home": f"canary-home-{token}",
            "another submission": f"canary-other-{token}",
        }
        (self.home / "canary.txt").write_text(self._secrets["a file of the operator's home"])
        self._mark = f"gg{token}"
        self._heard: list[str] = []
        self._listeners = [*_listeners(folder, self._mark)]
        self._before = _digests(_PROJECT / name for name in _CODE) | _digests([self.home])
        for listener in self._listeners:
            threading.Thread(target=self._listen, args=(listener,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for listener in self._listeners:
            listener.close()

    @property
    def environment(self) -> dict[str, str]:
        """Return the operator's environment, with a secret in it.

        What the operator's own programs keep lies outside of the home, in which nothing may change.
        """
        kept = {name: str(self.home.parent / name.lower()) for name in ("MPLCONFIGDIR", "XDG_CACHE_HOME")}
        secret = self._secrets["a variable of the operator's environment"]
        return {**os.environ, "HOME": str(self.home), **kept, "OPERATORS_TOKEN": secret}

    @property
    def neighbours_secret(self) -> str:
        """Return a secret for another submission to contain."""
        return self._secrets["another submission"]

    def traps(self, out: Path, classroom: Path) -> dict[str, str]:
        tcp, udp, path, _ = (listener.getsockname() for listener in self._listeners)
        return {
            "MARK": self._mark,
            "PORT": str(tcp[1]),
            "UDP": str(udp[1]),
            "SOCKET": str(path),
            "HOME": str(self.home),
            "OUT": str(out),
            "CLASS": str(classroom),
            "PROJECT": str(_PROJECT),
        }

    def sprung(self, out: Path, classroom: Path) -> list[str]:
        """Return what an attack changed outside its guest, or revealed."""
        after = _digests(_PROJECT / name for name in _CODE) | _digests([self.home])
        changed = [f"{path} was changed" for path, digest in after.items() if self._before.get(path) != digest]
        gone = [f"{path} is gone" for path in self._before if path not in after]
        folders = (*_SHARED_FOLDERS, self.home, out, classroom, _PROJECT)
        left = [f"{path} was left behind" for path in _marked(self._mark, folders)]
        alive = [f"process {pid} is still alive" for pid in _named(self._mark)]
        return [*self._heard, *changed, *gone, *left, *alive]

    def leaked(self, results: Path, more: Mapping[str, str]) -> list[str]:
        """Return the secrets that a submission's results contain."""
        secrets_ = {**self._secrets, **more}
        content = b"\0".join(path.read_bytes() for path in sorted(results.rglob("*")) if path.is_file())
        return [f"{what} was read" for what, text in secrets_.items() if text.encode() in content]

    def _listen(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                if listener.type == socket.SOCK_DGRAM:
                    listener.recv(1)
                else:
                    connection, _ = listener.accept()
                    connection.close()
                self._heard.append(f"something came to {listener.getsockname()!r}")


def _listeners(folder: Path, mark: str) -> Iterator[socket.socket]:
    """Open TCP and UDP sockets on the loopback, a socket in the file system, and an abstract one."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        listener = socket.socket(socket.AF_INET, kind)
        listener.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            listener.listen()
        yield listener
    for address in (str(folder / "socket"), f"\0{mark}"):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(address)
        listener.listen()
        yield listener


def _digests(paths: object) -> dict[str, str]:
    found = {}
    for top in paths:  # type: ignore[attr-defined]
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _marked(mark: str, folders: tuple[Path, ...]) -> Iterator[Path]:
    """Return files and folders whose names contain the mark."""
    waiting = [*folders]
    while waiting:  # `os.walk` would fail at a folder that lies a thousand deep
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if mark in entry.name:
                    yield Path(entry.path)
                if entry.name not in (".git", ".venv", "__pycache__") and entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))


def _named(mark: str) -> Iterator[int]:
    """Return processes whose names contain the mark."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (process / "comm").read_text() or mark.encode() in (process / "cmdline").read_bytes():
                yield int(process.name)
