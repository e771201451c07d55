"""Asking Slurm which jobs are still there."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from typing import Final

_SECONDS: Final = 60.0
_UNKNOWN: Final = "Invalid job id"  # what Slurm says of jobs that ended some minutes ago


def waiting(jobs: Sequence[str]) -> bool:
    """Return whether one of these jobs runs or waits. If Slurm does not answer, they are taken to be there still."""
    if shutil.which("squeue") is None:
        return False
    try:
        asked = subprocess.run(
            ["squeue", "--noheader", f"--jobs={','.join(jobs)}", "--format=%i"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return True
    return bool(asked.stdout.strip()) or (asked.returncode != 0 and _UNKNOWN not in asked.stderr)
