"""Answers to the GAN questions of 2018: scores and images in every form, and loops in every order."""

from __future__ import annotations

from courses.uva2018.variants.gan2018_alternative import GAN as _ALTERNATIVE
from validation.variants import Changes, Unnamed
from validation.workbench import reference_of

GAN = "a3_gan_template.py"

NOISE = "return torch.randn(n, LATENTS)"
SCORED = "return self.layers(img)"
IMAGES = "return self.layers(z)"
SIGMOID = "            nn.Sigmoid(),\n"
GEN_LOSS = "return F.binary_cross_entropy(on_fake, torch.ones_like(on_fake))"
SUM = "return real + fake"
REAL = "real = imgs.view(len(imgs), -1)"
GEN_TURN = """            optimizer_G.zero_grad()
            generator_loss(discriminator(gen_imgs)).backward()
            optimizer_G.step()
"""
DISC_TURN = """            optimizer_D.zero_grad()
            discriminator_loss(discriminator(real), discriminator(gen_imgs.detach())).backward()
            optimizer_D.step()
"""
BETWEEN = "\n"
CLOSURE = """
            def closure():
                optimizer_G.zero_grad()
                loss = generator_loss(discriminator(gen_imgs))
                loss.backward()
                return loss

            optimizer_G.step(closure)
"""
LERP = "return generator(torch.lerp(start, end, weights))"
LOGITS: list[tuple[str, str]] = [
    (SIGMOID, ""),
    ("F.binary_cross_entropy(", "F.binary_cross_entropy_with_logits("),
]


def gan(*changes: tuple[str, str]) -> Changes:
    return {GAN: list(changes)}


RIGHT: dict[str, Changes] = {
    "an interpolation that returns latents": gan((LERP, "return torch.lerp(start, end, weights)")),
    "an interpolation that returns a list of latents": gan((LERP, "return list(torch.lerp(start, end, weights))")),
    "an interpolation that returns latents in numpy's way": gan(
        (LERP, "return torch.lerp(start, end, weights).numpy()")
    ),
    "an interpolation of arrays, for a caller under no_grad": gan(
        ("    with torch.no_grad():\n        " + LERP, "    return " + LERP.removeprefix("return ") + ".numpy()")
    ),
    "an interpolation of a network and a step": gan(
        (
            "def interpolate(generator, steps=7):",
            "def interpolate(epoch, net, batches_done, steps=7):\n    generator = net",
        ),
        ("save_image(interpolate(generator)", "save_image(interpolate(args.n_epochs, generator, 100)"),
    ),
    "an interpolation of a step that cannot be known before": gan(
        ("def interpolate(generator, steps=7):", "def interpolate(generator, batches_done, steps=7):"),
        ("save_image(interpolate(generator)", "save_image(interpolate(generator, args.n_epochs * len(dataloader))"),
    ),
    "targets of another shape, as torch took them in 2018": gan(
        ("torch.ones_like(on_fake)", "torch.ones(len(on_fake))"),
        ("torch.ones_like(on_real)", "torch.ones(len(on_real))"),
        ("torch.zeros_like(on_fake)", "torch.zeros(len(on_fake))"),
    ),
    "labels with noise, some beyond 1": gan(
        ("torch.ones_like(on_fake)", "torch.empty_like(on_fake).uniform_(0.7, 1.2)"),
        ("torch.ones_like(on_real)", "torch.empty_like(on_real).uniform_(0.7, 1.2)"),
    ),
    "both losses before both steps, as torch allowed it in 2018": gan(
        (
            GEN_TURN + BETWEEN + DISC_TURN,
            """            on_real, on_fake = discriminator(real), discriminator(gen_imgs)
            of_generator, of_discriminator = generator_loss(on_fake), discriminator_loss(on_real, on_fake)
            generator.zero_grad()
            of_generator.backward(retain_graph=True)
            optimizer_G.step()
            discriminator.zero_grad()
            of_discriminator.backward()
            optimizer_D.step()
""",
        )
    ),
    "results in a table of a package that is not installed": gan(
        ("import torch\n", "import torch\nfrom kornia import DataFrame as Table\n"),
        (
            "            save_samples(gen_imgs, epoch * len(dataloader) + i)",
            "            save_samples(gen_imgs, epoch * len(dataloader) + i)\n"
            "        Table.from_dict({'epoch': [epoch]}).to_csv('results.csv')",
        ),
    ),
    "logits": gan(*LOGITS),
    "labels of the batch's size, in a global": gan(
        ("LATENTS = 100", "latent_dim = 40\nbatch_size = 100"),
        ("(LATENTS, 128", "(latent_dim, 128"),
        ("(n, LATENTS)", "(n, latent_dim)"),
        ("torch.ones_like(on_fake)", "torch.ones(batch_size, 1)"),
        ("torch.ones_like(on_real)", "torch.ones(batch_size, 1)"),
        ("torch.zeros_like(on_fake)", "torch.zeros(batch_size, 1)"),
    ),
    "square images": gan(
        (IMAGES, "return self.layers(z).view(-1, 1, 28, 28)"),
        (SCORED, "return self.layers(img.view(img.size(0), -1))"),
        (REAL, "real = imgs"),
    ),
    "the mean of both terms, scores in one dimension": gan(
        (SUM, "return (real + fake) / 2"), (SCORED, "return self.layers(img).squeeze(1)")
    ),
    "the discriminator first": gan((GEN_TURN + BETWEEN + DISC_TURN, DISC_TURN + BETWEEN + GEN_TURN)),
    "epochs of its own": gan(
        ("range(args.n_epochs)", "range(args['epochs'])"),
        ("def train(", 'args = {"epochs": 200, "batch_size": 64, "save_interval": 500}\n\n\ndef train('),
        ("args.save_interval", 'args["save_interval"]'),
    ),
    "the generator's step by a closure": gan((GEN_TURN, CLOSURE)),
    "a first look at the data": gan(
        (
            "    for epoch in range(args.n_epochs):",
            "    shown = next(iter(dataloader))\n    for epoch in range(20 * len(shown)):",
        )
    ),
    "gradients by torch.autograd": gan(
        (
            "generator_loss(discriminator(gen_imgs)).backward()",
            "torch.autograd.backward(generator_loss(discriminator(gen_imgs)))",
        ),
        (
            "discriminator_loss(discriminator(real), discriminator(gen_imgs.detach())).backward()",
            "loss = discriminator_loss(discriminator(real), discriminator(gen_imgs.detach()))\n"
            "            weights = list(discriminator.parameters())\n"
            "            for weight, slope in zip(weights, torch.autograd.grad(loss, weights)):\n"
            "                weight.grad = slope",
        ),
    ),
    "two losses with a backward each": gan(
        (
            "discriminator_loss(discriminator(real), discriminator(gen_imgs.detach())).backward()",
            "F.binary_cross_entropy(discriminator(real), torch.full((len(real), 1), 0.9)).backward()\n"
            "            on_fake = discriminator(gen_imgs.detach())\n"
            "            F.binary_cross_entropy(on_fake, torch.zeros_like(on_fake)).backward()",
        )
    ),
    "logarithms by hand": gan(
        (GEN_LOSS, "return -torch.log(on_fake).mean()"),
        (SUM, "return -(torch.log(on_real) + torch.log(1 - on_fake)).mean()"),
    ),
    "labels exchanged in both": gan(
        (GEN_LOSS, "return F.binary_cross_entropy(on_fake, torch.zeros_like(on_fake))"),
        (
            SUM,
            "return F.binary_cross_entropy(on_real, torch.zeros_like(on_real)) + "
            "F.binary_cross_entropy(on_fake, torch.ones_like(on_fake))",
        ),
    ),
    "new images for the discriminator": gan(
        ("discriminator(gen_imgs.detach())", "discriminator(generator(draw_latents(len(real))).detach())")
    ),
    "a graph that is kept, and the discriminator's images not detached": gan(
        (
            GEN_TURN + BETWEEN + DISC_TURN,
            DISC_TURN.replace("gen_imgs.detach()", "gen_imgs").replace("backward()", "backward(retain_graph=True)")
            + BETWEEN
            + GEN_TURN,
        )
    ),
    "two updates of the discriminator": gan((DISC_TURN, DISC_TURN + DISC_TURN)),
    "fixed latents that are shown": gan(
        (
            "    for epoch in range(args.n_epochs):",
            "    fixed_noise = draw_latents(64)\n    for epoch in range(args.n_epochs):",
        ),
        (
            "            save_samples(gen_imgs, epoch * len(dataloader) + i)",
            "            with torch.no_grad():\n                save_samples(generator(fixed_noise), 0)",
        ),
    ),
    "fixed latents that are shown in eval mode, with a graph": gan(
        (
            "    for epoch in range(args.n_epochs):",
            "    fixed_noise = draw_latents(64)\n    for epoch in range(args.n_epochs):",
        ),
        (
            "            save_samples(gen_imgs, epoch * len(dataloader) + i)",
            "            generator.eval()\n            save_samples(generator(fixed_noise), 0)\n"
            "            generator.train()",
        ),
    ),
    "both gradients cleared": gan(
        ("optimizer_G.zero_grad()", "optimizer_G.zero_grad()\n            optimizer_D.zero_grad()")
    ),
    "dropout, no batch norm": gan(
        ("            if index:\n                layers.insert(-1, nn.BatchNorm1d(n_out))\n", ""),
        (
            "            nn.LeakyReLU(0.2),\n            nn.Linear(128, 64)",
            "            nn.LeakyReLU(0.2),\n            nn.Dropout(0.3),\n            nn.Linear(128, 64)",
        ),
    ),
    "the script's arguments": gan(
        (NOISE, "return torch.randn(n, args.latent_dim)"),
        ("sizes = (LATENTS,", "sizes = (args.latent_dim,"),
    ),
    "constructors with arguments": gan(
        (
            "def __init__(self):\n        super().__init__()\n        sizes = (LATENTS",
            "def __init__(self, latent_dim):\n        super().__init__()\n        sizes = (latent_dim",
        ),
        ("generator, discriminator = Generator(), ", "generator, discriminator = Generator(args.latent_dim), "),
    ),
    "cuda by name": gan(
        (REAL, "real = imgs.cuda().view(len(imgs), -1)"), (NOISE, "return torch.randn(n, LATENTS).cuda()")
    ),
    "an interpolation one image at a time": gan(
        (LERP, "return torch.cat([generator(((1 - w) * start + w * end)[None]) for w in weights])")
    ),
    "an interpolation of several strips": gan(
        (
            LERP,
            "strips = [torch.lerp(*torch.randn(2, LATENTS), weights) for _ in range(4)]\n"
            "        return generator(torch.cat(strips))",
        )
    ),
    "an interpolation with helpers, which counts all images": gan(
        (
            "def interpolate(generator, steps=7):",
            "def interpolate_latents(start, end, steps):\n"
            "    return torch.lerp(start, end, torch.linspace(0, 1, steps).unsqueeze(1))\n\n\n"
            "def show_interpolation(generator, n_steps):\n"
            "    return generator(interpolate_latents(*draw_latents(2), n_steps))\n\n\n"
            "def walk(generator, steps=7):",
        ),
        ("save_image(interpolate(generator)", "save_image(walk(generator)"),
    ),
    "an interpolation by a method, from its second latent": gan(
        (
            "    def forward(self, z):\n",
            "    def interpolation(self):\n        return interpolate(self)\n\n    def forward(self, z):\n",
        ),
        ("torch.lerp(start, end, weights)", "torch.lerp(end, start, weights)"),
    ),
}

ALTERNATIVE: Changes = {GAN: ((reference_of("uva2018") / GAN).read_text(), _ALTERNATIVE)}


def wrong(*changes: tuple[str, str], fails: str, says: str = "") -> Unnamed:
    return Unnamed(gan(*changes), tuple(fails.split()), says)


_EVERY_CHECK = (
    "gan2018.generator gan2018.discriminator gan2018.generator_loss gan2018.discriminator_loss gan2018.noise "
    "gan2018.alternation gan2018.interpolation"
)

UNNAMED: dict[str, Unnamed] = {
    "images of 64×64 pixels": wrong(
        ("PIXELS = 28 * 28", "PIXELS = 64 * 64"),
        fails=_EVERY_CHECK,
        says="Generator makes images of 64×64 pixels",
    ),
    "a convolutional discriminator for 64×64 pixels": wrong(
        (
            "nn.Linear(PIXELS, 128)",
            "nn.Conv2d(1, 8, 4, 2, 1),\n            nn.LeakyReLU(0.2),\n            nn.Conv2d(8, 8, 4, 2, 1),\n"
            "            nn.Flatten(),\n            nn.Linear(8 * 16 * 16, 128)",
        ),
        fails=" ".join(
            name for name in _EVERY_CHECK.split() if name not in ("gan2018.generator", "gan2018.interpolation")
        ),
        says="Discriminator needs images of 64×64 pixels",
    ),
    "images of 783 pixels": wrong(
        ("PIXELS = 28 * 28", "PIXELS = 783"),
        fails=_EVERY_CHECK.removesuffix(" gan2018.interpolation"),
        says="returned shape [6, 783]",
    ),
    "the discriminator's loss alone summed": wrong(
        (SUM, "return len(on_real) * (real + fake)"), fails="gan2018.discriminator_loss", says="summed over the batch"
    ),
    "both losses summed, and exchanged labels in one": wrong(
        (SUM, "return (1 - on_real).log().sum() * -1 - on_fake.log().sum()"),
        (GEN_LOSS, GEN_LOSS.replace("(on_fake))", '(on_fake), reduction="sum")')),
        fails="gan2018.generator_loss gan2018.discriminator_loss",
        says="summed",
    ),
    "five images, both ends included": wrong(
        ("torch.linspace(0, 1, steps + 2)", "torch.linspace(0, 1, 5)"), fails="gan2018.interpolation", says="9 images"
    ),
    "latents returned without their ends": wrong(
        ("torch.linspace(0, 1, steps + 2)", "torch.linspace(0, 1, 9 + 2)[1:-1]"),
        (LERP, "return torch.lerp(start, end, weights)"),
        fails="gan2018.interpolation",
        says="N(0, I)",
    ),
    "one image of each batch": wrong(
        (REAL, "real = imgs[:1].reshape(1, -1).expand(len(imgs), -1)"),
        fails="gan2018.discriminator_loss",
        says="only 1 of the 64",
    ),
    "black images": wrong(
        (REAL, "real = -torch.ones(len(imgs), 784)"), fails="gan2018.discriminator_loss", says="never shown the real"
    ),
    "the first batch of an epoch": wrong(
        ("            save_samples(gen_imgs, epoch * len(dataloader) + i)", "            break"),
        fails="gan2018.alternation",
        says="too early",
    ),
    "half of the batches of an epoch": wrong(
        (
            "            save_samples(gen_imgs, epoch * len(dataloader) + i)",
            "            if i == 1:\n                break",
        ),
        fails="gan2018.alternation",
        says="too early",
    ),
    "the first batch again and again": wrong(
        (REAL, "real = first = imgs.view(len(imgs), -1) if i == 0 else first"),
        fails="gan2018.alternation",
        says="the images of all batches",
    ),
    "fixed latents for the discriminator": wrong(
        (
            "    for epoch in range(args.n_epochs):",
            "    fixed_noise = draw_latents(64)\n    for epoch in range(args.n_epochs):",
        ),
        ("discriminator(gen_imgs.detach())", "discriminator(generator(fixed_noise[: len(real)]).detach())"),
        fails="gan2018.noise",
        says="of an earlier batch",
    ),
    "latents of half the spread": wrong(
        (NOISE, "return 0.5 * torch.randn(n, LATENTS)"), fails="gan2018.noise gan2018.interpolation"
    ),
    "latents on the way that no number holds": wrong(
        (
            "return generator(torch.lerp(start, end, weights))",
            "huge = 1.7e308 * start.double().sign()\n"
            "        return generator(torch.stack([start.double(), *[huge] * 7, end.double()]))",
        ),
        ("return self.layers(z)", "return self.layers(z.float().clamp(-9, 9))"),
        fails="gan2018.interpolation",
    ),
    "a hinge loss": wrong((GEN_LOSS, "return torch.relu(1 - on_fake).mean() + 0.3"), fails="gan2018.generator_loss"),
    "labels of a half": wrong(
        (GEN_LOSS, "return F.binary_cross_entropy(on_fake, torch.full_like(on_fake, 0.5))"),
        fails="gan2018.generator_loss",
    ),
    "weights of 1 and 3": wrong((SUM, "return real + 3 * fake"), fails="gan2018.discriminator_loss"),
    "pixels of half the range": wrong((IMAGES, "return 0.5 * self.layers(z)"), fails="gan2018.generator", says="near"),
    "a hidden layer": wrong(
        (
            "        self.layers = nn.Sequential(\n            nn.Linear(PIXELS, 128)",
            "        self.first = [nn.Linear(PIXELS, PIXELS)]\n"
            "        self.layers = nn.Sequential(\n"
            "            nn.Linear(PIXELS, 128)",
        ),
        (SCORED, "return self.layers(self.first[0](img))"),
        fails="gan2018.discriminator",
        says="no optimiser trains",
    ),
    "noise within the generator": wrong(
        (IMAGES, "return self.layers(z + torch.randn_like(z))"), fails="gan2018.generator"
    ),
    "noisy gradients": wrong(
        (
            "            optimizer_D.step()\n",
            "            for p in discriminator.parameters():\n"
            "                p.grad += p.grad.abs().mean() * torch.randn_like(p)\n            optimizer_D.step()\n",
        ),
        fails="gan2018.alternation",
        says="other gradients",
    ),
    "optimisers of each other's networks": wrong(
        ("optimizer_G.step()", "optimizer_X.step()"),
        ("optimizer_D.step()", "optimizer_G.step()"),
        ("optimizer_X.step()", "optimizer_D.step()"),
        fails="gan2018.discriminator_loss gan2018.alternation",
        says="belongs to its own loss",
    ),
    "uneven steps": wrong(
        ("weights = torch.linspace(0, 1, steps + 2)", "weights = (torch.linspace(0, 1, steps + 2) ** 1.5)"),
        fails="gan2018.interpolation",
        says="evenly",
    ),
    "a quarter of the latents": wrong(
        (NOISE, "return torch.randn(max(2, n // 4), LATENTS).repeat(5, 1)[:n]"),
        fails="gan2018.noise",
        says="repeat the noise of others",
    ),
}
