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
from truth.direct import TIER
from truth.journal import Journal
from truth.variants import EDITIONS, Family, edition
from truth.workbench import Workbench, library, names, variant_text


@dataclass(frozen=True, slots=True)
class Proof:
    """One thing to be proved: "caught", "named", "stranger", "right" or "unnamed", about something with a name."""

    kind: str
    edition: str
    family: str
    subject: str

    @property
    def key(self) -> str:
        return f"{self.kind} {self.edition} {self.family}: {self.subject}"


def proofs(*kinds: str, editions: Sequence[str] = EDITIONS) -> Iterator[Proof]:
    """All that is to be proved, of these kinds. "caught" and "named" of one misconception are one proof."""
    for name in editions:
        yield from _of_misconceptions(name, kinds)
        for family in edition(name).families.values():
            for kind, subjects in (("right", family.right), ("unnamed", family.unnamed)):
                if kind in kinds:
                    yield from (Proof(kind, name, family.name, subject) for subject in subjects)


def _of_misconceptions(of: str, kinds: Sequence[str]) -> Iterator[Proof]:
    for name, each in library(of).items():
        part = each.fails[0].partition(".")[0]
        if "caught" in kinds:
            yield Proof("caught", of, part, name)
        if "stranger" in kinds and each.fits(variant_text(each.file, edition(of).families[part].stranger, of)):
            yield Proof("stranger", of, part, name)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a wrong answer was caught, a right one passed; whether it was given the right name, or none."""

    judged: bool  # the checks that should fail did, and no others
    named: bool  # the right name where there is one, and no name where there is none
    problem: str = ""


def prove(bench: Workbench, proof: Proof, *, briefly: bool = False) -> Verdict:
    """Tries it, on a bench of its edition. `briefly`: of a misconception only the checks that it should fail."""
    return _PROOFS[proof.kind](bench, proof, edition(proof.edition).families[proof.family], briefly)


def _caught(bench: Workbench, proof: Proof, variants: Family, briefly: bool) -> Verdict:
    """Planted in the reference, it fails just the checks that it should, and is recognised in all of them."""
    fails = library(proof.edition)[proof.subject].fails
    facts = bench.diagnosed(bench.planted(proof.subject), *(fails if briefly else [f"{proof.family}."]))
    return _verdict(facts, set(fails), proof.subject)


def _in_stranger(bench: Workbench, proof: Proof, variants: Family, briefly: bool) -> Verdict:
    """Planted in a package that is nothing like the reference, it is recognised all the same, at its own check.

    At others it may go without a name, as where an exception's words tell the sizes of layers.
    """
    fails = library(proof.edition)[proof.subject].fails
    facts = bench.diagnosed(bench.planted(proof.subject, variants.stranger), *fails)
    found = names(facts.values())
    named = found == {proof.subject} and facts[fails[0]].misconception is not None
    return Verdict(fails[0] in facts, named, "" if named else f"recognised as {found}; {_messages(facts)}")


def _right(bench: Workbench, proof: Proof, variants: Family, briefly: bool) -> Verdict:
    """It passes all checks."""
    facts = bench.failing(bench.variant(variants.right[proof.subject]), f"{proof.family}.")
    return Verdict(not facts, True, _messages(facts))


def _unnamed(bench: Workbench, proof: Proof, variants: Family, briefly: bool) -> Verdict:
    """It fails just the checks that it should, with the right words, and is given no name."""
    wrong = variants.unnamed[proof.subject]
    facts = bench.diagnosed(bench.variant(wrong.changes), f"{proof.family}.")
    verdict = _verdict(facts, set(wrong.fails), None)
    if verdict.judged and wrong.says not in facts[wrong.fails[0]].decisive.message:
        return Verdict(False, verdict.named, f"{wrong.says!r} is not in {_messages(facts)}")
    return verdict


_PROOFS = {
    "caught": _caught,
    "stranger": _in_stranger,
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


def survey(journal: Journal, jobs: int, watch: Callable[[int, int], None]) -> dict[Proof, Verdict]:
    """All proofs, so many side by side; what the journal holds is not proved again."""
    wanted = list(proofs(*_PROOFS))
    found = {proof: Verdict(**kept) for proof in wanted if (kept := journal.get(proof.key)) is not None}
    missing = [proof for proof in wanted if proof not in found]
    with ProcessPoolExecutor(jobs) as pool:
        futures = {pool.submit(_in_process, proof): proof for proof in missing}
        for future in as_completed(futures):
            proof, verdict = futures[future], future.result()
            found[proof] = verdict
            journal.put(proof.key, asdict(verdict))
            watch(len(found), len(wanted))
    return {proof: found[proof] for proof in wanted}


@cache
def _bench(edition: str) -> Workbench:
    """This process's own of an edition, which ends with it."""
    folder = tempfile.TemporaryDirectory(prefix="gengrade-truth-")
    bench = Workbench(Path(folder.name), TIER, edition)
    atexit.register(folder.cleanup)
    atexit.register(bench.sandbox.close)
    return bench


def _in_process(proof: Proof) -> Verdict:
    try:
        return prove(_bench(proof.edition), proof)
    except Exception as error:  # a fault of ours is a proof that failed, and not the end of all others
        return Verdict(False, False, f"{type(error).__name__}: {error}"[:1000])
