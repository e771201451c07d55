"""Rows 42 to 44: attacks by what a run leaves behind, changes concurrently, or finds in memory."""

from __future__ import annotations

from typing import Final

from tests.attacks.attack import Attack

_ONE: Final = "answers.py:regularization_loss"  # mean and log_std [B, D]; one test reads it

ATTACKS = [
    Attack(
        42,
        "a state left behind",
        hostile="""
            import builtins, gc, locale, os, random, sys, numpy, torch
            torch.set_default_dtype(torch.float16)
            torch._C._set_grad_enabled(False)
            torch.use_deterministic_algorithms(True)
            torch.set_flush_denormal(True)
            torch.manual_seed = random.seed = numpy.random.seed = lambda *args: None
            torch.nn.Module.__call__ = lambda self, *args, **kwargs: args[0]
            torch.optim.Optimizer.step = torch.Tensor.backward = lambda *args, **kwargs: None
            torch.nn.functional.binary_cross_entropy_with_logits = lambda *args, **kwargs: torch.zeros(())
            builtins.print = builtins.open = lambda *args, **kwargs: None
            sys.setrecursionlimit(60)
            numpy.seterr(all="raise")
            os.environ.update(OMP_NUM_THREADS="64", PYTHONHASHSEED="0", PYTHONPATH="/tmp")
            os.umask(0o777)
            os.nice(19)
            gc.disable()
            sys.path[:] = sys.meta_path[:] = []
        """,
        control="""
            import random, torch
            torch.set_default_dtype(torch.float32)
            torch.set_num_threads(1)
            random.seed(1)
        """,
        at_import=True,
    ),
    Attack(
        42,
        "files left behind",
        # In every place that may outlive the run: something that a later one would import or read.
        hostile="""
            import os, sys, sysconfig, tempfile
            code = "raise SystemExit('@MARK@')"
            places = {
                tempfile.gettempdir(), os.getcwd(), os.path.expanduser("~"), os.path.dirname(__file__),
                os.environ.get("TORCH_HOME", "."), os.environ.get("XDG_CACHE_HOME", "."),
                "/tmp", "/dev/shm", "/var/tmp",
                *sys.path, sysconfig.get_paths()["purelib"], os.path.dirname(torch.__file__),
            }
            for place in places:
                for name in ("sitecustomize.py", "numpy.py", "@MARK@.pth", "__pycache__/@MARK@.pyc", "@MARK@.py"):
                    try:
                        os.makedirs(os.path.dirname(os.path.join(place, name)), exist_ok=True)
                        with open(os.path.join(place, name), "x") as file:
                            file.write(code)
                    except OSError:
                        pass
        """,
        control="""
            import os, tempfile
            with open(os.path.join(tempfile.mkdtemp(), "own.py"), "w") as file:
                file.write("pass")
        """,
        target=_ONE,
    ),
    Attack(
        43,
        "inputs changed in place",
        # Where everything lies outside the support, a density of zero is right.
        hostile="""
            x.fill_(1e9)
            import gc, torch
            for other in gc.get_objects():
                if type(other) is torch.Tensor and other.shape == x.shape:
                    other.detach().fill_(1e9)
        """,
        control="""
            x = x.clone()
            x.add_(1).sub_(1)
            x = x.clone()
        """,
    ),
    Attack(
        43,
        "inputs changed where they came from",
        hostile="""
            import gc, sys
            import numpy
            frame = sys._getframe()
            while frame is not None:
                for value in list(frame.f_locals.values()):
                    for each in value.values() if isinstance(value, dict) else [value]:
                        if isinstance(each, numpy.ndarray):
                            each.flags.writeable = True
                            each[...] = 0
                        if isinstance(each, torch.Tensor):
                            each.detach().zero_()
                frame = frame.f_back
        """,
        control="""
            mean = mean.clone()
            mean.mul_(2).div_(2)
        """,
        target=_ONE,
    ),
    Attack(
        44,
        "memory that held the answer",
        # The likeliest of many pieces of memory that nobody has written to.
        hostile="""
            import ctypes, gc
            gc.collect()
            wanted = 0.5 * (mean**2).sum(dim=-1)
            found = [torch.empty(6) for _ in range(2000)] + [torch.empty(6 + n)[:6] for n in range(500)]
            found += [torch.empty(6, dtype=torch.float64).float() for _ in range(500)]
            good = [each for each in found if bool(torch.isfinite(each).all()) and bool((each > 0).all())]
            likeness = lambda each: float((each - wanted).abs().sum())
            return min(good, key=likeness, default=torch.empty(6)).clone()
        """,
        control="""
            spare = torch.empty(6)
            spare.zero_()
        """,
        target=_ONE,
        why="no right answer is ever in the process, so that no memory of it can hold one",
    ),
]
