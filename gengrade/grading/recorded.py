"""Read what a course's kit for students holds in the place of the reference: recorded evidence and symptoms.

A kit holds no solution. What graders ask of the reference, and what misconceptions would answer, was recorded for a
few public seeds, from which a kit draws all inputs. Three properties are deliberate:

1. A recording is found by the probe, the seed and the inputs of a run, and by nothing that depends on the machine.
2. Of symptoms, a few numbers of each array are kept, at places that its name and its shape say.
3. What was not recorded is not guessed: a check that needs it is undecided, and a mistake that needs it is not named.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import Field

from gengrade.facts import Frozen, Outcome
from gengrade.grading.diagnosis import Call
from gengrade.grading.misconceptions import Mistake
from gengrade.grading.subject import NotRecorded, request_hash
from gengrade.grading.symptoms import Symptoms, agree
from gengrade.sandbox import Request, Run, Runner, wire

MANIFEST: Final = "manifest.json"
SYMPTOMS: Final = "symptoms.json"
EVIDENCE: Final = "evidence/"
NOBODY: Final = ""  # the name under which the reference without any mistake is recorded
_MOST_NUMBERS: Final = 32  # of an array of symptoms
_OF_OURS: Final = "common.classifier:"  # how the names of such probes begin


def is_ours(request: Request) -> bool:
    """Return whether a run's probe runs our own code alone, and no package's, so that nothing of it is recorded."""
    return request.probe.startswith(_OF_OURS)


class KeptMistake(Frozen):
    """A misconception as a kit knows it."""

    name: str
    sentence: str
    fails: tuple[str, ...]
    raises: bool


class PublicSeed(Frozen):
    """What inputs are drawn from; everybody may know it."""

    seed: int
    secret: str


class Manifest(Frozen):
    """What a kit's recordings were made of."""

    course: str
    version: str  # of gengrade
    made: str  # the day, ISO 8601
    data: str  # the data set's name
    seeds: tuple[PublicSeed, ...] = Field(min_length=1)
    mistakes: tuple[KeptMistake, ...]


class Recorded:
    """The recordings of a course. Use `load`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with zipfile.ZipFile(path) as archive:
            self.manifest = Manifest.model_validate_json(archive.read(MANIFEST))

    @cached_property
    def mistakes(self) -> Mapping[str, Mistake]:
        """All misconceptions, by name."""
        return {
            each.name: Mistake(each.name, each.sentence, each.fails, each.raises) for each in self.manifest.mistakes
        }

    def seed_for(self, content: str | None) -> PublicSeed:
        """Return the seed for a submission with this hash: another one after a change, and always the same for it."""
        seeds = self.manifest.seeds
        return seeds[int(hashlib.sha256((content or "").encode()).hexdigest(), 16) % len(seeds)]

    def same(self, mistake: Mistake | None, call: Call) -> bool:
        """Return whether the reference with a mistake (None: without any) had the symptoms of a call."""
        found = self._symptoms.get(request_hash(call.request), {}).get(NOBODY if mistake is None else mistake.name)
        return found is not None and agree(found, compacted(call.symptoms))

    def run(self, request: Request) -> Run:
        """Return the reference's recorded run. Raises NotRecorded."""
        try:
            with zipfile.ZipFile(self._path) as archive:
                evidence = wire.decode(archive.read(f"{EVIDENCE}{request_hash(request)}"))
        except KeyError:
            raise NotRecorded from None
        return Run(Outcome.PASSED, evidence=evidence)

    @cached_property
    def _symptoms(self) -> dict[str, dict[str, Symptoms]]:
        with zipfile.ZipFile(self._path) as archive:
            document = json.loads(archive.read(SYMPTOMS))
        texts = document["texts"]
        return {
            request: {texts[name]: _read(some, texts) for name, some in calls}
            for request, calls in document["calls"].items()
        }


class RecordedRunner:
    """Runs the reference's probes in a kit: from recordings, or with our own code, which needs no package."""

    def __init__(self, recorded: Recorded, sandbox: Runner, empty: Path) -> None:
        """`sandbox` runs probes of ours on the folder `empty`, in which nothing is."""
        self._recorded = recorded
        self._sandbox = sandbox
        self._empty = empty

    @property
    def starting(self) -> float:
        """The seconds that starting the sandbox has taken so far."""
        return self._sandbox.starting

    def run(self, request: Request) -> Run:
        """Return what the reference answers. Raises NotRecorded, and InfraError for a fault of the harness."""
        if not is_ours(request):
            return self._recorded.run(request)
        self._empty.mkdir(parents=True, exist_ok=True)
        return self._sandbox.run(replace(request, tree=self._empty))


@cache
def load(path: Path) -> Recorded:
    """Return the recordings in a file, which is read once."""
    return Recorded(path)


def compacted(symptoms: Symptoms) -> Symptoms:
    """Return a few numbers of each array, under a name that holds the array's shape."""
    found = {}
    for name, (values, tolerance) in symptoms.items():
        array = np.asarray(values, dtype=np.float64)
        key = f"{name} {list(array.shape)}"
        flat = array.reshape(-1)
        if flat.size > _MOST_NUMBERS:
            seed = int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:8], "big")
            flat = flat[np.random.default_rng(seed).choice(flat.size, _MOST_NUMBERS, replace=False)]
        found[key] = (flat, tolerance)
    return found


def document(calls: Mapping[str, Mapping[str, Symptoms]]) -> dict[str, Any]:
    """Return the compacted symptoms of calls, by request and mistake, as what `Recorded` reads from JSON."""
    texts: dict[str, int] = {}

    def number(text: str) -> int:
        return texts.setdefault(text, len(texts))

    written = {
        request: [
            [number(name), [[number(key), tolerance, _numbers(values)] for key, (values, tolerance) in some.items()]]
            for name, some in by_mistake.items()
        ]
        for request, by_mistake in calls.items()
    }
    return {"texts": list(texts), "calls": written}


def _numbers(values: Any) -> list[float]:
    return [float(f"{value:.7g}") for value in np.asarray(values, dtype=np.float64)]


def _read(some: list[Any], texts: list[str]) -> Symptoms:
    return {texts[key]: (np.array(values, dtype=np.float64), tolerance) for key, tolerance, values in some}
