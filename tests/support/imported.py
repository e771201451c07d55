"""Imports of students' programs by a test, which leave nothing behind."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager


@contextmanager
def nothing_stays(names: Collection[str]) -> Iterator[None]:
    """Afterwards, finders and arguments are as before, and new modules of these packages, and notebooks, are gone."""
    modules, finders, arguments = set(sys.modules), list(sys.meta_path), list(sys.argv)
    yield
    sys.meta_path[:], sys.argv[:] = finders, arguments
    for name in set(sys.modules) - modules:
        if name.partition(".")[0] in names or name.startswith("notebook "):
            del sys.modules[name]
