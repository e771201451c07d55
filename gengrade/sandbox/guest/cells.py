"""Parse a notebook's code cell, which may contain Jupyter's magics and shell lines, without running it."""

from __future__ import annotations

import ast
import re
import warnings
from typing import Final

# Magics of cells that hold ordinary Python; the cells of all other magics hold another language.
_TRANSPARENT: Final = {"%%time", "%%timeit", "%%capture", "%%prun"}
_COMMAND: Final = re.compile(r"^(\s*)(?:[%!?].*|\w[\w., ]*=\s*[%!].*|[\w.]+\?{1,2}\s*)$")


def parsed(source: str, name: str) -> ast.Module:
    """Return the syntax tree of a cell without magics and shell lines, with unchanged line numbers.

    source: the text of the cell.
    name: the file's name, for tracebacks.

    Raises the exceptions of `ast.parse`.
    """
    first = source.lstrip().split(None, 1)[:1]
    if first and first[0].startswith("%%"):
        if first[0] not in _TRANSPARENT:
            return ast.Module([], [])
        source = source.replace(source.lstrip().split("\n", 1)[0], "", 1)
    with warnings.catch_warnings(action="ignore"):
        try:
            return ast.parse(source, name)
        except SyntaxError:
            # Magics are removed only if the cell cannot be parsed, since a line of a string may begin with "%".
            return ast.parse("\n".join(_COMMAND.sub(r"\1pass", line) for line in source.split("\n")), name)
