"""What must hold of every misconception and of every variant, as sentences about what went wrong: none, if it holds."""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from gengrade.facts import CheckFact, Outcome
from validation.direct import TIER
from validation.journal import Journal
from validation.variants import COURSES, Family, variants_of
from validation.workbench import Workbench, library, names, variant_text


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to be proved: "caught", "named", "alternative", "right" or "unnamed", about something with a name."""

    kind: str
    course: str
    family: str
    subject: str

    @property
    def key(self) -> str:
        return f"{self.kind} {self.course} {self.family}: {self.subject}"


def cases(*kinds: str, courses: Sequence[str] = COURSES) -> Iterator[Case]:
    """All that is to be proved, of these kinds. "caught" and "named" of one misconception are one case."""
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
    """Whether a wrong answer was caught, a right one passed; whether it was given the right name, or none."""

    judged: bool  # the checks that should fail did, and no others
    named: bool  # the right name where there is one, and no name where there is none
    problem: str = ""


def judge(bench: Workbench, case: Case, *, briefly: bool = False) -> Verdict:
    """Tries it, on a bench of its course. `briefly`: of a misconception only the checks that it should fail."""
    return _JUDGES[case.kind](bench, case, variants_of(case.course).families[case.family], briefly)


def _caught(bench: Workbench, case: Case, variants: Family, briefly: bool) -> Verdict:
    """Planted in the reference, it fails just the checks that it should, and is recognised in all of them."""
    fails = library(case.course)[case.subject].fails
    facts = bench.diagnosed(bench.planted(case.subject), *(fails if briefly else [f"{case.family}."]))
    return _verdict(facts, set(fails), case.subject)


def _in_alternative(bench: Workbench, case: Case, variants: Family, briefly: bool) -> Verdict:
    """Planted in a package that is nothing like the reference, it is recognised all the same, at its own check.

    At others it may go without a name, as where an exception's words tell the sizes of layers.
    """
    fails = library(case.course)[case.subject].fails
    facts = bench.diagnosed(bench.planted(case.subject, variants.alternative), *fails)
    found = names(facts.values())
    named = found == {case.subject} and facts[fails[0]].misconception is not None
    return Verdict(fails[0] in facts, named, "" if named else f"recognised as {found}; {_messages(facts)}")


def _right(bench: Workbench, case: Case, variants: Family, briefly: bool) -> Verdict:
    """It passes all checks."""
    facts = bench.failing(bench.variant(variants.right[case.subject]), f"{case.family}.")
    return Verdict(not facts, True, _messages(facts))


def _unnamed(bench: Workbench, case: Case, variants: Family, briefly: bool) -> Verdict:
    """It fails just the checks that it should, with the right words, and is given no name."""
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
        if fact.outcome is not Outcome.BLOCKED  # nothing was asked of it, and nothing can be recognised
    }
    judged, named = set(facts) == fails, set(found.values()) <= {name}
    problem = "" if judged else f"failing: {sorted(facts)}, and not {sorted(fails)}; {_messages(facts)}"
    if not named:
        problem += f" recognised as {found}"
    return Verdict(judged, named, problem.strip())


def _messages(facts: dict[str, CheckFact]) -> str:
    return "; ".join(f"{id_}: {fact.decisive.message} ({fact.decisive.got})" for id_, fact in facts.items())


def survey(journal: Journal, jobs: int, watch: Callable[[int, int], None]) -> dict[Case, Verdict]:
    """All cases, so many side by side; what the journal holds is not proved again."""
    wanted = list(cases(*_JUDGES))
    found = {case: Verdict(**kept) for case in wanted if (kept := journal.get(case.key)) is not None}
    missing = [case for case in wanted if case not in found]
    with ProcessPoolExecutor(jobs) as pool:
        futures = {pool.submit(_in_process, case): case for case in missing}
        for future in as_completed(futures):
            case, verdict = futures[future], future.result()
            found[case] = verdict
            journal.put(case.key, asdict(verdict))
            watch(len(found), len(wanted))
    return {case: found[case] for case in wanted}


@cache
def _bench(course: str) -> Workbench:
    """This process's own of a course, which ends with it."""
    folder = tempfile.TemporaryDirectory(prefix="gengrade-validation-")
    bench = Workbench(Path(folder.name), TIER, course)
    atexit.register(folder.cleanup)
    atexit.register(bench.sandbox.close)
    return bench


def _in_process(case: Case) -> Verdict:
    try:
        return judge(_bench(case.course), case)
    except Exception as error:  # a fault of ours is a case that failed, and not the end of all others
        return Verdict(False, False, f"{type(error).__name__}: {error}"[:1000])
