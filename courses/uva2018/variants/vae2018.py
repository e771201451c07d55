"""Answers to the VAE questions of 2018: the second output and the bound in every form that students give them."""

from __future__ import annotations

from courses.uva2018.variants.vae2018_alternative import VAE as _ALTERNATIVE
from validation.variants import Changes, Unnamed
from validation.workbench import reference_of

VAE = "a3_vae_template.py"

CODE = "return self.mean(hidden), F.softplus(self.raw(hidden))"
RAW = "return self.mean(hidden), self.raw(hidden)"
MEANS = "return torch.sigmoid(self.out(hidden))"
DRAW = "return mean + std * torch.randn_like(mean)"
KL = "return (0.5 * (std.pow(2) + mean.pow(2) - 1) - std.log()).sum(dim=1)"
REC = 'return F.binary_cross_entropy(means, images, reduction="none").sum(dim=1)'
BOUND = "return (reconstruction(input, means) + divergence(mean, std)).mean()"
SAMPLED = "im_means = self.decoder(torch.randn(n_samples, self.z_dim))"
RETURNED = "return torch.bernoulli(im_means), im_means"
STEP = "loss.backward()"
AVERAGE = "return total / count"
TOTAL = "total += loss.item() * len(images)"
COUNTED = f"{TOTAL}\n            count += len(images)"
DECODED = "means = model.decoder(torch.cartesian_prod(axis, axis))"

LOGITS: list[tuple[str, str]] = [
    (MEANS, "return self.out(hidden)"),
    ("F.binary_cross_entropy(", "F.binary_cross_entropy_with_logits("),
    (SAMPLED, SAMPLED.replace("self.decoder", "torch.sigmoid(self.decoder") + ")"),
]
LOG_VARIANCE: list[tuple[str, str]] = [
    (CODE, RAW),
    (DRAW, DRAW.replace("std *", "torch.exp(0.5 * std) *")),
    (KL, "return -0.5 * torch.sum(1 + std - mean**2 - torch.exp(std), 1)"),
]


def vae(*changes: tuple[str, str]) -> Changes:
    return {VAE: list(changes)}


RIGHT: dict[str, Changes] = {
    "latents of a size in a global": vae(
        ("class Encoder(", "Z_DIM = 20\n\n\nclass Encoder("),
        ("self.decoder(torch.randn(n_samples, self.z_dim))", "self.decoder(torch.randn(n_samples, Z_DIM))"),
    ),
    "the number of pixels as an argument of all three": vae(
        ("def __init__(self, hidden_dim=500, z_dim=20):", "def __init__(self, x_dim, hidden_dim=500, z_dim=20):"),
        ("Encoder(hidden_dim, z_dim)", "Encoder(x_dim, hidden_dim, z_dim)"),
        ("Decoder(hidden_dim, z_dim)", "Decoder(self.x_dim, hidden_dim, z_dim)"),
        ("self.z_dim = z_dim", "self.z_dim, self.x_dim = z_dim, x_dim"),
        ("nn.Linear(PIXELS,", "nn.Linear(x_dim,"),
        ("nn.Linear(hidden_dim, PIXELS)", "nn.Linear(hidden_dim, x_dim)"),
        ("model = VAE(z_dim=ARGS.zdim)", "width = 28\n    model = VAE(x_dim=width**2, z_dim=ARGS.zdim)"),
    ),
    "percentiles of NumPy, in a list, as torch took them in 2018": vae(
        (
            DECODED,
            "levels = axis.double().numpy()\n"
            "        means = model.decoder(torch.tensor([[x, y] for x in levels for y in levels]))",
        ),
    ),
    "a deviation of either sign, in log σ²": vae(
        (CODE, RAW), (KL, "return -0.5 * (1 + std.pow(2).log() - mean**2 - std.pow(2)).sum(1)")
    ),
    "a log variance that is cut off": vae(*LOG_VARIANCE, (RAW, f"{RAW}.clamp(-8, 8)")),
    "a deviation below 1": vae((CODE, CODE.replace("F.softplus(", "torch.sigmoid("))),
    "samples, means and latents": vae(
        (SAMPLED, SAMPLED.replace("self.decoder(", "self.decoder(z := ")),
        (RETURNED, f"{RETURNED}, z"),
        ("samples, _ = ", "samples, _, _ = "),
    ),
    "latents before samples and means": vae(
        (SAMPLED, SAMPLED.replace("self.decoder(", "self.decoder(z := ")),
        (RETURNED, RETURNED.replace("return ", "return z, ")),
        ("samples, _ = ", "_, samples, _ = "),
    ),
    "samples, means and logits": vae(
        (RETURNED, f"{RETURNED}, torch.logit(im_means)"), ("samples, _ = ", "samples, _, _ = ")
    ),
    "samples of arrays, for a caller under no_grad": vae(
        ("        with torch.no_grad():\n            " + SAMPLED, "        " + SAMPLED),
        (RETURNED, "return torch.bernoulli(im_means).numpy(), im_means.numpy()"),
        ("model.sample(64)", "torch.no_grad()(model.sample)(64)"),
        ("samples.view", "torch.tensor(samples).view"),
    ),
    "a manifold of arrays, for a caller under no_grad": vae(
        ("    with torch.no_grad():\n        " + DECODED, f"    {DECODED.replace('axis))', 'axis)).numpy()')}"),
        ("make_grid(means.view", "make_grid(torch.tensor(means).view"),
        ("save_image(manifold(model)", "save_image(torch.no_grad()(manifold)(model)"),
    ),
    "a manifold of a step and a model": vae(
        ("def manifold(model, size=20):", "def manifold(step, model, size=20):"),
        ("save_image(manifold(model)", "save_image(manifold(ARGS.epochs, model)"),
    ),
    "a manifold of a model by another name and an iteration": vae(
        ("def manifold(model, size=20):", "def manifold(m, it, size=20):\n    model = m"),
        ("save_image(manifold(model)", "save_image(manifold(model, 3)"),
    ),
    "a manifold of a number of images and a model": vae(
        ("def manifold(model, size=20):", "def manifold(per_side, model):\n    size = per_side"),
        ("save_image(manifold(model)", "save_image(manifold(12, model)"),
    ),
    "log variance": vae(*LOG_VARIANCE),
    "log variance and logits": vae(*LOG_VARIANCE, *LOGITS),
    "log deviation": vae(
        (CODE, RAW),
        (DRAW, DRAW.replace("std *", "std.exp() *")),
        (KL, "return (0.5 * ((2 * std).exp() + mean**2 - 1) - std).sum(-1)"),
    ),
    "variance": vae(
        (DRAW, DRAW.replace("std *", "std.sqrt() *")), (KL, "return 0.5 * (std + mean**2 - 1 - std.log()).sum(1)")
    ),
    "deviation by a softplus in the model": vae(
        (CODE, RAW),
        ("mean, std = self.encoder(input)", "mean, std = self.encoder(input)\n        std = F.softplus(std)"),
    ),
    "deviation by an exponential in the encoder": vae((CODE, CODE.replace("F.softplus(", "torch.exp("))),
    "logits": vae(*LOGITS),
    "distributions": vae(
        (DRAW, "return torch.distributions.Normal(mean, std).rsample()"),
        (
            KL,
            "normal = torch.distributions.Normal\n"
            "    return torch.distributions.kl_divergence(normal(mean, std), normal(0.0, 1.0)).sum(1)",
        ),
        (REC, "return -torch.distributions.Bernoulli(probs=means).log_prob(images).sum(1)"),
    ),
    "logarithms with an epsilon": vae(
        (REC, "return -(images * torch.log(means + 1e-9) + (1 - images) * torch.log(1 - means + 1e-9)).sum(-1)")
    ),
    "the ELBO itself, and other values": vae(
        (
            BOUND,
            "rec, kl = reconstruction(input, means), divergence(mean, std)\n"
            "        return -(rec + kl).mean(), rec.mean(), kl.mean()",
        ),
        ("loss = model(images.view(-1, PIXELS))", "loss, _, _ = model(images.view(-1, PIXELS))"),
        (STEP, "(-loss).backward()"),
    ),
    "an ELBO that the loop returns": vae((AVERAGE, "return -total / count")),
    "square images": vae(
        (
            "torch.relu(self.hidden(input))\n        return self.mean",
            "torch.relu(self.hidden(input.flatten(1)))\n        return self.mean",
        ),
        (MEANS, "return torch.sigmoid(self.out(hidden)).view(-1, 1, 28, 28)"),
        (REC, 'return F.binary_cross_entropy(means, images, reduction="none").sum(dim=(1, 2, 3))'),
        ("model(images.view(-1, PIXELS))", "model(images.view(-1, 1, 28, 28))"),
    ),
    "other constructors": vae(
        (
            "def __init__(self, hidden_dim=500, z_dim=20):\n"
            "        super().__init__()\n"
            "        self.hidden = nn.Linear(PIXELS",
            "def __init__(self, input_dim, hidden_dim, z_dim, device):\n"
            "        super().__init__()\n"
            "        self.hidden = nn.Linear(input_dim",
        ),
        ("self.encoder = Encoder(hidden_dim, z_dim)", "self.encoder = Encoder(PIXELS, hidden_dim, z_dim, device)"),
        ("class VAE(nn.Module):", "class VAE(nn.Module):  # noqa"),
        (
            "def __init__(self, hidden_dim=500, z_dim=20):\n        super().__init__()\n        self.z_dim",
            "def __init__(self, device, latent=20, hidden_dim=500, z_dim=20):\n"
            "        super().__init__()\n"
            "        self.z_dim",
        ),
    ),
    "four draws": vae(
        (
            "means = self.decoder(draw(mean, std))\n"
            "        return (reconstruction(input, means) + divergence(mean, std)).mean()",
            "recs = [reconstruction(input, self.decoder(draw(mean, std))) for _ in range(4)]\n"
            "        return (sum(recs) / 4 + divergence(mean, std)).mean()",
        )
    ),
    "four draws at once": vae(
        (
            "means = self.decoder(draw(mean, std))\n"
            "        return (reconstruction(input, means) + divergence(mean, std)).mean()",
            "z = torch.distributions.Normal(mean, std).rsample((4,))\n"
            "        likelihood = torch.distributions.Bernoulli(probs=self.decoder(z)).log_prob(input).sum(-1)\n"
            "        return (divergence(mean, std) - likelihood.mean(0)).mean()",
        )
    ),
    "a divergence of the draw": vae(
        (
            "means = self.decoder(draw(mean, std))\n"
            "        return (reconstruction(input, means) + divergence(mean, std)).mean()",
            "normal = torch.distributions.Normal\n"
            "        z = draw(mean, std)\n"
            "        ratio = (normal(mean, std).log_prob(z) - normal(0.0, 1.0).log_prob(z)).sum(1)\n"
            "        return (reconstruction(input, self.decoder(z)) + ratio).mean()",
        )
    ),
    "a divergence of two draws, in an ELBO": vae(
        (
            "means = self.decoder(draw(mean, std))\n"
            "        return (reconstruction(input, means) + divergence(mean, std)).mean()",
            "bounds = []\n"
            "        for z in (draw(mean, std), draw(mean, std)):\n"
            "            ratio = -std.log() - 0.5 * ((z - mean) / std) ** 2 + 0.5 * z**2\n"
            "            bounds.append(-reconstruction(input, self.decoder(z)) - ratio.sum(1))\n"
            "        return torch.stack(bounds).mean()",
        ),
        (STEP, "(-loss).backward()"),
    ),
    "the encoder asked twice": vae(
        ("mean, std = self.encoder(input)", "mean, std = self.encoder(input)[0], self.encoder(input)[1]")
    ),
    "named tuples": vae(
        (CODE, CODE.replace("return ", "return Code(") + ")"),
        ("mean, std = self.encoder(input)", "code = self.encoder(input)\n        mean, std = code.mean, code.std"),
        (BOUND, BOUND.replace("return ", "return Bound(") + ", mean)"),
        (
            "class Encoder(",
            "Code = namedtuple('Code', 'mean std')\nBound = namedtuple('Bound', 'loss mean')\n\n\nclass Encoder(",
        ),
        ("import argparse", "import argparse\nfrom collections import namedtuple"),
        ("loss = model(images.view(-1, PIXELS))", "loss = model(images.view(-1, PIXELS)).loss"),
    ),
    "samples by a function, and helpers' names": vae(
        ("    def sample(self, n_samples):", "    def drawn(self, n_samples):"),
        (
            "def manifold(model, size=20):",
            "def sample_latents(n, size):\n    return torch.randn(n, size)\n\n\n"
            "def manifold_axis(size=20):\n    return torch.linspace(-1, 1, size)\n\n\n"
            "def sample_images(vae, n_samples):\n    return vae.drawn(n_samples)\n\n\n"
            "def plot_manifold(model, size=20):",
        ),
        ("model.sample(64)", "model.drawn(64)"),
        ("manifold(model), ", "plot_manifold(model), "),
    ),
    "a loader with labels": vae(
        ("for images in data:\n            loss", "for step, (images, labels) in enumerate(data):\n            loss")
    ),
    "steps by a closure": vae(
        (
            "optimizer.zero_grad()\n                loss.backward()\n                optimizer.step()\n",
            "optimizer.step(lambda: (optimizer.zero_grad(), loss.backward(), loss)[-1])\n",
        )
    ),
    "an average of batches, clipped gradients": vae(
        ("optimizer.step()", "nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n                optimizer.step()"),
        (
            "total += loss.item() * len(images)\n            count += len(images)",
            "total += loss.item()\n            count += 1",
        ),
    ),
    "a sum over the batch, averaged over images by the loop": vae(
        (BOUND, f"{BOUND.removesuffix('.mean()')}.sum()"), (TOTAL, "total += loss.item()")
    ),
    "a sum over the batch, divided by the size of each batch": vae(
        (BOUND, f"{BOUND.removesuffix('.mean()')}.sum()"),
        ("images.view(-1, PIXELS))", "images.view(-1, PIXELS)) / len(images)"),
        (COUNTED, "total += loss.item()\n            count += 1"),
    ),
    "an ELBO summed over the batch, divided by the argument batch_size": vae(
        (BOUND, BOUND.replace("return ", "return -").removesuffix(".mean()") + ".sum()"),
        (STEP, "(-loss).backward()"),
        (COUNTED, "total += loss.item()\n            count += ARGS.batch_size"),
    ),
    "a bound divided by the argument batch_size": vae(
        (BOUND, f"{BOUND.removesuffix('.mean()')}.sum() / ARGS.batch_size")
    ),
    "a divergence of the draw, summed over the batch": vae(
        (
            "means = self.decoder(draw(mean, std))\n"
            "        return (reconstruction(input, means) + divergence(mean, std)).mean()",
            "normal = torch.distributions.Normal\n"
            "        z = draw(mean, std)\n"
            "        ratio = (normal(mean, std).log_prob(z) - normal(0.0, 1.0).log_prob(z)).sum()\n"
            "        return reconstruction(input, self.decoder(z)).sum() + ratio",
        ),
        (TOTAL, "total += loss.item()"),
    ),
    "a deeper network with dropout": vae(
        (
            "self.hidden = nn.Linear(PIXELS, hidden_dim)",
            "self.hidden = nn.Sequential(nn.Linear(PIXELS, 64), nn.ELU(), nn.Dropout(0.1), nn.Linear(64, hidden_dim))",
        )
    ),
    "double precision": vae(
        (DECODED, DECODED.replace("axis, axis)", "axis, axis).double()")),
        (
            "self.decoder = Decoder(hidden_dim, z_dim)",
            "self.decoder = Decoder(hidden_dim, z_dim)\n        self.double()",
        ),
        (
            "def forward(self, input):\n        mean, std",
            "def forward(self, input):\n        input = input.double()\n        mean, std",
        ),
        (SAMPLED, SAMPLED.replace("self.z_dim)", "self.z_dim).double()")),
    ),
    "samples that are square, in numpy's way": vae(
        (
            RETURNED,
            "im_means = im_means.view(-1, 1, 28, 28)\n"
            "        return (torch.rand_like(im_means) < im_means).float(), im_means",
        )
    ),
    "one sample after the other": vae(
        (SAMPLED, "im_means = torch.cat([self.decoder(torch.randn(1, self.z_dim)) for _ in range(n_samples)])")
    ),
    "a manifold by the decoder, one image after the other": vae(
        ("def manifold(model, size=20):", "def plot_manifold(decoder, filename, size=12):"),
        (DECODED, "means = torch.cat([decoder(torch.stack([x, y])[None]) for y in axis for x in axis])"),
        ("save_image(manifold(model)", "save_image(plot_manifold(model.decoder, 'manifold')"),
    ),
    "a manifold by the model's own method": vae(
        (
            "    def sample(self",
            "    def save_manifold(self, n=15):\n        return manifold_of(self, n)\n\n    def sample(self",
        ),
        ("def manifold(model", "def manifold_of(model"),
        ("(torch.arange(size) + 0.5) / size", "torch.linspace(0.02, 0.98, size)"),
        ("save_image(manifold(model)", "save_image(model.save_manifold()"),
    ),
    "cuda by name": vae(
        ("torch.randn(n_samples, self.z_dim)", "torch.randn(n_samples, self.z_dim).cuda()"),
        ("model(images.view(-1, PIXELS))", "model(images.view(-1, PIXELS).to('cuda'))"),
    ),
    "the script's arguments in a class": vae(
        ("self.z_dim = z_dim", "self.z_dim = ARGS.zdim"),
        ("Encoder(hidden_dim, z_dim)", "Encoder(hidden_dim, ARGS.zdim)"),
    ),
}

ALTERNATIVE: Changes = {VAE: ((reference_of("uva2018") / VAE).read_text(), _ALTERNATIVE)}


def wrong(*changes: tuple[str, str], fails: str, says: str = "") -> Unnamed:
    return Unnamed(vae(*changes), tuple(fails.split()), says)


_OF_SIZES = (
    "vae2018.encoder vae2018.decoder vae2018.noise vae2018.reconstruction vae2018.divergence vae2018.bound "
    "vae2018.gradient vae2018.sample vae2018.manifold"
)

UNNAMED: dict[str, Unnamed] = {
    "a bound for each image, with twice the KL": wrong(
        (BOUND, BOUND.removesuffix(".mean()")),
        (KL, KL.replace("0.5 *", "")),
        fails="vae2018.divergence vae2018.bound",
        says="divergence",
    ),
    "images of 64×64 pixels": wrong(
        ("PIXELS = 28 * 28", "PIXELS = 64 * 64"),
        fails=f"{_OF_SIZES} vae2018.epoch",
        says="Encoder needs images of 64×64 pixels",
    ),
    "images padded to 32×32 pixels in the model": wrong(
        ("self.encoder(input)", "self.encoder(F.pad(input.view(-1, 28, 28), (2, 2, 2, 2)).flatten(1))"),
        (
            "means = self.decoder(draw(mean, std))",
            "means = self.decoder(draw(mean, std)).view(-1, 32, 32)[:, 2:30, 2:30].flatten(1)",
        ),
        ("nn.Linear(PIXELS, hidden_dim)", "nn.Linear(32 * 32, hidden_dim)"),
        ("nn.Linear(hidden_dim, PIXELS)", "nn.Linear(hidden_dim, 32 * 32)"),
        fails=_OF_SIZES,
        says="Encoder needs images of 32×32 pixels",
    ),
    "images of 783 pixels": wrong(
        ("PIXELS = 28 * 28", "PIXELS = 783"), fails=f"{_OF_SIZES} vae2018.epoch", says="6x784 and 783x40"
    ),
    "black images": wrong(
        ("model(images.view(-1, PIXELS))", "model(torch.zeros(len(images), PIXELS))"),
        fails="vae2018.epoch",
        says="other images",
    ),
    "black images for the encoder": wrong(
        ("self.encoder(input)", "self.encoder(torch.zeros_like(input))"),
        fails="vae2018.bound",
        says="the encoder is given other images",
    ),
    "one image of each batch for the encoder": wrong(
        ("self.encoder(input)", "self.encoder(input[:1].expand_as(input))"),
        fails="vae2018.bound",
        says="the encoder is not given all images",
    ),
    "noise of 0.8 deviations": wrong(
        (DRAW, DRAW.replace("std *", "0.8 * std *")), fails="vae2018.divergence vae2018.bound"
    ),
    "heavy tails": wrong(
        (DRAW, "return mean + std * torch.distributions.StudentT(3.0).sample(mean.shape)"), fails="vae2018.noise"
    ),
    "uniform noise of the right spread": wrong(
        (DRAW, "return mean + std * (torch.rand_like(mean) - 0.5) * 12**0.5"), fails="vae2018.noise", says="not drawn"
    ),
    "noise beside the mean": wrong((DRAW, DRAW.replace("mean +", "0.5 + mean +")), fails="vae2018.noise"),
    "a KL of 1.1 times": wrong((KL, KL.replace("return ", "return 1.1 * ")), fails="vae2018.divergence vae2018.bound"),
    "a KL cut off at 30": wrong((KL, f"{KL}.clamp(max=30)"), fails="vae2018.divergence vae2018.bound"),
    "a bound divided by 128": wrong(
        (BOUND, f"{BOUND.removesuffix('.mean()')}.sum() / 128"), fails="vae2018.bound", says="a division by 128 for"
    ),
    "a bound divided by 100": wrong(
        (BOUND, f"{BOUND.removesuffix('.mean()')}.sum() / 100"), fails="vae2018.bound", says="a division by 100 for"
    ),
    "a bound divided by the number of pixels in the batch, after a mean": wrong(
        (BOUND, f"{BOUND} / input.numel()"), fails="vae2018.bound", says="by the number of images twice, and"
    ),
    "a bound of ten times": wrong(
        (BOUND, BOUND.replace("return ", "return 10 * ")), fails="vae2018.bound", says="multiplied by 10"
    ),
    "a sum over the batch with half of the divergence": wrong(
        (BOUND, f"{BOUND.removesuffix('.mean()')}.sum()"),
        (KL, KL.replace("return ", "return 0.5 * ")),
        (TOTAL, "total += loss.item()"),
        fails="vae2018.divergence vae2018.bound",
        says="scaled by 0.5",
    ),
    "a tenth of the divergence": wrong(
        (BOUND, BOUND.replace("+ div", "+ 0.1 * div")),
        fails="vae2018.divergence vae2018.bound",
        says="scaled by 0.1",
    ),
    "four times the divergence": wrong(
        (BOUND, BOUND.replace("+ div", "+ 4 * div")),
        fails="vae2018.divergence vae2018.bound",
        says="scaled by 4",
    ),
    "a divergence divided by the number of images twice": wrong(
        (BOUND, BOUND.replace("std)).mean()", "std).mean() / len(input)).mean()")),
        fails="vae2018.divergence vae2018.bound",
        says="the number of images twice",
    ),
    **{
        f"{name} on the log variance": wrong(
            *LOG_VARIANCE, (RAW, RAW.replace("self.raw(hidden)", code)), fails="vae2018.encoder", says="cannot take all"
        )
        for name, code in {
            "relu": "torch.relu(self.raw(hidden))",
            "softplus": "F.softplus(self.raw(hidden))",
            "exp": "self.raw(hidden).exp()",
            "tanh": "torch.tanh(self.raw(hidden))",
            "a square": "self.raw(hidden) ** 2",
        }.items()
    },
    "a logarithm of the deviation that is never negative": wrong(
        (CODE, "return self.mean(hidden), torch.relu(self.raw(hidden))"),
        (DRAW, DRAW.replace("std *", "std.exp() *")),
        (KL, "return (0.5 * ((2 * std).exp() + mean**2 - 1) - std).sum(-1)"),
        fails="vae2018.encoder",
        says="logarithm of the standard deviation",
    ),
    "a deviation that may be negative": wrong(
        (CODE, RAW), fails="vae2018.encoder vae2018.bound", says="can be negative"
    ),
    "a deviation by a tanh": wrong(
        (CODE, CODE.replace("F.softplus(", "torch.tanh(")),
        fails="vae2018.encoder vae2018.bound",
        says="can be negative",
    ),
    "a variance that is 0 for many images": wrong(
        (CODE, CODE.replace("F.softplus(", "torch.relu(")),
        (DRAW, DRAW.replace("std *", "std.sqrt() *")),
        (KL, "return 0.5 * (std + mean**2 - 1 - (std + 1e-9).log()).sum(1)"),
        fails="vae2018.encoder",
        says="variance, and is exactly 0",
    ),
    "noise of half of the variance": wrong(
        (DRAW, DRAW.replace("std *", "0.5**0.5 * std *")),
        fails="vae2018.divergence vae2018.bound",
        says="half of the variance",
    ),
    "smoothed pixels": wrong(
        (REC, REC.replace("images,", "0.9 * images + 0.05,")),
        fails="vae2018.reconstruction vae2018.bound",
        says="cross-entropy",
    ),
    "a constant in which all differences drown": wrong(
        (BOUND, BOUND.replace("return ", "return torch.full((), 1e9) + 1e-3 * ")),
        fails="vae2018.reconstruction vae2018.divergence vae2018.gradient vae2018.bound",
    ),
    "a constant that has a gradient": wrong(
        (BOUND, BOUND.replace("return ", "return torch.full((), 1e2) + 1e-9 * ")),
        fails="vae2018.reconstruction vae2018.divergence vae2018.gradient vae2018.bound",
    ),
    "a constant of 7": wrong((BOUND, f"{BOUND} + 7"), fails="vae2018.bound", says="constant"),
    "no second output": wrong(
        (CODE, "return self.mean(hidden)"),
        fails="vae2018.encoder vae2018.noise vae2018.reconstruction vae2018.divergence vae2018.bound vae2018.gradient"
        " vae2018.epoch",
    ),
    "logits without negative numbers": wrong(
        *LOGITS[1:], (MEANS, "return torch.relu(self.out(hidden))"), fails="vae2018.decoder", says="confined"
    ),
    "logits by a tanh": wrong(
        *LOGITS[1:], (MEANS, "return torch.tanh(self.out(hidden))"), fails="vae2018.decoder", says="tanh"
    ),
    "a linear decoder": wrong(
        (
            "self.hidden = nn.Linear(z_dim, hidden_dim)",
            "self.hidden = nn.Linear(z_dim, hidden_dim)\n        self.plain = True",
        ),
        (
            "hidden = torch.relu(self.hidden(input))\n        return torch.sigmoid",
            "hidden = self.hidden(input)\n        return torch.sigmoid",
        ),
        fails="vae2018.decoder",
        says="linear",
    ),
    "hidden layers": wrong(
        ("self.hidden = nn.Linear(PIXELS, hidden_dim)", "self.layers = [nn.Linear(PIXELS, hidden_dim)]"),
        (
            "torch.relu(self.hidden(input))\n        return self.mean",
            "torch.relu(self.layers[0](input))\n        return self.mean",
        ),
        fails="vae2018.encoder",
        says="not registered",
    ),
    "a prior of half the spread": wrong(
        (SAMPLED, SAMPLED.replace("torch.randn", "0.5 * torch.randn")), fails="vae2018.sample"
    ),
    "brightened samples": wrong(
        (RETURNED, "return torch.bernoulli(im_means.sqrt()), im_means"), fails="vae2018.sample"
    ),
    "quantiles of half the spread": wrong(
        (DECODED, DECODED.replace("axis, axis", "0.5 * axis, axis")), fails="vae2018.manifold"
    ),
    "a grid of three": wrong(
        ("def manifold(model, size=20)", "def manifold(model, size=3)"), fails="vae2018.manifold", says="few"
    ),
    "noisy gradients": wrong(
        (
            STEP,
            f"{STEP}\n"
            f"                for p in model.parameters():\n"
            f"                    p.grad += p.grad.std() * torch.randn_like(p)",
        ),
        fails="vae2018.epoch",
    ),
    "an average of 1.2 times": wrong((AVERAGE, "return 1.2 * total / count"), fails="vae2018.epoch", says="average"),
    "noise for half of the batch": wrong(
        (DRAW, "return mean + std * torch.randn_like(mean[::2]).repeat(2, 1)[: len(mean)]"),
        fails="vae2018.noise",
        says="repeat the noise of others",
    ),
    "a quarter of the latents": wrong(
        (
            SAMPLED,
            SAMPLED.replace(
                "torch.randn(n_samples, self.z_dim)",
                "torch.randn(n_samples // 4, self.z_dim).repeat(5, 1)[:n_samples]",
            ),
        ),
        fails="vae2018.sample",
        says="repeat the noise of others",
    ),
}
