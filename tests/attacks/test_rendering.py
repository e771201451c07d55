"""Submissions with hostile names are graded by the real command, and all its output is read as people do.

What students write in their files is tried by `rendering`; that this would be noticed is proved here, too.
"""

from __future__ import annotations

import html
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from gengrade.facts import Facts, Outcome
from gengrade.grade import score
from gengrade.report.student import student_page
from gengrade.sandbox import Tier, examine
from tests.attacks import shown
from tests.attacks.rendering import COMMANDS, ESCAPES, FORMULAS, HTML, MARKDOWN, SHORT
from tests.attacks.shown import OWNED, Printed, on_a_terminal
from tests.support import report_examples as examples
from tests.support.browser import needs_browser
from tests.support.handed_in import SMALL_RUBRIC

pytestmark = pytest.mark.slow  # a class for each test

_ROOT: Final = Path(__file__).resolve().parents[2]
_ANSWERS: Final = "def cubic_density(x, a, b):\n    raise ValueError('owned')\n"
_PAGES: Final = (
    "<img src=x onerror=document.title='owned'>",
    "<script>document.title='owned'<",
    "\"' onmouseover=owned x='",
    "<b id=owned>{{ 7919 * 7907 }}",
    "javascript:owned",
    "Jane <b id=owned>_123_assignsubmission_file_",
)
_CELLS: Final = (
    "=cmd|' C calc'!A0",
    "+1+cmd|' C calc'!A0",
    "-2+3 owned",
    "@SUM(1+9)owned",
    "\t=1+1",
    "\r=1+1",
    '",=1+1,"',
    "owned;=1+1",
    "=1+1_123_assignsubmission_file_",
)
_ESCAPES: Final = (
    "\x1b[31mowned\x1b]0;owned\x07",
    "\x1b[2J\x9b31mowned",
    "owned\rowned\bowned",
    "\u202eowned\u2067",
    os.fsdecode(b"\xff\xfe\x9bowned"),
    "[bold red]owned[link=http:owned.invalid]",
    "ow\u200bned \u00ad\u3164\u2800owned",
    "\U000e0041owned\ue000\ufe0f\U000e0100",
    "owned" + "\u0336" * 90,
)
_COMMANDS: Final = (
    "::error title=owned::owned",
    "   ::stop-commands::owned",
    "\n::add-mask::owned\n",
    "a name of some words so that ::add-mask::owned stands in a line of its own",
    "##[add-path]owned",
    "#\x1b[m#[add-path]owned",
    "::error title=owned::owned_124_assignsubmission_file_",
    "123-456 - ::debug::owned - Mar 29, 2018 1205 PM",
)


@dataclass(frozen=True)
class Shown:
    """A class's results, and the command's output while it graded and afterwards."""

    out: Path
    printed: Printed


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Grade a class of hostile names on a terminal, and show it once more in a workflow's log."""
    if not any(finding.available and finding.tier is not Tier.PROCESS for finding in examine()):
        pytest.skip("this machine offers no isolation, and a class is not graded without it")
    folder = tmp_path_factory.mktemp("names")
    classroom, out = folder / "class", folder / "results"
    names = (*_PAGES, *_CELLS, *_ESCAPES, *_COMMANDS)
    for name in names:
        (classroom / name).mkdir(parents=True)
        (classroom / name / "answers.py").write_text(_ANSWERS)
    _hand_in_others(classroom)
    (folder / "rubric.yaml").write_text(SMALL_RUBRIC)
    command = [sys.executable, str(_ROOT / "run_grading.py"), str(classroom), "--out", str(out), "--profile", "unit"]
    command += ["--rubric", str(folder / "rubric.yaml"), "--data", "digits", "--github"]
    terminal = on_a_terminal(command, os.environ, folder)
    again = subprocess.run(
        [*command, "--junit", str(folder / "junit.xml")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        env={**os.environ, "GITHUB_STEP_SUMMARY": str(folder / "summary.md")},
        timeout=240,
    )
    log = again.stdout.decode()  # and it is text
    assert again.returncode == 0, log
    assert len(list(out.glob("*/grade.json"))) == len(names) + 2
    assert not list(out.glob("*/faults.log"))
    return Shown(out, Printed(terminal, log, (folder / "summary.md").read_text(), folder / "junit.xml"))


def _hand_in_others(classroom: Path) -> None:
    """Hand in damaged archives and files that are not submissions, which the command must name."""
    with zipfile.ZipFile(classroom / "##[add-mask]owned=<b id=owned>.zip", "w") as archive:
        archive.writestr("answers.py", _ANSWERS)
        archive.writestr("../\x1b[31m<b id=owned>::error::.py", "")
    (classroom / "\n::error title=owned::owned\x1b[31m.zip").write_bytes(b"no archive")
    (classroom / "##[add-path]owned.bin").write_bytes(b"")
    os.symlink("nowhere", classroom / "\n::add-path::owned\x1b]0;owned\x07##[group]x")


def test_pages_show_names_as_text(results: Shown) -> None:
    pages = [results.out / "index.html", *sorted(results.out.glob("*/report.html"))[:4]]
    assert not [fault for page in pages for fault in shown.page_faults(page)]
    assert all(OWNED in shown.page_text(page) for page in pages)


def test_no_name_is_computed_by_a_spreadsheet(results: Shown) -> None:
    tables = list(results.out.rglob("*.csv"))
    assert [table.name for table in tables] == ["gradebook.csv"]
    assert not shown.table_faults(tables[0])
    assert len(tables[0].read_text().splitlines()) == len(list(results.out.glob("*/grade.json"))) + 1
    assert not shown.junit_faults(results.printed.junit)


def test_no_name_acts_on_a_terminal(results: Shown) -> None:
    assert OWNED in results.printed.terminal.decode()
    assert not shown.terminal_faults(results.printed.terminal)


def test_no_name_is_a_command_of_a_workflow(results: Shown) -> None:
    assert OWNED in results.printed.log
    assert list(shown.workflow_commands(results.printed.log)), "none of ours, either"
    assert not shown.workflow_faults(results.printed.log)
    assert not shown.summary_faults(results.printed.summary)


# That a fault would be seen -----------------------------------------------------------------------------------------


def _report(words: str, folder: Path) -> str:
    """Return a report that shows these words without escaping them before."""
    facts: Facts = examples.facts(examples.fact("vae.kld", Outcome.ERROR, words, output=words, traceback=words))
    return html.unescape(student_page(score(facts, examples.rubric()), facts, folder))


def _faults(page: str, folder: Path) -> str:
    path = folder / "page.html"
    path.write_text(page)
    return "\n".join(shown.page_faults(path))


@needs_browser
def test_a_page_that_escapes_nothing_is_seen(tmp_path: Path) -> None:
    page = _report(f"{SHORT}<b id=owned>x</b>{shown.COMPUTED}", tmp_path)
    seen = _faults(page.replace('http-equiv="Content-Security-Policy"', 'name="policy"'), tmp_path)
    # The policy alone keeps scripts from running, and pictures from being asked for.
    guarded = _faults(page, tmp_path)
    for fault in ("the browser asked for", "the title was changed"):
        assert fault in seen
        assert fault not in guarded
    for fault in ("there is an attribute", "there is a script", "a template's expression"):
        assert fault in seen
        assert fault in guarded
    assert "a control character" in _faults(f"{page}\u202e", tmp_path)
    assert "the browser asked for" in _faults(_report(HTML, tmp_path), tmp_path), "of a page that leads elsewhere"


def test_a_table_that_guards_nothing_is_seen(tmp_path: Path) -> None:
    for number, formula in enumerate(FORMULAS):
        table = tmp_path / f"{number}.csv"
        seen = []
        for cell in (formula, f'"{formula}"'):
            table.write_text(f"Student,Points\n{cell},1\n", newline="")
            seen += shown.table_faults(table)
        assert seen, formula


@pytest.mark.parametrize("name", [*ESCAPES.partition("[bold")[0].split(OWNED)[:-1], *_ESCAPES[:4]])
def test_a_terminal_that_gets_everything_is_seen(name: str) -> None:
    assert shown.terminal_faults(f"Student\r\n{name}{OWNED}\r\n".encode())


@pytest.mark.parametrize("line", COMMANDS.splitlines()[:4])
def test_a_log_that_holds_everything_is_seen(line: str) -> None:
    assert shown.workflow_faults(f"Student\n{line}\n")
    fence = "0123456789abcdef0123"
    assert not shown.workflow_faults(f"::stop-commands::{fence}\n{line}\n::{fence}::\n")
    assert shown.workflow_faults(f"::stop-commands::{fence}\n::{fence}::\n{line}\n")
    assert not shown.workflow_faults("::error title=vae.kld%3A Error::1 of 2 submissions. [a]: b\n[1/2] ann: graded\n")


def test_a_summary_that_escapes_nothing_is_seen() -> None:
    assert len(shown.summary_faults(f"## Student\n\n{MARKDOWN}\n")) > 3
