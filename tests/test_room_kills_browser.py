"""Two real browsers mark while the room's server is killed: what a page called saved is there, once."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome
from selenium.webdriver.common.keys import Keys

from tests.support.driven import browser, needs_driver, press, until
from tests.support.killed import NAMES, STUDENTS, Killed, served
from tests.support.room import graded_class

ITEM = "1.1-sampling"
POINTS = {"0": 0.0, "1": 1.0, "2": 2.0}  # by the key that is pressed first on an answer without a mark
# Takes back what an answer has, in the page alone, so that the next key and comment say all.
_EMPTY = """
for (const box of document.querySelectorAll('[name=criteria]')) box.checked = false;
for (const box of document.querySelectorAll('[name=comment]')) box.value = '';
"""

pytestmark = [needs_driver, pytest.mark.slow, pytest.mark.timeout(1800)]


class Marker:
    """Somebody who marks answers of their own by keyboard, one after the other, whatever the server does."""

    def __init__(self, driver: Chrome, server: Killed, name: str, students: list[str]) -> None:
        self._driver, self._server, self._name, self._students = driver, server, name, students
        self.saved: list[tuple[str, str, float]] = []  # student, comment and points

    def mark_all(self, turns: int) -> None:
        chance = random.Random(self._name)
        for turn in range(turns):
            for student in self._students:
                self._open(student)
                key = chance.choice(list(POINTS))
                self._driver.execute_script(_EMPTY)
                comment = f"{self._name} {turn} {student}"
                press(self._driver, key, "c", comment, Keys.ESCAPE)
                until(self._driver, lambda _: self._is_saved())
                self.saved.append((student, comment, POINTS[key]))

    def _open(self, student: str) -> None:
        """Open an answer; a browser without the server shows an error, and is tried again."""
        while True:
            self._enter()
            try:
                self._driver.get(f"http://127.0.0.1:{self._server.port}/answer/1.1/{student}")
                if student in self._driver.title and self._driver.execute_script("return typeof waiting === 'object'"):
                    return  # otherwise the server was killed before it had sent the script
            except WebDriverException:
                pass
            time.sleep(0.1)

    def _enter(self) -> None:
        """Have the cookie of the server as it is now, as if its new address had been opened in another tab."""
        name, _, value = self._server.cookies[self._name].partition("=")
        cookie = {"name": name, "value": value, "url": f"http://127.0.0.1:{self._server.port}/", "httpOnly": True}
        self._driver.execute_cdp_cmd("Network.setCookie", cookie)

    def told(self) -> str:
        """Return what the page says, for a failure."""
        return str(
            self._driver.execute_script(
                "return [document.title, document.body.innerText.slice(0, 400), localStorage.length,"
                " [...document.querySelectorAll('.state')].map((each) => each.textContent)].join(' | ')"
            )
        )

    def _is_saved(self) -> bool:
        self._enter()
        states = "return [...document.querySelectorAll('.state')].some((each) => each.textContent === 'saved')"
        return bool(self._driver.execute_script(f"{states} && !waiting.length && !forms.some((form) => form.typed)"))


@pytest.fixture
def drivers(tmp_path: Path) -> Iterator[list[Chrome]]:
    with browser(tmp_path / "first") as first, browser(tmp_path / "second") as second:
        yield [first, second]


def test_what_a_page_called_saved_is_there_once(tmp_path: Path, drivers: list[Chrome]) -> None:
    turns, kills = 6, 12
    chance = random.Random(turns)
    failed: list[BaseException] = []
    with served(tmp_path / "results") as server:
        markers = [
            Marker(driver, server, name, STUDENTS[place :: len(NAMES)])
            for place, (driver, name) in enumerate(zip(drivers, NAMES, strict=True))
        ]

        def mark(marker: Marker) -> None:
            try:
                marker.mark_all(turns)
            except BaseException as problem:
                problem.add_note(marker.told())
                failed.append(problem)

        threads = [threading.Thread(target=mark, args=(marker,)) for marker in markers]
        for thread in threads:
            thread.start()
        actions = turns * len(STUDENTS)
        for kill in range(kills):
            begin = (kill + 1) * actions // (kills + 1)
            while sum(len(marker.saved) for marker in markers) < begin and not failed:
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 1.5))
            server.kill()
            server.start()
        for thread in threads:
            thread.join()
    assert failed == [], [note for problem in failed for note in problem.__notes__]
    graded = graded_class(tmp_path / "results", STUDENTS)
    with graded.open_marks() as store:
        events = {student: store.history(student, ITEM) for student in STUDENTS}
    assert sum(len(marker.saved) for marker in markers) == actions
    for marker, name in zip(markers, NAMES, strict=True):
        for student, comment, points in marker.saved:
            (event,) = [each for each in events[student] if each.mark and each.mark.comment == comment]
            assert event.by == name
            assert event.mark is not None
            assert event.mark.points == points
    for student, all_ in events.items():
        assert len(all_) == 2 * turns, f"a key and a comment for each turn, of {student}"
        assert all(len(event.replaces) <= 1 for event in all_)
