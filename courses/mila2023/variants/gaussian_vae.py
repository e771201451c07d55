"""Gaussian VAEs: the reference in other spellings, and with mistakes that have no name."""

from __future__ import annotations

from validation.variants import Changes, Unnamed
from validation.workbench import example, reference_of

FILE = "vae_solution.py"
DRAW = "return self.mean + self.std * noise"
FORWARD = "        posterior = self.encode(x)\n        conditional"
KL = "return 0.5 * (self.var + self.mean**2 - 1 - self.logvar).flatten(1).sum(dim=1)"
NLL = "return terms.sum(dim=tuple(dims))"
TERMS = "terms = 0.5 * ((sample - self.mean) ** 2 / self.var + self.logvar + math.log(2 * math.pi))"
WEIGHT = "return posterior.nll(z, dims=[1]) - prior.nll(z, dims=[1]) - self.decode(z).nll(x)"
ESTIMATE = """        weights = torch.stack([self.log_weight(x, posterior) for _ in range(K)])
        return weights.logsumexp(dim=0) - math.log(K)"""
POSTERIOR = "        posterior = self.encode(x)\n        weights"
LAYERS = """        hidden = self.encoder(x)
        posterior = DiagonalGaussianDistribution(self.mean(hidden), self.logvar(hidden))
        weights"""
FROM_LAYERS = "DiagonalGaussianDistribution(self.mean(hidden), self.logvar(hidden))"
FROM_ONE = "DiagonalGaussianDistribution(*self.both(hidden).chunk(2, dim=1))"
ENCODE = f"hidden = self.encoder(x)\n        return {FROM_LAYERS}"
FORWARD = "        posterior = self.encode(x)\n        conditional"
NEAR_ZERO = """self.logvar = nn.Linear(features, z_dim)
        for layer in (self.mean, self.logvar):
            layer.weight.data.mul_(1e-2)
            layer.bias.data.zero_()"""
MOVED = """        with torch.no_grad():
            self.mean.bias.fill_(3e5)
        hidden = self.encoder(x)
        posterior = DiagonalGaussianDistribution(self.mean(hidden), self.logvar(hidden))
"""
JOINT = "        return -self.decode(z).nll(x) - 0.5 * (z**2).sum(dim=1)"
LINE = "return model.decode((1 - weight) * z_1 + weight * z_2).mode()"
FOR_EACH = """        estimates = []
        for image in x:
            alone = image.unsqueeze(0)
            posterior = self.encode(alone)
            weights = torch.cat([self.log_weight(alone, posterior) for _ in range(K)])
            estimates.append(weights.logsumexp(dim=0) - math.log(K))
        return torch.stack(estimates)"""
FOR_SHARES = """        estimates = []
        for share in x.split(16):
            posterior = self.encode(share)
            weights = torch.stack([self.log_weight(share, posterior) for _ in range(K)])
            estimates.append(weights.logsumexp(dim=0) - math.log(K))
        return torch.cat(estimates)"""
REPEATED = """        many = x.repeat_interleave(K, dim=0)
        weights = self.log_weight(many, self.encode(many))
        return weights.reshape(len(x), K).logsumexp(dim=1) - math.log(K)"""
ENCODED = "        posterior = self.encode(x)\n"
CLASS = "    def __init__(self, mean, logvar=None):\n"
DENSITY = """    def log_prob(self, value):
        return -self.nll(value, dims=range(1, value.dim()))

"""
WEIGHT_BY_DENSITIES = "return self.decode(z).log_prob(x) + prior.log_prob(z) - posterior.log_prob(z)"
AT_ONCE = """        shape = {shape}
        z = posterior.mean{mean} + posterior.std{mean} * torch.randn(shape)
        flat, images = z.flatten(0, 1), {images}
        prior = DiagonalGaussianDistribution(torch.zeros_like(flat))
        proposal = 0.5 * (((z - posterior.mean{mean}) / posterior.std{mean}) ** 2 + posterior.logvar{mean}
                          + math.log(2 * math.pi)).sum(dim=2)
        joint = -self.decode(flat).nll(images) - prior.nll(flat, dims=[1])
        return (joint.reshape(shape[:2]) + proposal).logsumexp(dim={dim}) - math.log(K)"""


def vae(*changes: tuple[str, str]) -> Changes:
    return {FILE: list(changes)}


# In an older hand-out, no function has a parameter for noise.
WITHOUT_NOISE = (
    ("def sample(self, noise=None):", "def sample(self):"),
    ("noise = torch.randn_like(self.mean) if noise is None else noise", "noise = torch.randn_like(self.mean)"),
    ("def sample(self, batch_size, noise=None):", "def sample(self, batch_size):"),
    ("device=self.device) if noise is None else noise", "device=self.device)"),
    ("def forward(self, x, noise=None):", "def forward(self, x):"),
    ("posterior.sample(noise)", "posterior.sample()"),
)

RIGHT: dict[str, Changes] = {
    "no noise as an argument, as in an older hand-out": vae(*WITHOUT_NOISE),
    "no noise as an argument, and draws by distributions": vae(
        *WITHOUT_NOISE,
        ("noise = torch.randn_like(self.mean)", "noise = torch.normal(torch.zeros_like(self.mean), 1.0)"),
        (
            "noise = torch.randn(batch_size, self.z_dim, device=self.device)",
            "noise = torch.distributions.Normal(0.0, 1.0).sample((batch_size, self.z_dim))",
        ),
    ),
    "latents of a global": vae(
        ("class VAE(nn.Module)", "latent_dim, BATCH = 20, 64\n\n\nclass VAE(nn.Module)"),
        ("        z_dim=100,", "        z_dim=latent_dim,"),
        ("torch.randn(batch_size, self.z_dim, device", "torch.randn(batch_size, latent_dim, device"),
        (FORWARD, FORWARD.replace("encode(x)", "encode(x.view(len(x), *x.shape[1:]))")),
    ),
    "a draw by a distribution": vae(
        (
            f"        noise = torch.randn_like(self.mean) if noise is None else noise\n        {DRAW}",
            "        if noise is None:\n            return torch.distributions.Normal(self.mean, self.std).rsample()\n"
            f"        {DRAW}",
        )
    ),
    "divergence by a distribution": vae(
        (
            KL,
            "return torch.distributions.kl_divergence(\n            torch.distributions.Normal(self.mean, self.std), "
            "torch.distributions.Normal(0.0, 1.0)\n        ).sum(dim=-1)",
        )
    ),
    "likelihood by a distribution": vae(
        (NLL, "return -torch.distributions.Normal(self.mean, self.std).log_prob(sample).sum(dim=tuple(dims))")
    ),
    "terms one by one": vae(
        (
            NLL,
            "count = self.mean[0].numel()\n        squares = ((sample - self.mean) ** 2 / self.var).sum(tuple(dims))\n"
            "        return 0.5 * (squares + self.logvar.sum(tuple(dims)) + count * math.log(2 * math.pi))",
        )
    ),
    "float64 in the likelihood": vae((TERMS, TERMS.replace("(sample - self.mean)", "(sample.double() - self.mean)"))),
    "all draws at once, draws first": vae(
        (
            ESTIMATE,
            AT_ONCE.format(shape="(K, *posterior.mean.shape)", mean="", images="x.repeat(K, 1, 1, 1)", dim="0"),
        )
    ),
    "all draws at once, images first": vae(
        (
            ESTIMATE,
            AT_ONCE.format(
                shape="(len(x), K, posterior.mean.shape[1])",
                mean=".unsqueeze(1)",
                images="x.repeat_interleave(K, dim=0)",
                dim="1",
            ),
        )
    ),
    "an estimate by the largest weight": vae(
        (
            "return weights.logsumexp(dim=0) - math.log(K)",
            "most = weights.max(dim=0).values\n        return most + (weights - most).exp().mean(dim=0).log()",
        )
    ),
    "an estimate from the encoder's layers": vae((POSTERIOR, LAYERS)),
    "posteriors from one layer, past encode": vae(
        ("self.logvar = nn.Linear(features, z_dim)", "self.both = nn.Linear(features, 2 * z_dim)"),
        (ENCODE, ENCODE.replace(FROM_LAYERS, FROM_ONE)),
        (POSTERIOR, LAYERS.replace(FROM_LAYERS, FROM_ONE)),
        (FORWARD, f"        hidden = self.encoder(x)\n        posterior = {FROM_ONE}\n        conditional"),
    ),
    "posteriors that start near the prior, past encode": vae(
        ("self.logvar = nn.Linear(features, z_dim)", NEAR_ZERO), (POSTERIOR, LAYERS)
    ),
    "each image on its own": vae((ENCODED + ESTIMATE, FOR_EACH)),
    "a share of the images at a time": vae((ENCODED + ESTIMATE, FOR_SHARES)),
    "images repeated before they are encoded": vae((ENCODED + ESTIMATE, REPEATED)),
    "a distribution with a density": vae((CLASS, DENSITY + CLASS), (WEIGHT, WEIGHT_BY_DENSITIES)),
    "a distribution around one of torch's": vae(
        (
            "        self.var = self.logvar.exp()\n",
            "        self.var = self.logvar.exp()\n        self.law = torch.distributions.Normal(mean, self.std)\n",
        ),
        (
            WEIGHT,
            "return posterior.nll(z, dims=[1]) + torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1) "
            "+ self.decode(z).law.log_prob(x).sum((1, 2, 3))",
        ),
    ),
    "a distribution with another argument": vae(
        (CLASS, CLASS.replace("logvar=None", "logvar=None, device=None")),
        (
            "DiagonalGaussianDistribution(self.mean(hidden), self.logvar(hidden))",
            "DiagonalGaussianDistribution(self.mean(hidden), self.logvar(hidden), device=self.device)",
        ),
    ),
    "a distribution with other names for its arguments": vae(
        (CLASS, "    def __init__(self, mu, log_var=None):\n        mean, logvar = mu, log_var\n"),
        (
            "DiagonalGaussianDistribution(self.mean(hidden), self.logvar(hidden))",
            "DiagonalGaussianDistribution(log_var=self.logvar(hidden), mu=self.mean(hidden))",
        ),
    ),
    "a draw with another argument": vae(
        ('def sample(self, noise=None):\n        """A draw', 'def sample(self, noise=None, n=1):\n        """A draw'),
        ("z = posterior.sample()", "z = posterior.sample(n=1)"),
    ),
    "samples with noise in their pixels": vae(
        ("return self.decode(noise).mode()", "return self.decode(noise).sample()")
    ),
    "four things returned": vae(
        (
            "return conditional.mode(), conditional.nll(x), posterior.kl()",
            "return conditional.mode(), conditional.nll(x), posterior.kl(), posterior",
        ),
    ),
    "backwards": vae((LINE, "return model.decode(weight * z_1 + (1 - weight) * z_2).mode()")),
    "one after the other": vae(
        (LINE, "return torch.cat([model.decode(torch.lerp(z_1, z_2, float(w))).mode() for w in weight])")
    ),
    "a tanh on the mean of p(x|z)": vae(
        ("DiagonalGaussianDistribution(self.decoder(z))", "DiagonalGaussianDistribution(self.decoder(z).tanh())")
    ),
    "a tanh in the decoder": vae(
        (
            "return self.convolutions(self.dense(z).unflatten(1, self.start))",
            "return torch.tanh(self.convolutions(self.dense(z).unflatten(1, self.start)))",
        )
    ),
    "log-variances cut off": vae((f"return {FROM_LAYERS}", f"return {FROM_LAYERS[:-1]}.clamp(-10, 10))")),
    "log-variances kept in a range by a tanh": vae(
        (
            f"return {FROM_LAYERS}",
            f"return {FROM_LAYERS.replace('self.logvar(hidden)', '8 * torch.tanh(self.logvar(hidden))')}",
        )
    ),
    "other layers": vae(("nn.LeakyReLU(0.2)", "nn.SiLU()"), ("nn.BatchNorm2d(high)", "nn.GroupNorm(1, high)")),
    "latents as squares": vae(
        ("return self.convolutions(self.dense(z)", "return self.convolutions(self.dense(z.flatten(1))"),
    ),
    "an identity by hand": vae(
        (
            "DiagonalGaussianDistribution(self.decoder(z))",
            "DiagonalGaussianDistribution(self.decoder(z), torch.zeros(1))",
        )
    ),
}

ALTERNATIVE: Changes = {FILE: ((reference_of("mila2023") / FILE).read_text(), example("mila2023", "complete/vae.py"))}

LAYER = "self.logvar(hidden))"

UNNAMED: dict[str, Unnamed] = {
    **{
        f"{name} on logvar": Unnamed(
            vae((f"return {FROM_LAYERS}", f"return {FROM_LAYERS.replace(LAYER, code)}")),
            ("gaussian_vae.parts",),
            "the logvar that encode returns cannot take all values",
        )
        for name, code in {
            "half of a tanh": "0.5 * self.logvar(hidden).tanh())",
            "a sigmoid": "self.logvar(hidden).sigmoid())",
            "the negative of a softplus": "-nn.functional.softplus(self.logvar(hidden)))",
        }.items()
    },
    "means without the mean of the batch": Unnamed(
        vae((FROM_LAYERS, FROM_LAYERS.replace("(hidden),", "(hidden) - self.mean(hidden).mean(dim=0),", 1))),
        ("gaussian_vae.parts",),
        "among others",
    ),
    "pixels of twice the tanh": Unnamed(
        vae(
            (
                "DiagonalGaussianDistribution(self.decoder(z))",
                "DiagonalGaussianDistribution(2 * self.decoder(z).tanh())",
            )
        ),
        ("gaussian_vae.parts",),
        "the mean of p(x|z)",
    ),
    "no noise as an argument, and a little too wide": Unnamed(
        vae(*WITHOUT_NOISE, (DRAW, f"{DRAW} * 1.2")), ("gaussian_vae.draw",), "the draw"
    ),
    "no noise as an argument, and latents of the number of features": Unnamed(
        vae(
            *WITHOUT_NOISE,
            ("self.decoder = Decoder(", "self.features = decoder_features\n        self.decoder = Decoder("),
            ("torch.randn(batch_size, self.z_dim,", "torch.randn(batch_size, self.features,"),
        ),
        ("gaussian_vae.sample",),
        "shapes cannot be multiplied",
    ),
    "a little too wide": Unnamed(vae((DRAW, f"{DRAW} * 1.2")), ("gaussian_vae.draw",), "the draw"),
    "divergence a fifth too large": Unnamed(vae((KL, f"{KL} * 1.2")), ("gaussian_vae.kl",), "KL divergence"),
    "a divergence of half a nat at least": Unnamed(
        vae((KL, f"{KL}.clamp(min=0.5)")), ("gaussian_vae.kl",), "KL divergence"
    ),
    "a divergence without the variance's gradient": Unnamed(
        vae((KL, KL.replace("self.var", "self.var.detach()").replace("self.logvar", "self.logvar.detach()"))),
        ("gaussian_vae.kl",),
        "with respect to logvar",
    ),
    "samples with little noise": Unnamed(
        vae(("self.decode(noise).mode()", "self.decode(noise).mode() + 0.5 * torch.randn(batch_size, 1, 32, 32)")),
        ("gaussian_vae.sample",),
        "neither",
    ),
    "the posterior of other images": Unnamed(
        vae(
            (
                "        posterior = self.encode(x)\n        weights",
                "        posterior = self.encode(-x)\n        weights",
            )
        ),
        ("gaussian_vae.log_likelihood",),
    ),
    "black images for the encoder": Unnamed(
        vae((FORWARD, FORWARD.replace("(x)", "(torch.zeros_like(x))"))), ("gaussian_vae.forward",), ""
    ),
    "one image of each batch for the encoder": Unnamed(
        vae((FORWARD, FORWARD.replace("(x)", "(x[:1].expand_as(x))"))), ("gaussian_vae.forward",), ""
    ),
    "another constant": Unnamed(vae((TERMS, TERMS.replace("2 * math.pi", "3"))), ("gaussian_vae.nll",), "log 2π"),
    "a mode beside the mean": Unnamed(
        vae(
            (
                "    def mode(self):\n        return self.mean",
                "    def mode(self):\n        return self.mean + self.var",
            )
        ),
        ("gaussian_vae.mode",),
        "the mode",
    ),
    "a posterior of images together": Unnamed(
        vae(("hidden = self.encoder(x)\n        return", "hidden = self.encoder(x).cumsum(dim=0)\n        return")),
        ("gaussian_vae.parts",),
        "among others",
    ),
    "half of the prior": Unnamed(
        vae((WEIGHT, WEIGHT.replace("- prior", "- 0.5 * prior"))), ("gaussian_vae.log_likelihood",), "log-likelihood"
    ),
    "a wider proposal than it says": Unnamed(
        vae(("z = posterior.sample()", "z = posterior.mean + 1.5 * posterior.std * torch.randn_like(posterior.mean)")),
        ("gaussian_vae.log_likelihood",),
    ),
    "half of the prior, from the encoder's layers": Unnamed(
        vae((WEIGHT, WEIGHT.replace("- prior", "- 0.5 * prior")), (POSTERIOR, LAYERS)),
        ("gaussian_vae.log_likelihood",),
        "log-likelihood",
    ),
    "a wider proposal than it says, from the encoder's layers": Unnamed(
        vae(
            ("z = posterior.sample()", "z = posterior.mean + 1.5 * posterior.std * torch.randn_like(posterior.mean)"),
            (POSTERIOR, LAYERS),
        ),
        ("gaussian_vae.log_likelihood",),
        "not drawn from the posterior",
    ),
    "a single weight without the posterior, of codes far from zero": Unnamed(
        vae((ENCODED + ESTIMATE, MOVED + "        z = posterior.sample()\n" + JOINT)),
        ("gaussian_vae.log_likelihood",),
        "so large that single precision",
    ),
    "weights without prior and posterior, of codes near zero": Unnamed(
        vae(
            ("self.logvar = nn.Linear(features, z_dim)", NEAR_ZERO),
            (POSTERIOR, LAYERS),
            (WEIGHT, "return -self.decode(z).nll(x)"),
        ),
        ("gaussian_vae.log_likelihood",),
        "the log-likelihood is not right",
    ),
    "a posterior that encode does not give": Unnamed(
        vae(
            (
                POSTERIOR,
                "        posterior = DiagonalGaussianDistribution(x.flatten(1)[:, : self.z_dim] / 9)\n        weights",
            )
        ),
        ("gaussian_vae.log_likelihood",),
    ),
    "a millionth of the divergence, of codes near zero": Unnamed(
        vae(
            ("self.logvar = nn.Linear(features, z_dim)", NEAR_ZERO),
            ("conditional.nll(x), posterior.kl()", "conditional.nll(x), 1e-6 * posterior.kl()"),
        ),
        ("gaussian_vae.forward",),
        "divergence",
    ),
    "a likelihood of nothing": Unnamed(
        vae(
            (ESTIMATE, "        return x.new_full((len(x),), -1e6)"),
            ("posterior = self.encode(x)\n        return", "return"),
        ),
        ("gaussian_vae.log_likelihood",),
        "never called",
    ),
    "latents of one sign": Unnamed(
        vae(
            (
                "noise = torch.randn(batch_size, self.z_dim, device=self.device)",
                "noise = torch.randn(batch_size, self.z_dim).abs()",
            )
        ),
        ("gaussian_vae.sample",),
        "N(0, I)",
    ),
    "weights squared": Unnamed(
        vae((LINE, LINE.replace("weight", "weight**2"))), ("gaussian_vae.interpolate",), "interpolated image"
    ),
    "half of the divergence": Unnamed(
        vae(("conditional.nll(x), posterior.kl()", "conditional.nll(x), posterior.kl() / 2")),
        ("gaussian_vae.forward",),
        "divergence",
    ),
    "noise for half of the batch": Unnamed(
        vae(("torch.randn_like(self.mean) if", "torch.randn_like(self.mean[::2]).repeat(2, 1)[: len(self.mean)] if")),
        ("gaussian_vae.draw",),
        "repeat the noise of others",
    ),
    "a quarter of the latents": Unnamed(
        vae(
            (
                "noise = torch.randn(batch_size, self.z_dim, device=self.device) if",
                "noise = torch.randn(batch_size // 4, self.z_dim).repeat(5, 1)[:batch_size] if",
            )
        ),
        ("gaussian_vae.sample",),
        "repeat the noise of others",
    ),
}
