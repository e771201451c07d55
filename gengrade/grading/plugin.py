"""The pytest plugin of a grading session: it gives tests their fixtures, and turns their results into facts."""

from __future__ import annotations

import inspect
import time
import traceback
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gengrade.choices import CheckKind
from gengrade.data import DataSet
from gengrade.facts import SEVERITY, CheckFact, Figure, Outcome, TestFact
from gengrade.grading.asserts import fail
from gengrade.grading.checks import Declaration, Passed, declaration, title
from gengrade.grading.diagnosis import Call, Tested
from gengrade.grading.evidence import Mismatch, NotAsked
from gengrade.grading.figures import Gallery, Show, import_drawing
from gengrade.grading.limited import ALLOWANCES, ComputingFault, GraderFault, Report, confined
from gengrade.grading.rng import Rng, derive
from gengrade.grading.subject import BudgetUsedUp, NotRecorded, ProbeFailed, Subject
from gengrade.grading.symptoms import Symptoms
from gengrade.messages import CheckBegan, CheckEnded, CheckMessage
from gengrade.sandbox import InfraError, Limits, Run
from gengrade.submissions.locating import path_below
from gengrade.texts import without_middle

_FAULT_BYTES = 20_000
OWN_CODE = "graders' own code, of the processor"  # the stage for all comparisons, without the runs of packages


@dataclass(frozen=True, slots=True)
class Used:
    """The CPU time and memory of a test's own code, without the runs that it requested."""

    seconds: float  # of CPU time
    memory_mb: float  # the most resident memory, in addition to that at the start


@dataclass(slots=True)
class Observed:
    """Everything that a session has observed so far."""

    tests: dict[str, list[TestFact]] = field(default_factory=dict)  # for each check
    measures: dict[str, float] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)  # of the harness, with tracebacks, for teaching assistants
    stages: dict[str, float] = field(default_factory=dict)
    gallery: Gallery = field(default_factory=Gallery)
    tested: list[Tested] = field(default_factory=list)  # unit tests and their runs, for the diagnosis
    starved: bool = False  # whether a run got little of the machine, so that a repetition may give another verdict
    used: dict[str, Used] = field(default_factory=dict)  # for each test

    def fault(self, words: str) -> None:
        """Add a fault of the harness, shortened, since a submission may make an exception's text very long."""
        self.faults.append(without_middle(words, _FAULT_BYTES))

    def checks(self) -> dict[str, CheckFact]:
        """Return the facts of all checks so far, by id."""
        return {id_: CheckFact(check=id_, tests=tuple(tests)) for id_, tests in self.tests.items()}


class Blocked(Exception):
    """A check that this one needs did not pass."""

    def __init__(self, need: str) -> None:
        super().__init__(f"not run, since {need} did not pass")


class Waiting(Exception):
    """A check that this one needs has to be decided by a person."""

    def __init__(self, need: str, reason: str) -> None:
        super().__init__(f"it builds on {need}, which was not decided: {reason}")


class Unjudged(Exception):
    """A test leaves a mistake to checks that all passed."""

    def __init__(self, reason: str, checks: tuple[str, ...]) -> None:
        named = " and ".join(checks)
        super().__init__(f"nothing could be asked here, and {named} passed, so that a person has to decide: {reason}")


class GradingPlugin:
    """The plugin of one session, whose hooks and fixtures pytest calls."""

    def __init__(
        self,
        student: Subject,
        reference: Subject,
        data: Callable[[], DataSet],
        *,
        wanted: frozenset[str],
        secret: bytes,
        limits: Callable[[str, CheckKind], Limits],
        folder: Path,
        tell: Callable[[CheckMessage], None],
        names: Mapping[str, str],
        needs: Mapping[str, tuple[str, ...]],
        first: frozenset[str] = frozenset(),
    ) -> None:
        """Create the plugin of one session.

        student, reference: the packages under test.
        data: returns the data set.
        wanted: the checks to run.
        secret: the key from which the inputs and seeds of this run are derived.
        limits: returns the limits of a run, given a check's id and its kind.
        folder: the folder for pictures.
        tell: is called whenever a check begins or ends.
        names: for each part's key, its place in the submission, which tracebacks show.
        needs: for each check, the checks that it needs in addition to those that its grader declares.
        first: checks that are run before others, as far as what they need allows. No verdict depends on the order.
        """
        self._student = student
        self._reference = reference
        self._data = data
        self._wanted = wanted
        self._secret = secret
        self._limits = limits
        self._folder = folder
        self._tell = tell
        self._names = names
        self._rubric_needs = needs
        self._first = first
        self._unfinished: Counter[str] = Counter()  # for each wanted check, the number of its tests to come
        self._checks = 0  # wanted checks that have tests
        self._recorded: dict[str, float] = {}
        self._report = Report()
        self._show: Show | None = None
        self.observed = Observed()

    # Fixtures ---------------------------------------------------------------------------------------------------

    @pytest.fixture
    def student(self) -> Subject:
        return self._student

    @pytest.fixture
    def reference(self) -> Subject:
        return self._reference

    @pytest.fixture
    def data(self) -> DataSet:
        return self._data()

    @pytest.fixture
    def rng(self, request: pytest.FixtureRequest) -> Rng:
        return Rng(derive(self._secret, "inputs", request.node.name))

    @pytest.fixture
    def record(self) -> Callable[[str, float], None]:
        def record(name: str, value: float) -> None:
            self._recorded[name] = float(value)

        return record

    @pytest.fixture
    def passed(self, request: pytest.FixtureRequest) -> Passed:
        """Tell whether a check passed to which the test leaves a mistake; one that is not run here did not."""
        declared = _declared(request.node)
        assert declared is not None

        def passed(check: str) -> bool:
            if check not in declared.leaves_to:
                raise ValueError(f"the test does not name {check} in leaves_to")
            outcome = self._verdict(check)
            if outcome in (Outcome.UNDECIDED, Outcome.INFRA):
                raise NotAsked(f"it builds on {check}", (check,))
            return outcome is Outcome.PASSED

        return passed

    @pytest.fixture
    def show(self) -> Show:
        assert self._show is not None
        return self._show

    # Hooks ------------------------------------------------------------------------------------------------------

    def pytest_configure(self, config: pytest.Config) -> None:
        """Choose short tracebacks, since pytest's reports with source excerpts take longer than most tests."""
        config.option.tbstyle = "value"

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the tests of wanted checks, in the order of the graders' files, each after those that it needs."""
        kept = [item for item in items if (declared := _declared(item)) and self._wanted.intersection(declared.ids)]
        kept.sort(key=lambda item: not self._first.intersection(_ids(item)))
        items[:] = _ordered(kept, self._needs, _left)
        self._unfinished = Counter(id_ for item in items for id_ in self._wanted.intersection(_ids(item)))
        self._checks = len(self._unfinished)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        declared = _declared(item)
        assert declared is not None
        self._tell(CheckBegan(check=declared.ids[0]))
        self._recorded, self._report = {}, Report()
        self._show = Show(self._folder, declared.ids[0], self.observed.gallery)
        self._show.figures.extend(figure for figure in self.observed.figures if figure.check == declared.ids[0])
        limits = self._limits(declared.ids[0], declared.kind)
        for subject in (self._student, self._reference):
            subject.begin(_seeds(self._secret, item.name), limits, trains=declared.kind is CheckKind.TRAIN)
        for need in self._needs(item):
            outcomes = {test.outcome for test in self.observed.tests.get(need, [])}
            if Outcome.INFRA in outcomes:
                raise InfraError(f"{need} could not be carried out")
            if outcomes - {Outcome.PASSED, Outcome.UNDECIDED}:
                raise Blocked(need)
        for id_ in declared.ids:
            # What never ends does not end in the check's next test either, and a student would wait for each.
            if any(test.outcome is Outcome.TIMEOUT for test in self.observed.tests.get(id_, [])):
                raise Blocked(id_)
        for need in self._needs(item):
            undecided = [test for test in self.observed.tests.get(need, []) if test.outcome is Outcome.UNDECIDED]
            if undecided:
                raise Waiting(need, undecided[0].message)

    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool:
        """Call the test in a child process that limits its own code."""
        assert self._show is not None
        declared = _declared(pyfuncitem)
        assert declared is not None
        names = inspect.signature(pyfuncitem.function).parameters
        if "show" in names:
            import_drawing()  # before the fork, so that no child has to import it
        self._report = report = confined(
            pyfuncitem.function,
            {name: pyfuncitem.funcargs[name] for name in names},
            recorded=self._recorded,
            figures=self._show.figures,
            allowance=ALLOWANCES[declared.kind],
            symptoms_of=self._student if declared.kind is CheckKind.UNIT else None,
        )
        self._recorded = dict(report.recorded)
        self._hang(report.figures)
        self.observed.used[pyfuncitem.name] = Used(report.seconds, report.memory_mb)
        self._add(OWN_CODE, report.seconds)
        if isinstance(report.error, ComputingFault) and self._holds_for_ours(pyfuncitem):
            fail("Your answer cannot be computed with: some numbers are too large or too small, or there are too few")
        if report.error is not None:
            raise report.error
        return True

    def _holds_for_ours(self, item: pytest.Function) -> bool:
        """Return whether a test works with the reference, so that the student's numbers made it fail."""
        declared = _declared(item)
        assert declared is not None
        arguments = {name: item.funcargs[name] for name in inspect.signature(item.function).parameters}
        ours = {"student": self._reference, "show": Show(self._folder, declared.ids[0], Gallery(pictures=0))}
        report = confined(
            item.function,
            arguments | {name: value for name, value in ours.items() if name in arguments},
            recorded={},
            figures=[],
            allowance=ALLOWANCES[declared.kind],
            symptoms_of=None,
        )
        return report.error is None

    def _hang(self, figures: Sequence[Figure]) -> None:
        """Add the pictures that a test drew in its child process, and count them in the gallery."""
        assert self._show is not None
        for figure in figures[len(self._show.figures) :]:
            self.observed.gallery.takes((self._folder / figure.file).stat().st_size)
            self._show.figures.append(figure)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        began, starting = time.monotonic(), self._student.starting
        result = yield
        declared = _declared(item)
        assert declared is not None
        started = self._student.starting - starting
        self._add(declared.ids[0], time.monotonic() - began - started)
        if started:
            self._add("start of the sandbox", started)
        return result

    def _add(self, stage: str, seconds: float) -> None:
        self.observed.stages[stage] = self.observed.stages.get(stage, 0.0) + seconds

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """Record the fact of a test after its call, or after a set-up that failed."""
        if call.when == "teardown" or (call.when == "setup" and call.excinfo is None):
            return
        declared = _declared(item)
        assert declared is not None
        error = self._resolved(item, call.excinfo.value if call.excinfo is not None else None)
        if isinstance(error, KeyboardInterrupt):
            return
        fact = self._fact(item, error, call.duration)
        for id_ in declared.ids:
            self.observed.tests.setdefault(id_, []).append(fact)
        if declared.kind is CheckKind.UNIT:
            tested = self._tested(item.name, declared.ids, fact.outcome, cut=isinstance(error, BudgetUsedUp))
            self.observed.tested.append(tested)
        self.observed.starved |= any(run.starved for _, run in self._student.runs)
        if fact.outcome is Outcome.PASSED:
            self.observed.measures.update(self._recorded)
        if self._show is not None:
            known = {figure.file for figure in self.observed.figures}
            self.observed.figures.extend(figure for figure in self._show.figures if figure.file not in known)
        self._finish(self._wanted.intersection(declared.ids))

    def _finish(self, checks: frozenset[str]) -> None:
        """Note that a test of these checks has been carried out, and tell of those that have no test any more."""
        self._unfinished.subtract(checks)
        for check in sorted(checks):
            if self._unfinished[check] == 0:
                del self._unfinished[check]
                outcome = self._verdict(check)
                assert outcome is not None
                done = self._checks - len(self._unfinished)
                self._tell(CheckEnded(check=check, outcome=outcome, done=done, of=self._checks))

    def _tested(self, name: str, checks: tuple[str, ...], outcome: Outcome, *, cut: bool) -> Tested:
        # A fault in reading symptoms must not change the outcome of the check, which is already decided.
        for fault in self._report.faults:
            self.observed.fault(f"{name}: its symptoms could not be read: {fault}")
        runs, symptoms = self._student.runs, self._report.symptoms
        read: list[Symptoms] = [*symptoms, *[{}] * (len(runs) - len(symptoms))]
        calls = [Call(request, found, run.seconds) for (request, run), found in zip(runs, read, strict=True)]
        return Tested(name, checks, outcome is not Outcome.PASSED, tuple(calls), cut)

    def _needs(self, item: pytest.Item) -> frozenset[str]:
        """Return the checks that a test needs: its grader's, and those that the rubric needs for all its checks."""
        declared = _declared(item)
        assert declared is not None
        by_rubric = [set(self._rubric_needs.get(id_, ())) for id_ in declared.ids]
        return frozenset(declared.needs) | frozenset(set.intersection(*by_rubric))

    def _verdict(self, check: str) -> Outcome | None:
        """Return the outcome of a check so far; None if it is not run here.

        One that is still to be run, which is only so if it needs the check that asks, counts as passed.
        """
        outcomes = [test.outcome for test in self.observed.tests.get(check, [])]
        if not outcomes:
            return Outcome.PASSED if check in self._wanted else None
        return max(outcomes, key=SEVERITY.index)

    def _resolved(self, item: pytest.Item, error: BaseException | None) -> BaseException | None:
        """Return the error of a test, or another one if it left a mistake to checks that found none.

        It stands if one of these checks found a mistake, or is not run here. If one of them ended before it could find
        any, since the code was not handed in or raised an exception, nothing shows that this test would pass: it is
        blocked. If one could not be carried out, this one could not either. Otherwise a person has to decide.
        """
        if not isinstance(error, NotAsked) or not error.unless:
            return error
        declared = _declared(item)
        assert declared is not None
        unnamed = set(error.unless) - set(declared.leaves_to)
        if unnamed:
            return GraderFault(f"the test does not name {', '.join(sorted(unnamed))} in leaves_to")
        return self._judged(error)

    def _judged(self, left: NotAsked) -> BaseException:
        """Return the error of a test that left a mistake to other checks, by what these have found."""
        verdicts = {check: self._verdict(check) for check in left.unless}
        tests = [test for check in left.unless for test in self.observed.tests.get(check, [])]
        if None in verdicts.values() or any(test.outcome is Outcome.FAILED for test in tests):
            return left
        for check, outcome in verdicts.items():
            if outcome is Outcome.INFRA:
                return InfraError(f"{check} could not be carried out")
            if outcome is Outcome.UNDECIDED:
                undecided = [test for test in tests if test.outcome is Outcome.UNDECIDED]
                return Waiting(check, undecided[0].message)
            if outcome is not Outcome.PASSED:
                return Blocked(check)
        return Unjudged(left.reason, left.unless)

    def _fact(self, item: pytest.Item, error: BaseException | None, seconds: float) -> TestFact:
        words: dict[str, Any] = {"name": item.name, "title": title(_function(item)), "seconds": round(seconds, 3)}
        run = self._student.last
        match error:
            case None | NotAsked():
                return TestFact(outcome=Outcome.PASSED, message=error.reason if error else "", **words)
            case Mismatch():
                output = _output(run)
                return TestFact(
                    outcome=Outcome.FAILED,
                    message=error.message,
                    expected=error.expected,
                    got=error.got,
                    output=output,
                    **words,
                )
            case ProbeFailed(run=run):
                return TestFact(
                    outcome=run.outcome,
                    message=run.message,
                    traceback=_traceback(run, self._names),
                    output=_output(run),
                    **words,
                )
            case Blocked():
                return TestFact(outcome=Outcome.BLOCKED, message=str(error), **words)
            case Waiting() | Unjudged() | NotRecorded():
                return TestFact(outcome=Outcome.UNDECIDED, message=str(error), **words)
        known = str(error) if isinstance(error, GraderFault) else "".join(traceback.format_exception(error))
        self.observed.fault(f"{item.name}: {known}")
        message = "This check could not be carried out. That is not your fault. Your course staff has been told."
        return TestFact(outcome=Outcome.INFRA, message=message, **words)


def _seeds(secret: bytes, test: str) -> Callable[[], int]:
    """Return a function that gives each run of a test its own seed, the same for student and reference."""
    count = 0

    def next_seed() -> int:
        nonlocal count
        count += 1
        return derive(secret, "run", test, count)

    return next_seed


def _ordered(
    items: list[pytest.Item],
    needs: Callable[[pytest.Item], frozenset[str]],
    left: Callable[[pytest.Item], frozenset[str]],
) -> list[pytest.Item]:
    """Return the tests in a stable order in which each comes after all tests of the checks that it needs.

    Each also comes after those of the checks that it leaves mistakes to, unless one of these needs the test's check.

    Raises ValueError if checks need each other in a circle.
    """
    result: list[pytest.Item] = []
    waiting = list(items)
    while waiting:
        pending = {id_ for item in waiting for id_ in _ids(item)}
        ready = [item for item in waiting if not (pending - set(_ids(item))).intersection(needs(item) | left(item))]
        ready = ready or [item for item in waiting if not (pending - set(_ids(item))).intersection(needs(item))]
        if not ready:
            raise ValueError(f"checks need each other in a circle: {sorted(pending)}")
        # The batch is the tests in the order of the files, up to the first that has to wait.
        first_blocked = next((index for index, item in enumerate(waiting) if item not in ready), len(waiting))
        batch = waiting[:first_blocked] or ready[:1]
        result += batch
        waiting = [item for item in waiting if item not in batch]
    return result


def _ids(item: pytest.Item) -> tuple[str, ...]:
    declared = _declared(item)
    return declared.ids if declared else ()


def _left(item: pytest.Item) -> frozenset[str]:
    declared = _declared(item)
    return frozenset(declared.leaves_to) if declared else frozenset()


def _function(item: pytest.Item) -> object:
    return item.function if isinstance(item, pytest.Function) else None


def _declared(item: pytest.Item) -> Declaration | None:
    return declaration(_function(item))


def _traceback(run: Run, names: Mapping[str, str]) -> str | None:
    """Return the student's own frames in Python's usual form, with the paths of files as handed in."""
    if not run.frames:
        return None
    lines = []
    for frame in run.frames:
        part, _, rest = frame.file.partition("/")
        file = path_below(names[part], rest) if part in names else frame.file
        where = f", in {frame.function}" if frame.function else ""
        lines.append(f'File "{file}", line {frame.line}{where}')
        if frame.source:
            lines.append(f"    {frame.source}")
    return "\n".join(lines)


def _output(run: Run | None) -> str | None:
    return run.output if run is not None and run.output.strip() else None
