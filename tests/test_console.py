"""The progress of a run in a terminal."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from gengrade.console import Live
from gengrade.engine import EventKind, Progress
from gengrade.facts import Outcome
from gengrade.messages import CheckEnded
from gengrade.submissions import Submission


def test_the_bar_of_a_single_submission_ends_with_its_last_check() -> None:
    ada = Submission(id="ada", name="ada", late=None, source=Path("ada"))
    live = Live(Console(file=io.StringIO(), force_terminal=True))
    for done in (1, 2, 3):
        live.see(Progress(ada, EventKind.CHECK, 1, check="vae.kld"))
        verdict = CheckEnded(check="vae.kld", outcome=Outcome.PASSED, done=done, of=3)
        live.see(Progress(ada, EventKind.VERDICT, 1, check="vae.kld", verdict=verdict))
    live.see(Progress(ada, EventKind.GRADED, 1))
    (task,) = live._progress.tasks
    assert (task.completed, task.total, task.fields["left"]) == (3, 3, "")
