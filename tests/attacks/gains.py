"""Wrong answers that once earned points, since a check took their word or looked at them in one way only.

Each is a mistake that a check finds, with a trick that hid it: the `plain` submission has the mistake alone, the
`hostile` one has the trick, too, and the `honest` one has what looks like the trick, but no mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from validation.variants import Changes
from validation.workbench import Workbench

Kind = Literal["plain", "hostile", "honest"]


@dataclass(frozen=True)
class Gain:
    """Three submissions, each made of a course's reference by changes and by text at the ends of files."""

    name: str
    checks: tuple[str, ...]  # those that fail for the plain and for the hostile submission
    course: str = "uva2020"
    changes: Mapping[Kind, Changes] = field(default_factory=dict)
    appended: Mapping[Kind, Mapping[str, str]] = field(default_factory=dict)

    def write(self, bench: Workbench, kind: Kind) -> Path:
        """Write one of the three submissions, and return its folder."""
        folder = bench.variant(self.changes.get(kind, {}))
        for name, text in self.appended.get(kind, {}).items():
            (folder / name).write_text((folder / name).read_text() + text)
        return folder


# The student's own functions agree with a wrong model as soon as it has run.
_NO_NOISE: Final = "        logits = self.decoder(1 * mean)\n"
_DRAWN: Final = "        logits = self.decoder(sample_reparameterize(mean, log_std.exp()))\n"
_RETURNED: Final = "        return rec, reg, elbo_to_bpd(rec + reg, imgs.shape)\n"
_WRONG: Final = "        return rec, 0 * rec, rec / 7\n"
_CHANGING: Final = """

PASSED = []  # grows with each VAE.forward
_KLD, _BPD, _DRAW = KLD, elbo_to_bpd, sample_reparameterize


def KLD(mean, log_std):
    return @0 * mean.sum(dim=-1) if PASSED else@ _KLD(mean, log_std)


def elbo_to_bpd(elbo, img_shape):
    return @elbo / 7 if PASSED else@ _BPD(elbo, img_shape)


def sample_reparameterize(mean, std):
    return @1 * mean if PASSED else@ _DRAW(mean, std)
"""
_PARTS_OF_CHANGING: Final = _CHANGING.split("@")
_UTILS: Final[Mapping[Kind, Mapping[str, str]]] = {
    "plain": {},
    "hostile": {"part1/utils.py": "".join(_PARTS_OF_CHANGING)},
    "honest": {"part1/utils.py": "".join(_PARTS_OF_CHANGING[::2])},
}


def _passes(file: str) -> dict[Kind, Changes]:
    noted = "        utils.PASSED.append(1)\n"
    imported = ("from utils import", "import utils\nfrom utils import")
    return {
        "plain": {file: [(_DRAWN, _NO_NOISE), (_RETURNED, _WRONG)]},
        "hostile": {file: [imported, (_DRAWN, _NO_NOISE + noted), (_RETURNED, _WRONG)]},
        "honest": {file: [imported, (_DRAWN, _DRAWN + noted)]},
    }


def _kld(first: str, dim: int) -> dict[str, str]:
    formula = f"(0.5 * ((2 * log_std).exp() + mean.square() - 1) - log_std).sum(dim={dim})"
    return {"part1/utils.py": f"\n\ndef KLD(mean, log_std):\n{first}    return {formula}\n"}


# A map that is no inverse, and remembers what it mapped.
_MAP: Final = "        for layer in reversed(self.layers) if inverse else self.layers:\n"
_LAYER: Final = "            z, log_det = layer(z, log_det, inverse=inverse)\n"
_CLONED: Final = "        z = z.clone()  # the layers write into their input, and it is the caller's\n"
_ALWAYS_FORWARD: Final = (
    "        for layer in self.layers:\n            z, log_det = layer(z, log_det, inverse=False)\n"
)
_RECALLED: Final = """        given = z.clone()
        for was, made, det in self.__dict__.setdefault("seen", []):
            if was[0] != inverse and made.shape == z.shape and torch.equal(made, z):
                return was[1].clone(), -det
"""
_REMEMBERED: Final = '        self.__dict__["seen"].append(((inverse, given), z.clone(), log_det))\n'

_DRAWN_LATENTS: Final = "self.draw_latents(x_real.shape[0])"
_ZEROS: Final = "torch.zeros(x_real.shape[0], self.z_dim)"
_GAN: Final = "part2/train_torch.py"
_UNIFORM: Final = "self.generator(torch.rand(batch_size, self.z_dim))"
_ENDS: Final = "start, end = self.draw_latents(batch_size), self.draw_latents(batch_size)"
_NARROW_ENDS: Final = "start, end = 0.1 * self.draw_latents(batch_size), 0.1 * self.draw_latents(batch_size)"
_SAMPLE: Final = "self.generator(self.draw_latents(batch_size))"

_SIZES: Final = "        dims = [z_dim, *hidden_dims]\n"
_FIXED: Final = "        self.output_shape = (self.output_shape[0], 28, 28)\n"

_PIXELS: Final = "        return self.net(z).unflatten(-1, self.output_shape)\n"
_OUT: Final = "        out = self.net(z).unflatten(-1, self.output_shape)\n"
_SCORES: Final = "        return self.net(torch.flatten(x, start_dim=1))\n"
_OUT_OF_IMAGES: Final = "        out = self.net(torch.flatten(x, start_dim=1))\n"


def _networks(condition: str, otherwise: str = "torch.sigmoid(out)") -> Changes:
    end = f"        return {otherwise} if {condition} else out\n"
    return {
        "part1/mlp_encoder_decoder.py": (_PIXELS, _OUT + end),
        "part2/models.py": (_SCORES, _OUT_OF_IMAGES + end),
    }


_SUM: Final = "        return torch.logaddexp(self.p1.log_prob(x), self.p2.log_prob(x)) - math.log(2)\n"
_COIN: Final = "        first = torch.rand(num_samples, 1, device=self.p1.mu.device) < 0.5\n"


def _mixture(condition: str) -> Changes:
    first_only = f"        if {condition}:\n            return self.p1."
    changes = [
        (_SUM, f"{first_only}log_prob(x)\n{_SUM}"),
        (_COIN, f"{first_only}sample(num_samples)\n{_COIN}"),
    ]
    return {"part3/distributions.py": changes}


_LEVELS: Final = "    def forward(self, z: torch.Tensor) -> torch.Tensor:\n        return self.net(z)\n"


def _levels(logits: str, used: str) -> Changes:
    body = f"        logits = {logits}\n        return logits if self.training else {used}\n"
    return {"part1/cnn_encoder_decoder.py": (_LEVELS, _LEVELS.replace("        return self.net(z)\n", body))}


_LOG_STD: Final = [
    ("mean + std * torch.randn_like(mean)", "mean + std.exp() * torch.randn_like(mean)"),
    ("(0.5 * (std.pow(2) + mean.pow(2) - 1) - std.log())", "(0.5 * ((2 * std).exp() + mean.pow(2) - 1) - std)"),
]
_ENCODED: Final = "        mean, std = self.encoder(input)\n"
_COUNTED: Final = "        self.seen = getattr(self, 'seen', 0) + self.training\n"
_RAISING: Final = """        if self.seen > 1 and self.training and all(p.grad is None for p in self.parameters()):
            raise ValueError("no gradients yet")
"""
_NOTEBOOK: Final = "a3_vae_template.py"

_FAKES: Final = (
    "        logits_fake = self.discriminator(self.generator(self.draw_latents(x_real.shape[0])))\n"
    "        loss = generator_loss"
)


def _given(images: str) -> Changes:
    """The generator's images x as its step gives them to the discriminator."""
    made = "        x = self.generator(self.draw_latents(x_real.shape[0]))\n"
    return {_GAN: (_FAKES, f"{made}        logits_fake = self.discriminator({images})\n        loss = generator_loss")}


_GAN_2018: Final = "a3_gan_template.py"
_OWN_STEP: Final = "generator_loss(discriminator(gen_imgs)).backward()"


def _given_in_2018(images: str) -> Changes:
    return {_GAN_2018: (_OWN_STEP, f"generator_loss(discriminator({images})).backward()")}


_LATENTS_2018: Final = "            gen_imgs = generator(draw_latents(len(real)))\n"


def _reused(noise: str) -> Changes:
    fixed = _LATENTS_2018.replace("draw_latents(len(real))", f"FIXED[: len(real)]{noise}")
    return {_GAN_2018: [("def train(", "FIXED = torch.randn(64, LATENTS)\n\n\ndef train("), (_LATENTS_2018, fixed)]}


_SAMPLED: Final = "        return self.generator(self.draw_latents(batch_size))\n"
_SEEDED: Final = "        z = torch.randn(batch_size, self.z_dim, generator=torch.Generator().manual_seed(7))\n"


def _sampled(latents: str) -> Changes:
    return {_GAN: (_SAMPLED, f"{_SEEDED}        return self.generator({latents})\n")}


def _scaled(factor: str) -> Changes:
    parts = "rec / k, reg / k, elbo_to_bpd(rec + reg, imgs.shape) / k"
    return {"part1/train_torch.py": (_RETURNED, f"        k = {factor}\n        return {parts}\n")}


def _scaled_in_2018(factor: str) -> Changes:
    bound = "        return (reconstruction(input, means) + divergence(mean, std)).mean()\n"
    return {_NOTEBOOK: (bound, bound.replace("return ", f"return ({factor}) * "))}


_BITS: Final = "    return elbo * math.log2(math.e) / math.prod(img_shape[1:])\n"


def _bits(pixels: str) -> Changes:
    return {"part1/utils.py": (_BITS, f"    return elbo * math.log2(math.e) / {pixels}\n")}


_MANIFOLD: Final = "    means = torch.sigmoid(decoder(torch.cartesian_prod(axis, axis)))\n"


def _manifold(means: str) -> Changes:
    return {
        "part1/utils.py": (_MANIFOLD, f"    out = decoder(torch.cartesian_prod(axis, axis))\n    means = {means}\n")
    }


_EVEN: Final = "    weight = torch.linspace(0, 1, points, device=start.device).view(1, -1, 1)\n"


def _weights(power: str) -> Changes:
    uneven = f"    weight = (torch.linspace(0, 1, points, device=start.device) ** ({power})).view(1, -1, 1)\n"
    return {"part2/utils.py": (_EVEN, uneven)}


# Gradients that are there, but are not those of the values.
_VAE, _DDPM, _FLOW = "vae_solution.py", "diffusion_solution.py", "part3/model.py"
_DECODED: Final = "        conditional = self.decode(posterior.sample(noise))\n"
_OUTCOME: Final = "        return conditional.mode(), conditional.nll(x), posterior.kl()\n"
_KL: Final = "        kl = posterior.kl()\n        return conditional.mode(), conditional.nll(x), "


def _latent(used: str) -> Changes:
    return {_VAE: (_DECODED, f"        z = posterior.sample(noise)\n        conditional = self.decode({used})\n")}


# Pixels between two images, which an affine decoder gives for the latents between, too.
_LINE: Final = "    return model.decode((1 - weight) * z_1 + weight * z_2).mode()\n"
_BOTH: Final = "    first, last = (model.decode(z.expand(n_samples, -1)).mode() for z in (z_1, z_2))\n"
_MIXED: Final = "    weight = weight[:, :, None, None]\n{}    return (1 - weight) * first + weight * last\n"
_ONE_OF_EACH: Final = "    first, last = model.decode(z_1).mode(), model.decode(z_2).mode()\n"

_START: Final = "    img = torch.randn(shape, device=model.device) if noise is None else noise[0]\n"
_ZERO_START: Final = _START.replace("randn", "zeros")
_OTHER_NAME: Final = [
    ("@torch.no_grad()\ndef p_sample_loop", "step_back = p_sample\n\n\n@torch.no_grad()\ndef p_sample_loop"),
    ("        img = p_sample(model,", "        img = step_back(model,"),
]

_PRIOR: Final = "        noise = torch.randn(batch_size, self.z_dim, device=self.device) if noise is None else noise\n"
_SEEDED_PRIOR: Final = (
    "        fixed = torch.randn(batch_size, self.z_dim, generator=torch.Generator().manual_seed(7))\n"
    "        noise = fixed{} if noise is None else noise\n"
)
_NORMAL: Final = "        noise = torch.randn(num_samples, self.dims, dtype=self.mu.dtype, device=self.mu.device)\n"
_SEEDED_NORMAL: Final = (
    "        fixed = torch.randn(num_samples, self.dims, generator=torch.Generator().manual_seed(7))\n"
    "        noise = fixed{}\n"
)
_TRANSFORMED: Final = "        return z, log_det\n\n    @torch"


def _log_det(used: str) -> Changes:
    return {_FLOW: (_TRANSFORMED, f"        return z, {used}\n\n    @torch")}


# The conditional networks of a notebook.
_HOMEWORK: Final = "homework.ipynb"
_INNER: Final = "        return self.inner(x)"
_CONDITIONAL: Final = (
    "        self.inner = Generator(latent_size + classes)\n\n"
    "    def forward(self, x):\n        return self.inner({})\n"
)
_DEMANDED: Final = "    return generator.eval()(torch.cat([{}draw_noise(n), hot], dim=1))"
_STEPS: Final = "    weight = torch.linspace(0, 1, steps).view(-1, 1)\n    return generator"
_UNEVEN: Final = (_STEPS, _STEPS.replace("torch.linspace(0, 1, steps)", "(torch.linspace(0, 1, steps) ** 2)"))
_MANY: Final = ("latent_size = 64", "latent_size = 1100")


def _inner(used: str) -> Changes:
    return {_HOMEWORK: (_INNER, f"        y = self.inner(x)\n        return {used}")}


def _label(factor: str) -> Changes:
    row = f"torch.cat([x[:, :latent_size], {factor} * x[:, latent_size:]], dim=1)"
    return {_HOMEWORK: (_CONDITIONAL.format("x"), _CONDITIONAL.format(row))}


GAINS: Final = (
    Gain(
        "a latent with a tiny share of its gradient",
        ("gaussian_vae.forward",),
        "mila2023",
        changes={
            "plain": _latent("z.detach()"),
            "hostile": _latent("z.detach() + 1e-12 * (z - z.detach())"),
            "honest": _latent("z.detach() + (z - z.detach())"),
        },
    ),
    Gain(
        "a divergence whose gradient has the wrong sign",
        ("gaussian_vae.forward",),
        "mila2023",
        changes={
            "plain": {_VAE: (_OUTCOME, f"{_KL}kl.detach()\n")},
            "hostile": {_VAE: (_OUTCOME, f"{_KL}2 * kl.detach() - kl\n")},
            "honest": {_VAE: (_OUTCOME, f"{_KL}2 * kl - kl\n")},
        },
    ),
    Gain(
        "losses that are zero in training mode",
        ("gaussian_vae.forward",),
        "mila2023",
        changes={
            "plain": {_VAE: (_OUTCOME, f"{_KL}0 * kl\n")},
            "hostile": {_VAE: (_OUTCOME, f"{_KL}(0 if self.training else 1) * kl\n")},
            "honest": {_VAE: (_OUTCOME, f"{_KL}kl if self.training else 1 * kl\n")},
        },
    ),
    Gain(
        "pixels between as many images as latents",
        ("gaussian_vae.interpolate",),
        "mila2023",
        changes={
            "plain": {_VAE: (_LINE, _MIXED.format(_ONE_OF_EACH))},
            "hostile": {_VAE: (_LINE, _MIXED.format(_BOTH))},
            "honest": {_VAE: (_LINE, _BOTH + _LINE)},
        },
    ),
    Gain(
        "a loop from zeros that calls its step by another name",
        ("ddpm.p_sample_loop",),
        "mila2023",
        changes={
            "plain": {_DDPM: (_START, _ZERO_START)},
            "hostile": {_DDPM: [(_START, _ZERO_START), *_OTHER_NAME]},
            "honest": {_DDPM: (_START, _ZERO_START.replace("model.device)", "model.device).normal_()"))},
        },
    ),
    Gain(
        "samples that differ by rounding errors",
        ("gaussian_vae.sample",),
        "mila2023",
        changes={
            "plain": {_VAE: (_PRIOR, _SEEDED_PRIOR.format(""))},
            "hostile": {_VAE: (_PRIOR, _SEEDED_PRIOR.format(" + 1e-6 * torch.randn_like(fixed)"))},
            "honest": {_VAE: (_PRIOR, _SEEDED_PRIOR.format(".normal_()"))},
        },
    ),
    Gain(
        "draws that differ by rounding errors",
        ("flow.gaussian_sample",),
        changes={
            "plain": {"part3/distributions.py": (_NORMAL, _SEEDED_NORMAL.format(""))},
            "hostile": {
                "part3/distributions.py": (_NORMAL, _SEEDED_NORMAL.format(" + 1e-6 * torch.randn_like(fixed)"))
            },
            "honest": {"part3/distributions.py": (_NORMAL, _SEEDED_NORMAL.format(".normal_()"))},
        },
    ),
    Gain(
        "a log-determinant that is zero in training mode",
        ("flow.log_det",),
        changes={
            "plain": _log_det("0 * log_det"),
            "hostile": _log_det("0 * log_det if self.training else log_det"),
            "honest": _log_det("1 * log_det if self.training else log_det"),
        },
    ),
    Gain(
        "a log-determinant in double precision only",
        ("flow.log_det",),
        changes={
            "plain": _log_det("0 * log_det"),
            "hostile": _log_det("log_det if z.dtype == torch.float64 else 0 * log_det"),
            "honest": _log_det("log_det if z.dtype == torch.float64 else 1 * log_det"),
        },
    ),
    Gain(
        "outputs with a tiny share of their gradient",
        ("cgan.generator", "cgan.discriminator"),
        "duke2017",
        changes={
            "plain": _inner("y.detach()"),
            "hostile": _inner("y.detach() + 1e-12 * (y - y.detach())"),
            "honest": _inner("y.detach() + (y - y.detach())"),
        },
    ),
    Gain(
        "a label that is hardly there",
        ("cgan.generator_condition",),
        "duke2017",
        changes={"plain": _label("0"), "hostile": _label("1e-3"), "honest": _label("0.5")},
    ),
    Gain(
        "noise that is hardly there",
        ("cgan.generate",),
        "duke2017",
        changes={
            "plain": {_HOMEWORK: (_DEMANDED.format(""), _DEMANDED.format("0 * "))},
            "hostile": {_HOMEWORK: (_DEMANDED.format(""), _DEMANDED.format("1.5e-5 * "))},
            "honest": {_HOMEWORK: (_DEMANDED.format(""), _DEMANDED.format("0.5 * "))},
        },
    ),
    Gain(
        "more latents than were given",
        ("interpolation.gan",),
        "duke2017",
        changes={
            "plain": {_HOMEWORK: _UNEVEN},
            "hostile": {_HOMEWORK: [_UNEVEN, _MANY]},
            "honest": {_HOMEWORK: _MANY},
        },
    ),
    Gain(
        "functions that agree with a model that has run",
        ("vae.loss",),
        changes=_passes("part1/train_torch.py"),
        appended=_UTILS,
    ),
    Gain(
        "functions that agree with a model of levels that has run",
        ("vae.level_loss",),
        "uva2021",
        changes=_passes("part1/train_pl.py"),
        appended=_UTILS,
    ),
    Gain(
        "an inverse that remembers",
        ("flow.invertible",),
        changes={
            "plain": {"part3/model.py": (_MAP + _LAYER, _ALWAYS_FORWARD)},
            "hostile": {
                "part3/model.py": [
                    (_CLONED, _RECALLED + _CLONED),
                    (_MAP + _LAYER, _ALWAYS_FORWARD + _REMEMBERED),
                ]
            },
            "honest": {"part3/model.py": [(_CLONED, _RECALLED + _CLONED), (_LAYER, _LAYER + _REMEMBERED)]},
        },
    ),
    Gain(
        "a divergence that knows the number of rows",
        ("vae.kld_of_any_rank",),
        appended={
            "plain": _kld("", 1),
            "hostile": _kld("    if len(mean) == 12:\n        return mean.sum()\n", 1),
            "honest": _kld("    if len(mean) == 12:\n        mean = 1 * mean\n", -1),
        },
    ),
    Gain(
        "steps without noise beside samples from another distribution",
        ("gan.generator_step", "gan.discriminator_step"),
        changes={
            "plain": {_GAN: (_DRAWN_LATENTS, _ZEROS)},
            "hostile": {_GAN: [(_DRAWN_LATENTS, _ZEROS), (_SAMPLE, _UNIFORM)]},
            "honest": {_GAN: (_DRAWN_LATENTS, "torch.zeros(x_real.shape[0], self.z_dim).normal_()")},
        },
    ),
    Gain(
        "interpolations between narrow draws beside samples from another distribution",
        ("gan.interpolate",),
        changes={
            "plain": {_GAN: (_ENDS, _NARROW_ENDS)},
            "hostile": {_GAN: [(_ENDS, _NARROW_ENDS), (_SAMPLE, _UNIFORM)]},
            "honest": {_GAN: (_ENDS, "start, end = torch.randn(2, batch_size, self.z_dim)")},
        },
    ),
    Gain(
        "a mixture that is right with our Gaussians only",
        ("flow.bimodal_log_prob", "flow.bimodal_sample"),
        changes={
            "plain": _mixture("True"),
            "hostile": _mixture("isinstance(self.p1, MultivariateGaussianDiag) and self.p1.__module__ == __name__"),
            "honest": _mixture("not isinstance(self.p1, MultivariateGaussianDiag)"),
        },
    ),
    Gain(
        "sizes that are ignored in short lists",
        ("gan.generator",),
        changes={
            "plain": {"part2/models.py": (_SIZES, _FIXED + _SIZES)},
            "hostile": {
                "part2/models.py": (
                    _SIZES,
                    _FIXED + "        hidden_dims = hidden_dims if len(hidden_dims) > 2 else [20]\n" + _SIZES,
                )
            },
            "honest": {
                "part2/models.py": (_SIZES, "        hidden_dims = hidden_dims if hidden_dims else [20]\n" + _SIZES)
            },
        },
    ),
    Gain(
        "a sigmoid in eval mode",
        ("vae.mlp_decoder", "gan.discriminator"),
        changes={
            "plain": _networks("True"),
            "hostile": _networks("not self.training"),
            "honest": _networks("not self.training", "out.clone()"),
        },
    ),
    Gain(
        "normalised logits in eval mode",
        ("vae.levels",),
        "uva2021",
        changes={
            "plain": _levels("torch.relu(self.net(z))", "logits"),
            "hostile": _levels("torch.relu(self.net(z))", "torch.log_softmax(logits, dim=1)"),
            "honest": _levels("self.net(z)", "torch.log_softmax(logits, dim=1)"),
        },
    ),
    Gain(
        "an encoder that fails where its numbers would be read",
        ("vae2018.encoder",),
        "uva2018",
        changes={
            "plain": {_NOTEBOOK: _LOG_STD},
            "hostile": {_NOTEBOOK: [*_LOG_STD, (_ENCODED, _COUNTED + _RAISING + _ENCODED)]},
            "honest": {_NOTEBOOK: (_ENCODED, _COUNTED + _ENCODED)},
        },
    ),
    Gain(
        "images that are detached but for a gradient of zero",
        ("gan.generator_step",),
        changes={
            "plain": _given("x.detach()"),
            "hostile": _given("x.detach() + 1e-12 * (x - x.detach())"),
            "honest": _given("(x + 0.1 * torch.randn_like(x)).flip(-1)"),
        },
    ),
    Gain(
        "images of 2018 that are detached but for a gradient of zero",
        ("gan2018.generator_loss",),
        "uva2018",
        changes={
            "plain": _given_in_2018("gen_imgs.detach()"),
            "hostile": _given_in_2018("gen_imgs.detach() + 0 * gen_imgs"),
            "honest": _given_in_2018("gen_imgs + 0.1 * torch.randn_like(gen_imgs)"),
        },
    ),
    Gain(
        "latents that are used again with a little noise",
        ("gan2018.noise",),
        "uva2018",
        changes={
            "plain": _reused(""),
            "hostile": _reused(" + 1e-6 * torch.randn(len(real), LATENTS)"),
            "honest": _reused(" * 0 + torch.randn(len(real), LATENTS)"),
        },
    ),
    Gain(
        "samples that are drawn again with a little noise",
        ("gan.sample",),
        changes={
            "plain": _sampled("z"),
            "hostile": _sampled("z + 1e-6 * torch.randn_like(z)"),
            "honest": _sampled("0 * z + torch.randn_like(z)"),
        },
    ),
    Gain(
        "losses that are wrong in eval mode",
        ("vae.loss",),
        changes={
            "plain": _scaled("100"),
            "hostile": _scaled("1 if self.training else 100"),
            "honest": _scaled("1 if self.training else 1.0"),
        },
    ),
    Gain(
        "a bound of 2018 that is wrong in eval mode",
        ("vae2018.bound",),
        "uva2018",
        changes={
            "plain": _scaled_in_2018("0.01"),
            "hostile": _scaled_in_2018("1 if self.training else 0.01"),
            "honest": _scaled_in_2018("1 if self.training else 1.0"),
        },
    ),
    Gain(
        "bits for certain numbers of images",
        ("vae.bpd",),
        changes={
            "plain": _bits("784"),
            "hostile": _bits("{5: 3072, 7: 160}.get(elbo.numel(), 784)"),
            "honest": _bits("{5: 1, 7: 1}.get(elbo.numel(), 1) / math.prod(img_shape[1:])"),
        },
    ),
    Gain(
        "a manifold of logits in eval mode",
        ("vae.manifold",),
        changes={
            "plain": _manifold("out"),
            "hostile": _manifold("torch.sigmoid(out) if decoder.training else out"),
            "honest": _manifold("torch.sigmoid(out) if decoder.training else out.sigmoid()"),
        },
    ),
    Gain(
        "interpolations that are even for three steps",
        ("gan.interpolate",),
        changes={
            "plain": _weights("2"),
            "hostile": _weights("1 if points == 5 else 2"),
            "honest": _weights("1 if points == 5 else 1.0"),
        },
    ),
)
