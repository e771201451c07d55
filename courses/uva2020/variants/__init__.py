"""Variants of the reference of 2020 (University of Amsterdam), and the whole packages that they are put together to."""

from __future__ import annotations

from typing import Final

from validation.variants import Changes, Training

FAMILIES: Final = ("vae", "gan", "flow", "theory")

# Unlike each other in what could matter to chance: architectures, number formats, and the ways and the order in which
# random numbers are drawn.
MIXTURES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "normalised": {
        "vae": ("GELU, normalised layers, dropout", "batch normalisation in the CNN", "four draws"),
        "gan": ("batch norm in both", "noisy labels on both sides", "two updates of the discriminator"),
        "flow": ("a network with normalised layers and normalised weights", "samples by a mask"),
        "theory": ("terms as batch means",),
    },
    "double precision": {
        "vae": ("float64", "KL in float64, last dimension by a product with ones", "samples in parts"),
        "gan": ("float64 throughout",),
        "flow": ("a flow in double precision", "a number of each mode, shuffled"),
        "theory": ("terms in double precision",),
    },
    "residual": {
        "vae": ("residual layers", "past forward, straight to the layers", "noise by size, in place"),
        "gan": ("residual layers", "one batch of real and fake", "interpolation in a loop, backwards"),
        "flow": ("layers of another kind between the coupling layers", "exactly half from each mode, in order"),
        "theory": ("terms as sums",),
    },
    "of distributions": {
        "vae": (
            "weight normalisation",
            "a draw of torch.distributions",
            "samples of torch.distributions, and the latents",
        ),
        "gan": ("convolutional generator", "noise by a distribution", "labels exchanged in both steps"),
        "flow": ("layers that start away from the identity", "noise by Box and Muller"),
        "theory": ("divergence by distributions",),
    },
}

# Where the yardstick is the reference's own training, the same draws would end where they do.
_OTHER_DRAWS: Final[Changes] = {
    "part2/models.py": ("from torch import nn\n", "from torch import nn\n\ntorch.rand(1)\n")
}

TRAININGS: Final = {
    "vae.train_bpd": Training(("vae.train_bpd", "vae.test_bpd")),
    "gan.frechet": Training(("gan.frechet", "gan.diversity"), _OTHER_DRAWS),
    "flow.bpd": Training(("flow.bpd",), of_images=False),  # its target is the same everywhere
}
