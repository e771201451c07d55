"""Set up the place in which a run works: a private, writable copy of the submission, and what a program sees of itself.

The author's own machine is the model: the files can be written to, the home folder exists, and nothing shows that the
program was started by anything but `python file.py`.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

PROGRAM: Final = "program.py"  # the name by which a run seems to have been started
COPY: Final = "submission"  # the name of the copy in the scratch folder
# A tree of more files or folders is never made. Each run copies all of them, and a run may hold 16,384 of both.
MOST_FILES: Final = 4_000
MOST_FOLDERS: Final = 1_000
_COPIED_BYTES: Final = 32 << 20  # of all files together; the largest files beyond it are shown as they are, read-only
_BLOCK: Final = 4096  # bytes; a file takes whole ones


def copied(tree: Path, scratch: Path, show: Callable[[Path, Path], object] = os.symlink) -> Path:
    """Copy a submission's tree into a new folder in `scratch`, and return this folder.

    show: called with a file that is too large to be copied in each run, and the path at which the run has to see it.

    Raises OSError.
    """
    copy = scratch / COPY
    files: list[tuple[int, Path]] = []
    for folder, folders, names in os.walk(tree):
        place = copy / os.path.relpath(folder, tree)
        place.mkdir(parents=True)
        files += [(os.stat(path).st_size, path) for path in (Path(folder, name) for name in names)]
        folders.sort()
    left = _COPIED_BYTES
    for size, path in sorted(files):
        target = copy / path.relative_to(tree)
        left -= -(-size // _BLOCK) * _BLOCK
        if left >= 0:
            shutil.copyfile(path, target)
        else:
            show(path, target)
    return copy


def move_in(scratch: Path, before: str) -> None:
    """Give the process its own home, caches and working folder.

    scratch: the run's scratch folder.
    before: the folder that the environment variables name instead of it so far.
    """
    for name, value in os.environ.items():
        if value == before or value.startswith(f"{before}/"):
            os.environ[name] = f"{scratch}{value.removeprefix(before)}"
    home, work = scratch / "home", scratch / "work"
    home.mkdir(exist_ok=True)
    work.mkdir(exist_ok=True)
    os.environ["HOME"] = str(home)
    tempfile.tempdir = None  # the zygote's libraries may have cached the zygote's folder
    os.chdir(work)


def look_like(program: str) -> None:
    """Make this process look as if `python PROGRAM` had started it, in its arguments and in lists of processes."""
    sys.argv[:] = [program]
    sys.orig_argv[:] = ["python", program]
    with suppress(OSError, ValueError, IndexError):  # only Linux has these files
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end = int(fields[45]), int(fields[46])  # arg_start and arg_end, the fields 48 and 49
        words = f"python\0{program}\0".encode()[: end - start - 1]
        ctypes.memset(start, 0, end - start)
        ctypes.memmove(start, words, len(words))
