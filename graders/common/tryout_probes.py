"""The probe that runs the lines of a tryout as the author of a submission would: only ever on a course's reference."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

from gengrade.parts import NOTEBOOK
from graders.adapting.loading import modules_of

if TYPE_CHECKING:
    from graders.adapting.loading import Package


def printed(package: Package, part: str, lines: str) -> str:
    """Return what lines print that are run by `python` in the folder of a part, or in a last cell of its notebook.

    What goes to the standard error is left out. Raises Missing, or what the lines raise.
    """
    modules = modules_of(package, part)
    modules.offer()
    first = Path(modules.part.files[0]).stem
    space: dict[str, object] = {"__name__": "__main__"}
    if any(file.suffix.lower() == NOTEBOOK for file in modules.files(first)[:1]):
        space = vars(modules.load(first))
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(compile(lines, "<tryout>", "exec", dont_inherit=True), space)
    return output.getvalue()
