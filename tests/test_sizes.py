"""Globals in which students keep sizes, while their functions are called with other sizes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gengrade.parts import Part
from gengrade.sandbox.guest.errors import Undecided
from graders.adapting.calling import call
from graders.adapting.loading import Modules
from tests.support.imported import nothing_stays

PROGRAM = """
import torch

z_dim, batch_size = 16, 100
BS = batch_size
ones = torch.ones(batch_size, 1)
smooth = 0.9 * ones
state = [torch.nn.Linear(z_dim, 1)]


def labels(scores): return torch.ones(batch_size, 1) + 0 * scores
def smoothed(scores): return smooth + 0 * scores
def mean(scores): return scores.sum() / BS
def helped(scores): return labels(scores)
def sample(num_samples): return torch.randn(num_samples, z_dim)
def sample_of(num_samples, latent_dim=z_dim): return torch.randn(num_samples, latent_dim)
def many(num_samples): return torch.randn(batch_size, z_dim)
def written_out(scores): return torch.ones(100, 1) + 0 * scores
def bound(scores, target=torch.ones(batch_size, 1)): return target + 0 * scores
def number(): return batch_size


def assigned(scores, size=batch_size): return torch.zeros(len(scores), 1).view(size, 1)
def layered(scores, size=batch_size): return torch.nn.functional.linear(scores, torch.zeros(4, size))
def claimed(scores, size=batch_size): raise ValueError(f"size mismatch: {size} and {len(scores)}")
def chained(scores, size=batch_size):
    try:
        return scores + torch.zeros(7, 1)
    except RuntimeError as error:
        raise ValueError(f"size mismatch: {size} and {len(scores)}") from error
def caught(scores, size=batch_size):
    try:
        return torch.zeros(size, 1) + scores
    except RuntimeError:
        raise
def thrown(scores, size=batch_size):
    (_ for _ in [1]).throw(ValueError(f"size mismatch: {size} and {len(scores)}"))


class Shown(ValueError):
    def __str__(self): return f"size mismatch: {batch_size} and 64"
def shown(scores, size=batch_size): raise Shown


class Model:
    def __init__(self, z_dim=z_dim): self.size = z_dim
    def sample(self, n): return torch.randn(n, z_dim)
"""


@pytest.fixture
def modules(tmp_path: Path):  # type: ignore[no-untyped-def]
    (tmp_path / "train.py").write_text(PROGRAM)
    with nothing_stays({"train"}):
        yield Modules(tmp_path, Part(folder=None, files=("train.py",)))


SCORES = torch.zeros(64, 1)


@pytest.mark.parametrize("name", ["labels", "smoothed", "helped"])
def test_labels_have_the_size_of_the_batch(modules: Modules, name: str) -> None:
    assert call(modules.find(name, "train"), {"scores": SCORES}).shape == (64, 1)
    assert call(modules.find(name, "train"), {"scores": SCORES[:7]}).shape == (7, 1)
    assert call(modules.find("number", "train"), {}) == 100


def test_a_mean_divides_by_the_batch(modules: Modules) -> None:
    assert call(modules.find("mean", "train"), {"scores": SCORES + 3}) == 3


@pytest.mark.parametrize("name", ["sample", "sample_of"])
def test_samples_have_as_many_latents_as_the_caller_says(modules: Modules, name: str) -> None:
    assert call(modules.find(name, "train"), {"num_samples": 5}, said={"latents": 24}).shape == (5, 24)
    assert call(modules.find(name, "train"), {"num_samples": 5}).shape == (5, 16)


def test_a_class_keeps_the_latents_that_it_was_made_with(modules: Modules) -> None:
    model = call(modules.find("Model", "train"), {"z_dim": 6})
    assert model.size == 6
    assert call(model.sample, {"n": 4}).shape == (4, 6)


def test_a_number_of_samples_is_not_the_size_of_a_batch(modules: Modules) -> None:
    assert call(modules.find("many", "train"), {"num_samples": 5}).shape == (100, 16)


@pytest.mark.parametrize("name", ["claimed", "chained", "thrown", "shown"])
def test_a_program_that_says_that_sizes_differ_is_wrong(modules: Modules, name: str) -> None:
    """Its own words about a size left a check open that plain wrong answers fail."""
    with pytest.raises(ValueError, match="size mismatch: 100 and 64"):
        call(modules.find(name, "train"), {"scores": SCORES})


@pytest.mark.parametrize("name", ["assigned", "layered", "caught"])
def test_a_size_that_a_library_refuses_leaves_it_open(modules: Modules, name: str) -> None:
    with pytest.raises(Undecided, match=f"{name} only works for the value of batch_size"):
        call(modules.find(name, "train"), {"scores": SCORES})


def test_sizes_that_are_written_out_stay_wrong(modules: Modules) -> None:
    with pytest.raises(RuntimeError, match="size of tensor"):
        call(modules.find("written_out", "train"), {"scores": SCORES})


def test_a_default_of_another_size_leaves_it_open(modules: Modules) -> None:
    with pytest.raises(Undecided, match="bound only works for the value of batch_size"):
        call(modules.find("bound", "train"), {"scores": SCORES})
    assert call(modules.find("bound", "train"), {"scores": torch.zeros(100, 1)}).shape == (100, 1)
