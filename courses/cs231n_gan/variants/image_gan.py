"""GANs with prescribed networks: the reference's in other forms, or with a few words changed."""

from __future__ import annotations

from typing import Final

from validation.variants import Changes, Unnamed

FILE: Final = "gan_pytorch.py"
NOISE: Final = "2 * torch.rand(batch_size, dim) - 1"
OF_LABELS: Final = "nn.functional.binary_cross_entropy_with_logits(input, target)"
REAL: Final = "bce_loss(logits_real, torch.ones_like(logits_real))"
FAKE: Final = "bce_loss(logits_fake, torch.zeros_like(logits_fake))"
GENERATOR: Final = "    return bce_loss(logits_fake, torch.ones_like(logits_fake))"
CONVOLUTION: Final = "        nn.Conv2d(1, 32, kernel_size=5),"
UNFLATTEN: Final = "        Unflatten(C=128, H=7, W=7),"
ENDS: Final = "        nn.Tanh(),\n        Flatten(),"
HIDDEN: Final = """        nn.Linear(784, 256),
        nn.LeakyReLU(0.01),
        nn.Linear(256, 256),
        nn.LeakyReLU(0.01),
        nn.Linear(256, 1),
"""
CLASS: Final = """class _Scores(nn.Module):
    def __init__(self):
        super().__init__()
        self.last, self.second, self.first = nn.Linear(256, 1), nn.Linear(256, 256), nn.Linear(784, 256)

    def forward(self, x):
        hidden = nn.functional.leaky_relu(self.first(x.flatten(1)))
        return self.last(nn.functional.leaky_relu(self.second(hidden)))


"""
PERMUTED: Final = """        nn.Unflatten(1, (7, 7, 128)),
        type("Permute", (nn.Module,), {"forward": lambda self, x: x.permute(0, 3, 1, 2)})(),
"""

RIGHT: dict[str, Changes] = {
    "noise stretched the other way": {FILE: (NOISE, "-2 * torch.rand(batch_size, dim) + 1")},
    "noise by a distribution": {FILE: (NOISE, "torch.distributions.Uniform(-1.0, 1.0).sample((batch_size, dim))")},
    "noise in place": {FILE: (NOISE, "torch.empty(batch_size, dim).uniform_(-1, 1)")},
    "a size of the batch in a global": {
        FILE: [
            ("def build_dc_classifier(batch_size):", "batch_size = 128\n\n\ndef build_dc_classifier():"),
            (CONVOLUTION, f"        Unflatten(batch_size, 1, 28, 28),\n{CONVOLUTION}"),
        ]
    },
    "squares in place": {
        FILE: (
            "    return 0.5 * ((scores_fake - 1) ** 2).mean()",
            "    scores_fake -= 1\n    return 0.5 * (scores_fake**2).mean()",
        )
    },
    "noise of NumPy": {
        FILE: (NOISE, "torch.from_numpy(__import__('numpy').random.uniform(-1, 1, (batch_size, dim))).float()")
    },
    "noise of double precision": {FILE: (NOISE, "2 * torch.rand(batch_size, dim, dtype=torch.double) - 1")},
    "torch's own reshaping": {
        FILE: [
            ("        Flatten(),\n        nn.Linear(784", "        nn.Flatten(),\n        nn.Linear(784"),
            ("        Flatten(),\n        nn.Linear(4", "        nn.Flatten(),\n        nn.Linear(4"),
            (UNFLATTEN, "        nn.Unflatten(1, (128, 7, 7)),"),
        ]
    },
    "the hand-out's own Flatten, for square images": {
        FILE: (
            "        return x.reshape(len(x), -1)",
            "        N, C, H, W = x.size()\n        return x.view(N, C * H * W)",
        )
    },
    "a first Unflatten, of any batch": {FILE: (CONVOLUTION, f"        Unflatten(-1, 1, 28, 28),\n{CONVOLUTION}")},
    "a first Unflatten, of the batch size": {
        FILE: (CONVOLUTION, f"        Unflatten(batch_size, 1, 28, 28),\n{CONVOLUTION}")
    },
    "a first Unflatten of torch, for flat images only": {
        FILE: (CONVOLUTION, f"        nn.Unflatten(1, (1, 28, 28)),\n{CONVOLUTION}")
    },
    "no batch size for the classifier": {FILE: ("build_dc_classifier(batch_size)", "build_dc_classifier()")},
    "square images of the convolutional generator": {FILE: (ENDS, "        nn.Tanh(),")},
    "square images of the generator": {
        FILE: (
            "        nn.Linear(1024, 784),\n        nn.Tanh(),",
            "        nn.Linear(1024, 784),\n        nn.Tanh(),\n        Unflatten(-1, 1, 28, 28),",
        )
    },
    "flat images before the tanh": {FILE: (ENDS, "        Flatten(),\n        nn.Tanh(),")},
    "flat scores": {FILE: ("        nn.Linear(256, 1),\n", "        nn.Linear(256, 1),\n        nn.Flatten(0),\n")},
    "the default slope": {FILE: ("nn.LeakyReLU(0.01)", "nn.LeakyReLU(inplace=True)")},
    "layers whose inputs are found": {
        FILE: [("nn.Linear(4 * 4 * 64, 1024)", "nn.LazyLinear(1024)"), ("nn.Linear(784, 256)", "nn.LazyLinear(256)")]
    },
    "a class with functional activations": {
        FILE: [
            ("def discriminator(seed", f"{CLASS}def discriminator(seed"),
            (f"    return nn.Sequential(\n        Flatten(),\n{HIDDEN}    )", "    return _Scores()"),
        ]
    },
    "labels of the length alone, which suit flat scores": {
        FILE: [
            (OF_LABELS, "nn.functional.binary_cross_entropy_with_logits(input.squeeze(), target)"),
            (REAL, "bce_loss(logits_real, torch.ones(len(logits_real)))"),
            (FAKE, "bce_loss(logits_fake, torch.zeros(len(logits_fake)))"),
            (GENERATOR, "    return bce_loss(logits_fake, torch.ones(logits_fake.size()[0]))"),
        ]
    },
    "labels of the scores' shape, squeezed": {
        FILE: (OF_LABELS, "nn.BCEWithLogitsLoss()(input.squeeze(), target.squeeze())")
    },
    "labels that are spread over columns": {
        FILE: [
            (OF_LABELS, "(input.clamp(min=0) - input * target + (1 + (-input.abs()).exp()).log()).mean()"),
            (REAL, "bce_loss(logits_real, torch.ones(logits_real.size()[0]))"),
        ]
    },
    "losses of columns only": {
        FILE: [
            (REAL, "bce_loss(logits_real, torch.ones(logits_real.shape[0], 1))"),
            (FAKE, "bce_loss(logits_fake, torch.zeros(logits_fake.shape[0], 1))"),
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
    "losses with one element": {
        FILE: [
            ("((scores_fake - 1) ** 2).mean()", "((scores_fake - 1) ** 2).mean(0)"),
            ("(scores_fake**2).mean()", "(scores_fake**2).mean(0)"),
        ]
    },
    "squared errors of torch": {
        FILE: (
            "0.5 * ((scores_real - 1) ** 2).mean() + 0.5 * (scores_fake**2).mean()",
            "(nn.MSELoss()(scores_real, torch.ones_like(scores_real)) + scores_fake.square().mean()) / 2",
        )
    },
    "labels on a GPU": {
        FILE: [
            (REAL, "bce_loss(logits_real, torch.ones(logits_real.shape, device='cuda'))"),
            (FAKE, "bce_loss(logits_fake, torch.zeros(logits_fake.shape).cuda())"),
            (NOISE, "2 * torch.rand(batch_size, dim).type(torch.cuda.FloatTensor) - 1"),
        ]
    },
    "an error that stays below the answer": {FILE: (GENERATOR, f"{GENERATOR}\n    raise NotImplementedError")},
    "Adam with its other defaults said": {
        FILE: ("lr=1e-3, betas=(0.5, 0.999))", "1e-3, (0.5, 0.999), eps=1e-8, weight_decay=0, amsgrad=False)")
    },
    "Adam in a loop over the parameters": {
        FILE: (
            "torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.5, 0.999))",
            "torch.optim.Adam([{'params': [each]} for each in model.parameters()], 1e-3, (0.5, 0.999), foreach=False)",
        )
    },
    "losses as averages of a loop": {
        FILE: [
            (
                "((scores_fake - 1) ** 2).mean()",
                "(sum((each - 1) ** 2 for each in scores_fake) / len(scores_fake)).sum()",
            ),
            (
                GENERATOR,
                "    return sum(nn.functional.softplus(-each).sum() for each in logits_fake) / len(logits_fake)",
            ),
        ]
    },
    "other names of arguments": {
        FILE: [
            ("def ls_generator_loss(scores_fake)", "def ls_generator_loss(s)"),
            ("((scores_fake - 1) ** 2)", "((s - 1) ** 2)"),
            ("def build_dc_generator(noise_dim=NOISE_DIM)", "def build_dc_generator(n=NOISE_DIM)"),
            (
                "nn.Linear(noise_dim, 1024),\n        nn.ReLU(),\n        nn.BatchNorm1d",
                "nn.Linear(n, 1024),\n        nn.ReLU(),\n        nn.BatchNorm1d",
            ),
        ]
    },
}

ALTERNATIVE: Changes = {
    FILE: [
        ("        return x.reshape(len(x), -1)", "        return x.flatten(start_dim=1)"),
        ("        return x.reshape(self.shape)", "        return x.view(*self.shape)"),
        (OF_LABELS, "(nn.functional.softplus(input) - input * target).mean()"),
        ("import torch\nfrom torch import nn", "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F"),
        ("nn.functional.", "F."),
    ]
}

UNNAMED: dict[str, Unnamed] = {
    "noise of a third": Unnamed(
        {FILE: (NOISE, "(2 * torch.rand(batch_size, dim) - 1) / 3")}, ("image_gan.sample_noise",), "both ends"
    ),
    "noise that prefers the ends": Unnamed(
        {FILE: (NOISE, "torch.sin(6.2831853 * torch.rand(batch_size, dim))")},
        ("image_gan.sample_noise",),
        "not uniform",
    ),
    "noise whose second half repeats the first": Unnamed(
        {FILE: (NOISE, "(2 * torch.rand(batch_size, dim) - 1)[torch.arange(batch_size) % max(1, batch_size // 2)]")},
        ("image_gan.sample_noise",),
        "repeat",
    ),
    "a discriminator of 300 units": Unnamed(
        {FILE: (HIDDEN, HIDDEN.replace("256", "300"))}, ("image_gan.discriminator",), "does not have the layers"
    ),
    "dropout in the discriminator": Unnamed(
        {
            FILE: (
                HIDDEN,
                HIDDEN.replace(
                    "0.01),\n        nn.Linear(256, 1)", "0.01),\n        nn.Dropout(0.3),\n        nn.Linear(256, 1)"
                ),
            )
        },
        ("image_gan.discriminator",),
        "known weights",
    ),
    "a tanh in the generator": Unnamed(
        {
            FILE: (
                "        nn.ReLU(),\n        nn.Linear(1024, 784)",
                "        nn.Tanh(),\n        nn.Linear(1024, 784)",
            )
        },
        ("image_gan.generator",),
        "known weights",
    ),
    "no offsets in the generator": Unnamed(
        {FILE: ("nn.Linear(1024, 784)", "nn.Linear(1024, 784, bias=False)")},
        ("image_gan.generator",),
        "does not have the layers",
    ),
    "a stride in place of pooling": Unnamed(
        {
            FILE: (
                "nn.Conv2d(1, 32, kernel_size=5),\n        nn.LeakyReLU(0.01),\n        nn.MaxPool2d(2),",
                "nn.Conv2d(1, 32, kernel_size=5, stride=2),\n        nn.LeakyReLU(0.01),",
            )
        },
        ("image_gan.dc_discriminator",),
        "known weights",
    ),
    "32 channels in the convolutional generator": Unnamed(
        {
            FILE: [
                ("nn.ConvTranspose2d(128, 64", "nn.ConvTranspose2d(128, 32"),
                ("nn.BatchNorm2d(64)", "nn.BatchNorm2d(32)"),
                ("nn.ConvTranspose2d(64, 1", "nn.ConvTranspose2d(32, 1"),
            ]
        },
        ("image_gan.dc_generator",),
        "does not have the layers",
    ),
    "channels in another order": Unnamed(
        {FILE: (f"{UNFLATTEN}\n", PERMUTED)}, ("image_gan.dc_generator",), "known weights"
    ),
    "smoothed labels": Unnamed(
        {FILE: (REAL, "bce_loss(logits_real, 0.9 * torch.ones_like(logits_real))")},
        ("image_gan.discriminator_loss",),
        "discriminator_loss",
    ),
    "a loss of each image": Unnamed(
        {FILE: (GENERATOR, "    return nn.functional.softplus(-logits_fake)")},
        ("image_gan.generator_loss",),
        "one number",
    ),
    "a loss with a number added": Unnamed(
        {FILE: (GENERATOR, f"{GENERATOR} + 0.1")}, ("image_gan.generator_loss",), "generator_loss"
    ),
    "a real term without a gradient": Unnamed(
        {FILE: (REAL, "bce_loss(logits_real.detach(), torch.ones_like(logits_real))")},
        ("image_gan.discriminator_loss",),
        "gradient",
    ),
    "squares of the wrong distance": Unnamed(
        {FILE: ("    return 0.5 * ((scores_fake - 1) ** 2)", "    return 0.5 * ((scores_fake - 0.9) ** 2)")},
        ("image_gan.ls_generator_loss",),
        "ls_generator_loss",
    ),
    "an average of squares that only grows": Unnamed(
        {FILE: ("betas=(0.5, 0.999))", "betas=(0.5, 0.999), amsgrad=True)")}, ("image_gan.optimizer",), "way"
    ),
    "Adam of the first four parameters": Unnamed(
        {FILE: ("Adam(model.parameters()", "Adam(list(model.parameters())[:4]")},
        ("image_gan.optimizer",),
        "only some of the parameters",
    ),
    "Adam of the first fourteen parameters": Unnamed(
        {FILE: ("Adam(model.parameters()", "Adam(list(model.parameters())[:14]")},
        ("image_gan.optimizer",),
        "only some of the parameters",
    ),
    "losses of the first forty scores": Unnamed(
        {
            FILE: [
                ("((scores_fake - 1) ** 2)", "((scores_fake[:40] - 1) ** 2)"),
                (GENERATOR, "    logits_fake = logits_fake[:40]\n" + GENERATOR),
            ]
        },
        ("image_gan.generator_loss", "image_gan.ls_generator_loss"),
        "generator_loss",
    ),
    "no noise for batches below 400": Unnamed(
        {FILE: (NOISE, f"({NOISE}) * (batch_size >= 400)")}, ("image_gan.sample_noise",), "never negative"
    ),
    "no noise for batches of 128": Unnamed(
        {FILE: (NOISE, f"({NOISE}) * (batch_size != 128)")}, ("image_gan.sample_noise",), "never negative"
    ),
    "constants": Unnamed(
        {
            FILE: [
                (f"{REAL} + ", "0 * logits_real.mean() + 0 * "),
                (GENERATOR, GENERATOR.replace("return", "return 0 *")),
            ]
        },
        ("image_gan.discriminator_loss", "image_gan.generator_loss", "image_gan.large_scores"),
        "loss",
    ),
    "networks that give constants": Unnamed(
        {
            FILE: [
                (
                    "NOISE_DIM = 96\n",
                    "NOISE_DIM = 96\n\n\nclass _Constant(torch.nn.Module):\n    def forward(self, x):\n"
                    "        return 0 * x.flatten(1)[:, :1]\n\n\nclass _Black(torch.nn.Module):\n"
                    "    def forward(self, x):\n        return (0 * x[:, :1]).expand(-1, 784)\n",
                ),
                (
                    "def discriminator(seed=None):",
                    "def discriminator():\n    return _Constant()\n\n\ndef _one(seed=None):",
                ),
                (
                    "def generator(noise_dim=NOISE_DIM, seed",
                    "def generator(noise_dim):\n    return _Black()\n\n\ndef _two(noise_dim=NOISE_DIM, seed",
                ),
                (
                    "def build_dc_classifier(batch_size):",
                    "def build_dc_classifier(batch_size):\n    return _Constant()\n\n\ndef _three(batch_size):",
                ),
                (
                    "def build_dc_generator(noise_dim=NOISE_DIM):",
                    "def build_dc_generator(noise_dim):\n    return _Black()\n\n\ndef _four(noise_dim=NOISE_DIM):",
                ),
            ]
        },
        (
            "image_gan.discriminator",
            "image_gan.generator",
            "image_gan.dc_discriminator",
            "image_gan.dc_generator",
            "image_gan.batch_sizes",
        ),
        "layers",
    ),
    "a decaying rate": Unnamed(
        {FILE: ("betas=(0.5, 0.999))", "betas=(0.5, 0.999), weight_decay=0.5)")}, ("image_gan.optimizer",), "way"
    ),
}
