"""Rows 1 to 6 and 13: attacks by exits, by control flow, and by code that never ends."""

from __future__ import annotations

from typing import Final

from tests.attacks.attack import Attack

# One test reads it, so that an attack that ends at the limit of time costs that once.
ONCE: Final = "answers.py:regularization_loss"

# Honest shapes of what processes do to each other.
CHILD: Final = """
    import os
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
"""
THREAD: Final = """
    import threading
    thread = threading.Thread(target=print)
    thread.start()
    thread.join()
"""
PATIENCE: Final = """
    import time
    time.sleep(0.5)
"""
_HANDLERS: Final = """
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
"""

_EXITS = [
    Attack(
        1,
        "exit in a call",
        hostile="""
            import os
            os._exit(0)
        """,
        control="""
            import os
            os.getpid()
        """,
    ),
    Attack(
        1,
        "exit at import after a results file",
        hostile="""
            import json, os
            for folder in (".", "..", "/tmp", os.path.dirname(__file__), "@OUT@", "@CLASS@"):
                for name in ("results.json", "grade.json", "facts.json", "@MARK@.json"):
                    try:
                        with open(os.path.join(folder, name), "w") as file:
                            json.dump({"score": 100, "outcome": "passed", "checks": {}}, file)
                    except OSError:
                        pass
            print("all tests passed", flush=True)
            os._exit(0)
        """,
        control="""
            import json, tempfile
            with tempfile.TemporaryFile("w") as file:
                json.dump({"seen": True}, file)
        """,
        at_import=True,
    ),
    Attack(
        1,
        "exit by a system call of its own",
        hostile="""
            import ctypes
            ctypes.CDLL(None).syscall(231, 0)
        """,
        control="""
            import ctypes
            ctypes.CDLL(None).getpid()
        """,
    ),
    Attack(
        1,
        "another program in its place",
        hostile="""
            import fcntl, os
            for descriptor in range(3, 256):  # so that it holds the run's channel, and is as silent as a success
                try:
                    fcntl.fcntl(descriptor, fcntl.F_SETFD, 0)
                except OSError:
                    pass
            os.execv("/bin/true", ["true"])
        """,
        control="""
            import subprocess
            subprocess.run(["/bin/true"], check=True)
        """,
    ),
    Attack(
        2,
        "exit by exception at import",
        hostile="""
            import sys
            sys.exit(0)
        """,
        control="""
            import sys
            sys.argv
        """,
        at_import=True,
    ),
    Attack(
        2,
        "an exit that lies about itself",
        # Its name, its words and its class are asked for while the fault is reported.
        hostile="""
            import builtins
            class Text(str):
                def replace(self, *args): return self
                def __getitem__(self, index): return self
                def __contains__(self, word): raise SystemExit(0)
            class Meta(type):
                __name__ = property(lambda cls: Text("Missing"))
                __module__ = property(lambda cls: [])
            class Passed(SystemExit, metaclass=Meta):
                code = 0
                __class__ = property(lambda self: AssertionError)
                __traceback__ = property(lambda self: None)
                def __str__(self): return Text("passed")
            raise Passed(0)
        """,
        control="""
            class Own(ValueError):
                pass
            try:
                raise Own("a word")
            except Own:
                pass
        """,
    ),
    Attack(
        3,
        "a skipped test",
        hostile="""
            try:
                from _pytest.outcomes import Skipped
            except ImportError:
                from unittest import SkipTest as Skipped
            raise Skipped("not here")
        """,
        control="""
            import unittest
            unittest.SkipTest("named only")
        """,
    ),
    Attack(
        3,
        "a skipped module",
        hostile="""
            try:
                import pytest
            except ImportError:
                import unittest
                raise unittest.SkipTest("not here")
            pytest.skip("not here", allow_module_level=True)
        """,
        control="""
            import unittest
        """,
        at_import=True,
    ),
    Attack(
        3,
        "a session that ends",
        hostile="""
            try:
                import pytest
            except ImportError:
                raise StopIteration from None
            pytest.exit("all is well", returncode=0)
        """,
        control="""
            next(iter([1]))
        """,
    ),
    *(
        Attack(
            4,
            f"{name} from a call",
            hostile=f"""
                {raised}
            """,
            control="""
                try:
                    raise KeyboardInterrupt
                except BaseException:
                    pass
            """,
            target=ONCE,
        )
        for name, raised in (
            ("KeyboardInterrupt", "raise KeyboardInterrupt"),
            ("GeneratorExit", "raise GeneratorExit"),
            ("CancelledError", "import asyncio; raise asyncio.CancelledError"),
            ("interrupt_main", "import _thread, time; _thread.interrupt_main(); time.sleep(0.1)"),
            ("SIGINT", "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(0.1)"),
        )
    ),
    Attack(
        4,
        "KeyboardInterrupt at import",
        hostile="""
            raise KeyboardInterrupt
        """,
        control="""
            try:
                raise KeyboardInterrupt
            except KeyboardInterrupt:
                pass
        """,
        at_import=True,
    ),
]

_LOOPS = [
    Attack(
        5,
        "a loop that swallows everything",
        hostile="""
            import time
            while True:
                try:
                    time.sleep(60)
                except BaseException:
                    pass
        """,
        control=PATIENCE,
        target=ONCE,
    ),
    Attack(
        5,
        "an answer after the limit",
        # The right answer, but later than the clock allows.
        hostile="""
            import time
            end = time.monotonic() + 30
            while time.monotonic() < end:
                try:
                    time.sleep(1)
                except BaseException:
                    pass
            return 0.5 * (torch.exp(2 * log_std) + mean**2 - 1 - 2 * log_std).sum(dim=-1)
        """,
        control=PATIENCE,
        target=ONCE,
    ),
    Attack(
        6,
        "a call that holds the interpreter",
        hostile="""
            import ctypes
            while True:
                ctypes.PyDLL(None).sleep(60)
        """,
        control="""
            import ctypes
            ctypes.PyDLL(None).usleep(1000)
        """,
        target=ONCE,
    ),
    Attack(
        6,
        "an expression that never matches",
        hostile="""
            import re
            re.match("(a+)+$", "a" * 64 + "b")
        """,
        control="""
            import re
            re.match("(a+)+$", "a" * 64)
        """,
        target=ONCE,
    ),
    Attack(
        6,
        "a number that is never done",
        hostile="""
            9 ** 9 ** 9
        """,
        control="""
            9 ** 9
        """,
        target=ONCE,
        at_import=True,
        attacked=("theory.",),
    ),
    Attack(
        13,
        "deaf to signals",
        hostile="""
            import ctypes, signal
            ctypes.CDLL(None).prctl(15, b"@MARK@", 0, 0, 0)
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
            for number in range(1, signal.NSIG):
                try:
                    signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError):
                    pass
            while True:
                pass
        """,
        control=_HANDLERS,
        target=ONCE,
    ),
    Attack(
        13,
        "stopped by itself",
        hostile="""
            import ctypes, os, signal
            ctypes.CDLL(None).prctl(15, b"@MARK@", 0, 0, 0)
            while True:
                os.kill(os.getpid(), signal.SIGSTOP)
        """,
        control=_HANDLERS,
        target=ONCE,
    ),
    Attack(
        13,
        "asleep in the kernel behind a child",
        # The parent of a vfork waits in the kernel until its child has gone.
        hostile="""
            import ctypes
            libc = ctypes.PyDLL(None)
            libc.prctl(15, b"@MARK@", 0, 0, 0)
            if libc.vfork() == 0:
                while True:
                    libc.sleep(60)
        """,
        control=CHILD,
        target=ONCE,
    ),
]

ATTACKS = [*_EXITS, *_LOOPS]
