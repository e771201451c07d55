"""Variants of the reference of 2023 (Université de Montréal), and the whole packages that they are put together to."""

from __future__ import annotations

from typing import Final

from validation.variants import Changes, Training

FAMILIES: Final = ("gaussian_vae", "gan", "ddpm")

# Unlike each other in what could matter to chance: number formats, and the ways and the order of random draws.
MIXTURES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "double precision": {
        "gaussian_vae": ("float64 in the likelihood", "a draw by a distribution"),
        "gan": ("loss of probabilities", "noise of the hand-out's size"),
        "ddpm": ("sequences in double precision", "times by a product", "noise by a distribution"),
    },
    "written out": {
        "gaussian_vae": ("all draws at once, images first", "one after the other"),
        "gan": ("flat scores", "one after the other"),
        "ddpm": ("one step written out in the loop", "noising written out in the loss"),
    },
}

# Where the yardstick is the reference's own training, the same draws would end where they do.
_OTHER_DRAWS: Final[Changes] = {
    "gan_solution.py": ("    output = discriminator(fake", "    torch.rand(1)\n    output = discriminator(fake")
}
TRAININGS: Final[dict[str, Training]] = {
    "gaussian_vae.held_out_bound": Training(("gaussian_vae.held_out_bound",)),
    "gan.frechet": Training(("gan.frechet", "gan.diversity"), _OTHER_DRAWS),
    "ddpm.held_out_loss": Training(("ddpm.held_out_loss",)),
}
