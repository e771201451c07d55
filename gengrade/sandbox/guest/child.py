"""Carry out one run: isolate the process, read the inputs, call the probe on the student's package, send the answer."""

from __future__ import annotations

import errno
import os
import random
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np
import torch

from gengrade.choices import Tier
from gengrade.parts import MODULE, Part
from gengrade.sandbox import wire
from gengrade.sandbox.guest import disk, gpu, library, workplace
from gengrade.sandbox.guest.errors import FAILED, Missing, Undecided, WallError, behind
from gengrade.sandbox.guest.settings import RunSettings, ZygoteSettings
from gengrade.sandbox.guest.walls import raise_walls

WALL_EXIT: Final = 97  # the exit status of a run that could not be isolated, before student code started
_MAX_FRAMES: Final = 12
_MAX_TEXT: Final = 2000
_MOST_CAUSES: Final = 8


def serve(zygote: ZygoteSettings, run: RunSettings, channel: socket.socket, output: int) -> NoReturn:
    """Carry out a run and end the process, without running exit handlers that student code may have registered.

    zygote, run: the settings.
    channel: the socket to the host.
    output: the descriptor of the pipe for everything that is printed.
    """
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        tree, scratch = raise_walls(zygote, run)
        workplace.move_in(scratch, zygote.scratch)
        workplace.look_like(workplace.PROGRAM)
        own = library.load(receive(channel, wire.CODE).tobytes())
        inputs = wire.decode(receive(channel, wire.REQUEST))
        probe = prepared(run, own, tree, inputs)
    except BaseException as error:
        if zygote.tier is Tier.SANDBOX and isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            os._exit(disk.TREE_EXIT)  # its memory for files, which holds its tree and nothing else yet, is too small
        reason = str(error) if isinstance(error, WallError) else "".join(traceback.format_exception_only(error))
        os.write(2, f"the run could not be isolated: {reason}\n".encode())
        os._exit(WALL_EXIT)
    channel.sendall(wire.frame(wire.STARTED))
    channel.sendall(answer(run, tree, probe, own.parts))
    os._exit(0)


def receive(channel: socket.socket, expected: bytes) -> memoryview:
    """Return the payload of the host's next frame. Raises WallError if it has another tag, or the host has closed."""
    tag, length = wire.FRAME_HEADER.unpack(_exactly(channel, wire.FRAME_HEADER.size))
    if tag != expected:
        raise WallError("no request came over the channel")
    return _exactly(channel, length)


def _exactly(channel: socket.socket, length: int) -> memoryview:
    buffer = bytearray(length)
    view, filled = memoryview(buffer), 0
    while filled < length:
        count = channel.recv_into(view[filled:])
        if count == 0:
            raise WallError("the channel was closed")
        filled += count
    return view


def prepared(run: RunSettings, own: library.Library, tree: Path, inputs: Mapping[str, Any]) -> Callable[[], object]:
    """Return a function that calls the probe, after everything else is prepared; no student code has run yet."""
    package = own.package(tree)
    _prepare_torch(run)
    arguments = {name: _to_torch(value, run.device) for name, value in inputs.items()}
    return lambda: own.probe(package, **arguments)


def _prepare_torch(run: RunSettings) -> None:
    """Choose the device, and seed the random generators, which would otherwise all be in the zygote's state."""
    gpu.choose(run.device, run.gpu_share, run.limits)
    torch.set_num_threads(run.threads)
    random.seed(run.seed)
    np.random.seed(run.seed % 2**32)
    torch.manual_seed(run.seed)


def _to_torch(value: Any, device: str) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy()).to(device)
    if isinstance(value, dict):
        return {key: _to_torch(item, device) for key, item in value.items()}
    if isinstance(value, list):
        return [_to_torch(item, device) for item in value]
    return value


def answer(run: RunSettings, tree: Path, probe: Callable[[], object], parts: Mapping[str, Part]) -> bytes:
    """Call the probe and return the frame to send: its evidence, or the exception that was raised.

    parts: the course's, which say what a submission has to hold.
    """
    try:
        return wire.frame(wire.EVIDENCE, _encode(probe(), int(run.limits["evidence_mb"]) << 20))
    except BaseException as error:
        return wire.frame(wire.FAULT, wire.encode(_fault(error, tree, run, parts)))


def _encode(evidence: object, cap: int) -> bytes:
    left = cap

    def to_array(leaf: object) -> np.ndarray | None:
        nonlocal left
        if isinstance(leaf, np.number | np.bool_):
            return np.asarray(leaf)
        if type(leaf) not in (torch.Tensor, torch.nn.Parameter):
            return None
        assert isinstance(leaf, torch.Tensor)
        if leaf.layout is not torch.strided or leaf.is_complex() or leaf.is_quantized:
            return None
        # The size is checked before the copy, since an expanded view of one number may have the size of 40 GB.
        left -= leaf.numel() * leaf.element_size()
        if left < 0:
            raise EvidenceTooLarge(f"more than {cap >> 20} MB were returned: the limit of this check")
        dense = leaf.detach().cpu()
        return (dense.float() if dense.dtype is torch.bfloat16 else dense).resolve_conj().resolve_neg().numpy()

    try:
        return wire.encode(evidence, to_array)
    except TypeError as error:
        raise UnusableEvidence(f"your code returned {error}, where tensors or plain numbers were expected") from None


class EvidenceTooLarge(Exception):
    """The student's code returned more than the check's limit allows."""


class UnusableEvidence(Exception):
    """The student's code returned something other than tensors, plain values, and lists and dicts of these."""


def _fault(error: BaseException, tree: Path, run: RunSettings, parts: Mapping[str, Part]) -> dict[str, object]:
    cause = _first_cause(error)
    frames = _frames(cause, tree) or _frames(error, tree)
    error = _judged(cause, tree, parts)
    return {
        "outcome": _outcome(error, tree),
        "type": (Missing if isinstance(error, Missing) else type(error)).__name__[:200],
        "message": _text(error).replace(f"{tree}/", "")[:_MAX_TEXT],
        "hint": _hint(error, run),
        "frames": frames,
    }


def _first_cause(error: BaseException) -> BaseException:
    """Return the error that kept a program from defining the name that a NameError misses, or the error itself."""
    seen = {id(error)}
    while isinstance(error, NameError) and error.__traceback__ is not None:
        *_, (frame, _) = traceback.walk_tb(error.__traceback__)
        cause = behind(frame.f_globals.get(FAILED, {}), error.name)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            break
        seen.add(id(cause))
        error = cause
    return error


def _judged(error: BaseException, tree: Path, parts: Mapping[str, Part]) -> BaseException:
    """Return what an import that fails means here, and any other error itself.

    It is Missing if the course asks for the file that should have been imported, and Undecided if a package that is not
    installed here prevents it.
    """
    causes = [error]
    while causes[-1].__cause__ is not None and len(causes) < _MOST_CAUSES:
        causes.append(causes[-1].__cause__)
    for cause in causes:
        if not isinstance(cause, ImportError) or not cause.name:
            continue
        if (file := _absent(cause.name, tree, parts)) is not None:
            return Missing(f"{file} was not handed in, and your code imports it")
        if not _is_handed_in(cause.name, tree):
            if isinstance(cause, ModuleNotFoundError):
                return Undecided(f"your code needs {cause.name}, which is neither among your files nor installed here")
            return Undecided(f"your code needs another version of {cause.name}: {_text(cause).partition(' (')[0]}")
    return error


def _absent(module: str, tree: Path, parts: Mapping[str, Part]) -> str | None:
    """Return the file that a module should come from if a part asks for it and it is absent, or None.

    The part is the one whose name stands before the module's, or the one in whose folder this process works.
    """
    *package, name = module.split(".")
    for key, part in parts.items():
        meant = package == [part.folder] or (not package and _is_at_work_in(tree / key))
        file = f"{name}{MODULE}"
        if meant and file in part.files and not part.called(file, [path.name for path in (tree / key).glob("*")]):
            return f"{part.folder}/{file}" if part.folder else file
    return None


def _is_at_work_in(folder: Path) -> bool:
    try:
        return Path.cwd().is_relative_to(folder.resolve())
    except OSError:
        return False  # the program has removed the folder that it works in


def _is_handed_in(module: str, tree: Path) -> bool:
    """Return whether a module, or a package that should hold it, is among the submission's files."""
    top = module.partition(".")[0].casefold()
    loaded = getattr(sys.modules.get(module.partition(".")[0]), "__file__", None)
    return str(loaded).startswith(f"{tree}/") or any(top == path.stem.casefold() for path in tree.glob("*/*"))


def _outcome(error: BaseException, tree: Path) -> str:
    if isinstance(error, Missing):
        return "missing"
    if isinstance(error, Undecided):
        return "undecided"
    if isinstance(error, NotImplementedError) and _raised_by(error, tree):
        return "missing"  # the student left the gap of the hand-out unfilled
    if _is_memory(error):
        return "memory"
    return "error"


def _raised_by(error: BaseException, tree: Path) -> bool:
    """Return whether a line of the submission raised an error, and not a library that it called."""
    entries = traceback.extract_tb(error.__traceback__)
    return bool(entries) and entries[-1].filename.startswith(f"{tree}/")


def _is_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in _text(error)


def _hint(error: BaseException, run: RunSettings) -> str:
    """Return the limit that may have caused an exception as a sentence, or ""."""
    text = _text(error)
    if _is_memory(error):
        return f"{run.limits['memory_mb']:.0f} MB of memory are the limit of this check{_of_gpu(error, run)}"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EFBIG):
        return f"files may take {run.limits['disk_mb']:.0f} MB in this check"
    if "can't start new thread" in text or (isinstance(error, OSError) and error.errno == errno.EAGAIN):
        return f"{run.limits['processes']:.0f} processes and threads may run at once in this check"
    if isinstance(error, OSError) and error.errno in (errno.ENETUNREACH, errno.EPERM, errno.EACCES):
        return "checks run without a network, and can use no other processes and only the submission's own files"
    return ""


def _of_gpu(error: BaseException, run: RunSettings) -> str:
    """Return what a GPU's memory adds to the limit of memory, for an error that is about it."""
    if not isinstance(error, torch.OutOfMemoryError):
        return ""
    return f", and {run.gpu_share:.0%} of the GPU's memory if that is less"


def _text(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return str(error.msg)
    try:
        return str(error)
    except BaseException:
        return "(the exception cannot be shown)"


def _frames(error: BaseException, tree: Path) -> list[dict[str, object]]:
    """Return the student's own frames, the outermost first, with paths relative to the submission."""
    prefix = f"{tree}/"
    frames: list[dict[str, object]] = [
        {
            "file": entry.filename.removeprefix(prefix),
            "line": entry.lineno or 0,
            "function": entry.name,
            "source": (entry.line or "")[:300],
        }
        for entry in traceback.extract_tb(error.__traceback__)
        if entry.filename.startswith(prefix)
    ]
    if isinstance(error, SyntaxError) and (error.filename or "").startswith(prefix):
        source = (error.text or "").strip()[:300]
        frames.append(
            {"file": str(error.filename)[len(prefix) :], "line": error.lineno or 0, "function": "", "source": source}
        )
    return frames[-_MAX_FRAMES:]
