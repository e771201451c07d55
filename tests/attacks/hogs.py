"""Beyond the list: attacks that take memory, disk space and processors without being measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.attacks.attack import Attack
from tests.attacks.course import read_grade
from tests.attacks.exits import ONCE


def _stopped(words: str) -> Callable[[Path], str]:
    """Return a look that finds a problem unless the check's message contains these words about its limit."""

    def look(results: Path) -> str:
        message = str(read_grade(results)["theory.cubic_density"]["message"])
        return "" if words in message else f"was not stopped for what it took: {message}"

    return look


# Pieces of attacks, as far indented as the attacks themselves.
_FILL = """
            def fill(sockets):
                for one in sockets:
                    one.setblocking(False)
                    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                        try:
                            one.setsockopt(socket.SOL_SOCKET, option, 1 << 30)
                        except OSError:
                            pass
                    try:
                        while True:
                            one.send(bytes(1 << 16))
                    except OSError:
                        pass
"""

# A child whose first task ends while a thread goes on is a zombie in its own folder of /proc.
_HEADLESS = """
            import ctypes, platform, threading, time
            exit_ = 60 if platform.machine() == "x86_64" else 93
            for _ in range({children}):
                if os.fork() == 0:
                    threading.Thread(target=work).start()
                    ctypes.CDLL(None).syscall(exit_, 0)
            time.sleep(60)
"""

# close_range(2) with CLOSE_RANGE_UNSHARE gives a thread a table of descriptors of its own.
_OWN_TABLE = "ctypes.CDLL(None).syscall(436, 1000, 1001, 2)"

ATTACKS = [
    Attack(
        0,
        "a program whose name has line ends",
        # What measures a run reads names of programs beside numbers: a name must neither stop nor mislead it.
        hostile="""
            import ctypes, os, subprocess, tempfile
            for name in ("a\\rVmPTE:", "a\\x85RssAnon:", "a) R 0 0"):
                path = os.path.join(tempfile.gettempdir(), name)
                os.symlink("/bin/sleep", path)
                subprocess.run([path, "0.3"], check=False)
            ctypes.CDLL(None).prctl(15, b"\\rVmPTE: -9999999", 0, 0, 0)
            hoard = []
            while True:
                hoard.append(bytearray(64 << 20))
                hoard[-1][::4096] = bytes(16384)
        """,
        control="""
            import ctypes, subprocess
            ctypes.CDLL(None).prctl(15, b"training", 0, 0, 0)
            subprocess.run(["/bin/sleep", "0.1"], check=True)
        """,
    ),
    Attack(
        0,
        "descriptors on their way",
        # The kernel counts them for all runs of a user: a neighbour's loader could not send its own.
        hostile="""
            import os, socket, time
            keep = socket.socketpair()
            keep[0].setblocking(False)
            nothing = os.open(os.devnull, os.O_RDONLY)
            try:
                while True:
                    socket.send_fds(keep[0], [b"x"], [nothing] * 250)
            except OSError:
                pass
            time.sleep(60)
        """,
        control="""
            import torch
            data = torch.utils.data.TensorDataset(torch.arange(8.0))
            loader = torch.utils.data.DataLoader(data, batch_size=2, num_workers=2)
            assert sum(float(batch.sum()) for batch, in loader) == 28
        """,
    ),
    Attack(
        0,
        "numbers that overflow what compares them",
        hostile="return torch.full(elbo.shape, 1e307, dtype=torch.float64)",
        control="elbo = elbo + 0.0",
        target="part1/utils.py:elbo_to_bpd",
    ),
    Attack(
        0,
        "draws that overflow what compares them",
        hostile="return (mean + torch.exp(log_std) * torch.randn_like(mean)).double() + 1.7e308",
        control="mean = mean + 0.0",
        target="part1/utils.py:sample_reparameterize",
    ),
    Attack(
        0,
        "memory in socket buffers",
        # Six processes, each with as many full sockets as it may have: no resident set shows what lies in them.
        hostile=f"""
            import os, socket, time
            {_FILL}
            for _ in range(6):
                if os.fork() == 0:
                    keep = []
                    try:
                        while True:
                            keep.append(socket.socketpair())
                            fill(keep[-1])
                    except OSError:
                        pass
                    time.sleep(60)
                    os._exit(0)
            time.sleep(60)
        """,
        control="""
            import socket
            one, other = socket.socketpair()
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.sendall(bytes(1 << 16))
            assert other.recv(1 << 16)
        """,
    ),
    Attack(
        0,
        "memory in connections that nobody accepts",
        # Who connects, writes and leaves has no descriptor any more; the listener keeps what was written.
        hostile=f"""
            import os, socket, time
            {_FILL}
            keep = []
            for number in range(200):
                try:
                    listener = socket.socket(socket.AF_UNIX)
                    listener.bind(f"\\0@MARK@{{number}}")
                    listener.listen(4096)
                    keep.append(listener)
                    for _ in range(300):
                        with socket.socket(socket.AF_UNIX) as one:
                            one.setblocking(False)
                            one.connect(f"\\0@MARK@{{number}}")
                            fill([one])
                except OSError:
                    continue
            time.sleep(60)
        """,
        control="""
            import os, multiprocessing.connection
            try:
                with multiprocessing.connection.Listener(family="AF_UNIX") as listener:
                    pass
            except PermissionError:
                pass  # without namespaces, sockets have no names
        """,
    ),
    Attack(
        0,
        "memory in sockets on their way",
        hostile=f"""
            import socket, time
            {_FILL}
            keep = []
            try:
                while True:
                    one, other = socket.socketpair()
                    some = socket.socketpair()
                    fill(some)
                    socket.send_fds(one, [b"x"], [each.fileno() for each in some])
                    for each in (*some, one):
                        each.close()
                    keep.append(other)
            except OSError:
                pass
            time.sleep(60)
        """,
        control="""
            import os, socket
            one, other = socket.socketpair()
            with open(os.devnull) as file:
                socket.send_fds(one, [b"x"], [file.fileno()])
            message, (received, *_), *_ = socket.recv_fds(other, 1, 1)
            os.close(received)
        """,
    ),
    Attack(
        0,
        "memory in pipes and watches",
        hostile="""
            import ctypes, fcntl, mmap, os, select, time
            libc = ctypes.CDLL(None, use_errno=True)
            area = mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            for start in range(0, 64 << 20, 4096):
                area[start] = 1
            address = ctypes.addressof(ctypes.c_char.from_buffer(area))
            class Vector(ctypes.Structure):
                _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
            keep = []
            try:
                while True:
                    reader, writer = os.pipe()
                    os.set_blocking(writer, False)
                    try:
                        fcntl.fcntl(writer, 1031, 1 << 20)
                    except OSError:
                        pass
                    some = Vector(address, 1 << 20)
                    libc.vmsplice(writer, ctypes.byref(some), 1, 2)
                    try:
                        while True:
                            os.write(writer, bytes(1 << 16))
                    except OSError:
                        pass
                    keep.append((reader, writer, select.epoll()))
            except OSError:
                pass
            time.sleep(60)
        """,
        control="""
            import os, select
            reader, writer = os.pipe()
            with select.epoll() as poll:
                poll.register(reader, select.EPOLLIN)
                os.write(writer, bytes(1 << 15))
                assert poll.poll(1)
            assert len(os.read(reader, 1 << 15)) == 1 << 15
        """,
    ),
    Attack(
        0,
        "shared memory out of sight",
        # Touched, and then unmapped but for a page: it stays, and no process shows it.
        hostile="""
            import ctypes, os, time
            libc = ctypes.CDLL(None, use_errno=True)
            libc.mmap.restype = ctypes.c_void_p
            libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
            libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
            size, nothing = 256 << 20, ctypes.c_void_p(-1).value
            try:
                zero = os.open("/dev/zero", os.O_RDWR)
            except OSError:
                zero = -1
            hidden = 0
            for _ in range(20):
                for flags, file in ((0x21, -1), (0x01, zero)):
                    area = libc.mmap(None, size, 3, flags, file, 0)
                    if area == nothing:
                        continue
                    ctypes.memset(area, 1, size)
                    libc.munmap(area + 4096, size - 4096)
                    hidden += 1
            time.sleep(60 if hidden else 0)
        """,
        control="""
            import mmap, os
            shared = mmap.mmap(-1, 16 << 20)
            if os.fork() == 0:
                shared[5] = 7
                os._exit(0)
            os.wait()
            assert shared[5] == 7
            shared.close()
        """,
    ),
    Attack(
        0,
        "memory of many small programs",
        # Each takes less than what a run's own process has to begin with.
        hostile="""
            import subprocess, sys, time
            code = "import time; hoard = bytearray(200 << 20); hoard[::4096] = bytes(51200); time.sleep(60)"
            keep = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(30)]
            time.sleep(60)
        """,
        control="""
            import subprocess, sys
            subprocess.run([sys.executable, "-c", "bytearray(64 << 20)"], check=True)
        """,
    ),
    Attack(
        0,
        "a disk full of files",
        # Each is small enough; names are given to some, and some are removed while they are open.
        hostile="""
            import os, tempfile
            here = tempfile.gettempdir()
            os.mkdir(f"{here}/@MARK@", 0o300)
            keep = []
            try:
                for number in range(200_000):
                    deep = f"{here}/@MARK@" if number % 2 else here
                    with open(f"{deep}/{number}", "wb") as file:
                        file.write(bytes(1 << 20) if number < 4096 else b"")
                        if number < 64:
                            keep.append(os.dup(file.fileno()))
                            os.unlink(f"{deep}/{number}")
            except OSError:
                pass
            import time
            time.sleep(60)
        """,
        control="""
            import os, tempfile
            with tempfile.TemporaryDirectory() as folder:
                for number in range(100):
                    with open(os.path.join(folder, str(number)), "wb") as file:
                        file.write(bytes(1 << 20))
        """,
    ),
    Attack(
        0,
        "memory of processes without their first task",
        hostile=f"""
            import os
            hoard = []
            def work():
                time.sleep(1)
                hoard.append(bytearray(b"x") * (1200 << 20))
                time.sleep(60)
            {_HEADLESS.format(children=3)}
        """,
        control="""
            import os, threading
            if os.fork() == 0:
                thread = threading.Thread(target=bytearray, args=[64 << 20])
                thread.start()
                thread.join()
                os._exit(0)
            assert os.wait()[1] == 0
        """,
        look=_stopped("MB of memory: the limit"),
    ),
    Attack(
        0,
        "sockets of processes without their first task",
        hostile=f"""
            import os, socket, threading, time
            {_FILL}
            hoard = []
            def work():
                time.sleep(1)
                try:
                    while True:
                        hoard.append(socket.socketpair())
                        fill(hoard[-1])
                except OSError:
                    time.sleep(60)
            def add():
                time.sleep(2)
                hoard.append(bytearray(b"x") * (1400 << 20))
            threading.Thread(target=add, daemon=True).start()
            {_HEADLESS.format(children=20)}
        """,
        control="""
            import socket, threading
            pairs = []
            threads = [threading.Thread(target=lambda: pairs.append(socket.socketpair())) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for one, other in pairs:
                one.sendall(bytes(1 << 10))
                assert other.recv(1 << 10)
        """,
        look=_stopped("MB of memory: the limit"),
    ),
    Attack(
        0,
        "sockets in tables of their own",
        hostile=f"""
            import ctypes, os, socket, threading, time
            {_FILL}
            hoard = []
            def work():
                if {_OWN_TABLE}:
                    return
                try:
                    while True:
                        hoard.append(socket.socketpair())
                        fill(hoard[-1])
                except OSError:
                    time.sleep(60)
            threads = [threading.Thread(target=work, daemon=True) for _ in range(44)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            raise OSError("no table of its own")
        """,
        control="""
            import os, subprocess
            descriptor = os.dup(0)
            os.closerange(descriptor, descriptor + 1)
            subprocess.run(["/bin/sleep", "0"], check=True, close_fds=True)
        """,
        look=_stopped("no table of its own"),
    ),
    Attack(
        0,
        "removed files in tables of their own",
        hostile=f"""
            import os, tempfile
            here = tempfile.gettempdir()
            hoard = []
            def work():
                {_OWN_TABLE}
                try:
                    for number in range(128):
                        name = f"{{here}}/{{os.getpid()}}-{{number}}"
                        hoard.append(open(name, "wb", buffering=0))
                        os.unlink(name)
                        hoard[-1].write(bytes(16 << 20))
                except OSError:
                    pass
                time.sleep(60)
            {_HEADLESS.format(children=2)}
        """,
        control="""
            import tempfile, threading
            def work():
                with tempfile.TemporaryFile() as file:
                    file.write(bytes(1 << 20))
            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        """,
    ),
    Attack(
        0,
        "forty busy processes",
        # Each in a session and on a processor of its own: a neighbour's training must have its time all the same.
        hostile="""
            import os, time
            end = time.time() + 120
            for _ in range(40):
                if os.fork() == 0:
                    try:
                        os.setsid()
                        os.sched_setaffinity(0, range(os.cpu_count()))
                    except OSError:
                        pass
                    while time.time() < end:
                        pass
                    os._exit(0)
            time.sleep(120)
        """,
        control="""
            import os, signal, subprocess, sys
            signal.signal(signal.SIGCHLD, signal.default_int_handler)
            os.sched_setaffinity(0, os.sched_getaffinity(0))
            subprocess.run([sys.executable, "-c", "pass"], start_new_session=True, check=True)
        """,
    ),
    Attack(
        0,
        "a time that nobody counts",
        # What children do whose end nobody asks for, a kernel forgets: at will, the limit would never come.
        hostile="""
            import os, signal, time
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            end = time.time() + 120
            while time.time() < end:
                for _ in range(4):
                    if os.fork() == 0:
                        while time.process_time() < 0.03:
                            pass
                        os._exit(0)
                try:
                    while os.waitpid(-1, 0):
                        pass
                except OSError:
                    continue
        """,
        control="""
            import os
            for _ in range(4):
                if os.fork() == 0:
                    os._exit(0)
                os.wait()
        """,
        target=ONCE,
    ),
]
