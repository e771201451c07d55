"""Load the images that models are trained and tested on: MNIST, or scikit-learn's digits, which need no network.

Each split is one array in memory. The host never imports torch: MNIST's files are parsed here, and torchvision
downloads them in a separate process.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
import zlib
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from gengrade.arrays import Array, Array32, Integers, Pixels
from gengrade.caching import cache_folder
from gengrade.home import python_path
from gengrade.paths import InputError

SIDE = 28
VARIABLE = "GENGRADE_DATA"

_TRAIN = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
_TEST = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_FOLDERS = ("MNIST/raw", "raw", ".")
# The hash of MNIST's splits: a folder of any name that holds them counts as MNIST, for the rubric's thresholds.
_MNIST = "sha256:1d36ba9fbbf75f770bfe51e74fe938e780788d49269e0e1ce332733235ee02b0"
_SPLIT_SEED = 0
_DOWNLOAD_SECONDS = 600


class DataError(InputError):
    """A data set cannot be loaded."""


@dataclass(frozen=True)
class Split:
    """Images uint8 [N, 28, 28], 0 (background) to 255 (ink), and labels int64 [N]; both read-only."""

    images: Pixels
    labels: Integers

    def __post_init__(self) -> None:
        self.images.flags.writeable = False
        self.labels.flags.writeable = False

    def __len__(self) -> int:
        return len(self.images)

    def binary(self) -> Pixels:
        """Return the images as uint8 [N, 1, 28, 28] of 0 and 1; values above 127 become 1."""
        return (self.images > 127).astype(np.uint8)[:, None]

    def scaled(self) -> Array32:
        """Return the images as float32 [N, 1, 28, 28] in [−1, 1]."""
        return (self.images.astype(np.float32) * np.float32(2 / 255) - np.float32(1))[:, None]


@dataclass(frozen=True)
class DataSet:
    """Three disjoint splits; `name` selects a rubric's thresholds."""

    name: str
    train: Split
    validation: Split
    test: Split

    @cached_property
    def sha256(self) -> str:
        """Return "sha256:…" over the name, and the shape and content of every split."""
        digest = hashlib.sha256(self.name.encode())
        for split in (self.train, self.validation, self.test):
            digest.update(_digest(split))
        return f"sha256:{digest.hexdigest()}"


def load(name: str | None = None) -> DataSet:
    """Return a data set.

    name: "digits", "mnist", or a folder that holds MNIST's four files, gzipped or not; None: the value of
        $GENGRADE_DATA, which may be any of these, or else "digits".

    "mnist" is searched for in $GENGRADE_DATA's folder, then in the user's cache, and is otherwise downloaded into the
    cache by torchvision.

    Raises DataError when the data set is missing or damaged.
    """
    name = name or os.environ.get(VARIABLE) or "digits"
    if name == "digits":
        return _digits()
    if name == "mnist":
        return _mnist()
    return _from_folder(Path(name).expanduser())


def places(name: str | None = None) -> tuple[Path, ...]:
    """Return the resolved folders and files that hold the data set of that name; () for "digits", part of a package."""
    name = name or os.environ.get(VARIABLE) or "digits"
    if name == "digits":
        return ()
    given = os.environ.get(VARIABLE, "")
    roots = [Path(name)] if name != "mnist" else [Path(given or "digits"), cache_folder()]
    found: dict[Path, None] = {}
    for folder in filter(None, (_holder(root.expanduser()) for root in roots)):
        files = [file for file in (_file(folder, part) for part in (*_TRAIN, *_TEST)) if file is not None]
        found |= dict.fromkeys((folder.resolve(), *(file.resolve() for file in files)))
    return tuple(found)


def _mnist() -> DataSet:
    given = os.environ.get(VARIABLE, "")
    cache = cache_folder()
    if given not in {"", "digits", "mnist"} and _holder(Path(given).expanduser()):
        data = _from_folder(Path(given).expanduser())
        if data.name == "mnist":
            return data
    if not _holder(cache):
        _download(cache)
    return _from_folder(cache)


def _download(into: Path) -> None:
    command = [sys.executable, "-P", "-X", "utf8", "-m", "gengrade.download", str(into)]
    env = {**os.environ, "PYTHONPATH": python_path()}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DOWNLOAD_SECONDS, check=False, env=env)
    except subprocess.TimeoutExpired:
        detail = f"the download took more than {_DOWNLOAD_SECONDS} s"
    else:
        if done.returncode == 0:
            return
        detail = (done.stderr.strip().splitlines() or ["no message"])[-1]
    remedy = "give a folder that holds it (--data PATH), or use --data digits"
    raise DataError("mnist", f"it could not be downloaded ({detail}); {remedy}")


def _holder(root: Path) -> Path | None:
    """Return the folder at or below `root` in which MNIST's four files lie, or None."""
    for folder in (root / name for name in _FOLDERS):
        if all(_file(folder, name) for name in (*_TRAIN, *_TEST)):
            return folder
    return None


def _file(folder: Path, name: str) -> Path | None:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    return None


def _from_folder(root: Path) -> DataSet:
    folder = _holder(root)
    if folder is None:
        wanted = ", ".join((*_TRAIN, *_TEST))
        reason = "it is not a folder" if not root.is_dir() else f"it lacks MNIST's files ({wanted}, or these with .gz)"
        raise DataError(str(root), f'{reason}; give another folder, or "digits"')
    train, test = _pair(folder, _TRAIN), _pair(folder, _TEST)
    # 3 of 4 images train and 1 of 12 validates, as in the practical: 45,000 and 5,000 of MNIST's 60,000.
    count = len(train)
    train, validation = _shuffled(train, (count * 3 // 4, count // 12))
    data = DataSet(root.resolve().name, train, validation, test)
    content = hashlib.sha256(b"".join(map(_digest, (train, validation, test)))).hexdigest()
    return DataSet("mnist", train, validation, test) if f"sha256:{content}" == _MNIST else data


def _pair(folder: Path, names: tuple[str, str]) -> Split:
    images, labels = _idx(folder, names[0], 3), _idx(folder, names[1], 1)
    if images.shape[1:] != (SIDE, SIDE) or len(images) != len(labels) or len(images) < 12:
        shape = "×".join(map(str, images.shape))
        reason = f"{names[0]} holds {shape} values for {len(labels)} labels, not at least 12 images of {SIDE}×{SIDE}"
        raise DataError(str(folder), f"{reason}; give another folder")
    return Split(images, labels.astype(np.int64))


def _idx(folder: Path, name: str, dimensions: int) -> Pixels:
    """Read a file of unsigned bytes in the IDX format: 0, 0, 8, the number of dimensions, their sizes, the values."""
    path = _file(folder, name)
    assert path is not None
    damaged = DataError(str(path), "it is damaged; download it again")
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise damaged from error
    start = 4 + 4 * dimensions
    if len(content) < start or content[:4] != bytes((0, 0, 8, dimensions)):
        raise damaged
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", dimensions, offset=4))
    values = np.frombuffer(content, np.uint8, offset=start)
    if len(values) != int(np.prod(shape, dtype=object)):
        raise damaged
    return values.reshape(shape)


def _digits() -> DataSet:
    """Return scikit-learn's 1,797 digits, enlarged from 8×8 to 28×28 and split into 1,297, 200 and 300 images."""
    small, labels = _digits_table()
    weights = _enlargement(small.shape[1], SIDE)
    images = np.clip(np.rint(weights @ (small * (255 / 16)) @ weights.T), 0, 255).astype(np.uint8)
    return DataSet("digits", *_shuffled(Split(images, labels), (1297, 200, 300)))


def _digits_table() -> tuple[Array, Integers]:
    """Return values [1797, 8, 8] from 0 to 16 and labels [1797].

    They are read from the package's file, since importing scikit-learn takes a second.
    """
    spec = find_spec("sklearn")
    for place in spec.submodule_search_locations or () if spec else ():
        path = Path(place, "datasets", "data", "digits.csv.gz")
        if path.is_file():
            table = np.loadtxt(path, delimiter=",")
            return table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int64)
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        reason = "this data set comes with scikit-learn, which is not installed; install it or use --data"
        raise DataError("digits", reason) from error
    bunch = load_digits()
    return bunch.images, bunch.target.astype(np.int64)


def _enlargement(size: int, wanted: int) -> Array:
    """Return weights [wanted, size] of a cubic interpolation along one axis: pixel centres at i + ½, edges repeated.

    The kernel is Keys' (1981) with a = −½.
    """
    weights = np.zeros((wanted, size))
    for row, position in enumerate((np.arange(wanted) + 0.5) * size / wanted - 0.5):
        for column in range(int(np.floor(position)) - 1, int(np.floor(position)) + 3):
            distance = abs(position - column)
            inner = (1.5 * distance - 2.5) * distance**2 + 1
            outer = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
            weights[row, min(max(column, 0), size - 1)] += inner if distance <= 1 else outer
    return weights


def _shuffled(split: Split, sizes: tuple[int, ...]) -> tuple[Split, ...]:
    """Return disjoint random splits of the given sizes, which are the same on every machine and with every numpy."""
    # numpy promises that the stream of RandomState never changes; that of default_rng may.
    order = np.random.RandomState(_SPLIT_SEED).permutation(len(split))
    pieces = np.split(order, np.cumsum(sizes))[: len(sizes)]
    return tuple(Split(split.images[piece], split.labels[piece]) for piece in pieces)


def _digest(split: Split) -> bytes:
    digest = hashlib.sha256(repr(split.images.shape).encode())
    digest.update(np.ascontiguousarray(split.images).data)
    digest.update(np.ascontiguousarray(split.labels.astype("<i8")).data)
    return digest.digest()
