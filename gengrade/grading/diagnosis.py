"""Recognise misconceptions: find the known mistake that gives the student's symptoms on the same inputs.

The symptoms of each run of a test's probe are compared with those of a run, with the same inputs and seed, of a copy of
the reference that contains the mistake. The mistake is reported when three conditions hold:

1. The symptoms agree in all tests of the failed check.
2. The reference without the mistake gives other symptoms in at least one of the tests that failed. Otherwise, the
   symptoms do not show why the test failed, and every mistake that changes nothing in its runs would explain it.
3. The check that the mistake is mainly about did not pass, and did not fail with other symptoms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

from gengrade.facts import CheckFact, Named, Outcome
from gengrade.grading.misconceptions import Mistake
from gengrade.grading.symptoms import Symptoms, digest
from gengrade.sandbox import Request

_DIAGNOSED = (Outcome.FAILED, Outcome.ERROR)
_PASSED_LATER = 3  # times as long as a failed test's run may take that of a passed test that is repeated before it


@dataclass(frozen=True, slots=True)
class Call:
    """One run of the student's code in a test, its symptoms, and how many seconds it took."""

    request: Request
    symptoms: Symptoms
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Tested:
    """A test and its runs; `failed` if it did not pass, `cut` if the submission's budget ended it."""

    name: str
    checks: tuple[str, ...]
    failed: bool
    calls: tuple[Call, ...]
    cut: bool = False


# Whether the reference with a mistake (None: without any) has the symptoms of a call in the same circumstances.
Same = Callable[[Mistake | None, Call], bool]


class Diagnosis:
    """Finds the misconceptions behind the failed checks of one session."""

    def __init__(
        self,
        facts: Mapping[str, CheckFact],
        tests: Iterable[Tested],
        library: Mapping[str, Mistake],
        same: Same,
        *,
        threads: int = 1,
    ) -> None:
        """Create the diagnosis.

        facts: the facts of the session, by check.
        tests: the tests of the session.
        library: the course's misconceptions, by name.
        same: compares a call with a repetition of it; that many threads may call it at once.
        threads: how many misconceptions are looked at at once; the result does not depend on it.
        """
        self._facts = facts
        self._tests = tuple(tests)
        cut = {id_ for test in self._tests if test.cut for id_ in test.checks}
        self._failed = {id_ for id_, fact in facts.items() if fact.outcome in _DIAGNOSED} - cut
        self._library = library
        self._same = same
        self._threads = threads

    @property
    def is_needed(self) -> bool:
        """Whether any check failed."""
        return bool(self._failed)

    def conclude(self) -> dict[str, CheckFact]:
        """Return the facts, with a misconception, or otherwise with symptoms, for each check that failed."""
        return {id_: self._with_diagnosis(fact) for id_, fact in self._facts.items()}

    def _with_diagnosis(self, fact: CheckFact) -> CheckFact:
        if fact.check not in self._failed:
            return fact
        found = self._named(fact.check)
        if found is not None:
            return fact.model_copy(update={"misconception": Named(name=found.name, sentence=found.sentence)})
        return fact.model_copy(update={"symptoms": self._digest(fact.check)})

    def _named(self, check: str) -> Mistake | None:
        """Return the most specific misconception that explains a check, or None if two are equally specific.

        The most specific one explains the most failed checks; of equal ones it is the one that predicts the fewest
        failures, then the one that is mainly about this check.
        """
        ranks = {
            each: (len(checks), -len(each.fails), each.fails[0] == check)
            for each, checks in self._explained
            if check in checks
        }
        best = [each for each, rank in ranks.items() if rank == max(ranks.values())]
        return best[0] if len(best) == 1 else None

    @cached_property
    def _explained(self) -> Sequence[tuple[Mistake, frozenset[str]]]:
        """Each misconception that explains a failed check, with all the failed checks that it explains.

        If the check that it is mainly about failed, it must explain that one.
        """
        passed = {id_ for id_, fact in self._facts.items() if fact.outcome is Outcome.PASSED}
        possible = [
            each
            for each in self._library.values()
            if self._failed.intersection(each.fails) and each.fails[0] not in passed
        ]
        with ThreadPoolExecutor(self._threads) as pool:
            explained = pool.map(self._explained_by, possible)
            return [(each, checks) for each, checks in zip(possible, explained, strict=True) if checks]

    def _explained_by(self, misconception: Mistake) -> frozenset[str]:
        """Return the failed checks that a misconception explains; none if it does not explain its own, which failed."""
        own, *others = misconception.fails
        if own in self._failed and not self._explains(misconception, own):
            return frozenset()
        explained = frozenset(id_ for id_ in others if id_ in self._failed and self._explains(misconception, id_))
        return explained | ({own} & self._failed)

    def _explains(self, misconception: Mistake, check: str) -> bool:
        """Return whether a misconception reproduces a failed check, without trying those that cannot raise errors."""
        if self._facts[check].outcome is Outcome.ERROR and not misconception.raises:
            return False
        return self._reproduces(misconception, check)

    def _reproduces(self, misconception: Mistake, check: str) -> bool:
        """Return whether a misconception gives the symptoms of all tests of a check, which no right answer gives."""
        tests = [test for test in self._tests if check in test.checks]
        failed = [test for test in tests if test.failed]
        if not all(any(call.symptoms for call in test.calls) for test in failed):
            return False
        return self._agree(misconception, tests) and not self._agree(None, failed)

    def _agree(self, misconception: Mistake | None, tests: Iterable[Tested]) -> bool:
        """Return whether a misconception gives the symptoms of all these tests.

        Short runs come first, and those of failed tests, in which most misconceptions differ: many runs are never made.
        """
        calls = [(call, call.seconds * (1 if test.failed else _PASSED_LATER)) for test in tests for call in test.calls]
        return all(self._same(misconception, call) for call, _ in sorted(calls, key=lambda each: each[1]))

    def _digest(self, check: str) -> dict[str, tuple[float, float]]:
        """Return a few numbers of a check's failed tests, by which equal failures of other submissions are found."""
        failed = [test for test in self._tests if check in test.checks and test.failed]
        return {
            f"{test.name} {index}: {name}": number
            for test in failed[:2]
            for index, call in enumerate(test.calls)
            for name, number in digest(call.symptoms).items()
        }
