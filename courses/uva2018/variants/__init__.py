"""Variants of the reference of 2018 (University of Amsterdam), and the whole packages that they are put together to."""

from __future__ import annotations

from typing import Final

from validation.variants import Changes, Training

FAMILIES: Final = ("vae2018", "gan2018")

MIXTURES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "of logits": {"vae2018": ("log variance and logits",), "gan2018": ("logits",)},
    "of square images": {
        "vae2018": ("square images", "an ELBO that the loop returns"),
        "gan2018": ("square images", "new images for the discriminator"),
    },
    "of distributions": {
        "vae2018": ("distributions", "a deeper network with dropout", "one sample after the other"),
        "gan2018": ("labels exchanged in both", "an interpolation of several strips"),
    },
}

# Where the yardstick is the reference's own training, the same draws would end where they do.
_OTHER_DRAWS: Final[Changes] = {"a3_gan_template.py": ("LATENTS = 100\n", "LATENTS = 100\ntorch.rand(1)\n")}

TRAININGS: Final = {
    "vae2018.nats": Training(("vae2018.nats",)),
    "gan2018.frechet": Training(("gan2018.frechet",), _OTHER_DRAWS),
}
