"""Rows 28 to 30, 40 and 41: attacks on comparing answers, measuring time, reporting, and sending answers."""

from __future__ import annotations

import textwrap
from typing import Final

from tests.attacks.attack import Attack

_ONE: Final = "answers.py:regularization_loss"  # mean and log_std [B, D]; one test reads it
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
    def probe():
        found = run_of()["own"].probe  # the function of ours that the run calls
        where = found.__module__.removeprefix("graders.").removesuffix(".probes").replace("_probes", "")
        return f"{where}:{found.__name__}"
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
                     "gengrade.grading", "gengrade.grading.asserts", "graders.theory.checks")
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
            names = {}
            exec("def encode(evidence, cap): return wire.encode({'passed': True})", names)
            child._encode.__code__ = names["encode"].__code__  # whoever called us has the function in hand already
            child.answer = lambda *args: wire.frame(b"E", wire.encode({"outcome": "passed"}))
            wire.WireError = child.UnusableEvidence = BaseException
            wire.MAX_NODES = wire.MAX_DEPTH = wire.MAX_DOCUMENT_BYTES = 1 << 40
            sys.modules["graders.theory.probes"].regularization_loss = lambda *args, **kwargs: {"passed": True}
            sys.modules["courses.uva2020.adapters.theory"].torch = None
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
            if probe() == "vae.loop:train":
                step = {"own": 1.0, "before": 0.0, "all": 0.5, "parts": None}
                send(wire.EVIDENCE, {
                    "losses": torch.zeros(4, 3), "sizes": [128, 128, 128, 64], "ink": [0.1, 0.9, 0.3, 0.7],
                    "different": 448, "modal": False, "left_in_training": True,
                    "training": [True] * 4, "tracking": [True] * 4, "steps": [step] * 4, "arrived": True,
                    "gradients_left": True, "moved": 12, "trained": 12, "unmoved": "", "averages": [0.0] * 3,
                    "images": run_of()["inputs"]["images"].flatten(1),
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
            if probe() == "vae:loss":
                images, width = run_of()["inputs"]["images"], run_of()["inputs"]["settings"]["z_dim"]
                none = torch.zeros(len(images), width)
                send(wire.EVIDENCE, {
                    "encoder_seen": False, "decoder_seen": False, "mean": none, "log_std": none, "z": none[None],
                    "logits": torch.zeros(1, *images.shape), "rec": 784 * float(torch.tensor(2.0).log()), "reg": 0.0,
                    "bpd": 1.0, "shown": torch.zeros(0, 784),
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

ATTACKS = [*_COMPARISONS, *_HARNESS]
