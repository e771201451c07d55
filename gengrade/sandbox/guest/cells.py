"""The syntax of a notebook's code cell: Python, and what Jupyter allows beside it. Nothing is run."""

from __future__ import annotations

import ast
import re
import warnings
from typing import Final

# Cell magics around ordinary Python; the cells of any other hold another language.
_TRANSPARENT: Final = {"%%time", "%%timeit", "%%capture", "%%prun"}
_COMMAND: Final = re.compile(r"^(\s*)(?:[%!?].*|\w[\w., ]*=\s*[%!].*|[\w.]+\?{1,2}\s*)$")


def parsed(source: str, name: str) -> ast.Module:
    """The cell's syntax tree without magics and shell lines; lines keep their numbers. Raises as `ast.parse` does."""
    first = source.lstrip().split(None, 1)[:1]
    if first and first[0].startswith("%%"):
        if first[0] not in _TRANSPARENT:
            return ast.Module([], [])
        source = source.replace(source.lstrip().split("\n", 1)[0], "", 1)
    with warnings.catch_warnings(action="ignore"):
        try:
            return ast.parse(source, name)
        except SyntaxError:
            # Only now: a line of a text may well begin with a per cent sign.
            return ast.parse("\n".join(_COMMAND.sub(r"\1pass", line) for line in source.split("\n")), name)
