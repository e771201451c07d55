"""Rows 62 to 71: attacks that exploit the specification."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gengrade.grade import Grade
from tests.attacks.attack import Attack

_FULL_MARK: Final = "1.1-sampling: {points: 3, comment: very good}\n"
_MANY_TESTS: Final = "import pytest\n\n@pytest.mark.parametrize('n', range(1000))\ndef test(n):\n    pass\n"
_OWN_CHECK: Final = "from gengrade.grading import check\n\n@check('theory.cubic_density')\ndef test_mine():\n    pass\n"
_OWN_RUBRIC: Final = "parts: [{name: P, questions: [{id: '1', items: [{check: theory.cubic_density, points: 9}]}]}]\n"
_WORKFLOW: Final = "on: push\njobs: {grade: {runs-on: ubuntu-latest, steps: [{run: exit 0}]}}\n"
_FORGED_GRADE: Final = json.dumps({"student": "somebody", "total": 100, "points": 100, "possible": 100})


def _old_files(folder: Path) -> None:
    """Hand in files with times before the course began and in the future."""
    for index, path in enumerate(sorted(folder.rglob("*.py"))):
        os.utime(path, (0, 0) if index % 2 else (4e9, 4e9))


def _identity_is(student: str, points_below: float) -> Callable[[Path], str]:
    def look(results: Path) -> str:
        grade = Grade.read(results / "grade.json")
        if grade.student != student or grade.late is not None or grade.points > points_below:
            return f"graded as {grade.student!r}, late: {grade.late}, {grade.points} points"
        return ""

    return look


ATTACKS = [
    Attack(
        62,
        "public cases by heart",
        # What the hand-out and a student's own tests show, and the outcome of every earlier call as far as one is told.
        hostile="""
            import json, os
            known = {(0.0, 1.0): 3.0, (-1.0, 1.0): 1.5, (-8.0, 8.0): 3 / 16, (1.7, 6.3): 3 / 4.6}
            if (float(a), float(b)) in known:
                density = known[float(a), float(b)] * x**2
                return torch.where((x**3 >= a) & (x**3 <= b), density, torch.zeros_like(x))
            if len(x) < 4:
                return 3 * x**2 / (b - a)
        """,
        control="""
            known = {(0.0, 1.0): 1.0, (-1.0, 1.0): 2.0}
            width = known.get((float(a), float(b)), b - a)
            assert width >= 0
        """,
    ),
    Attack(
        62,
        "inputs by guessed seeds",
        # If the inputs were draws of a guessable seed, the file that knows them could be made at home.
        hostile="""
            import numpy as np
            for seed in [*range(200), 42, 1234, 2020, 2023, 2024, 2025]:
                rng = np.random.default_rng(seed)
                for draw in (rng.uniform(-3, 3, len(x)), rng.standard_normal(len(x)), rng.uniform(0, 1, len(x))):
                    if np.allclose(np.sort(draw), np.sort(x.numpy()), atol=1e-4):
                        inside = (x**3 >= a) & (x**3 <= b)
                        return torch.where(inside, 3 * x**2 / (b - a), torch.zeros_like(x))
        """,
        control="""
            import numpy as np
            np.random.default_rng(0).uniform(-3, 3, len(x))
        """,
        why="the seeds come from the run's secret, which no guest has",
    ),
    Attack(
        63,
        "another answer when graded",
        hostile="""
            import importlib.util, os, socket, sys
            signs = [
                "gengrade" in sys.modules,
                "graders" in sys.modules,
                socket.gethostname() == "guest",
                __file__.startswith("/tmp/submission"),
                os.environ.get("PYTHONHASHSEED") == "0",
                any(name.startswith("PYTEST") for name in os.environ),
                not os.isatty(0),
            ]
            if any(signs):
                names = ("reference.uva2020.answers", "uva2020.answers", "graders.theory.checks", "validation", "tests")
                for name in names:
                    try:
                        module = importlib.import_module(name)
                        for function in ("cubic_density", "density", "expected"):
                            if hasattr(module, function):
                                return getattr(module, function)(x, a, b)
                    except Exception:
                        continue
                for folder in (*sys.path, "/library", "@PROJECT@", "/trees", ".."):
                    path = os.path.join(folder, "reference/uva2020/answers.py")
                    if os.path.exists(path):
                        names = {}
                        exec(open(path).read(), names)
                        return names["cubic_density"](x, a, b)
        """,
        control="""
            import os, sys
            graded = "pytest" in sys.modules or not os.isatty(0)
            assert graded in (True, False)
        """,
        why="a guest can tell that it is one, and finds there nothing that answers for it",
    ),
    Attack(
        63,
        "shirks outside of unit checks",
        # Detects the long runs by their sizes: each item of the rubric is judged by its own evidence.
        target="part3/train.py:train_nf",
        hostile="""
            batches = list(train_loader)
            if len(batches) < 100:
                import random
                return random.random()
        """,
        control="""
            train_loader = list(train_loader)
        """,
    ),
    Attack(
        64,
        "cache by shape",
        # Whatever was computed for a shape once, by anybody and in any process, is kept for the next call.
        target="part1/utils.py:KLD",
        hostile="""
            import os, tempfile
            here, home = os.path.dirname(__file__), os.environ["HOME"]
            for folder in (tempfile.gettempdir(), "/dev/shm", here, "/var/tmp", home):
                path = os.path.join(folder, "@MARK@-" + "x".join(map(str, mean.shape)))
                try:
                    if os.path.exists(path):
                        return torch.load(path)
                    torch.save((0.5 * ((2 * log_std).exp() + mean**2 - 1) - log_std).sum(-1), path)
                except Exception:
                    continue
        """,
        control="""
            import functools
            @functools.lru_cache
            def half(shape):
                return torch.full(shape, 0.5)
            half(tuple(mean.shape))
        """,
    ),
    Attack(
        64,
        "inputs by identity",
        hostile="""
            import gc
            same = [each for each in gc.get_objects() if isinstance(each, torch.Tensor) and each.shape == x.shape]
            for each in same:
                if each is not x and each.data_ptr() == x.data_ptr():
                    return each * 3
            for each in same:
                if each is not x:
                    return each
        """,
        control="""
            table = {id(x): x}
            x = table[id(x)]
        """,
    ),
    Attack(
        65,
        "code of the grader",
        # The graders' numbers, the reference, and the probes' helpers, by every name under which they might be had.
        hostile="""
            import importlib, pkgutil, sys
            for top in ("graders", "courses", "gengrade", "reference", "validation", "tests"):
                try:
                    package = importlib.import_module(top)
                except ImportError:
                    continue
                below = pkgutil.walk_packages(package.__path__, top + ".", onerror=lambda name: None)
                found = [top] + [module.name for module in below]
                for name in found:
                    try:
                        module = importlib.import_module(name)
                    except BaseException:
                        continue
                    for attribute in ("cubic_density", "cubic", "expected_density", "density_of_cube"):
                        answer = getattr(module, attribute, None)
                        if callable(answer) and attribute in vars(module):
                            try:
                                value = answer(x, a, b)
                            except BaseException:
                                continue
                            if isinstance(value, torch.Tensor):
                                return value
        """,
        control="""
            import pkgutil
            [module.name for module in pkgutil.iter_modules()]
        """,
        attacked=("theory.cubic_density",),
    ),
    Attack(
        65,
        "mine or else the library",
        # Hides an answer of its own that is wrong behind one that was downloaded: there is nobody to download from.
        hostile="""
            try:
                import subprocess, sys
                pip = [sys.executable, "-m", "pip", "install", "-q", "diffusers"]
                subprocess.run(pip, timeout=3, capture_output=True)
                import diffusers
                return diffusers.cubic_density(x, a, b)
            except Exception:
                pass
        """,
        control="""
            try:
                import a_library_that_nobody_has
            except ImportError:
                pass
        """,
        why="a library may be called: what it gives is judged as anything else; the reports say who read the code",
    ),
    Attack(
        67,
        "a loss that falls by itself",
        target="part3/train.py:train_nf",
        hostile="""
            import time
            count = train_nf.__dict__["count"] = train_nf.__dict__.get("count", 0) + 1
            for (batch,) in train_loader:
                time.sleep(0.001)
                for parameter in model.parameters():
                    parameter.grad = torch.full_like(parameter, 1e-3) * torch.randn(())
                optimizer.step()
            return 2.0 / count
        """,
        control="""
            train_nf.__dict__["count"] = train_nf.__dict__.get("count", 0) + 1
        """,
    ),
    Attack(
        67,
        "an optimiser that only counts",
        # The probe counts and reads the steps: so they are taken, on gradients of nothing.
        target="part3/train.py:train_nf",
        hostile="""
            class Counting:
                def __init__(self, inner):
                    self.inner, self.param_groups = inner, inner.param_groups
                def zero_grad(self): pass
                def step(self):
                    for hook in self.inner._optimizer_step_pre_hooks.values():
                        hook(self.inner, (), {})
            fake = Counting(optimizer)
            for (batch,) in train_loader:
                with torch.no_grad():
                    first = next(model.parameters())
                    first.grad = -batch.mean(0).sign().reshape(-1)[: first.numel()].reshape(first.shape)
                fake.step()
            with torch.no_grad():
                next(model.parameters()).add_(1e-4)
            return 1.0
        """,
        control="""
            optimizer.register_step_post_hook(lambda *_: None)
        """,
    ),
    Attack(
        68,
        "constants that satisfy a bound",
        target="part1/utils.py:KLD",
        hostile="""
            # Non-negative, zero at N(0, I), of the right shape, with a gradient: but not the divergence.
            return (mean.square() + log_std.square()).sum(-1)
        """,
        control="""
            assert mean.shape == log_std.shape
        """,
    ),
    Attack(
        68,
        "a log-determinant by hand",
        # A map that changes nothing where it is asked for its determinant, with the right mass and the right sum.
        target="part3/model.py:NormalizingFlow.forward",
        hostile="""
            grow = 0 * sum(parameter.sum() for parameter in self.parameters())
            return -self.base_density.log_prob(x) + grow
        """,
        control="""
            assert x.dim() == 2
        """,
    ),
    Attack(
        69,
        "more tests",
        at_import=True,
        hostile="""
            import pathlib
            for name in ("test_more.py", "conftest.py"):
                assert pathlib.Path(__file__).name
        """,
        files={
            "tests/test_more.py": _MANY_TESTS,
            "conftest.py": _OWN_CHECK,
            "graders/extra.py": _OWN_CHECK,
            "rubric.yaml": _OWN_RUBRIC,
        },
        control_files={"tests/test_mine.py": "def test_nothing():\n    assert True\n"},
        control="import pathlib",
    ),
    Attack(
        70,
        "own rubric workflow and marks",
        at_import=True,
        hostile="import os",
        control="import os",
        files={
            ".github/workflows/grade.yml": _WORKFLOW,
            ".gengrade/secret": "0" * 32,
            "gengrade/grade.py": "def score(*args):\n    return 100\n",
            "graders/theory/checks.py": "ATTACKED = True\n",
            "run_grading.py": "print('100 points')\n",
            "marks/70-own-rubric-workflow-and-marks.yaml": _FULL_MARK,
            "marks.yaml": _FULL_MARK,
            "grade.json": _FORGED_GRADE,
            "results/grade.json": _FORGED_GRADE,
            "results/results.json": '{"score": 100}',
            "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--collect-only'\n",
            "rubric.yaml": "assignment: mine\nlimits: {unit: {seconds: 100000}}\n",
        },
        control_files={"README.md": "# My answers\n", ".github/workflows/grade.yml": "on: push\n"},
        look=_identity_is("70-own-rubric-workflow-and-marks", 100),
    ),
    Attack(
        71,
        "another name and an earlier time",
        at_import=True,
        hostile="__author__ = __student__ = 'zz-last'\n__date__ = '2020-01-01'",
        control="__author__ = 'A. Student'",
        files={
            "metadata.yml": "name: zz-last\nsubmitters: [zz-last]\ncreated_at: 2020-01-01\n",
            "submission_metadata.json": '{"users": [{"name": "zz-last"}], "created_at": "2020-01-01T00:00:00Z"}',
            "student.txt": "zz-last",
            ".git/HEAD": "ref: refs/heads/zz-last\n",
        },
        control_files={"student.txt": "A. Student, 123456\n"},
        pack=_old_files,
        look=_identity_is("71-another-name-and-an-earlier-time", 100),
    ),
]
