"""Tests what must hold for every misconception and every variant; a `Verdict` says in a sentence what does not hold."""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gengrade.facts import CheckFact, Outcome
from validation.direct import TIER
from validation.journal import Journal, computed
from validation.variants import COURSES, Family, variants_of
from validation.workbench import Workbench, library, names, variant_text


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to test, about the misconception or variant `subject`.

    Its kind is "caught" (a misconception fails its checks, and is named), "alternative" (it is named in an alternative
    implementation, too), "right" (a right variant passes) or "unnamed" (a wrong variant fails without a name).
    """

    kind: str
    course: str
    family: str
    subject: str

    @property
    def key(self) -> str:
        """The name of the case in the journal."""
        return f"{self.kind} {self.course} {self.family}: {self.subject}"


def cases(*kinds: str, courses: Sequence[str] = COURSES) -> Iterator[Case]:
    """Yield all cases of these kinds in the given courses."""
    for name in courses:
        yield from _of_misconceptions(name, kinds)
        for family in variants_of(name).families.values():
            for kind, subjects in (("right", family.right), ("unnamed", family.unnamed)):
                if kind in kinds:
                    yield from (Case(kind, name, family.name, subject) for subject in subjects)


def _of_misconceptions(of: str, kinds: Sequence[str]) -> Iterator[Case]:
    for name, each in library(of).items():
        part = each.fails[0].partition(".")[0]
        if "caught" in kinds:
            yield Case("caught", of, part, name)
        alternative = variants_of(of).families[part].alternative
        if "alternative" in kinds and each.fits(variant_text(each.file, alternative, of)):
            yield Case("alternative", of, part, name)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an answer was judged rightly, and given the right name, or none; `problem` says what is wrong."""

    judged: bool  # exactly those checks failed that should
    named: bool  # the right misconception was named if there is one, and none otherwise
    problem: str = ""


def judge(bench: Workbench, case: Case, *, briefly: bool = False) -> Verdict:
    """Test a case on a bench of its course. `briefly`: a misconception only runs the checks that it should fail."""
    return _JUDGES[case.kind](bench, case, variants_of(case.course).families[case.family], briefly)


def _caught(bench: Workbench, case: Case, variants: Family, briefly: bool) -> Verdict:
    """Return a misconception in the reference must fail exactly the checks that it should, and be recognised in all."""
    fails = library(case.course)[case.subject].fails
    facts = bench.diagnosed(bench.planted(case.subject), *(fails if briefly else [f"{case.family}."]))
    return _verdict(facts, set(fails), case.subject)


def _in_alternative(bench: Workbench, case: Case, variants: Family, briefly: bool) -> Verdict:
    """Return a misconception in an alternative implementation must be recognised at its first check.

    At other checks it may stay without a name, for example if the message of an exception contains sizes of layers.
    """
    fails = library(case.course)[case.subject].fails
    facts = bench.diagnosed(bench.planted(case.subject, variants.alternative), *fails)
    found = names(facts.values())
    named = found == {case.subject} and facts[fails[0]].misconception is not None
    return Verdict(fails[0] in facts, named, "" if named else f"recognised as {found}; {_messages(facts)}")


def _right(bench: Workbench, case: Case, variants: Family, briefly: bool) -> Verdict:
    """Return a right variant must pass all checks."""
    facts = bench.failing(bench.variant(variants.right[case.subject]), f"{case.family}.")
    return Verdict(not facts, True, _messages(facts))


def _unnamed(bench: Workbench, case: Case, variants: Family, briefly: bool) -> Verdict:
    """Return a wrong variant must fail exactly the checks that it should, with the right words, and without a name."""
    wrong = variants.unnamed[case.subject]
    facts = bench.diagnosed(bench.variant(wrong.changes), f"{case.family}.")
    verdict = _verdict(facts, set(wrong.fails), None)
    if verdict.judged and wrong.says not in facts[wrong.fails[0]].decisive.message:
        return Verdict(False, verdict.named, f"{wrong.says!r} is not in {_messages(facts)}")
    return verdict


_JUDGES = {
    "caught": _caught,
    "alternative": _in_alternative,
    "right": _right,
    "unnamed": _unnamed,
}


def _verdict(facts: dict[str, CheckFact], fails: set[str], name: str | None) -> Verdict:
    found = {
        id_: fact.misconception.name if fact.misconception else None
        for id_, fact in facts.items()
        if fact.outcome is not Outcome.BLOCKED  # a blocked check did not run, so it recognises nothing
    }
    judged, named = set(facts) == fails, set(found.values()) <= {name}
    problem = "" if judged else f"failing: {sorted(facts)}, and not {sorted(fails)}; {_messages(facts)}"
    if not named:
        problem += f" recognised as {found}"
    return Verdict(judged, named, problem.strip())


def _messages(facts: dict[str, CheckFact]) -> str:
    return "; ".join(f"{id_}: {fact.decisive.message} ({fact.decisive.got})" for id_, fact in facts.items())


def attempted(bench: Workbench, case: Case) -> Verdict:
    """Test a case as `judge` does; an internal error fails this case, and does not stop others."""
    try:
        return judge(bench, case)
    except Exception as error:
        return Verdict(False, False, f"{type(error).__name__}: {error}"[:1000])


def survey(journal: Journal, jobs: int, watch: Callable[[int, int], None]) -> dict[Case, Verdict]:
    """Test all cases in `jobs` parallel processes; results in the journal are not computed again."""
    return computed(cases(*_JUDGES), _in_process, Verdict, journal, jobs, watch)


@cache
def _bench(course: str) -> Workbench:
    """Return the bench of a course in this process; its folder is removed when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="gengrade-validation-")
    bench = Workbench(Path(folder.name), TIER, course)
    atexit.register(folder.cleanup)
    atexit.register(bench.sandbox.close)
    return bench


def _in_process(case: Case) -> Verdict:
    return attempted(_bench(case.course), case)
