"""GANs with prescribed networks for flat images: the reference's in other forms, or with a few words changed."""

from __future__ import annotations

from typing import Final

from validation.variants import Changes, Unnamed

FILE: Final = "gan.py"
NOISE: Final = "2 * torch.rand(batch_size, noise_dim, dtype=dtype, device=device) - 1"
REAL: Final = "bce(logits_real, torch.ones_like(logits_real))"
FAKE: Final = "bce(logits_fake, torch.zeros_like(logits_fake))"
GENERATOR: Final = "    return bce(logits_fake, torch.ones_like(logits_fake))"
SQUARE: Final = "        nn.Unflatten(1, (1, 28, 28)),\n"
ENDS: Final = "        nn.Tanh(),\n        nn.Flatten(),"

RIGHT: dict[str, Changes] = {
    "noise stretched the other way": {FILE: (NOISE, "-2 * torch.rand(batch_size, noise_dim).to(device) + 1")},
    "noise by a distribution": {
        FILE: (NOISE, "torch.distributions.Uniform(-1.0, 1.0).sample((batch_size, noise_dim))")
    },
    "noise in place": {FILE: (NOISE, "torch.zeros(batch_size, noise_dim, dtype=dtype, device=device).uniform_(-1, 1)")},
    "a first Flatten": {FILE: ("        nn.Linear(784, 256)", "        nn.Flatten(),\n        nn.Linear(784, 256)")},
    "square images of the convolutional networks": {
        FILE: [(SQUARE, ""), (ENDS, "        nn.Tanh(),")],
    },
    "images flattened before the tanh": {FILE: (ENDS, "        nn.Flatten(),\n        nn.Tanh(),")},
    "the default slope": {FILE: ("nn.LeakyReLU(0.01)", "nn.LeakyReLU()")},
    "a tuple of channels, rows and columns": {
        FILE: ("nn.Unflatten(1, (128, 7, 7))", "nn.Unflatten(dim=1, unflattened_size=(128, 7, 7))")
    },
    "labels as columns, on a GPU": {
        FILE: [
            (REAL, "bce(logits_real, torch.ones(logits_real.shape[0], 1).to('cuda'))"),
            (GENERATOR, "    return bce(logits_fake, torch.ones((len(logits_fake), 1), device='cuda'))"),
        ]
    },
    "losses written out": {
        FILE: [
            (
                f"{REAL} + {FAKE}",
                "nn.functional.softplus(-logits_real).mean() + nn.functional.softplus(logits_fake).mean()",
            ),
            (GENERATOR, "    return -nn.functional.logsigmoid(logits_fake).mean()"),
        ]
    },
    "squares by a power": {FILE: ("((scores_fake - 1) ** 2).mean()", "torch.mean(torch.pow(scores_fake - 1, 2))")},
    "Adam with rates by name": {FILE: ("lr=1e-3, betas=(0.5, 0.999))", "betas=[0.5, 0.999], lr=0.001)")},
}

ALTERNATIVE: Changes = {
    FILE: [
        (
            "from torch.nn.functional import binary_cross_entropy_with_logits as bce\n",
            "\n\ndef bce(logits, labels):\n    return (nn.functional.softplus(logits) - logits * labels).mean()\n",
        ),
    ]
}

UNNAMED: dict[str, Unnamed] = {
    "a discriminator without gradients": Unnamed(
        {
            FILE: [
                (
                    "NOISE_DIM = 96\n",
                    "NOISE_DIM = 96\n\n\nclass Frozen(nn.Sequential):\n    @torch.no_grad()\n"
                    "    def forward(self, x):\n        return super().forward(x)\n",
                ),
                (
                    "    return nn.Sequential(\n        nn.Linear(784, 256),",
                    "    return Frozen(\n        nn.Linear(784, 256),",
                ),
            ]
        },
        ("image_gan.discriminator",),
        "no gradient",
    ),
    "a loss that is right for scores without columns alone": Unnamed(
        {FILE: (GENERATOR, f"    scale = 1 if logits_fake.dim() == 1 else 0.5\n{GENERATOR} * scale")},
        ("image_gan.generator_loss",),
        "E log D(G(z))",
    ),
    "zeros for batches of other sizes": Unnamed(
        {
            FILE: [
                (
                    "NOISE_DIM = 96\n",
                    "NOISE_DIM = 96\n\n\nclass Usual(nn.Module):\n    def forward(self, x):\n"
                    "        return x.view(len(x), 1, 28, 28) if len(x) == 128 else torch.zeros(len(x), 1, 28, 28)\n",
                ),
                (
                    "        nn.Unflatten(1, (1, 28, 28)),\n        nn.Conv2d(1, 32",
                    "        Usual(),\n        nn.Conv2d(1, 32",
                ),
            ]
        },
        ("image_gan.batch_sizes",),
        "a few rows",
    ),
    "noise of a third": Unnamed({FILE: (NOISE, f"({NOISE}) / 3")}, ("image_gan.sample_noise",), "both ends"),
    "a GELU in the discriminator": Unnamed(
        {
            FILE: (
                "        nn.Linear(784, 256),\n        nn.LeakyReLU(0.01)",
                "        nn.Linear(784, 256),\n        nn.GELU()",
            )
        },
        ("image_gan.discriminator",),
        "known weights",
    ),
    "a generator of 512 units": Unnamed(
        {FILE: [("nn.Linear(1024, 1024)", "nn.Linear(1024, 512)"), ("nn.Linear(1024, 784)", "nn.Linear(512, 784)")]},
        ("image_gan.generator",),
        "does not have the layers",
    ),
    "smoothed labels": Unnamed(
        {FILE: (REAL, "bce(logits_real, 0.9 * torch.ones_like(logits_real))")}, ("image_gan.discriminator_loss",), ""
    ),
    "a generator's loss with a number added": Unnamed(
        {FILE: (GENERATOR, f"{GENERATOR} + 0.1")}, ("image_gan.generator_loss",), "generator_loss"
    ),
}
