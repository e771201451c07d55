"""A GAN's steps, samples and interpolations: the reference in other spellings, and with mistakes that have no name."""

from __future__ import annotations

from validation.variants import Changes, Unnamed
from validation.workbench import reference_of

FILE = "gan_solution.py"
CRITERION = "criterion = nn.BCEWithLogitsLoss()"
ON_REAL = "criterion(real_output, torch.ones_like(real_output))"
SUM = f"return {ON_REAL} + criterion(fake_output, torch.zeros_like(fake_output))"
OWN = "return criterion(output, torch.ones_like(output))"
NOISE = "noise = torch.randn(num_samples, z_dim, 1, 1, device=device)"
LINE = "return generator((1 - weight) * z_1 + weight * z_2)"

ALTERNATIVE_TEXT = """import torch
import torch.nn.functional as F

discriminator_optimizer = Adam(discriminator.parameters(), lr=disc_lr)
generator_optimizer = Adam(generator.parameters(), lr=gen_lr)


def criterion(output, target):
    return F.binary_cross_entropy_with_logits(output.view(-1), target.view(-1))


def discriminator_train(discriminator, generator, real_samples, fake_samples):
    both = discriminator(torch.cat([real_samples, fake_samples.detach()])).view(-1)
    target = torch.cat([torch.ones(len(real_samples)), torch.zeros(len(fake_samples))])
    return 2 * criterion(both, target)


def generator_train(discriminator, generator, fake_samples):
    return F.softplus(-discriminator(fake_samples)).mean()


def sample(generator, num_samples, noise=None):
    with torch.no_grad():
        if noise is None:
            noise = torch.empty(num_samples, 32).normal_()[:, :, None, None]
        return generator(noise)


def interpolate(generator, z_1, z_2, n_samples):
    images = []
    for i in range(n_samples):
        w = i / (n_samples - 1)
        images.append(generator(w * z_1 + (1 - w) * z_2)[0])
    return torch.stack(images)
"""


def gan(*changes: tuple[str, str]) -> Changes:
    return {FILE: list(changes)}


RIGHT: dict[str, Changes] = {
    "networks of the notebook": {FILE: ((reference_of("mila2023") / FILE).read_text(), ALTERNATIVE_TEXT)},
    "half of the sum": gan((SUM, f"{SUM.replace('return ', 'return (')}) / 2")),
    "flat scores": gan(
        ("discriminator(real_samples)", "discriminator(real_samples).view(-1)"),
        (
            "discriminator(fake_samples)\n    return criterion(real",
            "discriminator(fake_samples).view(-1)\n    return criterion(real",
        ),
    ),
    "loss of probabilities": gan(
        (CRITERION, "criterion = lambda output, target: nn.BCELoss()(torch.sigmoid(output), target)")
    ),
    "smoothed labels": gan(("torch.ones_like(real_output)", "0.9 * torch.ones_like(real_output)")),
    "a logarithm by hand": gan((OWN, "return -nn.functional.logsigmoid(output).mean()")),
    "noise of the hand-out's size": gan((NOISE, "noise = torch.randn(num_samples, 32, 1, 1)")),
    "noise of the generator's size": gan(
        (NOISE, "noise = torch.randn(num_samples, generator.z_dim, 1, 1, device=generator.device)")
    ),
    "noise of the first layer's size": gan((NOISE, NOISE.replace("z_dim", "generator.model[0].in_channels"))),
    "images of the hand-out's size, one by one": gan(
        ("input_channels = 1\n", "input_channels = 1\nimage_size = 32\n"),
        (
            LINE,
            """images = torch.zeros(n_samples, input_channels, image_size, image_size, device=device)
    for i, w in enumerate(weight):
        images[i] = generator((1 - w) * z_1 + w * z_2)[0]
    return images""",
        ),
    ),
    "few latents, in a global": gan(("z_dim = 32", "z_dim = 16")),
    "latents by another name": gan(
        ("z_dim = 32", "LATENT_DIM = 100\nz_dim = LATENT_DIM"),
        (NOISE, NOISE.replace("z_dim", "LATENT_DIM")),
    ),
    "latents as a default": gan(
        ("z_dim = 32", "latent_size = 8"),
        ("generator = Generator(z_dim", "generator = Generator(latent_size"),
        ("num_samples, noise=None):", "num_samples, noise=None, z_dim=latent_size):"),
    ),
    "latents in a global of another name, used as a default by the class": gan(
        ("z_dim = 32", "nz = 16"),
        ("generator = Generator(z_dim", "generator = Generator(nz"),
        (NOISE, NOISE.replace("z_dim", "nz")),
    ),
    "labels of the batch's size, in a global": gan(
        ("z_dim = 32", "z_dim = 32\nbatch_size = 100"),
        ("torch.ones_like(real_output)", "torch.ones(batch_size, 1, 1, 1, device=device)"),
        ("torch.zeros_like(fake_output)", "torch.zeros(batch_size, 1, 1, 1, device=device)"),
    ),
    "labels made once": gan(
        (
            "z_dim = 32",
            "z_dim, BATCH_SIZE = 32, 128\nones = torch.ones(BATCH_SIZE, 1, 1, 1)\nzeros = torch.zeros_like(ones)",
        ),
        ("torch.ones_like(real_output)", "ones"),
        ("torch.zeros_like(fake_output)", "zeros"),
        ("torch.ones_like(output)", "ones"),
    ),
    "a mean by the batch's size": gan(
        ("z_dim = 32", "z_dim = 32\nbs = 256"),
        (OWN, "return nn.functional.softplus(-output).sum() / bs"),
    ),
    "backwards": gan((LINE, "return generator(weight * z_1 + (1 - weight) * z_2)")),
    "one after the other": gan((LINE, "return torch.cat([generator(torch.lerp(z_1, z_2, float(w))) for w in weight])")),
}

ALTERNATIVE: Changes = RIGHT["networks of the notebook"]

UNNAMED: dict[str, Unnamed] = {
    "labels of a size that is written out": Unnamed(
        gan(
            ("z_dim = 32", "z_dim = 32\nbatch_size = 100"),
            ("torch.ones_like(output)", "torch.ones(100, 1, 1, 1)"),
        ),
        ("gan.generator_step",),
        "Target size",
    ),
    "the batch's size in place of the number of samples": Unnamed(
        gan(("z_dim = 32", "z_dim = 32\nbatch_size = 100"), (NOISE, NOISE.replace("num_samples", "batch_size"))),
        ("gan.sample",),
        "wrong shape",
    ),
    "a fifth of the latents": Unnamed(
        gan(("z_dim = 32", "z_dim = 16"), (NOISE, NOISE.replace("z_dim", "z_dim // 5"))),
        ("gan.sample",),
        "shapes cannot be multiplied",
    ),
    "two images of each batch": Unnamed(
        gan(("(real_samples)", "(real_samples[:2])"), ("(fake_samples)", "(fake_samples[:2])")),
        ("gan.discriminator_step", "gan.generator_step"),
        "only 2 of the 64",
    ),
    "twice the fakes": Unnamed(
        gan(("+ criterion(fake_output", "+ 2 * criterion(fake_output")),
        ("gan.discriminator_step",),
        "loss is not right",
    ),
    "the logarithm of another base": Unnamed(
        gan((OWN, f"{OWN} / 0.693")), ("gan.generator_step",), "loss is not right"
    ),
    "a shifted prior": Unnamed(gan((NOISE, f"{NOISE} + 0.5")), ("gan.sample",), "N(0, I)"),
    "given noise that goes unused": Unnamed(
        gan(("    if noise is None:\n        noise", "    if True:\n        noise")),
        ("gan.sample",),
        "the generator's input is not right",
    ),
    "latents without their dimensions of one": Unnamed(
        gan((NOISE, "noise = torch.randn(num_samples, z_dim)")), ("gan.sample",), "[B, z_dim, 1, 1]"
    ),
    "a line from the mirrored start": Unnamed(
        gan((LINE, LINE.replace("(1 - weight)", "(weight - 1)"))), ("gan.interpolate",), "from z_1 to z_2"
    ),
    "a line that begins before its start": Unnamed(
        gan((LINE, LINE.replace("weight", "(1.5 * weight - 0.5)"))), ("gan.interpolate",), "one of the two is missing"
    ),
    "steps that crowd": Unnamed(
        gan((LINE, LINE.replace("weight", "weight**2"))), ("gan.interpolate",), "evenly spaced"
    ),
    "a quarter of the latents": Unnamed(
        gan((NOISE, "noise = torch.randn(num_samples // 4 + 1, z_dim, 1, 1).repeat(4, 1, 1, 1)[:num_samples]")),
        ("gan.sample",),
        "repeat the noise of others",
    ),
}
