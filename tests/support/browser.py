"""Open a page in a real browser, in frames of given widths, and keep the console's lines; or print it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
)

# The frame's policy does not bind the page around it, so that nothing of the page under test has to change.
_MEASURE = """
const results = {};
for (const frame of document.querySelectorAll("iframe")) {
  const page = frame.contentDocument;
  const root = page.documentElement;
  const said = (selector) => page.querySelector(selector)?.textContent ?? null;
  for (const button of page.querySelectorAll("th button"))
    if (button.textContent === frame.dataset.click) button.click();
  const overflowing = [...page.querySelectorAll("body *")].filter((element) =>
    element.getBoundingClientRect().right > root.clientWidth + 0.5 && !element.closest(".scroll, .skip"));
  results[frame.width] = {
    width: root.clientWidth, scroll: root.scrollWidth,
    overflowing: overflowing.map((element) => element.outerHTML.slice(0, 200)),
    total: said("#total"), text: page.body.innerText, images: [...page.images].map((image) => image.naturalWidth),
    rows: [...page.querySelectorAll(".sortable tbody th")].map((cell) => cell.textContent),
    ids: [...page.querySelectorAll("[id]")].map((element) => element.id),
    broken: [...page.querySelectorAll("a[href^='#']")].map((link) => decodeURIComponent(link.hash.slice(1)))
      .filter((id) => !page.getElementById(id)),
    headings: [...page.querySelectorAll("h1, h2, h3, h4")].map((heading) => Number(heading.tagName[1])),
    scripts: page.scripts.length,
  };
}
document.getElementById("results").textContent = JSON.stringify(results);
"""


@dataclass(frozen=True)
class Seen:
    """Measurements of a page that a browser shows in a frame of one width."""

    width: int
    scroll: int
    overflowing: list[str]
    total: str | None
    text: str
    images: list[int]
    rows: list[str]
    ids: list[str]
    broken: list[str]
    headings: list[int]
    scripts: int


def look(
    page: str, folder: Path, widths: tuple[int, ...] = (360, 1200), click: str = ""
) -> tuple[dict[int, Seen], str]:
    """Open `page` in a frame of each width; returns what was seen, and the console's lines.

    `click` is the text of a table heading's button to press first.
    """
    results, console = _measured(page, folder, widths, _MEASURE, click)
    return {int(width): Seen(**seen) for width, seen in results.items()}, console


def asked(page: str, folder: Path, width: int, expression: str) -> Any:
    """Return what a JavaScript expression about the document `page` is in a frame of this width."""
    script = f"""
    const page = document.querySelector("iframe").contentDocument;
    document.getElementById("results").textContent = JSON.stringify({expression});
    """
    return _measured(page, folder, (width,), script)[0]


def _measured(page: str, folder: Path, widths: tuple[int, ...], script: str, click: str = "") -> tuple[Any, str]:
    """Return what the script wrote into `#results`, as JSON, and the console's lines."""
    attributes = f'height="900" data-click="{html.escape(click)}" srcdoc="{html.escape(page)}"'
    frames = "".join(f'<iframe width="{width}" {attributes}></iframe>' for width in widths)
    wrapper = folder / "wrapper.html"
    script = f'<script>addEventListener("load", () => {{{script}}});</script>'
    wrapper.write_text(f'<!doctype html><meta charset="utf-8">{frames}<pre id="results"></pre>{script}')
    ran = _chromium(folder, "--dump-dom", wrapper.as_uri())
    found = re.search(r'<pre id="results">(.*?)</pre>', ran.stdout, re.DOTALL)
    assert found, ran.stderr
    console = "\n".join(line for line in ran.stderr.splitlines() if "CONSOLE" in line)
    return json.loads(html.unescape(found[1])), console


def printed(page: str, folder: Path) -> Path:
    """Print a page as PDF, and return the file's path."""
    source, paper = folder / "printed.html", folder / "printed.pdf"
    source.write_text(page)
    paper.unlink(missing_ok=True)
    _chromium(folder, "--no-pdf-header-footer", f"--print-to-pdf={paper}", source.as_uri())
    return paper


def _chromium(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    return subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    )
