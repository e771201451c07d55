"""Rows 7 to 12: attacks by processes that multiply, outlive their run, keep resources, or reach for others."""

from __future__ import annotations

from pathlib import Path

from tests.attacks.attack import Attack
from tests.attacks.exits import CHILD, ONCE, PATIENCE, THREAD

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
        control=CHILD,
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
        control=THREAD,
        target=ONCE,
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
        control=CHILD,
        target=ONCE,
    ),
    Attack(
        7,
        "a crowd that explodes",
        # Whoever measures twenty processes that fork all the time must not overlook that they begin to multiply.
        hostile="""
            import ctypes, os, time
            ctypes.CDLL(None).prctl(15, b"@MARK@", 0, 0, 0)
            begin = time.time() + 3
            end = begin + 60
            for _ in range(20):
                if os.fork() == 0:
                    break
            while time.time() < begin:
                pid = os.fork()
                if pid == 0:
                    os._exit(0)
                os.waitpid(pid, 0)
            while time.time() < end:
                try:
                    if os.fork() == 0:
                        os.setpgid(0, 0)
                except OSError:
                    time.sleep(0.01)
            os._exit(0)
        """,
        control="""
            import os
            for _ in range(20):
                if os.fork() == 0:
                    os._exit(0)
            for _ in range(20):
                os.wait()
        """,
        target=ONCE,
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
        target=ONCE,
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
            subprocess.run(["sh", "-c", "true & true"], check=True)
        """,
        target=ONCE,
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
        control=CHILD,
        target=ONCE,
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
        control=THREAD,
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
        control=CHILD,
        target=ONCE,
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
        target=ONCE,
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
        target=ONCE,
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
        target=ONCE,
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
        control=CHILD,
        target=ONCE,
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
        control=PATIENCE,
        target=ONCE,
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
        control=PATIENCE,
        target=ONCE,
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
        target=ONCE,
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
        target=ONCE,
    ),
]


def _told(results: Path, words: str) -> str:
    """Return the words if the results contain them, which means that the attack worked, otherwise ""."""
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
        target=ONCE,
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
        target=ONCE,
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
        target=ONCE,
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
        target=ONCE,
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
        target=ONCE,
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
            os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0), os.sched_getaffinity(0)
        """,
        target=ONCE,
        look=lambda results: _told(results, "it reached its parent"),
    ),
]

ATTACKS = [*_BOMBS, *_REMAINS, *_SIGNALS]
