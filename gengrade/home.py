"""Locate the project's own files. No other module of the harness knows where they lie.

HOME is the folder that holds this package in a checkout, and the folder `home` inside it when a wheel is installed:

    HOME/graders      the checks
    HOME/courses      the courses that come with gengrade
    HOME/reference    their reference solutions, by course
    HOME/rubric.yaml  the default course's marking scheme
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).resolve().parent
_WITHIN: Final = PACKAGE / "home"  # holds in an installed wheel what lies beside the package in a checkout
HOME: Final = _WITHIN if _WITHIN.is_dir() else PACKAGE.parent

# Graders are imported as the top-level package `graders`, which a wheel does not install as one.
if str(HOME) not in sys.path:
    sys.path.append(str(HOME))


def module_path(name: str) -> Path:
    """Return the path, without suffix, at which a module of gengrade or graders lies, given its dotted name."""
    top = PACKAGE.parent if name.partition(".")[0] == PACKAGE.name else HOME
    return top.joinpath(*name.split("."))


def own_name(path: Path) -> str:
    """Return one of the project's files as a path that does not depend on the installation: "gengrade/parts.py"."""
    top = PACKAGE.parent if path.is_relative_to(PACKAGE) and not path.is_relative_to(_WITHIN) else HOME
    return path.relative_to(top).as_posix()


def python_path() -> str:
    """Return the PYTHONPATH with which a new interpreter finds the project's modules from any working folder."""
    return os.pathsep.join([str(HOME), *filter(None, [os.environ.get("PYTHONPATH")])])
