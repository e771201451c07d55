"""Make submissions for tests: folders, archives, and an assignment of four parts."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from gengrade.parts import Part
from gengrade.submissions import Submission

PARTS = {
    "vae": Part("part1", ("utils.py", "encoder.py", "train_torch.py", "train_pl.py")),
    "gan": Part("part2", ("models.py", "train_torch.py", "train_pl.py")),
    "flow": Part("part3", ("model.py", "train.py")),
    "theory": Part(None, ("answers.py",)),
}
VAE = ("part1/utils.py", "part1/encoder.py", "part1/train_torch.py")
GAN = ("part2/models.py", "part2/train_torch.py")
SMALL_RUBRIC = """\
assignment: A small one
course: uva2020
parts:
  - name: Theory
    questions:
      - {id: "1", title: A density, points: 3, items: [{check: theory.cubic_density, points: 3}]}
"""


def write(root: Path, files: Iterable[str] | Mapping[str, bytes], under: str = "") -> Path:
    """Write files that contain their own path, or the given text. Returns `root`."""
    contents = files if isinstance(files, Mapping) else {name: name.encode() for name in files}
    for name, content in contents.items():
        path = root / under / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def make(folder: Path, kind: str, files: Mapping[str, bytes], name: str = "work") -> Path:
    """Make an archive of `files` with exactly the given names."""
    path = folder / f"{name}.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for entry, content in files.items():
                archive.writestr(zipfile.ZipInfo(entry), content, zipfile.ZIP_DEFLATED)
        return path
    with tarfile.open(path, "w" if kind == "tar" else "w:gz") as archive:
        for entry, content in files.items():
            info = tarfile.TarInfo(entry)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def zipped(folder: Path, name: str, files: Iterable[str] | Mapping[str, bytes]) -> Path:
    contents = files if isinstance(files, Mapping) else {each: each.encode() for each in files}
    folder.mkdir(parents=True, exist_ok=True)
    return make(folder, "zip", contents, name)


def submitted(path: Path) -> Submission:
    return Submission("doe", "doe", None, path)


def tree_of(path: Path) -> dict[str, bytes]:
    return {each.relative_to(path).as_posix(): each.read_bytes() for each in sorted(path.rglob("*")) if each.is_file()}
