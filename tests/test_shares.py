"""The checks of one submission in several processes: the same facts as in one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from gengrade.choices import CheckKind
from gengrade.facts import Facts, Outcome, TestFact
from gengrade.grading import diagnosis
from gengrade.grading.budget import Allowance
from gengrade.grading.checks import known, with_needs
from gengrade.grading.figures import Gallery
from gengrade.grading.plugin import Observed
from gengrade.home import HOME
from gengrade.job import Grader, shares, with_reference
from gengrade.job import grader as grader_module
from gengrade.job.shares import Share, Tell, carried_out, divided, merged
from gengrade.messages import CheckEnded, CheckMessage
from gengrade.sandbox import Sandbox, Tier
from gengrade.submissions import Submission
from tests.support.jobs import small_job
from validation.workbench import Workbench

ALL = {check for check in known() if check.partition(".")[0] in ("vae", "gan", "flow", "theory")}


# Dividing checks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 2, 3, 9])
def test_every_check_is_in_one_share_with_all_that_it_depends_on(most: int) -> None:
    found = divided(ALL, known(), {}, most)
    assert sorted(check for share in found for check in share) == sorted(ALL)
    assert 1 <= len(found) <= min(most, 4)
    for share in found:
        assert with_needs(set(share)) & ALL == share
        assert {"vae.train_bpd", "vae.test_bpd"} & share in ({"vae.train_bpd", "vae.test_bpd"}, set()), "of one test"


def test_what_the_rubric_needs_stays_together() -> None:
    one, other = (min(share) for share in divided(ALL, known(), {}, 4)[:2])
    found = divided(ALL, known(), {one: [other]}, 4)
    assert sum(bool({one, other} & share) for share in found) == 1


def test_shares_cost_about_the_same_and_the_costliest_comes_first() -> None:
    units = {check for check in ALL if known()[check].kind is CheckKind.UNIT}
    first, second = divided(units, known(), {}, 2)
    assert 1 <= shares._cost(first, known()) / shares._cost(second, known()) < 2
    (with_theory, _) = divided(units, known(), {}, 2, ["theory.cubic_density"])
    assert "theory.cubic_density" in with_theory


def test_the_division_is_the_same_in_every_process() -> None:
    assert divided(ALL, known(), {}, 3) == divided(sorted(ALL, reverse=True), known(), {}, 3)


# Carrying them out ------------------------------------------------------------------------------------------------


def _fact(outcome: Outcome = Outcome.PASSED) -> TestFact:
    return TestFact(name="test", title="", outcome=outcome)


def _seen(checks: frozenset[str], tell: Tell, seconds: float = 1.0) -> Share:
    for done, check in enumerate(sorted(checks), 1):
        tell(CheckEnded(check=check, outcome=Outcome.PASSED, done=done, of=len(checks)))
    return Share(Observed(tests={check: [_fact()] for check in checks}, measures={"pid": os.getpid()}), seconds, 10)


SHARES = [frozenset("abc"), frozenset("de"), frozenset("f")]


def test_each_share_has_a_process_and_all_are_told_of() -> None:
    told: list[CheckMessage] = []
    found = carried_out(SHARES, _seen, told.append, nullcontext)
    assert [set(share.observed.tests) for share in found] == [set(share) for share in SHARES]
    pids = [share.observed.measures["pid"] for share in found]
    assert (pids[0], len(set(pids))) == (os.getpid(), 3)
    ended = [message for message in told if isinstance(message, CheckEnded)]
    assert [message.of for message in ended] == [6, 6, 6], "those of this process; the others tell in their own"


def test_the_count_goes_over_all_processes(tmp_path: Path) -> None:
    log = tmp_path / "told"

    def tell(message: CheckMessage) -> None:
        assert isinstance(message, CheckEnded)
        with log.open("a") as file:
            file.write(f"{message.done}/{message.of}\n")

    carried_out(SHARES, _seen, tell, nullcontext)
    counted = [int(line.partition("/")[0]) for line in log.read_text().splitlines()]
    assert (len(counted), max(counted)) == (6, 6)


@pytest.mark.parametrize("how", ["dies", "raises"])
def test_a_share_whose_process_is_lost_is_done_here(how: str) -> None:
    here = os.getpid()

    def session(checks: frozenset[str], tell: Tell) -> Share:
        if os.getpid() != here and "d" in checks:
            if how == "dies":
                os._exit(9)
            raise OSError("no room")
        return _seen(checks, tell)

    found = carried_out(SHARES, session, lambda message: None, nullcontext)
    assert [set(share.observed.tests) for share in found] == [set(share) for share in SHARES]
    assert found[1].observed.measures["pid"] == here


def test_a_fault_in_this_process_ends_the_others() -> None:
    def session(checks: frozenset[str], tell: Tell) -> Share:
        if "a" in checks:
            raise KeyboardInterrupt
        while True:
            pass

    with pytest.raises(KeyboardInterrupt):
        carried_out(SHARES, session, lambda message: None, nullcontext)


def test_each_other_process_has_a_context_of_its_own(tmp_path: Path) -> None:
    @contextmanager
    def elsewhere() -> Iterator[None]:
        (tmp_path / f"begun-{os.getpid()}").touch()
        yield
        (tmp_path / f"ended-{os.getpid()}").touch()

    found = carried_out(SHARES, _seen, lambda message: None, elsewhere)
    others = [int(share.observed.measures["pid"]) for share in found[1:]]
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{what}-{pid}" for what in ("begun", "ended") for pid in others
    }


# Merging them -----------------------------------------------------------------------------------------------------


def test_what_all_have_observed_is_put_together() -> None:
    one = Observed({"a": [_fact()]}, {"x": 1.0}, faults=["one"], stages={"own": 1.0, "a": 2.0})
    other = Observed({"b": [_fact(Outcome.FAILED)]}, {"y": 2.0}, faults=["two"], stages={"own": 0.5}, starved=True)
    together = merged([Share(one, 1, 1), Share(other, 1, 1)], Allowance())
    assert together is not None
    assert (list(together.tests), together.measures, together.faults) == (["a", "b"], {"x": 1, "y": 2}, ["one", "two"])
    assert (together.stages, together.starved) == ({"own": 1.5, "a": 2.0}, True)


def _gallery(pictures: int, size: int) -> Gallery:
    gallery = Gallery()
    assert all(gallery.takes(size) for _ in range(pictures))
    return gallery


@pytest.mark.parametrize(
    ("seconds", "evidence", "galleries", "cut", "fits"),
    [
        (900.0, 1 << 20, ((9, 1000), (9, 1000)), False, True),
        (901.0, 1 << 20, ((9, 1000), (9, 1000)), False, False),
        (1.0, 513 << 20, ((9, 1000), (9, 1000)), False, False),
        (1.0, 1, ((4, 1 << 20), (4, 1 << 19)), False, True),
        (1.0, 1, ((4, 1 << 20), (4, 1 << 20)), False, False),
        (1.0, 1, ((0, 0), (0, 0)), True, False),
    ],
)
def test_limits_of_all_checks_together_are_left_to_one_session(
    seconds: float, evidence: int, galleries: tuple[tuple[int, int], ...], cut: bool, fits: bool
) -> None:
    found = [
        Share(
            Observed(gallery=_gallery(*gallery), tested=[diagnosis.Tested("t", ("a",), True, (), cut)]),
            seconds,
            evidence,
        )
        for gallery in galleries
    ]
    assert (merged(found, Allowance(1801.0, 1025.0)) is not None) is fits


# The whole --------------------------------------------------------------------------------------------------------


CHECKS = ("theory.cubic_density", "flow.nll", "vae.kld", "vae.bpd")
MISTAKEN = Submission("jansen", "jansen", None, HOME / "submissions" / "mistakes" / "jansen_assignment3")


def _told(facts: Facts) -> Mapping[str, Any]:
    """Return all that facts say, but for times."""
    return facts.model_dump(exclude={"provenance": True, "checks": {"__all__": {"tests": {"__all__": {"seconds"}}}}})


def test_facts_do_not_depend_on_the_number_of_processors(
    workbench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = {"checks": CHECKS, "cache": False}
    job = small_job(tmp_path / "results", Tier(workbench.tier)).model_copy(update=changed)
    tight = {"limits": {"submission": {"evidence_mb": 0.001}}}
    job.trees.mkdir(parents=True)
    job = with_reference(job)
    side_by_side: list[int] = []

    def counted(found: Sequence[frozenset[str]], *others: Any) -> list[Share]:
        side_by_side.append(len(found))
        return carried_out(found, *others)

    monkeypatch.setattr(grader_module, "carried_out", counted)
    alone: list[Facts] = []
    together: list[Facts] = []
    for processors, found in ((1, alone), (2, together)):
        monkeypatch.setattr(Sandbox, "processors", processors)
        grader = Grader(job)
        try:
            found.append(grader.facts(MISTAKEN))
            grader.follow(job.model_copy(update=tight))
            found.append(grader.facts(MISTAKEN))
        finally:
            grader.close()
    assert side_by_side == [2, 2]
    assert list(map(_told, alone)) == list(map(_told, together))
    whole, stopped = together
    assert {check.misconception.name for check in whole.checks.values() if check.misconception}
    assert any("budget" in test.message for check in stopped.checks.values() for test in check.tests)
