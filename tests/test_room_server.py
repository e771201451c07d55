"""The command `gengrade mark`: from a graded class to a page with what was handed in."""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gengrade.marks import opened
from gengrade.sandbox import Tier
from tests.support.marked import RUBRIC
from tests.support.pdfs import page_of, pdf
from validation.workbench import REFERENCE, Workbench


@pytest.fixture(autouse=True)
def _needs_a_wall(workbench: Workbench) -> None:
    if workbench.tier is Tier.PROCESS:
        pytest.skip("this machine offers no isolation, and a class is not graded without it")


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "gengrade", *words]


def _refused(out: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = _command("mark", out, "--no-browser")
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--invite", ""), "a marker needs a name"),
        (("--by", "Ann", "--invite", "ann"), "Ann marks already"),
        (("--by", "x" * 81), "a marker needs a name"),
    ],
)
def test_a_marker_has_a_name_of_their_own(words: tuple[str, ...], problem: str, tmp_path: Path) -> None:
    told = subprocess.run(
        _command("mark", str(tmp_path), "--no-browser", *words), capture_output=True, text=True, check=False
    )
    assert (told.returncode, problem in told.stderr) == (2, True)


def _get(port: int, path: str, cookie: str = "") -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
    answer = connection.getresponse()
    return answer.status, answer.read(), answer.headers


def test_a_graded_class_is_marked_with_what_was_handed_in(tmp_path: Path) -> None:
    for name in ("ada", "bob"):
        folder = tmp_path / "class" / name
        folder.mkdir(parents=True)
        (folder / "answers.py").write_text((REFERENCE / "answers.py").read_text())
        (folder / "report.pdf").write_bytes(pdf(page_of("Question 1.1", "No."), page_of("Question 3.1", "By x = y.")))
    (tmp_path / "rubric.yaml").write_text(RUBRIC)
    words = ["grade", "class", "--rubric", "rubric.yaml", "--profile", "unit", "--jobs", "1"]
    subprocess.run(_command(*words), cwd=tmp_path, check=True, capture_output=True, timeout=600)
    words = ["mark", "results", "--no-browser", "--by", "Tim", "--invite", "Ann", "--second", "25"]
    room = subprocess.Popen(_command(*words), cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        assert room.stdout is not None
        address = re.search(r"http://127\.0\.0\.1:(\d+)(/enter\?token=\S+)", room.stdout.readline())
        assert address is not None
        assert re.fullmatch(r"For Ann: http://127\.0\.0\.1:\d+/enter\?token=\S+\n", room.stdout.readline())
        port = int(address[1])
        status, _, headers = _get(port, address[2])
        assert status == 303
        cookie = headers["set-cookie"].partition(";")[0]
        status, page, _ = _get(port, "/answer/3.1/ada", cookie)
        assert status == 200
        assert b'data-page="page-0-1"' in page, "the question is on the second page"
        status, picture, headers = _get(port, "/page/ada/0/1/1300", cookie)
        assert (status, headers["content-type"], picture[:8]) == (200, "image/png", b"\x89PNG\r\n\x1a\n")
        assert _get(port, "/page/ada/0/9/1300", cookie)[0] == 422
        again = _refused("results", tmp_path)
        assert again.returncode == 2
        assert "another marking room" in again.stderr
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        body = "student=ada&item=derivation&seen=&request=r&points=2"
        connection.request("POST", "/mark", body, {"Cookie": cookie, "Origin": f"http://127.0.0.1:{port}"})
        assert connection.getresponse().status == 303
    finally:
        room.send_signal(signal.SIGINT)
        room.wait(timeout=120)
    assert "5" in (tmp_path / "results" / "gradebook.csv").read_text().splitlines()[1]
    with opened(tmp_path / "results" / "marks", "A small one") as store:
        assert [event.by for event in store.history("ada")] == ["Tim"]
    assert not list((tmp_path / "results" / ".gengrade" / "room").glob("sandbox-*"))


def test_a_folder_without_a_class_is_refused_in_words(tmp_path: Path) -> None:
    refused = _refused("nowhere", tmp_path)
    assert refused.returncode == 2
    assert "no class was graded into this folder" in refused.stderr
