"""The keys of what is shown beside an answer, in a real browser: where the answer is, programs, and the order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from gengrade.room.answers import Picture, encoded
from gengrade.room.documents import Place
from tests.support.driven import browser, needs_driver, press, until
from tests.support.room import Server, WrittenDocuments, graded_class, serving
from tests.support.written import ANSWERS, PROGRAM, STUDENTS

pytestmark = needs_driver
LONG = "\n".join([*PROGRAM.text.split("\n"), *(f"x{number} = {number}" for number in range(300)), ""])


class _Pages(WrittenDocuments):
    """Every student handed in three pages and a long program."""

    def page(self, student: str, index: int, page: int, width: int) -> Picture:
        return encoded(np.full((1838, 1300, 3), 255 - 20 * page, np.uint8))


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with browser(tmp_path_factory.mktemp("browser")) as driver:
        yield driver


@pytest.fixture
def documents(tmp_path: Path) -> _Pages:
    answers = {student: {"1.1": "1.1 text", "x": "", "y": ""} for student in (*ANSWERS, "fay")}
    answers |= {student: {**found, "x": "", "y": ""} for student, found in ANSWERS.items()}
    return _Pages(answers, tmp_path, replace(PROGRAM, text=LONG, colours=""))


@pytest.fixture
def server(tmp_path: Path, driver: Chrome, documents: _Pages) -> Iterator[Server]:
    with serving(graded_class(tmp_path / "results", STUDENTS), documents=documents) as server:
        driver.get(server.address + server.address_for("Tim"))
        driver.execute_script("localStorage.clear(); sessionStorage.clear()")
        yield server


def _open(driver: Chrome, server: Server, path: str) -> None:
    driver.get(server.address + path)
    loaded = "return [...document.images].slice(0, 2).every((each) => each.complete)"
    until(driver, lambda _: driver.execute_script(loaded))


def _says(driver: Chrome, text: str) -> bool:
    return text in str(driver.execute_script("return document.querySelector('header').innerText"))


def _top(driver: Chrome) -> float:
    return float(driver.execute_script("return document.getElementById('document').scrollTop"))


def _scroll(driver: Chrome, top: float) -> None:
    driver.execute_script("document.getElementById('document').scrollTop = arguments[0]", top)


def test_h_remembers_the_place_that_is_seen(driver: Chrome, server: Server, documents: _Pages) -> None:
    _open(driver, server, "/answer/1.1/ada")
    _scroll(driver, 0)
    driver.execute_script(
        """
        const page = document.getElementById("page-0-1");
        const view = document.getElementById("document");
        view.scrollTop += page.getBoundingClientRect().top - view.getBoundingClientRect().top
          + page.getBoundingClientRect().height / 2 - 20;
        """
    )
    press(driver, "h")
    until(driver, lambda _: driver.find_element(By.ID, "placed").text == "Remembered.")
    place = documents.place("ada", "1.1")
    assert place is not None
    assert (place.index, place.page) == (0, 1)
    assert place.y == pytest.approx(0.5, abs=0.02)
    seen = _top(driver)
    _open(driver, server, "/answer/1.1/bob")
    _open(driver, server, "/answer/1.1/ada")
    until(driver, lambda _: abs(_top(driver) - seen) < 30)
    driver.execute_script(
        "document.querySelector('#file-1 details').open = true; document.getElementById('file-1').scrollIntoView()"
    )
    driver.find_element(By.ID, "here").click()
    until(driver, lambda _: (at := documents.place("ada", "1.1")) is not None and at.index == 1)
    assert documents.place("bob", "1.1") == Place(0, 0, 0.1), "only this student's place has changed"


def test_a_lost_server_is_said_and_typing_h_is_no_key(driver: Chrome, server: Server, documents: _Pages) -> None:
    _open(driver, server, "/answer/1.1/ada")
    press(driver, "c", "how?")
    time.sleep(0.2)
    assert documents.place("ada", "1.1") == Place(0, 0, 0.1)
    driver.execute_script("document.activeElement.blur(); window.fetch = async () => { throw new TypeError('lost'); }")
    press(driver, "h")
    until(driver, lambda _: "the place is not remembered" in driver.find_element(By.ID, "trouble").text)


def test_what_was_scrolled_stays_over_a_reload(driver: Chrome, server: Server) -> None:
    _open(driver, server, "/answer/1.1/ada")
    _scroll(driver, 700)
    driver.refresh()
    until(driver, lambda _: abs(_top(driver) - 700) < 5)
    _open(driver, server, "/answer/1.1/bob")
    until(driver, lambda _: _top(driver) < 300)


def test_a_program_is_shown_at_the_function_that_a_check_names(
    driver: Chrome, tmp_path: Path, documents: _Pages
) -> None:
    graded = graded_class(tmp_path / "results", STUDENTS, pending=True)
    driver.get_log("browser")  # type: ignore[no-untyped-call]
    with serving(graded, documents=documents) as server:
        driver.get(server.address + server.address_for("Tim"))
        driver.execute_script("localStorage.clear(); sessionStorage.clear()")
        driver.get(f"{server.address}/answer/1.9/ada")
        until(driver, lambda _: _top(driver) > 0)  # the file that the part asks for comes after the pages
        assert "inops is not installed" in driver.find_element(By.CSS_SELECTOR, "details.aid").text
        driver.execute_script("document.getElementById('line-1-7').classList.add('matters')")
        _scroll(driver, 0)
        press(driver, "f")
        until(driver, lambda _: _top(driver) > 0)
        line = driver.find_element(By.ID, "line-1-7")
        assert line.is_displayed(), "the program was folded"
        number = driver.execute_script("return getComputedStyle(arguments[0], '::before').content", line)
        assert number == '"7"'
        distance = "return arguments[0].getBoundingClientRect().top - pages.getBoundingClientRect().top"
        until(driver, lambda _: 0 <= driver.execute_script(distance, line) < 100)
        wide = driver.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert wide[0] <= wide[1]
    said = driver.get_log("browser")  # type: ignore[no-untyped-call]
    assert [entry for entry in said if "favicon" not in entry["message"]] == [], "the policy forbids nothing of it"


def test_o_changes_the_order(driver: Chrome, server: Server) -> None:
    server.pages.aids.comparisons.catch_up()
    _open(driver, server, "/answer/1.1/ada")
    press(driver, "o")
    until(driver, lambda _: _says(driver, "Similar answers follow each other"))
    press(driver, "o")
    until(driver, lambda _: not _says(driver, "Similar answers"))
