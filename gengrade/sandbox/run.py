"""Define a run of one probe: the request and the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from gengrade.facts import Outcome
from gengrade.sandbox.limits import Limits
from gengrade.sandbox.wire import Tree
from gengrade.texts import shortened, without_middle

# The most bytes of texts from a run, which are untrusted, in its record.
_MESSAGE_BYTES: Final = 4_000
_OUTPUT_BYTES: Final = 64_000
_FRAME_BYTES: Final = 600
_FRAMES: Final = 12


@dataclass(frozen=True, slots=True)
class Request:
    """The request for one run; `inputs` are plain values and numpy arrays, nested in lists and dicts.

    replaced: texts that a run of our own code reads in the place of files in the tree, by their paths there.
    """

    probe: str  # "vae:kld"
    tree: Path  # the submission's clean tree
    inputs: Mapping[str, Any]
    seed: int
    limits: Limits
    device: str = "cpu"
    threads: int = 1
    replaced: Mapping[str, str] = field(default_factory=dict)


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
    """The result of a run; it has `evidence` if and only if the outcome is `passed`."""

    outcome: Outcome
    message: str = ""
    evidence: Tree = None
    frames: tuple[Frame, ...] = ()
    output: str = ""
    seconds: float = 0.0  # on the run's own clock, which stops while the run waits for a processor
    cpu_seconds: float = 0.0  # of all of its processes together
    peak_mb: float = 0.0  # the most resident memory, without that of the imported libraries
    starved: bool = False  # whether it got little time or memory of the machine, so that it may end otherwise next time
    received: int = 0  # bytes of the evidence as it was sent

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", shortened(self.message, _MESSAGE_BYTES))
        object.__setattr__(self, "output", without_middle(self.output, _OUTPUT_BYTES))
        object.__setattr__(self, "frames", self.frames[:_FRAMES])


class Runner(Protocol):
    """Something that runs probes: the sandbox, or a replacement for it."""

    @property
    def starting(self) -> float:
        """The seconds that starting it has taken so far."""

    def run(self, request: Request) -> Run:
        """Carry out one run and return its result. Raises InfraError for a fault of the harness."""


class InfraError(RuntimeError):
    """The harness failed, not the student's code. It is tried twice, and never shown as the student's mistake."""


@dataclass(slots=True)
class Output:
    """Collects the beginning and the end of what a run prints; the middle is counted and dropped."""

    head_bytes: int = 6_000
    tail_bytes: int = 6_000
    total: int = 0
    _head: bytearray = field(default_factory=bytearray)
    _tail: bytearray = field(default_factory=bytearray)

    def add(self, data: bytes) -> None:
        """Add printed bytes."""
        self.total += len(data)
        room = self.head_bytes - len(self._head)
        self._head += data[: max(0, room)]
        self._tail += data[max(0, room) :]
        if len(self._tail) > 4 * self.tail_bytes:
            del self._tail[: -self.tail_bytes]

    def text(self) -> str:
        """Return the collected text; it says how many bytes were left out."""
        tail = bytes(self._tail[-self.tail_bytes :])
        dropped = self.total - len(self._head) - len(tail)
        gap = f"\n… {dropped:,} bytes left out …\n".encode() if dropped > 0 else b""
        return (bytes(self._head) + gap + tail).decode("utf-8", "replace")
