"""Rows 1 to 13: exits, control flow, and what outlives its call."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.attacks.attack import Attack

# One test reads it, so that an attack that ends at the limit of time costs that once.
_ONE: Final = "answers.py:regularization_loss"

_CHILD: Final = """
    import os
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
"""
_THREAD: Final = """
    import threading
    thread = threading.Thread(target=print)
    thread.start()
    thread.join()
"""
_PATIENCE: Final = """
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
            for folder in (".", "..", "/tmp", "/submission", os.path.dirname(__file__), "@OUT@", "@CLASS@"):
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
            target=_ONE,
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
        control=_PATIENCE,
        target=_ONE,
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
        control=_PATIENCE,
        target=_ONE,
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
        target=_ONE,
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
        target=_ONE,
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
        target=_ONE,
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
        target=_ONE,
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
        target=_ONE,
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
        control=_CHILD,
        target=_ONE,
    ),
]

# Every bomb ends by itself after a minute: a wall with a hole in it must not cost the machine.
_BOMBS = [
    Attack(
        7,
        "fork bomb",
        hostile="""
            import ctypes, os, time
            ctypes.CDLL(None).prctl(15, b"@MARK@", 0, 0, 0)
            end = time.time() + 60
            while time.time() < end:
                try:
                    os.fork()
                except OSError:
                    time.sleep(0.01)
            os._exit(0)
        """,
        control=_CHILD,
    ),
    Attack(
        7,
        "thread bomb",
        hostile="""
            import ctypes, threading, time
            ctypes.CDLL(None).prctl(15, b"@MARK@", 0, 0, 0)
            threading.stack_size(1 << 15)
            end = time.time() + 60
            def burn():
                while time.time() < end:
                    try:
                        threading.Thread(target=burn).start()
                    except RuntimeError:
                        time.sleep(0.01)
            burn()
        """,
        control=_THREAD,
        target=_ONE,
    ),
    Attack(
        7,
        "fork bomb that scatters",
        # Each has a session of its own, and the one that began it returns as if nothing were.
        hostile="""
            import ctypes, os, time
            end = time.time() + 60
            if os.fork() == 0:
                ctypes.CDLL(None).prctl(15, b"@MARK@", 0, 0, 0)
                while time.time() < end:
                    try:
                        if os.fork() == 0:
                            os.setsid()
                            ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
                            if os.fork():
                                os._exit(0)
                    except OSError:
                        time.sleep(0.01)
                os._exit(0)
        """,
        control=_CHILD,
        target=_ONE,
    ),
    Attack(
        7,
        "rabbits",
        # Sixteen lines of processes that live for a millisecond each: few at once, and nowhere when they are shot at.
        hostile="""
            import subprocess, sys
            code = '''
            import ctypes, os, time
            ctypes.CDLL(None).prctl(15, b"@MARK@", 0, 0, 0)
            end = time.time() + 60
            for _ in range(16):
                if os.fork() == 0:
                    os.setsid()
                    while time.time() < end:
                        try:
                            if os.fork():
                                os._exit(0)
                        except OSError:
                            pass
                    os._exit(0)
            '''
            import textwrap
            subprocess.run([sys.executable, "-IS", "-c", textwrap.dedent(code)])
        """,
        control="""
            import subprocess, sys
            subprocess.run([sys.executable, "-IS", "-c", "print(1)"])
        """,
        target=_ONE,
    ),
    Attack(
        7,
        "bomb of a shell",
        # At most 2,047 processes, should nothing stop it.
        hostile="""
            import subprocess, time
            bomb = 'bomb() { if [ $1 -lt 10 ]; then bomb $(($1+1)) "$2" & bomb $(($1+1)) "$2" & fi; sleep 60; }; bomb 0'
            subprocess.Popen(["sh", "-c", bomb, "@MARK@"], start_new_session=True)
            time.sleep(2)
        """,
        control="""
            import subprocess
            subprocess.run(["sh", "-c", "true & wait"], check=True)
        """,
        target=_ONE,
    ),
    Attack(
        7,
        "fork bomb at import",
        hostile="""
            import ctypes, os, time
            ctypes.CDLL(None).prctl(15, b"@MARK@", 0, 0, 0)
            end = time.time() + 60
            while time.time() < end:
                try:
                    if os.fork() == 0:
                        os.setpgid(0, 0)
                except OSError:
                    pass
            os._exit(0)
        """,
        control=_CHILD,
        target=_ONE,
        at_import=True,
    ),
]

_REMAINS = [
    Attack(
        8,
        "daemon",
        hostile="""
            import ctypes, os, time
            if os.fork() == 0:
                os.setsid()
                ctypes.CDLL(None).prctl(15, b"@MARK@", 0, 0, 0)
                if os.fork() == 0:
                    time.sleep(2)
                    for folder in ("/tmp", "/dev/shm", "@HOME@", "@OUT@"):
                        try:
                            open(folder + "/@MARK@", "w")
                        except OSError:
                            pass
                    time.sleep(600)
                os._exit(0)
        """,
        control=_THREAD,
    ),
    Attack(
        8,
        "daemon beside its parent",
        # With CLONE_PARENT the new process is its parent's sister, and a subreaper takes in its own orphans.
        hostile="""
            import ctypes, os, time
            libc = ctypes.CDLL(None)
            if libc.syscall(56, 0x8000 | 17, 0, 0, 0, 0) == 0:
                os.setsid()
                libc.prctl(36, 1, 0, 0, 0)
                libc.prctl(15, b"@MARK@", 0, 0, 0)
                if os.fork() == 0:
                    os.setpgid(0, 0)
                    if os.fork():
                        os._exit(0)
                time.sleep(600)
                os._exit(0)
        """,
        control=_CHILD,
        target=_ONE,
    ),
    Attack(
        8,
        "another program as a daemon",
        hostile="""
            import subprocess
            subprocess.Popen(
                ["sh", "-c", "trap '' HUP INT TERM QUIT; (sleep 2; touch /tmp/@MARK@ /dev/shm/@MARK@; sleep 600) &"],
                start_new_session=True, close_fds=False,
            )
        """,
        control="""
            import subprocess
            subprocess.run(["sh", "-c", "sleep 0.1 &"], start_new_session=True, check=True)
        """,
        target=_ONE,
    ),
    Attack(
        9,
        "results rewritten at the end",
        hostile="""
            import atexit, glob, os, sys, threading, time, weakref
            def rewrite(*_):
                for name in glob.glob("@OUT@/**/*.json", recursive=True) + ["@OUT@/@MARK@.json"]:
                    try:
                        with open(name, "w") as file:
                            file.write('{"points": 100}')
                    except OSError:
                        pass
            def wait():
                while True:
                    rewrite()
                    time.sleep(0.05)
            atexit.register(rewrite)
            weakref.finalize(sys, rewrite)
            os.register_at_fork(after_in_child=rewrite)
            threading.Thread(target=wait).start()
        """,
        control="""
            import atexit
            atexit.register(print, "the end")
        """,
        target=_ONE,
    ),
    Attack(
        9,
        "a process that does not end",
        # Without its exit the run goes on in the code that forked it.
        hostile="""
            import os, sys
            os._exit = sys.exit = lambda *_: None
        """,
        control="""
            import os
            leave = os._exit
        """,
        target=_ONE,
    ),
    Attack(
        10,
        "the pipes held open",
        hostile="""
            import ctypes, os, time
            if os.fork() == 0:
                os.setsid()
                ctypes.CDLL(None).prctl(15, b"@MARK@", 0, 0, 0)
                time.sleep(600)
            os._exit(0)
        """,
        control=_CHILD,
        target=_ONE,
    ),
    Attack(
        10,
        "half an answer",
        # A header that promises more than ever comes.
        hostile="""
            import os, struct, time
            for descriptor in range(3, 256):
                try:
                    os.write(descriptor, struct.pack(">cQ", b"E", 1 << 20) + b"\\0" * 100)
                except OSError:
                    pass
            while True:
                time.sleep(60)
        """,
        control=_PATIENCE,
        target=_ONE,
    ),
    Attack(
        10,
        "an answer by drops",
        hostile="""
            import os, struct, time
            def drop(data):
                for descriptor in range(3, 256):
                    try:
                        os.write(descriptor, data)
                    except OSError:
                        pass
            drop(struct.pack(">cQ", b"E", 1 << 20))
            while True:
                drop(b"\\0")
                time.sleep(0.001)
        """,
        control=_PATIENCE,
        target=_ONE,
    ),
    Attack(
        11,
        "more than a pipe holds",
        hostile="""
            import os
            for descriptor in (1, 2):
                os.write(descriptor, b"PASSED " * (1 << 19))
        """,
        control="""
            print("a long line " * 100_000)
        """,
        target=_ONE,
    ),
    Attack(
        11,
        "more than a channel takes",
        hostile="""
            import os, struct
            while True:
                for descriptor in range(3, 256):
                    try:
                        os.write(descriptor, struct.pack(">cQ", b"S", 0) * (1 << 16))
                    except OSError:
                        pass
        """,
        control="""
            import socket
            one, other = socket.socketpair()
            one.send(b"x" * 1000)
            other.recv(1000)
        """,
        target=_ONE,
    ),
]


def _told(results: Path, words: str) -> str:
    """What a run says of its success, where it said so."""
    return words if words in (results / "grade.json").read_text() else ""


# These reach for the process above, and for numbers that are nobody's: never for all that this user runs.
_SIGNALS = [
    Attack(
        12,
        "SIGKILL for its parent",
        hostile="""
            import ctypes, os, signal
            libc = ctypes.CDLL(None)
            for _ in range(100):
                for number in (signal.SIGKILL, signal.SIGSTOP):
                    for end in (
                        lambda: os.kill(os.getppid(), number),
                        lambda: os.killpg(os.getpgid(os.getppid()), number),
                        lambda: libc.syscall(234, os.getppid(), os.getppid(), number),
                        lambda: libc.syscall(200, os.getppid(), number),
                        lambda: libc.syscall(129, os.getppid(), number, bytes(128)),
                        lambda: signal.pidfd_send_signal(os.pidfd_open(os.getppid()), number),
                    ):
                        try:
                            end()
                        except OSError:
                            pass
        """,
        control="""
            import os, signal
            os.kill(os.getpid(), 0)
        """,
        target=_ONE,
    ),
    Attack(
        12,
        "a signal by way of a file",
        # What becomes ready may be told to any process, by any signal.
        hostile="""
            import fcntl, os, time
            for signal in (9, 19, 15):
                reader, writer = os.pipe()
                try:
                    fcntl.fcntl(reader, fcntl.F_SETOWN, os.getppid())
                    fcntl.fcntl(reader, 10, signal)
                    fcntl.fcntl(reader, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
                    os.write(writer, b"x")
                except OSError:
                    pass
            time.sleep(0.3)
        """,
        control="""
            import fcntl, os
            reader, writer = os.pipe()
            fcntl.fcntl(reader, fcntl.F_SETFL, os.O_NONBLOCK)
        """,
        target=_ONE,
    ),
    Attack(
        12,
        "the time of its parent used up",
        # A limit below what it has used already ends a process.
        hostile="""
            import os, resource, time
            parent = os.getppid()
            if parent > 1:
                resource.prlimit(parent, resource.RLIMIT_CPU, (1, 1))
            while True:
                time.sleep(1)
        """,
        control="""
            import os, resource
            resource.prlimit(0, resource.RLIMIT_CPU)
        """,
        target=_ONE,
    ),
    Attack(
        12,
        "its parent blinded",
        # Without descriptors it cannot read /proc: what a run takes and leaves is then out of its sight.
        hostile="""
            import ctypes, os, resource, time
            parent = os.getppid()
            if os.fork() == 0:
                os.setsid()
                ctypes.CDLL(None).prctl(15, b"@MARK@", 0, 0, 0)
                try:
                    if parent > 1:
                        resource.prlimit(parent, resource.RLIMIT_NOFILE, (0, 0))
                except OSError:
                    pass
                time.sleep(120)
                os._exit(0)
            time.sleep(0.5)
        """,
        control="""
            import resource
            resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        """,
        target=_ONE,
    ),
    Attack(
        12,
        "limits for those who come after",
        # The process above starts all later runs, other students' too, and they inherit its limits.
        hostile="""
            import os, resource
            parent = os.getppid()
            for limit, value in (
                (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_STACK, 1 << 16), (resource.RLIMIT_DATA, 1 << 20),
            ):
                try:
                    if parent > 1:
                        resource.prlimit(parent, limit, (value, value))
                except OSError:
                    pass
        """,
        control="""
            import resource
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        """,
        target=_ONE,
    ),
    Attack(
        12,
        "its parent put last",
        hostile="""
            import ctypes, os
            parent = os.getppid()
            libc = ctypes.CDLL(None)
            for ask in (
                lambda: os.setpriority(os.PRIO_PROCESS, parent, 19),
                lambda: os.sched_setscheduler(parent, os.SCHED_IDLE, os.sched_param(0)),
                lambda: libc.syscall(251, 1, parent, 3 << 13),
                lambda: os.sched_setaffinity(parent, {0}),
            ):
                try:
                    ask()
                except OSError:
                    pass
            if os.getpriority(os.PRIO_PROCESS, parent) == 19 or os.sched_getscheduler(parent) == os.SCHED_IDLE:
                if parent > 1:  # in a namespace of its own, number 1 is the run's own
                    raise ValueError("it reached its parent")
        """,
        control="""
            import os
            os.nice(1)
        """,
        target=_ONE,
        look=lambda results: _told(results, "it reached its parent"),
    ),
]

ATTACKS = [*_EXITS, *_LOOPS, *_BOMBS, *_REMAINS, *_SIGNALS]
