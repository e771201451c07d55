"""Run the checks of one submission as a pytest session in this process, which no file of the submission can affect."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterable

import pytest

from gengrade.grading.checks import known
from gengrade.grading.plugin import GradingPlugin, Observed
from gengrade.home import HOME, module_path

_GRADERS = HOME / "graders"


class SessionError(RuntimeError):
    """pytest itself failed because of the harness or a grader; the message holds its output."""


def run_session(plugin: GradingPlugin, wanted: Iterable[str]) -> Observed:
    """Run the graders that decide the wanted checks, and return what they observed.

    Raises SessionError when pytest itself fails, and KeyboardInterrupt when it was interrupted.
    """
    modules = list(dict.fromkeys(known()[id_].module for id_ in known() if id_ in set(wanted)))
    if not modules:
        return plugin.observed
    # Plugins of other installed packages could change results, and importing them takes seconds.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    arguments = [str(module_path(module).with_suffix(".py")) for module in modules]
    arguments += [f"--rootdir={_GRADERS}", f"--confcutdir={_GRADERS}", "-c", os.devnull, "--import-mode=importlib"]
    arguments += ["-p", "no:cacheprovider", "-p", "no:terminal", "-p", "no:junitxml", "-p", "no:faulthandler"]
    arguments += ["--capture=no", "-o", "python_files=*.py", "--assert=plain"]
    printed = io.StringIO()
    with contextlib.redirect_stderr(printed):
        status = pytest.main(arguments, plugins=[plugin])
    if status is pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise SessionError(f"pytest ended with {status!r}: {printed.getvalue()[-2000:]}")
    return plugin.observed
