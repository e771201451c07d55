"""Variants of the reference of CS231n's GANs (Stanford), and the whole packages that they are put together to."""

from __future__ import annotations

from typing import Final

from validation.variants import Changes, Training

FAMILIES: Final = ("image_gan",)

MIXTURES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "by other modules": {"image_gan": ("torch's own reshaping", "noise by a distribution", "losses written out")},
    "square images": {"image_gan": ("square images of the convolutional generator", "noise stretched the other way")},
}

# The yardstick is the reference's own training: the same draws would end where they do.
_OTHER_DRAWS: Final[Changes] = {
    "gan_pytorch.py": (
        "    return bce_loss(logits_fake, torch.ones",
        "    torch.rand(1)\n    return bce_loss(logits_fake, torch.ones",
    )
}
TRAININGS: Final[dict[str, Training]] = {
    "image_gan.frechet": Training(("image_gan.frechet",), _OTHER_DRAWS),
}
