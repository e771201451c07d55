"""Hostile files in the marking room, through a real browser: nothing that was handed in runs or loads anything."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest
from selenium.webdriver import Chrome

from gengrade.room.documents import Documents
from gengrade.sandbox import Tier
from gengrade.submissions import opened
from tests.support.driven import browser, needs_driver, until
from tests.support.pdfs import page_of, pdf, written
from tests.support.room import graded_class, serving
from validation.workbench import Workbench

pytestmark = [needs_driver, pytest.mark.slow]

RUNS = "<script>document.title = 'taken'</script>"


class _Watched(http.server.BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def _elsewhere() -> Iterator[str]:
    """A server that hostile files point to; whoever asks it is noted."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Watched)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()


def _hand_in(folder: Path, there: str) -> None:
    """Write one hostile file of each kind, each of which asks `there` if it gets its way."""
    folder.mkdir(parents=True)
    load = f'<img src="{there}/image"><iframe src="{there}/frame"></iframe>{RUNS}'
    action = {
        1: b"<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /JavaScript /JS (app.alert(1)) >> >>",
        2: b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
        4: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Annots [5 0 R] >>",
        5: f"<< /Type /Annot /Subtype /Link /Rect [0 0 595 842] /A << /S /URI /URI ({there}/link) >> >>".encode(),
    }
    outputs = [
        {"output_type": "display_data", "data": {"text/html": [load]}, "metadata": {}},
        {"output_type": "display_data", "data": {"image/svg+xml": [f'<svg onload="alert(1)">{load}</svg>']}},
        {"output_type": "display_data", "data": {"application/javascript": ["document.title = 'taken'"]}},
    ]
    cells = [
        {"cell_type": "markdown", "source": [f"# 1.1 {load} [a](javascript:alert(1)) ![b]({there}/markdown)"]},
        {"cell_type": "code", "source": [f"# {load}"], "outputs": outputs, "metadata": {}, "execution_count": 1},
    ]
    files: dict[str, bytes] = {
        "action.pdf": written(action),
        "words.pdf": pdf(page_of("Question 1.1", load, "javascript:alert(1)")),
        "broken.pdf": b"%PDF-1.7\n" + b"\x00" * 100,
        f"a{RUNS.replace('/', '-')}.txt": load.encode(),
        "page.html": f"<html><head>{load}</head></html>".encode(),
        "drawing.svg": f'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">{load}</svg>'.encode(),
        "answers.py": f"# {load}\nx = '</code></pre>{load}'\n".encode(),
        "work.ipynb": json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode(),
        "picture.png": b"\x89PNG\r\n\x1a\n" + load.encode(),
        "notes.md": f"# 1.1\n{load}\n![c]({there}/md)".encode(),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with browser(tmp_path_factory.mktemp("browser")) as driver:
        yield driver


def test_no_file_runs_or_loads_anything(driver: Chrome, tmp_path: Path, workbench: Workbench) -> None:
    if workbench.tier is Tier.PROCESS:
        pytest.skip("this machine offers no isolation, and nothing is shown without it")
    _Watched.asked.clear()
    with _elsewhere() as there:
        _hand_in(tmp_path / "class" / "ada", there)
        graded = graded_class(tmp_path / "results", ["ada"])
        with (
            opened(tmp_path / "class", {}) as discovery,
            Documents(graded.out, {each.id: each for each in discovery.submissions}, Tier(workbench.tier)) as documents,
            serving(graded, documents=documents) as server,
        ):
            driver.get(server.address + server.address_for("Tim"))
            driver.get(f"{server.address}/answer/1.1/ada")
            driver.execute_script("for (const each of document.querySelectorAll('details')) each.open = true")
            driver.execute_script("for (const each of document.querySelectorAll('img')) each.loading = 'eager'")
            until(driver, lambda _: driver.execute_script("return [...document.images].every((each) => each.complete)"))
            assert driver.title == "1.1, ada"
            inside = driver.execute_script(
                "const found = [];"
                "for (const each of document.querySelectorAll('script, iframe, object, embed, svg, img, a')) {"
                "  const at = each.src || each.href || '';"
                "  if (at && !String(at).startsWith(location.origin)) found.push(each.outerHTML); }"
                "for (const each of document.querySelectorAll('*')) for (const name of each.getAttributeNames())"
                "  if (name.startsWith('on')) found.push(each.outerHTML);"
                "return found"
            )
            assert inside == []
            shown = driver.find_element("tag name", "body").text
            log = driver.get_log("browser")  # type: ignore[no-untyped-call]
    assert _Watched.asked == []
    said = [entry["message"] for entry in log if "Content Security Policy" in entry["message"]]
    assert said == [], "nothing even tried"
    for name in ("action.pdf", "words.pdf", "page.html", "drawing.svg", "answers.py", "work.ipynb", "notes.md"):
        assert name in shown, "each file is named"
    assert "document.title = 'taken'" in shown, "as text"
