"""Select the files of a submission that matter, by their paths alone."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import PurePosixPath

CHECKPOINTS = (".pt", ".pth", ".ckpt", ".safetensors")
PROGRAMS = (".py", ".ipynb")
PDF = ".pdf"

_NEVER = {"__macosx", "__pycache__", "venv", "env", "virtualenv", "site-packages", "node_modules", "wandb"}
_DATA = {"data", "dataset", "datasets", "mnist"}
_LOGS = {"lightning_logs", "logs", "log", "runs", "tensorboard", "checkpoints", "results"}
_LITTER = ("*-ubyte", "*-ubyte.gz", "events.out.tfevents*", "*.pyc", "thumbs.db", "desktop.ini", "icon\r")


def is_hidden(name: str) -> bool:
    return name.startswith(".")


def enters(name: str) -> bool:
    """Return whether a folder of this name may hold files that matter."""
    return not is_hidden(name) and name.casefold() not in _NEVER


def keeps(path: PurePosixPath) -> bool:
    """Return whether the file at this relative path is kept.

    Hidden files, environments and caches are not kept. Of data folders only programs are kept, since a student may call
    a package of loaders `data`; of folders of logs only checkpoints are kept, which are a part of the answer.
    """
    *folders, name = path.parts
    if is_hidden(name) or not all(enters(folder) for folder in folders):
        return False
    if any(fnmatchcase(name.casefold(), pattern) for pattern in _LITTER):
        return False
    suffix = path.suffix.lower()
    names = {folder.casefold() for folder in folders}
    if any(folder in _LOGS or folder.endswith("_logs") for folder in names):
        return suffix in CHECKPOINTS
    return suffix in PROGRAMS or not names & _DATA
