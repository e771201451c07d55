"""VAEs with two heads: the reference's in other forms, or with a few words changed."""

from __future__ import annotations

from typing import Final

from validation.variants import Changes, Unnamed

FILE: Final = "vae.py"
DRAW: Final = "mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)"
DIVERGENCE: Final = "0.5 * torch.sum(logvar.exp() + mu**2 - 1 - logvar)"
ENTROPY: Final = 'F.binary_cross_entropy(x_hat, x, reduction="sum")'
LOSS: Final = "(entropy + divergence) / len(x)"
DECODED: Final = "self.decoder(reparametrize(mu, logvar)), mu, logvar"
CONDITIONED: Final = "self.decoder(torch.cat([z, c], dim=1)), mu, logvar"
IMAGES: Final = "nn.Unflatten(1, (1, 28, 28))"
ENCODED: Final = "torch.cat([x.flatten(start_dim=1), c], dim=1)"
FUNCTIONAL: Final = """class Relus(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.steps = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))

    def forward(self, x):
        for step in self.steps:
            x = F.relu(step(x))
        return x


"""

FORGETFUL: Final = """class Forget(nn.Module):
    def __init__(self, labels):
        super().__init__()
        self.labels = labels

    def forward(self, x):
        return torch.cat([x[:, : -self.labels], 0 * x[:, -self.labels :]], dim=1)
"""
REVERSED: Final = """def backwards(x):
    return 2 * x.detach() - x
"""
NOISY: Final = """class Noisy(nn.Linear):
    def forward(self, x):
        return torch.randn(len(x), self.out_features) + 1e-6 * super().forward(x)
"""

RIGHT: dict[str, Changes] = {
    "a draw by a distribution": {FILE: (DRAW, "torch.distributions.Normal(mu, (logvar / 2).exp()).rsample()")},
    "the square root of the variance": {FILE: ("torch.exp(0.5 * logvar)", "logvar.exp().sqrt()")},
    "noise by its size": {FILE: ("torch.randn_like(mu)", "torch.randn(logvar.size(0), logvar.size(1)).to(mu.device)")},
    "noise in place": {FILE: (DRAW, "torch.empty_like(mu).normal_().mul(torch.exp(logvar * 0.5)).add(mu)")},
    "a divergence of torch": {
        FILE: (
            DIVERGENCE,
            "torch.distributions.kl_divergence(torch.distributions.Normal(mu, torch.exp(logvar / 2)), "
            "torch.distributions.Normal(0.0, 1.0)).sum()",
        )
    },
    "a divergence with a minus": {FILE: (DIVERGENCE, "-0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())")},
    "a mean of sums": {
        FILE: (LOSS, "entropy / x.shape[0] + (0.5 * (logvar.exp() + mu**2 - 1 - logvar)).sum(dim=1).mean()")
    },
    "sums over pixels, then a mean": {
        FILE: (ENTROPY, 'F.binary_cross_entropy(x_hat, x, reduction="none").flatten(1).sum(dim=1).mean() * len(x)')
    },
    "a cross-entropy written out": {
        FILE: (ENTROPY, "-(x * (x_hat + 1e-9).log() + (1 - x) * (1 - x_hat + 1e-9).log()).sum()")
    },
    "a divergence that works in place": {FILE: (DIVERGENCE, "-0.5 * torch.sum(1 + logvar - mu**2 - logvar.exp_())")},
    "a module for the cross-entropy": {FILE: (ENTROPY, 'nn.BCELoss(reduction="sum")(x_hat, x)')},
    "a loss with one element": {FILE: (LOSS, f"({LOSS}).reshape(1)")},
    "hidden units of another number": {FILE: ("HIDDEN = 256", "HIDDEN = 400")},
    "the number of hidden units as an argument": {
        FILE: [
            ("input_size, latent_size=15):", "input_size, latent_size=15, hidden_dim=256):"),
            (
                "self.encoder = nn.Sequential(nn.Flatten()",
                "self.hidden_dim = hidden_dim\n        self.encoder = nn.Sequential(nn.Flatten()",
            ),
        ]
    },
    "the draw within forward": {
        FILE: (DECODED, "self.decoder(mu + (logvar / 2).exp() * torch.randn_like(mu)), mu, logvar")
    },
    "the draw within both forwards": {
        FILE: [
            (DECODED, "self.decoder(mu + (logvar / 2).exp() * torch.randn_like(mu)), mu, logvar"),
            ("z = reparametrize(mu, logvar)", "z = mu + (logvar / 2).exp() * torch.randn_like(mu)"),
        ]
    },
    "named arguments of the draw": {
        FILE: [
            (DECODED, "self.decoder(reparametrize(logvar=logvar, mu=mu)), mu, logvar"),
            ("z = reparametrize(mu, logvar)", "z = reparametrize(mu, logvar=logvar)"),
        ]
    },
    "flat images of the decoder": {
        FILE: [
            (IMAGES, "nn.Unflatten(1, (1, 784))"),
            (DECODED, "self.decoder(reparametrize(mu, logvar)).reshape(-1, 1, 28, 28), mu, logvar"),
            (CONDITIONED, "self.decoder(torch.cat([z, c], dim=1)).reshape(-1, 1, 28, 28), mu, logvar"),
        ]
    },
    "flat images as rows": {
        FILE: [
            (f", {IMAGES}", ""),
            (DECODED, "self.decoder(reparametrize(mu, logvar)).view(-1, 1, 28, 28), mu, logvar"),
            (CONDITIONED, "self.decoder(torch.cat([z, c], dim=1)).view(-1, 1, 28, 28), mu, logvar"),
        ]
    },
    "labels before pixels": {FILE: (ENCODED, "torch.cat([c, x.flatten(start_dim=1)], dim=-1)")},
    "images flattened before the encoder": {
        FILE: [
            ("nn.Sequential(nn.Flatten(), *hidden_layers(input_size))", "nn.Sequential(*hidden_layers(input_size))"),
            ("self.encoder(x)", "self.encoder(x.view(x.size(0), -1))"),
        ]
    },
    "ReLUs as functions": {
        FILE: [
            ("class VAE(nn.Module)", f"{FUNCTIONAL}class VAE(nn.Module)"),
            (
                "nn.Sequential(nn.Flatten(), *hidden_layers(input_size))",
                "nn.Sequential(nn.Flatten(), Relus([input_size, 300, 200, HIDDEN]))",
            ),
        ]
    },
    "a head of another name": {
        FILE: [
            (
                "self.logvar_layer = nn.Linear(HIDDEN, latent_size)",
                "self.logvar_layer = None\n        self.log_variance_layer = nn.Linear(HIDDEN, latent_size)",
            ),
            ("self.logvar_layer(hidden)", "self.log_variance_layer(hidden)"),
        ]
    },
    "heads of other names": {
        FILE: [
            ("self.mu_layer", "self.fc_mean"),
            ("self.logvar_layer", "self.fcVar"),
        ]
    },
    "an error that stays below the answer": {
        FILE: (f"    return {DRAW}", f"    return {DRAW}\n    raise NotImplementedError")
    },
    "models on a GPU": {FILE: ("torch.randn_like(mu)", "torch.randn(mu.shape, device='cuda')")},
}

ALTERNATIVE: Changes = {
    FILE: [
        ("HIDDEN = 256", "HIDDEN = 192"),
        (IMAGES, "nn.Unflatten(-1, torch.Size([1, 28, 28]))"),
        ("torch.exp(0.5 * logvar)", "logvar.mul(0.5).exp()"),
        (ENTROPY, 'F.binary_cross_entropy(x_hat, x, reduction="none").sum()'),
        (DIVERGENCE, "-0.5 * (1 + logvar - mu.square() - logvar.exp()).sum()"),
    ]
}

UNNAMED: dict[str, Unnamed] = {
    "a seed in both forwards": Unnamed(
        {
            FILE: [
                ("hidden = self.encoder(x)", "torch.manual_seed(0)\n        hidden = self.encoder(x)"),
                ("z = reparametrize(mu, logvar)", "torch.manual_seed(0)\n        z = reparametrize(mu, logvar)"),
            ]
        },
        ("vae.forward", "vae.conditional_forward"),
        "two passes do not draw independent latents",
    ),
    "a seed before a draw within forward": Unnamed(
        {
            FILE: [
                ("hidden = self.encoder(x)", "torch.manual_seed(0)\n        hidden = self.encoder(x)"),
                (DECODED, "self.decoder(mu + (logvar / 2).exp() * torch.randn_like(mu)), mu, logvar"),
            ]
        },
        ("vae.forward",),
        "two passes do not draw independent latents",
    ),
    "reconstructions with a reversed gradient": Unnamed(
        {
            FILE: [
                ("HIDDEN = 256\n", f"HIDDEN = 256\n\n\n{REVERSED}"),
                (DECODED, "backwards(self.decoder(reparametrize(mu, logvar))), mu, logvar"),
                (CONDITIONED, "backwards(self.decoder(torch.cat([z, c], dim=1))), mu, logvar"),
            ]
        },
        ("vae.forward", "vae.conditional_forward"),
        "not the derivative",
    ),
    "latents with a reversed gradient": Unnamed(
        {
            FILE: [
                ("HIDDEN = 256\n", f"HIDDEN = 256\n\n\n{REVERSED}"),
                (DECODED, "self.decoder(backwards(reparametrize(mu, logvar))), mu, logvar"),
            ]
        },
        ("vae.forward",),
        "not the derivative",
    ),
    "an encoder with a reversed gradient": Unnamed(
        {
            FILE: [
                ("HIDDEN = 256\n", f"HIDDEN = 256\n\n\n{REVERSED}"),
                ("hidden = self.encoder(x)", "hidden = backwards(self.encoder(x))"),
            ]
        },
        ("vae.forward",),
        "not the derivative",
    ),
    "a forward without a reconstruction": Unnamed(
        {FILE: (DECODED, "None, mu, logvar")}, ("vae.forward",), "forward returns None as x_hat"
    ),
    "a forward that decodes, and returns no logvar": Unnamed(
        {FILE: (DECODED, "self.decoder(reparametrize(mu, logvar)), mu, None")},
        ("vae.forward",),
        "forward returns None as logvar",
    ),
    "a forward that leaves the decoder out": Unnamed(
        {FILE: (DECODED, "x, mu, logvar")}, ("vae.forward",), "forward does not call the decoder"
    ),
    "labels below images": Unnamed(
        {FILE: (ENCODED, "torch.cat([x.flatten(start_dim=1), c])")},
        ("vae.conditional_forward",),
        "latent_size=",
    ),
    "activations in eval mode alone": Unnamed(
        {
            FILE: [
                (
                    "HIDDEN = 256\n",
                    "HIDDEN = 256\n\n\nclass Sometimes(nn.Module):\n    def forward(self, x):\n"
                    "        return x if self.training else x.relu()\n",
                ),
                (
                    "        nn.Linear(inputs, HIDDEN),\n        nn.ReLU(),",
                    "        nn.Linear(inputs, HIDDEN),\n        Sometimes(),",
                ),
            ]
        },
        ("vae.layers", "vae.conditional_layers"),
        "no ReLU",
    ),
    "batch norms behind the activations": Unnamed(
        {
            FILE: (
                "        nn.Linear(inputs, HIDDEN),\n        nn.ReLU(),",
                "        nn.Linear(inputs, HIDDEN),\n        nn.ReLU(),\n        nn.BatchNorm1d(HIDDEN),",
            )
        },
        ("vae.layers", "vae.conditional_layers"),
        "something else",
    ),
    "dropout behind the activations": Unnamed(
        {
            FILE: (
                "        nn.Linear(inputs, HIDDEN),\n        nn.ReLU(),",
                "        nn.Linear(inputs, HIDDEN),\n        nn.ReLU(),\n        nn.Dropout(0.2),",
            )
        },
        ("vae.layers", "vae.conditional_layers"),
        "something else",
    ),
    "labels that the networks forget": Unnamed(
        {
            FILE: [
                ("HIDDEN = 256\n", f"HIDDEN = 256\n\n\n{FORGETFUL}"),
                (
                    "nn.Sequential(*hidden_layers(input_size + num_classes))",
                    "nn.Sequential(Forget(10), *hidden_layers(input_size + num_classes))",
                ),
                (
                    "self.decoder = decoder_of(latent_size + num_classes, input_size)",
                    "self.decoder = nn.Sequential(Forget(10), *decoder_of(latent_size + num_classes, input_size))",
                ),
            ]
        },
        ("vae.conditional_layers",),
        "as it is",
    ),
    "layers that give noise": Unnamed(
        {
            FILE: [
                ("HIDDEN = 256\n", f"HIDDEN = 256\n\n\n{NOISY}"),
                ("        nn.Linear(inputs, HIDDEN),", "        Noisy(inputs, HIDDEN),"),
            ]
        },
        ("vae.layers", "vae.conditional_layers"),
        "by its own weights",
    ),
    "an encoder that is not trained": Unnamed(
        {
            FILE: [
                ("hidden = self.encoder(x)", "hidden = self.encoder(x).detach()"),
                (f"hidden = self.encoder({ENCODED})", f"hidden = self.encoder({ENCODED}).detach()"),
            ]
        },
        ("vae.layers", "vae.conditional_layers"),
        "no gradient",
    ),
    "draws where the student's function is another one": Unnamed(
        {
            FILE: [
                (DECODED, "self.decoder(drawn(mu, logvar)), mu, logvar"),
                ("z = reparametrize(mu, logvar)", "z = drawn(mu, logvar)"),
                (
                    "def loss_function(",
                    "OWN = reparametrize\n\n\ndef drawn(mu, logvar):\n"
                    "    return mu if reparametrize is OWN else reparametrize(mu, logvar)\n\n\ndef loss_function(",
                ),
            ]
        },
        ("vae.forward", "vae.conditional_forward"),
        "not drawn",
    ),
    "a deviation that is a little too small": Unnamed(
        {FILE: ("torch.exp(0.5 * logvar)", "torch.exp(0.4 * logvar)")}, ("vae.reparameterize",), "N(0, 1)"
    ),
    "noise that is shifted": Unnamed(
        {FILE: ("* torch.randn_like(mu)", "* (torch.randn_like(mu) + 0.3)")}, ("vae.reparameterize",), "N(0, 1)"
    ),
    "a weighted divergence": Unnamed(
        {FILE: (LOSS, "(entropy + 0.3 * divergence) / len(x)")}, ("vae.loss_function",), "the loss"
    ),
    "a loss of each image": Unnamed(
        {FILE: (LOSS, "(entropy + divergence).expand(3) / len(x)")}, ("vae.loss_function",), "one number"
    ),
    "a divergence without a gradient": Unnamed(
        {FILE: (LOSS, "(entropy + divergence.detach()) / len(x)")}, ("vae.loss_function",), "gradient"
    ),
    "a SiLU between layers": Unnamed(
        {
            FILE: (
                "        nn.Linear(inputs, HIDDEN),\n        nn.ReLU(),",
                "        nn.Linear(inputs, HIDDEN),\n        nn.SiLU(),",
            )
        },
        ("vae.layers", "vae.conditional_layers"),
        "something else",
    ),
    "four hidden layers": Unnamed(
        {
            FILE: (
                "        nn.Linear(inputs, HIDDEN),",
                "        nn.Linear(inputs, HIDDEN),\n        nn.ReLU(),\n        nn.Linear(HIDDEN, HIDDEN),",
            )
        },
        ("vae.layers", "vae.conditional_layers"),
        "three fully connected",
    ),
    "an encoder of the negative": Unnamed(
        {FILE: ("self.encoder(x)", "self.encoder(1 - x)")}, ("vae.forward",), "the images"
    ),
    "images turned upside down": Unnamed(
        {FILE: (DECODED, "self.decoder(reparametrize(mu, logvar)).flip(2), mu, logvar")},
        ("vae.forward",),
        "reconstruction",
    ),
    "labels that are halved": Unnamed(
        {FILE: (CONDITIONED, "self.decoder(torch.cat([z, c / 2], dim=1)), mu, logvar")},
        ("vae.conditional_forward",),
        "labels",
    ),
    "latents that are doubled": Unnamed(
        {FILE: (DECODED, "self.decoder(2 * reparametrize(mu, logvar)), mu, logvar")}, ("vae.forward",), "latents"
    ),
}
