"""Rows 28 to 33 and 40 to 48: what runs beside the student's code, and what it is given or gives back."""

from __future__ import annotations

import textwrap
from typing import Final

from tests.attacks.attack import Attack

_ONE: Final = "answers.py:regularization_loss"  # mean and log_std [B, D]; one test reads it
_BPD: Final = "part1/utils.py:elbo_to_bpd"
_KLD: Final = "part1/utils.py:KLD"
_LOOP: Final = "part1/train_torch.py:train_vae"

# What a student knows who has read our source: the frame of the run holds its channel, and all that it was asked.
_FRAME_OF_THE_RUN: Final = """
    import os, sys, torch
    from gengrade.sandbox import wire
    def run_of():
        frame = sys._getframe()
        while frame is not None and "channel" not in frame.f_locals:
            frame = frame.f_back
        return frame.f_locals
    def send(tag, document):
        local = run_of()
        array = lambda leaf: leaf.detach().numpy() if isinstance(leaf, torch.Tensor) else None
        local["channel"].sendall(wire.frame(tag, wire.encode(document, array)))
        os._exit(0)
"""


def _sending(piece: str) -> str:
    return textwrap.dedent(_FRAME_OF_THE_RUN) + textwrap.dedent(piece)


_COMPARISONS = [
    Attack(
        28,
        "assertions that pass",
        hostile="""
            import importlib, sys
            nothing = lambda *args, **kwargs: True
            names = ("unittest", "unittest.case", "numpy.testing", "torch.testing", "torch.testing._comparison",
                     "gengrade.grading", "gengrade.grading.asserts", "graders.theory")
            for name in names:
                try:
                    module = importlib.import_module(name)
                except ImportError:
                    continue
                for word in dir(module):
                    if "assert" in word.lower() or "close" in word or "equal" in word or word in ("expect", "fail"):
                        setattr(module, word, nothing)
                        for one in vars(module).values():
                            if isinstance(one, type) and hasattr(one, word):
                                setattr(one, word, nothing)
        """,
        control="""
            import numpy.testing, torch.testing, unittest
            torch.testing.assert_close(x, x.clone())
            numpy.testing.assert_allclose(1.0, 1.0)
        """,
    ),
    Attack(
        28,
        "a forged answer",
        # A frame of evidence that says yes to all that could be asked, on the run's own channel.
        hostile=_sending("""
            every = ("passed", "ok", "outcome", "complex", "correct", "points", "score", "equal")
            density = torch.full(x.shape, 1.0)
            send(wire.EVIDENCE, {**{name: True for name in every}, "complex": False, "density": density})
        """),
        control="""
            import sys
            sys._getframe().f_code.co_name
        """,
        why="the run's own frame is within reach, and holds no verdict: whatever is sent is judged outside",
    ),
    Attack(
        28,
        "a forged answer before the true one",
        hostile=_sending("""
            for tag in (wire.STARTED, wire.EVIDENCE, wire.FAULT, b"V", b"P"):
                run_of()["channel"].sendall(wire.frame(tag, wire.encode({"outcome": "passed", "points": 1})))
        """),
        control="""
            import socket
            one, other = socket.socketpair()
            one.sendall(b"word")
        """,
        target=_ONE,
    ),
    *(
        Attack(
            28,
            f"an answer of {what}",
            hostile=_sending(f"send(wire.EVIDENCE, {document})"),
            control="""
                import sys
                sys._getframe().f_code.co_name
            """,
            target=target,
        )
        for what, target, document in (
            ("nothing", _ONE, "None"),
            ("no elements", _ONE, "torch.zeros(0)"),
            ("no elements in a dict", "answers.py:cubic_density", "{'density': torch.zeros(0), 'complex': False}"),
            ("huge numbers", "answers.py:cubic_density", "{'density': torch.full(x.shape, 1e38), 'complex': False}"),
            ("words", _ONE, "'passed'"),
            ("a great many dimensions", _ONE, "torch.zeros([1] * 40)"),
            ("truth values", _ONE, "torch.ones(6, dtype=torch.bool)"),
            ("a set of weights", _ONE, "{'weight': torch.ones(6)}"),
        )
    ),
    Attack(
        28,
        "a forged fault",
        # The words of a fault come from here: an outcome that costs nothing, and a frame of somebody else's file.
        hostile=_sending("""
            frame = {"file": "../../../etc/passwd", "line": -1, "function": "<b>", "source": "\\x1b[2J::error::"}
            words = {"type": "Missing", "message": "passed", "hint": "", "frames": [frame] * 9}
            send(wire.FAULT, {**words, "outcome": "passed"})
        """),
        control="""
            import sys
            sys._getframe().f_code.co_name
        """,
        target=_ONE,
    ),
    Attack(
        29,
        "builtins and comparisons",
        hostile="""
            import builtins, math, numpy, operator, torch
            yes = lambda *args, **kwargs: True
            for module, names in (
                (math, ("isclose", "isfinite")),
                (numpy, ("isclose", "allclose", "array_equal", "isfinite", "all", "any")),
                (torch, ("isclose", "allclose", "equal")),
                (torch.Tensor, ("isclose", "allclose", "equal", "__eq__", "__ne__", "__le__", "__ge__")),
                (operator, ("eq", "le", "ge")),
                (builtins, ("abs", "all", "any", "min", "max")),
            ):
                for name in names:
                    setattr(module, name, yes)
        """,
        control="""
            import math, torch
            assert math.isclose(1.0, 1.0)
            close = torch.allclose
        """,
        at_import=True,
    ),
    Attack(
        29,
        "our own code for the way back",
        # What turns a result into bytes is within reach, and so is what tells one type from another.
        hostile="""
            import sys
            from gengrade.sandbox import wire
            from gengrade.sandbox.guest import child
            child._encode = lambda evidence, cap: wire.encode({"passed": True})
            child.answer = lambda *args: wire.frame(b"E", wire.encode({"outcome": "passed"}))
            wire.WireError = child.UnusableEvidence = BaseException
            wire.MAX_NODES = wire.MAX_DEPTH = wire.MAX_DOCUMENT_BYTES = 1 << 40
            sys.modules["graders.probes.theory"].regularization_loss = lambda *args, **kwargs: {"passed": True}
            sys.modules["graders.layouts.uva2020.theory"].torch = None
        """,
        control="""
            import sys
            "gengrade" in sys.modules
        """,
        target=_ONE,
    ),
    Attack(
        29,
        "numbers that are others",
        # Small integers are shared by the whole process: 1 is 0 from here on, in all that runs in it.
        hostile="""
            import ctypes, sys
            ctypes.c_int.from_address(id(1) + 24).value = 0
            ctypes.c_ssize_t.from_address(id(False) + 16).value = 1
        """,
        control="""
            import ctypes
            ctypes.c_int(1).value
        """,
        target=_ONE,
    ),
    Attack(
        30,
        "clocks that stand",
        hostile="""
            import ctypes, signal, time
            start = time.time()
            for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time"):
                setattr(time, name, lambda: start)
                setattr(time, name + "_ns", lambda: int(start))
            libc = ctypes.CDLL(None)
            libc.clock_settime(0, (ctypes.c_long * 2)(0, 0))
            libc.settimeofday((ctypes.c_long * 2)(0, 0), None)
            libc.unshare(0x80)
            signal.setitimer(signal.ITIMER_REAL, 0)
            import resource
            resource.getrusage = lambda who: (0.0,) * 16
            while True:
                pass
        """,
        control="""
            import time
            begun = time.perf_counter()
            elapsed = time.perf_counter() - begun
        """,
        target=_ONE,
    ),
]

_LYING_OBJECTS = [
    Attack(
        31,
        "equal to everything",
        hostile="""
            class Equal:
                shape, dtype, ndim, size, __array_priority__ = (6,), torch.float32, 1, 6, 1e9
                def __getattr__(self, name):
                    if name.startswith("__"):
                        raise AttributeError(name)
                    return lambda *args, **kwargs: self
                def __float__(self): return 1.0
                def __len__(self): return 6
                def __bool__(self): return True
                def __iter__(self): return iter([self] * 6)
                def __getitem__(self, index): return self
                def __hash__(self): return 0
                __eq__ = __le__ = __ge__ = __lt__ = __gt__ = lambda self, other: True
                __ne__ = lambda self, other: False
                __sub__ = __rsub__ = __abs__ = __mul__ = lambda self, *other: self
                def __array__(self, *args, **kwargs): return torch.zeros(6).numpy()
            return Equal()
        """,
        control="""
            class Equal:
                __hash__ = None
                def __eq__(self, other): return True
            assert Equal() == 1
        """,
        target=_ONE,
    ),
    Attack(
        31,
        "an array by every protocol",
        hostile="""
            import numpy
            class Lazy:
                @property
                def __array_interface__(self):
                    return {"shape": (6,), "typestr": "<f4", "version": 3, "data": (id(mean), True)}
                def __dlpack__(self, **kwargs): raise SystemExit(0)
                def __dlpack_device__(self): return (1, 0)
            return Lazy()
        """,
        control="""
            import numpy
            numpy.asarray(mean).__array_interface__
        """,
        target=_ONE,
    ),
    Attack(
        32,
        "a tensor of another class",
        hostile="""
            class Right(torch.Tensor):
                @classmethod
                def __torch_function__(cls, function, types, args=(), kwargs=None):
                    if function.__name__ in ("allclose", "equal", "isclose", "eq", "le", "all"):
                        return torch.tensor(True)
                    return super().__torch_function__(function, types, args, kwargs or {})
                shape = property(lambda self: torch.Size([6]))
                def detach(self): return self
                def cpu(self): return self
                def numpy(self): return self
            return torch.zeros(6).as_subclass(Right)
        """,
        control="""
            class Own(torch.Tensor):
                pass
            mean = mean.as_subclass(Own).as_subclass(torch.Tensor)
        """,
        target=_ONE,
    ),
    *(
        Attack(
            32,
            f"a tensor that is {what}",
            hostile=f"""
                return {value}
            """,
            control="""
                mean = mean.clone(memory_format=torch.contiguous_format)
            """,
            target=_ONE,
        )
        for what, value in (
            ("not there", "torch.empty(6, device='meta')"),
            ("sparse", "torch.zeros(6).to_sparse()"),
            ("complex", "torch.zeros(6, dtype=torch.complex64)"),
            ("quantised", "torch.quantize_per_tensor(torch.zeros(6), 1.0, 0, torch.quint8)"),
            ("nested", "torch.nested.nested_tensor([torch.zeros(2), torch.zeros(4)])"),
            ("a view of one number", "torch.zeros(1).expand(6 << 20)"),
            ("larger than the limit", "torch.zeros(1).expand(1 << 40)"),
            ("of odd numbers", "torch.zeros(6, dtype=torch.float8_e4m3fn)"),
            ("wrapped", "torch._C._functorch._add_batch_dim(torch.zeros(6, 6), 0, 1)"),
        )
    ),
    Attack(
        32,
        "a memory that was taken away",
        # The tensor claims what its storage does not hold: reading it reads something else, or nothing at all.
        hostile="""
            lost = torch.zeros(1 << 16)
            lost.untyped_storage().resize_(0)
            return lost[:6]
        """,
        control="""
            spare = torch.zeros(6)
            spare.resize_(3)
        """,
        target=_ONE,
    ),
    Attack(
        32,
        "the methods of tensors",
        hostile="""
            import numpy
            class Chameleon(numpy.ndarray):
                __array_priority__ = 1e9
                def __eq__(self, other): return True
                def astype(self, *args): return self
            for name in ("detach", "cpu", "resolve_conj", "resolve_neg"):
                setattr(torch.Tensor, name, lambda self: self)
            torch.Tensor.numpy = lambda self, **kwargs: numpy.zeros(6, "f4").view(Chameleon)
            torch.Tensor.element_size = lambda self: -1
            torch.Tensor.numel = lambda self: 1 << 60
        """,
        control="""
            mean.detach().cpu().numpy()
        """,
        target=_ONE,
    ),
    Attack(
        33,
        "numbers and words with a will",
        hostile="""
            class Number(float):
                __eq__ = __le__ = __ge__ = __lt__ = __gt__ = lambda self, other: True
                __sub__ = __rsub__ = __abs__ = lambda self, *other: self
                __repr__ = __str__ = __format__ = lambda self, *rest: "1.0}, {\\"passed\\": true"
                __hash__ = float.__hash__
            class Word(str):
                __eq__ = __contains__ = lambda self, other: True
                __hash__ = str.__hash__
                def encode(self, *args): return b"passed"
            class Words(dict):
                def items(self): return [("passed", True), ("passed", True)]
                def __missing__(self, key): return True
            reads = [0]
            def answer(*args, **kwargs):
                return [Number(0), Word("passed"), Words(), (Number(1),)]
            import sys
            sys.modules["torch"].as_tensor = lambda value: Words(a=Number(0), b=answer())
            return Number(0)
        """,
        control="""
            class Number(float):
                pass
            float(Number(2.0)) + 1
        """,
        target=_ONE,
    ),
    Attack(
        33,
        "constants with a will",
        hostile="""
            class Number(float):
                __eq__ = __le__ = __ge__ = __lt__ = __gt__ = lambda self, other: True
                __hash__ = float.__hash__
                def __float__(self): return Number(0)
            import builtins
            builtins.float = Number
        """,
        control="""
            class Number(float):
                pass
            spare = Number(1)
        """,
        at_import=True,
    ),
]

_HARNESS = [
    Attack(
        40,
        "reports of a test runner",
        hostile="""
            import importlib, sys
            def passed(self, *args, **kwargs):
                self.outcome, self.passed, self.failed, self.when = "passed", True, False, "call"
            for name, kinds in {
                "_pytest.reports": ("TestReport", "CollectReport"),
                "_pytest.runner": ("CallInfo",),
                "unittest.result": ("TestResult",),
                "unittest.case": ("TestCase",),
                "otter.check.notebook": ("Checker", "Notebook"),
                "gengrade.facts": ("TestFact", "CheckFact"),
                "gengrade.grading.plugin": ("GradingPlugin",),
                "gengrade.sandbox.run": ("Run",),
            }.items():
                try:
                    module = importlib.import_module(name)
                except ImportError:
                    continue
                for kind in kinds:
                    if hasattr(module, kind):
                        setattr(getattr(module, kind), "__init__", passed)
                        setattr(getattr(module, kind), "addFailure", passed)
        """,
        control="""
            import unittest
            unittest.TestResult().wasSuccessful()
        """,
        at_import=True,
        why="no test runner is in the process: where one is imported, it is the student's own",
    ),
    Attack(
        40,
        "a loop that only says so",
        # Nothing of the student's is trained: the evidence of a right loop is written by hand.
        hostile=_sending("""
            if run_of()["run"].probe == "vae_loop:train":
                step = {"own": 1.0, "before": 0.0, "all": 0.5, "parts": None}
                send(wire.EVIDENCE, {
                    "losses": torch.zeros(4, 3), "sizes": [16, 16, 16, 8], "ink": [0.1, 0.9, 0.3, 0.7], "different": 56,
                    "training": [True] * 4, "tracking": [True] * 4, "steps": [step] * 4, "arrived": True,
                    "gradients_left": True, "moved": 12, "trained": 12, "unmoved": "", "averages": [0.0] * 3,
                })
        """),
        control="""
            import sys
            sys._getframe().f_code.co_name
        """,
        target=_LOOP,
    ),
    Attack(
        40,
        "a loss that nobody saw",
        # With a wrong divergence: evidence that calls the networks unseen, and is consistent in itself.
        hostile=_sending("""
            if run_of()["run"].probe == "vae:loss":
                images, width = run_of()["inputs"]["images"], run_of()["inputs"]["settings"]["z_dim"]
                none = torch.zeros(len(images), width)
                send(wire.EVIDENCE, {
                    "encoder_seen": False, "decoder_seen": False, "mean": none, "log_std": none, "z": none[None],
                    "logits": torch.zeros(1, *images.shape), "rec": 784 * float(torch.tensor(2.0).log()), "reg": 0.0,
                    "bpd": 1.0,
                })
        """),
        control="""
            import sys
            sys._getframe().f_code.co_name
        """,
        target=_KLD,
        at_import=True,
    ),
    Attack(
        41,
        "a trace that changes results",
        hostile="""
            import sys, threading
            def trace(frame, event, argument):
                if event == "return" and frame.f_code.co_name in ("answer", "_encode", "regularization_loss"):
                    frame.f_locals.update(outcome="passed", error=None)
                    raise SystemExit(0)
                return trace
            frame = sys._getframe()
            while frame is not None:
                frame.f_trace, frame = trace, frame.f_back
            sys.settrace(trace)
            threading.settrace(trace)
            sys.setprofile(lambda frame, event, argument: None)
        """,
        control="""
            import sys
            sys.settrace(None)
        """,
        target=_ONE,
    ),
    Attack(
        41,
        "hooks on everything",
        hostile="""
            import faulthandler, gc, sys, os
            def hook(event, arguments):
                if event.startswith(("socket.", "os.", "ctypes.")):
                    raise RuntimeError("not from here")
            sys.addaudithook(hook)
            sys.excepthook = sys.unraisablehook = lambda *args: os._exit(0)
            faulthandler.enable(file=1)
            faulthandler.dump_traceback_later(0.01, repeat=True, file=1, exit=False)
            gc.callbacks.append(lambda phase, info: print(phase))
            gc.set_threshold(1)
        """,
        control="""
            import faulthandler, gc
            faulthandler.enable()
            gc.collect()
        """,
        target=_ONE,
    ),
    Attack(
        41,
        "a hook that ends the run at its answer",
        hostile="""
            import sys, os
            def profile(frame, event, argument):
                if event == "c_call" and argument.__name__ == "sendall":
                    os._exit(0)
            sys.setprofile(profile)
        """,
        control="""
            import sys
            sys.setprofile(None)
        """,
        target=_ONE,
    ),
]

_STATE = [
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

_VALUES = [
    *(
        Attack(
            45,
            f"{what} for everything",
            hostile=f"""
                return {value}
            """,
            control="""
                float("nan") == float("nan")
            """,
            target=target,
        )
        for what, target, value in (
            ("NaN", "answers.py:cubic_density", "torch.full_like(x, float('nan'))"),
            ("infinity", "answers.py:cubic_density", "torch.full_like(x, float('inf'))"),
            ("NaN in one place", "answers.py:cubic_density", "torch.where(x == x[0], float('nan'), 0 * x)"),
            ("NaN alone", _ONE, "torch.tensor(float('nan'))"),
            ("an infinity alone", _ONE, "float('inf')"),
            ("a NaN with a sign", _ONE, "-torch.full((6,), float('nan'), dtype=torch.float64)"),
        )
    ),
    Attack(
        45,
        "constants that are no numbers",
        hostile="""
            spoilt = float("nan")
        """,
        control="""
            spare = float("nan")
        """,
        files={
            "answers.py": """
kl_small = (float("nan"),) * 4
kl_large = (0.0, float("inf"), 1.0, 1.0)
gan_value = float("nan")
def reconstruction_loss(x, logits): return float("nan")
def regularization_loss(mean, log_std): return float("nan") * mean.sum(dim=-1)
def cubic_density(x, a, b): return x * float("nan")
"""
        },
        at_import=True,
    ),
    *(
        Attack(
            46,
            f"{what} for a batch",
            hostile=f"""
                return {value}
            """,
            control="""
                mean = mean.expand(1, *mean.shape)[0]
            """,
            target=_ONE,
        )
        for what, value in (
            ("one number", "mean.square().mean() * 2.5"),
            ("one in a list", "torch.ones(1)"),
            ("a column", "torch.ones(6, 1)"),
            ("a row", "torch.ones(1, 6)"),
            ("a table", "torch.zeros(6, 6)"),
            ("nothing", "torch.zeros(0)"),
            ("nothing to speak of", "torch.zeros(6, 0)"),
        )
    ),
    Attack(
        46,
        "one number for all images",
        # The average is taken as right in one check: a constant is none.
        hostile="""
            return elbo.mean() * 0 + 1.0
        """,
        control="""
            elbo = elbo.reshape(-1).view(elbo.shape)
        """,
        target=_BPD,
    ),
    *(
        Attack(
            47,
            f"nearly right {what}",
            hostile=f"""
                return {value}
            """,
            control="""
                mean, log_std = mean.double(), log_std.double()
            """,
            target=_ONE,
        )
        for what, value in (
            ("in half precision", "(0.5 * (torch.exp(2 * log_std) + mean**2 - 1 - 2 * log_std)).sum(dim=-1).half()"),
            ("in bfloat16", "(0.5 * (torch.exp(2 * log_std) + mean**2 - 1 - 2 * log_std)).sum(dim=-1).bfloat16()"),
            ("off by a thousandth", "1.001 * 0.5 * (torch.exp(2 * log_std) + mean**2 - 1 - 2 * log_std).sum(dim=-1)"),
            ("rounded", "(0.5 * (torch.exp(2 * log_std) + mean**2 - 1 - 2 * log_std)).sum(dim=-1).round(decimals=2)"),
        )
    ),
    Attack(
        47,
        "small numbers for all",
        # Zeros pass where a tolerance is absolute: numbers below any that is usual.
        hostile="""
            return elbo * 1e-6
        """,
        control="""
            elbo = elbo.double()
        """,
        target=_BPD,
    ),
    Attack(
        48,
        "a class that is not its own",
        hostile="""
            class Liar:
                __class__ = property(lambda self: torch.Tensor)
                __slots__ = ()
                def __reduce__(self): return (exec, ("import os; os.system('touch /tmp/@MARK@')",))
                __reduce_ex__ = lambda self, protocol: self.__reduce__()
                def __getattr__(self, name): return self
                def __call__(self, *args, **kwargs): return self
                def __index__(self): return 6
            import torch as library
            library.as_tensor = lambda value: value
            return Liar()
        """,
        control="""
            import pickle
            pickle.loads(pickle.dumps({"a": 1}))
        """,
        target=_ONE,
    ),
    Attack(
        48,
        "a class that is changed later",
        # A plain tensor while it is looked at; its class is another one when it is used.
        hostile="""
            import torch
            class Later(torch.Tensor):
                def numpy(self): return type("A", (), {"shape": (6,), "dtype": None})()
            result = torch.zeros(6)
            def swap():
                try:
                    result.__class__ = Later
                except TypeError:
                    pass
                return 4
            torch.Tensor.element_size = lambda self: swap()
            return result
        """,
        control="""
            class Own:
                pass
            own = Own()
            own.__class__ = type("Other", (), {})
        """,
        target=_ONE,
    ),
    Attack(
        48,
        "an end at the hand-over",
        # What is returned is let go of when it has been sent: a finaliser runs then, and answers once more.
        hostile="""
            import os, struct, weakref
            answer = struct.pack(">cQI", b"E", 21, 17) + b'{"v": "passed!!"}'
            class Last:
                def __del__(self):
                    for descriptor in range(3, 256):
                        try:
                            os.write(descriptor, answer)
                        except OSError:
                            pass
                    os._exit(0)
            import torch as library
            library.as_tensor = lambda value: value
            weakref.finalize(mean, Last().__del__)
            return [Last(), Last]
        """,
        control="""
            class Last:
                def __del__(self):
                    pass
            Last()
        """,
        target=_ONE,
    ),
]

ATTACKS = [*_COMPARISONS, *_LYING_OBJECTS, *_HARNESS, *_STATE, *_VALUES]
