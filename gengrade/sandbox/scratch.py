"""Scratch folders, which student code may have written to: how they are named, and how they are removed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

SCRATCH_PREFIX: Final = "sandbox-"  # of a zygote's own folder, beside the trees; a killed worker leaves it behind


def remove(folder: Path) -> None:
    """Remove a folder that student code may have written to, as far as possible. Of a link, only the link goes.

    Modes are changed only where something could not be removed, since this takes as long as removing it.
    """
    if folder.is_symlink():
        folder.unlink()  # `chmod` would follow it
        return
    # Python cannot remove folders that are nested deeper than it recurses.
    for command in (["rm", "-rf"], ["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
        if os.path.lexists(folder):
            subprocess.run([*command, "--", str(folder)], check=False, stderr=subprocess.DEVNULL)


def remove_scratch(folder: Path) -> None:
    """Remove the folders of zygotes in this folder, whose workers were killed or ended while they started."""
    for leftover in folder.glob(f"{SCRATCH_PREFIX}*"):
        remove(leftover)
