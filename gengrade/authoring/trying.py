"""Run a course's tryouts on its reference."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gengrade.course import Course
from gengrade.facts import Outcome
from gengrade.grading.probes import probes
from gengrade.parts import part_of
from gengrade.rubric import Rubric
from gengrade.sandbox import Limits, Request, Runner
from gengrade.tryouts import Tryouts

_SEED: Final = 1  # any seed will do


def problems_of(course: Course, to_try: Tryouts, runner: Runner, tree: Path) -> Iterator[str]:
    """Yield a sentence for each tryout that ends with an error on the reference, or prints nothing.

    runner: runs the lines.
    tree: the reference's clean tree.

    Raises InfraError.
    """
    asked = Rubric.load(course.rubric).checks()
    for check, lines in to_try.checks.items():
        part = part_of(check, course.parts)
        if check not in asked or part is None:
            yield f"{check}: neither the rubric nor a part of the course is about it"
            continue
        inputs = {"part": part, "lines": lines}
        run = runner.run(Request(str(probes.common.tryout.printed), tree, inputs, _SEED, Limits()))
        if run.outcome is not Outcome.PASSED:
            yield f"{check}: its lines end as {run.outcome}: {run.message}"
        elif not str(run.evidence).strip():
            yield f"{check}: its lines print nothing"
