"""Code that stands out: what a teacher is told of, and what honest work may hold without being named."""

from __future__ import annotations

from pathlib import Path

import pytest

from gengrade.submissions import oddities
from tests.test_notebooks import notebook
from truth.workbench import REFERENCE


def in_file(folder: Path, code: str) -> tuple[str, ...]:
    (folder / "vae").mkdir()
    (folder / "vae" / "utils.py").write_text(code)
    return oddities(folder, {"vae": "my part 1"})


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("import sys\nframe = sys._getframe(1)", "_getframe looks at its callers' variables"),
        ("from sys import _getframe", "sys._getframe looks at its callers' variables"),
        ("def f(error):\n    return error.__traceback__.tb_frame", "tb_frame looks at its callers' variables"),
        ("import gc\ngc.get_objects()", "get_objects looks for objects of the process that it was not given"),
        ("import ctypes.util", "import ctypes looks for objects of the process that it was not given"),
        ("from os import _exit", "os._exit ends, starts or stops processes"),
        ("exec('x = 1')", "exec() makes code while it runs"),
        ("open('/proc/self/maps')", "/proc/ looks at processes"),
        ("from graders import vae", "import graders knows the grader by name"),
        ("import torch.distributions as d", "import torch.distributions leaves to a library what may have been asked"),
        ("from torch import distributions", "import torch.distributions leaves to a library what may have been asked"),
        ("import torch\nx = torch.distributions.Normal(0, 1)", "torch.distributions leaves to a library"),
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
    (tmp_path / "vae" / "utils.py").write_text("import torch.distributions\nimport ctypes")
    assert oddities(tmp_path, {}, libraries=True) == oddities(tmp_path, {})[1:]


def test_notebooks_are_read_cell_by_cell(tmp_path: Path) -> None:
    (tmp_path / "gan").mkdir()
    cells = (
        "%matplotlib inline\n!pip install torch",
        "x = 1\nexec('x')",
        "def f(:",
        "%%bash\nexec('x')",
        "import gc\neval('x')",
    )
    (tmp_path / "gan" / "hw.ipynb").write_text(notebook(*cells))
    assert oddities(tmp_path, {"gan": "."}) == (
        "./hw.ipynb, cell 2, line 2: exec() makes code while it runs",
        "./hw.ipynb, cell 5, line 2: eval() makes code while it runs",
    )


def test_a_file_that_belongs_to_two_parts_is_named_once(tmp_path: Path) -> None:
    for part in ("vae", "gan"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "hw.py").write_text("exec('x')")
    assert oddities(tmp_path, {"vae": "code", "gan": "code"}) == (
        "code/hw.py, line 1: exec() makes code while it runs",
    )


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"cells": 7}', '{"cells": [{}]}', "[" * 100_000])
def test_what_is_no_notebook_has_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "hw.ipynb").write_text(text)
    assert oddities(tmp_path, {}) == ()


def test_the_reference_has_none() -> None:
    assert oddities(REFERENCE, {}) == ()


@pytest.mark.parametrize("code", ["def f(:", "x = '\0'", f"x = {'(' * 5000}"])
def test_a_file_that_python_cannot_read_is_passed_over(tmp_path: Path, code: str) -> None:
    assert in_file(tmp_path, code) == ()


def test_each_thing_is_named_once_in_a_file_and_ten_in_all(tmp_path: Path) -> None:
    assert len(in_file(tmp_path, "exec('1')\nexec('2')")) == 1
    for number in range(20):
        (tmp_path / "vae" / f"file{number}.py").write_text("exec('1')")
    assert len(oddities(tmp_path, {})) == 10
