"""A run of one probe: what is asked for, and what it came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from gengrade.facts import Outcome
from gengrade.sandbox.limits import Limits
from gengrade.sandbox.wire import Tree
from gengrade.texts import shortened, without_middle

# A run's words are its process's own: no record of them is longer, whoever makes it.
_MESSAGE_BYTES: Final = 4_000
_OUTPUT_BYTES: Final = 64_000
_FRAME_BYTES: Final = 600
_FRAMES: Final = 12


@dataclass(frozen=True, slots=True)
class Request:
    """One run. `inputs` are plain values and numpy arrays, nested in lists and dicts."""

    probe: str  # "vae:kld"
    tree: Path  # the submission's clean tree
    inputs: Mapping[str, Any]
    seed: int
    limits: Limits
    device: str = "cpu"
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Frame:
    """A line of the student's code in a traceback."""

    file: str
    line: int
    function: str
    source: str

    def __post_init__(self) -> None:
        for name in ("file", "function", "source"):
            object.__setattr__(self, name, shortened(getattr(self, name), _FRAME_BYTES))


@dataclass(frozen=True, slots=True)
class Run:
    """What became of a run. `evidence` is there when, and only when, the outcome is `passed`."""

    outcome: Outcome
    message: str = ""
    evidence: Tree = None
    frames: tuple[Frame, ...] = ()
    output: str = ""
    seconds: float = 0.0  # on the run's own clock, which stands still while the machine lets it wait
    cpu_seconds: float = 0.0  # of all of its processes together
    peak_mb: float = 0.0
    starved: bool = False  # the machine had little time or memory for it: another time it may end otherwise
    received: int = 0  # bytes that came over the wire

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", shortened(self.message, _MESSAGE_BYTES))
        object.__setattr__(self, "output", without_middle(self.output, _OUTPUT_BYTES))
        object.__setattr__(self, "frames", self.frames[:_FRAMES])


class Runner(Protocol):
    """What runs probes: the sandbox, or something that stands in for it."""

    starting: float  # seconds spent on its start so far

    def run(self, request: Request) -> Run:
        """One run. Raises InfraError."""


class InfraError(RuntimeError):
    """The harness failed, not the student. It is retried once, and never shown as the student's mistake."""


@dataclass(slots=True)
class Output:
    """The head and the tail of what a run printed; the middle of a flood is counted and dropped."""

    head_bytes: int = 6_000
    tail_bytes: int = 6_000
    total: int = 0
    _head: bytearray = field(default_factory=bytearray)
    _tail: bytearray = field(default_factory=bytearray)

    def add(self, data: bytes) -> None:
        self.total += len(data)
        room = self.head_bytes - len(self._head)
        self._head += data[: max(0, room)]
        self._tail += data[max(0, room) :]
        if len(self._tail) > 4 * self.tail_bytes:
            del self._tail[: -self.tail_bytes]

    def text(self) -> str:
        tail = bytes(self._tail[-self.tail_bytes :])
        dropped = self.total - len(self._head) - len(tail)
        gap = f"\n… {dropped:,} bytes left out …\n".encode() if dropped > 0 else b""
        return (bytes(self._head) + gap + tail).decode("utf-8", "replace")
