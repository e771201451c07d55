"""Read a class's results as people do: in a browser, a spreadsheet, a terminal, and a workflow's log.

Each function reads one of these as its reader would, and returns what untrusted text did there, or nothing if it stayed
text. The texts of the attacks contain the word OWNED in whatever they try to make.
"""

from __future__ import annotations

import csv
import io
import os
import pty
import re
import subprocess
import tempfile
import termios
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from markdown_it import MarkdownIt

from tests.support.browser import CHROMIUM, FLAGS

OWNED: Final = "owned"
EXPRESSION: Final = "{{ 7919 * 7907 }}"  # to a template's engine; its value would stand in the page
COMPUTED: Final = "62615533"
_NOWHERE: Final = "--host-resolver-rules=MAP * ~NOTFOUND"  # what is asked for stands in the log all the same
_WINDOW: Final = (30, 100)  # rows and columns of the terminal
_PAGE_TAG: Final = re.compile(
    "html|head|meta|title|link|style|body|header|main|footer|nav|section|article|details|summary|h[1-4]|p|a|span|b"
    "|strong|code|pre|blockquote|ul|ol|li|dl|dt|dd|div|table|thead|tbody|tr|th|td|button|figure|figcaption|img"
    "|svg|rect|circle|line|text|script|wbr"
)
_SUMMARY_TAG: Final = re.compile("h2|p|strong|table|thead|tbody|tr|th|td|details|summary|ul|li|code|blockquote")
_OUR_LINK: Final = re.compile(r"([\w.%-]+/report\.html)?(#[\w.%-]+)?")
# Controls, what turns the reading direction, what shows nothing, and more marks than a letter has.
_CONTROLS: Final = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    r"\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\uf8ff\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U0010ffff]"
    r"|[\u0300-\u036f\u0483-\u0489\u20d0-\u20f0]{6}"
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True)
class Printed:
    """The output of the command about one submission: on a terminal, in a workflow's log, and in its files."""

    terminal: bytes
    log: str
    summary: str
    junit: Path


# Pages --------------------------------------------------------------------------------------------------------------


class _Elements(HTMLParser):
    """Collects the elements of a page with their attributes, its scripts, and its other text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[str] = []
        self.title = ""
        self.text = ""
        self._inside = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append(data)
        elif self._inside == "title":
            self.title += data
        elif self._inside != "style":
            self.text += data


def page_faults(path: Path) -> list[str]:
    """Return what untrusted text did to a page, opened in a real browser if there is one."""
    return list(_page_faults(path.read_text(encoding="utf-8")))


def page_text(path: Path) -> str:
    return _Elements(path.read_text(encoding="utf-8")).text


@cache
def _page_faults(page: str) -> tuple[str, ...]:
    dom, console, asked = _opened(page)
    seen = _Elements(dom)
    faults = [f"the browser asked for {url}" for url in asked]
    faults += [f"the console says {line}" for line in console]
    for tag, attributes in seen.elements:
        shown = f"<{tag} {attributes}>"[:200]
        if not _PAGE_TAG.fullmatch(tag):
            faults.append(f"there is an element {shown}")
        ours = tag == "a" and _OUR_LINK.fullmatch(attributes.get("href", ""))
        theirs = () if ours else (f"{name} {value}" for name, value in attributes.items())
        if any(OWNED in attribute or attribute.startswith("on") for attribute in theirs):
            faults.append(f"there is an attribute in {shown}")
        if any(not attributes.get(name, "data:").startswith(("data:", "#")) for name in ("src", "srcdoc")):
            faults.append(f"something is loaded by {shown}")
        if "http-equiv" in attributes and attributes["http-equiv"] != "Content-Security-Policy":
            faults.append(f"the page is steered by {shown}")
        if tag == "a" and not ours:
            faults.append(f"a link leads away: {shown}")
    faults += [f"there is a script {script[:100]!r}" for script in seen.scripts if OWNED in script]
    if seen.title == OWNED:
        faults.append("the title was changed")
    if COMPUTED in seen.text:
        faults.append("a template's expression was computed")
    if control := _CONTROLS.search(dom):
        faults.append(f"a control character {control[0]!r} stands in the page")
    return tuple(faults)


def _opened(page: str) -> tuple[str, list[str], list[str]]:
    """Return a page's elements after its scripts ran, the console's lines, and requests with the word OWNED."""
    if CHROMIUM is None:
        return page, [], []
    with tempfile.TemporaryDirectory(prefix="gengrade-browser-", ignore_cleanup_errors=True) as folder:
        file, log = Path(folder, "page.html"), Path(folder, "net.json")
        file.write_text(page, encoding="utf-8")
        command = [CHROMIUM, *FLAGS, _NOWHERE, f"--user-data-dir={folder}/profile", f"--log-net-log={log}"]
        ran = subprocess.run(
            [*command, "--virtual-time-budget=2000", "--dump-dom", file.as_uri()],
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=True,
        )
        console = [line for line in ran.stderr.splitlines() if "CONSOLE" in line]
        asked = sorted({url for url in re.findall(r'"url":"([^"]*)"', log.read_text()) if OWNED in url})
    return ran.stdout, console, asked


# Tables -------------------------------------------------------------------------------------------------------------


def table_faults(path: Path) -> list[str]:
    """Return the cells of a CSV file that a spreadsheet would compute, with any separator."""
    text = path.read_bytes().decode("utf-8")
    faults = []
    for delimiter in (",", ";", "\t"):
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        faults += [f"the cell {cell!r}" for row in rows for cell in row if cell.startswith(_FORMULA)]
        faults += [f"a cell of several lines {cell!r}" for row in rows for cell in row if len(cell.splitlines()) > 1]
        if delimiter == "," and len({len(row) for row in rows}) > 1:
            faults.append("rows of different lengths")
    return [f"{path.name}: {fault}" for fault in faults]


def junit_faults(path: Path) -> list[str]:
    """Return elements that JUnit's format does not have, and text that is not XML."""
    tags = {element.tag for element in ET.parse(path).iter()}
    known = {"testsuites", "testsuite", "testcase", "properties", "property", "failure", "error", "skipped"}
    return [f"{path.name}: there is an element {tag}" for tag in sorted(tags - known)]


# What is printed ----------------------------------------------------------------------------------------------------


def on_a_terminal(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> bytes:
    """Return what a command writes to the terminal that it runs on."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, _WINDOW)
    received = bytearray()

    def read() -> None:
        while True:
            try:
                data = os.read(ours, 1 << 16)
            except OSError:  # what Linux says when nobody holds the other end any more
                return
            if not data:
                return
            received.extend(data)

    reader = threading.Thread(target=read)
    with subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**environment, "TERM": "xterm-256color", "GITHUB_STEP_SUMMARY": ""},
        cwd=folder,
    ) as process:
        os.close(theirs)
        reader.start()
        process.wait(600)
    reader.join(10)
    os.close(ours)
    return bytes(received)


# Control sequences that the command itself uses: colours, the cursor's visibility, and redrawing a line.
_OURS: Final = re.compile(
    rf"(?:\x1b\[[\d;]*m|\x1b\[\?25[lh]|\x1b\[2K|\x1b\[\d*A|\r+(?=\n|\x1b\[(?:2K|\d*A|[\d;]*mStudent )))(?!{OWNED})"
)


def terminal_faults(printed: bytes) -> list[str]:
    """Return control sequences for a terminal that are not the command's own."""
    left = _OURS.sub("", printed.decode("utf-8", "replace"))
    found = {match[0] for match in re.finditer(rf"{_CONTROLS.pattern}.{{0,12}}|\r.{{0,12}}", left)}
    return [f"the terminal gets {text!r}" for text in sorted(found)]


_COMMAND: Final = re.compile(
    "add-(mask|matcher|path)|debug|echo|(end)?group|error|internal-set-repo-path|notice|remove-matcher|save-state"
    "|set-(env|output)|stop-commands|warning"
)
_FENCE: Final = re.compile(r"::stop-commands::[0-9a-f-]{16,}")
_OUR_COMMANDS: Final = re.compile(
    # Students choose the names of their files; the line is that of an exception, which only a guest can tell.
    rf"::(?:error|warning|notice) (?:file=[^:,]{{1,600}},line=[0-9]+,)?title=(?!{OWNED})[^:,]*::[^\x00-\x1f]*"
)


def workflow_faults(log: str) -> list[str]:
    """Return commands in a workflow's log that are not the harness's own."""
    return [f"the log holds the command {line[:120]!r}" for line in workflow_commands(log) if not _is_ours(line)]


def workflow_commands(log: str) -> Iterator[str]:
    """Return the lines that GitHub's runner takes for commands, by the rules of its `ActionCommand`.

    A command begins with two colons after any white space, or, in the old syntax, with `##[` anywhere in a line. After
    `stop-commands`, no line is a command until the given word; in untrusted text it would hide later commands.
    """
    until = ""
    for line in re.split(r"\r\n|\r|\n", log):
        if until:
            until = "" if line.strip() == f"::{until}::" else until
            continue
        new = re.match(r"\s*::(?P<name>[^ :]+)(?: .*?)?::(?P<words>.*)", line)
        old = re.search(r"##\[(?P<name>[^ \]]+)[^\]]*\]", line)
        if any(found is not None and _COMMAND.fullmatch(found["name"]) for found in (new, old)):
            yield line
        if new is not None and _FENCE.fullmatch(line):
            until = new["words"]
    if until:
        yield f"::stop-commands::{until} without an end"


def _is_ours(line: str) -> bool:
    ours = _FENCE.fullmatch(line) or _OUR_COMMANDS.fullmatch(line)
    return ours is not None and "##[" not in line


def summary_faults(summary: str) -> list[str]:
    """Return what untrusted text did to the step's summary after it is rendered."""
    seen = _Elements(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(summary))
    strange = [element for element in seen.elements if not _SUMMARY_TAG.fullmatch(element[0])]
    faults = [f"the summary holds <{tag} {attributes}>" for tag, attributes in strange]
    if control := _CONTROLS.search(summary):
        faults.append(f"a control character {control[0]!r} stands in the summary")
    return faults
