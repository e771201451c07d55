"""Fixtures that several test modules share."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from validation.direct import TIER
from validation.workbench import Workbench

_ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session", autouse=True)
def _operators_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Use a key for the tests, not that of the person who runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENGRADE_KEY_FILE", str(tmp_path_factory.mktemp("operator") / "key"))
        yield


@pytest.fixture(scope="session")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """Return a workbench that grades folders with chosen checks in the strongest available tier."""
    with Workbench(tmp_path_factory.mktemp("workbench")) as bench:
        yield bench


@pytest.fixture(scope="session")
def benches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Workbench]]:
    """Return workbenches for any course, without isolation and faster, for trusted packages only."""
    with ExitStack() as stack:

        @cache
        def bench(course: str) -> Workbench:
            return stack.enter_context(Workbench(tmp_path_factory.mktemp("direct"), TIER, course))

        yield bench


@pytest.fixture(scope="session")
def mnist_root() -> Path:
    """Return a folder with the real MNIST: $GENGRADE_DATA, or ../shared/data beside the repository."""
    given = os.environ.get("GENGRADE_DATA")
    for folder in (Path(given) if given else None, _ROOT.parent / "shared" / "data"):
        if folder is not None and any(folder.glob("**/train-images-idx3-ubyte*")):
            return folder
    pytest.skip("needs the real MNIST: set GENGRADE_DATA to a folder that holds its four files")


# Each of these keeps a process busy for minutes: begun last, it would keep the others waiting.
_LONG: Final = ("test_examples.py", "test_command.py", "test_planting.py", "test_mila2023.py", "test_uva2018.py")


@pytest.hookimpl(tryfirst=True)  # before slow tests are left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave most cases of sampled tests to the slow ones, and run long modules first; `make test` keeps the order."""
    seen: Counter[str] = Counter()
    for item in items:
        for marker in item.iter_markers("sampled"):
            test = item.nodeid.partition("[")[0]
            if seen[test] % marker.args[0]:
                item.add_marker(pytest.mark.slow)
            seen[test] += 1
    places = {name: place for place, name in enumerate(_LONG)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))
