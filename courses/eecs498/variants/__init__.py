"""Variants of the reference of EECS 498 (Michigan), and the whole packages that they are put together to."""

from __future__ import annotations

from typing import Final

from validation.variants import Changes, Training

FAMILIES: Final = ("vae", "image_gan")

MIXTURES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "by distributions": {
        "vae": ("a draw by a distribution", "a divergence of torch", "hidden units of another number"),
        "image_gan": ("noise by a distribution", "losses written out"),
    },
    "square images": {
        "vae": ("images flattened before the encoder", "flat images of the decoder"),
        "image_gan": ("square images of the convolutional networks",),
    },
}

# The yardstick of the GAN is the reference's own training: the same draws would end where they do.
_OTHER_DRAWS: Final[Changes] = {
    "gan.py": ("    return bce(logits_fake, torch.ones", "    torch.rand(1)\n    return bce(logits_fake, torch.ones")
}
TRAININGS: Final[dict[str, Training]] = {
    "vae.held_out_loss": Training(("vae.held_out_loss",)),
    "vae.conditional_held_out_loss": Training(("vae.conditional_held_out_loss",)),
    "image_gan.frechet": Training(("image_gan.frechet",), _OTHER_DRAWS),
}
