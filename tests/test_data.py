"""Data sets: scikit-learn's digits, MNIST's files in any folder, and the errors when they are missing."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gengrade import data
from gengrade.data import DataError, DataSet, load


def write_idx(folder: Path, train: int = 60, test: int = 12, packed: bool = False, side: int = 28) -> Path:
    """Write MNIST's four files with random content, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for prefix, count in (("train", train), ("t10k", test)):
        arrays = {
            f"{prefix}-images-idx3-ubyte": random.integers(0, 256, (count, side, side)),
            f"{prefix}-labels-idx1-ubyte": random.integers(0, 10, count),
        }
        for name, array in arrays.items():
            header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
            content = header + array.astype(np.uint8).tobytes()
            target = folder / (f"{name}.gz" if packed else name)
            target.write_bytes(gzip.compress(content) if packed else content)
    return folder


@pytest.fixture(scope="module")
def digits() -> DataSet:
    return load("digits")


def test_the_digits_are_split_for_ever(digits: DataSet) -> None:
    assert (digits.name, len(digits.train), len(digits.validation), len(digits.test)) == ("digits", 1297, 200, 300)
    assert digits.sha256 == "sha256:beef3d946c342c8200eced67eb1f5054721b910619a797fbc08d3dcb52ada563"
    images = np.concatenate([split.images for split in (digits.train, digits.validation, digits.test)])
    assert len({image.tobytes() for image in images}) == 1797


def test_the_digits_are_scikit_learns(digits: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "find_spec", lambda name: None)  # as where the package keeps its files elsewhere
    assert load("digits").sha256 == digits.sha256


def test_digits_keep_their_look(digits: DataSet) -> None:
    small = digits.train.images.reshape(-1, 4, 7, 4, 7).mean(axis=(2, 4))
    ink = digits.train.binary().reshape(-1, 4, 7, 4, 7).mean(axis=(2, 4))
    assert np.corrcoef(small.ravel(), ink.ravel())[0, 1] > 0.95
    assert 0.2 < digits.train.binary().mean() < 0.4


def test_binary_and_scaled_images(digits: DataSet) -> None:
    binary, scaled = digits.test.binary(), digits.test.scaled()
    assert binary.shape == scaled.shape == (300, 1, 28, 28)
    assert str(binary.dtype) == "uint8"
    assert str(scaled.dtype) == "float32"
    assert set(np.unique(binary).tolist()) == {0, 1}
    assert (scaled.min(), scaled.max()) == (-1, 1)
    np.testing.assert_array_equal(binary, scaled > 0)


def test_images_cannot_be_changed(digits: DataSet) -> None:
    with pytest.raises(ValueError, match="read-only"):
        digits.train.images[0] = 0


@pytest.mark.parametrize("place", ["MNIST/raw", "raw", "."])
@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_of_idx_files(tmp_path: Path, place: str, packed: bool) -> None:
    write_idx(tmp_path / "own" / place, packed=packed)
    loaded = load(str(tmp_path / "own"))
    assert (loaded.name, len(loaded.train), len(loaded.validation), len(loaded.test)) == ("own", 45, 5, 12)
    assert loaded.sha256 == load(str(tmp_path / "own")).sha256


def test_the_default_is_the_environments_then_the_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GENGRADE_DATA", raising=False)
    assert load().name == "digits"
    monkeypatch.setenv("GENGRADE_DATA", str(write_idx(tmp_path / "own")))
    assert load().name == "own"
    assert load("digits").name == "digits"


def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="it is not a folder"):
        load(str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="train-images-idx3-ubyte"):
        load(str(tmp_path))
    with pytest.raises(DataError, match="28×28"):
        load(str(write_idx(tmp_path / "large", side=32)))
    images = write_idx(tmp_path / "short") / "t10k-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-1])
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte: it is damaged"):
        load(str(tmp_path / "short"))


def test_mnist_is_looked_for_in_the_cache_before_it_is_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GENGRADE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked: list[Path] = []

    def download(into: Path) -> None:
        asked.append(into)
        write_idx(into / "MNIST" / "raw")

    monkeypatch.setattr(data, "_download", download)
    for _ in range(2):
        assert len(load("mnist").train) == 45
    assert asked == [tmp_path / "gengrade"]


def test_a_failed_download_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GENGRADE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    failed = subprocess.CompletedProcess([], 1, "", "Traceback …\nURLError: no network\n")
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: failed)
    with pytest.raises(DataError, match=r"URLError: no network.*--data digits"):
        load("mnist")


def test_loading_imports_nothing_heavy() -> None:
    program = "import sys; from gengrade.data import load; load('digits'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"torch", "torchvision", "sklearn", "scipy"} & set(done.stdout.split())


@pytest.mark.mnist
def test_mnist_is_known_by_its_content(mnist_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load(str(mnist_root))
    assert (loaded.name, len(loaded.train), len(loaded.validation), len(loaded.test)) == (
        "mnist",
        45_000,
        5_000,
        10_000,
    )
    assert 0.12 < loaded.train.binary().mean() < 0.14
    np.testing.assert_array_equal(np.unique(loaded.test.labels), np.arange(10))
    monkeypatch.setenv("GENGRADE_DATA", str(mnist_root))
    assert load("mnist").sha256 == load().sha256 == loaded.sha256
