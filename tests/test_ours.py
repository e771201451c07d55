"""Runs of our own code in one process: the same evidence as behind walls, and nothing of a run left for the next."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from gengrade.course import courses
from gengrade.facts import Outcome
from gengrade.grading.misconceptions import Misconception
from gengrade.grading.subject import request_hash
from gengrade.sandbox import InfraError, Limits, Request, Run, Sandbox, Tier, wire
from tests.support.sandboxed import MEAN, QUICK, SandboxHarness, sandboxed
from validation.workbench import Workbench, library, reference_of


@pytest.fixture(scope="module", params=list(Tier))
def harness(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxHarness]:
    tier: Tier = request.param
    with sandboxed(tier, tmp_path_factory.mktemp("trees")) as harness:
        yield harness


def _ours(harness: SandboxHarness, body: str, limits: Limits = QUICK, *, before: str = "", seed: int = 1) -> Run:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    tree = harness.tree(f"import os, sys, torch\n{before}\ndef KLD(mean, log_std):\n{lines}\n")
    inputs = {"mean": MEAN, "log_std": np.zeros_like(MEAN)}
    return harness.sandbox.ours.run(Request("vae:kld", tree, inputs, seed, limits))


def _same(one: Run, other: Run) -> bool:
    """Return whether two runs ended alike, to the byte."""
    return (one.outcome, one.message, one.frames) == (other.outcome, other.message, other.frames) and wire.encode(
        one.evidence
    ) == wire.encode(other.evidence)


def test_many_runs_share_a_process_and_nothing_else(harness: SandboxHarness) -> None:
    body = "import os, json, random\nreturn [os.getpid(), float(torch.rand(())), sorted(sys.modules), list(sys.path)]"
    first, second = (_ours(harness, body).evidence for _ in range(2))
    changes = (
        "import colorsys, random, tempfile\n"
        "torch.set_default_dtype(torch.float64)\n"
        "torch.set_grad_enabled(False)\n"
        "os.environ['GENGRADE_TEST'] = '1'\n"
        "os.chdir('/')\n"
        "sys.path.insert(0, '/nowhere')\n"
        "sys.argv.append('more')\n"
        "return torch.zeros(1)"
    )
    assert _ours(harness, changes).outcome is Outcome.PASSED
    look = (
        "return [str(torch.get_default_dtype()), torch.is_grad_enabled(), 'GENGRADE_TEST' in os.environ, len(sys.argv),"
        " '/nowhere' in sys.path, os.getcwd() == '/']"
    )
    assert _ours(harness, look).evidence == ["torch.float32", True, False, 1, False, False]
    assert first == second, "the same process, random numbers, modules and search path"
    assert _ours(harness, body, seed=2).evidence[1] != first[1]


def test_a_run_that_does_not_end_is_stopped_and_the_next_one_goes_on(harness: SandboxHarness) -> None:
    short = Limits(seconds=1)
    for loop in ("while True: pass", "while True:\n    try:\n        while True: pass\n    except Exception: pass"):
        run = _ours(harness, loop, short)
        assert (run.outcome, run.message) == (Outcome.TIMEOUT, "stopped after 1 s: the limit of this check")
    walled = harness.run("while True: pass", short)
    assert (run.outcome, run.message) == (walled.outcome, walled.message)
    assert _ours(harness, "return mean").outcome is Outcome.PASSED


def test_a_run_that_takes_too_much_memory_is_told_so(harness: SandboxHarness) -> None:
    if harness.tier is Tier.PROCESS:
        pytest.skip("the comparison with a walled run needs a wall")
    run = _ours(harness, "return torch.ones(1 << 34).sum()", Limits(seconds=3, memory_mb=300))
    assert run.outcome is Outcome.MEMORY
    assert _ours(harness, "return mean").outcome is Outcome.PASSED


def test_errors_are_told_as_behind_walls(harness: SandboxHarness) -> None:
    body = "return mean @ log_std"
    walled, ours = harness.run(body), _ours(harness, body)
    assert walled.outcome is Outcome.ERROR
    assert _same(walled, ours)


def test_a_process_that_ends_is_started_again_once(harness: SandboxHarness) -> None:
    with pytest.raises(InfraError, match="the process of our own code died"):
        _ours(harness, "os._exit(3)")
    assert _ours(harness, "return mean").outcome is Outcome.PASSED
    assert harness.run("return mean").outcome is Outcome.PASSED


_MEET = """
import pathlib, tempfile, time
here = pathlib.Path(tempfile.gettempdir())
(here / f"meets-{os.getpid()}").touch()
for _ in range(300):
    met = sorted(path.name for path in here.glob("meets-*"))
    if len(met) == 2:
        return met
    time.sleep(0.1)"""


def test_runs_of_several_threads_go_on_at_once_and_each_has_a_process(harness: SandboxHarness) -> None:
    harness.sandbox.warm()  # a zygote ends with the thread that started it
    with ThreadPoolExecutor(2) as pool:
        one, other = (run.evidence for run in pool.map(lambda _: _ours(harness, _MEET), range(2)))
    assert one == other, "each has waited for the other"
    assert f"meets-{_ours(harness, 'return os.getpid()').evidence}" in one, "a process that rests is taken first"


def test_a_process_that_ends_takes_no_run_of_another_thread_with_it(harness: SandboxHarness) -> None:
    with ThreadPoolExecutor(2) as pool:
        dying = pool.submit(_ours, harness, "import time\ntime.sleep(0.5)\nos._exit(3)")
        other = pool.submit(_ours, harness, "import time\ntime.sleep(1)\nreturn mean")
        with pytest.raises(InfraError, match="the process of our own code died"):
            dying.result()
        assert other.result().outcome is Outcome.PASSED


def test_no_run_of_a_student_inherits_what_ours_have_left(harness: SandboxHarness) -> None:
    secret = "x" * 20 + "of the reference"
    hold = f"import torch\ntorch.kept = {secret[:10]!r} + {secret[10:]!r}\nreturn mean"
    assert _ours(harness, hold).outcome is Outcome.PASSED
    look = "return [hasattr(torch, 'kept'), any('graders' in name for name in sys.modules if 'probes' in name)]"
    assert harness.run(look).evidence[0] is False
    sockets = (
        "found = []\n"
        "for name in os.listdir('/proc/self/fd'):\n"
        "    try: found.append(os.readlink(f'/proc/self/fd/{name}').partition(':')[0])\n"
        "    except OSError: pass\n"
        "return found.count('socket')"
    )
    assert harness.run(sockets).evidence == 1, "its own channel, and not the one of our own code"


@pytest.mark.slow
@pytest.mark.parametrize("course", sorted(courses()))
def test_evidence_is_the_same_as_behind_walls(course: str, tmp_path: Path) -> None:
    _compare(course, tmp_path, every=1)


def test_evidence_is_the_same_as_behind_walls_for_some_runs(tmp_path: Path) -> None:
    _compare("uva2018", tmp_path, every=8)


def _compare(course: str, folder: Path, every: int) -> None:
    """Compare runs of a course's reference, and of copies of it with a misconception, with the same ones walled."""
    with Workbench(folder, "auto", course) as bench:
        sandbox = bench.sandbox
        assert isinstance(sandbox, Sandbox)
        observed = bench.observe(reference_of(course), *bench.unit_checks(""))
        calls = [call for test in observed.tested for call in test.calls]
        requests = {request_hash(call.request): call.request for call in calls}
        assert len(requests) > every
        asked = list(requests.values())[::every]
        for request in asked:
            assert _same(sandbox.run(request), sandbox.ours.run(request)), request.probe
        compared = 0
        for number, mistake in enumerate(_misconceptions(course)[::every]):
            tree = bench.tree(bench.planted(mistake.name))
            near = [each for each in asked if each.probe.partition(":")[0] in mistake.fails[0]] or asked
            request = near[number % len(near)]
            planted = Request(request.probe, tree, request.inputs, request.seed, request.limits)
            walled, ours = sandbox.run(planted), sandbox.ours.run(planted)
            assert _same(walled, ours), f"{mistake.name} at {request.probe}: {walled} {ours}"
            compared += walled.outcome is Outcome.PASSED
        assert compared > 3


def _misconceptions(course: str) -> list[Misconception]:
    return list(library(course).values())
