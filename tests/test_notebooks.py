"""Files under other names, notebooks as modules, and names that a submission declares."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from gengrade.parts import Part, uncopied
from gengrade.sandbox.guest.errors import FAILED, Missing
from graders.adapting import notebooks
from graders.adapting.loading import Modules
from tests.support.notebooks import notebook

PART = Part(
    folder=None,
    files=("vae_solution.py", "utils.py"),
    also={"vae_solution.py": ("vae.py", "*vae*.py", "*.ipynb")},
    beside=True,
)


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    modules, finders = set(sys.modules), list(sys.meta_path)
    yield
    sys.meta_path[:] = finders
    for name in set(sys.modules) - modules:
        if name.startswith("notebook ") or name in {"vae", "vae_solution", "utils", "my_vae"}:
            del sys.modules[name]


def modules_of(folder: Path, **files: str) -> Modules:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return Modules(folder, PART)


def test_a_part_knows_other_names() -> None:
    names = ["My_VAE.py", "vae.py", "vae_solution.ipynb", "utils.py", "vae.ipynb", "notes.txt", "hw.ipynb"]
    found = PART.called("vae_solution.py", names)
    assert found == ["vae_solution.ipynb", "vae.py", "vae.ipynb", "My_VAE.py", "hw.ipynb"]
    assert PART.called("utils.py", names) == ["utils.py"]
    assert PART.called("bmnist.py", ["bmnist.ipynb", "bmnist.py"]) == ["bmnist.py", "bmnist.ipynb"]


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("hw3-Copy1.ipynb", "hw3.ipynb"),
        ("hw3 (1).ipynb", "hw3.ipynb"),
        ("Copy of hw3.ipynb", "hw3.ipynb"),
        ("hw3 - Copy (2).py", "hw3.py"),
        ("hw3 copy 2.py", "hw3.py"),
        ("photocopy.py", "photocopy.py"),
        ("copy.py", "copy.py"),
        ("(1).py", "(1).py"),
        ("hw (1)", "hw (1)"),
    ],
)
def test_copies_are_known_by_their_names(name: str, of: str) -> None:
    assert uncopied(name) == of


def test_a_copy_stands_for_its_file_only_where_that_is_absent() -> None:
    assert PART.called("vae_solution.py", ["vae_solution (1).py", "x.py"]) == ["vae_solution (1).py"]
    assert PART.called("vae_solution.py", ["hw3.ipynb", "hw3-Copy1.ipynb", "VAE_Solution.PY"]) == [
        "VAE_Solution.PY",
        "hw3.ipynb",
    ]
    assert PART.called("utils.py", ["utils.py", "Utils.py"]) == ["utils.py", "Utils.py"]


def test_files_in_other_letters_and_copies_are_imported(tmp_path: Path) -> None:
    (tmp_path / "Vae_Solution.PY").write_text("from utils import HALF\nimport vae\ndef f(): return HALF + vae.x\n")
    (tmp_path / "utils (1).py").write_text("HALF = 0.5")
    (tmp_path / "VAE.py").write_text("x = 1")
    modules = Modules(tmp_path, PART)
    assert modules.find("f", "vae_solution")() == 1.5
    assert modules.find("HALF", "utils") == 0.5
    assert modules.load("utils") is sys.modules["utils"]


def test_another_files_own_name_is_never_taken() -> None:
    part = Part(folder=None, files=("a.py", "b.py"), also={"a.py": ("*.py",)})
    assert part.called("a.py", ["b.py", "c.py"]) == ["c.py"]


def test_a_renamed_file_is_loaded_and_called_what_it_is(tmp_path: Path) -> None:
    modules = modules_of(
        tmp_path, my_vae__py="from utils import HALF\n\ndef f(): return HALF\n", utils__py="HALF = 0.5"
    )
    assert modules.has("vae_solution")
    assert modules.find("f", "vae_solution")() == 0.5
    with pytest.raises(Missing, match=r"^my_vae\.py has no g$"):
        modules.find("g", "vae_solution")


def test_what_is_not_there_is_missing_by_the_hand_outs_name(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"^vae_solution\.py was not handed in$"):
        modules_of(tmp_path).load("vae_solution")


def test_names_are_looked_for_in_all_files_that_may_be_it(tmp_path: Path) -> None:
    modules = modules_of(tmp_path, one__ipynb=notebook("def f(): return 1"), two__ipynb=notebook("def g(): return 2"))
    assert [modules.find(name, "vae_solution")() for name in "fg"] == [1, 2]


def test_definitions_are_kept_and_work_is_not_run(tmp_path: Path) -> None:
    text = notebook(
        "%matplotlib inline\nimport math\nimport os.path as path\n!pip install torch\n",
        "size = 2 * 14 ** 2\nsizes = [size, -1]\na, b = 1, 'two'\nhere = path.join('x', a and b)\nkind: str = 'MLP'\n",
        "class Net:\n    def __init__(self, n=size):\n        self.n = n\n"
        "    def to(self, where):\n        return self\n",
        "def train(net):\n    raise RuntimeError('this takes hours')\n",
        "net = Net(3).to('cpu')\nloss = train(net)\n",
        "train(net)\nfor _ in range(9):\n    loss = 1\n",
        "loss.backward()",
        ["twice = lambda x: 2 * x\n", "size += 1"],
        "if a:\n    flag = math.pi\nelse:\n    flag = None\n",
        "try:\n    import absent_library\nexcept ImportError:\n    absent_library = None\n",
    )
    module = modules_of(tmp_path, homework__ipynb=text).load("vae_solution")
    assert (module.size, module.sizes, module.a, module.b, module.here) == (393, [392, -1], 1, "two", "x/two")
    assert (module.kind, module.Net().n, module.net.n, module.twice(4)) == ("MLP", 392, 3, 8)
    assert module.flag == pytest.approx(3.14159, abs=1e-5)
    assert module.absent_library is None
    assert not hasattr(module, "loss")


def test_work_of_the_students_own_files_is_not_run(tmp_path: Path) -> None:
    helper = "class Net: pass\n\ndef train():\n    raise RuntimeError('hours')\n"
    text = notebook("import utils\nfrom utils import Net, train", "a = utils.train()", "b = train()", "c = Net()")
    module = modules_of(tmp_path, hw__ipynb=text, utils__py=helper).load("vae_solution")
    assert set("abc") & set(vars(module)) == {"c"}
    assert not vars(module)[FAILED]


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("%%time\nx = 1", {"x"}),
        ("%%bash\nx=1", set()),
        ("x = 1\n%timeit y\ny = 2", {"x", "y"}),
        ("files = !ls\nx = 1", {"x"}),
        ("x?\ny = 1", {"y"}),
        ("if True:\n    !ls\nx = 1", {"x"}),
        ("!pip install \\\n  torch \\\n  numpy\nx = 1", {"x"}),
        ("%conda install \\\n  torch\nx = 1", {"x"}),
        ("pip install torch\nx = 1\ncd data", {"x"}),
        ("    x = 1\n    y = 2", {"x", "y"}),
        (">>> x = 1\n>>> def f():\n...     return x\n>>> y = 2", {"x", "y", "f"}),
        ("%time x = 1\ny = 2", {"x", "y"}),
        ("%%writefile notes.txt\nx = 1", set()),
        ("b = np.zeros((2, 2)).reshape(4)", set()),
        ("import numpy as np\nb = np.zeros((2, 2)).reshape(4)\nb = b.reshape(2, 2)", {"np", "b"}),
        ("from numpy.random import rand\nb = rand(3)\nc = b.sum()", {"rand", "b", "c"}),
        ("from functools import partial\nf = partial(int, base=2)\nn = f('10')", {"partial", "f", "n"}),
        ("x = '''\n%not a magic\n'''", {"x"}),
        ("x = ('%d'\n% 1)", {"x"}),
        ("x = input()", set()),
        ("x = open('/etc/passwd').read()", set()),
        ("x = (lambda: 1)()", set()),
        ("x = [print(i) for i in range(3)]", set()),
    ],
)
def test_magics_and_calls(tmp_path: Path, source: str, kept: set[str]) -> None:
    module = modules_of(tmp_path, hw__ipynb=notebook(source)).load("vae_solution")
    assert {name for name in vars(module) if not name.startswith("__")} == kept


def test_a_cell_that_does_not_parse_spoils_only_itself(tmp_path: Path) -> None:
    text = notebook("def f(): return 1", "def g(:\n    return 2", "def h(): return 3")
    modules = modules_of(tmp_path, hw__ipynb=text)
    assert modules.find("f", "vae_solution")() == 1
    assert modules.find("h", "vae_solution")() == 3
    with pytest.raises(SyntaxError) as caught:
        modules.find("g", "vae_solution")
    assert caught.value.filename == f"{tmp_path}/hw.ipynb, cell 2"
    with pytest.raises(Missing, match=r"hw\.ipynb has no k"):
        modules.find("k", "vae_solution")


def test_a_statement_that_does_not_parse_spoils_only_its_names(tmp_path: Path) -> None:
    text = notebook(
        "import math\nTODO: describe the model\n@staticmethod\ndef f(): return math.pi\n\ndef g(:\n    return 2\n"
        "x = (1,\n  2)\n!ls",
        "def h(): return math.tau\ny = g",
    )
    modules = modules_of(tmp_path, hw__ipynb=text)
    assert (
        modules.find("f", "vae_solution")() + modules.find("f", "vae_solution")() == modules.find("h", "vae_solution")()
    )
    with pytest.raises(SyntaxError) as caught:
        modules.find("g", "vae_solution")
    assert (caught.value.filename, caught.value.lineno) == (f"{tmp_path}/hw.ipynb, cell 1", 6)
    with pytest.raises(Missing, match=r"y needs g\. g is not defined here \(SyntaxError"):
        modules.find("y", "vae_solution")


def test_lines_keep_their_numbers(tmp_path: Path) -> None:
    text = notebook("\n!pip install \\\n  torch\n%matplotlib inline\n\ndef f():\n    return 1 / 0")
    with pytest.raises(ZeroDivisionError) as caught:
        modules_of(tmp_path, hw__ipynb=text).find("f", "vae_solution")()
    frame = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (frame.lineno, frame.line) == (7, "return 1 / 0")


def test_a_file_that_the_notebook_writes_can_be_imported(tmp_path: Path) -> None:
    text = notebook(
        "%%writefile my_vae.py\n'not the one beside'\nSIZE = 3\n",
        "%%file -a ./models/net.py\nNET = 4\n",
        "from my_vae import SIZE\nx = SIZE\n",
        "%%writefile json.py\nx = 1",
        "import json\ny = json.dumps(1)",
    )
    module = modules_of(tmp_path, hw__ipynb=text, utils__py="SIZE = 5").load("vae_solution")
    assert (module.x, module.y) == (3, "1")


def test_a_file_that_the_notebook_runs_gives_its_names(tmp_path: Path) -> None:
    text = notebook("%run utils.py", "%run ./zeta.ipynb", "x = n + m")
    module = modules_of(tmp_path, hw__ipynb=text, utils__py="n = 1", zeta__ipynb=notebook("m = 2\nfor i in m: pass"))
    assert module.load("vae_solution").x == 3
    del sys.modules["zeta"]


def test_the_first_reason_for_a_missing_name_is_kept(tmp_path: Path) -> None:
    text = notebook("import absent_library\ngen = absent_library.Net()\ngen = gen.eval()\ngen = gen.cpu()")
    with pytest.raises(ModuleNotFoundError, match="absent_library"):
        modules_of(tmp_path, hw__ipynb=text).find("gen", "vae_solution")


def test_what_a_definition_needs_is_made_by_the_students_own_functions(tmp_path: Path) -> None:
    text = notebook(
        "def sizes(): return 3, 4\ndef train(): step()\ndef data(): raise OSError('no network')",
        "a, b = sizes()\nd = data()\ne = train()",
        "class Net:\n    n = a * b",
        "class Other:\n    n = d",
    )
    modules = modules_of(tmp_path, hw__ipynb=text)
    assert modules.find("Net", "vae_solution").n == 12
    assert modules.find("a", "vae_solution") == 3
    with pytest.raises(Missing, match=r"Other needs d\. d is computed in hw\.ipynb, cell 2"):
        modules.find("Other", "vae_solution")
    with pytest.raises(Missing, match=r"e is computed in hw\.ipynb, cell 2"):
        modules.find("e", "vae_solution")


def test_a_statement_that_fails_spoils_only_its_names(tmp_path: Path) -> None:
    text = notebook("import absent_library as lib\nx = 1\ny = lib.thing()", "z = 1 / 0")
    modules = modules_of(tmp_path, hw__ipynb=text)
    assert modules.find("x", "vae_solution") == 1
    with pytest.raises(ModuleNotFoundError):
        modules.find("lib", "vae_solution")
    with pytest.raises(ZeroDivisionError):
        modules.find("z", "vae_solution")


def test_what_lacks_a_name_says_which_was_lacking_first(tmp_path: Path) -> None:
    text = notebook(
        "import absent_library as lib\nx = 1\ndata = lib.load()\nN, H = data.shape\nD = H * x",
        "def train():\n    while True:\n        loss.backward()",
        "class Net:\n    def __init__(self, n=D): pass",
        "k = train()\nm = k + 1\nr = 1 / 0\ns = r + 1",
        "import json\ntext = json.loads('{')\nsize = text['n']\nclass Other:\n    n = size",
    )
    modules = modules_of(tmp_path, hw__ipynb=text)
    with pytest.raises(ModuleNotFoundError, match="absent_library"):  # the same outcome as for `lib` itself
        modules.find("Net", "vae_solution")
    needs = r"Other needs size\. size needs text\. text is not defined here \(JSONDecodeError"
    for name, says in (
        ("Other", needs),
        ("m", r"m needs k\. k is computed in hw\.ipynb, cell 4:"),
        ("k", "k is computed"),
        ("s", r"s needs r\. r is not defined here \(ZeroDivisionError"),
    ):
        with pytest.raises(Missing, match=says):
            modules.find(name, "vae_solution")
    with pytest.raises(Missing, match=r"hw\.ipynb has no nothing"):
        modules.find("nothing", "vae_solution")


def test_cells_that_stand_in_another_order_than_they_were_run(tmp_path: Path) -> None:
    text = notebook("y = 2 * x\nz = 0", "class Net(Base): pass", "class Base:\n    n = y", "x = 3", "z = w", "z = 1")
    module = modules_of(tmp_path, hw__ipynb=text).load("vae_solution")
    assert (module.y, module.Net.n, module.z) == (6, 6, 1)


def test_items_of_a_librarys_objects_are_set_and_their_results_have_methods(tmp_path: Path) -> None:
    (tmp_path / "vae.ipynb").write_text(
        notebook(
            "def counted(n): return list(range(n))",
            "numbers = counted(3)",
            "more = [*numbers, 3]",
            "more[0] = 7\ntext = ('a' + 'b').upper()\nsizes = {}\nsizes['z'] = 2",
            "class Own:\n    def __setitem__(self, name, value): raise KeyError\n\nown = Own()\nown['x'] = 1",
        )
    )
    module = notebooks.load(tmp_path / "vae.ipynb")
    assert (module.more, module.text, module.sizes) == ([7, 1, 2, 3], "AB", {"z": 2})
    assert isinstance(module.own, module.Own)


def test_a_librarys_object_is_told_what_it_is_told(tmp_path: Path) -> None:
    text = notebook(
        "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--z', type=int, default=62)",
        "opt = parser.parse_args([])\nargs = parser.parse_args(['--nonsense'])",
        "sizes = []\nsizes.append(opt.z)\nclass Net: pass\nsizes.append(Net())",
        "def train(): return step()\nsizes.append(train)\nstep = loss = None\nsizes.append(len)",
    )
    module = modules_of(tmp_path, hw__ipynb=text).load("vae_solution")
    assert (module.opt.z, module.sizes) == (62, [62, len])
    assert isinstance(vars(module)[FAILED]["args"], RuntimeError)


def test_what_a_function_makes_is_made_when_it_is_asked_for(tmp_path: Path) -> None:
    text = notebook(
        "n = 3\ndef make(k): return [0] * k\ndef helper(x): x.backward()\ndef train(x): return helper(x)",
        "a = make(n + 1)\nb = train(make(2))\nc, d = make(2)",
    )
    module = modules_of(tmp_path, hw__ipynb=text).load("vae_solution")
    assert not {"a", "b", "c", "d"} & set(vars(module))
    assert [notebooks.make(module, name) for name in ("a", "b", "c", "nothing")] == [True, False, True, False]
    assert (module.a, module.d) == ([0] * 4, 0)


def test_tracebacks_name_the_notebook_and_the_cell(tmp_path: Path) -> None:
    modules = modules_of(tmp_path, hw__ipynb=notebook("x = 1", "def f():\n    return 1 / 0"))
    with pytest.raises(ZeroDivisionError) as caught:
        modules.find("f", "vae_solution")()
    frame = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (frame.filename, frame.lineno, frame.line) == (f"{tmp_path}/hw.ipynb, cell 2", 2, "return 1 / 0")


def test_a_name_that_is_defined_anew_can_be_had_as_it_was(tmp_path: Path) -> None:
    first = "class Net(Base):\n    def __init__(self):\n        super(Net, self).__init__()\n        self.n = {}\n"
    text = notebook("class Base: pass", first.format(1), "x = 1", first.format(2))
    path = tmp_path / "hw.ipynb"
    path.write_text(text)
    assert notebooks.defining(path, "Net") == [2, 4]
    assert notebooks.load(path).Net().n == 2
    assert notebooks.load(path, until=4).Net().n == 1


@pytest.mark.parametrize("text", ["", "{}", "not json", '{"cells": 3, "nbformat": 4, "nbformat_minor": 0}', "[" * 9000])
def test_what_is_no_notebook_is_said(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"hw\.ipynb is no notebook"):
        modules_of(tmp_path, hw__ipynb=text).load("vae_solution")


def test_old_notebooks_are_read(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "language": "python", "input": ["x = 1\n", "y = 2"], "outputs": [], "collapsed": False}
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": [cell]}]}
    module = modules_of(tmp_path, hw__ipynb=json.dumps(old)).load("vae_solution")
    assert (module.x, module.y) == (1, 2)


def test_a_notebook_may_have_a_librarys_name(tmp_path: Path) -> None:
    before = sys.modules["json"]
    assert modules_of(tmp_path, json__ipynb=notebook("x = 1")).load("vae_solution").x == 1
    assert sys.modules["json"] is before


def test_the_students_own_words_come_before_the_rubrics(tmp_path: Path) -> None:
    (tmp_path / "grading.yaml").write_text("entry: {generator: Gen}\nweights: {generator: g.pt}\n")
    modules = Modules(tmp_path, PART, {"generator": "Generator", "decoder": "Dec"})
    assert modules.entry == {"generator": "Gen", "decoder": "Dec"}
    assert modules.wishes("weights") == {"generator": "g.pt"}
    assert modules.wishes("else") == {}


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2]",
        "entry: 3",
        "entry: {generator: [1]}",
        "a: b: c",
        "entry: !!python/name:os.system ''",
        "\0",
        "- " * 20000,
    ],
)
def test_other_forms_of_wishes_are_refused_in_words(tmp_path: Path, text: str) -> None:
    (tmp_path / "grading.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"^grading\.yaml"):
        _ = Modules(tmp_path, PART).entry
