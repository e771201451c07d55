"""The VAE's graders beyond misconceptions: messages, gaps, and the Lightning template."""

from __future__ import annotations

import numpy as np
import pytest

from graders.common.manifolds import SIDE, tiles_in_a_row
from validation.workbench import REFERENCE, Workbench

TORCH, LIGHTNING = "part1/train_torch.py", "part1/train_pl.py"

# What a student reads who makes a mistake that has no name but is like one that has.
WORDS = {
    "reparameterisation.uniform_noise": ("vae.reparameterize", "mean is"),
    "reparameterisation.drawn_without_gradients": ("vae.reparameterize", "no gradient"),
    "reparameterisation.mean_detached": ("vae.reparameterize", "no gradient reaches mean"),
    "reparameterisation.same_noise_in_each_call": ("vae.reparameterize", "two calls"),
    "kld.log_std_as_log_variance": ("vae.kld", "the variance is exp"),
    "kld.summed_over_everything": ("vae.kld", "shape"),
    "kld.not_summed": ("vae.kld", "not summed"),
    "bits.nats_kept": ("vae.bpd", "log₂"),
    "bits.averaged_over_batch": ("vae.bpd_per_image", "one value per image"),
    "manifold.even_latents": ("vae.manifold", "evenly spaced itself"),
    "manifold.sigmoid_forgotten": ("vae.manifold", "sigmoid"),
    "manifold.eight_tiles_a_row": ("vae.manifold", "nrow"),
    "vae_loss.pixels_averaged": ("vae.loss", "mean over all"),
    "vae_loss.summed_over_batch": ("vae.loss", "sum over the batch"),
    "vae_loss.one_loss_for_each_image": ("vae.loss", "one number"),
    "vae_loss.mean_decoded": ("vae.loss", "no draw"),
    "vae_loss.draw_detached": ("vae.loss", "cut off"),
    "vae_loss.likelihood_for_loss": ("vae.loss", "wrong sign"),
    "vae_sampling.means_rounded": ("vae.sample", "threshold"),
    "vae_sampling.means_for_samples": ("vae.sample", "means themselves"),
    "vae_sampling.exchanged": ("vae.sample", "exchanged"),
    "vae_sampling.coins_shared_by_images": ("vae.sample", "different images are not independent"),
    "vae_sampling.coin_shared_by_pixels": ("vae.sample", "neighbouring pixels are not independent"),
    "vae_sampling.uniform_prior": ("vae.sample", "prior"),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", WORDS)
def test_messages_say_what_is_wrong(workbench: Workbench, name: str) -> None:
    check, words = WORDS[name]
    fact = workbench.check(workbench.planted(name), check)[check]
    assert words in fact.decisive.message


def test_hidden_layers_that_forward_never_calls_do_not_count(workbench: Workbench) -> None:
    mlp = (
        "self.net = mlp([input_dim, *hidden_dims, 2 * z_dim])",
        "self.net = mlp([input_dim, hidden_dims[0], 2 * z_dim])\n        self.more = mlp([z_dim, *hidden_dims[1:], 8])",
    )
    folder = workbench.variant({"part1/mlp_encoder_decoder.py": mlp})
    message = workbench.check(folder, "vae.mlp_encoder")["vae.mlp_encoder"].decisive.message
    assert "hidden_dims=[16, 16] the network is not larger" in message


@pytest.mark.slow
def test_the_reference_passes_with_lightning_alone(workbench: Workbench) -> None:
    folder = workbench.variant({LIGHTNING: []})
    (folder / TORCH).unlink()
    (folder / "part1/bmnist.py").unlink()
    (folder / "part1/cnn_encoder_decoder.py").unlink()
    facts = workbench.failing(folder, "vae.")
    assert {id_: fact.outcome for id_, fact in facts.items()} == {
        "vae.cnn_encoder": "missing",
        "vae.cnn_decoder": "missing",
    }


def test_lightning_steps_are_watched(workbench: Workbench) -> None:
    folder = workbench.variant({LIGHTNING: ("        return bpd\n", "        return rec\n")})
    (folder / TORCH).unlink()
    (fact,) = workbench.check(folder, "vae.training_loop").values()
    assert fact.outcome == "failed"
    assert "gradient" in fact.decisive.message


def test_a_gap_is_missing(workbench: Workbench) -> None:
    gap = "raise NotImplementedError"
    folder = workbench.variant({"part1/utils.py": ("    return mean + std", f"    {gap}\n    return mean + std")})
    facts = workbench.check(folder, "vae.reparameterize", "vae.kld")
    assert {id_: fact.outcome for id_, fact in facts.items()} == {"vae.reparameterize": "missing", "vae.kld": "passed"}


def test_the_reference_passes(workbench: Workbench) -> None:
    assert workbench.failing(REFERENCE, "vae.") == {}


@pytest.mark.parametrize("padding", [0, 1, 2, 5])
@pytest.mark.parametrize("columns", [5, 6, 8, 13])
def test_tiles_in_a_row_are_counted_whatever_the_padding(columns: int, padding: int) -> None:
    rows = -(-36 // columns)
    for margin in (0, padding):
        height, width = (count * SIDE + (count - 1) * padding + 2 * margin for count in (rows, columns))
        assert tiles_in_a_row(np.zeros((3, height, width)), 36) == columns


def test_a_picture_that_is_no_grid_of_tiles_has_none_in_a_row() -> None:
    assert tiles_in_a_row(np.zeros((3, 100, 100)), 36) == 0


def test_networks_may_be_given_by_properties(workbench: Workbench) -> None:
    folder = workbench.variant(
        {
            TORCH: [
                ("self.encoder = ", "self.networks = nn.ModuleDict()\n        self.networks['q'] = "),
                (
                    "    def forward(self, imgs: torch.Tensor) -> Losses:",
                    "    @property\n    def encoder(self):\n        return self.networks['q']\n\n"
                    "    def forward(self, imgs: torch.Tensor) -> Losses:",
                ),
            ]
        }
    )
    assert workbench.failing(folder, "vae.loss", "vae.sample") == {}
