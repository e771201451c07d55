"""A real browser that tests drive by its keyboard: Debian's Chromium, through its own driver."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.support.wait import WebDriverWait

from tests.support.browser import CHROMIUM, FLAGS

DRIVER = shutil.which("chromedriver")
needs_driver = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="no Chromium with its driver on this machine"
)
_WAIT_SECONDS = 60.0


@contextmanager
def browser(folder: Path, width: int = 1280, height: int = 900, *, dark: bool = False) -> Iterator[Chrome]:
    """Start a browser with a window of that size; its profile lies in `folder`."""
    options = webdriver.ChromeOptions()
    assert CHROMIUM is not None
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},{height}"):
        options.add_argument(flag)
    if dark:
        options.add_argument("--force-dark-mode")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def press(driver: Chrome, *keys: str) -> None:
    """Press these keys, or type these texts, into whatever has the focus."""
    for key in keys:
        ActionChains(driver).send_keys(key).perform()


def until(driver: Chrome, condition: Callable[[Chrome], object]) -> None:
    """Wait until a condition holds; an element that a page replaces meanwhile is looked for again."""
    WebDriverWait(driver, _WAIT_SECONDS, ignored_exceptions=[StaleElementReferenceException]).until(condition)
