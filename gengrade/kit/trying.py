"""Load a new kit as a student's machine will, so that a broken one is never handed out."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from gengrade.engine import UsageError
from gengrade.kit.packing import Kit

_CODE: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); from gengrade.self_check_cli import require_whole; require_whole()"
)
_LONGEST: Final = 500  # characters of what went wrong


def require_usable(kit: Kit) -> None:
    """Unpack a kit, and load its course, its rubric, its checks and its adapters in a process that sees no others.

    Raises UsageError if that fails.
    """
    with tempfile.TemporaryDirectory(prefix="gengrade-kit-") as folder:
        with zipfile.ZipFile(io.BytesIO(kit.archive)) as archive:
            archive.extractall(folder)
        command = [sys.executable, "-P", "-c", _CODE, str(Path(folder) / kit.name)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1].replace(f"{folder}/", "")
        raise UsageError(f"the kit that was made cannot be used ({said[:_LONGEST]}); nothing was written")
