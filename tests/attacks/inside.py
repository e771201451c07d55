"""Rows 34 to 36, 49 and 56: attacks that search the guest's own process, and the zygote that forked it."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any, Final

import torch

from tests.attacks.attack import Attack
from tests.attacks.looking import READ, piece, unless_said

# The bytes in this process's memory around some words. They are put together late, and with what must follow them: the
# code itself, and what it makes, holds none of them.
_SCAN: Final = """
import re
words = [
    bytes(reversed(begin)) + end
    for begin, end in (
        (b"yrev on si llams_lk", b" sm[a]ll"),
        *((begin, b"[0-9a-f]{12}") for begin in (b"-vne-yranac", b"-emoh-yranac", b"-rehto-yranac")),
    )
]
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
                for found in re.finditer(word, data):
                    print("FOUND", data[found.start() - 40:found.start() + 90])
            start += 1 << 24
"""


class _Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch /tmp/gg-attack-checkpoint-ran",)


def _pack_checkpoints(folder: Path) -> None:
    """Hand in files of weights that run a command when they are unpickled, in several formats."""
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


ATTACKS = [
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
                channel = channel or frame.f_locals.get("channel")  # further out it is the zygote's descriptor
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
            names = {name for name in sys.modules if name.split(".")[0] in ("graders", "courses", "gengrade", "tests")}
            tops = "graders courses gengrade gengrade.grading graders.misconceptions reference validation"
            for top in tops.split():
                try:
                    package = importlib.import_module(top)
                    names |= {f"{top}.{info.name}" for info in pkgutil.iter_modules(getattr(package, "__path__", []))}
                except ImportError:
                    pass
            names |= {"graders." + name for name in ("theory", "vae", "gan", "flow", "misconceptions")}
            names |= {"courses.uva2020." + name for name in ("adapters.vae", "misconceptions.kld", "variants.vae")}
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
                    for name in ("graders/theory/checks.py", "reference/uva2020/answers.py", "../graders/__init__.py"):
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
    Attack(
        56,
        "what the zygote left in memory",
        hostile=_SCAN,
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
]
