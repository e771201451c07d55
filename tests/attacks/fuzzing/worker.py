"""A worker process of the fuzzing: it makes inputs, reads them, and keeps faults and new behaviour."""

from __future__ import annotations

import contextlib
import json
import mmap
import random
import resource
import struct
import sys
import time
import traceback
import tracemalloc
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.attacks.fuzzing.inputs import MOST_BYTES, Maker
from tests.attacks.fuzzing.listening import listen
from tests.attacks.fuzzing.tracing import Tracer

_SLOW_SECONDS: Final = 1.0  # of the processor's time
_LARGE_BYTES: Final = 32 << 20
_TRACED: Final = 4  # an input in so many is followed line by line: that takes five times as long


@dataclass
class Worker:
    """One worker process of the fuzzing."""

    seed: int
    seconds: float
    inputs: int
    out: Path
    shared: mmap.mmap  # the count and the input that is being read: what a dead process leaves behind
    done: int = 0
    faults: dict[str, str] = field(default_factory=dict)
    slowest: float = 0.0

    def run(self) -> None:
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "invalid value encountered in cast")  # a signalling NaN is one NaN of many
        rng = random.Random(self.seed)
        maker, tracer = Maker(rng), Tracer()
        corpus = [maker.fresh() for _ in range(50)]
        began = saved = time.monotonic()
        memory = _peak()
        while self.done < self.inputs and saved - began < self.seconds:
            fresh = rng.random() < 0.5
            data = maker.fresh() if fresh else maker.changed(rng.choice(corpus), rng.choice(corpus))
            data = data[:MOST_BYTES]
            self._announce(data)
            sampled = self.done % 256 == 0
            if sampled:
                self._weigh(data)
            else:
                self._read(data, tracer if self.done % _TRACED == 1 else None)
            if tracer.anything_new():
                corpus.append(data)
            if (peak := _peak()) > memory + _LARGE_BYTES:
                self._fault(f"memory grew by {(peak - memory) >> 20} MB", data)
            memory = max(memory, peak)
            self.done += 1
            if self.done % 100 == 0 and time.monotonic() > saved + 10:
                saved = time.monotonic()
                self._save(corpus, tracer, saved - began)
        self._save(corpus, tracer, time.monotonic() - began)

    def _read(self, data: bytes, tracer: Tracer | None) -> None:
        before = time.process_time()
        sys.settrace(tracer)
        try:
            listen(data)
        except BaseException as error:
            sys.settrace(None)
            self._fault("".join(traceback.format_exception(error)), data, str(_where(error)))
        finally:
            sys.settrace(None)
        spent = time.process_time() - before
        self.slowest = max(self.slowest, spent)
        if spent > _SLOW_SECONDS:
            self._fault(f"slow: {spent:.1f} s", data)

    def _weigh(self, data: bytes) -> None:
        """Read an input and measure the memory that is allocated for it."""
        tracemalloc.start()
        try:
            with contextlib.suppress(Exception):  # the other way to read it reports these
                listen(data)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        if peak > _LARGE_BYTES:
            self._fault(f"{peak >> 20} MB were allocated", data)

    def _announce(self, data: bytes) -> None:
        self.shared[:12] = struct.pack("<QI", self.done, len(data))
        self.shared[12 : 12 + len(data)] = data

    def _fault(self, words: str, data: bytes, key: str | None = None) -> None:
        key = key or words[:20]
        if key not in self.faults and len(self.faults) < 50:
            self.faults[key] = f"{words}\ninput: {data.hex()}"
            (self.out / f"fault-{self.seed}-{len(self.faults)}.bin").write_bytes(data)

    def _save(self, corpus: Sequence[bytes], tracer: Tracer, seconds: float) -> None:
        reached, every = tracer.lines()
        report = {
            "inputs": self.done,
            "seconds": seconds,
            "pairs": len(tracer.pairs),
            "kept": len(corpus),
            "reached": sorted(reached),
            "lines": sorted(every),
            "slowest": self.slowest,
            "faults": list(self.faults.values()),
        }
        path = self.out / f"worker-{self.seed}.json"
        path.with_suffix(".tmp").write_text(json.dumps(report))
        path.with_suffix(".tmp").replace(path)


def _where(error: BaseException) -> tuple[str, str, int | None]:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return type(error).__name__, last.filename, last.lineno


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
