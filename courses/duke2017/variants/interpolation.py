"""Walks through latent spaces: the reference's in other forms, or with a few words changed."""

from __future__ import annotations

from courses.duke2017.variants import notebook, rewritten
from validation.variants import Changes, Unnamed

GAN, VAE = "def interpolate(generator", "def interpolate_vae(vae"
LINE = "z_start + weight * (z_end - z_start)"
CODES = "z_start, z_end = vae.encode(x_start)[0], vae.encode(x_end)[0]"
DECODED = f"return generator.eval()({LINE})"

RIGHT: dict[str, Changes] = {
    "backwards": notebook(("torch.linspace(0, 1, steps)", "torch.linspace(1, 0, steps)")),
    "one image at a time, as arrays": notebook(
        rewritten(
            GAN,
            """
def interpolate(generator, z_start, z_end, steps=10):
    images = []
    for k in range(steps):
        w = k / (steps - 1)
        images.append(generator((1 - w) * z_start + w * z_end).detach().numpy().reshape(28, 28))
    return images
""",
        ),
        rewritten(
            VAE,
            """
def interpolate_vae(vae, x_start, x_end, steps=10):
    mean, _ = vae.encode(torch.cat([x_start, x_end]))
    images = []
    for k in range(steps):
        images.append(vae.decode(mean[:1] + (mean[1:] - mean[:1]) * k / (steps - 1)).view(28, 28).detach().numpy())
    return images
""",
        ),
    ),
    "a global generator, and vectors": notebook(
        rewritten(
            GAN,
            """
@torch.no_grad()
def interpolate(start, end, num_steps=10):
    assert start.dim() == 1
    generator.eval()
    return generator(torch.stack([torch.lerp(start, end, w) for w in torch.linspace(0, 1, num_steps)]))
""",
        )
    ),
    "few latents, and pixels of a batch's size": notebook(
        ("latent_size = 64", "z_size = 12\nlatent_size = z_size\nbatch_size = 10"),
        ("        return self.layers(z)", "        return self.layers(z.view(batch_size, z_size))"),
    ),
    "only shown": notebook(
        (DECODED, f"images = generator.eval()({LINE})\n    plt.imshow(images.view(-1, 28))\n    plt.show()"),
    ),
    "scaled to be shown": notebook((DECODED, f"return (generator.eval()({LINE}).view(-1, 1, 28, 28) + 1) / 2")),
    "latents, for others to decode": notebook(
        (DECODED, f"return {LINE}"),
        (
            "return vae.decode(z_start + weight * (z_end - z_start))",
            f"return ({LINE}).detach().numpy()",
        ),
    ),
    "a walk before the names are taken again": notebook(
        rewritten(
            GAN,
            """
def interpolate(z1, z2, n=10):
    return generator(torch.cat([z1 + (z2 - z1) * k / (n - 1) for k in range(n)]))
""",
        ),
        ("conditional_generator = Cond", "generator = Cond"),
        ("class ConditionalGenerator(nn.Module):", "Plain = Generator\n\n\nclass Generator(nn.Module):"),
        ("self.inner = Generator(latent_size + classes)", "self.inner = Plain(latent_size + classes)"),
        ("generator = ConditionalGenerator()", "generator = Generator()"),
    ),
    "a walk that is called like the GAN's": notebook(
        ("def interpolate_vae(vae, ", "def interpolate(autoencoder, "),
        ("= vae.encode(x_start)[0], vae.encode(x_end)[0]", "= [autoencoder.encode(x)[0] for x in (x_start, x_end)]"),
        ("return vae.decode(", "return autoencoder.decode("),
        ("def interpolate(generator", "def Interpolate_GAN(generator"),
    ),
    "a draw from the encoder's Gaussian": notebook(
        (
            CODES,
            "(a, s), (b, t) = vae.encode(x_start), vae.encode(x_end)\n"
            "    z_start, z_end = a + (s / 2).exp() * torch.randn_like(a), b + (t / 2).exp() * torch.randn_like(b)",
        ),
    ),
    "the standard deviation as the second output": notebook(
        ("return self.mean(h), self.log_var(h)", "return self.mean(h), F.softplus(self.log_var(h))"),
        (
            CODES,
            "(a, s), (b, t) = vae.encode(x_start), vae.encode(x_end)\n"
            "    z_start, z_end = a + s * torch.randn_like(a), b + t * torch.randn_like(b)",
        ),
    ),
    "an encoder that draws": notebook(
        (
            "return self.mean(h), self.log_var(h)",
            "mean, log_var = self.mean(h), self.log_var(h)\n"
            "        return mean + torch.exp(log_var / 2) * torch.randn_like(mean), mean, log_var",
        ),
    ),
    "networks that give distributions": notebook(
        (
            "return self.mean(h), self.log_var(h)",
            "return torch.distributions.Normal(self.mean(h), torch.exp(self.log_var(h) / 2))",
        ),
        ("return self.decoder(z)", "return torch.distributions.Bernoulli(self.decoder(z))"),
        (CODES, "z_start, z_end = vae.encode(x_start).mean, vae.encode(x_end).mean"),
        ("return vae.decode(z_start + weight * (z_end - z_start))", f"return vae.decode({LINE}).probs"),
    ),
    "an encoder and a decoder within the VAE": notebook(
        rewritten(
            "class VAE",
            """
class Encoder(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.out = nn.Linear(pixels, 2 * width)

    def forward(self, x):
        return self.out(x.flatten(1))


class Decoder(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.out = nn.Linear(width, pixels)

    def forward(self, z):
        return torch.sigmoid(self.out(z))


class VAE(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.encoder, self.decoder, self.width = Encoder(width), Decoder(width), width
""",
        ),
        (CODES, "z_start, z_end = (vae.encoder(x)[:, : vae.width] for x in (x_start, x_end))"),
        ("return vae.decode(", "return vae.decoder("),
    ),
    "an encoder and a decoder of their own": notebook(
        rewritten(
            "class VAE",
            """
class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(pixels, 2 * latent_size)

    def forward(self, x):
        return self.out(x).chunk(2, dim=1)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(latent_size, pixels)

    def forward(self, z):
        return torch.sigmoid(self.out(z))
""",
        ),
        ("vae = VAE().to(device)", "encoder, decoder = Encoder(), Decoder()"),
        rewritten(
            VAE,
            """
@torch.no_grad()
def interpolate_vae(encoder, decoder, first, second, n=10):
    (z1, _), (z2, _) = encoder(first), encoder(second)
    return decoder(torch.cat([z1 + (z2 - z1) * k / (n - 1) for k in range(n)]))
""",
        ),
    ),
}

ALTERNATIVE: Changes = notebook(
    ("latent_size = 64", "latent_size = 23"),
    rewritten(
        "class Generator",
        """
class Generator(nn.Module):
    def __init__(self, inputs=latent_size):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, 50), nn.ELU(), nn.Linear(50, pixels), nn.Sigmoid())

    def forward(self, noise):
        return self.layers(noise).reshape(-1, 1, 28, 28)


class Discriminator(nn.Module):
    def __init__(self, inputs=pixels):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, 60), nn.Tanh(), nn.Linear(60, 1), nn.Sigmoid())

    def forward(self, x):
        return self.layers(x)
""",
    ),
    rewritten(
        GAN,
        """
def interpolate(generator, z_start, z_end, steps=10):
    with torch.no_grad():
        way = [z_start * (1 - k / (steps - 1)) + z_end * (k / (steps - 1)) for k in range(steps)]
        return torch.cat([generator(z) for z in way])
""",
    ),
    rewritten(
        "class VAE",
        """
class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(pixels, 2 * latent_size)
        self.back = nn.Linear(latent_size, pixels)

    def encode(self, x):
        both = self.body(x.flatten(1))
        return both[:, :latent_size], both[:, latent_size:]

    def decode(self, z):
        return torch.sigmoid(self.back(z)).reshape(-1, 1, 28, 28)

    def forward(self, x):
        return self.decode(self.encode(x)[0])
""",
    ),
    rewritten(
        VAE,
        """
def interpolate_vae(vae, x_start, x_end, steps=10):
    with torch.no_grad():
        z = vae.encode(torch.cat([x_start, x_end]))[0]
        return torch.cat([vae.decode(torch.lerp(z[:1], z[1:], k / (steps - 1))) for k in range(steps)])
""",
    ),
)

BOTH = "(a, s), (b, t) = vae.encode(x_start), vae.encode(x_end)\n    "
UNNAMED: dict[str, Unnamed] = {
    "constants between wide Gaussians": Unnamed(
        notebook(
            ("return self.mean(h), self.log_var(h)", "return self.mean(h), self.log_var(h) + 30"),
            (CODES, f"{BOTH}z_start, z_end = torch.zeros_like(a), 60 * torch.ones_like(b)"),
        ),
        ("interpolation.vae",),
        "does not begin at the first image's code",
    ),
    "codes that are the first's and the second's number": Unnamed(
        notebook(
            (
                "return self.mean(h), self.log_var(h)",
                "self.calls = getattr(self, 'calls', -1) + 1\n"
                "        return self.mean(h) + 1e9 * (self.calls % 2), self.log_var(h)",
            ),
            (CODES, f"{BOTH}z_start, z_end = torch.zeros_like(a), 1e9 * torch.ones_like(b)"),
        ),
        ("interpolation.vae",),
        "does not begin at the first image's code",
    ),
    "draws with a tenth of the noise": Unnamed(
        notebook(
            (
                CODES,
                f"{BOTH}z_start, z_end = a + 0.1 * (s / 2).exp() * torch.randn_like(a), "
                "b + 0.1 * (t / 2).exp() * torch.randn_like(b)",
            )
        ),
        ("interpolation.vae",),
        "standard deviation",
    ),
    "one noise for both ends": Unnamed(
        notebook(
            (
                CODES,
                f"{BOTH}noise = torch.randn_like(a)\n"
                "    z_start, z_end = a + (s / 2).exp() * noise, b + (t / 2).exp() * noise",
            )
        ),
        ("interpolation.vae",),
        "repeat the noise of others",
    ),
    "a constant for noise": Unnamed(
        notebook((CODES, f"{BOTH}z_start, z_end = a + (s / 2).exp(), b - (t / 2).exp()")),
        ("interpolation.vae",),
        "neither the codes of the two images nor draws",
    ),
    "a detour": Unnamed(
        notebook((LINE, f"{LINE} + 0.3 * weight * (1 - weight) * z_start.flip(1)")),
        ("interpolation.gan", "interpolation.vae"),
        "straight line",
    ),
    "there and back": Unnamed(
        notebook(("torch.linspace(0, 1, steps)", "1 - (2 * torch.linspace(0, 1, steps) - 1).abs()")),
        ("interpolation.gan", "interpolation.vae"),
        "ends where it begins",
    ),
    "another decoder's images": Unnamed(
        notebook((DECODED, f"return generator.eval()({LINE}).flip(1)")),
        ("interpolation.gan",),
        "not those of the generator",
    ),
    "images turned before they are encoded": Unnamed(
        notebook((CODES, CODES.replace("(x_start)", "(x_start.flip(2))"))), ("interpolation.vae",), "other images"
    ),
}
