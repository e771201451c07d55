"""A zygote as the host has it: its process, its folder, its control group and the control socket to it."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from gengrade import processors
from gengrade.choices import Tier
from gengrade.course import Course
from gengrade.sandbox import tiers
from gengrade.sandbox.cgroups import Group
from gengrade.sandbox.guest import family
from gengrade.sandbox.guest.settings import RunSettings, ZygoteSettings
from gengrade.sandbox.library import mentioned, preloaded, stage
from gengrade.sandbox.reach import Kept
from gengrade.sandbox.run import InfraError, Request
from gengrade.sandbox.scratch import SCRATCH_PREFIX, remove

_START_SECONDS: Final = 300.0  # importing the libraries, on a slow disk or a busy machine
_END_SECONDS: Final = 60.0  # from SIGKILL to the zygote's message that all is over
_SLACK_MB: Final = 1024  # of a control group, beyond what is counted: caches of files, and what the zygote shares


class ZygoteProcess:
    """Starts a zygote, tells it what to run, and ends it. Its methods raise InfraError when it is dead or silent."""

    def __init__(
        self, tier: Tier, course: Course, trees: Path, kept: Sequence[Kept], *, gpu_share: float | None
    ) -> None:
        """Start the zygote, which takes seconds: call `wait` before it is used.

        gpu_share: the share of a GPU's memory that a run may use; None: no run uses a GPU.
        """
        cuda, self._gpu_share = gpu_share is not None, gpu_share or 0.0
        self.course = course
        self.processors = len(processors.available())
        self._tier = tier
        self._trees = trees
        self._scratch = tempfile.TemporaryDirectory(prefix=SCRATCH_PREFIX, dir=trees.parent)
        folder = Path(self._scratch.name)
        library = stage(folder / "library")
        self._work = folder / "work"
        self._work.mkdir()
        folder.chmod(0o711)
        trees.chmod(0o755)  # the run's unprivileged user looks in; the folders above still keep others out
        self._on_demand = list(course.on_demand)  # modules that it has not imported yet
        self._searched: set[tuple[Path, int]] = set()  # trees, with the time at which each was laid out
        self._errors = (folder / "zygote.log").open("wb+")
        self.control, theirs = _control_pair()
        self._ours, their_ours = _control_pair()
        self._idle: defaultdict[str, list[socket.socket]] = defaultdict(list)  # as `ours` gives them, by device
        as_root = os.name == "posix" and os.getuid() == 0 and tier is Tier.SANDBOX
        scratch = "/tmp" if tier is Tier.SANDBOX else str(self._work)
        reaches = tiers.reaches(tier, kept, cuda=cuda)
        settings = ZygoteSettings(
            tier=tier,
            preload=preloaded(course),
            scratch=scratch,
            control=theirs.fileno(),
            ours=their_ours.fileno(),
            uid=tiers.unprivileged() if as_root else None,
            cuda=cuda,
            readable=reaches.allowed if tier is Tier.LANDLOCK else (),
            listed=reaches.listed if tier is Tier.LANDLOCK else ("/",),
            kept_mounts=tiers.beneath_temporary(reaches) if tier is Tier.SANDBOX else (),
        )
        command = tiers.command(tier, library, trees, theirs.fileno(), reaches, cuda=cuda)
        self.group = Group.make()
        with tempfile.TemporaryFile() as file:
            # The settings are no argument: the list may be long, and who runs on the machine may read arguments.
            file.write(settings.to_json().encode())
            file.seek(0)
            self._process = subprocess.Popen(
                self.group.entered_by(command) if self.group else command,
                stdin=file,
                stdout=self._errors,
                stderr=self._errors,
                env=tiers.environment(scratch, cuda=cuda),
                pass_fds=[theirs.fileno(), their_ours.fileno()],
                start_new_session=True,
            )
        theirs.close()
        their_ours.close()

    def wait(self) -> None:
        """Wait until the zygote is ready; if it does not get ready, it is closed."""
        try:
            message = self._message(_START_SECONDS)
            if "ready" not in message:
                raise InfraError(f"the zygote did not start: {message}")
        except BaseException:
            self.close()
            raise

    def begin(self, request: Request, channel: socket.socket, output: int) -> None:
        """Have the zygote fork a guest for a run, and give the guest its channel and its pipe for output."""
        self._preload_for(request.tree.resolve())
        message = json.dumps({"run": self.settings_of(request, self._scratch_of_a_run()).to_json()}).encode()
        socket.send_fds(self.control, [message], [channel.fileno(), output])

    def settings_of(self, request: Request, scratch: str = "") -> RunSettings:
        """Return the settings of a run, for which memory is provided. `scratch`: the folder that it may write to."""
        if self.group:
            limits = request.limits
            self.group.allow((limits.memory_mb + 2 * limits.disk_mb + _SLACK_MB) << 20)
        tree = request.tree.resolve()
        return RunSettings(
            tree=tree.relative_to(self._trees).as_posix() if self._tier is Tier.SANDBOX else str(tree),
            scratch=scratch,
            seed=request.seed,
            device=request.device,
            gpu_share=self._gpu_share,
            threads=request.threads,
            limits=request.limits.as_dict(),
            replaced=dict(request.replaced),
        )

    def _preload_for(self, tree: Path) -> None:
        """Have the zygote import what this tree mentions, so that not each of its runs has to."""
        laid_out = tree, tree.stat().st_ctime_ns
        if not self._on_demand or laid_out in self._searched:
            return
        self._searched.add(laid_out)
        wanted = mentioned(tree, self._on_demand)
        if wanted:
            self._on_demand = [name for name in self._on_demand if name not in wanted]
            self.control.send(json.dumps({"preload": wanted}).encode())

    def _scratch_of_a_run(self) -> str:
        """Return an empty folder for a run. In the sandbox tier it is the run's own memory.

        In the other tiers, what the last run left is removed first. What cannot be removed, since it was locked, stays
        until the end: the next run's folder is another one.
        """
        if self._tier is Tier.SANDBOX:
            return "/tmp"
        for leftover in list(self._work.iterdir()):
            remove(leftover)
        return tempfile.mkdtemp(prefix="run-", dir=self._work)

    @contextmanager
    def ours(self, device: str) -> Iterator[socket.socket]:
        """Give the channel of a process for our own code, which nobody else has meanwhile. Any thread may call this.

        A process whose runs have used a GPU cannot hide it from other runs, so each process keeps to one device.

        A process is started if all are busy. One that was interrupted is not used again.
        """
        try:
            channel = self._idle[device].pop()
        except IndexError:
            channel, theirs = socket.socketpair()
            with theirs:
                socket.send_fds(self._ours, [b"{}"], [theirs.fileno()])
        try:
            yield channel
        except BaseException:
            channel.close()
            raise
        self._idle[device].append(channel)

    def start_clock(self) -> None:
        """Tell the zygote that the student's code has started."""
        self.control.send(json.dumps({"started": True}).encode())

    def kill_run(self) -> None:
        """Tell the zygote to kill the run."""
        self.control.send(json.dumps({"kill": True}).encode())

    def report(self) -> tuple[str, Mapping[str, Any]]:
        """Wait for the zygote's next message on the run: "usage" on the way, "ended" when it is over."""
        ((kind, fields),) = self._message(_END_SECONDS).items()
        if kind not in ("usage", "ended"):
            raise InfraError(f"the zygote lost track of a run: {kind}")
        return kind, fields

    def ended(self) -> Mapping[str, Any]:
        """Wait for the zygote's message that the run is over."""
        while True:
            kind, fields = self.report()
            if kind == "ended":
                return fields

    def _message(self, seconds: float) -> dict[str, Any]:
        """Wait for the zygote's next message. Raises InfraError when it is dead or silent."""
        self.control.settimeout(seconds)
        try:
            data = self.control.recv(1 << 16)
        except TimeoutError:
            raise InfraError(f"the zygote did not answer for {seconds:.0f} s{self._last_words()}") from None
        finally:
            self.control.settimeout(None)
        if not data:
            raise InfraError(f"the zygote died{self._last_words()}")
        message = json.loads(data)
        assert isinstance(message, dict)
        return message

    def _last_words(self) -> str:
        self._errors.seek(0)
        words = self._errors.read()[-2000:].decode("utf-8", "replace").strip()
        return f": {words}" if words else ""

    def close(self) -> None:
        """Kill the zygote and its runs, and remove its folder."""
        for channel in (self.control, self._ours, *itertools.chain(*self._idle.values())):
            channel.close()
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self._process.kill()
        self._process.wait()
        if self._tier is not Tier.SANDBOX:
            family.kill_session(self._process.pid)
        if self.group:
            self.group.close()
        self._errors.close()
        remove(self._work)
        self._scratch.cleanup()


def _control_pair() -> tuple[socket.socket, socket.socket]:
    """Make a pair of sockets for packets, where the system has them: a message and its descriptors arrive as one."""
    kind = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM
    return socket.socketpair(socket.AF_UNIX, kind)
