"""The proof with Dask: a scheduler and four workers on this machine, which share no folder with the class."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from gengrade.home import python_path
from tests.cluster.certificates import write_certificates
from tests.cluster.klass import Klass, wait_until
from tests.support.alike import require_alike


def prove(klass: Klass, alone: Path) -> None:
    """Grade by four workers: undisturbed with TLS, one killed, one of another version. Raises AssertionError."""
    with _scheduler(klass, write_certificates(klass.folder)) as cluster:
        _with_tls(klass, alone, cluster)
    with _scheduler(klass, {}) as cluster:
        _one_killed(klass, alone, cluster)
        _another_version(klass, alone, cluster)


def _with_tls(klass: Klass, alone: Path, cluster: _Cluster) -> None:
    for number in range(1, 5):
        cluster.start(f"worker{number}")
    out = klass.folder / "dask-tls"
    klass.grade(out, "--scheduler", cluster.address, environment=cluster.environment)
    require_alike(out, alone)
    print("dask: four workers with TLS find out what one machine finds out")


def _one_killed(klass: Klass, alone: Path, cluster: _Cluster) -> None:
    for number in range(1, 5):
        cluster.start(f"worker{number}")
    out = klass.folder / "dask-disturbed"
    before: list[tuple[str, float]] = []

    def disturb() -> None:
        wait_until(lambda: bool(list(out.glob("*/facts.json"))), "something is graded")
        before.extend((path.parent.name, path.stat().st_mtime) for path in out.glob("*/facts.json"))
        time.sleep(1)
        cluster.kill("worker2")

    klass.grade(out, "--scheduler", cluster.address, during=disturb)
    assert all((out / id_ / "facts.json").stat().st_mtime == time_ for id_, time_ in before), "graded again"
    require_alike(out, alone)
    print("dask: a lost worker costs only what was unfinished")


def _another_version(klass: Klass, alone: Path, cluster: _Cluster) -> None:
    other = klass.folder / "other-version" / "numpy-0.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 0.9\n")
    cluster.start("worker5", PYTHONPATH=os.pathsep.join([str(other.parent), python_path()]))
    out = klass.folder / "dask-version"
    said = klass.grade(out, "--scheduler", cluster.address)
    refused = [line for line in said.splitlines() if re.search("numpy is 0.9 there and .* where the run began", line)]
    assert len(refused) == 1, said
    require_alike(out, alone)
    print(f"dask: a worker of another version is refused by name\n    {refused[0]}")


class _Cluster:
    """A scheduler and its workers, as processes of this machine."""

    def __init__(self, folder: Path, tls: Mapping[str, str]) -> None:
        self.environment = dict(tls)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.address = f"{'tls' if tls else 'tcp'}://127.0.0.1:{self._port}"
        self._folder = folder / f"dask-{self._port}"
        self._folder.mkdir()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        where = ["--protocol", "tls" if tls else "tcp", "--host", "127.0.0.1", "--port", str(self._port)]
        self._begin("scheduler", ["distributed.cli.dask_scheduler", *where, "--no-dashboard"])

    def start(self, name: str, **environment: str) -> None:
        """Start a worker."""
        words = ["distributed.cli.dask_worker", self.address, "--nthreads", "1", "--no-nanny", "--name", name]
        self._begin(name, [*words, "--no-dashboard", "--local-directory", str(self._folder)], **environment)

    def kill(self, name: str) -> None:
        """Kill a worker without warning."""
        self._running.pop(name).kill()

    def end(self) -> None:
        """End all processes."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()

    def _begin(self, name: str, words: list[str], **environment: str) -> None:
        with (self._folder / f"{name}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-P", "-X", "utf8", "-m", *words],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env={**os.environ, "PYTHONPATH": python_path(), **self.environment, **environment},
            )


@contextmanager
def _scheduler(klass: Klass, tls: Mapping[str, str]) -> Iterator[_Cluster]:
    cluster = _Cluster(klass.folder, tls)
    try:
        yield cluster
    finally:
        cluster.end()
