"""Where our own files lie. No other module of the harness knows.

In a checkout they lie beside this package, in an installed package within it:

    HOME/graders      what is checked
    HOME/courses      the courses that come with us
    HOME/reference    our own solutions, by course
    HOME/rubric.yaml  the default course's marking scheme
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).resolve().parent
_WITHIN: Final = PACKAGE / "home"  # where a wheel puts what lies beside the package in a checkout
HOME: Final = _WITHIN if _WITHIN.is_dir() else PACKAGE.parent

# Graders are imported by their own name, which a wheel does not put beside the packages of others.
if str(HOME) not in sys.path:
    sys.path.append(str(HOME))


def module_path(name: str) -> Path:
    """Where the module of ours of that name would lie, without its suffix: a package is a folder there."""
    top = PACKAGE.parent if name.partition(".")[0] == PACKAGE.name else HOME
    return top.joinpath(*name.split("."))


def own_name(path: Path) -> str:
    """A file of ours as a path that is the same wherever we are installed: "gengrade/parts.py"."""
    top = PACKAGE.parent if path.is_relative_to(PACKAGE) and not path.is_relative_to(_WITHIN) else HOME
    return path.relative_to(top).as_posix()


def python_path() -> str:
    """PYTHONPATH for a new interpreter that is to find our modules, from whatever folder it is started."""
    return os.pathsep.join([str(HOME), *filter(None, [os.environ.get("PYTHONPATH")])])
