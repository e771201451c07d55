"""Run probes on a package under test, the student's or the reference, and cache the results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from gengrade import gpus, processors
from gengrade.choices import Device
from gengrade.course import Course
from gengrade.facts import Outcome
from gengrade.grading.budget import Budget
from gengrade.grading.evidence import Evidence, Mismatch
from gengrade.grading.probes import Probe
from gengrade.sandbox import InfraError, Limits, Request, Run, Runner
from gengrade.sandbox.library import fingerprint
from gengrade.store import EvidenceStore

_SEED: Final = 0  # of the runs of `once`; among several, its training of a GAN reaches about what most do


class _OursFailed(InfraError):
    """A run of our own code ended otherwise than it should."""

    def __init__(self, message: str, outcome: Outcome) -> None:
        super().__init__(message)
        self.outcome = outcome


class ProbeFailed(Exception):
    """A run of the student's code gave no evidence; the outcome of the run becomes that of the test."""

    def __init__(self, run: Run) -> None:
        super().__init__(run.message)
        self.run = run


class BudgetUsedUp(ProbeFailed):
    """A run was not started, since the submission's earlier runs have used up the budget of all runs."""


class NotRecorded(Exception):
    """A kit for students lacks what the reference would answer to a run."""

    def __init__(self) -> None:
        super().__init__("This check needs the course's own solution, which this kit does not hold")


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Everything that evidence depends on besides the package, the probe and its inputs."""

    course: Course
    tier: str
    device: str
    threads: int
    versions: Mapping[str, str]


class Subject:
    """A package under test; `run(probe, **inputs)` returns evidence, from the cache if nothing relevant changed."""

    def __init__(
        self,
        tree: Path,
        tree_hash: str,
        sandbox: Runner,
        store: EvidenceStore | None,
        circumstances: Circumstances,
        *,
        ours: bool = False,
        budget: Budget | None = None,
        replaced: Mapping[str, str] | None = None,
        machine: EvidenceStore | None = None,
    ) -> None:
        """Create the subject for one tree of files.

        tree, tree_hash: the clean tree and its hash.
        sandbox: carries out the runs.
        store: the cache of results; None: nothing is cached.
        circumstances: what evidence depends on besides.
        ours: whether the package is ours, so that a failed run is a fault of the harness.
        budget: the budget of all runs together; None: there is none.
        replaced: texts in the place of the tree's files, by their paths there, which the hash covers; only of ours.
        machine: keeps what `once` finds out, for later classes on this machine; None: it is found out for each class.
        """
        assert ours or not replaced
        self._tree = tree
        self._tree_hash = tree_hash
        self._sandbox = sandbox
        self._store = store
        self._circumstances = circumstances
        self._ours = ours
        self._budget = budget
        self._machine = machine
        self._replaced = dict(replaced or {})
        self._seeds: Callable[[], int] = lambda: 0
        self._trains = False
        self._limits = Limits()
        self._listener: Callable[[Request, Run], None] = lambda request, run: None
        self.runs: list[tuple[Request, Run]] = []  # of the current test

    @property
    def starting(self) -> float:
        """The seconds that starting the sandbox has taken so far, which count for no test."""
        return self._sandbox.starting

    def begin(self, seeds: Callable[[], int], limits: Limits, *, trains: bool = False) -> None:
        """Begin a test, whose runs get their seeds and their limits from the arguments.

        trains: whether the test trains models, which is done on the device of the circumstances; all other runs are on
            the processor.
        """
        self._trains = trains
        self._seeds = seeds
        self._limits = limits
        self.runs = []

    def listen(self, listener: Callable[[Request, Run], None]) -> None:
        """Call `listener` with every run from now on."""
        self._listener = listener

    @property
    def last(self) -> Run | None:
        """The last run of the current test; None before the first."""
        return self.runs[-1][1] if self.runs else None

    def run(self, probe: Probe, **inputs: Any) -> Evidence:
        """Run a probe on this package and return its evidence.

        Raises ProbeFailed when the student's code gave none, BudgetUsedUp, and InfraError for a fault of the harness.
        """
        return self._run(probe, inputs, self._seeds())

    def again(self, probe: Probe, **inputs: Any) -> Evidence:
        """Run a probe with the random seed of the previous run, so that random draws are the same."""
        return self._run(probe, inputs, self.runs[-1][0].seed)

    def on_theirs(self, probe: Probe, **inputs: Any) -> Evidence:
        """Run a probe of ours on weights that a student's run returned. Raises Mismatch if they do not fit.

        A guest may return any weights in the place of those that our own code has trained there.
        """
        try:
            return self.run(probe, **inputs)
        except _OursFailed as failure:
            if failure.outcome is not Outcome.ERROR:
                raise
            raise Mismatch("the weights after the training are not those of the network that was trained") from failure

    def once(self, probe: Probe, **inputs: Any) -> Evidence:
        """Run a probe of ours whose inputs depend on no secret, with a seed that never changes.

        Its evidence is the same for all classes on this machine, and is kept for them.
        """
        assert self._ours, "what a student's code returns belongs to one class"
        return self._run(probe, inputs, _SEED, self._machine)

    def _run(
        self, probe: Probe, inputs: Mapping[str, Any], seed: int, lasting: EvidenceStore | None = None
    ) -> Evidence:
        request = Request(
            probe=str(probe),
            tree=self._tree,
            inputs={name: plain(value) for name, value in inputs.items()},
            seed=seed,
            limits=self._limits,
            device=self._circumstances.device if self._trains and probe.function == gpus.TRAINING else Device.CPU,
            threads=self._circumstances.threads,
            replaced=self._replaced,
        )
        refusal = self._budget.refusal() if self._budget is not None else None
        if refusal is not None:
            raise BudgetUsedUp(refusal)
        run = self._cached_or_fresh(request, lasting)
        if request.device != Device.CPU and run.outcome is not Outcome.PASSED:
            # Code that makes tensors without naming a device works on the processor; no GPU may cost it points.
            request = replace(request, device=Device.CPU)
            run = self._cached_or_fresh(request, lasting)
        if self._budget is not None:
            self._budget.charge(run)
        self.runs.append((request, run))
        self._listener(request, run)
        if run.outcome is Outcome.PASSED:
            return Evidence(run.evidence)
        if self._ours:
            frames = "; ".join(f"{frame.file}:{frame.line}" for frame in run.frames)
            raise _OursFailed(f"the reference failed at {probe}: {run.outcome}: {run.message} {frames}", run.outcome)
        raise ProbeFailed(run)

    def repeat(self, request: Request) -> Run:
        """Repeat a run of another package on this one, and return it whatever its outcome."""
        return self._cached_or_fresh(replace(request, tree=self._tree, replaced=self._replaced))

    def _cached_or_fresh(self, request: Request, lasting: EvidenceStore | None = None) -> Run:
        if self._store is None:
            return self._fresh(request)
        key = self._key(request)
        # The whole class shares the reference's evidence: the first worker computes it, and others wait for it.
        with self._store.lock(key) if self._ours else nullcontext():
            run = self._store.get(key)
            if run is None:
                run = self._fresh(request) if lasting is None else self._kept_or_fresh(request, key, lasting)
                if not run.starved:
                    self._store.put(key, run)
        return run

    def _kept_or_fresh(self, request: Request, key: str, lasting: EvidenceStore) -> Run:
        """Return what an earlier class on this machine has found out under the key, or find it out and keep it."""
        document = [key, processors.model(), list(gpus.models()) if request.device != Device.CPU else []]
        lasting_key = hashlib.sha256(json.dumps(document).encode()).hexdigest()
        run = lasting.get(lasting_key)
        if run is None or run.outcome is not Outcome.PASSED:
            run = self._fresh(request)
            if run.outcome is Outcome.PASSED:
                lasting.put(lasting_key, run)
        return run

    def _fresh(self, request: Request) -> Run:
        return self._sandbox.run(request)

    def _key(self, request: Request) -> str:
        circumstances = self._circumstances
        document = {
            "tree": self._tree_hash,
            "probe": request.probe,
            "code": fingerprint(circumstances.course, request.probe),
            "course": circumstances.course.name,
            "tier": circumstances.tier,
            "device": request.device,
            "threads": circumstances.threads,
            "versions": dict(circumstances.versions),
            "seed": request.seed,
            "limits": request.limits.as_dict(),
        }
        digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
        _update_hash(digest.update, request.inputs)
        return digest.hexdigest()


def request_hash(request: Request) -> str:
    """Return a hash of a run's probe, seed and inputs, which is the same for every package and machine."""
    digest = hashlib.sha256(f"{request.probe}\0{request.seed}\0".encode())
    _update_hash(digest.update, request.inputs)
    return digest.hexdigest()[:32]


def plain(value: Any) -> Any:
    """Return an input, converted to the types that can be sent to a guest."""
    if isinstance(value, Evidence):
        return value.state()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _update_hash(update: Callable[[bytes | memoryview], object], value: Any) -> None:
    """Update a hash with a tree of inputs, such that different trees never give the same bytes."""
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value)
        update(f"array {array.dtype.str} {array.shape} ".encode())
        update(array.reshape(-1).view(np.uint8).data if array.size else b"")
    elif isinstance(value, Mapping):
        update(f"dict {len(value)} ".encode())
        for name in sorted(value):
            update(f"{len(name)} {name} ".encode())
            _update_hash(update, value[name])
    elif isinstance(value, list):
        update(f"list {len(value)} ".encode())
        for item in value:
            _update_hash(update, item)
    else:
        text = f"{type(value).__name__} {value!r}"
        update(f"{len(text)} {text} ".encode())
