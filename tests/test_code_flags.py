"""Flags of unusual code: what teachers are shown, and which honest code is not flagged."""

from __future__ import annotations

import ast
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from gengrade.submissions import code_flags
from tests.support.notebooks import notebook
from validation.workbench import REFERENCE


def in_file(folder: Path, code: str) -> tuple[str, ...]:
    (folder / "vae").mkdir()
    (folder / "vae" / "utils.py").write_text(code)
    return code_flags(folder, {"vae": "my part 1"})


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("import sys\nframe = sys._getframe(1)", "_getframe looks at its callers' variables"),
        ("from sys import _getframe", "sys._getframe looks at its callers' variables"),
        ("def f(error):\n    return error.__traceback__.tb_frame", "tb_frame looks at its callers' variables"),
        ("import gc\ngc.get_objects()", "get_objects searches the process for objects that it was not given"),
        ("import ctypes.util", "import ctypes searches the process for objects that it was not given"),
        ("from os import _exit", "os._exit ends, starts or stops processes"),
        ("exec('x = 1')", "exec() makes code while it runs"),
        ("open('/proc/self/maps')", "/proc/ looks at processes"),
        ("from graders import vae", "import graders refers to the grader itself"),
        (
            "import torch.distributions.kl as d",
            "import torch.distributions.kl may leave the requested work to a library",
        ),
        (
            "from torch.distributions import kl_divergence",
            "import torch.distributions.kl_divergence may leave the requested",
        ),
        ("import torch\nx = torch.distributions.kl_divergence(p, q)", "torch.distributions.kl_divergence may leave"),
    ],
)
def test_tools_of_a_forger_are_named_with_their_line(tmp_path: Path, code: str, what: str) -> None:
    (found,) = in_file(tmp_path, code)
    assert found.startswith(f"my part 1/utils.py, line {code.count(chr(10)) + 1}: {what}")


@pytest.mark.parametrize(
    "code",
    [
        "import gc\ngc.collect()",
        "import sys\nsys.path.append('..')",
        "model.eval()\nmodel = torch.compile(model)",
        "import re\nre.compile('x')",
        "from .utils import helper",
        "import inspect\ninspect.signature(print)",
    ],
)
def test_honest_code_is_not(tmp_path: Path, code: str) -> None:
    assert in_file(tmp_path, code) == ()


def test_libraries_that_are_free_do_not_stand_out(tmp_path: Path) -> None:
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae" / "utils.py").write_text("import diffusers\nimport ctypes")
    assert code_flags(tmp_path, {}, libraries=True) == code_flags(tmp_path, {})[1:]


def test_notebooks_are_read_cell_by_cell(tmp_path: Path) -> None:
    (tmp_path / "gan").mkdir()
    cells = (
        "%matplotlib inline\n!pip install torch",
        "x = 1\nTODO: finish\nexec('x')",
        "def f(:",
        "%%bash\nexec('x')",
        "import gc\neval('x')",
        "TODO: finish\nexec('x')\ndef f(:",
        "%%writefile -a utils.py\nimport os\nos.fork()",
        "%time gc.get_objects()",
    )
    (tmp_path / "gan" / "hw.ipynb").write_text(notebook(*cells))
    assert code_flags(tmp_path, {"gan": "."}) == (
        "./hw.ipynb, cell 2, line 3: exec() makes code while it runs",
        "./hw.ipynb, cell 5, line 2: eval() makes code while it runs",
        "./hw.ipynb, cell 7, line 3: fork ends, starts or stops processes",
        "./hw.ipynb, cell 8, line 1: get_objects searches the process for objects that it was not given",
    )


def test_a_file_that_belongs_to_two_parts_is_named_once(tmp_path: Path) -> None:
    for part in ("vae", "gan"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "hw.py").write_text("exec('x')")
    assert code_flags(tmp_path, {"vae": "code", "gan": "code"}) == (
        "code/hw.py, line 1: exec() makes code while it runs",
    )


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"cells": 7}', '{"cells": [{}]}', "[" * 100_000])
def test_what_is_no_notebook_has_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "hw.ipynb").write_text(text)
    assert code_flags(tmp_path, {}) == ()


def test_the_reference_has_none() -> None:
    assert code_flags(REFERENCE, {}) == ()


@pytest.mark.parametrize("code", ["def f(:", "x = '\0'", f"x = {'(' * 5000}"])
def test_a_file_that_python_cannot_read_is_passed_over(tmp_path: Path, code: str) -> None:
    assert in_file(tmp_path, code) == ()


def test_each_thing_is_named_once_in_a_file_and_ten_in_all(tmp_path: Path) -> None:
    assert len(in_file(tmp_path, "exec('1')\nexec('2')")) == 1
    for number in range(20):
        (tmp_path / "vae" / f"file{number}.py").write_text("exec('1')")
    assert len(code_flags(tmp_path, {})) == 10


# Programs that take a reader of syntax trees down. --------------------------------------------------------------------

DEEP = {
    "a chain of attributes": "x = a" + ".b" * 600,
    "a chain of calls": "x = a" + "()" * 600,
    "a chain of subscripts": "x = a" + "[0]" * 600,
    "all three": "x = a" + ".b()[0]" * 600,
    "hexadecimal digits": f"x = 0x{'f' * 100_000}",
    "hexadecimal digits in an attribute": f"x = (0x{'f' * 100_000}).real.imag",
    "signs": f"x = {'-' * 2_000}1",
    "a sum": "x = " + "+".join("1" * 20_000),
    "comparisons": "x = " + "<".join("1" * 20_000),
    "an f-string of f-strings": "x = f'" + "{1}" * 5_000 + "'",
    "lambdas": f"x = {'lambda: ' * 500}0",
    "elses": "if a:\n  pass\n" + "elif a:\n  pass\n" * 1_000,
    "a text of a megabyte": f"x = '{'x' * 500_000}'",
}


@pytest.mark.parametrize("code", DEEP.values(), ids=list(DEEP))
@pytest.mark.parametrize("kind", ["program", "notebook"])
def test_one_odd_file_hides_no_other(tmp_path: Path, code: str, kind: str) -> None:
    (tmp_path / "vae").mkdir()
    for name in ("a.py", "z.py"):
        (tmp_path / "vae" / name).write_text("exec('x')")
    if kind == "program":
        (tmp_path / "vae" / "m.py").write_text(code)
    else:
        (tmp_path / "vae" / "m.ipynb").write_text(notebook("x = 1", code, "exec('x')"))
    found = [place.partition(":")[0] for place in code_flags(tmp_path, {"vae": "vae"}) if "exec()" in place]
    inside = ["vae/m.ipynb, cell 3, line 1"] if kind == "notebook" else []
    assert found == ["vae/a.py, line 1", *inside, "vae/z.py, line 1"]


def test_what_is_too_large_or_too_deep_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x=[" + "1," * 1_500_000 + "1]")
    (tmp_path / "b.ipynb").write_text(notebook("x = 1\n" * 100_000))
    (tmp_path / "c.py").write_text("exec('x')")
    began = time.process_time()
    found = code_flags(tmp_path, {})
    assert time.process_time() - began < 5
    assert found == (
        "c.py, line 1: exec() makes code while it runs",
        "a.py could not be inspected: it holds more than 512 kB of code",
        "b.ipynb could not be inspected: it holds more than 512 kB of code",
    )


def test_a_file_that_ends_its_reader_is_named_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file kills the process that reads it, as a bug in a parser could."""
    for name in ("a", "b", "c", "d"):
        (tmp_path / f"{name}.py").write_text("exec('x')")
    real = ast.parse

    def parse(source: bytes, *arguments: Any) -> Any:
        if source.endswith(b"#"):
            os.kill(os.getpid(), signal.SIGSEGV)
        if source.endswith(b"##m"):
            return real(bytes(2_000_000_000))
        return real(source, *arguments)

    monkeypatch.setattr(ast, "parse", parse)
    (tmp_path / "b.py").write_text("exec('x')#")
    (tmp_path / "c.py").write_text("exec('x')##m")
    assert code_flags(tmp_path, {}) == (
        "a.py, line 1: exec() makes code while it runs",
        "d.py, line 1: exec() makes code while it runs",
        "b.py could not be inspected: the program that reads it crashed (SIGSEGV)",
        "c.py could not be inspected: it takes too much memory",
    )


def test_where_every_file_ends_its_reader_it_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        (tmp_path / f"{number:02}.py").write_text("x")
    monkeypatch.setattr(ast, "parse", lambda *arguments: os.kill(os.getpid(), signal.SIGSEGV))
    found = code_flags(tmp_path, {})
    assert len(found) == 5
    assert found[-1] == "26 more files could not be inspected"


def test_time_is_left_for_small_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gengrade.submissions.looking._SECONDS", 0.05)
    (tmp_path / "z.py").write_text("exec('x')")
    for number in range(20):
        (tmp_path / f"a{number}.py").write_text("x = 1\n" * 20_000)
    found = code_flags(tmp_path, {})
    assert found[0] == "z.py, line 1: exec() makes code while it runs"
    assert "could not be inspected: there is too much code" in found[1]


@pytest.mark.parametrize(
    "text",
    [
        '{"cells": [' + '{"cell_type": "code", "source": ""},' * 200_000 + "{}]}",
        '{"cells": ' + "[" * 50_000,
        '{"cells": [' + "[]," * 2_000_000 + "1]}",
        '{"cells": [{"cell_type": "code", "source": ' + "9" * 100_000 + "}]}",
        '{"cells": [{"cell_type": "code", "source": "\\ud800"}]}',
        '{"cells": NaN}',
    ],
)
def test_strange_notebooks_hide_no_other_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.ipynb").write_text(text)
    (tmp_path / "z.py").write_text("exec('x')")
    assert code_flags(tmp_path, {}) == ("z.py, line 1: exec() makes code while it runs",)
