"""Variants of the reference of 2018 (University of Amsterdam), and the whole packages that they are put together to."""

from __future__ import annotations

from typing import Final

from truth.variants import Changes, Training

FAMILIES: Final = ("elbo", "adversary")

MIXTURES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "of logits": {"elbo": ("log variance and logits",), "adversary": ("logits",)},
    "of square images": {
        "elbo": ("square images", "an ELBO that the loop returns"),
        "adversary": ("square images", "new images for the discriminator"),
    },
    "of distributions": {
        "elbo": ("distributions", "a deeper network with dropout", "one sample after the other"),
        "adversary": ("labels exchanged in both", "an interpolation of several strips"),
    },
}

# Where the yardstick is the reference's own training, the same draws would end where they do.
_OTHER_DRAWS: Final[Changes] = {"a3_gan_template.py": ("LATENTS = 100\n", "LATENTS = 100\ntorch.rand(1)\n")}

TRAININGS: Final = {
    "elbo.nats": Training(("elbo.nats",)),
    "adversary.frechet": Training(("adversary.frechet",), _OTHER_DRAWS),
}
