"""Row 60: attacks by which one run leaves notes for the next."""

from __future__ import annotations

import py_compile
from pathlib import Path

from tests.attacks.attack import Attack
from tests.attacks.looking import unless_said
from validation.workbench import REFERENCE

_CUBIC = ("theory.cubic_density",)


def _pack_bytecode(folder: Path) -> None:
    """Hand in bytecode of the right answer that Python never compares with the source."""
    cache = folder / "part1" / "__pycache__"
    cache.mkdir()
    for target in (cache / "utils.cpython-311.pyc", folder / "part1" / "utils.pyc"):
        py_compile.compile(
            str(REFERENCE / "part1" / "utils.py"),
            cfile=str(target),
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )


ATTACKS = [
    Attack(
        60,
        "notes for the next run",
        at_import=True,
        attacked=_CUBIC,
        hostile="""
            import os as _os, sys as _sys, tempfile as _tempfile, glob as _glob
            def _notes():
                home = _os.path.expanduser("~")
                places = [
                    "/tmp", "/var/tmp", "/dev/shm", "/dev", "/dev/mqueue", "/dev/pts", "/run", "/run/lock", "/",
                    "/library", "/etc", "/opt", "/root", "/home", "/trees", "/proc",
                    "@HOME@", "@OUT@", "@CLASS@", "@PROJECT@", home, f"{home}/..", f"{home}/../..",
                    f"{home}/../../..", _os.getcwd(),
                    _tempfile.gettempdir(), _os.path.dirname(__file__), f"{_os.path.dirname(__file__)}/__pycache__",
                    _sys.prefix, _os.path.dirname(_sys.modules["torch"].__file__),
                    _os.path.dirname(_sys.modules["graders"].__file__),
                    *(_os.environ.get(name, "/tmp") for name in ("TORCH_HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR")),
                ]
                own = set()
                for place in map(_os.path.realpath, places):
                    for name in ("@MARK@-note", ".@MARK@"):
                        path = f"{place}/{name}"
                        if _os.path.lexists(path) and path not in own:
                            print("note" + "-from-another-run", path)
                        own.add(path)
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
        attacked=_CUBIC,
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
]
