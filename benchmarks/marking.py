"""Measure a marker's day in a real browser: a class of five hundred, each with a PDF of twenty pages."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import psutil
from selenium.webdriver import Chrome
from selenium.webdriver.common.keys import Keys

from benchmarks.measure import Row
from gengrade.room.documents import Documents
from gengrade.sandbox import Tier
from gengrade.submissions import opened
from tests.support.driven import DRIVER, browser, press, until
from tests.support.pdfs import page_of, pdf
from tests.support.room import graded_class, serving

_STUDENTS = 500
_PAGES = 20
_ANSWERS = 20
_READING_SECONDS = 3.0  # that a marker takes for an answer, at least
# The moment of the key, and the moment at which the next answer's first page was there and something was painted.
_NOTE_KEYS = """
addEventListener('keydown', () => sessionStorage.setItem('pressed', performance.timeOrigin + performance.now()), true);
"""
_PAINTED = """
const seen = [...document.querySelectorAll('#document img')].find((each) => {
  const place = each.getBoundingClientRect();
  return place.bottom > 0 && place.top < innerHeight;
});
if (!seen || !seen.complete || !seen.naturalWidth) return null;
const came = performance.getEntriesByName(seen.src)[0];
const paint = performance.getEntriesByName('first-contentful-paint')[0];
if (!came || !paint) return null;
return performance.timeOrigin + Math.max(came.responseEnd, paint.startTime) - Number(sessionStorage.getItem('pressed'));
"""
_LOADED = "return performance.getEntriesByType('navigation')[0].loadEventEnd || null"


def measure(folder: Path) -> list[Row]:
    title = f"marking in a browser, {_STUDENTS} students with {_PAGES} pages each"
    if DRIVER is None:
        return [Row(title, "no Chromium with its driver on this machine")]
    students = [f"student-{number:03}" for number in range(_STUDENTS)]
    for student in students:
        _hand_in(folder / "class" / student, student)
    graded = graded_class(folder / "results", students)
    with (
        opened(folder / "class", {}) as discovery,
        Documents(graded.out, {each.id: each for each in discovery.submissions}, Tier.SANDBOX) as documents,
        serving(graded, documents=documents) as server,
        browser(folder / "browser") as driver,
    ):
        driver.get(server.address + server.address_for("Tim"))
        overview = []
        for _ in range(5):
            driver.get(server.address)
            until(driver, lambda _: driver.execute_script(_LOADED))
            overview.append(float(driver.execute_script(_LOADED)))
        driver.get(f"{server.address}/question/1.1/next")
        painted = [_next(driver) for _ in range(_ANSWERS)]
        memory = psutil.Process().memory_info().rss >> 20
    middle, page = statistics.median(painted), statistics.median(overview)
    return [
        Row(f"{title}: next answer painted", _said(painted), "150 ms", middle <= 150),
        Row(f"{title}: class page loaded", _said(overview), "300 ms", page <= 300),
        Row("  memory of the server, with all of the benchmark", f"{memory} MB", "300 MB", memory <= 300),
    ]


def _hand_in(folder: Path, student: str) -> None:
    folder.mkdir(parents=True)
    (folder / "answers.py").write_text(f"NAME = {student!r}\n")
    texts = [f"{number} lines of an answer by {student}, on some derivation." for number in range(25)]
    pages = [page_of(f"Question 1.{page + 1}", *texts) for page in range(_PAGES)]
    (folder / "report.pdf").write_bytes(pdf(*pages))


def _next(driver: Chrome) -> float:
    """Mark the answer that is shown, and return the milliseconds from the key to the next one's first page."""
    time.sleep(_READING_SECONDS)
    before = driver.title
    press(driver, "1")
    driver.execute_script(_NOTE_KEYS)
    press(driver, Keys.ENTER)
    until(driver, lambda _: driver.title != before)
    found: list[float] = []

    def painted(_: Chrome) -> bool:
        value = driver.execute_script(_PAINTED)
        found.extend([] if value is None else [float(value)])
        return bool(found)

    until(driver, painted)
    return found[0]


def _said(values: list[float]) -> str:
    return f"{statistics.median(values):.0f} ms, at most {max(values):.0f}"
