"""Short trainings of GANs: what earns their measures, what is refused, and handed-in weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gengrade.course import find
from gengrade.grading import Evidence, Subject, probes
from gengrade.grading.subject import Circumstances
from graders.gan.training import SIZES
from validation.workbench import REFERENCE, Workbench

NETWORK = "        self.generator = GeneratorMLP(z_dim=z_dim, hidden_dims=hidden_dims_gen, dp_rate=dp_rate_gen)\n"
LATENTS = np.random.default_rng(0).standard_normal((8, SIZES["z_dim"]), dtype=np.float32)


def _subject(workbench: Workbench, folder: Path) -> Subject:
    circumstances = Circumstances(find("uva2020"), workbench.tier, "cpu", 1, {})
    return Subject(workbench.tree(folder), f"{folder}", workbench.sandbox, None, circumstances)


@pytest.fixture(scope="module")
def trained(workbench: Workbench) -> Evidence:
    """Return the weights after two steps of the reference on noise."""
    images = np.random.default_rng(0).integers(0, 256, (64, 1, 28, 28), dtype=np.uint8)
    budget = {"steps": 2, "batch_size": 8, "rate": 1e-3, "sizes": SIZES}
    return _subject(workbench, REFERENCE).run(probes.gan.train, images=images, **budget)


def _state(trained: Evidence) -> dict[str, torch.Tensor]:
    """Return the generator's weights with the names of `model.state_dict()`."""
    weights = trained.state("trained")
    return {f"generator.{name}": torch.from_numpy(np.array(value)) for name, value in weights.items()}


def _submitted(workbench: Workbench, content: Any) -> Evidence:
    folder = workbench.variant({})
    path = folder / "part2" / "checkpoints" / "model_checkpoint.pt"
    path.parent.mkdir()
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    return _subject(workbench, folder).run(probes.gan.checkpoint, z=LATENTS, sizes=SIZES)


def test_training_moves_the_generator(workbench: Workbench, trained: Evidence) -> None:
    before, after = trained.state("untrained"), trained.state("trained")
    assert set(before) == set(after)
    assert all(not np.array_equal(before[name], after[name]) for name in before)
    images = _subject(workbench, REFERENCE).run(probes.gan.decode, weights=after, z=LATENTS, sizes=SIZES)
    assert np.abs(images.tensor(shape=(8, 784))).max() <= 1


@pytest.mark.parametrize("key", [None, "state_dict"])
def test_submitted_weights_are_sampled(workbench: Workbench, trained: Evidence, key: str | None) -> None:
    state = _state(trained)
    result = _submitted(workbench, {key: state, "epoch": 250} if key else state)
    assert result.text("problem") == ""
    expected = _subject(workbench, REFERENCE).run(
        probes.gan.decode, weights=trained.state("trained"), z=LATENTS, sizes=SIZES
    )
    np.testing.assert_allclose(result.tensor("images"), expected.tensor(), atol=1e-6)


def test_no_submitted_weights(workbench: Workbench) -> None:
    result = _subject(workbench, REFERENCE).run(probes.gan.checkpoint, z=LATENTS, sizes=SIZES)
    assert result.text("file") == ""
    assert "images" not in result


def test_unusable_weights_do_no_harm(workbench: Workbench, trained: Evidence) -> None:
    state = _state(trained)
    name = next(iter(state))
    cases = {
        "garbage": b"no weights",
        "an object": {"model": Path("x")},
        "a part": {key: value for key, value in state.items() if key != name},
        "another shape": {**state, name: torch.zeros(3, 3)},
        "a claim of 40 GB": {**state, name: torch.zeros(1).expand(10_000_000_000)},
    }
    for case, content in cases.items():
        result = _submitted(workbench, content)
        assert result.text("problem") != "", case
        assert "images" not in result


@pytest.mark.slow
def test_right_gans_earn_their_measures(workbench: Workbench) -> None:
    """The random numbers differ from the reference's, so that it is not compared with itself."""
    folder = workbench.variant({"part2/train_torch.py": (NETWORK, "        torch.rand(7)\n" + NETWORK)})
    measures = workbench.observe(folder, "gan.frechet").measures
    assert measures["gan.frechet"] > 0.6
    assert measures["gan.diversity"] > 0.3


@pytest.mark.slow
def test_a_generator_that_collapses_earns_little(workbench: Workbench) -> None:
    changes = ("self.net(z)", "self.net(0 * z)")
    measures = workbench.observe(workbench.variant({"part2/models.py": changes}), "gan.frechet").measures
    assert measures["gan.diversity"] < 0.1


@pytest.mark.slow
def test_returned_training_images_are_refused(workbench: Workbench) -> None:
    """The steps hand real images to a buffer of the generator, which returns them."""
    folder = workbench.variant(
        {
            "part2/models.py": [
                (
                    "        self.output_shape = tuple(output_shape)\n",
                    "        self.output_shape = tuple(output_shape)\n"
                    "        self.register_buffer('bank', torch.zeros(1000, 1, 28, 28))\n",
                ),
                (
                    "        return torch.tanh(self.net(z)).view(-1, *self.output_shape)",
                    "        x = torch.tanh(self.net(z)).view(-1, *self.output_shape)\n"
                    "        return x if self.training else self.bank[: len(z)].repeat(2, 1, 1, 1)[: len(z)]",
                ),
            ],
            "part2/train_torch.py": (
                "        x_fake = self.generator(",
                "        self.generator.bank = torch.cat([x_real, self.generator.bank])[:1000].detach()\n"
                "        x_fake = self.generator(",
            ),
        }
    )
    fact = workbench.observe(folder, "gan.frechet").checks()["gan.diversity"].decisive
    assert fact.outcome == "failed"
    assert "returns images of the data set" in fact.message
