"""Programs that run as their authors ran them: parsers at the top level, failing statements, training at import."""

from __future__ import annotations

import argparse
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from gengrade.parts import Part
from graders.adapting import programs
from graders.adapting.loading import Modules
from tests.support.imported import nothing_stays

PART = Part(folder="part1", files=("train_torch.py", "utils.py"))


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    with nothing_stays({"train_torch", "utils", "part1", "models"}):
        yield


def modules_of(folder: Path, program: str, **others: str) -> Modules:
    (folder / "train_torch.py").write_text(program)
    for name, text in others.items():
        (folder / f"{name}.py").write_text(text)
    return Modules(folder, PART)


def test_a_parser_at_the_top_level_gives_its_defaults(tmp_path: Path) -> None:
    program = (
        "import argparse, sys\nparser = argparse.ArgumentParser()\nparser.add_argument('--z', type=int, default=62)\n"
        "args = parser.parse_args()\nNAME = sys.argv\nUSAGE = parser.format_usage()\n"
    )
    modules = modules_of(tmp_path, program)
    assert modules.find("args", "train_torch").z == 62
    assert modules.find("NAME", "train_torch") == [str(tmp_path / "train_torch.py")]
    assert modules.find("USAGE", "train_torch").startswith("usage: train_torch.py ")


def test_a_program_that_ends_itself_goes_on(tmp_path: Path) -> None:
    program = (
        "import argparse, sys\nparser = argparse.ArgumentParser()\nparser.add_argument('--data', required=True)\n"
        "args = parser.parse_args()\ndef f(): return 1\nsys.exit()\ndef g(): return 2\n"
    )
    modules = modules_of(tmp_path, program)
    assert modules.find("f", "train_torch")() + modules.find("g", "train_torch")() == 3
    for name in ("args", "nothing"):
        with pytest.raises(RuntimeError, match="it ends the program"):
            modules.find(name, "train_torch")


def test_a_statement_that_fails_costs_only_its_names(tmp_path: Path) -> None:
    program = "data = open('mnist.gz').read()\nsize = len(data)\ndef f(n=3): return n\nclass Net:\n    n = size\n"
    modules = modules_of(tmp_path, program)
    assert modules.find("f", "train_torch")() == 3
    with pytest.raises(FileNotFoundError):
        modules.find("data", "train_torch")
    with pytest.raises(Exception, match=r"Net needs size\. size needs data\. .*FileNotFoundError"):
        modules.find("Net", "train_torch")


def test_a_program_that_does_not_parse_is_not_run(tmp_path: Path) -> None:
    with pytest.raises(SyntaxError) as caught:
        modules_of(tmp_path, "def f(): return 1\ndef g(:\n    return 2\n").find("f", "train_torch")
    assert (caught.value.filename, caught.value.lineno) == (str(tmp_path / "train_torch.py"), 2)


def test_a_notebook_saved_as_a_program_is_read(tmp_path: Path) -> None:
    program = "#!/usr/bin/env python\n# In[1]:\nget_ipython().run_line_magic('matplotlib', 'inline')\n%pwd\nx = 1\n"
    assert modules_of(tmp_path, program).find("x", "train_torch") == 1


def test_cells_of_marimo_are_those_of_a_notebook(tmp_path: Path) -> None:
    program = (
        "import marimo\n\napp = marimo.App(width='medium')\n\nwith app.setup:\n    import math\n\n\n"
        "@app.cell\ndef _(Base, SIZE):\n    class Net(Base):\n        n = SIZE\n\n"
        "        def fails(self): return 1 / 0\n    return (Net,)\n\n\n"
        "@app.cell(hide_code=True)\ndef sizes(mo):\n    mo.md('text')\n    for _ in range(10**12): pass\n"
        "    SIZE = 2 * 3\n    return (SIZE,)\n\n\n"
        "@app.class_definition\nclass Base:\n    tau = math.tau\n\n\n"
        "@app.cell\ndef _():\n    import marimo as mo\n    return (mo,)\n\n\n"
        "if __name__ == '__main__':\n    app.run()\n"
    )
    modules = modules_of(tmp_path, program, utils="from train_torch import Net as Same")
    net = modules.find("Net", "train_torch")
    assert (net.n, net.tau > 6, modules.find("Same", "utils")) == (6, True, net)
    with pytest.raises(ZeroDivisionError) as caught:
        net().fails()
    frame = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (frame.filename, frame.line) == (str(tmp_path / "train_torch.py"), "def fails(self): return 1 / 0")
    assert not hasattr(modules.load("train_torch"), "sizes")


def test_a_notebook_saved_as_a_program_may_mention_marimo(tmp_path: Path) -> None:
    assert modules_of(tmp_path, "!pip install marimo\nx = 1\n").find("x", "train_torch") == 1


def test_a_cell_that_is_no_cell_of_marimo_stays_a_function(tmp_path: Path) -> None:
    program = (
        "app = __import__('types').SimpleNamespace(cell=lambda f: f)\n@app.cell\ndef f():\n    x = 1\n    return x\n"
    )
    modules = modules_of(tmp_path, program)
    assert modules.find("f", "train_torch")() == 1
    assert not hasattr(modules.load("train_torch"), "x")


@pytest.mark.parametrize("use", ["absent_library.log(1)", "thing(1)", "absent.part.Net()"])
def test_a_package_that_is_not_there_affects_only_its_use(tmp_path: Path, use: str) -> None:
    program = (
        "import absent_library\nfrom absent_library import thing\nimport absent_library.sub as absent\n"
        f"def f(): return 1\ndef g(): return {use}\nclass Net(absent_library.Module): pass\n"
    )
    modules = modules_of(tmp_path, program)
    assert modules.find("f", "train_torch")() == 1
    with pytest.raises(ModuleNotFoundError, match="absent_library"):
        modules.find("g", "train_torch")()
    with pytest.raises(ModuleNotFoundError, match="absent_library"):
        modules.find("Net", "train_torch")


@pytest.mark.parametrize(
    "work",
    [
        "for epoch in range(10**9):\n    loss.backward()",
        "def train():\n    while True:\n        loss.backward()\ndef main():\n    train()\nmain()",
        "def fit(n):\n    trainer.fit(n)\nmodel = fit(3)",
    ],
)
def test_training_at_import_does_not_run(tmp_path: Path, work: str) -> None:
    modules = modules_of(tmp_path, f"def before(): return SIZE\n{work}\nSIZE = len('abc')\ndef after(): return 2\n")
    assert modules.find("before", "train_torch")() + modules.find("after", "train_torch")() == 5


def test_future_features_hold_for_the_whole_program(tmp_path: Path) -> None:
    program = "from __future__ import annotations\nimport math\ndef f(x: Unknown | None = None) -> Other: return 1\n"
    assert modules_of(tmp_path, program).find("f", "train_torch")() == 1


@pytest.mark.parametrize(
    "imports",
    [
        "from .utils import HALF",
        "from . import utils\nHALF = utils.HALF",
        "from part1.utils import HALF",
        "import part1.utils\nHALF = part1.utils.HALF",
        "from part1 import utils\nHALF = utils.HALF",
    ],
)
def test_files_import_each_other_in_any_way(tmp_path: Path, imports: str) -> None:
    assert modules_of(tmp_path, imports, utils="import math\nHALF = math.pi / 2").find("HALF", "train_torch") > 1.5


@pytest.mark.parametrize("placeholder", ["args = None", "args = {}", "args = argparse.Namespace()", ""])
def test_a_placeholder_hides_nothing(tmp_path: Path, placeholder: str) -> None:
    modules = modules_of(tmp_path, f"import argparse\n{placeholder}\ndef f(): return args.z\n")
    modules.provide("train_torch", args=argparse.Namespace(z=3))
    assert modules.find("f", "train_torch")() == 3


def test_options_of_the_students_own_have_their_defaults(tmp_path: Path) -> None:
    program = (
        "import argparse\ndef f(): return args.z, args.interval\nif __name__ == '__main__':\n"
        "    parser = argparse.ArgumentParser()\n    parser.add_argument('--z', default=20)\n"
        "    parser.add_argument('--interval', default=100)\n    args = parser.parse_args()\n"
    )
    modules = modules_of(tmp_path, program)
    modules.provide("train_torch", args=argparse.Namespace(z=3))
    assert modules.find("f", "train_torch")() == (3, 100)


def test_what_a_program_sets_itself_stays(tmp_path: Path) -> None:
    modules = modules_of(tmp_path, "class args:\n    z = 4\n")
    modules.provide("train_torch", args=argparse.Namespace(z=3))
    assert modules.find("args", "train_torch").z == 4


def test_options_of_a_program_are_read_without_running_it() -> None:
    source = (
        b"def main():\n    p = argparse.ArgumentParser()\n    p.add_argument('-b', '--print-interval', default=100)\n"
        b"    p.add_argument('--BCE', action='store_true')\n    p.add_argument('-n', type=int)\n"
        b"    p.add_argument('file')\n    p.add_argument('--lr', default=float('inf'))\n"
        b"    p.add_argument('-d', dest='depth', default=2)\n"
    )
    assert vars(programs.options(source)) == {
        "print_interval": 100,
        "BCE": False,
        "n": None,
        "file": None,
        "lr": None,
        "depth": 2,
    }
    assert vars(programs.options(b"def (")) == {}
