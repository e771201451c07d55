"""Changes the surroundings of every course's reference as real students' programs do, and asks that all checks pass.

A surrounding is what stands around the answers in a real hand-in and must not decide about them: parsers at import,
packages, devices, plots in loops, files and folders. Each is applied to all programs of a reference automatically.
"""

from __future__ import annotations

import ast
import atexit
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Final

from validation.journal import Journal, computed
from validation.variants import COURSES
from validation.workbench import Workbench, cells_of, reference_of, with_cells

Edit = Callable[[ast.Module], ast.Module]

_WORDS_OF_LOOPS: Final = ("train", "epoch", "fit")  # of the functions whose loops train


@dataclass(frozen=True, slots=True)
class Crossing:
    """A surrounding, applied to the reference of a course; without a name, the reference itself."""

    course: str
    surrounding: str

    @property
    def key(self) -> str:
        """The name of the crossing in the journal."""
        return f"{self.course}: {self.surrounding}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether all unit checks passed; `problem` names those that did not."""

    passed: bool
    problem: str = ""


# Statements at the beginning of every program.
_PREAMBLES: Final = {
    "a parser at import": """
        import argparse
        _parser = argparse.ArgumentParser(description="options")
        _parser.add_argument("--decay", type=float, default=0.1, help="of the learning rate")
        _parser.add_argument("--verbose", action="store_true")
        OPTIONS = _parser.parse_args()
        DECAY = OPTIONS.decay
    """,
    "absent packages": """
        import pandas as pd
        import kornia, cv2
        from skimage.metrics import structural_similarity
        from datasets.arrow_dataset import Dataset
        class _Frame(pd.DataFrame):
            pass
    """,
    "logging packages": """
        import wandb
        from tensorboardX import SummaryWriter
        from torchsummary import summary
        wandb.init(project="dgm", config={"lr": 1e-3})
        _record = SummaryWriter("runs/a")
    """,
    "files and folders": """
        import os, json
        os.makedirs(os.path.join(os.path.dirname(os.path.abspath(__file__)), "logs"), exist_ok=True)
        os.makedirs("images/epochs", exist_ok=True)
        with open("settings.json", "w") as _file:
            json.dump({"seed": 42}, _file)
        SETTINGS = json.load(open("settings.json"))
        _log = open(os.path.join("logs", "train.log"), "a")
    """,
    "a display": """
        import matplotlib
        matplotlib.use("TkAgg")
        import matplotlib.pyplot as plt
        plt.ion()
        plt.style.use("ggplot")
        _figure, _axes = plt.subplots(2, 2)
        _axes = _axes.reshape(4)
    """,
    "old names": """
        import numpy as np
        from collections import Iterable
        from scipy.misc import imsave, logsumexp
        from torch.autograd import Variable
        ONE = np.float(1) + np.int(0) + np.float_(0)
        TABLE = np.zeros((2, 2), dtype=np.float).reshape(4)
    """,
    "a seed and threads": """
        import random, torch, numpy as np
        random.seed(1), np.random.seed(1), torch.manual_seed(1)
        torch.set_num_threads(4)
        torch.backends.cudnn.deterministic = True
        torch.autograd.set_detect_anomaly(False)
    """,
    "data that is not there": """
        import torchvision
        try:
            _data = torchvision.datasets.MNIST("/content/data", download=False)
        except RuntimeError:
            _data = None
        IMAGES = open("/content/drive/mnist.pkl", "rb").read()
        SIZE_OF_ALL = len(IMAGES)
    """,
}

# Statements at the end of the body of every loop that trains.
_IN_LOOPS: Final = {
    "logging packages": "wandb.log({'loss': 1.0}); _record.add_scalar('loss', 1.0, 1)",
    "files and folders": "_log.write('a step'); torch.save({'a': 1}, 'images/epochs/last.pt')",
    "plots in loops": "plt.figure(); plt.imshow(torch.rand(28, 28)); plt.savefig('a'); plt.show(); plt.close('all')",
    "pictures in loops": "save_image(torch.rand(25, 1, 28, 28), 'images/%d.png' % 1, nrow=5, normalize=True)",
    "printing in loops": "print('[%d/%d] loss %.4f' % (1, 2, 3.0)); sys.stdout.flush()",
}
_FOR_LOOPS: Final = {
    "plots in loops": "import matplotlib.pyplot as plt, torch",
    "pictures in loops": (
        "import os, torch\nfrom torchvision.utils import save_image\nos.makedirs('images', exist_ok=True)"
    ),
    "printing in loops": "import sys",
    "files and folders": "import torch",
}


def _begin(text: str, tree: ast.Module) -> ast.Module:
    """Add statements after the docstring and the imports from `__future__`."""
    place = 0
    for index, statement in enumerate(tree.body):
        future = isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
        documents = index == 0 and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        place = index + 1 if future or documents else place
    tree.body[place:place] = ast.parse(_dedented(text)).body
    return tree


def _dedented(text: str) -> str:
    lines = text.strip("\n").splitlines()
    margin = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[margin:] for line in lines)


class _Loops(ast.NodeTransformer):
    """Adds statements to the end of every loop within a function that trains, and may wrap what it runs over."""

    def __init__(self, text: str, *, bar: bool = False) -> None:
        self._text = text
        self._bar = bar
        self._training = False

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        before, self._training = self._training, _trains(node.name)
        self.generic_visit(node)
        self._training = before
        return node

    def visit_For(self, node: ast.For) -> ast.For:
        self.generic_visit(node)
        if self._training:
            node.body += ast.parse(self._text).body
            if self._bar:
                node.iter = ast.Call(ast.Name("tqdm", ast.Load()), [node.iter], [])
        return node


class _Devices(ast.NodeTransformer):
    """Moves the first argument of every network's forward to a device that is not there."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        names = [argument.arg for argument in node.args.args]
        if node.name == "forward" and len(names) > 1:
            moved = f"if isinstance({names[1]}, torch.Tensor):\n    {names[1]} = {names[1]}.to(DEVICE)"
            start = 1 if ast.get_docstring(node) else 0
            node.body[start:start] = ast.parse(moved).body
        return node


def _devices(name: str, tree: ast.Module) -> ast.Module:
    return _begin(f"import torch\nDEVICE = torch.device({name!r})", _Devices().visit(tree))


def _compiled(tree: ast.Module) -> ast.Module:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            node.decorator_list.append(ast.parse("torch.compile(mode='reduce-overhead')", mode="eval").body)
    return _begin("import torch", tree)


class _Unguarded(ast.NodeTransformer):
    """Lets a program's main block run whenever the program is imported."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        return node.body if "__name__" in ast.unparse(node.test) else node


def _looping(name: str, tree: ast.Module) -> ast.Module:
    tree = _Loops(_IN_LOOPS[name], bar=name == "printing in loops").visit(tree)
    begin = _FOR_LOOPS.get(name, "") + ("\nfrom tqdm import tqdm" if name == "printing in loops" else "")
    return _begin(begin, tree) if begin else tree


def _everything(tree: ast.Module) -> ast.Module:
    for name, edit in _EDITS.items():
        if name not in ("training at import", "everything"):
            tree = edit(tree)
    return tree


def _preamble_and_loops(name: str, tree: ast.Module) -> ast.Module:
    tree = _looping(name, tree) if name in _IN_LOOPS else tree
    return _begin(_PREAMBLES[name], tree) if name in _PREAMBLES else tree


_EDITS: Final[dict[str, Edit]] = {
    **{name: partial(_preamble_and_loops, name) for name in (*_PREAMBLES, *_IN_LOOPS)},
    "an Apple device": partial(_devices, "mps"),
    "a second CUDA device": partial(_devices, "cuda:1"),
    "compiled functions": _compiled,
    "training at import": lambda tree: _Unguarded().visit(tree),
    "everything": _everything,
}


def _edited(edit: Edit, folder: Path) -> None:
    """Apply an edit to all programs of a folder; of a notebook, to the whole of its cells."""
    for path in sorted(folder.rglob("*.py")):
        path.write_text(_text(edit(ast.parse(path.read_text()))))
    for path in sorted(folder.rglob("*.ipynb")):
        cells = cells_of(path.read_text())
        kinds = [cell["cell_type"] for cell in json.loads(path.read_text())["cells"]]
        programs = [index for index, cell in enumerate(cells) if kinds[index] == "code" and _is_python(cell)]
        for index in programs:
            cells[index] = _text(_within(edit, cells[index], first=index == programs[0]))
        path.write_text(with_cells(path.read_text(), cells))


def _is_python(cell: str) -> bool:
    try:
        ast.parse(cell)
    except SyntaxError:  # it holds magics
        return False
    return True


def _within(edit: Edit, cell: str, *, first: bool) -> ast.Module:
    """Return the edited cell; what an edit adds at the beginning of a program stands in the first cell only."""
    added = len(edit(ast.parse("")).body)
    after = edit(ast.parse(cell))
    return after if first else ast.Module(after.body[added:], [])


def _text(tree: ast.Module) -> str:
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def _as_notebooks(folder: Path) -> None:
    """Turn every program into a notebook, with a cell for each statement and with what Colab adds."""
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text()
        lines = text.splitlines(keepends=True)
        statements = ast.parse(text).body
        starts = [
            min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))]) for node in statements
        ]
        ends = [*(start - 1 for start in starts[1:]), len(lines)]
        cells = ["!pip install --quiet \\\n    torch \\\n    torchvision", "%matplotlib inline\n%load_ext autoreload"]
        cells += ["".join(lines[start - 1 : end]) for start, end in zip(starts, ends, strict=True)]
        written = {
            "cells": [
                {"cell_type": "code", "source": cell, "metadata": {}, "outputs": [], "execution_count": None}
                for cell in cells
            ],
            "metadata": {},
            "nbformat": 4,
            "nbformat_minor": 4,
        }
        path.with_suffix(".ipynb").write_text(json.dumps(written))
        path.unlink()


def _renamed(folder: Path) -> None:
    """Give files the names that downloads and copies have."""
    for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.ipynb")]):
        path.rename(path.with_name(f"{path.stem} (1){path.suffix}"))


def _in_a_package(folder: Path) -> None:
    """Make packages of all folders, whose programs import each other by relative imports."""
    for path in sorted(folder.rglob("*.py")):
        beside = {other.stem for other in path.parent.glob("*.py")}
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module in beside:
                node.level = 1
        path.write_text(_text(tree))
    for place in {path.parent for path in folder.rglob("*.py")}:
        (place / "__init__.py").write_text("")


class _Requiring(ast.NodeTransformer):
    """Gives functions and constructors a first parameter that the assignment does not have, and calls its value."""

    def __init__(self, names: set[str]) -> None:
        self._names = names

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        if node.name in self._names:
            node.args.args.insert(0, ast.arg("settings"))
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self.generic_visit(node)
        for each in node.body if node.name in self._names else ():
            if isinstance(each, ast.FunctionDef) and each.name == "__init__":
                each.args.args.insert(1, ast.arg("settings"))
        return node

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in self._names:
            node.args.insert(0, ast.parse("dict(width=2 ** 7)", mode="eval").body)
        return node


def _with_parameters(folder: Path) -> None:
    """Add a required parameter to the loops and networks that a folder's own programs call."""
    trees = {path: ast.parse(path.read_text()) for path in sorted(folder.rglob("*.py"))}
    for place in {path.parent for path in trees}:
        inside = {path: tree for path, tree in trees.items() if path.parent == place}
        nodes = [node for tree in inside.values() for node in ast.walk(tree)]
        called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
        loops = {node.name for node in nodes if isinstance(node, ast.FunctionDef) and _trains(node.name)}
        networks = {node.name for node in nodes if isinstance(node, ast.ClassDef) and _is_network(node)}
        for path, tree in inside.items():
            path.write_text(_text(_Requiring(called & (loops | networks)).visit(tree)))


def _trains(name: str) -> bool:
    return any(word in name for word in _WORDS_OF_LOOPS)


def _is_network(node: ast.ClassDef) -> bool:
    makes = any(isinstance(each, ast.FunctionDef) and each.name == "__init__" for each in node.body)
    return makes and any("Module" in ast.unparse(base) for base in node.bases)


_CHANGES: Final[dict[str, Callable[[Path], None]]] = {
    **{name: partial(_edited, edit) for name, edit in _EDITS.items()},
    "notebooks": _as_notebooks,
    "names of copies": _renamed,
    "relative imports": _in_a_package,
    "required parameters": _with_parameters,
}
SURROUNDINGS: Final = tuple(_CHANGES)


def crossings() -> Iterator[Crossing]:
    """Yield all surroundings of all courses."""
    yield from (Crossing(course, name) for course in COURSES for name in SURROUNDINGS)


def changed(crossing: Crossing, folder: Path) -> Path:
    """Return the new folder `folder`, with the reference of the course in these surroundings."""
    shutil.copytree(reference_of(crossing.course), folder, ignore=shutil.ignore_patterns("__pycache__"))
    _CHANGES[crossing.surrounding](folder)
    return folder


def judge(bench: Workbench, crossing: Crossing, folder: Path) -> Verdict:
    """Grade a crossing, which is made in the new folder `folder`, by all unit checks of its course."""
    facts = bench.failing(changed(crossing, folder), "")
    return Verdict(not facts, "; ".join(f"{id_}: {fact.decisive.message}" for id_, fact in facts.items()))


def survey(journal: Journal, jobs: int, watch: Callable[[int, int], None]) -> dict[Crossing, Verdict]:
    """Grade all crossings behind the real wall, in `jobs` processes; results in the journal are not computed again."""
    return computed(crossings(), _in_process, Verdict, journal, jobs, watch)


def _in_process(crossing: Crossing) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="gengrade-") as folder:
        return judge(_bench(crossing.course), crossing, Path(folder) / "changed")


@cache
def _bench(course: str) -> Workbench:
    folder = tempfile.TemporaryDirectory(prefix="gengrade-")
    atexit.register(folder.cleanup)
    bench = Workbench(Path(folder.name), course=course)
    atexit.register(bench.sandbox.close)
    return bench
