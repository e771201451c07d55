"""Conditional GANs: the reference's in other forms, or with a few words changed."""

from __future__ import annotations

from courses.duke2017.variants import notebook, rewritten
from courses.duke2017.variants.interpolation import ALTERNATIVE as _ALTERNATIVE
from validation.variants import Changes, Unnamed

NETWORKS, INPUT, DEMAND = "class ConditionalGenerator", "def generator_input", "def generate("
ROW = "torch.cat([noise, F.one_hot(labels, classes).float()], dim=1)"
ROW_OF_ONE_DIGIT = "torch.cat([draw_noise(n), hot], dim=1)"
FORWARD = "        return self.inner(x)\n\n\nclass ConditionalDiscriminator"
MADE = f"return generator.eval()({ROW_OF_ONE_DIGIT})"

JUDGED = "self.inner = Discriminator(pixels + classes)\n\n    def forward(self, x):\n        return self.inner(x)"
UNION = "torch.zeros(len(labels), 16).index_fill(1, labels, 1.0)"
PLANES = "y.repeat(784, 1).view(len(x), 10, 28, 28)"

TWO_ARGUMENTS = """
class ConditionalGenerator(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Generator(latent_size + classes)

    def forward(self, z, y):
        return self.inner(torch.cat([z, y], dim=1)).view(-1, 1, 28, 28)


class ConditionalDiscriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Discriminator(pixels + classes)

    def forward(self, x, y):
        return torch.sigmoid(self.inner(torch.cat([x.view(len(x), -1), y], dim=1)))
"""

EMBEDDED = """
class CGenerator(nn.Module):
    def __init__(self, latent_size, width=100):
        super().__init__()
        self.embedding = nn.Embedding(10, 16)
        self.one, self.two = nn.Linear(latent_size + 16, width), nn.Linear(width, pixels)

    def forward(self, labels, noise):
        return torch.sigmoid(self.two(F.relu(self.one(torch.cat([self.embedding(labels), noise], dim=1)))))


class CDiscriminator(nn.Module):
    def __init__(self, width=100):
        super().__init__()
        self.embedding = nn.Embedding(10, 16)
        self.layers = nn.Sequential(nn.Linear(pixels + 16, width), nn.LeakyReLU(0.2), nn.Linear(width, 1))

    def forward(self, image, labels):
        return self.layers(torch.cat([image, self.embedding(labels)], dim=1))[:, 0]
"""

CONVOLUTIONS = """
class ConditionalGenerator(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(latent_size + classes, 16, 7), nn.BatchNorm2d(16), nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 4, stride=2, padding=1), nn.Tanh(),
        )

    def forward(self, x):
        return self.layers(x)


class ConditionalDiscriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1 + classes, 16, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(16, 32, 4, stride=2, padding=1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(32 * 49, 1),
        )

    def forward(self, x):
        return self.layers(x)
"""

# as in PyTorch's DCGAN: one class for both problems, and all that goes in as maps of one pixel
MAPS = """
class DCGenerator(nn.Module):
    def __init__(self, nz, n_cond=0):
        super().__init__()
        self.n_cond = n_cond
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(nz + n_cond, 16, 7), nn.BatchNorm2d(16), nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 4, stride=2, padding=1), nn.Tanh(),
        )

    def forward(self, z, y=None):
        return self.layers(torch.cat([z, y.view(-1, self.n_cond, 1, 1)], dim=1) if self.n_cond else z)


class DCDiscriminator(nn.Module):
    def __init__(self, n_cond=0):
        super().__init__()
        self.n_cond = n_cond
        self.layers = nn.Sequential(
            nn.Conv2d(1 + n_cond, 16, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(16, 32, 4, stride=2, padding=1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(32 * 49, 1),
        )

    def forward(self, x, y=None):
        if self.n_cond:
            x = torch.cat([x, y.view(-1, self.n_cond, 1, 1).expand(-1, -1, 28, 28)], dim=1)
        return self.layers(x)
"""

FACTORIES = """
def make_generator(n):
    return nn.Sequential(nn.Linear(n, 60), nn.ReLU(), nn.Linear(60, pixels), nn.Sigmoid())


def make_discriminator(n):
    return nn.Sequential(nn.Linear(n, 60), nn.LeakyReLU(0.2), nn.Linear(60, 1))


G_cond = make_generator(latent_size + classes)
D_cond = make_discriminator(pixels + classes)
"""

# the number of latents stands in a constructor's default only; the label has a branch of its own, which comes first
BRANCHES = """
class ConditionalGenerator(nn.Module):
    def __init__(self, latent_dim=31):
        super().__init__()
        self.of_label, self.of_noise = nn.Linear(10, 20), nn.Linear(latent_dim, 40)
        self.out = nn.Linear(60, pixels)

    def forward(self, noise, label):
        h = torch.cat([self.of_label(F.one_hot(label).float()), self.of_noise(noise)], dim=1)
        return torch.tanh(self.out(torch.relu(h)))


class ConditionalDiscriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.out = nn.Embedding(10, 12), nn.Sequential(nn.Linear(12 + pixels, 50), nn.ELU(), nn.Linear(50, 1))

    def forward(self, x, label):
        return self.out(torch.cat([self.emb(label), x.flatten(1)], dim=1))
"""

# the small weights of a DCGAN, with which hardly anything passes the batch norms before they have seen a batch
SMALL = """
def small(m):
    if isinstance(m, (nn.Linear, nn.ConvTranspose2d)):
        nn.init.normal_(m.weight, 0, 0.002)
        nn.init.zeros_(m.bias)
    if isinstance(m, nn.BatchNorm1d):
        nn.init.normal_(m.weight, 0, 0.02)
        nn.init.zeros_(m.bias)


class ConditionalGenerator(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(latent_size + classes, 64), nn.BatchNorm1d(64), nn.ReLU(),
            nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, pixels), nn.Tanh(),
        )
        self.apply(small)

    def forward(self, x):
        return self.layers(x)


class ConditionalDiscriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.Linear(pixels + classes, 64), nn.BatchNorm1d(64), nn.LeakyReLU(0.2),
            nn.Linear(64, 32), nn.BatchNorm1d(32), nn.LeakyReLU(0.2), nn.Linear(32, 1),
        )
        self.apply(small)

    def forward(self, x):
        return self.main(x)
"""
ZEROED = "nn.init.zeros_([each for each in self.modules() if isinstance(each, nn.Linear)][-1].weight)"
TINY = """
def small(m):
    if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.normal_(m.weight, 0, 0.001)
        nn.init.zeros_(m.bias)
"""

RIGHT: dict[str, Changes] = {
    "weights that start small": notebook(rewritten(NETWORKS, SMALL)),
    "a last layer that starts at zero": notebook(
        rewritten(NETWORKS, SMALL.replace("0, 0.002)", "0, 0.1)").replace("self.apply(small)", ZEROED))
    ),
    "planes, and weights that start small": notebook(
        rewritten(
            NETWORKS,
            CONVOLUTIONS.replace("        )\n\n    def", "        )\n        self.apply(small)\n\n    def").replace(
                "\nclass ConditionalGenerator", f"{TINY}\n\nclass ConditionalGenerator"
            ),
        ),
        (ROW, f"{ROW}[:, :, None, None]"),
        (MADE, f"return generator.eval()({ROW_OF_ONE_DIGIT}[:, :, None, None])"),
    ),
    "a helper that takes one-hot labels": notebook(
        rewritten(
            INPUT,
            """
def draw_noise(n):
    return torch.randn(n, latent_size)


def combine_vectors(x, one_hot):
    return torch.cat((x.float(), one_hot.float()), 1)
""",
        ),
    ),
    "a helper that takes one-hot labels by another name": notebook(
        rewritten(
            INPUT,
            """
def draw_noise(n):
    return torch.randn(n, latent_size)


def concat(noise, labels):
    return torch.cat([noise, labels], dim=1)
""",
        ),
    ),
    "images of one-hot labels": notebook(
        rewritten(
            DEMAND,
            """
@torch.no_grad()
def generate(generator, one_hot_labels):
    return generator.eval()(torch.cat([draw_noise(len(one_hot_labels)), one_hot_labels], dim=1))
""",
        ),
    ),
    "images of a row of labels": notebook(
        rewritten(
            DEMAND,
            """
@torch.no_grad()
def generate(generator, labels):
    return generator.eval()(generator_input(draw_noise(len(labels)), labels))
""",
        ),
    ),
    "a discriminator that takes the label as a number": notebook(
        ("self.inner = Discriminator(pixels + classes)", "self.inner = Discriminator(pixels + 1)")
    ),
    "the label before the noise": notebook(
        (ROW, "torch.cat([torch.eye(10)[labels], noise], dim=1)"),
        (ROW_OF_ONE_DIGIT, "torch.cat([hot, draw_noise(n)], dim=1)"),
    ),
    "noise and label as two arguments": notebook(
        rewritten(NETWORKS, TWO_ARGUMENTS), (MADE, "return generator.eval()(draw_noise(n), hot)")
    ),
    "labels embedded, under other names": notebook(
        rewritten(NETWORKS, EMBEDDED),
        ("ConditionalGenerator()", "CGenerator(latent_size)"),
        ("ConditionalDiscriminator()", "CDiscriminator()"),
        (MADE, "return generator.eval()(torch.full((n,), digit), draw_noise(n))"),
    ),
    "never made at the top level": notebook(
        rewritten(NETWORKS, EMBEDDED),
        (MADE, "return generator.eval()(torch.full((n,), digit), draw_noise(n))"),
    ),
    "convolutions, with the label as planes": notebook(
        rewritten(NETWORKS, CONVOLUTIONS),
        (ROW, f"{ROW}[:, :, None, None]"),
        (MADE, f"return generator.eval()({ROW_OF_ONE_DIGIT}[:, :, None, None])"),
    ),
    "the same names as the plain networks": notebook(
        (
            "class ConditionalGenerator(nn.Module):",
            "PlainGenerator, PlainDiscriminator = Generator, Discriminator\n\n\nclass Generator(nn.Module):",
        ),
        ("class ConditionalDiscriminator(nn.Module):", "class Discriminator(nn.Module):"),
        ("self.inner = Generator(latent_size + classes)", "self.inner = PlainGenerator(latent_size + classes)"),
        ("self.inner = Discriminator(pixels + classes)", "self.inner = PlainDiscriminator(pixels + classes)"),
        ("ConditionalGenerator()", "Generator()"),
        ("ConditionalDiscriminator()", "Discriminator()"),
    ),
    "maps, and a class for both problems": notebook(
        rewritten(NETWORKS, MAPS),
        ("conditional_generator = ConditionalGenerator()", "cond_netG = DCGenerator(latent_size, classes)"),
        ("conditional_discriminator = ConditionalDiscriminator()", "cond_netD = DCDiscriminator(classes)"),
        (MADE, "return generator.eval()(draw_noise(n)[:, :, None, None], hot)"),
    ),
    "networks from functions": notebook(rewritten(NETWORKS, FACTORIES)),
    "labels on a branch of their own": notebook(
        rewritten(NETWORKS, BRANCHES),
        (MADE, "return generator.eval()(torch.randn(n, 31), torch.full((n,), digit))"),
        ("F.one_hot(label)", "F.one_hot(label, classes)"),
        (ROW, ROW),
    ),
    "one class for both, and the plain names again": notebook(
        rewritten(NETWORKS, "generator = Generator(latent_size + classes)\ndiscriminator = Discriminator(pixels + 10)"),
        ("conditional_generator = ConditionalGenerator().to(device)", ""),
        ("conditional_discriminator = ConditionalDiscriminator().to(device)", ""),
    ),
    "uniform noise, one image at a time": notebook(
        ("return torch.randn(n, latent_size)", "return 2 * torch.rand(n, latent_size) - 1"),
        (
            MADE,
            "generator.eval()\n    return [generator(torch.cat([draw_noise(1), hot[k : k + 1]], dim=1)).view(28, 28) "
            "for k in range(n)]",
        ),
    ),
    "few latents, by another name": notebook(
        ("latent_size = 64", "nz = 10\nlatent_size = nz"), ("def draw_noise(n):", "def draw_noise(n, size=nz):")
    ),
    "a batch's size that a helper reads": notebook(
        ("latent_size = 64", "latent_size = 64\nbatch_size = 100"),
        (
            "torch.cat([noise, F.one_hot(labels, classes).float()], dim=1)",
            "torch.cat([noise, torch.zeros(batch_size, classes).scatter_(1, labels.view(batch_size, 1), 1)], dim=1)",
        ),
    ),
    "a batch's size that the networks read": notebook(
        ("latent_size = 64", "latent_size = 64\nBATCH_SIZE = 10"),
        ("        return self.layers(z)", "        return self.layers(z.view(BATCH_SIZE, -1))"),
        ("        return self.layers(x)", "        return self.layers(x.view(BATCH_SIZE, -1))"),
    ),
    "as many images as a batch has": notebook(
        ("latent_size = 64", "latent_size = 64\nbatch_size = 64"),
        ("def generate(generator, digit, n=10):", "def generate(generator, labels):"),
        ("F.one_hot(torch.full((n,), digit), classes)", "F.one_hot(labels, classes)"),
        ("draw_noise(n), hot", "draw_noise(batch_size), hot"),
    ),
    "only shown": notebook((MADE, MADE.replace("return ", "images = ") + "\n    plt.imshow(images.view(-1, 28))")),
    "scaled to be shown": notebook((MADE, MADE.replace("return ", "return 0.5 + 0.5 * "))),
}

ALTERNATIVE: Changes = {
    file: [
        *changes,
        rewritten(
            INPUT,
            """
def draw_noise(n):
    return torch.empty(n, latent_size).normal_()


def generator_input(noise, labels):
    return torch.hstack([noise, torch.eye(classes)[labels]])
""",
        ),
        rewritten(
            DEMAND,
            """
def generate(generator, digit, n=10):
    with torch.no_grad():
        generator.eval()
        return generator(torch.hstack([draw_noise(n), torch.eye(classes)[[digit] * n]])).reshape(n, pixels)
""",
        ),
    ]
    for file, changes in _ALTERNATIVE.items()
    if isinstance(changes, list)
}

UNNAMED: dict[str, Unnamed] = {
    "the batch's size in place of the number of images": Unnamed(
        notebook(
            ("latent_size = 64", "latent_size = 64\nbatch_size = 64"),
            ("torch.full((n,), digit), classes).float()", "torch.full((batch_size,), digit), classes).float()"),
            ("draw_noise(n), hot", "draw_noise(batch_size), hot"),
        ),
        ("cgan.generate",),
        "not called for as many images",
    ),
    "networks for a whole batch only": Unnamed(
        notebook(
            ("latent_size = 64", "latent_size = 64\nBATCH_SIZE = 100"),
            ("        return self.layers(z)", "        return self.layers(z.view(BATCH_SIZE, -1))"),
        ),
        ("cgan.generate",),
        "shape '[100, -1]' is invalid",
    ),
    "two digits exchanged": Unnamed(
        notebook((ROW, "torch.cat([noise, torch.eye(10)[[0, 1, 2, 3, 4, 5, 6, 7, 9, 8]][labels]], dim=1)")),
        ("cgan.input",),
        "in the wrong place",
    ),
    "noise rounded": Unnamed(
        notebook((ROW, ROW.replace("noise,", "noise.round(),"))), ("cgan.input",), "passed on unchanged"
    ),
    "half of the images asked for": Unnamed(
        notebook((MADE, "n, hot = n // 2, hot[: n // 2]\n    " + MADE)), ("cgan.generate",), "as many images"
    ),
    "images in pairs": Unnamed(
        notebook((MADE, MADE.replace("draw_noise(n)", "draw_noise(n // 2).repeat(2, 1)"))), ("cgan.generate",), "share"
    ),
    "a generator that takes one number, and gets ten": Unnamed(
        notebook(("self.inner = Generator(latent_size + classes)", "self.inner = Generator(latent_size + 1)")),
        ("cgan.generate",),
        "cannot be multiplied",
    ),
    "a helper that forgets the noise": Unnamed(
        notebook(
            rewritten(
                INPUT,
                """
def draw_noise(n):
    return torch.randn(n, latent_size)


def combine_vectors(x, one_hot):
    return torch.cat((torch.zeros_like(x), one_hot), 1)
""",
            ),
            ("generator(generator_input(draw_noise(len(x)), labels).to(device))", "generator(draw_noise(len(x)))"),
        ),
        ("cgan.input",),
        "the noise in the generator's input",
    ),
    "a generator that gives a pair": Unnamed(
        notebook((FORWARD, FORWARD.replace("self.inner(x)", "self.inner(x), x"))),
        ("cgan.generator", "cgan.generator_condition", "cgan.generate"),
        "a tuple of 2",
    ),
    "one-hot labels as long as the largest": Unnamed(
        notebook(
            rewritten(NETWORKS, BRANCHES),
            (MADE, "return generator.eval()(torch.randn(n, 31), torch.full((n,), digit))"),
        ),
        ("cgan.generator_condition", "cgan.generate"),
        "cannot be multiplied",
    ),
    "a third argument": Unnamed(
        notebook(
            rewritten(NETWORKS, EMBEDDED.replace("labels, noise):", "labels, noise, temperature):")),
            ("ConditionalGenerator()", "CGenerator(latent_size)"),
            ("ConditionalDiscriminator()", "CDiscriminator()"),
        ),
        ("cgan.generator", "cgan.generator_condition", "cgan.input", "cgan.generate"),
        "'temperature'",
    ),
    "pixels rounded": Unnamed(
        notebook((FORWARD, FORWARD.replace("self.inner(x)", "(4 * self.inner(x)).round() / 4"))),
        ("cgan.generator",),
        "no gradient flows from the generator's outputs to its weights",
    ),
    "an embedding that is detached": Unnamed(
        notebook(
            rewritten(
                NETWORKS, EMBEDDED.replace("self.embedding(labels), noise", "self.embedding(labels).data, noise")
            ),
            ("ConditionalGenerator()", "CGenerator(latent_size)"),
            ("ConditionalDiscriminator()", "CDiscriminator()"),
            (MADE, "return generator.eval()(torch.full((n,), digit), draw_noise(n))"),
        ),
        ("cgan.generator",),
        "embedding.weight",
    ),
    "rows and pixels exchanged": Unnamed(
        notebook((FORWARD, FORWARD.replace("self.inner(x)", "self.inner(x).view(28, 28, 1, -1).permute(3, 2, 0, 1)"))),
        ("cgan.generator",),
        "other rows of the batch",
    ),
    "the labels of all rows in each": Unnamed(
        notebook(
            rewritten(NETWORKS, EMBEDDED.replace("self.embedding(labels), noise", f"{UNION}, noise")),
            ("ConditionalGenerator()", "CGenerator(latent_size)"),
            ("ConditionalDiscriminator()", "CDiscriminator()"),
            (MADE, "return generator.eval()(torch.full((n,), digit), draw_noise(n))"),
        ),
        ("cgan.generator", "cgan.generator_condition"),
        "other rows of the batch",
    ),
    "the first row's noise, times the label": Unnamed(
        notebook(
            rewritten(
                NETWORKS,
                EMBEDDED.replace(
                    "self.two(F.relu(self.one(torch.cat([self.embedding(labels), noise], dim=1))))",
                    "self.two(F.relu(self.one(torch.cat([self.embedding(labels) * noise[0, :1], noise], dim=1))))",
                ),
            ),
            ("ConditionalGenerator()", "CGenerator(latent_size)"),
            ("ConditionalDiscriminator()", "CDiscriminator()"),
            (MADE, "return generator.eval()(torch.full((n,), digit), draw_noise(n))"),
        ),
        ("cgan.generator",),
        "other rows of the batch",
    ),
    "the first row's features, times the label": Unnamed(
        notebook(
            rewritten(
                NETWORKS,
                EMBEDDED.replace("nn.Embedding(10, 16)\n        self.one", "nn.Embedding(10, 784)\n        self.one")
                .replace("nn.Linear(latent_size + 16, width)", "nn.Linear(latent_size, width)")
                .replace(
                    "self.two(F.relu(self.one(torch.cat([self.embedding(labels), noise], dim=1))))",
                    "self.two(F.relu(self.one(noise)))[0] * self.embedding(labels)",
                ),
            ),
            ("ConditionalGenerator()", "CGenerator(latent_size)"),
            ("ConditionalDiscriminator()", "CDiscriminator()"),
            (MADE, "return generator.eval()(torch.full((n,), digit), draw_noise(n))"),
        ),
        ("cgan.generator", "cgan.generator_condition"),
        "other rows of the batch",
    ),
    "labels spread over other rows' planes": Unnamed(
        notebook(
            rewritten(NETWORKS, MAPS.replace("y.view(-1, self.n_cond, 1, 1).expand(-1, -1, 28, 28)", PLANES)),
            ("conditional_generator = ConditionalGenerator()", "cond_netG = DCGenerator(latent_size, classes)"),
            ("conditional_discriminator = ConditionalDiscriminator()", "cond_netD = DCDiscriminator(classes)"),
            (MADE, "return generator.eval()(draw_noise(n)[:, :, None, None], hot)"),
        ),
        ("cgan.discriminator", "cgan.discriminator_condition"),
        "other rows of the batch",
    ),
    "scores rounded": Unnamed(
        notebook((JUDGED, JUDGED.replace("self.inner(x)", "(1000 * self.inner(x)).round() / 1000"))),
        ("cgan.discriminator",),
        "no gradient flows",
    ),
    "pixels up to two": Unnamed(
        notebook((FORWARD, FORWARD.replace("self.inner(x)", "2 * self.inner(x)"))),
        ("cgan.generator",),
        "leave the range",
    ),
}
