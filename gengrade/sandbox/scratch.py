"""Scratch folders, which student code may have written to: how they are named, and how they are removed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

SCRATCH_PREFIX: Final = "sandbox-"  # of a zygote's own folder, beside the trees; a killed worker leaves it behind


def remove(folder: Path) -> None:
    """Remove a folder that student code may have written to, as far as possible. Of a link, only the link goes."""
    if folder.is_symlink():
        folder.unlink()  # `chmod` would follow it
        return
    for command in (
        ["chmod", "-R", "u+rwX"],
        ["rm", "-rf"],
    ):  # Python cannot remove folders that are nested deeper than it recurses
        subprocess.run([*command, "--", str(folder)], check=False, stderr=subprocess.DEVNULL)
